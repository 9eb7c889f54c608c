package rightsize

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
)

// A Report is what a trial came to.
type Report struct {
	Skill     string    `json:"skill"`
	Rubric    string    `json:"rubric"` // hex SHA-256
	Bar       skill.Bar `json:"bar"`
	Reference string    `json:"reference,omitempty"` // whom a bar with a margin compares with, as the rubric calls it
	Cases     int       `json:"cases"`
	Lines     []Line    `json:"candidates"`       // of those that are not aside, in the order of the rubric
	Choice    string    `json:"choice,omitempty"` // the cheapest that was shown to be good enough; "" if none was
	Why       string    `json:"why"`
	Whole     bool      `json:"whole"` // the run was not broken off

	verdicts []verdict // of all candidates
	level    float64   // of pass rates, at which the bar is drawn
}

// A Line is the verdict on one candidate.
type Line struct {
	Name     string        `json:"name"`
	Model    string        `json:"model"` // "provider/name"
	Zone     starling.Zone `json:"zone"`
	Asked    int           `json:"asked"`    // cases, earlier runs included
	Rejected int           `json:"rejected"` // by the skill's verifiers: nobody would see these answers
	Passes   int           `json:"passes"`   // of the other answers
	Low      float64       `json:"low"`      // the exact two-sided interval of the pass rate of those
	High     float64       `json:"high"`

	// Bound is the one-sided bound that is compared with the bar: of the pass rate,
	// or of the mean difference to the reference. Cases that need not be asked any
	// more count as failures. It is of the answers that Threshold covers, in that part
	// of the cases that tests it.
	Bound     float64 `json:"bound"`
	Threshold float64 `json:"threshold,omitempty"` // of the candidate's own confidence; 0 covers every answer
	Covered   int     `json:"covered"`             // answers
	Shown     bool    `json:"shown"`               // it is good enough, and so is every safer one
	Missing   int     `json:"missing,omitempty"`   // how many more passes (with a margin: ties), without a failure, would show it; 0 if it is shown
	Why       string  `json:"why"`

	Warrant   string    `json:"warrant,omitempty"`         // id of the one in force
	Expires   time.Time `json:"warrant_expires,omitzero"`  // until when
	NoWarrant string    `json:"no_warrant,omitempty"`      // why there is none
	Revoked   string    `json:"revoked_warrant,omitempty"` // id of the one that this run took back

	Cost      starling.Money `json:"cost_per_1000_nanodollars"` // of answers like these
	Median    time.Duration  `json:"median_ns"`                 // to the whole answer
	Simulated bool           `json:"simulated,omitempty"`
}

// report puts the verdicts into lines.
func (r *run) report(whole bool) *Report {
	out := &Report{Whole: whole, Skill: r.Skill.Name, Rubric: r.Skill.Hash, Bar: r.Skill.Rubric.Bar, Cases: len(r.Cases), verdicts: r.verdicts()}
	out.level = out.Bar.Pass
	if r.reference != nil {
		out.Reference = r.reference.Name
		out.level = max(0, r.reference.mean()-out.Bar.Margin)
	}
	for i, y := range r.tried {
		if y.Aside {
			continue
		}
		l := y.line(r.Cases, out.Bar)
		l.judge(out, &out.verdicts[i])
		out.Lines = append(out.Lines, l)
	}
	out.choose()
	return out
}

// mean is that of the grades that are known, 0 without any.
func (y *tried) mean() float64 {
	sum := 0.0
	for _, g := range y.graded {
		sum += g.grade
	}
	return sum / float64(max(1, len(y.graded)))
}

// Demand says in words what good enough means.
func (out *Report) Demand() string {
	if out.Bar.Margin > 0 {
		return fmt.Sprintf("the answers are at most %g points worse than those of %s in the mean", 100*out.Bar.Margin, out.Reference)
	}
	return fmt.Sprintf("at least %g %% of the answers pass", 100*out.Bar.Pass)
}

// line returns the line of a candidate, nil if it is aside.
func (out *Report) line(y *tried) *Line {
	for i := range out.Lines {
		if out.Lines[i].Name == y.Name {
			return &out.Lines[i]
		}
	}
	return nil
}

// line counts what is known of a candidate.
func (y *tried) line(cases []skill.Case, bar skill.Bar) Line {
	l := Line{Name: y.Name, Model: y.Model.ID(), Zone: y.Model.Zone, Asked: len(y.graded), Simulated: y.Model.Simulated}
	for _, c := range cases {
		switch g, known := y.graded[c.ID]; {
		case known && g.rejected:
			l.Rejected++
		case known && g.grade == 1:
			l.Passes++
		}
	}
	l.Low, l.High = evidence.ClopperPearson(l.Passes, l.Accepted(), bar.Confidence)
	if l.Asked > 0 {
		l.Cost = y.cost.Times(1000) / starling.Money(l.Asked)
		l.Median = median(y.took)
	}
	return l
}

