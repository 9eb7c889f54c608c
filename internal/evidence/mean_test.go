package evidence

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// worlds are distributions of grades with known means.
var worlds = []struct {
	name string
	mean float64
	draw func(r *rand.Rand) float64
}{
	{"passes and failures", 0.9, func(r *rand.Rand) float64 { return oneIn(r, 0.9) }},
	{"even grades", 0.5, func(r *rand.Rand) float64 { return r.Float64() }},
	{"mostly right, some half right", 0.85, func(r *rand.Rand) float64 {
		return []float64{1, 1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5}[r.IntN(10)]
	}},
	{"nearly nothing", 0.01, func(r *rand.Rand) float64 { return 0.1 * oneIn(r, 0.1) }},
	{"a rare failure", 0.97, func(r *rand.Rand) float64 { return oneIn(r, 0.97) }},
	{"close to the mean", 0.8, func(r *rand.Rand) float64 { return 0.79 + 0.02*r.Float64() }},
}

func oneIn(r *rand.Rand, share float64) float64 {
	if r.Float64() < share {
		return 1
	}
	return 0
}

// mostOf is how often an event of the probability p may be seen in n trials, but
// for one time in ten thousand.
func mostOf(p float64, n int) int {
	return int(p*float64(n) + 3.8*math.Sqrt(p*(1-p)*float64(n)))
}

// TestTheMeanIsAsOftenAboveItsBoundAsPromised: in 1,000 worlds each, at two sizes.
func TestTheMeanIsAsOftenAboveItsBoundAsPromised(t *testing.T) {
	for _, w := range worlds {
		for _, n := range []int{10, 100} {
			r := rand.New(rand.NewPCG(uint64(n), 7))
			const trials = 1000
			missed, sum := 0, 0.0
			for range trials {
				bound := MeanLowerBound(drawn(r, n, w.draw), 0.95)
				if sum += bound; bound > w.mean {
					missed++
				}
			}
			if missed > mostOf(0.05, trials) {
				t.Errorf("%s, %d grades: the bound is above the mean in %d of %d", w.name, n, missed, trials)
			}
			t.Logf("%s, %d grades: mean %.3f, bound %.3f on average, missed %d", w.name, n, w.mean, sum/trials, missed)
		}
	}
}

func drawn(r *rand.Rand, n int, draw func(*rand.Rand) float64) []float64 {
	grades := make([]float64, n)
	for i := range grades {
		grades[i] = draw(r)
	}
	return grades
}

// TestGradesThatVaryLittleAreBoundedTightly: Hoeffding's bound knows nothing of
// how much they vary.
func TestGradesThatVaryLittleAreBoundedTightly(t *testing.T) {
	grades := drawn(rand.New(rand.NewPCG(1, 1)), 100, worlds[5].draw)
	hoeffding := 0.8 - math.Sqrt(math.Log(20)/200)
	if got := MeanLowerBound(grades, 0.95); got < 0.75 || got < hoeffding+0.06 || got > 0.8 {
		t.Errorf("bound %.4f of grades about 0.8; Hoeffding's is %.4f", got, hoeffding)
	}
}

func TestABoundOfTheMean(t *testing.T) {
	for _, c := range []struct {
		name   string
		grades []float64
		want   float64
	}{
		{"of passes and failures is exact", append(make([]float64, 1), ones(58)...), LowerBound(58, 59, 0.95)},
		{"of nothing is nothing", nil, 0},
		{"of what is no grade is nothing", []float64{1, 1.5, 1}, 0},
		{"of what is no number is nothing", []float64{1, math.NaN()}, 0},
		{"of nothing but failures is nothing", make([]float64, 40), 0},
	} {
		if got := MeanLowerBound(c.grades, 0.95); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	for _, confidence := range []float64{0, 1, -1, math.NaN()} {
		if got := MeanLowerBound([]float64{1, 0.5}, confidence); got != 0 {
			t.Errorf("with a confidence of %v it is %v", confidence, got)
		}
	}
}

func ones(n int) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = 1
	}
	return all
}

func TestABetterGradeNeverLowersTheBoundOfAConstant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "n")
		a := rapid.Float64Range(0.01, 0.98).Draw(t, "grade")
		b := rapid.Float64Range(a, 0.99).Draw(t, "better")
		low, high := MeanLowerBound(constant(n, a), 0.9), MeanLowerBound(constant(n, b), 0.9)
		if low > high+1e-6 || high > b {
			t.Fatalf("%d × %v: %v, %d × %v: %v", n, a, low, n, b, high)
		}
	})
}

func constant(n int, grade float64) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = grade
	}
	return all
}

// halves are differences as warrants keep them.
func halves(differences []float64) []float64 {
	all := make([]float64, len(differences))
	for i, d := range differences {
		all[i] = (1 + d) / 2
	}
	return all
}

