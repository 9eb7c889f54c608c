package cascade

import (
	"sync/atomic"

	"starling"
	"starling/internal/evidence"
	"starling/internal/tokens"
)

// A tallying counts the tokens of a request while its model thinks.
type tallying struct {
	needless atomic.Bool // nobody wants the count any more
	done     chan struct{}
	n        int64 // once done is closed; 0 if it was needless
}

// tally begins to count, if the call is one that is to be counted.
func (a *attempt) tally() *tallying {
	r, m := &a.Request, a.candidate.Model
	share := a.Router.Factors.Due(r, m)
	if share == 0 || share < 1 && !evidence.Drawn(a.ID, share) {
		return nil
	}
	t := &tallying{done: make(chan struct{})}
	go func() {
		defer close(t.done)
		t.n = tokens.Ours(r, m, t.needless.Load)
	}()
	return t
}

// end returns the count, 0 if the call has failed and nobody needs it.
func (t *tallying) end(failed bool) int64 {
	if t == nil {
		return 0
	}
	t.needless.Store(failed)
	<-t.done
	return t.n
}

// read says what the upstream has read of what it was sent. An answer to a part of the
// question that nobody has seen yet is not one, as long as somebody else is left to ask.
func (a *attempt) read(t *tallying, err error) error {
	a.Counted = t.end(err != nil)
	if err != nil || !a.counted || a.Usage.Estimated {
		return err
	}
	m := a.candidate.Model
	if a.Counted == 0 && tokens.Odd(&a.Request, a.Usage) {
		a.Counted = tokens.Ours(&a.Request, m, nil)
	}
	if a.Short = a.Router.Factors.Short(&a.Request, m, a.Counted, a.Usage); a.Short == "" {
		return nil
	}
	a.Log.Warn("an upstream has read less than it was sent", "receipt", a.ID, "model", a.Model, "why", a.Short)
	if a.sent || a.last {
		return nil
	}
	a.Outcome = starling.Rejected
	return &starling.Error{Kind: starling.Refused, Op: "its answer is to a part of the question: it " + a.Short, Hint: "raise its window, or send less"}
}
