package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"starling/bench/process"
	"starling/internal/sim"
)

// leaving measures how long an upstream goes on after a caller has left, half of
// the callers before the first token. The upstream runs in this process, so both
// moments are read off one clock.
func (s *stand) leaving(ctx context.Context, p plan) error {
	slow := sim.Model{Name: "m", Words: 400, Latency: sim.Latency{FirstToken: 30 * time.Millisecond, PerToken: 20 * time.Millisecond}}
	upstream := sim.New(sim.Options{Models: []sim.Model{slow}})
	defer upstream.Close()
	addr, err := process.FreeAddr()
	if err != nil {
		return err
	}
	if _, err := upstream.Start(addr); err != nil {
		return err
	}
	listen, err := process.FreeAddr()
	if err != nil {
		return err
	}
	file := filepath.Join(s.dir, "leaving.yaml")
	if err := os.WriteFile(file, config(listen, addr), 0o600); err != nil {
		return err
	}
	gateway, err := process.Start(ctx, "leaving", listen, nil, s.binary, "serve", "--quiet", "--config", file, "--data", filepath.Join(s.dir, "leaving"))
	if err != nil {
		return err
	}
	defer gateway.Stop()
	if err := gateway.Ready(startPatience); err != nil {
		return err
	}
	left := func() []time.Time { return upstream.Tally().Models["m"].Left }
	var all []time.Duration
	for i := range p.leavers {
		took, err := leave(ctx, gateway.URL, i%2 == 0, left)
		if err != nil {
			return err
		}
		all = append(all, took)
	}
	slices.Sort(all)
	fmt.Printf("\nfrom a caller's leaving to the upstream's noticing, through the gateway: p50 %s, p99 %s, longest %s of %d\n",
		micro(all[len(all)/2]), micro(all[len(all)*99/100]), micro(all[len(all)-1]), len(all))
	return nil
}

// leave asks for a stream, leaves, and returns when the upstream noticed.
func leave(ctx context.Context, url string, early bool, noticed func() []time.Time) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body := `{"model":"m","max_tokens":500,"stream":true,"messages":[{"role":"user","content":"hello"}]}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	before := len(noticed())
	if early {
		time.AfterFunc(10*time.Millisecond, cancel)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		defer resp.Body.Close()
		for lines := bufio.NewScanner(resp.Body); !early && lines.Scan() && !strings.Contains(lines.Text(), "content"); {
		}
	}
	if early {
		<-ctx.Done()
	}
	at := time.Now()
	cancel()
	for end := at.Add(5 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		if moments := noticed(); len(moments) > before {
			return moments[len(moments)-1].Sub(at), nil
		}
	}
	return 0, fmt.Errorf("the upstream did not notice within 5 s that its caller had left")
}
