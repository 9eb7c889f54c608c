package main

import "fmt"

// measurePairs measures routing between a weak and a strong model, as RouteLLM
// does.
func measurePairs(dir string) error {
	for _, p := range []struct {
		file string
		bar  float64
	}{{"mmlu", 0.70}, {"gsm8k", 0.65}} {
		records, err := read(dir, "routellm/"+p.file+".jsonl")
		if err != nil {
			return err
		}
		s := newSet(p.file, records, map[string]float64{"mistralai/Mixtral-8x7B-Instruct-v0.1": 0, "gpt-4-1106-preview": 1})
		if err := s.measurePair(p.bar); err != nil {
			return err
		}
	}
	return nil
}

func (s *set) measurePair(bar float64) error {
	fmt.Printf("pair: %s, %d cases; weak and strong alone: %.3f, %.3f; bar APGR ≥ %.2f\n", s.name, len(s.rows), s.quality(0), s.quality(1), bar)
	all, err := ways(s)
	if err != nil {
		return err
	}
	t := newTable("", "APGR", "CPT(50 %)", "CPT(80 %)")
	for _, w := range all {
		t.addFigures(w.name, s.pairFigures(w.trials))
	}
	t.add("random; always weak to always strong", "0.500", "0.500", "0.800")
	oracle := trial{fold: make([]int, len(s.rows))}
	for _, r := range s.rows {
		oracle.quality = append(oracle.quality, r.Grades)
	}
	t.addFigures("oracle", s.pairFigures([]trial{oracle}))
	return t.print()
}

func (s *set) quality(c int) float64 {
	var all []float64
	for _, r := range s.rows {
		all = append(all, r.Grades[c])
	}
	return mean(all)
}

// pairFigures returns APGR and CPT, each the mean over the folds: scores from
// different folds are not comparable to each other.
func (s *set) pairFigures(trials []trial) []figure {
	var climbs []climb
	var rows [][]int
	for _, t := range trials {
		for f := range folds {
			if in := t.in(f); len(in) > 0 {
				climbs, rows = append(climbs, s.climb(t, in)), append(rows, in)
			}
		}
	}
	return bootstrap(len(s.rows), func(times []int) []float64 {
		sums := make([]float64, 3)
		for k, c := range climbs {
			within := make([]int, len(rows[k]))
			for j, i := range rows[k] {
				within[j] = times[i]
			}
			pgr := c.recovered(within)
			for j, v := range []float64{apgr(pgr), cpt(pgr, 0.5), cpt(pgr, 0.8)} {
				sums[j] += v / float64(len(climbs))
			}
		}
		return sums
	})
}

// in returns the rows of a fold.
func (t trial) in(fold int) (rows []int) {
	for i, f := range t.fold {
		if f == fold {
			rows = append(rows, i)
		}
	}
	return rows
}

// climb orders the rows by how much better the strong candidate should be.
func (s *set) climb(t trial, rows []int) climb {
	var weak, strong, score []float64
	for _, i := range rows {
		g, q := s.rows[i].Grades, t.quality[i]
		weak, strong, score = append(weak, g[0]), append(strong, g[1]), append(score, q[1]-q[0])
	}
	return newClimb(weak, strong, score)
}
