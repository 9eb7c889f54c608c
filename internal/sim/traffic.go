package sim

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"starling"
)

// Traffic is a load: what is asked, in which mixture, how fast and for how long.
// Whose turn it is follows from the seed and the request's number, so two runs
// ask the same. URL, Models and Inputs are required.
//
// With a Rate the loop is open: requests leave when they are due, whether or not
// earlier ones have come back, so a server that stalls cannot slow down those who
// measure it. Without, it is closed: Concurrency callers ask one after another.
type Traffic struct {
	URL    string      // base, "http://127.0.0.1:8080"
	Key    string      // sent as each vendor's client would; "" sends none
	Header http.Header // sent with every request

	Models    []string // in turn
	Inputs    []string // user messages, in turn
	System    string   // system prompt; "" none
	MaxTokens int64    // 0 is 1024
	Seed      uint64

	Anthropic float64 // share in Anthropic's dialect, the rest in OpenAI's
	Stream    float64 // share of streams
	Leave     float64 // share of streams that are left after their third event

	Rate        float64       // requests a second; 0 closes the loop
	Concurrency int           // callers, or with a Rate the most in flight; 0 is 8, or 256
	Requests    int           // at most; 0 is 1000
	Duration    time.Duration // at most; 0 is a minute. What is open then may still end
	Timeout     time.Duration // of one request; 0 is a minute

	// Observe is told of each request when it has ended. It is called from many
	// goroutines, and what it takes is not measured.
	Observe func(Shot)
}

// Run sends the traffic and returns what was measured, when every request has
// ended. When ctx ends, what is open is left. A load that cannot be sent is
// Invalid; failures of requests are part of the report, not errors.
func (t Traffic) Run(ctx context.Context) (*Report, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	t = t.filled()
	transport := &http.Transport{MaxIdleConns: t.Concurrency, MaxIdleConnsPerHost: t.Concurrency, DisableCompression: true}
	defer transport.CloseIdleConnections()
	g := &generator{Traffic: t, client: http.Client{Transport: transport}, start: time.Now()}
	if t.Rate > 0 {
		g.openLoop(ctx)
	} else {
		g.closedLoop(ctx)
	}
	g.report.Elapsed = time.Since(g.start)
	g.report.sort()
	return &g.report, nil
}

func (t Traffic) check() error {
	bad := func(what, hint string) error {
		return &starling.Error{Kind: starling.Invalid, Op: "traffic: " + what, Hint: hint}
	}
	u, err := url.Parse(t.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return bad("url", "give a base URL like http://127.0.0.1:8080")
	case len(t.Models) == 0:
		return bad("models", "name at least one model")
	case len(t.Inputs) == 0:
		return bad("inputs", "give at least one input")
	case math.IsNaN(t.Rate) || t.Rate < 0 || t.Rate > 1e6:
		return bad("rate", "use at most a million requests a second")
	case slices.ContainsFunc([]float64{t.Anthropic, t.Stream, t.Leave}, func(s float64) bool { return !(s >= 0 && s <= 1) }):
		return bad("shares", "use shares from 0 to 1")
	}
	return nil
}

func (t Traffic) filled() Traffic {
	t.MaxTokens = orElse(t.MaxTokens, 1024)
	t.Requests = orElse(t.Requests, 1000)
	t.Duration = orElse(t.Duration, time.Minute)
	t.Timeout = orElse(t.Timeout, time.Minute)
	if t.Rate > 0 {
		t.Concurrency = orElse(t.Concurrency, 256)
	}
	t.Concurrency = orElse(t.Concurrency, 8)
	return t
}

// A generator is traffic under way.
type generator struct {
	Traffic
	client http.Client
	start  time.Time

	mu     sync.Mutex
	next   int
	report Report
}

// closedLoop lets every caller take the next request until none is left.
func (g *generator) closedLoop(ctx context.Context) {
	var callers sync.WaitGroup
	for range g.Concurrency {
		callers.Go(func() {
			for i, ok := g.take(ctx); ok; i, ok = g.take(ctx) {
				g.shoot(ctx, i)
			}
		})
	}
	callers.Wait()
}

// take returns the number of the next request, unless the traffic is over.
func (g *generator) take(ctx context.Context) (int, bool) {
	if ctx.Err() != nil || time.Since(g.start) >= g.Duration {
		return 0, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next >= g.Requests {
		return 0, false
	}
	g.next++
	return g.next - 1, true
}

// openLoop sends each request when it is due. One that finds too many in flight
// is shed, and counted.
func (g *generator) openLoop(ctx context.Context) {
	var flying sync.WaitGroup
	defer flying.Wait()
	free := make(chan struct{}, g.Concurrency)
	for i := range g.Requests {
		due := time.Duration(float64(i) / g.Rate * float64(time.Second))
		if due >= g.Duration || !g.until(ctx, due) {
			return
		}
		select {
		case free <- struct{}{}:
		default:
			g.shed()
			continue
		}
		flying.Go(func() {
			defer func() { <-free }()
			g.shoot(ctx, i)
		})
	}
}

// until waits for a moment after the start, and notes how late it woke.
func (g *generator) until(ctx context.Context, due time.Duration) bool {
	if left := due - time.Since(g.start); left > 0 {
		t := time.NewTimer(left)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return false
		}
	}
	late := time.Since(g.start) - due
	g.mu.Lock()
	defer g.mu.Unlock()
	g.report.Late = max(g.report.Late, late)
	return ctx.Err() == nil
}

func (g *generator) shed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.report.Shed++
}

func (g *generator) shoot(ctx context.Context, i int) {
	s := g.shot(ctx, i)
	if g.Observe != nil {
		g.Observe(s)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.report.add(s)
}
