package verify

import (
	"encoding/json"
	"strings"
	"testing"

	"starling"
)

// FuzzFormat: what passes is JSON alone; what is mended is a piece of the answer, and
// passes as it is.
func FuzzFormat(f *testing.F) {
	for _, seed := range []string{`{"total":1}`, "```json\n{\"total\":1}\n```", `Sure: {"total":1} and [1]`, "\uFEFF{}", `{"a":{"total":1}`, "``````", "```\n```", `"x": {}`, "[[[", "{}{}"} {
		f.Add(seed)
	}
	var shapes Shapes
	any := must(shapes.Format(&starling.Request{Format: &starling.Format{Kind: "json_object"}}))
	total := must(shapes.Format(&starling.Request{Format: &starling.Format{Kind: "json_schema", Schema: []byte(totalSchema)}}))
	f.Fuzz(func(t *testing.T, text string) {
		for _, net := range []*Format{any, total} {
			mended, breach := net.Check(&starling.Answer{Text: text, Finish: starling.Stopped}, 1)
			switch {
			case breach != nil:
				if mended != nil || breach.Why == "" || breach.Again == "" && !breach.Cut {
					t.Errorf("%q: %+v", text, breach)
				}
			case mended == nil:
				if !json.Valid([]byte(text)) {
					t.Errorf("%q passes", text)
				}
			default:
				again, still := net.Check(&starling.Answer{Text: mended.Text, Finish: starling.Stopped}, 1)
				if !strings.Contains(text, mended.Text) || !json.Valid([]byte(mended.Text)) || again != nil || still != nil {
					t.Errorf("%q was mended to %q", text, mended.Text)
				}
			}
		}
	})
}

// FuzzTurn: no turn breaks the net, and none gets two verdicts.
func FuzzTurn(f *testing.F) {
	f.Add("<tool_call>{\"name\":\"f\"}", `{"a":1}`, "f", false)
	f.Add(strings.Repeat("好 ", 300), "", "g", true)
	f.Add("```json\n[{\"name\":\"f\",\"arguments\":{}}]\n```", "{", "f", false)
	f.Fuzz(func(t *testing.T, text, arguments, name string, calls bool) {
		var shapes Shapes
		chat := &starling.Chat{Tools: []starling.Tool{{Name: "f", Schema: []byte(`{"type":"object"}`)}, {Name: name, Schema: []byte(arguments)}}}
		call := starling.ToolCall{Name: name, Arguments: arguments}
		for range 3 {
			chat.Messages = append(chat.Messages, starling.Message{Role: starling.Assistant, Parts: []starling.Part{{Kind: starling.CallPart, Call: &call}}},
				starling.Message{Role: starling.User, Parts: []starling.Part{{Kind: starling.ResultPart, Result: &starling.ToolResult{Parts: []starling.Part{{Kind: starling.TextPart, Text: text}}}}}})
		}
		a := &starling.Answer{Text: text, Finish: starling.Stopped}
		if calls {
			a.Calls = []starling.ToolCall{call}
		}
		r := &starling.Request{Dialect: starling.OpenAI, Body: []byte(text), Tools: 2}
		view := func() *starling.Chat { return chat }
		if first, second := shapes.Turn(r, a, view), shapes.Turn(r, a, view); first != second {
			t.Errorf("%q, then %q", first, second)
		}
	})
}
