package rightsize

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
)

// A picky verifier rejects one text, and what is empty.
type picky struct{}

func (picky) Name() string { return "picky" }

func (picky) Verify(_ context.Context, _ *starling.Request, a *starling.Answer) (starling.Verdict, error) {
	if a.Text == "odd" || a.Text == "" {
		return starling.Verdict{Verifier: "picky", Why: "it is odd"}, nil
	}
	return starling.Verdict{Verifier: "picky", Accept: true}, nil
}

// A said is what a candidate answers to a case, drawn before anybody asks, so that
// the order in which workers come does not matter.
type said struct {
	text       string
	confidence float64
}

// drawn is a world whose answers are drawn, candidate by candidate and case by
// case.
func drawn(cases int, bar skill.Bar, seed uint64, draw ...func(r *rand.Rand) said) *world {
	w := newWorld(cases, bar, make([]func(int) bool, len(draw))...)
	w.Workers, w.Verifiers = cases/4, []starling.Verifier{picky{}}
	random := rand.New(rand.NewPCG(seed, 11))
	answers := map[string]said{}
	// Cases of their own in each world, or the same third would prepare in all.
	for i := range w.Cases {
		w.Cases[i].Input = fmt.Sprint(seed, " is it ", i)
		for j := range w.Candidates {
			answers[w.Candidates[j].Name+" "+w.Cases[i].ID] = draw[j](random)
		}
	}
	w.says = func(c Candidate, cs skill.Case) Answer {
		a := answers[c.Name+" "+cs.ID]
		return Answer{Text: a.text, Confidence: a.confidence, Cost: 1}
	}
	return w
}

func yes(r *rand.Rand, share float64) string {
	if r.Float64() < share {
		return "yes"
	}
	return "no"
}

// most is how many of 1,000 skills may have a false warrant at δ = 5 %: a binomial
// number of 1,000 with 0.05 is greater with a probability below 0.0001.
const most = 77

const skills = 1000

// many skips a test of very many runs where tests are to be short: the race detector
// makes it ten times slower, and a few runs show it the same.
func many(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes too long under the race detector")
	}
}

// TestBelowTheBarHasAWarrantAsRarelyAsPromised, over 1,000 skills each, whose true
// quality lies just below the bar. The bar is one of the answers that are seen.
func TestBelowTheBarHasAWarrantAsRarelyAsPromised(t *testing.T) {
	many(t)
	below := func(r *rand.Rand) said {
		if r.Float64() < 0.2 {
			return said{text: "odd"}
		}
		return said{text: yes(r, 0.899)}
	}
	wrong := 0
	for seed := range uint64(skills) {
		w := drawn(70, high, seed, below, below, below)
		ran(t, w)
		if len(w.warrants()) > 0 {
			wrong++
		}
	}
	if t.Logf("%d of %d skills have a warrant", wrong, skills); wrong > most {
		t.Errorf("more than %d", most)
	}
}

var near = skill.Bar{Margin: 0.1, Confidence: 0.95}

// withReference makes the last candidate the reference.
func (w *world) withReference() *world {
	w.Reference = w.Candidates[len(w.Candidates)-1]
	return w
}

// TestBelowTheMarginHasAWarrantAsRarelyAsPromised: the candidates are a bit more
// than the margin worse than the reference, which is none of them.
func TestBelowTheMarginHasAWarrantAsRarelyAsPromised(t *testing.T) {
	many(t)
	reference := func(r *rand.Rand) said { return said{text: yes(r, 0.95)} }
	below := func(r *rand.Rand) said {
		if r.Float64() < 0.1 {
			return said{text: "odd"}
		}
		return said{text: yes(r, 0.849)}
	}
	wrong := 0
	for seed := range uint64(skills) {
		w := drawn(70, near, seed, below, below, reference).withReference()
		w.Candidates = w.Candidates[:2]
		ran(t, w)
		if len(w.warrants()) > 0 {
			wrong++
		}
	}
	if t.Logf("%d of %d skills have a warrant", wrong, skills); wrong > most {
		t.Errorf("more than %d", most)
	}
}

