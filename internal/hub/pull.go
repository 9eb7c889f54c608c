package hub

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"starling"
)

// Pull fetches a model and keeps it; what is here already is not fetched again. Force
// fetches one that does not fit this machine.
//
// Errors: Invalid for a name that is none, NotFound and Forbidden as the source says,
// TooLarge for what does not fit the machine or the disk, Refused for what is not what
// was promised, Overloaded for a network or server in trouble, Cancelled, Internal.
func (s *Store) Pull(ctx context.Context, r Reference, force Force) (Stored, error) {
	if _, err := ParseReference(r.String()); err != nil { // it may have been put together otherwise
		return Stored{}, err
	}
	if _, err := s.Prune(ctx); err != nil {
		return Stored{}, err
	}
	o, others, err := s.offers(ctx, r)
	if err != nil {
		return Stored{}, err
	}
	if !bool(force) && s.o.Fits != nil && !s.here(&o) {
		if err := s.fits(ctx, r, o, others); err != nil {
			return Stored{}, err
		}
	}
	m := Stored{Name: o.name, Source: o.source, Licence: o.licence, Template: o.template, Params: o.params}
	for _, f := range o.files {
		m.Files = append(m.Files, File{Name: f.name, Digest: f.sum, Size: f.size})
	}
	for range mostTries {
		if err := s.fetchAll(ctx, r, &o); err != nil {
			return m, err
		}
		if err := s.inspect(&m, s.blob(m.Digest()), o.quant); err != nil {
			if !there(s.blob(m.Digest())) { // another process freed it
				continue
			}
			return m, errors.Join(err, s.forget(ctx, &m)) // its source promised no better
		}
		if err := s.keep(ctx, &m); !errors.Is(err, errGone) {
			return m, err
		}
	}
	return m, &starling.Error{Kind: starling.Overloaded, Op: "hub: another process frees the same files", Hint: "ask again"}
}

// Force says that what does not fit is wanted all the same.
type Force bool

// offers returns what a reference means, and what else its source has.
func (s *Store) offers(ctx context.Context, r Reference) (o offer, others []offer, err error) {
	if r.Host == "ollama" {
		o, err = s.ollamaOffer(ctx, r)
		return o, nil, err
	}
	if others, err = s.hfOffers(ctx, r); err != nil {
		return o, nil, err
	}
	o, err = choose(r, others)
	return o, others, err
}

// here reports whether nothing of an offer would have to be fetched.
func (s *Store) here(o *offer) bool {
	for _, f := range o.files {
		if sized(s.blob(f.sum), f.size) != nil {
			return false
		}
	}
	return true
}

// fits refuses what does not fit this machine, and proposes the largest that does.
func (s *Store) fits(ctx context.Context, r Reference, o offer, others []offer) error {
	first := s.wanted(r, o.files[0])
	head := &header{ctx: ctx, get: &s.get, w: first, blocks: map[int64][]byte{}}
	ask := func(o *offer) (ok bool, advice string) {
		return s.o.Fits(Candidate{Name: o.name, Quant: o.quant, Bytes: o.bytes(), Header: head, Size: first.size})
	}
	ok, advice := ask(&o)
	if ok {
		return nil
	}
	hint := "--force fetches it all the same"
	slices.SortStableFunc(others, func(a, b offer) int { return cmp.Compare(b.bytes(), a.bytes()) })
	for i := range others {
		if smaller := &others[i]; smaller.bytes() < o.bytes() {
			if ok, outlook := ask(smaller); ok {
				if outlook != "" {
					outlook = ", " + outlook
				}
				hint = fmt.Sprintf("starling model pull %s takes %d MB and fits%s; %s", smaller.name, smaller.bytes()/1e6, outlook, hint)
				break
			}
		}
	}
	return &starling.Error{Kind: starling.TooLarge, Op: fmt.Sprintf("hub: %s, %d MB, does not fit this machine: %s", o.name, o.bytes()/1e6, advice), Hint: hint}
}

