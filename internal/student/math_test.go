package student

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestExpAndLogAreThoseOfTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-700, 0).Draw(t, "x")
		if got, want := exp(x), math.Exp(x); math.Abs(got-want) > 2e-15*want {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
		y := rapid.Float64Range(1e-9, 1e12).Draw(t, "y")
		if got, want := log(y), math.Log(y); math.Abs(got-want) > 1e-14*max(1, math.Abs(want)) {
			t.Fatalf("log(%v) = %v, want %v", y, got, want)
		}
	})
}

func TestSharesAddUpToOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shares := rapid.SliceOfN(rapid.Float64Range(-1e4, 1e4), 1, 50).Draw(t, "scores")
		softmax(shares, rapid.Float64Range(bluntest, sharpest).Draw(t, "sharpness"), exact)
		var sum float64
		for _, s := range shares {
			sum += s
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Fatalf("%v", sum)
		}
	})
}

func TestAStoredWeightIsOffByHalfAUnitAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(2, 9).Draw(t, "width")
		m := matrix(rapid.SliceOfN(rapid.Float32Range(-50, 50), width, width).Draw(t, "row"))
		scales, small := quantise(m, width)
		for i, w := range m {
			if off := math.Abs(float64(w) - float64(scales[0])*float64(small[i])); off > 0.501*float64(scales[0])+1e-30 {
				t.Fatalf("%v is stored as %d × %v", w, small[i], scales[0])
			}
		}
	})
}

func TestTheSharpnessIsThatOfTheTrials(t *testing.T) {
	for _, want := range []float64{0.5, 1, 3} {
		trials := make([]trial, 0, 8_000)
		o := newOrder(1<<20, 1)
		for range cap(trials) {
			scores := []float32{float32(o.random.Uint64() % 4), float32(o.random.Uint64() % 4), 1}
			u, class := float64(o.random.Uint64()>>11)/(1<<53), 0
			for _, share := range confidences(scores, want)[:2] {
				if u -= share; u < 0 {
					break
				}
				class++
			}
			trials = append(trials, trial{scores, class, 1})
		}
		if got := calibrate(trials); math.Abs(got-want) > 0.1*want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}
