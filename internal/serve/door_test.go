package serve_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/ledger"
	"starling/internal/serve"
)

func answering() upstreamAt { return openAIUp(whole(wholeOpenAI)) }

func TestOnlyNamesOfThisMachineAndConfiguredOnesAreServed(t *testing.T) {
	s := newStand(t, standOptions{serve: serve.Options{Hosts: []string{"Gateway.Example", "10.1.2.3", "proxy.example:8443"}}}, answering())
	for _, c := range []struct {
		name, host string
		served     bool
	}{
		{"localhost", "localhost", true},
		{"localhost with a port", "localhost:4141", true},
		{"localhost in capitals", "LOCALHOST", true},
		{"localhost with a dot behind it", "localhost.", true},
		{"an address of loopback with a port", "127.0.0.1:4141", true},
		{"another address of loopback", "127.9.9.9", true},
		{"IPv6 loopback", "[::1]", true},
		{"IPv6 loopback with a port", "[::1]:4141", true},
		{"a configured name", "gateway.example", true},
		{"a configured name with a port and a dot", "GATEWAY.example.:80", true},
		{"a configured address", "10.1.2.3:4141", true},
		{"a name configured with a port", "proxy.example:8443", true},
		{"an address that is not configured", "10.1.2.4", false},
		{"another name", "evil.com", false},
		{"another name with a port", "evil.com:4141", false},
		{"a name that begins like loopback", "127.0.0.1.evil.com", false},
		{"a name that begins like localhost", "localhost.evil.com", false},
		{"a name that ends like a configured one", "evil-gateway.example", false},
		{"a name below a configured one", "evil.gateway.example", false},
		{"a path in a name", "x/#@evil", false},
		{"a user in a name", "localhost@evil.com", false},
		{"a user before a good name", "evil@localhost", false},
		{"a port that is none", "localhost:x", false},
		{"two ports", "localhost:1:2", false},
		{"an address in one number", "2130706433", false},
		{"an address in octal", "0177.0.0.1", false},
		{"the address of everything", "0.0.0.0", false},
		{"a question", "localhost?evil", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := s.dial()
			l.say("GET /healthz HTTP/1.1\r\nHost: " + c.host + "\r\nConnection: close\r\n\r\n")
			a := l.hear()
			if !c.served && a.status == 400 && a.header.Get("X-Starling-Receipt") == "" {
				return // net/http itself does not take it for a host
			}
			if c.served && a.status != 200 || !c.served && (a.status != 403 || !strings.Contains(a.body, "hosts in the configuration")) {
				t.Errorf("status %d: %s", a.status, a.body)
			}
		})
	}
}

func TestAWebPageMayNotSpend(t *testing.T) {
	s := newStand(t, standOptions{serve: serve.Options{Origins: []string{"https://chat.example"}}}, answering())
	for _, c := range []struct {
		name, origin, site string
		served             bool
	}{
		{"a program sends neither", "", "", true},
		{"a person opens a page", "", "none", true},
		{"a page of our own, without Origin", "", "same-origin", true},
		{"a page of a neighbour", "", "same-site", false},
		{"a page of somebody else, without Origin", "", "cross-site", false},
		{"a word that is none", "", "x", false},
		{"a page of somebody else", "https://evil.example", "cross-site", false},
		{"a page from a file or a frame", "null", "cross-site", false},
		{"a page on this machine", "http://localhost:3000", "same-site", false},
		{"a configured page", "https://chat.example", "cross-site", true},
		{"the configured page without encryption", "http://chat.example", "cross-site", false},
		{"the configured page at another port", "https://chat.example:8443", "cross-site", false},
		{"a page that begins like it", "https://chat.example.evil.com", "cross-site", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{chatPath, messagesPath} {
				var header []string
				if c.origin != "" {
					header = append(header, "Origin", c.origin)
				}
				if c.site != "" {
					header = append(header, "Sec-Fetch-Site", c.site)
				}
				a := s.ask(path, chat("up/m", false), header...)
				if c.served && a.status != 200 || !c.served && a.status != statuses[path][starling.Forbidden] {
					t.Errorf("status %d: %s", a.status, a.body)
				}
				wantHeaders(t, a)
				if !c.served {
					wantEnvelope(t, path, a.body)
				}
				if a.header.Get("Access-Control-Allow-Origin") != "" {
					t.Error("the answer may be read by a page")
				}
			}
		})
	}
}

