package hub

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"starling"
	"starling/internal/durable"
)

// Stored is a model that is kept here.
type Stored struct {
	Name     string    `json:"name"`   // "owner/repo:Q4_K_M"
	Source   string    `json:"source"` // "hf:owner/repo:Q4_K_M", "ollama:llama3.2:1b", "file", "made:owner/repo:F16"
	Files    []File    `json:"files"`  // of weights, in the order of the split
	Facts    Facts     `json:"facts"`
	Licence  string    `json:"licence,omitempty"`
	Template string    `json:"ollama_template,omitempty"` // in Ollama's own language
	Params   string    `json:"ollama_params,omitempty"`   // JSON, as Ollama has it
	Kept     time.Time `json:"kept"`

	Path string `json:"path,omitempty"` // the file that an engine loads; it finds the rest of a split beside it
}

// A File is one file of weights.
type File struct {
	Name   string `json:"name"`
	Digest string `json:"digest"` // "sha256:…"
	Size   int64  `json:"size"`   // bytes
}

// Bytes is what the weights take.
func (m *Stored) Bytes() (sum int64) {
	for _, f := range m.Files {
		sum += f.Size
	}
	return sum
}

// Digest is that of the first file, which tells models apart.
func (m *Stored) Digest() string { return m.Files[0].Digest }

func (s *Store) blob(sum string) string {
	return filepath.Join(s.models(), "blobs", strings.Replace(sum, ":", "-", 1))
}

// manifest is the file that says what a model is. Names differ by more than their case,
// as file systems may not tell it.
func (s *Store) manifest(name string) string {
	file := url.QueryEscape(strings.ToLower(name))
	if len(file) > 200 { // file systems end at 255
		sum := sha256.Sum256([]byte(file))
		file = file[:100] + hex.EncodeToString(sum[:])
	}
	return filepath.Join(s.models(), "manifests", file+".json")
}

// Models returns what is kept, by name. What is not whole is left out. Errors: Internal.
func (s *Store) Models() ([]Stored, error) {
	all, err := s.manifests()
	return slices.DeleteFunc(all, func(m Stored) bool { return s.missing(&m) != nil }), err
}

// manifests returns the models whose blobs are there, and those whose are not.
func (s *Store) manifests() ([]Stored, error) {
	files, err := filepath.Glob(filepath.Join(s.models(), "manifests", "*.json"))
	var all []Stored
	for _, file := range files {
		m, rerr := s.readManifest(file)
		if errors.Is(rerr, fs.ErrNotExist) {
			continue
		}
		if rerr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", filepath.Base(file), rerr))
			continue
		}
		all = append(all, m)
	}
	if err != nil {
		err = &starling.Error{Kind: starling.Internal, Op: "hub: list models", Hint: "remove the manifest that cannot be read, and pull the model again", Err: err}
	}
	slices.SortFunc(all, func(a, b Stored) int { return cmp.Compare(a.Name, b.Name) })
	return all, err
}

