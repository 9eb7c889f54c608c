package main

import (
	"fmt"
	"slices"

	"starling/internal/forecast"
)

// measureUnseen measures routing on a task of which there are no outcomes: each
// task in turn is left out. A forecast for an unknown skill is the means of all
// candidates, with which a router is a mixture of single ones, as good as the
// zero-router that is chosen on the same tasks; next to it stands what comes of
// trusting the prompt where the task is unknown.
func measureUnseen(dir string) error {
	all, err := pools(dir)
	if err != nil {
		return err
	}
	for _, p := range all {
		fmt.Printf("unseen: %s, one task left out at a time, AIQ less the zero-router's; bar ≥ 0\n", p.name)
		t := newTable("task", "cases", "forecast", "trusting the prompt", "forecast with 50 labels", "forecast against the best mixture in hindsight")
		for _, task := range p.tasks() {
			figures, err := p.leaveOut(task)
			if err != nil {
				return err
			}
			t.add(task, len(p.only(task, true)), figures[0], figures[1], figures[2], figures[3])
		}
		if err := t.print(); err != nil {
			return err
		}
	}
	return nil
}

// tasks lists the tasks in the order of the rows.
func (s *set) tasks() (all []string) {
	seen := map[string]bool{}
	for _, r := range s.rows {
		if !seen[r.Skill] {
			seen[r.Skill] = true
			all = append(all, r.Skill)
		}
	}
	return all
}

// only returns the rows of a task, or all others.
func (s *set) only(task string, of bool) (rows []row) {
	for _, r := range s.rows {
		if (r.Skill == task) == of {
			rows = append(rows, r)
		}
	}
	return rows
}

// leaveOut compares on one task what was learned on the others.
func (p *pool) leaveOut(task string) ([]figure, error) {
	const labels = 50
	others, within := p.only(task, false), p.only(task, true)
	test := &set{p.name, p.candidates, within[min(labels, len(within)/2):]}
	plain, err := learnForecast(others)
	if err != nil {
		return nil, err
	}
	trusting, err := learnPrompt(others)
	if err != nil {
		return nil, err
	}
	more := slices.Concat(others, within[:len(within)-len(test.rows)])
	labelled, err := learnForecast(more)
	if err != nil {
		return nil, err
	}
	cost := learnCosts(others)
	return test.differences([]sweep{
		test.sweep(plain, cost, p.most), test.sweep(trusting, cost, p.most),
		test.sweep(labelled, learnCosts(more), p.most), test.sweep(zero(others), cost, p.most),
	}), nil
}

// sweep chooses by what is foreseen.
func (s *set) sweep(quality, cost seer, unit float64) sweep {
	var q, c [][]float64
	for _, r := range s.rows {
		q, c = append(q, quality(r)), append(c, cost(r))
	}
	return newSweep(q, c, unit)
}

// zero foresees the same of every case: with it a sweep is the zero-router as
// chosen on the rows.
func zero(rows []row) seer {
	return groupMeans(rows, func(row) string { return "" }, func(r row) []float64 { return r.Grades })
}

// learnPrompt foresees from the prompt alone: all rows are of one skill.
func learnPrompt(rows []row) (seer, error) {
	all := make([]forecast.Row, len(rows))
	for i, r := range rows {
		all[i] = r.Row
		all[i].Skill = ""
	}
	f, err := forecast.Fit(all, forecast.Options{})
	if err != nil {
		return nil, err
	}
	return func(r row) []float64 { return f.Odds("", r.Prompt) }, nil
}

// differences returns the AIQ of all sweeps but the last less the last's, and
// that of the first less that of the best mixture for these cases.
func (s *set) differences(sweeps []sweep) []figure {
	return bootstrap(len(s.rows), func(times []int) (all []float64) {
		singles := s.singles(times)
		least, most := singles[0].cost, singles[0].cost
		for _, p := range singles {
			least, most = min(least, p.cost), max(most, p.cost)
		}
		var got []float64
		for _, w := range sweeps {
			got = append(got, aiq(hull(s.points(w, times)), least, most))
		}
		last := len(got) - 1
		for _, v := range got[:last] {
			all = append(all, v-got[last])
		}
		return append(all, got[0]-aiq(hull(singles), least, most))
	})
}
