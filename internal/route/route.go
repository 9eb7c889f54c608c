// Package route plans: from a screened request, the skills and the models that
// can be called, it says who should try, in which order, and why; and who may
// not, and why not.
//
// It calls nobody and measures nothing. Start reading at [Router.Plan].
package route

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"starling"
	"starling/internal/skill"
)

// Prefix begins the model names that name a skill: "starling/support-intent".
const Prefix = "starling/"

// Auto is the model name of a caller who leaves the choice to the skill that a
// header or the key names.
const Auto = Prefix + "auto"

// longest bounds how long a call can run, for the worst case of electricity, where
// nobody says.
const longest = 10 * time.Minute

// A Router is immutable and safe for concurrent use; a reload makes a new one.
type Router struct {
	Directory *Directory
	Skills    *skill.Set
	Verifiers map[string][]starling.Verifier // by skill
}

// Skill returns the skill of a request: the one named by the model, else by the
// request, else by the caller's key; nil if none is named. A name that is not a
// skill is NotFound; two different ones in a request are Invalid.
func (r *Router) Skill(req *starling.Request) (*skill.Skill, error) {
	name := cmp.Or(req.Skill, req.Caller.Skill)
	if alias, ok := strings.CutPrefix(req.Model, Prefix); ok && req.Model != Auto {
		if req.Skill != "" && req.Skill != alias {
			return nil, &starling.Error{Kind: starling.Invalid, Op: "two skills are named, by the model and by the header X-Starling-Skill", Hint: "name one"}
		}
		name = alias
	}
	if name == "" {
		return nil, nil
	}
	s, ok := r.Skills.Find(name)
	if !ok {
		return nil, &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("skill %q is not known", clip(name)), Hint: near(name, r.Skills.Names())}
	}
	return s, nil
}

// Plan says who may answer the request. The skill may be nil.
//
// Errors: NotFound for an unknown model, Forbidden when every candidate is
// further away than the data may travel, OverBudget when every one may cost more
// than the skill allows, Invalid otherwise. The plan is returned with an error
// too: it says who was considered.
func (r *Router) Plan(req *starling.Request, screen starling.Screen, s *skill.Skill) (starling.Plan, error) {
	p := starling.Plan{}
	if s != nil {
		p.Skill, p.Rubric = s.Name, s.Hash
		p.Limit, p.Patience = s.Rubric.Budget.Request, s.Rubric.Latency
		if ref, ok := r.Directory.Find(s.Rubric.Reference); ok {
			p.Reference = &ref
		}
	}
	if !strings.HasPrefix(req.Model, Prefix) {
		return r.pin(p, req, screen)
	}
	if s == nil {
		return p, &starling.Error{Kind: starling.Invalid, Op: "model " + Auto + " without a skill", Hint: "name one: model " + Prefix + "<skill>, the header X-Starling-Skill, or a key with a default skill"}
	}
	return r.ladder(p, req, screen, s)
}

// pin plans for a caller who named the model: that one, or nobody.
func (r *Router) pin(p starling.Plan, req *starling.Request, screen starling.Screen) (starling.Plan, error) {
	p.Pinned, p.Rule = true, "pinned by the caller"
	m, ok := r.Directory.Find(req.Model)
	if !ok {
		return p, &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("there is no model %q", clip(req.Model)), Hint: r.Directory.hint(req.Model)}
	}
	p.Patience = 0 // a latency limit chooses between candidates; there is no choice here
	r.consider(&p, req, screen, skill.Candidate{Model: m.ID(), Probability: 1}, nil)
	if len(p.Candidates) == 0 {
		return p, refusal(p.Left)
	}
	p.Candidates[0].Basis = "not needed: the caller chose"
	p.Candidates[0].Why = p.Rule
	return p, nil
}

// ladder plans by the skill's rubric.
func (r *Router) ladder(p starling.Plan, req *starling.Request, screen starling.Screen, s *skill.Skill) (starling.Plan, error) {
	candidates, why, err := decide(s, req, screen)
	p.Rule = why
	if err != nil {
		return p, err
	}
	for _, c := range candidates {
		r.consider(&p, req, screen, c, r.Verifiers[s.Name])
	}
	if len(p.Candidates) == 0 {
		return p, refusal(p.Left)
	}
	return p, nil
}

