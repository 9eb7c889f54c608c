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
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"starling"
)

func streaming(d starling.Dialect) *starling.Request {
	return &starling.Request{Dialect: d, Stream: true, Body: []byte(`{}`), Model: "asked"}
}

func textDelta(block int, s string) starling.Event {
	return starling.Event{Deltas: []starling.Delta{{Kind: starling.TextPart, Block: block, Text: s}}}
}

func callDelta(block int, id, name, s string) starling.Event {
	return starling.Event{Deltas: []starling.Delta{{Kind: starling.CallPart, Block: block, ID: id, Name: name, Text: s}}}
}

// rendered writes events for a caller of d and closes.
func rendered(t *testing.T, r *starling.Request, events ...starling.Event) string {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out, WriterOptions{Request: r, ID: "id_1", Created: time.Unix(1, 0)})
	for _, ev := range events {
		if err := w.Event(ev); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	events := []starling.Event{
		{Deltas: []starling.Delta{{Kind: starling.ReasoningPart, Text: "hm "}}},
		textDelta(1, "Grüße <b>& \"q\"\n\u2028 🐦"),
		callDelta(2, "a", "f", `{"x":`), callDelta(2, "", "", `1}`),
		callDelta(3, "b", "g", ""), callDelta(3, "", "", `{}`),
		{Finish: starling.Stopped, Usage: &starling.Usage{Input: 3, CacheRead: 4, CacheWrite: 5, Output: 6, Reasoning: 2}},
	}
	want := starling.Answer{Text: "Grüße <b>& \"q\"\n\u2028 🐦", Calls: []starling.ToolCall{call("a", "f", `{"x":1}`), call("b", "g", `{}`)}, Finish: starling.ToolUse}
	for _, d := range Targets() {
		for _, stream := range []bool{true, false} {
			r := streaming(d)
			r.Stream, r.WantUsage = stream, stream
			want, usage := want, *events[len(events)-1].Usage
			if d == starling.Gemini { // thoughts must be asked for, and nothing is said of what a cache was given
				r.Body = []byte(askedThoughts)
				usage.Input, usage.CacheWrite = usage.Input+usage.CacheWrite, 0
			}
			got := readAll(t, strings.NewReader(rendered(t, r, events...)), ReadOptions{Dialect: d, Stream: stream, Deltas: true})
			if d := cmp.Diff(want, got.answer); d != "" || got.err != nil || got.think != "hm " {
				t.Errorf("%s, stream %v: %s thinking %q, %v", r.Dialect, stream, d, got.think, got.err)
			}
			if d == starling.Ollama { // it has one count for all that was read
				usage = starling.Usage{Input: usage.TotalInput(), Output: usage.Output}
			}
			if d := cmp.Diff(usage, got.usage); d != "" {
				t.Errorf("%s, stream %v: %s", r.Dialect, stream, d)
			}
		}
	}
}

func TestEveryChunkHasTheSameIdentityAndEveryCallItsNumber(t *testing.T) {
	r := streaming(starling.OpenAI)
	out := rendered(t, r, textDelta(0, "x"), callDelta(1, "", "f", "{"), callDelta(1, "", "", "}"), callDelta(2, "", "g", "{}"))
	ids := []string{}
	for i, data := range strings.Split(strings.TrimSpace(out), "\n\n") {
		data = strings.TrimPrefix(data, "data: ")
		if data == "[DONE]" {
			continue
		}
		var c struct {
			ID, Object, Model string
			Created           int64
			Choices           []struct {
				Delta struct {
					Role  string
					Calls []struct {
						Index *int
						ID    string
						Type  string
					} `json:"tool_calls"`
				}
			}
		}
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			t.Fatal(err)
		}
		if c.ID != "id_1" || c.Object != "chat.completion.chunk" || c.Model != "asked" || c.Created != 1 || len(c.Choices) != 1 {
			t.Errorf("chunk %d: %+v", i, c)
		}
		if (i == 0) != (c.Choices[0].Delta.Role == "assistant") {
			t.Errorf("chunk %d has the role %q", i, c.Choices[0].Delta.Role)
		}
		for _, call := range c.Choices[0].Delta.Calls {
			if call.Index == nil || (call.ID == "") != (call.Type == "") {
				t.Errorf("chunk %d: %+v", i, call)
			} else if call.ID != "" {
				ids = append(ids, call.ID)
			}
		}
	}
	if d := cmp.Diff([]string{"call_id_1_0", "call_id_1_1"}, ids); d != "" {
		t.Error(d)
	}
}

