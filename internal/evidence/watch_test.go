package evidence

import (
	"math/rand/v2"
	"testing"
)

// shown draws the outcomes of n cases until they show the bar.
func shown(r *rand.Rand, n int, quality, bar float64) []float64 {
	for {
		outcomes := drawn(r, n, func(r *rand.Rand) float64 { return oneIn(r, quality) })
		if NewWatch(outcomes, bar, 0.95).End() == "" {
			return outcomes
		}
	}
}

// lasts returns how many audits of that quality a watch takes, at most so many.
func lasts(w *Watch, r *rand.Rand, quality float64, most int) int {
	for i := range most {
		if w.Add(oneIn(r, quality)) != "" {
			return i + 1
		}
	}
	return most + 1
}

// TestADropOfTenPointsIsSeenWithinAHundredAudits: in 95 of 100 worlds at least,
// for bars, numbers of cases and distances from the bar as they occur.
func TestADropOfTenPointsIsSeenWithinAHundredAudits(t *testing.T) {
	const trials = 400
	for _, c := range []struct {
		bar, quality float64
		n            int
	}{
		{0.90, 0.95, 70}, {0.90, 0.95, 300}, {0.90, 0.97, 70}, {0.90, 0.97, 150}, {0.90, 0.97, 1000}, {0.90, 0.99, 150},
		{0.95, 0.97, 300}, {0.95, 0.98, 150}, {0.95, 0.98, 1000}, {0.95, 0.99, 100}, {0.95, 0.99, 1000}, {0.85, 0.95, 70}, {0.98, 0.995, 300},
	} {
		r := rand.New(rand.NewPCG(uint64(c.n), uint64(c.bar*1000)))
		seen := 0
		for range trials {
			if w := NewWatch(shown(r, c.n, c.quality, c.bar), c.bar, 0.95); lasts(w, r, c.quality-0.1, 100) <= 100 {
				seen++
			}
		}
		if seen < trials*95/100 {
			t.Errorf("bar %v, %d cases of quality %v: a drop of 0.1 is seen in %d of %d", c.bar, c.n, c.quality, seen, trials)
		}
	}
}

// TestWhatIsBelowTheBarHasAWarrantAsRarelyAsPromised: issued or still in force
// after any number of audits.
func TestWhatIsBelowTheBarHasAWarrantAsRarelyAsPromised(t *testing.T) {
	const trials, bar, quality, n = 1000, 0.90, 0.899, 120
	r := rand.New(rand.NewPCG(5, 6))
	issued, after := 0, 0
	for range trials {
		w := NewWatch(drawn(r, n, func(r *rand.Rand) float64 { return oneIn(r, quality) }), bar, 0.95)
		if w.End() != "" {
			continue
		}
		issued++
		if lasts(w, r, quality, 300) > 300 {
			after++
		}
	}
	if issued > mostOf(0.05, trials) {
		t.Errorf("%d of %d have a warrant", issued, trials)
	}
	if after > issued/4 {
		t.Errorf("%d of %d still have it after 300 audits", after, issued)
	}
}

// TestAGoodCandidateKeepsItsWarrantForLong measures the price: how many audits
// lie between alarms for nothing.
func TestAGoodCandidateKeepsItsWarrantForLong(t *testing.T) {
	const trials = 300
	r := rand.New(rand.NewPCG(7, 8))
	audits := 0
	for range trials {
		audits += lasts(NewWatch(shown(r, 300, 0.97, 0.9), 0.9, 0.95), r, 0.97, 5000)
	}
	if mean := audits / trials; mean < 400 {
		t.Errorf("a warrant lasts %d audits on average", mean)
	} else {
		t.Logf("a warrant lasts %d audits on average", mean)
	}
}

func TestAWatchThatHasEndedStaysEnded(t *testing.T) {
	w := NewWatch(ones(59), 0.95, 0.95)
	if w.End() != "" || w.Bound() < 0.95 {
		t.Fatalf("59 passes show %v: %q", w.Bound(), w.End())
	}
	if end := w.Add(0); end != BelowBar {
		t.Errorf("after a failure it is %q with %v", end, w.Bound())
	}
	for range 1000 {
		if w.Add(1) != BelowBar {
			t.Fatal("it came back by itself")
		}
	}
	if NewWatch(ones(58), 0.95, 0.95).End() != BelowBar {
		t.Error("58 passes do not show it")
	}
	if NewWatch(nil, 0.5, 0.95).End() != BelowBar {
		t.Error("nothing shows nothing")
	}
}

// TestADropOfGradesIsSeen: grades between 0 and 1 count as much as they say.
func TestADropOfGradesIsSeen(t *testing.T) {
	const trials = 100
	r := rand.New(rand.NewPCG(9, 9))
	graded := func(mean float64) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return min(1, max(0, mean+0.2*(r.Float64()-0.5))) }
	}
	seen := 0
	for range trials {
		w := NewWatch(drawn(r, 200, graded(0.85)), 0.8, 0.95)
		for range 100 {
			if w.Add(graded(0.70)(r)) != "" {
				seen++
				break
			}
		}
	}
	if seen < trials*95/100 {
		t.Errorf("a fall of grades from 0.85 to 0.70 is seen in %d of %d", seen, trials)
	}
}
