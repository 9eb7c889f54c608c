package serve_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/cascade"
	"starling/internal/ledger"
	"starling/internal/sim"
)

// vectorsAt is a simulated embedding model.
func vectorsAt(name string, zone starling.Zone) upstreamAt {
	return upstreamAt{name: name, dialect: starling.OpenAI, zone: zone, takes: starling.Embeddings, handler: sim.New(sim.Options{Models: []sim.Model{{Name: "m", Dims: 8}}})}
}

// moderatorAt is a simulated moderation model.
func moderatorAt(name string, zone starling.Zone) upstreamAt {
	return upstreamAt{name: name, dialect: starling.OpenAI, zone: zone, takes: starling.Moderations, price: starling.Price{Free: true, Source: "test"}, handler: sim.New(sim.Options{Models: []sim.Model{{Name: "m"}}})}
}

// countingCalls is an upstream that counts how often it is called.
func countingCalls(up upstreamAt, calls *atomic.Int64) upstreamAt {
	next := up.handler
	up.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		next.ServeHTTP(w, r)
	})
	return up
}

const (
	vectorsPath    = "/v1/embeddings"
	moderationPath = "/v1/moderations"
	countPath      = "/v1/messages/count_tokens"
)

// TestASimulatedUpstreamIsSaidToBeOne though the configuration does not say it, in every
// way that an answer is passed on.
func TestASimulatedUpstreamIsSaidToBeOne(t *testing.T) {
	const hi = `{"role":"user","content":"hi"}`
	plays := sim.New(sim.Options{Models: []sim.Model{{Name: "m"}}})
	s := newStand(t, standOptions{}, upstreamAt{name: "up", dialect: starling.OpenAI, handler: plays}, vectorsAt("e", starling.Cloud))
	for _, q := range [][2]string{
		{chatPath, `{"model":"up/m","messages":[` + hi + `]}`},
		{chatPath, `{"model":"up/m","stream":true,"messages":[` + hi + `]}`},
		{"/v1/messages", `{"model":"up/m","max_tokens":9,"stream":true,"messages":[` + hi + `]}`},
		{vectorsPath, `{"model":"e/m","input":"money"}`},
	} {
		a := s.ask(q[0], q[1])
		r := s.receipt(a)
		if a.status != http.StatusOK || a.header.Get("X-Starling-Simulated") != "true" || !r.Response.Simulated || !r.Attempts[0].Simulated {
			t.Errorf("%s: %d %s, %+v", q[0], a.status, a.body, r.Response)
		}
	}
}

func TestVectorsAreAnExchangeLikeEveryOther(t *testing.T) {
	s := newStand(t, standOptions{}, vectorsAt("e", starling.Cloud))
	floats := s.ask(vectorsPath, `{"model":"e/m","input":["where is my parcel","money"],"dimensions":4}`)
	packed := s.ask(vectorsPath, `{"model":"e/m","input":["where is my parcel","money"],"dimensions":4,"encoding_format":"base64"}`)
	for i, d := range gjson.Get(floats.body, "data").Array() {
		raw, err := base64.StdEncoding.DecodeString(gjson.Get(packed.body, fmt.Sprintf("data.%d.embedding", i)).Str)
		want := d.Get("embedding").Array()
		if err != nil || len(raw) != 16 || len(want) != 4 {
			t.Fatalf("%v: %s, %s", err, floats.body, packed.body)
		}
		for j, x := range want {
			if got := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*j:])); got != float32(x.Num) {
				t.Errorf("%v, want %v", got, x)
			}
		}
	}
	r := s.receipt(floats)
	const tokens = 7
	if r.Outcome != starling.Answered || r.Dialect != starling.Embeddings || r.Asked != "e/m" || !r.Plan.Pinned || len(r.Attempts) != 1 || r.RequestMAC == "" || r.AnswerMAC == "" {
		t.Errorf("%+v", r)
	}
	if r.Attempts[0].Usage != (starling.Usage{Input: tokens}) || r.Cost != dollar.Input.Of(tokens) || gjson.Get(floats.body, "usage.prompt_tokens").Int() != tokens || r.Saved != 0 {
		t.Errorf("%+v cost %s: %s", r.Attempts[0].Usage, r.Cost, floats.body)
	}
	for _, name := range alwaysThere {
		if floats.header.Get(name) == "" {
			t.Errorf("no header %s", name)
		}
	}
}

