package provider

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"starling"
	"starling/internal/wire"
)

func TestModelsAreDiscovered(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   []starling.Model
		kind   starling.Kind
	}{
		{"a list", 200, `{"object":"list","data":[{"id":"qwen3:8b","object":"model"},{"id":"gemma","max_model_len":8192},{"id":"phi","context_length":4096},{"id":"served.gguf","owned_by":"llamacpp","meta":{"n_ctx":2048,"n_ctx_train":32768}}]}`, []starling.Model{
			{Provider: "up", Name: "qwen3:8b", Dialect: starling.OpenAI, Zone: starling.Machine},
			{Provider: "up", Name: "gemma", Dialect: starling.OpenAI, Zone: starling.Machine, Context: 8192},
			{Provider: "up", Name: "phi", Dialect: starling.OpenAI, Zone: starling.Machine, Context: 4096},
			{Provider: "up", Name: "served.gguf", Dialect: starling.OpenAI, Zone: starling.Machine, Context: 2048},
		}, ""},
		{"what it would only pass on to its cloud", 200, `{"data":[{"id":"gpt-oss:120b-cloud"},{"id":"qwen3-coder:480b-cloud"},{"id":"glm:cloud"},{"id":"cloudy"}]}`, []starling.Model{{Provider: "up", Name: "cloudy", Dialect: starling.OpenAI, Zone: starling.Machine}}, ""},
		{"nothing installed", 200, `{"object":"list","data":[]}`, []starling.Model{}, ""},
		{"a nameless model is left out", 200, `{"data":[{"id":""}]}`, []starling.Model{}, ""},
		{"whatever else is called meta", 200, `{"data":[{"id":"m","meta":"n_ctx"},{"id":"n","meta":{"n_ctx":0.5}},{"id":"o","meta":null}]}`, []starling.Model{
			{Provider: "up", Name: "m", Dialect: starling.OpenAI, Zone: starling.Machine},
			{Provider: "up", Name: "n", Dialect: starling.OpenAI, Zone: starling.Machine},
			{Provider: "up", Name: "o", Dialect: starling.OpenAI, Zone: starling.Machine},
		}, ""},
		{"a window below nothing is unknown", 200, `{"data":[{"id":"m","max_model_len":-1}]}`, []starling.Model{{Provider: "up", Name: "m", Dialect: starling.OpenAI, Zone: starling.Machine}}, ""},
		{"a page", 200, `<html>` + canary, nil, starling.Refused},
		{"something else", 200, `{"models":[]}`, nil, starling.Refused},
		{"more than anybody has", 200, `{"data":[` + strings.Repeat(`{"id":"m"},`, discoverMost) + `{"id":"m"}]}`, nil, starling.Refused},
		{"no such page", 404, `{"data":[]}`, nil, starling.Refused},
		{"a wrong key", 401, canary, nil, starling.Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := serveHandler(t, starling.OpenAI, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v1/models" || r.Method != http.MethodGet || r.Header.Get("Authorization") != "Bearer "+canary {
					w.WriteHeader(http.StatusTeapot)
					return
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			o := u.options(t)
			g, err := NewGuard(Upstream{o.URL, o.Zone})
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			got, err := Discover(t.Context(), g, o)
			if starling.KindOf(err) != c.kind || !cmp.Equal(got, c.want) {
				t.Errorf("error %v, %s", err, cmp.Diff(c.want, got))
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("the key or content is in %v", err)
			}
		})
	}
}