// Accepted is how many answers somebody would see.
func (l Line) Accepted() int { return l.Asked - l.Rejected }

func median(took []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[len(sorted)/2]
}

// judge writes down what the verdict means, and what more it would take.
func (l *Line) judge(out *Report, v *verdict) {
	t := &v.chosen
	l.Shown, l.Threshold, l.Covered, l.Bound = v.shown, t.threshold, t.covered, t.bound
	if out.Bar.Margin > 0 {
		l.Bound = 2*t.bound - 1
	}
	if !t.holds {
		l.Missing = t.missing(out.Bar, out.Cases)
	}
	l.Why = l.reason(out, v)
}

// missing says how many more cases would show it, all of them covered and passed,
// or tied with the reference. Where a part of the cases tests, the others are needed
// too.
func (t *tested) missing(bar skill.Bar, cases int) int {
	n := 0
	if bar.Margin > 0 {
		n = evidence.MissingTies(t.shown, bar.Margin, t.confidence)
	} else {
		n = evidence.Missing(t.passed, t.covered, bar.Pass, t.confidence)
	}
	if n != evidence.Never && t.asked+t.left < cases {
		n = (n*cases + t.asked + t.left - 1) / max(1, t.asked+t.left)
	}
	return n
}

// reason says why a candidate is shown, or why it is not.
func (l *Line) reason(out *Report, v *verdict) string {
	t := &v.chosen
	switch {
	case v.shown:
		return l.promise(out, t)
	case t.holds:
		return "it would be shown, but " + v.behind + ", which is safer, was not"
	case l.Asked == 0:
		return "it was not asked"
	case out.Bar.Margin > 0:
		return l.unequal(out, t)
	case l.High < out.Bar.Pass && l.Accepted() > 0:
		return fmt.Sprintf("at most %.1f %% pass: it is not good enough", 100*l.High)
	case l.Accepted() == 0:
		return fmt.Sprintf("verifiers rejected all %d answers", l.Asked)
	case out.Whole && l.Asked < out.Cases:
		return fmt.Sprintf("%d of %d passed; whatever became of the other cases, they could not show it", l.Passes, l.Accepted())
	}
	return fmt.Sprintf("%d of %d passed, which does not show it", l.Passes, l.Accepted())
}

// promise says what is shown.
func (l *Line) promise(out *Report, t *tested) string {
	var b strings.Builder
	if t.threshold > 0 {
		fmt.Fprintf(&b, "from a confidence of its own of %.4g on, which %d of %d answers have, ", t.threshold, t.covered, t.asked)
	}
	switch {
	case out.Bar.Margin == 0:
		fmt.Fprintf(&b, "at least %.1f %% pass", 100*t.bound)
	case l.Bound > 0:
		fmt.Fprintf(&b, "in the mean it is at least %.1f points better than %s", 100*l.Bound, out.Reference)
	default:
		fmt.Fprintf(&b, "in the mean it is at most %.1f points worse than %s", -100*l.Bound, out.Reference)
	}
	fmt.Fprintf(&b, ", at %g %% confidence", 100*out.Bar.Confidence)
	return b.String()
}

// unequal says how a candidate that does not reach the margin compares.
func (l *Line) unequal(out *Report, t *tested) string {
	if t.left > 0 {
		return fmt.Sprintf("%d of %d cases were asked, and with a margin it takes all", l.Asked, out.Cases)
	}
	sum := 0.0
	for _, x := range t.shown {
		sum += 2*x - 1
	}
	mean := 100 * sum / float64(max(1, len(t.shown)))
	return fmt.Sprintf("in the mean it is %+.1f points from %s on %d cases, which does not show it", mean, out.Reference, t.covered)
}

// choose recommends the cheapest of those shown.
func (out *Report) choose() {
	first := slices.IndexFunc(out.Lines, func(l Line) bool { return l.Shown })
	switch {
	case first >= 0:
		l := &out.Lines[first]
		out.Choice = l.Name
		out.Why = fmt.Sprintf("%s is the cheapest that was shown to be good enough: %s", l.Name, l.Why)
	case out.Whole:
		out.Why = "no candidate was shown to be good enough: the requests of this skill stay with the verifiers and the last candidate"
	default:
		out.Why = "the run was broken off before a candidate was shown to be good enough; the next one goes on where it stopped"
	}
}
