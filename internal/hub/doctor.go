package hub

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/cpu"

	"starling"
)

// A Finding is one thing that a doctor looked at.
type Finding struct {
	Name  string        `json:"name"`
	State State         `json:"state"`
	Found string        `json:"found"`          // what there is
	Mend  string        `json:"mend,omitempty"` // what to do about it; a command where there is one
	Kind  starling.Kind `json:"kind,omitempty"` // of what is wrong; "" for what is well
}

// A State says how a thing is.
type State string

const (
	Well    State = "ok"
	Note    State = "note"    // it works without
	Missing State = "missing" // nothing works without
	Broken  State = "broken"  // it is there and does not work
)

// A Doctor looks at what local models need. Fields that are nil are not looked at.
type Doctor struct {
	Store *Store

	// Bandwidth measures how fast memory is read, in bytes a second.
	Bandwidth func(ctx context.Context) (float64, error)

	// Try loads the library of a folder in an engine of its own and says what it is.
	Try func(ctx context.Context, dir string) (said string, err error)
}

// Look returns what it found, in the order in which it is needed.
func (d Doctor) Look(ctx context.Context) []Finding {
	all := []Finding{d.platform(), instructions()}
	all = append(all, d.loaded()...)
	library := d.library()
	all = append(all, library)
	if library.State == Well && d.Try != nil {
		all = append(all, d.try(ctx))
	}
	if d.Bandwidth != nil {
		all = append(all, d.bandwidth(ctx))
	}
	return append(all, d.disk(), d.models(), client())
}

// Verdict is nil if all that is needed is there, else an error that names the first
// thing that is not, with its kind.
func Verdict(all []Finding) error {
	for _, f := range all {
		if f.State == Missing || f.State == Broken {
			return &starling.Error{Kind: f.Kind, Op: fmt.Sprintf("doctor: %s: %s", f.Name, f.Found), Hint: f.Mend}
		}
	}
	return nil
}

func (d Doctor) platform() Finding {
	f := Finding{Name: "platform", State: Well, Found: d.Store.o.Platform}
	if p, ok := packages[f.Found]; ok {
		f.Found += ", package " + p.name + " " + pinnedPackage
	} else {
		f.State, f.Mend = Note, "no package was checked for it: starling engine install FILE, with one that you trust"
	}
	return f
}

// instructions names what the processor has of that which the library has variants for.
func instructions() Finding {
	var have []string
	for _, i := range []struct {
		name string
		has  bool
	}{
		{"sse4.2", cpu.X86.HasSSE42}, {"avx", cpu.X86.HasAVX}, {"fma", cpu.X86.HasFMA}, {"avx2", cpu.X86.HasAVX2}, {"avx-vnni", cpu.X86.HasAVXVNNI},
		{"avx512", cpu.X86.HasAVX512F}, {"avx512-vnni", cpu.X86.HasAVX512VNNI}, {"avx512-bf16", cpu.X86.HasAVX512BF16}, {"amx-int8", cpu.X86.HasAMXInt8},
		{"neon", cpu.ARM64.HasASIMD}, {"dotprod", cpu.ARM64.HasASIMDDP}, {"fp16", cpu.ARM64.HasFPHP}, {"sve", cpu.ARM64.HasSVE},
	} {
		if i.has {
			have = append(have, i.name)
		}
	}
	f := Finding{Name: "instructions", State: Well, Found: strings.Join(have, " ")}
	if len(have) == 0 {
		f.State, f.Found = Note, "none that are known of on "+runtime.GOARCH
	} else if runtime.GOARCH == "amd64" && !cpu.X86.HasAVX2 {
		f.State, f.Mend = Note, "without AVX2 a model answers several times slower"
	}
	return f
}

// loaded looks for the libraries of the system that the engine's own are linked with.
func (d Doctor) loaded() []Finding {
	if !strings.HasPrefix(d.Store.o.Platform, "linux/") { // elsewhere the program brings what it needs
		return nil
	}
	var all []Finding
	for _, l := range []struct{ name, mend string }{
		{"libffi.so.8", "apt-get install libffi8, or dnf install libffi"},
		{"libstdc++.so.6", "apt-get install libstdc++6, or dnf install libstdc++"},
	} {
		f := Finding{Name: l.name, State: Well, Found: findLibrary(l.name, os.Getenv("LD_LIBRARY_PATH"), "/etc/ld.so.cache")}
		if f.Found == "" {
			f.State, f.Found, f.Mend, f.Kind = Missing, "not found", l.mend, starling.NotFound
		}
		all = append(all, f)
	}
	return all
}

