package rightsize

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is a skill of yes-or-no cases, and candidates that know so many of them.
type world struct {
	*Trial
	mu      sync.Mutex
	asked   []string            // "candidate case"
	kept    []*evidence.Outcome // all that was written down
	issued  []evidence.Note     // and of warrants and revocations
	fails   map[string]error    // by "candidate case"
	quality map[string]func(i int) bool
	plays   string                             // the candidate whose answers say that they are simulated
	says    func(Candidate, skill.Case) Answer // in place of all that
}

// newWorld has n cases and candidates from cheap to dear.
func newWorld(n int, bar skill.Bar, quality ...func(i int) bool) *world {
	w := &world{fails: map[string]error{}, quality: map[string]func(int) bool{}}
	s := &skill.Skill{Name: "triage", Dir: "triage", Hash: "rubric-1", Rubric: skill.Rubric{Bar: bar, Grade: []string{"label"}}}
	w.Trial = &Trial{Skill: s, Workers: 3, Ask: w.ask, Keep: w.keep, Issue: w.issue, Worst: func(Candidate, skill.Case) starling.Money { return 10 }}
	for i := range n {
		w.Cases = append(w.Cases, skill.Case{ID: fmt.Sprint(i), Input: fmt.Sprint("is it ", i), Gold: skill.Gold{Label: "yes"}})
	}
	for i, q := range quality {
		name := fmt.Sprintf("c%d", i)
		w.quality[name] = q
		w.Candidates = append(w.Candidates, Candidate{Name: name, ID: "id-" + name, Model: starling.Model{Provider: "p", Name: name, Zone: starling.Cloud}})
	}
	return w
}

func (w *world) ask(ctx context.Context, c Candidate, cs skill.Case) (Answer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.says != nil {
		return w.says(c, cs), nil
	}
	key := c.Name + " " + cs.ID
	w.asked = append(w.asked, key)
	if err := w.fails[key]; err != nil {
		return Answer{Cost: 3}, err
	}
	var i int
	fmt.Sscan(cs.ID, &i)
	text := map[bool]string{true: "yes", false: "no"}[w.quality[c.Name](i)]
	return Answer{Text: text, Cost: 5, Took: time.Duration(i) * time.Millisecond, Receipt: "rcp_" + cs.ID, Simulated: w.plays == c.Name}, ctx.Err()
}

func (w *world) keep(_ context.Context, all []evidence.Outcome) error {
	for i := range all {
		w.kept = append(w.kept, &all[i])
	}
	return nil
}

// issue gives ids, as the ledger does.
func (w *world) issue(_ context.Context, all ...evidence.Note) error {
	for _, n := range all {
		if err := n.Check(); err != nil {
			return err
		}
		if w.issued = append(w.issued, n); n.Warrant != nil {
			n.Warrant.ID = fmt.Sprintf("war_%d", len(w.issued))
		}
	}
	return nil
}

// warrants are those issued.
func (w *world) warrants() (all []*evidence.Warrant) {
	for _, n := range w.issued {
		if n.Warrant != nil {
			all = append(all, n.Warrant)
		}
	}
	return all
}

// again is a second run of the same world, which knows what the first one wrote
// down.
func (w *world) again() {
	w.Known, w.Board = w.kept, evidence.NewBoard()
	for _, n := range w.issued {
		w.Board.Fold(n)
	}
}

func always(int) bool          { return true }
func never(int) bool           { return false }
func but(n int) func(int) bool { return func(i int) bool { return i%n != n-1 } }

var high = skill.Bar{Pass: 0.9, Confidence: 0.95}

