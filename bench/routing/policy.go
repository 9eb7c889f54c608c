package main

import "math"

// A policy is a price, the ladder that is worth most at it, and the share of the
// requests that climb it; the others go to the best candidate at once.
type policy struct {
	price  int
	ladder string
	share  float64
}

// policies returns the policies from the safest to the cheapest, as far as a
// trace tells. At the first price that is not needlessly safe the share of the
// requests grows: what a few requests could lose is shown on fewer cases. Then
// the price falls for all.
func policies(t trace, best int) []policy {
	path := []policy{{}} // the best candidate alone
	for k := 1; k < len(cascadePrices); k++ {
		p := t.policy(k, best)
		if len(path) == 1 {
			if next := t.policy(min(k+1, len(cascadePrices)-1), best); t.measure(next, best).kept >= safe {
				continue
			}
			for share := 0.1; share < 0.95; share += 0.1 {
				path = append(path, policy{p.price, p.ladder, share})
			}
		}
		path = append(path, p)
	}
	return path
}

// safe is the quality, as a share of the best's, beyond which nothing is bought.
const safe = 0.995

// policy chooses the ladder that is worth most at a price.
func (t trace) policy(k, best int) policy {
	unit := 0.0
	for _, r := range t.rows {
		unit += r.costs[best] / float64(len(t.rows))
	}
	p, most := policy{price: k, share: 1}, math.Inf(-1)
	for _, l := range names(t.results) {
		worth := 0.0
		for _, r := range t.results[l][k] {
			worth += r.quality - cascadePrices[k]/unit*r.cost
		}
		if worth > most {
			p.ladder, most = l, worth
		}
	}
	return p
}

// A chooser chooses the last policy of a path that is good enough, or stops at
// the first that is not.
type chooser struct {
	name   string
	stops  bool
	enough func(differences []float64) bool
}

func betting(differences []float64) bool   { return shown(differences, -keep, 1, delta) }
func normally(differences []float64) bool  { return likely(differences, delta) }
func onAverage(differences []float64) bool { return mean(differences) >= 0 }
func never([]float64) bool                 { return false }

// choosers are compared in this order.
var choosers = []chooser{
	{"fixed sequence, betting", true, betting},
	{"fixed sequence, normal", true, normally},
	{"naive: any that passes, betting", false, betting},
	{"naive: any that passes, normal", false, normally},
	{"naive: enough on average", false, onAverage},
	{"always the best", true, never},
}

// choose chooses by each of the choosers among the policies of a path.
func choose(path []policy, t trace, best int) map[string]policy {
	chosen := map[string]policy{}
	for _, c := range choosers {
		chosen[c.name] = path[0]
		for _, p := range path[1:] {
			var differences []float64
			for i, r := range t.of(p, best) {
				differences = append(differences, r.quality-keep*t.rows[i].Grades[best])
			}
			if c.enough(differences) {
				chosen[c.name] = p
			} else if c.stops {
				break
			}
		}
	}
	return chosen
}