func TestWhoOnlyObservesGivesVectorsAllTheSame(t *testing.T) {
	s := newStand(t, standOptions{skills: testSkill("reference: up/m\ncandidates: [up/m]\n"), observe: &cascade.Observing{Share: 1}}, vectorsAt("e", starling.Cloud), answering())
	a := s.ask(vectorsPath, `{"model":"e/m","input":"x"}`, "X-Starling-Skill", "test")
	if r := s.receipt(a); a.status != 200 || r.Observed == nil || len(r.Observed.Candidates) != 0 || !strings.Contains(r.Observed.Rule, "no answer in words") || r.Reference != 0 || r.Saved != 0 {
		t.Errorf("%d %s, %+v", a.status, a.body, r.Observed)
	}
}

func TestVectorsOfConfidentialTextsStayInTheOffice(t *testing.T) {
	var calls atomic.Int64
	s := newStand(t, standOptions{}, countingCalls(vectorsAt("far", starling.Cloud), &calls), vectorsAt("near", starling.Office))
	const path = vectorsPath
	a := s.ask(path, `{"model":"far/m","input":"x"}`, "X-Starling-Class", "confidential")
	if r := s.receipt(a); a.status != 403 || calls.Load() != 0 || r.Kind != starling.Forbidden || r.Screen.Class != "confidential" {
		t.Errorf("%d %s after %d calls", a.status, a.body, calls.Load())
	}
	if a := s.ask(path, `{"model":"near/m","input":"x"}`, "X-Starling-Class", "confidential"); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, path := range []string{"/api/embed", "/api/embeddings"} {
		a := s.ask(path, `{"model":"far/m","input":"x","prompt":"x"}`, "X-Starling-Class", "confidential")
		if a.status != 403 || calls.Load() != 0 || gjson.Get(a.body, "error").Type != gjson.String {
			t.Errorf("%d %s after %d calls", a.status, a.body, calls.Load())
		}
	}
}

func TestVectorsAreUnderEveryCap(t *testing.T) {
	var calls atomic.Int64
	s := newStand(t, standOptions{budgets: []ledger.Budget{{Scope: ledger.ForAll, Limit: 100, Per: ledger.InTotal}}}, countingCalls(vectorsAt("e", starling.Cloud), &calls))
	a := s.ask(vectorsPath, `{"model":"e/m","input":"x"}`)
	if r := s.receipt(a); a.status != 429 || a.header.Get("X-Should-Retry") != "false" || calls.Load() != 0 || r.Kind != starling.OverBudget || r.Cost != 0 {
		t.Errorf("%d %s after %d calls", a.status, a.body, calls.Load())
	}
}

func TestAModelIsAskedOnlyForWhatItTakes(t *testing.T) {
	var calls atomic.Int64
	chatting := countingCalls(answering(), &calls)
	s := newStand(t, standOptions{skills: testSkill("reference: up/m\ncandidates: [up/m]\n")}, chatting, countingCalls(vectorsAt("e", starling.Cloud), &calls), countingCalls(moderatorAt("mod", starling.Cloud), &calls))
	conversation := `,"max_tokens":5,"messages":[{"role":"user","content":"x"}]}`
	for _, c := range []struct{ name, path, body, want string }{
		{"a chat model for vectors", vectorsPath, `{"model":"up/m","input":"x"}`, "not known to turn texts into vectors"},
		{"a skill for vectors", vectorsPath, `{"model":"starling/test","input":"x"}`, "not known to turn texts into vectors"},
		{"a moderation model for vectors", vectorsPath, `{"model":"mod/m","input":"x"}`, "not known to turn texts into vectors"},
		{"an embedding model for a moderation", moderationPath, `{"model":"e/m","input":"x"}`, "it is no moderation model"},
		{"an embedding model to chat", chatPath, `{"model":"e/m"` + conversation, "turns texts into vectors and does not converse"},
		{"an embedding model for messages", messagesPath, `{"model":"e/m"` + conversation, "turns texts into vectors and does not converse"},
		{"a moderation model to chat", chatPath, `{"model":"mod/m"` + conversation, "it moderates and does not converse"},
		{"an embedding model for a count", countPath, `{"model":"e/m"` + conversation, "does not converse"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.ask(c.path, c.body)
			if r := s.receipt(a); a.status != 400 || !strings.Contains(a.body, c.want) || r.Kind != starling.Invalid || len(r.Attempts) != 0 || calls.Load() != 0 {
				t.Errorf("%d %s after %d calls", a.status, a.body, calls.Load())
			}
		})
	}
	if a := s.ask(vectorsPath, `{"model":"e/none","input":"x"}`); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// misbehaved answers vectors as some servers do.