func TestGoogleListsItsModelsInAFormOfItsOwn(t *testing.T) {
	u := serveHandler(t, starling.Gemini, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1beta/models" || r.Header.Get("X-Goog-Api-Key") != canary || r.URL.Query().Has("key") {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		_, _ = io.WriteString(w, `{"models":[{"name":"models/gemini-3-flash","inputTokenLimit":1048576,"outputTokenLimit":65536,"supportedGenerationMethods":["generateContent","countTokens"]},{"name":"models/gemini-embedding-001","supportedGenerationMethods":["embedContent"]},{"name":"models/","supportedGenerationMethods":["generateContent"]}]}`)
	})
	o := u.options(t)
	g, err := NewGuard(Upstream{o.URL, o.Zone})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	got, err := Discover(t.Context(), g, o)
	want := []starling.Model{{Provider: "up", Name: "gemini-3-flash", Dialect: starling.Gemini, Zone: starling.Machine, Context: 1048576, MaxOutput: 65536}}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("error %v, %s", err, cmp.Diff(want, got))
	}
	for _, body := range []string{`{"data":[]}`, `<html>`, `[]`} {
		if _, err := o.listed([]byte(body)); starling.KindOf(err) != starling.Refused {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestDiscoveryPassesTheGuard(t *testing.T) {
	at, reached := listener(t)
	g, err := NewGuard(Upstream{"http://" + at, starling.Cloud})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if _, err := Discover(t.Context(), g, Options{Name: "up", Dialect: starling.OpenAI, URL: "http://" + at, Zone: starling.Machine}); starling.KindOf(err) != starling.Forbidden || reached() {
		t.Errorf("%v, want Forbidden", err)
	}
}

func TestDiscoveryOfNobodyIsOverloaded(t *testing.T) {
	u := serveHandler(t, starling.OpenAI, func(http.ResponseWriter, *http.Request) {})
	o := u.options(t)
	u.Close()
	g, err := NewGuard(Upstream{o.URL, o.Zone})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Discover(t.Context(), g, o); starling.KindOf(err) != starling.Overloaded || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v, want Overloaded that says why", err)
	}
}

func TestOllamasModelsAreDiscovered(t *testing.T) {
	u := serveHandler(t, starling.Ollama, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/tags" || r.Method != http.MethodGet {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		_, _ = io.WriteString(w, `{"models":[{"name":"qwen3:8b","model":"qwen3:8b","digest":"ab","details":{"family":"qwen3"}},{"name":"mine","remote_host":"https://ollama.com:443"},{"name":"gpt-oss:120b-cloud"},{"name":""}]}`)
	})
	o := u.options(t)
	o.URL += "/v1"
	g, err := NewGuard(Upstream{o.URL, o.Zone})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	got, err := Discover(t.Context(), g, o)
	if d := cmp.Diff([]starling.Model{{Provider: "up", Name: "qwen3:8b", Dialect: starling.Ollama, Zone: starling.Machine}}, got); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
}

// What an upstream understands beside its own dialect is not translated, and what it
// answers passes as it is.
func TestAPromptPassesToAnOllamaInItsOwnWords(t *testing.T) {
	for d, c := range map[starling.Dialect]struct{ path, body, answer string }{
		starling.Generate:    {"/api/generate", `{"model":"x","prompt":"hi","raw":true}`, `{"model":"m","response":"a","done":false}` + "\n" + `{"model":"m","response":"","done":true,"done_reason":"stop","prompt_eval_count":1,"eval_count":1}` + "\n"},
		starling.Completions: {"/v1/completions", `{"model":"x","prompt":[1,2],"stream":true,"stream_options":{"include_usage":true}}`, "data: {\"choices\":[{\"text\":\"a\",\"index\":0,\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"},
	} {
		t.Run(string(d), func(t *testing.T) {
			var sent []byte
			u := serveHandler(t, starling.Ollama, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != c.path {
					w.WriteHeader(http.StatusNotFound)
					return
				}
				sent, _ = io.ReadAll(r.Body)
				w.Header().Set("Content-Type", wire.StreamType(d))
				_, _ = io.WriteString(w, c.answer)
			})
			o := u.options(t)
			o.Also = []starling.Dialect{d}
			p := open(t, o)
			call := calling(p, true)
			call.Request = &starling.Request{Dialect: d, Body: []byte(c.body), Model: "x", Stream: true, WantUsage: true, Choices: 1}
			raw, _, err := collect(t, p, call)
			if err != nil || raw != c.answer || string(sent) != strings.Replace(c.body, `"x"`, `"m"`, 1) {
				t.Errorf("%v: %s was answered by %s", err, sent, raw)
			}
		})
	}
}
