package evidence

import (
	"iter"

	"starling"
)

// Judged yields an outcome of the source FromVerifier for each attempt of an
// exchange whose answer verifiers accepted or rejected, in order. Its receipt holds
// them already, so they are written down nowhere else and have no id. What a
// verifier could not judge is no outcome.
func Judged(r *starling.Receipt) iter.Seq[Outcome] {
	return func(yield func(Outcome) bool) {
		for i := range r.Attempts {
			a := &r.Attempts[i]
			c := judged(r, a)
			if c == nil {
				continue
			}
			o := Outcome{
				Time: r.Time, Skill: r.Plan.Skill, Rubric: r.Plan.Rubric, Candidate: c.Unit, Model: a.Model, Case: "mac " + r.RequestMAC,
				Rejected: a.Outcome == starling.Rejected, Confidence: a.Confidence, Cost: a.Cost, Took: a.Took,
				Source: FromVerifier, Receipt: r.ID, Simulated: a.Simulated,
			}
			if !o.Rejected {
				o.Grade = 1
			}
			if !yield(o) {
				return
			}
		}
	}
}

// judged returns the candidate whose answer verifiers judged in the attempt, nil if
// they did not. What a safety net says is nothing that the skill demands, nor is what
// was asked of the parts of an exchange.
func judged(r *starling.Receipt, a *starling.Attempt) *starling.Candidate {
	if r.PartOf != "" {
		return nil
	}
	n := 0
	for i := range a.Verdicts {
		if !a.Verdicts[i].Net() {
			n++
		} else if a.Outcome == starling.Rejected && i == len(a.Verdicts)-1 {
			return nil
		}
	}
	if n == 0 || a.Outcome != starling.Rejected && a.Outcome != starling.Answered {
		return nil
	}
	for i := range r.Plan.Candidates {
		if c := &r.Plan.Candidates[i]; c.Model.Provider+"/"+c.Model.Name == a.Model && (c.Split != nil) == (a.Split != "") {
			return c
		}
	}
	return nil
}

// FoldReceipt takes in what verifiers said in an exchange: it counts the outcomes
// of [Judged]. The same receipt must not come twice. Every exchange waits for it, so
// it makes nothing.
func (b *Board) FoldReceipt(r *starling.Receipt) {
	if b == nil || r == nil || r.Plan.Skill == "" {
		return
	}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		if c := judged(r, a); c != nil {
			b.judge(r, c, a)
		}
	}
}

func (b *Board) judge(r *starling.Receipt, c *starling.Candidate, a *starling.Attempt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	accepted := a.Outcome != starling.Rejected
	b.standing(unit{r.Plan.Skill, c.Unit}).tally(r.Plan.Rubric).try(accepted)
	b.model(a.Model).try(accepted)
	if f := b.warrants[c.Warrant]; f != nil && f.warrant != nil {
		f.drift.add(accepted, r.Time)
	}
}
