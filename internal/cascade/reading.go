package cascade

import (
	"context"
	"fmt"
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
	r, m := a.asked(), a.candidate.Model
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

// A counter is a provider whose server says how many tokens a question has.
type counter interface {
	Count(ctx context.Context, c starling.Call) (int64, error)
}

// fit asks the model's server how many tokens the question has, where it can be asked
// and the window may be too small: what does not fit is not sent. Where it does not say,
// our own count decides.
func (a *attempt) fit() error {
	m := a.candidate.Model
	most, ask := a.Router.Room(a.asked(), m)
	up, ok := a.Providers[m.Provider].(counter)
	if !ask || !ok {
		return nil
	}
	n, err := up.Count(a.ctx, starling.Call{Model: m, Request: a.asked(), Furthest: a.Screen.Furthest, Left: func(string) {}})
	how := "counted by its own server"
	if a.sized = n; err != nil {
		size := a.Router.Factors.Size(a.asked(), m)
		n, how = size.Tokens, size.How
		a.Log.Info("a server does not count", "model", a.Model, "err", err)
	}
	if n <= most {
		return nil
	}
	return &starling.Error{Kind: starling.TooLarge, Op: fmt.Sprintf("prompt is too long: %d tokens > %d maximum", n, most), Hint: fmt.Sprintf("%s: its window is %d tokens; %s", a.Model, m.Context, how)}
}

// read says what the upstream has read of what it was sent. An answer to a part of the
// question that nobody has seen yet is not one, as long as somebody else is left to ask.
func (a *attempt) read(t *tallying, err error) error {
	a.Counted = t.end(err != nil)
	if err != nil || !a.counted || a.Usage.Estimated {
		return err
	}
	if a.Short = a.short(); a.Short == "" {
		if a.Counted > 0 {
			a.Router.Factors.Whole(a.asked(), a.candidate.Model, a.Usage)
		}
		return nil
	}
	a.Log.Warn("an upstream has read less than it was sent", "receipt", a.ID, "model", a.Model, "why", a.Short)
	if a.sent || a.last {
		return nil
	}
	a.Outcome = starling.Rejected
	return &starling.Error{Kind: starling.Refused, Op: "its answer is to a part of the question: it " + a.Short, Hint: "raise its window, or send less"}
}

// short says how much of what was sent was read, if it was too little.
func (a *attempt) short() string {
	if a.sized > 0 {
		return tokens.ShortOf(a.sized, a.Usage)
	}
	m := a.candidate.Model
	if a.Counted == 0 && a.Router.Factors.Odd(a.asked(), m, a.Usage) {
		a.Counted = tokens.Ours(a.asked(), m, nil)
	}
	return a.Router.Factors.Short(a.asked(), m, a.Counted, a.Usage)
}
