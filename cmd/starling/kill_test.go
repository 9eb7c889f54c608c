package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"starling"
	"starling/internal/ledger"
	"starling/internal/sim"
)

// mortalCap is what a gateway that is killed again and again may spend in all,
// over all its lives.
var mortalCap = ledger.Budget{Scope: ledger.ForAll, Limit: starling.Dollar, Per: ledger.InTotal}

// promises are what callers were told by answers that they had in full.
type promises struct {
	mu       sync.Mutex
	costs    map[string]starling.Money // by receipt
	overdue  map[string]bool           // receipts of answers that were cut off
	refused  int                       // over budget
	surprise []string                  // what no caller should see
}

// TestAKilledGatewayLosesNoPromiseAndSpendsNoMoreThanItsCap kills a real process
// with SIGKILL while eight callers are with it, again and again, over the same
// books, until the dollar is spent. The simulated upstream keeps its own invoice.
func TestAKilledGatewayLosesNoPromiseAndSpendsNoMoreThanItsCap(t *testing.T) {
	const kills = 8
	upstream, base := mortalUpstream(t)
	dir := t.TempDir()
	config := mortalConfig(t, dir, base)
	told := &promises{costs: map[string]starling.Money{}, overdue: map[string]bool{}}
	dice := rand.New(rand.NewPCG(1, 2))
	for life := range kills + 1 {
		p, url := mortalGateway(t, dir, config)
		doom := 2 + dice.IntN(6) // answers, after which it dies with the others on their way
		if life == kills {
			doom = 1 << 30 // it lives, and spends the rest
		}
		besiege(url, doom, p, told)
		if life < kills {
			continue
		}
		if err := p.stop(); err != nil {
			t.Errorf("%v\n%s", err, p.said.String())
		}
	}
	for _, s := range told.surprise {
		t.Error(s)
	}
	if told.refused == 0 || len(told.costs) < kills {
		t.Errorf("%d were answered and %d refused: the cap was never reached", len(told.costs), told.refused)
	}
	if err := upstream.Close(); err != nil { // ends the calls that the dead left behind
		t.Error(err)
	}
	audit(t, dir, told, upstream.Tally())
}

// mortalUpstream is a model that takes its time: two dollars for a thousand
// answers' tokens would be cheap beside it.
func mortalUpstream(t *testing.T) (*sim.Server, string) {
	t.Helper()
	s := sim.New(sim.Options{Models: []sim.Model{{
		Name: "slow", Dialect: starling.OpenAI, Zone: starling.Machine, Words: 30,
		Price:   starling.Price{Rates: starling.Rates{Input: starling.Rate(10 * starling.Dollar), Output: starling.Rate(200 * starling.Dollar)}},
		Latency: sim.Latency{FirstToken: 5 * time.Millisecond, PerToken: time.Millisecond, Jitter: 0.9},
	}}})
	base, err := s.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // closed before if all went well
	return s, base
}

func mortalConfig(t *testing.T, dir, base string) string {
	t.Helper()
	file := filepath.Join(dir, "starling.yaml")
	text := fmt.Sprintf(`
providers:
  sim: {dialect: openai, url: %q, zone: machine, models: [slow], simulated: true}
prices:
  - {model: sim/slow, input: 10, output: 200, max_output: 4096}
budgets:
  - {limit: 1}
`, base+"/v1")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func mortalGateway(t *testing.T, dir, config string) (*process, string) {
	t.Helper()
	cmd := exec.Command("starling", "--config", config, "--data", filepath.Join(dir, "books"), "serve", "--listen", "127.0.0.1:0")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	p, found, err := launch(cmd, `on (http://127\.0\.0\.1:\d+)\n`)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.kill() }) // dead already if all went well
	return p, found[0][1]
}

// besiege has eight callers ask until the gateway is dead, which it is once it
// has answered doom times, or until all are refused.
func besiege(url string, doom int, p *process, told *promises) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}, Timeout: patience}
	defer client.CloseIdleConnections()
	var answers atomic.Int64
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := n; ; i++ {
				more := told.ask(client, url, i%2 == 0)
				if int(answers.Add(1)) == doom {
					_ = p.kill() // nothing else ends it
				}
				if !more {
					return
				}
			}
		})
	}
	all.Wait()
}

