package provider

import (
	"errors"
	"io"
	"iter"
	"math"
	"time"

	"starling"
	"starling/internal/wire"
)

// lingering is how long the end of the body may come after that of the answer,
// for the connection to be used again.
const lingering phase = "end of the body"

// first waits for the first event.
func (t *try) first() *failure {
	t.next, t.stop = iter.Pull2(t.read())
	ev, err, ok := t.next()
	t.watch.rest()
	if !ok {
		err = &starling.Error{Kind: starling.Refused, Op: "the answer is empty", Billed: true}
	}
	if err != nil {
		return t.broke(err)
	}
	t.head = &ev
	return nil
}

// read returns the events as they arrive.
func (t *try) read() iter.Seq2[starling.Event, error] {
	foreign := t.Request.Dialect != t.dialect
	o := wire.ReadOptions{Dialect: t.dialect, Stream: t.Request.Stream, Raw: !foreign, Deltas: foreign || t.Deltas, MaxEvent: t.opts.Limits.Event, Choices: t.Request.Choices, Request: t.Request, HideLogprobs: t.own}
	if !o.Stream {
		o.MaxEvent, o.Size = int(min(t.opts.Limits.Body, math.MaxInt)), t.body.size
	}
	return t.opts.Key.outOfAnswer(wire.Read(t.body, o))
}

// events returns the whole answer, though its beginning may have been read.
func (t *try) events() iter.Seq2[starling.Event, error] {
	if t.head == nil {
		return t.read()
	}
	return func(yield func(starling.Event, error) bool) {
		if !yield(*t.head, nil) {
			return
		}
		for {
			ev, err, ok := t.next()
			if !ok || !yield(ev, err) {
				return
			}
		}
	}
}

// stream passes the answer on. The time that the caller takes with an event is
// on no clock.
func (t *try) stream(yield func(starling.Event, error) bool) {
	for ev, err := range t.events() {
		t.watch.rest()
		if err != nil {
			yield(starling.Event{}, t.broke(err).err)
			return
		}
		t.answered = t.answered || ev.Bytes > 0
		ev.Simulated = t.playing
		if t.permit.probe {
			t.permit.good()
		}
		if !yield(ev, nil) {
			t.permit.good()
			return
		}
		t.enter(streaming, t.opts.Limits.Idle)
	}
	t.permit.good()
	t.linger()
}

// linger reads the end of the body, which belongs to no event, so that the
// connection can be used again. It rarely has to wait.
func (t *try) linger() {
	if t.body.err == nil {
		t.watch.enter(lingering, 50*time.Millisecond)
		_, _ = io.CopyN(io.Discard, t.body, 4<<10)
	}
}

// errTooLong ends an answer that is over the limit.
var errTooLong = errors.New("the answer is over the limit")

// An answer is a response's body. It remembers what ended it, and ends itself
// beyond the limit.
type answer struct {
	io.ReadCloser
	size int64 // as announced; -1 if it was not
	left int64 // one more than may come
	err  error // io.EOF for a proper end

	alive func() // told of each piece; nil if nobody wants to know
}

func (a *answer) Read(p []byte) (int, error) {
	if a.err != nil {
		return 0, a.err
	}
	if int64(len(p)) > a.left {
		p = p[:a.left]
	}
	n, err := a.ReadCloser.Read(p)
	if n > 0 && a.alive != nil {
		a.alive()
	}
	if a.left -= int64(n); a.left <= 0 {
		err = errTooLong
	}
	a.err = err
	return n, err
}
