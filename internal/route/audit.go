package route

import (
	"slices"

	"starling"
	"starling/internal/skill"
)

// Audit plans for asking the skill's reference what was answered already, in the
// exchange of the given receipt: it alone may answer, under the rules of every
// request. What it says is a measure only if it would have been accepted, so the
// skill's verifiers judge it, but for those that ask models, and unless the rubric says
// that they do not judge the reference. Errors: as of Plan.
func (r *Router) Audit(req *starling.Request, screen starling.Screen, s *skill.Skill, receipt string) (starling.Plan, error) {
	asked := *req
	asked.Model, asked.Budget, asked.Bar, asked.Split = s.Rubric.Reference, 0, 0, nil // the caller's terms were for the answer
	plan, err := r.Plan(&asked, screen, s)
	plan.Pinned, plan.Rule = false, "audit of "+receipt
	for i := range plan.Candidates {
		c := &plan.Candidates[i]
		c.Basis, c.Why = "not needed: it is what is compared with", "the skill's reference"
		if r.unjudged(s, c.Model) {
			continue
		}
		for _, v := range r.Verifiers[s.Name] {
			if _, asks := v.(starling.AskingVerifier); !asks {
				c.Verify = append(c.Verify, v.Name())
			}
		}
	}
	return plan, err
}

// unjudged reports whether the rubric has a candidate's answers seen unverified.
func (r *Router) unjudged(s *skill.Skill, m starling.Model) bool {
	return slices.ContainsFunc(s.Rubric.Candidates, func(c skill.Candidate) bool {
		own, ok := r.Directory.Find(c.Model)
		return c.SkipVerify && ok && own.ID() == m.ID()
	})
}
