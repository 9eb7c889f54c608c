package local

import (
	"errors"
	"io"
	"slices"

	"starling"
	"starling/internal/engine"
)

// pipes are the streams that a child is spoken to over.
type pipes struct {
	io.ReadCloser // what it says
	in            io.WriteCloser
}

func (p pipes) Write(b []byte) (int, error) { return p.in.Write(b) }

func (p pipes) Close() error { return errors.Join(p.in.Close(), p.ReadCloser.Close()) }

// asError makes an error of what a child says that it cannot do.
func asError(f *engine.Fault) *starling.Error {
	e := &starling.Error{Kind: f.Kind, Op: f.Op, Hint: f.Hint}
	if !slices.Contains(starling.Kinds, f.Kind) {
		e.Kind = starling.Internal
	}
	return e
}
