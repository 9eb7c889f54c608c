package route_test

import (
	"strings"
	"testing"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/route"
)

// A case file of the skill "test" is empty, so it has no hash.
func board(r *route.Router, model string, change func(*evidence.Warrant), notes ...evidence.Note) *evidence.Board {
	s, _ := r.Skills.Find("test")
	m, _ := r.Directory.Find(model)
	w := &evidence.Warrant{
		ID: "war_1", Time: time.Now().Add(-time.Hour), Skill: "test", Rubric: s.Hash, Candidate: s.Unit(m), Model: m.ID(),
		Pass: 0.9, Confidence: 0.95, Asked: 100, Covered: 90, Passed: 89, Bound: 0.94, Expires: time.Now().Add(time.Hour),
	}
	b := evidence.NewBoard()
	if change != nil {
		change(w)
		b.Fold(evidence.Note{Warrant: w})
	}
	for _, n := range notes {
		if n.Outcome != nil {
			n.Outcome.Rubric, n.Outcome.Candidate = w.Rubric, w.Candidate
		}
		b.Fold(n)
	}
	return b
}

// graded are outcomes of cases, the first of them passes.
func graded(passes, n int) []evidence.Note {
	all := make([]evidence.Note, n)
	for i := range all {
		all[i].Outcome = &evidence.Outcome{Skill: "test", Case: string(rune('a' + i)), Source: evidence.FromCase}
		if i < passes {
			all[i].Outcome.Grade = 1
		}
	}
	return all
}

func TestWhoMayAnswerIsSaidByTheEvidence(t *testing.T) {
	const barred = ladder + "reference: cloud/limited\nbar: {pass: 0.9, confidence: 0.95}\n"
	as := func(*evidence.Warrant) {}
	revoked := evidence.Note{Revocation: &evidence.Revocation{Warrant: "war_1", Skill: "test", End: evidence.Dropped, Why: "of 40 answers that were audited 30 passed", Time: time.Now()}}
	for _, c := range []struct {
		name    string
		rubric  string
		student bool
		verify  bool
		change  func(*evidence.Warrant)
		notes   []evidence.Note
		small   string // what is said of it: its why, or "-" and why it is left out
	}{
		{"without a bar everybody may", ladder, false, false, nil, nil, "candidate 1, unverified"},
		{"an unproven candidate may not answer unverified", barred, false, false, nil, nil, "-no warrant covers it; starling rightsize test finds out whether it is good enough"},
		{"it may when verifiers judge", barred, false, true, nil, nil, "candidate 1, verified by label, not yet shown to be good enough"},
		{"unless the rubric says that it must climb", strings.Replace(barred, "0.95}", "0.95, unproven: climb}", 1), false, true, nil, nil, "-no warrant covers it"},
		{"a warrant lets it answer unseen", barred, false, false, as, nil, "candidate 1, unverified, warranted: 89 of 90 passed"},
		{"or verified", barred, false, true, as, nil, "candidate 1, verified by label, warranted: 89 of 90 passed"},
		{"one for verified answers covers no other", barred, false, false, func(w *evidence.Warrant) { w.Verified = true }, nil, "-no warrant covers it: the one that there is was for verified answers"},
		{"one of another rubric covers nothing", barred, false, false, func(w *evidence.Warrant) { w.Rubric = "ab" }, nil, "-no warrant covers it: the rubric has changed since"},
		{"nor one of other cases", barred, false, false, func(w *evidence.Warrant) { w.Cases = "ab" }, nil, "-no warrant covers it: the cases have changed since"},
		{"nor one that is over", barred, false, false, func(w *evidence.Warrant) { w.Expires = w.Time.Add(time.Minute) }, nil, "-no warrant covers it: it held until"},
		{"one to another reference covers nothing", barred, false, false, func(w *evidence.Warrant) { w.Pass, w.Margin, w.Reference = 0, 0.5, "ab" }, nil, "-no warrant covers it: the reference is another since"},
		{"one of another unit is not its own", barred, false, false, func(w *evidence.Warrant) { w.Candidate = "ab" }, nil, "-no warrant covers it;"},
		{"whose warrant was revoked may not answer, verified or not", barred, false, true, as, []evidence.Note{revoked}, "-its warrant was revoked: of 40 answers that were audited 30 passed"},
		{"whose requests have drifted is unproven, and no more", barred, false, true, as, []evidence.Note{{Revocation: &evidence.Revocation{Warrant: "war_1", Skill: "test", End: evidence.Drifted, Why: "few are accepted", Time: time.Now()}}}, "candidate 1, verified by label, not yet shown to be good enough"},
		{"and says why it may not answer unverified", barred, false, false, as, []evidence.Note{{Revocation: &evidence.Revocation{Warrant: "war_1", Skill: "test", End: evidence.Drifted, Why: "few are accepted", Time: time.Now()}}}, "-no warrant covers it: few are accepted;"},
		{"whose cases show that it is below the bar neither", barred, false, true, nil, graded(20, 30), "-its cases show that at most 80.7 % pass, and the bar is 90 %"},
		{"cases that may still show it are no reason", barred, false, true, nil, graded(27, 30), "candidate 1, verified by label, not yet shown to be good enough"},
		{"a student answers nothing without a warrant, not even without a bar", ladder, true, true, nil, nil, "-no warrant covers it; starling distill test finds out"},
		{"with one it does, from its threshold", barred, true, false, func(w *evidence.Warrant) { w.Threshold = 0.75 }, nil, "candidate 1, unverified, warranted: 89 of 90 passed from a confidence of 0.75"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := router(c.rubric)
			if c.student {
				m := at("here", "near")
				m.Student = true
				r.Directory = must(route.NewDirectory(append(fleet()[:7:7], m, at("there", "office")), map[string]string{"small": "here/near"}))
			}
			if c.verify {
				r.Verifiers = map[string][]starling.Verifier{"test": {accepting{"label"}}}
			}
			r.Board = board(r, "small", c.change, c.notes...)
			p, err := plan(r, asking("starling/test"), starling.Cloud)
			if err != nil {
				t.Fatal(err)
			}
			said, warrant, threshold := "", "", 0.0
			for _, l := range p.Left {
				if l.Model == "here/near" && l.Kind == starling.Unproven {
					said = "-" + l.Why
				}
			}
			if k := p.Candidates[0]; k.Model.ID() == "here/near" {
				said, warrant, threshold = k.Why, k.Warrant, k.Threshold
			}
			if !strings.HasPrefix(said, c.small) || said == "" {
				t.Errorf("%q, want %q", said, c.small)
			}
			if warranted := strings.Contains(said, "warranted"); warranted != (warrant == "war_1") || (threshold > 0) != strings.Contains(said, "from a confidence") {
				t.Errorf("%q names warrant %q and threshold %v", said, warrant, threshold)
			}
			if last := p.Candidates[len(p.Candidates)-1]; last.Model.ID() != "cloud/limited" || last.Unit == "" {
				t.Errorf("the last is %+v", last)
			}
		})
	}
}

