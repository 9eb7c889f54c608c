package provider

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"starling"
)

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
	free     atomic.Bool // the upstream refused: it will not charge
	body     *answer     // nil until there is one
	answered bool        // a part of an answer has come
	playing  bool        // it says of itself that it is simulated
	detached bool        // it goes on after its caller: drain.go
	leaving  sync.Once   // nobody wants what is drained, or it is over
	drained  bool        // it has one of the places for draining; guarded by leaving

	head *starling.Event                      // the first event, if it was waited for
	next func() (starling.Event, error, bool) // the events after it
	stop func()
}

func newTry(c *call) *try {
	t := &try{call: c, began: time.Now(), done: make(chan struct{})}
	parent := c.caller
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
	t.body = &answer{ReadCloser: resp.Body, size: resp.ContentLength, left: t.opts.Limits.Body + 1, alive: t.watch.touch}
	t.playing = resp.Header.Get("X-Starling-Simulated") == "true"
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
		ContentLength: int64(len(t.question)),
		Body:          io.NopCloser(bytes.NewReader(t.question)),
		GetBody:       func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(t.question)), nil },
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

// abandon ends the exchange from outside, or has it drained.
func (t *try) abandon() {
	if t.detached {
		t.leave()
		return
	}
	t.cancel(errLost)
}

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
func (t *try) bought() bool { return t.sent.Load() && !t.free.Load() }

// booked returns the try as an attempt that another one overtook. Nobody will
// ever say what it cost, so its usage is estimated.
func (t *try) booked() starling.Attempt {
	size := 0
	if t.head != nil {
		size = t.head.Bytes
	}
	took := time.Since(t.began)
	return starling.Attempt{
		Model:     t.Model.ID(),
		Zone:      t.opts.Zone,
		Simulated: t.Model.Simulated || t.playing,
		Offset:    t.began.Sub(t.started),
		Took:      took,
		Outcome:   starling.Lost,
		Why:       errLost.Error(),
		Usage:     t.Model.Estimate(t.Request, size, took),
	}
}
