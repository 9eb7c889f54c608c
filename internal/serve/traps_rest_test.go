package serve_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/ledger"
	"starling/internal/wire"
)

func trapTheBodyGoesUpstreamByteForByteButForTheModel(t *testing.T) {
	var seen atomic.Value
	s := newStand(t, standOptions{}, openAIUp(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen.Store(string(body))
		whole(`{"id":"c1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"<&>"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2},"x":9007199254740993}`)(w, r)
	}))
	sent := "{ \"seed\" : 9007199254740993,\n\t\"messages\":[{\"role\":\"user\",\"content\":\"a<b>&\\u00e9 \\/\"}], \"unknown\":{\"z\":1.50,\"a\":[]},\"model\" : \"up/m\",\"prompt_cache_key\":\"k\" }"
	a := s.ask(chatPath, sent)
	if want := strings.Replace(sent, "up/m", "m", 1); seen.Load() != want {
		t.Errorf("upstream got\n%s\nwant\n%s", seen.Load(), want)
	}
	if !strings.Contains(a.body, `"content":"<&>"`) || !strings.Contains(a.body, "9007199254740993") {
		t.Errorf("the answer was changed: %s", a.body)
	}
}

func trapCacheMarksAndVendorHeadersReachTheUpstream(t *testing.T) {
	var seen atomic.Value
	var header atomic.Value
	s := newStand(t, standOptions{}, anthropicUp(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen.Store(string(body))
		header.Store(r.Header.Clone())
		events(antStart, antText, antEnd)(w, r)
	}))
	sent := `{"model":"up/m","max_tokens":10,"stream":true,"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}],"messages":[{"role":"user","content":"x"}],"context_management":{"edits":[]}}`
	s.ask(messagesPath+"?beta=true", sent, "anthropic-beta", "one-2026,two-2026", "anthropic-version", "2023-06-01", "x-api-key", "the-callers-own")
	if want := strings.Replace(sent, "up/m", "m", 1); seen.Load() != want {
		t.Errorf("upstream got\n%s\nwant\n%s", seen.Load(), want)
	}
	h := header.Load().(http.Header)
	if h.Get("Anthropic-Beta") != "one-2026,two-2026" || h.Get("X-Api-Key") == "the-callers-own" {
		t.Errorf("headers %v", h)
	}
}

func trapThinkingSignaturesStayWithTheirModel(t *testing.T) {
	var seen atomic.Value
	s := newStand(t, standOptions{}, openAIUp(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen.Store(string(body))
		events(oai(oaiRole), oai(oaiText), oai(oaiStop), oai(oaiUsage), oai(oaiDone))(w, r)
	}))
	a := s.ask(messagesPath, `{"model":"up/m","max_tokens":10,"stream":true,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"SIGNED"},{"type":"text","text":"y"}]},{"role":"user","content":"z"}]}`)
	if strings.Contains(fmt.Sprint(seen.Load()), "SIGNED") {
		t.Errorf("the signature went to another model: %s", seen.Load())
	}
	if r := s.receipt(a); len(r.Attempts[0].Left) == 0 {
		t.Errorf("nothing on the receipt says that the signature was left out")
	}
}

func trapADollarHoldsUnderAThousandParallelRequests(t *testing.T) {
	var billed atomic.Int64
	h := func(w http.ResponseWriter, r *http.Request) {
		billed.Add((20 + 20) * 50_000)
		whole(`{"id":"c1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":20,"total_tokens":40}}`)(w, r)
	}
	up := openAIUp(h)
	up.price = starling.Price{Rates: starling.Rates{Input: 50e9, Output: 50e9}, Source: "test"} // $0.002 an answer: $2 for all
	const limit = starling.Dollar
	s := newStand(t, standOptions{budgets: []ledger.Budget{{Scope: ledger.ForAll, Limit: limit, Per: ledger.InTotal}}}, up)
	var answered, refused atomic.Int32
	var group sync.WaitGroup
	for range 1000 {
		group.Go(func() {
			resp, err := s.client.Post(s.url+chatPath, "application/json", strings.NewReader(chat("up/m", false)))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			switch {
			case resp.StatusCode == http.StatusOK:
				answered.Add(1)
			case resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("x-should-retry") == "false" && bytes.Contains(body, []byte("budget")):
				refused.Add(1)
			default:
				t.Errorf("status %d: %s", resp.StatusCode, body)
			}
		})
	}
	group.Wait()
	if spent := starling.Money(billed.Load()); spent > limit || answered.Load() == 0 || refused.Load() == 0 {
		t.Errorf("the upstream billed %s of %s; %d answered, %d refused", spent, limit, answered.Load(), refused.Load())
	}
}

