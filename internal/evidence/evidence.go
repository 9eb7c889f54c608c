// Package evidence turns graded outcomes into statements that can be defended:
// exact intervals for "k of n passed", and how many cases a claim still needs.
// It knows neither models nor money, keeps nothing, and assumes what the
// binomial model assumes: that the cases are independent draws from the traffic
// the claim is about.
//
// Start reading at [ClopperPearson].
//
// Source: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial
// limits illustrated in the case of the binomial", Biometrika 26 (1934) 404–413.
package evidence

import (
	"math"
	"sort"
)

// Never is what [Missing] returns when no number of cases would do.
const Never = math.MaxInt

// most is the largest number of cases that Missing looks at.
const most = 1_000_000_000

// ClopperPearson returns the exact two-sided interval for the probability of
// passing, after passes of n cases: it covers the true probability at least as
// often as confidence (0.95 is 95 %) says, however small n is. Without cases, or
// with a confidence outside (0, 1), nothing is known: the interval is [0, 1].
func ClopperPearson(passes, n int, confidence float64) (lo, hi float64) {
	if !(0 < confidence && confidence < 1) {
		return 0, 1
	}
	tail := (1 - confidence) / 2
	return lower(passes, n, tail), 1 - lower(n-passes, n, tail)
}

// LowerBound returns the exact one-sided bound: with the given confidence the
// probability of passing is no less. It is 0 when nothing is known, as in
// [ClopperPearson].
func LowerBound(passes, n int, confidence float64) float64 {
	return lower(passes, n, 1-confidence)
}

// Missing returns how many more cases, all of them passes, it takes until
// [LowerBound] reaches the bar; 0 when it has. Zero failures in 59, 149 and 299
// cases show 95, 98 and 99 % with 95 % confidence. It returns [Never] for a bar
// of 1 or more, for a confidence outside (0, 1), and beyond a billion cases.
func Missing(passes, n int, bar, confidence float64) int {
	alpha := 1 - confidence
	switch {
	case bar <= 0:
		return 0
	case !(bar < 1) || !(0 < alpha && alpha < 1):
		return Never
	}
	n = max(n, 0)
	passes = min(max(passes, 0), n)
	reached := func(more int) bool { return atLeast(passes+more, n+more, bar) <= alpha }
	enough := 1
	for !reached(enough) {
		if enough *= 2; enough > most {
			return Never
		}
	}
	return sort.Search(enough, reached)
}

// lower is the probability of passing at which passes or more of n have the
// probability tail: a quantile of the beta distribution. It is rounded down.
func lower(passes, n int, tail float64) float64 {
	passes = min(passes, n)
	if passes <= 0 || !(0 < tail && tail < 1) {
		return 0
	}
	lo, hi := 0.0, 1.0
	for {
		middle := (lo + hi) / 2
		if middle <= lo || middle >= hi {
			return lo
		}
		if atLeast(passes, n, middle) <= tail {
			lo = middle
		} else {
			hi = middle
		}
	}
}

// atLeast is the probability that passes or more of n cases pass if each does
// with probability p. Source: NIST Digital Library of Mathematical Functions,
// 8.17.24.
func atLeast(passes, n int, p float64) float64 {
	if passes <= 0 {
		return 1
	}
	return regularizedBeta(p, float64(passes), float64(n-passes+1))
}
