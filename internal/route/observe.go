package route

import (
	"slices"
	"strings"

	"starling"
	"starling/internal/skill"
)

// observedRule begins the rule of every plan of a gateway that only observes.
const observedRule = "observed: "

// Observe plans for a gateway that changes nothing. Who names a model is given that
// model, as ever. Who names a skill is given its reference, else the last of its
// candidates, as if that had been pinned: nobody chooses, and nobody verifies. What
// the rubric refuses stays refused. A bar of the caller's keeps nobody from answering, its
// budget holds as caps do. The skill may be nil. Errors: as of Plan.
func (r *Router) Observe(req *starling.Request, screen starling.Screen, s *skill.Skill) (starling.Plan, error) {
	bare, barless := *r, *req
	bare.bare, barless.Bar = true, 0
	r, req = &bare, &barless
	if s == nil || !strings.HasPrefix(req.Model, Prefix) {
		plan, err := r.Plan(req, screen, s)
		plan.Rule = observedRule + plan.Rule
		return plan, err
	}
	candidates, _, err := decide(s, req, screen)
	if err != nil {
		return r.Plan(req, screen, s)
	}
	plan := starling.Plan{Skill: s.Name, Rubric: s.Hash, Rule: observedRule + "nothing is chosen"}
	err = &starling.Error{Kind: starling.NotFound, Op: "skill " + s.Name + " has neither a reference nor a candidate but its student", Hint: "name the model that you use today as reference in the rubric"}
	var left []starling.Left
	for _, who := range standIns(s, candidates) {
		asked := *req
		asked.Model = who.name
		plan, err = r.Plan(&asked, screen, s)
		plan.Pinned, plan.Rule = false, observedRule+"nothing is chosen"
		left = append(left, plan.Left...)
		if err == nil {
			plan.Candidates[0].Basis, plan.Candidates[0].Why = "not needed: nothing is chosen", who.why
			break
		}
	}
	plan.Left = left
	return plan, err
}

// A stand-in answers for a skill where nothing is chosen.
type standIn struct{ name, why string }

// standIns returns who answers where nothing is chosen: the reference, or if that may
// not the last candidate. A student is never the model that people use today.
func standIns(s *skill.Skill, candidates []skill.Candidate) []standIn {
	var all []standIn
	if s.Rubric.Reference != "" {
		all = append(all, standIn{s.Rubric.Reference, "the skill's reference"})
	}
	for _, c := range slices.Backward(candidates) {
		if c.Model != starling.StudentName && c.Model != s.Rubric.Reference {
			return append(all, standIn{c.Model, "the skill's last candidate"})
		}
	}
	return all
}

// Would plans as [Router.Plan] does where it is not only observed, for a caller who
// leaves the choice to the skill. Errors: as of Plan.
func (r *Router) Would(req *starling.Request, screen starling.Screen, s *skill.Skill) (starling.Plan, error) {
	asked := *req
	if !strings.HasPrefix(req.Model, Prefix) {
		asked.Model = Prefix + s.Name
	}
	return r.Plan(&asked, screen, s)
}

// Shadow plans for asking one candidate of [Router.Would], "provider/name", what was
// answered already in the exchange of the given receipt: it alone, judged as it
// would have been. Errors: those of Plan, and Unproven if it would not be asked any
// more.
func (r *Router) Shadow(req *starling.Request, screen starling.Screen, s *skill.Skill, model, receipt string) (starling.Plan, error) {
	plan, err := r.Would(req, screen, s)
	plan.Rule, plan.Session = "shadow of "+receipt, starling.Session{}
	i := slices.IndexFunc(plan.Candidates, func(c starling.Candidate) bool { return c.Model.ID() == model })
	if err == nil && i < 0 {
		err = &starling.Error{Kind: starling.Unproven, Op: model + " would not be asked any more", Hint: "its warrant or the skill has changed since"}
	}
	if err != nil {
		plan.Candidates = nil
		return plan, err
	}
	if i == len(plan.Candidates)-1 {
		plan.Patience = 0 // nobody would have come after it
	}
	plan.Candidates = plan.Candidates[i : i+1]
	plan.Expected = plan.Candidates[0].Expected
	return plan, nil
}
