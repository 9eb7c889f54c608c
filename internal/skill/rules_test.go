package skill

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"starling"
)

func skillOf(t testing.TB, rubric string) *Skill {
	t.Helper()
	s, err := Load(one(rubric), "it")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheFirstRuleThatHoldsDecides(t *testing.T) {
	s := skillOf(t, minimal+`rules:
  - when: class == "restricted" || request.images > 0
    refuse: true
    why: no such data here
  - when: request.input_bytes > 2e4 && !request.stream
    candidates: [premium]
    why: long
  - when: request.team in ["legal", "board"] || request.key.startsWith("key_vip") || request.model == "starling/it" && request.tools
    candidates: [{model: premium, skip_verify: true}, small]
    why: important
  - when: request.hour >= 22 || request.max_tokens > 4000
    candidates: [small]
    why: late or long
`)
	small, premium := Candidate{Model: "small"}, Candidate{Model: "premium"}
	noon, late := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), time.Date(2026, 1, 1, 18, 0, 0, 0, time.FixedZone("", -5*3600))
	for _, c := range []struct {
		name  string
		facts Facts
		want  Decision
	}{
		{"none holds", Facts{Now: noon}, Decision{Candidates: []Candidate{small, premium}}},
		{"a class", Facts{Now: noon, Class: "restricted", InputBytes: 30_000}, Decision{Refuse: true, Why: "no such data here"}},
		{"images", Facts{Now: noon, Images: 1}, Decision{Refuse: true, Why: "no such data here"}},
		{"length", Facts{Now: noon, InputBytes: 20_001}, Decision{Candidates: []Candidate{premium}, Why: "long"}},
		{"length, streamed", Facts{Now: noon, InputBytes: 20_001, Stream: true}, Decision{Candidates: []Candidate{small, premium}}},
		{"a team", Facts{Now: noon, Team: "legal"}, Decision{Candidates: []Candidate{{Model: "premium", SkipVerify: true}, small}, Why: "important"}},
		{"a key", Facts{Now: noon, Key: "key_vip_1"}, Decision{Candidates: []Candidate{{Model: "premium", SkipVerify: true}, small}, Why: "important"}},
		{"a model with tools", Facts{Now: noon, Model: "starling/it", Tools: true}, Decision{Candidates: []Candidate{{Model: "premium", SkipVerify: true}, small}, Why: "important"}},
		{"the hour in UTC", Facts{Now: late}, Decision{Candidates: []Candidate{small}, Why: "late or long"}},
		{"tokens", Facts{Now: noon, MaxTokens: 4001}, Decision{Candidates: []Candidate{small}, Why: "late or long"}},
	} {
		got, err := s.Decide(c.facts)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestWithoutATimeItIsNow(t *testing.T) {
	s := skillOf(t, minimal+"rules: [{when: request.hour == 5, refuse: true, why: it is five}]\n")
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(5*time.Hour + 30*time.Minute) // a bubble begins at midnight UTC
		if d, err := s.Decide(Facts{}); err != nil || !d.Refuse {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

func TestAConditionThatFailsIsAnError(t *testing.T) {
	s := skillOf(t, minimal+"rules: [{when: 1 / request.images > 0, refuse: true, why: x}]\n")
	_, err := s.Decide(Facts{})
	if starling.KindOf(err) != starling.Internal || !strings.Contains(err.Error(), "skill it: rule 1: division by zero") {
		t.Errorf("%v", err)
	}
}

func TestALongFactCostsNoMoreThanAShortOne(t *testing.T) {
	s := skillOf(t, minimal+`rules: [{when: 'request.model.matches("(a+)+$") || request.model.contains(request.team)', refuse: true, why: x}]`+"\n")
	hostile := strings.Repeat("a", 1<<20) + "b"
	if _, err := s.Decide(Facts{Model: hostile, Team: hostile, Key: hostile}); err != nil {
		t.Error(err)
	}
}

func BenchmarkDecide(b *testing.B) {
	s := skillOf(b, minimal+"rules: [{when: request.input_bytes > 20000, candidates: [premium], why: long}]\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Decide(Facts{InputBytes: 7}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for name, rubric := range map[string]string{"without rules": minimal, "in full": full} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := LoadAll(one(rubric)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
