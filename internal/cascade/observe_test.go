package cascade_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"starling"
	"starling/internal/cascade"
	"starling/internal/route"
	"starling/internal/skill"
)

const shadowedRubric = "reference: large/m\ngrade: label\n"

// watching is a cascade that only observes, with a shadow of everything.
func watching(t testing.TB, rubric string, small, large says) (*cascade.Cascade, *[]string) {
	models, calls := pair(small, large)
	cas := newCascade(t, shadowedRubric+rubric, models)
	cas.Observe = &cascade.Observing{Share: 1}
	return cas, calls
}

// TestALateShadowWouldHaveBeenOvertaken: what comes after the skill's limit is no
// answer, however right it is.
func TestALateShadowWouldHaveBeenOvertaken(t *testing.T) {
	for wait, rejected := range map[time.Duration]bool{time.Second: false, 3 * time.Second: true} {
		synctest.Test(t, func(t *testing.T) {
			cas, _ := watching(t, "latency: 2s\n", says{text: "good", usage: tokens, wait: wait}, says{text: "good", usage: tokens})
			reply := new(sampler)
			cas.Answer(t.Context(), question("public"), reply)
			a := cas.Audit(t.Context(), reply.samples[0])
			if a.Err != nil || a.Outcome.Rejected != rejected || a.Outcome.Check() != nil {
				t.Errorf("%v: %v, %+v", wait, a.Err, a.Outcome)
			}
		})
	}
}

// TestABugInWhatIsOnlyObservedHarmsNobody: the caller is answered, and the receipt
// says so.
func TestABugInWhatIsOnlyObservedHarmsNobody(t *testing.T) {
	cas, calls := watching(t, "", says{text: "good"}, says{text: "good", usage: tokens})
	cas.Router.Verifiers["test"] = []starling.Verifier{nil} // whose name nobody can say
	reply := new(sampler)
	ex := cas.Answer(t.Context(), question("public"), reply)
	if ex.Err != nil || reply.seen.String() != "good" || strings.Join(*calls, " ") != "large" || len(reply.samples) != 0 {
		t.Fatalf("%v, %q, %v", ex.Err, reply.seen.String(), *calls)
	}
	if o := ex.Receipt.Observed; o == nil || o.Rule != "a bug ended the plan of what would have been done" || o.First() != "" {
		t.Errorf("%+v", o)
	}
}

// TestTheLadderIsPricedAtTheTokensOfTheAnswer: each candidate as often as those
// before it fail.
func TestTheLadderIsPricedAtTheTokensOfTheAnswer(t *testing.T) {
	cas, _ := watching(t, wantsGood, says{}, says{text: "good", usage: starling.Usage{Input: 1000, Output: 500}})
	o := cas.Answer(t.Context(), question("public"), new(sampler)).Receipt.Observed
	small := cas.Router.Directory.Models()[0]
	cost := small.Price.Amount(starling.Usage{Input: 1000, Output: 500}, time.Second) // both have the same price
	want := starling.Money(float64(cost) + (1-o.Candidates[0].Probability)*float64(cost))
	if len(o.Candidates) != 2 || o.AtTokens != want || o.Expected == o.AtTokens {
		t.Errorf("%s, not %s, of %+v", o.AtTokens, want, o)
	}
}

// TestASkillThatChangesInBetweenIsNotMeasured.
func TestASkillThatChangesInBetweenIsNotMeasured(t *testing.T) {
	cas, calls := watching(t, "", says{text: "good", usage: tokens}, says{text: "good", usage: tokens})
	reply := new(sampler)
	cas.Answer(t.Context(), question("public"), reply)
	cas.Router = &route.Router{Directory: cas.Router.Directory, Skills: new(skill.Set)}
	if a := cas.Audit(t.Context(), reply.samples[0]); starling.KindOf(a.Err) != starling.Invalid || a.Exchange != nil || strings.Join(*calls, " ") != "large" {
		t.Errorf("%+v after %v", a, *calls)
	}
}