// ask asks once, and writes down what was promised. It reports whether to go on.
func (p *promises) ask(client *http.Client, url string, stream bool) bool {
	body := fmt.Sprintf(`{"model":"slow","max_tokens":60,"stream":%t,"messages":[{"role":"user","content":"hello"}]}`, stream)
	resp, err := client.Post(url+"/v1/chat/completions", "application/json", strings.NewReader(body))
	if err != nil {
		return false // it is dead
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	id, cost := resp.Header.Get("X-Starling-Receipt"), resp.Header.Get("X-Starling-Cost")
	if stream {
		cost = resp.Trailer.Get("X-Starling-Cost")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		p.refused++
		return false
	case resp.StatusCode != http.StatusOK:
		p.surprise = append(p.surprise, fmt.Sprintf("status %d: %s", resp.StatusCode, text))
		return false
	case err != nil: // cut off: the answer is not whole, and nothing is promised but a receipt
		p.overdue[id] = true
		return false
	case stream && !strings.Contains(string(text), "data: [DONE]"):
		p.surprise = append(p.surprise, "a stream ended well without its end: "+string(text))
		return false
	}
	amount, bad := starling.ParseMoney(cost)
	if bad != nil {
		p.surprise = append(p.surprise, fmt.Sprintf("cost %q of %s", cost, id))
	}
	p.costs[id] = amount
	return true
}

// audit opens the books of the dead and compares them with what callers were told
// and what the upstream counted.
func audit(t *testing.T, dir string, told *promises, invoice sim.Tally) {
	t.Helper()
	ctx := context.Background()
	l, err := ledger.Open(ctx, ledger.Options{Dir: filepath.Join(dir, "books"), Log: slog.New(slog.DiscardHandler), Budgets: []ledger.Budget{mortalCap}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	receipts := map[string]*starling.Receipt{}
	var total starling.Money
	called, interrupted := 0, 0
	for r, err := range l.Receipts(ctx, ledger.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		receipts[r.ID] = r
		total = total.Plus(r.Cost)
		if r.Outcome == starling.Interrupted {
			interrupted++
		}
		if r.Outcome == starling.Interrupted || len(r.Attempts) > 0 && r.Attempts[0].Outcome != starling.Skipped {
			called++
		}
	}
	for id, cost := range told.costs {
		if r := receipts[id]; r == nil || r.Cost != cost || r.Outcome != starling.Answered {
			t.Errorf("a caller was told that %s cost %s; the books say %+v", id, cost, r)
		}
	}
	for id := range told.overdue {
		if r := receipts[id]; r == nil {
			t.Errorf("the answer of %s was cut off, and there is no receipt", id)
		}
	}
	requests := invoice.Models["slow"].Requests
	if interrupted == 0 || int64(called) < requests {
		t.Errorf("the upstream counted %d calls; %d receipts tell of calls, %d of them interrupted", requests, called, interrupted)
	}
	if bill := invoice.Total(); bill > total || total > mortalCap.Limit {
		t.Errorf("the upstream bills %s, the books say %s, the cap is %s", bill, total, mortalCap.Limit)
	}
	standing(t, l, total)
	t.Logf("%d promised, %d cut off, %d interrupted, %d receipts; the upstream bills %s, the books say %s of %s",
		len(told.costs), len(told.overdue), interrupted, len(receipts), invoice.Total(), total, mortalCap.Limit)
}

// standing checks the books' own sums.
func standing(t *testing.T, l *ledger.Ledger, total starling.Money) {
	t.Helper()
	caps, err := l.Standing(context.Background())
	if err != nil || len(caps) != 1 {
		t.Fatalf("%v, %v", caps, err)
	}
	if s := caps[0]; s.Held != 0 || s.Spent != total {
		t.Errorf("holding %s, spent %s; the receipts add up to %s", s.Held, s.Spent, total)
	}
	report, err := l.Verify(context.Background(), ledger.Audit{})
	if err != nil || !report.OK() {
		t.Errorf("%+v, %v", report, err)
	}
}
