package distill

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"starling"
	"starling/internal/corpus"
	"starling/internal/evidence"
	"starling/internal/sim"
	"starling/internal/skill"
	"starling/internal/student"
	"starling/internal/verify"
	"starling/skills"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shop is the course of the pack support-intent with n texts of a made-up shop.
func shop(t testing.TB, seed uint64, n int) *Course {
	t.Helper()
	s, err := skill.Load(skills.Packs, "support-intent")
	if err != nil {
		t.Fatal(err)
	}
	c := &Course{Skill: s}
	if c.Verifiers, err = verify.ForSkill(s); err != nil {
		t.Fatal(err)
	}
	open := sim.NewShop(seed)
	for range n {
		m := open.Next()
		c.Texts = append(c.Texts, corpus.Text{Skill: s.Name, Input: m.Input, Answer: m.Answer})
	}
	for range 84 { // of the same shop: the pack's own are of nobody's
		m := open.Next()
		c.Cases = append(c.Cases, skill.Case{ID: fmt.Sprint("c", len(c.Cases)), Input: m.Input, Answer: m.Answer, Gold: skill.Gold{Label: m.Answer}, Wrong: m.Wrong})
	}
	return c
}

// large skips a test where tests are to be short: under the race detector it takes a
// minute, and it runs no other code than the tests that stay.
func large(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes too long under the race detector")
	}
}

