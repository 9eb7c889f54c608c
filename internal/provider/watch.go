package provider

import (
	"context"
	"sync"
	"time"
)

// A phase is a part of a call with a limit of its own. Its text completes the
// sentence "no … within …".
type phase string

// The phases, in order.
const (
	connecting phase = "connection"
	waiting    phase = "response"
	beginning  phase = "first event"
	streaming  phase = "further event"
	draining   phase = "end of the drained answer"
	whole      phase = "complete answer" // all of them together
	resting    phase = ""                // the caller has the event: no clock runs
)

// overdue is the cause of a call that was ended by its watch.
type overdue struct {
	phase phase
	limit time.Duration
}

func (o *overdue) Error() string { return "no " + string(o.phase) + " within " + o.limit.String() }

// A watch ends a try whose phase lasts longer than its limit. One timer serves
// all phases, and is rarely touched: a phase only moves the time when the call is
// overdue, and a timer that fires before that is set again. Safe for concurrent
// use.
type watch struct {
	limits   Limits
	cancel   context.CancelCauseFunc
	deadline time.Time // of the whole call

	mu    sync.Mutex
	late  overdue   // what to say when the call is overdue
	due   time.Time // when it is
	timer *time.Timer
	rings time.Time // when the timer fires; zero if it is not set
	ended bool
}

func newWatch(limits Limits, deadline time.Time, cancel context.CancelCauseFunc) *watch {
	return &watch{limits: limits, cancel: cancel, deadline: deadline}
}

// enter starts the clock of a phase, or of what is left for the whole call if
// that is less.
func (w *watch) enter(p phase, limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	now := time.Now()
	w.late, w.due = overdue{p, limit}, now.Add(limit)
	if p != draining && w.deadline.Before(w.due) {
		w.late, w.due = overdue{whole, w.limits.Total}, w.deadline
	}
	if w.rings.IsZero() || w.due.Before(w.rings) {
		w.set(w.due.Sub(now))
	}
}

// touch starts the clock of the present phase anew: the upstream is alive, though
// what it sends may be no event that anybody hears of.
func (w *watch) touch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch w.late.phase {
	case resting, whole, draining:
	default:
		w.due = time.Now().Add(w.late.limit)
		if w.deadline.Before(w.due) {
			w.late, w.due = overdue{whole, w.limits.Total}, w.deadline
		}
	}
}

// set has the timer fire when the call is overdue. It is called with the lock.
func (w *watch) set(in time.Duration) {
	w.rings = w.due
	if w.timer == nil {
		w.timer = time.AfterFunc(in, w.fire)
		return
	}
	w.timer.Reset(in)
}

// rest stops the clock until the next phase.
func (w *watch) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late.phase = resting
}

// end stops the clock for good.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

// fire ends the call if it is overdue.
func (w *watch) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	left := time.Until(w.due)
	switch {
	case w.ended || w.late.phase == resting:
		w.rings = time.Time{}
	case left > 0:
		w.set(left)
	default:
		late := w.late
		w.cancel(&late)
	}
}
