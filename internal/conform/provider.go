// Package conform holds one conformance suite per plug point: what an
// implementation has to do to be one. An implementation's own tests run its
// suite against a bench that they set up; the suite knows nothing of HTTP, of a
// dialect or of a vendor.
//
// It is imported by tests only, and imports only the vocabulary. Start reading
// at [Provider].
package conform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"starling"
)

// A Script says what the test upstream does with each call that it gets.
type Script struct {
	Words  []string       // the pieces of its answer
	Usage  starling.Usage // what it counts: Input and Output
	Refuse int            // not 0: it refuses with this status
	Echo   bool           // its refusal repeats every header that it was sent
	Cut    bool           // after the words the connection breaks
	Short  bool           // after the words the answer ends properly as HTTP, not as the dialect's
	Hang   Hang           // it waits until the caller hangs up
}

// A Hang says where an upstream stops talking.
type Hang string

// The places.
const (
	Never     Hang = ""
	AtOnce    Hang = "before its headers"
	AfterWord Hang = "after its first word"
)

// A Bench is a provider in front of a test upstream that follows a script, or one
// that answers by itself. The latter gives the words of its script as they are, has
// no key, and nobody to call.
type Bench struct {
	Provider starling.Provider
	Model    starling.Model // one of the provider's
	Alone    bool           // it answers by itself: Key, Calls, Connections and Gone are empty
	Key      string         // the credential that the provider sends

	Ask         func(stream bool) *starling.Request // a question that the upstream can answer
	Calls       func() int                          // that reached the upstream so far
	Connections func() int                          // opened to it so far
	Gone        <-chan struct{}                     // receives when a caller hung up on a Hang
}

// patience is how long a test waits for what has to happen at once. It is no
// measure of speed: what fails to happen never does.
const patience = 3 * time.Minute

var story = Script{Words: []string{"The ", "starling ", "sings — ", "über."}, Usage: starling.Usage{Input: 17, Output: 5}}

// Provider runs the contract of [starling.Provider] against what open sets up,
// once for each script it is called with. What can only go wrong with an upstream
// is left out where there is none.
func Provider(t *testing.T, open func(t *testing.T, s Script) *Bench) {
	alone := open(t, story).Alone
	s := suite{open: func(t *testing.T, s Script) *Bench { return open(t, s).filled() }}
	for _, stream := range []bool{true, false} {
		form := map[bool]string{true: "streamed", false: "whole"}[stream]
		t.Run(form, func(t *testing.T) {
			t.Run("the answer is all there and counted", func(t *testing.T) { s.answers(t, stream) })
			t.Run("the request is not changed", func(t *testing.T) { s.keepsTheRequest(t, stream) })
			t.Run("a call that may not travel never leaves", func(t *testing.T) { s.staysInItsZone(t, stream) })
			t.Run("a caller who has left calls nobody", func(t *testing.T) { s.cancelledBefore(t, stream) })
			t.Run("many callers at once get their answers", func(t *testing.T) { s.concurrent(t, stream) })
			if alone {
				return
			}
			t.Run("a refusal says whether later helps", func(t *testing.T) { s.refuses(t, stream) })
			t.Run("the key is in no error", func(t *testing.T) { s.hidesTheKey(t, stream) })
			t.Run("a broken answer is an error", func(t *testing.T) { s.breaks(t, stream) })
			t.Run("a caller who leaves while waiting ends the call", func(t *testing.T) { s.cancelled(t, stream) })
		})
	}
	t.Run("models are listed from memory", s.models)
	t.Run("an unknown model is not found", s.unknown)
	t.Run("ranging no further ends the call", s.stopped)
	if !alone {
		t.Run("leaving within a stream ends the call", s.cancelledWithin)
	}
}

// filled counts nothing where there is nobody to call.
func (b *Bench) filled() *Bench {
	none := func() int { return 0 }
	if b.Alone {
		b.Calls, b.Connections = none, none
	}
	return b
}

type suite struct {
	open func(t *testing.T, s Script) *Bench
}

// call returns the plainest call of a bench.
func (b *Bench) call(stream bool) starling.Call {
	return starling.Call{Model: b.Model, Request: b.Ask(stream), Furthest: starling.Cloud, Deltas: true, Left: func(string) {}}
}

// heard is what came of a call.
type heard struct {
	text   string
	usage  *starling.Usage
	events int
	err    error
}

