package main

import "math"

// shown reports whether it is shown, with an error of at most delta, that the
// mean of independent values in [low, high] is above 0.
//
// It bets against a mean of 0 with several fixed stakes at once, each with its
// own purse; if the mean were 0 or less, the purses together would ever exceed
// 1/delta with a probability of at most delta, however many values there are.
//
// Source: I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random
// variables by betting", JRSS B 86 (2024) 1–27, sections 4 and 5.
func shown(values []float64, low, high, delta float64) bool {
	null := -low / (high - low) // where 0 lies when the values are in [0, 1]
	purses := []float64{1, 1, 1, 1}
	for _, v := range values {
		together := 0.0
		for i, stake := range []float64{0.2, 0.4, 0.8, 1.2} {
			purses[i] *= 1 + stake*((v-low)/(high-low)-null)
			together += purses[i] / float64(len(purses))
		}
		if together >= 1/delta {
			return true
		}
	}
	return false
}

// likely is what shown would say if the mean of the values were normal, which it
// is only about, and only with many values.
func likely(values []float64, delta float64) bool {
	m, squares := mean(values), 0.0
	for _, v := range values {
		squares += (v - m) * (v - m)
	}
	n := float64(len(values))
	z := math.Sqrt2 * math.Erfinv(1-2*delta)
	return m > z*math.Sqrt(squares/(n-1)/n)
}
