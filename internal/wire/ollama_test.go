package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"starling"
)

func spoke(content string) string {
	return `{"model":"m","message":{"role":"assistant","content":` + content + `},"done":false}` + "\n"
}

const lastLine = `{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":2}` + "\n"

func TestLinesReadTheSameHoweverTheyArrive(t *testing.T) { // traps 15, 16
	large(t)
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
