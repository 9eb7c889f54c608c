package main

import (
	"math"
	"slices"
)

// A sweep is the choices of one way of routing at each of many prices of
// quality: choice[k][i] is the candidate for case i at the k-th.
type sweep [][]int

// prices are how much quality one unit of cost is worth: from nothing, where
// the best is taken whatever it costs, to so much that the cheapest is.
func prices(unit float64) []float64 {
	all := []float64{0}
	for x := 1e-4; x <= 1e4; x *= 1.2 {
		all = append(all, x/unit)
	}
	return all
}

// newSweep chooses by expected quality less the price of the expected cost.
func newSweep(quality, cost [][]float64, unit float64) sweep {
	var s sweep
	for _, price := range prices(unit) {
		choice := make([]int, len(quality))
		for i := range quality {
			choice[i] = best(quality[i], cost[i], price)
		}
		if len(s) == 0 || !slices.Equal(choice, s[len(s)-1]) {
			s = append(s, choice)
		}
	}
	return s
}

// best is the candidate with the most quality less price times cost.
func best(quality, cost []float64, price float64) (c int) {
	most := math.Inf(-1)
	for i, q := range quality {
		if v := q - price*cost[i]; v > most {
			most, c = v, i
		}
	}
	return c
}

// fixed is the sweep over the candidates, each for every case: the zero-router.
func fixed(candidates, n int) sweep {
	var s sweep
	for c := range candidates {
		choice := make([]int, n)
		for i := range choice {
			choice[i] = c
		}
		s = append(s, choice)
	}
	return s
}

// points is what each choice of a sweep costs and brings. Times says how often
// each case counts.
func (s *set) points(w sweep, times []int) []point {
	var all []point
	for _, choice := range w {
		p, n := point{}, 0.0
		for i, c := range choice {
			if t := float64(times[i]); t > 0 {
				p.cost += t * s.rows[i].costs[c]
				p.quality += t * s.rows[i].Grades[c]
				n += t
			}
		}
		all = append(all, point{p.cost / n, p.quality / n})
	}
	return all
}
