package serve_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/ledger"
	"starling/internal/serve"
	"starling/internal/sim"
)

func responses(model string, stream bool, fields ...string) string {
	return fmt.Sprintf(`{"model":%q,"stream":%t,"max_output_tokens":100,%s}`, model, stream, strings.Join(append(fields, `"input":"hello"`), ","))
}

// upstreams of each dialect that calls may be translated to
func simulating(d starling.Dialect) upstreamAt {
	m := sim.Model{Name: "m", Dialect: d, Reasoning: 5, Words: 12, MaxOutput: 4096}
	return upstreamAt{name: "up", dialect: d, handler: sim.New(sim.Options{Models: []sim.Model{m}})}
}

func TestAResponseIsAnsweredByAnUpstreamOfAnyDialect(t *testing.T) {
	for _, d := range []starling.Dialect{starling.OpenAI, starling.Anthropic, starling.Responses} {
		for _, stream := range []bool{true, false} {
			t.Run(fmt.Sprint(d, stream), func(t *testing.T) {
				s := newStand(t, standOptions{}, simulating(d))
				a := s.ask(responsesPath, responses("up/m", stream))
				if a.status != http.StatusOK {
					t.Fatalf("status %d: %s", a.status, a.body)
				}
				wantHeaders(t, a)
				end := gjson.Parse(a.body)
				if stream {
					all := datas(a.body)
					end = gjson.Get(all[len(all)-1], "response")
				}
				r := s.receipt(a)
				if end.Get("status").Str != "completed" || !strings.Contains(end.Get("output.0.content.0.text").Str, "[simulated]") || !end.Get("store").Bool() && d != starling.Responses {
					t.Errorf("%s", a.body)
				}
				booked := r.Attempts[0].Usage
				if u := end.Get("usage"); u.Get("output_tokens").Int() != booked.Output || u.Get("input_tokens").Int() != booked.TotalInput() || booked.Output == 0 || r.Dialect != starling.Responses {
					t.Errorf("told %s, booked %+v", u, booked)
				}
			})
		}
	}
}

// TestAnAgentsLoopGoesRound: the call that the model made goes back with its result,
// under the ids and with the reasoning that were told, to a model of any dialect.
func TestAnAgentsLoopGoesRound(t *testing.T) {
	const tools = `"reasoning":{"effort":"low"},"tools":[{"type":"function","name":"run","strict":false,"parameters":{"type":"object","properties":{"cmd":{"type":"string"}},"required":["cmd"]}},{"type":"web_search","external_web_access":false}]`
	for _, first := range []starling.Dialect{starling.OpenAI, starling.Anthropic} {
		for _, second := range []starling.Dialect{starling.OpenAI, starling.Anthropic, starling.Responses} {
			t.Run(string(first)+" then "+string(second), func(t *testing.T) {
				up := simulating(first)
				other := simulating(second)
				other.name = "other"
				s := newStand(t, standOptions{}, up, other)
				a := s.ask(responsesPath, responses("up/m", false, tools))
				output := gjson.Get(a.body, "output")
				called := output.Get(`#(type=="function_call")`)
				if called.Get("name").Str != "run" || called.Get("call_id").Str == "" {
					t.Fatalf("status %d: %s", a.status, a.body)
				}
				if output.Get(`#(type=="reasoning").encrypted_content`).Str == "" {
					t.Errorf("no reasoning in %s", a.body)
				}
				items := strings.TrimSuffix(strings.TrimPrefix(output.Raw, "["), "]")
				a = s.ask(responsesPath, fmt.Sprintf(`{"model":"other/m",%s,"input":[{"role":"user","content":"hello"},%s,{"type":"function_call_output","call_id":%q,"output":"done"}]}`, tools, items, called.Get("call_id").Str))
				if !strings.Contains(a.body, "The tool answered: done") {
					t.Errorf("status %d: %s", a.status, a.body)
				}
			})
		}
	}
}

