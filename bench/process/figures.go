package process

import (
	"math/rand/v2"
	"slices"
)

// resamples is how often the bootstrap draws.
const resamples = 2000

// Median of figures that are not empty.
func Median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	n := len(all)
	return (all[(n-1)/2] + all[n/2]) / 2
}

// Interval is where the median of 95 % of the draws lies. Its draws are always the
// same, so that a result says again what it said.
func Interval(all []float64) (low, high float64) {
	r := rand.New(rand.NewPCG(1, 2))
	medians := make([]float64, resamples)
	draw := make([]float64, len(all))
	for i := range medians {
		for j := range draw {
			draw[j] = all[r.IntN(len(all))]
		}
		medians[i] = Median(draw)
	}
	slices.Sort(medians)
	return medians[resamples*25/1000], medians[resamples*975/1000]
}
