package local

import (
	"sync"

	"starling/internal/engine"
)

// A work is one order under way, and what has been said of it. Its child puts reports
// in, and never waits for who takes them out; there are as many as the windows
// of its choices have tokens, at most.
type work struct {
	id      uint64
	child   *child
	size    int                 // bytes of its prompt
	choices int                 // of the answer
	open    int                 // of them, those that have not ended; guarded by the child's lock
	wake    chan struct{}       // holds one when there is something to take
	done    func(engine.Report) // told the last report, once, when the child has done with it; not if the child is gone

	mu   sync.Mutex // guards what follows
	said []engine.Report
	err  error // why nothing more will come, although its end did not
	over bool
}

// expects reports whether a report may come now, and counts the choices that end.
func (w *work) expects(r engine.Report) bool {
	switch {
	case r.Choice >= w.choices:
		return false
	case r.Done != nil && !r.Done.Left:
		w.open--
		return r.Done.More == (w.open > 0)
	}
	return r.Last() || r.Token != nil || r.Progress != 0
}

// put adds a report, or the error in whose place none will come.
func (w *work) put(r engine.Report, err error) {
	last := err != nil || r.Last()
	w.mu.Lock()
	if err != nil {
		w.err = err
	} else {
		w.said = append(w.said, r)
	}
	w.over = w.over || last
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	if last && err == nil && w.done != nil {
		w.done(r)
	}
}

// take returns what was said since, and the error that ended it, once all was taken.
func (w *work) take() (said []engine.Report, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	said, w.said = w.said, nil
	return said, w.err
}

// leave tells the child that nobody wants the work any more. It ends within a token,
// and its place is free then.
func (w *work) leave() {
	w.mu.Lock()
	over := w.over
	w.mu.Unlock()
	if !over {
		w.child.send(engine.Order{ID: w.id, Cancel: true})
	}
}