// TestAnAnswerIsKeptForWhoeverMayReferToIt: by its id, or by that of an item, and
// for the same key only.
func TestAnAnswerIsKeptForWhoeverMayReferToIt(t *testing.T) {
	const tools = `"tools":[{"type":"function","name":"run","strict":false,"parameters":{"type":"object"}}]`
	for _, d := range []starling.Dialect{starling.OpenAI, starling.Anthropic, starling.Responses} {
		for _, stream := range []bool{true, false} {
			t.Run(fmt.Sprint(d, stream), func(t *testing.T) {
				s := newStand(t, standOptions{keyed: true}, simulating(starling.OpenAI), func() upstreamAt { up := simulating(d); up.name = "other"; return up }())
				a := s.ask(responsesPath, responses("up/m", stream, tools))
				first := gjson.Parse(a.body)
				if stream {
					all := datas(a.body)
					first = gjson.Get(all[len(all)-1], "response")
				}
				id, item, call := first.Get("id").Str, first.Get("output.0.id").Str, first.Get("output.0.call_id").Str
				result := fmt.Sprintf(`{"type":"function_call_output","call_id":%q,"output":"done"}`, call)
				for name, body := range map[string]string{
					"by the answer": fmt.Sprintf(`{"model":"other/m",%s,"previous_response_id":%q,"input":[%s]}`, tools, id, result),
					"by the item":   fmt.Sprintf(`{"model":"other/m",%s,"input":[{"role":"user","content":"hello"},{"type":"item_reference","id":%q},%s]}`, tools, item, result),
				} {
					if a := s.ask(responsesPath, body); a.status != 200 || !strings.Contains(a.body, "The tool answered: done") {
						t.Errorf("%s: status %d: %s", name, a.status, a.body)
					}
				}
				if a := s.get(responsesPath + "/" + id); a.status != 200 || a.body != first.Raw+"\n" || !first.Get("store").Bool() {
					t.Errorf("status %d: %s\nwant %s", a.status, a.body, first.Raw)
				}
				if a := s.get(responsesPath + "/" + id + "/input_items"); a.status != 200 || gjson.Get(a.body, "data.0.content").Str != "hello" {
					t.Errorf("status %d: %s", a.status, a.body)
				}
				mine := s.key
				s.key, _ = s.newKey(ledger.KeySpec{Name: "another"})
				again := fmt.Sprintf(`{"model":"other/m","previous_response_id":%q,"input":"and?"}`, id)
				if a := s.ask(responsesPath, again); a.status != 400 || gjson.Get(a.body, "error.code").Str != "previous_response_not_found" {
					t.Errorf("another key: status %d: %s", a.status, a.body)
				}
				if a := s.get(responsesPath + "/" + id); a.status != 404 {
					t.Errorf("another key: status %d: %s", a.status, a.body)
				}
				s.key = mine
				if a := s.do(must(http.NewRequest(http.MethodDelete, s.url+responsesPath+"/"+id, nil))); a.status != 200 || !gjson.Get(a.body, "deleted").Bool() {
					t.Errorf("status %d: %s", a.status, a.body)
				}
				if a := s.ask(responsesPath, again); a.status != 400 {
					t.Errorf("forgotten: status %d: %s", a.status, a.body)
				}
			})
		}
	}
}

func TestNothingIsKeptForWhoWantsNoneKept(t *testing.T) {
	for name, o := range map[string]serve.Options{"the caller says so": {}, "the configuration says so": {Stateless: true}, "its time is over": {Recall: time.Nanosecond}} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, standOptions{serve: o}, simulating(starling.OpenAI))
			fields := `"metadata":{}`
			if name == "the caller says so" {
				fields = `"store":false`
			}
			a := s.ask(responsesPath, responses("up/m", false, fields))
			if stored := gjson.Get(a.body, "store").Bool(); a.status != 200 || stored != (o.Recall > 0) {
				t.Errorf("status %d: %s", a.status, a.body)
			}
			id := gjson.Get(a.body, "id").Str
			if a := s.get(responsesPath + "/" + id); a.status != 404 {
				t.Errorf("status %d: %s", a.status, a.body)
			}
			if a := s.ask(responsesPath, responses("up/m", false, fmt.Sprintf(`"previous_response_id":%q`, id))); a.status != 400 || !strings.Contains(a.body, "send the whole input") {
				t.Errorf("status %d: %s", a.status, a.body)
			}
		})
	}
}

func TestWhatTheVendorWouldKeepIsRefusedWithWhatToDo(t *testing.T) {
	s := newStand(t, standOptions{serve: serve.Options{Stateless: true}}, simulating(starling.OpenAI))
	for _, c := range []struct{ name, fields, field, code string }{
		{"an answer before", `"previous_response_id":"resp_1"`, "previous_response_id", "previous_response_not_found"},
		{"a conversation", `"conversation":"conv_1"`, "conversation", "invalid"},
		{"an answer in the background", `"background":true`, "background", "invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, stream := range []bool{true, false} {
				a := s.ask(responsesPath, responses("up/m", stream, c.fields))
				e := gjson.Get(a.body, "error")
				if a.status != 400 || e.Get("param").Str != c.field || e.Get("code").Str != c.code || !strings.Contains(e.Get("message").Str, "(") {
					t.Errorf("status %d: %s", a.status, a.body)
				}
				if r := s.receipt(a); r.Kind != starling.Invalid || r.Cost != 0 {
					t.Errorf("receipt %+v", r)
				}
			}
		})
	}
	if a := s.ask(responsesPath, responses("up/m", false, `"store":true`)); a.status != 200 || gjson.Get(a.body, "store").Bool() {
		t.Errorf("who wants it kept: status %d: %s", a.status, a.body)
	}
}

