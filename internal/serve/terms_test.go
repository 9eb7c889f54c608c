package serve_test

import (
	"bytes"
	"context"
	"net/http"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/ledger"
	"starling/internal/serve"
)

// TestTheCallersTermsReachThePlan, in every dialect, and are on the receipt.
func TestTheCallersTermsReachThePlan(t *testing.T) {
	rubric := "candidates: [near/m, up/m]\nbudget: {request: $1}\nverify: [{kind: pattern, must: [H]}]\n"
	s := newStand(t, standOptions{skills: testSkill(rubric)}, openAIUp(whole(wholeOpenAI)), upstreamAt{name: "near", dialect: starling.OpenAI, zone: starling.Machine, handler: whole(wholeOpenAI)})
	for _, path := range []string{chatPath, messagesPath} {
		a := s.ask(path, chat("starling/test", false), "X-Starling-Budget", " $0.25", "X-Starling-Bar", "0.97", "X-Starling-Class", "public")
		r := s.receipt(a)
		if a.status != http.StatusOK || r.Plan.Limit != starling.Dollar/4 || r.Plan.Bar != 0.97 || r.Screen.Class != "public" || a.header.Get("X-Starling-Provider") != "up" {
			t.Errorf("%s: %d from %s, %+v, %+v", path, a.status, a.header.Get("X-Starling-Provider"), r.Screen, r.Plan)
		}
	}
	a := s.ask(chatPath, chat("starling/test", false), "X-Starling-Budget", "0.000001")
	s.wantRefusal(t, chatPath, a, starling.OverBudget, "the caller allows $0.000001 a request")
	a = s.ask(chatPath, chat("near/m", false), "X-Starling-Bar", "0.9")
	s.wantRefusal(t, chatPath, a, starling.Invalid, "a bar without a skill")
}

// TestTermsThatNobodyCanKeepAreRefused: of two of a kind none is chosen, and none of them
// is passed over in silence.
func TestTermsThatNobodyCanKeepAreRefused(t *testing.T) {
	s, calls := uncalled(t, serve.Options{})
	for _, c := range []struct {
		name   string
		values []string
		says   string
	}{
		{"X-Starling-Budget", []string{"1", "2"}, "the header X-Starling-Budget occurs 2 times"},
		{"X-Starling-Budget", []string{"much"}, "X-Starling-Budget is no amount"},
		{"X-Starling-Budget", []string{"1e-3"}, "X-Starling-Budget is no amount"},
		{"X-Starling-Budget", []string{"0"}, "X-Starling-Budget is no amount of more than nothing"},
		{"X-Starling-Budget", []string{"-1"}, "X-Starling-Budget is no amount of more than nothing"},
		{"X-Starling-Bar", []string{"0.9", "0.9"}, "the header X-Starling-Bar occurs 2 times"},
		{"X-Starling-Bar", []string{"high"}, "X-Starling-Bar is no share"},
		{"X-Starling-Bar", []string{"0"}, "X-Starling-Bar is no share"},
		{"X-Starling-Bar", []string{"1.01"}, "X-Starling-Bar is no share"},
		{"X-Starling-Bar", []string{"95"}, "X-Starling-Bar is no share"},
		{"X-Starling-Bar", []string{"NaN"}, "X-Starling-Bar is no share"},
		{"X-Starling-Bar", []string{"-0.5"}, "X-Starling-Bar is no share"},
		{"X-Starling-Budget", []string{""}, "the header X-Starling-Budget is empty"},
		{"X-Starling-Class", []string{" "}, "the header X-Starling-Class is empty"},
		{"X-Starling-Split", []string{""}, "the header X-Starling-Split is empty"},
		{"X-Starling-Clas", []string{"restricted"}, "there is no header X-Starling-Clas"},
	} {
		for _, path := range []string{chatPath, messagesPath} {
			req := must(http.NewRequest(http.MethodPost, s.url+path, bytes.NewReader([]byte(chat("starling/test", false)))))
			req.Header[c.name] = c.values
			s.wantRefusal(t, path, s.do(req), starling.Invalid, c.says)
		}
	}
	if n := calls.Load(); n != 0 {
		t.Errorf("%d calls", n)
	}
}

const planPath = "/v1/plan"

