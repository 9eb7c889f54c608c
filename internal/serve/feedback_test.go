package serve_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/corpus"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/serve"
)

func (s *stand) outcomes() (all []evidence.Outcome) {
	s.t.Helper()
	for o, err := range s.ledger.Outcomes(context.Background(), "", "") {
		all = append(all, *must(o, err))
	}
	return all
}

func (s *stand) feedback(text string, header ...string) answer {
	s.t.Helper()
	req := must(http.NewRequest(http.MethodPost, s.url+"/v1/feedback", strings.NewReader(text)))
	return s.do(req, header...)
}

func TestFeedbackBecomesAnOutcomeOfWhoeverAnswered(t *testing.T) {
	var kept []corpus.Text
	keep := func(_ context.Context, some ...corpus.Text) error { kept = append(kept, some...); return nil }
	s := newStand(t, standOptions{skills: testSkill("candidates: [up/m]\nprompt: Sort.\n"), serve: serve.Options{Keep: keep}}, answering())
	rated := s.ask(chatPath, chat("starling/test", false))
	id := rated.header.Get("X-Starling-Receipt")
	for i, c := range []struct {
		says  string
		grade float64
	}{
		{`"rating":"up"`, 1}, {`"rating":"down"`, 0}, {`"grade":0.25`, 0.25}, {`"correction":"other","input":"hello","consent":true`, 0}, {`"grade":0.5,"correction":"more","input":"hello","consent":true`, 0.5},
	} {
		a := s.feedback(fmt.Sprintf(`{"receipt":%q,%s}`, id, c.says))
		if a.status != 200 || gjson.Get(a.body, "grade").Num != c.grade || gjson.Get(a.body, "correction_kept").Bool() != strings.Contains(c.says, "correction") {
			t.Errorf("%s: %d %s", c.says, a.status, a.body)
		}
		wantHeaders(t, a)
		o := s.outcomes()[i]
		if o.ID != gjson.Get(a.body, "outcome").Str || o.Grade != c.grade || o.Source != evidence.FromFeedback || o.Skill != "test" || o.Model != "up/m" ||
			len(o.Candidate) != 32 || o.Receipt != id || o.Rubric == "" || !strings.HasPrefix(o.Case, "mac ") {
			t.Errorf("%+v", o)
		}
	}
	if len(kept) != 2 || kept[0].Input != "hello" || kept[0].Answer != "other" || kept[0].Skill != "test" || kept[1].Answer != "more" {
		t.Errorf("kept %+v", kept)
	}
	report := must(s.ledger.Verify(context.Background(), ledger.Audit{}))
	if !report.OK() || report.Notes != 5 {
		t.Errorf("%+v", report)
	}
}

func TestFeedbackThatMakesNoSenseIsRefusedAndNothingIsKept(t *testing.T) {
	failing := errors.New("the disk is full")
	s := newStand(t, standOptions{skills: testSkill("candidates: [up/m]\n"), serve: serve.Options{Keep: func(context.Context, ...corpus.Text) error {
		return &starling.Error{Kind: starling.Internal, Op: "corpus", Err: failing}
	}}}, answering())
	id := s.ask(chatPath, chat("starling/test", false)).header.Get("X-Starling-Receipt")
	pinned := s.ask(chatPath, chat("up/m", false)).header.Get("X-Starling-Receipt")
	refused := s.ask(chatPath, chat("nobody", false)).header.Get("X-Starling-Receipt")
	for _, c := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"no JSON", `{`, 400, "one JSON object"},
		{"two objects", `{"receipt":"` + id + `","rating":"up"}{}`, 400, "one JSON object"},
		{"an unknown field", `{"receipt":"` + id + `","rating":"up","stars":5}`, 400, "known fields"},
		{"no receipt", `{"rating":"up"}`, 400, "names no receipt"},
		{"no rating", `{"receipt":"` + id + `"}`, 400, "neither up nor down"},
		{"another rating", `{"receipt":"` + id + `","rating":"meh"}`, 400, "neither up nor down"},
		{"two ratings", `{"receipt":"` + id + `","rating":"up","grade":1}`, 400, "a rating and a grade"},
		{"more than right", `{"receipt":"` + id + `","grade":1.5}`, 400, "from 0 to 1"},
		{"a correction without consent", `{"receipt":"` + id + `","correction":"x","input":"y"}`, 400, "with consent"},
		{"a correction of nothing", `{"receipt":"` + id + `","correction":"x","consent":true}`, 400, "the input that it is for"},
		{"a receipt that is not there", `{"receipt":"rcp_x","rating":"up"}`, 404, "no receipt"},
		{"a pin", `{"receipt":"` + pinned + `","rating":"up"}`, 400, "not of an answer in a skill"},
		{"a refusal", `{"receipt":"` + refused + `","rating":"up"}`, 400, "not of an answer in a skill"},
		{"too much", `{"receipt":"` + id + `","correction":"` + strings.Repeat("x", 5<<20) + `"}`, 413, "4 MiB"},
	} {
		a := s.feedback(c.body)
		if a.status != c.status || !strings.Contains(a.body, c.says) {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
		wantHeaders(t, a)
	}
	if n := len(s.outcomes()); n != 0 {
		t.Errorf("%d outcomes were kept", n)
	}
	if a := s.feedback(`{"receipt":"` + id + `","correction":"x","input":"y","consent":true}`); a.status != 500 || strings.Contains(a.body, `"correction_kept":true`) {
		t.Errorf("what could not be kept: %d %s", a.status, a.body)
	}
}

// TestFeedbackIsOfAnswersThatOneMaySee, and of a skill as it still is.
func TestFeedbackIsOfAnswersThatOneMaySee(t *testing.T) {
	s := newStand(t, standOptions{keyed: true, skills: testSkill("candidates: [up/m]\n")}, answering())
	id := s.ask(chatPath, chat("starling/test", false)).header.Get("X-Starling-Receipt")
	mine := s.key
	s.key = ""
	if a := s.feedback(`{"receipt":"` + id + `","rating":"up"}`); a.status != 401 {
		t.Errorf("without a key: %d", a.status)
	}
	s.key, _ = s.newKey(ledger.KeySpec{Name: "a stranger's"})
	if a := s.feedback(`{"receipt":"` + id + `","rating":"up"}`); a.status != 404 {
		t.Errorf("a stranger: %d %s", a.status, a.body)
	}
	s.key = mine
	changed := newStand(t, standOptions{skills: testSkill("candidates: [up/m]\nprompt: Another.\n")}, answering())
	s.server.Swap(changed.cascade)
	if a := s.feedback(`{"receipt":"` + id + `","rating":"up"}`); a.status != 400 || !strings.Contains(a.body, "has changed since") {
		t.Errorf("of another rubric: %d %s", a.status, a.body)
	}
	if n := len(s.outcomes()); n != 0 {
		t.Errorf("%d outcomes were kept", n)
	}
}