// TestBelowTheBarAtEveryThresholdHasAWarrantAsRarelyAsPromised: how sure they are
// says nothing, so every threshold of every candidate is false.
func TestBelowTheBarAtEveryThresholdHasAWarrantAsRarelyAsPromised(t *testing.T) {
	many(t)
	below := func(r *rand.Rand) said {
		if r.Float64() < 0.1 {
			return said{"odd", r.Float64()}
		}
		return said{yes(r, 0.899), r.Float64()}
	}
	wrong := 0
	for seed := range uint64(skills) {
		w := drawn(100, high, seed, below, below)
		ran(t, w)
		if len(w.warrants()) > 0 {
			wrong++
		}
	}
	if t.Logf("%d of %d skills have a warrant", wrong, skills); wrong > most {
		t.Errorf("more than %d", most)
	}
}

// TestAThresholdIsTooLowAsRarelyAsPromised: of the answers that a candidate is sure
// of 99.5 % pass, which is shown nearly always, and of all 89.9 %. So a warrant is
// false if its threshold covers all, and each candidate comes that far.
func TestAThresholdIsTooLowAsRarelyAsPromised(t *testing.T) {
	many(t)
	sure := func(r *rand.Rand) said {
		if r.Float64() < 0.5 {
			return said{yes(r, 0.995), 0.9}
		}
		return said{yes(r, 0.803), 0.1}
	}
	wrong, some := 0, 0
	for seed := range uint64(skills) {
		w := drawn(150, high, seed, sure, sure)
		w.Verifiers = nil
		ran(t, w)
		bad := false
		for _, issued := range w.warrants() {
			bad = bad || issued.Threshold < 0.9
		}
		if len(w.warrants()) > 0 {
			some++
		}
		if bad {
			wrong++
		}
	}
	if t.Logf("%d of %d skills have a warrant, %d a false one", some, skills, wrong); wrong > most || some < skills*3/4 {
		t.Errorf("more than %d, or hardly any", most)
	}
}

// TestWhoIsGoodEnoughUsuallyHasAWarrant: what the promise costs.
func TestWhoIsGoodEnoughUsuallyHasAWarrant(t *testing.T) {
	many(t)
	sure := func(r *rand.Rand) said {
		c := r.Float64()
		return said{yes(r, min(1, 0.4+c)), c}
	}
	good := func(r *rand.Rand) said { return said{text: yes(r, 0.97)} }
	count, covered := 0, 0
	for seed := range uint64(100) {
		w := drawn(300, high, seed, sure, good, good)
		ran(t, w)
		for _, issued := range w.warrants() {
			if issued.Candidate == "id-c0" {
				count++
				covered += 100 * issued.Covered / issued.Asked
				if issued.Threshold <= 0.1 || issued.Asked < 150 || issued.Asked > 250 {
					t.Errorf("from %.2f on, of %d cases", issued.Threshold, issued.Asked)
				}
			}
		}
	}
	if t.Logf("%d of 100 have one, which covers %d %% on average", count, covered/max(1, count)); count < 75 {
		t.Error("too few")
	}
}

func TestAWarrantSaysWhatItRestsOn(t *testing.T) {
	w := newWorld(100, high, but(4), but(50), always)
	w.Skill.Cases = "cases-1"
	w.Verifiers = []starling.Verifier{picky{}}
	w.Candidates[1].SkipVerify = true
	w.plays = "c2" // nobody knew before it answered
	r := ran(t, w)
	if len(w.issued) != 2 || r.Lines[0].Warrant != "" || r.Lines[0].NoWarrant != r.Lines[0].Why || r.Lines[1].Warrant != "war_1" || r.Lines[2].Warrant != "war_2" {
		t.Fatalf("%d notes, %+v", len(w.issued), r.Lines)
	}
	middle, last := w.issued[0].Warrant, w.issued[1].Warrant
	if middle.Verified || middle.Simulated || middle.Covered != 100 || middle.Passed != 98 || middle.Bound != evidence.LowerBound(98, 100, 0.95) {
		t.Errorf("%+v", middle)
	}
	if !last.Verified || !last.Simulated || last.Asked != last.Passed || last.Asked >= 100 || last.Bound != evidence.LowerBound(last.Passed, 100, 0.95) {
		t.Errorf("%+v", last)
	}
	if middle.Skill != "triage" || middle.Rubric != "rubric-1" || middle.Cases != "cases-1" || middle.Model != "p/c1" || middle.Expires.Sub(middle.Time) != skill.DefaultValid {
		t.Errorf("%+v", middle)
	}
}

