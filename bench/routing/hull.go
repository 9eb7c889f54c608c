package main

import (
	"cmp"
	"slices"
)

// A point is what a way of routing costs and how good it is, a case.
type point struct{ cost, quality float64 }

// hull returns the corners of the non-decreasing convex hull of the points: what
// can be had by mixing them at random, from the cheapest to the best.
//
// Source: Q. J. Hu et al., "RouterBench: A Benchmark for Multi-LLM Routing
// System", arXiv 2403.12031, section 4.
func hull(points []point) []point {
	sorted := slices.Clone(points)
	slices.SortFunc(sorted, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(b.quality, a.quality))
	})
	var corners []point
	for _, p := range sorted {
		if n := len(corners); n > 0 && p.quality <= corners[n-1].quality {
			continue
		}
		for n := len(corners); n > 1 && !turns(corners[n-2], corners[n-1], p); n-- {
			corners = corners[:n-1]
		}
		corners = append(corners, p)
	}
	return corners
}

// turns reports whether b lies above the line from a to c.
func turns(a, b, c point) bool {
	return (b.quality-a.quality)*(c.cost-a.cost) > (c.quality-a.quality)*(b.cost-a.cost)
}

// aiq is the average quality of a hull over the costs from least to most: the
// best beyond its dearest corner, and nothing before its cheapest.
//
// Source: as for hull, equation 5.
func aiq(corners []point, least, most float64) float64 {
	area := 0.0
	for i := 1; i < len(corners); i++ {
		a, b := corners[i-1], corners[i]
		from, to := max(a.cost, least), min(b.cost, most)
		if from < to {
			area += (to - from) * (at(a, b, from) + at(a, b, to)) / 2
		}
	}
	last := corners[len(corners)-1]
	if from := max(last.cost, least); from < most {
		area += (most - from) * last.quality
	}
	return area / (most - least)
}

// at is the quality on the line from a to b at a cost.
func at(a, b point, cost float64) float64 {
	return a.quality + (b.quality-a.quality)*(cost-a.cost)/(b.cost-a.cost)
}

// costOf is the least cost on a hull at which a quality is reached; ok is false
// if it never is.
func costOf(corners []point, quality float64) (cost float64, ok bool) {
	for i, p := range corners {
		if p.quality < quality {
			continue
		}
		if i == 0 {
			return p.cost, true
		}
		a := corners[i-1]
		return a.cost + (p.cost-a.cost)*(quality-a.quality)/(p.quality-a.quality), true
	}
	return 0, false
}
