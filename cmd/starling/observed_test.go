package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/skill"
)

// observedBooks are books of a gateway that only observed, made up at random.
func observedBooks(t *testing.T, r *rand.Rand, n int) *ledger.Ledger {
	t.Helper()
	books, err := ledger.Open(t.Context(), ledger.Options{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = books.Close() })
	settle := func(skill string, ex *starling.Exchange) *starling.Receipt {
		receipt, err := books.Begin(starling.Caller{}, skill).Settle(ex)
		if err != nil {
			t.Fatal(err)
		}
		return receipt
	}
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	var notes []evidence.Note
	for range n {
		o := &starling.Observed{Skill: pick("", "a", "b"), Expected: starling.Money(r.IntN(1000)), AtTokens: starling.Money(r.IntN(1000))}
		if first := pick("near/small", "student/a", ""); o.Skill != "" && first != "" {
			o.Candidates = []starling.WouldBe{{Model: first, Unit: "u"}, {Model: "far/premium"}}
		}
		outcome := starling.Outcome(pick(string(starling.Answered), string(starling.Answered), string(starling.Failed)))
		ex := &starling.Exchange{Observed: o, Attempts: []starling.Attempt{{Model: "far/premium", Outcome: outcome, Cost: starling.Money(r.IntN(1000))}}}
		ex.Attempts[0].Lines = []starling.CostLine{{What: "input", Amount: ex.Attempts[0].Cost, Unpriced: r.IntN(8) == 0}}
		if outcome == starling.Failed {
			ex.Err = &starling.Error{Kind: starling.Overloaded, Op: "down"}
		}
		of := settle("", ex)
		if o.First() == "" || r.IntN(2) == 0 {
			continue
		}
		outcome = starling.Outcome(pick(string(starling.Answered), string(starling.Answered), string(starling.Rejected), string(starling.Failed), string(starling.Skipped)))
		ex = &starling.Exchange{
			AuditOf: of.ID, Observed: &starling.Observed{Shadow: true},
			Plan:     starling.Plan{Skill: o.Skill, Candidates: []starling.Candidate{{Model: starling.Model{Provider: "near", Name: "small"}, Unit: "u"}}},
			Attempts: []starling.Attempt{{Model: "near/small", Outcome: outcome, Cost: starling.Money(r.IntN(100))}},
		}
		if outcome != starling.Answered {
			ex.Err = &starling.Error{Kind: starling.Refused, Op: "no"}
		}
		s := settle(o.Skill, ex)
		graded := evidence.Outcome{Time: time.Now(), Skill: o.Skill, Candidate: "u", Model: "near/small", Case: "mac", Source: evidence.FromAudit, Receipt: s.ID, Rejected: outcome == starling.Rejected}
		if graded.Grade = float64(r.IntN(2)); outcome == starling.Answered && r.IntN(4) > 0 || outcome == starling.Rejected {
			notes = append(notes, evidence.Note{Outcome: &graded})
		}
	}
	settle("a", &starling.Exchange{Attempts: []starling.Attempt{{Model: "far/premium", Outcome: starling.Answered, Cost: 1e6}}}) // of a gateway that acts
	if err := books.AddNotes(t.Context(), notes...); err != nil {
		t.Fatal(err)
	}
	if err := books.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return books
}

