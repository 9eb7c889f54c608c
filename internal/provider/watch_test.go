package provider

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// watched runs f beside a watch with a total limit of a minute, and returns why
// and when its call was ended.
func watched(t *testing.T, f func(*watch)) (why string, after time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		start := time.Now()
		w := newWatch(Limits{Total: time.Minute}, start.Add(time.Minute), cancel)
		defer w.end()
		f(w)
		select {
		case <-ctx.Done():
			late, ok := errors.AsType[*overdue](context.Cause(ctx))
			if !ok {
				t.Fatalf("ended by %v", context.Cause(ctx))
			}
			why, after = late.Error(), time.Since(start)
		case <-time.After(time.Hour):
		}
	})
	return why, after
}

func TestAPhaseThatTakesTooLongEndsTheCallAndIsNamed(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name  string
		run   func(*watch)
		why   string
		after time.Duration
	}{
		{"the first phase", func(w *watch) { w.enter(connecting, 5*s) }, "no connection within 5s", 5 * s},
		{"a later phase has its own clock", func(w *watch) { w.enter(connecting, 5*s); time.Sleep(4 * s); w.enter(waiting, 20*s) }, "no response within 20s", 24 * s},
		{"an event in time starts the clock anew", func(w *watch) {
			for range 4 {
				w.enter(streaming, 10*s)
				time.Sleep(9 * s)
			}
			w.enter(streaming, 10*s)
		}, "no further event within 10s", 46 * s},
		{"all phases together have a limit", func(w *watch) { w.enter(connecting, 5*s); time.Sleep(4 * s); w.enter(waiting, 2*time.Minute) }, "no complete answer within 1m0s", time.Minute},
		{"the time of the caller is on no clock", func(w *watch) { w.enter(streaming, 5*s); w.rest(); time.Sleep(50 * s); w.enter(streaming, 5*s) }, "no further event within 5s", 55 * s},
		{"but a caller cannot stretch the whole", func(w *watch) {
			w.enter(streaming, 5*s)
			w.rest()
			time.Sleep(90 * s)
			w.enter(streaming, 5*s)
		}, "no complete answer within 1m0s", 90 * s},
		{"draining is after the whole", func(w *watch) { w.enter(whole, time.Minute); time.Sleep(50 * s); w.enter(draining, 30*s) }, "no end of the drained answer within 30s", 80 * s},
		{"any sign of life starts the clock anew", func(w *watch) {
			w.enter(beginning, 10*s)
			for range 4 {
				time.Sleep(9 * s)
				w.touch()
			}
		}, "no first event within 10s", 46 * s},
		{"but does not stretch the whole", func(w *watch) {
			w.enter(beginning, 10*s)
			for range 9 {
				time.Sleep(9 * s)
				w.touch()
			}
		}, "no complete answer within 1m0s", 81 * s},
		{"nor the draining", func(w *watch) { w.enter(draining, 30*s); time.Sleep(20 * s); w.touch() }, "no end of the drained answer within 30s", 30 * s},
		{"nor does it wake a clock at rest", func(w *watch) { w.enter(streaming, 5*s); w.rest(); w.touch() }, "", 0},
		{"at rest nothing ends", func(w *watch) { w.enter(streaming, 5*s); w.rest() }, "", 0},
		{"after the end nothing starts", func(w *watch) { w.end(); w.enter(streaming, 5*s) }, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if why, after := watched(t, c.run); why != c.why || after != c.after {
				t.Errorf("%q after %s, want %q after %s", why, after, c.why, c.after)
			}
		})
	}
}

func TestATimerThatFiresEarlyDoesNotEndTheCall(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	w := newWatch(Limits{Total: time.Hour}, time.Now().Add(time.Hour), cancel)
	defer w.end()
	w.enter(streaming, time.Hour)
	w.fire()
	if ctx.Err() != nil {
		t.Error("the call was ended")
	}
}
