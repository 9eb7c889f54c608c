package hub

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"starling"
)

// theLibrary fails unless the pinned library is installed whole, and under the names by
// which it is loaded.
func theLibrary(t *testing.T, s *Store) Library {
	t.Helper()
	l, err := s.Library()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"libllama.so": "llama " + Pinned, "libggml.so": "ggml " + Pinned, "libggml.v0.5.0.so": "ggml " + Pinned, "libggml-cpu-x64.so": "cpu"} {
		if got, err := os.ReadFile(filepath.Join(l.Dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if there(filepath.Join(l.Dir, "llama-addon.node")) {
		t.Error("it has what was not wanted")
	}
	return l
}

// nothing fails if anything of a library is left.
func nothing(t *testing.T, s *Store) {
	t.Helper()
	entries, err := os.ReadDir(s.engines())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "locks" && e.Name() != ".fetched" {
			t.Errorf("%s is left", e.Name())
		}
	}
	if _, err := s.Library(); starling.KindOf(err) != starling.NotFound {
		t.Errorf("a library is used: %v", err)
	}
}

// noNPM takes npm from the path.
func noNPM(t *testing.T) { t.Setenv("PATH", t.TempDir()) }

func linux(w *world, o Options) *Store {
	o.Platform = "linux/amd64"
	return w.store(o)
}

func TestALibraryIsInstalledFromAPackageOrAFolder(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	files := map[string][]byte{"libs.tgz": parcel(t, library(Pinned), nil), "libs.zip": zipped(t, library(Pinned))}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unpack(filepath.Join(dir, "libs.tgz"), folder); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("libllama.v0.5.0.so", filepath.Join(folder, "libllama.so")); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{"libs.tgz", "libs.zip", "folder"} {
		s := linux(w, Options{})
		from = filepath.Join(dir, from)
		if l, _, err := s.Install(t.Context(), Installation{From: from}); err != nil || l.Source != from || !l.Used {
			t.Fatal(l, err)
		}
		l := theLibrary(t, s)
		if _, _, err := s.Install(t.Context(), Installation{From: from}); err != nil { // once more
			t.Fatal(err)
		}
		all, err := s.Libraries()
		if err != nil || len(all) != 1 || !all[0].Used || all[0].Dir != l.Dir || all[0].Bytes() != l.Bytes() {
			t.Error(all, err)
		}
		if freed, err := s.RemoveLibrary(t.Context(), Pinned); err != nil || freed != l.Bytes() {
			t.Error(freed, err)
		}
		nothing(t, s)
		_, err = s.RemoveLibrary(t.Context(), "../models")
		is(t, err, starling.NotFound)
	}
}

func zipped(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		out, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(out, files[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAPackageThatIsNoneOrLeadsElsewhereIsRefused(t *testing.T) {
	w := newWorld(t)
	escape := library(Pinned)
	escape["../../../escaped.so"] = "x"
	escape["/libggml-cpu-evil.so"] = "inside"
	without := library(Pinned)
	delete(without, "package/bins/linux-x64/libggml."+Pinned+".so")
	twice := library(Pinned)
	twice["other/libggml-base.so"] = "another"
	untold := library(Pinned)
	delete(untold, "package/bins/linux-x64/"+metadata)
	delete(untold, "package/bins/linux-x64/libllama."+Pinned+".so")
	untold["lib/libllama.so"] = "x"
	good := parcel(t, library(Pinned), nil)
	for _, c := range []struct {
		name string
		data []byte
		kind starling.Kind
	}{
		{"names that lead out", parcel(t, escape, nil), ""},
		{"a link beside", parcel(t, library(Pinned), map[string]string{"package/bins/linux-x64/libllama.so": "libllama.v0.5.0.so"}), ""},
		{"a link out", parcel(t, library(Pinned), map[string]string{"bin/libllama.so": "../../../../etc/passwd"}), starling.Refused},
		{"an absolute link", parcel(t, library(Pinned), map[string]string{"libllama.so": "/etc/passwd"}), starling.Refused},
		{"a link to nothing", parcel(t, library(Pinned), map[string]string{"libggml-x.so": "libggml-y.so"}), starling.Refused},
		{"links in a ring", parcel(t, library(Pinned), map[string]string{"libggml-x.so": "libggml-y.so", "libggml-y.so": "libggml-x.so"}), starling.Refused},
		{"another version", parcel(t, library("v0.6.0"), nil), starling.Refused},
		{"no version", parcel(t, untold, nil), starling.Refused},
		{"half", parcel(t, without, nil), starling.Refused},
		{"two of one name", parcel(t, twice, nil), starling.Refused},
		{"cut off", good[:len(good)/2], starling.Refused},
		{"a page", []byte("<html>"), starling.Refused},
		{"nothing", nil, starling.Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := linux(w, Options{})
			file := filepath.Join(t.TempDir(), "libs.tar.gz")
			if err := os.WriteFile(file, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, err := s.Install(t.Context(), Installation{From: file})
			is(t, err, c.kind)
			if err != nil {
				nothing(t, s)
				return
			}
			theLibrary(t, s)
			if there(filepath.Join(s.dir, "escaped.so")) || there(filepath.Join(s.dir, "..", "escaped.so")) {
				t.Error("a file escaped")
			}
		})
	}
	s := linux(w, Options{})
	_, _, err := s.Install(t.Context(), Installation{From: filepath.Join(t.TempDir(), "none.tgz")})
	is(t, err, starling.NotFound)
}

func TestTheLibraryItselfHasTheLastWordOnItsVersion(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "libs.tgz")
	if err := os.WriteFile(file, parcel(t, library(Pinned), nil), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		says string
		err  error
		kind starling.Kind
	}{{Pinned, nil, ""}, {"v0.6.0", nil, starling.Refused}, {"", &starling.Error{Kind: starling.Refused, Op: "it does not load"}, starling.Refused}} {
		s := linux(w, Options{Check: func(_ context.Context, dir string) (string, error) {
			if !there(filepath.Join(dir, "libllama.so")) {
				t.Error("it is asked before it can be loaded")
			}
			return c.says, c.err
		}})
		_, _, err := s.Install(t.Context(), Installation{From: file})
		is(t, err, c.kind)
	}
}

func TestTheRegistryIsAskedWhereThereIsNoNPM(t *testing.T) {
	noNPM(t)
	for _, c := range []struct {
		name   string
		faults []fate
		kind   starling.Kind
	}{
		{"well", nil, ""}, {"cut off", []fate{cut(100), cut(50)}, ""}, {"503, then well", []fate{answers(503)}, ""},
		{"other bytes", []fate{flipped}, starling.NotFound}, {"a page", []fate{page}, starling.NotFound}, {"404", []fate{answers(404)}, starling.NotFound},
		{"down", slices.Repeat([]fate{hangUp}, 2*mostTries), starling.Overloaded},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			s := linux(w, Options{})
			w.publish(s, parcel(t, library(Pinned), nil))
			w.next(c.faults...)
			_, skipped, err := s.Install(t.Context(), Installation{})
			is(t, err, c.kind)
			if err != nil {
				nothing(t, s)
				if !strings.Contains(err.Error(), "engine install FILE") || len(skipped) != 4 {
					t.Error(err, skipped)
				}
				w.next()
				if _, _, err := s.Install(t.Context(), Installation{}); err != nil {
					t.Fatal(err)
				}
			}
			l := theLibrary(t, s)
			if l.Source != "npm @libs/linux-x64 "+pinnedPackage || !strings.HasPrefix(l.Sum, "sha512:") {
				t.Error(l)
			}
			w.next()
			if _, _, err := s.Install(t.Context(), Installation{}); err != nil || w.sent() != 0 {
				t.Errorf("installed once more with %d bytes: %v", w.sent(), err)
			}
		})
	}
}

// ownNPM puts an npm of our own on the path.
func ownNPM(t *testing.T, script string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("it is a script for a shell")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "npm"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", strings.Join([]string{dir, os.Getenv("PATH"), "/usr/bin", "/bin"}, string(filepath.ListSeparator))) // of the script's own tools
}

func TestNPMIsAskedWhereThereIsOne(t *testing.T) {
	w := newWorld(t)
	data := parcel(t, library(Pinned), nil)
	file := filepath.Join(t.TempDir(), "it.tgz")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PARCEL", file)
	for _, c := range []struct {
		name, script string
		served       bool // the registry had to be asked
	}{
		{"well", `[ "$1 $2" = "pack @libs/linux-x64@` + pinnedPackage + `" ] && cp "$PARCEL" libs-linux-x64.tgz`, false},
		{"it fails", `echo "npm error code E404" >&2; exit 1`, true},
		{"another package", `echo other > libs-linux-x64.tgz`, true},
		{"nothing", `exit 0`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := linux(w, Options{})
			w.publish(s, data)
			w.next()
			ownNPM(t, c.script)
			_, skipped, err := s.Install(t.Context(), Installation{})
			if err != nil {
				t.Fatal(err)
			}
			theLibrary(t, s)
			if c.served != (w.sent() > 0) || c.served != (len(skipped) == 2) {
				t.Errorf("%d bytes were served, %q", w.sent(), skipped)
			}
		})
	}
}

