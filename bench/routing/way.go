package main

import (
	"math/rand/v2"
	"slices"

	"starling/internal/forecast"
)

const (
	folds   = 5
	repeats = 3 // partitions into folds; a figure is the mean over them
)

// A trial is one partition of the rows into folds, with what was expected of
// every candidate on every row by what was fitted on the other folds.
type trial struct {
	fold          []int
	quality, cost [][]float64
}

// A way is a manner of foreseeing quality.
type way struct {
	name   string
	trials []trial
}

// A seer foresees the grades of all candidates on a row.
type seer func(r row) []float64

// ways cross-validates the forecast and the plainer ways next to it.
func ways(s *set) ([]way, error) {
	all := []way{{name: "forecast"}, {name: "task means"}, {name: "prompt length"}}
	for _, fold := range partitions(len(s.rows)) {
		for i, learn := range []func([]row) (seer, error){learnForecast, learnTasks, learnLength} {
			t, err := s.try(fold, learn)
			if err != nil {
				return nil, err
			}
			all[i].trials = append(all[i].trials, t)
		}
	}
	return all, nil
}

// partitions puts n rows into folds, several times.
func partitions(n int) (all [][]int) {
	for repeat := range repeats {
		fold := make([]int, n)
		for i, j := range rand.New(rand.NewPCG(1, uint64(repeat))).Perm(n) {
			fold[j] = i % folds
		}
		all = append(all, fold)
	}
	return all
}

// try learns from all folds but one, for each in turn.
func (s *set) try(fold []int, learn func([]row) (seer, error)) (trial, error) {
	t := trial{fold, make([][]float64, len(fold)), make([][]float64, len(fold))}
	for f := range folds {
		var rest []row
		for i, r := range s.rows {
			if fold[i] != f {
				rest = append(rest, r)
			}
		}
		quality, err := learn(rest)
		if err != nil {
			return t, err
		}
		cost := learnCosts(rest)
		for i, r := range s.rows {
			if fold[i] == f {
				t.quality[i], t.cost[i] = quality(r), cost(r)
			}
		}
	}
	return t, nil
}

func learnForecast(rows []row) (seer, error) {
	all := make([]forecast.Row, len(rows))
	for i, r := range rows {
		all[i] = r.Row
	}
	f, err := forecast.Fit(all, forecast.Options{})
	if err != nil {
		return nil, err
	}
	return func(r row) []float64 { return f.Odds(r.Skill, r.Prompt) }, nil
}

// learnTasks foresees the mean of the task.
func learnTasks(rows []row) (seer, error) {
	return groupMeans(rows, func(r row) string { return r.Skill }, func(r row) []float64 { return r.Grades }), nil
}

func learnCosts(rows []row) seer {
	return groupMeans(rows, func(r row) string { return r.Skill }, func(r row) []float64 { return r.costs })
}

// learnLength foresees the mean of the prompts of about the same length.
func learnLength(rows []row) (seer, error) {
	const groups = 8
	var lengths []int
	for _, r := range rows {
		lengths = append(lengths, len(r.Prompt))
	}
	slices.Sort(lengths)
	group := func(r row) string {
		at, _ := slices.BinarySearch(lengths, len(r.Prompt))
		return string(rune('0' + min(at*groups/len(lengths), groups-1)))
	}
	return groupMeans(rows, group, func(r row) []float64 { return r.Grades }), nil
}

// groupMeans foresees the mean of a group, and of all for an unknown one.
func groupMeans(rows []row, group func(row) string, of func(row) []float64) seer {
	width := len(rows[0].Grades)
	sums := map[string][]float64{}
	counts := map[string]float64{}
	const all = "\x00all"
	for _, r := range rows {
		for _, g := range []string{group(r), all} {
			if sums[g] == nil {
				sums[g] = make([]float64, width)
			}
			counts[g]++
			for c, v := range of(r) {
				sums[g][c] += v
			}
		}
	}
	for g, sum := range sums {
		for c := range sum {
			sum[c] /= counts[g]
		}
	}
	return func(r row) []float64 {
		if m := sums[group(r)]; m != nil {
			return m
		}
		return sums[all]
	}
}
