package serve_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"starling"
)

func trapATextWithAToolCallEndsWithToolUse(t *testing.T) {
	s := newStand(t, standOptions{}, openAIUp(events(oai(oaiRole), oai(oaiText),
		oai(oaiCall(`"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}`)), oai(oaiStop), oai(oaiUsage), oai(oaiDone))))
	a := s.ask(messagesPath, messages("up/m", true))
	if got := field(a.body, "delta.stop_reason").String(); got != "tool_use" {
		t.Errorf("stop_reason is %q, want tool_use:\n%s", got, a.body)
	}
}

func trapToolArgumentsArriveWhereverTheUpstreamPutsThem(t *testing.T) {
	for name, chunks := range map[string][]string{
		"all in the first chunk": {oaiCall(`"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}`)},
		"after an empty first":   {oaiCall(`"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}`), oaiCall(`"index":0,"function":{"arguments":"{\"a\""}`), oaiCall(`"index":0,"function":{"arguments":":1}"}`)},
		"without an index":       {oaiCall(`"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			blocks := []string{oai(oaiRole)}
			for _, c := range chunks {
				blocks = append(blocks, oai(c))
			}
			s := newStand(t, standOptions{}, openAIUp(events(append(blocks, oai(oaiStop), oai(oaiUsage), oai(oaiDone))...)))
			a := s.ask(messagesPath, messages("up/m", true))
			var arguments strings.Builder
			for _, d := range datas(a.body) {
				arguments.WriteString(gjson.Get(d, "delta.partial_json").String())
			}
			if arguments.String() != `{"a":1}` || field(a.body, "content_block.name").String() != "f" {
				t.Errorf("arguments %q in\n%s", arguments.String(), a.body)
			}
		})
	}
}

func trapToolCallChunksForOpenAIClientsAlwaysCarryAnIndex(t *testing.T) {
	s := newStand(t, standOptions{}, anthropicUp(events(antStart,
		ant("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}`),
		ant("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}`),
		ant("content_block_stop", `{"type":"content_block_stop","index":0}`),
		ant("message_delta", `{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":20}}`),
		ant("message_stop", `{"type":"message_stop"}`))))
	a := s.ask(chatPath, chat("up/m", true))
	calls := 0
	for _, d := range datas(a.body) {
		for _, call := range gjson.Get(d, "choices.0.delta.tool_calls").Array() {
			calls++
			if !call.Get("index").Exists() {
				t.Errorf("a call without index: %s", d)
			}
		}
	}
	if calls == 0 || field(a.body, "choices.0.finish_reason").String() != "tool_calls" {
		t.Errorf("%d call chunks:\n%s", calls, a.body)
	}
}

func trapThinkingStandsInABlockOfItsOwnAfterOneMessageStart(t *testing.T) {
	reasoning := `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"reasoning_content":"Hm."},"finish_reason":null}]}`
	s := newStand(t, standOptions{}, openAIUp(events(oai(oaiRole), oai(reasoning), oai(oaiText), oai(oaiStop), oai(oaiUsage), oai(oaiDone))))
	a := s.ask(messagesPath, messages("up/m", true))
	starts, kind := 0, ""
	for _, d := range datas(a.body) {
		switch gjson.Get(d, "type").String() {
		case "message_start":
			starts++
		case "content_block_start":
			kind = gjson.Get(d, "content_block.type").String()
		case "content_block_delta":
			if delta := gjson.Get(d, "delta.type").String(); kind == "text" && delta != "text_delta" || kind == "thinking" && delta != "thinking_delta" && delta != "signature_delta" {
				t.Errorf("%s inside a block of %s", delta, kind)
			}
		}
	}
	if starts != 1 || !strings.Contains(a.body, "thinking_delta") {
		t.Errorf("%d message_start in\n%s", starts, a.body)
	}
}

// dies sends some events and cuts the connection.
func dies(blocks ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		events(blocks...)(w, r)
		panic(http.ErrAbortHandler)
	}
}

// endsEarly sends some events and ends as if that were all.
func endsEarly(blocks ...string) http.HandlerFunc { return events(blocks...) }

