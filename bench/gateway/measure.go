package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"starling/bench/process"
	"starling/internal/sim"
)

const startPatience = 20 * time.Second

// question is of the length of a usual support request with its instructions.
var question = strings.Repeat("Where is my parcel? It was said to be here on Tuesday. ", 20)

// A round is one load on one target.
type round struct {
	perSecond float64
	cpu       time.Duration // of the target's process, a request
	p50, p99  time.Duration
}

// load sends traffic to a target and measures it and the target's processor
// time. A run in which any request failed is no measurement.
func load(ctx context.Context, t *target, tr sim.Traffic) (round, error) {
	tr.URL, tr.Models, tr.Inputs, tr.MaxTokens = t.url, []string{"m"}, []string{question}, 256
	before, err := t.CPU()
	if err != nil {
		return round{}, err
	}
	report, err := tr.Run(ctx)
	if err != nil {
		return round{}, err
	}
	if report.Answered != report.Sent || report.Shed > 0 {
		return round{}, fmt.Errorf("%s: %d of %d answered, %d shed, failures %v", t.name, report.Answered, report.Sent, report.Shed, report.Failed)
	}
	time.Sleep(50 * time.Millisecond) // what the target does after its last answer belongs to it
	after, err := t.CPU()
	return round{
		perSecond: report.PerSecond(), cpu: (after - before) / time.Duration(report.Sent),
		p50: report.Total.Quantile(0.5), p99: report.Total.Quantile(0.99),
	}, err
}

// interleave runs a load on every target in turn, several times; the first
// round warms up and does not count.
func (s *stand) interleave(ctx context.Context, rounds int, tr sim.Traffic) (map[string][]round, error) {
	out := map[string][]round{}
	for i := range rounds + 1 {
		for _, t := range s.targets {
			r, err := load(ctx, t, tr)
			if err != nil {
				return nil, err
			}
			if i > 0 {
				out[t.name] = append(out[t.name], r)
			}
		}
	}
	return out, nil
}

