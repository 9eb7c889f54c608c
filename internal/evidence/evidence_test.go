package evidence

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// The figures were computed once with mpmath 1.3.0 at 40 digits, from the
// binomial sums themselves and by bisection: another method than the one here.
var known = []struct {
	passes, n          int
	confidence, lo, hi float64
	bound              float64
}{
	{0, 1, 0.95, 0, 0.975, 0},
	{1, 1, 0.95, 0.025, 1, 0.05},
	{0, 10, 0.95, 0, 0.308497107818761, 0},
	{5, 10, 0.95, 0.187086028447399, 0.812913971552601, 0.222441101008129},
	{9, 10, 0.95, 0.554983882971805, 0.997471421455538, 0.605836697563495},
	{10, 10, 0.95, 0.691502892181239, 1, 0.741134449106948},
	{58, 59, 0.95, 0.909144067113351, 0.999570976667276, 0.922102078481182},
	{59, 59, 0.95, 0.93939109904966, 1, 0.950492390111773},
	{81, 263, 0.95, 0.252736745585271, 0.367621922601351, 0.261055746009112},
	{45, 69, 0.99, 0.490717389818397, 0.792043384368256, 0.505783586569123},
	{149, 150, 0.9, 0.968766183079057, 0.999658103164131, 0.974317036025011},
	{999, 1000, 0.99, 0.992593713061647, 0.999994987470739, 0.993380331604351},
	{12345, 20000, 0.95, 0.610472051255439, 0.623993848631704, 0.611559379387001},
	{1, 1000, 0.999, 5.0012491661979e-7, 0.00995381434095081, 1.00049983308324e-6},
}

// close compares to ten digits.
func close(got, want float64) bool {
	return math.Abs(got-want) <= 1e-10*math.Abs(want)+1e-15
}

func TestTheBoundsAreThoseOfTheBinomialSums(t *testing.T) {
	for _, k := range known {
		lo, hi := ClopperPearson(k.passes, k.n, k.confidence)
		if !close(lo, k.lo) || !close(hi, k.hi) {
			t.Errorf("%d of %d at %v: [%.15g, %.15g], want [%.15g, %.15g]", k.passes, k.n, k.confidence, lo, hi, k.lo, k.hi)
		}
		if got := LowerBound(k.passes, k.n, k.confidence); !close(got, k.bound) {
			t.Errorf("%d of %d at %v: lower bound %.15g, want %.15g", k.passes, k.n, k.confidence, got, k.bound)
		}
	}
}

func TestTheBetaFunctionIsTheBinomialTail(t *testing.T) {
	for _, k := range []struct{ x, a, b, want float64 }{ // mpmath, as above
		{0.5, 1, 1, 0.5},
		{0.3, 2, 5, 0.579825},
		{0.95, 59, 1, 0.048494525249423238},
		{0.01, 1, 100, 0.6339676587267705},
		{0.999, 500, 2, 0.90956841729177751},
		{0.5, 5000, 5000, 0.5},
		{0.62, 12345, 7656, 0.79066189529708603},
		{0, 3, 4, 0},
		{1, 3, 4, 1},
	} {
		if got := regularizedBeta(k.x, k.a, k.b); !close(got, k.want) {
			t.Errorf("I_%v(%v, %v) = %.17g, want %.17g", k.x, k.a, k.b, got, k.want)
		}
	}
}

