package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"starling/bench/process"
	"starling/internal/student"
)

// An answer is what a student said of a row that it had not seen.
type answer struct {
	confidence float64 // 0 if it said that no label fits
	right      bool
}

// learn trains and prints what it took: of the clock, and of the processors, which on a
// machine that is shared varies less.
func learn(ctx context.Context, name string, seed int, train []student.Example) (*student.Student, error) {
	began, used := time.Now(), process.Used()
	s, err := student.Train(ctx, train, student.Options{Seed: uint64(seed)})
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	if _, err := s.WriteTo(&file); err != nil {
		return nil, err
	}
	fmt.Printf("%s: %d rows, %d labels, %d numbers of a vector: trained in %.1f s, %.1f s of CPU, %.2f MB\n", name, len(train), len(s.Labels()), s.Dims(),
		time.Since(began).Seconds(), (process.Used() - used).Seconds(), float64(file.Len())/1e6)
	again, err := student.Read(&file)
	if err != nil {
		return nil, err
	}
	for _, e := range train[:min(len(train), 1000)] {
		if predict(s, e) != predict(again, e) {
			return nil, errors.New("what was stored predicts otherwise")
		}
	}
	return again, nil
}

// predict asks with the row's vector, which only a student that learned from some
// looks at.
func predict(s *student.Student, e student.Example) student.Prediction {
	p, err := s.PredictWith(e.Text, e.Vector)
	if err != nil {
		panic("all rows have vectors of one length, or none has: " + err.Error())
	}
	return p
}

// ask returns an answer for each row.
func ask(s *student.Student, rows []student.Example) []answer {
	all := make([]answer, len(rows))
	for i, e := range rows {
		p := predict(s, e)
		all[i] = answer{p.Confidence, p.Label == e.Label}
		if p.Label == "" {
			all[i].confidence = 0
		}
	}
	return all
}

// latency prints how long one prediction takes.
func latency(s *student.Student, rows []student.Example) {
	var took []time.Duration
	for _, e := range rows {
		began := time.Now()
		predict(s, e)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	us := func(q float64) float64 { return float64(quantile(took, q).Nanoseconds()) / 1e3 }
	fmt.Printf("  a prediction: p50 %.0f µs, p99 %.0f µs\n", us(0.5), us(0.99))
}

// right turns answers into tallies of one split.
func right[T any](rows []T, is func(T) bool) []tally {
	all := make([]tally, len(rows))
	for i, r := range rows {
		all[i].n = 1
		if is(r) {
			all[i].right = 1
		}
	}
	return all
}
