package sim_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"pgregory.net/rapid"

	"starling"
	"starling/internal/sim"
)

// envelope checks an error body against its vendor's form and returns type and code.
func envelope(t testing.TB, d starling.Dialect, w *httptest.ResponseRecorder) (kind, code string) {
	t.Helper()
	b := gjson.ParseBytes(w.Body.Bytes())
	e := b.Get("error")
	want := []string{"message", "type", "param", "code"}
	if d == starling.Anthropic {
		want = []string{"message", "type"}
		if b.Get("type").Str != "error" || b.Get("request_id").Str != w.Header().Get("Request-Id") || b.Get("request_id").Str == "" {
			t.Errorf("not Anthropic's envelope: %s", w.Body)
		}
	} else if w.Header().Get("X-Request-Id") == "" {
		t.Error("an answer without x-request-id")
	}
	for _, field := range want {
		if !e.Get(field).Exists() {
			t.Errorf("the error has no %s: %s", field, w.Body)
		}
	}
	if n := len(e.Map()); n != len(want) || e.Get("message").Str == "" || !b.Get("simulated").Bool() {
		t.Errorf("the envelope has %d fields: %s", n, w.Body)
	}
	return e.Get("type").Str, e.Get("code").Str
}

func TestWhatIsWrongIsSaidAsTheVendorSaysIt(t *testing.T) {
	small := both()
	small.Context = 2000
	always := func(f sim.Failure) sim.Options {
		return sim.Options{Models: []sim.Model{{Name: "m", Failure: f}}}
	}
	plain := sim.Options{Models: []sim.Model{small, {Name: "o", Dialect: "openai"}, {Name: "a", Dialect: "anthropic"}}}
	message := func(m string) string { return `"messages":[` + m + `]` }
	body := func(d starling.Dialect, fields string) post {
		return post{d, `{"model":"m","max_tokens":9,` + fields + `}`, nil}
	}
	for _, tt := range []struct {
		name   string
		o      sim.Options
		p      post
		status int
		kind   string
		code   string
	}{
		{"no JSON", plain, post{"openai", `{"model":`, nil}, 400, "invalid_request_error", ""},
		{"no object", plain, post{"anthropic", `[]`, nil}, 400, "invalid_request_error", ""},
		{"nesting without end", plain, post{"openai", strings.Repeat("[", 1<<20), nil}, 400, "invalid_request_error", ""},
		{"no model", plain, post{"openai", `{"messages":[{"role":"user","content":"x"}]}`, nil}, 400, "invalid_request_error", ""},
		{"an unknown model", plain, chat("openai", "gone", "x"), 404, "invalid_request_error", "model_not_found"},
		{"an unknown model", plain, chat("anthropic", "gone", "x"), 404, "not_found_error", ""},
		{"a model of the other dialect", plain, chat("openai", "a", "x"), 404, "invalid_request_error", "model_not_found"},
		{"a model of the other dialect", plain, chat("anthropic", "o", "x"), 404, "not_found_error", ""},
		{"no messages", plain, body("openai", `"messages":[]`), 400, "invalid_request_error", ""},
		{"no max_tokens", plain, post{"anthropic", `{"model":"m","messages":[{"role":"user","content":"x"}]}`, nil}, 400, "invalid_request_error", ""},
		{"too many tokens asked for", plain, chat("anthropic", "m", "x", `"max_tokens":5000`), 400, "invalid_request_error", ""},
		{"half a token asked for", plain, chat("openai", "m", "x", `"max_tokens":0.5`), 400, "invalid_request_error", ""},
		{"a prompt beyond the window", plain, chat("openai", "m", strings.Repeat("x", 9000)), 400, "invalid_request_error", "context_length_exceeded"},
		{"a prompt beyond the window", plain, chat("anthropic", "m", strings.Repeat("x", 9000)), 400, "invalid_request_error", ""},
		{"a strange role", plain, body("openai", message(`{"role":"robot","content":"x"}`)), 400, "invalid_request_error", ""},
		{"a strange role", plain, body("anthropic", message(`{"role":"tool","content":"x"}`)), 400, "invalid_request_error", ""},
		{"a call without its result", plain, body("openai", message(`{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"user","content":"x"}`)), 400, "invalid_request_error", ""},
		{"a result without its call", plain, body("openai", message(`{"role":"tool","tool_call_id":"a","content":"x"}`)), 400, "invalid_request_error", ""},
		{"a call without its result", plain, body("anthropic", message(`{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":"x"}`)), 400, "invalid_request_error", ""},
		{"a result without its call", plain, body("anthropic", message(`{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"x"}]}`)), 400, "invalid_request_error", ""},
		{"arguments that are no string", plain, body("openai", message(`{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":{}}}]},{"role":"tool","tool_call_id":"a","content":"x"}`)), 400, "invalid_request_error", ""},
		{"five cache marks", plain, body("anthropic", message(`{"role":"user","content":[`+strings.TrimSuffix(strings.Repeat(`{"type":"text","text":"x","cache_control":{"type":"ephemeral"}},`, 5), ",")+`]}`)), 400, "invalid_request_error", ""},
		{"an hour's mark after a short one", plain, body("anthropic", message(`{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}},{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}]}`)), 400, "invalid_request_error", ""},
		{"a required tool, and no tools", plain, chat("openai", "m", "x", `"tool_choice":"required"`), 400, "invalid_request_error", ""},
		{"a schema that allows nothing", plain, chat("openai", "m", "x", `"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":false}}`), 400, "invalid_request_error", ""},
		{"129 choices", plain, chat("openai", "m", "x", `"n":129`), 400, "invalid_request_error", ""},
		{"a body over the limit", sim.Options{Models: plain.Models, MaxBody: 100}, chat("openai", "m", strings.Repeat("x", 200)), 413, "invalid_request_error", "request_too_large"},
		{"a body over the limit", sim.Options{Models: plain.Models, MaxBody: 100}, chat("anthropic", "m", strings.Repeat("x", 200)), 413, "request_too_large", ""},
		{"a missing key", sim.Options{Key: "k"}, chat("openai", "m", "x"), 401, "invalid_request_error", "invalid_api_key"},
		{"a missing key", sim.Options{Key: "k"}, chat("anthropic", "m", "x"), 401, "authentication_error", ""},
		{"too many requests", always(sim.Failure{Overloaded429: 1}), chat("openai", "m", "x"), 429, "requests", "rate_limit_exceeded"},
		{"too many requests", always(sim.Failure{Overloaded429: 1}), chat("anthropic", "m", "x"), 429, "rate_limit_error", ""},
		{"overload", always(sim.Failure{Overloaded: 1}), chat("openai", "m", "x"), 503, "server_error", "server_overloaded"},
		{"overload", always(sim.Failure{Overloaded: 1}), chat("anthropic", "m", "x"), 529, "overloaded_error", ""},
		{"a crash", always(sim.Failure{Error500: 1}), chat("openai", "m", "x"), 500, "server_error", ""},
		{"a crash", always(sim.Failure{Error500: 1}), chat("anthropic", "m", "x"), 500, "api_error", ""},
	} {
		t.Run(tt.name+", "+string(tt.p.dialect), func(t *testing.T) {
			s := sim.New(tt.o)
			w := ask(s, tt.p)
			kind, code := envelope(t, tt.p.dialect, w)
			if w.Code != tt.status || kind != tt.kind || code != tt.code {
				t.Errorf("%d %q %q, want %d %q %q: %s", w.Code, kind, code, tt.status, tt.kind, tt.code, w.Body)
			}
			if (w.Code == 429 || w.Code == 503 || w.Code == 529) != (w.Header().Get("Retry-After") != "") {
				t.Errorf("status %d has Retry-After %q", w.Code, w.Header().Get("Retry-After"))
			}
			if c := s.Tally().Models["m"]; c.Cost != 0 || c.Answered != 0 {
				t.Errorf("a refusal was billed: %+v", c)
			}
		})
	}
}