// hear makes the call and checks what must hold of every one: each pair is an
// event or an error, an event says something, a sign of life nothing of an answer, and
// nothing follows an error.
func (b *Bench) hear(ctx context.Context, t *testing.T, c starling.Call) heard {
	t.Helper()
	var h heard
	for ev, err := range b.Provider.Generate(ctx, c) {
		if h.err != nil {
			t.Errorf("a pair followed the error %v", h.err)
		}
		if (err == nil) == empty(ev) {
			t.Errorf("a pair is not exactly one of event and error: %+v, %v", ev, err)
		}
		if h.err = err; err != nil {
			if _, ok := errors.AsType[*starling.Error](err); !ok {
				t.Errorf("the error is a %T, not an *Error: %v", err, err)
			}
			continue
		}
		if ev.Idle {
			if len(ev.Deltas) > 0 || ev.Usage != nil || ev.Finish != "" || ev.Aside != nil {
				t.Errorf("a sign of life says more: %+v", ev)
			}
			continue
		}
		h.events++
		h.take(ev)
	}
	if h.err == nil && h.events == 0 {
		t.Error("neither an event nor an error came")
	}
	return h
}

func (h *heard) take(ev starling.Event) {
	for _, d := range ev.Deltas {
		if d.Kind == starling.TextPart {
			h.text += d.Text
		}
	}
	if ev.Usage != nil {
		u := *ev.Usage
		h.usage = &u
	}
}

func empty(ev starling.Event) bool {
	return len(ev.Raw) == 0 && len(ev.Deltas) == 0 && ev.Usage == nil && ev.Finish == "" && ev.Aside == nil && !ev.Idle
}

func (s suite) answers(t *testing.T, stream bool) {
	b := s.open(t, story)
	h := b.hear(t.Context(), t, b.call(stream))
	if want := strings.Join(story.Words, ""); h.err != nil || h.text != want {
		t.Errorf("heard %q and error %v, want %q", h.text, h.err, want)
	}
	switch {
	case h.usage != nil && b.Alone: // nobody counts what nobody charges for
		if !h.usage.Estimated || h.usage.Input <= 0 || h.usage.Output <= 0 {
			t.Errorf("usage is %+v by the end, want an estimate that says so", h.usage)
		}
	case h.usage == nil || h.usage.Input != story.Usage.Input || h.usage.Output != story.Usage.Output || h.usage.Estimated:
		t.Errorf("usage is %+v by the end, want the upstream's %+v", h.usage, story.Usage)
	}
}

func (s suite) keepsTheRequest(t *testing.T, stream bool) {
	b := s.open(t, story)
	c := b.call(stream)
	before := *c.Request
	before.Body, before.Header = slices.Clone(before.Body), maps.Clone(before.Header)
	b.hear(t.Context(), t, c)
	after := *c.Request
	after.Chat = before.Chat // a view may be made of it
	if !reflect.DeepEqual(before, after) {
		t.Errorf("the request was changed from\n%+v to\n%+v", before, after)
	}
}

func (s suite) refuses(t *testing.T, stream bool) {
	for status, later := range map[int]bool{429: true, 503: true, 529: true, 400: false, 404: false, 413: false, 422: false} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			b := s.open(t, Script{Refuse: status})
			h := b.hear(t.Context(), t, b.call(stream))
			if got := starling.KindOf(h.err); h.err == nil || (got == starling.Overloaded) != later {
				t.Errorf("kind %q; is Overloaded should be %v: %v", got, later, h.err)
			}
			if e, _ := errors.AsType[*starling.Error](h.err); e != nil && e.Billed {
				t.Error("a refusal is said to be charged")
			}
			if b.Calls() != 1 {
				t.Errorf("without patience it was called %d times", b.Calls())
			}
		})
	}
}

func (s suite) hidesTheKey(t *testing.T, stream bool) {
	for _, script := range []Script{{Refuse: 401, Echo: true}, {Refuse: 400, Echo: true}, {Refuse: 429, Echo: true}, {Refuse: 500, Echo: true}, {Words: story.Words, Cut: true}, {Words: story.Words, Short: true}} {
		b := s.open(t, script)
		if b.Key == "" {
			t.Fatal("the bench has no key to look for")
		}
		err := b.hear(t.Context(), t, b.call(stream)).err
		said := fmt.Sprintf("%v %+v %#v %+v", err, err, err, b.Provider)
		e, _ := errors.AsType[*starling.Error](err)
		if e != nil && e.Reply != nil {
			headers, _ := json.Marshal(e.Reply.Header)
			said += string(e.Reply.Body) + string(headers)
		}
		if strings.Contains(said, b.Key) {
			i := strings.Index(said, b.Key)
			t.Errorf("%+v: the key is in what is said: …%s", script, said[max(0, i-60):i])
		}
	}
}

func (s suite) breaks(t *testing.T, stream bool) {
	for name, script := range map[string]Script{"cut": {Words: story.Words, Cut: true}, "short": {Words: story.Words, Short: true}} {
		t.Run(name, func(t *testing.T) {
			b := s.open(t, script)
			h := b.hear(t.Context(), t, b.call(stream))
			e, _ := errors.AsType[*starling.Error](h.err)
			if e == nil || !e.Billed {
				t.Errorf("a broken answer ended with %v, want an error that may be charged", h.err)
			}
			if b.Calls() != 1 {
				t.Errorf("it was bought %d times", b.Calls())
			}
		})
	}
}