func trapAPrivateRequestNeverFallsBackToTheCloud(t *testing.T) {
	var cloud atomic.Int32
	far := upstreamAt{name: "far", dialect: starling.OpenAI, zone: starling.Cloud, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { cloud.Add(1); whole("{}")(w, r) })}
	for name, h := range map[string]http.HandlerFunc{
		"down":  func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
		"busy":  func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"empty": whole(`{"id":"c1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":0,"total_tokens":1}}`),
	} {
		t.Run(name, func(t *testing.T) {
			near := upstreamAt{name: "near", dialect: starling.OpenAI, zone: starling.Machine, handler: h}
			s := newStand(t, standOptions{skills: testSkill("candidates: [near/m, far/m]\nverify:\n  - kind: label\n    values: [a, b]\n")}, near, far)
			a := s.ask(chatPath, chat("starling/test", false), "X-Starling-Class", "restricted")
			if a.status < 400 || cloud.Load() != 0 {
				t.Errorf("status %d after %d calls to the cloud: %s", a.status, cloud.Load(), a.body)
			}
			if r := s.receipt(a); len(r.Plan.Left) != 1 || r.Plan.Left[0].Kind != starling.Forbidden {
				t.Errorf("the receipt does not say that the cloud was left out: %+v", r.Plan.Left)
			}
		})
	}
}

func trapRetryAfterReachesTheClient(t *testing.T) {
	s := newStand(t, standOptions{}, openAIUp(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"error":{"message":"slow down","type":"rate_limit_error","param":null,"code":null}}`)
	}))
	a := s.ask(chatPath, chat("up/m", false))
	if a.status != 429 || a.header.Get("Retry-After") != "30" || !strings.Contains(a.body, "slow down") {
		t.Errorf("status %d, Retry-After %q, body %s", a.status, a.header.Get("Retry-After"), a.body)
	}
}

func trapAnErrorIsInTheEnvelopeOfTheCallersDialect(t *testing.T) {
	s := newStand(t, standOptions{}, openAIUp(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"message":"bad field","type":"invalid_request_error","param":"x","code":null}}`)
	}))
	a := s.ask(messagesPath, messages("up/m", false))
	if a.status != 400 || gjson.Get(a.body, "type").String() != "error" || gjson.Get(a.body, "error.type").String() != "invalid_request_error" || !strings.Contains(a.body, "bad field") {
		t.Errorf("status %d: %s", a.status, a.body)
	}
}

// trapInItsOwnDialectNothingIsRewritten: neither the question, but for the model's
// name, nor the answer.
func trapInItsOwnDialectNothingIsRewritten(t *testing.T) {
	th := newTheatre(t, standOptions{})
	eachDuo(t, func(t *testing.T, p duo) {
		if !p.same() {
			return
		}
		var sent string
		name := `"m-` + string(p.upstream) + `"`
		sc := th.playAs(p, performing(t, p, talk), func(body string) string {
			sent = "{ \"zz_unknown\" :\t{\"z\":1.50,\"a\":[ ],\"t\":\"<&>\\u00e9\\/\"},\n\"zz_seed\":9007199254740993," + body[1:] + "\n"
			return strings.Replace(sent, name, `"`+string(p.upstream)+`\/m-`+string(p.upstream)+`"`, 1)
		})
		if sc.seen != sent {
			t.Errorf("the upstream got\n%s\nwant\n%s", sc.seen, sent)
		}
		if told := strings.Join(talk.told(t, p.upstream, p.stream), ""); sc.body != told {
			t.Errorf("the caller got\n%s\nwant\n%s", sc.body, told)
		}
	})
}

func trapNoSignatureReachesAnotherDialect(t *testing.T) {
	th := newTheatre(t, standOptions{})
	history := `"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"SIGNED"},{"type":"redacted_thinking","data":"SEALED"},{"type":"text","text":"y"}]},`
	eachDuo(t, func(t *testing.T, p duo) {
		if p.caller != starling.Anthropic {
			return
		}
		sc := th.playAs(p, performing(t, p, talk), func(body string) string { return strings.Replace(body, `"messages":[`, history, 1) })
		travelled := strings.Contains(sc.seen, "SIGNED") || strings.Contains(sc.seen, "SEALED")
		if told := len(sc.receipt.Attempts[0].Left) > 0; sc.status != 200 || travelled != p.same() || told == p.same() {
			t.Errorf("status %d, left out %q, asked %s", sc.status, sc.receipt.Attempts[0].Left, sc.seen)
		}
	})
}

