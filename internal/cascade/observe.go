package cascade

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/route"
	"starling/internal/skill"
	"starling/internal/verify"
)

// An Observing has a cascade change nothing: it plans twice, answers as if there
// were no choice ([route.Router.Observe]), and notes what it would have done
// ([starling.Observed]). What that would have risked is measured by shadows: who
// would have answered is asked too, once the caller has the answer, which is the
// measure.
type Observing struct {
	Share float64 // of the exchanges that get a shadow; negative: the rubric's audit. A student, who is free, always gets one
}

// A would is what would have been done in an exchange.
type would struct {
	skill *skill.Skill
	how   string // the skill was found that nobody named
	plan  starling.Plan
}

// first is who would have been asked first, nil if nobody.
func (w *would) first() *starling.Candidate {
	if len(w.plan.Candidates) == 0 {
		return nil
	}
	return &w.plan.Candidates[0]
}

// named reports whether the caller said which skill it is, or its prompt did: what is
// only recognised is a guess, and nothing is kept on a guess.
func (w *would) named() bool { return w.how == "" || w.how == route.ByPrompt }

// observe notes what would have been done. It must not matter to the exchange, so a
// bug in it ends nothing.
func (x *exchange) observe(how string) {
	if x.Request.Agent == starling.TrialAgent {
		return
	}
	if x.Request.Dialect.Wants() != "" {
		x.Observed = &starling.Observed{Rule: "it asks for no answer in words: nothing would have changed"}
		return
	}
	defer func() {
		if bug := recover(); bug != nil {
			x.would, x.Observed = nil, &starling.Observed{Rule: "a bug ended the plan of what would have been done"}
			x.Log.Error("a bug ended a plan that was only to be observed", "receipt", x.ID, "bug", fmt.Sprintf("%T", bug))
		}
	}()
	sk := x.skill
	if sk == nil && !strings.HasPrefix(x.Request.Model, route.Prefix) {
		sk, how = x.Router.Guess(&x.Request)
	}
	if sk == nil {
		x.Observed = &starling.Observed{Rule: "no skill was named or recognised: nothing would have changed"}
		return
	}
	w := &would{skill: sk, how: how}
	screen, err := x.screen(&x.Request, sk.Rubric.Class, how)
	if err == nil {
		w.plan, err = x.Router.Would(&x.Request, screen, sk)
	}
	x.would, x.Observed = w, w.observed(err)
}

// observed is the compact record of a plan that was not followed.
func (w *would) observed(err error) *starling.Observed {
	o := &starling.Observed{Skill: w.skill.Name, Rubric: w.skill.Hash, Identified: w.how, Rule: w.plan.Rule}
	if err != nil {
		o.Rule, w.plan.Candidates = why(err), nil
		return o
	}
	o.Expected = w.plan.Expected
	for i := range w.plan.Candidates {
		c := &w.plan.Candidates[i]
		o.Candidates = append(o.Candidates, starling.WouldBe{Model: c.Model.ID(), Unit: c.Unit, Warrant: c.Warrant, Threshold: c.Threshold, Probability: c.Probability, Expected: c.Expected})
	}
	return o
}

// reprice says what the ladder would have cost at the tokens that the answer did
// take: a plan can only guess them, and what it guessed is no match for what was
// charged.
func (x *exchange) reprice() {
	if x.would == nil {
		return
	}
	for i := range x.Attempts {
		if a := &x.Attempts[i]; a.Outcome == starling.Answered {
			x.Observed.AtTokens = x.would.at(a)
		}
	}
}

// at prices the ladder at an answer's tokens: each candidate as often as all before it
// fail. What runs on electricity costs as planned: its time is its own.
func (w *would) at(a *starling.Attempt) starling.Money {
	sum, reach := 0.0, 1.0
	for i := range w.plan.Candidates {
		c := &w.plan.Candidates[i]
		cost := c.Expected
		if c.Model.Price.Milliwatts == 0 {
			_, cost = c.Model.Price.Cost(a.Usage, a.Took)
		}
		sum += reach * float64(cost)
		reach *= 1 - c.Probability
	}
	return starling.Money(sum)
}

// imagine remembers the conversation as it would have gone, so that its next request
// is planned as it would have been.
func (x *exchange) imagine() {
	if x.would == nil || x.would.first() == nil {
		return
	}
	ex := starling.Exchange{Request: x.Request, Plan: x.would.plan}
	for _, a := range x.Attempts {
		if a.Outcome == starling.Answered {
			a.Model = x.would.first().Model.ID()
			ex.Attempts = append(ex.Attempts, a)
		}
	}
	x.Router.Sessions.Remember(&ex)
}

