package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"starling"
	"starling/bench/process"
)

const (
	patience = 20 * time.Second
	callers  = 2 // connections at once

	// bar is the processor time above the minimal proxy that a question of 50 KB may take.
	bar = 150 * time.Microsecond
)

// A load is one kind of question that passes in its own dialect.
type load struct {
	name   string
	path   string
	body   []byte
	stream bool
	barred bool // it is what the bar is for
}

func loads() []load {
	big, small := conversation(50<<10), conversation(1<<10)
	whole := func(b []byte) []byte {
		b = bytes.Replace(b, []byte(`"stream":true,"stream_options":{"include_usage":true},`), nil, 1)
		return bytes.Replace(b, []byte(`"m-1"`), []byte(`"m"`), 1)
	}
	streamed := func(b []byte) []byte { return bytes.Replace(b, []byte(`"m-1"`), []byte(`"m"`), 1) }
	const chat, messages = "/v1/chat/completions", "/v1/messages"
	claude, err := questionIn(starling.Anthropic, 50<<10)
	if err != nil {
		panic(err) // what is asked is our own
	}
	calm := bytes.Replace(bytes.Replace(claude, []byte(`,"stream":true`), nil, 1), []byte(`"m-1"`), []byte(`"m"`), 1)
	return []load{
		{"openai, 50 KB, whole answer", chat, whole(big), false, true},
		{"anthropic, 50 KB, whole answer", messages, calm, false, true},
		{"openai, 50 KB, stream of 20 chunks", chat, streamed(big), true, false},
		{"openai, a short question, whole answer", chat, whole(small), false, false},
	}
}

// pass measures questions through the minimal proxy and through Starling, in turn.
func pass(ctx context.Context, out io.Writer, p plan) error {
	dir, err := os.MkdirTemp("", "starling-wire-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := newStand(ctx, dir)
	defer s.close()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n## A question that passes in its own dialect, above the minimal proxy (µs of processor time a request)\n\n")
	fmt.Fprintf(out, "%d connections, %d rounds of %d requests each (of streams %d), in turn. Starling has everything on: route, class and zone check, two budgets, journal, signed receipts.\n\n", callers, p.passes, p.requests, p.streaming)
	fmt.Fprintf(out, "| question | bytes | minimal proxy | Starling | above it | bar |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, l := range loads() {
		n := p.requests
		if l.stream {
			n = p.streaming
		}
		if err := s.measure(ctx, out, l, p.passes, n); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	return nil
}

// measure prints a row.
func (s *stand) measure(ctx context.Context, out io.Writer, l load, rounds, requests int) error {
	gateway := s.gateways[l.path]
	var minimal, ours, above []float64
	for i := range rounds + 1 {
		a, err := s.cost(ctx, s.minimal, l, requests)
		if err != nil {
			return err
		}
		b, err := s.cost(ctx, gateway, l, requests)
		if err != nil {
			return err
		}
		if i > 0 { // the first round warms up
			minimal, ours, above = append(minimal, a), append(ours, b), append(above, b-a)
		}
	}
	verdict := ""
	if _, high := process.Interval(above); l.barred {
		switch {
		case high <= float64(bar):
			verdict = "met"
		case process.Median(above) <= float64(bar):
			verdict = "met in the median, not in the whole interval"
		default:
			verdict = "**missed**"
		}
		verdict = fmt.Sprintf("≤ %d: %s", bar.Microseconds(), verdict)
	}
	fmt.Fprintf(out, "| %s | %d | %s | %s | %s | %s |\n", l.name, len(l.body), shown(minimal, 0), shown(ours, 0), shown(above, 0), verdict)
	return nil
}

// cost is what a request took of a process, in nanoseconds. A round in which one
// failed is no measurement.
func (s *stand) cost(ctx context.Context, to *process.Process, l load, requests int) (float64, error) {
	before, err := to.CPU()
	if err != nil {
		return 0, err
	}
	group, ctx := errgroup.WithContext(ctx)
	for range callers {
		group.Go(func() error {
			for range requests / callers {
				if err := ask(ctx, s.client, to.URL+l.path, l.body); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	time.Sleep(100 * time.Millisecond) // what it does after its last answer belongs to it
	after, err := to.CPU()
	return float64(after-before) / float64(requests/callers*callers), err
}

func ask(ctx context.Context, c *http.Client, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %.200s", resp.StatusCode, answer)
	}
	return err
}

// A stand is one simulated upstream, the minimal proxy of bench/gateway, and a
// gateway for each dialect that passes.
type stand struct {
	upstream, minimal *process.Process
	gateways          map[string]*process.Process // by path
	client            *http.Client
}

func newStand(ctx context.Context, dir string) (*stand, error) {
	s := &stand{gateways: map[string]*process.Process{}, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers, DisableCompression: true}}}
	starlingAt, minimalAt := filepath.Join(dir, "starling"), filepath.Join(dir, "minimal")
	for path, pkg := range map[string]string{starlingAt: "./cmd/starling", minimalAt: "./bench/gateway"} {
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, pkg)
		build.Env, build.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
		if err := build.Run(); err != nil {
			return s, fmt.Errorf("build %s (run this from the repository's root): %w", pkg, err)
		}
	}
	var err error
	at := ""
	start := func(name string, argv func(listen string) []string) (p *process.Process) {
		if err != nil {
			return nil
		}
		if at, err = process.FreeAddr(); err != nil {
			return nil
		}
		if p, err = process.Start(ctx, name, at, nil, argv(at)...); err == nil {
			err = p.Ready(patience)
		}
		return p
	}
	s.upstream = start("upstream", func(l string) []string {
		return []string{starlingAt, "simulate", "--listen", l, "--model", "m", "--words", "18"}
	})
	upstream := at
	s.minimal = start("minimal", func(l string) []string { return []string{minimalAt, "-minimal", l, "-upstream", "http://" + upstream} })
	for path, dialect := range map[string]string{"/v1/chat/completions": "openai", "/v1/messages": "anthropic"} {
		file := filepath.Join(dir, dialect+".yaml")
		s.gateways[path] = start("starling", func(l string) []string {
			err = os.WriteFile(file, config(l, dialect, upstream), 0o600)
			return []string{starlingAt, "serve", "--quiet", "--config", file, "--data", filepath.Join(dir, dialect)}
		})
	}
	return s, err
}

// config has everything on, as in bench/gateway.
func config(listen, dialect, upstream string) []byte {
	return fmt.Appendf(nil, `
listen: %s
providers:
  sim: {dialect: %s, url: "http://%s/v1", zone: machine, models: [m], simulated: true}
prices:
  - {model: sim/m, input: "1", output: "5", context: 200000, max_output: 8192}
budgets:
  - {limit: 1000000, per: month}
  - {limit: 100000, per: day}
`, listen, dialect, upstream)
}

func (s *stand) close() {
	s.client.CloseIdleConnections()
	for _, p := range []*process.Process{s.minimal, s.gateways["/v1/chat/completions"], s.gateways["/v1/messages"], s.upstream} {
		if p != nil {
			p.Stop()
		}
	}
}
