package sim_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/sim"
)

// google asks the server as Google's clients do.
func google(s *sim.Server, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/v1beta/models/"+path, strings.NewReader(body))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

const functions = `"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING"}},"required":["a"]}},{"name":"g"}]}]`

func TestAThinkingGeminiWantsItsSignaturesBack(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "deep", Reasoning: 5}, {Name: "deeper", Reasoning: 5}, {Name: "plain"}}})
	first := `{"contents":[{"role":"user","parts":[{"text":"both"}]}],` + functions + `}`
	said := func(model string) string {
		w := google(s, model+":generateContent", first)
		content := gjson.GetBytes(w.Body.Bytes(), "candidates.0.content")
		if w.Code != 200 || len(content.Get("parts").Array()) != 2 || gjson.GetBytes(w.Body.Bytes(), "candidates.0.finishReason").Str != "STOP" {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		return content.Raw
	}
	deep := said("deep")
	signature := gjson.Get(deep, "parts.0.thoughtSignature").Str
	if signature == "" || gjson.Get(deep, "parts.1.thoughtSignature").Exists() {
		t.Fatalf("the first call alone is signed: %s", deep)
	}
	without := strings.Replace(deep, `,"thoughtSignature":"`+signature+`"`, "", 1)
	foreign := strings.Replace(deep, signature, gjson.Get(said("deeper"), "parts.0.thoughtSignature").Str, 1)
	placeholder := strings.Replace(deep, signature, "skip_thought_signature_validator", 1)
	for _, c := range []struct {
		name, model, content string
		later                bool // the user has spoken since
		status               int
	}{
		{"its own", "deep", deep, false, 200},
		{"none", "deep", without, false, 400},
		{"none, to one that does not think", "plain", without, false, 200},
		{"another model's", "deep", foreign, false, 400},
		{"the placeholder", "deep", placeholder, false, 200},
		{"none, in a turn that is over", "deep", without, true, 200},
	} {
		id := func(i string) string { return gjson.Get(c.content, "parts."+i+".functionCall.id").Raw }
		body := `{"contents":[{"role":"user","parts":[{"text":"both"}]},` + c.content + `,{"role":"user","parts":[{"functionResponse":{"id":` + id("0") + `,"name":"f","response":{"output":"x"}}},{"functionResponse":{"id":` + id("1") + `,"name":"g","response":{"output":"y"}}}]}`
		if c.later {
			body += `,{"role":"model","parts":[{"text":"done"}]},{"role":"user","parts":[{"text":"more"}]}`
		}
		w := google(s, c.model+":generateContent", body+`],`+functions+`}`)
		if w.Code != c.status || c.status == 400 && gjson.GetBytes(w.Body.Bytes(), "error.status").Str != "INVALID_ARGUMENT" {
			t.Errorf("%s: status %d: %s", c.name, w.Code, w.Body)
		}
	}
}

func TestAGeminiWithoutIDsOfCallsIsAnsweredByNames(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "m", NoCallIDs: true}}})
	w := google(s, "m:streamGenerateContent?alt=sse", `{"contents":[{"parts":[{"text":"both"}]}],`+functions+`}`)
	if strings.Contains(w.Body.String(), `"id":`) || strings.Count(w.Body.String(), "functionCall") != 2 {
		t.Fatalf("got %s", w.Body)
	}
	answered := func(names ...string) int {
		body := `{"contents":[{"parts":[{"text":"x"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},{"role":"model","parts":[{"functionCall":{"name":"g","args":{}}}]},{"parts":[`
		for i, name := range names {
			body += strings.Repeat(",", min(i, 1)) + `{"functionResponse":{"name":"` + name + `","response":{"output":"x"}}}`
		}
		return google(s, "m:generateContent", body+`]}]}`).Code
	}
	if got := answered("g", "f"); got != 200 {
		t.Errorf("answered: status %d", got)
	}
	for _, names := range [][]string{{"f"}, {"f", "h"}, {"f", "f"}} {
		if got := answered(names...); got != 400 {
			t.Errorf("answered for %q: status %d", names, got)
		}
	}
}

