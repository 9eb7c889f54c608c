package rightsize

import (
	"math"
	"slices"
	"strconv"

	"starling/internal/evidence"
)

// What a bar promises, it promises of answers that somebody sees. An answer that
// the skill's verifiers reject is seen by nobody, the request climbs; so is one
// whose candidate is less sure of it than the threshold. Neither counts for or
// against a candidate: which answers are covered is settled by verdict and
// confidence, before the grade is looked at, and the grades of those that are, are
// independent draws of what the promise is about.

// A sample is what a candidate showed, of the answers that a threshold covers.
type sample struct {
	threshold float64 // of the candidate's own confidence; 0 covers every answer
	asked     int     // cases
	left      int     // cases that were not asked
	covered   int
	passed    int
	shown     []float64 // with a margin: (1 + candidate − reference) / 2, case by case
}

// all, testing and preparing are the parts of the cases that samples are taken
// of. Two thirds test thresholds, the others find them: which, is in a case's
// digest, so it stays where it is when cases are added, and one that is there twice
// is on one side.
func (r *run) all(string) bool { return true }

func (r *run) testing(id string) bool {
	n, _ := strconv.ParseUint(r.digests[id][:8], 16, 32)
	return n%3 != 0
}

func (r *run) preparing(id string) bool { return !r.testing(id) }

// sample collects what a candidate showed in a part of the cases.
func (r *run) sample(y *tried, threshold float64, in func(id string) bool) sample {
	s := sample{threshold: threshold}
	for _, id := range r.order {
		if !in(id) {
			continue
		}
		g, known := y.graded[id]
		if !known {
			s.left++
			continue
		}
		if s.asked++; g.rejected || g.confidence < threshold {
			continue
		}
		if s.covered++; g.grade == 1 {
			s.passed++
		}
		if r.reference != nil {
			other, compared := r.reference.graded[id]
			if !compared {
				s.left++
				continue
			}
			s.shown = append(s.shown, (1+g.grade-other.grade)/2)
		}
	}
	return s
}

// bound is the lower bound of the mean of what is shown. Cases that need not be
// asked any more count as failures; with a margin there are none, and what is not
// whole shows nothing.
func (r *run) bound(s sample, confidence float64) float64 {
	if r.reference == nil {
		return evidence.LowerBound(s.passed, s.covered+s.left, confidence)
	}
	if s.left > 0 {
		return 0
	}
	return evidence.MeanLowerBound(s.shown, confidence)
}

// best is the bound if all cases that are left were to pass.
func (r *run) best(s sample) float64 {
	return evidence.LowerBound(s.passed+s.left, s.covered+s.left, r.Skill.Rubric.Bar.Confidence)
}

// decided reports whether the cases that are left cannot change a candidate's
// verdict: whether they pass, fail or are rejected. To stop then costs no
// confidence, since the number of cases was fixed before.
//
// One more pass raises the bound and one more failure lowers it, so the ends are
// all passes and all failures. That a candidate holds is certain early for the
// safest alone: how strictly the others are tested, and on which part of the
// cases, depends on the safer ones (sequence.go). That it does not is certain if
// either way it cannot. With a margin or with confidences all cases are asked: the
// bound depends on every one of them.
func (r *run) decided(i int) bool {
	y, bar := r.tried[i], r.Skill.Rubric.Bar
	if r.reference != nil || y.confident() {
		return false
	}
	whole := r.sample(y, 0, r.all)
	if i == len(r.tried)-1 {
		return r.bound(whole, bar.Confidence) >= bar.Pass || r.best(whole) < bar.Pass
	}
	return r.best(whole) < bar.Pass && r.best(r.sample(y, 0, r.testing)) < bar.Pass
}

// confident reports whether the candidate says how sure it is. That is a property
// of it, as its price is, and not of its luck with the cases.
func (y *tried) confident() bool {
	for _, g := range y.graded {
		if g.confidence > 0 {
			return true
		}
	}
	return false
}

// steps is how many thresholds are tried at most, beside none.
const steps = 10

// thresholds returns those that are worth a test, from the one most likely to hold
// to the one that covers most, as the preparing third of the cases has them: the
// one that would have the highest bound in the test, and all below it.
func (r *run) thresholds(y *tried) []float64 {
	var said []float64
	for id, g := range y.graded {
		if r.preparing(id) && !g.rejected && g.confidence > 0 {
			said = append(said, g.confidence)
		}
	}
	slices.Sort(said)
	grid := []float64{0}
	for i := range min(steps, len(said)) {
		grid = append(grid, said[i*len(said)/min(steps, len(said))])
	}
	grid = slices.Compact(grid)
	slices.Reverse(grid)
	return grid[r.safest(y, grid):]
}

// safest returns which threshold is the most likely to hold. The test has twice as
// many cases as the preparation.
func (r *run) safest(y *tried, thresholds []float64) int {
	best, top := 0, math.Inf(-1)
	for i, t := range thresholds {
		s := r.sample(y, t, r.preparing)
		s.passed, s.covered, s.shown = 2*s.passed, 2*s.covered, append(s.shown, s.shown...)
		if b := r.bound(s, r.Skill.Rubric.Bar.Confidence); b > top {
			best, top = i, b
		}
	}
	return best
}