func ran(t testing.TB, c *Course) *Result {
	t.Helper()
	r, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAStudentOfTheShopIsShownToBeGoodEnough(t *testing.T) {
	large(t)
	c := shop(t, 1, 1200)
	r := ran(t, c)
	w := r.Warrant
	if w == nil {
		t.Fatal(r.Why)
	}
	if err := w.Check(); err != nil {
		t.Error(err)
	}
	if w.Threshold != r.Threshold || !(w.Threshold > 0 && w.Threshold < 1) || !w.Verified || w.Asked != r.Held+len(c.Cases) || w.Bound < 0.9 || w.Model != "student/support-intent" || w.Expires.Sub(w.Time) != skill.DefaultValid {
		t.Errorf("%+v", w)
	}
	if share := float64(r.Held) / float64(r.Train+r.Held); share < 0.2 || share > 0.3 {
		t.Errorf("%.2f are held back", share)
	}
	if r.Exam.Asked != r.Held || r.Exam.Covered == 0 || r.Exam.Covered == r.Exam.Asked || r.Exam.Threshold != r.Threshold {
		t.Errorf("%+v", r.Exam)
	}
	if len(r.Outcomes) != len(c.Cases) {
		t.Errorf("%d outcomes of %d cases", len(r.Outcomes), len(c.Cases))
	}
	for _, o := range r.Outcomes {
		if err := o.Check(); err != nil || o.Candidate != w.Candidate || o.Digest == "" || o.Grade == 0 && o.Why == "" {
			t.Fatalf("%+v: %v", o, err)
		}
	}
	if r.Accuracy() < r.Baseline+0.2 || r.Low > r.Accuracy() || r.High < r.Accuracy() {
		t.Errorf("accuracy %.3f of %.3f–%.3f, baseline %.3f", r.Accuracy(), r.Low, r.High, r.Baseline)
	}
}

// TestAWarrantOutlivesTheFirstMistake: it is not issued for the very last threshold
// that held, where it would not.
func TestAWarrantOutlivesTheFirstMistake(t *testing.T) {
	large(t)
	for seed := range uint64(4) {
		w := ran(t, shop(t, seed, 1200)).Warrant
		if w == nil {
			t.Fatalf("seed %d: no warrant", seed)
		}
		if end := evidence.NewWatch(w.Outcomes(), w.Level(), w.Confidence).Add(0); end != "" {
			t.Errorf("seed %d: %d of %d passed, and one mistake ends it: %s", seed, w.Passed, w.Covered, end)
		}
	}
}

func TestTheSameTextsMakeTheSameStudentInAnyOrder(t *testing.T) {
	one, two := shop(t, 2, 400), shop(t, 2, 400)
	slices.Reverse(two.Texts)
	two.Workers = 1
	a, b := ran(t, one), ran(t, two)
	var x, y bytes.Buffer
	_, _ = a.Student.WriteTo(&x)
	_, _ = b.Student.WriteTo(&y)
	if a.Digest != b.Digest || !bytes.Equal(x.Bytes(), y.Bytes()) {
		t.Error("they differ")
	}
}

func TestATextStaysOnItsSideHoweverManyCome(t *testing.T) {
	few, many := shop(t, 3, 300), shop(t, 3, 900)
	a, err := few.sort()
	if err != nil {
		t.Fatal(err)
	}
	b, err := many.sort()
	if err != nil {
		t.Fatal(err)
	}
	for name, sides := range map[string][2][]sorted{"train": {a.train, b.train}, "held": {a.held, b.held}} {
		there := map[string]bool{}
		for _, s := range sides[1] {
			there[s.input] = true
		}
		for _, s := range sides[0] {
			if !there[s.input] {
				t.Fatalf("%s: %q went to the other side", name, s.input)
			}
		}
	}
}

// TestWhatBecomesOfEachTextIsCounted: a course of two labels, each of its texts of
// one kind.
func TestWhatBecomesOfEachTextIsCounted(t *testing.T) {
	c := plain(t, 60)
	add := func(input, answer string) { c.Texts = append(c.Texts, corpus.Text{Input: input, Answer: answer}) }
	add(" \n", "yes")                                  // blank
	add("WETTER 1 than water", "yes")                  // repeated
	add("wetter 2, than water", "no")                  // another text: a comma is seen
	add("is water 3 wet", "no")                        // disputed, and repeated
	add("is water 3 wet", "yes")                       // the latest counts
	add("what is love", "baby don't hurt me")          // none
	c.Cases = append(c.Cases, example("Is it a case")) // known
	add("is it a CASE", "yes")
	l, err := c.sort()
	if err != nil {
		t.Fatal(err)
	}
	want := Counts{Texts: 127, Blank: 1, Repeated: 3, Disputed: 1, Known: 1, None: 1, Labels: 2, Train: l.Train, Held: l.Held}
	if l.Counts != want || l.Train+l.Held != 122 {
		t.Errorf("got %+v, want %+v", l.Counts, want)
	}
	for _, s := range slices.Concat(l.train, l.held) {
		if s.input == "is water 3 wet" && s.label != "yes" {
			t.Error("an older answer counts")
		}
		if s.input == "what is love" && s.label != "" {
			t.Error("what is no label is learned as one")
		}
		if strings.EqualFold(s.input, "is it a case") {
			t.Error("somebody learns from a case")
		}
	}
}

func example(input string) skill.Case {
	return skill.Case{ID: input, Input: input, Answer: "yes", Gold: skill.Gold{Label: "yes"}, Wrong: []string{"no", "perhaps"}}
}

// plain is a course of n texts for each of two labels.
func plain(t testing.TB, n int) *Course {
	t.Helper()
	v, err := verify.New("label", skill.VerifySpec{Kind: "label", Values: []string{"yes", "no"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	rubric := skill.Rubric{Candidates: []skill.Candidate{{Model: "student"}}, Bar: skill.Bar{Pass: 0.9, Confidence: 0.95}, Grade: []string{"label"}}
	c := &Course{Skill: &skill.Skill{Name: "wet", Hash: "ab", Rubric: rubric}, Verifiers: []starling.Verifier{v}}
	for i := range n {
		c.Texts = append(c.Texts, corpus.Text{Input: fmt.Sprintf("wetter %d than water", i), Answer: "yes"}, corpus.Text{Input: fmt.Sprintf("is water %d wet", i), Answer: "no"})
	}
	return c
}

func TestTheFormOfAnAnswerIsWhatAnswersHaveInCommon(t *testing.T) {
	inside := func(t *testing.T) *Course {
		c := plain(t, 40)
		c.Verifiers[0], _ = verify.New("label", skill.VerifySpec{Kind: "label", Values: []string{"yes", "no"}, At: "label", Fence: true}, nil)
		return c
	}
	for _, c := range []struct {
		name  string
		say   func(i int, label string) string
		want  string // of "yes"; "" it cannot be learned
		other int
	}{
		{"an object", func(_ int, l string) string { return `{"label": "` + l + `"}` }, `{"label": "yes"}`, 0},
		{"however it is spaced", func(i int, l string) string {
			return []string{`{"label":"` + l + `"}`, `{"label": "` + l + `"}`, " {\n\"label\":\"" + l + `"}`, `{"label": "` + l + `"}`}[i%4]
		}, `{"label": "yes"}`, 0},
		{"in a fence", func(_ int, l string) string { return "```json\n{\"label\":\"" + l + "\"}\n```" }, "```json\n{\"label\":\"yes\"}\n```", 0},
		{"mostly with nothing else", func(i int, l string) string {
			if i%10 == 0 {
				return `{"label": "` + l + `", "sure": false}`
			}
			return `{"label": "` + l + `", "sure": true}`
		}, `{"label": "yes", "sure": true}`, 8},
		{"each with a reason of its own", func(i int, l string) string { return fmt.Sprintf(`{"label": %q, "why": "%d"}`, l, i) }, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			course := inside(t)
			for i := range course.Texts {
				course.Texts[i].Answer = c.say(i, course.Texts[i].Answer)
			}
			l, err := course.sort()
			if c.want == "" {
				if starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), "differ in more than their label") {
					t.Error(err)
				}
				return
			}
			if err != nil || l.form.Say("yes") != c.want || l.Other != c.other {
				t.Errorf("%q, %d in another form, %v", l.form.Say("yes"), l.Other, err)
			}
		})
	}
}

// TestAnAnswerThatSaysMoreIsAMistake: a student cannot give it, whatever its label.
func TestAnAnswerThatSaysMoreIsAMistake(t *testing.T) {
	e := &exam{Course: plain(t, 40), form: student.Form{}}
	l, err := e.sort()
	if err != nil {
		t.Fatal(err)
	}
	if e.student, err = student.Train(t.Context(), e.examples(l), student.Options{}); err != nil {
		t.Fatal(err)
	}
	said := sorted{input: "is water 3 wet", label: "no"}
	other := said
	other.form = student.Form{After: ", I think"}
	e.texts(t.Context(), []sorted{said, other, {input: "is water 3 wet"}})
	if !e.answers[0].right || e.answers[1].right || e.answers[2].right {
		t.Errorf("%+v", e.answers)
	}
}

func TestWhereTheRubricListsNoLabelsTheUsualAnswersAre(t *testing.T) {
	c := plain(t, 40)
	c.Verifiers = nil
	for i := range 10 {
		c.Texts = append(c.Texts, corpus.Text{Input: fmt.Sprintf("write me a poem, number %d", i), Answer: fmt.Sprintf("Roses are red, %d.", i)})
	}
	l, err := c.sort()
	if err != nil || l.Labels != 2 || l.None != 10 {
		t.Errorf("%+v, %v", l, err)
	}
	for i := range c.Texts {
		c.Texts[i].Answer = fmt.Sprint("Dear number ", i)
	}
	if _, err := c.sort(); starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), "the answer of none of the 90 texts of wet is a label") {
		t.Error(err)
	}
}