func TestHowManyCasesAreMissing(t *testing.T) {
	for _, c := range []struct {
		name            string
		passes, n       int
		bar, confidence float64
		want            int
	}{
		{"95 % takes 59 cases without a failure", 0, 0, 0.95, 0.95, 59},
		{"98 % takes 149", 0, 0, 0.98, 0.95, 149},
		{"99 % takes 299", 0, 0, 0.99, 0.95, 299},
		{"cases that passed count", 20, 20, 0.95, 0.95, 39},
		{"one failure costs many", 57, 58, 0.95, 0.95, 35},
		{"also when it is all there is", 0, 1, 0.95, 0.95, 92},
		{"a lower bar takes fewer", 66, 69, 0.9, 0.95, 7},
		{"what is shown needs nothing", 69, 69, 0.9, 0.95, 0},
		{"more confidence takes more", 0, 0, 0.9, 0.99, 44},
		{"no bar is always reached", 0, 100, 0, 0.95, 0},
		{"certainty is never reached", 1000, 1000, 1, 0.95, Never},
		{"no confidence is certain", 1000, 1000, 0.5, 1, Never},
		{"a bar that is no number is never reached", 1, 1, math.NaN(), 0.95, Never},
		{"beyond a billion cases is never", 0, 0, 1 - 1e-12, 0.95, Never},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Missing(c.passes, c.n, c.bar, c.confidence); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

func TestWithoutCasesNothingIsKnown(t *testing.T) {
	for _, c := range []struct {
		passes, n  int
		confidence float64
	}{{0, 0, 0.95}, {3, 0, 0.95}, {0, -1, 0.95}, {5, 10, 1}, {5, 10, 0}, {5, 10, -0.5}, {5, 10, math.NaN()}} {
		if lo, hi := ClopperPearson(c.passes, c.n, c.confidence); lo != 0 || hi != 1 {
			t.Errorf("%+v gives [%v, %v]", c, lo, hi)
		}
	}
}

var confidences = rapid.SampledFrom([]float64{0.5, 0.8, 0.9, 0.95, 0.99, 0.999})

func TestMorePassesRaiseTheBoundsAndMoreConfidenceWidensThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3000).Draw(t, "n")
		k := rapid.IntRange(0, n-1).Draw(t, "passes")
		c := confidences.Draw(t, "confidence")
		lo, hi := ClopperPearson(k, n, c)
		lo2, hi2 := ClopperPearson(k+1, n, c)
		if !(lo <= lo2 && hi <= hi2) {
			t.Fatalf("one more pass moved [%v, %v] to [%v, %v]", lo, hi, lo2, hi2)
		}
		if wideLo, wideHi := ClopperPearson(k, n, (c+1)/2); wideLo > lo || wideHi < hi {
			t.Fatalf("more confidence narrowed [%v, %v] to [%v, %v]", lo, hi, wideLo, wideHi)
		}
		if share := float64(k) / float64(n); !(0 <= lo && lo <= share && share <= hi && hi <= 1) {
			t.Fatalf("[%v, %v] leaves out %v", lo, hi, share)
		}
		if bound := LowerBound(k, n, c); bound < lo {
			t.Fatalf("one-sided %v is below two-sided %v", bound, lo)
		}
	})
}

func TestMissingIsExactlyWhatIsMissing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 500).Draw(t, "n")
		k := rapid.IntRange(0, n).Draw(t, "passes")
		bar := rapid.Float64Range(0.01, 0.995).Draw(t, "bar")
		c := confidences.Draw(t, "confidence")
		m := Missing(k, n, bar, c)
		if got := LowerBound(k+m, n+m, c); got < bar-1e-9 {
			t.Fatalf("with %d more the bound is %v, below %v", m, got, bar)
		}
		if m > 0 {
			if got := LowerBound(k+m-1, n+m-1, c); got > bar+1e-9 {
				t.Fatalf("with %d more the bound is %v already, above %v", m-1, got, bar)
			}
		}
	})
}

// TestTheIntervalCoversAsOftenAsItSays sums over every outcome instead of
// drawing some: the coverage is exact, and so is the claim.
func TestTheIntervalCoversAsOftenAsItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "n")
		p := rapid.Float64Range(0.001, 0.999).Draw(t, "p")
		c := confidences.Draw(t, "confidence")
		var covered, bounded float64
		for k := range n + 1 {
			chance := binomial(k, n, p)
			if lo, hi := ClopperPearson(k, n, c); lo <= p && p <= hi {
				covered += chance
			}
			if LowerBound(k, n, c) <= p {
				bounded += chance
			}
		}
		if covered < c-1e-9 || bounded < c-1e-9 {
			t.Fatalf("n=%d p=%v: the interval covers with %v, the bound with %v; promised %v", n, p, covered, bounded, c)
		}
	})
}

// binomial is the probability of exactly k passes.
func binomial(k, n int, p float64) float64 {
	chance := math.Pow(1-p, float64(n))
	for i := range k {
		chance *= float64(n-i) / float64(i+1) * p / (1 - p)
	}
	return chance
}

func BenchmarkClopperPearson(b *testing.B) {
	for b.Loop() {
		ClopperPearson(81, 263, 0.95)
	}
}

func BenchmarkMissing(b *testing.B) {
	for b.Loop() {
		Missing(970, 1000, 0.98, 0.95)
	}
}
