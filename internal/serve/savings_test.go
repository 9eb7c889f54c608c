package serve_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling/internal/ledger"
)

// TestSavingsAreSumsOverWhatACallerMaySee: a key's team, or its own, or all.
func TestSavingsAreSumsOverWhatACallerMaySee(t *testing.T) {
	s := newStand(t, standOptions{skills: testSkill("reference: up/m\ncandidates: [up/m]\n")}, openAIUp(whole(wholeOpenAI)))
	if a := s.get("/v1/savings"); a.status != http.StatusOK || gjson.Get(a.body, "lines").Raw != "[]" || gjson.Get(a.body, "of").Str != "all" {
		t.Errorf("of nothing: %d %s", a.status, a.body)
	}
	s.ask(chatPath, chat("up/m", false))
	team, _ := s.newKey(ledger.KeySpec{Name: "a", Team: "birds"})
	mate, _ := s.newKey(ledger.KeySpec{Name: "b", Team: "birds"})
	lone, id := s.newKey(ledger.KeySpec{Name: "c"})
	for _, key := range []string{team, mate, lone} {
		s.ask(chatPath, chat("starling/test", false), "Authorization", "Bearer "+key)
	}
	for _, c := range []struct{ key, query, of, lines string }{
		{team, "?by=skill&since=24h", "team birds", `["test",2,2,400000,400000,400000,0]`},
		{mate, "", "team birds", `["",2,2,400000,400000,400000,0]`},
		{lone, "?by=model", "key " + id, `["m",1,1,200000,200000,200000,0]`},
	} {
		a := s.get("/v1/savings"+c.query, "Authorization", "Bearer "+c.key)
		got := gjson.Get(a.body, "lines.0.[name,receipts,answered,cost_nanodollars,compared_nanodollars,reference_nanodollars,saved_nanodollars]").Raw
		if a.status != http.StatusOK || gjson.Get(a.body, "of").Str != c.of || got != c.lines || !gjson.Get(a.body, "saved_is_estimate").Bool() || gjson.Get(a.body, "lines.0.simulated").Int() != 0 {
			t.Errorf("%s %s: %d %s", c.of, c.query, a.status, a.body)
		}
		wantHeaders(t, a)
	}
	if a := s.get("/v1/savings?since=1ns", "Authorization", "Bearer "+lone); gjson.Get(a.body, "lines").Raw != "[]" {
		t.Errorf("of the last moment: %s", a.body)
	}
	if a := s.get("/v1/savings"); a.status != http.StatusUnauthorized {
		t.Errorf("without a key: %d", a.status)
	}
}

// TestSavingsOfNonsenseAreRefused: a sum over another time than was meant looks like any
// other.
func TestSavingsOfNonsenseAreRefused(t *testing.T) {
	s := newStand(t, standOptions{}, openAIUp(whole(wholeOpenAI)))
	for _, query := range []string{"by=moon", "by=", "by=outcome", "since=", "since=yesterday", "since=-1h", "since=0s", "since=24", "by=day&by=all", "since=1h&since=2h", "from=1h", "by=all;since=1h", "%zz"} {
		a := s.get("/v1/savings?" + query)
		if a.status != http.StatusBadRequest || !strings.Contains(gjson.Get(a.body, "error.message").Str, "savings: ") || gjson.Get(a.body, "error.code").Str != "invalid" {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
		wantHeaders(t, a)
	}
}
