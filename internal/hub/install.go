package hub

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"starling"
)

// pinnedPackage is the release of the npm packages that hold the pinned version.
const pinnedPackage = "3.22.1"

// A packaged is an npm package, and its checksum as npm writes it.
type packaged struct{ name, integrity string }

// packages are the npm packages of libraries, with the checksums of that release. A
// platform without a row has none that was looked at.
//
// Source: registry.npmjs.org, dist.integrity of each, 2026-11-27.
var packages = map[string]packaged{
	"linux/amd64": {"@node-llama-cpp/linux-x64", "sha512-5uCCDNqWCNfaAm8aR/Uzxbo4HBpKgNF91kCHPepKhgMgV2OAmatoefbOlMihsqCiH2Od35E/eUHQCFbfRBJuOg=="},
	"linux/arm64": {"@node-llama-cpp/linux-arm64", "sha512-W+7naKCXX9/eEjjFmRS8vvx91QyLXDbeFxexZc3bh/PtQABZgmRL3C0AtYYXn4YGTj/3Qor4lWZn2tpjZFPLdQ=="},
	"linux/arm":   {"@node-llama-cpp/linux-armv7l", "sha512-v/pHg4BcQHRDna+YYq4vWp44HCFluar4hAiB732Pa5PF89flMXhHSku68tQn+25RJjuc3TtoeY/i57WnX9GrdQ=="},
}

// systemFolders is where systems and their package managers put libraries.
var systemFolders = []string{
	"/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib/llama.cpp", "/usr/local/lib",
	"/opt/homebrew/lib", "/opt/homebrew/opt/llama.cpp/lib", "/home/linuxbrew/.linuxbrew/lib",
}

// A source is one place where a library may come from. Its error says why not from there.
type source struct {
	name string
	put  func(ctx context.Context, f *fresh) error
}

// An Installation says what is to be installed.
type Installation struct {
	From  string // folder, or .tgz, .tar.gz or .zip file; "" the first source that has it
	Force bool   // also where the library is installed already
}

// Install installs the pinned library from the folder or package that is named, else
// from the first source that has it: the system, the npm package by npm's client, the
// same from the registry, llama.cpp's own releases. Skipped says which had it not, and
// why. One that is installed and whole stays, unless a file is named or Force is set.
//
// Errors: NotFound if nobody has it, Overloaded if that may be for want of a network,
// Refused for another version or a wrong checksum, TooLarge, Cancelled, Internal.
func (s *Store) Install(ctx context.Context, i Installation) (l Library, skipped []string, err error) {
	release, err := s.lock(ctx, s.engines(), "install")
	if err != nil {
		return l, nil, err
	}
	defer release()
	s.sweep()
	sources := []source{{i.From, func(_ context.Context, f *fresh) error { return f.given(i.From) }}}
	if i.From == "" {
		if l, err := s.Library(); err == nil && !i.Force {
			return l, nil, nil
		}
		sources = []source{{"system", s.fromSystem}, {"npm", s.fromClient}, {"npm registry", s.fromRegistry}, {"llama.cpp's releases", s.fromReleases}}
	}
	kind := starling.NotFound
	for _, src := range sources {
		l, err := s.from(ctx, src)
		switch {
		case err == nil:
			return l, skipped, nil
		case i.From != "", ctx.Err() != nil, slices.Contains([]starling.Kind{starling.TooLarge, starling.Internal}, starling.KindOf(err)):
			return l, skipped, err // no other source would do better
		case starling.KindOf(err) == starling.Overloaded:
			kind = starling.Overloaded
		}
		skipped = append(skipped, src.name+": "+reason(err))
	}
	return l, skipped, &starling.Error{
		Kind: kind, Op: fmt.Sprintf("hub: llama.cpp %s for %s was found nowhere", Pinned, s.o.Platform), Err: errors.New(strings.Join(skipped, "; ")),
		Hint: "fetch a package of its shared libraries where there is a network, and 'starling engine install FILE'",
	}
}

// reason is an error without what to do about it, which is the same for all sources.
func reason(err error) string {
	e, ok := errors.AsType[*starling.Error](err)
	if !ok {
		return err.Error()
	}
	bare := *e
	bare.Op, bare.Hint = strings.TrimPrefix(bare.Op, "hub: "), ""
	return bare.Error()
}

