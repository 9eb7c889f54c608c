package sim_test

import (
	"testing"

	"github.com/tidwall/gjson"

	"starling/internal/sim"
)

func TestACommandToolIsAskedForNothingButAnEcho(t *testing.T) {
	const look = `{"type":"function","function":{"name":"look","parameters":{"type":"object","properties":{"command":{"type":"string","enum":["view"]}},"required":["command"]}}},`
	for _, tt := range []struct{ name, schema, tool, arguments string }{
		{"a command line, and nothing that it does not demand",
			`{"type":"object","properties":{"command":{"type":"string"},"timeout":{"type":"integer"},"sandbox":{"type":"boolean"}},"required":["command"]}`, "sh", `{"command":"echo starling"}`},
		{"under its other name, with what else it demands",
			`{"type":"object","properties":{"cmd":{"type":"string"},"login":{"type":"boolean","const":true}},"required":["cmd","login"]}`, "sh", `{"cmd":"echo starling","login":true}`},
		{"word by word", `{"type":"object","properties":{"command":{"type":"array","items":{"type":"string"}}},"required":["command"]}`, "sh", `{"command":["echo","starling"]}`},
		{"a tool that demands no command line comes in its turn", `{"type":"object","properties":{"command":{"type":"string"}}}`, "look", `{"command":"view"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sim.New(sim.Options{Models: []sim.Model{both()}})
			reply := ask(s, chat("openai", "m", "do it", `"tools":[`+look+`{"type":"function","function":{"name":"sh","parameters":`+tt.schema+`}}]`)).Body.String()
			call := gjson.Get(reply, "choices.0.message.tool_calls.0.function")
			if call.Get("name").Str != tt.tool || call.Get("arguments").Str != tt.arguments {
				t.Errorf("%s", reply)
			}
		})
	}
}
