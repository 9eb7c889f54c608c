package main

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"starling"
	"starling/internal/evidence"
)

// journal is a log that may be read while it is written.
type journal struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *journal) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *journal) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestARevocationIsLoggedOnce: whoever reads the log learns why requests go up from
// now on.
func TestARevocationIsLoggedOnce(t *testing.T) {
	var said journal
	g, err := open(t.Context(), Config{Listen: "127.0.0.1:0", Providers: map[string]*Upstream{}}, t.TempDir(), slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	now := time.Now()
	w := &evidence.Warrant{
		Time: now, Skill: "support-intent", Rubric: "ab", Candidate: "unit", Model: "near/small", Pass: 0.9, Confidence: 0.95,
		Asked: 100, Covered: 100, Passed: 100, Bound: evidence.LowerBound(100, 100, 0.95), Expires: now.Add(time.Hour),
	}
	if err := g.ledger.AddNotes(t.Context(), evidence.Note{Warrant: w}); err != nil {
		t.Fatal(err)
	}
	audits := make([]evidence.Outcome, 10)
	for i := range audits {
		audits[i] = evidence.Outcome{Time: now, Skill: w.Skill, Rubric: w.Rubric, Candidate: w.Candidate, Model: w.Model, Case: "mac", Source: evidence.FromAudit, Warrant: w.ID}
	}
	if err := g.ledger.AddOutcomes(t.Context(), audits); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := g.news.Catch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	text := said.text()
	if strings.Count(text, "a warrant was revoked") != 1 || !strings.Contains(text, `level=WARN msg="a warrant was revoked" skill=support-intent model=near/small warrant=`+w.ID+` why="of 10 answers that were audited 0 passed`) {
		t.Error(text)
	}
}

// TestAGatewayRecallsWhatVerifiersSaidBeforeIt, and counts its own exchanges once.
func TestAGatewayRecallsWhatVerifiersSaidBeforeIt(t *testing.T) {
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	start := func() *gateway {
		g, err := open(t.Context(), Config{Listen: "127.0.0.1:0", Providers: map[string]*Upstream{}}, dir, log)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	settle := func(g *gateway, outcome starling.Outcome) {
		_, err := g.ledger.Begin(starling.Caller{}, "sorting").Settle(&starling.Exchange{
			Plan:     starling.Plan{Skill: "sorting", Rubric: "r", Candidates: []starling.Candidate{{Model: starling.Model{Provider: "near", Name: "small"}, Unit: "u"}}},
			Attempts: []starling.Attempt{{Model: "near/small", Outcome: outcome, Verdicts: []starling.Verdict{{Verifier: "label", Accept: outcome == starling.Answered}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	before := start()
	settle(before, starling.Answered)
	settle(before, starling.Answered)
	settle(before, starling.Rejected)
	before.close()

	time.Sleep(2 * time.Millisecond) // ids know milliseconds
	g := start()
	defer g.close()
	settle(g, starling.Answered)
	if err := g.ledger.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := g.recall(t.Context(), g.parts.rung); err != nil {
		t.Fatal(err)
	}
	if got := g.news.Board.Standing("sorting", "r", "u"); got.Tried != 3 || got.Accepted != 2 {
		t.Errorf("%+v", got.Tally)
	}
}
