package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"starling/bench/process"
)

// A rung is an upstream in this process that notes when it was asked and when it
// has failed.
type rung struct {
	addr   string
	server *http.Server
	served chan error
	at     chan time.Time
}

// newRung listens. Every other call fails if it is to: more in a row would open a
// breaker, and nobody would be asked.
func newRung(fails bool) (*rung, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &rung{addr: ln.Addr().String(), served: make(chan error, 1), at: make(chan time.Time, 1)}
	calls := 0 // one at a time
	r.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		asked := time.Now()
		_, _ = io.Copy(io.Discard, q.Body)
		if calls++; fails && calls%2 == 1 {
			http.Error(w, `{"error":{"message":"simulated"}}`, http.StatusInternalServerError)
			r.at <- time.Now()
			return
		}
		if !fails {
			r.at <- asked
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"simulated"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}`)
	})}
	go func() { r.served <- r.server.Serve(ln) }()
	return r, nil
}

func (r *rung) close() {
	_ = r.server.Close()
	<-r.served
}

const handoverSkill = `---
name: handover
description: Measures how soon the next candidate is asked. Use it in the benchmark.
---
Say something.
`

// handover measures how soon the next candidate is asked after one has failed
// before its first byte: from the moment at which the one has written its failure
// to that at which the other is asked, read off one clock.
func (s *stand) handover(ctx context.Context, p plan) error {
	first, err := newRung(true)
	if err != nil {
		return err
	}
	defer first.close()
	second, err := newRung(false)
	if err != nil {
		return err
	}
	defer second.close()
	gateway, err := s.ladder(ctx, first.addr, second.addr)
	if err != nil {
		return err
	}
	defer gateway.Stop()
	var all []time.Duration
	for range p.leavers {
		for _, fails := range []bool{true, false} {
			if err := askLadder(ctx, gateway.URL); err != nil {
				return err
			}
			if fails {
				failed := <-first.at
				all = append(all, (<-second.at).Sub(failed))
			}
		}
	}
	slices.Sort(all)
	fmt.Printf("\nfrom a candidate's failure to the next one's being asked: p50 %s, p99 %s, longest %s of %d\n",
		micro(all[len(all)/2]), micro(all[len(all)*99/100]), micro(all[len(all)-1]), len(all))
	return nil
}

// ladder starts a gateway with a skill of two candidates.
func (s *stand) ladder(ctx context.Context, first, second string) (*process.Process, error) {
	listen, err := process.FreeAddr()
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(s.dir, "skills", "handover")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	file := filepath.Join(s.dir, "handover.yaml")
	for path, text := range map[string]string{
		filepath.Join(folder, "SKILL.md"):    handoverSkill,
		filepath.Join(folder, "rubric.yaml"): "version: 1\nreference: second/m\ncandidates: [first/m, second/m]\n",
		file: fmt.Sprintf(`listen: %s
skills: ./skills
providers:
  first: {dialect: openai, url: "http://%s/v1", zone: machine, models: [m], simulated: true}
  second: {dialect: openai, url: "http://%s/v1", zone: machine, models: [m], simulated: true}
prices:
  - {model: first/m, input: "1", output: "5", context: 200000, max_output: 8192}
  - {model: second/m, input: "1", output: "5", context: 200000, max_output: 8192}
`, listen, first, second),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	gateway, err := process.Start(ctx, "handover", listen, nil, s.binary, "serve", "--quiet", "--config", file, "--data", filepath.Join(s.dir, "handover"))
	if err != nil {
		return nil, err
	}
	return gateway, gateway.Ready(startPatience)
}

func askLadder(ctx context.Context, url string) error {
	body := `{"model":"starling/handover","max_tokens":20,"messages":[{"role":"user","content":"hello"}]}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the ladder answered %d %s: %w", resp.StatusCode, text, err)
	}
	return nil
}