// trapEqualQuestionsOfTwoTenantsBothReachTheUpstream: no answer is kept, so none
// can be somebody else's.
func trapEqualQuestionsOfTwoTenantsBothReachTheUpstream(t *testing.T) {
	th := newTheatre(t, standOptions{})
	one, _ := th.newKey(ledger.KeySpec{Name: "one", Team: "red"})
	two, _ := th.newKey(ledger.KeySpec{Name: "two", Team: "blue"})
	eachDuo(t, func(t *testing.T, p duo) {
		var count atomic.Int32
		n, text := th.stage(func(w http.ResponseWriter, r *http.Request) {
			own := talk.longer(fmt.Sprintf("for number %d", count.Add(1)))
			performing(t, p, own)(w, r)
		})
		model := "m-" + string(p.upstream)
		body := sceneBody(p.caller, model, p.stream, text)
		for i, key := range []string{one, two, one} {
			a := th.ask(scenePath(p.caller, model, p.stream), body, "Authorization", "Bearer "+key)
			if !strings.Contains(a.body, fmt.Sprintf("for number %d", i+1)) {
				t.Errorf("question %d was answered with %s", i+1, a.body)
			}
		}
		if asked := th.calls(n); asked != 3 {
			t.Errorf("the upstream was asked %d times for 3 questions", asked)
		}
	})
}

func trapAPriceIsPerMillion(t *testing.T) {
	th := newTheatre(t, standOptions{})
	eachDuo(t, func(t *testing.T, p duo) {
		sc := th.play(p, performing(t, p, talk))
		if got := sc.header.Get("X-Starling-Cost"); got != "$0.0002" || sc.receipt.Cost != starling.Dollar/5000 {
			t.Errorf("100 tokens at $1 a million and 20 at $5 cost %s, receipt %s", got, sc.receipt.Cost)
		}
	})
}

func trapWhoeverHangsUpOnAQuestionIsAskedOnce(t *testing.T) {
	th := newTheatre(t, standOptions{})
	eachDuo(t, func(t *testing.T, p duo) {
		sc := th.play(p, func(_ http.ResponseWriter, r *http.Request) { hangsUp(r) })
		if _, err := understand(p.caller, false, sc.body); sc.asked != 1 || sc.status < 500 || err == nil || sc.receipt.Cost <= 0 || len(sc.receipt.Attempts) != 1 {
			t.Errorf("asked %d times, status %d, cost %s: %s", sc.asked, sc.status, sc.receipt.Cost, sc.body)
		}
	})
}

// trapMemoryStaysWhereItIs sends 100 MB through a gateway in every way, and looks
// at what is left of it.
func trapMemoryStaysWhereItIs(t *testing.T) {
	large(t)
	th := newTheatre(t, standOptions{})
	long := talk.longer(strings.Repeat("a b ", 1<<18))
	deeds := map[duo]http.HandlerFunc{} // each told once: the test is not to keep what the gateway lets go
	for _, p := range everyDuo() {
		deeds[p] = performing(t, p, long)
	}
	round := func(n int) {
		for range n {
			for p, do := range deeds {
				th.play(p, do)
			}
		}
	}
	used := func() uint64 {
		th.client.CloseIdleConnections()
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	round(1)
	before := used()
	rounds := 100/len(everyDuo()) + 1
	round(rounds)
	if after := used(); after > before+8<<20 {
		t.Errorf("%d answers of 1 MB took %d bytes for good", rounds*len(everyDuo()), after-before)
	}
}

// trapWhateverIsPrivateStaysNear: for every caller and every near upstream, however
// that fails.
func trapWhateverIsPrivateStaysNear(t *testing.T) {
	for _, near := range upstreamDialects() {
		var cloud atomic.Int32
		var deed atomic.Pointer[http.HandlerFunc]
		s := newStand(t, standOptions{trip: 1 << 20, skills: testSkill("candidates: [near/m, far/m]\nverify:\n  - kind: label\n    values: [a, b]\n")},
			upstreamAt{name: "near", dialect: near, zone: starling.Machine, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*deed.Load())(w, r) })},
			upstreamAt{name: "far", dialect: starling.OpenAI, zone: starling.Cloud, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { cloud.Add(1); whole(wholeOpenAI)(w, r) })})
		for _, c := range callerDialects() {
			for _, stream := range []bool{true, false} {
				p := duo{c, near, stream}
				empty := story{"nothing", []beat{finale(starling.Stopped)}}
				for what, do := range map[string]http.HandlerFunc{
					"down": func(_ http.ResponseWriter, r *http.Request) { hangsUp(r) }, "busy": says(http.StatusServiceUnavailable, "Retry-After", "3600"), "empty": performing(t, p, empty),
				} {
					deed.Store(&do)
					a := s.ask(scenePath(c, "starling/test", stream), sceneBody(c, "starling/test", stream, "hello"), "X-Starling-Class", "restricted")
					if r := s.receipt(a); a.status < 400 || cloud.Load() != 0 || len(r.Plan.Left) != 1 || r.Plan.Left[0].Kind != starling.Forbidden {
						t.Errorf("%s, %s: status %d after %d calls to the cloud, left out %+v: %s", p, what, a.status, cloud.Load(), r.Plan.Left, a.body)
					}
				}
			}
		}
	}
}