// wanted is a file of an offer as it is fetched.
func (s *Store) wanted(r Reference, f remote) want {
	w := want{what: f.name, url: f.url, path: s.blob(f.sum), sum: f.sum, size: f.size, hint: ollamaHints}
	if r.Host == "hf" {
		w.header, w.hint = s.hf("", "").header, hfHints
	}
	return w
}

// fetchAll brings every file of an offer here. The disk is looked at for all of them
// before the first byte.
func (s *Store) fetchAll(ctx context.Context, r Reference, o *offer) error {
	if err := os.MkdirAll(filepath.Join(s.models(), "blobs"), 0o700); err != nil {
		return unwritable(s.models(), err)
	}
	if err := s.room(o); err != nil {
		return err
	}
	for _, f := range o.files {
		if err := s.fetch(ctx, r, f); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) room(o *offer) error {
	need := int64(reserve)
	for _, f := range o.files {
		if sized(s.blob(f.sum), f.size) == nil {
			continue
		}
		need += f.size
		if info, err := os.Stat(s.blob(f.sum) + partSuffix); err == nil {
			need -= min(info.Size(), f.size)
		}
	}
	left, err := s.o.Free(s.models())
	if err == nil && need > max(left, reserve) && !s.allShared(o) {
		return noRoom(o.name, need, left)
	}
	return nil
}

// allShared reports whether another store here has all files, so that they need no room.
func (s *Store) allShared(o *offer) bool {
	for _, f := range o.files {
		found := sized(s.blob(f.sum), f.size) == nil
		for _, dir := range s.o.Ollama {
			found = found || sized(filepath.Join(dir, "blobs", filepath.Base(s.blob(f.sum))), f.size) == nil
		}
		if !found {
			return false
		}
	}
	return true
}

// digest matches the names under which blobs lie.
var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// fetch brings one file here, unless it is here, or in a found Ollama's store.
func (s *Store) fetch(ctx context.Context, r Reference, f remote) error {
	if !digest.MatchString(f.sum) {
		return &starling.Error{Kind: starling.Refused, Op: fmt.Sprintf("hub: %s of %s has no SHA-256 to check it by", f.name, r), Hint: "pull the model from elsewhere"}
	}
	to := s.blob(f.sum)
	release, err := s.lock(ctx, s.models(), filepath.Base(to))
	if err != nil {
		return err
	}
	defer release()
	if sized(to, f.size) == nil {
		return nil
	}
	if err := gone(to); err != nil { // it is damaged, or a link that leads nowhere any more
		return unwritable(to, err)
	}
	if s.shared(f, to) {
		return nil
	}
	return s.get.file(ctx, s.wanted(r, f))
}

// inspect fills in what a file of weights says of itself. Errors: Refused for a file
// that is none.
func (s *Store) inspect(m *Stored, path, quant string) error {
	if err := magic(path); err != nil {
		return &starling.Error{Kind: starling.Refused, Op: "hub: " + m.Name + " is no GGUF file", Hint: "name a file whose name ends in .gguf", Err: err}
	}
	if s.o.Inspect != nil {
		facts, err := s.o.Inspect(path)
		if err != nil {
			return &starling.Error{Kind: starling.Refused, Op: "hub: " + m.Name + " cannot be read", Hint: "take the model from elsewhere", Err: err}
		}
		m.Facts = facts
	}
	m.Facts.Quant = cmp.Or(m.Facts.Quant, quant)
	m.Licence = cmp.Or(m.Licence, m.Facts.Licence)
	return nil
}

// magic looks at the first four bytes. Source: ggml's gguf.md.
func magic(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var head [4]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return err
	}
	if string(head[:]) != "GGUF" {
		return errors.New("it begins with other bytes")
	}
	return nil
}

// An Import says which file becomes a model of which name.
type Import struct {
	File string
	Name string // "" the file's own, without .gguf
	Link bool   // the file stays where it is and is only referred to
}