// sweep removes what installs left that were ended on the way, and parts of packages
// that nobody went on with.
func (s *Store) sweep() {
	for _, pattern := range []string{".new-*", ".old-*"} {
		left, _ := filepath.Glob(filepath.Join(s.engines(), pattern)) // the pattern is good
		for _, dir := range left {
			_ = os.RemoveAll(dir) // else the next one tries
		}
	}
	parcels, _ := filepath.Glob(s.parcel("*")) // the pattern is good
	for _, file := range parcels {
		if info, err := os.Stat(file); err == nil && time.Since(info.ModTime()) > forgotten {
			_ = os.Remove(file) // else the next one tries
		}
	}
}

func (s *Store) from(ctx context.Context, src source) (Library, error) {
	f, err := s.begin()
	if err != nil {
		return Library{}, err
	}
	defer f.end()
	f.Source = src.name
	if err := src.put(ctx, f); err != nil {
		return Library{}, err
	}
	if err := f.keep(ctx); err != nil {
		return Library{}, err
	}
	return f.Library, nil
}

// given takes what a person named.
func (f *fresh) given(from string) error {
	info, err := os.Stat(from)
	if err != nil {
		return &starling.Error{Kind: starling.NotFound, Op: "hub: install from " + from, Hint: "name a folder or a .tgz, .tar.gz or .zip file", Err: err}
	}
	if !info.IsDir() {
		return unpack(from, f.Dir)
	}
	return f.copy(from)
}

// copy takes the files of a library out of a folder, so that nothing changes with it.
func (f *fresh) copy(from string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return &starling.Error{Kind: starling.NotFound, Op: "hub: install from " + from, Err: err}
	}
	for _, e := range entries {
		if !wanted(e.Name()) {
			continue
		}
		path := filepath.Join(from, e.Name())
		if to, err := os.Readlink(path); err == nil && to == filepath.Base(to) && isLibrary(to) {
			if err := alias(f.Dir, e.Name(), to); err != nil {
				return unwritable(f.Dir, err)
			}
			continue
		}
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if err := copyFile(path, filepath.Join(f.Dir, e.Name())); err != nil {
			return unwritable(f.Dir, err)
		}
	}
	return nil
}

// fromSystem takes a library of the system, if its files say that it is the pinned one.
func (s *Store) fromSystem(_ context.Context, f *fresh) error {
	var others []string
	for _, dir := range s.o.System {
		switch v := toldVersion(dir); v {
		case Pinned:
			f.Source = "system " + dir
			return f.copy(dir)
		case "":
		default:
			others = append(others, dir+" has "+v)
		}
	}
	why := cmp.Or(strings.Join(others, ", "), "none in the usual folders")
	return &starling.Error{Kind: starling.NotFound, Op: why}
}

// packageOf returns the npm package of this platform, with its checksum.
func (s *Store) packageOf() (name, sum string, err error) {
	p, ok := s.packages[s.o.Platform]
	if !ok {
		return "", "", &starling.Error{Kind: starling.NotFound, Op: "no package is known for " + s.o.Platform, Hint: "name one that you trust: starling engine install FILE"}
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.integrity, "sha512-"))
	if err != nil {
		return "", "", &starling.Error{Kind: starling.Internal, Op: "hub: pinned checksum", Err: err}
	}
	return p.name, "sha512:" + hex.EncodeToString(raw), nil
}

// mostNPM bounds how long npm may take.
const mostNPM = 15 * time.Minute

// fromClient has npm fetch the package: it knows mirrors, proxies and certificates of
// its user. What it brings is checked like anything else.
func (s *Store) fromClient(ctx context.Context, f *fresh) error {
	name, sum, err := s.packageOf()
	if err != nil {
		return err
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return &starling.Error{Kind: starling.NotFound, Op: "there is no npm here"}
	}
	dir, err := os.MkdirTemp(s.engines(), ".new-*")
	if err != nil {
		return unwritable(s.engines(), err)
	}
	defer os.RemoveAll(dir)
	if err := s.pack(ctx, npm, name, dir); err != nil {
		return err
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.tgz")) // the pattern is good
	if len(files) != 1 {
		return &starling.Error{Kind: starling.Refused, Op: "npm left no package"}
	}
	if err := checkFile(files[0], sum); err != nil {
		return &starling.Error{Kind: starling.Refused, Op: "npm brought another package than " + name + " " + pinnedPackage + " is", Err: err}
	}
	f.Source, f.Sum = "npm "+name+" "+pinnedPackage, sum
	return unpack(files[0], f.Dir)
}

// pack runs npm in a folder, where it leaves the package. Nothing in it is run.
func (s *Store) pack(ctx context.Context, npm, name, dir string) error {
	bounded, cancel := context.WithTimeout(ctx, mostNPM)
	defer cancel()
	args := []string{"pack", name + "@" + pinnedPackage, "--ignore-scripts", "--pack-destination", "."}
	if s.o.NPM != "" {
		args = append(args, "--registry", s.o.NPM)
	}
	cmd := exec.CommandContext(bounded, npm, args...)
	cmd.Dir, cmd.WaitDelay = dir, 5*time.Second
	said := &tail{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return cancelled(ctx)
		}
		return &starling.Error{Kind: starling.Overloaded, Op: "npm pack " + name + said.code(), Err: err}
	}
	return nil
}

