package provider

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"starling"
	"starling/internal/wire"
)

// engine answers as the servers do that run models: a word is a token, and so is what
// their template puts around each message.
func engine(t *testing.T, vendor string) http.HandlerFunc {
	const frame = "<|turn|> "
	return func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Model    string
			Messages []struct{ Content string }
			Content  string
			Prompt   bool `json:"add_generation_prompt"`
			Special  bool `json:"add_special"`
		}
		text, _ := io.ReadAll(r.Body)
		if json.Unmarshal(text, &body) != nil || r.Header.Get("Authorization") != "Bearer "+canary {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		var prompt strings.Builder
		for _, m := range body.Messages {
			prompt.WriteString(frame + m.Content + " ")
		}
		switch path := r.URL.Path; {
		case vendor == "vllm" && path == "/tokenize" && body.Model == "m" && body.Prompt:
			n := len(strings.Fields(prompt.String()))
			fmt.Fprintf(w, `{"count":%d,"max_model_len":4096,"tokens":[]}`, n)
		case vendor == "llama-server" && path == "/apply-template":
			_ = json.NewEncoder(w).Encode(map[string]string{"prompt": prompt.String()})
		case vendor == "llama-server" && path == "/tokenize" && body.Special:
			_ = json.NewEncoder(w).Encode(map[string][]int{"tokens": make([]int, len(strings.Fields(body.Content)))})
		default:
			t.Errorf("%s is asked for %s: %s", vendor, path, text)
			w.WriteHeader(http.StatusNotFound)
		}
	}
}

func TestServersThatCountAreAsked(t *testing.T) {
	for _, vendor := range []string{"vllm", "llama-server"} {
		u := serveHandler(t, starling.OpenAI, engine(t, vendor))
		o := u.options(t)
		o.Vendor = vendor
		p := open(t, o)
		m := p.Models()[0]
		for d, body := range map[starling.Dialect]string{
			starling.OpenAI:    `{"model":"m","messages":[{"role":"system","content":"one"},{"role":"user","content":"two three"}]}`,
			starling.Anthropic: `{"model":"m","max_tokens":9,"system":"one","messages":[{"role":"user","content":"two three"}]}`,
		} {
			r, err := wire.Parse(d, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			n, err := p.Count(t.Context(), starling.Call{Model: m, Request: &r, Furthest: starling.Cloud})
			if n != 5 || err != nil || !m.Counts {
				t.Errorf("%s counts %d of %s, %v", vendor, n, d, err)
			}
		}
	}
}

func TestWhoDoesNotCountSaysSo(t *testing.T) {
	r, err := wire.Parse(starling.OpenAI, []byte(`{"model":"m","messages":[{"role":"user","content":"`+canary+`"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		vendor   string
		furthest starling.Zone
		status   int
		body     string
		kind     starling.Kind
	}{
		{"another vendor", "ollama", starling.Cloud, 200, `{"count":5}`, starling.Refused},
		{"an older server", "vllm", starling.Cloud, 404, `{"count":5}`, starling.Refused},
		{"a page", "vllm", starling.Cloud, 200, canary, starling.Refused},
		{"a count of nothing", "llama-server", starling.Cloud, 200, `{"prompt":"x","tokens":[]}`, starling.Refused},
		{"one that is too far away", "vllm", starling.Nowhere, 200, `{"count":5}`, starling.Forbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := serveHandler(t, starling.OpenAI, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			o := u.options(t)
			o.Vendor = c.vendor
			p := open(t, o)
			n, err := p.Count(t.Context(), starling.Call{Model: p.Models()[0], Request: &r, Furthest: c.furthest})
			if n != 0 || starling.KindOf(err) != c.kind || strings.Contains(err.Error(), canary) {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
}