func ran(t *testing.T, w *world) *Report {
	t.Helper()
	r, err := w.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// shown lists the verdicts, cheapest first: "+" is good enough.
func shown(r *Report) (text string) {
	for _, l := range r.Lines {
		text += map[bool]string{true: "+", false: "-"}[l.Shown]
	}
	return text
}

func TestTheCheapestThatIsShownToBeGoodEnoughIsChosen(t *testing.T) {
	for _, c := range []struct {
		name    string
		quality []func(int) bool
		shown   string
		choice  string
	}{
		{"all are", []func(int) bool{always, always, always}, "+++", "c0"},
		{"the cheapest is not", []func(int) bool{but(3), always, always}, "-++", "c1"},
		{"only the dearest is", []func(int) bool{never, but(4), always}, "--+", "c2"},
		{"none is", []func(int) bool{never, but(3), but(4)}, "---", ""},
		{"who is cheaper than one that is not is not believed", []func(int) bool{always, but(3), always}, "--+", "c2"},
		{"few mistakes are allowed", []func(int) bool{but(50), always}, "++", "c0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ran(t, newWorld(100, high, c.quality...))
			if shown(r) != c.shown || r.Choice != c.choice {
				t.Errorf("%s, choice %q: %+v", shown(r), r.Choice, r.Lines)
			}
			if r.Why == "" || strings.Contains(r.Why, "!") {
				t.Errorf("why: %q", r.Why)
			}
		})
	}
}

// TestWhatCannotChangeTheVerdictIsNotAsked, and the verdict is the one that all
// cases would have given.
func TestWhatCannotChangeTheVerdictIsNotAsked(t *testing.T) {
	w := newWorld(400, high, never, always)
	r := ran(t, w)
	if r.Lines[0].Asked > 48 || r.Lines[0].Asked < 29 {
		t.Errorf("one that knows nothing was asked %d of 400", r.Lines[0].Asked)
	}
	if r.Lines[1].Asked < 365 || r.Lines[1].Asked > 390 {
		t.Errorf("one that knows everything was asked %d of 400", r.Lines[1].Asked)
	}
	if !strings.HasPrefix(r.Lines[0].Why, "at most ") {
		t.Errorf("why: %q", r.Lines[0].Why)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		share := 0.8 + 0.2*random.Float64()
		knows := make([]bool, 120)
		passes := 0
		for i := range knows {
			if knows[i] = random.Float64() < share; knows[i] {
				passes++
			}
		}
		r := ran(t, newWorld(120, high, func(i int) bool { return knows[i] }))
		if want := evidence.LowerBound(passes, 120, 0.95) >= 0.9; r.Lines[0].Shown != want {
			t.Fatalf("%d of 120 pass: shown %t after %d", passes, r.Lines[0].Shown, r.Lines[0].Asked)
		}
	}
}

func TestARunGoesOnWhereTheLastOneStopped(t *testing.T) {
	w := newWorld(60, high, always, always)
	w.fails["c0 31"] = &starling.Error{Kind: starling.Overloaded, Op: "the upstream is busy"}
	r, err := w.Run(context.Background())
	if starling.KindOf(err) != starling.Overloaded || r == nil || r.Lines[0].Asked < 24 || r.Lines[0].Shown {
		t.Fatalf("%v, %+v", err, r)
	}
	first := len(w.asked)
	delete(w.fails, "c0 31")
	w.Known = w.kept
	r = ran(t, w)
	for _, key := range w.asked[first:] {
		for _, o := range w.Known {
			if key == "c0 "+o.Case {
				t.Errorf("%s was known and asked again", key)
			}
		}
	}
	if shown(r) != "++" {
		t.Errorf("verdicts %s", shown(r))
	}
	if more := len(w.asked) - first; more > 120-24 {
		t.Errorf("%d more questions, although 24 answers were known", more)
	}
}

func TestOnlyTheSameUnitUnderTheSameRubricIsKnown(t *testing.T) {
	known := func(change func(*evidence.Outcome)) *world {
		w := newWorld(60, high, always)
		for _, c := range w.Cases {
			o := &evidence.Outcome{Skill: "triage", Rubric: "rubric-1", Candidate: "id-c0", Case: c.ID, Digest: c.Digest(), Time: time.Now(), Grade: 1, Source: evidence.FromCase}
			change(o)
			w.Known = append(w.Known, o)
		}
		return w
	}
	for name, c := range map[string]struct {
		change func(*evidence.Outcome)
		asked  bool
	}{
		"the same":                {func(*evidence.Outcome) {}, false},
		"another candidate":       {func(o *evidence.Outcome) { o.Candidate = "id-c9" }, true},
		"another rubric":          {func(o *evidence.Outcome) { o.Rubric = "rubric-0" }, true},
		"a case that is gone":     {func(o *evidence.Outcome) { o.Case += "x" }, true},
		"a case that was edited":  {func(o *evidence.Outcome) { o.Digest = "0123" }, true},
		"older than it holds":     {func(o *evidence.Outcome) { o.Time = o.Time.Add(-skill.DefaultValid) }, true},
		"feedback of some caller": {func(o *evidence.Outcome) { o.Source = evidence.FromFeedback }, true},
	} {
		w := known(c.change)
		if r := ran(t, w); len(w.asked) > 0 != c.asked || !r.Lines[0].Shown {
			t.Errorf("%s: %d questions, %+v", name, len(w.asked), r.Lines)
		}
	}
}

