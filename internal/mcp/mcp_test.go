package mcp_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/ledger"
	"starling/internal/mcp"
	"starling/internal/serve"
)

type answered struct {
	Answer    string  `json:"answer"`
	Model     string  `json:"model"`
	Zone      string  `json:"zone"`
	Reason    string  `json:"reason"`
	Finish    string  `json:"finish"`
	Cost      float64 `json:"cost_usd"`
	Estimate  bool    `json:"saved_is_estimate"`
	Receipt   string  `json:"receipt"`
	Simulated bool    `json:"simulated"`
}

// TestAnAgentDoesEverythingInBothWays: with keys and without, each tool and each resource,
// and what they say agrees with the books.
func TestAnAgentDoesEverythingInBothWays(t *testing.T) {
	for _, way := range ways {
		for _, keyed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, keys %t", way.name, keyed), func(t *testing.T) {
				s := newStand(t, serve.Options{}, says)
				key := ""
				if keyed {
					key = s.key("birds")
				}
				session := way.open(t, s, bearer(key), nil)
				s.everything(t, session)
			})
		}
	}
}

func (s *stand) everything(t *testing.T, session *sdk.ClientSession) {
	plan := call[map[string]any](t, session, "estimate", arguments{"task": "Say hello.", "skill": "greet", "budget": 1})
	if c := plan["candidates"].([]any); len(c) != 1 || c[0].(map[string]any)["model"] != "up/m" || plan["limit_usd"] != 1.0 || plan["skill"] != "greet" {
		t.Errorf("estimate: %v", plan)
	}
	a := call[answered](t, session, "ask", arguments{"task": "Say hello.", "skill": "greet", "class": "public", "budget": 0.01, "max_tokens": 100})
	if a.Answer != "Hello" || a.Model != "up/m" || a.Zone != "cloud" || a.Finish != "stop" || a.Cost != 0.0002 || !a.Estimate || a.Reason == "" {
		t.Errorf("ask: %+v", a)
	}
	r := must(must(s.ledger.Receipt(t.Context(), a.Receipt)).Receipt())
	if r.Plan.Skill != "greet" || r.Screen.Class != "public" || r.Plan.Limit != starling.Dollar/100 || r.Cost != 200_000 {
		t.Errorf("the receipt says skill %q, class %q, limit %s, cost %s", r.Plan.Skill, r.Screen.Class, r.Plan.Limit, r.Cost)
	}
	why := call[map[string]any](t, session, "explain", arguments{"receipt": a.Receipt})
	if why["outcome"] != "answered" || why["model"] != "up/m" || len(why["attempts"].([]any)) != 1 || why["cost_usd"] != a.Cost {
		t.Errorf("explain: %v", why)
	}
	sums := call[map[string]any](t, session, "savings", arguments{"by": "skill", "since": "1h"})
	if line := sums["lines"].([]any)[0].(map[string]any); line["name"] != "greet" || line["requests"] != 1.0 || line["cost_usd"] != a.Cost || sums["saved_is_estimate"] != true {
		t.Errorf("savings: %v", sums)
	}
	list := call[map[string]any](t, session, "models", nil)
	if list["skills"].([]any)[0].(map[string]any)["name"] != "greet" || list["models"].([]any)[0].(map[string]any)["id"] != "up/m" {
		t.Errorf("models: %v", list)
	}
	grade := call[map[string]any](t, session, "feedback", arguments{"receipt": a.Receipt, "rating": "up"})
	if grade["skill"] != "greet" || grade["grade"] != 1.0 || grade["correction_kept"] != false {
		t.Errorf("feedback: %v", grade)
	}
	s.reads(t, session, a.Receipt)
}