// TestAPlanSaysWhoWouldBeAsked, on the caller's terms; nobody is, nothing is reserved, and
// there is no receipt.
func TestAPlanSaysWhoWouldBeAsked(t *testing.T) {
	rubric := "candidates: [near/m, up/m]\nreference: up/m\nclass: public\n"
	up, calls := counting(openAIUp(whole(wholeOpenAI)))
	near, nearCalls := counting(upstreamAt{name: "near", dialect: starling.OpenAI, zone: starling.Machine, handler: whole(wholeOpenAI)})
	s := newStand(t, standOptions{skills: testSkill(rubric), budgets: []ledger.Budget{{Scope: ledger.ForAll, Limit: starling.Dollar, Per: ledger.InTotal}}}, up, near)

	a := s.ask(planPath, chat("starling/test", false), "X-Starling-Budget", "0.25", "X-Starling-Class", "confidential")
	plan := gjson.Get(a.body, "plan")
	if a.status != http.StatusOK || a.header.Get("X-Starling-Receipt") != "none" || gjson.Get(a.body, "refused").Exists() || gjson.Get(a.body, "screen.class").Str != "confidential" {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	if plan.Get("candidates.#").Int() != 1 || plan.Get("candidates.0.model.provider").Str != "near" || plan.Get("candidates.0.worst_nanodollars").Int() <= 0 ||
		plan.Get("left_out.0.kind").Str != string(starling.Forbidden) || plan.Get("limit_nanodollars").Int() != int64(starling.Dollar/4) || plan.Get("skill").Str != "test" {
		t.Errorf("%s", a.body)
	}
	a = s.ask(planPath, chat("starling/test", true), "X-Starling-Bar", "0.97")
	if plan := gjson.Get(a.body, "plan"); plan.Get("bar").Num != 0.97 || plan.Get("candidates.#.model.provider").Raw != `["up"]` || plan.Get("left_out.0.kind").Str != string(starling.Unproven) {
		t.Errorf("with a bar: %d %s", a.status, a.body)
	}
	for _, standing := range must(s.ledger.Standing(context.Background())) {
		if standing.Held != 0 || standing.Spent != 0 {
			t.Errorf("%+v", standing)
		}
	}
	if calls.Load()+nearCalls.Load() != 0 {
		t.Error("somebody was asked")
	}

	// What is asked then is planned alike, and has the only receipt.
	asked := s.receipt(s.ask(chatPath, chat("starling/test", true), "X-Starling-Bar", "0.97"))
	if want := gjson.Get(a.body, "plan.candidates.0.why").Str; asked.Plan.Candidates[0].Why != want || asked.Plan.Expected != starling.Money(gjson.Get(a.body, "plan.expected_nanodollars").Int()) {
		t.Errorf("planned %q, and then %+v", want, asked.Plan)
	}
	receipts := 0
	for _, err := range s.ledger.Receipts(context.Background(), ledger.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		receipts++
	}
	if receipts != 1 {
		t.Errorf("%d receipts", receipts)
	}
}

// TestAPlanThatNobodyMayCarryOutSaysWhy: that is an answer too.
func TestAPlanThatNobodyMayCarryOutSaysWhy(t *testing.T) {
	s, calls := uncalled(t, serve.Options{})
	for _, c := range []struct {
		name, model string
		header      []string
		kind        starling.Kind
	}{
		{"too far", "starling/test", []string{"X-Starling-Class", "restricted"}, starling.Forbidden},
		{"too dear", "starling/test", []string{"X-Starling-Budget", "0.000000001"}, starling.OverBudget},
		{"no such skill", "starling/tset", nil, starling.NotFound},
		{"no such model", "nobody", nil, starling.NotFound},
		{"no such class", "starling/test", []string{"X-Starling-Class", "secret"}, starling.Invalid},
		{"a bar for a model", "up/m", []string{"X-Starling-Bar", "0.9"}, starling.Invalid},
	} {
		a := s.ask(planPath, chat(c.model, false), c.header...)
		if why := gjson.Get(a.body, "refused"); a.status != http.StatusOK || why.Get("kind").Str != string(c.kind) || why.Get("why").Str == "" || !gjson.Get(a.body, "plan.candidates").IsArray() {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
	}
	for _, c := range []struct{ name, body string }{{"no JSON", "{"}, {"no question", "[]"}, {"no messages", `{"model":"up/m"}`}} {
		a := s.ask(planPath, c.body)
		if a.status != http.StatusBadRequest || a.header.Get("X-Starling-Receipt") != "none" {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
		wantEnvelope(t, planPath, a.body)
	}
	if n := calls.Load(); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestAPlanNeedsAKeyWhereThereAreKeys(t *testing.T) {
	s := newStand(t, standOptions{skills: testSkill("candidates: [up/m]\n"), keyed: true}, openAIUp(whole(wholeOpenAI)))
	if a := s.ask(planPath, chat("starling/test", false)); a.status != http.StatusOK {
		t.Errorf("with a key: %d %s", a.status, a.body)
	}
	s.key = ""
	if a := s.ask(planPath, chat("starling/test", false)); a.status != http.StatusUnauthorized {
		t.Errorf("without: %d %s", a.status, a.body)
	}
}

// TestAnObservingGatewaysPlanIsWhatItDoes: the reference answers, whatever the bar.
func TestAnObservingGatewaysPlanIsWhatItDoes(t *testing.T) {
	near := upstreamAt{name: "near", dialect: starling.OpenAI, zone: starling.Machine, handler: whole(wholeOpenAI)}
	s := newStand(t, standOptions{skills: testSkill("candidates: [near/m, up/m]\nreference: up/m\n"), observe: always()}, openAIUp(whole(wholeOpenAI)), near)
	a := s.ask(planPath, chat("starling/test", false), "X-Starling-Bar", "0.9")
	if plan := gjson.Get(a.body, "plan"); plan.Get("candidates.#.model.provider").Raw != `["up"]` || plan.Get("bar").Exists() {
		t.Errorf("%d %s", a.status, a.body)
	}
}
