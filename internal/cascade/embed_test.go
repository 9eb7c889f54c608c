package cascade_test

import (
	"strings"
	"testing"

	"starling"
	"starling/internal/ledger"
	"starling/internal/provider"
	"starling/internal/sim"
)

// reader is a simulated embedding model in the cloud.
func reader(t *testing.T, m sim.Model) *provider.Embedder {
	t.Helper()
	m.Name = "e"
	server := sim.New(sim.Options{Models: []sim.Model{m}})
	url, err := server.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	guard := must(provider.NewGuard(provider.Upstream{URL: url, Zone: starling.Cloud}))
	t.Cleanup(guard.Close)
	up := must(provider.New(guard, provider.Options{Name: "far", Dialect: starling.OpenAI, URL: url + "/v1", Zone: starling.Cloud, Embedding: starling.Model{Name: "e", Price: m.Price, Simulated: true}}))
	t.Cleanup(up.Close)
	return up.Embedder()
}

var perToken = starling.Price{Rates: starling.Rates{Input: 2_000_000_000}, Source: "test"}

func TestEmbeddingIsAnExchangeOfItsOwn(t *testing.T) {
	texts := []string{"where is my parcel", "money"} // 5 and 2 tokens
	for _, c := range []struct {
		name    string
		model   sim.Model
		class   starling.Class
		budgets []ledger.Budget
		kind    starling.Kind
		outcome starling.Outcome // of the attempt
	}{
		{"it reads them", sim.Model{Price: perToken}, "public", nil, "", starling.Answered},
		{"it may not", sim.Model{Price: perToken}, "confidential", nil, starling.Forbidden, starling.Skipped},
		{"nobody knows what it costs", sim.Model{}, "public", nil, starling.Invalid, starling.Skipped},
		{"it would break a cap", sim.Model{Price: perToken}, "public", []ledger.Budget{{Scope: ledger.ForSkill, Name: "test", Limit: 20_000, Per: ledger.PerDay}}, starling.OverBudget, starling.Skipped},
		{"it fails", sim.Model{Price: perToken, Failure: sim.Failure{Error500: 1}}, "public", nil, starling.Overloaded, starling.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			cas := newCascade(t, "", []fake{{name: "small", zone: starling.Machine}}, c.budgets...)
			sk, _ := cas.Router.Skills.Find("test")
			screen := must(cas.Policy.Strictest(c.class))
			vectors, ex := cas.Embed(t.Context(), sk, screen, reader(t, c.model), provider.Reading{Texts: texts})
			r := ex.Receipt
			if starling.KindOf(ex.Err) != c.kind || (len(vectors) == 2) != (c.kind == "") || r == nil {
				t.Fatalf("%d vectors, %v, %+v", len(vectors), ex.Err, r)
			}
			if len(r.Attempts) != 1 || r.Attempts[0].Outcome != c.outcome || r.Attempts[0].Model != "far/e" || r.Asked != "far/e" || r.Plan.Skill != "test" || r.RequestMAC != "" || r.Saved != 0 {
				t.Errorf("%+v", r)
			}
			if want := (starling.Usage{Input: 7}); c.kind == "" && (r.Attempts[0].Usage != want || r.Cost != perToken.Input.Of(7) || !r.Response.Simulated || r.Screen.Class != "public") {
				t.Errorf("%+v", r)
			}
			if c.kind != "" && r.Cost != 0 {
				t.Errorf("it cost %s", r.Cost)
			}
			stored := must(cas.Ledger.Receipt(t.Context(), ex.ID))
			if strings.Contains(string(must(stored.Receipt()).Response.Reason), texts[0]) {
				t.Error("the texts are on the receipt")
			}
		})
	}
}
