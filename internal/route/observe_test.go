package route_test

import (
	"testing"

	"starling"
)

// TestNothingIsChosenWhereItIsOnlyObserved: the reference answers, else the last
// candidate, and nobody where the rubric refuses.
func TestNothingIsChosenWhereItIsOnlyObserved(t *testing.T) {
	for _, c := range []struct {
		name, rubric, model string
		furthest            starling.Zone
		who                 string
		left                int
		kind                starling.Kind
	}{
		{"a skill", "reference: limited\ncandidates: [small, office]\nverify: [{kind: label, values: [a]}]\n", "starling/test", starling.Cloud, "cloud/limited", 0, ""},
		{"a reference that may not be asked", "reference: limited\ncandidates: [small, office]\n", "starling/test", starling.Office, "there/office", 1, ""},
		{"none that may", "reference: limited\ncandidates: [small, office]\n", "starling/test", starling.Machine, "", 2, starling.Forbidden},
		{"no reference", "candidates: [office, small]\n", "starling/test", starling.Cloud, "here/near", 0, ""},
		{"a student is nobody's model of today", "candidates: [small, student]\n", "starling/test", starling.Cloud, "here/near", 0, ""},
		{"a student alone", "candidates: [student]\n", "starling/test", starling.Cloud, "", 0, starling.NotFound},
		{"a rule that chooses", "candidates: [small, office]\nrules: [{when: 'true', candidates: [office, small], why: w}]\n", "starling/test", starling.Cloud, "here/near", 0, ""},
		{"a rule that refuses", "reference: limited\ncandidates: [small]\nrules: [{when: 'true', refuse: true, why: w}]\n", "starling/test", starling.Cloud, "", 0, starling.Forbidden},
		{"a pin", "reference: limited\ncandidates: [small]\n", "office", starling.Cloud, "there/office", 0, ""},
		{"what the skill allows a request", "reference: limited\ncandidates: [small]\nbudget: {request: $0.000001}\n", "starling/test", starling.Cloud, "", 2, starling.OverBudget},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := router(c.rubric)
			s, _ := r.Skills.Find("test")
			req := &starling.Request{Model: c.model, Body: make([]byte, 400), MaxTokens: 100}
			plan, err := r.Observe(req, starling.Screen{Furthest: c.furthest}, s)
			who := ""
			if len(plan.Candidates) > 0 {
				who = plan.Candidates[0].Model.ID()
			}
			if who != c.who || len(plan.Candidates) > 1 || starling.KindOf(err) != c.kind || len(plan.Left) != c.left || plan.Skill != "test" || plan.Rubric != s.Hash || plan.Rule == "" {
				t.Fatalf("%v, %+v", err, plan)
			}
			if who != "" && (plan.Candidates[0].Held() || plan.Pinned != (c.model == "office")) {
				t.Errorf("%+v", plan)
			}
		})
	}
}

// TestAShadowIsJudgedAsItsCandidateWouldHaveBeen, and whoever is last would have been
// waited for.
func TestAShadowIsJudgedAsItsCandidateWouldHaveBeen(t *testing.T) {
	r := router("reference: limited\ncandidates: [small, office]\nlatency: 1s\n")
	r.Verifiers = map[string][]starling.Verifier{"test": {accepting{"label"}}}
	s, _ := r.Skills.Find("test")
	req := &starling.Request{Model: "limited", Body: make([]byte, 400), MaxTokens: 100}
	screen := starling.Screen{Furthest: starling.Office}
	would := must(r.Would(req, screen, s))
	for i, model := range []string{"here/near", "there/office"} {
		plan := must(r.Shadow(req, screen, s, model, "rcp_1"))
		if len(plan.Candidates) != 1 || plan.Candidates[0].Model.ID() != model || !plan.Candidates[0].Held() || plan.Rule != "shadow of rcp_1" || plan.Expected != would.Candidates[i].Expected || (plan.Patience > 0) != (i == 0) {
			t.Errorf("%+v", plan)
		}
	}
	for model, kind := range map[string]starling.Kind{"cloud/limited": starling.Unproven} {
		if plan, err := r.Shadow(req, screen, s, model, "rcp_1"); starling.KindOf(err) != kind || len(plan.Candidates) > 0 {
			t.Errorf("%v, %+v", err, plan)
		}
	}
	if plan, err := r.Shadow(req, starling.Screen{}, s, "here/near", "rcp_1"); starling.KindOf(err) != starling.Forbidden || len(plan.Candidates) > 0 {
		t.Errorf("%v, %+v", err, plan)
	}
}
