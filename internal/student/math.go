package student

import "math"

// Training and prediction must give the same bits on every machine. Two things
// in Go do not: math.Exp and math.Log have assembly of their own on some
// machines, and x*y + z may be fused into one rounding. So both functions are
// here, and every product that is added to something is first converted to its
// own type, which the language says forbids fusing. Square roots, conversions
// and single operations are rounded correctly everywhere.

const (
	ln2High = 6.93147180369123816490e-01 // ln 2 with 32 trailing zero bits
	ln2Low  = 1.90821492927058770002e-10 // the rest of it
)

// factorials are the reciprocals of 0! to 13!.
var factorials = func() (f [14]float64) {
	f[0] = 1
	for n := 1; n < len(f); n++ {
		f[n] = f[n-1] / float64(n)
	}
	return f
}()

// exp returns eˣ for x from −700 to 0 to 15 digits: 2ᵏ times the Taylor series of
// the rest, which is at most ln 2 / 2.
func exp(x float64) float64 {
	k := math.Floor(float64(x*math.Log2E) + 0.5)
	r := x - float64(k*ln2High) - float64(k*ln2Low)
	sum := 0.0
	for n := len(factorials) - 1; n >= 0; n-- {
		sum = factorials[n] + float64(r*sum)
	}
	return math.Ldexp(sum, int(k))
}

// log returns ln x for a positive, finite x to 15 digits: from x = m·2ᵏ, with m
// between √½ and √2, and ln m = 2·artanh((m−1)/(m+1)).
func log(x float64) float64 {
	m, k := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, k = 2*m, k-1
	}
	s := (m - 1) / (m + 1)
	square := float64(s * s)
	sum := 0.0
	for n := 25; n > 0; n -= 2 {
		sum = float64(sum*square) + 1/float64(n)
	}
	return float64(float64(k)*math.Ln2) + float64(2*float64(s*sum))
}

// The least shares, as powers of e of the greatest, that softmax tells from 0.
const (
	exact = -40
	rough = -8
)

// softmax turns scores, each multiplied by sharpness, into shares of 1 in place.
func softmax(scores []float64, sharpness, least float64) {
	top := math.Inf(-1)
	for _, s := range scores {
		top = max(top, s)
	}
	var sum float64
	for i, s := range scores {
		scores[i] = 0
		if x := (s - top) * sharpness; x >= least {
			scores[i] = exp(x)
			sum += scores[i]
		}
	}
	for i := range scores {
		scores[i] /= sum
	}
}
