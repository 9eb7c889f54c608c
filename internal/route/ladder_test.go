package route_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"starling"
	"starling/internal/evidence"
	"starling/internal/route"
)

// TestALadderSaysWhatAPlanWould: of every candidate, as far as that does not depend on
// the request, in the same words.
func TestALadderSaysWhatAPlanWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rubric := rapid.SampledFrom([]string{"", "bar: {pass: 0.9, confidence: 0.95}\n", "bar: {pass: 0.9, confidence: 0.95, unproven: climb}\n"}).Draw(t, "bar") +
			rapid.SampledFrom([]string{"", "reference: there/office\n", "reference: cloud/limited\n"}).Draw(t, "reference") +
			"candidates: [small, {model: there/office, skip_verify: true}, cloud/unpriced, gone, also-small, cloud/limited]\n"
		r := router(rubric)
		if rapid.Bool().Draw(t, "verified") {
			r.Verifiers = map[string][]starling.Verifier{"test": {accepting{"label"}}}
		}
		switch passes := rapid.IntRange(-1, 20).Draw(t, "passes"); {
		case passes < 0:
			r.Board = board(r, "small", func(*evidence.Warrant) {})
		default:
			r.Board = board(r, "small", nil, graded(passes, 20)...)
		}
		s, _ := r.Skills.Find("test")
		screen := starling.Screen{Class: "some", Furthest: rapid.SampledFrom([]starling.Zone{starling.Machine, starling.Office, starling.Cloud}).Draw(t, "furthest")}
		p, _ := r.Plan(asking("starling/test"), screen, s)
		for _, rung := range r.Ladder(s, screen) {
			i := slices.IndexFunc(p.Candidates, func(c starling.Candidate) bool { return c.Model.ID() == rung.Model })
			if rung.SameAs != "" {
				continue
			}
			if (i >= 0) != (rung.Against == "") {
				t.Fatalf("the plan has %s: %t, and the ladder says %q", rung.Name, i >= 0, rung.Against)
			}
			if i < 0 {
				if !slices.ContainsFunc(p.Left, func(l starling.Left) bool { return l.Why == rung.Against && l.Kind == rung.Kind }) {
					t.Fatalf("%s is out as %s: %q, and the plan says %v", rung.Name, rung.Kind, rung.Against, p.Left)
				}
				continue
			}
			c := p.Candidates[i]
			if !slices.Equal(c.Verify, rung.Verify) || c.Probability != rung.Probability || c.Basis != rung.Basis || !strings.Contains(c.Why, rung.Why) || (c.Warrant != "") != rung.Covers {
				t.Fatalf("the plan has %+v, the ladder %+v", c, rung)
			}
		}
	})
}

func TestALadderHasWhatOnlyARuleHas(t *testing.T) {
	r := router(ladder + "reference: cloud/limited\nbar: {pass: 0.9, confidence: 0.95}\nrules: [{when: request.stream, candidates: [cloud/free, {model: small, skip_verify: true}], why: w}, {when: request.tools, candidates: [there/office, small], why: w}]\n")
	s, _ := r.Skills.Find("test")
	rungs := r.Ladder(s, starling.Screen{Furthest: starling.Cloud})
	var all []string
	for _, rung := range rungs {
		all = append(all, rung.Name)
	}
	if got := strings.Join(all, " "); got != "small there/office cloud/limited cloud/free small" || rungs[3].Rule != 1 || rungs[2].Rule != 0 {
		t.Errorf("the ladder is %s", got)
	}
	for i, want := range [][]int{{3, 4}, {1, 0}} {
		if got := route.Rungs(s, s.Rubric.Rules[i].Candidates); !slices.Equal(got, want) {
			t.Errorf("those of rule %d stand at %v, want %v", i+1, got, want)
		}
	}
	if last := rungs[4]; last.Against != "" || last.Trusted == "" || last.Otherwise == "" {
		t.Errorf("the last of a rule is %+v", last)
	}
	if byCost, why := r.Orders(s); byCost || why == "" {
		t.Errorf("ordered by cost: %t, %q", byCost, why)
	}
}