func (s suite) staysInItsZone(t *testing.T, stream bool) {
	b := s.open(t, story)
	nearer, elsewhere := b.call(stream), b.call(stream)
	nearer.Furthest = b.Model.Zone - 1
	elsewhere.Model.Zone = b.Model.Zone%starling.Cloud + 1
	for name, c := range map[string]starling.Call{"beyond the furthest zone": nearer, "with another zone in the plan": elsewhere} {
		if h := b.hear(t.Context(), t, c); starling.KindOf(h.err) != starling.Forbidden {
			t.Errorf("%s: %v, want Forbidden", name, h.err)
		}
	}
	if b.Connections() != 0 || b.Calls() != 0 {
		t.Errorf("%d connections were opened and %d calls made", b.Connections(), b.Calls())
	}
}

func (s suite) cancelled(t *testing.T, stream bool) {
	b := s.open(t, Script{Hang: AtOnce})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for b.Calls() == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	h := within(t, func() heard { return b.hear(ctx, t, b.call(stream)) })
	if starling.KindOf(h.err) != starling.Cancelled || h.events != 0 {
		t.Errorf("%d events and %v, want Cancelled", h.events, h.err)
	}
	if e, _ := errors.AsType[*starling.Error](h.err); e != nil && !e.Billed {
		t.Error("a call that was sent is said to cost nothing")
	}
	b.hungUp(t)
}

func (s suite) cancelledBefore(t *testing.T, stream bool) {
	b := s.open(t, story)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if h := b.hear(ctx, t, b.call(stream)); starling.KindOf(h.err) != starling.Cancelled || b.Calls() != 0 {
		t.Errorf("%v after %d calls, want Cancelled and none", h.err, b.Calls())
	}
}

func (s suite) cancelledWithin(t *testing.T) {
	b := s.open(t, Script{Words: story.Words, Hang: AfterWord})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := within(t, func() (last error) {
		for ev, err := range b.Provider.Generate(ctx, b.call(true)) {
			if last = err; err == nil && says(ev) {
				cancel()
			}
		}
		return last
	})
	if starling.KindOf(err) != starling.Cancelled {
		t.Errorf("%v, want Cancelled", err)
	}
	b.hungUp(t)
}

func (s suite) stopped(t *testing.T) {
	b := s.open(t, Script{Words: story.Words, Hang: AfterWord})
	within(t, func() bool {
		for ev, err := range b.Provider.Generate(t.Context(), b.call(true)) {
			if err != nil {
				t.Errorf("an error before the first word: %v", err)
			}
			if says(ev) {
				break
			}
		}
		return true
	})
	if !b.Alone {
		b.hungUp(t)
	}
}

func says(ev starling.Event) bool {
	return slices.ContainsFunc(ev.Deltas, func(d starling.Delta) bool { return d.Text != "" })
}

// within fails the test if f does not return.
func within[T any](t *testing.T, f func() T) T {
	t.Helper()
	done := make(chan T, 1)
	go func() { done <- f() }()
	select {
	case v := <-done:
		return v
	case <-time.After(patience):
		t.Fatal("the call did not end")
		panic("unreachable")
	}
}

// hungUp fails the test if the upstream is not hung up on.
func (b *Bench) hungUp(t *testing.T) {
	t.Helper()
	select {
	case <-b.Gone:
	case <-time.After(patience):
		t.Error("the upstream was not told that its caller left")
	}
}

func (s suite) concurrent(t *testing.T, stream bool) {
	b := s.open(t, story)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if h := b.hear(t.Context(), t, b.call(stream)); h.err != nil || h.text != strings.Join(story.Words, "") {
				t.Errorf("heard %q and %v", h.text, h.err)
			}
		})
	}
	all.Wait()
}

func (s suite) models(t *testing.T) {
	b := s.open(t, story)
	models := b.Provider.Models()
	i := slices.IndexFunc(models, func(m starling.Model) bool { return m.ID() == b.Model.ID() })
	if i < 0 || models[i].Zone != b.Model.Zone {
		t.Fatalf("%s in zone %s is not in %+v", b.Model.ID(), b.Model.Zone, models)
	}
	models[i].Name = "changed by its reader"
	if b.Provider.Models()[i].Name != b.Model.Name {
		t.Error("a reader of the list can change it")
	}
	if b.Connections() != 0 {
		t.Error("listing the models called the upstream")
	}
}

func (s suite) unknown(t *testing.T) {
	b := s.open(t, story)
	c := b.call(true)
	c.Model.Name += "-of-nobody"
	if h := b.hear(t.Context(), t, c); starling.KindOf(h.err) != starling.NotFound || b.Calls() != 0 {
		t.Errorf("%v after %d calls, want NotFound and none", h.err, b.Calls())
	}
}