// reads reads the resources.
func (s *stand) reads(t *testing.T, session *sdk.ClientSession, receipt string) {
	read := func(uri string) []*sdk.ResourceContents {
		t.Helper()
		got, err := session.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: uri})
		if err != nil {
			t.Fatalf("%s: %v", uri, err)
		}
		if got.CacheScope != "private" {
			t.Errorf("%s may be kept for others: its scope is %q", uri, got.CacheScope)
		}
		return got.Contents
	}
	var sealed ledger.Sealed
	if err := json.Unmarshal([]byte(read("starling://receipts/" + receipt)[0].Text), &sealed); err != nil || sealed.Check() != nil || sealed.ID != receipt {
		t.Errorf("the receipt that was read proves nothing: %v, %v", err, sealed.Check())
	}
	if got := gjson.Get(read("starling://skills")[0].Text, "data.0.name").Str; got != "greet" {
		t.Errorf("the first skill is %q", got)
	}
	greet := read("starling://skills/greet")
	if len(greet) != 3 || greet[0].Text != string(skills["greet/SKILL.md"].Data) || greet[1].Text != string(skills["greet/rubric.yaml"].Data) || gjson.Get(greet[2].Text, "name").Str != "greet" {
		t.Errorf("the skill that was read: %+v", greet)
	}
	for _, uri := range []string{"starling://skills/none", "starling://receipts/rcp_none", "starling://receipts/..%2fmodels"} {
		if _, err := session.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: uri}); err == nil {
			t.Errorf("%s was read", uri)
		}
	}
}

// TestASkillsPromptIsTheSystemMessage, and documents are parts of their own.
func TestASkillsPromptIsTheSystemMessage(t *testing.T) {
	asked := make(chan string, 1)
	s := newStand(t, serve.Options{}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- string(body)
		says(w, r)
	})
	session := overHTTP(t, s, nil, nil)
	for _, c := range []struct {
		name string
		args arguments
		at   map[string]string
	}{
		{"the skill's", arguments{"task": "Hi", "skill": "greet"}, map[string]string{"messages.0.content": "Greet whoever comes.", "messages.1.content": "Hi"}},
		{"its own", arguments{"task": "Hi", "skill": "greet", "system": "Be rude."}, map[string]string{"messages.0.content": "Be rude.", "messages.#": "2"}},
		{"not even the skill's", arguments{"task": "Hi", "skill": "greet", "system": ""}, map[string]string{"messages.0.content": "Hi", "messages.#": "1"}},
		{"none", arguments{"task": "Hi", "model": "up/m", "max_tokens": 7}, map[string]string{"messages.0.content": "Hi", "messages.#": "1", "max_tokens": "7"}},
		{"documents", arguments{"task": "Hi", "model": "up/m", "documents": []arguments{{"name": `a "b".txt`, "text": "one"}, {"name": "c", "text": "two"}}}, map[string]string{
			"messages.0.content.0.text": "<document name=\"a &#34;b&#34;.txt\">\none\n</document>", "messages.0.content.1.text": "<document name=\"c\">\ntwo\n</document>", "messages.0.content.2.text": "Hi",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			call[answered](t, session, "ask", c.args)
			body := <-asked
			for path, want := range c.at {
				if got := gjson.Get(body, path).String(); got != want {
					t.Errorf("%s is %q, want %q", path, got, want)
				}
			}
		})
	}
}

// TestTheListOfToolsIsSmall: every client sends it to its model with every request.
func TestTheListOfToolsIsSmall(t *testing.T) {
	session := overHTTP(t, newStand(t, serve.Options{}, says), nil, nil)
	list, err := session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	size := len(must(json.Marshal(list)))
	t.Logf("%d bytes for %d tools", size, len(list.Tools))
	if size > 6<<10 || len(list.Tools) != 6 {
		t.Errorf("%d bytes for %d tools", size, len(list.Tools))
	}
}

// TestWhatAToolReturnsHasTheShapeThatItStates, and its hints say what it does.
func TestWhatAToolReturnsHasTheShapeThatItStates(t *testing.T) {
	s := newStand(t, serve.Options{}, says)
	session := overHTTP(t, s, nil, nil)
	receipt := call[answered](t, session, "ask", arguments{"task": "Hi", "skill": "greet"}).Receipt
	args := map[string]arguments{
		"ask": {"task": "Hi", "skill": "greet"}, "estimate": {"task": "Hi", "skill": "greet", "class": "restricted"}, "explain": {"receipt": receipt},
		"savings": {}, "models": {}, "feedback": {"receipt": receipt, "grade": 0.5},
	}
	for _, tool := range must(session.ListTools(t.Context(), nil)).Tools {
		var shape jsonschema.Schema
		if err := json.Unmarshal(must(json.Marshal(tool.OutputSchema)), &shape); err != nil {
			t.Fatal(err)
		}
		resolved := must(shape.Resolve(nil))
		if err := resolved.Validate(call[any](t, session, tool.Name, args[tool.Name])); err != nil {
			t.Errorf("%s: %v", tool.Name, err)
		}
		hints, writes := tool.Annotations, tool.Name == "ask" || tool.Name == "feedback"
		if hints.ReadOnlyHint == writes || hints.IdempotentHint == writes || (hints.OpenWorldHint == nil) != (tool.Name == "ask") {
			t.Errorf("%s: %+v", tool.Name, hints)
		}
	}
}

