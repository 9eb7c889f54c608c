package serve_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"starling"
	"starling/internal/ledger"
	"starling/internal/wire"
)

// wanted is the schema of these tests.
const wanted = `{"type":"object","properties":{"total":{"type":"integer"},"items":{"type":"array","items":{"type":"string"}}},"required":["total","items"],"additionalProperties":false}`

// soundJSON is an answer of that shape.
const soundJSON = `{"total": 2, "items": ["a", "b\n}"]}`

// shapedPaths are the paths of the dialects in which a shape can be demanded, with
// the body that does, of a model and whether it streams.
var shapedPaths = map[starling.Dialect]func(model string, stream bool) (path, body string){
	starling.OpenAI: func(model string, stream bool) (string, string) {
		return chatPath, fmt.Sprintf(`{"model":%q,"stream":%t,"max_tokens":100,"messages":[{"role":"user","content":"q"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":%s}}}`, model, stream, wanted)
	},
	starling.Anthropic: func(model string, stream bool) (string, string) {
		return messagesPath, fmt.Sprintf(`{"model":%q,"stream":%t,"max_tokens":100,"messages":[{"role":"user","content":"q"}],"output_config":{"format":{"type":"json_schema","schema":%s}}}`, model, stream, wanted)
	},
	starling.Responses: func(model string, stream bool) (string, string) {
		return "/v1/responses", fmt.Sprintf(`{"model":%q,"stream":%t,"store":false,"max_output_tokens":100,"input":"q","text":{"format":{"type":"json_schema","name":"n","schema":%s}}}`, model, stream, wanted)
	},
	starling.Ollama: func(model string, stream bool) (string, string) {
		return "/api/chat", fmt.Sprintf(`{"model":%q,"stream":%t,"options":{"num_predict":100},"messages":[{"role":"user","content":"q"}],"format":%s}`, model, stream, wanted)
	},
	starling.Gemini: func(model string, stream bool) (string, string) {
		verb := ":generateContent"
		if stream {
			verb = ":streamGenerateContent?alt=sse"
		}
		return "/v1beta/models/" + model + verb, fmt.Sprintf(`{"contents":[{"role":"user","parts":[{"text":"q"}]}],"generationConfig":{"maxOutputTokens":100,"responseMimeType":"application/json","responseJsonSchema":%s}}`, wanted)
	},
}

// A saying is what a scripted upstream answers.
type saying struct {
	name, text string
	finish     starling.Finish
	refuses    bool
}

// sayings break the shape in every way, or do not.
var sayings = []saying{
	{"sound", soundJSON, starling.Stopped, false},
	{"sound", " \n" + soundJSON + "\n", starling.Stopped, false},
	{"fence", "```json\n" + soundJSON + "\n```", starling.Stopped, false},
	{"words before", "Sure! Here it is: " + soundJSON, starling.Stopped, false},
	{"words around a fence", "Sure:\n```\n" + soundJSON + "\n```\nAnything else?", starling.Stopped, false},
	{"byte order mark", "\uFEFF" + soundJSON, starling.Stopped, false},
	{"hard space", "\u00a0" + soundJSON, starling.Stopped, false},
	{"wrong type", `{"total":"2","items":[]}`, starling.Stopped, false},
	{"missing key", `{"total":2}`, starling.Stopped, false},
	{"extra key", `{"total":2,"items":[],"note":"x"}`, starling.Stopped, false},
	{"wrong in a fence", "```json\n{\"total\":2.5,\"items\":[]}\n```", starling.Stopped, false},
	{"cut at the limit", `{"total":2,"items":["a"`, starling.Length, false},
	{"cut in silence", `{"total":2,"items":["a"`, starling.Stopped, false},
	{"cut inside", `[{"total":2,"items":[]}`, starling.Stopped, false},
	{"trailing comma", `{"total":2,"items":[],}`, starling.Stopped, false},
	{"two values", soundJSON + "\n" + soundJSON, starling.Stopped, false},
	{"either or", "Either " + soundJSON + " or " + soundJSON, starling.Stopped, false},
	{"a key twice", `{"total":2,"total":3,"items":[]}`, starling.Stopped, false},
	{"single quotes", `{'total':2,'items':[]}`, starling.Stopped, false},
	{"no number", `{"total":NaN,"items":[]}`, starling.Stopped, false},
	{"a list", `[1]`, starling.Stopped, false},
	{"a word", `"total"`, starling.Stopped, false},
	{"words", "I think it is two.", starling.Stopped, false},
	{"nothing", "", starling.Stopped, false},
	{"space", " \n ", starling.Stopped, false},
	{"deep", strings.Repeat("[", 600) + strings.Repeat("]", 600), starling.Stopped, false},
	{"a refusal", "I will not.", starling.Stopped, true},
}

