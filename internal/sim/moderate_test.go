package sim_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/sim"
)

// moderate asks for a moderation without a network.
func moderate(s *sim.Server, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r, _ := http.NewRequestWithContext(context.Background(), "POST", "/v1/moderations", strings.NewReader(body))
	s.ServeHTTP(w, r)
	return w
}

func TestAModerationTellsOfEachTextWhetherItIsViolent(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "omni-moderation-latest"}, {Name: "other"}}})
	for body, want := range map[string]string{
		`{"input":"I will KILL them!"}`:            "true",
		`{"input":["a skill","kill"]}`:             "false true",
		`{"model":"other","input":"good morning"}`: "false",
		`{"input":[{"type":"text","text":"stab"},{"type":"image_url","image_url":{"url":"https://e.example/a.png"}}]}`: "true",
	} {
		r := gjson.Parse(moderate(s, body).Body.String())
		var got []string
		for _, m := range r.Get("results").Array() {
			got = append(got, m.Get("flagged").Raw)
			if m.Get("categories.violence").Bool() != m.Get("flagged").Bool() || len(m.Get("category_scores").Map()) != 13 {
				t.Error(m.Raw)
			}
		}
		if strings.Join(got, " ") != want || !r.Get("simulated").Bool() || !strings.HasPrefix(r.Get("id").Str, "sim-") || r.Get("model").Str == "" {
			t.Errorf("%s: %s", body, r.Raw)
		}
	}
	if c := s.Tally().Models["omni-moderation-latest"]; c.Answered != 3 || c.Cost != 0 {
		t.Errorf("%+v", c)
	}
}

func TestWhatCannotBeModeratedIsRefused(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "m"}, {Name: "claude", Dialect: starling.Anthropic}, {Name: "down", Failure: sim.Failure{Error500: 1}}}})
	for body, want := range map[string]int{
		`{}`:                             400,
		`{"input":[]}`:                   400,
		`{"input":7}`:                    400,
		`{"input":[{"type":"file"}]}`:    400,
		`{"model":"nobody","input":"x"}`: 404,
		`{"model":"claude","input":"x"}`: 404,
		`{"model":"down","input":"x"}`:   500,
	} {
		if w := moderate(s, body); w.Code != want || !gjson.Get(w.Body.String(), "error.message").Exists() {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}