func TestTheSystemsLibraryIsTakenOnlyInThePinnedVersion(t *testing.T) {
	noNPM(t)
	w := newWorld(t)
	for _, c := range []struct {
		file string
		good bool
	}{{"libllama.so.0.5.0", true}, {"libllama.so.0.6.1", false}, {"libllama.so", false}} {
		dir := t.TempDir()
		for _, name := range []string{c.file, "libggml.so.0.5.0", "libggml-base.so", "libunrelated.so"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := linux(w, Options{System: []string{t.TempDir(), dir}})
		l, skipped, err := s.Install(t.Context(), Installation{})
		if (err == nil) != c.good {
			t.Fatal(c.file, err)
		}
		if c.good && (l.Source != "system "+dir || there(filepath.Join(l.Dir, "libunrelated.so"))) {
			t.Error(l)
		}
		if c.file == "libllama.so.0.6.1" && !strings.Contains(skipped[0], "v0.6.1") {
			t.Error(skipped)
		}
	}
}

func TestAReleaseIsTakenOnlyInThePinnedVersion(t *testing.T) {
	noNPM(t)
	w := newWorld(t)
	for _, c := range []struct {
		tag  string
		lib  string
		kind starling.Kind
	}{{Pinned, Pinned, ""}, {"b9000", Pinned, starling.NotFound}, {Pinned, "v0.6.0", starling.NotFound}} {
		w.release(c.tag, "llama-"+c.tag+"-bin-ubuntu-x64.tar.gz", parcel(t, library(c.lib), nil))
		s := linux(w, Options{})
		l, skipped, err := s.Install(t.Context(), Installation{})
		is(t, err, c.kind)
		if err == nil && (l.Source != "GitHub llama-"+c.tag+"-bin-ubuntu-x64.tar.gz" || len(skipped) != 3) {
			t.Error(l, skipped)
		}
	}
}

func TestADamagedLibraryIsNotUsedAndIsInstalledAnew(t *testing.T) {
	noNPM(t)
	w := newWorld(t)
	s := linux(w, Options{})
	w.publish(s, parcel(t, library(Pinned), nil))
	for _, damage := range []func(dir string) error{
		func(dir string) error { return os.Remove(filepath.Join(dir, "libllama.so")) },
		func(dir string) error { return os.Remove(filepath.Join(dir, "libggml-base.so")) },
		func(dir string) error { return os.Truncate(filepath.Join(dir, "libggml.v0.5.0.so"), 3) },
		func(dir string) error { return os.Remove(filepath.Join(dir, described)) },
	} {
		l, _, err := s.Install(t.Context(), Installation{})
		if err != nil {
			t.Fatal(err)
		}
		if err := damage(l.Dir); err != nil {
			t.Fatal(err)
		}
		_, err = s.Library()
		is(t, err, starling.NotFound)
		if f := (Doctor{Store: s}).library(); f.State == Well || !strings.HasPrefix(f.Mend, "starling engine install") {
			t.Error(f)
		}
	}
	if _, _, err := s.Install(t.Context(), Installation{Force: true}); err != nil {
		t.Fatal(err)
	}
	theLibrary(t, s)
}

func TestADoctorSaysWhatIsMissingAndWhatMendsIt(t *testing.T) {
	w := newWorld(t)
	s := linux(w, Options{})
	d := Doctor{Store: s, Bandwidth: func(context.Context) (float64, error) { return 20e9, nil }, Try: func(context.Context, string) (string, error) { return "v0.5.0 haswell", nil }}
	find := func(all []Finding, name string) Finding {
		for _, f := range all {
			if f.Name == name {
				return f
			}
		}
		return Finding{}
	}
	all := d.Look(t.Context())
	if f := find(all, "llama.cpp"); f.State != Missing || f.Mend != "starling engine install" {
		t.Error(f)
	}
	if err := Verdict([]Finding{find(all, "llama.cpp")}); starling.KindOf(err) != starling.NotFound || !strings.Contains(err.Error(), "starling engine install") {
		t.Error(err)
	}
	if f := find(all, "memory"); !strings.Contains(f.Found, "20.0 GB/s") || find(all, "engine").Name != "" {
		t.Error(f)
	}
	file := filepath.Join(t.TempDir(), "libs.tgz")
	if err := os.WriteFile(file, parcel(t, library(Pinned), nil), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Install(t.Context(), Installation{From: file}); err != nil {
		t.Fatal(err)
	}
	if all = d.Look(t.Context()); find(all, "llama.cpp").State != Well || find(all, "engine").Found != "v0.5.0 haswell" {
		t.Error(all)
	}
	d.Try = func(context.Context, string) (string, error) { return "", errors.New("it crashed") }
	if f := find(d.Look(t.Context()), "engine"); f.State != Broken || Verdict([]Finding{f}) == nil {
		t.Error(f)
	}
}

func TestALibraryIsFoundWhereTheLoaderLooks(t *testing.T) {
	dir := t.TempDir()
	lib := filepath.Join(dir, "libfound-for-a-test.so.8")
	cache := filepath.Join(dir, "cache")
	for name, text := range map[string]string{lib: "", cache: "magic\x00\x01/nowhere/libfound-for-a-test.so.8\x00" + lib + "\x00"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Base(lib)
	for _, c := range []struct{ path, cache, want string }{{dir, "", lib}, {"", cache, lib}, {"", filepath.Join(dir, "none"), ""}} {
		if got := findLibrary(name, c.path, c.cache); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestFilesOfALibraryAreKnownByTheirNames(t *testing.T) {
	for name, version := range map[string]string{
		"libllama.so": "", "libllama.v0.5.0.so": "0.5.0", "libllama.so.0.5.0": "0.5.0", "libllama.0.5.0.dylib": "0.5.0", "llama.dll": "", "llama.v0.5.0.dll": "0.5.0",
		"libggml.v0.5.0.so": "", "libggml-cpu-haswell.so": "", "libllama-common.so": "",
	} {
		if !isLibrary(name) || versionOf(name) != version {
			t.Errorf("%s: %v, %q", name, isLibrary(name), versionOf(name))
		}
	}
	for _, name := range []string{"llama-addon.node", "libc.so.6", "libllama.so.txt", "llama", "libffi.so.8", "llama-cli"} {
		if isLibrary(name) {
			t.Errorf("%s is none", name)
		}
	}
}

// TestTheRealPackageComesThroughNPM needs a network.
func TestTheRealPackageComesThroughNPM(t *testing.T) {
	if os.Getenv("STARLING_TEST_NPM") == "" {
		t.Skip("STARLING_TEST_NPM is not set: no registry is asked")
	}
	if _, err := exec.LookPath("npm"); err != nil {
		t.Fatal(err)
	}
	for _, through := range []string{"client", "registry"} {
		if through == "registry" {
			noNPM(t)
		}
		s, err := Open(t.TempDir(), Options{System: []string{}})
		if err != nil {
			t.Fatal(err)
		}
		l, skipped, err := s.Install(t.Context(), Installation{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %s %s, %d bytes; skipped %q", through, l.Version, l.Source, l.Bytes(), skipped)
		if want := 1 + map[string]int{"client": 0, "registry": 1}[through]; len(skipped) != want {
			t.Errorf("skipped %q", skipped)
		}
		s.get.client.CloseIdleConnections()
	}
}

// FuzzPackages: whatever a package holds, nothing is written but beside each other.
func FuzzPackages(f *testing.F) {
	f.Add(parcel(f, library(Pinned), map[string]string{"a/libllama.so": "../x"}), false)
	f.Add(parcel(f, map[string]string{"../../libllama.so": "x", `..\libggml.so`: "y"}, nil), false)
	f.Add([]byte("PK\x03\x04"), true)
	f.Fuzz(func(t *testing.T, data []byte, zip bool) {
		root := t.TempDir()
		dir, file := filepath.Join(root, "a", "b"), filepath.Join(root, map[bool]string{true: "p.zip", false: "p.tgz"}[zip])
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(file, data, 0o600)); err != nil {
			t.Fatal(err)
		}
		err := unpack(file, dir)
		if err != nil {
			is(t, err, starling.Refused)
		}
		for _, at := range []string{root, filepath.Join(root, "a")} {
			entries, rerr := os.ReadDir(at)
			if rerr != nil || len(entries) > 2 || at != root && len(entries) > 1 {
				t.Errorf("%d entries in %s: %v", len(entries), at, rerr)
			}
		}
	})
}