func TestTheLimitIsNeverPassed(t *testing.T) {
	w := newWorld(60, high, always)
	w.Limit = 200
	r, err := w.Run(context.Background())
	if starling.KindOf(err) != starling.OverBudget || r.Lines[0].Shown {
		t.Fatalf("%v, %+v", err, r)
	}
	if spent := 5 * len(w.asked); spent > 200 || spent < 50 {
		t.Errorf("spent %d of 200", spent)
	}
}

func TestARefusalIsAFailureAndEveryOtherErrorEndsTheRun(t *testing.T) {
	w := newWorld(60, high, always)
	w.fails["c0 3"] = &starling.Error{Kind: starling.Refused, Op: "the model will not say"}
	if r := ran(t, w); r.Lines[0].Asked-r.Lines[0].Passes != 1 || w.kept[3].Why != "no answer" || w.kept[3].Cost != 3 {
		t.Errorf("%+v, %+v", r.Lines, w.kept[3])
	}
	no := &starling.Error{Kind: starling.Refused, Op: "there is no such model"}
	w = newWorld(60, high, always)
	for i := range 60 {
		w.fails[fmt.Sprint("c0 ", i)] = no
	}
	if r, err := w.Run(context.Background()); !errors.Is(err, no) || len(w.kept) > 0 || r.Lines[0].Asked > 0 {
		t.Errorf("who refuses everything: %v, %d kept", err, len(w.kept))
	}
	for _, bad := range []error{
		&starling.Error{Kind: starling.Forbidden, Op: "too far"}, &starling.Error{Kind: starling.OverBudget, Op: "cap"}, context.Canceled, errors.New("odd"),
	} {
		w := newWorld(60, high, always)
		w.fails["c0 20"] = bad
		if _, err := w.Run(context.Background()); !errors.Is(err, bad) {
			t.Errorf("%v became %v", bad, err)
		}
		if len(w.kept) < 12 {
			t.Errorf("%v: %d outcomes were kept", bad, len(w.kept))
		}
	}
}

func TestWhatCouldShowNothingIsRefusedBeforeAnythingIsSpent(t *testing.T) {
	for name, w := range map[string]*world{
		"too few cases": newWorld(20, high, always), "no bar": newWorld(60, skill.Bar{}, always), "a bar of certainty": newWorld(60, skill.Bar{Pass: 1, Confidence: 0.95}, always),
	} {
		_, err := w.Run(context.Background())
		if starling.KindOf(err) != starling.Invalid || len(w.asked) > 0 {
			t.Errorf("%s: %v after %d questions", name, err, len(w.asked))
		}
	}
	_, err := newWorld(20, high, always).Run(context.Background())
	if err == nil || !strings.Contains(err.Error(), "add 9 cases") {
		t.Error(err)
	}
}

func TestALineSaysWhatItTakesAndWhatItCosts(t *testing.T) {
	w := newWorld(60, high, but(6), always)
	r := ran(t, w)
	l := r.Lines[0]
	if l.Missing != evidence.Missing(l.Passes, l.Asked, 0.9, 0.95) || l.Missing == 0 || l.Cost != 5000 || l.Median == 0 || l.Model != "p/c0" {
		t.Errorf("%+v", l)
	}
	lo, hi := evidence.ClopperPearson(l.Passes, l.Asked, 0.95)
	if diff := cmp.Diff([]float64{lo, hi}, []float64{l.Low, l.High}); diff != "" {
		t.Error(diff)
	}
	if r.Lines[1].Missing != 0 || r.Lines[1].Bound < 0.9 {
		t.Errorf("%+v", r.Lines[1])
	}
	done := 0
	w = newWorld(60, high, never, always)
	w.Progress = func(d, total int) { done = d; _ = total }
	ran(t, w)
	if done != 120 {
		t.Errorf("progress ends at %d of 120", done)
	}
}
