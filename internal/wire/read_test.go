package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"starling"
)

// heard is what was read of an answer.
type heard struct {
	raw    string
	answer starling.Answer
	think  string
	usage  starling.Usage
	bytes  int
	last   starling.Event
	err    error
}

func readAll(t testing.TB, body io.Reader, o ReadOptions) (r heard) {
	t.Helper()
	var c Collector
	for ev, err := range Read(body, o) {
		if r.err != nil {
			t.Fatal("something follows an error")
		}
		if r.err = err; err != nil {
			continue
		}
		c.Add(ev)
		r.raw += string(ev.Raw)
		r.bytes += ev.Bytes
		if ev.Usage != nil {
			r.usage = *ev.Usage
		}
		r.last = ev
	}
	r.answer, r.think = *c.Answer(), c.told.text(starling.ReasoningPart)
	return r
}

func delta(content string) string {
	return `data: {"id":"c1","model":"m","choices":[{"index":0,"delta":` + content + `,"finish_reason":null}]}` + "\n\n"
}

const (
	finished = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	done     = "data: [DONE]\n\n"
)

func TestAStreamReadsTheSameHoweverItArrives(t *testing.T) { // traps 15, 16
	large(t)
	long := strings.Repeat("日本 ", 700_000)
	lf := ": hello\n\n" + delta(`{"content":"Grüße 🐦 "}`) + "event: x\nid: 1\nretry: 3\n" + delta(`{"content":"`+long+`"}`) + finished + done
	for name, stream := range map[string]string{"LF": lf, "CRLF": strings.ReplaceAll(lf, "\n", "\r\n"), "CR": strings.ReplaceAll(lf, "\n", "\r")} {
		for how, r := range map[string]io.Reader{
			"at once":        strings.NewReader(stream),
			"byte by byte":   iotest.OneByteReader(strings.NewReader(stream)),
			"in halves":      iotest.HalfReader(strings.NewReader(stream)),
			"EOF with data":  iotest.DataErrReader(strings.NewReader(stream)),
			"5 bytes a time": &sips{strings.NewReader(stream), 5},
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				got := readAll(t, r, ReadOptions{Dialect: starling.OpenAI, Stream: true, Raw: true, Deltas: true})
				if got.err != nil || got.answer.Text != "Grüße 🐦 "+long || got.answer.Finish != starling.Stopped {
					t.Fatalf("%d bytes, %v, %v", len(got.answer.Text), got.answer.Finish, got.err)
				}
				if got.bytes != len(got.answer.Text) {
					t.Errorf("counted %d bytes of %d", got.bytes, len(got.answer.Text))
				}
				if strings.TrimRight(got.raw, "\r\n") != strings.TrimRight(stream, "\r\n") {
					t.Error("the bytes differ")
				}
				if !utf8.ValidString(got.raw) {
					t.Error("a character was cut")
				}
			})
		}
	}
}

