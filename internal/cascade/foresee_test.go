package cascade_test

import (
	"strings"
	"testing"

	"starling"
	"starling/internal/cascade"
	"starling/internal/ledger"
)

// TestWhatIsForeseenIsWhatIsDoneThen: the same screen and the same plan, or the same
// refusal. Nobody is asked for it, and nothing is in the books.
func TestWhatIsForeseenIsWhatIsDoneThen(t *testing.T) {
	for _, c := range []struct {
		name   string
		rubric string
		with   func(*starling.Request)
		kind   starling.Kind
	}{
		{"a ladder", wantsGood, func(*starling.Request) {}, ""},
		{"one that ends near by", wantsGood, func(r *starling.Request) { r.Class = "restricted" }, ""},
		{"a bar that only the last needs not show", wantsGood, func(r *starling.Request) { r.Bar = 0.9 }, ""},
		{"a budget", wantsGood, func(r *starling.Request) { r.Budget = starling.Dollar }, ""},
		{"a model", "", func(r *starling.Request) { r.Model, r.Skill = "large/m", "test" }, ""},
		{"too small a budget", "", func(r *starling.Request) { r.Budget = 1 }, starling.OverBudget},
		{"a model that is too far", "", func(r *starling.Request) { r.Model, r.Class = "large/m", "restricted" }, starling.Forbidden},
		{"no such skill", "", func(r *starling.Request) { r.Skill, r.Model = "other", "starling/auto" }, starling.NotFound},
		{"no such class", "", func(r *starling.Request) { r.Class = "none" }, starling.Invalid},
	} {
		for _, observing := range []*cascade.Observing{nil, {}} {
			models, calls := pair(says{text: "good", usage: tokens}, says{text: "good", usage: tokens})
			cas := newCascade(t, "reference: large/m\n"+c.rubric, models)
			cas.Observe = observing
			req := question("public")
			c.with(&req)
			seen := cas.Foresee(&req)
			if starling.KindOf(seen.Err) != c.kind || len(*calls) > 0 || seen.ID != "" || seen.Receipt != nil {
				t.Errorf("%s: %v, %d calls, %+v", c.name, seen.Err, len(*calls), seen.Receipt)
			}
			for r, err := range cas.Ledger.Receipts(t.Context(), ledger.Query{}) {
				t.Errorf("%s: it is in the books: %+v, %v", c.name, r, err)
			}
			done := cas.Answer(t.Context(), req, new(caller))
			if starling.KindOf(done.Err) != c.kind || done.Screen.Furthest != seen.Screen.Furthest || done.Screen.Class != seen.Screen.Class || told(&done.Plan) != told(&seen.Plan) {
				t.Errorf("%s: foreseen were %+v and %s, and then came %v, %+v and %s", c.name, seen.Screen, told(&seen.Plan), done.Err, done.Screen, told(&done.Plan))
			}
		}
	}
}

// told is a plan in a few words.
func told(p *starling.Plan) string {
	words := []string{p.Skill, p.Rule, p.Limit.String(), p.Expected.String()}
	for _, k := range p.Candidates {
		words = append(words, k.Model.ID(), k.Why, k.Worst.String())
	}
	for _, l := range p.Left {
		words = append(words, l.Model, string(l.Kind), l.Why)
	}
	return strings.Join(words, "|")
}

// TestTheCallersBudgetHoldsForTheWholeLadder, as the skill's does: what is spent counts.
func TestTheCallersBudgetHoldsForTheWholeLadder(t *testing.T) {
	models, calls := pair(says{text: "bad", usage: tokens}, says{text: "good", usage: tokens})
	cas := newCascade(t, wantsGood, models)
	req := question("public")
	ladder := cas.Foresee(&req).Plan.Candidates
	req.Budget = ladder[1].Worst.Plus(1) // enough for each, and not for both
	ex := cas.Answer(t.Context(), req, new(caller))
	if starling.KindOf(ex.Err) != starling.OverBudget || !strings.Contains(ex.Err.Error(), "the caller allows "+req.Budget.String()+" a request") || strings.Join(*calls, " ") != "small" {
		t.Errorf("%v after %v", ex.Err, *calls)
	}
}
