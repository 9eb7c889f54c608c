package evidence

import "math"

// regularizedBeta returns I_x(a, b), the regularised incomplete beta function,
// for a, b > 0. The continued fraction converges fast below the mean of the
// distribution; above it, I_x(a, b) = 1 − I_{1−x}(b, a) is used.
//
// Source: NIST Digital Library of Mathematical Functions, 8.17.4 and 8.17.22.
func regularizedBeta(x, a, b float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2):
		return 1 - regularizedBeta(1-x, b, a)
	}
	return math.Exp(a*math.Log(x)+b*math.Log1p(-x)-logBeta(a, b)) / a * betaFraction(x, a, b)
}

// logBeta returns ln B(a, b).
func logBeta(a, b float64) float64 {
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	return la + lb - lab
}

// betaFraction evaluates 1/(1 + d₁/(1 + d₂/(1 + …))) from the front. The number
// of steps grows with the square root of a and b; the limit is far above what a
// billion cases need, and stops what would not converge.
//
// Source: W. J. Lentz, "Generating Bessel functions in Mie scattering
// calculations using continued fractions", Applied Optics 15 (1976) 668–671, as
// modified by I. J. Thompson and A. R. Barnett, J. Comput. Phys. 64 (1986) 490.
func betaFraction(x, a, b float64) float64 {
	const (
		precise  = 1e-15
		maxSteps = 1_000_000
	)
	f, c, d := 1.0, 1.0, 0.0
	for step := range maxSteps {
		t := betaTerm(step, x, a, b)
		d = 1 / nonZero(1+t*d)
		c = nonZero(1 + t/c)
		f *= c * d
		if step > 0 && math.Abs(c*d-1) < precise {
			break
		}
	}
	return 1 / f
}

// betaTerm returns d₁, d₂, … for step 0, 1, …
func betaTerm(step int, x, a, b float64) float64 {
	k := step + 1
	m := float64(k / 2)
	if k%2 == 0 {
		return m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
	}
	return -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
}

// nonZero keeps Lentz's ratios from dividing by zero.
func nonZero(v float64) float64 {
	const tiny = 1e-300
	if math.Abs(v) < tiny {
		return tiny
	}
	return v
}