// TestWhatTheGatewayRefusesIsAToolsError: with its Kind, its sentence and its receipt.
func TestWhatTheGatewayRefusesIsAToolsError(t *testing.T) {
	s := newStand(t, serve.Options{}, says, ledger.Budget{Scope: ledger.ForAll, Limit: starling.Dollar, Per: ledger.InTotal})
	for _, way := range ways {
		session := way.open(t, s, nil, nil)
		for _, c := range []struct {
			name, tool string
			args       any
			says       []string
		}{
			{"a budget", "ask", arguments{"task": "Hi", "model": "up/m", "budget": 1e-9}, []string{"over_budget: ", "receipt rcp_"}},
			{"a budget of nothing", "ask", arguments{"task": "Hi", "model": "up/m", "budget": 0}, []string{"invalid: ", "X-Starling-Budget"}},
			{"a class that keeps it near", "ask", arguments{"task": "Hi", "model": "up/m", "class": "restricted"}, []string{"forbidden: ", "zone cloud"}},
			{"a class that nobody knows", "ask", arguments{"task": "Hi", "model": "up/m", "class": "secret"}, []string{"invalid: "}},
			{"a bar above all", "ask", arguments{"task": "Hi", "skill": "greet", "bar": 2}, []string{"invalid: ", "X-Starling-Bar"}},
			{"a model", "ask", arguments{"task": "Hi", "model": "up/n"}, []string{"not_found: ", "up/m"}},
			{"a skill", "ask", arguments{"task": "Hi", "skill": "great"}, []string{"not_found: ", "greet"}},
			{"no word", "ask", arguments{"task": " "}, []string{"invalid: ", "says nothing"}},
			{"a receipt", "explain", arguments{"receipt": "rcp_none"}, []string{"not_found: "}},
			{"a receipt without a name", "explain", arguments{"receipt": ""}, []string{"invalid: ", "receipt is empty"}},
			{"a receipt that is a path", "explain", arguments{"receipt": "../models"}, []string{"not_found: "}},
			{"feedback on it", "feedback", arguments{"receipt": "rcp_none", "rating": "up"}, []string{"not_found: "}},
			{"feedback that says nothing", "feedback", arguments{"receipt": "rcp_none"}, []string{"invalid: "}},
			{"sums of nonsense", "savings", arguments{"by": "moon"}, []string{"invalid: ", "moon"}},
			{"an unknown argument", "ask", arguments{"task": "Hi", "clas": "restricted"}, []string{"invalid: ", "clas"}},
			{"an argument in another case", "ask", arguments{"task": "Hi", "Class": "restricted"}, []string{"invalid: ", "Class"}},
			{"an argument twice", "ask", json.RawMessage(`{"task":"Hi","class":"restricted","class":"public"}`), []string{"invalid: ", "class is said twice"}},
			{"an argument in a document twice", "ask", json.RawMessage(`{"task":"Hi","documents":[{"name":"a","text":"b","text":"c"}]}`), []string{"invalid: ", "text is said twice"}},
			{"an argument of another type", "ask", arguments{"task": "Hi", "budget": "$1"}, []string{"invalid: "}},
			{"no task", "ask", arguments{"skill": "greet"}, []string{"invalid: ", "task"}},
			{"no arguments", "explain", nil, []string{"invalid: ", "receipt"}},
		} {
			t.Run(way.name+", "+c.name, func(t *testing.T) {
				got := refused(t, session, c.tool, c.args)
				for i, want := range c.says {
					if !strings.Contains(got, want) || i == 0 && !strings.HasPrefix(got, want) {
						t.Errorf("%q is missing in %q", want, got)
					}
				}
			})
		}
	}
}