func trapAnUpstreamThatDiesMidAnswerIsNeverEndedCleanly(t *testing.T) {
	for _, c := range []struct {
		name string
		up   upstreamAt
	}{
		{"openai, connection cut", openAIUp(dies(oai(oaiRole), oai(oaiText)))},
		{"openai, closed without an end", openAIUp(endsEarly(oai(oaiRole), oai(oaiText)))},
		{"anthropic, connection cut", anthropicUp(dies(antStart, antText))},
		{"anthropic, closed without an end", anthropicUp(endsEarly(antStart, antText))},
	} {
		for _, path := range []string{chatPath, messagesPath} {
			t.Run(c.name+" for "+path, func(t *testing.T) {
				s := newStand(t, standOptions{}, c.up)
				a := s.ask(path, chat("up/m", true))
				if !strings.Contains(a.body, "Hello") {
					t.Fatalf("the part that came is missing:\n%s", a.body)
				}
				if path == chatPath && (!field(a.body, "error.message").Exists() || strings.Contains(a.body, "[DONE]")) {
					t.Errorf("no error event, or a clean end:\n%s", a.body)
				}
				if path == messagesPath && (field(a.body, "type").String() != "error" || strings.Contains(a.body, "message_stop")) {
					t.Errorf("no error event, or a clean end:\n%s", a.body)
				}
				if r := s.receipt(a); r.Outcome != starling.Broken || r.Cost <= 0 {
					t.Errorf("outcome %s, cost %s; a broken answer is booked", r.Outcome, r.Cost)
				}
			})
		}
	}
}

func trapABrokenAnswerIsNotBoughtASecondTime(t *testing.T) {
	var calls atomic.Int32
	count := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { calls.Add(1); next(w, r) }
	}
	for _, stream := range []bool{true, false} {
		calls.Store(0)
		s := newStand(t, standOptions{}, openAIUp(count(dies(oai(oaiRole)))))
		a := s.ask(chatPath, chat("up/m", stream))
		if n := calls.Load(); n != 1 {
			t.Errorf("stream %t: the upstream was asked %d times", stream, n)
		}
		if r := s.receipt(a); r.Cost <= 0 || len(r.Attempts) != 1 {
			t.Errorf("stream %t: %d attempts, cost %s; an unknown outcome is booked", stream, len(r.Attempts), r.Cost)
		}
	}
}
func trapACharacterSplitOverPacketsStaysWhole(t *testing.T) {
	text := `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"content":"Grüße 🐦 鳥"},"finish_reason":null}]}`
	h := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		for piece := range bytesOf(oai(oaiRole)+oai(text)+oai(oaiStop)+oai(oaiUsage)+oai(oaiDone), 5) {
			_, _ = w.Write(piece)
			_ = http.NewResponseController(w).Flush()
		}
	}
	for _, path := range []string{chatPath, messagesPath} {
		s := newStand(t, standOptions{}, openAIUp(h))
		if a := s.ask(path, chat("up/m", true)); !strings.Contains(a.body, "Grüße 🐦 鳥") {
			t.Errorf("%s: the text came out broken:\n%s", path, a.body)
		}
	}
}

func bytesOf(s string, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for rest := []byte(s); len(rest) > 0; {
			k := min(n, len(rest))
			if !yield(rest[:k]) {
				return
			}
			rest = rest[k:]
		}
	}
}

func trapALineOfFourMegabytesIsNoEndOfStream(t *testing.T) {
	large(t)
	long := strings.Repeat("a", 4<<20)
	text := strings.Replace(oaiText, "Hello", long, 1)
	for _, path := range []string{chatPath, messagesPath} {
		s := newStand(t, standOptions{}, openAIUp(events(oai(oaiRole), oai(text), oai(oaiStop), oai(oaiUsage), oai(oaiDone))))
		if a := s.ask(path, chat("up/m", true)); !strings.Contains(a.body, long) {
			t.Errorf("%s: the long line is missing (%d bytes came)", path, len(a.body))
		}
	}
}

