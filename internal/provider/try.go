package provider

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"starling"
	"starling/internal/wire"
)

// maxRefusal is how much of an upstream's refusal is read.
const maxRefusal = 1 << 20

// lingering is how long the end of the body may come after that of the answer,
// for the connection to be used again.
const lingering phase = "end of the body"

var errLost = errors.New("another call answered first")

// A try is one HTTP exchange. It belongs to the goroutine that opened it until
// done is closed, then to whoever ranges over the answer.
type try struct {
	*call
	began  time.Time
	ctx    context.Context
	cancel context.CancelCauseFunc
	watch  *watch
	permit *permit
	done   chan struct{} // closed when its outcome is known

	sent     atomic.Bool // the request's headers were written: the upstream may act
	free     bool        // the upstream refused: it will not charge
	body     *answer     // nil until there is one
	answered bool        // a part of an answer has come
	detached bool        // it goes on after its caller: drain.go

	head *starling.Event                      // the first event, if it was waited for
	next func() (starling.Event, error, bool) // the events after it
	stop func()
}

func newTry(c *call) *try {
	t := &try{call: c, began: time.Now(), done: make(chan struct{})}
	parent := c.ctx
	if c.opts.Drain {
		parent = c.life
	}
	t.ctx, t.cancel = context.WithCancelCause(parent)
	t.watch = newWatch(c.opts.Limits, c.started.Add(c.opts.Limits.Total), t.cancel)
	return t
}

// open sends the request and reads the answer's headers.
func (t *try) open() *failure {
	permit, shut := t.breaker.admit()
	if shut != nil {
		return &failure{err: shut, final: true}
	}
	t.permit = permit
	t.watch.enter(connecting, t.opts.Limits.Connect)
	resp, err := t.send(t.request())
	if err != nil {
		return t.fail(err)
	}
	t.body = &answer{ReadCloser: resp.Body, left: t.opts.Limits.Body + 1}
	t.enter(beginning, t.opts.Limits.First)
	switch resp.StatusCode / 100 {
	case 2:
		return t.readable(resp)
	case 3:
		return t.refused(resp.StatusCode, 0, &starling.Error{Kind: starling.Refused, Op: fmt.Sprintf("it redirects elsewhere (status %d), which is never followed", resp.StatusCode), Hint: "configure the url that it redirects to"})
	default:
		return t.refusal(resp)
	}
}

// request makes the request, and has the watch follow it.
func (t *try) request() *http.Request {
	trace := &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { t.enter(waiting, t.opts.Limits.Header) },
		WroteHeaders: func() { t.sent.Store(true) },
	}
	req := &http.Request{
		Method: http.MethodPost, URL: t.url, Host: t.url.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        t.header,
		ContentLength: int64(len(t.call.body)),
		Body:          io.NopCloser(bytes.NewReader(t.call.body)),
		GetBody:       func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(t.call.body)), nil },
	}
	return req.WithContext(httptrace.WithClientTrace(t.ctx, trace))
}

func (t *try) send(req *http.Request) (*http.Response, error) {
	if t.opts.Drain {
		return t.detach(req)
	}
	return t.guard.Do(req, t.Furthest)
}

// enter starts the clock of a phase. An answer that is not streamed comes when
// it is complete: until then there is one clock, that of the whole call.
func (t *try) enter(p phase, limit time.Duration) {
	if !t.Request.Stream {
		p, limit = whole, t.opts.Limits.Total
	}
	t.watch.enter(p, limit)
}

// readable checks that a success is what was asked for, and not a captive
// portal's page.
func (t *try) readable(resp *http.Response) *failure {
	media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	media = strings.ToLower(strings.TrimSpace(media))
	coding := resp.Header.Get("Content-Encoding")
	want, fits := "JSON", media == "application/json" || strings.HasSuffix(media, "+json")
	if t.Request.Stream {
		want, fits = "a stream of events", media == "text/event-stream"
	}
	switch {
	case coding != "" && !strings.EqualFold(coding, "identity"):
		return t.unreadable("it answered in a coding that was not asked for")
	case media != "" && !fits:
		return t.unreadable("it answered with something else than " + want)
	}
	return nil
}

func (t *try) unreadable(what string) *failure {
	return t.failed(&failure{sick: true, err: &starling.Error{Kind: starling.Refused, Op: what, Hint: "check its url, and that nothing stands between", Billed: true}})
}

// refusal reads what the upstream says against the call.
func (t *try) refusal(resp *http.Response) *failure {
	body, _ := io.ReadAll(io.LimitReader(t.body, maxRefusal)) // what came of it will do
	if err := t.body.err; t.call.ctx.Err() != nil && err != nil && err != io.EOF {
		return t.fail(err)
	}
	header := t.unechoed(resp.Header)
	e := wire.ReadError(t.opts.Dialect, resp.StatusCode, header, t.withoutKey(body))
	f := t.refused(resp.StatusCode, retryAfter(resp.Header, time.Now()), e)
	f.final = resp.Header.Get("X-Should-Retry") == "false"
	return f
}

