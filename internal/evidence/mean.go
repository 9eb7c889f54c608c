package evidence

import (
	"math"
	"slices"
	"sort"
)

// MeanLowerBound returns a one-sided lower bound for the mean of independent
// grades in [0, 1]: with the given confidence the mean is no less. Of grades that
// are all 0 or 1 it is the exact [LowerBound]. Of others it is by betting: a
// gambler who bets against "the mean is m", at odds that are fair if it is, becomes
// rich with probability 1 − confidence at most if it is m or less; the bound is
// the largest m against which the gambler did. It holds whenever one looks, as long
// as the order of the grades has nothing to do with them.
//
// It is 0 when nothing is known: without grades, with one outside [0, 1], or with
// a confidence outside (0, 1).
//
// Source: I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random
// variables by betting", J. R. Statist. Soc. B 86 (2024) 1–27, the predictable
// plug-in bets of section 4 on one side.
func MeanLowerBound(grades []float64, confidence float64) float64 {
	passes, exact, ok := tally(grades)
	switch {
	case !ok || !(0 < confidence && confidence < 1):
		return 0
	case exact:
		return LowerBound(passes, len(grades), confidence)
	}
	rich := -math.Log1p(-confidence)
	bets := betsOn(grades, rich)
	lo, hi := 0.0, 1.0
	for hi-lo > 1e-9 {
		if m := (lo + hi) / 2; wealth(grades, bets, m) >= rich {
			lo = m
		} else {
			hi = m
		}
	}
	return lo
}

// MissingTies returns how many more ties it takes until the mean difference of two
// who were graded on the same cases is shown to be −margin at least; 0 when it is. A
// difference d in [−1, 1] is given as (1 + d)/2, as in [Warrant], and a tie is ½. It
// returns [Never] for a margin of 0 or less, for a confidence outside (0, 1), for
// what are no differences, and beyond a hundred thousand.
func MissingTies(shown []float64, margin, confidence float64) int {
	const most = 100_000
	if _, _, ok := tally(shown); !(margin > 0) || !(0 < confidence && confidence < 1) || len(shown) > 0 && !ok {
		return Never
	}
	level := (1 - margin) / 2
	reached := func(more int) bool {
		all := slices.Clone(shown)
		for range more {
			all = append(all, 0.5)
		}
		return MeanReaches(all, level, confidence)
	}
	if reached(0) {
		return 0
	}
	enough := 1
	for !reached(enough) {
		if enough *= 2; enough > most {
			return Never
		}
	}
	return sort.Search(enough, reached)
}

// MeanReaches reports whether [MeanLowerBound] is level or more, which is quicker
// to tell than what it is.
func MeanReaches(grades []float64, level, confidence float64) bool {
	passes, exact, ok := tally(grades)
	switch {
	case !ok || !(0 < confidence && confidence < 1):
		return level <= 0
	case exact:
		return atLeast(passes, len(grades), level) <= 1-confidence
	}
	rich := -math.Log1p(-confidence)
	return wealth(grades, betsOn(grades, rich), level) >= rich
}

// tally counts the ones, and reports whether all grades are 0 or 1, and whether
// they are grades.
func tally(grades []float64) (ones int, exact, ok bool) {
	exact = true
	for _, g := range grades {
		switch {
		case !(0 <= g && g <= 1):
			return 0, false, false
		case g == 1:
			ones++
		case g != 0:
			exact = false
		}
	}
	return ones, exact, len(grades) > 0
}

// betsOn returns how much of the wealth is bet on each grade, by those before it
// alone: more, the less they vary.
func betsOn(grades []float64, rich float64) []float64 {
	bets := make([]float64, len(grades))
	sum, squares := 0.5, 0.25 // as if one grade of ½ had been ½ away from the mean
	n := float64(len(grades))
	for i, g := range grades {
		bets[i] = math.Sqrt(2 * rich * float64(i+1) / (n * squares))
		sum += g
		mean := sum / float64(i+2)
		squares += (g - mean) * (g - mean)
	}
	return bets
}

// wealth returns the logarithm of the most that the gambler ever had, of 1 at the
// beginning. It falls as m rises. A bet leaves a quarter at least.
func wealth(grades, bets []float64, m float64) float64 {
	now, most := 0.0, 0.0
	for i, g := range grades {
		now += math.Log1p(min(bets[i], 0.75/m) * (g - m))
		most = max(most, now)
	}
	return most
}

// InSequence tests hypotheses in their order, each at its whole level, until one
// does not hold, and returns how many held. However many there are, the chance
// that any of those is false is that of a single test: as long as the order was
// chosen, safest first, without a look at the data of the tests.
//
// Source: A. N. Angelopoulos, S. Bates, E. J. Candès, M. I. Jordan and L. Lei,
// "Learn then Test", Ann. Appl. Stat. 19 (2025) 1641–1662, fixed-sequence testing.
func InSequence(hypotheses int, holds func(i int) bool) int {
	for i := range hypotheses {
		if !holds(i) {
			return i
		}
	}
	return hypotheses
}

// WithRoom chooses among hypotheses that all held, ordered from the safest to the
// one that says most: the last that would also hold at a tenth of the level, and
// the first if none would. What only just holds is broken by the first audits that
// are unlucky. It returns the position.
func WithRoom(held int, confidence float64, holds func(i int, confidence float64) bool) int {
	for i := held - 1; i > 0; i-- {
		if holds(i, 1-(1-confidence)/10) {
			return i
		}
	}
	return 0
}
