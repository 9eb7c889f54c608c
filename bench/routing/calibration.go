package main

import (
	"fmt"
	"math"
	"math/rand/v2"
)

const (
	labels = 300 // a task
	draws  = 10
	bins   = 10
)

// measureCalibration measures how far the forecasts are from what came, with 300
// labels a task, on all other rows of the task.
func measureCalibration(dir string) error {
	sets, err := labelledSets(dir)
	if err != nil {
		return err
	}
	fmt.Printf("calibration: %d labels a task, ECE in %d bins, mean over %d draws; bar ≤ 0.03 for each candidate\n", labels, bins, draws)
	t := newTable("set", "candidate", "tested", "ECE", "of a perfect forecast", "mean bias")
	for _, s := range sets {
		if err := s.calibration(t); err != nil {
			return err
		}
	}
	return t.print()
}

// labelledSets returns the sets with tasks of more than 300 rows, and only those.
func labelledSets(dir string) ([]*set, error) {
	all, err := pools(dir)
	if err != nil {
		return nil, err
	}
	cascades, err := joined(dir)
	if err != nil {
		return nil, err
	}
	records, err := read(dir, "routellm/gsm8k.jsonl")
	if err != nil {
		return nil, err
	}
	sets := []*set{newSet("RouteLLM gsm8k", records, map[string]float64{}), all[0].set, cascades}
	for _, s := range sets {
		var rows []row
		for _, task := range s.tasks() {
			if of := s.only(task, true); len(of) > 2*labels {
				rows = append(rows, of...)
			}
		}
		s.rows = rows
	}
	return sets, nil
}

// calibration adds the rows of a set to the table.
func (s *set) calibration(t *table) error {
	got, perfect := make([]float64, len(s.candidates)), make([]float64, len(s.candidates))
	bias := make([]float64, len(s.candidates))
	tested := 0
	for draw := range draws {
		rng := rand.New(rand.NewPCG(5, uint64(draw)))
		train, test := s.draw(rng)
		see, err := learnForecast(train)
		if err != nil {
			return err
		}
		tested = len(test)
		for c := range s.candidates {
			var odds, grades, drawn []float64
			for _, r := range test {
				p := see(r)[c]
				hit := 0.0
				if rng.Float64() < p {
					hit = 1
				}
				odds, grades, drawn = append(odds, p), append(grades, r.Grades[c]), append(drawn, hit)
			}
			got[c] += ece(odds, grades) / draws
			perfect[c] += ece(odds, drawn) / draws
			bias[c] += math.Abs(mean(odds)-mean(grades)) / draws
		}
	}
	for c, name := range s.candidates {
		t.add(s.name, name, tested, fmt.Sprintf("%.3f", got[c]), fmt.Sprintf("%.3f", perfect[c]), fmt.Sprintf("%.3f", bias[c]))
	}
	return nil
}

// draw takes 300 rows of each task to learn from, and leaves the rest.
func (s *set) draw(rng *rand.Rand) (train, test []row) {
	for _, task := range s.tasks() {
		of := s.only(task, true)
		rng.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
		train, test = append(train, of[:labels]...), append(test, of[labels:]...)
	}
	return train, test
}

// ece is the expected calibration error in bins of equal width.
//
// Source: C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
// equation 3.
func ece(odds, grades []float64) float64 {
	var off [bins]float64
	for i, p := range odds {
		off[min(int(p*bins), bins-1)] += p - grades[i]
	}
	sum := 0.0
	for _, o := range off {
		sum += math.Abs(o)
	}
	return sum / float64(len(odds))
}
