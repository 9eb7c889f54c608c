package main

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestWithoutTheDataNothingIsMeasured(t *testing.T) {
	t.Setenv("STARLING_SHARED_DATA", "")
	t.Chdir(t.TempDir())
	if err := run("", ""); !errors.Is(err, errNoData) {
		t.Errorf("%v", err)
	}
}

// TestThePairIsMeasuredFromTheFilesAsTheyAre runs a part on made-up files.
func TestThePairIsMeasuredFromTheFilesAsTheyAre(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "routing", "routellm")
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for _, name := range []string{"mmlu", "gsm8k"} {
		var text []byte
		for i := range 40 {
			one, weak := 1.0, float64(rng.IntN(2))
			line, err := json.Marshal(record{Task: string(rune('a' + i%2)), Prompt: babble(rng, 40), Scores: map[string]*float64{"gpt-4-1106-preview": &one, "mistralai/Mixtral-8x7B-Instruct-v0.1": &weak}})
			if err != nil {
				t.Fatal(err)
			}
			text = append(append(text, line...), '\n')
		}
		if err := os.WriteFile(filepath.Join(at, name+".jsonl"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(dir, "pair"); err != nil {
		t.Error(err)
	}
}

func TestHowMuchOfTheGapIsRecovered(t *testing.T) {
	weak, strong := []float64{1, 0, 0, 1}, []float64{1, 1, 1, 1}
	for _, c := range []struct {
		name             string
		score            []float64
		apgr, half, most float64
	}{
		{"whoever knows recovers it with half the calls", []float64{0, 1, 1, 0}, 0.75, 0.25, 0.5},
		{"whoever is wrong recovers it at the end", []float64{1, 0, 0, 1}, 0.25, 0.75, 1},
		{"whoever cannot tell is as good as chance", []float64{5, 5, 5, 5}, 0.5, 0.5, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			pgr := newClimb(weak, strong, c.score).recovered(once(4))
			if got := []float64{apgr(pgr), cpt(pgr, 0.5), cpt(pgr, 0.8)}; !slices.Equal(got, []float64{c.apgr, c.half, c.most}) {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestTheHullIsWhatMixingCanDo(t *testing.T) {
	corners := hull([]point{{1, 0.2}, {2, 0.3}, {3, 0.8}, {4, 0.7}, {5, 0.9}})
	if want := []point{{1, 0.2}, {3, 0.8}, {5, 0.9}}; !slices.Equal(corners, want) {
		t.Fatalf("%v, want %v", corners, want)
	}
	if got, want := aiq(corners, 1, 5), (0.5*2+0.85*2)/4; math.Abs(got-want) > 1e-12 {
		t.Errorf("AIQ %v, want %v", got, want)
	}
	if got, want := aiq(corners, 1, 9), (0.5*2+0.85*2+0.9*4)/8; math.Abs(got-want) > 1e-12 {
		t.Errorf("AIQ beyond the dearest %v, want %v", got, want)
	}
	for quality, want := range map[float64]float64{0.1: 1, 0.5: 2, 0.85: 4} {
		if got, ok := costOf(corners, quality); !ok || math.Abs(got-want) > 1e-12 {
			t.Errorf("quality %v at cost %v, want %v", quality, got, want)
		}
	}
	if _, ok := costOf(corners, 0.95); ok {
		t.Error("what is never reached has a cost")
	}
}

func TestNoPointLiesAboveTheHull(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var points []point
		for range rapid.IntRange(1, 20).Draw(t, "n") {
			points = append(points, point{rapid.Float64Range(0, 10).Draw(t, "cost"), rapid.Float64Range(0, 1).Draw(t, "quality")})
		}
		corners := hull(points)
		for _, p := range points {
			if cost, ok := costOf(corners, p.quality); !ok || cost > p.cost+1e-9 {
				t.Fatalf("%v lies above %v", p, corners)
			}
		}
	})
}

// TestWhatIsNotSoIsSeldomShown draws values with a mean of 0 again and again.
func TestWhatIsNotSoIsSeldomShown(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	wrong, right := 0, 0
	const times = 1000
	for range times {
		var null, better []float64
		for range 1000 {
			v := 0.0
			switch x := rng.Float64(); {
			case x < 0.04:
				v = 1
			case x < 0.08:
				v = -1
			}
			null, better = append(null, v), append(better, v+0.03*(1-math.Abs(v)))
		}
		if shown(null, -1, 1, 0.1) {
			wrong++
		}
		if shown(better, -1, 1, 0.1) {
			right++
		}
	}
	if wrong > times/10 || right < times*6/10 {
		t.Errorf("shown %d times where it is not so, and %d where it is, of %d", wrong, right, times)
	}
}

func TestTheSequenceStopsAtTheFirstFailure(t *testing.T) {
	rows := make([]*row, 100)
	good, bad := make([]result, 100), make([]result, 100)
	for i := range rows {
		rows[i] = &row{costs: []float64{1}}
		rows[i].Grades = []float64{1}
		good[i] = result{1, 0.5}
	}
	traces := trace{rows, map[string][][]result{"l": {nil, good, bad, good}}}
	path := []policy{{}, {1, "l", 1}, {2, "l", 1}, {3, "l", 1}}
	for name, want := range map[string]int{"fixed sequence, normal": 1, "naive: any that passes, normal": 3, "naive: enough on average": 3, "always the best": 0} {
		if got := choose(path, traces, 0)[name]; got.price != want {
			t.Errorf("%s chooses %d, want %d", name, got.price, want)
		}
	}
}

func TestAnAnswerIsWhatMatters(t *testing.T) {
	for _, c := range []struct{ a, b string }{
		{"A", "a."}, {"The Arran", "the arran"}, {"Step 1: …\n#### 42", "It is\n#### 42."}, {"Noo-Noo", "noo noo"},
	} {
		if normal(c.a) != normal(c.b) {
			t.Errorf("%q and %q differ", c.a, c.b)
		}
	}
	if normal("#### 4.2") == normal("#### 42") {
		t.Error("4.2 is 42")
	}
}

func TestCalibrationErrorIsTheDistanceWithinBins(t *testing.T) {
	if got := ece([]float64{0.25, 0.25, 0.75, 0.75}, []float64{0, 1, 1, 1}); math.Abs(got-0.25) > 1e-12 {
		t.Errorf("%v, want 0.25", got)
	}
}

func TestABootstrapIntervalHoldsTheValue(t *testing.T) {
	values := []float64{1, 2, 3, 4, 5, 6, 7, 8}
	f := bootstrap(len(values), func(times []int) []float64 {
		sum := 0.0
		for i, n := range times {
			sum += values[i] * float64(n) / 8
		}
		return []float64{sum}
	})[0]
	if f.value != 4.5 || !(f.lo > 2 && f.lo < 4 && f.hi > 5 && f.hi < 7) {
		t.Errorf("%v", f)
	}
}