func misbehaved(body string) upstreamAt {
	return upstreamAt{name: "e", dialect: starling.OpenAI, takes: starling.Embeddings, handler: whole(body)}
}

func TestVectorsThatAreNotWhatWasAskedForAreMendedOrRefused(t *testing.T) {
	const two, base64 = `{"model":"e/m","input":["a","b"]}`, `{"model":"e/m","input":["a","b"],"encoding_format":"base64"}`
	for _, c := range []struct {
		name, ask, body string
		want            string // of the first vector, "" a refusal
	}{
		{"it ignores base64", base64, `{"object":"list","model":"m","data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[2]}],"usage":{"prompt_tokens":3,"total_tokens":3}}`, `"AACAPw=="`},
		{"it knows only base64", two, `{"data":[{"index":0,"embedding":"AACAPw=="},{"index":1,"embedding":"AAAAQA=="}],"usage":{"prompt_tokens":3}}`, `[1]`},
		{"its list is upside down", two, `{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}],"usage":{"prompt_tokens":3}}`, `[1]`},
		{"it ignores dimensions", `{"model":"e/m","input":["a","b"],"dimensions":2}`, `{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[2]}],"usage":{"prompt_tokens":3}}`, ""},
		{"it forgets one", two, `{"data":[{"index":0,"embedding":[1]}],"usage":{"prompt_tokens":3}}`, ""},
		{"it talks", two, `{"choices":[{"message":{"content":"secret"}}],"usage":{"prompt_tokens":3}}`, ""},
		{"it is no JSON", two, `secret`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, standOptions{}, misbehaved(c.body))
			a := s.ask(vectorsPath, c.ask)
			r := s.receipt(a)
			if c.want != "" && (a.status != 200 || gjson.Get(a.body, "data.0.embedding").Raw != c.want || gjson.Get(a.body, "data.1.index").Int() != 1 || r.Attempts[0].Usage.Input != 3) {
				t.Errorf("%d %s", a.status, a.body)
			}
			if c.want == "" && (a.status != 502 || r.Outcome != starling.Failed || r.Cost == 0 || strings.Contains(a.body, "secret") || a.header.Get("X-Should-Retry") != "false") {
				t.Errorf("%d %s, %s at %s", a.status, a.body, r.Outcome, r.Cost)
			}
		})
	}
}

