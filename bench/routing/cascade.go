package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

const (
	keep   = 0.98 // of the best model's quality is promised
	delta  = 0.10 // how often the promise may be broken
	splits = 50
)

// measureCascade measures cascades whose thresholds are chosen so that a promise
// can be kept. The rows are split at random, again and again, into three: on the
// first, judges are fitted and policies put in order from the safest to the
// cheapest; on the second they are tested in that order, until one fails; on the
// third the last that passed is measured.
//
// Source: A. N. Angelopoulos et al., "Learn then Test: Calibrating Predictive
// Algorithms to Achieve Risk Control", arXiv 2110.01052, fixed-sequence testing.
func measureCascade(dir string) error {
	s, err := joined(dir)
	if err != nil {
		return err
	}
	tasks := tasksOf{}
	for i, task := range s.tasks() {
		tasks[task] = i
	}
	fmt.Printf("cascade: %s, %d cases, %d candidates, %d splits; promise: %.0f %% of the best model's quality, broken in at most %.0f %% of splits; bars saved ≥ 76 %%\n", s.name, len(s.rows), len(s.candidates), splits, 100*keep, 100*delta)
	outcomes := map[string][]outcome{}
	for k := range splits {
		s.split(tasks, rand.New(rand.NewPCG(3, uint64(k))), outcomes)
	}
	t := newTable("thresholds", "quality kept", "saved", "promise broken", "splits' quality, 5th–95th percentile")
	for _, c := range choosers {
		t.add(summary(c.name, outcomes[c.name])...)
	}
	return t.print()
}

// joined joins the two files of each task on the prompt: nine candidates.
func joined(dir string) (*set, error) {
	left, err := read(dir, "rational_cascades/*_llama_*.jsonl")
	if err != nil {
		return nil, err
	}
	right, err := read(dir, "rational_cascades/*_qwen_oai_*.jsonl")
	if err != nil {
		return nil, err
	}
	at := map[string]record{}
	for _, r := range right {
		at[r.Task+"\x00"+r.Prompt] = r
	}
	var both []record
	for _, l := range left {
		r, ok := at[l.Task+"\x00"+l.Prompt]
		if !ok {
			continue
		}
		for c := range r.Scores {
			l.Scores[c], l.Costs[c], l.Conf[c], l.Answers[c] = r.Scores[c], r.Costs[c], r.Conf[c], r.Answers[c]
		}
		both = append(both, l)
	}
	s := newSet("rational cascades", both, nil)
	for i := range s.rows {
		for c, a := range s.rows[i].answers {
			s.rows[i].answers[c] = normal(a)
		}
	}
	s.rows = slices.DeleteFunc(s.rows, func(r row) bool { return math.IsNaN(mean(r.Grades) + mean(r.costs)) })
	return s, nil
}

// ladders are those that did well when all the development rows were looked at,
// with one or two cheap candidates and up to three that are not. Which of them is
// climbed is decided on the first part of each split.
func (s *set) ladders() (all []ladder) {
	at := map[string]int{}
	for i, c := range s.candidates {
		at[c] = i
	}
	for _, names := range [][]string{
		{"gpt-4o-mini", "llama3.1-70b", "qwen2.5-72b-instruct"},
		{"gpt-4o-mini", "llama3.1-70b", "qwen2.5-72b-instruct", "llama3.1-405b"},
		{"llama3.2-3b", "gpt-4o-mini", "llama3.1-70b", "qwen2.5-72b-instruct"},
		{"gpt-4o-mini", "llama3.1-70b", "gpt-4o"},
		{"gpt-4o-mini", "llama3.1-70b", "llama3.1-405b"},
	} {
		var l ladder
		for _, name := range names {
			l = append(l, at[name])
		}
		all = append(all, l)
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
	for _, l := range s.ladders() {
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
	alone := policy{}
	path := []policy{alone}
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

func names[V any](of map[string]V) []string {
	var all []string
	for name := range of {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
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

// An outcome is what a chosen policy did on cases that had no part in choosing,
// as shares of the best model's quality and cost.
type outcome struct{ kept, cost float64 }

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

var choosers = []chooser{
	{"fixed sequence, betting", true, betting},
	{"fixed sequence, normal", true, normally},
	{"naive: any that passes, betting", false, betting},
	{"naive: any that passes, normal", false, normally},
	{"naive: enough on average", false, onAverage},
	{"always the best", true, never},
}

func (s *set) split(tasks tasksOf, rng *rand.Rand, outcomes map[string][]outcome) {
	var third [3][]*row
	for i, j := range rng.Perm(len(s.rows)) {
		k := 0
		switch part := float64(i) / float64(len(s.rows)); {
		case part >= shares[0]+shares[1]:
			k = 2
		case part >= shares[0]:
			k = 1
		}
		third[k] = append(third[k], &s.rows[j])
	}
	best := bestOf(third[0])
	path := policies(s.halves(tasks, third[0], best), best)
	tested := s.trace(tasks, third[0], third[1], best)
	final := s.trace(tasks, third[0], third[2], best)
	for name, chosen := range choose(path, tested, best) {
		outcomes[name] = append(outcomes[name], final.measure(chosen, best))
	}
}

// shares are the parts of the rows on which is fitted, and tested; the rest is
// measured on.
var shares = [2]float64{0.25, 0.5}

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

// bestOf is the candidate with the best grades.
func bestOf(rows []*row) int {
	sums := make([]float64, len(rows[0].Grades))
	for _, r := range rows {
		for c, g := range r.Grades {
			sums[c] += g
		}
	}
	return slices.Index(sums, slices.Max(sums))
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

func (t trace) measure(p policy, best int) outcome {
	var got, reference result
	for i, r := range t.of(p, best) {
		got.quality, got.cost = got.quality+r.quality, got.cost+r.cost
		reference.quality += t.rows[i].Grades[best]
		reference.cost += t.rows[i].costs[best]
	}
	return outcome{got.quality / reference.quality, got.cost / reference.cost}
}

// summary is a row of the table: means over the splits with an interval that
// counts splits as they are, though their rows overlap.
func summary(name string, all []outcome) []any {
	var kept, saved []float64
	broken := 0
	for _, o := range all {
		kept, saved = append(kept, o.kept), append(saved, 1-o.cost)
		if o.kept < keep {
			broken++
		}
	}
	return []any{
		name, fmt.Sprintf("%.3f", mean(kept)), fmt.Sprintf("%.3f (%.3f–%.3f)", mean(saved), quantile(saved, 0.025), quantile(saved, 0.975)),
		fmt.Sprintf("%d of %d", broken, len(all)), fmt.Sprintf("%.3f–%.3f", quantile(kept, 0.05), quantile(kept, 0.95)),
	}
}