func TestRefusalsOfResponsesAreShownByTheAgentAfterOneRequest(t *testing.T) {
	var calls atomic.Int32
	s := newStand(t, standOptions{
		budgets: []ledger.Budget{{Scope: ledger.ForAll, Limit: 1, Per: ledger.InTotal}},
		skills:  testSkill("candidates: [up/m]\n"),
	}, openAIUp(func(w http.ResponseWriter, r *http.Request) { calls.Add(1) }))
	for _, stream := range []bool{true, false} {
		a := s.ask(responsesPath, responses("up/m", stream))
		wantEnvelope(t, responsesPath, a.body)
		if a.status != 400 || !strings.Contains(a.body, "raise the cap") || s.receipt(a).Kind != starling.OverBudget {
			t.Errorf("status %d: %s", a.status, a.body)
		}
		if a.header.Get("X-Should-Retry") != "false" {
			t.Errorf("it may be tried again: %v", a.header)
		}
		a = s.ask(responsesPath, responses("up/m", stream), "X-Starling-Class", "restricted")
		s.wantRefusal(t, responsesPath, a, starling.Forbidden, "zone cloud")
		s.wantRefusal(t, responsesPath, s.ask(responsesPath, responses("up/mm", stream)), starling.NotFound)
		s.wantRefusal(t, responsesPath, s.ask(responsesPath, `{"model":"up/m","input":7}`), starling.Invalid, "input")
	}
	if calls.Load() != 0 {
		t.Errorf("the upstream was asked %d times", calls.Load())
	}
}

func TestAToolThatTheVendorRunsIsNoExpenseWhereItIsLeftOut(t *testing.T) {
	budget := []ledger.Budget{{Scope: ledger.ForAll, Limit: starling.Dollar, Per: ledger.InTotal}}
	const search = `"tools":[{"type":"web_search"}]`
	for d, status := range map[starling.Dialect]int{starling.OpenAI: 200, starling.Anthropic: 200, starling.Responses: 400} {
		s := newStand(t, standOptions{budgets: budget}, simulating(d))
		a := s.ask(responsesPath, responses("up/m", false, search))
		if a.status != status {
			t.Errorf("%s: status %d, want %d: %s", d, a.status, status, a.body)
		}
		if status != 200 {
			continue
		}
		if r := s.receipt(a); len(r.Attempts) != 1 || !strings.Contains(fmt.Sprint(r.Attempts[0].Left), "tools[].web_search") {
			t.Errorf("%s: it is not said: %+v", d, r.Attempts)
		}
	}
}

func TestATokenCountOfResponsesSaysThatItIsAnEstimate(t *testing.T) {
	s := newStand(t, standOptions{}, simulating(starling.OpenAI))
	a := s.ask(responsesPath+"/input_tokens", `{"model":"up/m","input":"`+strings.Repeat("word ", 100)+`"}`)
	if n := gjson.Get(a.body, "input_tokens").Int(); a.status != 200 || gjson.Get(a.body, "object").Str != "response.input_tokens" || n < 100 || n > 500 {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	wantHeaders(t, a)
	if !strings.Contains(a.header.Get("X-Starling-Reason"), "estimate") {
		t.Errorf("it is told as a count: %v", a.header)
	}
	a = s.ask(responsesPath+"/input_tokens", `{"model":"up/m","input":7}`)
	if a.status != 400 {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	wantEnvelope(t, responsesPath, a.body)
}

func TestOnlyWhatBelongsToAResponseTravels(t *testing.T) {
	var got http.Header
	s := newStand(t, standOptions{serve: serve.Options{}}, upstreamAt{name: "up", dialect: starling.Responses, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		got = r.Header.Clone()
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"resp_1","object":"response","status":"completed","model":"m","output":[],"usage":{"input_tokens":1,"output_tokens":1}}`)
	})})
	a := s.ask(responsesPath, responses("up/m", false), "Session-Id", "s-1", "Thread-Id", "t-1", "OpenAI-Beta", "x=1", "X-Codex-Turn-Metadata", `{"workspaces":{}}`, "Originator", "codex_exec", "Cookie", "c", "Openai-Organization", "org")
	if a.status != 200 || got.Get("Session-Id") != "s-1" || got.Get("Thread-Id") != "t-1" || got.Get("Openai-Beta") != "x=1" {
		t.Errorf("status %d: %v", a.status, got)
	}
	for _, name := range []string{"X-Codex-Turn-Metadata", "Originator", "Cookie", "Openai-Organization"} {
		if got.Get(name) != "" {
			t.Errorf("%s travelled", name)
		}
	}
}