// TestAnotherTeamsReceiptIsNotThere, for the tools and the resource alike.
func TestAnotherTeamsReceiptIsNotThere(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			s := newStand(t, serve.Options{}, says)
			birds, cats := way.open(t, s, bearer(s.key("birds")), nil), way.open(t, s, bearer(s.key("cats")), nil)
			id := call[answered](t, birds, "ask", arguments{"task": "Hi", "skill": "greet"}).Receipt
			for _, got := range []string{refused(t, cats, "explain", arguments{"receipt": id}), refused(t, cats, "feedback", arguments{"receipt": id, "rating": "down"})} {
				if !strings.HasPrefix(got, "not_found: ") {
					t.Error(got)
				}
			}
			if _, err := cats.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "starling://receipts/" + id}); err == nil {
				t.Error("it was read")
			}
			sums := call[map[string]any](t, cats, "savings", nil)
			if len(sums["lines"].([]any)) != 0 || sums["of"] != "team cats" {
				t.Errorf("savings: %v", sums)
			}
			call[map[string]any](t, birds, "explain", arguments{"receipt": id})
		})
	}
}

// TestWhoHasNoKeyIsAskedForOne in the way that clients of the protocol expect.
func TestWhatASplitCostIsExplainedWithItsParts(t *testing.T) {
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"receipt": {"id": "rcp_1", "cost_nanodollars": 20000000, "parts": 3, "parts_nanodollars": 5000000, "attempts": [
			{"model": "up/m", "outcome": "answered", "cost_nanodollars": 20000000, "split": "2 readings, 0 of them without a valid answer, 1 findings"}]}}`)
	}))
	defer gateway.Close()
	why := call[map[string]any](t, overStdio(t, &stand{url: gateway.URL}, nil, nil), "explain", arguments{"receipt": "rcp_1"})
	if tried := why["attempts"].([]any)[0].(map[string]any); why["cost_usd"] != 0.025 || tried["cost_usd"] != 0.02 || !strings.Contains(tried["split"].(string), "2 readings") {
		t.Errorf("%v", why)
	}
}

func TestWhoHasNoKeyIsAskedForOne(t *testing.T) {
	s := newStand(t, serve.Options{}, says)
	s.key("birds")
	for _, key := range []string{"", "sk-wrong"} {
		resp := s.post(t, bearer(key), `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
		if resp.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("status %d, %v", resp.StatusCode, resp.Header)
		}
	}
	session := overStdio(t, s, nil, nil)
	if got := refused(t, session, "models", nil); !strings.HasPrefix(got, "unauthenticated: ") {
		t.Error(got)
	}
}

