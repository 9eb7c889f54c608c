package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"starling"
	"starling/internal/durable"
)

// A Library is llama.cpp as it is installed.
type Library struct {
	Version   string           `json:"version"` // "v0.5.0"
	Source    string           `json:"source"`  // where it came from: "npm @node-llama-cpp/linux-x64 3.22.1"
	Platform  string           `json:"platform"`
	Sum       string           `json:"sum,omitempty"` // of the package that it came in; "" of a folder
	Installed time.Time        `json:"installed"`
	Files     map[string]int64 `json:"files"` // bytes, by name, without second names of the same

	Dir  string `json:"dir,omitempty"` // where it lies
	Used bool   `json:"used"`          // it is the one that engines load
}

// Bytes is what a library takes on the disk.
func (l *Library) Bytes() (sum int64) {
	for _, n := range l.Files {
		sum += n
	}
	return sum
}

// described is the file that says what belongs to a library; a folder without it is
// none.
const described = "library.json"

// Libraries returns what is installed, the newest version first. Errors: Internal.
func (s *Store) Libraries() ([]Library, error) {
	entries, err := os.ReadDir(s.engines())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &starling.Error{Kind: starling.Internal, Op: "hub: list libraries", Err: err}
	}
	var all []Library
	for _, e := range entries {
		if l, err := readLibrary(filepath.Join(s.engines(), e.Name())); err == nil && l.Version == e.Name() {
			l.Used = l.Version == Pinned && l.intact() == nil
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b Library) int { return cmp.Compare(b.Version, a.Version) })
	return all, nil
}

// Library returns the one that engines load. Errors: NotFound where there is none, or
// where files of it are missing.
func (s *Store) Library() (Library, error) {
	l, err := readLibrary(filepath.Join(s.engines(), Pinned))
	if err != nil {
		return l, &starling.Error{Kind: starling.NotFound, Op: "hub: llama.cpp " + Pinned + " is not installed", Hint: "starling engine install"}
	}
	if err := l.intact(); err != nil {
		return l, &starling.Error{Kind: starling.NotFound, Op: "hub: llama.cpp in " + l.Dir + " is damaged", Hint: "starling engine install --force", Err: err}
	}
	l.Used = true
	return l, nil
}

func readLibrary(dir string) (l Library, err error) {
	data, err := os.ReadFile(filepath.Join(dir, described))
	if err == nil {
		err = json.Unmarshal(data, &l)
	}
	l.Dir = dir
	return l, err
}

// intact looks whether each file is there in its length, under the names by which
// they are loaded too.
func (l *Library) intact() error {
	for _, short := range []string{"ggml", "llama"} {
		if _, err := os.Stat(filepath.Join(l.Dir, plainName(short, l.Platform))); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Files)) {
		switch info, err := os.Stat(filepath.Join(l.Dir, name)); {
		case err != nil:
			return err
		case info.Size() != l.Files[name]:
			return fmt.Errorf("%s has %d bytes, not %d", name, info.Size(), l.Files[name])
		}
	}
	return nil
}

// RemoveLibrary takes a version away. Engines that have it loaded keep it. Errors:
// NotFound, Internal.
func (s *Store) RemoveLibrary(ctx context.Context, version string) (freed int64, err error) {
	release, err := s.lock(ctx, s.engines(), "install")
	if err != nil {
		return 0, err
	}
	defer release()
	all, err := s.Libraries()
	if err != nil {
		return 0, err
	}
	i := slices.IndexFunc(all, func(l Library) bool { return l.Version == version })
	if i < 0 {
		return 0, &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("hub: library %q is not installed", version), Hint: "starling engine list shows what is"}
	}
	if err := s.retire(all[i].Dir); err != nil {
		return 0, unwritable(all[i].Dir, err)
	}
	return all[i].Bytes(), nil
}

// retire takes a folder away: its name first, so that nobody finds half of it.
func (s *Store) retire(dir string) error {
	old, err := os.MkdirTemp(s.engines(), ".old-*")
	if err != nil {
		return err
	}
	err = os.Rename(dir, filepath.Join(old, "it"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(old))
}

// A fresh is a library that is being put together in a folder of its own.
type fresh struct {
	Library
	store *Store
	kept  bool
}

// begin makes the folder. Who ends removes what was not kept.
func (s *Store) begin() (*fresh, error) {
	if err := os.MkdirAll(s.engines(), 0o700); err != nil {
		return nil, unwritable(s.engines(), err)
	}
	dir, err := os.MkdirTemp(s.engines(), ".new-*")
	if err != nil {
		return nil, unwritable(s.engines(), err)
	}
	return &fresh{Library: Library{Platform: s.o.Platform, Dir: dir, Files: map[string]int64{}}, store: s}, nil
}

func (f *fresh) end() {
	if !f.kept {
		_ = os.RemoveAll(f.Dir) // what stays is swept by the next install
	}
}

// keep checks what was put together and makes it the installed one. Errors: Refused
// for another version than the pinned, or none.
func (f *fresh) keep(ctx context.Context) error {
	if err := f.name(); err != nil {
		return err
	}
	version, err := f.store.version(ctx, f.Dir)
	if err != nil {
		return err
	}
	if version != Pinned {
		return &starling.Error{Kind: starling.Refused, Op: fmt.Sprintf("hub: it is llama.cpp %s, and only %s can be called", version, Pinned), Hint: "name a folder or package of " + Pinned}
	}
	f.Version, f.Installed = version, time.Now().UTC()
	if err := f.describe(); err != nil {
		return unwritable(f.Dir, err)
	}
	to := filepath.Join(f.store.engines(), version)
	if err := f.store.retire(to); err != nil {
		return unwritable(to, err)
	}
	if err := os.Rename(f.Dir, to); err != nil {
		return unwritable(to, err)
	}
	f.Dir, f.Used, f.kept = to, true, true
	return durable.SyncDir(f.store.engines())
}

// describe writes which files belong to it.
func (f *fresh) describe() error {
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(f.Dir, e.Name())) // a link that leads nowhere is no file of a library
		if err != nil {
			return err
		}
		if e.Type().IsRegular() {
			f.Files[e.Name()] = info.Size()
		}
	}
	if err := durable.SyncDir(f.Dir); err != nil {
		return err
	}
	return durable.Replace(filepath.Join(f.Dir, described), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		l := f.Library
		l.Dir = "" // who reads it knows
		return enc.Encode(l)
	})
}

