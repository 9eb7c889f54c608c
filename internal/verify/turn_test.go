package verify

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"starling"
	"starling/internal/evidence"
	"starling/internal/wire"
)

// request writes a trace as a request in a dialect.
func (t *trace) request(test testing.TB, d starling.Dialect) starling.Request {
	test.Helper()
	body := map[string]any{"model": "m", "max_tokens": 500, "messages": t.messages(d)}
	if len(t.tools) > 0 {
		body["tools"] = t.offered(d)
	}
	if t.choice != nil {
		body["tool_choice"] = t.chosen(d)
	}
	if t.shaped && d == starling.OpenAI {
		body["response_format"] = map[string]any{"type": "json_object"}
	} else if t.shaped {
		body["output_config"] = map[string]any{"format": map[string]any{"type": "json_schema", "schema": map[string]any{}}}
	}
	r, err := wire.Parse(d, must(json.Marshal(body)))
	if err != nil {
		test.Fatal(err)
	}
	return r
}

func (t *trace) chosen(d starling.Dialect) any {
	if d == starling.OpenAI {
		return t.choice
	}
	if word, ok := t.choice.(string); ok {
		return map[string]any{"type": map[string]string{"required": "any", "auto": "auto"}[word]}
	}
	return map[string]any{"type": "tool", "name": "search"}
}

func (t *trace) offered(d starling.Dialect) (all []any) {
	for _, tool := range t.tools {
		own := map[string]any{"name": tool["name"]}
		if d == starling.OpenAI {
			if tool["schema"] != nil {
				own["parameters"] = tool["schema"]
			}
			all = append(all, map[string]any{"type": "function", "function": own})
			continue
		}
		if own["input_schema"] = tool["schema"]; tool["schema"] == nil {
			own["input_schema"] = map[string]any{}
		}
		all = append(all, own)
	}
	if t.more != "" {
		all = append(all, map[string]any{"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"})
	}
	return all
}

func (t *trace) messages(d starling.Dialect) (all []any) {
	for i, turn := range t.turns {
		switch {
		case turn.person != "":
			all = append(all, map[string]any{"role": "user", "content": turn.person})
		case len(turn.calls) == 0:
			all = append(all, map[string]any{"role": "assistant", "content": turn.says})
		case d == starling.OpenAI:
			all = append(all, turn.openAI(i)...)
		default:
			all = append(all, turn.anthropic(i)...)
		}
	}
	return all
}

func (t *turnOf) openAI(i int) (all []any) {
	var calls, results []any
	for j, c := range t.calls {
		id := fmt.Sprintf("call_%d_%d", i, j)
		calls = append(calls, map[string]any{"id": id, "type": "function", "function": map[string]any{"name": c.name, "arguments": c.arguments}})
		results = append(results, map[string]any{"role": "tool", "tool_call_id": id, "content": t.results[j]})
	}
	return append([]any{map[string]any{"role": "assistant", "content": nil, "tool_calls": calls}}, results...)
}

func (t *turnOf) anthropic(i int) []any {
	var calls, results []any
	for j, c := range t.calls {
		id := fmt.Sprintf("toolu_%d_%d", i, j)
		calls = append(calls, map[string]any{"type": "tool_use", "id": id, "name": c.name, "input": json.RawMessage(c.arguments)})
		results = append(results, map[string]any{"type": "tool_result", "tool_use_id": id, "content": t.results[j]})
	}
	results = append(results, map[string]any{"type": "text", "text": "<system-reminder>Be brief.</system-reminder>"})
	return []any{map[string]any{"role": "assistant", "content": calls}, map[string]any{"role": "user", "content": results}}
}

// judged returns what the net says of a trace.
func (t *trace) judged(test *testing.T, s *Shapes, d starling.Dialect) string {
	r := t.request(test, d)
	return s.Turn(&r, &t.answer, func() *starling.Chat {
		chat, err := wire.View(&r)
		if err != nil {
			test.Fatal(err)
		}
		return chat
	})
}