// TestARejectedAnswerCountsForNobody: nobody would see it. Who skips the verifiers
// is judged by all.
func TestARejectedAnswerCountsForNobody(t *testing.T) {
	half := func(r *rand.Rand) said {
		if r.Float64() < 0.5 {
			return said{text: "odd"}
		}
		return said{text: "yes"}
	}
	w := drawn(100, high, 1, half, half)
	w.Candidates[0].SkipVerify = true
	r := ran(t, w)
	if l := r.Lines[1]; !l.Shown || l.Rejected == 0 || l.Passes != l.Asked-l.Rejected || l.Covered != l.Passes || w.issued[0].Warrant.Covered != l.Passes {
		t.Errorf("%+v", l)
	}
	if l := r.Lines[0]; l.Shown || l.Rejected != 0 || l.Passes == l.Asked {
		t.Errorf("who skips them: %+v", l)
	}
	for _, o := range w.kept {
		if o.Rejected != (o.Grade == 0 && o.Candidate == "id-c1") || o.Digest == "" {
			t.Fatalf("%+v", o)
		}
	}
	none := drawn(40, high, 1, func(*rand.Rand) said { return said{text: "odd"} })
	if l := ran(t, none).Lines[0]; l.Shown || l.Why != "verifiers rejected all 40 answers" || l.Asked != 40 {
		t.Errorf("%+v", l)
	}
}

// TestStoppingEarlyChangesNoVerdict, whatever verifiers say: the verdict is the one
// that all cases would have given.
func TestStoppingEarlyChangesNoVerdict(t *testing.T) {
	early := 0
	for seed := range uint64(300) {
		share := 0.8 + 0.2*rand.New(rand.NewPCG(seed, 3)).Float64()
		draw := func(r *rand.Rand) said {
			if r.Float64() < 0.2 {
				return said{text: "odd"}
			}
			return said{text: yes(r, share)}
		}
		w := drawn(120, high, seed, draw, draw)
		w.Workers = 1
		passed, accepted := [2]int{}, [2]int{}
		for i, c := range w.Candidates {
			for _, cs := range w.Cases {
				switch w.says(c, cs).Text {
				case "yes":
					passed[i]++
					accepted[i]++
				case "no":
					accepted[i]++
				}
			}
		}
		r := ran(t, w)
		last := evidence.LowerBound(passed[1], accepted[1], 0.95) >= 0.9
		first := last && evidence.LowerBound(passed[0], accepted[0], 0.95) >= 0.9
		if r.Lines[1].Shown != last || r.Lines[0].Shown != first {
			t.Fatalf("seed %d: %+v, want %t and %t", seed, r.Lines, first, last)
		}
		if r.Lines[0].Asked+r.Lines[1].Asked < 240 {
			early++
		}
	}
	if early < 100 {
		t.Errorf("only %d of 300 stopped early", early)
	}
}

