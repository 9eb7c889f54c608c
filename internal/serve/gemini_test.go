package serve_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/ledger"
	"starling/internal/sim"
)

const askGemini = `{"contents":[{"role":"user","parts":[{"text":"hello"}]}],"generationConfig":{"maxOutputTokens":100}}`

// aSimulated is an upstream in each dialect with a model of its own, and what it was
// asked for.
func aSimulated(t *testing.T) (ups []upstreamAt, asked func() []*http.Request) {
	var mu sync.Mutex
	var all []*http.Request
	for _, d := range []starling.Dialect{starling.OpenAI, starling.Anthropic, starling.Gemini} {
		s := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Dialect: d, Reasoning: 5}}})
		ups = append(ups, upstreamAt{name: string(d), dialect: d, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			all = append(all, r)
			mu.Unlock()
			s.ServeHTTP(w, r)
		})})
	}
	return ups, func() []*http.Request {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func TestGooglesClientsAreAnsweredByUpstreamsOfEveryDialect(t *testing.T) {
	ups, asked := aSimulated(t)
	s := newStand(t, standOptions{}, ups...)
	for _, up := range ups {
		for _, path := range []string{"/v1beta/models/" + up.name + "/m", "/v1/models/" + up.name + "%2Fm"} {
			whole := s.ask(path+":generateContent", askGemini)
			if whole.status != 200 || gjson.Get(whole.body, "candidates.0.content.parts.0.text").Str == "" || gjson.Get(whole.body, "candidates.0.finishReason").Str != "STOP" || gjson.Get(whole.body, "usageMetadata.totalTokenCount").Int() == 0 {
				t.Errorf("%s: status %d: %s", path, whole.status, whole.body)
			}
			if r := s.receipt(whole); r.Asked != up.name+"/m" || r.Dialect != starling.Gemini || r.Attempts[0].Usage.Output == 0 {
				t.Errorf("%s: asked %q in %s, usage %+v", path, r.Asked, r.Dialect, r.Attempts[0].Usage)
			}
			events := s.ask(path+":streamGenerateContent?alt=sse", askGemini)
			if last := events.body[strings.LastIndex(events.body, "data: ")+6:]; events.status != 200 || !strings.HasPrefix(events.header.Get("Content-Type"), "text/event-stream") || gjson.Get(last, "candidates.0.finishReason").Str != "STOP" {
				t.Errorf("%s: status %d, %s: %s", path, events.status, events.header.Get("Content-Type"), events.body)
			}
			array := s.ask(path+":streamGenerateContent", askGemini)
			var chunks []json.RawMessage
			if err := json.Unmarshal([]byte(array.body), &chunks); err != nil || len(chunks) < 2 || array.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %v, %s: %s", path, err, array.header.Get("Content-Type"), array.body)
			}
			count := s.ask(path+":countTokens", `{"generateContentRequest":`+askGemini+`}`)
			if n := gjson.Get(count.body, "totalTokens"); count.status != 200 || n.Int() == 0 || !gjson.Get(count.body, "estimated").Bool() {
				t.Errorf("%s: status %d: %s", path, count.status, count.body)
			}
		}
	}
	if n := len(asked()); n != 3*2*3 {
		t.Errorf("the upstreams were asked %d times", n)
	}
}