// trapWhoeverSaysStopAfterACallIsNotBelieved: what passes in its own dialect is not
// rewritten, but nobody who translates may hand on that the model was done.
func trapWhoeverSaysStopAfterACallIsNotBelieved(t *testing.T) {
	th := newTheatre(t, standOptions{})
	wrong := map[starling.Dialect][2]string{
		starling.OpenAI:    {`"finish_reason":"tool_calls"`, `"finish_reason":"stop"`},
		starling.Anthropic: {`"stop_reason":"tool_use"`, `"stop_reason":"end_turn"`},
	}
	eachDuo(t, func(t *testing.T, p duo) {
		if !p.canCall() {
			return
		}
		told := strings.Join(plot.told(t, p.upstream, p.stream), "")
		if w, ok := wrong[p.upstream]; ok {
			if !strings.Contains(told, w[0]) {
				t.Fatalf("nothing to make wrong in %s", told)
			}
			told = strings.Replace(told, w[0], w[1], 1)
		}
		sc := th.play(p, inPieces(p, told))
		got, err := sc.hear()
		if err != nil || got.Finish != starling.ToolUse || len(got.Calls) != 2 {
			t.Errorf("%v, ended by %q with %d calls:\n%s", err, got.Finish, len(got.Calls), sc.body)
		}
		if p.same() {
			return
		}
		reason := ""
		switch p.caller {
		case starling.OpenAI:
			reason = sc.said("choices.0.finish_reason")
		case starling.Anthropic:
			reason = sc.said("delta.stop_reason") + sc.said("stop_reason")
		default:
			return
		}
		if !strings.HasPrefix(reason, "tool_") {
			t.Errorf("the reason is %q:\n%s", reason, sc.body)
		}
	})
}

// The shapes in which a call of f with {"a":1} was met.
func callShapes() (all []hostile) {
	openAI := func(name string, deltas ...string) {
		body := oai(oaiRole)
		for _, d := range deltas {
			body += oai(oaiCall(d))
		}
		all = append(all, hostile{name, starling.OpenAI, true, body + oai(oaiStop) + oai(oaiUsage) + oai(oaiDone)})
	}
	openAI("whole in the first piece", `"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}`)
	openAI("after an empty first piece", `"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}`, `"index":0,"function":{"arguments":"{\"a\""}`, `"index":0,"function":{"arguments":":1}"}`)
	openAI("without a number", `"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}`)
	openAI("pieces without a number", `"id":"call_1","function":{"name":"f","arguments":"{\"a\""}`, `"function":{"arguments":":1}"}`)
	openAI("an object for a text", `"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":{"a":1}}`)
	openAI("the id again in every piece", `"index":0,"id":"call_1","function":{"name":"f","arguments":"{\"a\""}`, `"index":0,"id":"call_1","function":{"name":"f","arguments":":1}"}`)
	anthropic := func(name, input string, deltas ...string) {
		body := antStart + ant("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":`+input+`}}`)
		for _, d := range deltas {
			body += ant("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":`+d+`}}`)
		}
		all = append(all, hostile{name, starling.Anthropic, true, body + ant("content_block_stop", `{"type":"content_block_stop","index":0}`) +
			ant("message_delta", `{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":20}}`) + ant("message_stop", `{"type":"message_stop"}`)})
	}
	anthropic("in pieces, the first of them empty", `{}`, `""`, `"{\"a\""`, `":1}"`)
	anthropic("whole with the beginning of its block", `{"a":1}`)
	all = append(all, hostile{"only when it is done", starling.Responses, true, ant("response.created", `{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1,"status":"in_progress","model":"m-1","output":[]}}`) +
		ant("response.output_item.added", `{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"fc_1","type":"function_call","status":"in_progress","call_id":"call_1","name":"f","arguments":""}}`) +
		ant("response.function_call_arguments.done", `{"type":"response.function_call_arguments.done","sequence_number":2,"item_id":"fc_1","output_index":0,"arguments":"{\"a\":1}"}`) +
		ant("response.output_item.done", `{"type":"response.output_item.done","sequence_number":3,"output_index":0,"item":{"id":"fc_1","type":"function_call","status":"completed","call_id":"call_1","name":"f","arguments":"{\"a\":1}"}}`) +
		ant("response.completed", `{"type":"response.completed","sequence_number":4,"response":{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m-1","output":[{"id":"fc_1","type":"function_call","status":"completed","call_id":"call_1","name":"f","arguments":"{\"a\":1}"}],"usage":{"input_tokens":100,"output_tokens":20,"total_tokens":120}}}`)})
	return all
}

func trapToolArgumentsArriveInEveryShape(t *testing.T) {
	want := []starling.ToolCall{{Name: "f", Arguments: `{"a":1}`}}
	tryOn(t, callShapes(), func(t *testing.T, sc scene) {
		if got, err := sc.hear(); sc.canCall() && (err != nil || cmp.Diff(want, got.Calls) != "") {
			t.Errorf("%v %+v:\n%s", err, got.Calls, sc.body)
		}
	})
}

