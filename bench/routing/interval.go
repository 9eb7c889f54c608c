package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// A figure is a measured value with its 95 % bootstrap interval.
type figure struct{ value, lo, hi float64 }

func (f figure) String() string {
	switch {
	case math.IsNaN(f.value):
		return "never"
	case math.IsNaN(f.lo) || math.IsNaN(f.hi):
		return fmt.Sprintf("%.3f (–)", f.value)
	}
	return fmt.Sprintf("%.3f (%.3f–%.3f)", f.value, f.lo, f.hi)
}

// resamples is how often the cases are drawn again.
const resamples = 500

// once has every case count once.
func once(n int) []int {
	times := make([]int, n)
	for i := range times {
		times[i] = 1
	}
	return times
}

// bootstrap returns the figures that of computes, with percentile intervals over
// draws of the n cases with replacement. A figure that is often not a number,
// such as a cost that is never reached, has no interval.
func bootstrap(n int, of func(times []int) []float64) []figure {
	var figures []figure
	for _, v := range of(once(n)) {
		figures = append(figures, figure{value: v})
	}
	rng := rand.New(rand.NewPCG(2, 7))
	draws := make([][]float64, len(figures))
	for range resamples {
		times := make([]int, n)
		for range n {
			times[rng.IntN(n)]++
		}
		for j, v := range of(times) {
			draws[j] = append(draws[j], v)
		}
	}
	for j := range figures {
		figures[j].lo, figures[j].hi = quantile(draws[j], 0.025), quantile(draws[j], 0.975)
	}
	return figures
}

// quantile sorts the values; those that are no numbers count as the greatest.
func quantile(values []float64, q float64) float64 {
	slices.SortFunc(values, func(a, b float64) int {
		switch {
		case a == b || math.IsNaN(a) && math.IsNaN(b):
			return 0
		case math.IsNaN(b) || a < b:
			return -1
		}
		return 1
	})
	return values[int(q*float64(len(values)-1)+0.5)]
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