// A tail keeps the end of what a program says.
type tail struct{ bytes.Buffer }

const mostSaid = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	if t.Len() > mostSaid {
		t.Reset()
	}
	return t.Buffer.Write(p)
}

// code is npm's own word for what went wrong.
func (t *tail) code() string {
	for line := range strings.Lines(t.String()) {
		if code, ok := strings.CutPrefix(strings.TrimSpace(line), "npm error code "); ok {
			return " says " + code
		}
	}
	return ""
}

// fromRegistry fetches the package without npm.
func (s *Store) fromRegistry(ctx context.Context, f *fresh) error {
	name, sum, err := s.packageOf()
	if err != nil {
		return err
	}
	base := strings.TrimSuffix(cmp.Or(s.o.NPM, "https://registry.npmjs.org"), "/")
	_, last, _ := strings.Cut(name, "/")
	file := last + "-" + pinnedPackage + ".tgz"
	w := want{what: file, url: base + "/" + name + "/-/" + file, path: s.parcel(file), sum: sum}
	if err := s.get.file(ctx, w); err != nil {
		return err
	}
	defer os.Remove(w.path)
	f.Source, f.Sum = "npm "+name+" "+pinnedPackage, sum
	return unpack(w.path, f.Dir)
}

// parcel is where a package lies while it is fetched, under a name that a second try
// finds again.
func (s *Store) parcel(file string) string { return filepath.Join(s.engines(), ".fetched", file) }

// builds are the ends of the names of llama.cpp's own packages that use no graphics card.
var builds = map[string]string{
	"linux/amd64": "bin-ubuntu-x64", "linux/arm64": "bin-ubuntu-arm64", "darwin/amd64": "bin-macos-x64", "darwin/arm64": "bin-macos-arm64",
	"windows/amd64": "bin-win-cpu-x64", "windows/arm64": "bin-win-cpu-arm64",
}

// fromReleases fetches llama.cpp's own package of the pinned version, if there is one.
// Its checksum is the one that the release itself lists.
func (s *Store) fromReleases(ctx context.Context, f *fresh) error {
	var release struct {
		Tag    string `json:"tag_name"`
		Assets []struct {
			Name   string `json:"name"`
			URL    string `json:"browser_download_url"`
			Digest string `json:"digest"`
			Size   int64  `json:"size"`
		} `json:"assets"`
	}
	at := strings.TrimSuffix(s.o.GitHub, "/") + "/repos/ggml-org/llama.cpp/releases/tags/" + url.PathEscape(Pinned)
	if _, err := s.get.document(ctx, want{what: "llama.cpp's release " + Pinned, url: at}, &release); err != nil {
		return err
	}
	if release.Tag != Pinned {
		return &starling.Error{Kind: starling.NotFound, Op: "the release is another: " + release.Tag}
	}
	for _, a := range release.Assets {
		stem, ext, _ := strings.Cut(strings.TrimPrefix(a.Name, "llama-"+Pinned+"-"), ".")
		if stem != builds[s.o.Platform] || (ext != "zip" && ext != "tar.gz") {
			continue
		}
		w := want{what: a.Name, url: a.URL, path: s.parcel(filepath.Base(a.Name)), sum: a.Digest, size: a.Size}
		if err := s.get.file(ctx, w); err != nil {
			return err
		}
		defer os.Remove(w.path)
		f.Source, f.Sum = "GitHub "+a.Name, a.Digest
		return unpack(w.path, f.Dir)
	}
	return &starling.Error{Kind: starling.NotFound, Op: "the release has no package for " + s.o.Platform}
}