func TestClientsOfOtherDialectsReachGemini(t *testing.T) {
	ups, asked := aSimulated(t)
	s := newStand(t, standOptions{}, ups...)
	for path, text := range map[string]string{chatPath: "choices.0.message.content", messagesPath: "content.#(type==text).text"} {
		a := s.ask(path, chat("gemini/m", false))
		if a.status != 200 || !strings.Contains(gjson.Get(a.body, text).Str, "simulated") {
			t.Errorf("%s: status %d: %s", path, a.status, a.body)
		}
		if a = s.ask(path, chat("gemini/m", true)); a.status != 200 || !strings.Contains(a.body, "ulat") {
			t.Errorf("%s: status %d: %s", path, a.status, a.body)
		}
	}
	for _, r := range asked() {
		if verb := r.URL.Path[strings.LastIndex(r.URL.Path, ":")+1:]; !strings.HasPrefix(r.URL.Path, "/v1beta/models/m:") || (verb == "streamGenerateContent") != (r.URL.RawQuery == "alt=sse") {
			t.Errorf("asked at %s", r.URL)
		}
	}
	history := `{"model":"gemini/m","max_tokens":100,"messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"y"}],"tools":[{"type":"function","function":{"name":"f"}}]}`
	a := s.ask(chatPath, history)
	if a.status != 200 { // the simulated model refuses a step without a signature
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	if left := s.receipt(a).Attempts[0].Left; !strings.Contains(strings.Join(left, ", "), "thought signatures") {
		t.Errorf("the receipt says that %q were left out", left)
	}
}

// TestAConversationMovesFromAnotherModelToGemini: what another vendor's model thought
// and called is taken for what it is.
func TestAConversationMovesFromAnotherModelToGemini(t *testing.T) {
	ups, _ := aSimulated(t)
	s := newStand(t, standOptions{}, ups...)
	const begin = `{"contents":[{"role":"user","parts":[{"text":"x"}]}`
	const end = `],"tools":[{"functionDeclarations":[{"name":"f"}]}],"generationConfig":{"maxOutputTokens":2000,"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"high"}}}`
	for _, from := range []string{"anthropic", "openai"} {
		first := s.ask("/v1beta/models/"+from+"/m:generateContent", begin+end)
		content := gjson.Get(first.body, "candidates.0.content")
		call := content.Get("parts.#(functionCall).functionCall")
		if first.status != 200 || !call.Exists() || !content.Get("parts.#(thought==true)").Exists() {
			t.Fatalf("%s: status %d: %s", from, first.status, first.body)
		}
		a := s.ask("/v1beta/models/gemini/m:generateContent", begin+","+content.Raw+`,{"role":"user","parts":[{"functionResponse":{"id":`+call.Get("id").Raw+`,"name":"f","response":{"output":"y"}}}]}`+end)
		if a.status != 200 {
			t.Fatalf("%s: status %d: %s", from, a.status, a.body)
		}
		if left := strings.Join(s.receipt(a).Attempts[0].Left, ", "); !strings.Contains(left, "thinking") || !strings.Contains(left, "thought signatures") {
			t.Errorf("%s: the receipt says that %q were left out", from, left)
		}
	}
}

func TestGooglesKeyIsTakenFromHeaderAndQueryAndGoesNoFurther(t *testing.T) {
	ups, asked := aSimulated(t)
	s := newStand(t, standOptions{}, ups...)
	secret, id := s.newKey(ledger.KeySpec{Name: "google's"})
	path := "/v1beta/models/gemini/m:generateContent"
	for name, a := range map[string]answer{
		"in the header": s.ask(path, askGemini, "x-goog-api-key", secret),
		"in the query":  s.ask(path+"?key="+url.QueryEscape(secret)+"&%24alt=json&x=y", askGemini),
	} {
		if a.status != 200 {
			t.Fatalf("%s: status %d: %s", name, a.status, a.body)
		}
		if r := s.receipt(a); r.Key != id {
			t.Errorf("%s: the receipt has key %q", name, r.Key)
		}
	}
	for _, r := range asked() {
		if strings.Contains(fmt.Sprint(r.URL, r.Header), secret) || r.URL.RawQuery != "" && r.URL.RawQuery != "x=y" {
			t.Errorf("%s was asked with %v", r.URL, r.Header)
		}
	}
	for _, path := range []string{path, "/v1beta/models", "/v1beta/models/gemini/m:countTokens"} {
		for _, query := range []string{"", "?key=sk-starling-wrong"} {
			a := s.ask(path+query, askGemini)
			if path == "/v1beta/models" {
				a = s.get(path + query)
			}
			if a.status != 401 || gjson.Get(a.body, "error.status").Str != "UNAUTHENTICATED" || gjson.Get(a.body, "error.code").Int() != 401 {
				t.Errorf("%s%s: status %d: %s", path, query, a.status, a.body)
			}
		}
	}
}

func TestGooglesClientsAreRefusedInTheirOwnWords(t *testing.T) {
	ups, asked := aSimulated(t)
	s := newStand(t, standOptions{budgets: []ledger.Budget{{Scope: ledger.ForAll, Limit: 1, Per: ledger.InTotal}}}, ups...)
	for _, c := range []struct {
		path, body string
		status     int
		word       string
	}{
		{"/v1beta/models/nobody:generateContent", askGemini, 404, "NOT_FOUND"},
		{"/v1beta/models/nobody:countTokens", askGemini, 404, "NOT_FOUND"},
		{"/v1beta/models/gemini/m:embedContent", askGemini, 400, "INVALID_ARGUMENT"},
		{"/v1beta/models/gemini/m:batchEmbedContents", `{"requests":[{"content":{"parts":[{"text":"x"}]}}]}`, 400, "INVALID_ARGUMENT"}, // it converses
		{"/v1beta/models/nobody:batchEmbedContents", `{"requests":[{"content":{"parts":[{"text":"x"}]}}]}`, 404, "NOT_FOUND"},
		{"/v1beta/models/gemini/m:predict", askGemini, 404, "NOT_FOUND"},
		{"/v1beta/models/gemini/m", askGemini, 404, "NOT_FOUND"},
		{"/v1beta/models", askGemini, 404, "NOT_FOUND"},
		{"/v1beta/elsewhere", askGemini, 404, "NOT_FOUND"},
		{"/v1beta/models/:generateContent", askGemini, 400, "INVALID_ARGUMENT"},
		{"/v1beta/models/gemini/m:generateContent", `{"contents":[]}`, 400, "INVALID_ARGUMENT"},
		{"/v1beta/models/gemini/m:countTokens", `[]`, 400, "INVALID_ARGUMENT"},
		{"/v1beta/models/gemini/m:generateContent", askGemini, 400, "FAILED_PRECONDITION"},
		{"/v1beta/models/gemini/m:streamGenerateContent?alt=sse", askGemini, 400, "FAILED_PRECONDITION"},
	} {
		a := s.ask(c.path, c.body)
		if a.status != c.status || gjson.Get(a.body, "error.status").Str != c.word || gjson.Get(a.body, "error.code").Int() != int64(c.status) || gjson.Get(a.body, "error.message").Str == "" {
			t.Errorf("%s: status %d: %s", c.path, a.status, a.body)
		}
		wantHeaders(t, a)
	}
	if len(asked()) > 0 {
		t.Error("an upstream was asked")
	}
}

func TestModelsAreListedInGooglesForm(t *testing.T) {
	s := listing(t)
	a := s.get("/v1beta/models?pageSize=1000&key=k")
	names := gjson.Get(a.body, "models.#.name").Array()
	if a.status != 200 || len(names) != 4 || names[2].Str != "models/hub/org/model-1" || gjson.Get(a.body, "models.2.inputTokenLimit").Int() != 8192 || gjson.Get(a.body, "models.2.supportedGenerationMethods.0").Str != "generateContent" {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	for _, path := range []string{"hub/org/model-1", "hub%2Forg%2Fmodel-1"} {
		if a := s.get("/v1beta/models/" + path); gjson.Get(a.body, "name").Str != "models/hub/org/model-1" || a.header.Get("X-Starling-Model") != "none" {
			t.Errorf("%s: status %d: %s", path, a.status, a.body)
		}
	}
	if a := s.get("/v1/models", "x-goog-api-key", "k"); gjson.Get(a.body, "models.0.name").Str == "" {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	if a := s.get("/v1beta/models/nobody"); a.status != 404 || gjson.Get(a.body, "error.status").Str != "NOT_FOUND" {
		t.Errorf("status %d: %s", a.status, a.body)
	}
}

// TestAGeminiStreamThatBreaksOffSaysSo, in each of the forms in which it is told.
func TestAGeminiStreamThatBreaksOffSaysSo(t *testing.T) {
	s := newStand(t, standOptions{}, upstreamAt{name: "up", dialect: starling.Gemini, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"half\"}]}}]}\n\n")
	})})
	events := s.ask("/v1beta/models/up/m:streamGenerateContent?alt=sse", askGemini)
	last := events.body[strings.LastIndex(events.body, "data: ")+6:]
	if gjson.Get(last, "error.status").Str != "UNAVAILABLE" || !strings.Contains(events.body, "half") {
		t.Errorf("as events: %s", events.body)
	}
	array := s.ask("/v1beta/models/up/m:streamGenerateContent", askGemini)
	if gjson.Get(array.body, "#").Int() != 2 || gjson.Get(array.body, "1.error.code").Int() != 503 {
		t.Errorf("as an array: %s", array.body)
	}
	if r := s.receipt(events); r.Outcome != starling.Broken {
		t.Errorf("the receipt says %s", r.Outcome)
	}
}

