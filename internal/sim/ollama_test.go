package sim_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling/internal/sim"
)

// askAt hands a body to a path of the server without a network.
func askAt(s *sim.Server, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	s.ServeHTTP(w, must(http.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))))
	return w
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestOllamaStreamsLinesUnlessToldOtherwise(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Reasoning: 3}}})
	for path, c := range map[string]struct{ fields, said, thought string }{
		"/api/chat":     {`"messages":[{"role":"user","content":"hi"}]`, "message.content", "message.thinking"},
		"/api/generate": {`"prompt":"hi"`, "response", "thinking"},
	} {
		whole := askAt(s, path, `{"model":"m","stream":false,`+c.fields+`}`)
		if got := whole.Header().Get("Content-Type"); got != "application/json" || whole.Code != 200 || strings.Contains(strings.TrimSpace(whole.Body.String()), "\n") {
			t.Fatalf("%s: %s", got, whole.Body)
		}
		stream := askAt(s, path, `{"model":"m",`+c.fields+`}`)
		if got := stream.Header().Get("Content-Type"); got != "application/x-ndjson" {
			t.Errorf("content type %s", got)
		}
		said, thought, last := "", "", gjson.Result{}
		for line := range strings.Lines(stream.Body.String()) {
			last = gjson.Parse(line)
			said += last.Get(c.said).Str
			thought += last.Get(c.thought).Str
		}
		want := gjson.Parse(whole.Body.String())
		if said == "" || said != want.Get(c.said).Str || thought == "" || thought != want.Get(c.thought).Str {
			t.Errorf("%s: %q and %q, whole %s", path, said, thought, want)
		}
		for _, field := range []string{"done", "done_reason", "prompt_eval_count", "eval_count", "simulated"} {
			if v := last.Get(field); !v.Exists() || v.Raw != want.Get(field).Raw {
				t.Errorf("%s: %s is %s in the stream, %s in the whole", path, field, v.Raw, want.Get(field).Raw)
			}
		}
		if think := askAt(s, path, `{"model":"m","stream":false,"think":false,`+c.fields+`}`); gjson.Get(think.Body.String(), c.thought).Exists() {
			t.Errorf("it thinks nevertheless: %s", think.Body)
		}
	}
}

func TestOllamaCallsToolsWithObjectsAndKeepsToASchema(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Dialect: "ollama"}}})
	tool := `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}}}],`
	w := askAt(s, "/api/chat", `{"model":"m","stream":false,`+tool+`"messages":[{"role":"user","content":"do both"}]}`)
	calls := gjson.Get(w.Body.String(), "message.tool_calls")
	if len(calls.Array()) != 2 || calls.Get("0.function.name").Str != "f" || !calls.Get("0.function.arguments").IsObject() || calls.Get("0.function.arguments.a").Type != gjson.Number {
		t.Errorf("got %s", w.Body)
	}
	w = askAt(s, "/api/chat", `{"model":"m","stream":false,`+tool+`"messages":[{"role":"user","content":"do"},{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},{"role":"tool","tool_name":"f","content":"42"}]}`)
	if said := gjson.Get(w.Body.String(), "message.content").Str; !strings.Contains(said, "42") {
		t.Errorf("got %s", w.Body)
	}
	w = askAt(s, "/api/generate", `{"model":"m","stream":false,"prompt":"x","format":{"type":"object","properties":{"age":{"type":"integer"}},"required":["age"]}}`)
	if v := gjson.Get(gjson.Get(w.Body.String(), "response").Str, "age"); v.Type != gjson.Number {
		t.Errorf("got %s", w.Body)
	}
}

