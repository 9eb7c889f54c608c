package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"starling"
)

// A Making says how a model is made here of another.
type Making struct {
	Name  string // of the new model
	Of    Stored // that it is made of, whose licence and template are its own too
	Bytes int64  // that it will take, about

	// Write writes the whole of a file that is not there yet, safe from a power cut, in
	// a folder in which nothing else is, and which goes with what is left in it.
	Write func(ctx context.Context, file string) error
}

// Make keeps a model that Write writes. Nothing of it is kept if that fails, and what
// processes left that were ended on the way goes with the next one. One model is made
// at a time: another process waits.
//
// Errors: Invalid for a name that is none, Refused for one that is taken and for what is
// no GGUF, TooLarge for the disk, those of Write, Cancelled, Internal.
func (s *Store) Make(ctx context.Context, k Making) (m Stored, err error) {
	if !importable.MatchString(strings.TrimPrefix(k.Name, "ollama:")) || strings.Contains(k.Name, "..") {
		return m, badName(k.Name)
	}
	if err := s.vacant(k.Name); err != nil {
		return m, err
	}
	release, err := s.lock(ctx, s.models(), "making")
	if err != nil {
		return m, err
	}
	defer release()
	folder, err := s.workshop()
	if err != nil {
		return m, unwritable(folder, err)
	}
	defer os.RemoveAll(folder) // what stays goes with the next one
	if left, err := s.o.Free(folder); err == nil && k.Bytes+reserve > left {
		return m, noRoom(k.Name, k.Bytes+reserve, left)
	}
	file := filepath.Join(folder, strings.ReplaceAll(path.Base(k.Name), ":", "-")+".gguf")
	if err := k.Write(ctx, file); err != nil {
		return m, err
	}
	m = Stored{Name: k.Name, Source: madeOf + k.Of.Name, Template: k.Of.Template, Params: k.Of.Params}
	if err := s.inspect(&m, file, ""); err != nil {
		return m, err
	}
	m.Licence = cmp.Or(k.Of.Licence, m.Licence)
	return m, s.moveIn(ctx, &m, file)
}

// madeOf begins the source of a model that was made here.
const madeOf = "made:"

func badName(name string) error {
	return &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("hub: %q is no name for a model", name), Hint: "say --name with letters, digits, dots and dashes"}
}

// vacant refuses a name that a model has.
func (s *Store) vacant(name string) error {
	if !there(s.manifest(name)) {
		return nil
	}
	return &starling.Error{Kind: starling.Refused, Op: "hub: there is a model " + name + " already", Hint: "give another --name, or 'starling model rm " + name + "' first"}
}

// workshop empties the folder in which models are made, on the disk of the others: what
// is there was left by a process that is no more, as one is made at a time.
func (s *Store) workshop() (string, error) {
	folder := filepath.Join(s.models(), "making")
	return folder, errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o700))
}

// moveIn makes a file, which then has another name, the model's only one.
func (s *Store) moveIn(ctx context.Context, m *Stored, file string) error {
	f, err := s.copySum(ctx, file, io.Discard)
	if err != nil {
		return err
	}
	f.Name = filepath.Base(file)
	if err := s.place(ctx, f, func(to string) error { return os.Rename(file, to) }); err != nil {
		return err
	}
	m.Files = []File{f}
	if err := s.vacant(m.Name); err != nil { // another process pulled it meanwhile
		return err
	}
	return s.keep(ctx, m)
}
