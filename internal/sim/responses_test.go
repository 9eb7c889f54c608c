package sim_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/sim"
)

const weatherResponses = `"tools":[{"type":"function","name":"weather","description":"today","strict":false,"parameters":{"type":"object","required":["city"],"properties":{"city":{"type":"string"}}}},{"type":"function","name":"time"},{"type":"web_search"}]`

func responsesPost(fields string) post {
	return post{dialect: starling.Responses, body: `{"model":"m",` + fields + `}`}
}

func (s *said) wholeResponse(b gjson.Result) {
	s.finish, s.stop = b.Get("status").Str, b.Get("incomplete_details.reason").Str
	b.Get("output").ForEach(func(_, it gjson.Result) bool {
		switch it.Get("type").Str {
		case "message":
			s.text += it.Get("content.0.text").Str
		case "reasoning":
			s.reasoning, s.signature = it.Get("summary.0.text").Str, it.Get("encrypted_content").Str
		default:
			s.calls = append(s.calls, call{it.Get("call_id").Str, it.Get("namespace").Str + "/" + it.Get("name").Str, it.Get("arguments").Str + it.Get("input").Str})
		}
		return true
	})
}

// takeResponses adds up a stream, and compares it with the response at its end.
func (s *said) takeResponses(e gjson.Result) {
	delta := e.Get("delta").Str
	switch e.Get("type").Str {
	case "response.output_text.delta":
		s.text += delta
	case "response.reasoning_summary_text.delta":
		s.reasoning += delta
	case "response.output_item.added":
		if it := e.Get("item"); it.Get("call_id").Exists() {
			s.calls = append(s.calls, call{id: it.Get("call_id").Str, name: it.Get("namespace").Str + "/" + it.Get("name").Str})
		}
	case "response.function_call_arguments.delta", "response.custom_tool_call_input.delta":
		s.calls[len(s.calls)-1].arguments += delta
	case "response.completed", "response.incomplete":
		var end said
		end.wholeResponse(e.Get("response"))
		s.done = end.text == s.text && end.reasoning == s.reasoning && slices.Equal(end.calls, s.calls)
		s.finish, s.stop, s.signature, s.usage = end.finish, end.stop, end.signature, e.Get("response.usage")
	}
}

func TestAnAnswerInResponses(t *testing.T) {
	o := sim.Options{Models: []sim.Model{both()}, Cases: []sim.Case{{Input: "2+2?", Answer: "4", Wrong: []string{"4"}}}}
	for _, tt := range []struct {
		name, fields, text string
		calls              []string
		finish             string
	}{
		{"a known input gets its answer", `"input":"2+2?"`, "4", nil, "completed"},
		{"so does one in parts", `"instructions":"be","input":[{"role":"user","content":[{"type":"input_text","text":"2+2?"}]}]`, "4", nil, "completed"},
		{"the limit cuts the answer", `"input":"long","max_output_tokens":5`, "[simulated] No model", nil, "incomplete"},
		{"the first tool is called", `"input":"weather?",` + weatherResponses, "", []string{"/weather"}, "completed"},
		{"both when the user says both", `"input":"both",` + weatherResponses, "", []string{"/weather", "/time"}, "completed"},
		{"the one that must be", `"input":"x","tool_choice":{"type":"function","name":"time"},` + weatherResponses, "", []string{"/time"}, "completed"},
		{"one in a namespace", `"input":"x","tools":[{"type":"namespace","name":"n","description":"d","tools":[{"type":"function","name":"f"}]}]`, "", []string{"n/f"}, "completed"},
		{"one for free text", `"input":"x","tools":[{"type":"custom","name":"patch"}]`, "", []string{"/patch"}, "completed"},
		{"a tool's result is used", `"input":[{"role":"user","content":"x"},{"type":"function_call","call_id":"a","name":"weather","arguments":"{}"},{"type":"function_call_output","call_id":"a","output":"rain"}],` + weatherResponses, "The tool answered: rain", nil, "completed"},
		{"a schema is filled in", `"input":"x","text":{"format":{"type":"json_schema","name":"n","schema":{"const":{"a":1}}}}`, `{"a":1}`, nil, "completed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sim.New(o)
			w := ask(s, responsesPost(tt.fields))
			if w.Code != http.StatusOK {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			got := whole(t, starling.Responses, w.Body.String())
			var names []string
			for _, c := range got.calls {
				names = append(names, c.name)
			}
			if !strings.Contains(got.text, tt.text) || got.finish != tt.finish || !slices.Equal(names, tt.calls) {
				t.Errorf("%+v", got)
			}
			again := stream(t, starling.Responses, ask(s, responsesPost(`"stream":true,`+tt.fields)).Body)
			if !again.done || again.text != got.text || again.finish != got.finish || !slices.Equal(again.calls, got.calls) || !sameUsage(again.usage, got.usage) {
				t.Errorf("the stream says %+v,\nthe whole answer %+v", again, got)
			}
			for i, e := range again.events {
				if e.Get("sequence_number").Int() != int64(i) {
					t.Errorf("event %d: %s", i, e.Raw)
				}
			}
		})
	}
}

func TestWhatResponsesWouldHaveKeptIsRefused(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{both()}})
	deep := whole(t, starling.Responses, ask(s, responsesPost(`"input":"x","reasoning":{"effort":"high"}`)).Body.String())
	if len(strings.Fields(deep.reasoning)) != 12 || deep.signature == "" || deep.usage.Get("output_tokens_details.reasoning_tokens").Int() != sim.Tokens(deep.reasoning) {
		t.Errorf("%+v", deep)
	}
	thought := func(signature string) string {
		return `"input":[{"role":"user","content":"x"},{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"` + signature + `"},{"role":"assistant","content":"y"},{"role":"user","content":"z"}]`
	}
	for fields, status := range map[string]int{
		thought(deep.signature): 200, thought("starling-unsigned"): 400, thought(""): 400,
		`"input":"x","previous_response_id":"resp_1"`:                          400,
		`"input":[{"type":"item_reference","id":"msg_1"}]`:                     400,
		`"input":[{"type":"function_call_output","call_id":"a","output":"x"}]`: 400,
		`"input":[{"role":"user","content":[{"type":"text","text":"x"}]}]`:     400,
		`"input":[]`: 400,
		`"input":[{"role":"user","content":"x"},{"type":"additional_tools","role":"developer","tools":[]}]`: 200,
	} {
		if w := ask(s, responsesPost(fields)); w.Code != status {
			t.Errorf("%s: status %d, want %d: %s", fields, w.Code, status, w.Body)
		}
	}
}

func TestAResponseBreaksOffAsItsModelStates(t *testing.T) {
	for failure, wantError := range map[sim.Failure]bool{{Truncated: 1}: false, {ErrorEvent: 1}: true} {
		m := both()
		m.Failure = failure
		_, url := start(t, sim.Options{Models: []sim.Model{m}})
		resp := send(t, url, responsesPost(`"input":"x","stream":true`))
		got := stream(t, starling.Responses, resp.Body)
		_ = resp.Body.Close()
		if last := got.events[len(got.events)-1]; got.done || (last.Get("type").Str == "error") != wantError {
			t.Errorf("%+v ended with %s", failure, last.Raw)
		}
	}
}