func TestPathsAndMethods(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "o", Dialect: "openai"}, {Name: "a", Dialect: "anthropic", Context: 9, MaxOutput: 5}}})
	for _, tt := range []struct {
		method, path string
		anthropic    bool
		status       int
		want         string
	}{
		{"GET", "/v1/models", false, 200, `"owned_by":"simulated"`},
		{"GET", "/v1/models", true, 200, `"first_id":"a","last_id":"a"`},
		{"GET", "/v1/models/o", false, 200, `"id":"o"`},
		{"GET", "/v1/models/a", true, 200, `"max_input_tokens":9`},
		{"GET", "/v1/models/a", false, 404, `"model_not_found"`},
		{"POST", "/v1/models", false, 405, `"method_not_supported"`},
		{"GET", "/v1/chat/completions", false, 405, `"method_not_supported"`},
		{"GET", "/v1/messages", true, 405, `"invalid_request_error"`},
		{"GET", "/", false, 404, `"unknown_url"`},
		{"POST", "/v1/audio/speech", false, 404, `"unknown_url"`},
		{"POST", "/v1/messages", false, 400, `anthropic-version: header is required`},
	} {
		r := httptest.NewRequest(tt.method, tt.path, strings.NewReader("{}"))
		if tt.anthropic {
			r.Header.Set("Anthropic-Version", "2023-06-01")
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) || !gjson.Get(w.Body.String(), "simulated").Bool() {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, w.Code, w.Body)
		}
	}
}

