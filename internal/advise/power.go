package advise

import (
	"math"
	"sort"

	"starling/internal/evidence"
)

// fall is the drop below the bar that there should be enough evidence to notice, as
// warrants are watched for: ten points.
const fall = 0.10

// often is how often it is noticed then.
const often = 0.8

// finds is the drop below a share, in points of 1, that so many answers show at the
// confidence, four times in five; 1 if they can show none.
func finds(n int, share, confidence float64) float64 {
	// Of fewer passes than these the upper bound is below the share.
	enough := sort.Search(n+1, func(k int) bool { return 1-evidence.LowerBound(n-k, n, confidence) >= share })
	if enough == 0 {
		return 1
	}
	// So few come, four times in five, of whoever passes no more often than this.
	return share - evidence.LowerBound(enough, n, often)
}

// needed is how many answers it takes to find a drop, four times in five. It is
// evidence.Never beyond a hundred thousand.
func needed(share, confidence, drop float64) int {
	if !(0 < share && share <= 1) || !(0 < drop && drop < 1) {
		return evidence.Never
	}
	drop = min(drop, share/2)
	const most = 100_000
	enough := 1
	for finds(enough, share, confidence) > drop {
		if enough *= 2; enough > most {
			return evidence.Never
		}
	}
	// It is a saw's edge that falls: the first tooth that reaches the drop is close to
	// what a search among halves finds.
	low := enough / 2
	return low + 1 + sort.Search(enough-low-1, func(i int) bool { return finds(low+1+i, share, confidence) <= drop })
}

// upTo rounds up to two digits.
func upTo(x float64) float64 {
	if x <= 0 {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(x))-1)
	return math.Round(math.Ceil(x/unit-1e-9)*unit*1e12) / 1e12
}
