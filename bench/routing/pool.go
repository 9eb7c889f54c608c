package main

import (
	"fmt"
	"math"
)

// A pool is a set with the bars that it is measured at.
type pool struct {
	*set
	reference          int     // the candidate whose quality is to be reached
	share              float64 // how much of it
	barAIQ, barCost    float64
	least, most, price float64 // costs of the cheapest, the dearest, the reference
}

// sizes are the candidates of the LLMRouter pool in billions of parameters. The
// rows have no costs; size stands for them.
var sizes = map[string]float64{
	"codegemma-7b": 7, "mistral-7b-instruct-v0.3": 7, "qwen2.5-7b-instruct": 7,
	"llama-3.1-8b-instruct": 8, "llama3-chatqa-1.5-8b": 8, "gemma-2-9b-it": 9,
	"llama-3.3-nemotron-super-49b-v1": 49, "llama-3.1-nemotron-51b-instruct": 51, "llama3-chatqa-1.5-70b": 70,
}

// pools returns RouterBench's subset and LLMRouter's pool.
func pools(dir string) ([]*pool, error) {
	bench, err := read(dir, "routerbench_subset/*.jsonl")
	if err != nil {
		return nil, err
	}
	llm, err := read(dir, "llmrouter/*.jsonl")
	if err != nil {
		return nil, err
	}
	a := newPool(newSet("RouterBench subset", bench, nil), 0.98, 0.86, 0.33)
	b := newPool(newSet("LLMRouter pool (size as cost)", llm, sizes), 1, 0.685, 0.15)
	return []*pool{a, b}, nil
}

// newPool makes a pool whose reference is the best single candidate. Rows on
// which a grade or a cost is missing are left out.
func newPool(s *set, share, barAIQ, barCost float64) *pool {
	whole := s.rows[:0]
	for _, r := range s.rows {
		if sum := mean(r.Grades) + mean(r.costs); !math.IsNaN(sum) {
			whole = append(whole, r)
		}
	}
	s.rows = whole
	p := &pool{set: s, share: share, barAIQ: barAIQ, barCost: barCost, least: math.Inf(1)}
	singles := s.singles(once(len(s.rows)))
	for c, single := range singles {
		p.least, p.most = min(p.least, single.cost), max(p.most, single.cost)
		if single.quality > singles[p.reference].quality {
			p.reference = c
		}
	}
	p.price = singles[p.reference].cost
	return p
}

// singles is what each candidate costs and brings alone.
func (s *set) singles(times []int) []point {
	return s.points(fixed(len(s.candidates), len(s.rows)), times)
}

func measurePools(dir string) error {
	all, err := pools(dir)
	if err != nil {
		return err
	}
	for _, p := range all {
		if err := p.measure(); err != nil {
			return err
		}
	}
	return nil
}

func (p *pool) measure() error {
	fmt.Printf("pool: %s, %d cases, %d candidates; bars AIQ ≥ %.3f, and %.0f %% of the quality of %s at ≤ %.0f %% of its cost\n",
		p.name, len(p.rows), len(p.candidates), p.barAIQ, 100*p.share, p.candidates[p.reference], 100*p.barCost)
	all, err := ways(p.set)
	if err != nil {
		return err
	}
	t := newTable("", "AIQ", "cost at that quality")
	for _, w := range all {
		var sweeps []sweep
		for _, tr := range w.trials {
			sweeps = append(sweeps, newSweep(tr.quality, tr.cost, p.most))
		}
		t.addFigures(w.name, p.figures(sweeps))
	}
	n := len(p.rows)
	t.addFigures("zero-router (hull of single candidates)", p.figures([]sweep{fixed(len(p.candidates), n)}))
	t.addFigures("oracle", p.figures([]sweep{p.oracle()}))
	if err := t.print(); err != nil {
		return err
	}
	return p.printSingles()
}

// printSingles prints what ways cost and bring that have no curve.
func (p *pool) printSingles() error {
	figures := bootstrap(len(p.rows), func(times []int) (all []float64) {
		singles := p.singles(times)
		for _, c := range []int{0, len(singles) - 1, p.reference} {
			all = append(all, singles[c].quality, singles[c].cost/p.price)
		}
		return all
	})
	t := newTable("", "quality", "cost, the best single's = 1")
	t.add("always cheapest: "+p.candidates[0], figures[0], figures[1])
	t.add("always dearest: "+p.candidates[len(p.candidates)-1], figures[2], figures[3])
	t.add("best single: "+p.candidates[p.reference], figures[4], figures[5])
	t.add("drawn by lot", fmt.Sprintf("%.3f", p.random()), "")
	return t.print()
}

// random is the quality of a candidate that is drawn by lot.
func (s *set) random() float64 {
	var all []float64
	for _, r := range s.rows {
		all = append(all, mean(r.Grades))
	}
	return mean(all)
}

// oracle chooses by the grades and costs as they were.
func (p *pool) oracle() sweep {
	var quality, cost [][]float64
	for _, r := range p.rows {
		quality, cost = append(quality, r.Grades), append(cost, r.costs)
	}
	return newSweep(quality, cost, p.most)
}

// figures returns AIQ, and the cost at which the reference's quality is reached
// as a share of the reference's cost: the means over the sweeps.
func (p *pool) figures(sweeps []sweep) []figure {
	return bootstrap(len(p.rows), func(times []int) []float64 {
		reference := p.singles(times)[p.reference]
		sums := make([]float64, 2)
		for _, w := range sweeps {
			h := hull(p.points(w, times))
			cost, ok := costOf(h, p.share*reference.quality)
			if !ok {
				cost = math.NaN()
			}
			sums[0] += aiq(h, p.least, p.most) / float64(len(sweeps))
			sums[1] += cost / reference.cost / float64(len(sweeps))
		}
		return sums
	})
}
