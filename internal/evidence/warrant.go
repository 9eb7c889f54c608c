package evidence

import (
	"fmt"
	"slices"
	"time"

	"starling"
)

// A Warrant says: in this skill, of the answers that it covers, this candidate's
// are good enough, at this confidence, on this many graded cases, until then. It
// is written down once and never changes; a later one of the same candidate and
// skill takes its place.
type Warrant struct {
	ID        string    `json:"id"`   // "war_…", given when it is written down
	Time      time.Time `json:"time"` // of issue
	Skill     string    `json:"skill"`
	Rubric    string    `json:"rubric"`          // sha256 of the rubric that it was shown under
	Cases     string    `json:"cases,omitempty"` // sha256 of the skill's cases then
	Candidate string    `json:"candidate"`       // names the whole unit, as in [Outcome]
	Model     string    `json:"model"`           // for people: "provider/name"

	Pass       float64 `json:"pass,omitempty"`      // the bar: the share that passes; or else
	Margin     float64 `json:"margin,omitempty"`    // by how much less than the reference's a grade is in the mean
	Reference  string  `json:"reference,omitempty"` // with Margin, the reference's unit
	Confidence float64 `json:"confidence"`

	Threshold float64 `json:"threshold,omitempty"` // the candidate's own confidence from which an answer is covered; 0 every answer
	Verified  bool    `json:"verified,omitempty"`  // only answers that the skill's verifiers accepted are covered

	Asked     int       `json:"asked"`               // cases
	Covered   int       `json:"covered"`             // of them, those whose answer it covers
	Passed    int       `json:"passed"`              // of those, with grade 1
	Shown     []float64 `json:"shown,omitempty"`     // what was compared with Level, case by case, where it is not Passed ones and then zeros
	Bound     float64   `json:"bound"`               // the lower bound that reached Level
	Expires   time.Time `json:"expires"`             //
	Simulated bool      `json:"simulated,omitempty"` // a simulated upstream's: it says nothing of a model
}

// Least is the share of its answers of which it shows that they pass: exactly that of
// Clopper and Pearson, at the warrant's confidence.
func (w *Warrant) Least() float64 { return LowerBound(w.Passed, w.Covered, w.Confidence) }

// Level is what the mean of Outcomes reached: Pass, or for a margin (1 − Margin)/2,
// since a difference d of grades is kept as (1 + d)/2.
func (w *Warrant) Level() float64 {
	if w.Margin > 0 {
		return (1 - w.Margin) / 2
	}
	return w.Pass
}

// Outcomes are what showed the level, in [0, 1].
func (w *Warrant) Outcomes() []float64 {
	if w.Shown != nil {
		return slices.Clone(w.Shown)
	}
	all := make([]float64, w.Covered)
	for i := range w.Passed {
		all[i] = 1
	}
	return all
}

// audited is an audit's grade as one of Outcomes: the reference's own is 1.
func (w *Warrant) audited(grade float64) float64 {
	if w.Margin > 0 {
		return grade / 2
	}
	return grade
}

// Lapsed says why the warrant does not hold now in a skill with this rubric and
// these cases, "" if it does. That it was revoked is not asked here.
func (w *Warrant) Lapsed(rubric, cases string, now time.Time) string {
	switch {
	case w.Rubric != rubric:
		return "the rubric has changed since"
	case w.Cases != cases:
		return "the cases have changed since"
	case !now.Before(w.Expires):
		return "it held until " + w.Expires.UTC().Format(time.DateOnly)
	}
	return ""
}

// Check returns an Invalid error for a warrant that its own figures do not bear
// out.
func (w *Warrant) Check() error {
	what := ""
	switch {
	case w.Skill == "", w.Rubric == "", w.Candidate == "":
		what = "it names no skill, rubric or candidate"
	case (w.Pass > 0) == (w.Margin > 0), !(0 <= w.Pass && w.Pass <= 1), !(0 <= w.Margin && w.Margin < 1), w.Margin > 0 && w.Reference == "":
		what = "it has no bar"
	case !(0 < w.Confidence && w.Confidence < 1):
		what = fmt.Sprintf("its confidence is %v", w.Confidence)
	case !(0 <= w.Threshold && w.Threshold <= 1):
		what = fmt.Sprintf("its threshold is %v", w.Threshold)
	case w.Passed < 0, w.Passed > w.Covered, w.Covered > w.Asked, w.Shown != nil && len(w.Shown) != w.Covered:
		what = fmt.Sprintf("%d of %d of %d passed", w.Passed, w.Covered, w.Asked)
	case w.Time.IsZero(), !w.Expires.After(w.Time):
		what = "it never held"
	case !(MeanLowerBound(w.Outcomes(), w.Confidence) >= w.Level()):
		what = "its outcomes do not show its bar"
	}
	return invalid("a warrant", what, "issue it from graded outcomes: starling rightsize <skill>")
}

// A Revocation takes a warrant back, from the next request on.
type Revocation struct {
	ID        string    `json:"id"` // "rev_…", given when it is written down
	Time      time.Time `json:"time"`
	Warrant   string    `json:"warrant"` // id
	Skill     string    `json:"skill"`
	Candidate string    `json:"candidate"`
	Model     string    `json:"model"`
	End       End       `json:"end"`
	Why       string    `json:"why"` // for people, one line
}

// Check returns an Invalid error for a revocation of nothing.
func (r *Revocation) Check() error {
	what := ""
	switch {
	case r.Warrant == "", r.Skill == "", r.Candidate == "":
		what = "it names no warrant, skill or candidate"
	case r.End == "", r.Time.IsZero():
		what = "it does not say why or when"
	}
	return invalid("a revocation", what, "name the warrant: starling warrant list")
}

// A Note is one thing that the ledger keeps beside receipts. Exactly one field is
// set.
type Note struct {
	Outcome    *Outcome
	Warrant    *Warrant
	Revocation *Revocation
}

// Check returns an Invalid error for a note that says nothing, or nothing that can
// be defended.
func (n Note) Check() error {
	switch {
	case n.Outcome != nil:
		return n.Outcome.Check()
	case n.Warrant != nil:
		return n.Warrant.Check()
	case n.Revocation != nil:
		return n.Revocation.Check()
	}
	return invalid("a note", "it is empty", "")
}

// invalid returns nil if nothing is wrong.
func invalid(of, what, hint string) error {
	if what == "" {
		return nil
	}
	return &starling.Error{Kind: starling.Invalid, Op: "evidence: " + of + ": " + what, Hint: hint}
}
