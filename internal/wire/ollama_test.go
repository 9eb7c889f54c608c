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
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"starling"
)

func spoke(content string) string {
	return `{"model":"m","message":{"role":"assistant","content":` + content + `},"done":false}` + "\n"
}

const lastLine = `{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":2}` + "\n"

func TestLinesReadTheSameHoweverTheyArrive(t *testing.T) { // traps 15, 16
	long := strings.Repeat("日本 ", 700_000)
	lf := "\n" + spoke(`"Grüße 🐦 "`) + "\n\n" + spoke(`"`+long+`"`) + lastLine
	for name, stream := range map[string]string{"LF": lf, "CRLF": strings.ReplaceAll(lf, "\n", "\r\n"), "without the last end": strings.TrimSpace(lf)} {
		for how, r := range map[string]io.Reader{
			"at once":        strings.NewReader(stream),
			"byte by byte":   iotest.OneByteReader(strings.NewReader(stream)),
			"in halves":      iotest.HalfReader(strings.NewReader(stream)),
			"EOF with data":  iotest.DataErrReader(strings.NewReader(stream)),
			"5 bytes a time": &sips{strings.NewReader(stream), 5},
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				got := readAll(t, r, ReadOptions{Dialect: starling.Ollama, Stream: true, Raw: true, Deltas: true})
				if got.err != nil || got.answer.Text != "Grüße 🐦 "+long || got.answer.Finish != starling.Stopped || got.bytes != len(got.answer.Text) {
					t.Fatalf("%d bytes, counted %d, %v, %v", len(got.answer.Text), got.bytes, got.answer.Finish, got.err)
				}
				if d := cmp.Diff(starling.Usage{Input: 3, Output: 2}, got.usage); d != "" {
					t.Error(d)
				}
				if strings.TrimSpace(got.raw) != strings.TrimSpace(stream) {
					t.Error("the bytes differ")
				}
			})
		}
	}
}

func TestALineIsYieldedBeforeTheNextOneArrives(t *testing.T) {
	r, w := io.Pipe()
	seen := make(chan bool)
	go func() {
		for range 3 {
			fmt.Fprint(w, spoke(`"x"`))
			<-seen
		}
		w.Close()
	}()
	n := 0
	for _, err := range Read(r, ReadOptions{Dialect: starling.Ollama, Stream: true, Raw: true}) {
		if err != nil {
			break
		}
		n++
		seen <- true
	}
	if n != 3 {
		t.Errorf("%d lines", n)
	}
}

func TestLinesThatBreakOffAreAnError(t *testing.T) { // traps 4, 14
	for _, c := range []struct {
		name, body string
		dialect    starling.Dialect
		whole      bool
		kind       starling.Kind
		status     int // of the reply; 0 none
		billed     bool
	}{
		{name: "nothing", kind: starling.Overloaded, billed: true},
		{name: "no last line", body: spoke(`"x"`), kind: starling.Overloaded, billed: true},
		{name: "cut inside a line", body: spoke(`"x"`) + `{"model":"m","mess`, kind: starling.Overloaded, billed: true},
		{name: "half a character", body: spoke(`"x"`) + strings.TrimSuffix(spoke("\"\xc3"), "},\"done\":false}\n"), kind: starling.Overloaded, billed: true},
		{name: "a line that is no JSON", body: spoke(`"x"`) + "<html>\n" + lastLine, kind: starling.Overloaded, billed: true},
		{name: "a line that is no object", body: "[]\n" + lastLine, kind: starling.Overloaded, billed: true},
		{name: "an error before anything", body: `{"error":"busy"}` + "\n", kind: starling.Overloaded, status: 500},
		{name: "an error in the middle", body: spoke(`"x"`) + `{"error":"busy"}` + "\n", kind: starling.Overloaded, status: 500, billed: true},
		{name: "brackets", body: strings.Repeat(`{"a":`, 100_000) + "\n", kind: starling.Overloaded, billed: true},
		{name: "a whole answer that is not done", whole: true, body: strings.TrimSpace(spoke(`"x"`)), kind: starling.Overloaded, billed: true},
		{name: "a whole answer of another dialect", whole: true, body: `{"choices":[{}],"done":true}`, kind: starling.Overloaded, billed: true},
		{name: "a chat where a prompt was asked", dialect: starling.Generate, whole: true, body: strings.TrimSpace(lastLine), kind: starling.Overloaded, billed: true},
		{name: "an error as a body", whole: true, body: `{"error":"no"}`, kind: starling.Overloaded, status: 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := c.dialect
			if d == "" {
				d = starling.Ollama
			}
			for _, raw := range []bool{true, false} {
				got := readAll(t, strings.NewReader(c.body), ReadOptions{Dialect: d, Stream: !c.whole, Raw: raw, Deltas: !raw})
				var e *starling.Error
				if !errors.As(got.err, &e) || e.Kind != c.kind || e.Billed != c.billed {
					t.Fatalf("got %#v", got.err)
				}
				if (e.Reply != nil) != (c.status != 0) || c.status != 0 && (e.Reply.Status != c.status || e.Reply.Dialect != d) {
					t.Errorf("replied %+v", e.Reply)
				}
			}
		})
	}
}

