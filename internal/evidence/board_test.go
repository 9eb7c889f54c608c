package evidence

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var issued = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// sound is a warrant on 120 cases, of which two failed.
func sound(id string) *Warrant {
	return &Warrant{
		ID: id, Time: issued, Skill: "triage", Rubric: "r1", Cases: "c1", Candidate: "small", Model: "near/small",
		Pass: 0.9, Confidence: 0.95, Asked: 130, Covered: 120, Passed: 118, Bound: LowerBound(118, 120, 0.95), Expires: issued.AddDate(0, 3, 0),
	}
}

func audit(warrant string, grade float64) Note {
	return Note{Outcome: &Outcome{Time: issued, Skill: "triage", Rubric: "r1", Candidate: "small", Case: "mac", Grade: grade, Source: FromAudit, Warrant: warrant}}
}

func TestAWarrantThatItsFiguresDoNotBearOutIsNone(t *testing.T) {
	if err := sound("w").Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Warrant){
		"more passes than covered":       func(w *Warrant) { w.Passed = 121 },
		"too few passes for the bar":     func(w *Warrant) { w.Passed = 110 },
		"no bar":                         func(w *Warrant) { w.Pass = 0 },
		"two bars":                       func(w *Warrant) { w.Margin, w.Reference = 0.1, "large" },
		"a margin to nobody":             func(w *Warrant) { w.Pass, w.Margin = 0, 0.1 },
		"no confidence":                  func(w *Warrant) { w.Confidence = 0 },
		"it ends before it begins":       func(w *Warrant) { w.Expires = w.Time },
		"no candidate":                   func(w *Warrant) { w.Candidate = "" },
		"a threshold above certainty":    func(w *Warrant) { w.Threshold = 1.5 },
		"grades of another number":       func(w *Warrant) { w.Shown = []float64{1} },
		"more covered than were asked":   func(w *Warrant) { w.Asked = 119 },
		"grades that do not show it":     func(w *Warrant) { w.Shown = make([]float64, w.Covered) },
		"a bar that it did not come to ": func(w *Warrant) { w.Pass = 0.99 },
	} {
		w := sound("w")
		spoil(w)
		if w.Check() == nil {
			t.Errorf("%s: it passed", name)
		}
	}
}

func TestAWarrantLapsesWithTimeAndWithWhatItRestsOn(t *testing.T) {
	w := sound("w")
	day := issued.AddDate(0, 0, 1)
	for _, c := range []struct {
		rubric, cases string
		now           time.Time
		lapsed        bool
	}{
		{"r1", "c1", day, false},
		{"r2", "c1", day, true},
		{"r1", "c2", day, true},
		{"r1", "c1", w.Expires.Add(-time.Nanosecond), false},
		{"r1", "c1", w.Expires, true},
	} {
		if why := w.Lapsed(c.rubric, c.cases, c.now); (why != "") != c.lapsed {
			t.Errorf("%v: %q", c, why)
		}
	}
}

func TestABoardRevokesWhatAuditsContradict(t *testing.T) {
	b := NewBoard()
	b.Fold(Note{Warrant: sound("w")})
	for range 30 {
		b.Fold(audit("w", 1))
	}
	if s := b.Standing("triage", "r1", "small"); s.Revoked != nil || s.Warrant.ID != "w" || s.Audits != 30 || s.Agreed != 1 || s.Bound <= sound("w").Bound {
		t.Fatalf("%+v", s)
	}
	for n := 0; b.Standing("triage", "r1", "small").Revoked == nil; n++ {
		if n == 20 {
			t.Fatal("it stands after 20 failures")
		}
		b.Fold(audit("w", 0))
	}
	due := b.Due(issued)
	if len(due) != 1 || due[0].Warrant != "w" || due[0].Why == "" || due[0].Check() != nil || len(b.Due(issued)) != 0 {
		t.Fatalf("%+v", due)
	}
	b.Fold(audit("w", 1)) // what is revoked stays so
	if b.Standing("triage", "r1", "small").Revoked == nil {
		t.Fatal("it came back")
	}
	later := sound("x")
	later.Time = issued.Add(time.Hour)
	b.Fold(Note{Warrant: later})
	if s := b.Standing("triage", "r1", "small"); s.Revoked != nil || s.Warrant.ID != "x" || s.Audits != 0 {
		t.Fatalf("a later one: %+v", s)
	}
}

// TestTheOrderOfNotesDoesNotMatter: chains are read one after the other, and the
// audits of one gateway may come before another's warrant.
func TestTheOrderOfNotesDoesNotMatter(t *testing.T) {
	second := sound("x")
	second.Time = issued.Add(time.Hour)
	notes := []Note{{Warrant: sound("w")}, {Warrant: second}, audit("w", 0), audit("x", 1), audit("x", 1), audit("x", 0),
		{Revocation: &Revocation{ID: "rev_1", Time: issued, Warrant: "w", Skill: "triage", Candidate: "small", End: Withdrawn, Why: "so it is"}}}
	for seed := range uint64(50) {
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(notes), func(i, j int) { notes[i], notes[j] = notes[j], notes[i] })
		b := NewBoard()
		for _, n := range notes {
			b.Fold(n)
		}
		if s := b.Standing("triage", "r1", "small"); s.Warrant.ID != "x" || s.Revoked != nil || s.Audits != 3 {
			t.Fatalf("seed %d: %+v", seed, s)
		}
	}
}