func TestWithoutKeysOnlyThisMachineIsServed(t *testing.T) {
	s := newStand(t, standOptions{}, answering())
	for _, c := range []struct {
		name, from string
		served     bool
	}{
		{"loopback", "127.0.0.1:5000", true},
		{"IPv6 loopback", "[::1]:5000", true},
		{"loopback as IPv6 writes it", "[::ffff:127.0.0.1]:5000", true},
		{"the office", "192.168.1.5:5000", false},
		{"the world", "203.0.113.9:5000", false},
		{"IPv6 from a link", "[fe80::1%eth0]:5000", false},
		{"nobody", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			status := func() int {
				req := httptest.NewRequest(http.MethodPost, chatPath, strings.NewReader(chat("up/m", false)))
				req.RemoteAddr, req.Host = c.from, "localhost"
				w := httptest.NewRecorder()
				s.server.Handler().ServeHTTP(w, req)
				return w.Code
			}
			if got := status(); (got == 200) != c.served || !c.served && got != 403 {
				t.Errorf("status %d", got)
			}
		})
	}
}

func TestTheFirstKeyClosesTheDoor(t *testing.T) {
	s := newStand(t, standOptions{}, answering())
	kept := s.ask(chatPath, chat("up/m", false), "x-api-key", "what clients send to local servers")
	if kept.status != 200 {
		t.Fatalf("without keys any key will do, yet it got status %d", kept.status)
	}
	beside := must(ledger.OpenRecords(context.Background(), ledger.Options{Dir: s.dir})) // as starling key create does
	defer beside.Close()
	secret, _, err := beside.CreateKey(context.Background(), ledger.KeySpec{Name: "first"})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(eventually); s.ask(chatPath, chat("up/m", false)).status != 401; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("who shows no key is still served")
		}
	}
	if a := s.ask(chatPath, chat("up/m", false), "x-api-key", secret); a.status != 200 {
		t.Errorf("the key is refused with status %d", a.status)
	}
	if a := s.get("/v1/receipts/"+kept.header.Get("X-Starling-Receipt"), "x-api-key", secret); a.status != 404 {
		t.Errorf("a key reads a receipt from before there were keys: status %d", a.status)
	}
}

func TestTheFirstKeyCountsFromItsFirstRequest(t *testing.T) {
	s := newStand(t, standOptions{}, answering())
	stale := "sk-starling-" + strings.Repeat("A", 43) // of other books
	if a := s.ask(chatPath, chat("up/m", false), "x-api-key", stale); a.status != 200 {
		t.Fatalf("without keys any key will do, yet it got status %d", a.status)
	}
	beside := must(ledger.OpenRecords(context.Background(), ledger.Options{Dir: s.dir})) // as starling key create does
	defer beside.Close()
	secret, k, err := beside.CreateKey(context.Background(), ledger.KeySpec{Name: "first", Class: "restricted"})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.receipt(s.ask(chatPath, chat("up/m", false), "Authorization", "Bearer "+secret)); r.Key != k.ID || r.Screen.Class != "restricted" {
		t.Errorf("the first request with the key is of key %q and class %q", r.Key, r.Screen.Class)
	}
	if a := s.ask(chatPath, chat("up/m", false), "x-api-key", stale); a.status != 401 {
		t.Errorf("another key is served with status %d", a.status)
	}
}

