package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// A figure is a mean with its 95 % bootstrap interval.
type figure struct{ value, lo, hi float64 }

func (f figure) String() string { return fmt.Sprintf("%.4f [%.4f, %.4f]", f.value, f.lo, f.hi) }

const draws = 1000

// bootstrap draws n things with replacement again and again and asks what comes
// out; value is of all n.
func bootstrap(n int, statistic func(drawn []int) float64) figure {
	random := rand.New(rand.NewPCG(1, 1))
	drawn := make([]int, n)
	for i := range drawn {
		drawn[i] = i
	}
	f := figure{value: statistic(drawn)}
	var all []float64
	for range draws {
		for i := range drawn {
			drawn[i] = random.IntN(n)
		}
		all = append(all, statistic(drawn))
	}
	slices.Sort(all)
	f.lo, f.hi = quantile(all, 0.025), quantile(all, 0.975)
	return f
}

// A tally is how often a row was right, in how many splits that tested it.
type tally struct{ right, n int }

// accuracy is the share of right answers. Rows are drawn, not answers: those of
// one row in several splits are not independent.
func accuracy(rows []tally) figure {
	return bootstrap(len(rows), func(drawn []int) float64 {
		right, n := 0, 0
		for _, i := range drawn {
			right, n = right+rows[i].right, n+rows[i].n
		}
		return float64(right) / float64(n)
	})
}

// ece is the expected calibration error: by how much confidence and accuracy
// differ in 15 bins of equal width.
func ece(answers []answer) figure {
	return bootstrap(len(answers), func(drawn []int) float64 {
		var gap [15]float64
		for _, i := range drawn {
			bin := min(int(answers[i].confidence*15), 14)
			gap[bin] += answers[i].confidence
			if answers[i].right {
				gap[bin]--
			}
		}
		var sum float64
		for _, g := range gap {
			sum += math.Abs(g)
		}
		return sum / float64(len(drawn))
	})
}

// quantile is of sorted values.
func quantile[T any](sorted []T, q float64) T {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func mean(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