// refused is a failure that the upstream itself told us.
func (t *try) refused(status int, after time.Duration, e *starling.Error) *failure {
	t.free = !doubtful(status)
	own := *e
	own.Billed = !t.free
	return t.failed(&failure{err: &own, retriable: postponed(status) && own.Kind == starling.Overloaded, sick: sickly(status), after: after})
}

// withoutKey takes the key out of what an upstream echoes.
func (t *try) withoutKey(text []byte) []byte {
	if key := t.opts.Key.reveal(); key != "" {
		return bytes.ReplaceAll(text, []byte(key), []byte(hidden))
	}
	return text
}

func (t *try) unechoed(h http.Header) http.Header {
	out := make(http.Header, len(h))
	for name, values := range h {
		if name == "Set-Cookie" {
			continue
		}
		for _, v := range values {
			out[name] = append(out[name], string(t.withoutKey([]byte(v))))
		}
	}
	return out
}

// fail says why the exchange broke off: the caller left, a phase took too long,
// or the connection failed.
func (t *try) fail(err error) *failure {
	sent := t.sent.Load()
	f := &failure{retriable: !sent}
	late, isLate := errors.AsType[*overdue](context.Cause(t.ctx))
	switch {
	case t.call.ctx.Err() != nil:
		f.err = t.cancelled(t.call.ctx)
	case isLate:
		f.sick, f.err = true, &starling.Error{Kind: starling.Overloaded, Op: late.Error()}
	case errors.Is(err, errTooLong):
		f.err = &starling.Error{Kind: starling.Refused, Op: fmt.Sprintf("the answer is over the limit of %d bytes", t.opts.Limits.Body)}
	default:
		own := *transport(err)
		f.err = &own
		f.sick = own.Kind == starling.Overloaded
		f.final = own.Kind != starling.Overloaded
	}
	f.err.Billed = sent
	return t.failed(f)
}

// broke says why an answer that had begun is none: what the connection did, or
// else what the dialect's reader found.
func (t *try) broke(err error) *failure {
	if e := t.body.err; e != nil && e != io.EOF {
		return t.fail(e)
	}
	e, ok := errors.AsType[*starling.Error](err)
	if !ok {
		e = &starling.Error{Kind: starling.Internal, Op: "reading the answer"}
	}
	own := *e
	truncated := t.body.err == io.EOF
	own.Billed = own.Billed || truncated || t.answered
	t.free = !own.Billed
	return t.failed(&failure{err: &own, sick: truncated || own.Kind == starling.Overloaded})
}

// failed completes a failure: with who it was, and a word to the breaker.
func (t *try) failed(f *failure) *failure {
	if who := "provider " + t.opts.Name; !strings.HasPrefix(f.err.Op, who) {
		f.err.Op = who + ": " + f.err.Op
	}
	if f.err.Kind == starling.Cancelled || f.err.Kind == starling.Forbidden || errors.Is(context.Cause(t.ctx), errLost) {
		t.permit.unknown()
	} else if f.sick {
		t.permit.bad()
	} else {
		t.permit.good()
	}
	return f
}

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
	foreign := t.Request.Dialect != t.opts.Dialect
	o := wire.ReadOptions{Dialect: t.opts.Dialect, Stream: t.Request.Stream, Raw: !foreign, Deltas: foreign || t.Deltas, MaxEvent: t.opts.Limits.Event}
	if !o.Stream {
		o.MaxEvent = int(t.opts.Limits.Body)
	}
	return wire.Read(t.body, o)
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

// abandon ends the exchange from outside.
func (t *try) abandon() { t.cancel(errLost) }

// close ends the exchange. It may be called again.
func (t *try) close() {
	if t.stop != nil {
		t.stop()
	}
	if t.detached {
		t.leave()
	} else {
		t.watch.end()
		t.cancel(nil)
	}
	if t.body != nil {
		_ = t.body.Close()
	}
	if t.permit != nil {
		t.permit.unknown()
	}
}

// bought reports whether the upstream may charge for the try.
func (t *try) bought() bool { return t.sent.Load() && !t.free }

// booked returns the try as an attempt that another one overtook. Nobody will
// ever say what it cost, so its usage is estimated.
func (t *try) booked() starling.Attempt {
	size := 0
	if t.head != nil {
		size = t.head.Bytes
	}
	return starling.Attempt{
		Model:     t.Model.ID(),
		Zone:      t.opts.Zone,
		Simulated: t.Model.Simulated,
		Offset:    t.began.Sub(t.started),
		Took:      time.Since(t.began),
		Outcome:   starling.Lost,
		Why:       errLost.Error(),
		Usage:     EstimateUsage(len(t.call.body), size),
	}
}

// errTooLong ends an answer that is over the limit.
var errTooLong = errors.New("the answer is over the limit")

// An answer is a response's body. It remembers what ended it, and ends itself
// beyond the limit.
type answer struct {
	io.ReadCloser
	left int64 // one more than may come
	err  error // io.EOF for a proper end
}

func (a *answer) Read(p []byte) (int, error) {
	if a.err != nil {
		return 0, a.err
	}
	if int64(len(p)) > a.left {
		p = p[:a.left]
	}
	n, err := a.ReadCloser.Read(p)
	if a.left -= int64(n); a.left <= 0 {
		err = errTooLong
	}
	a.err = err
	return n, err
}