// median of a figure over rounds.
func median[T interface{ ~int64 | ~float64 }](rounds []round, figure func(round) T) T {
	var all []T
	for _, r := range rounds {
		all = append(all, figure(r))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// ratio is the median of the ratios of two targets round by round, with the
// smallest and the largest: what drifts in the machine drifts for both.
func ratio(a, b []round, figure func(round) float64) string {
	var all []float64
	for i := range a {
		all = append(all, figure(a[i])/figure(b[i]))
	}
	slices.Sort(all)
	return fmt.Sprintf("%.2f (%.2f–%.2f)", all[len(all)/2], all[0], all[len(all)-1])
}

func perSecond(r round) float64 { return r.perSecond }
func cpu(r round) float64       { return float64(r.cpu) }

// throughput measures requests a second at saturation and processor time, for
// whole answers and for streams of twenty chunks.
func (s *stand) throughput(ctx context.Context, p plan) error {
	for _, kind := range []struct {
		name     string
		requests int
		stream   float64
	}{{"whole answers", p.requests, 0}, {"streams of 20 chunks", p.streams, 1}} {
		got, err := s.interleave(ctx, p.rounds, sim.Traffic{Requests: kind.requests, Concurrency: p.concurrency, Stream: kind.stream, Duration: time.Hour})
		if err != nil {
			return err
		}
		fmt.Printf("%s, %d connections, %d × %d requests each, in turn\n", kind.name, p.concurrency, p.rounds, kind.requests)
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "  target\trequests/s\tratio to minimal\tCPU a request\tratio to minimal")
		base := got["minimal proxy"]
		for _, t := range s.targets {
			rounds := got[t.name]
			if t.name == "direct" {
				fmt.Fprintf(w, "  %s\t%.0f\t%s\t(the upstream's: %s)\t\n", t.name, median(rounds, perSecond), ratio(rounds, base, perSecond), median(rounds, func(r round) time.Duration { return r.cpu }).Round(time.Microsecond))
				continue
			}
			fmt.Fprintf(w, "  %s\t%.0f\t%s\t%s\t%s\n", t.name, median(rounds, perSecond), ratio(rounds, base, perSecond), median(rounds, func(r round) time.Duration { return r.cpu }).Round(time.Microsecond), ratio(rounds, base, cpu))
		}
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Println()
	}
	return nil
}

// latency measures what a target adds to a paced load.
func (s *stand) latency(ctx context.Context, p plan) error {
	got, err := s.interleave(ctx, p.rounds, sim.Traffic{Requests: p.paced, Rate: p.rate, Duration: time.Hour})
	if err != nil {
		return err
	}
	fmt.Printf("latency at %.0f requests a second, open loop, %d × %d requests each, in turn\n", p.rate, p.rounds, p.paced)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  target\tp50\tp99\tadded p50\tadded p99")
	direct := got["direct"]
	for _, t := range s.targets {
		var added50, added99 []round
		for i, r := range got[t.name] {
			added50 = append(added50, round{p50: r.p50 - direct[i].p50})
			added99 = append(added99, round{p99: r.p99 - direct[i].p99})
		}
		p50, p99 := func(r round) time.Duration { return r.p50 }, func(r round) time.Duration { return r.p99 }
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", t.name, micro(median(got[t.name], p50)), micro(median(got[t.name], p99)), micro(median(added50, p50)), micro(median(added99, p99)))
	}
	fmt.Fprintln(w)
	return w.Flush()
}

func micro(d time.Duration) time.Duration { return d.Round(time.Microsecond) }

// memory looks at resident memory idle, and after many requests.
func (s *stand) memory(ctx context.Context, p plan) error {
	t, err := s.fresh(ctx, "memory")
	if err != nil {
		return err
	}
	defer t.Stop()
	if _, err := answered(ctx, t.url); err != nil {
		return err
	}
	time.Sleep(time.Second)
	idle, err := t.RSS()
	if err != nil {
		return err
	}
	fmt.Printf("resident memory of a fresh gateway\n  idle after one answer            %.1f MB\n", mb(idle))
	for i := range 4 {
		if _, err := load(ctx, t, sim.Traffic{Requests: p.soak / 4, Concurrency: p.concurrency, Stream: 0.2, Duration: time.Hour}); err != nil {
			return err
		}
		now, err := t.RSS()
		if err != nil {
			return err
		}
		fmt.Printf("  after %7d requests (20%% streams) %.1f MB\n", (i+1)*(p.soak/4), mb(now))
	}
	fmt.Println()
	return nil
}

func mb(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// fresh starts another gateway with an empty ledger.
func (s *stand) fresh(ctx context.Context, name string) (*target, error) {
	addr, err := process.FreeAddr()
	if err != nil {
		return nil, err
	}
	p, err := process.Start(ctx, name, addr, nil, s.binary, "serve", "--quiet", "--config", s.config, "--listen", addr, "--data", filepath.Join(s.dir, name+addr))
	return &target{name, "http://" + addr, p}, err
}

// coldStart measures from the start of the process to its first answer.
func (s *stand) coldStart(ctx context.Context, p plan) error {
	var all []time.Duration
	for range p.starts {
		t, err := s.fresh(ctx, "start")
		if err != nil {
			return err
		}
		if err := t.Ready(startPatience); err != nil {
			return err
		}
		at, err := answered(ctx, t.url)
		if err != nil {
			return err
		}
		all = append(all, at.Sub(t.Born))
		t.Stop()
	}
	slices.Sort(all)
	fmt.Printf("from start to first answer, new ledger: median %s (%s–%s) of %d\n", micro(all[len(all)/2]), micro(all[0]), micro(all[len(all)-1]), len(all))
	return nil
}

// answered asks until there is an answer, and says when it came.
func answered(ctx context.Context, url string) (time.Time, error) {
	body := `{"model":"sim/m","max_tokens":32,"messages":[{"role":"user","content":"hello"}]}`
	for end := time.Now().Add(startPatience); ; time.Sleep(time.Millisecond) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
		if err != nil {
			return time.Time{}, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return time.Now(), nil
			}
			err = fmt.Errorf("status %d", resp.StatusCode)
		}
		if time.Now().After(end) {
			return time.Time{}, err
		}
	}
}