func TestWhoShowsNoGoodKeyIsSentAway(t *testing.T) {
	s := newStand(t, standOptions{}, answering())
	good, _ := s.newKey(ledger.KeySpec{Name: "good"})
	revoked, id := s.newKey(ledger.KeySpec{Name: "revoked"})
	if err := s.ledger.RevokeKey(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	expired, _ := s.newKey(ledger.KeySpec{Name: "expired", Expires: time.Now().Add(1500 * time.Millisecond)})
	for end := time.Now().Add(eventually); ; time.Sleep(10 * time.Millisecond) {
		if _, err := s.ledger.Lookup(context.Background(), expired); err != nil {
			break
		} else if time.Now().After(end) {
			t.Fatal("the key never expires")
		}
	}
	for _, c := range []struct {
		name, header, value string
		says                string // "" for one that is served
	}{
		{"a key as a bearer", "Authorization", "Bearer " + good, ""},
		{"a key as a bearer, in small letters", "Authorization", "bearer  " + good + " ", ""},
		{"a key in x-api-key", "x-api-key", good, ""},
		{"no key", "X-Other", good, "no key"},
		{"an empty key", "Authorization", "Bearer ", "no key"},
		{"a key without a scheme", "Authorization", good, "no key"},
		{"a key in another scheme", "Authorization", "Basic " + good, "no key"},
		{"an unknown key", "x-api-key", "sk-starling-" + strings.Repeat("A", 43), "unknown key"},
		{"a vendor's key", "Authorization", "Bearer sk-proj-1234567890", "unknown key"},
		{"a key that is cut", "x-api-key", good[:len(good)-1], "unknown key"},
		{"a key with more behind it", "x-api-key", good + "x", "unknown key"},
		{"a revoked key", "x-api-key", revoked, "unknown key"},
		{"an expired key", "Authorization", "Bearer " + expired, "expired"},
		{"a novel", "x-api-key", strings.Repeat("k", 10_000), "unknown key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{chatPath, messagesPath} {
				a := s.ask(path, chat("up/m", false), c.header, c.value)
				wantHeaders(t, a)
				if c.says == "" {
					if a.status != 200 {
						t.Errorf("status %d: %s", a.status, a.body)
					}
					continue
				}
				if a.status != 401 || !strings.Contains(a.body, c.says) || len(c.value) > 20 && strings.Contains(a.body, strings.TrimPrefix(c.value, "Bearer ")) {
					t.Errorf("status %d: %s", a.status, a.body)
				}
				wantEnvelope(t, path, a.body)
				if id := a.header.Get("X-Starling-Receipt"); id != "none" {
					t.Errorf("who may not come in fills the ledger: receipt %s", id)
				}
			}
			for _, path := range []string{"/v1/models", "/v1/models/up/m", "/v1/receipts/x"} {
				if a := s.get(path, c.header, c.value); (a.status == 401) != (c.says != "") {
					t.Errorf("%s has status %d", path, a.status)
				}
			}
		})
	}
}

func TestAKeySaysWhoseQuestionItIs(t *testing.T) {
	s := newStand(t, standOptions{skills: testSkill("candidates: [up/m]\n")}, answering())
	plain, plainID := s.newKey(ledger.KeySpec{Name: "plain", Team: "sales"})
	secretive, _ := s.newKey(ledger.KeySpec{Name: "secretive", Class: "restricted"})
	skilled, _ := s.newKey(ledger.KeySpec{Name: "skilled", Skill: "test"})
	for _, c := range []struct {
		name, key, model string
		header           []string
		kind             starling.Kind
		skill            string
		class            starling.Class
	}{
		{"a key without anything", plain, "up/m", nil, "", "", "public"},
		{"a key's class keeps data near", secretive, "up/m", nil, starling.Forbidden, "", "restricted"},
		{"no header makes it laxer", secretive, "up/m", []string{"X-Starling-Class", "public"}, starling.Forbidden, "", "restricted"},
		{"a key's skill answers auto", skilled, "starling/auto", nil, "", "test", "public"},
		{"a header's skill goes before it", skilled, "starling/auto", []string{"X-Starling-Skill", "other"}, starling.NotFound, "", ""},
		{"a pin stays a pin", skilled, "up/m", nil, "", "test", "public"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{chatPath, messagesPath} {
				a := s.ask(path, chat(c.model, false), append(c.header, "x-api-key", c.key)...)
				r := s.receipt(a)
				if want := statuses[path][c.kind]; c.kind == "" && a.status != 200 || c.kind != "" && a.status != want {
					t.Errorf("status %d: %s", a.status, a.body)
				}
				if r.Kind != c.kind || r.Plan.Skill != c.skill || r.Screen.Class != c.class {
					t.Errorf("kind %q, skill %q, class %q; want %q, %q, %q", r.Kind, r.Plan.Skill, r.Screen.Class, c.kind, c.skill, c.class)
				}
			}
		})
	}
	if r := s.receipt(s.ask(chatPath, chat("up/m", false), "x-api-key", plain)); r.Key != plainID || r.Team != "sales" {
		t.Errorf("key %q of team %q", r.Key, r.Team)
	}
}

