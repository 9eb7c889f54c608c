package wire

import (
	"io"
	"time"

	"starling"
)

// WriterOptions say how an answer is told to its caller.
type WriterOptions struct {
	Request *starling.Request
	ID      string    // of the answer, where it is translated
	Created time.Time // of the answer, where it is translated
	Model   string    // who answers, where it is translated; "": as the caller named it
	Keeps   bool      // the caller may refer to the answer later, in a dialect that can ([KeptOf])

	Now func() time.Time // for dialects that say how long an answer took; nil: they don't
}

// A Writer renders the events of one answer for the caller: a stream or one
// body, as the request asks. What is of the caller's dialect passes as it came;
// deltas are written in that dialect. Each event is at most one Write, to be
// flushed by whoever owns the connection.
//
// A Writer belongs to one goroutine. End it with Close, or with Fail when the
// answer broke off. Only these write what says that the answer is complete, or not: it
// is for who calls them to say when the caller is sent that. Errors of the connection are
// Cancelled: the caller left.
type Writer struct {
	w       io.Writer
	request *starling.Request
	lang    dialect
	out     renderer
	pen     pen // what is being written; its memory is reused

	told   gathered // of an answer that is not streamed
	ending ending
	raw    bool   // events passed as they came
	last   []byte // of an event that passes when another comes, or with Close: it may be the end
	over   bool
	failed bool
}

// An ending is what is said at the end of an answer.
type ending struct {
	finish starling.Finish
	usage  *starling.Usage // nil if nobody counted
}

// A renderer writes one answer in one dialect.
type renderer interface {
	// pass returns what the caller gets of an upstream's event, nil for nothing.
	pass(raw []byte) []byte
	// passed ends a stream that passed.
	passed(p *pen)
	// idle writes what every client of the dialect skips, into a stream.
	idle(p *pen)
	// delta writes a piece of a stream, end its end.
	delta(p *pen, d *starling.Delta) error
	end(p *pen, e ending) error
	// body writes a whole answer.
	body(p *pen, g *gathered, e ending) error
	// broke writes an error into a stream. body is an envelope.
	broke(p *pen, body []byte)
}

// NewWriter returns a Writer to w. A request of an unknown dialect is answered in
// the openai dialect.
func NewWriter(w io.Writer, o WriterOptions) *Writer {
	lang := known(o.Request.Dialect)
	if o.Model == "" {
		o.Model = o.Request.Model
	}
	return &Writer{w: w, request: o.Request, lang: lang, out: lang.renderer(o)}
}

// comment is a sign of life among server-sent events: it belongs to none.
const comment = ": waiting\n\n"

// Event writes what ev says. Without anything to say there is no Write. A sign of life
// is written into a stream in the dialect's own way, and begins no answer. Errors:
// Overloaded, when pieces of a call come after its end was written.
func (w *Writer) Event(ev starling.Event) error {
	if ev.Finish != "" {
		w.ending.finish = ev.Finish
	}
	if ev.Usage != nil {
		w.ending.usage = ev.Usage
	}
	if ev.Raw != nil && ev.Whole != w.request.Stream {
		return w.pass(ev)
	}
	if ev.Idle && ev.Raw == nil && w.request.Stream {
		w.out.idle(&w.pen)
	}
	if ev.Vectors != nil {
		w.told.vectors = ev.Vectors
	}
	for i := range ev.Deltas {
		d := w.due(&ev.Deltas[i])
		if !w.request.Stream {
			w.told.add(d)
		} else if err := w.out.delta(&w.pen, d); err != nil {
			return failure(err)
		}
	}
	return w.flush()
}

// due returns what the caller hears of d: log-probabilities only who asked for them.
func (w *Writer) due(d *starling.Delta) *starling.Delta {
	if d.Tokens == nil || w.request.WantProbs {
		return d
	}
	plain := *d
	plain.Tokens = nil
	return &plain
}

func (w *Writer) pass(ev starling.Event) error {
	w.raw = true
	if ev.Whole {
		return w.write(ev.Raw)
	}
	if !ev.Idle {
		if err := w.passLast(); err != nil {
			return err
		}
	}
	if ev.Ends {
		w.last = append(w.last[:0], ev.Raw...)
		return nil
	}
	return w.write(w.out.pass(ev.Raw))
}

// passLast writes what was kept back, if anything was.
func (w *Writer) passLast() error {
	if len(w.last) == 0 {
		return nil
	}
	raw := w.last
	w.last = w.last[:0]
	return w.write(w.out.pass(raw))
}

// Close ends the answer: it completes a stream, or writes the body that was
// gathered. Errors: Overloaded, when a body cannot be written in the caller's
// dialect; nothing was written then, and Fail may follow.
func (w *Writer) Close() (err error) {
	if w.over {
		return nil
	}
	w.over = true
	switch {
	case w.raw && w.request.Stream:
		err = w.passLast()
		w.out.passed(&w.pen)
	case w.raw:
	case w.request.Stream:
		err = w.out.end(&w.pen, w.ending)
	default:
		err = w.out.body(&w.pen, &w.told, w.ending)
	}
	if err != nil {
		w.over = false
		return failure(err)
	}
	return w.flush()
}

// Fail ends the answer with err: as an event in a stream, so that the caller
// doesn't take a part for the whole, or as the envelope where a body is due. What
// an upstream of the same dialect said is passed on. After Close it stands in the place
// of what that wrote, which nobody was sent.
func (w *Writer) Fail(err *starling.Error) error {
	if w.failed {
		return nil
	}
	w.over, w.failed = true, true
	w.pen.b = w.pen.b[:0]
	body := pen{}
	w.lang.envelope(&body, told(w.lang, err))
	if r := err.Reply; r != nil && r.Dialect == w.request.Dialect && isEnvelope(r.Body, body.b) {
		body.b = r.Body
	}
	if w.request.Stream {
		w.out.broke(&w.pen, body.b)
	} else if !w.raw {
		w.pen.b = append(w.pen.b, body.b...)
	}
	return w.flush()
}

// isEnvelope reports whether a body tells of an error as ours does, so that clients
// notice it in a stream, where there is no status.
func isEnvelope(body, ours []byte) bool {
	return valid(body) && kindOf(field(body[skipSpace(body, 0):], "error")) == kindOf(field(ours, "error"))
}

func (w *Writer) flush() error {
	err := w.write(w.pen.b)
	w.pen.b = w.pen.b[:0]
	return err
}

func (w *Writer) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if _, err := w.w.Write(b); err != nil {
		return &starling.Error{Kind: starling.Cancelled, Op: "write answer", Err: err}
	}
	return nil
}

// dataField stands before each line of a server-sent event's data.
const dataField = "data: "

// appendData appends b as the data of a server-sent event, line by line.
func appendData(dst, b []byte) []byte {
	for {
		dst = append(dst, dataField...)
		i := lineEnd(b)
		if i < 0 {
			return append(append(dst, b...), "\n\n"...)
		}
		dst = append(append(dst, b[:i]...), '\n')
		if b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n' {
			i++
		}
		b = b[i+1:]
	}
}