func TestWhereNobodyIsProvenAndTheLastMayNotTheRefusalSaysSo(t *testing.T) {
	r := router("candidates: [small, gone]\nbar: {pass: 0.9, confidence: 0.95}\n")
	_, err := plan(r, asking("starling/test"), starling.Cloud)
	if starling.KindOf(err) != starling.Unproven || !strings.Contains(err.Error(), "starling rightsize test") {
		t.Errorf("got %v", err)
	}
}

func TestAPinNeedsNoEvidence(t *testing.T) {
	r := router(ladder + "bar: {pass: 0.9, confidence: 0.95}\n")
	req := asking("small")
	req.Skill = "test"
	p, err := plan(r, req, starling.Cloud)
	if err != nil || p.Candidates[0].Unit == "" || p.Candidates[0].Why != "pinned by the caller" {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestARubricsStudentIsItsOwn: the same word in two rubrics means two students.
func TestARubricsStudentIsItsOwn(t *testing.T) {
	const rubric = "candidates: [student, cloud/limited]\n"
	r := router(rubric)
	p, err := plan(r, asking("starling/test"), starling.Cloud)
	if err != nil || len(p.Candidates) != 1 || len(p.Left) != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	if l := p.Left[0]; l.Model != "student/test" || l.Kind != starling.NotFound || !strings.Contains(l.Why, "starling distill test makes one") {
		t.Errorf("without a student: %+v", l)
	}
	mine, other := at("student", "test"), at("student", "other")
	mine.Student, other.Student = true, true
	r.Directory = must(r.Directory.With([]starling.Model{other, mine}))
	r.Board = board(r, "student/test", func(w *evidence.Warrant) { w.Threshold = 0.75 })
	p, err = plan(r, asking("starling/test"), starling.Cloud)
	if err != nil || len(p.Candidates) != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	if c := p.Candidates[0]; c.Model.ID() != "student/test" || c.Threshold != 0.75 || c.Warrant != "war_1" {
		t.Errorf("%+v", c)
	}
}
