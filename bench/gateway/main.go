package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"

	"starling/bench/process"
)

// A plan says how much is measured.
type plan struct {
	rounds      int // of every measurement, the targets in turn
	requests    int // of a saturated round
	streams     int // of 20 chunks
	concurrency int
	rate        float64 // of the latency rounds, a second
	paced       int     // requests of a latency round
	soak        int     // requests before the second look at memory
	starts      int     // cold starts
	leavers     int     // callers who leave, and whose first candidate fails; the upstream remembers 256
}

var (
	whole = plan{rounds: 5, requests: 5000, streams: 1500, concurrency: 4, rate: 250, paced: 1500, soak: 100_000, starts: 7, leavers: 200}
	quick = plan{rounds: 2, requests: 2000, streams: 500, concurrency: 4, rate: 250, paced: 500, soak: 5_000, starts: 3, leavers: 40}
)

func main() {
	short := flag.Bool("quick", false, "a look instead of a measurement")
	minimalAt := flag.String("minimal", "", "serve the minimal proxy at this address (used by the run itself)")
	upstream := flag.String("upstream", "", "with -minimal: where it forwards to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := func() error {
		if *minimalAt != "" {
			return serveMinimal(ctx, *minimalAt, *upstream)
		}
		p := whole
		if *short {
			p = quick
		}
		return measure(ctx, p)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/gateway:", err)
		os.Exit(1)
	}
}

// measure runs everything and prints the result.
func measure(ctx context.Context, p plan) error {
	dir, err := os.MkdirTemp("", "starling-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := newStand(ctx, dir)
	if err != nil {
		return err
	}
	defer s.close()
	fmt.Println(process.Machine())
	if err := s.throughput(ctx, p); err != nil {
		return err
	}
	if err := s.latency(ctx, p); err != nil {
		return err
	}
	if err := s.memory(ctx, p); err != nil {
		return err
	}
	if err := s.coldStart(ctx, p); err != nil {
		return err
	}
	if err := s.leaving(ctx, p); err != nil {
		return err
	}
	return s.handover(ctx, p)
}

// A stand is the machine under test: one simulated upstream, and the three ways
// to it.
type stand struct {
	dir      string
	binary   string
	config   string
	upstream *process.Process
	targets  []*target
}

// A target is a way to the upstream.
type target struct {
	name string
	url  string
	*process.Process
}

func newStand(ctx context.Context, dir string) (*stand, error) {
	s := &stand{dir: dir, binary: filepath.Join(dir, "starling"), config: filepath.Join(dir, "starling.yaml")}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", s.binary, "./cmd/starling")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build the program (run this from the repository's root): %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var addrs [3]string
	for i := range addrs {
		if addrs[i], err = process.FreeAddr(); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(s.config, config(addrs[2], addrs[0]), 0o600); err != nil {
		return nil, err
	}
	if s.upstream, err = process.Start(ctx, "upstream", addrs[0], nil, s.binary, "simulate", "--listen", addrs[0], "--model", "m", "--words", "18"); err != nil {
		return nil, err
	}
	proxy, err := process.Start(ctx, "minimal", addrs[1], nil, self, "-minimal", addrs[1], "-upstream", "http://"+addrs[0])
	if err != nil {
		return nil, err
	}
	gateway, err := process.Start(ctx, "starling", addrs[2], nil, s.binary, "serve", "--quiet", "--config", s.config, "--data", filepath.Join(dir, "data"))
	if err != nil {
		return nil, err
	}
	s.targets = []*target{{"direct", s.upstream.URL, s.upstream}, {"minimal proxy", proxy.URL, proxy}, {"starling", gateway.URL, gateway}}
	for _, t := range s.targets {
		if err := t.Ready(startPatience); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// config has everything on: a route by name, a priced model, two budgets, the
// ledger with receipts.
func config(listen, upstream string) []byte {
	return fmt.Appendf(nil, `
listen: %s
providers:
  sim: {dialect: openai, url: "http://%s/v1", zone: machine, models: [m], simulated: true}
prices:
  - {model: sim/m, input: "1", output: "5", context: 200000, max_output: 8192}
budgets:
  - {limit: 1000000, per: month}
  - {limit: 100000, per: day}
`, listen, upstream)
}

func (s *stand) close() {
	for _, t := range s.targets {
		t.Stop()
	}
}