// chooseObserved is choose where it is only observed: who would have answered is
// asked too, if somebody else did, and the reference's answer is kept as ever.
func (x *exchange) chooseObserved(c *starling.Candidate) *Sample {
	w := x.would
	if w == nil {
		return nil
	}
	r := &w.skill.Rubric
	reference, ok := x.Router.Directory.Find(r.Reference)
	own := ok && reference.ID() == c.Model.ID()
	s := &Sample{Skill: w.skill.Name, Keep: own && r.Keep && w.named(), candidate: *c, rubric: w.skill.Hash, identified: w.how}
	if first := w.first(); first != nil && first.Model.ID() != c.Model.ID() && verify.Comparable(r.Grade) && x.shadowed(first, r) {
		s.Audit, s.shadow = true, first
	}
	if !s.Audit && !s.Keep {
		return nil
	}
	return s
}

// shadowed reports whether the draw has it that a candidate is asked too.
func (x *exchange) shadowed(first *starling.Candidate, r *skill.Rubric) bool {
	share := x.Observe.Share
	if share < 0 {
		share = r.Audit
	}
	return first.Model.Student || share > 0 && evidence.Drawn(x.ID, share)
}

// shadow asks who would have answered, in an exchange of its own, and grades what it
// says by what the caller got. An answer that would not have been accepted, so that
// the request would have climbed, is an outcome too.
func (c *Cascade) shadow(ctx context.Context, s *Sample, sk *skill.Skill, gold *starling.Answer) (a Audited) {
	if s.Keep {
		a.Text = s.text(sk, s.Receipt, gold)
	}
	var told said
	a.Exchange = c.again(ctx, s, sk, &told)
	if why := climbed(a.Exchange); why != "" && a.Exchange.Receipt != nil {
		a.Outcome = s.outcome(a.Exchange)
		a.Outcome.Rejected, a.Outcome.Why = true, why
		return a
	}
	if a.Err = a.Exchange.Err; a.Err != nil {
		return a
	}
	answer, err := told.plain(s.request.Dialect)
	if err != nil {
		a.Err = err
		return a
	}
	same, why, err := verify.Compare(sk.Rubric.Grade, answer, gold, c.Router.Verifiers[sk.Name])
	if err != nil {
		a.Err = err
		return a
	}
	a.Outcome = s.outcome(a.Exchange)
	if a.Outcome.Why = why; same {
		a.Outcome.Grade = 1
	}
	if r := sk.Rubric.Reference; r != "" && c.is(r, s.candidate.Model) {
		a.Outcome.Warrant = a.Exchange.Plan.Candidates[0].Warrant
	}
	return a
}

// is reports whether a name means the model. Only the reference can speak against a
// warrant: whom else a caller has named may be wrong itself.
func (c *Cascade) is(name string, m starling.Model) bool {
	named, ok := c.Router.Directory.Find(name)
	return ok && named.ID() == m.ID()
}

// climbed says why the request would have gone on to the next candidate, "" if it
// would not, or if nobody can tell. A student says so itself where it was asked what
// it was not taught, and a candidate that is late is overtaken.
func climbed(ex *starling.Exchange) string {
	if len(ex.Attempts) == 0 || len(ex.Plan.Candidates) == 0 {
		return ""
	}
	a, c := &ex.Attempts[len(ex.Attempts)-1], &ex.Plan.Candidates[0]
	unable := c.Model.Student && (a.Kind == starling.Invalid || a.Kind == starling.Refused)
	if a.Outcome == starling.Rejected || a.Outcome == starling.Failed && unable {
		return cmp.Or(a.Why, "its answer was rejected")
	}
	seen := a.FirstByte
	if c.Verified() {
		seen = a.Took
	}
	if a.Outcome == starling.Answered && ex.Plan.Patience > 0 && seen > ex.Plan.Patience {
		return "no answer within the skill's latency limit of " + ex.Plan.Patience.String()
	}
	return ""
}

// outcome is that of a shadow, before it is graded.
func (s *Sample) outcome(ex *starling.Exchange) *evidence.Outcome {
	r, c := ex.Receipt, &ex.Plan.Candidates[0]
	o := &evidence.Outcome{
		Time: time.Now(), Skill: s.Skill, Rubric: s.rubric, Candidate: c.Unit, Model: c.Model.ID(), Case: "mac " + s.Receipt.RequestMAC,
		Cost: r.Cost, Took: r.Took, Source: evidence.FromAudit, Receipt: r.ID, Reference: s.candidate.Model.ID(),
		Simulated: c.Model.Simulated || r.Response.Simulated || s.Receipt.Response.Simulated,
	}
	for i := range r.Attempts {
		if t := &r.Attempts[i]; t.Model == o.Model && t.Outcome != starling.Consulted {
			o.Confidence = t.Confidence
		}
	}
	return o
}
