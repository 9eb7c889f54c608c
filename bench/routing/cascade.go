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

// An outcome is what a chosen policy did on cases that had no part in choosing,
// as shares of the best model's quality and cost.
type outcome struct{ kept, cost float64 }

// split splits the rows once, and adds what each chooser came to.
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
var shares = [2]float64{0.2, 0.55}

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

// measure compares a policy with the best candidate.
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