// TestWhatNothingBoundsIsRefusedUnderABudgetAndSaysWhy: the vendor's own tools charge
// beside the tokens, as often as the model likes.
func TestWhatNothingBoundsIsRefusedUnderABudgetAndSaysWhy(t *testing.T) {
	body := strings.Replace(chat("up/m", false), `{`, `{"web_search_options":{},`, 1)
	s := newStand(t, standOptions{budgets: []ledger.Budget{{Scope: ledger.ForAll, Limit: 100 * starling.Dollar, Per: ledger.InTotal}}}, answering())
	a := s.ask(chatPath, body)
	if r := s.receipt(a); a.status != 429 || r.Kind != starling.OverBudget || r.Cost != 0 || !strings.Contains(a.body, "web_search") || !strings.Contains(a.body, "what nothing bounds") {
		t.Errorf("status %d, receipt of kind %s and cost %s: %s", a.status, r.Kind, r.Cost, a.body)
	}
	if strings.Contains(a.body, "9223372036") {
		t.Errorf("a sum that means nothing to anybody: %s", a.body)
	}
	if a := s.ask(chatPath, chat("up/m", false)); a.status != 200 {
		t.Errorf("without them: status %d: %s", a.status, a.body)
	}
	if a := newStand(t, standOptions{}, answering()).ask(chatPath, body); a.status != 200 {
		t.Errorf("without a budget: status %d: %s", a.status, a.body)
	}
}

func TestAKeysBudgetHolds(t *testing.T) {
	s := newStand(t, standOptions{}, answering())
	// An answer costs 100·$1 + 20·$5 a million: $0.0002; reserved is at most $0.0007.
	poor, id := s.newKey(ledger.KeySpec{Name: "poor", Budgets: []ledger.Budget{{Limit: 1_000_000, Per: ledger.InTotal}}})
	rich, _ := s.newKey(ledger.KeySpec{Name: "rich"})
	answered := 0
	for range 20 {
		if s.ask(chatPath, chat("up/m", false), "x-api-key", poor).status == 200 {
			answered++
		}
	}
	if answered < 2 || answered > 5 {
		t.Errorf("%d answers for $0.001, at $0.0002 each", answered)
	}
	for _, path := range []string{chatPath, messagesPath} {
		a := s.ask(path, chat("up/m", false), "x-api-key", poor)
		if a.status != statuses[path][starling.OverBudget] || a.header.Get("X-Should-Retry") != "false" || !strings.Contains(a.body, "cap $0.001") || !strings.Contains(a.body, id) {
			t.Errorf("status %d, retry %q: %s", a.status, a.header.Get("X-Should-Retry"), a.body)
		}
		wantHeaders(t, a)
		wantEnvelope(t, path, a.body)
		if r := s.receipt(a); r.Kind != starling.OverBudget || r.Cost != 0 {
			t.Errorf("receipt: kind %s, cost %s", r.Kind, r.Cost)
		}
	}
	if a := s.ask(chatPath, chat("up/m", false), "x-api-key", rich); a.status != 200 {
		t.Errorf("another key pays for it: status %d", a.status)
	}
	for _, standing := range must(s.ledger.Standing(context.Background())) {
		if standing.Held != 0 || standing.Spent > standing.Limit || standing.Spent != starling.Money(answered)*200_000 {
			t.Errorf("%s: spent %s, held %s of %s", standing.Budget, standing.Spent, standing.Held, standing.Limit)
		}
	}
}

