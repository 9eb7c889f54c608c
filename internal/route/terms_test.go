package route_test

import (
	"errors"
	"strings"
	"testing"

	"starling"
	"starling/internal/evidence"
)

const barred = ladder + "reference: cloud/limited\nbar: {pass: 0.9, confidence: 0.95}\n"

// TestARequestsOwnBarLetsNobodyElseAnswer: beside who is trusted, those alone who were
// shown to reach it. Of 90 answers 89 passed, which shows 94.8 %.
func TestARequestsOwnBarLetsNobodyElseAnswer(t *testing.T) {
	as := func(*evidence.Warrant) {}
	for _, c := range []struct {
		name   string
		rubric string
		bar    float64
		verify bool
		change func(*evidence.Warrant)
		notes  []evidence.Note
		small  string  // what is said of it: its why, or "-" and why it is left out
		noted  float64 // on the plan
	}{
		{"one that the warrant shows is reached", barred, 0.94, false, as, nil, "candidate 1, unverified, warranted: 89 of 90 passed", 0.94},
		{"one above what it shows is not", barred, 0.95, false, as, nil, "-no warrant covers it: the one that there is shows that 94.8 % pass, and the caller asks for 95 %; starling rightsize test finds out", 0.95},
		{"nor by answers that are verified", barred, 0.95, true, as, nil, "-no warrant covers it: the one that there is shows", 0.95},
		{"who is unproven must climb, verified or not", barred, 0.91, true, nil, nil, "-no warrant covers it; starling rightsize test finds out", 0.91},
		{"a lower one than the rubric's changes nothing", barred, 0.5, true, nil, nil, "candidate 1, verified by label, not yet shown to be good enough", 0},
		{"nor does the same", barred, 0.9, true, nil, nil, "candidate 1, verified by label, not yet shown to be good enough", 0},
		{"none asks for nothing", barred, 0, true, nil, nil, "candidate 1, verified by label, not yet shown to be good enough", 0},
		{"a rubric without a bar has the caller's", ladder, 0.9, true, nil, nil, "-no warrant covers it;", 0.9},
		{"which a warrant may reach", ladder, 0.9, true, as, nil, "candidate 1, verified by label, warranted", 0.9},
		{"one with a margin to the reference has it too", strings.Replace(barred, "pass: 0.9", "margin: 0.1", 1), 0.9, true, nil, nil, "-no warrant covers it;", 0.9},
		{"cases speak against who cannot reach it", barred, 0.99, true, nil, graded(27, 30), "-its cases show that at most 97.2 % pass, and the bar is 99 %", 0.99},
		{"and against nobody where they say too little", barred, 0.95, true, nil, graded(27, 30), "-no warrant covers it;", 0.95},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := router(c.rubric)
			if c.verify {
				r.Verifiers = map[string][]starling.Verifier{"test": {accepting{"label"}}}
			}
			r.Board = board(r, "small", c.change, c.notes...)
			req := asking("starling/test")
			req.Bar = c.bar
			p, err := plan(r, req, starling.Cloud)
			if err != nil {
				t.Fatal(err)
			}
			said := ""
			for _, l := range p.Left {
				if l.Model == "here/near" && l.Kind == starling.Unproven {
					said = "-" + l.Why
				}
			}
			if k := p.Candidates[0]; k.Model.ID() == "here/near" {
				said = k.Why
			}
			if !strings.HasPrefix(said, c.small) || said == "" || p.Bar != c.noted {
				t.Errorf("%q with a bar of %v, want %q and %v", said, p.Bar, c.small, c.noted)
			}
			if last := p.Candidates[len(p.Candidates)-1]; last.Model.ID() != "cloud/limited" {
				t.Errorf("the last, who is trusted, is %s", last.Model.ID())
			}
		})
	}
}

// TestTheReferenceNeedsNoProofForABar, wherever it stands, and nor does the last.
func TestTheReferenceNeedsNoProofForABar(t *testing.T) {
	req := asking("starling/test")
	req.Bar = 1
	p := must(plan(router("candidates: [small, cloud/limited, there/office]\nreference: cloud/limited\n"), req, starling.Cloud))
	if ids(p) != "cloud/limited there/office" || left(p) != "here/near unproven" {
		t.Errorf("%s, without %s", ids(p), left(p))
	}
}

// TestABarThatLeavesNobodyIsUnproven: the last of the ladder is trusted only if it is there.
func TestABarThatLeavesNobodyIsUnproven(t *testing.T) {
	req := asking("starling/test")
	req.Bar = 0.99
	if p, err := plan(router(ladder), req, starling.Office); starling.KindOf(err) != starling.Forbidden || p.Bar != 0.99 {
		t.Errorf("%v, %+v", err, p)
	}
	if p, err := plan(router("candidates: [small, gone]\n"), req, starling.Cloud); starling.KindOf(err) != starling.Unproven || len(p.Candidates) > 0 {
		t.Errorf("%v, %+v", err, p)
	}
}