// trapAConversationWithToolsReachesEveryUpstream: tools, a call and its result.
func trapAConversationWithToolsReachesEveryUpstream(t *testing.T) {
	th := newTheatre(t, standOptions{})
	const schema = `{"type":"object","properties":{"city":{"type":"string","description":"<&> of"}},"required":["city"]}`
	eachDuo(t, func(t *testing.T, p duo) {
		if !p.canCall() {
			return
		}
		_, text := th.stage(performing(t, p, plot))
		model := "m-" + string(p.upstream)
		asked := must(wire.Parse(starling.OpenAI, fmt.Appendf(nil, `{"model":"x","stream":%t,"max_tokens":100,"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":%s}}],"messages":[{"role":"user","content":%q},
			{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Zürich\"}"}}]},{"role":"tool","tool_call_id":"call_1","content":"rain <&>"},{"role":"user","content":"And tomorrow?"}]}`, p.stream, schema, text)))
		body := must(wire.Outgoing(&asked, p.caller, starling.Model{Name: model}, func(string) {}))
		a := th.ask(scenePath(p.caller, model, p.stream), string(body))
		if a.status != 200 {
			t.Fatalf("status %d: %s", a.status, a.body)
		}
		n := numbered.FindStringSubmatch(text)[1]
		th.mu.Lock()
		defer th.mu.Unlock()
		for number, seen := range th.bodies {
			if fmt.Sprint(number) == n {
				wantTools(t, p.upstream, seen, schema)
			}
		}
	})
}

func wantTools(t *testing.T, d starling.Dialect, seen, schema string) {
	r := starling.Request{Dialect: d, Body: []byte(seen)}
	c, err := wire.View(&r)
	if err != nil {
		t.Fatalf("%v: %s", err, seen)
	}
	call, result := "", ""
	for _, m := range c.Messages {
		for _, part := range m.Parts {
			switch part.Kind {
			case starling.CallPart:
				call = part.Call.Name + part.Call.Arguments
			case starling.ResultPart:
				result = part.Result.Parts[0].Text
			}
		}
	}
	var got, want any
	if len(c.Tools) == 1 {
		_ = json.Unmarshal(c.Tools[0].Schema, &got)
	}
	_ = json.Unmarshal([]byte(schema), &want)
	if call != `weather{"city":"Zürich"}` || !strings.Contains(result, "rain <&>") || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("call %s, result %q, schema %v in\n%s", call, result, got, seen)
	}
}

func trapEveryUpstreamsRefusalIsUnderstood(t *testing.T) {
	th := newTheatre(t, standOptions{})
	eachDuo(t, func(t *testing.T, p duo) {
		status, _, body := wire.ErrorReply(p.upstream, &starling.Error{Kind: starling.Invalid, Op: "bad field"}, "req_1", "")
		sc := th.play(p, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write(body)
		})
		_, err := understand(p.caller, false, sc.body)
		if status != 400 || sc.status != 400 || err == nil || !strings.Contains(sc.body, "bad field") || sc.receipt.Cost != 0 {
			t.Errorf("status %d, cost %s, %v: %s", sc.status, sc.receipt.Cost, err, sc.body)
		}
	})
}