// libraryName matches the files of a library, with the version where there is one:
// libllama.so, libllama.v0.5.0.so, libllama.so.0.5.0, libggml.0.5.0.dylib, llama.dll.
var libraryName = regexp.MustCompile(`^(?:lib)?(llama|ggml|mtmd)((?:-[a-z0-9_-]+)*)(?:\.v?(\d+(?:\.\d+)*))?\.(?:so|dylib|dll)(?:\.(\d+(?:\.\d+)*))?$`)

func isLibrary(name string) bool { return libraryName.MatchString(name) }

// versionOf reads the version in the name of the main library, "" if there is none.
func versionOf(name string) string {
	m := libraryName.FindStringSubmatch(name)
	if m == nil || m[1] != "llama" || m[2] != "" {
		return ""
	}
	return cmp.Or(m[3], m[4])
}

// metadata is the file in which the npm packages say what they were made of.
const metadata = "_nlcBuildMetadata.json"

// version tells which llama.cpp is in a folder: what its files say, and whoever knows
// better if they say nothing, or the right one. Errors: Refused if nobody says.
func (s *Store) version(ctx context.Context, dir string) (string, error) {
	v := toldVersion(dir)
	if s.o.Check != nil && (v == "" || v == Pinned) {
		return s.o.Check(ctx, dir)
	}
	if v != "" {
		return v, nil
	}
	return "", &starling.Error{Kind: starling.Refused, Op: "hub: nothing says which llama.cpp that is", Hint: "only " + Pinned + " can be called: name a package whose files say so"}
}

func toldVersion(dir string) string {
	var build struct {
		BuildOptions struct {
			LlamaCpp struct {
				Release string `json:"release"`
			} `json:"llamaCpp"`
		} `json:"buildOptions"`
	}
	if data, err := os.ReadFile(filepath.Join(dir, metadata)); err == nil && json.Unmarshal(data, &build) == nil && build.BuildOptions.LlamaCpp.Release != "" {
		return build.BuildOptions.LlamaCpp.Release
	}
	entries, _ := os.ReadDir(dir) // what cannot be read says nothing
	best := ""
	for _, e := range entries {
		if v := versionOf(e.Name()); strings.Count(v, ".") > strings.Count(best, ".") || best == "" {
			best = v
		}
	}
	if best == "" {
		return ""
	}
	return "v" + best
}

// name gives the main libraries the plain names under which they are loaded, beside
// those under which they name each other. Errors: Refused where they are missing.
func (f *fresh) name() error {
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return unwritable(f.Dir, err)
	}
	for _, short := range []string{"ggml", "llama"} {
		plain := plainName(short, f.Platform)
		if _, err := os.Stat(filepath.Join(f.Dir, plain)); err == nil {
			continue
		}
		i := slices.IndexFunc(entries, func(e fs.DirEntry) bool {
			m := libraryName.FindStringSubmatch(e.Name())
			return m != nil && m[1] == short && m[2] == "" && m[3]+m[4] != "" && filepath.Ext(plain) == extension(e.Name())
		})
		if i < 0 {
			return &starling.Error{Kind: starling.Refused, Op: "hub: there is no " + plain + " in it", Hint: "name a folder or package of llama.cpp's shared libraries for " + f.Platform}
		}
		if err := alias(f.Dir, plain, entries[i].Name()); err != nil {
			return unwritable(f.Dir, err)
		}
	}
	return nil
}

// extension is what kind of library a file is by its name: ".so" of libllama.so.0.5.0.
func extension(name string) string {
	for _, ext := range []string{".so", ".dylib", ".dll"} {
		if strings.HasSuffix(name, ext) || strings.Contains(name, ext+".") {
			return ext
		}
	}
	return ""
}

// plainName is the name of a library's file on a platform.
func plainName(short, platform string) string {
	switch system, _, _ := strings.Cut(platform, "/"); system {
	case "windows":
		return short + ".dll"
	case "darwin":
		return "lib" + short + ".dylib"
	}
	return "lib" + short + ".so"
}

// alias gives a file of a folder a second name: by a link, and by a copy on Windows,
// where links are not everybody's to make.
func alias(dir, name, to string) error {
	if runtime.GOOS != "windows" {
		return os.Symlink(to, filepath.Join(dir, name))
	}
	return copyFile(filepath.Join(dir, to), filepath.Join(dir, name))
}

// copyFile copies into a file that must not be there.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}
