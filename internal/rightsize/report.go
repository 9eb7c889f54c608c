package rightsize

import (
	"fmt"
	"slices"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
)

// A Report is what a trial came to.
type Report struct {
	Skill  string    `json:"skill"`
	Rubric string    `json:"rubric"` // hex SHA-256
	Bar    skill.Bar `json:"bar"`
	Cases  int       `json:"cases"`
	Lines  []Line    `json:"candidates"`       // in the order of the rubric
	Choice string    `json:"choice,omitempty"` // the cheapest that was shown to be good enough; "" if none was
	Why    string    `json:"why"`
	Whole  bool      `json:"whole"` // the run was not broken off
}

// A Line is the verdict on one candidate.
type Line struct {
	Name   string        `json:"name"`
	Model  string        `json:"model"` // "provider/name"
	Zone   starling.Zone `json:"zone"`
	Asked  int           `json:"asked"` // cases, earlier runs included
	Passes int           `json:"passes"`
	Low    float64       `json:"low"` // the exact two-sided interval of the pass rate
	High   float64       `json:"high"`

	// Bound is the one-sided bound that is compared with the bar: cases that need
	// not be asked any more count as failures.
	Bound   float64 `json:"bound"`
	Shown   bool    `json:"shown"`             // it is good enough, and so is every safer one
	Missing int     `json:"missing,omitempty"` // how many more passes, without a failure, would show it; 0 if it is shown
	Why     string  `json:"why"`

	Cost      starling.Money `json:"cost_per_1000_nanodollars"` // of answers like these
	Median    time.Duration  `json:"median_ns"`                 // to the whole answer
	Simulated bool           `json:"simulated,omitempty"`
}

// decided reports whether the cases that are left cannot change the verdict:
// whether all of them pass or none does. To stop then costs no confidence, since
// the number of cases was fixed before.
func (r *run) decided(y *tally) bool {
	n, bar := len(r.Cases), r.Skill.Rubric.Bar
	best := y.passes + n - len(y.graded)
	return evidence.LowerBound(y.passes, n, bar.Confidence) >= bar.Pass || evidence.LowerBound(best, n, bar.Confidence) < bar.Pass
}

// report judges the candidates in a fixed sequence, from the last of the rubric,
// which is the safest, to the first: each at the whole confidence, until one does
// not show the bar. The order was there before the cases were asked, so the chance
// that any of those shown is below the bar is that of a single test.
func (r *run) report(whole bool) *Report {
	out := &Report{Whole: whole, Skill: r.Skill.Name, Rubric: r.Skill.Hash, Bar: r.Skill.Rubric.Bar, Cases: len(r.Cases)}
	for i := range r.Candidates {
		out.Lines = append(out.Lines, r.line(i))
	}
	n := len(out.Lines)
	held := evidence.InSequence(n, func(i int) bool { return out.Lines[n-1-i].Bound >= out.Bar.Pass })
	for i := range out.Lines {
		out.Lines[i].judge(out, i >= n-held)
	}
	out.choose(n - held)
	return out
}

func (r *run) line(i int) Line {
	c, y, bar := &r.Candidates[i], &r.tallies[i], r.Skill.Rubric.Bar
	l := Line{Name: c.Name, Model: c.Model.ID(), Zone: c.Model.Zone, Asked: len(y.graded), Passes: y.passes, Simulated: c.Model.Simulated}
	l.Low, l.High = evidence.ClopperPearson(l.Passes, l.Asked, bar.Confidence)
	l.Bound = evidence.LowerBound(l.Passes, len(r.Cases), bar.Confidence)
	if l.Asked > 0 {
		l.Cost = y.cost.Times(1000) / starling.Money(l.Asked)
		l.Median = median(y.took)
	}
	return l
}

func median(took []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[len(sorted)/2]
}

// judge writes down what the line's bound means, and what more it would take.
func (l *Line) judge(out *Report, shown bool) {
	switch l.Shown = shown; {
	case shown:
		l.Why = fmt.Sprintf("at least %.1f %% pass, at %.0f %% confidence", 100*l.Bound, 100*out.Bar.Confidence)
	case l.Bound >= out.Bar.Pass:
		l.Why = "it would be shown, but a safer candidate was not"
	case l.Asked == 0:
		l.Why = "it was not asked"
	case l.High < out.Bar.Pass:
		l.Why = fmt.Sprintf("at most %.1f %% pass: it is not good enough", 100*l.High)
	case out.Whole && l.Asked < out.Cases:
		l.Why = fmt.Sprintf("%d of %d passed; whatever became of the other cases, they could not show it", l.Passes, l.Asked)
	default:
		l.Why = fmt.Sprintf("%d of %d passed, which does not show it", l.Passes, l.Asked)
	}
	if l.Bound < out.Bar.Pass {
		l.Missing = evidence.Missing(l.Passes, l.Asked, out.Bar.Pass, out.Bar.Confidence)
	}
}

// choose recommends the cheapest of those shown.
func (out *Report) choose(first int) {
	if first == len(out.Lines) && !out.Whole {
		out.Why = "the run was broken off before a candidate was shown to be good enough; the next one goes on where it stopped"
		return
	}
	if first == len(out.Lines) {
		out.Why = "no candidate was shown to be good enough: the requests of this skill stay with the verifiers and the last candidate"
		return
	}
	l := &out.Lines[first]
	out.Choice = l.Name
	out.Why = fmt.Sprintf("%s is the cheapest that was shown to be good enough: %s", l.Name, l.Why)
}
