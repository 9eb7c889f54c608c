package wire

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
)

func TestWhatIsWrittenInResponsesIsWhatOpenAIDescribes(t *testing.T) {
	schema := oracle(t)
	event, whole, failed := schema("ResponseStreamEvent"), schema("Response"), schema("ErrorResponse")
	events := []starling.Event{
		{Deltas: []starling.Delta{{Kind: starling.ReasoningPart, Text: "hm", Signature: "s"}, {Kind: starling.TextPart, Block: 1, Text: "x"}, {Kind: starling.RefusalPart, Block: 2, Text: "no"}}},
		callDelta(3, "a", "apply_patch", `{"input":"x"}`), callDelta(4, "b", "agents__spawn", `{}`), callDelta(5, "c", "run", `{}`),
	}
	plain := `{"model":"m","input":"x","instructions":"i","metadata":{"a":"b"},"temperature":0.5,"top_p":1,"max_output_tokens":100,"parallel_tool_calls":false,"user":"u","reasoning":{"effort":"low"},"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}},"tools":[{"type":"function","name":"f"}],"tool_choice":{"type":"function","name":"f"}}`
	for _, question := range []string{codex, plain, `{"model":"m","input":"x"}`} {
		for _, end := range []starling.Event{{Finish: starling.ToolUse, Usage: &starling.Usage{Input: 1, CacheRead: 2, Output: 2, Reasoning: 1}}, {Finish: starling.Length}, {Finish: starling.Filtered}} {
			r := parsed(t, starling.Responses, question)
			r.Stream = false
			checked(t, whole, rendered(t, r, append(events, end)...))
			r.Stream = true
			streamed(t, rendered(t, r, append(events, end)...), func(data string) { checked(t, event, data) })
		}
	}
	var out strings.Builder
	w := NewWriter(&out, WriterOptions{Request: parsed(t, starling.Responses, plain+"\n"), ID: "x"})
	w.request.Stream = true
	if err := w.Event(events[0]); err != nil {
		t.Fatal(err)
	}
	if err := w.Fail(&starling.Error{Kind: starling.Overloaded, Op: "cut"}); err != nil {
		t.Fatal(err)
	}
	streamed(t, out.String(), func(data string) { checked(t, event, data) })
	for _, k := range starling.Kinds {
		_, _, body := ErrorReply(starling.Responses, &starling.Error{Kind: k, Op: "o"}, "r", "")
		checked(t, failed, string(body))
	}
}

// streamed calls f with the data of each event.
func streamed(t *testing.T, out string, f func(data string)) {
	t.Helper()
	n := 0
	for block := range strings.SplitSeq(strings.TrimSpace(out), "\n\n") {
		if _, data, ok := strings.Cut(block, "\ndata: "); ok {
			n++
			f(data)
		}
	}
	if n == 0 {
		t.Errorf("no events in %s", out)
	}
}

func TestWhatGoesToResponsesIsWhatOpenAIDescribes(t *testing.T) {
	request := oracle(t)("CreateResponse")
	n := 0
	for _, body := range archived(t, "question", "upstream.json") {
		if gjson.Get(body, "input").Exists() {
			n++
			checked(t, request, body)
		}
	}
	if n == 0 {
		t.Error("no question is written in this dialect")
	}
}