func TestAMarginComparesCaseByCase(t *testing.T) {
	// Two miss the same cases, the other one misses as many others.
	misses := func(from int) func(int) bool { return func(i int) bool { return i < from || i >= from+15 } }
	w := newWorld(200, skill.Bar{Margin: 0.05, Confidence: 0.95}, misses(50), misses(0), misses(0)).withReference()
	w.Skill.Rubric.Reference = "c2"
	r := ran(t, w)
	if shown(r) != "-++" || r.Choice != "c1" || r.Reference != "c2" {
		t.Fatalf("%s, %+v", shown(r), r.Lines)
	}
	issued := w.issued[0].Warrant
	if issued.Margin != 0.05 || issued.Pass != 0 || issued.Reference != "id-c2" || len(issued.Shown) != 200 || issued.Shown[0] != 0.5 || issued.Bound < 0.45 || issued.Covered != 200 {
		t.Errorf("%+v", issued)
	}
	if l := r.Lines[1]; l.Bound >= 0 || l.Bound < -0.05 || !strings.Contains(l.Why, "points worse than c2, at 95 % confidence") {
		t.Errorf("%+v", l)
	}
	if l := r.Lines[0]; l.Missing == 0 || l.Missing == evidence.Never || !strings.Contains(l.Why, "+0.0 points from c2 on 200 cases") {
		t.Errorf("%+v", l)
	}
	for _, text := range []string{"at most 5 points worse than those of c2 in the mean", "points worse than c2"} {
		if !strings.Contains(pageOf(t, r), text) {
			t.Errorf("the page does not say %q", text)
		}
	}
	if len(w.asked) != 600 {
		t.Errorf("%d questions", len(w.asked))
	}
}

// TestTheReferenceIsAskedFirstAndOnce, whether or not it is a candidate, or one
// that was not to be tried.
func TestTheReferenceIsAskedFirstAndOnce(t *testing.T) {
	for name, arrange := range map[string]func(w *world){
		"it is a candidate":              func(*world) {},
		"it is one that was not named":   func(w *world) { w.Candidates[1].Aside = true },
		"it is none of the candidates":   func(w *world) { w.Candidates = w.Candidates[:1] },
		"somebody else is the reference": func(w *world) { w.Reference.Name, w.Reference.ID = "other", "id-other"; w.quality["other"] = always },
	} {
		w := newWorld(100, near, always, always).withReference()
		arrange(w)
		progress := 0
		w.Progress = func(done, total int) {
			if progress = done; done > total {
				t.Errorf("%s: %d of %d", name, done, total)
			}
		}
		r := ran(t, w)
		if !strings.HasPrefix(w.asked[0], w.Reference.Name) || !r.Lines[0].Shown || progress != len(w.Asks())*100 {
			t.Errorf("%s: %s, %d of %d, %+v", name, w.asked[0], progress, len(w.Asks()), r.Lines)
		}
		once := map[string]bool{}
		for _, key := range w.asked {
			if once[key] {
				t.Errorf("%s: %s twice", name, key)
			}
			once[key] = true
		}
	}
}

// TestASecondRunIssuesNothingNew, unless more than half of the time is gone, or a
// person took the warrant back.
func TestASecondRunIssuesNothingNew(t *testing.T) {
	first := newWorld(60, high, always)
	ran(t, first)
	revoked := func(end evidence.End) func(w *world) {
		return func(w *world) {
			w.Board.Fold(evidence.Note{Revocation: &evidence.Revocation{Warrant: "war_1", End: end, Why: "audits said so"}})
		}
	}
	for name, c := range map[string]struct {
		arrange func(w *world)
		issued  int
		why     string
	}{
		"nothing has changed":      {func(*world) {}, 0, ""},
		"half of the time is gone": {func(w *world) { w.aged(skill.DefaultValid/2 + time.Hour) }, 1, ""},
		"a little of it is gone":   {func(w *world) { w.aged(skill.DefaultValid/2 - time.Hour) }, 0, ""},
		"the cases have changed":   {func(w *world) { w.Skill.Cases = "cases-2" }, 1, ""},
		"a person took it back":    {revoked(evidence.Withdrawn), 1, ""},
		"audits contradicted it":   {revoked(evidence.Dropped), 0, "war_1, on the same answers, was revoked: audits said so"},
	} {
		w := newWorld(60, high, always)
		w.kept, w.issued = first.kept, first.issued
		w.again()
		c.arrange(w)
		w.issued = nil
		r := ran(t, w)
		if l := r.Lines[0]; len(w.issued) != c.issued || l.NoWarrant != c.why || (l.Warrant == "") != (c.why != "") || !l.Shown || len(w.asked) > 0 {
			t.Errorf("%s: %d issued, %d asked, %+v", name, len(w.issued), len(w.asked), l)
		}
	}
}