// said renders an answer in a dialect, with the tokens it takes.
func (s saying) said(d starling.Dialect, stream bool) string {
	var b bytes.Buffer
	w := wire.NewWriter(&b, wire.WriterOptions{ID: "c1", Model: "m-1", Request: &starling.Request{Dialect: d, Model: "m", Stream: stream, WantUsage: true, Choices: 1}})
	kind := starling.TextPart
	if s.refuses {
		kind = starling.RefusalPart
	}
	half := len(s.text) / 2
	deltas := []starling.Delta{{Kind: kind, Text: strings.ToValidUTF8(s.text[:half], "")}, {Kind: kind, Text: strings.ToValidUTF8(s.text[half:], "")}}
	if strings.ToValidUTF8(s.text[:half], "") != s.text[:half] { // a character is not cut
		deltas = []starling.Delta{{Kind: kind, Text: s.text}}
	}
	must(0, w.Event(starling.Event{Deltas: deltas}))
	must(0, w.Event(starling.Event{Finish: s.finish, Usage: &starling.Usage{Input: 100, Output: 20}}))
	must(0, w.Close())
	return b.String()
}

// A script is an upstream that says one thing, and another when it is told that this
// cannot be used.
type script struct {
	dialect      starling.Dialect
	first, again saying
	calls        int
	told         string // what it was told was wrong
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var asked struct{ Stream bool }
	must(0, json.Unmarshal(body, &asked))
	s.calls++
	says := s.first
	if bytes.Contains(body, []byte("Your answer cannot be used")) {
		says, s.told = s.again, string(body)
	}
	reply(w, asked.Stream, says.said(s.dialect, asked.Stream))
}

// heardText is the text of an answer in a dialect, and whether it refuses.
func heardText(t *testing.T, d starling.Dialect, stream bool, a answer) (text string, refused bool) {
	t.Helper()
	var c wire.Collector
	for ev, err := range wire.Read(strings.NewReader(a.body), wire.ReadOptions{Dialect: d, Stream: stream, Deltas: true}) {
		if err != nil {
			t.Fatalf("%s, stream %t: %v:\n%s", d, stream, err, a.body)
		}
		c.Add(ev)
	}
	got := c.Answer()
	return got.Text, got.Refused
}