func TestOllamasDialectsAreParsed(t *testing.T) {
	for _, c := range []struct {
		name    string
		dialect starling.Dialect
		body    string
		want    starling.Request
	}{
		{"a stream goes without saying", starling.Ollama, `{"model":"m","messages":[{}]}`, starling.Request{Model: "m", Stream: true, WantUsage: true}},
		{"so does one that is null", starling.Generate, `{"model":"m","prompt":"x","stream":null}`, starling.Request{Model: "m", Stream: true, WantUsage: true}},
		{"a whole answer", starling.Ollama, `{"stream":false,"model":"m","messages":[{}],"options":{"num_predict":7,"seed":1},"tools":[{"type":"function"}],"logprobs":true}`, starling.Request{Model: "m", MaxTokens: 7, Tools: 1, WantProbs: true}},
		{"no limit", starling.Generate, `{"model":"m","prompt":"x","stream":false,"options":{"num_predict":-1}}`, starling.Request{Model: "m"}},
		{"nothing is asked", starling.Ollama, `{"model":"m","stream":false}`, starling.Request{Model: "m"}},
		{"images, but not those of a tool's input", starling.Ollama, `{"model":"m","stream":false,"messages":[{"images":["a","` + blob + `"],"content":"images"},{"tool_calls":[{"function":{"arguments":{"images":["x"]}}}]}],"images":["x"],"options":{"images":["y"]}}`, starling.Request{Model: "m", Images: 3, Opaque: len(blob)}},
		{"images of a prompt", starling.Generate, `{"model":"m","stream":false,"prompt":"x","images":["` + blob + `"]}`, starling.Request{Model: "m", Images: 1, Opaque: len(blob)}},
		{"images are no part of the other dialects", starling.OpenAI, `{"model":"m","messages":[{"images":["a"]}],"images":["b"]}`, starling.Request{Model: "m"}},
		{"a completion", starling.Completions, `{"model":"m","prompt":"x","stream":true,"stream_options":{"include_usage":true},"max_tokens":5}`, starling.Request{Model: "m", Stream: true, WantUsage: true, MaxTokens: 5}},
		{"all answers that are made count", starling.Completions, `{"n":2,"model":"m","prompt":["x","y"],"best_of":3,"logprobs":0}`, starling.Request{Model: "m", Choices: 12, WantProbs: true}},
		{"a prompt in tokens is one", starling.Completions, `{"model":"m","prompt":[1,2,3]}`, starling.Request{Model: "m"}},
		{"prompts in tokens", starling.Completions, `{"model":"m","prompt":[[1,2],[3]]}`, starling.Request{Model: "m", Choices: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(c.dialect, []byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			c.want.Dialect, c.want.Body, c.want.Choices = c.dialect, []byte(c.body), max(c.want.Choices, 1)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestOllamasDialectsRefuseWhatTheyCannotRead(t *testing.T) {
	for _, c := range []struct {
		dialect  starling.Dialect
		body, op string
	}{
		{starling.Ollama, `{"messages":[{}]}`, "model"},
		{starling.Ollama, `{"model":"m","messages":"x"}`, "messages"},
		{starling.Ollama, `{"model":"m","messages":[{}],"stream":"no"}`, "stream"},
		{starling.Ollama, `{"model":"m","messages":[{}],"options":[]}`, "options"},
		{starling.Ollama, `{"model":"m","messages":[{}],"options":{"num_predict":1.5}}`, "options.num_predict"},
		{starling.Ollama, `{"model":"m","messages":[{}],"options":{"num_predict":1,"num_predict":9}}`, "options.num_predict"},
		{starling.Generate, `{"model":"m","prompt":["x"]}`, "prompt"},
		{starling.Completions, `{"model":"m"}`, "prompt"},
		{starling.Completions, `{"model":"m","prompt":[]}`, "prompt"},
		{starling.Completions, `{"model":"m","prompt":5}`, "prompt"},
		{starling.Completions, `{"model":"m","prompt":"x","n":0}`, "n"},
		{starling.Completions, `{"model":"m","prompt":"x","n":20,"best_of":20}`, "best_of"},
	} {
		var e *starling.Error
		if _, err := Parse(c.dialect, []byte(c.body)); !errors.As(err, &e) || e.Kind != starling.Invalid || e.Op != fieldOp+c.op {
			t.Errorf("%s: got %v", c.body, err)
		}
	}
}

func TestWhatOnlyLoadsAModelIsKnown(t *testing.T) {
	for _, c := range []struct {
		dialect    starling.Dialect
		body, want string
	}{
		{starling.Ollama, `{"model":"m"}`, "load"},
		{starling.Ollama, ` {"model":"m","messages":[ ],"keep_alive":"5m"}`, "load"},
		{starling.Ollama, `{"model":"m","messages":[],"keep_alive":0}`, "unload"},
		{starling.Generate, `{"model":"m","prompt":"","keep_alive":"0s"}`, "unload"},
		{starling.Generate, `{"model":"m","keep_alive":-1}`, "load"},
		{starling.Generate, `{"model":"m","prompt":null,"messages":[{}]}`, "load"},
		{starling.Ollama, `{"model":"m","messages":[{}],"keep_alive":0}`, ""},
		{starling.Generate, `{"model":"m","prompt":"x"}`, ""},
		{starling.OpenAI, `{"model":"m","messages":[{}]}`, ""},
	} {
		r := parsed(t, c.dialect, c.body)
		if got := Loads(r); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.dialect, c.body, got, c.want)
		}
		if c.want == "" {
			continue
		}
		if _, err := Outgoing(r, starling.OpenAI, starling.Model{}, func(string) {}); starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s is asked of others: %v", c.body, err)
		}
	}
}

func TestNothingIsTranslatedIntoADialectOfPrompts(t *testing.T) {
	if got, want := Targets(), []starling.Dialect{starling.Generate, starling.Completions}; slices.ContainsFunc(want, func(d starling.Dialect) bool { return slices.Contains(got, d) }) {
		t.Errorf("%v", got)
	}
	for _, d := range []starling.Dialect{starling.Generate, starling.Completions} {
		r := parsed(t, starling.OpenAI, chat(starling.OpenAI, `"seed":1`))
		if _, err := Outgoing(r, d, starling.Model{Name: "x"}, func(string) {}); starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: %v", d, err)
		}
	}
}

func TestWhatPassesToAnUpstreamOfItsDialectKeepsItsBytes(t *testing.T) {
	for _, c := range []struct {
		dialect starling.Dialect
		in, out string
	}{
		{starling.Ollama, `{ "model":"a", "messages":[{"content":"<é>"}],"options":{"num_ctx":1024}, "x":1.50}`, `{ "model":"b", "messages":[{"content":"<é>"}],"options":{"num_ctx":1024}, "x":1.50}`},
		{starling.Generate, `{"prompt":"x","raw":true,"context":[1,2],"model":"a"}`, `{"prompt":"x","raw":true,"context":[1,2],"model":"b"}`},
		{starling.Completions, `{"model":"a","prompt":[1,2],"echo":true}`, `{"model":"b","prompt":[1,2],"echo":true}`},
		{starling.Completions, `{"model":"a","prompt":"x","stream":true}`, `{"stream_options":{"include_usage":true},"model":"b","prompt":"x","stream":true}`}, // trap 6
	} {
		got, err := Outgoing(parsed(t, c.dialect, c.in), c.dialect, starling.Model{Name: "b", Context: 4096}, nil)
		if d := cmp.Diff(c.out, string(got)); d != "" || err != nil {
			t.Errorf("%v %s", err, d)
		}
	}
}

// ollamaChat makes a request of an Ollama client.
func ollamaChat(fields string) string {
	return `{"model":"m","messages":[{"role":"user","content":"hi"}],` + fields + `}`
}

func TestWhatWouldChangeTheAnswerIsRefusedFromAndToOllama(t *testing.T) {
	openAIChat := func(fields string) string { return chat(starling.OpenAI, fields) }
	for _, c := range []struct {
		from, to starling.Dialect
		body, op string
	}{
		{starling.Ollama, starling.OpenAI, ollamaChat(`"logprobs":true`), "logprobs"},
		{starling.Ollama, starling.OpenAI, ollamaChat(`"format":"xml"`), "format"},
		{starling.Ollama, starling.OpenAI, ollamaChat(`"think":3`), "think"},
		{starling.Ollama, starling.OpenAI, ollamaChat(`"_debug_render_only":true`), "_debug_render_only"},
		{starling.Ollama, starling.OpenAI, `{"model":"m","messages":[{"role":"robot","content":"x"}]}`, "messages[].role"},
		{starling.Ollama, starling.OpenAI, `{"model":"m","messages":[{"role":"user","content":[]}]}`, "messages[0].content"},
		{starling.Ollama, starling.OpenAI, `{"model":"m","messages":[{"role":"assistant","content":"{"}]}`, "messages"},
		{starling.Ollama, starling.OpenAI, ollamaChat(`"tools":[{"type":"web"}]`), "tools[].type"},
		{starling.Generate, starling.OpenAI, `{"model":"m","prompt":"x","raw":true}`, "raw"},
		{starling.Generate, starling.OpenAI, `{"model":"m","prompt":"x","template":"t"}`, "template"},
		{starling.Generate, starling.OpenAI, `{"model":"m","prompt":"x","suffix":"s"}`, "suffix"},
		{starling.Generate, starling.OpenAI, `{"model":"m","prompt":"x","context":[1]}`, "context"},
		{starling.Generate, starling.Ollama, `{"model":"m","prompt":"x","width":512}`, "width"},
		{starling.Completions, starling.OpenAI, `{"model":"m","prompt":["x","y"]}`, "prompt"},
		{starling.Completions, starling.OpenAI, `{"model":"m","prompt":[1,2]}`, "prompt"},
		{starling.Completions, starling.OpenAI, `{"model":"m","prompt":[1]}`, "prompt"},
		{starling.Completions, starling.OpenAI, `{"model":"m","prompt":"x","echo":true}`, "echo"},
		{starling.Completions, starling.OpenAI, `{"model":"m","prompt":"x","suffix":"y"}`, "suffix"},
		{starling.Completions, starling.OpenAI, `{"model":"m","prompt":"x","logprobs":0}`, "logprobs"},
		{starling.Completions, starling.OpenAI, `{"model":"m","prompt":"x","best_of":2}`, "best_of"},
		{starling.Completions, starling.OpenAI, `{"model":"m","prompt":"x","n":2}`, "n"},
		{starling.OpenAI, starling.Ollama, openAIChat(`"n":2`), "n"},
		{starling.OpenAI, starling.Ollama, openAIChat(`"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required"`), "tool_choice"},
		{starling.OpenAI, starling.Ollama, openAIChat(`"tool_choice":"required"`), "tool_choice"},
		{starling.OpenAI, starling.Ollama, openAIChat(`"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]`), "messages[].content[].image"},
		{starling.OpenAI, starling.Ollama, openAIChat(`"messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{"}}]},{"role":"user","content":"x"}]`), "messages[].tool_calls[].function.arguments"},
	} {
		t.Run(c.body, func(t *testing.T) {
			_, err := Outgoing(parsed(t, c.from, c.body), c.to, starling.Model{Name: "x"}, func(string) {})
			var e *starling.Error
			if !errors.As(err, &e) || e.Kind != starling.Invalid || e.Op != fieldOp+c.op {
				t.Errorf("got %v, want invalid %q", err, c.op)
			}
		})
	}
}

func TestWhatCannotBeCarriedIsReportedFromAndToOllama(t *testing.T) {
	tool := `"tools":[{"type":"function","function":{"name":"f"}}],`
	for _, c := range []struct {
		from, to starling.Dialect
		model    starling.Model
		body     string
		left     []string
	}{
		{starling.Ollama, starling.OpenAI, starling.Model{}, ollamaChat(`"options":{"num_ctx":9,"num_gpu":1,"mirostat":2,"min_p":0.1,"frequency_penalty":0},"keep_alive":0,"truncate":true,"shift":false,"logprobs":false,"top_logprobs":0,"format":"","new_field":1`),
			[]string{"keep_alive", "new_field", "options.min_p", "options.mirostat", "options.num_ctx", "options.num_gpu", "truncate"}},
		{starling.Generate, starling.OpenAI, starling.Model{}, `{"model":"m","prompt":"x","suffix":"","template":"","raw":false,"context":[],"system":"","images":[]}`, nil},
		{starling.Completions, starling.OpenAI, starling.Model{}, `{"model":"m","prompt":"x","presence_penalty":1,"frequency_penalty":0,"best_of":1,"echo":false,"logit_bias":{}}`, []string{"presence_penalty"}},
		{starling.OpenAI, starling.Ollama, starling.Model{Name: "llama3"}, chat(starling.OpenAI, tool+`"tool_choice":"none","reasoning_effort":"high","user":"u"`),
			[]string{"reasoning_effort: the upstream's model thinks as much as it does", "tools: not offered, as none may be called", "user"}},
		{starling.OpenAI, starling.Ollama, starling.Model{Name: "gpt-oss:20b"}, chat(starling.OpenAI, `"reasoning_effort":"high"`), nil},
		{starling.OpenAI, starling.Ollama, starling.Model{Name: "gpt-oss:20b"}, chat(starling.OpenAI, `"reasoning_effort":"xhigh"`), []string{"reasoning_effort: sent as high"}},
		{starling.OpenAI, starling.Ollama, starling.Model{Name: "qwen3"}, chat(starling.OpenAI, `"reasoning_effort":"none"`), nil},
		{starling.Anthropic, starling.Ollama, starling.Model{Name: "gpt-oss"}, chat(starling.Anthropic, `"thinking":{"type":"enabled","budget_tokens":9000}`), []string{"reasoning_effort: sent as medium"}},
		{starling.OpenAI, starling.Ollama, starling.Model{}, chat(starling.OpenAI, tool+`"parallel_tool_calls":true,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"high"}}]}]`), []string{"messages[].content[].image_url.detail"}},
	} {
		t.Run(c.body, func(t *testing.T) {
			var left []string
			if _, err := Outgoing(parsed(t, c.from, c.body), c.to, c.model, func(s string) { left = append(left, s) }); err != nil {
				t.Fatal(err)
			}
			slices.Sort(left)
			if d := cmp.Diff(c.left, left); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestOllamaIsToldTheWindowAndNotToCut(t *testing.T) {
	for context, want := range map[int64]string{0: "", 40960: `"options":{"num_ctx":40960,"temperature":0.5}`} {
		body, err := Outgoing(parsed(t, starling.OpenAI, chat(starling.OpenAI, `"temperature":0.5`)), starling.Ollama, starling.Model{Name: "m", Context: context}, func(string) {})
		if err != nil || !strings.Contains(string(body), want) || !strings.Contains(string(body), `"truncate":false,"shift":false`) {
			t.Errorf("%v %s", err, body)
		}
		if context == 0 && strings.Contains(string(body), "num_ctx") {
			t.Errorf("a window is invented: %s", body)
		}
	}
}

func TestASchemaIsStrictOnlyIfItIsClosed(t *testing.T) {
	for schema, want := range map[string]bool{
		`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`:                                                                                       true,
		`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`:                                                                                                                    false,
		`{"type":"object","properties":{"a":{"type":"string"},"b":{}},"required":["a"],"additionalProperties":false}`:                                                                                false,
		`{"type":"object","properties":{"a":{"type":"array","items":{"type":"object","properties":{"b":{}}}}},"required":["a"],"additionalProperties":false}`:                                        false,
		`{"type":"object","properties":{"a":{"anyOf":[{"type":"string"},{"type":"object","properties":{},"additionalProperties":false}]}},"required":["a"],"additionalProperties":false,"$defs":{}}`: true,
	} {
		c, err := View(parsed(t, starling.Ollama, ollamaChat(`"format":`+schema)))
		if err != nil || *c.Format.Strict != want {
			t.Errorf("%s: %v %v", schema, c.Format, err)
		}
	}
}

func TestResultsFindTheirCallsWithoutIDs(t *testing.T) {
	for name, c := range map[string]struct {
		calls, results string
		want           []string
	}{
		"in order":                {`{"function":{"name":"f"}},{"function":{"name":"g"}}`, `{"role":"tool","content":"a"},{"role":"tool","content":"b"}`, []string{"call_0_0", "call_0_1"}},
		"by name":                 {`{"function":{"name":"f"}},{"function":{"name":"g"}}`, `{"role":"tool","tool_name":"g","content":"b"},{"role":"tool","tool_name":"f","content":"a"}`, []string{"call_0_1", "call_0_0"}},
		"by id":                   {`{"id":"x","function":{"name":"f"}},{"id":"y","function":{"name":"f"}}`, `{"role":"tool","tool_call_id":"y"},{"role":"tool","content":"a"}`, []string{"y", "x"}},
		"of a call that is gone":  {`{"function":{"name":"f"}}`, `{"role":"tool","tool_name":"z","content":"b"}`, []string{"call_of_1"}},
		"of a known id, but gone": {`{"function":{"name":"f"}}`, `{"role":"tool","tool_call_id":"q","content":"b"}`, []string{"q"}},
	} {
		view, err := View(parsed(t, starling.Ollama, `{"model":"m","messages":[{"role":"assistant","tool_calls":[`+c.calls+`]},`+c.results+`]}`))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range view.Messages[1:] {
			got = append(got, m.Parts[0].Result.ID)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestOllamaIsToldHowLongItTook(t *testing.T) {
	for _, stream := range []bool{true, false} {
		at := time.Unix(100, 0)
		var out bytes.Buffer
		w := NewWriter(&out, WriterOptions{Request: &starling.Request{Dialect: starling.Ollama, Stream: stream}, Created: at, Now: func() time.Time { at = at.Add(time.Second); return at }})
		if err := errors.Join(w.Event(textDelta(0, "x")), w.Event(textDelta(0, "y")), w.Event(starling.Event{Finish: starling.Stopped, Usage: &starling.Usage{Input: 5, Output: 2}}), w.Close()); err != nil {
			t.Fatal(err)
		}
		want := `"total_duration":2000000000,"load_duration":0,"prompt_eval_count":5,"prompt_eval_duration":1000000000,"eval_count":2,"eval_duration":1000000000}`
		if !stream {
			want = `"total_duration":1000000000,"load_duration":0,"prompt_eval_count":5,"prompt_eval_duration":0,"eval_count":2,"eval_duration":1000000000}`
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("want %s in %s", want, out.String())
		}
	}
}

func TestACallThatNobodyCanBeToldIsAnError(t *testing.T) {
	for _, d := range []starling.Dialect{starling.Generate, starling.Completions} {
		for _, stream := range []bool{true, false} {
			w := NewWriter(io.Discard, WriterOptions{Request: &starling.Request{Dialect: d, Stream: stream}})
			if err := errors.Join(w.Event(callDelta(0, "a", "f", "{}")), w.Close()); starling.KindOf(err) != starling.Refused {
				t.Errorf("%s, stream %v: %v", d, stream, err)
			}
		}
	}
}

func TestOllamasLogprobsAreHiddenAndCounted(t *testing.T) {
	line := `{"model":"m","message":{"role":"assistant","content":"x"},"done":false,"logprobs":[{"token":"x","logprob":-0.6931471805599453}]}` + "\n"
	got := readAll(t, strings.NewReader(line+lastLine), ReadOptions{Dialect: starling.Ollama, Stream: true, Raw: true, HideLogprobs: true})
	if want := strings.Replace(line, `[{"token":"x","logprob":-0.6931471805599453}]`, "null", 1) + lastLine; got.raw != want || got.last.Confidence < 0.49 || got.last.Confidence > 0.51 {
		t.Errorf("%v of %s", got.last.Confidence, got.raw)
	}
}

func TestAPromptIsOutlinedAndReworded(t *testing.T) {
	for _, c := range []struct {
		dialect              starling.Dialect
		body, system, reword string
	}{
		{starling.Generate, ` {"model":"m","system":"be","prompt":"hi","stream":false}`, "be", ` {"model":"m","system":"so","prompt":"hi","stream":false}`},
		{starling.Generate, `{"model":"m","prompt":"hi"}`, "", `{"system":"so","stream":false,"model":"m","prompt":"hi"}`},
		{starling.Ollama, `{"model":"m","messages":[{"role":"system","content":"be"},{"role":"user","content":"hi"}]}`, "be", `{"stream":false,"model":"m","messages":[{"role":"system","content":"so"},{"role":"user","content":"hi"}]}`},
		{starling.Completions, `{"model":"m","prompt":["hi"],"stream":true}`, "", `{"model":"m","prompt":"so\n\nhi","stream":false}`},
	} {
		o := outlined(t, c.dialect, c.body)
		system := ""
		for _, s := range o.System {
			system += Text(s)
		}
		if system != c.system || Text(o.First) != "hi" || Text(o.Last) != "hi" || o.Answers != 0 {
			t.Errorf("%s: %+v", c.body, o)
		}
		got, err := Reword(parsed(t, c.dialect, c.body), "so")
		if d := cmp.Diff(c.reword, string(got.Body)); d != "" || err != nil || got.Stream {
			t.Errorf("%v %s", err, d)
		}
	}
	if _, err := Reword(parsed(t, starling.Completions, `{"model":"m","prompt":[1,2]}`), "so"); starling.KindOf(err) != starling.Invalid {
		t.Errorf("tokens are reworded: %v", err)
	}
}

// TestOllamaThereAndBackKeepsTheConversation: what is said to Ollama is still what
// was said, by the same ones and in the same order.
func TestOllamaThereAndBackKeepsTheConversation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asked := bytes.ReplaceAll(conversationOf(t), []byte("https://example.com/a.png"), []byte("data:image/png;base64,iVBORw0KGgo"))
		asked = bytes.ReplaceAll(asked, []byte(`"tool_choice":"required"`), []byte(`"tool_choice":"auto"`))
		r, err := Parse(starling.OpenAI, asked)
		if err != nil {
			t.Fatal(err)
		}
		body, err := Outgoing(&r, starling.Ollama, starling.Model{Name: "there"}, func(string) {})
		if err != nil {
			if strings.Contains(err.Error(), "tool_choice") {
				return // one tool is demanded
			}
			t.Fatal(err)
		}
		there, err := Parse(starling.Ollama, body)
		if err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if d := cmp.Diff(turnsOf(t, &r), turnsOf(t, &there)); d != "" {
			t.Fatalf("%s\n%s", d, body)
		}
		if r.Images != there.Images || r.Stream != there.Stream || r.MaxTokens != there.MaxTokens {
			t.Fatalf("routing sees %+v, %+v", r, there)
		}
	})
}

// turnsOf flattens a conversation by role: texts of one turn are joined, images stand
// before them.
func turnsOf(t *rapid.T, r *starling.Request) (all []string) {
	c, err := View(r)
	if err != nil {
		t.Fatal(err)
	}
	var texts, shown, calls []string
	var last starling.Role
	flush := func() {
		if len(texts)+len(shown)+len(calls) > 0 {
			all = append(all, fmt.Sprint(last, shown, strings.Join(texts, "\n\n"), calls))
		}
		texts, shown, calls = nil, nil, nil
	}
	for _, m := range append([]starling.Message{{Role: starling.System, Parts: c.System}}, c.Messages...) {
		if m.Role != last {
			flush()
			last = m.Role
		}
		for _, p := range m.Parts {
			switch p.Kind {
			case starling.ImagePart:
				shown = append(shown, p.Image.Data)
			case starling.CallPart:
				calls = append(calls, fmt.Sprintf("%+v", *p.Call))
			case starling.ResultPart:
				calls = append(calls, fmt.Sprintf("%s %+v", p.Result.ID, p.Result.Parts))
			default:
				texts = append(texts, p.Text)
			}
		}
	}
	flush()
	return append(all, fmt.Sprint(c.MaxTokens, c.Temperature, c.TopP, c.Stop))
}

// FuzzReadLines reads anything as lines, at once and byte by byte, and relays it to
// callers of every dialect.
func FuzzReadLines(f *testing.F) {
	seeds(f, "answer", "upstream")
	f.Fuzz(func(t *testing.T, body []byte, second bool) {
		from := map[bool]starling.Dialect{true: starling.Ollama, false: starling.Generate}[second]
		for _, stream := range []bool{true, false} {
			o := ReadOptions{Dialect: from, Stream: stream, Raw: true, Deltas: true, MaxEvent: 1 << 16}
			whole := readAll(t, bytes.NewReader(body), o)
			slow := readAll(t, iotest.OneByteReader(bytes.NewReader(body)), o)
			if (whole.err == nil) != (slow.err == nil) || whole.answer.Text != slow.answer.Text || whole.usage != slow.usage || whole.raw != slow.raw {
				t.Fatalf("at once %+v, byte by byte %+v", whole, slow)
			}
			for _, d := range Dialects() {
				var out bytes.Buffer
				r := &starling.Request{Dialect: d, Stream: stream}
				err := relay(NewWriter(&out, WriterOptions{Request: r}), bytes.NewReader(body), ReadOptions{Dialect: from, Stream: stream, Raw: d == from, Deltas: d != from, MaxEvent: 1 << 16})
				if err != nil || d == from {
					continue
				}
				if back := readAll(t, &out, ReadOptions{Dialect: d, Stream: stream, Deltas: true}); back.err != nil || back.answer.Text != whole.answer.Text {
					t.Fatalf("%s, %v: %q became %q", d, back.err, whole.answer.Text, back.answer.Text)
				}
			}
		}
	})
}

// FuzzOllama parses, views and translates anything.
func FuzzOllama(f *testing.F) {
	seeds(f, "question", "caller.json")
	f.Fuzz(func(t *testing.T, body []byte, second bool) {
		for _, d := range []starling.Dialect{starling.Ollama, starling.Generate, starling.Completions} {
			r, err := Parse(d, body)
			if err != nil {
				continue
			}
			Loads(&r)
			o := OutlineOf(&r)
			o.WriteOpening(io.Discard)
			to := spokenBy(second)
			out, err := Outgoing(&r, to, starling.Model{Name: "m"}, func(string) {})
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
		if r, err := Parse(spokenBy(second), body); err == nil {
			if out, err := Outgoing(&r, starling.Ollama, starling.Model{Name: "m"}, func(string) {}); err == nil {
				back, err := Parse(starling.Ollama, out)
				if err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				if _, err := View(&back); err != nil && Loads(&back) == "" {
					t.Fatalf("%v: %s", err, out)
				}
			}
		}
	})
}
