package main

import "slices"

// ladders have one or two cheap candidates, one or two that are not, and on top
// the one that the promise is about: with it there a cascade differs from it on
// half as many cases, so that much fewer show as much. They did well when all the
// development rows were looked at; which of them is climbed is decided on the
// first part of each split.
func (s *set) ladders(best int) (all []ladder) {
	at := map[string]int{}
	for i, c := range s.candidates {
		at[c] = i
	}
	for _, names := range [][]string{
		{"gpt-4o-mini", "llama3.1-70b"},
		{"gpt-4o-mini", "llama3.1-70b", "qwen2.5-72b-instruct"},
		{"llama3.2-3b", "gpt-4o-mini", "llama3.1-70b"},
		{"llama3.2-3b", "gpt-4o-mini", "llama3.1-70b", "qwen2.5-72b-instruct"},
		{"gpt-4o-mini", "llama3.1-8b", "llama3.1-70b", "qwen2.5-72b-instruct"},
	} {
		var l ladder
		for _, name := range names {
			l = append(l, at[name])
		}
		all = append(all, append(l, best))
	}
	return all
}

// cascadePrices are what a policy can pay for a better answer, from a lot to little; 0
// stands for the best candidate alone.
var cascadePrices = func() []float64 {
	all := []float64{0}
	for price := 0.005; price < 1; price *= 1.2 {
		all = append(all, price)
	}
	return all
}()

// A trace is how each ladder did at each price on each of some cases.
type trace struct {
	rows    []*row
	results map[string][][]result // by ladder, price and case
}

// trace runs all ladders on the test rows with judges learned on the others.
func (s *set) trace(tasks tasksOf, rows, test []*row, best int) trace {
	t := trace{test, map[string][][]result{}}
	expected := relativeCosts(rows, best)
	j := judge{}
	for _, l := range s.ladders(best) {
		j.learn(tasks, rows, l)
		all := make([][]result, len(cascadePrices))
		for _, r := range test {
			thought := j.opinions(tasks, r, l)
			for k, price := range cascadePrices {
				all[k] = append(all[k], l.climb(r, thought, price, expected[r.Skill]))
			}
		}
		t.results[l.String()] = all
	}
	return t
}

// relativeCosts is what a candidate costs on average in each task, in units of
// what the best costs on average in all.
func relativeCosts(rows []*row, best int) map[string][]float64 {
	sums, counts, unit := map[string][]float64{}, map[string]float64{}, 0.0
	for _, r := range rows {
		if sums[r.Skill] == nil {
			sums[r.Skill] = make([]float64, len(r.costs))
		}
		counts[r.Skill]++
		unit += r.costs[best] / float64(len(rows))
		for c, v := range r.costs {
			sums[r.Skill][c] += v
		}
	}
	for task, sum := range sums {
		for c := range sum {
			sum[c] /= counts[task] * unit
		}
	}
	return sums
}

// halves traces the rows by judges that were learned on the other half of them.
func (s *set) halves(tasks tasksOf, rows []*row, best int) trace {
	half := len(rows) / 2
	t := s.trace(tasks, rows[half:], rows[:half], best)
	u := s.trace(tasks, rows[:half], rows[half:], best)
	for l, all := range u.results {
		for k := range all {
			t.results[l][k] = append(t.results[l][k], all[k]...)
		}
	}
	t.rows = append(slices.Clone(t.rows), u.rows...)
	return t
}

// of returns what a policy is expected to do on each case.
func (t trace) of(p policy, best int) (all []result) {
	for i, r := range t.rows {
		out := result{r.Grades[best], r.costs[best]}
		if p.share > 0 {
			climbed := t.results[p.ladder][p.price][i]
			out.quality += p.share * (climbed.quality - out.quality)
			out.cost += p.share * (climbed.cost - out.cost)
		}
		all = append(all, out)
	}
	return all
}

// names returns the keys of a map in order.
func names[V any](of map[string]V) []string {
	var all []string
	for name := range of {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