// post sends one message to /mcp.
func (s *stand) post(t *testing.T, header http.Header, body string) *http.Response {
	t.Helper()
	req := must(http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/mcp", strings.NewReader(body)))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	for name, values := range header {
		req.Header[name] = values
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// TestTheDoorIsTheGatewaysOwn: its limit of bodies, its hosts and its origins.
func TestTheDoorIsTheGatewaysOwn(t *testing.T) {
	s := newStand(t, serve.Options{MaxBody: 2000, Origins: []string{"https://friend.example"}}, says)
	const list = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	for _, c := range []struct {
		name   string
		header http.Header
		body   string
		status int
	}{
		{"a body over the limit", nil, list + strings.Repeat(" ", 2000), http.StatusRequestEntityTooLarge},
		{"a page of a stranger", http.Header{"Origin": {"https://evil.example"}}, list, http.StatusForbidden},
		{"a page of a friend", http.Header{"Origin": {"https://friend.example"}, "Sec-Fetch-Site": {"cross-site"}}, list, http.StatusOK},
		{"no JSON", nil, "hello", http.StatusBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp := s.post(t, c.header, c.body)
			if resp.StatusCode != c.status || resp.Header.Get("X-Starling-Receipt") != "none" || resp.Header.Get("Mcp-Session-Id") != "" {
				body, _ := io.ReadAll(resp.Body)
				t.Errorf("status %d, want %d; %v: %s", resp.StatusCode, c.status, resp.Header, body)
			}
		})
	}
}

// TestWhatIsNoMessageEndsTheConversation, by the caller's fault; a long message does not.
func TestWhatIsNoMessageEndsTheConversation(t *testing.T) {
	const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}` + "\n"
	for name, said := range map[string]string{"no JSON": hello + "{nonsense}\n", "cut off": hello + `{"jsonrpc":"2.0","id":2,"meth`} {
		err := mcp.Stdio(t.Context(), mcp.Door{}, io.NopCloser(strings.NewReader(said)), io.Discard)
		if e, ok := errors.AsType[*starling.Error](err); !ok || e.Kind != starling.Invalid || !strings.Contains(e.Hint, "a line of its own") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if testing.Short() {
		return // the race detector takes long over one line of 20 MB
	}
	s := newStand(t, serve.Options{MaxBody: 1 << 20}, says)
	session := overStdio(t, s, nil, nil)
	if got := refused(t, session, "ask", arguments{"task": strings.Repeat("long ", 4<<20), "model": "up/m"}); !strings.HasPrefix(got, "too_large: ") {
		t.Error(got)
	}
}

// TestTermsOfAConnectionHoldForEveryTask: what a person has written into a client's
// configuration is not undone by what a model says.
func TestTermsOfAConnectionHoldForEveryTask(t *testing.T) {
	s := newStand(t, serve.Options{}, says)
	session := overHTTP(t, s, http.Header{"X-Starling-Class": {"restricted"}}, nil)
	if got := refused(t, session, "ask", arguments{"task": "Hi", "model": "up/m"}); !strings.HasPrefix(got, "forbidden: ") {
		t.Error(got)
	}
	if got := refused(t, session, "ask", arguments{"task": "Hi", "model": "up/m", "class": "public"}); !strings.HasPrefix(got, "invalid: ") {
		t.Error(got)
	}
	misspelt := overHTTP(t, s, http.Header{"X-Starling-Clas": {"restricted"}}, nil)
	if got := refused(t, misspelt, "ask", arguments{"task": "Hi", "model": "up/m"}); !strings.HasPrefix(got, "invalid: there is no header X-Starling-Clas") {
		t.Error(got)
	}
}

// slow has an upstream that answers only once it is let go.
func slow(t *testing.T, o serve.Options) (s *stand, asked chan struct{}, left chan struct{}, let func()) {
	asked, left = make(chan struct{}, 64), make(chan struct{}, 64)
	gate := make(chan struct{})
	let = sync.OnceFunc(func() { close(gate) })
	s = newStand(t, o, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked <- struct{}{}
		select {
		case <-gate:
			says(w, r)
		case <-r.Context().Done():
			left <- struct{}{}
		}
	})
	t.Cleanup(let)
	return s, asked, left, let
}

// TestWhoLeavesEndsTheRequest: the upstream is not kept busy for nobody.
func TestWhoLeavesEndsTheRequest(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			s, asked, left, _ := slow(t, serve.Options{})
			session := way.open(t, s, nil, nil)
			ctx, leave := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := session.CallTool(ctx, &sdk.CallToolParams{Name: "ask", Arguments: arguments{"task": "Hi", "model": "up/m"}})
				done <- err
			}()
			<-asked
			leave()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			select {
			case <-left:
			case <-time.After(3 * time.Minute):
				t.Fatal("the upstream's call goes on")
			}
			for {
				for r, err := range s.ledger.Receipts(t.Context(), ledger.Query{}) {
					if err != nil || r.Outcome != starling.Failed && r.Outcome != starling.Abandoned {
						t.Fatalf("outcome %s, %v", r.Outcome, err)
					}
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}

// TestAClientThatWantsToKnowIsToldThatTheAnswerIsWaitedFor.
func TestAClientThatWantsToKnowIsToldThatTheAnswerIsWaitedFor(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			s, _, _, let := slow(t, serve.Options{})
			session := way.open(t, s, nil, &sdk.ClientOptions{ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) {
				if r.Params.ProgressToken == "mine" {
					let() // so the answer comes only after the sign
				}
			}})
			params := &sdk.CallToolParams{Name: "ask", Arguments: arguments{"task": "Hi", "model": "up/m"}}
			params.SetProgressToken("mine")
			result, err := session.CallTool(t.Context(), params)
			if err != nil || result.IsError {
				t.Fatal(err, result)
			}
		})
	}
}

