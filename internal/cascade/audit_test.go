package cascade_test

import (
	"context"
	"strings"
	"testing"

	"starling"
	"starling/internal/cascade"
	"starling/internal/evidence"
	"starling/internal/ledger"
)

// A sampler is a caller whose answers may be looked at again.
type sampler struct {
	caller
	samples []*cascade.Sample
}

func (s *sampler) Sample(x *cascade.Sample) { s.samples = append(s.samples, x) }

const audits = "reference: large/m\naudit: 1\ngrade: label\n"

// pair is a small model that is asked, and the reference.
func pair(small, large says) (all []fake, calls *[]string) {
	calls = new([]string)
	return []fake{{name: "small", zone: starling.Machine, says: small, calls: calls}, {name: "large", zone: starling.Cloud, says: large, calls: calls}}, calls
}

func TestAnAuditIsAnExchangeOfItsOwn(t *testing.T) {
	for _, c := range []struct {
		name         string
		rubric       string
		small, large says
		class        starling.Class
		budgets      []ledger.Budget
		grade        float64
		kind         starling.Kind // of why there is no outcome
		calls        string
	}{
		{"they agree", "", says{text: "good", usage: tokens}, says{text: "good", usage: tokens}, "public", nil, 1, "", "small large"},
		{"they differ", "", says{text: "bad", usage: tokens}, says{text: "good", usage: tokens}, "public", nil, 0, "", "small large"},
		{"an answer that was held back is compared too", wantsGood, says{text: "fine", usage: tokens}, says{text: "good", usage: tokens}, "public", nil, 0, "", "small large"},
		{"the reference may not be asked", "", says{text: "good", usage: tokens}, says{text: "good", usage: tokens}, "restricted", nil, 0, starling.Forbidden, "small"},
		{"it would break a cap", "", says{text: "good", usage: starling.Usage{Input: 300}}, says{text: "good", usage: tokens}, "public", []ledger.Budget{{Scope: ledger.ForSkill, Name: "test", Limit: 500_000, Per: ledger.PerDay}}, 0, starling.OverBudget, "small"},
		{"it fails", "", says{text: "good", usage: tokens}, says{err: overloaded}, "public", nil, 0, starling.Overloaded, "small large"},
		{"it is rejected", wantsGood, says{text: "fine", usage: tokens}, says{text: "bad", usage: tokens}, "public", nil, 0, starling.Refused, "small large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			models, calls := pair(c.small, c.large)
			cas := newCascade(t, audits+c.rubric, models, c.budgets...)
			reply := new(sampler)
			ex := cas.Answer(t.Context(), question(c.class), reply)
			if ex.Err != nil || len(reply.samples) != 1 || !reply.samples[0].Audit || reply.samples[0].Skill != "test" {
				t.Fatalf("%v, %d samples", ex.Err, len(reply.samples))
			}
			a := cas.Audit(t.Context(), reply.samples[0])
			if starling.KindOf(a.Err) != c.kind || strings.Join(*calls, " ") != c.calls {
				t.Fatalf("%v after %v", a.Err, *calls)
			}
			if ex.Request.Unattended || !a.Exchange.Request.Unattended {
				t.Error("somebody waits for an answer, and nobody for its audit")
			}
			r := a.Exchange.Receipt
			if r.AuditOf != ex.ID || r.Plan.Rule != "audit of "+ex.ID || r.Plan.Skill != "test" || r.RequestMAC != ex.Receipt.RequestMAC || r.ID == ex.ID || r.Screen.Class != ex.Screen.Class {
				t.Errorf("%+v", r)
			}
			if c.kind != "" {
				if a.Outcome != nil {
					t.Errorf("%+v", a.Outcome)
				}
				return
			}
			if o := a.Outcome; o.Grade != c.grade || o.Receipt != ex.ID || o.Reference != "large/m" || o.Cost != r.Cost || o.Check() != nil {
				t.Errorf("%+v", o)
			}
		})
	}
}

func TestWhatBrokeOffIsNotAudited(t *testing.T) {
	models, _ := pair(says{text: "go", err: cut}, says{text: "good", usage: tokens})
	cas, reply := newCascade(t, audits, models), new(sampler)
	if ex := cas.Answer(context.Background(), question("public"), reply); ex.Err == nil || reply.seen.Len() == 0 || len(reply.samples) != 0 {
		t.Errorf("%v, %d samples", ex.Err, len(reply.samples))
	}
}

// TestWhatVerifiersSayIsOnTheBoardWhenTheExchangeIsSettled: nobody has to write it
// down again.
func TestWhatVerifiersSayIsOnTheBoardWhenTheExchangeIsSettled(t *testing.T) {
	models, _ := pair(says{text: "bad", usage: tokens}, says{text: "good", usage: tokens})
	cas := newCascade(t, wantsGood, models)
	cas.Router.Board = evidence.NewBoard()
	for range 3 {
		if ex := cas.Answer(t.Context(), question("public"), new(caller)); ex.Err != nil {
			t.Fatal(ex.Err)
		}
	}
	s, _ := cas.Router.Skills.Find("test")
	for i, accepted := range []int{0, 3} {
		if got := cas.Router.Board.Standing("test", s.Hash, s.Unit(models[i].model())); got.Tried != 3 || got.Accepted != accepted {
			t.Errorf("%s: %+v", models[i].name, got.Tally)
		}
	}
}

// BenchmarkSampling is an exchange without a network, of which nothing is looked at
// again, which is drawn for no audit, and which is.
func BenchmarkSampling(b *testing.B) {
	for name, rubric := range map[string]string{"none": "reference: large/m\ngrade: label\n", "not drawn": strings.Replace(audits, "1", "0.000000001", 1), "drawn": audits} {
		b.Run(name, func(b *testing.B) {
			models, calls := pair(says{text: "good", usage: tokens}, says{text: "good", usage: tokens})
			cas, q := newCascade(b, rubric, models), question("public")
			b.ReportAllocs()
			for b.Loop() {
				cas.Answer(context.Background(), q, new(sampler))
				*calls = (*calls)[:0]
			}
		})
	}
}