func TestWhatNobodyCouldLearnFromIsRefusedWithWhatToDo(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Course)
		says   []string
	}{
		{"nothing", func(c *Course) { c.Texts = nil }, []string{"there are no texts of wet", "starling evidence import", "keep: true"}},
		{"too little", func(c *Course) { c.Texts = c.Texts[:12] }, []string{"there are 12 texts of wet", "some 10 per label, 20 in all", "keep: true"}},
		{"one label", func(c *Course) {
			for i := range c.Texts {
				c.Texts[i].Answer = "yes"
			}
		}, []string{"the same label"}},
		{"nobody who asks it", func(c *Course) { c.Skill.Rubric.Candidates = nil }, []string{"does not name a student", "candidates: [student"}},
		{"no bar", func(c *Course) { c.Skill.Rubric.Bar = skill.Bar{} }, []string{"has no bar", "add bar:"}},
		{"no reference", func(c *Course) {
			c.Skill.Rubric.Reference = "premium"
			c.Skill.Rubric.Bar = skill.Bar{Margin: 0.02, Confidence: 0.95}
		}, []string{`nobody offers the reference "premium"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			course := plain(t, 20)
			c.change(course)
			_, err := course.Run(t.Context())
			if starling.KindOf(err) != starling.Invalid {
				t.Fatal(err)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%v does not say %q", err, s)
				}
			}
		})
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := plain(t, 20).Run(gone); starling.KindOf(err) != starling.Cancelled {
		t.Error(err)
	}
}

// TestTooFewHeldBackShowNothing: even without a mistake, and it says what is
// missing.
func TestTooFewHeldBackShowNothing(t *testing.T) {
	c := plain(t, 40)
	r := ran(t, c)
	if r.Warrant != nil || r.Threshold != 0 || r.Missing == 0 || r.More < r.Missing || r.Exam.Right != r.Exam.Asked || r.Exam.Threshold != 0 {
		t.Errorf("%+v", r)
	}
	if evidence.Missing(r.Passed, r.Covered, 0.9, 0.95) != r.Missing {
		t.Errorf("%d are missing after %d of %d", r.Missing, r.Passed, r.Covered)
	}
	more := plain(t, 40+r.More)
	if r := ran(t, more); r.Warrant == nil {
		t.Errorf("with as many more: %s", r.Why)
	}
}

func TestAMarginIsMeasuredAgainstTheReference(t *testing.T) {
	c := plain(t, 600)
	c.Skill.Rubric.Reference = "premium"
	c.Skill.Rubric.Bar = skill.Bar{Margin: 0.1, Confidence: 0.95, Valid: time.Hour}
	c.Reference = starling.Model{Provider: "far", Name: "premium", Simulated: true}
	w := ran(t, c).Warrant
	if w == nil || w.Pass != 0 || w.Margin != 0.1 || w.Reference != c.Skill.Unit(c.Reference) || len(w.Shown) != w.Covered || !w.Simulated || w.Expires.Sub(w.Time) != time.Hour {
		t.Fatalf("%+v", w)
	}
	if err := w.Check(); err != nil {
		t.Error(err)
	}
}

func TestWhereARungIsNotVerifiedNeitherIsTheWarrant(t *testing.T) {
	c := plain(t, 200)
	c.Skill.Rubric.Rules = []skill.Rule{{Candidates: []skill.Candidate{{Model: "student", SkipVerify: true}}}}
	if w := ran(t, c).Warrant; w == nil || w.Verified {
		t.Errorf("%+v", w)
	}
	if !Named(c.Skill) || Named(&skill.Skill{}) {
		t.Error("who names a student is not known")
	}
}

// TestBelowTheBarIsWarrantedAsRarelyAsPromised: students whose answers pass just
// too seldom at every threshold, in many worlds. The share of those that are
// warranted all the same is at most what the confidence allows.
func TestBelowTheBarIsWarrantedAsRarelyAsPromised(t *testing.T) {
	large(t)
	const worlds, delta = 1500, 0.05
	for _, bar := range []skill.Bar{{Pass: 0.9, Confidence: 1 - delta}, {Margin: 0.1, Confidence: 1 - delta}} {
		n := worlds
		if bar.Margin > 0 {
			n = worlds / 10 // that bound takes longer
		}
		random := rand.New(rand.NewPCG(1, uint64(n)))
		warranted := 0
		for range n {
			if world(random, bar, 0.899).found != nil {
				warranted++
			}
		}
		noise := 3 * math.Sqrt(delta*(1-delta)/float64(n)) // three standard deviations
		if share := float64(warranted) / float64(n); share > delta+noise {
			t.Errorf("%+v: %.4f of %d worlds have a warrant, more than %.2f", bar, share, n, delta)
		} else {
			t.Logf("%+v: %.4f of %d worlds", bar, share, n)
		}
	}
	if e := world(rand.New(rand.NewPCG(2, 2)), skill.Bar{Pass: 0.9, Confidence: 0.95}, 0.99); e.found == nil {
		t.Error("one that is far above the bar is not warranted")
	}
}

// world is an exam of a student that is right with the given probability, however
// sure it is. Its training says of every threshold that it is a good one.
func world(random *rand.Rand, bar skill.Bar, right float64) *exam {
	e := &exam{Course: &Course{Skill: &skill.Skill{Rubric: skill.Rubric{Bar: bar}}}}
	for range 300 {
		e.answers = append(e.answers, answer{confidence: random.Float64(), right: random.Float64() < right})
	}
	var steps []student.Step
	for i := 1; i <= 40; i++ {
		steps = append(steps, student.Step{Confidence: 1 - float64(i)/40, Coverage: float64(i) / 40, Agreement: 1 - float64(i)/1000})
	}
	e.find(steps)
	return e
}