// TestTheReportIsWhatTheReceiptsSay: every figure is computed again, from the
// receipts and outcomes alone.
func TestTheReportIsWhatTheReceiptsSay(t *testing.T) {
	for seed := range uint64(5) {
		books := observedBooks(t, rand.New(rand.NewPCG(seed, 1)), 120)
		o, err := observe(t.Context(), books.Records, ledger.Query{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		graded := map[string]*evidence.Outcome{}
		for g, err := range books.Outcomes(context.Background(), "", "") {
			if err != nil {
				t.Fatal(err)
			}
			graded[g.Receipt] = g
		}
		count := map[string]int64{}
		for r, err := range books.Receipts(context.Background(), ledger.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			recount(count, r, graded[r.ID])
		}
		if diff := same(count, reported(o)); diff != "" {
			t.Errorf("seed %d: %s", seed, diff)
		}
	}
}

// recount adds what one receipt says to sums with names.
func recount(count map[string]int64, r *starling.Receipt, g *evidence.Outcome) {
	switch o := r.Observed; {
	case o == nil:
	case o.Shadow:
		if r.Attempts[0].Outcome == starling.Skipped {
			return
		}
		in := r.Plan.Skill + " near/small shadows "
		count[in+"asked"]++
		count[in+"cost"] += int64(r.Cost)
		count["all shadows cost"] += int64(r.Cost)
		switch {
		case g != nil && g.Rejected:
			count[in+"climbed"]++
		case r.Outcome == starling.Failed:
			count[in+"failed"]++
		case g == nil:
			count[in+"accepted"]++
			count[in+"incomparable"]++
		default:
			count[in+"accepted"]++
			count[in+"compared"]++
			count[in+"agreed"] += int64(g.Grade)
		}
	default:
		if o.Skill != "" {
			count[o.Skill+" "+o.First()+" first"]++
		}
		for _, in := range []string{o.Skill, "all"} {
			count[in+" requests"]++
			count[in+" cost"] += int64(r.Cost)
			would := o.AtTokens
			if r.Outcome == starling.Answered {
				count[in+" answered"]++
			}
			if r.Outcome != starling.Answered || len(o.Candidates) == 0 || r.Response.Unpriced {
				would = r.Cost
			}
			count[in+" would"] += int64(would)
			count[in+" saved"] += int64(r.Cost - would)
		}
	}
}

// reported are the figures of a report, by the same names.
func reported(o *observation) map[string]int64 {
	count := map[string]int64{"all shadows cost": int64(o.Cost)}
	put := func(in string, s sums) {
		count[in+" requests"], count[in+" answered"] = int64(s.Requests), int64(s.Answered)
		count[in+" cost"], count[in+" would"], count[in+" saved"] = int64(s.Cost), int64(s.Would), int64(s.Saved)
	}
	put("", o.None)
	put("all", o.Total)
	for _, s := range o.Skills {
		put(s.Skill, s.sums)
		for _, f := range s.First {
			count[s.Skill+" "+f.Model+" first"] = int64(f.Requests)
			in, m := s.Skill+" "+f.Model+" shadows ", f.Shadows
			for name, n := range map[string]int{"asked": m.Asked, "accepted": m.Accepted, "climbed": m.Climbed, "failed": m.Failed, "compared": m.Compared, "agreed": m.Agreed, "incomparable": m.Incomparable} {
				count[in+name] = int64(n)
			}
			count[in+"cost"] = int64(m.Cost)
		}
	}
	return count
}

func same(a, b map[string]int64) string {
	var diff []string
	for _, m := range []map[string]int64{a, b} {
		for name := range m {
			if a[name] != b[name] {
				diff = append(diff, fmt.Sprintf("%q is %d and reported as %d", name, a[name], b[name]))
			}
		}
	}
	return strings.Join(diff, "; ")
}

// TestAReportSaysHowFarItIsToTheBar, exactly.
func TestAReportSaysHowFarItIsToTheBar(t *testing.T) {
	for _, c := range []struct {
		agreed, compared int
		bar              skill.Bar
		says             string
	}{
		{59, 59, skill.Bar{Pass: 0.95, Confidence: 0.95}, "agreed 59 of 59: 100.0 %, at 95 % between 93.9 and 100.0 %; that shows the bar of 95 % at 95 %"},
		{40, 40, skill.Bar{Pass: 0.95, Confidence: 0.95}, "; 19 more that agree would show the bar of 95 % at 95 %"},
		{9, 10, skill.Bar{Pass: 1, Confidence: 0.95}, "; no number of shadows shows the bar of 100 % at 95 %"},
		{10, 10, skill.Bar{Margin: 0.05, Confidence: 0.95}, " more that agree would show the bar of 5 % below the reference at 95 %"},
		{9, 10, skill.Bar{}, "between 55.5 and 99.7 %\n"},
		{0, 0, skill.Bar{Pass: 0.95, Confidence: 0.95}, "not measured: no shadow was asked; 59 more that agree would show the bar of 95 % at 95 %"},
	} {
		f := &firstView{Model: "near/small", Requests: 100, Shadows: shadows{Asked: c.compared, Accepted: c.compared, Compared: c.compared, Agreed: c.agreed}}
		f.Shadows.weigh(c.bar)
		var out bytes.Buffer
		f.print(&out, &skillView{sums: sums{Requests: 100}, bar: c.bar})
		if !strings.Contains(out.String(), c.says) {
			t.Errorf("it should say %q:\n%s", c.says, out.String())
		}
	}
}

// TestAnObservedReceiptExplainsItself, also where nobody would have answered.
func TestAnObservedReceiptExplainsItself(t *testing.T) {
	books := observedBooks(t, rand.New(rand.NewPCG(1, 1)), 150)
	said := map[string]bool{}
	for r, err := range books.Receipts(t.Context(), ledger.Query{}) {
		var out bytes.Buffer
		if err != nil {
			t.Fatal(err)
		}
		if err := explainObserved(t.Context(), &out, books.Records, r); err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{": agreed\n", ": differed", ": climbed", "could not be compared", ": failed", "instead of", "observed   \n"} {
			said[word] = said[word] || strings.Contains(out.String(), word)
		}
		if r.Observed == nil && out.Len() > 0 {
			t.Error(out.String())
		}
	}
	for word, is := range said {
		if !is {
			t.Errorf("nothing says %q", word)
		}
	}
}
