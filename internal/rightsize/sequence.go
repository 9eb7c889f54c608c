package rightsize

import (
	"starling/internal/evidence"
	"starling/internal/skill"
)

// Many hypotheses are tested, and the chance that any of those that are shown is
// false is to be no more than 1 − confidence. It is, for this reason.
//
// A hypothesis is "of the answers that this threshold covers, this candidate's are
// good enough"; a candidate that does not say how sure it is has one, without a
// threshold. A test at the level α shows a false one with the probability α at
// most: the number of cases is fixed before, and so is which answers are covered
// before their grades are (sample.go).
//
// The hypotheses are a tree. It begins with the last candidate of the rubric, the
// safest. Below the first hypothesis of a candidate is the first one of the next
// cheaper candidate; and, in a chain, the candidate's own others, each of which
// covers more. A hypothesis is tested only if the one above it was shown, and those
// right below one share its level: half each for the own others and for the next
// candidate, all of it where there is only one of them.
//
// If something false is shown, then something is that is false and has only true
// ones above it, since whatever is above what was shown was shown as well. Of those
// no two are above one another, so they have different parts of the level, at most
// all of it together; and the chances of showing each of them add up to no more.
//
// That takes a tree that was there before the grades that test it. The rubric is.
// Thresholds are found on a third of the cases, and from the first candidate that
// has any down to the cheapest all are tested on the other two thirds, whether or
// not they have thresholds themselves; those before it, on all cases. For a false
// one among those before, the chance is as said; and if all before are true, it is
// as said for whatever the first third was.
//
// The bound of grades that are not all 0 or 1 need not fall as the level does, and
// a warrant has to bear out its own confidence. So both are asked for, which can
// only make less be shown.
//
// Sources: Learn-then-Test, see [evidence.InSequence]; for the shares, F. Bretz,
// W. Maurer, W. Brannath and M. Posch, "A graphical approach to sequentially
// rejective multiple test procedures", Statistics in Medicine 28 (2009) 586–604.

// A tested is a hypothesis with what came of its test.
type tested struct {
	sample
	confidence float64 // with which bound is one
	bound      float64
	holds      bool // by itself: whether it was its turn is another matter
}

// A verdict is what the tests say of a candidate.
type verdict struct {
	tests  []tested // in their order
	shown  bool     // the first holds, and so do those of all safer candidates
	chosen tested   // of those shown one that leaves the audits room; the first, if none is
	behind string   // the candidate for which this one's turn did not come
}

// half is the confidence of half the level.
func half(confidence float64) float64 { return 1 - (1-confidence)/2 }

// verdicts tests the hypotheses of all candidates.
func (r *run) verdicts() []verdict {
	n := len(r.tried)
	out := make([]verdict, n)
	level, part := r.Skill.Rubric.Bar.Confidence, r.all
	for i := n - 1; i >= 0; i-- {
		y, thresholds := r.tried[i], []float64{0}
		if y.confident() {
			thresholds, part = r.thresholds(y), r.testing
		}
		first := level
		if len(thresholds) > 1 && i > 0 {
			level = half(level)
		}
		for j, t := range thresholds {
			confidence := level
			if j == 0 {
				confidence = first
			}
			out[i].tests = append(out[i].tests, r.tested(y, r.sample(y, t, part), confidence))
		}
	}
	held := evidence.InSequence(n, func(k int) bool { return out[n-1-k].tests[0].holds })
	for i := range out {
		r.conclude(&out[i], i >= n-held)
		if i < n-held-1 {
			out[i].behind = r.tried[n-held-1].Name
		}
	}
	return out
}

// tested tests one hypothesis.
func (r *run) tested(y *tried, s sample, confidence float64) tested {
	t := tested{sample: s, confidence: confidence, bound: r.bound(s, confidence)}
	bar := r.Skill.Rubric.Bar
	t.holds = t.bound >= level(bar) && (confidence == bar.Confidence || r.bound(s, bar.Confidence) >= level(bar))
	if y.confident() && len(y.graded) < len(r.Cases) {
		t.holds = false // its thresholds would be others
	}
	return t
}

// conclude chooses among the hypotheses, if it is their turn. Each covers more
// than the one before it.
func (r *run) conclude(v *verdict, turn bool) {
	v.chosen = v.tests[0]
	if !turn {
		return
	}
	v.shown = true
	held := evidence.InSequence(len(v.tests), func(j int) bool { return v.tests[j].holds })
	v.chosen = v.tests[evidence.WithRoom(held, r.Skill.Rubric.Bar.Confidence, func(j int, confidence float64) bool {
		return r.bound(v.tests[j].sample, confidence) >= level(r.Skill.Rubric.Bar)
	})]
}

// notShown reports whether a candidate's own figures, and not those of a safer one,
// are why it is not shown.
func (v *verdict) notShown(bar skill.Bar) bool {
	return !v.shown && !v.tests[0].holds && v.tests[0].bound < level(bar)
}