var importable = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,150}(?::[A-Za-z0-9][A-Za-z0-9._-]{0,80})?$`)

// Import keeps a file of weights as a model. With Link it gets a second name for the
// same bytes, or a link to them where that cannot be: who writes into the file then
// breaks the model.
//
// Errors: NotFound for no such file, Invalid for a bad name or a part of a split, Refused
// for what is no GGUF, TooLarge, Internal.
func (s *Store) Import(ctx context.Context, i Import) (m Stored, err error) {
	file, err := filepath.Abs(i.File)
	if err != nil {
		return m, &starling.Error{Kind: starling.Invalid, Op: "hub: import", Err: err}
	}
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() {
		return m, &starling.Error{Kind: starling.NotFound, Op: "hub: import " + i.File, Hint: "name a file that is there", Err: err}
	}
	if splitName.MatchString(file) {
		return m, &starling.Error{Kind: starling.Invalid, Op: "hub: import: that is a part of a split model", Hint: "join it with llama-gguf-split --merge, or pull it"}
	}
	m = Stored{Name: cmp.Or(i.Name, strings.TrimSuffix(filepath.Base(file), ".gguf")), Source: "file"}
	if !importable.MatchString(m.Name) || strings.Contains(m.Name, "..") {
		return m, badName(m.Name)
	}
	if err := s.inspect(&m, file, quantOf(filepath.Base(file))); err != nil {
		return m, err
	}
	f, err := s.take(ctx, file, info.Size(), i.Link)
	if err != nil {
		return m, err
	}
	f.Name = filepath.Base(file)
	m.Files = []File{f}
	return m, s.keep(ctx, &m)
}

// take gives a file its place among the blobs.
func (s *Store) take(ctx context.Context, file string, size int64, link bool) (f File, err error) {
	folder := filepath.Join(s.models(), "blobs")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return f, unwritable(folder, err)
	}
	if left, err := s.o.Free(folder); err == nil && !link && size+reserve > left {
		return f, noRoom(filepath.Base(file), size+reserve, left)
	}
	out := io.Discard
	var copied *os.File
	if !link {
		if copied, err = os.CreateTemp(folder, ".import-*"); err != nil {
			return f, unwritable(folder, err)
		}
		defer os.Remove(copied.Name()) // it has another name then, if all went well
		defer copied.Close()
		out = copied
	}
	if f, err = s.copySum(ctx, file, out); err != nil {
		return f, err
	}
	return f, s.place(ctx, f, func(to string) error {
		if link {
			if os.Link(file, to) == nil {
				return nil
			}
			return os.Symlink(file, to)
		}
		if err := errors.Join(copied.Sync(), copied.Close()); err != nil {
			return err
		}
		return os.Rename(copied.Name(), to)
	})
}

// place has put give a file its name among the blobs, unless it is there.
func (s *Store) place(ctx context.Context, f File, put func(to string) error) error {
	to := s.blob(f.Digest)
	folder := filepath.Dir(to)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return unwritable(folder, err)
	}
	release, err := s.lock(ctx, s.models(), filepath.Base(to))
	if err != nil {
		return err
	}
	defer release()
	if sized(to, f.Size) == nil {
		return nil
	}
	if err := gone(to); err != nil {
		return unwritable(to, err)
	}
	if err := put(to); err != nil {
		return unwritable(to, err)
	}
	return nil
}

// copySum copies a file and tells its digest.
func (s *Store) copySum(ctx context.Context, file string, out io.Writer) (f File, err error) {
	in, err := os.Open(file)
	if err != nil {
		return f, &starling.Error{Kind: starling.NotFound, Op: "hub: import " + filepath.Base(file), Err: err}
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return f, unwritable(file, err)
	}
	h, buf := sha256.New(), make([]byte, 1<<20)
	for {
		n, err := in.Read(buf)
		h.Write(buf[:n])
		if _, werr := out.Write(buf[:n]); werr != nil {
			return f, unwritten(want{what: filepath.Base(file), path: file}, werr)
		}
		f.Size += int64(n)
		s.o.Progress(filepath.Base(file), f.Size, info.Size())
		switch {
		case errors.Is(err, io.EOF):
			f.Digest = "sha256:" + hex.EncodeToString(h.Sum(nil))
			return f, nil
		case err != nil:
			return f, &starling.Error{Kind: starling.Internal, Op: "hub: read " + filepath.Base(file), Err: err}
		case ctx.Err() != nil:
			return f, cancelled(ctx)
		}
	}
}
