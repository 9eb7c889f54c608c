package evidence

import "math"

// An End says why a warrant ends.
type End string

// The ends. "" is none.
const (
	BelowBar  End = "below_bar" // all outcomes together do not show the bar any more
	Dropped   End = "dropped"   // the audits contradict the outcomes that showed it
	Withdrawn End = "withdrawn" // by a person
)

// drop is the fall of the mean that a Watch is quickest to see.
const drop = 0.10

// A Watch looks after a warrant: it begins with the outcomes that showed the bar
// and takes those of audits as they come. It is not safe for concurrent use.
//
// Two things end it. The bound of all outcomes falls under the bar: to last until
// any time, even one chosen in hindsight, a warrant has to pass every look before,
// the first among them, so the chance that a candidate which was never good enough
// has one is that of the first look. And the audits alone contradict the outcomes
// before them: a sum of log-likelihood ratios of "ten points worse" against "as it
// was", begun anew whenever it is negative, passes log 1/(1 − confidence). For
// grades that are not 0 or 1 the ratio is their mixture, which is as fair a bet.
//
// How often a good candidate loses its warrant is measured in a test: one that
// passes 97 % at a bar of 90 %, about every 670 audits. It can be shown again with
// the outcomes that have come.
//
// Source: J. Shin, A. Ramdas and A. Rinaldo, "E-detectors: a nonparametric
// framework for sequential change detection", New England J. Statist. Data Sci.
// 2 (2024) 229–260, the detector of CUSUM type; its alarms are 1/(1 − confidence)
// apart at least.
type Watch struct {
	bar, confidence float64
	outcomes        []float64
	passes          int
	exact           bool    // all outcomes are 0 or 1
	before, after   float64 // the means between which a drop is looked for
	against         float64 // log
	end             End
}

// NewWatch begins a watch with the outcomes, in [0, 1], that showed the bar. If
// they do not show it, it has ended.
func NewWatch(shown []float64, bar, confidence float64) *Watch {
	w := &Watch{bar: bar, confidence: confidence, exact: true}
	sum := 0.5
	for _, x := range shown {
		w.keep(x)
		sum += x
	}
	w.before = sum / float64(len(shown)+1)
	w.after = max(w.before-drop, w.before/2)
	w.look()
	return w
}

// Add takes an audited outcome in [0, 1] and returns why the warrant ends now or
// has ended.
func (w *Watch) Add(outcome float64) End {
	w.keep(outcome)
	ratio := outcome*w.after/w.before + (1-outcome)*(1-w.after)/(1-w.before)
	w.against = max(w.against+math.Log(ratio), 0)
	w.look()
	return w.end
}

func (w *Watch) keep(outcome float64) {
	w.outcomes = append(w.outcomes, outcome)
	switch outcome {
	case 0:
	case 1:
		w.passes++
	default:
		w.exact = false
	}
}

func (w *Watch) look() {
	switch {
	case w.end != "":
	case !w.shows():
		w.end = BelowBar
	case w.against >= -math.Log1p(-w.confidence):
		w.end = Dropped
	}
}

// shows reports whether Bound is at the bar, which is quicker to tell than what
// it is.
func (w *Watch) shows() bool {
	if w.exact {
		return len(w.outcomes) > 0 && atLeast(w.passes, len(w.outcomes), w.bar) <= 1-w.confidence
	}
	return w.Bound() >= w.bar
}

// End returns why the warrant has ended, "" if it has not.
func (w *Watch) End() End { return w.end }

// Bound returns the lower bound of all outcomes.
func (w *Watch) Bound() float64 { return MeanLowerBound(w.outcomes, w.confidence) }