func TestAReceiptIsForItsTeam(t *testing.T) {
	s := newStand(t, standOptions{}, answering())
	keys := map[string]string{}
	for name, team := range map[string]string{"ada": "sales", "bob": "sales", "cleo": "support", "dan": "", "eve": ""} {
		keys[name], _ = s.newKey(ledger.KeySpec{Name: name, Team: team})
	}
	for _, c := range []struct {
		name, asker, reader string
		sees                bool
	}{
		{"one's own", "ada", "ada", true},
		{"a colleague's", "ada", "bob", true},
		{"another team's", "ada", "cleo", false},
		{"somebody's without a team", "dan", "ada", false},
		{"a team's, for somebody without one", "ada", "dan", false},
		{"one's own, without a team", "dan", "dan", true},
		{"somebody else's, both without a team", "dan", "eve", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := s.ask(chatPath, chat("up/m", false), "x-api-key", keys[c.asker]).header.Get("X-Starling-Receipt")
			a := s.get("/v1/receipts/"+id, "x-api-key", keys[c.reader])
			none := s.get("/v1/receipts/"+id[:len(id)-1]+"0", "x-api-key", keys[c.reader])
			if !c.sees {
				if a.status != 404 || gjson.Get(a.body, "error.type").Str != gjson.Get(none.body, "error.type").Str {
					t.Errorf("status %d: %s", a.status, a.body)
				}
				wantHeaders(t, a)
				return
			}
			if a.status != 200 || !gjson.Valid(a.body) {
				t.Fatalf("status %d: %s", a.status, a.body)
			}
		})
	}
}

func TestHealthAndMetricsNeedNoKeyButTheDoor(t *testing.T) {
	s := newStand(t, standOptions{keyed: true, skills: testSkill("candidates: [up/m]\n")}, answering())
	s.ask(chatPath, chat("up/m", false))
	s.ask(chatPath, chat("starling/test", false))
	s.ask(chatPath, chat("a-word-of-the-caller", false))
	s.key = ""
	health := s.get("/healthz")
	if health.status != 200 || gjson.Get(health.body, "status").Str != "ok" || gjson.Get(health.body, "models").Int() != 1 {
		t.Errorf("status %d: %s", health.status, health.body)
	}
	metrics := s.get("/metrics")
	for _, line := range []string{
		`starling_requests_total{model="up/m",outcome="answered",skill="",zone="cloud"} 1`,
		`starling_requests_total{model="up/m",outcome="answered",skill="test",zone="cloud"} 1`,
		`starling_requests_total{model="none",outcome="failed",skill="",zone="nowhere"} 1`,
		`starling_refusals_total{kind="not_found"} 1`,
		`starling_attempts_total{model="up/m",outcome="answered"} 2`,
		`starling_tokens_total{model="up/m",what="input"} 200`,
		`starling_cost_dollars_total{model="up/m",skill="test"} 0.0002`,
	} {
		if !strings.Contains(metrics.body, line+"\n") {
			t.Errorf("no %s", line)
		}
	}
	if metrics.status != 200 || strings.Contains(metrics.body, "a-word-of-the-caller") {
		t.Errorf("status %d; a caller's word became a label", metrics.status)
	}
	for _, path := range []string{"/healthz", "/metrics"} {
		if a := s.get(path, "Host", "evil.com"); a.status != 403 {
			t.Errorf("%s for another host has status %d", path, a.status)
		}
		if a := s.get(path, "Sec-Fetch-Site", "cross-site"); a.status != 403 {
			t.Errorf("%s for a web page has status %d", path, a.status)
		}
	}
}