func TestBytesThatAreNoTextAreReadAsTheCallerWillReadThem(t *testing.T) {
	const broken, mended = "a\xed\xa0\x80b\xff", "a\uFFFD\uFFFD\uFFFDb\uFFFD"
	for name, said := range map[string]string{
		"a word":                 `{"content":"` + broken + `"}`,
		"a call's arguments":     `{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"` + broken + `"}}]}`,
		"arguments as an object": `{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":{"k":"` + broken + `"}}}]}`,
		"the way of thinking":    `{"reasoning_content":"` + broken + `"}`,
		"a word between escapes": `{"content":"\n` + broken + `\u00e9"}`,
		"a refusal, as is usual": `{"refusal":"` + broken + `"}`,
		"a piece in a list":      `{"content":[{"type":"text","text":"` + broken + `"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			stream := delta(said) + finished + done
			told, bytes := "", 0
			for ev, err := range Read(strings.NewReader(stream), ReadOptions{Dialect: starling.OpenAI, Stream: true, Raw: true, Deltas: true}) {
				if err != nil {
					t.Fatal(err)
				}
				bytes += ev.Bytes
				for _, d := range ev.Deltas {
					told += d.Text
				}
			}
			if !strings.Contains(told, mended) || bytes < len(mended) {
				t.Errorf("%q, counted %d bytes", told, bytes)
			}
		})
	}
}

type sips struct {
	r io.Reader
	n int
}

func (s *sips) Read(b []byte) (int, error) { return s.r.Read(b[:min(len(b), s.n)]) }

func TestAnEventIsYieldedBeforeTheNextOneArrives(t *testing.T) {
	for _, end := range []string{"\n\n", "\r\n\r\n", "\r\r"} {
		r, w := io.Pipe()
		seen := make(chan bool)
		go func() {
			for range 3 {
				fmt.Fprint(w, strings.TrimSpace(delta(`{"content":"x"}`))+end)
				<-seen
			}
			w.Close()
		}()
		n := 0
		for _, err := range Read(r, ReadOptions{Dialect: starling.OpenAI, Stream: true, Raw: true}) {
			if err != nil {
				break
			}
			n++
			seen <- true
		}
		if n != 3 {
			t.Errorf("%q: %d events", end, n)
		}
	}
}

func TestAnAnswerThatBreaksOffIsAnError(t *testing.T) { // traps 4, 14
	start := "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n"
	stopped := "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n"
	for _, c := range []struct {
		name   string
		o      ReadOptions
		body   io.Reader
		kind   starling.Kind
		status int // of the reply; 0 none
	}{
		{"nothing", ReadOptions{Dialect: starling.OpenAI, Stream: true}, strings.NewReader(""), starling.Overloaded, 0},
		{"only comments", ReadOptions{Dialect: starling.OpenAI, Stream: true}, strings.NewReader(": x\n\n"), starling.Overloaded, 0},
		{"no finish", ReadOptions{Dialect: starling.OpenAI, Stream: true}, strings.NewReader(delta(`{"content":"x"}`)), starling.Overloaded, 0},
		{"one of two choices is not finished", ReadOptions{Dialect: starling.OpenAI, Stream: true}, strings.NewReader(strings.Replace(delta(`{"content":"x"}`), `"index":0`, `"index":1`, 1) + finished), starling.Overloaded, 0},
		{"an empty reason is none", ReadOptions{Dialect: starling.OpenAI, Stream: true}, strings.NewReader(strings.Replace(finished, `"stop"`, `""`, 1)), starling.Overloaded, 0},
		{"cut inside an event", ReadOptions{Dialect: starling.OpenAI, Stream: true, Raw: true}, strings.NewReader(finished + `data: {"choi`), starling.Overloaded, 0},
		{"no message_stop", ReadOptions{Dialect: starling.Anthropic, Stream: true}, strings.NewReader(start + stopped), starling.Overloaded, 0},
		{"the connection dies", ReadOptions{Dialect: starling.OpenAI, Stream: true}, io.MultiReader(strings.NewReader(finished), iotest.ErrReader(io.ErrUnexpectedEOF)), starling.Overloaded, 0},
		{"the caller leaves", ReadOptions{Dialect: starling.OpenAI, Stream: true}, iotest.ErrReader(fmt.Errorf("read: %w", context.Canceled)), starling.Cancelled, 0},
		{"a reader without progress", ReadOptions{Dialect: starling.OpenAI, Stream: true}, stuck{}, starling.Overloaded, 0},
		{"an error event", ReadOptions{Dialect: starling.Anthropic, Stream: true}, strings.NewReader(start + "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}\n\n"), starling.Overloaded, 529},
		{"an error event that is the request's fault", ReadOptions{Dialect: starling.Anthropic, Stream: true}, strings.NewReader(start + "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"m\"}}\n\n"), starling.Refused, 400},
		{"an error chunk", ReadOptions{Dialect: starling.OpenAI, Stream: true}, strings.NewReader("data: {\"error\":{\"message\":\"m\",\"type\":\"server_error\",\"code\":null}}\n\n"), starling.Overloaded, 500},
		{"an error chunk with a status", ReadOptions{Dialect: starling.OpenAI, Stream: true}, strings.NewReader("data: {\"error\":{\"message\":\"m\",\"code\":429},\"choices\":[]}\n\n"), starling.Overloaded, 429},
		{"an error that is a string", ReadOptions{Dialect: starling.OpenAI, Stream: true}, strings.NewReader("data: {\"error\":\"out of memory\"}\n\n"), starling.Overloaded, 500},
		{"an event named error", ReadOptions{Dialect: starling.OpenAI, Stream: true}, strings.NewReader("event: error\ndata: {\"message\":\"m\"}\n\n"), starling.Overloaded, 500},
		{"an error event after a word", ReadOptions{Dialect: starling.OpenAI, Stream: true}, strings.NewReader(delta(`{"content":"x"}`) + "data: {\"error\":{\"message\":\"m\"}}\n\n"), starling.Overloaded, 500},
		{"an error event after a count", ReadOptions{Dialect: starling.Anthropic, Stream: true}, strings.NewReader(strings.Replace(start, `"id":"m"`, `"usage":{"input_tokens":5}`, 1) + "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}\n\n"), starling.Overloaded, 529},
		{"one of two choices never began", ReadOptions{Dialect: starling.OpenAI, Stream: true, Choices: 2}, strings.NewReader(delta(`{"content":"x"}`) + finished), starling.Overloaded, 0},
		{"a piece of a call that never began", ReadOptions{Dialect: starling.Anthropic, Stream: true}, strings.NewReader(start + "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\"}}\n\n"), starling.Overloaded, 0},
		{"no JSON where it must be read", ReadOptions{Dialect: starling.OpenAI, Stream: true, Deltas: true}, strings.NewReader("data: x\n\n" + done), starling.Overloaded, 0},
		{"brackets", ReadOptions{Dialect: starling.Anthropic, Stream: true, Deltas: true}, strings.NewReader("data: " + strings.Repeat(`{"a":`, 1_000_000) + "\n\n"), starling.Overloaded, 0},
		{"an event beyond the limit", ReadOptions{Dialect: starling.OpenAI, Stream: true, MaxEvent: 100}, strings.NewReader(delta(`{"content":"` + strings.Repeat("x", 100) + `"}`)), starling.Refused, 0},
		{"all deltas beyond the limit", ReadOptions{Dialect: starling.OpenAI, Stream: true, Deltas: true, MaxEvent: 200}, strings.NewReader(strings.Repeat(delta(`{"content":"`+strings.Repeat("x", 60)+`"}`), 4)), starling.Refused, 0},
		{"a body beyond the limit", ReadOptions{Dialect: starling.OpenAI, MaxEvent: 10}, strings.NewReader(`{"choices":[{}]}`), starling.Refused, 0},
		{"a body that is no JSON", ReadOptions{Dialect: starling.OpenAI, Raw: true}, strings.NewReader("<html>"), starling.Overloaded, 0},
		{"a body without choices", ReadOptions{Dialect: starling.OpenAI, Raw: true}, strings.NewReader(`{"choices":[]}`), starling.Overloaded, 0},
		{"a body of the other dialect", ReadOptions{Dialect: starling.Anthropic, Raw: true}, strings.NewReader(`{"choices":[{}]}`), starling.Overloaded, 0},
		{"an error as a body", ReadOptions{Dialect: starling.Anthropic, Raw: true}, strings.NewReader(`{"type":"error","error":{"type":"api_error","message":"m"}}`), starling.Overloaded, 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := readAll(t, c.body, c.o)
			var e *starling.Error
			// who refuses before it has begun charges for nothing
			billed := c.status == 0 || strings.Contains(c.name, " after a ")
			if !errors.As(got.err, &e) || e.Kind != c.kind || e.Billed != billed {
				t.Fatalf("got %#v, want %s, billed %v", got.err, c.kind, billed)
			}
			if (e.Reply == nil) != (c.status == 0) || (e.Reply != nil && e.Reply.Status != c.status) {
				t.Errorf("reply %+v, want status %d", e.Reply, c.status)
			}
			if strings.Contains(e.Error(), "memory") {
				t.Errorf("the error quotes the upstream: %v", e)
			}
		})
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestOfAnEventThatIsCutNothingPasses(t *testing.T) {
	anthropic := "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n"
	for _, c := range []struct {
		name          string
		dialect       starling.Dialect
		before, after string
		passes        bool
	}{
		{"a name alone", starling.Anthropic, anthropic, "event: message_stop", false},
		{"a name and a letter", starling.Anthropic, anthropic, "event: message_stop\nd", false},
		{"a name and a field without data", starling.Anthropic, anthropic, "event: message_stop\r\ndata: ", false},
		{"a comment before it", starling.Anthropic, anthropic, ": x\nevent: message_stop\n", false},
		{"half of its data", starling.Anthropic, anthropic, "event: message_stop\ndata: {\"type\":\"mess", false},
		{"a letter after the finish", starling.OpenAI, finished, "d", false},
		{"an id after the finish", starling.OpenAI, finished, "id: 1\n", false},
		{"all of it but the blank line", starling.Anthropic, anthropic, "event: message_stop\ndata: {\"type\":\"message_stop\"}", true},
		{"all of it and a line end", starling.Anthropic, anthropic, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n", true},
		{"data before the name", starling.Anthropic, anthropic, "data: {\"type\":\"message_stop\"}\nevent: mess", true},
		{"the last word", starling.OpenAI, delta(`{"content":"x"}`), "data: [DONE]", true},
		{"a comment after the finish", starling.OpenAI, finished, ": bye", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := readAll(t, strings.NewReader(c.before+c.after), ReadOptions{Dialect: c.dialect, Stream: true, Raw: true})
			if c.passes && (got.err != nil || got.raw != c.before+strings.TrimRight(c.after, "\n")+"\n\n") {
				t.Errorf("passed %q, %v", got.raw, got.err)
			}
			if !c.passes && (starling.KindOf(got.err) != starling.Overloaded || got.raw != c.before) {
				t.Errorf("passed %q, %v", got.raw, got.err)
			}
		})
	}
}

func TestAReadersOwnErrorIsPassedOn(t *testing.T) {
	own := &starling.Error{Kind: starling.Forbidden, Op: "mine"}
	if got := readAll(t, iotest.ErrReader(own), ReadOptions{Dialect: starling.OpenAI, Stream: true}); got.err != own {
		t.Errorf("got %v", got.err)
	}
}

func TestNothingIsReadAfterTheEnd(t *testing.T) {
	for d, stream := range map[starling.Dialect]string{starling.OpenAI: finished + done, starling.Anthropic: "data: {\"type\":\"message_stop\"}\n\n"} {
		got := readAll(t, io.MultiReader(strings.NewReader(stream), iotest.ErrReader(errors.New("read too far"))), ReadOptions{Dialect: d, Stream: true, Raw: true})
		if got.err != nil || got.raw != stream {
			t.Errorf("%s: %q, %v", d, got.raw, got.err)
		}
	}
}

func TestWhoStopsRangingIsLeftAlone(t *testing.T) {
	for range Read(strings.NewReader(delta(`{"content":"x"}`)), ReadOptions{Dialect: starling.OpenAI, Stream: true, Raw: true}) {
		break
	}
	for range Read(strings.NewReader(`{"choices":[{}]}`), ReadOptions{Dialect: starling.OpenAI, Raw: true}) {
		break
	}
}

func call(id, name, arguments string) starling.ToolCall {
	return starling.ToolCall{ID: id, Name: name, Arguments: arguments}
}

func TestToolCallsInEveryShape(t *testing.T) { // traps 2, 17
	for _, c := range []struct {
		name   string
		deltas []string
		want   []starling.ToolCall
	}{
		{"in pieces", []string{`{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}`, `{"tool_calls":[{"index":0,"function":{"arguments":"{\"x"}}]}`, `{"tool_calls":[{"index":0,"function":{"arguments":"\":1}"}}]}`}, []starling.ToolCall{call("a", "f", `{"x":1}`)}},
		{"all in the first chunk", []string{`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}`}, []starling.ToolCall{call("a", "f", `{}`)}},
		{"arguments only at the end", []string{`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}}]}`, `{"content":""}`, `{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}`}, []starling.ToolCall{call("a", "f", `{}`)}},
		{"the name after the id", []string{`{"tool_calls":[{"index":0,"id":"a"}]}`, `{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}]}`}, []starling.ToolCall{call("a", "f", `{}`)}},
		{"without index, whole", []string{`{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"1"}}]}`, `{"tool_calls":[{"id":"b","function":{"name":"f","arguments":"2"}}]}`}, []starling.ToolCall{call("a", "f", "1"), call("b", "f", "2")}},
		{"without index, in pieces", []string{`{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"1"}}]}`, `{"tool_calls":[{"function":{"arguments":"2"}}]}`}, []starling.ToolCall{call("a", "f", "12")}},
		{"without index, by id", []string{`{"tool_calls":[{"id":"a","function":{"name":"f"}},{"id":"b","function":{"name":"g"}}]}`, `{"tool_calls":[{"id":"a","function":{"arguments":"1"}},{"id":"b","function":{"arguments":"2"}}]}`}, []starling.ToolCall{call("a", "f", "1"), call("b", "g", "2")}},
		{"without index and id", []string{`{"tool_calls":[{"function":{"name":"f","arguments":{"x":1}}}]}`, `{"tool_calls":[{"function":{"name":"g","arguments":{}}}]}`}, []starling.ToolCall{call("", "f", `{"x":1}`), call("", "g", `{}`)}},
		{"every index is 0", []string{`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}]}`, `{"tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":"2"}}]}`, `{"tool_calls":[{"index":0,"function":{"arguments":"3"}}]}`}, []starling.ToolCall{call("a", "f", "1"), call("b", "g", "23")}},
		{"id and name in every chunk", []string{`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}]}`, `{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"2"}}]}`}, []starling.ToolCall{call("a", "f", "12")}},
		{"interleaved", []string{`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"1"}},{"index":1,"id":"b","function":{"name":"g","arguments":"2"}}]}`, `{"tool_calls":[{"index":0,"function":{"arguments":"3"}},{"index":1,"function":{"arguments":"4"}}]}`}, []starling.ToolCall{call("a", "f", "13"), call("b", "g", "24")}},
		{"every index is 0, and no ids", []string{`{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{\"x\":1}"}}]}`, `{"tool_calls":[{"index":0,"function":{"name":"g","arguments":"{"}}]}`, `{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}`}, []starling.ToolCall{call("", "f", `{"x":1}`), call("", "g", `{}`)}},
		{"null for none", []string{`{"tool_calls":null,"content":"x","refusal":null}`}, nil},
		{"the old form", []string{`{"function_call":{"name":"f","arguments":"1"}}`, `{"function_call":{"arguments":"2"}}`}, []starling.ToolCall{call("", "f", "12")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stream strings.Builder
			for _, d := range c.deltas {
				stream.WriteString(delta(d))
			}
			got := readAll(t, strings.NewReader(stream.String()+finished+done), ReadOptions{Dialect: starling.OpenAI, Stream: true, Deltas: true})
			if got.err != nil {
				t.Fatal(got.err)
			}
			if d := cmp.Diff(c.want, got.answer.Calls); d != "" {
				t.Error(d)
			}
			if want := map[bool]starling.Finish{true: starling.ToolUse, false: starling.Stopped}[len(c.want) > 0]; got.answer.Finish != want {
				t.Errorf("finish %q, want %q", got.answer.Finish, want)
			}
			raw := readAll(t, strings.NewReader(stream.String()+finished+done), ReadOptions{Dialect: starling.OpenAI, Stream: true, Raw: true})
			if raw.bytes != got.bytes || raw.last.Bytes != got.last.Bytes {
				t.Errorf("raw counts %d bytes, deltas %d", raw.bytes, got.bytes)
			}
		})
	}
}

func TestInAWholeAnswerEveryCallIsOne(t *testing.T) {
	body := `{"choices":[{"index":0,"message":{"tool_calls":[{"id":"a","index":0,"function":{"name":"f","arguments":"{}"}},{"id":"a","index":0,"function":{"name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":"tool_calls"}]}`
	got := readAll(t, strings.NewReader(body), ReadOptions{Dialect: starling.OpenAI, Deltas: true})
	if d := cmp.Diff([]starling.ToolCall{call("a", "f", `{}`), call("a", "f", `{"x":1}`)}, got.answer.Calls); d != "" || got.err != nil {
		t.Error(d, got.err)
	}
}

// Neither an event of many lines nor a chunk of many calls takes time that grows
// faster than it does: the second would take hours.
func TestManySmallThingsInOneEventAreReadInAMoment(t *testing.T) {
	lines := "data: {\"choices\":[\n" + strings.Repeat("data:\n", 1<<20) + "data: ]}\n\n"
	calls := delta(`{"tool_calls":[` + strings.Repeat(`{},`, 1<<20) + `{}]}`)
	for name, stream := range map[string]string{"lines": lines, "calls": calls} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		readAll(t, strings.NewReader(stream+finished+done), ReadOptions{Dialect: starling.OpenAI, Stream: true, Deltas: true})
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 20*uint64(len(stream)) {
			t.Errorf("%s: %d bytes for an event of %d", name, took, len(stream))
		}
	}
}

func TestUsageInEveryConvention(t *testing.T) { // traps 5, 8, 9, 10
	openai := func(u string) string {
		return strings.Replace(finished, `]}`, `],"service_tier":"priority","usage":`+u+`}`, 1)
	}
	counting := func(u string) string {
		return strings.Replace(delta(`{"content":"x"}`), `]}`, `],"usage":`+u+`}`, 1)
	}
	anthropicStream := func(start, end string) string {
		return `data: {"type":"message_start","message":{"usage":` + start + `}}` + "\n\n" + `data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":` + end + `}` + "\n\n" + "data: {\"type\":\"message_stop\"}\n\n"
	}
	for _, c := range []struct {
		name    string
		dialect starling.Dialect
		stream  string
		want    starling.Usage
	}{
		{"plain", starling.OpenAI, openai(`{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}`), starling.Usage{Input: 100, Output: 20, Tier: "priority"}},
		{"caches are a part of the prompt", starling.OpenAI, openai(`{"prompt_tokens":100,"completion_tokens":20,"prompt_tokens_details":{"cached_tokens":70,"cache_write_tokens":10},"completion_tokens_details":{"reasoning_tokens":5}}`), starling.Usage{Input: 20, CacheRead: 70, CacheWrite: 10, Output: 20, Reasoning: 5, Tier: "priority"}},
		{"null details", starling.OpenAI, openai(`{"prompt_tokens":100,"completion_tokens":20,"prompt_tokens_details":null,"completion_tokens_details":null}`), starling.Usage{Input: 100, Output: 20, Tier: "priority"}},
		{"the caches stand outside", starling.OpenAI, openai(`{"prompt_tokens":20,"completion_tokens":20,"prompt_tokens_details":{"cached_tokens":80}}`), starling.Usage{Input: 20, CacheRead: 80, Output: 20, Tier: "priority"}},
		{"another vendor's name for it", starling.OpenAI, openai(`{"prompt_tokens":100,"completion_tokens":20,"prompt_cache_hit_tokens":60,"prompt_cache_miss_tokens":40}`), starling.Usage{Input: 40, CacheRead: 60, Output: 20, Tier: "priority"}},
		{"nonsense is never negative", starling.OpenAI, openai(`{"prompt_tokens":-5,"completion_tokens":"x","prompt_tokens_details":{"cached_tokens":1e300}}`), starling.Usage{CacheRead: 1 << 48, Tier: "priority"}},
		{"reasoning beside the completion", starling.OpenAI, openai(`{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":94}}`), starling.Usage{Input: 32, Output: 103, Reasoning: 94, Tier: "priority"}},
		{"zeros after a count are none", starling.OpenAI, counting(`{"prompt_tokens":9,"completion_tokens":1}`) + openai(`{"prompt_tokens":0,"completion_tokens":0}`), starling.Usage{Input: 9, Output: 1}},
		{"repeated counts do not add up", starling.OpenAI, counting(`{"prompt_tokens":9,"completion_tokens":1}`) + openai(`{"prompt_tokens":9,"completion_tokens":2}`), starling.Usage{Input: 9, Output: 2, Tier: "priority"}},
		{"counted at the start", starling.Anthropic, anthropicStream(`{"input_tokens":20,"cache_read_input_tokens":80,"cache_creation_input_tokens":7,"output_tokens":1,"service_tier":"standard"}`, `{"output_tokens":30}`), starling.Usage{Input: 20, CacheRead: 80, CacheWrite: 7, Output: 30, Tier: "standard"}},
		{"counted at the end", starling.Anthropic, anthropicStream(`{"input_tokens":0,"output_tokens":0}`, `{"input_tokens":20,"cache_read_input_tokens":80,"cache_creation_input_tokens":7,"output_tokens":30}`), starling.Usage{Input: 20, CacheRead: 80, CacheWrite: 7, Output: 30}},
		{"counted at the start, zero at the end", starling.Anthropic, anthropicStream(`{"input_tokens":20,"output_tokens":1}`, `{"input_tokens":0,"output_tokens":30}`), starling.Usage{Input: 20, Output: 30}},
		{"counted twice", starling.Anthropic, anthropicStream(`{"input_tokens":20,"output_tokens":1}`, `{"input_tokens":20,"output_tokens":30}`), starling.Usage{Input: 20, Output: 30}},
		{"written for an hour, told at the end alone", starling.Anthropic, anthropicStream(`{"input_tokens":1}`, `{"output_tokens":3,"cache_creation_input_tokens":10,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":6}}`), starling.Usage{Input: 1, CacheWrite: 4, CacheWrite1h: 6, Output: 3}},
		{"of which the start knew the sum", starling.Anthropic, anthropicStream(`{"input_tokens":1,"cache_creation_input_tokens":10}`, `{"output_tokens":3,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":6}}`), starling.Usage{Input: 1, CacheWrite: 4, CacheWrite1h: 6, Output: 3}},
		{"and nobody", starling.Anthropic, anthropicStream(`{"input_tokens":1}`, `{"output_tokens":3,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":6}}`), starling.Usage{Input: 1, CacheWrite: 4, CacheWrite1h: 6, Output: 3}},
		{"written for an hour", starling.Anthropic, anthropicStream(`{"input_tokens":1,"cache_creation_input_tokens":10,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":6}}`, `{"output_tokens":3,"cache_creation_input_tokens":10,"output_tokens_details":{"thinking_tokens":2}}`), starling.Usage{Input: 1, CacheWrite: 4, CacheWrite1h: 6, Output: 3, Reasoning: 2}},
		{"searches that the vendor ran", starling.Anthropic, anthropicStream(`{"input_tokens":1,"server_tool_use":{"web_search_requests":0}}`, `{"output_tokens":3,"server_tool_use":{"web_search_requests":2}}`), starling.Usage{Input: 1, Output: 3, Searches: 2}},
		{"no usage in a message", starling.Anthropic, anthropicStream(`null`, `{"output_tokens":3}`), starling.Usage{Output: 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, o := range []ReadOptions{{Raw: true}, {Deltas: true}} {
				o.Dialect, o.Stream = c.dialect, true
				got := readAll(t, strings.NewReader(c.stream), o)
				if got.err != nil {
					t.Fatal(got.err)
				}
				if d := cmp.Diff(c.want, got.usage); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

func TestAnthropicBlocksInEveryShape(t *testing.T) {
	start := func(i int, block string) string {
		return fmt.Sprintf("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":%d,\"content_block\":%s}\n\n", i, block)
	}
	more := func(i int, delta string) string {
		return fmt.Sprintf("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":%d,\"delta\":%s}\n\n", i, delta)
	}
	stop := func(i int) string {
		return fmt.Sprintf("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":%d}\n\n", i)
	}
	end := "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n"
	for _, c := range []struct {
		name, stream string
		want         starling.Answer
		think        string
	}{
		{"input in pieces", start(0, `{"type":"tool_use","id":"a","name":"f","input":{}}`) + more(0, `{"type":"input_json_delta","partial_json":"{\"x\""}`) + more(0, `{"type":"input_json_delta","partial_json":":1}"}`) + stop(0), starling.Answer{Calls: []starling.ToolCall{call("a", "f", `{"x":1}`)}}, ""},
		{"input with the start", start(0, `{"type":"tool_use","id":"a","name":"f","input":{"x": 1}}`) + stop(0), starling.Answer{Calls: []starling.ToolCall{call("a", "f", `{"x": 1}`)}}, ""},
		{"no input", start(0, `{"type":"tool_use","id":"a","name":"f","input":{}}`) + more(0, `{"type":"input_json_delta","partial_json":""}`) + stop(0), starling.Answer{Calls: []starling.ToolCall{call("a", "f", `{}`)}}, ""},
		{"no stop of the block", start(0, `{"type":"tool_use","id":"a","name":"f","input":{}}`), starling.Answer{Calls: []starling.ToolCall{call("a", "f", `{}`)}}, ""},
		{"blocks of the server's tools are passed over", start(0, `{"type":"text","text":"a"}`) + start(1, `{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`) + more(1, `{"type":"input_json_delta","partial_json":"{}"}`) + stop(1) + start(2, `{"type":"text","text":""}`) + more(2, `{"type":"text_delta","text":"b"}`) + more(2, `{"type":"citations_delta","citation":{}}`) + stop(2), starling.Answer{Text: "ab"}, ""},
		{"thoughts are not text", start(0, `{"type":"thinking","thinking":"","signature":""}`) + more(0, `{"type":"thinking_delta","thinking":"hm"}`) + more(0, `{"type":"signature_delta","signature":"s"}`) + stop(0) + start(1, `{"type":"redacted_thinking","data":"xyz"}`) + stop(1) + start(2, `{"type":"text","text":"a"}`) + stop(2), starling.Answer{Text: "a"}, "hm"},
		{"text whose block nobody started is text", more(5, `{"type":"text_delta","text":"b"}`) + more(5, `{"type":"text_delta","text":"c"}`), starling.Answer{Text: "bc"}, ""},
		{"and thoughts are thoughts", more(0, `{"type":"thinking_delta","thinking":"hm"}`) + more(1, `{"type":"text_delta","text":"a"}`), starling.Answer{Text: "a"}, "hm"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := readAll(t, strings.NewReader(c.stream+end), ReadOptions{Dialect: starling.Anthropic, Stream: true, Deltas: true})
			c.want.Finish = starling.ToolUse
			if d := cmp.Diff(c.want, got.answer); d != "" || got.err != nil || got.think != c.think {
				t.Errorf("%s thinking %q, %v", d, got.think, got.err)
			}
			raw := readAll(t, strings.NewReader(c.stream+end), ReadOptions{Dialect: starling.Anthropic, Stream: true, Raw: true})
			if raw.bytes != got.bytes || raw.raw != c.stream+end {
				t.Errorf("raw counts %d bytes, deltas %d", raw.bytes, got.bytes)
			}
		})
	}
}

func TestEveryReasonToEndIsUnderstood(t *testing.T) {
	for reason, want := range map[string]starling.Finish{"stop": starling.Stopped, "length": starling.Length, "tool_calls": starling.ToolUse, "function_call": starling.ToolUse, "content_filter": starling.Filtered, "error": starling.OtherStop} {
		got := readAll(t, strings.NewReader(strings.Replace(finished, "stop", reason, 1)), ReadOptions{Dialect: starling.OpenAI, Stream: true, Raw: true})
		if got.answer.Finish != want {
			t.Errorf("%s is %q, want %q", reason, got.answer.Finish, want)
		}
	}
	for reason, want := range map[string]starling.Finish{"end_turn": starling.Stopped, "max_tokens": starling.Length, "stop_sequence": starling.StopWord, "tool_use": starling.ToolUse, "pause_turn": starling.Paused, "refusal": starling.Filtered, "model_context_window_exceeded": starling.Overfull, "new": starling.OtherStop} {
		got := readAll(t, strings.NewReader(`{"id":"a","model":"b","content":[],"stop_reason":"`+reason+`"}`), ReadOptions{Dialect: starling.Anthropic, Raw: true})
		if got.answer.Finish != want || got.last.ID != "a" || got.last.Model != "b" || !got.last.Whole {
			t.Errorf("%s is %q, want %q", reason, got.answer.Finish, want)
		}
	}
}

func TestRawWholeBodiesKeepTheirBytes(t *testing.T) {
	const body = "\n{\"id\":\"c\", \"choices\":[{\"index\":0,\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"},{\"index\":1,\"message\":{\"content\":\"b\"}}],\"x\":9007199254740993}\n"
	got := readAll(t, strings.NewReader(body), ReadOptions{Dialect: starling.OpenAI, Raw: true, Deltas: true})
	if got.raw != body || got.answer.Text != "a" || got.bytes != 2 || got.err != nil {
		t.Errorf("got %+v", got)
	}
	var out bytes.Buffer
	w := NewWriter(&out, WriterOptions{Request: &starling.Request{Dialect: starling.OpenAI}})
	if err := relay(w, strings.NewReader(body), ReadOptions{Dialect: starling.OpenAI, Raw: true}); err != nil || out.String() != body {
		t.Errorf("wrote %q, %v", out.String(), err)
	}
}

func TestContentInParts(t *testing.T) {
	stream := delta(`{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a\u00e9\ud83d\ude00\ud800b"}]}`) + finished + ": trailing"
	got := readAll(t, strings.NewReader(stream), ReadOptions{Dialect: starling.OpenAI, Stream: true, Deltas: true})
	if got.think != "hm" || got.answer.Text != "aé😀\uFFFDb" || got.err != nil {
		t.Errorf("got %+v", got)
	}
	if got.bytes != len(got.think)+len(got.answer.Text) {
		t.Errorf("counted %d bytes", got.bytes)
	}
}

func TestAnAnswerWithoutEndOfBlocksIsBounded(t *testing.T) {
	stream := strings.Repeat(delta(`{"tool_calls":[{"function":{"name":"f"}}]}`), mostBlocks+1)
	if got := readAll(t, strings.NewReader(stream), ReadOptions{Dialect: starling.OpenAI, Stream: true, Raw: true}); starling.KindOf(got.err) != starling.Refused {
		t.Errorf("got %v", got.err)
	}
	stream = strings.Repeat("data: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"text\"}}\n\n", mostBlocks+1)
	if got := readAll(t, strings.NewReader(stream), ReadOptions{Dialect: starling.Anthropic, Stream: true, Raw: true}); starling.KindOf(got.err) != starling.Refused {
		t.Errorf("got %v", got.err)
	}
}

func TestSpaceAroundDataIsNoData(t *testing.T) {
	stream := strings.ReplaceAll(delta(`{"content":"x"}`)+finished+done, "data: ", "data:   ")
	stream = strings.ReplaceAll(stream, "\n\n", " \n\n")
	if got := readAll(t, strings.NewReader(stream), ReadOptions{Dialect: starling.OpenAI, Stream: true, Raw: true, Deltas: true}); got.err != nil || got.answer.Text != "x" || got.raw != stream {
		t.Errorf("got %+v", got)
	}
}