// TestTheNetCatchesFaultsAndLeavesGoodTurnsAlone: at least 95 % of the faults, less
// than 1 % false alarms, on a corpus that knows nothing of the net's constants.
func TestTheNetCatchesFaultsAndLeavesGoodTurnsAlone(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(11, 2026))}
	dialects := []starling.Dialect{starling.OpenAI, starling.Anthropic}
	var shapes Shapes
	const each = 20
	var good, alarms, faults, caught int
	for n := range each {
		for _, make := range goodTraces {
			tr := make(m)
			good++
			if why := tr.judged(t, &shapes, dialects[n%2]); why != "" {
				alarms++
				t.Logf("false alarm: %s: %s:\n%.300s", tr.kind, why, tr.answer.Text)
			}
		}
		for _, make := range faultyTraces {
			tr := make(m)
			faults++
			if why := tr.judged(t, &shapes, dialects[n%2]); why != "" {
				caught++
			} else {
				t.Logf("missed: %s:\n%.300s", tr.kind, tr.answer.Text)
			}
		}
		if n%10 == 0 {
			tr := alarming[0](m)
			good++
			if tr.judged(t, &shapes, dialects[n/10%2]) != "" {
				alarms++
			}
		}
		if n%3 == 0 { // the faults that are known to be missed are faults too
			tr := missed[n/3%len(missed)](m)
			faults++
			if tr.judged(t, &shapes, dialects[n%2]) != "" {
				caught++
			}
		}
	}
	low, _ := evidence.ClopperPearson(caught, faults, 0.95)
	_, high := evidence.ClopperPearson(alarms, good, 0.95)
	t.Logf("caught %d of %d faults, %.1f %% (at least %.1f %% with 97.5 %% confidence); %d false alarms on %d good turns, %.2f %% (at most %.2f %%)",
		caught, faults, 100*float64(caught)/float64(faults), 100*low, alarms, good, 100*float64(alarms)/float64(good), 100*high)
	if good < 400 || faults < 400 {
		t.Errorf("the corpus is small: %d good, %d faulty", good, faults)
	}
	if float64(caught) < 0.95*float64(faults) || float64(alarms) >= 0.01*float64(good) {
		t.Error("that is not enough")
	}
}

func TestAVerdictOfTheNetHoldsNoWordOfTheTurn(t *testing.T) {
	known := map[string]bool{noTurn: true, notForced: true, notAllowed: true, unknownTool: true, badInput: true, manyAlike: true, looping: true, spokenCall: true, babbling: true}
	m := maker{rand.New(rand.NewPCG(1, 1))}
	var shapes Shapes
	for _, make := range faultyTraces {
		tr := make(m)
		if why := tr.judged(t, &shapes, starling.OpenAI); !known[why] {
			t.Errorf("%s: %q", tr.kind, why)
		}
	}
}

func TestARefusalIsASoundTurn(t *testing.T) {
	var shapes Shapes
	r := starling.Request{Dialect: starling.OpenAI, Body: []byte(`{}`), Tools: 1}
	for _, a := range []starling.Answer{{Refused: true}, {Finish: starling.Paused}} {
		if why := shapes.Turn(&r, &a, func() *starling.Chat { return nil }); why != "" {
			t.Errorf("%+v: %s", a, why)
		}
	}
}

func TestATurnIsJudgedByItselfWhereTheRequestCannotBeRead(t *testing.T) {
	var shapes Shapes
	r := starling.Request{Dialect: starling.OpenAI, Body: []byte(`{}`), Tools: 1}
	none := func() *starling.Chat { return nil }
	for want, a := range map[string]starling.Answer{
		"": does(callOf{"anything", `{"a":1}`}), noTurn: says(" "), badInput: does(callOf{"anything", `{"a"`}), babbling: cutAt(strings.Repeat("Let me try again now. ", 50)),
	} {
		if why := shapes.Turn(&r, &a, none); why != want {
			t.Errorf("%q, want %q", why, want)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