func TestGooglesClientsGetVectorsOfUpstreamsOfEveryDialect(t *testing.T) {
	var paths []string
	var ups []upstreamAt
	for _, d := range []starling.Dialect{starling.Gemini, starling.OpenAI, starling.Ollama} {
		up := vectorsAt(string(d), starling.Machine)
		next := up.handler
		up.dialect, up.handler = d, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			paths = append(paths, r.URL.Path)
			next.ServeHTTP(w, r)
		})
		ups = append(ups, up)
	}
	s := newStand(t, standOptions{}, ups...)
	const batch = `{"requests":[{"model":"models/x","content":{"parts":[{"text":"where is it"}]},"taskType":"CLUSTERING","outputDimensionality":4},{"content":{"parts":[{"text":"money"}]},"outputDimensionality":4,"model":"models/x"}]}`
	for _, up := range ups {
		a := s.ask("/v1beta/models/"+up.name+"/m:batchEmbedContents", batch)
		if a.status != 200 || gjson.Get(a.body, "embeddings.#.values.#").Raw != "[4,4]" || gjson.Get(a.body, "usageMetadata.promptTokenCount").Int() != 5 {
			t.Errorf("%s: status %d: %s", up.name, a.status, a.body)
		}
		r := s.receipt(a)
		if r.Dialect != starling.EmbedContents || r.Asked != up.name+"/m" || r.Attempts[0].Usage != (starling.Usage{Input: 5}) || r.Cost != dollar.Input.Of(5) || r.AnswerMAC == "" {
			t.Errorf("%s: %+v", up.name, r)
		}
		if left := strings.Join(r.Attempts[0].Left, ", "); (left == "requests[].task_type") != (up.dialect != starling.Gemini) || left != "" && up.dialect == starling.Gemini {
			t.Errorf("%s: the receipt says that %q were left out", up.name, left)
		}
		one := s.ask("/v1/models/"+up.name+"%2Fm:embedContent?alt=json", `{"content":{"parts":[{"text":"money"}]},"outputDimensionality":4}`)
		if one.status != 200 || gjson.Get(one.body, "embedding.values.#").Int() != 4 {
			t.Errorf("%s: status %d: %s", up.name, one.status, one.body)
		}
	}
	want := []string{"/v1beta/models/m:batchEmbedContents", "/v1beta/models/m:embedContent", "/v1/embeddings", "/v1/embeddings", "/v1/embeddings", "/v1/embeddings"}
	if !slices.Equal(paths, want) {
		t.Errorf("asked at %q", paths)
	}
	if a := s.get("/v1beta/models"); gjson.Get(a.body, "models.0.supportedGenerationMethods").Raw != `["embedContent","batchEmbedContents"]` {
		t.Error(a.body)
	}
	if a := s.ask("/v1beta/models/gemini/m:embedContent", `{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}`); a.status != 400 || !strings.Contains(a.body, "cannot read images") {
		t.Errorf("status %d: %s", a.status, a.body)
	}
}

func TestVectorsForGooglesClientsAreUnderEveryCap(t *testing.T) {
	s := newStand(t, standOptions{budgets: []ledger.Budget{{Scope: ledger.ForAll, Limit: 100, Per: ledger.InTotal}}}, vectorsAt("e", starling.Cloud))
	const batch = `{"requests":[{"content":{"parts":[{"text":"x"}]}}]}`
	a := s.ask("/v1beta/models/e/m:batchEmbedContents", batch)
	if r := s.receipt(a); a.status != 400 || gjson.Get(a.body, "error.status").Str != "FAILED_PRECONDITION" || r.Kind != starling.OverBudget || r.Cost != 0 {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	if a := s.ask("/v1beta/models/e/m:batchEmbedContents", batch, "X-Starling-Class", "confidential"); a.status != 403 {
		t.Errorf("status %d: %s", a.status, a.body)
	}
}