func TestOllamasClientsGetVectorsOfTheSameModels(t *testing.T) {
	s := newStand(t, standOptions{}, vectorsAt("e", starling.Machine))
	want := gjson.Get(s.ask(vectorsPath, `{"model":"e/m","input":["a","b"]}`).body, "data.#.embedding").Raw
	a := s.ask("/api/embed", `{"model":"e/m","input":["a","b"],"truncate":true,"keep_alive":"5m"}`)
	same := func(got, want string) bool {
		var x, y any
		return json.Unmarshal([]byte(got), &x) == nil && json.Unmarshal([]byte(want), &y) == nil && fmt.Sprint(x) == fmt.Sprint(y)
	}
	if a.status != 200 || gjson.Get(a.body, "model").Str != "e/m" || gjson.Get(a.body, "prompt_eval_count").Int() != 2 || !same(gjson.Get(a.body, "embeddings").Raw, want) {
		t.Errorf("%d %s, want %s", a.status, a.body, want)
	}
	r := s.receipt(a)
	if r.Dialect != starling.Embed || strings.Join(r.Attempts[0].Left, " ") != "truncate keep_alive" || r.Attempts[0].Usage.Input != 2 {
		t.Errorf("%+v", r)
	}
	one := s.ask("/api/embeddings", `{"model":"e/m","prompt":"a"}`)
	if one.status != 200 || !same(gjson.Get(one.body, "embedding").Raw, gjson.Get(want, "0").Raw) {
		t.Errorf("%d %s", one.status, one.body)
	}
	for _, body := range []string{`{"model":"e/m"}`, `{"model":"nobody","input":"x"}`, `{"model":"e/m","input":[1]}`, `no`} {
		if a := s.ask("/api/embed", body); a.status < 400 || gjson.Get(a.body, "error").Type != gjson.String {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

func TestAModerationOfNobodyInParticularIsTheFirstThatMayReadIt(t *testing.T) {
	var far atomic.Int64
	s := newStand(t, standOptions{}, answering(), countingCalls(moderatorAt("cloud", starling.Cloud), &far), moderatorAt("office", starling.Office))
	a := s.ask(moderationPath, `{"input":["a skill","I will kill them"]}`)
	r := s.receipt(a)
	if a.status != 200 || gjson.Get(a.body, "results.#.flagged").Raw != "[false,true]" || a.header.Get("X-Starling-Provider") != "cloud" || r.Cost != 0 || r.Dialect != starling.Moderations || r.Asked != "" || r.Response.Unpriced {
		t.Errorf("%d %s, %+v", a.status, a.body, r)
	}
	a = s.ask(moderationPath, `{"input":"x"}`, "X-Starling-Class", "confidential")
	if r := s.receipt(a); a.status != 200 || r.Response.Provider != "office" || far.Load() != 1 || len(r.Plan.Left) != 1 || r.Plan.Left[0].Kind != starling.Forbidden {
		t.Errorf("%d %s, %+v", a.status, a.body, r.Plan)
	}
	if a = s.ask(moderationPath, `{"input":"x"}`, "X-Starling-Class", "restricted"); a.status != 403 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a = s.ask(moderationPath, `{"model":"office/m","input":"x"}`); a.header.Get("X-Starling-Provider") != "office" {
		t.Errorf("%d %s", a.status, a.body)
	}
	none := newStand(t, standOptions{}, answering())
	if a := none.ask(moderationPath, `{"input":"x"}`); a.status != 404 || !strings.Contains(a.body, "also: [moderations]") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// few reports whether a body counts about as many tokens as six words and their frame
// have.
func few(body string) bool {
	n := gjson.Get(body, "input_tokens").Int()
	return n >= 6 && n <= 30
}

func TestTokensAreCountedWhereTheUpstreamCounts(t *testing.T) {
	var path, query atomic.Value
	claude := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Dialect: starling.Anthropic}}})
	up := upstreamAt{name: "claude", dialect: starling.Anthropic, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path.Store(r.URL.Path)
		query.Store(r.URL.RawQuery)
		claude.ServeHTTP(w, r)
	})}
	s := newStand(t, standOptions{skills: testSkill("candidates: [claude/m]\n")}, up, answering(),
		upstreamAt{name: "old", dialect: starling.Anthropic, handler: whole(`{"type":"message"}`)}, upstreamAt{name: "small", dialect: starling.Anthropic, handler: http.NotFoundHandler()})
	body := func(model string) string {
		return `{"model":"` + model + `","system":"be brief","messages":[{"role":"user","content":"how long is this"}]}`
	}
	for _, model := range []string{"claude/m", "starling/test"} {
		a := s.ask(countPath+"?beta=true", body(model), "anthropic-version", "2023-06-01")
		r := s.receipt(a)
		if a.status != 200 || gjson.Get(a.body, "input_tokens").Int() == 0 || a.header.Get("X-Starling-Estimate") != "" || path.Load() != countPath || query.Load() != "beta=true" {
			t.Errorf("%d %s, asked at %s?%s", a.status, a.body, path.Load(), query.Load())
		}
		if r.Dialect != starling.CountTokens || r.Cost != 0 || r.Reference != 0 || r.Attempts[0].Usage.TotalInput() != 0 || r.Response.Provider != "claude" {
			t.Errorf("%+v", r)
		}
	}
	a := s.ask(countPath, body("up/m"), "anthropic-version", "2023-06-01")
	if a.status != 200 || !few(a.body) || a.header.Get("X-Starling-Estimate") != "true" || a.header.Get("X-Starling-Receipt") != "none" || a.header.Get("X-Starling-Model") != "m" {
		t.Errorf("%d %s %v", a.status, a.body, a.header)
	}
	if a := s.ask(countPath, body("old/m"), "anthropic-version", "2023-06-01"); a.status != 502 {
		t.Errorf("what is no count is none: %d %s", a.status, a.body)
	}
	a = s.ask(countPath, body("small/m"), "anthropic-version", "2023-06-01")
	if r := s.receipt(a); a.status != 200 || !few(a.body) || a.header.Get("X-Starling-Estimate") != "true" || r.Outcome != starling.Failed || r.Cost != 0 {
		t.Errorf("who does not count is counted for: %d %s", a.status, a.body)
	}
	a = s.ask(countPath, body("claude/m"), "anthropic-version", "2023-06-01", "X-Starling-Class", "confidential")
	if r := s.receipt(a); a.status != 402 || r.Kind != starling.Forbidden || len(r.Attempts) != 0 {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, bad := range []string{`{"model":"claude/m"}`, `{}`, body("nobody")} {
		if a := s.ask(countPath, bad, "anthropic-version", "2023-06-01"); a.status < 400 || gjson.Get(a.body, "type").Str != "error" {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
	}
}

func TestAnEstimateIsOursWhereNobodyHasATokeniser(t *testing.T) {
	s := newStand(t, standOptions{}, answering())
	a := s.ask(countPath, `{"model":"up/m","messages":[{"role":"user","content":"`+strings.Repeat("word ", 300)+`"}]}`, "anthropic-version", "2023-06-01")
	if n := gjson.Get(a.body, "input_tokens").Int(); n < 300 || n > 900 {
		t.Errorf("%d for 300 words", n)
	}
}

func TestClaudeCodesProbeIsAnswered(t *testing.T) {
	s := newStand(t, standOptions{}, answering())
	resp := must(s.client.Do(must(http.NewRequest(http.MethodHead, s.url+"/api/hello", nil))))
	_ = resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	if a := s.get("/api/hello"); a.status != 200 || !json.Valid([]byte(a.body)) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestWhatClaudeCodeSaysToALocalModelIsSaidOrNamedOnTheReceipt sends what Claude Code
// 2.1.330 sends, as far as other vendors have no word for it.
func TestWhatClaudeCodeSaysToALocalModelIsSaidOrNamedOnTheReceipt(t *testing.T) {
	sent := make(chan string, 1)
	header := make(chan http.Header, 1)
	s := newStand(t, standOptions{}, upstreamAt{name: "up", dialect: starling.OpenAI, zone: starling.Machine, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent <- string(body)
		header <- r.Header
		whole(wholeOpenAI)(w, r)
	})})
	a := s.ask(messagesPath+"?beta=true", `{"model":"up/m","max_tokens":100,
		"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.330"},{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],
		"thinking":{"type":"adaptive"},"output_config":{"effort":"high"},"context_management":{"edits":[]},
		"tools":[{"name":"run","input_schema":{"type":"object"},"defer_loading":true}],
		"messages":[{"role":"user","content":"go"},{"role":"assistant","content":"yes"},{"role":"system","content":"Time passes."},{"role":"user","content":"on"}]}`,
		"anthropic-version", "2023-06-01", "anthropic-beta", "context-management-2025-06-27,adaptive-thinking", "x-claude-code-session-id", "s1")
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	body, h := <-sent, <-header
	if roles := gjson.Get(body, "messages.#.role").Raw; roles != `["system","user","assistant","system","user"]` || gjson.Get(body, "messages.0.content").Str != "Be brief." || gjson.Get(body, "tools.0.function.name").Str != "run" {
		t.Error(body)
	}
	for _, word := range []string{"billing", "adaptive", "effort", "context_management", "defer_loading", "cache_control"} {
		if strings.Contains(body, word) {
			t.Errorf("%s went to a local model: %s", word, body)
		}
	}
	for name := range h {
		if strings.HasPrefix(name, "Anthropic") || strings.HasPrefix(name, "X-Claude") {
			t.Errorf("%s went to a local model", name)
		}
	}
	left := strings.Join(s.receipt(a).Attempts[0].Left, "\n")
	for _, word := range []string{"system: x-anthropic-billing-header", "thinking.type", "reasoning_effort", "context_management", "tools[].defer_loading", "cache_control", "header anthropic-beta", "query"} {
		if !strings.Contains(left, word) {
			t.Errorf("nothing is said of %s: %q", word, left)
		}
	}
}