// aged makes the board's warrant older than it is.
func (w *world) aged(by time.Duration) {
	old := *w.warrants()[0]
	old.Time, old.Expires = old.Time.Add(-by), old.Expires.Add(-by)
	w.Board = evidence.NewBoard()
	w.Board.Fold(evidence.Note{Warrant: &old})
}

func TestWhoDoesNotShowTheBarAnyMoreIsRevoked(t *testing.T) {
	w := newWorld(60, high, always, always)
	ran(t, w)
	for i := range w.Cases { // all are edited, and the cheap one knows none of them
		w.Cases[i].Input += ", really"
	}
	w.Skill.Cases = "cases-2"
	w.quality["c0"] = never
	w.again()
	w.issued, w.Issue = nil, nil
	if l := ran(t, w).Lines[0]; l.Revoked != "" || l.NoWarrant != "its warrant war_1 would be revoked, but for the dry run" {
		t.Errorf("a dry run: %+v", l)
	}
	w.Known, w.Issue = w.kept, w.issue
	r := ran(t, w)
	if len(w.issued) != 2 || w.issued[0].Revocation == nil || w.issued[1].Warrant == nil {
		t.Fatalf("%+v", w.issued)
	}
	rev := w.issued[0].Revocation
	if rev.End != evidence.BelowBar || rev.Warrant != "war_1" || rev.Candidate != "id-c0" || !strings.Contains(rev.Why, "% pass") || r.Lines[0].Revoked != "war_1" || r.Lines[0].Warrant != "" {
		t.Errorf("%+v, %+v", rev, r.Lines[0])
	}
	w.Board.Fold(evidence.Note{Revocation: rev})
	w.Known, w.issued = w.kept, nil
	if ran(t, w); len(w.warrants()) != len(w.issued) {
		t.Errorf("it was revoked twice: %+v", w.issued)
	}
}

// TestWhoseSaferOnesAreNotKnownHasNoWarrant: to try one alone is no way around the
// sequence.
func TestWhoseSaferOnesAreNotKnownHasNoWarrant(t *testing.T) {
	w := newWorld(60, high, always, always, always)
	aside := func(names ...int) {
		for i := range w.Candidates {
			w.Candidates[i].Aside = false
		}
		for _, i := range names {
			w.Candidates[i].Aside = true
		}
	}
	aside(1, 2)
	if r := ran(t, w); len(r.Lines) != 1 || r.Lines[0].Shown || r.Choice != "" || len(w.issued) > 0 || r.Lines[0].Why != "it would be shown, but c2, which is safer, was not" {
		t.Fatalf("alone: %+v", r)
	}
	w.again()
	aside(0, 1)
	if r := ran(t, w); len(w.issued) != 1 || !r.Lines[0].Shown {
		t.Fatalf("the safest alone: %+v", r)
	}
	w.again()
	aside(0, 2)
	if r := ran(t, w); len(w.issued) != 2 || !r.Lines[0].Shown || r.Lines[0].Name != "c1" {
		t.Fatalf("the next one: %+v", r)
	}
	w.again()
	aside(1, 2)
	asked := len(w.asked)
	if r := ran(t, w); len(w.issued) != 3 || !r.Lines[0].Shown || len(w.asked) != asked {
		t.Fatalf("the first one again: %+v", r)
	}
	w.Candidates[2].ID = "" // nobody offers it any more
	w.again()
	if r := ran(t, w); r.Lines[0].Shown || len(w.issued) != 3 {
		t.Fatalf("without the safest: %+v, %+v", r, w.issued)
	}
}