// findLibrary looks where the dynamic loader looks, in its order, and returns the path;
// "" if there is none. The cache holds paths between zero bytes, whatever its version.
// Source: ld.so(8).
func findLibrary(name, path, cache string) string {
	for _, dir := range filepath.SplitList(path) {
		if there(filepath.Join(dir, name)) {
			return filepath.Join(dir, name)
		}
	}
	data, _ := os.ReadFile(cache) // without one the usual folders are left
	for len(data) > 0 {
		text, rest, _ := bytes.Cut(data, []byte{0})
		if bytes.HasSuffix(text, []byte("/"+name)) && there(string(text)) {
			return string(text)
		}
		data = rest
	}
	for _, dir := range []string{"/lib", "/usr/lib", "/lib64", "/usr/lib64"} {
		if there(filepath.Join(dir, name)) {
			return filepath.Join(dir, name)
		}
	}
	return ""
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (d Doctor) library() Finding {
	l, err := d.Store.Library()
	if err == nil {
		return Finding{Name: "llama.cpp", State: Well, Found: fmt.Sprintf("%s from %s, %d MB, in %s", l.Version, l.Source, l.Bytes()/1e6, l.Dir)}
	}
	f := Finding{Name: "llama.cpp", State: Missing, Found: Pinned + " is not installed", Mend: "starling engine install", Kind: starling.NotFound}
	if len(l.Files) > 0 {
		f.State, f.Found, f.Mend = Broken, "files in "+l.Dir+" are damaged or gone", "starling engine install --force"
	}
	return f
}

func (d Doctor) try(ctx context.Context) Finding {
	l, err := d.Store.Library()
	var said string
	if err == nil {
		said, err = d.Try(ctx, l.Dir)
	}
	if err != nil {
		return Finding{Name: "engine", State: Broken, Found: reason(err), Mend: "starling engine install --force", Kind: starling.KindOf(err)}
	}
	return Finding{Name: "engine", State: Well, Found: said}
}

func (d Doctor) bandwidth(ctx context.Context) Finding {
	b, err := d.Bandwidth(ctx)
	if err != nil {
		return Finding{Name: "memory", State: Note, Found: "its speed could not be measured: " + err.Error()}
	}
	return Finding{Name: "memory", State: Well, Found: fmt.Sprintf("%.1f GB/s are read: a model of 1 GB writes up to %.0f tokens a second", b/1e9, b/1e9)}
}

func (d Doctor) disk() Finding {
	dir := d.Store.dir
	for !there(dir) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	left, err := d.Store.o.Free(dir)
	if err != nil {
		return Finding{Name: "disk", State: Note, Found: "its room is unknown: " + err.Error()}
	}
	f := Finding{Name: "disk", State: Well, Found: fmt.Sprintf("%d MB free for %s", left/1e6, d.Store.dir)}
	if left < 1e9 {
		f.State, f.Mend = Note, "starling model rm frees some; --data names another folder"
	}
	return f
}

func (d Doctor) models() Finding {
	all, err := d.Store.Models()
	switch {
	case err != nil:
		return Finding{Name: "models", State: Broken, Found: err.Error(), Mend: "remove the manifest that cannot be read", Kind: starling.KindOf(err)}
	case len(all) == 0:
		return Finding{Name: "models", State: Note, Found: "none", Mend: "starling model pull ollama:qwen3:0.6b, or starling model import FILE.gguf"}
	}
	kinds := map[string]bool{}
	for _, m := range all {
		kinds[m.Facts.Quant] = true
	}
	delete(kinds, "")
	return Finding{Name: "models", State: Well, Found: strings.TrimSpace(fmt.Sprintf("%d %s", len(all), strings.Join(slices.Sorted(maps.Keys(kinds)), " ")))}
}

func client() Finding {
	if npm, err := exec.LookPath("npm"); err == nil {
		return Finding{Name: "npm", State: Well, Found: npm}
	}
	return Finding{Name: "npm", State: Note, Found: "none: libraries come from the registry itself"}
}
