package evidence

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"starling"
)

// answered is a receipt of a request that a candidate under a warrant was asked,
// and whose answer was accepted or not.
func answered(warrant string, accepted bool, at time.Time) *starling.Receipt {
	a := starling.Attempt{Model: "near/small", Outcome: starling.Answered, Verdicts: []starling.Verdict{{Verifier: "confidence", Accept: accepted}}}
	if !accepted {
		a.Outcome = starling.Rejected
	}
	return &starling.Receipt{
		ID: "rcp", Time: at, Attempts: []starling.Attempt{a},
		Plan: starling.Plan{Skill: "triage", Rubric: "r1", Candidates: []starling.Candidate{{Model: starling.Model{Provider: "near", Name: "small"}, Unit: "small", Warrant: warrant}}},
	}
}

// common is a warrant on 1,000 cases, of which 900 are covered.
func common(id string, at time.Time) *Warrant {
	w := sound(id)
	w.Time, w.Expires = at, at.AddDate(0, 3, 0)
	w.Asked, w.Covered, w.Passed = 1000, 900, 890
	return w
}

func TestAWarrantWhoseRequestsAreOthersNowHoldsAWeekLonger(t *testing.T) {
	now := time.Now()
	b := NewBoard()
	b.Fold(Note{Warrant: common("w", now.Add(-time.Hour))})
	random := rand.New(rand.NewPCG(1, 1))
	n := 0
	for ; b.Standing("triage", "r1", "small").Coming == nil; n++ {
		if n == 500 {
			t.Fatal("500 requests, of which only 70 % are covered, raise no alarm")
		}
		b.FoldReceipt(answered("w", random.Float64() < 0.7, now))
	}
	s := b.Standing("triage", "r1", "small")
	if s.Revoked != nil || s.Coming.End != Drifted || !s.Coming.Time.Equal(now.Add(afterDrift).UTC()) {
		t.Fatalf("%+v", s)
	}
	due := b.Due(now)
	if len(due) != 1 || due[0].Check() != nil || len(b.Due(now)) != 0 {
		t.Fatalf("%+v", due)
	}
	// Audits may end it before.
	for range 40 {
		b.Fold(audit("w", 0))
	}
	if s := b.Standing("triage", "r1", "small"); s.Revoked == nil || s.Coming != nil {
		t.Fatalf("%+v", s)
	}
	if due := b.Due(now); len(due) != 1 || due[0].End == Drifted {
		t.Fatalf("%+v", due)
	}
}

func TestOfTwoRevocationsTheEarlierCounts(t *testing.T) {
	now := time.Now()
	for _, order := range [][]time.Duration{{afterDrift, -time.Minute}, {-time.Minute, afterDrift}} {
		b := NewBoard()
		b.Fold(Note{Warrant: common("w", now.Add(-time.Hour))})
		for _, d := range order {
			b.Fold(Note{Revocation: &Revocation{ID: fmt.Sprint("rev_", d), Time: now.Add(d), Warrant: "w", Skill: "triage", Candidate: "small", End: Drifted, Why: "so it is"}})
		}
		if s := b.Standing("triage", "r1", "small"); s.Revoked == nil || s.Coming != nil {
			t.Errorf("%v: %+v", order, s)
		}
	}
}

// TestARevocationCountsAtOnceWhateverItsClockSaid: whoever wrote it down may have had a
// clock that was ahead of ours.
func TestARevocationCountsAtOnceWhateverItsClockSaid(t *testing.T) {
	now := time.Now()
	for _, end := range []End{Withdrawn, Dropped} {
		b := NewBoard()
		b.Fold(Note{Warrant: common("w", now.Add(-time.Hour))})
		b.Fold(Note{Revocation: &Revocation{ID: "rev_1", Time: now.Add(time.Hour), Warrant: "w", Skill: "triage", Candidate: "small", End: end, Why: "so it is"}})
		if s := b.Standing("triage", "r1", "small"); s.Revoked == nil || s.Coming != nil {
			t.Errorf("%s: %+v", end, s)
		}
	}
}

// TestRequestsLikeTheCasesRaiseNoAlarm, nor do those of which a little less is
// covered, or more.
func TestRequestsLikeTheCasesRaiseNoAlarm(t *testing.T) {
	const worlds, requests = 200, 3000
	for _, share := range []float64{0.87, 0.9, 0.99} {
		alarmed := 0
		for seed := range uint64(worlds) {
			random := rand.New(rand.NewPCG(seed, 3))
			d := newDrift(common("w", issued))
			for range requests {
				d.add(random.Float64() < share, issued)
			}
			if !d.since.IsZero() {
				alarmed++
			}
		}
		if alarmed > 1 {
			t.Errorf("at %v: %d of %d warrants drifted", share, alarmed, worlds)
		}
	}
}