func TestGeminiTellsItsThoughtsAndCountsThem(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Reasoning: 5}}})
	for config, shown := range map[string]bool{`{}`: false, `{"thinkingConfig":{"includeThoughts":true}}`: true} {
		for _, path := range []string{"m:generateContent", "m:streamGenerateContent?alt=sse"} {
			w := google(s, path, `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":`+config+`}`)
			if strings.Contains(w.Body.String(), `"thought":true`) != shown || !strings.Contains(w.Body.String(), `"thoughtsTokenCount":`) || !strings.Contains(w.Body.String(), `"simulated":true`) {
				t.Errorf("%s, %s: %s", path, config, w.Body)
			}
		}
	}
	w := google(s, "m:generateContent", `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":0}}}`)
	u := gjson.GetBytes(w.Body.Bytes(), "usageMetadata")
	if u.Get("thoughtsTokenCount").Exists() || u.Get("totalTokenCount").Int() != u.Get("promptTokenCount").Int()+u.Get("candidatesTokenCount").Int() {
		t.Errorf("got %s", u.Raw)
	}
}

func TestGeminiKeepsToASchemaOfItsOwnKind(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "m"}}})
	for _, schema := range []string{`"responseSchema":{"type":"OBJECT","properties":{"n":{"type":"INTEGER"}},"required":["n"]}`, `"responseJsonSchema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}`} {
		w := google(s, "m:generateContent", `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"responseMimeType":"application/json",`+schema+`}}`)
		if text := gjson.GetBytes(w.Body.Bytes(), "candidates.0.content.parts.0.text").Str; gjson.Get(text, "n").Type != gjson.Number {
			t.Errorf("%s: %s", schema, w.Body)
		}
	}
}

func TestGeminiRefusesAsGoogleDoes(t *testing.T) {
	s := sim.New(sim.Options{Key: "right", Models: []sim.Model{{Name: "m"}, {Name: "busy", Failure: sim.Failure{Overloaded429: 1}}, {Name: "down", Failure: sim.Failure{Overloaded: 1}}, {Name: "other", Dialect: starling.OpenAI}}})
	const hello = `{"contents":[{"parts":[{"text":"x"}]}]}`
	for _, c := range []struct {
		path, body string
		status     int
		word       string
	}{
		{"m:generateContent?key=right", hello, 200, ""},
		{"m:generateContent?key=wrong", hello, 400, "INVALID_ARGUMENT"},
		{"busy:generateContent?key=right", hello, 429, "RESOURCE_EXHAUSTED"},
		{"down:generateContent?key=right", hello, 503, "UNAVAILABLE"},
		{"other:generateContent?key=right", hello, 404, "NOT_FOUND"},
		{"m:embedContent?key=right", hello, 400, "INVALID_ARGUMENT"},
		{"m:embedContent?key=right", `{"content":{"parts":[{"text":"x"}]}}`, 200, ""},
		{"m:batchEmbedContents?key=right", `{"requests":[{"model":"models/m","content":{"parts":[{"text":"x"}]}}]}`, 200, ""},
		{"m:batchEmbedContents?key=right", `{"requests":[{"model":"models/other","content":{"parts":[{"text":"x"}]}}]}`, 400, "INVALID_ARGUMENT"},
		{"m:batchEmbedContents?key=right", `{"requests":[{"model":"models/m","content":{"parts":[{"inlineData":{}}]}}]}`, 400, "INVALID_ARGUMENT"},
		{"m:batchEmbedContents?key=right", `{"requests":[]}`, 400, "INVALID_ARGUMENT"},
		{"m:batchEmbedContents?key=right", `{"requests":[` + strings.Repeat(`{"model":"models/m","content":{"parts":[{"text":"x"}]}},`, 100) + `{"model":"models/m","content":{"parts":[{"text":"x"}]}}]}`, 400, "INVALID_ARGUMENT"},
		{"m:predict?key=right", hello, 404, "NOT_FOUND"},
		{"m:generateContent?key=right", `{"contents":[]}`, 400, "INVALID_ARGUMENT"},
		{"m:countTokens?key=right", hello, 200, ""},
	} {
		w := google(s, c.path, c.body)
		if w.Code != c.status || gjson.GetBytes(w.Body.Bytes(), "error.status").Str != c.word || c.word != "" && gjson.GetBytes(w.Body.Bytes(), "error.code").Int() != int64(c.status) {
			t.Errorf("%s: status %d: %s", c.path, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1beta/models?key=right", nil))
	if gjson.GetBytes(w.Body.Bytes(), "models.#").Int() != 3 || gjson.GetBytes(w.Body.Bytes(), "models.0.name").Str != "models/m" {
		t.Errorf("listed %s", w.Body)
	}
}
