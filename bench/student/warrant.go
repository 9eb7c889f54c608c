package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"starling/internal/distill"
	"starling/internal/evidence"
	"starling/internal/student"
)

const (
	bar        = 0.95 // of agreement
	confidence = 0.95
	splits     = 100
)

// warrants collects what came of splitting held-out answers in two halves: one
// finds the threshold, the other sees whether its promise is kept.
type warrants struct {
	coverage, agreement []float64 // of the splits with a warrant
	kept, close         int       // agreement reached the bar; is not significantly below
	more                []int     // cases until the test half alone would show it
	none                int       // splits without a warrant
}

// add splits the answers of one student so many times.
func (w *warrants) add(steps []student.Step, answers []answer, seed, times int) {
	random := rand.New(rand.NewPCG(uint64(seed), 2))
	answers = slices.Clone(answers)
	steps = distill.FromSafest(steps, len(answers)/2, confidence)
	for range times {
		random.Shuffle(len(answers), func(i, j int) { answers[i], answers[j] = answers[j], answers[i] })
		half := len(answers) / 2
		threshold := taken(steps, answers[:half])
		if math.IsInf(threshold, 1) {
			w.none++
			w.coverage = append(w.coverage, 0)
			continue
		}
		w.test(answers[half:], threshold)
	}
}

// taken returns the threshold that starling distill would take of those before the
// first that fails, or infinity.
func taken(steps []student.Step, calibration []answer) float64 {
	holds := func(i int, confidence float64) bool {
		right, n := covered(calibration, steps[i].Confidence)
		return evidence.LowerBound(right, n, confidence) >= bar
	}
	held := evidence.InSequence(len(steps), func(i int) bool { return holds(i, confidence) })
	if held == 0 {
		return math.Inf(1)
	}
	return steps[evidence.WithRoom(held, confidence, holds)].Confidence
}

// covered counts the answers that clear the threshold.
func covered(answers []answer, threshold float64) (right, n int) {
	for _, a := range answers {
		if a.confidence >= threshold {
			n++
			if a.right {
				right++
			}
		}
	}
	return right, n
}

// test sees what a threshold is worth on answers that did not choose it.
func (w *warrants) test(answers []answer, threshold float64) {
	right, n := covered(answers, threshold)
	share := float64(right) / float64(n)
	w.coverage = append(w.coverage, float64(n)/float64(len(answers)))
	w.agreement = append(w.agreement, share)
	if share >= bar {
		w.kept++
	}
	if 1-evidence.LowerBound(n-right, n, confidence) >= bar {
		w.close++
	}
	w.more = append(w.more, evidence.Missing(right, n, bar, confidence))
}

func (w *warrants) print() {
	n := len(w.coverage)
	fmt.Printf("warranted at %.0f %% agreement with %.0f %% confidence, %d splits, %d without a warrant\n", 100*bar, 100*confidence, n, w.none)
	c := bootstrap(n, func(drawn []int) float64 {
		var sum float64
		for _, i := range drawn {
			sum += w.coverage[i]
		}
		return sum / float64(n)
	})
	slices.Sort(w.coverage)
	fmt.Printf("  coverage %s, from %.4f to %.4f\n", c, w.coverage[0], w.coverage[n-1])
	if len(w.agreement) == 0 {
		return
	}
	fmt.Printf("  agreement on the other half: mean %.4f, least %.4f\n", mean(w.agreement), slices.Min(w.agreement))
	fmt.Printf("  promise kept in %d of %d; not significantly broken in %d\n", w.kept+w.none, n, w.close+w.none)
	slices.Sort(w.more)
	open := len(w.more) - countZero(w.more)
	fmt.Printf("  the other half alone shows %.0f %% in %d; where not, it takes %d more cases (median), all agreeing\n", 100*bar, len(w.more)-open, median(w.more[len(w.more)-open:]))
}

func countZero(sorted []int) int {
	n, _ := slices.BinarySearch(sorted, 1)
	return n
}

func median(sorted []int) int {
	if len(sorted) == 0 {
		return 0
	}
	return quantile(sorted, 0.5)
}
