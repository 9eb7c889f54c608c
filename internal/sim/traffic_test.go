package sim_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"starling"
	"starling/internal/sim"
)

func TestTrafficAndTallyAgree(t *testing.T) {
	m := both()
	m.Failure = sim.Failure{Overloaded429: 0.1, Cut: 0.1, ErrorEvent: 0.1, Truncated: 0.1}
	s, url := start(t, sim.Options{Models: []sim.Model{m}, Key: "k"})
	var mu sync.Mutex
	kinds := map[string]int{}
	r, err := sim.Traffic{
		URL: url, Key: "k", Models: []string{"m"}, Inputs: []string{"one", "two", "three"}, System: "be brief",
		Anthropic: 0.5, Stream: 0.5, Requests: 400, Concurrency: 8,
		Observe: func(shot sim.Shot) {
			mu.Lock()
			defer mu.Unlock()
			kind := string(shot.Dialect)
			if shot.Stream {
				kind += " stream"
			}
			kinds[kind]++
		},
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := counted(t, s, 400)
	if r.Sent != 400 || int64(r.Answered) != c.Answered || int64(r.Failed["status 429"]) != c.Failed || int64(r.Failed["broken off"]+r.Failed["error event"]) != c.Broken {
		t.Errorf("report %+v\ntally %+v", r, c)
	}
	if r.Failed["error event"] == 0 || r.Failed["broken off"] == 0 || len(r.Failed) != 3 {
		t.Errorf("failures %v", r.Failed)
	}
	for _, kind := range []string{"openai", "openai stream", "anthropic", "anthropic stream"} {
		if kinds[kind] < 60 {
			t.Errorf("the mixture is %v", kinds)
		}
	}
	if r.FirstByte.Count() != r.Answered || r.Total.Count() != r.Answered || r.Gap.Count() == 0 || r.PerSecond() <= 0 {
		t.Errorf("%d first bytes, %d totals, %d gaps", r.FirstByte.Count(), r.Total.Count(), r.Gap.Count())
	}
	if n := s.Tally().Connections; n > 150 { // a broken answer costs its connection, no other does
		t.Errorf("%d connections for 400 requests", n)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	s, url := start(t, sim.Options{Models: []sim.Model{both()}})
	if _, err := (sim.Traffic{URL: url, Models: []string{"m"}, Inputs: []string{"x"}, Stream: 0.5, Requests: 200, Concurrency: 4}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A transport dials one more than it uses when a connection comes back while
	// it is dialling; without keeping, there would be 200.
	if n := s.Tally().Connections; n > 2*4 {
		t.Errorf("4 callers opened %d connections", n)
	}
}

func TestAnOpenLoopDoesNotWait(t *testing.T) {
	m := both()
	m.Latency.FirstToken = time.Hour
	_, url := start(t, sim.Options{Models: []sim.Model{m}, Grace: time.Millisecond})
	r, err := sim.Traffic{URL: url, Models: []string{"m"}, Inputs: []string{"x"}, Rate: 1e6, Concurrency: 5, Requests: 20, Timeout: 200 * time.Millisecond}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Sent+r.Shed != 20 || r.Sent < 5 || r.Shed == 0 || r.Failed["timeout"] != r.Sent {
		t.Errorf("report %+v", r)
	}
}

func TestTrafficEndsInTime(t *testing.T) {
	_, url := start(t, sim.Options{Models: []sim.Model{both()}})
	for _, rate := range []float64{0, 50} {
		r, err := sim.Traffic{URL: url, Models: []string{"m"}, Inputs: []string{"x"}, Rate: rate, Requests: 1 << 30, Duration: 60 * time.Millisecond}.Run(t.Context())
		if err != nil || r.Sent != r.Answered || rate == 0 && r.Elapsed < 60*time.Millisecond {
			t.Errorf("rate %v: %+v, %v", rate, r, err)
		}
	}
}

func TestTrafficIsLeftWhenItsContextEnds(t *testing.T) {
	m := both()
	m.Latency.FirstToken = time.Hour
	s, url := start(t, sim.Options{Models: []sim.Model{m}, Grace: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		arrived(s, 4)
		cancel()
	}()
	r, err := sim.Traffic{URL: url, Models: []string{"m"}, Inputs: []string{"x"}, Concurrency: 4}.Run(ctx)
	if err != nil || r.Failed["cancelled"] != 4 || r.Sent != 4 {
		t.Errorf("%+v, %v", r, err)
	}
	if c := counted(t, s, 4); c.Cancelled != 4 {
		t.Errorf("tally %+v", c)
	}
}

func TestCallersWhoLeaveAreCountedApart(t *testing.T) {
	m := both()
	m.Latency.PerToken = time.Hour // three events come before the first token
	s, url := start(t, sim.Options{Models: []sim.Model{m}})
	r, err := sim.Traffic{URL: url, Models: []string{"m"}, Inputs: []string{"x"}, Anthropic: 1, Stream: 1, Leave: 1, Requests: 10}.Run(t.Context())
	if err != nil || r.Left != 10 || r.Answered != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if c := counted(t, s, 10); c.Cancelled != 10 {
		t.Errorf("tally %+v", c)
	}
}

func TestALoadThatCannotBeSentIsRefused(t *testing.T) {
	good := sim.Traffic{URL: "http://127.0.0.1:1", Models: []string{"m"}, Inputs: []string{"x"}, Requests: 1}
	for name, change := range map[string]func(*sim.Traffic){
		"no url":      func(t *sim.Traffic) { t.URL = "127.0.0.1:1" },
		"no models":   func(t *sim.Traffic) { t.Models = nil },
		"no inputs":   func(t *sim.Traffic) { t.Inputs = nil },
		"share 2":     func(t *sim.Traffic) { t.Stream = 2 },
		"rate -1":     func(t *sim.Traffic) { t.Rate = -1 },
		"rate beyond": func(t *sim.Traffic) { t.Rate = 1e9 },
	} {
		bad := good
		change(&bad)
		if _, err := bad.Run(t.Context()); starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, err := good.Run(t.Context())
	if err != nil || r.Failed["connection"] != 1 {
		t.Errorf("where nobody listens: %+v, %v", r, err)
	}
}

func TestQuantilesAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		durations := rapid.SliceOfN(rapid.Int64Range(0, 1e9), 1, 50).Draw(t, "durations")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		var s sim.Samples
		for _, d := range durations {
			s.Add(time.Duration(d))
		}
		s.Sort()
		slices.Sort(durations)
		got, atMost := int64(s.Quantile(q)), 0
		for _, d := range durations {
			if d <= got {
				atMost++
			}
		}
		if float64(atMost)+1e-6 < q*float64(len(durations)) || !slices.Contains(durations, got) || s.Count() != len(durations) {
			t.Errorf("quantile %v of %v is %d", q, durations, got)
		}
	})
}

func TestTheDemosModelsAnswer(t *testing.T) {
	s := sim.New(sim.Options{Models: sim.DemoModels()})
	for _, m := range sim.DemoModels() {
		if !m.Price.Known() || m.Price.Source == "" || m.Zone == starling.Nowhere {
			t.Errorf("%s says too little: %+v", m.Name, m)
		}
		offer := m.Offer("demo")
		if !offer.Simulated || offer.ID() != "demo/"+m.Name || offer.Zone != m.Zone || offer.MaxOutput == 0 {
			t.Errorf("offered as %+v", offer)
		}
		answered := false
		for range 5 { // one of them fails now and then
			answered = answered || ask(s, chat(m.Dialect, m.Name, "hello", `"max_tokens":5`)).Code == http.StatusOK
		}
		if !answered {
			t.Errorf("%s does not answer", m.Name)
		}
	}
	if names := strings.Join(offers(), " "); names != "small open tenant premium" {
		t.Errorf("the models are %s", names)
	}
}

func offers() []string {
	var names []string
	for _, m := range sim.DemoModels() {
		names = append(names, m.Name)
	}
	return names
}