func (s *Store) readManifest(file string) (m Stored, err error) {
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err == nil && len(m.Files) == 0 {
		err = errors.New("it lists no files")
	}
	for _, f := range m.Files {
		if _, serr := newHash(f.Digest); serr != nil || strings.ContainsAny(f.Digest, `/\`) {
			return m, errors.New("it lists a file without a digest")
		}
	}
	if err == nil {
		m.Path = s.path(&m)
	}
	return m, err
}

// path is the file that an engine loads.
func (s *Store) path(m *Stored) string {
	if len(m.Files) == 1 {
		return s.blob(m.Digest())
	}
	return filepath.Join(s.split(m), filepath.Base(m.Files[0].Name))
}

// split is the folder in which the files of a split have their names.
func (s *Store) split(m *Stored) string {
	return filepath.Join(s.models(), "split", filepath.Base(s.blob(m.Digest())))
}

// missing says which file of a model is not there in its length.
func (s *Store) missing(m *Stored) error {
	for _, f := range m.Files {
		if err := sized(s.blob(f.Digest), f.Size); err != nil {
			return err
		}
		if len(m.Files) > 1 {
			if err := sized(filepath.Join(s.split(m), filepath.Base(f.Name)), f.Size); err != nil {
				return err
			}
		}
	}
	return nil
}

func sized(path string, size int64) error {
	info, err := os.Stat(path)
	if err == nil && info.Size() != size {
		err = fmt.Errorf("%s has %d bytes, not %d", filepath.Base(path), info.Size(), size)
	}
	return err
}

// Find returns the model of a name, in either case. A name without a tag means the one
// that has it with some tag, if there is only one. Errors: NotFound, Internal.
func (s *Store) Find(name string) (Stored, error) {
	all, err := s.manifests()
	if err != nil && len(all) == 0 {
		return Stored{}, err
	}
	m, err := find(all, name)
	if err != nil {
		return m, err
	}
	if err := s.missing(&m); err != nil {
		hint := "starling model pull " + m.Source
		if m.Source == "file" || strings.HasPrefix(m.Source, madeOf) {
			hint = "remove it with 'starling model rm " + m.Name + "', and import or quantise the file again"
		}
		return m, &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("hub: weights of %s are missing", m.Name), Hint: hint, Err: err}
	}
	return m, nil
}

func find(all []Stored, name string) (Stored, error) {
	name = strings.TrimPrefix(name, "hf:")
	var like []Stored
	for _, m := range all {
		if strings.EqualFold(m.Name, name) {
			return m, nil
		}
		if len(m.Name) > len(name) && strings.EqualFold(m.Name[:len(name)], name) && m.Name[len(name)] == ':' {
			like = append(like, m)
		}
	}
	switch len(like) {
	case 1:
		return like[0], nil
	case 0:
		return Stored{}, &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("hub: there is no model %q here", name), Hint: "starling model list shows what there is, starling model pull fetches more"}
	}
	return Stored{}, &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("hub: %q may be %s or %s", name, like[0].Name, like[1].Name), Hint: "name one with its tag"}
}

// errGone says that a blob that was there has been freed before the model was kept.
var errGone = errors.New("a file was freed meanwhile")

// keep writes down what a model is, once all of its files are there. Errors: errGone.
func (s *Store) keep(ctx context.Context, m *Stored) error {
	release, err := s.lock(ctx, s.models(), "manifests")
	if err != nil {
		return err
	}
	defer release()
	for _, f := range m.Files {
		if sized(s.blob(f.Digest), f.Size) != nil {
			return errGone
		}
	}
	if err := s.spread(m); err != nil {
		return unwritable(s.split(m), err)
	}
	m.Path, m.Kept = "", time.Now().UTC()
	file := s.manifest(m.Name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return unwritable(file, err)
	}
	if err := durable.Replace(file, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(m)
	}); err != nil {
		return unwritable(file, err)
	}
	m.Path = s.path(m)
	return nil
}

// spread gives the files of a split the names by which an engine finds them.
func (s *Store) spread(m *Stored) error {
	if len(m.Files) == 1 {
		return nil
	}
	if err := os.MkdirAll(s.split(m), 0o700); err != nil {
		return err
	}
	for _, f := range m.Files {
		to := filepath.Join(s.split(m), filepath.Base(f.Name))
		if err := gone(to); err != nil {
			return err
		}
		if os.Link(s.blob(f.Digest), to) != nil {
			if err := os.Symlink(s.blob(f.Digest), to); err != nil {
				return err
			}
		}
	}
	return nil
}

// Remove forgets a model and frees the files that no other has. It returns the bytes
// that it freed here; what another program keeps too stays there. Errors: NotFound,
// Internal.
func (s *Store) Remove(ctx context.Context, name string) (m Stored, freed int64, err error) {
	release, err := s.lock(ctx, s.models(), "manifests")
	if err != nil {
		return m, 0, err
	}
	defer release()
	all, err := s.manifests()
	if err != nil { // a manifest that cannot be read may need the same blobs
		return m, 0, err
	}
	if m, err = find(all, name); err != nil {
		return m, 0, err
	}
	if err := gone(s.manifest(m.Name)); err != nil {
		return m, 0, unwritable(s.manifest(m.Name), err)
	}
	all = slices.DeleteFunc(all, func(o Stored) bool { return o.Name == m.Name })
	if len(m.Files) > 1 && !slices.ContainsFunc(all, func(o Stored) bool { return o.Digest() == m.Digest() }) {
		if err := os.RemoveAll(s.split(&m)); err != nil {
			return m, 0, unwritable(s.split(&m), err)
		}
	}
	freed, err = s.drop(m.Files, digests(all))
	return m, freed, err
}

// forget frees the files of a model that is not kept, unless others have them.
func (s *Store) forget(ctx context.Context, m *Stored) error {
	release, err := s.lock(ctx, s.models(), "manifests")
	if err != nil {
		return err
	}
	defer release()
	all, err := s.manifests()
	if err == nil {
		_, err = s.drop(m.Files, digests(all))
	}
	return err
}

// drop takes files away that are not used. What is only linked frees nothing.
func (s *Store) drop(files []File, used map[string]bool) (freed int64, err error) {
	for _, f := range files {
		if used[f.Digest] {
			continue
		}
		if info, err := os.Lstat(s.blob(f.Digest)); err == nil && info.Mode().IsRegular() {
			freed += info.Size()
		}
		if err := gone(s.blob(f.Digest)); err != nil {
			return freed, unwritable(s.blob(f.Digest), err)
		}
	}
	return freed, nil
}

// digests are those of all files that models have.
func digests(all []Stored) map[string]bool {
	used := map[string]bool{}
	for _, m := range all {
		for _, f := range m.Files {
			used[f.Digest] = true
		}
	}
	return used
}

// forgotten is how long a part, or a file that no model has, waits for somebody to go
// on with it.
const forgotten = 7 * 24 * time.Hour

// Prune takes away parts, and files of no model, that nobody has touched for a week. It
// returns the bytes that it freed. Errors: Internal.
func (s *Store) Prune(ctx context.Context) (freed int64, err error) {
	release, err := s.lock(ctx, s.models(), "manifests")
	if err != nil {
		return 0, err
	}
	defer release()
	all, err := s.manifests()
	if err != nil {
		return 0, err
	}
	used := map[string]bool{}
	for digest := range digests(all) {
		used[filepath.Base(s.blob(digest))] = true
	}
	entries, err := os.ReadDir(filepath.Join(s.models(), "blobs"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, unwritable(s.models(), err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || used[e.Name()] || time.Since(info.ModTime()) < forgotten {
			continue
		}
		if err := gone(filepath.Join(s.models(), "blobs", e.Name())); err != nil {
			return freed, unwritable(e.Name(), err)
		}
		freed += info.Size()
	}
	return freed, nil
}
