package sim_test

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/sim"
)

func TestASlipIsAnAnswerGoneWrongInACallThatEndsWell(t *testing.T) {
	const tools = `"tools":[{"type":"function","function":{"name":"look","parameters":{"type":"object","required":["at"],"properties":{"at":{"type":"string"}}}}}]`
	const shape = `"response_format":{"type":"json_object"}`
	const called = `"messages":[{"role":"user","content":"go"},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"look","arguments":"{\"at\":\"x\"}"}}]},{"role":"tool","tool_call_id":"c","content":"y"}]`
	name, input := "choices.0.message.tool_calls.0.function.name", "choices.0.message.tool_calls.0.function.arguments"
	for _, c := range []struct {
		kind, fields string
		slip         sim.Slip
		path, want   string
	}{
		{"it calls again", called + "," + tools, sim.Slip{Loop: 1}, input, `{"at":"x"}`},
		{"it cannot call again what it has not called", tools, sim.Slip{Loop: 1}, name, "look"},
		{"it calls what is not there", tools, sim.Slip{UnknownTool: 1}, name, "look_v2"},
		{"it hands over nonsense", tools, sim.Slip{BadArguments: 1}, input, "nonsense"},
		{"it writes the call", tools, sim.Slip{Spoken: 1}, "choices.0.message.content", "<tool_call>"},
		{"it says nothing", tools, sim.Slip{Empty: 1}, "choices.0.finish_reason", "stop"},
		{"it babbles", tools, sim.Slip{Babble: 1}, "choices.0.message.content", strings.Repeat("I will look at it again (simulated). ", 9)},
		{"a fence", shape, sim.Slip{Fence: 1}, "choices.0.message.content", "```json\n{"},
		{"another shape", shape, sim.Slip{Misshape: 1}, "choices.0.message.content", "nonsense"},
		{"no slip without tools", `"n":1`, sim.Slip{Empty: 1}, "choices.0.message.content", "[simulated]"},
	} {
		s := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Slip: c.slip}}})
		w := ask(s, chat(starling.OpenAI, "m", "go", c.fields))
		got := gjson.Get(w.Body.String(), c.path).String()
		if w.Code != 200 || !strings.Contains(got, c.want) || s.Tally().Models["m"].Answered != 1 {
			t.Errorf("%s: status %d, %q: %s", c.kind, w.Code, got, w.Body)
		}
	}
}