func TestEachOfSeveralChoicesIsWrittenToItsOwnEnd(t *testing.T) {
	of := func(choice int, d starling.Delta) starling.Event {
		d.Choice = choice
		return starling.Event{Deltas: []starling.Delta{d}}
	}
	text := func(s string) starling.Delta {
		return starling.Delta{Kind: starling.TextPart, Text: s, Tokens: []starling.Token{{Text: s, Logprob: -1}}}
	}
	called := starling.Delta{Kind: starling.CallPart, Block: 1, Name: "f", Text: "{}"}
	events := []starling.Event{
		of(1, text("b")), of(0, text("a")), of(1, text("bb")), of(0, called), of(1, called), of(1, starling.Delta{Finish: starling.ToolUse}),
		of(2, starling.Delta{Finish: starling.Length}), of(0, starling.Delta{Finish: starling.Stopped}),
		{Finish: starling.Stopped, Usage: &starling.Usage{Input: 1, Output: 9}},
	}
	r := streaming(starling.OpenAI)
	r.WantProbs = true
	if d := cmp.Diff([]string{`1 ""`, `1 "b" b`, `0 ""`, `0 "a" a`, `1 "bb" bb`, `0 call_id_1_0`, `1 call_id_1_1`, `1 tool_calls`, `2 ""`, `2 length`, `0 tool_calls`}, choicesOf(t, rendered(t, r, events...))); d != "" {
		t.Errorf("a stream: %s", d)
	}
	r.Stream = false
	if d := cmp.Diff([]string{`0 "a" call_id_1_0 a tool_calls`, `1 "bbb" call_id_1_1 b bb tool_calls`, `2 "" length`}, choicesOf(t, rendered(t, r, events...))); d != "" {
		t.Errorf("a body: %s", d)
	}
	r.Dialect, events = starling.Completions, slices.Delete(events, 3, 6)
	if d := cmp.Diff([]string{`0 "a" a@0 stop`, `1 "bbb" b@0 bb@1 stop`, `2 "" length`}, choicesOf(t, rendered(t, r, append(events, of(1, starling.Delta{Finish: starling.Stopped}))...))); d != "" {
		t.Errorf("completions: %s", d)
	}
	r.Stream = true
	if d := cmp.Diff([]string{`1 "b" b@0`, `0 "a" a@0`, `1 "bb" bb@1`, `2 "" length`, `0 "" stop`, `1 "" stop`}, choicesOf(t, rendered(t, r, append(events, of(1, starling.Delta{Finish: starling.Stopped}))...))); d != "" {
		t.Errorf("completions in a stream: %s", d)
	}
	var c Collector
	for _, ev := range events {
		c.Add(ev)
	}
	if a := c.Answer(); a.Text != "a" || len(a.Calls) != 0 || a.Finish != starling.Stopped {
		t.Errorf("who judges the answer hears %+v", a)
	}
}

// choicesOf is what each choice of an answer, or of a chunk, says: its number, its text, the
// ids of its calls, its tokens and where they stand, and its end.
func choicesOf(t *testing.T, out string) (all []string) {
	t.Helper()
	for event := range strings.SplitSeq(strings.TrimSpace(out), "\n\n") {
		var said struct {
			Choices []struct {
				Index          int
				Text           *string
				Delta, Message struct {
					Content *string
					Calls   []struct{ ID string } `json:"tool_calls"`
				}
				Logprobs struct {
					Content []struct{ Token string }
					Tokens  []string
					At      []int `json:"text_offset"`
				}
				Finish string `json:"finish_reason"`
			}
		}
		if event = strings.TrimPrefix(event, "data: "); event == "[DONE]" {
			continue
		}
		if err := json.Unmarshal([]byte(event), &said); err != nil {
			t.Fatalf("%s: %v", event, err)
		}
		for _, c := range said.Choices {
			line := fmt.Sprint(c.Index)
			for _, text := range []*string{c.Text, c.Delta.Content, c.Message.Content} {
				if text != nil {
					line += fmt.Sprintf(" %q", *text)
				}
			}
			for _, call := range append(c.Delta.Calls, c.Message.Calls...) {
				line += " " + call.ID
			}
			for _, token := range c.Logprobs.Content {
				line += " " + token.Token
			}
			for i, token := range c.Logprobs.Tokens {
				line += fmt.Sprintf(" %s@%d", token, c.Logprobs.At[i])
			}
			all = append(all, strings.TrimSuffix(line+" "+c.Finish, " "))
		}
	}
	return all
}

