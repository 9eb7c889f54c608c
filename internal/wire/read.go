package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"starling"
)

// MaxEvent is the default of [ReadOptions.MaxEvent].
const MaxEvent = 32 << 20

// ReadOptions say how to read an answer.
type ReadOptions struct {
	Dialect  starling.Dialect // the upstream's
	Stream   bool             // events, as the dialect streams them; else one JSON body
	Raw      bool             // fill Event.Raw: the caller speaks the same dialect
	Deltas   bool             // fill Event.Deltas
	MaxEvent int              // bytes of one event, of a whole body, and of all deltas together; 0: [MaxEvent]
	Size     int64            // of a whole body, as announced; not positive if it was not
	Choices  int64            // how many answers were asked for; 0 is one

	// Request is the question, for dialects whose answers have to be in the form and
	// of the length that it asks for; nil if nobody looks back at it.
	Request *starling.Request

	// HideLogprobs takes log-probabilities out of Raw: we asked for them
	// ([AskLogprobs]), the caller did not.
	HideLogprobs bool
}

// A decoder reads the events of one answer.
type decoder interface {
	// event reads one event of a stream into ev. It returns io.EOF with, or
	// after, the last one.
	event(b block, ev *starling.Event) error
	// body reads a whole answer, and checks that it is JSON.
	body(b []byte, ev *starling.Event) error
	// ended reports whether the answer is complete so far.
	ended() bool
}

// Read yields an upstream's answer, as [starling.Provider] demands of Generate:
// one event per server-sent event or line, or one with Whole set. ID, Model, Finish,
// Confidence, Usage and Bytes are filled in any case, as far as they are known; events that
// would say nothing are left out where Raw isn't asked for.
//
// The last pair may be an error; nothing follows it. Errors are *Error with
// Billed set, unless the upstream refused before it had begun to answer: Overloaded for a stream
// without its dialect's end, for a read that fails, for an answer that is not of
// the dialect, and, with Reply, for most errors that the upstream sends in the
// stream; Refused for those that asking again does not change, and for an event
// beyond the limit; Cancelled when the read failed because its context ended. An
// *Error of body's own is passed on.
func Read(body io.Reader, o ReadOptions) iter.Seq2[starling.Event, error] {
	if o.MaxEvent <= 0 {
		o.MaxEvent = MaxEvent
	}
	return func(yield func(starling.Event, error) bool) {
		lang, err := dialectOf(o.Dialect)
		if err != nil {
			yield(starling.Event{}, err)
			return
		}
		r := &reading{ReadOptions: o, decoder: lang.decoder(o)}
		if o.Stream {
			events := newEventReader(body, o.MaxEvent)
			events.lines = lang.streamType() == jsonLines
			err = r.stream(events, yield)
		} else {
			err = r.whole(body, yield)
		}
		if err != nil {
			yield(starling.Event{}, failure(err))
		}
	}
}

// A reading is one answer being read.
type reading struct {
	ReadOptions
	decoder
	ev    starling.Event // the one being read
	bytes int            // of deltas so far
	begun bool           // something was generated or counted
}

// stream yields events until the dialect's end, which may come before that of
// the connection.
func (r *reading) stream(events *eventReader, yield func(starling.Event, error) bool) error {
	for {
		raw, err := events.next()
		if err == io.EOF && !r.ended() {
			return errUnfinished
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		b := events.parse(raw)
		if events.cut && !b.complete() {
			return errUnfinished
		}
		r.ev = starling.Event{}
		err = r.event(b, &r.ev)
		if err != nil && err != io.EOF {
			return r.refused(err)
		}
		r.begun = r.begun || r.ev.Bytes > 0 || r.ev.Usage != nil
		if r.bytes += r.ev.Bytes; r.Deltas && r.bytes > r.MaxEvent {
			return errTooLong
		}
		r.ev.Idle = r.ev.Idle || !b.some
		r.ev.Ends = r.ended() && !r.ev.Idle
		if r.Raw {
			r.ev.Raw = r.shown(raw, b.data)
		}
		if says(&r.ev) && !yield(r.ev, nil) {
			return nil
		}
		if err == io.EOF {
			return nil
		}
	}
}

// shown returns what the caller may see of an event or a body.
func (r *reading) shown(raw, data []byte) []byte {
	if r.HideLogprobs {
		return withoutLogprobs(raw, data)
	}
	return raw
}

// refused is what an upstream said against the question in the place of an
// answer. It charges for nothing if it had not begun.
func (r *reading) refused(err error) error {
	e, ok := err.(*starling.Error)
	if ok {
		e.Billed = r.begun
	}
	return err
}

// says reports whether an event has anything to tell.
func says(ev *starling.Event) bool {
	return ev.Raw != nil || len(ev.Deltas) > 0 || ev.Usage != nil || ev.Finish != ""
}

func (r *reading) whole(body io.Reader, yield func(starling.Event, error) bool) error {
	b, err := ReadBody(io.LimitReader(body, int64(r.MaxEvent)+1), r.Size)
	if err != nil {
		return err
	}
	if len(b) > r.MaxEvent {
		return errTooLong
	}
	ev := starling.Event{Whole: true}
	data := b[skipSpace(b, 0):]
	if err := r.body(data, &ev); err != nil {
		return r.refused(err)
	}
	if r.Raw && ev.Raw == nil {
		ev.Raw = r.shown(b, data)
	}
	yield(ev, nil)
	return nil
}

// trusted is how long a body may be announced and get its memory at once; of a
// longer one it grows with what really comes.
const trusted = 1 << 20

// ReadBody reads to the end, with one allocation for most bodies whose size was
// announced (not positive: it was not). The size is a hint: what comes is read.
// Errors are the reader's own; what was read comes with them.
func ReadBody(r io.Reader, announced int64) ([]byte, error) {
	if announced <= 0 || announced > trusted {
		announced = 511
	}
	b := make([]byte, 0, announced+1) // room for the read that finds the end
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
		if len(b) == cap(b) {
			b = slices.Grow(b, len(b))
		}
	}
}

var (
	errUnfinished = errors.New("the answer ended before it was complete")
	errNotJSON    = errors.New("the answer is not JSON")
	errShape      = errors.New("the answer is not of its dialect")
)

// failure makes an *Error of whatever ended an answer.
func failure(err error) error {
	if e, ok := errors.AsType[*starling.Error](err); ok {
		return e
	}
	e := &starling.Error{Kind: starling.Overloaded, Op: "read answer", Billed: true, Err: err}
	switch {
	case errors.Is(err, context.Canceled):
		e.Kind = starling.Cancelled
	case errors.Is(err, errTooLong):
		e.Kind = starling.Refused
	case isUnfit(err):
		e.Kind, e.Hint = starling.Refused, "ask another model"
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.Err = fmt.Errorf("%w: %w", errUnfinished, err)
	}
	return e
}