// A model that forgets counts fewer tokens than it was sent, and says nothing.
func TestWhatIsForgottenShowsInTheCountAlone(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Reads: 100}}})
	long := `{"role":"user","content":"` + strings.Repeat("many words ", 200) + `"},{"role":"assistant","content":"so"},{"role":"user","content":"hi"}`
	count := func(fields string) int64 {
		w := askAt(s, "/api/chat", `{"model":"m","stream":false,`+fields+`"messages":[`+long+`]}`)
		if w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return gjson.Get(w.Body.String(), "prompt_eval_count").Int()
	}
	if n := count(""); n != 100 {
		t.Errorf("%d tokens are read, want 100", n)
	}
	if n := count(`"options":{"num_ctx":300},`); n != 300 {
		t.Errorf("%d tokens are read, want 300", n)
	}
	if n := count(`"options":{"num_ctx":30000},"truncate":false,`); n < 400 {
		t.Errorf("%d tokens are read, want all", n)
	}
	w := askAt(s, "/api/chat", `{"model":"m","stream":false,"truncate":false,"messages":[`+long+`]}`)
	if w.Code != 400 || !strings.Contains(gjson.Get(w.Body.String(), "error").Str, "exceeds") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = askAt(s, "/v1/chat/completions", `{"model":"m","messages":[`+long+`]}`)
	if n := gjson.Get(w.Body.String(), "usage.prompt_tokens").Int(); n != 100 {
		t.Errorf("in the openai dialect %d tokens are read, want 100", n)
	}
}

func TestWhatIsWrongIsSaidAsOllamaSaysIt(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Dialect: "ollama"}, {Name: "busy", Failure: sim.Failure{Overloaded: 1}}, {Name: "half", Failure: sim.Failure{ErrorEvent: 1}}, {Name: "a", Dialect: "anthropic"}}})
	user := `"messages":[{"role":"user","content":"x"}]`
	for body, status := range map[string]int{
		`{"model":`:                                 400,
		`{"model":"m"}`:                             400,
		`{"model":"gone",` + user + `}`:             404,
		`{"model":"a",` + user + `}`:                404,
		`{"model":"busy",` + user + `}`:             503,
		`{"model":"m","think":"very",` + user + `}`: 400,
		`{"model":"m","format":"xml",` + user + `}`: 400,
		`{"model":"m","messages":[{"role":"x"}]}`:   400,
	} {
		w := askAt(s, "/api/chat", body)
		if e := gjson.Get(w.Body.String(), "error"); w.Code != status || e.Type != gjson.String || e.Str == "" {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	w := askAt(s, "/api/chat", `{"model":"half",`+user+`}`)
	all := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if last := all[len(all)-1]; len(all) < 2 || gjson.Get(last, "error").Str == "" || strings.Contains(w.Body.String(), `"done":true`) {
		t.Errorf("got %s", w.Body)
	}
}

func TestOllamasModelsAreListed(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Dialect: "ollama"}, {Name: "n"}, {Name: "o", Dialect: "openai"}}})
	if got := gjson.Get(askAt(s, "/api/tags", "").Body.String(), "models.#.name").Raw; got != `["m","n"]` {
		t.Errorf("got %s", got)
	}
}

func TestCompletionsAreAnswered(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "m"}}})
	w := askAt(s, "/v1/completions", `{"model":"m","prompt":"Say this","echo":true}`)
	b := gjson.Parse(w.Body.String())
	if b.Get("object").Str != "text_completion" || !strings.HasPrefix(b.Get("choices.0.text").Str, "Say this") || b.Get("choices.0.finish_reason").Str != "length" || b.Get("usage.completion_tokens").Int() != 16 {
		t.Errorf("got %s", w.Body)
	}
	w = askAt(s, "/v1/completions", `{"model":"m","prompt":["a","b"],"n":2,"stream":true,"stream_options":{"include_usage":true}}`)
	if out := w.Body.String(); !strings.Contains(out, `"index":3`) || !strings.Contains(out, `"choices":[],"usage"`) || !strings.HasSuffix(out, "data: [DONE]\n\n") {
		t.Errorf("got %s", out)
	}
	if w := askAt(s, "/v1/completions", `{"model":"m"}`); w.Code != 400 || gjson.Get(w.Body.String(), "error.param").Str != "prompt" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