func trapCallsWithoutANumberAreToldApart(t *testing.T) {
	const f, g = `"function":{"name":"f","arguments":"{\"a\":1}"}`, `"function":{"name":"g","arguments":"{\"b\":2}"}`
	var all []hostile
	for name, calls := range map[string][]string{
		"neither number nor id":        {f, g},
		"ids, but no number":           {`"id":"1",` + f, `"id":"2",` + g},
		"every number is 0":            {`"index":0,"id":"1",` + f, `"index":0,"id":"2",` + g},
		"every number is 0, and no id": {`"index":0,` + f, `"index":0,` + g},
		"both at once":                 {`"index":0,"id":"1",` + f + `},{"index":1,"id":"2",` + g},
		"both at once, no numbers":     {`"id":"1",` + f + `},{"id":"2",` + g},
	} {
		body := oai(oaiRole)
		for _, c := range calls {
			body += oai(oaiCall(c))
		}
		all = append(all, hostile{name, starling.OpenAI, true, body + oai(oaiStop) + oai(oaiUsage) + oai(oaiDone)})
	}
	want := []starling.ToolCall{{Name: "f", Arguments: `{"a":1}`}, {Name: "g", Arguments: `{"b":2}`}}
	tryOn(t, all, func(t *testing.T, sc scene) {
		if got, err := sc.hear(); sc.canCall() && (err != nil || cmp.Diff(want, got.Calls) != "") {
			t.Errorf("%v %+v:\n%s", err, got.Calls, sc.body)
		}
	})
}

// canThink reports whether a dialect has a place for thoughts.
func canThink(t *testing.T, d starling.Dialect, stream bool) bool {
	got, err := understand(d, stream, strings.Join(musing.told(t, d, stream), ""))
	if err != nil {
		t.Error(err)
	}
	return got.Thoughts != ""
}

func trapThoughtsAreNeverText(t *testing.T) {
	th := newTheatre(t, standOptions{})
	eachDuo(t, func(t *testing.T, p duo) {
		sc := th.play(p, performing(t, p, musing))
		if got, err := sc.hear(); err != nil || got.Text != musing.whole().Text {
			t.Errorf("%v, text %q:\n%s", err, got.Text, sc.body)
		}
	})
	twice := hostile{"two beginnings", starling.Anthropic, true, antStart + antStart + antText + antEnd}
	tryOn(t, []hostile{twice}, func(t *testing.T, sc scene) {
		if got, err := sc.hear(); err != nil || got.Text != "Hello" || sc.receipt.Attempts[0].Usage.Input != 100 {
			t.Errorf("%v %+v, usage %+v:\n%s", err, got, sc.receipt.Attempts[0].Usage, sc.body)
		}
	})
}

func trapThoughtsArriveWhereThereIsAPlaceForThem(t *testing.T) {
	th := newTheatre(t, standOptions{})
	for _, d := range []starling.Dialect{starling.OpenAI, starling.Anthropic} {
		if !canThink(t, d, true) || !canThink(t, d, false) {
			t.Errorf("%s has no place for thoughts", d)
		}
	}
	eachDuo(t, func(t *testing.T, p duo) {
		if !canThink(t, p.caller, p.stream) || !canThink(t, p.upstream, p.stream) {
			return
		}
		th.play(p, performing(t, p, musing)).wantWhole(t, musing.name, musing)
	})
}

func trapAnAnswerThatTheLimitCutSaysSo(t *testing.T) {
	th := newTheatre(t, standOptions{})
	cutShort := talk.with(starling.Length, counted)
	eachDuo(t, func(t *testing.T, p duo) {
		th.play(p, performing(t, p, cutShort)).wantWhole(t, "cut by the limit", cutShort)
	})
}

func trapWhoeverBreaksOffIsAskedOnce(t *testing.T) {
	th := newTheatre(t, standOptions{})
	eachDuo(t, func(t *testing.T, p duo) {
		told := strings.Join(talk.told(t, p.upstream, p.stream), "")
		sc := th.play(p, thenDo(inPieces(p, told[:len(told)/2]), hangsUp))
		if sc.asked != 1 || len(sc.receipt.Attempts) != 1 || sc.receipt.Cost <= 0 {
			t.Errorf("asked %d times, %d attempts, cost %s", sc.asked, len(sc.receipt.Attempts), sc.receipt.Cost)
		}
	})
}
