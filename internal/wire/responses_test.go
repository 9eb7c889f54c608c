package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
	"pgregory.net/rapid"

	"starling"
)

func TestParseReadsWhatRoutingNeedsOfResponses(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       starling.Request
	}{
		{"a string", `{"model":"m","input":"hi"}`, starling.Request{Model: "m"}},
		{"a stream, which always has usage", `{"model":"m","input":"hi","stream":true,"max_output_tokens":20}`, starling.Request{Model: "m", Stream: true, WantUsage: true, MaxTokens: 20}},
		{"what an upstream keeps needs no input", `{"model":"m","previous_response_id":"resp_1"}`, starling.Request{Model: "m"}},
		{"tools, those in a namespace each, and what the vendor runs", `{"model":"m","input":"x","tools":[{"type":"function","name":"f"},{"type":"custom","name":"g"},{"type":"namespace","name":"n","tools":[{"type":"function","name":"a"},{"type":"function","name":"b"}]},{"type":"local_shell"},{"type":"web_search"}]}`, starling.Request{Model: "m", Tools: 6, Hosted: 1}},
		{"images, in a result too, and files", `{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"x"},{"type":"input_image","image_url":"data:image/png;base64,` + blob + `"},{"type":"input_file","file_data":"` + blob + `"}]},{"type":"function_call_output","call_id":"c","output":[{"type":"input_image","image_url":"u"}]}]}`,
			starling.Request{Model: "m", Images: 2, Documents: 1, Opaque: 2*len(blob) + len("data:image/png;base64,")}},
		{"a dearer service", `{"model":"m","input":"x","service_tier":"fast"}`, starling.Request{Model: "m", Tier: "service_tier fast"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(starling.Responses, []byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			c.want.Dialect, c.want.Body, c.want.Choices = starling.Responses, []byte(c.body), 1
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
	for field, body := range map[string]string{
		"model": `{"input":"x"}`, "input": `{"model":"m","input":{}}`, "tools": `{"model":"m","input":"x","tools":{}}`,
		"background": `{"model":"m","input":"x","background":true}`, "max_output_tokens": `{"model":"m","input":"x","max_output_tokens":-1}`,
	} {
		if _, err := Parse(starling.Responses, []byte(body)); err == nil || err.(*starling.Error).Op != fieldOp+field {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestWhatResponsesCannotSayElsewhereIsRefusedByName(t *testing.T) {
	for _, c := range []struct{ fields, op string }{
		{`"input":"x","previous_response_id":"resp_1"`, "previous_response_id"},
		{`"input":"x","conversation":"conv_1"`, "conversation"},
		{`"input":"x","prompt":{"id":"p"}`, "prompt"},
		{`"input":"x","moderation":{"model":"m"}`, "moderation"},
		{`"input":"x","tools":[{"type":"file_search"}]`, "tools[].type"},
		{`"input":"x","tools":[{"type":"mcp"}]`, "tools[].type"},
		{`"input":"x","tools":[{"type":"web_search"}],"tool_choice":{"type":"web_search_preview"}`, "tool_choice"},
		{`"input":"x","tools":[{"type":"web_search"}],"tool_choice":"required"`, "tool_choice"},
		{`"input":[{"role":"user","content":"x"},{"type":"item_reference","id":"msg_1"}]`, "input[].item_reference"},
		{`"input":[{"role":"user","content":"x"},{"id":"msg_1"}]`, "input[].item_reference"},
		{`"input":[{"role":"user","content":"x"},{"type":"compaction","encrypted_content":"x"}]`, "input[].type"},
		{`"input":[{"role":"user","content":"x"},{"type":"computer_call_output"}]`, "input[].type"},
		{`"input":[{"role":"user","content":[{"type":"input_file","file_id":"f"}]}]`, "input[].content[].type"},
		{`"input":[{"role":"user","content":[{"type":"input_image","file_id":"f"}]}]`, "input[].content[].file_id"},
		{`"input":[{"role":"judge","content":"x"}]`, "input[].role"},
		{`"input":[{"type":"function_call_output","output":"x"}]`, "input[].call_id"},
	} {
		for _, to := range []starling.Dialect{starling.OpenAI, starling.Anthropic} {
			r, err := Parse(starling.Responses, []byte(`{"model":"m",`+c.fields+`}`))
			if err != nil {
				t.Fatal(err)
			}
			_, err = Outgoing(&r, to, starling.Model{Name: "m"}, func(string) {})
			e, ok := errors.AsType[*starling.Error](err)
			if !ok || e.Kind != starling.Invalid || e.Op != fieldOp+c.op {
				t.Errorf("%s to %s: %v", c.fields, to, err)
			}
			if stateful[c.op] != "" && !strings.Contains(e.Error(), "send the whole input") {
				t.Errorf("%s: it says not what to do: %v", c.op, e)
			}
		}
	}
}

func TestAnUnknownAnswerBeforeIsToldInTheWordThatClientsKnow(t *testing.T) {
	r, _ := Parse(starling.Responses, []byte(`{"model":"m","input":"x","previous_response_id":"resp_1"}`))
	_, err := Outgoing(&r, starling.OpenAI, starling.Model{Name: "m"}, func(string) {})
	status, _, body := ErrorReply(starling.Responses, err.(*starling.Error), "r", "")
	if got := gjson.GetBytes(body, "error"); status != 400 || got.Get("code").Str != "previous_response_not_found" || got.Get("param").Str != "previous_response_id" {
		t.Errorf("%d %s", status, body)
	}
}

func TestAnOutlineOfResponsesSaysWhereTheConversationStands(t *testing.T) {
	for _, c := range []struct {
		name, body          string
		system, first, last string
		answers             int
	}{
		{"a string", `{"model":"m","instructions":"be","input":"a"}`, "be ", "a", "a", 0},
		{"items", `{"model":"m","input":[{"role":"developer","content":[{"type":"input_text","text":"be"}]},{"type":"message","role":"user","content":[{"type":"input_text","text":"a"}]},{"type":"reasoning","summary":[]},{"role":"assistant","content":"b"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"x"},{"type":"function_call","call_id":"d","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"d","output":"y"},{"role":"user","content":"z"},{"role":"user","content":[{"type":"input_image","image_url":"u"}]}]}`, "be ", "a", "z", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := outlined(t, starling.Responses, c.body)
			system := ""
			for _, s := range o.System {
				system += Text(s) + " "
			}
			if system != c.system || Text(o.First) != c.first || Text(o.Last) != c.last || o.Answers != c.answers {
				t.Errorf("system %q, first %q, last %q after %d answers", system, Text(o.First), Text(o.Last), o.Answers)
			}
		})
	}
}

func TestAQuestionInResponsesIsAskedInOtherWords(t *testing.T) {
	for _, c := range []struct{ name, in, out string }{
		{"it had none", `{"model":"a","input":"<é>","x":1.50}`, `{"instructions":"S","model":"a","input":"<é>","x":1.50}`},
		{"it had several", `{"model":"a","stream":true,"instructions":"i","input":[{"role":"developer","content":"d"},{"role":"user","content":"u"},{"type":"additional_tools","tools":[]}]}`,
			`{"model":"a","stream":false,"instructions":"S","input":[{"role":"user","content":"u"},{"type":"additional_tools","tools":[]}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Reword(parsed(t, starling.Responses, c.in), "S")
			if err != nil || string(got.Body) != c.out {
				t.Errorf("%v\n%s\nwant\n%s", err, got.Body, c.out)
			}
		})
	}
}

// TestThroughResponsesTheConversationIsKept: what is said in another dialect,
// translated into this one and back, is still said, by the same ones and in the
// same order.
func TestThroughResponsesTheConversationIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, err := Parse(starling.OpenAI, conversationOf(t))
		if err != nil {
			t.Fatal(err)
		}
		first.Body = withoutField(first.Body, "stop") // there are none in this dialect
		ask := func(r *starling.Request, d starling.Dialect) *starling.Request {
			body, err := Outgoing(r, d, starling.Model{Name: "m"}, func(string) {})
			if err != nil {
				t.Fatal(err)
			}
			next, err := Parse(d, body)
			if err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			return &next
		}
		want := summary(t, &first)
		for _, way := range [][]starling.Dialect{{starling.Responses, starling.OpenAI}, {starling.Anthropic, starling.Responses}, {starling.Responses, starling.Anthropic}} {
			r := &first
			for _, d := range way {
				r = ask(r, d)
			}
			if d := cmp.Diff(want, summary(t, r)); d != "" {
				t.Fatalf("%v: %s", way, d)
			}
			if r.Images != first.Images || r.Tools != first.Tools || r.Stream != first.Stream || r.MaxTokens != first.MaxTokens {
				t.Fatalf("%v: routing sees %+v", way, r)
			}
		}
	})
}

func withoutField(body []byte, name string) []byte {
	if at, end := locate(body, name); at < end {
		return edited(body, edit{at, end, "null"})
	}
	return body
}

func TestTheNumbersOfEventsHaveNoGaps(t *testing.T) {
	out := rendered(t, streaming(starling.Responses), starling.Event{Deltas: []starling.Delta{{Kind: starling.ReasoningPart, Text: "hm"}}}, textDelta(1, "a"), textDelta(1, "b"), callDelta(2, "c", "f", "{}"), starling.Event{Finish: starling.ToolUse, Usage: &starling.Usage{Input: 1, Output: 2}})
	n := int64(0)
	var names []string
	for block := range strings.SplitSeq(strings.TrimSpace(out), "\n\n") {
		name, data, _ := strings.Cut(block, "\ndata: ")
		name = strings.TrimPrefix(name, "event: ")
		if e := gjson.Parse(data); e.Get("sequence_number").Int() != n || !e.Get("sequence_number").Exists() || e.Get("type").Str != name {
			t.Errorf("event %d is %s", n, block)
		}
		n++
		names = append(names, strings.TrimPrefix(name, "response."))
	}
	want := []string{"created", "in_progress",
		"output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
		"output_item.added", "content_part.added", "output_text.delta", "output_text.delta", "output_text.done", "content_part.done", "output_item.done",
		"output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done", "completed"}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
}

func TestEveryReasonToEndIsToldInResponses(t *testing.T) {
	for f, want := range map[starling.Finish][2]string{
		starling.Stopped: {"completed", ""}, starling.StopWord: {"completed", ""}, starling.ToolUse: {"completed", ""}, starling.Paused: {"completed", ""}, starling.OtherStop: {"completed", ""}, "": {"completed", ""},
		starling.Length: {"incomplete", "max_output_tokens"}, starling.Overfull: {"incomplete", "max_output_tokens"}, starling.Filtered: {"incomplete", "content_filter"},
	} {
		for _, stream := range []bool{true, false} {
			out := rendered(t, &starling.Request{Dialect: starling.Responses, Stream: stream}, textDelta(0, "x"), starling.Event{Finish: f})
			if stream {
				at := strings.LastIndex(out, "data: ")
				if !strings.Contains(out, "event: response."+want[0]+"\n") {
					t.Errorf("%q: no %s in %s", f, want[0], out)
				}
				out = gjson.Get(out[at+6:], "response").Raw
			}
			if got := gjson.Parse(out); got.Get("status").Str != want[0] || got.Get("incomplete_details.reason").Str != want[1] || got.Get("output.0.status").Str != want[0] {
				t.Errorf("%q, stream %v: %s", f, stream, out)
			}
		}
	}
}

// codex is a question as the coding agent asks it: tools of four kinds, history of
// calls of all of them.
const codex = `{"model":"m","stream":true,"store":false,"input":[{"role":"user","content":"go"}],"tools":[{"type":"function","name":"run","parameters":{},"strict":false},{"type":"custom","name":"apply_patch","description":"Edit.","format":{"type":"grammar","syntax":"lark","definition":"start: x"}},{"type":"namespace","name":"agents","description":"d","tools":[{"type":"function","name":"spawn","parameters":{}}]},{"type":"web_search","external_web_access":false}]}`

func TestToolsAreCalledAsTheCallerOfferedThem(t *testing.T) {
	events := []starling.Event{callDelta(0, "a", "apply_patch", `{"inp`), callDelta(0, "", "", `ut":"*** \"x\"\n"}`), callDelta(1, "b", "agents__spawn", `{}`), callDelta(2, "c", "run", `{"x":1}`), {Finish: starling.ToolUse}}
	for _, stream := range []bool{true, false} {
		r := parsed(t, starling.Responses, codex)
		r.Stream = stream
		out := rendered(t, r, events...)
		if stream {
			for _, want := range []string{"event: response.custom_tool_call_input.delta", "event: response.custom_tool_call_input.done", "event: response.function_call_arguments.delta"} {
				if !strings.Contains(out, want) {
					t.Errorf("no %s in %s", want, out)
				}
			}
			out = gjson.Get(out[strings.LastIndex(out, "data: ")+6:], "response").Raw
		}
		var got []string
		for _, item := range gjson.Get(out, "output").Array() {
			got = append(got, fmt.Sprint(item.Get("type").Str, " ", item.Get("namespace").Str, " ", item.Get("name").Str, " ", item.Get("call_id").Str, " ", item.Get("input").Str, item.Get("arguments").Str))
		}
		want := []string{"custom_tool_call  apply_patch a *** \"x\"\n", "function_call agents spawn b {}", "function_call  run c {\"x\":1}"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("stream %v: %s", stream, d)
		}
	}
}

func TestFreeTextThatTheModelDidNotWrapIsTakenAtItsWord(t *testing.T) {
	for in, want := range map[string]string{`{"input":"a"}`: "a", `*** patch`: "*** patch", `{"text":"a"}`: `{"text":"a"}`, `{"input":1}`: `{"input":1}`, "": "", `{"input"`: `{"input"`} {
		if got := customInput(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestTheIDsOfItemsDifferBetweenAnswers(t *testing.T) {
	ids := map[string]bool{}
	for _, answer := range []string{"rcp_" + strings.Repeat("0123456789abcdef", 2), "rcp_" + strings.Repeat("fedcba9876543210", 2)} {
		var out bytes.Buffer
		w := NewWriter(&out, WriterOptions{Request: &starling.Request{Dialect: starling.Responses}, ID: answer})
		if err := errors.Join(w.Event(textDelta(0, "x")), w.Event(callDelta(1, "", "f", "{}")), w.Event(callDelta(2, "", "f", "{}")), w.Close()); err != nil {
			t.Fatal(err)
		}
		for i, item := range gjson.Get(out.String(), "output").Array() {
			id := item.Get("id").Str
			if ids[id] || len(id) > 64 || !strings.HasPrefix(id, []string{"msg_", "fc_", "fc_"}[i]) {
				t.Errorf("the id of item %d is %q", i, id)
			}
			ids[id] = true
		}
	}
}

func TestReasoningUnderOurMarkDoesNotGoBackUpstream(t *testing.T) {
	const theirs = `{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"x"}`
	r := parsed(t, starling.Responses, `{"model":"m", "input":[{"role":"user","content":"a"},`+theirs+`,{"type":"reasoning","id":"rs_starling_1_0","summary":[]},{"type":"reasoning","id":"x","summary":[],"encrypted_content":"starling-unsigned"}]}`)
	var left []string
	body, err := Outgoing(r, starling.Responses, starling.Model{Name: "n"}, func(s string) { left = append(left, s) })
	if want := `{"model":"n", "input":[{"role":"user","content":"a"},` + theirs + `]}`; err != nil || string(body) != want || !slices.Equal(left, []string{"input[].reasoning"}) {
		t.Errorf("%s, left %v, %v", body, left, err)
	}
}

func TestInItsOwnDialectOnlyTheModelsNameChanges(t *testing.T) {
	for _, body := range []string{codex, `{ "input" : "\u00e9" , "model":"m", "seed":9007199254740993, "unknown": [1.50] }`, `{"model":"m","previous_response_id":"resp_1","input":[{"type":"compaction"},{"type":"item_reference","id":"rs_1"}]}`} {
		got, err := Outgoing(parsed(t, starling.Responses, body), starling.Responses, starling.Model{Name: "other"}, func(s string) { t.Errorf("left %s", s) })
		if want := strings.Replace(body, `"model":"m"`, `"model":"other"`, 1); err != nil || string(got) != want {
			t.Errorf("%v\n%s\nwant\n%s", err, got, want)
		}
	}
}

// sparse are streams of servers that leave events out.
func TestWhatIsOnlyInAnEndIsTold(t *testing.T) {
	const created, end = `{"type":"response.created","response":{"id":"r","model":"m"}}`, `{"type":"response.completed","response":{"id":"r","usage":{"input_tokens":5,"output_tokens":1}}}`
	call1, call2 := call("c", "f", `{"x":1}`), call("d", "f", `{"x":2}`)
	for _, c := range []struct {
		name   string
		events []string
		text   string
		calls  []starling.ToolCall
	}{
		{"items alone", []string{created, `{"type":"response.output_item.done","output_index":0,"item":{"type":"message","id":"m","content":[{"type":"output_text","text":"hi"},{"type":"refusal","refusal":"no"}]}}`, end}, "hi", nil},
		{"the response alone", []string{`{"type":"response.completed","response":{"output":[{"type":"message","content":[{"type":"output_text","text":"hi"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{\"x\":1}"}],"usage":{"input_tokens":5,"output_tokens":1}}}`}, "hi", []starling.ToolCall{call1}},
		{"a text's end", []string{`{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"hi"}`, end}, "hi", nil},
		{"a call's end", []string{`{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"i","call_id":"c","name":"f","arguments":""}}`, `{"type":"response.function_call_arguments.done","output_index":0,"item_id":"i","arguments":"{\"x\":1}"}`, end}, "", []starling.ToolCall{call1}},
		{"calls without a start", []string{`{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"x\":1}"}`, `{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","id":"i","call_id":"c","name":"f","arguments":"{\"x\":1}"}}`, end}, "", []starling.ToolCall{call1}},
		{"two calls under one number", []string{
			`{"type":"response.output_item.added","item":{"type":"function_call","id":"i","call_id":"c","name":"f"}}`, `{"type":"response.output_item.added","item":{"type":"function_call","id":"j","call_id":"d","name":"f"}}`,
			`{"type":"response.function_call_arguments.delta","item_id":"i","delta":"{\"x\":1}"}`, `{"type":"response.function_call_arguments.delta","item_id":"j","delta":"{\"x\":2}"}`, end}, "", []starling.ToolCall{call1, call2}},
		{"nothing is told twice", []string{`{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"hi"}`, `{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"hi"}`,
			`{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"hi"}]}}`, `{"type":"response.completed","response":{"output":[{"type":"message","content":[{"type":"output_text","text":"hi"}]}],"usage":{"input_tokens":5,"output_tokens":1}}}`}, "hi", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			stream := ""
			for _, e := range c.events {
				stream += "data: " + e + "\n\n"
			}
			got := readAll(t, strings.NewReader(stream), ReadOptions{Dialect: starling.Responses, Stream: true, Deltas: true})
			if got.err != nil || got.answer.Text != c.text || got.usage != (starling.Usage{Input: 5, Output: 1}) {
				t.Errorf("%+v", got)
			}
			if d := cmp.Diff(c.calls, got.answer.Calls); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAResponseThatFailedIsAnError(t *testing.T) {
	const created = "data: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\n"
	for _, c := range []struct {
		name, stream string
		kind         starling.Kind
		says         string
	}{
		{"it says that it failed", created + "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"server_error\",\"message\":\"boom\"}}}\n\n", starling.Overloaded, "boom"},
		{"it says that there is an error", "event: error\ndata: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"slowly\",\"param\":null,\"sequence_number\":1}\n\n", starling.Overloaded, "slowly"},
		{"it has an error as bodies have it", "data: {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"no\",\"code\":null}}\n\n", starling.Refused, "no"},
		{"it is cut", created, starling.Overloaded, ""},
		{"it ends like another dialect", created + "data: [DONE]\n\n", starling.Overloaded, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			w := NewWriter(&out, WriterOptions{Request: streaming(starling.Responses), ID: "x"})
			err := relay(w, strings.NewReader(c.stream), ReadOptions{Dialect: starling.Responses, Stream: true, Deltas: true})
			e, ok := errors.AsType[*starling.Error](err)
			if !ok || e.Kind != c.kind {
				t.Errorf("got %v", err)
			}
			if !strings.Contains(out.String(), "event: response.failed\n") || !strings.HasPrefix(out.String()[strings.LastIndex(out.String(), "event: "):], "event: error\n") || !strings.Contains(out.String(), c.says) {
				t.Errorf("the caller hears %s", out.String())
			}
		})
	}
}

func TestAnErrorAfterWhatPassedGoesOnWithItsNumbers(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, WriterOptions{Request: streaming(starling.Responses)})
	if err := w.Event(starling.Event{Raw: []byte("data: {\"type\":\"response.created\",\"sequence_number\": 41}\n\n")}); err != nil {
		t.Fatal(err)
	}
	if err := w.Fail(&starling.Error{Kind: starling.Overloaded, Op: "cut"}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"type":"response.failed","sequence_number":42`) || !strings.Contains(out.String(), `"type":"error","sequence_number":43`) {
		t.Error(out.String())
	}
}

// FuzzResponses takes anything for a question and for an answer in this dialect.
func FuzzResponses(f *testing.F) {
	seeds(f, "question", "caller.json")
	seeds(f, "answer", "upstream")
	f.Add([]byte(codex), false)
	f.Fuzz(func(t *testing.T, body []byte, stream bool) {
		if r, err := Parse(starling.Responses, body); err == nil {
			asked(t, &r)
		}
		o := ReadOptions{Dialect: starling.Responses, Stream: stream, Raw: true, Deltas: true, MaxEvent: 1 << 16}
		whole := readAll(t, bytes.NewReader(body), o)
		slow := readAll(t, iotest.OneByteReader(bytes.NewReader(body)), o)
		if (whole.err == nil) != (slow.err == nil) || whole.answer.Text != slow.answer.Text || whole.usage != slow.usage || whole.bytes < len(whole.answer.Text) {
			t.Fatalf("at once %+v, byte by byte %+v", whole, slow)
		}
		for _, d := range Dialects() {
			for _, way := range [][2]starling.Dialect{{starling.Responses, d}, {d, starling.Responses}} {
				o := ReadOptions{Dialect: way[0], Stream: stream, Deltas: true, MaxEvent: 1 << 16}
				said := readAll(t, bytes.NewReader(body), o)
				var out bytes.Buffer
				r := &starling.Request{Dialect: way[1], Stream: stream}
				if way[0] == way[1] || relay(NewWriter(&out, WriterOptions{Request: r}), bytes.NewReader(body), o) != nil {
					continue
				}
				if back := readAll(t, &out, ReadOptions{Dialect: way[1], Stream: stream, Deltas: true}); back.err != nil || back.answer.Text != said.answer.Text {
					t.Fatalf("%v: %q became %q", back.err, said.answer.Text, back.answer.Text)
				}
			}
		}
	})
}

func asked(t *testing.T, r *starling.Request) {
	o := OutlineOf(r)
	o.WriteOpening(io.Discard)
	for _, d := range Dialects() {
		out, err := Outgoing(r, d, starling.Model{Name: "other"}, func(string) {})
		if err != nil {
			if starling.KindOf(err) != starling.Invalid {
				t.Fatalf("%v is not invalid", err)
			}
			continue
		}
		if !json.Valid(out) {
			t.Fatalf("not JSON: %s", out)
		}
	}
}
