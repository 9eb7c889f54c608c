package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"

	"starling/internal/forecast"
)

// measureSpeed measures the time of a forecast for ten candidates. Prompts and
// outcomes are made up, and of a sort that the prompts foretell, so that they
// are read.
func measureSpeed(string) error {
	rng := rand.New(rand.NewPCG(7, 0))
	var rows []forecast.Row
	for range 600 {
		hard := rng.IntN(2)
		r := forecast.Row{Skill: "s", Prompt: babble(rng, 300) + []string{" easy", " hard"}[hard]}
		for range 10 {
			r.Grades = append(r.Grades, float64(hard))
		}
		rows = append(rows, r)
	}
	f, err := forecast.Fit(rows, forecast.Options{})
	if err != nil {
		return err
	}
	if !f.Reads("s") {
		return fmt.Errorf("the prompts are not read, so there is nothing to time")
	}
	fmt.Println("speed: a forecast for 10 candidates, 300 prompts of each length, ten times, one core")
	t := newTable("characters", "p50", "p99", "bars")
	for _, c := range []struct {
		length int
		bars   string
	}{{1_000, "0.1, 0.5 ms"}, {8_000, "0.4, 2 ms"}, {100_000, "2, 5 ms"}} {
		took := timeOdds(f, rng, c.length)
		t.add(c.length, took[len(took)/2].Round(100*time.Nanosecond), took[len(took)*99/100].Round(100*time.Nanosecond), c.bars)
	}
	return t.print()
}

// timeOdds times forecasts and returns the times in order. The prompts are made
// before, so that no time is spent on collecting what they were made from.
func timeOdds(f *forecast.Forecast, rng *rand.Rand, length int) (took []time.Duration) {
	prompts := make([]string, 300)
	for i := range prompts {
		prompts[i] = babble(rng, length)
	}
	runtime.GC()
	for range 10 {
		for _, prompt := range prompts {
			start := time.Now()
			f.Odds("s", prompt)
			took = append(took, time.Since(start))
		}
	}
	slices.Sort(took)
	return took
}

// babble makes up a text.
func babble(rng *rand.Rand, length int) string {
	var b strings.Builder
	for b.Len() < length {
		for range 2 + rng.IntN(8) {
			b.WriteByte('a' + byte(rng.IntN(26)))
		}
		b.WriteByte(" ,.\n"[min(rng.IntN(12), 3)])
	}
	return b.String()[:length]
}
