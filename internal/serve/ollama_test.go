package serve_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/serve"
)

const (
	ollamaPath      = "/api/chat"
	generatePath    = "/api/generate"
	completionsPath = "/v1/completions"

	wholeOllama = `{"model":"m-1","created_at":"2026-11-26T10:00:00Z","message":{"role":"assistant","content":"Hello"},"done":true,"done_reason":"stop","total_duration":9,"prompt_eval_count":100,"eval_count":20}`
	lineOllama  = `{"model":"m-1","created_at":"2026-11-26T10:00:00Z","message":{"role":"assistant","content":"Hello"},"done":false}` + "\n"
	endOllama   = `{"model":"m-1","created_at":"2026-11-26T10:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":100,"eval_count":20}` + "\n"
)

// ndjson answers with lines of JSON, one write and flush each.
func ndjson(all ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-ndjson")
		for _, l := range all {
			_, _ = io.WriteString(w, l)
			_ = http.NewResponseController(w).Flush()
		}
	}
}

func ollamaUp(h http.HandlerFunc) upstreamAt {
	return upstreamAt{name: "up", dialect: starling.Ollama, handler: h}
}

// prompt is a small question of a dialect that has a prompt alone.
func prompt(model string, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"stream":%t,"prompt":"hello"}`, model, stream)
}

func TestOllamasClientsAreAnsweredByEveryUpstream(t *testing.T) {
	ups := map[string]func(stream bool) upstreamAt{
		"openai": func(stream bool) upstreamAt {
			if stream {
				return openAIUp(events(oai(oaiRole), oai(oaiText), oai(oaiStop), oai(oaiUsage), oai(oaiDone)))
			}
			return openAIUp(whole(wholeOpenAI))
		},
		"anthropic": func(stream bool) upstreamAt {
			if stream {
				return anthropicUp(events(strings.Replace(antStart, `"cache_read_input_tokens":80,`, "", 1), antText, antEnd))
			}
			return anthropicUp(whole(wholeAnthropic))
		},
		"ollama": func(stream bool) upstreamAt {
			if stream {
				return ollamaUp(ndjson(lineOllama, endOllama))
			}
			return ollamaUp(whole(wholeOllama))
		},
	}
	for name, up := range ups {
		for path, said := range map[string]string{ollamaPath: "message.content", generatePath: "response", completionsPath: "choices.0.text"} {
			for _, stream := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s by %s, stream %v", path, name, stream), func(t *testing.T) {
					s := newStand(t, standOptions{}, up(stream))
					body := prompt("up/m", stream)
					if path == ollamaPath {
						body = chat("up/m", stream)
					}
					a := s.ask(path, body)
					text := ""
					for line := range strings.Lines(strings.ReplaceAll(a.body, "data: ", "")) {
						text += gjson.Get(line, said).Str
					}
					if a.status != 200 || text != "Hello" {
						t.Fatalf("%d: %s", a.status, a.body)
					}
					want := map[bool]string{true: "application/x-ndjson", false: "application/json"}[stream]
					if path == completionsPath && stream {
						want = "text/event-stream; charset=utf-8"
					}
					if got := a.header.Get("Content-Type"); got != want {
						t.Errorf("content type %q", got)
					}
					if u := s.receipt(a).Attempts[0].Usage; u.Input != 100 || u.Output != 20 {
						t.Errorf("booked %+v", u)
					}
				})
			}
		}
	}
}

func TestOtherClientsAreAnsweredByAnOllama(t *testing.T) {
	for _, path := range []string{chatPath, messagesPath} {
		for _, stream := range []bool{true, false} {
			var asked atomic.Value
			s := newStand(t, standOptions{}, ollamaUp(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				asked.Store(r.URL.Path + " " + string(body))
				if stream {
					ndjson(lineOllama, endOllama)(w, r)
				} else {
					whole(wholeOllama)(w, r)
				}
			}))
			a := s.ask(path, chat("up/m", stream))
			if a.status != 200 || !strings.Contains(a.body, "Hello") {
				t.Fatalf("%s: %d %s", path, a.status, a.body)
			}
			sent, _ := asked.Load().(string)
			if !strings.HasPrefix(sent, "/api/chat {") || !strings.Contains(sent, `"num_ctx":1048576`) || !strings.Contains(sent, `"truncate":false`) {
				t.Errorf("asked %s", sent)
			}
			if u := s.receipt(a).Attempts[0].Usage; u.Input != 100 || u.Output != 20 {
				t.Errorf("booked %+v", u)
			}
		}
	}
}

func TestAnOllamaStreamThatBreaksOffSaysSo(t *testing.T) {
	for name, up := range map[string]upstreamAt{
		"no last line":        ollamaUp(ndjson(lineOllama)),
		"half a line":         ollamaUp(ndjson(lineOllama, lineOllama[:40])),
		"an error":            ollamaUp(ndjson(lineOllama, `{"error":"out of memory"}`+"\n")),
		"of another dialect":  openAIUp(events(oai(oaiRole), oai(oaiText))),
		"a line that is none": ollamaUp(ndjson(lineOllama, "<html>\n", endOllama)),
	} {
		s := newStand(t, standOptions{}, up)
		a := s.ask(ollamaPath, chat("up/m", true))
		last := ""
		for line := range strings.Lines(a.body) {
			if !gjson.Valid(line) {
				t.Errorf("%s: %q is no JSON", name, line)
			}
			last = line
		}
		if gjson.Get(last, "error").Str == "" || strings.Contains(a.body, `"done":true`) {
			t.Errorf("%s: %s", name, a.body)
		}
		if r := s.receipt(a); r.Attempts[0].Outcome != starling.Broken {
			t.Errorf("%s: booked as %s", name, r.Attempts[0].Outcome)
		}
	}
}

func TestWhoOnlyHasAModelLoadedAsksNobody(t *testing.T) {
	var calls atomic.Int64
	s := newStand(t, standOptions{skills: testSkill("candidates: [{model: up/m}]\n")}, ollamaUp(func(w http.ResponseWriter, r *http.Request) { calls.Add(1); whole(wholeOllama)(w, r) }))
	for _, c := range []struct{ path, body, reason string }{
		{ollamaPath, `{"model":"up/m","messages":[]}`, "load"},
		{ollamaPath, `{"model":"starling/auto"}`, "load"},
		{generatePath, `{"model":"starling/test","prompt":"","keep_alive":0}`, "unload"},
	} {
		a := s.ask(c.path, c.body)
		if a.status != 200 || gjson.Get(a.body, "done_reason").Str != c.reason || !gjson.Get(a.body, "done").Bool() || a.header.Get("X-Starling-Receipt") != "none" {
			t.Errorf("%s: %d %s", c.body, a.status, a.body)
		}
	}
	if a := s.ask(generatePath, `{"model":"nobody"}`); a.status != 404 || !strings.Contains(gjson.Get(a.body, "error").Str, "nobody") {
		t.Errorf("an unknown model: %d %s", a.status, a.body)
	}
	if calls.Load() != 0 {
		t.Errorf("%d calls", calls.Load())
	}
}

func TestOllamasClientsFindWhatTheyLookFor(t *testing.T) {
	s := newStand(t, standOptions{skills: testSkill("candidates: [{model: up/m}]\n"), serve: serve.Options{Version: "1.2.3"}}, ollamaUp(whole(wholeOllama)))
	tags := s.get("/api/tags")
	if names := gjson.Get(tags.body, "models.#.model").String(); names != `["starling/test","up/m"]` || len(gjson.Get(tags.body, "models.0.digest").Str) != 64 || tags.header.Get("X-Starling-Reason") != "no model was asked" {
		t.Errorf("tags: %s", tags.body)
	}
	for _, c := range []struct{ body, want string }{
		{`{"model":"up/m"}`, `["completion","tools","vision"] 1048576`},
		{`{"name":"starling/test"}`, `["completion","tools","vision"] `},
	} {
		a := s.ask("/api/show", c.body)
		if got := gjson.Get(a.body, "capabilities").Raw + " " + gjson.Get(a.body, `model_info.starling\.context_length`).Raw; a.status != 200 || got != c.want || gjson.Get(a.body, `model_info.general\.architecture`).Str != "starling" {
			t.Errorf("%s is shown as %s", c.body, a.body)
		}
	}
	for body, status := range map[string]int{`{"model":"x"}`: 404, `{}`: 400, `[`: 400} {
		if a := s.ask("/api/show", body); a.status != status || gjson.Get(a.body, "error").Type != gjson.String {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if a := s.get("/api/ps"); strings.TrimSpace(a.body) != `{"models":[]}` {
		t.Errorf("ps: %s", a.body)
	}
	if a := s.get("/api/version"); gjson.Get(a.body, "version").Str == "" || gjson.Get(a.body, "starling").Str != "1.2.3" {
		t.Errorf("version: %s", a.body)
	}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		if a := s.do(must(http.NewRequest(method, s.url+"/", nil))); a.status != 200 {
			t.Errorf("%s /: %d %s", method, a.status, a.body)
		}
	}
}

func TestModelsAreNotManagedByOllamasClients(t *testing.T) {
	s := newStand(t, standOptions{}, ollamaUp(whole(wholeOllama)))
	for _, path := range []string{"/api/pull", "/api/push", "/api/create", "/api/copy", "/api/blobs/sha256:00", "/api/nonsense"} {
		if a := s.ask(path, `{"model":"m"}`); a.status != 404 || gjson.Get(a.body, "error").Type != gjson.String {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := s.do(must(http.NewRequest(http.MethodDelete, s.url+"/api/delete", strings.NewReader(`{"model":"m"}`)))); a.status != 404 || !strings.Contains(a.body, "not managed") {
		t.Errorf("delete: %d %s", a.status, a.body)
	}
}

func TestRefusalsReachOllamasClientsInTheirEnvelope(t *testing.T) {
	s := newStand(t, standOptions{}, openAIUp(whole(wholeOpenAI)))
	for _, c := range []struct {
		path, body string
		status     int
		says       string
	}{
		{ollamaPath, `{"model":"up/m","messages":[{"role":"user","content":"x"}],"tools":7}`, 400, "tools"},
		{generatePath, `{"model":"up/m","prompt":"x","raw":true}`, 400, "raw"},
		{ollamaPath, `{"model":"up/m","messages":7}`, 400, "messages"},
		{ollamaPath, `{"model":"gone","messages":[{"role":"user","content":"x"}]}`, 404, "gone"},
	} {
		a := s.ask(c.path, c.body)
		if e := gjson.Get(a.body, "error"); a.status != c.status || e.Type != gjson.String || !strings.Contains(e.Str, c.says) {
			t.Errorf("%s: %d %s", c.body, a.status, a.body)
		}
		if id := a.header.Get("X-Starling-Receipt"); id == "none" || id == "" {
			t.Errorf("%s has no receipt", c.body)
		}
	}
	if a := s.ask(completionsPath, `{"model":"up/m","prompt":["x","y"]}`); a.status != 400 || !strings.Contains(gjson.Get(a.body, "error.message").Str, "prompt") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestALineComesBeforeTheNextOneIsMade(t *testing.T) {
	next := make(chan bool)
	s := newStand(t, standOptions{}, ollamaUp(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-ndjson")
		_, _ = io.WriteString(w, lineOllama)
		_ = http.NewResponseController(w).Flush()
		<-next
		_, _ = io.WriteString(w, endOllama)
	}))
	req := must(http.NewRequestWithContext(context.Background(), http.MethodPost, s.url+ollamaPath, strings.NewReader(chat("up/m", true))))
	resp := must(s.client.Do(req))
	defer resp.Body.Close()
	r := bufio.NewReader(resp.Body)
	if line, err := r.ReadString('\n'); err != nil || line != lineOllama {
		t.Errorf("%q, %v", line, err)
	}
	close(next)
	if rest, err := io.ReadAll(r); err != nil || string(rest) != endOllama {
		t.Errorf("%q, %v", rest, err)
	}
}
