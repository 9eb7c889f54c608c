package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go"

	"starling"
	"starling/internal/wire"
)

// A call is one Generate: what is sent, and the tries that send it. Without
// hedging it belongs to one goroutine; the tries of a hedged one share it.
type call struct {
	*HTTP
	starling.Call
	caller   context.Context // ends when the caller leaves
	started  time.Time
	patience time.Time // no retry begins after it
	breaker  *breaker
	dialect  starling.Dialect // of the question as it is sent, and of its answer
	url      *url.URL
	header   http.Header
	question []byte
	own      bool // log-probabilities are asked for, and not by the caller
	hedge    bool // a second try may be made beside one that is slow
	policies failsafe.Executor[*try]

	running atomic.Int32 // tries that have not failed

	mu      sync.Mutex
	tries   []*try
	over    bool // no try may begin any more
	retries int
}

// prepare makes the call that c asks for. Nothing has left when it returns.
// Errors: NotFound, Forbidden, Invalid, Cancelled.
func (p *HTTP) prepare(ctx context.Context, c starling.Call) (*call, error) {
	b, known := p.breakers[c.Model.Name]
	if !known || c.Model.Provider != p.opts.Name {
		return nil, &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("provider %s: model %q", p.opts.Name, c.Model.ID()), Hint: "list it among the provider's models"}
	}
	if c.Model.Zone != p.opts.Zone {
		return nil, &starling.Error{Kind: starling.Forbidden, Op: fmt.Sprintf("provider %s: the plan has it in zone %s, it is in zone %s", p.opts.Name, c.Model.Zone, p.opts.Zone)}
	}
	dialect := p.spoken(c.Request.Dialect)
	if _, err := p.guard.pass(p.asks[dialect], c.Furthest); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, p.cancelled(ctx)
	}
	body, err := wire.Outgoing(c.Request, dialect, c.Model, c.Left)
	if err != nil {
		return nil, err
	}
	k := &call{HTTP: p, Call: c, caller: ctx, started: time.Now(), breaker: b, dialect: dialect, question: body, hedge: p.opts.HedgeAfter > 0 && c.Request.Dialect.Wants() == "", policies: p.policies}
	if !k.hedge {
		k.policies = p.plain
	}
	if k.own = c.Logprobs && dialect == p.opts.Dialect && p.kind.Logprobs && !c.Request.WantProbs; k.own {
		k.question = wire.AskLogprobs(body)
	}
	k.patience = k.started.Add(c.Patience)
	k.url, k.header = p.envelope(c.Request, dialect, c.Model.Name)
	if c.Request.Dialect != dialect {
		leave(c)
	}
	return k, nil
}

// leave tells what does not travel into another dialect: the headers about the
// question go with the fields that they are about.
func leave(c starling.Call) {
	for _, name := range slices.Sorted(maps.Keys(c.Request.Header)) {
		if travels(name) && name != "Anthropic-Version" { // which each dialect has or has not
			c.Left("header " + strings.ToLower(name))
		}
	}
	if cleared(c.Request.Query) != "" {
		c.Left("query")
	}
}

// envelope returns the URL and the headers of a call. What the caller says of
// its question in headers and query is in the words of its dialect, so it
// travels only to an upstream of the same.
func (p *HTTP) envelope(r *starling.Request, d starling.Dialect, model string) (*url.URL, http.Header) {
	ask := p.asks[d]
	switch also := p.kind.Also[d]; {
	case d == p.opts.Dialect && strings.Contains(p.kind.Ask, "{model}"):
		ask = p.kind.question(p.base, model, r.Stream)
	case strings.Contains(also, "{model}"):
		ask = p.kind.at(p.base, named(also, model))
	}
	header := p.kind.as(d).headers(p.opts.Key)
	header["Accept"] = []string{"application/json"}
	if r.Stream {
		header["Accept"] = []string{streamed(d)}
	}
	if r.Dialect != d {
		return ask, header
	}
	for name, values := range r.Header {
		if travels(name) {
			header[http.CanonicalHeaderKey(name)] = values
		}
	}
	query := cleared(r.Query)
	if query == "" {
		return ask, header
	}
	u := *ask
	u.RawQuery = joined(u.RawQuery, query)
	return &u, header
}

// open returns the try that answers and, for the books, the attempts of those
// beside it that may be charged. All of them have ended.
func (c *call) open() (winner *try, beside []starling.Attempt, err error) {
	if c.hedge {
		winner, err = c.policies.WithContext(c.caller).Get(c.attempt)
	} else if winner, err = c.attempt(); again(err) > 0 {
		winner, err = c.policies.WithContext(c.caller).Get(c.after(err))
	}
	if err != nil {
		winner = nil
	}
	lost := c.end(winner)
	if err != nil {
		failed := c.why(err, len(lost) > 0)
		if failed.Billed && len(lost) > 0 {
			lost = lost[1:] // that one is the attempt itself
		}
		err = failed
	}
	for _, t := range lost {
		beside = append(beside, t.booked())
	}
	return winner, beside, err
}

// after returns attempt for policies that are told first of a try that was made
// without them: nearly every call ends with it, and owes them nothing.
func (c *call) after(failed error) func() (*try, error) {
	return func() (*try, error) {
		if err := failed; err != nil {
			failed = nil
			return nil, err
		}
		return c.attempt()
	}
}

// why returns the error of a call whose tries have all ended.
func (c *call) why(err error, bought bool) *starling.Error {
	if f, ok := errors.AsType[*failure](err); ok && (f.err.Kind == starling.Cancelled || c.caller.Err() == nil) {
		return f.err
	}
	if c.caller.Err() == nil { // no policy fails otherwise
		return &starling.Error{Kind: starling.Internal, Op: "provider " + c.opts.Name + ": call", Err: err, Billed: bought}
	}
	gone := c.cancelled(c.caller)
	gone.Billed = bought
	return gone
}

// attempt makes one try. It returns once the try's outcome is known: its first
// event when hedged, else the headers of its answer.
func (c *call) attempt() (*try, error) {
	t := c.begin()
	if t == nil {
		return nil, c.cancelled(c.caller)
	}
	defer close(t.done)
	f := t.open()
	if f == nil && c.hedge {
		f = t.first()
	}
	if f == nil {
		return t, nil
	}
	c.running.Add(-1)
	c.mu.Lock()
	c.patient(f)
	c.mu.Unlock()
	t.close()
	return t, f
}

// begin registers a try, nil if the call is over.
func (c *call) begin() *try {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil
	}
	t := newTry(c)
	c.tries = append(c.tries, t)
	c.running.Add(1)
	return t
}

// end ends every try but the winner, waits for it, and returns those that may
// be charged.
func (c *call) end(winner *try) (lost []*try) {
	c.mu.Lock()
	c.over = true
	tries := c.tries
	c.mu.Unlock()
	for _, t := range tries {
		if t != winner {
			t.abandon()
		}
	}
	for _, t := range tries {
		if t == winner {
			continue
		}
		<-t.done
		t.close()
		if t.bought() {
			lost = append(lost, t)
		}
	}
	return lost
}

func (p *HTTP) cancelled(ctx context.Context) *starling.Error {
	return &starling.Error{Kind: starling.Cancelled, Op: "provider " + p.opts.Name + ": the caller left", Err: ctx.Err()}
}