// TestAnAnswerMayTakeLongerThanACallerMayTakeForAPiece.
func TestAnAnswerMayTakeLongerThanACallerMayTakeForAPiece(t *testing.T) {
	const patience = 2 * time.Second
	s, asked, _, let := slow(t, serve.Options{BodyTime: patience, SendTime: patience})
	session := overHTTP(t, s, nil, nil)
	go func() {
		<-asked
		time.Sleep(2*patience + patience/4)
		let()
	}()
	if a := call[answered](t, session, "ask", arguments{"task": "Hi", "model": "up/m"}); a.Answer != "Hello" {
		t.Errorf("%+v", a)
	}
}

// TestManyAskAtOnce, each is answered and each is in the books.
func TestManyAskAtOnce(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			s := newStand(t, serve.Options{}, says)
			session := way.open(t, s, nil, nil)
			const n = 16
			receipts := make(chan string, n)
			var all sync.WaitGroup
			for range n {
				all.Go(func() {
					receipts <- call[answered](t, session, "ask", arguments{"task": "Hi", "model": "up/m"}).Receipt
				})
			}
			all.Wait()
			close(receipts)
			seen := map[string]bool{}
			for id := range receipts {
				seen[id] = true
			}
			sums := call[map[string]any](t, session, "savings", nil)
			if line := sums["lines"].([]any)[0].(map[string]any); len(seen) != n || line["requests"] != float64(n) {
				t.Errorf("%d receipts, %v", len(seen), sums)
			}
		})
	}
}

// TestWhatAnUpstreamFindsTooLongIsTooLarge: who asked may then send less of it, or split it.
func TestWhatAnUpstreamFindsTooLongIsTooLarge(t *testing.T) {
	s := newStand(t, serve.Options{}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"message":"too many tokens","type":"invalid_request_error","code":"context_length_exceeded"}}`)
	})
	if got := refused(t, overHTTP(t, s, nil, nil), "ask", arguments{"task": "Hi", "model": "up/m"}); !strings.HasPrefix(got, "too_large: ") {
		t.Error(got)
	}
}

// TestAGatewayThatBreaksOffIsAnError, not the end of the program.
func TestAGatewayThatBreaksOffIsAnError(t *testing.T) {
	g := mcp.Inside(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	_, err := g.Do(must(http.NewRequest(http.MethodGet, g.URL+"/v1/models", nil)))
	if starling.KindOf(err) != starling.Internal {
		t.Error(err)
	}
}

// FuzzAsk: whatever stands in the arguments, the result is an answer or a tool's error, and
// what is answered was asked for in a class that the arguments state.
func FuzzAsk(f *testing.F) {
	s := newStand(f, serve.Options{}, says)
	session := overHTTP(f, s, nil, nil)
	for _, seed := range []string{
		`{"task":"Hi","skill":"greet"}`, `{"task":"Hi","model":"up/m","class":"internal","budget":0.5,"bar":0.9,"max_tokens":5}`,
		`{"task":"Hi","documents":[{"name":"a\"\u0000","text":"\ud800"}],"model":"up/m"}`, `{"task":1}`, `{"TASK":"Hi"}`, `{"task":"Hi","task":""}`, `{"task":"Hi","class":"public\r\nX-Starling-Skill: x"}`,
		`{"task":"Hi","skill":"../models"}`, `{"task":"Hi","skill":"a/b?c#d"}`, `[]`, `null`, `{"task":"Hi","budget":1e308}`, `{"task":"Hi","max_tokens":1e99}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, args string) {
		if !json.Valid([]byte(args)) {
			return // a client cannot send it
		}
		result, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "ask", Arguments: json.RawMessage(args)})
		if err != nil {
			if gjson.Parse(args).IsObject() {
				t.Fatal(err)
			}
			return
		}
		if result.IsError {
			if kind, _, ok := strings.Cut(text(result), ": "); !ok || kind == string(starling.Internal) {
				t.Errorf("%s: %s", args, text(result))
			}
			return
		}
		raw := must(json.Marshal(result.StructuredContent))
		r := must(must(s.ledger.Receipt(t.Context(), gjson.GetBytes(raw, "receipt").Str)).Receipt())
		if want := cmp.Or(gjson.Get(args, "class").Str, "public"); string(r.Screen.Class) != want {
			t.Errorf("%s: class %q", args, r.Screen.Class)
		}
	})
}
