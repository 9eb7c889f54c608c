package local

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"starling"

	"starling/internal/engine"
)

// A link is what a child is spoken to over. Send is called by one goroutine and
// Receive by another. Any error is the end of the link: what does not understand one
// message cannot tell where the next begins. [io.EOF] says that the child hung up.
type link interface {
	Send(engine.Order) error
	Receive() (engine.Report, error)
	Close() error
}

var (
	errGarbage = errors.New("it sent garbage")
	errGiant   = fmt.Errorf("it sent a message of more than %d bytes", engine.MostFrame)
)

// pipes are a link of frames, as protocol.go has them.
type pipes struct {
	in  io.WriteCloser // of the child
	out io.ReadCloser

	once sync.Once
	shut error
}

func (p *pipes) Send(o engine.Order) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if len(text) > engine.MostFrame {
		return errGiant
	}
	_, err = p.in.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...))
	return err
}

func (p *pipes) Receive() (r engine.Report, err error) {
	var head [4]byte
	if _, err = io.ReadFull(p.out, head[:]); err != nil {
		return r, err
	}
	size := binary.LittleEndian.Uint32(head[:])
	if size > engine.MostFrame {
		return r, errGiant
	}
	text, err := io.ReadAll(io.LimitReader(p.out, int64(size))) // memory grows with what comes, not with what is announced
	if err != nil {
		return r, err
	}
	if len(text) < int(size) {
		return r, io.ErrUnexpectedEOF
	}
	if json.Unmarshal(text, &r) != nil {
		return r, errGarbage
	}
	return r, nil
}

func (p *pipes) Close() error {
	p.once.Do(func() { p.shut = errors.Join(p.in.Close(), p.out.Close()) })
	return p.shut
}

// asError makes an error of what a child says that it cannot do.
func asError(f *engine.Fault) *starling.Error {
	e := &starling.Error{Kind: f.Kind, Op: f.Op, Hint: f.Hint}
	if !slices.Contains(starling.Kinds, f.Kind) {
		e.Kind = starling.Internal
	}
	return e
}