// decide asks the rubric who should try, in order.
func decide(s *skill.Skill, req *starling.Request, screen starling.Screen) ([]skill.Candidate, string, error) {
	d, err := s.Decide(skill.Facts{
		Model: req.Model, Stream: req.Stream, InputBytes: len(req.Body), MaxTokens: req.MaxTokens,
		Images: req.Images + req.Documents, Tools: req.Tools > 0, Team: req.Caller.Team, Key: req.Caller.Key, Class: screen.Class,
	})
	switch {
	case err != nil:
		return nil, "", err
	case d.Refuse:
		return nil, d.Why, &starling.Error{Kind: starling.Forbidden, Op: "skill " + s.Name + " refuses this request", Hint: d.Why}
	case d.Why == "":
		return d.Candidates, "order of the rubric", nil
	}
	return d.Candidates, "rule: " + d.Why, nil
}

// consider adds a candidate to the plan, or to those left out.
func (r *Router) consider(p *starling.Plan, req *starling.Request, screen starling.Screen, c skill.Candidate, verify []starling.Verifier) {
	m, ok := r.Directory.Find(c.Model)
	if !ok {
		p.Left = append(p.Left, starling.Left{Model: c.Model, Kind: starling.NotFound, Why: "no provider offers it: " + r.Directory.hint(c.Model)})
		return
	}
	if slices.ContainsFunc(p.Candidates, func(before starling.Candidate) bool { return before.Model.ID() == m.ID() }) {
		p.Left = append(p.Left, starling.Left{Model: m.ID(), Kind: starling.Invalid, Why: fmt.Sprintf("it is a candidate already; %q is another name for it", c.Model)})
		return
	}
	if len(verify) > 0 && !c.SkipVerify && req.Choices > 1 {
		p.Left = append(p.Left, starling.Left{Model: m.ID(), Kind: starling.Invalid, Why: "of several choices only one would be verified; ask for one"})
		return
	}
	input, output := m.Bounds(req)
	if kind, why := unsuited(req, screen, m, input, output); kind != "" {
		p.Left = append(p.Left, starling.Left{Model: m.ID(), Kind: kind, Why: why})
		return
	}
	worst := worst(req, m, input, output)
	if p.Limit > 0 && worst > p.Limit {
		p.Left = append(p.Left, starling.Left{Model: m.ID(), Kind: starling.OverBudget, Why: fmt.Sprintf("may cost %s, the skill allows %s a request%s", worst, p.Limit, outputHint(req, m, p.Limit))})
		return
	}
	next := candidate(req, m, c, verify, worst)
	next.Why = fmt.Sprintf("candidate %d, %s", len(p.Candidates)+1, next.Why)
	p.Candidates = append(p.Candidates, next)
}

func candidate(req *starling.Request, m starling.Model, c skill.Candidate, verify []starling.Verifier, worst starling.Money) starling.Candidate {
	out := starling.Candidate{Model: m, Worst: worst, Probability: c.Probability, Basis: "stated in the rubric", Why: "unverified"}
	out.Logprobs = c.Confidence == skill.ByLogprob
	if len(verify) > 0 && !c.SkipVerify {
		for _, v := range verify {
			out.Verify = append(out.Verify, v.Name())
		}
		out.Why = "verified by " + strings.Join(out.Verify, ", ")
	}
	if c.Probability == 0 {
		out.Probability, out.Basis = assumed(out.Verify), "assumed, no evidence yet"
	}
	_, out.Expected = m.Price.Cost(m.Expect(req), time.Second)
	return out
}

// assumed is the chance of acceptance that is printed, as an assumption, while
// there is no evidence. It orders nothing.
func assumed(verify []string) float64 {
	if len(verify) == 0 {
		return 1
	}
	return 0.9
}

// refusal is the error of a plan without candidates: its kind is the one that
// most concerns the caller.
func refusal(left []starling.Left) error {
	hints := make([]string, len(left))
	kinds := map[starling.Kind]bool{}
	for i, l := range left {
		hints[i] = l.Model + ": " + l.Why
		kinds[l.Kind] = true
	}
	kind := starling.NotFound
	for _, k := range []starling.Kind{starling.Forbidden, starling.OverBudget, starling.TooLarge, starling.Invalid} {
		if kinds[k] {
			kind = k
			break
		}
	}
	return &starling.Error{Kind: kind, Op: "no model may answer this request", Hint: strings.Join(hints, "; ")}
}