// TestARefusalForSeveralReasonsCountsThem: who only heard that somebody is too far away would
// look for a nearer one, which nobody has shown to be good enough.
func TestARefusalForSeveralReasonsCountsThem(t *testing.T) {
	for _, c := range []struct {
		name, rubric string
		bar          float64
		furthest     starling.Zone
		op           string
	}{
		{"too far, and not shown", "candidates: [small, cloud/limited]\n", 0.99, starling.Office, "no model may answer this request: 1 too far away for the data, 1 not shown to be good enough"},
		{"not shown, and not there", "candidates: [small, gone]\n", 0.99, starling.Cloud, "no model may answer this request: 1 not shown to be good enough, 1 not there"},
		{"too far alone", "candidates: [cloud/limited]\n", 0, starling.Office, "no model may answer this request"},
	} {
		req := asking("starling/test")
		req.Bar = c.bar
		_, err := plan(router(c.rubric), req, c.furthest)
		if e, ok := errors.AsType[*starling.Error](err); !ok || e.Op != c.op {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestABarNeedsASkillAndGoesWithNoNamedModel(t *testing.T) {
	for _, c := range []struct {
		name, model, skill, standard string
		op                           string
	}{
		{"no skill", "starling/auto", "", "", "a bar without a skill"},
		{"none, and somebody who answers then", "starling/auto", "", "small", "a bar without a skill"},
		{"a model", "small", "", "", "a bar without a skill"},
		{"a model in a skill", "small", "test", "", "a model and a bar"},
	} {
		r := router(barred)
		r.Default = c.standard
		req := asking(c.model)
		req.Skill, req.Bar = c.skill, 0.5
		p, err := plan(r, req, starling.Cloud)
		if starling.KindOf(err) != starling.Invalid || !strings.HasPrefix(err.Error(), c.op) || len(p.Candidates) > 0 {
			t.Errorf("%s: %v, %+v", c.name, err, p)
		}
	}
}

func TestTheLowerOfTwoBudgetsHolds(t *testing.T) {
	const nothing, much = starling.Money(1), starling.Dollar
	for _, c := range []struct {
		name, rubric, model string
		budget              starling.Money
		limit               starling.Money
		says                string // of who may cost more, "" if nobody is left out
	}{
		{"the caller's alone", ladder, "starling/test", nothing, nothing, "the caller allows $0.000000001 a request"},
		{"the caller's below the skill's", ladder + "budget: {request: $1}\n", "starling/test", nothing, nothing, "the caller allows"},
		{"the skill's below the caller's", ladder + "budget: {request: $0.000000001}\n", "starling/test", much, nothing, "the skill allows"},
		{"the skill's alone", ladder + "budget: {request: $0.000000001}\n", "starling/test", 0, nothing, "the skill allows"},
		{"one that is enough", ladder, "starling/test", much, much, ""},
		{"of who names a model", ladder, "small", nothing, nothing, "the caller allows"},
		{"none", ladder, "starling/test", 0, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := asking(c.model)
			req.Budget = c.budget
			p, err := plan(router(c.rubric), req, starling.Cloud)
			if p.Limit != c.limit || (err != nil) != (c.says != "") {
				t.Fatalf("limit %s, %v", p.Limit, err)
			}
			if err != nil && (starling.KindOf(err) != starling.OverBudget || !strings.Contains(p.Left[0].Why, c.says)) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

// TestAuditsAreNotUnderTheCallersTerms: these were for the answer.
func TestAuditsAreNotUnderTheCallersTerms(t *testing.T) {
	r := router(barred + "budget: {request: $1}\n")
	s, _ := r.Skills.Find("test")
	req := asking("starling/test")
	req.Budget, req.Bar = 1, 0.99
	p, err := r.Audit(req, starling.Screen{Furthest: starling.Cloud}, s, "rcp_1")
	if err != nil || ids(p) != "cloud/limited" || p.Limit != starling.Dollar || p.Bar != 0 {
		t.Errorf("%v, %+v", err, p)
	}
}

// TestABarKeepsNobodyFromAnsweringWhereItIsOnlyObserved, and is in what would have been
// done. A budget holds as every cap does.
func TestABarKeepsNobodyFromAnsweringWhereItIsOnlyObserved(t *testing.T) {
	r := router(barred)
	s, _ := r.Skills.Find("test")
	screen := starling.Screen{Furthest: starling.Cloud}
	for model, who := range map[string]string{"starling/test": "cloud/limited", "small": "here/near"} {
		req := asking(model)
		req.Bar = 0.99
		p, err := r.Observe(req, screen, s)
		if err != nil || ids(p) != who || p.Bar != 0 || req.Bar != 0.99 {
			t.Errorf("%s: %v, %+v", model, err, p)
		}
		if would := must(r.Would(req, screen, s)); would.Bar != 0.99 || ids(would) != "cloud/limited" {
			t.Errorf("%s: it would be %+v", model, would)
		}
		req.Budget = 1
		if p, err := r.Observe(req, screen, s); starling.KindOf(err) != starling.OverBudget || len(p.Candidates) > 0 {
			t.Errorf("%s: %v, %+v", model, err, p)
		}
	}
}