// differenceBound is the lower bound of the mean difference.
func differenceBound(differences []float64, confidence float64) float64 {
	return 2*MeanLowerBound(halves(differences), confidence) - 1
}

func TestADifferenceIsBoundedOnBothSidesOfZero(t *testing.T) {
	same := make([]float64, 200) // the candidate is as good on every case
	if got := differenceBound(same, 0.95); got > 0 || got < -0.05 {
		t.Errorf("no difference on 200 cases is bounded by %.4f", got)
	}
	if got := differenceBound(ones(59), 0.95); got < 0.9 {
		t.Errorf("a clear win is bounded by %.4f", got)
	}
	if got := differenceBound(nil, 0.95); got != -1 {
		t.Errorf("nothing is bounded by %v", got)
	}
}

// TestASequenceOfTestsKeepsThePromiseOfOne: 40 thresholds, each of which lets
// through a little more and is a little worse. The best that one finds by looking
// at all of them is below the bar far too often.
func TestASequenceOfTestsKeepsThePromiseOfOne(t *testing.T) {
	const bar, n, trials = 0.9, 200, 1000
	quality := func(i int) float64 { return 0.96 - 0.002*float64(i) } // below the bar from 31 on
	r := rand.New(rand.NewPCG(3, 4))
	wrong, naive := 0, 0
	for range trials {
		passes := make([]int, 40)
		for i := range passes {
			for range n {
				passes[i] += int(oneIn(r, quality(i)))
			}
		}
		holds := func(i int) bool { return LowerBound(passes[i], n, 0.95) >= bar }
		if held := InSequence(len(passes), holds); held > 0 && quality(held-1) < bar {
			wrong++
		}
		for i := range passes {
			if holds(i) && quality(i) < bar {
				naive++
				break
			}
		}
	}
	if wrong > mostOf(0.05, trials) {
		t.Errorf("%d of %d sequences end below the bar", wrong, trials)
	}
	if naive < trials/10 {
		t.Errorf("looking at all of them is wrong in %d of %d only: this test shows nothing", naive, trials)
	}
}

func TestASequenceEndsAtTheFirstThatDoesNotHold(t *testing.T) {
	asked := 0
	if got := InSequence(9, func(i int) bool { asked++; return i != 3 }); got != 3 || asked != 4 {
		t.Errorf("%d held, %d asked", got, asked)
	}
	if got := InSequence(2, func(int) bool { return true }); got != 2 {
		t.Errorf("%d held of 2", got)
	}
}

// TestMissingTiesAreAsManyAsItTakes, and not one more.
func TestMissingTiesAreAsManyAsItTakes(t *testing.T) {
	alike := func(n int, d float64) []float64 {
		all := make([]float64, n)
		for i := range all {
			all[i] = d
		}
		return all
	}
	for name, c := range map[string]struct {
		known              []float64
		margin, confidence float64
		never              bool
	}{
		"nothing is known":        {nil, 0.1, 0.95, false},
		"a few ties":              {alike(20, 0), 0.05, 0.95, false},
		"some were worse":         {append(alike(40, 0), -1, -1, 1), 0.05, 0.95, false},
		"a small margin":          {alike(5, 0), 0.005, 0.95, false},
		"it is shown":             {alike(200, 0), 0.05, 0.95, false},
		"no margin":               {alike(9, 0), 0, 0.95, true},
		"no confidence":           {alike(9, 0), 0.1, 1, true},
		"what is no difference":   {alike(9, 2), 0.1, 0.95, true},
		"further than one counts": {nil, 0.00001, 0.95, true},
	} {
		more := MissingTies(halves(c.known), c.margin, c.confidence)
		if (more == Never) != c.never {
			t.Errorf("%s: %d", name, more)
		}
		if c.never || more == Never {
			continue
		}
		shown := func(n int) bool {
			return differenceBound(append(alike(n, 0), c.known...), c.confidence) >= -c.margin-1e-8
		}
		reached := differenceBound(append(append([]float64{}, c.known...), alike(more, 0)...), c.confidence)
		if reached < -c.margin-1e-8 {
			t.Errorf("%s: with %d more the bound is %v", name, more, reached)
		}
		if name == "nothing is known" && (shown(more-1) || more < 30) {
			t.Errorf("%s: %d are more than it takes", name, more)
		}
		t.Logf("%s: %d", name, more)
	}
}

func TestAMeanReachesWhatItsBoundSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		grades := rapid.SliceOfN(rapid.SampledFrom([]float64{0, 0.5, 1}), 0, 60).Draw(t, "grades")
		level := rapid.Float64Range(0.01, 0.99).Draw(t, "level")
		bound := MeanLowerBound(grades, 0.95)
		if math.Abs(bound-level) > 1e-8 && MeanReaches(grades, level, 0.95) != (bound >= level) {
			t.Fatalf("bound %v, level %v", bound, level)
		}
	})
}