// TestEvery200WithASchemaIsValid: whatever upstreams answer, a caller who demanded a
// shape gets JSON of that shape, or a refusal, or an error that says why; and every
// try is in the books.
func TestEvery200WithASchemaIsValid(t *testing.T) {
	compiler := jsonschema.NewCompiler()
	must(0, compiler.AddResource("wanted", must(jsonschema.UnmarshalJSON(strings.NewReader(wanted)))))
	shape := must(compiler.Compile("wanted"))
	one, two := &script{dialect: starling.OpenAI}, &script{dialect: starling.Anthropic}
	s := newStand(t, standOptions{skills: testSkill("candidates: [one/m, two/m]\n"), trip: 1 << 20},
		upstreamAt{name: "one", dialect: starling.OpenAI, handler: one}, upstreamAt{name: "two", dialect: starling.Anthropic, handler: two})
	price := starling.Money(100*1000 + 20*5000)
	seen := map[string]int{}
	rng := rand.New(rand.NewPCG(4, 7))
	rounds := 1200
	if testing.Short() { // one request after the other
		rounds = 240
	}
	for i := range rounds {
		pick := func() saying { return sayings[rng.IntN(len(sayings))] }
		*one, *two = script{dialect: one.dialect, first: pick(), again: pick()}, script{dialect: two.dialect, first: pick(), again: pick()}
		callers := slices.DeleteFunc(wire.Dialects(), func(d starling.Dialect) bool { return shapedPaths[d] == nil })
		d, stream := callers[i%len(callers)], rng.IntN(2) == 0
		model := []string{"starling/test", "one/m", "two/m"}[rng.IntN(3)]
		path, body := shapedPaths[d](model, stream)
		a := s.ask(path, body)
		r := s.receipt(a)
		where := fmt.Sprintf("%d: %s to %s, stream %t, %q then %q, %q then %q", i, d, model, stream, one.first.name, one.again.name, two.first.name, two.again.name)

		if n := starling.Money(one.calls + two.calls); r.Cost != n*price || len(r.Attempts) != one.calls+two.calls {
			t.Fatalf("%s: %d calls cost %s in %d attempts", where, n, r.Cost, len(r.Attempts))
		}
		seen["asked again"] += strings.Count(fmt.Sprint(one.told != "", two.told != ""), "true")
		if one.calls > 0 && two.calls > 0 {
			seen["escalated"]++
		}
		if a.status != 200 {
			seen["errors"]++
			last := r.Attempts[len(r.Attempts)-1]
			if a.status != 502 || !strings.Contains(a.body, "rejected by verifier format") || last.Outcome != starling.Rejected || strings.Contains(r.Why, "/properties") {
				t.Fatalf("%s: status %d, %s; receipt says %q", where, a.status, a.body, r.Why)
			}
			continue
		}
		text, refused := heardText(t, d, stream, a)
		if refused {
			seen["refusals"]++
			continue
		}
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil || !json.Valid([]byte(text)) || shape.Validate(value) != nil {
			t.Fatalf("%s: a 200 that is not valid: %v:\n%s", where, err, a.body)
		}
		seen["valid"]++
		if reason := r.Response.Reason; strings.Contains(reason, "; format: ") {
			seen["mended"]++
			if text != soundJSON || a.header.Get("X-Starling-Reason") != reason {
				t.Fatalf("%s: mended to %q, reason %q", where, text, a.header.Get("X-Starling-Reason"))
			}
		}
		for _, secret := range []string{"b\\n}", "Sure", "anything"} {
			if strings.Contains(fmt.Sprint(r.Attempts, r.Response), secret) {
				t.Fatalf("%s: the receipt quotes the answer", where)
			}
		}
	}
	t.Logf("%d requests: %v", rounds, seen)
	for _, what := range []string{"valid", "mended", "asked again", "escalated", "refusals", "errors"} {
		if seen[what] < rounds/60 {
			t.Errorf("%s only %d times", what, seen[what])
		}
	}
}

func TestASoundAnswerPassesUntouched(t *testing.T) {
	for _, stream := range []bool{false, true} {
		up := saying{text: soundJSON, finish: starling.Stopped}.said(starling.OpenAI, stream)
		up = strings.Replace(up, `"object"`, `"vendor_word": 1.50,"object"`, 1)
		s := newStand(t, standOptions{}, openAIUp(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			reply(w, stream, up)
		}))
		path, body := shapedPaths[starling.OpenAI]("up/m", stream)
		if stream {
			body = strings.Replace(body, `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`, 1)
		}
		if a := s.ask(path, body); a.body != up {
			t.Errorf("stream %t: got\n%s\nwant\n%s", stream, a.body, up)
		}
	}
}

func TestTheModelIsToldWhatIsWrongAndTheReceiptIsNot(t *testing.T) {
	one := &script{dialect: starling.OpenAI, first: saying{text: `{"total":"secret-seven","items":[]}`, finish: starling.Stopped}, again: saying{text: soundJSON, finish: starling.Stopped}}
	s := newStand(t, standOptions{}, openAIUp(one.ServeHTTP))
	path, body := shapedPaths[starling.Anthropic]("up/m", false)
	a := s.ask(path, body)
	if a.status != 200 || !strings.Contains(one.told, "secret-seven") || !strings.Contains(one.told, "at /total: got string, want integer") {
		t.Errorf("status %d; it was told %s", a.status, one.told)
	}
	r := s.receipt(a)
	if len(r.Attempts) != 2 || r.Attempts[0].Outcome != starling.Rejected || r.Attempts[1].Outcome != starling.Answered || !strings.Contains(r.Attempts[0].Why, "keyword type") || !slices.Equal(r.Plan.Candidates[0].Nets, []string{starling.FormatNet}) {
		t.Errorf("attempts %+v", r.Attempts)
	}
	if all := string(must(json.Marshal(r))); strings.Contains(all, "secret") || strings.Contains(all, "/total") {
		t.Errorf("the receipt has content: %s", all)
	}
}