func TestEitherVendorsHeaderCarriesTheKey(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{both()}, Key: "secret"})
	for _, header := range []map[string]string{{"Authorization": "Bearer secret"}, {"X-Api-Key": "secret"}} {
		for _, d := range dialects {
			p := chat(d, "m", "x")
			p.header = header
			if w := ask(s, p); w.Code != http.StatusOK {
				t.Errorf("%s with %v: %d", d, header, w.Code)
			}
		}
	}
	p := chat("openai", "m", "x")
	p.header = map[string]string{"Authorization": "Bearer wrong"}
	if w := ask(s, p); w.Code != 401 || strings.Contains(w.Body.String(), "wrong") {
		t.Errorf("a wrong key: %d %s", w.Code, w.Body)
	}
}

func TestTokensAreCountedWithoutAnAnswer(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{both()}})
	r := httptest.NewRequest("POST", "/v1/messages/count_tokens", strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"12345678"}]}`))
	r.Header.Set("Anthropic-Version", "2023-06-01")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Body.String() != `{"input_tokens":5,"simulated":true}` || s.Tally().Models["m"].Requests != 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestEveryReplySaysThatItIsSimulated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom(dialects).Draw(t, "dialect")
		share := rapid.SampledFrom([]float64{0, 0.3, 1})
		o := sim.Options{
			Seed: rapid.Uint64().Draw(t, "seed"), Key: rapid.SampledFrom([]string{"", "", "k"}).Draw(t, "key"),
			Models: []sim.Model{{
				Name: "m", Words: rapid.IntRange(0, 30).Draw(t, "words"), Reasoning: rapid.IntRange(0, 9).Draw(t, "reasoning"),
				Quality: share.Draw(t, "quality"), PromptCache: rapid.Bool().Draw(t, "cache"), ParallelTools: rapid.Bool().Draw(t, "parallel"),
				Failure: sim.Failure{Overloaded429: share.Draw(t, "429") / 3, Error500: share.Draw(t, "500") / 3, Truncated: share.Draw(t, "truncated") / 3, ErrorEvent: share.Draw(t, "error") / 3},
			}},
			Cases: []sim.Case{{Input: "known", Answer: "yes", Wrong: []string{"no"}}},
		}
		if o.Models[0].Failure.Truncated+o.Models[0].Failure.ErrorEvent > 0 {
			o.Models[0].Failure.Overloaded429 = 0 // more of the kinds that need a stream
		}
		extra := []string{rapid.SampledFrom([]string{tools(d), `"a":1`}).Draw(t, "tools"), `"stream":true`}
		if rapid.Bool().Draw(t, "usage") {
			extra = append(extra, `"stream_options":{"include_usage":true}`)
		}
		if rapid.Bool().Draw(t, "effort") {
			extra = append(extra, `"reasoning_effort":"low"`, `"thinking":{"type":"adaptive"}`)
		}
		p := chat(d, rapid.SampledFrom([]string{"m", "m", "m", "gone"}).Draw(t, "model"), rapid.SampledFrom([]string{"known", "what?", "both"}).Draw(t, "text"), extra...)
		w := ask(sim.New(o), p)
		if w.Header().Get("X-Starling-Simulated") != "true" {
			t.Fatal("the header is missing")
		}
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
			if !gjson.Get(w.Body.String(), "simulated").Bool() {
				t.Fatalf("a body says nothing: %s", w.Body)
			}
			return
		}
		simulatedStream(t, d, w.Body.String())
		o.Models[0].Failure = sim.Failure{}
		p.body = strings.Replace(p.body, `"stream":true`, `"stream":false`, 1)
		b := gjson.Parse(ask(sim.New(o), p).Body.String())
		if !b.Get("simulated").Bool() || !strings.HasPrefix(b.Get("id").Str, "sim-") || d == "openai" && b.Get("system_fingerprint").Str != "simulated" {
			t.Errorf("a whole answer says nothing: %s", b)
		}
	})
}

func simulatedStream(t *rapid.T, d starling.Dialect, body string) {
	var all []gjson.Result
	done := strings.Contains(body, "[DONE]") || strings.Contains(body, "message_stop")
	for line := range strings.Lines(body) {
		if data, ok := strings.CutPrefix(line, "data: {"); ok {
			all = append(all, gjson.Parse("{"+data))
		}
	}
	first, last := all[0], all[len(all)-1]
	if !first.Get("simulated").Bool() || done && !last.Get("simulated").Bool() {
		t.Errorf("the ends say nothing: %s … %s", first, last)
	}
	for _, e := range all {
		if d == "openai" && !e.Get("error").Exists() && e.Get("system_fingerprint").Str != "simulated" {
			t.Errorf("a chunk without its fingerprint: %s", e)
		}
		id := e.Get("id").Str + e.Get("message.id").Str
		if id != "" && !strings.HasPrefix(id, "sim-") {
			t.Errorf("an event has the id %q", id)
		}
	}
}

func FuzzAnyRequestGetsAReplyOfItsDialect(f *testing.F) {
	for _, d := range dialects {
		f.Add(d == "openai", []byte(chat(d, "m", "hi", tools(d)).body))
		f.Add(d == "openai", []byte(chat(d, "m", "known", `"stream":true`).body))
		f.Add(d == "openai", []byte(chat(d, "m", "x", `"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"a":{"$ref":"#"}}}}}`).body))
		f.Add(d == "openai", []byte(chat(d, "m", "x", `"output_format":{"type":"json_schema","schema":{"oneOf":[{"type":"string","pattern":"^a+$"},{"minimum":3}]}}`).body))
	}
	f.Add(true, []byte(`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"`+"\xff"+`"}]}]}`))
	f.Add(false, []byte(`{"model":"m","max_tokens":1e3,"messages":{"role":"user"}}`))
	m := both()
	m.PromptCache, m.CacheMin = true, 1
	s := sim.New(sim.Options{Models: []sim.Model{m}, Cases: []sim.Case{{Input: "known", Answer: "yes"}}})
	f.Fuzz(func(t *testing.T, openai bool, body []byte) {
		p := post{starling.Anthropic, string(body), nil}
		if openai {
			p.dialect = starling.OpenAI
		}
		w := ask(s, p)
		switch {
		case w.Code != 200:
			envelope(t, p.dialect, w)
		case strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream"):
			if got := stream(t, p.dialect, w.Body); !got.done || got.finish == "" {
				t.Errorf("a stream without an end: %+v", got)
			}
		default:
			if got := whole(t, p.dialect, w.Body.String()); got.finish == "" || !got.usage.IsObject() {
				t.Errorf("half an answer: %s", w.Body)
			}
		}
	})
}
