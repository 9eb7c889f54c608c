package route

import (
	"cmp"
	"slices"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
)

// A Rung is how a candidate of a skill stands while nobody asks: what is known of its
// model, what evidence says of it under the rubric as it is, and whether it may answer.
type Rung struct {
	Name   string  `json:"name"`             // as the rubric has it
	Rule   int     `json:"rule,omitempty"`   // the first rule that has it so, from 1; 0 the rubric's own list
	Stated float64 `json:"stated,omitempty"` // probability by the rubric's word; 0 unsaid

	Model   string          `json:"model,omitempty"` // "provider/name"; "" nobody offers it
	Facts   *starling.Model `json:"facts,omitempty"` // nil alike
	Longest time.Duration   `json:"longest_ns,omitempty"`
	Reads   float64         `json:"reads_per_second,omitempty"`  // tokens, as measured of late; 0 unknown
	Writes  float64         `json:"writes_per_second,omitempty"` // alike
	SameAs  string          `json:"same_as,omitempty"`           // who stands before it and is the same model: where that may answer, this one is not asked

	Verify   []string `json:"verify,omitempty"` // who must accept before anything is seen
	Logprobs bool     `json:"logprobs,omitempty"`

	Warrant *evidence.Warrant    `json:"warrant,omitempty"` // the latest
	Covers  bool                 `json:"covers"`            // it is in force, and covers what the candidate says here
	Lapsed  string               `json:"lapsed,omitempty"`  // why it does not
	Revoked *evidence.Revocation `json:"revoked,omitempty"` // of that warrant
	Least   float64              `json:"least"`             // share of answers that pass, at least: of the warrant's if it covers, else of the cases'; exact
	Most    float64              `json:"most"`              // of the cases' alone: 1 where nothing is known
	Graded  int                  `json:"graded"`            // answers to cases that were accepted, under this rubric
	Passed  int                  `json:"passed"`            // of them, those that pass

	Tried       int     `json:"tried"`       // answers to cases, and in traffic those that verifiers judged
	Accepted    int     `json:"accepted"`    // of them
	Tries       int     `json:"tries"`       // on which the probability rests
	Probability float64 `json:"probability"` // that its answer is accepted
	Basis       string  `json:"basis,omitempty"`

	Trusted   string        `json:"trusted,omitempty"`   // why it needs no evidence where it stands; "" it does
	Otherwise string        `json:"otherwise,omitempty"` // what speaks against it where it is not the last; "" nothing
	Why       string        `json:"why,omitempty"`       // what evidence says for it
	Against   string        `json:"against,omitempty"`   // why it may not answer; "" it may
	Kind      starling.Kind `json:"kind,omitempty"`      // of that
}

// beforehand is a planning without a request: it says what evidence says of the
// candidates as such.
func (r *Router) beforehand(s *skill.Skill) *planning {
	p := &planning{Router: r, req: &starling.Request{Dialect: starling.OpenAI, Choices: 1}, skill: s, chooses: true, unasked: true}
	p.Plan.Skill, p.Rubric = s.Name, s.Hash
	p.refer()
	return p
}

// A seat is a candidate as the rubric's own list has it, or a rule.
type seat struct {
	skill.Candidate
	rule int  // from 1; 0 the rubric's list
	last bool // of that list
}

// seats returns the candidates of a skill that differ in anything: those of the rubric
// in its order, and then those that only a rule has, or has otherwise.
func seats(s *skill.Skill) []seat {
	var all []seat
	add := func(list []skill.Candidate, rule int) {
		for i, c := range list {
			if !slices.ContainsFunc(all, func(s seat) bool { return s.Candidate == c }) {
				all = append(all, seat{c, rule, i == len(list)-1})
			}
		}
	}
	add(s.Rubric.Candidates, 0)
	for i, rule := range s.Rubric.Rules {
		add(rule.Candidates, i+1)
	}
	return all
}

// Ladder says how each candidate of the skill stands now for data of that screen: those
// of the rubric in its order, and then those that only a rule has, or has otherwise. It
// says what [Router.Plan] would, as far as that does not depend on the request.
func (r *Router) Ladder(s *skill.Skill, screen starling.Screen) []Rung {
	p := r.beforehand(s)
	p.screen = screen
	var all []Rung
	for _, seat := range seats(s) {
		next := p.rung(seat.Candidate, seat.last)
		next.Rule = seat.rule
		if at := slices.IndexFunc(all, func(r Rung) bool { return r.Model == next.Model }); at >= 0 && next.Model != "" && seat.rule == 0 {
			next.SameAs = all[at].Name
		}
		all = append(all, next)
	}
	return all
}

// Rungs returns where candidates of the rubric or of a rule stand on the skill's
// [Router.Ladder].
func Rungs(s *skill.Skill, of []skill.Candidate) []int {
	all, out := seats(s), make([]int, len(of))
	for i, c := range of {
		out[i] = slices.IndexFunc(all, func(s seat) bool { return s.Candidate == c })
	}
	return out
}

// rung says how one candidate stands.
func (p *planning) rung(c skill.Candidate, last bool) Rung {
	name, m, ok := p.find(c.Model)
	out := Rung{Name: c.Model, Stated: c.Probability, Most: 1}
	if !ok {
		out.Kind, out.Against = starling.NotFound, "no provider offers it: "+p.Directory.hint(name)
		return out
	}
	out.Model, out.Facts, out.Longest, out.Reads, out.Writes = m.ID(), &m, cmp.Or(m.Longest, longest), m.Reads, m.Writes
	here, elsewhere := p.candidate(c, m), p.candidate(c, m)
	proof := p.proof(&here, last)
	out.Verify, out.Logprobs = here.Verify, here.Logprobs
	out.Trusted, out.Otherwise = p.trust(m, last), p.proof(&elsewhere, false).against
	out.Why, out.Against = proof.why, proof.against
	if out.Against != "" {
		out.Kind = starling.Unproven
	}
	if kind, why := unfit(p.req.Dialect, p.screen, m); kind != "" {
		out.Kind, out.Against = kind, why
	}
	p.witness(&out, &here)
	out.Tries = p.weigh(&here)
	out.Probability, out.Basis = here.Probability, here.Basis
	return out
}

// witness says what the evidence is.
func (p *planning) witness(r *Rung, c *starling.Candidate) {
	s := p.Board.Standing(p.skill.Name, p.skill.Hash, c.Unit)
	confidence := cmp.Or(p.skill.Rubric.Bar.Confidence, usualConfidence)
	r.Tried, r.Accepted, r.Graded, r.Passed = s.Tried, s.Accepted, s.Graded, s.Passed
	r.Most = s.Most(confidence)
	if s.Graded > 0 {
		r.Least = evidence.LowerBound(s.Passed, s.Graded, confidence)
	}
	if s.Warrant == nil {
		return
	}
	r.Warrant, r.Revoked, r.Covers = s.Warrant, s.Revoked, c.Warrant != ""
	switch {
	case r.Covers:
		r.Least = s.Warrant.Least()
	case s.Revoked == nil:
		r.Lapsed = p.gap(s.Warrant, c)
	}
}

// Orders reports whether the candidates of a skill are put in the order that costs least
// once each but the last has [Enough] tries, and if not, why not.
func (r *Router) Orders(s *skill.Skill) (byCost bool, why string) {
	guard, known := r.Insight.guard(s)
	switch {
	case s.Rubric.Order == skill.Listed:
		return false, "the rubric says so"
	case !known:
		return false, "nothing has shown yet that another order pays"
	}
	return guard.On, guard.Why
}

// Enough is how many tries say so much of a candidate that it may be ordered by them.
const Enough = enough