func TestTheCallerIsToldWhereTheSchemaIsBroken(t *testing.T) {
	wrong := saying{text: `{"total":"x","items":[]}`, finish: starling.Stopped}
	for d, body := range shapedPaths {
		if !slices.Contains(wire.Dialects(), d) {
			continue
		}
		for _, stream := range []bool{false, true} {
			one := &script{dialect: starling.OpenAI, first: wrong, again: wrong}
			s := newStand(t, standOptions{}, openAIUp(one.ServeHTTP))
			path, body := body("up/m", stream)
			a := s.ask(path, body)
			if a.status != 502 || !strings.Contains(a.body, "at /properties/total/type") || one.calls != 2 {
				t.Errorf("%s: status %d after %d calls: %s", d, a.status, one.calls, a.body)
			}
			if r := s.receipt(a); r.Kind != starling.Refused || strings.Contains(r.Why, "total") {
				t.Errorf("%s: %s: %s", d, r.Kind, r.Why)
			}
		}
	}
}

func TestAnAnswerThatWasCutIsNoValidAnswer(t *testing.T) {
	cut := saying{text: `{"total":2,"items":["a`, finish: starling.Length}
	one := &script{dialect: starling.OpenAI, first: cut, again: cut}
	s := newStand(t, standOptions{}, openAIUp(one.ServeHTTP))
	path, body := shapedPaths[starling.OpenAI]("up/m", true)
	if a := s.ask(path, body); a.status != 502 || !strings.Contains(a.body, "cut at the limit of output tokens") || one.calls != 1 {
		t.Errorf("status %d after %d calls: %s", a.status, one.calls, a.body)
	}
}

func TestABadSchemaIsRefusedBeforeAnybodyIsCalled(t *testing.T) {
	one := &script{dialect: starling.OpenAI}
	s := newStand(t, standOptions{}, openAIUp(one.ServeHTTP))
	for d, body := range shapedPaths {
		if !slices.Contains(wire.Dialects(), d) {
			continue
		}
		path, body := body("up/m", false)
		a := s.ask(path, strings.Replace(body, `"type":"integer"`, `"type":"intejer"`, 1))
		if a.status != 400 || !strings.Contains(a.body, "JSON Schema") {
			t.Errorf("%s: status %d: %s", d, a.status, a.body)
		}
		a = s.ask(path, strings.Replace(body, `{"type":"integer"}`, `{"$ref":"`+s.asked["up"]+`/schema.json"}`, 1))
		if a.status != 400 || one.calls != 0 {
			t.Errorf("%s: status %d, %d calls: %s", d, a.status, one.calls, a.body)
		}
	}
}

func TestARepairIsUnderTheCapsAsWell(t *testing.T) {
	wrong := saying{text: `{}`, finish: starling.Stopped}
	one := &script{dialect: starling.OpenAI, first: wrong, again: saying{text: soundJSON, finish: starling.Stopped}}
	path, body := shapedPaths[starling.OpenAI]("up/m", false)
	worst := dollar.Worst(int64(len(body))+64, 100, 0)
	s := newStand(t, standOptions{budgets: []ledger.Budget{{Scope: ledger.ForAll, Limit: worst + 1, Per: ledger.InTotal}}}, openAIUp(one.ServeHTTP))
	a := s.ask(path, body)
	r := s.receipt(a)
	if one.calls != 1 || a.status != 502 || len(r.Attempts) != 2 || r.Attempts[1].Outcome != starling.Skipped || r.Attempts[1].Kind != starling.OverBudget {
		t.Errorf("status %d after %d calls, attempts %+v", a.status, one.calls, r.Attempts)
	}
}

func TestOfSeveralChoicesNoneIsSentUnvalidated(t *testing.T) {
	one := &script{dialect: starling.OpenAI, first: sayings[0]}
	s := newStand(t, standOptions{}, openAIUp(one.ServeHTTP))
	path, body := shapedPaths[starling.OpenAI]("up/m", false)
	if a := s.ask(path, strings.Replace(body, `"max_tokens"`, `"n":2,"max_tokens"`, 1)); a.status != 400 || one.calls != 0 {
		t.Errorf("status %d: %s", a.status, a.body)
	}
}
