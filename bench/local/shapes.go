package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"starling/internal/gguf"
)

// kinds are how the numbers of a model are stored, the largest first. The library makes
// the others of the first.
var kinds = []string{"F16", "Q8_0", "Q4_0", "Q4_K_M"}

// seed of the weights: every run writes the same files.
const seed = 1

// spare is the disk space that a run leaves to others.
const spare = 2 << 30

// A store is the folder of the weights, which are made where they are missing.
type store struct{ dir, library string }

// weights are one file.
type weights struct {
	shape gguf.Shape
	kind  string
	file  string
}

func (w *weights) name() string { return strings.TrimSuffix(filepath.Base(w.file), ".gguf") }

// ends are the tokens with which an answer of a written shape would end: the last two of
// its vocabulary.
func (w *weights) ends() []int64 { return []int64{w.shape.Vocabulary - 2, w.shape.Vocabulary - 1} }

func (s store) weights(shape gguf.Shape, kind string) *weights {
	return &weights{shape, kind, filepath.Join(s.dir, shape.Name+"-"+kind+".gguf")}
}

// supply returns the weights of a shape in one kind, and makes them if they are missing.
func (s store) supply(ctx context.Context, shape gguf.Shape, kind string) (*weights, error) {
	w := s.weights(shape, kind)
	if exists(w.file) {
		return w, nil
	}
	first := s.weights(shape, kinds[0])
	if !exists(first.file) {
		if err := s.makeRoom(shape); err != nil {
			return nil, err
		}
		if err := write(first); err != nil {
			return nil, err
		}
	}
	if kind == kinds[0] {
		return w, nil
	}
	return w, s.quantise(ctx, first.file, w.file, kind)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// makeRoom removes the weights of other shapes if there is no room for all of this one.
func (s store) makeRoom(shape gguf.Shape) error {
	need := matrices(shape)*22/10 + spare // the three other kinds take 1.2 times as much as F16
	if free(s.dir) >= need {
		return nil
	}
	others, err := filepath.Glob(filepath.Join(s.dir, "*.gguf"))
	if err != nil {
		return err
	}
	for _, file := range others {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	if free := free(s.dir); free < need {
		return fmt.Errorf("%s takes %d MiB with what is to be left free, and %s has %d: name another folder with -scratch", shape.Name, need>>20, s.dir, free>>20)
	}
	return nil
}

// unknown is the room on a disk of which nobody knows it: the disk will tell.
const unknown = 1 << 62

// matrices is how many bytes the matrices of a shape have in F16.
func matrices(shape gguf.Shape) (bytes int64) {
	for _, t := range shape.Spec(gguf.F16, seed).Tensors {
		n := int64(2)
		for _, d := range t.Dims {
			n *= d
		}
		bytes += n
	}
	return bytes
}

// write makes a file of a shape, which is there whole or not at all.
func write(w *weights) (err error) {
	part := w.file + ".part"
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	defer os.Remove(part) // which is gone if all went well
	err = gguf.Write(f, w.shape.Spec(gguf.F16, seed))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(part, w.file)
}

// quantise makes a file of another kind in a process of its own, which a failed assertion
// of the library would end.
func (s store) quantise(ctx context.Context, from, to, kind string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, "-library", s.library, "-quantise", kind, from, to)
	cmd.Stderr = os.Stderr
	cmd.Env = withLibrary(s.library)
	if err := cmd.Run(); err != nil {
		return errors.Join(fmt.Errorf("make %s: %w", filepath.Base(to), err), s.clean())
	}
	return nil
}

// clean removes what a process left behind that was ended in the middle of its work.
func (s store) clean() error {
	halves, err := filepath.Glob(filepath.Join(s.dir, ".quantize-*"))
	for _, half := range halves {
		err = errors.Join(err, os.RemoveAll(half))
	}
	return err
}
