package cascade_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/wire"
)

func agentQuestion() starling.Request {
	return must(wire.Parse(starling.OpenAI, []byte(`{"model":"starling/test","stream":true,"max_tokens":50,"tools":[{"type":"function","function":{"name":"f"}}],"messages":[{"role":"user","content":"?"}]}`)))
}

// TestALatencyLimitIsMetWithTheFirstByteOfATurn that is held back by a net alone: it
// is about how soon a model speaks. Verifiers take their time as well.
func TestALatencyLimitIsMetWithTheFirstByteOfATurn(t *testing.T) {
	for _, c := range []struct {
		name, rubric, seen string
		says               says
	}{
		{"spoken in time", "latency: 1s\n", "good", says{text: "good", usage: tokens, pause: 5 * time.Second}},
		{"silent for too long", "latency: 1s\n", "fine", says{wait: 5 * time.Second, text: "good", usage: tokens}},
		{"verified too late", "latency: 1s\n" + wantsGood, "fine", says{text: "good", usage: tokens, pause: 5 * time.Second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls []string
				x := newCascade(t, c.rubric, []fake{{name: "one", zone: starling.Cloud, says: c.says, calls: &calls}, {name: "two", zone: starling.Cloud, says: says{text: "fine", usage: tokens}, calls: &calls}})
				var r caller
				ex := x.Answer(context.Background(), agentQuestion(), &r)
				if ex.Err != nil || r.seen.String() != c.seen {
					t.Errorf("%q, %v", r.seen.String(), ex.Err)
				}
			})
		})
	}
}

// TestWhatANetSaysIsNoEvidence of how good a candidate is in a skill.
func TestWhatANetSaysIsNoEvidence(t *testing.T) {
	var calls []string
	x := newCascade(t, "", []fake{{name: "one", zone: starling.Cloud, says: says{usage: tokens}, calls: &calls}, {name: "two", zone: starling.Cloud, says: says{text: "fine", usage: tokens}, calls: &calls}})
	x.Router.Board = evidence.NewBoard()
	var r caller
	ex := x.Answer(context.Background(), agentQuestion(), &r)
	if ex.Err != nil || r.seen.String() != "fine" || len(ex.Attempts) != 2 || ex.Attempts[0].Outcome != starling.Rejected {
		t.Fatalf("%q, %v, %+v", r.seen.String(), ex.Err, ex.Attempts)
	}
	if all := slices.Collect(evidence.Judged(ex.Receipt)); len(all) != 0 || x.Router.Board.Everywhere("one/m").Tried != 0 {
		t.Errorf("outcomes %+v", all)
	}
}

func TestAShapeThatCannotBeReadIsRefusedBeforeAnybodyIsCalled(t *testing.T) {
	var calls []string
	x := newCascade(t, "", []fake{{name: "one", zone: starling.Cloud, calls: &calls}})
	q := must(wire.Parse(starling.OpenAI, []byte(`{"model":"starling/test","max_tokens":50,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":7}}},"messages":[{"role":"user","content":"?"}]}`)))
	var r caller
	ex := x.Answer(context.Background(), q, &r)
	if starling.KindOf(ex.Err) != starling.Invalid || len(calls) != 0 || ex.Receipt == nil || ex.Receipt.Cost != 0 {
		t.Errorf("%v after %d calls", ex.Err, len(calls))
	}
}