func TestARunThatIsBrokenOffIssuesNothing(t *testing.T) {
	w := newWorld(60, high, always, always)
	w.fails["c1 41"] = &starling.Error{Kind: starling.Overloaded, Op: "the upstream is busy"}
	if r, err := w.Run(context.Background()); err == nil || len(w.issued) > 0 || r.Lines[0].Warrant != "" {
		t.Errorf("%v, %+v", err, w.issued)
	}
	w = newWorld(60, high, always)
	full := errors.New("the disk is full")
	w.Issue = func(context.Context, ...evidence.Note) error { return full }
	if r, err := w.Run(context.Background()); !errors.Is(err, full) || r.Lines[0].Warrant != "" || !r.Lines[0].Shown {
		t.Errorf("%v, %+v", err, r)
	}
	w = newWorld(60, high, always)
	w.Issue = nil
	if l := ran(t, w).Lines[0]; l.Warrant != "" || l.NoWarrant == "" || !l.Shown {
		t.Errorf("a dry run: %+v", l)
	}
}

func TestAJudgeAloneCarriesNoWarrant(t *testing.T) {
	judge, label := skill.VerifySpec{Kind: "judge"}, skill.VerifySpec{Kind: "label"}
	for name, c := range map[string]struct {
		verify  []skill.VerifySpec
		grade   []string
		gold    skill.Gold
		refused bool
	}{
		"a judge grades all":        {[]skill.VerifySpec{judge}, []string{"verified"}, skill.Gold{Verified: true}, true},
		"two of them do":            {[]skill.VerifySpec{judge, judge}, []string{"verified"}, skill.Gold{Verified: true}, true},
		"it grades some cases":      {[]skill.VerifySpec{judge}, []string{"label", "verified"}, skill.Gold{Verified: true}, true},
		"it is one of several ways": {[]skill.VerifySpec{judge}, []string{"label", "verified"}, skill.Gold{Label: "yes", Verified: true}, false},
		"another verifier is there": {[]skill.VerifySpec{judge, label}, []string{"verified"}, skill.Gold{Verified: true}, false},
		"it only rejects":           {[]skill.VerifySpec{judge}, []string{"label"}, skill.Gold{Label: "yes"}, false},
	} {
		w := newWorld(60, high, always)
		w.Skill.Rubric.Verify, w.Skill.Rubric.Grade = c.verify, c.grade
		for i := range w.Cases {
			w.Cases[i].Gold = c.gold
		}
		_, err := w.Run(context.Background())
		if refused := starling.KindOf(err) == starling.Invalid; refused != c.refused || refused && len(w.asked) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEachPartOfTheTreeHasItsShareOfTheLevel: whoever comes behind a candidate with
// thresholds has half of it, and the same part of the cases.
func TestEachPartOfTheTreeHasItsShareOfTheLevel(t *testing.T) {
	plain := func(*rand.Rand) said { return said{text: "yes"} }
	sure := func(r *rand.Rand) said { return said{"yes", r.Float64()} }
	w := drawn(120, high, 1, sure, plain, sure, plain)
	r := ran(t, w)
	testing := 0
	for _, c := range w.Cases {
		if newRun(w.Trial).testing(c.ID) {
			testing++
		}
	}
	for i, want := range []struct {
		first, rest float64
		asked       int
	}{{0.975, 0.975, testing}, {0.975, 0.975, testing}, {0.95, 0.975, testing}, {0.95, 0.95, 120}} {
		v := r.verdicts[i]
		if many := i%2 == 0; len(v.tests) > 1 != many {
			t.Errorf("%d: %d hypotheses", i, len(v.tests))
		}
		for j, x := range v.tests {
			level := want.rest
			if j == 0 {
				level = want.first
			}
			if math.Abs(x.confidence-level) > 1e-12 || x.asked+x.left != want.asked {
				t.Errorf("%d, %d: confidence %v on %d cases, want %v on %d", i, j, x.confidence, x.asked+x.left, level, want.asked)
			}
			if j > 0 && x.threshold >= v.tests[j-1].threshold {
				t.Errorf("%d: %v behind %v", i, x.threshold, v.tests[j-1].threshold)
			}
		}
	}
	if testing < 65 || testing > 95 {
		t.Errorf("%d of 120 test", testing)
	}
}
