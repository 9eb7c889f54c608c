package main

import (
	"cmp"
	"slices"
)

// A climb is what a router between a weak and a strong candidate decided: the
// cases in the order in which it would send them to the strong one, and by how
// much the strong one is better on each. Cases that the router cannot tell
// apart share that equally, as if their order were drawn by lot.
type climb struct {
	order  []int
	better []float64 // by case
}

// newClimb orders the cases by score, the highest first.
func newClimb(weak, strong, score []float64) climb {
	c := climb{make([]int, len(score)), make([]float64, len(score))}
	for i := range c.order {
		c.order[i] = i
	}
	slices.SortStableFunc(c.order, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
	for from := 0; from < len(c.order); {
		to, sum := from, 0.0
		for ; to < len(c.order) && score[c.order[to]] == score[c.order[from]]; to++ {
			sum += strong[c.order[to]] - weak[c.order[to]]
		}
		for each := sum / float64(to-from); from < to; from++ {
			c.better[c.order[from]] = each
		}
	}
	return c
}

// recovered returns the share of the gap between weak and strong that is
// recovered with 0, 1, … n calls to the strong one. Times says how often each
// case counts; nil is once each.
//
// Source: I. Ong et al., "RouteLLM: Learning to Route LLMs with Preference
// Data", arXiv 2406.18665, section 3: PGR, APGR, CPT.
func (c climb) recovered(times []int) (pgr []float64) {
	sum := 0.0
	pgr = append(pgr, 0)
	for _, i := range c.order {
		n := 1
		if times != nil {
			n = times[i]
		}
		for range n {
			sum += c.better[i]
			pgr = append(pgr, sum)
		}
	}
	for i := range pgr {
		pgr[i] /= sum
	}
	return pgr
}

// apgr is the average of the share recovered over all shares of calls.
func apgr(pgr []float64) float64 {
	sum := 0.0
	for i := 1; i < len(pgr); i++ {
		sum += (pgr[i-1] + pgr[i]) / 2
	}
	return sum / float64(len(pgr)-1)
}

// cpt is the smallest share of calls that recovers the share of the gap.
func cpt(pgr []float64, share float64) float64 {
	for i, p := range pgr {
		if p >= share {
			return float64(i) / float64(len(pgr)-1)
		}
	}
	return 1
}