func TestATallyCountsCasesOnceAndVerdictsAlways(t *testing.T) {
	b := NewBoard()
	add := func(source Source, name string, grade float64, rejected bool) {
		b.Fold(Note{Outcome: &Outcome{Time: issued, Skill: "triage", Rubric: "r1", Candidate: "small", Case: name, Grade: grade, Rejected: rejected, Source: source}})
	}
	add(FromCase, "a", 1, false)
	add(FromCase, "a", 0, false) // asked again: the first grade counts
	add(FromCase, "b", 0, false)
	add(FromCase, "c", 0, true)
	add(FromVerifier, "mac", 1, false)
	add(FromVerifier, "mac", 0, true)
	want := Tally{Tried: 5, Accepted: 3, Graded: 2, Passed: 1}
	if got := b.Standing("triage", "r1", "small").Tally; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := b.Standing("triage", "r2", "small").Tally; got != (Tally{}) {
		t.Errorf("under another rubric: %+v", got)
	}
	if got := b.Everywhere(""); got != (Tally{Tried: 5, Accepted: 3}) || b.Cases() != 3 {
		t.Errorf("everywhere %+v, of %d cases", got, b.Cases())
	}
	if most := (Tally{Graded: 50, Passed: 30}).Most(0.95); most < 0.70 || most > 0.73 {
		t.Errorf("at most %v", most)
	}
	if most := (Tally{}).Most(0.95); most != 1 {
		t.Errorf("of nothing at most %v", most)
	}
}

// TestAPlantedDropIsRevokedSoon goes the whole way: a candidate that was good when
// its warrant was issued passes ten points less often from then on.
func TestAPlantedDropIsRevokedSoon(t *testing.T) {
	const worlds, within = 400, 100
	late := 0
	for seed := range uint64(worlds) {
		random := rand.New(rand.NewPCG(seed, 7))
		b := NewBoard()
		w := sound("w")
		b.Fold(Note{Warrant: w})
		for n := 0; b.Standing("triage", "r1", "small").Revoked == nil; n++ {
			if n == within {
				late++
				break
			}
			grade := 0.0
			if random.Float64() < 118.0/120-0.1 {
				grade = 1
			}
			b.Fold(audit(w.ID, grade))
		}
	}
	if late > worlds/20 {
		t.Errorf("%d of %d drops were not seen within %d audits", late, worlds, within)
	}
}

// TestAMarginIsWatchedInItsOwnScale: a candidate of a margin is compared with the
// reference, whose own grade in an audit is 1.
func TestAMarginIsWatchedInItsOwnScale(t *testing.T) {
	w := sound("w")
	w.Pass, w.Margin, w.Reference = 0, 0.05, "large"
	w.Shown = make([]float64, w.Covered)
	for i := range w.Shown {
		w.Shown[i] = 0.5 // as good as the reference, case by case
	}
	if err := w.Check(); err != nil {
		t.Fatal(fmt.Sprint(err, MeanLowerBound(w.Shown, 0.95), w.Level()))
	}
	b := NewBoard()
	b.Fold(Note{Warrant: w})
	for range 50 {
		b.Fold(audit("w", 1))
	}
	if s := b.Standing("triage", "r1", "small"); s.Revoked != nil || s.Agreed != 1 {
		t.Fatalf("%+v", s)
	}
	for n := 0; b.Standing("triage", "r1", "small").Revoked == nil; n++ {
		if n == 40 {
			t.Fatal("it stands after 40 disagreements")
		}
		b.Fold(audit("w", 0))
	}
}

func TestABoardListsEveryWarrantWhateverBecameOfIt(t *testing.T) {
	b := NewBoard()
	first, second, other := sound("w1"), sound("w2"), sound("w3")
	second.Time = issued.Add(time.Hour)
	other.Skill = "aside"
	for _, w := range []*Warrant{second, first, other} {
		b.Fold(Note{Warrant: w})
	}
	b.Fold(audit("w1", 1))
	b.Fold(audit("unknown", 1)) // of a warrant that has not come yet
	b.Fold(Note{Revocation: &Revocation{ID: "rev_1", Time: issued, Warrant: "w3", Skill: "aside", Candidate: "small", End: Withdrawn, Why: "so it is"}})
	got := ""
	for _, s := range b.Warrants() {
		got += s.Warrant.ID
		switch {
		case s.Later != nil:
			got += " before " + s.Later.ID
		case s.Revoked != nil:
			got += " revoked"
		}
		got += fmt.Sprintf(", %d audits; ", s.Audits)
	}
	if want := "w3 revoked, 0 audits; w2, 0 audits; w1 before w2, 1 audits; "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