func TestAnthropicBlocksNeverOverlap(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, WriterOptions{Request: streaming(starling.Anthropic), ID: "id_1"})
	for _, ev := range []starling.Event{
		callDelta(0, "a", "f", `{"x":`), callDelta(1, "b", "g", `{`), callDelta(0, "", "", `1}`), callDelta(1, "", "", `}`),
		callDelta(2, "", "", ""), callDelta(2, "c", "h", "{}"), textDelta(3, "x"),
	} {
		if err := w.Event(ev); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Event(callDelta(0, "", "", "late")); starling.KindOf(err) != starling.Overloaded {
		t.Errorf("more of a call that was closed: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	open := false
	for line := range strings.Lines(out.String()) {
		switch strings.TrimSpace(line) {
		case "event: content_block_start":
			if open {
				t.Fatal("a block starts inside another")
			}
			open = true
		case "event: content_block_stop":
			open = false
		}
	}
	got := readAll(t, &out, ReadOptions{Dialect: starling.Anthropic, Stream: true, Deltas: true})
	if d := cmp.Diff([]starling.ToolCall{call("a", "f", `{"x":1}`), call("b", "g", `{}`), call("c", "h", `{}`)}, got.answer.Calls); d != "" || got.answer.Text != "x" {
		t.Errorf("%s %q", d, got.answer.Text)
	}
}

func TestACallIsStreamedAsSoonAsTheOneBeforeIsComplete(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, WriterOptions{Request: streaming(starling.Anthropic)})
	for _, ev := range []starling.Event{callDelta(0, "a", "f", `{}`), callDelta(1, "b", "g", `{"y`)} {
		if err := w.Event(ev); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(out.String(), `{\"y`) {
		t.Error("the second call waits")
	}
}

func TestAnEmptyAnswerHasItsProperEnd(t *testing.T) {
	for _, d := range Dialects() {
		for _, stream := range []bool{true, false} {
			r := streaming(d)
			r.Stream = stream
			if got := readAll(t, strings.NewReader(rendered(t, r)), ReadOptions{Dialect: d, Stream: stream, Deltas: true}); got.err != nil || got.answer.Finish != starling.Stopped {
				t.Errorf("%s, stream %v: %+v", d, stream, got)
			}
		}
	}
}

func TestAWholeAnswerIsRenderedForACallerWhoStreams(t *testing.T) {
	body := `{"id":"msg_1","type":"message","content":[{"type":"thinking","thinking":"hm","signature":"real"},{"type":"text","text":"x"}],"stop_reason":"end_turn"}`
	var out bytes.Buffer
	w := NewWriter(&out, WriterOptions{Request: streaming(starling.Anthropic), ID: "id_1"})
	if err := relay(w, strings.NewReader(body), ReadOptions{Dialect: starling.Anthropic, Raw: true, Deltas: true}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"signature":"real"`) || !strings.HasSuffix(out.String(), "data: {\"type\":\"message_stop\"}\n\n") {
		t.Errorf("got %s", out.String())
	}
}

func TestFailSaysWhatTheUpstreamSaid(t *testing.T) {
	e := &starling.Error{Kind: starling.Overloaded, Op: "x", Reply: &starling.Reply{Dialect: starling.OpenAI, Status: 503, Body: []byte("{\n\"error\":{\"message\":\"Busy <now>\"}}")}}
	bare := &starling.Error{Kind: starling.Overloaded, Op: "x", Reply: &starling.Reply{Dialect: starling.OpenAI, Status: 500, Body: []byte(`{"message":"boom","type":"server_error"}`)}}
	for _, c := range []struct {
		name string
		e    *starling.Error
		r    *starling.Request
		want string
	}{
		{"the same dialect", e, streaming(starling.OpenAI), "data: {\ndata: \"error\":{\"message\":\"Busy <now>\"}}\n\n"},
		{"one that clients would not notice", bare, streaming(starling.OpenAI), "data: {\"error\":{\"message\":\"boom\",\"type\":\"server_error\",\"param\":null,\"code\":\"overloaded\"}}\n\n"},
		{"the other dialect", e, streaming(starling.Anthropic), "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Busy <now>\"}}\n\n"},
		{"a dialect of lines", e, streaming(starling.Ollama), "{\"error\":\"Busy <now>\"}\n"},
		{"what an upstream of it said, in one line", &starling.Error{Kind: starling.Overloaded, Op: "x", Reply: &starling.Reply{Dialect: starling.Ollama, Status: 500, Body: []byte("{\r\n\"error\": \"Busy\\n\"}")}}, streaming(starling.Ollama), "{  \"error\": \"Busy\\n\"}\n"},
		{"a body", e, &starling.Request{Dialect: starling.Anthropic}, `{"type":"error","error":{"type":"overloaded_error","message":"Busy <now>"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			w := NewWriter(&out, WriterOptions{Request: c.r})
			if err := errors.Join(w.Fail(c.e), w.Fail(c.e), w.Close()); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, out.String()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestACallerWhoLeftIsCancelled(t *testing.T) {
	_, w := io.Pipe()
	w.Close()
	if err := NewWriter(w, WriterOptions{Request: streaming(starling.OpenAI)}).Event(textDelta(0, "x")); starling.KindOf(err) != starling.Cancelled {
		t.Errorf("got %v", err)
	}
}

func TestUsageThatNobodyCountedIsNotInvented(t *testing.T) {
	r := streaming(starling.OpenAI)
	r.WantUsage = true
	if out := rendered(t, r, textDelta(0, "x")); strings.Contains(out, `"choices":[]`) {
		t.Errorf("got %s", out)
	}
	if out := rendered(t, &starling.Request{Dialect: starling.OpenAI}, textDelta(0, "x")); strings.Contains(out, "usage") {
		t.Errorf("got %s", out)
	}
}

func TestUsageIsTakenOutOfDataInSeveralLines(t *testing.T) {
	raw := "data: {\"usage\":null,\ndata: \"choices\":[{}]}\n\n"
	if got := rendered(t, streaming(starling.OpenAI), starling.Event{Raw: []byte(raw)}); got != "data: {\ndata: \"choices\":[{}]}\n\n"+openAIDone {
		t.Errorf("got %q", got)
	}
}

func TestTextBetweenPiecesOfACallWaits(t *testing.T) {
	out := rendered(t, streaming(starling.Anthropic), callDelta(0, "a", "f", `{"x"`), textDelta(1, " "), callDelta(0, "", "", `:1}`), textDelta(1, "so"), starling.Event{Finish: starling.ToolUse})
	got := readAll(t, strings.NewReader(out), ReadOptions{Dialect: starling.Anthropic, Stream: true, Deltas: true})
	if d := cmp.Diff([]starling.ToolCall{call("a", "f", `{"x":1}`)}, got.answer.Calls); d != "" || got.answer.Text != " so" || got.err != nil {
		t.Errorf("%s %q %v", d, got.answer.Text, got.err)
	}
}

func TestARefusalIsToldAsOne(t *testing.T) {
	for _, stream := range []bool{true, false} {
		r := &starling.Request{Dialect: starling.Anthropic, Stream: stream}
		no := starling.Event{Deltas: []starling.Delta{{Kind: starling.RefusalPart, Text: "no"}}}
		if out := rendered(t, r, no, starling.Event{Finish: starling.Stopped}); !strings.Contains(out, `"stop_reason":"refusal"`) {
			t.Errorf("got %s", out)
		}
	}
}

func TestACallThatTheLimitCutIsToldAsCut(t *testing.T) {
	out := rendered(t, &starling.Request{Dialect: starling.Anthropic}, callDelta(0, "a", "f", `{"path": "a.t`), starling.Event{Finish: starling.Length})
	if !strings.Contains(out, `"name":"f","input":{}`) || !strings.Contains(out, `"stop_reason":"max_tokens"`) {
		t.Errorf("got %s", out)
	}
}

func TestOurOwnIDsOfCallsAreOfALengthThatEverybodyTakes(t *testing.T) {
	id := "rcp_" + strings.Repeat("0123456789abcdef", 2)
	for _, d := range Targets() {
		var out bytes.Buffer
		w := NewWriter(&out, WriterOptions{Request: streaming(d), ID: id})
		if err := errors.Join(w.Event(callDelta(0, "", "f", `{}`)), w.Event(callDelta(1, "", "g", `{}`)), w.Close()); err != nil {
			t.Fatal(err)
		}
		got := readAll(t, &out, ReadOptions{Dialect: d, Stream: true, Deltas: true}).answer.Calls
		if len(got) != 2 || got[0].ID == got[1].ID || len(got[0].ID) > longestID || got[0].ID != plainID(got[0].ID) {
			t.Errorf("%s: %+v", d, got)
		}
	}
	if a, b := shortID(strings.Repeat("é", 40)+"a"), shortID(strings.Repeat("é", 40)+"b"); a == b || len(a) > longestID || !utf8.ValidString(a) {
		t.Errorf("%q and %q", a, b)
	}
}

func TestEveryReasonToEndIsTold(t *testing.T) {
	told := map[starling.Dialect]map[starling.Finish]string{
		starling.OpenAI: {
			starling.Stopped: "stop", starling.StopWord: "stop", starling.Length: "length", starling.ToolUse: "tool_calls",
			starling.Filtered: "content_filter", starling.Paused: "stop", starling.Overfull: "length", starling.OtherStop: "stop", "": "stop",
		},
		starling.Anthropic: {
			starling.Stopped: "end_turn", starling.StopWord: "stop_sequence", starling.Length: "max_tokens", starling.ToolUse: "tool_use",
			starling.Filtered: "refusal", starling.Paused: "pause_turn", starling.Overfull: "model_context_window_exceeded", starling.OtherStop: "end_turn", "": "end_turn",
		},
		starling.Gemini: {
			starling.Stopped: "STOP", starling.StopWord: "STOP", starling.Length: "MAX_TOKENS", starling.ToolUse: "STOP",
			starling.Filtered: "SAFETY", starling.Paused: "OTHER", starling.Overfull: "MAX_TOKENS", starling.OtherStop: "OTHER", "": "STOP",
		},
		starling.Ollama: {
			starling.Stopped: "stop", starling.StopWord: "stop", starling.Length: "length", starling.ToolUse: "stop",
			starling.Filtered: "stop", starling.Paused: "stop", starling.Overfull: "length", starling.OtherStop: "stop", "": "stop",
		},
		starling.Completions: {
			starling.Stopped: "stop", starling.StopWord: "stop", starling.Length: "length", starling.ToolUse: "stop",
			starling.Filtered: "content_filter", starling.Paused: "stop", starling.Overfull: "length", starling.OtherStop: "stop", "": "stop",
		},
	}
	told[starling.Generate] = told[starling.Ollama]
	told[starling.Responses] = map[starling.Finish]string{starling.Length: "max_output_tokens", starling.Overfull: "max_output_tokens", starling.Filtered: "content_filter"} // of the others it tells none
	for _, d := range Dialects() {
		for f, want := range told[d] {
			if out := rendered(t, streaming(d), textDelta(0, "x"), starling.Event{Finish: f}); !strings.Contains(out, `eason":"`+want+`"`) {
				t.Errorf("%s to %s: want %s in %s", f, d, want, out)
			}
		}
		if told[d] == nil {
			t.Errorf("%s has no reasons", d)
		}
	}
}

func TestTheEstimateDoesNotGuessAboutImages(t *testing.T) {
	r := streaming(starling.Anthropic)
	r.Body, r.Images = bytes.Repeat([]byte("x"), 4000), 1
	if out := rendered(t, r, textDelta(0, "x")); !strings.Contains(out, `"input_tokens":0`) {
		t.Errorf("got %s", out)
	}
}
