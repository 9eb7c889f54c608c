// Package advise reads what the evidence says of a skill's rubric, and proposes
// changes to it: each as an edit of the text, with the numbers that speak for it, what
// it is expected to change, and what it costs to believe it wrongly. It decides
// nothing: a person does, and `starling rightsize` proves.
//
// How surely a proposal is shown: a rubric poses a number of questions, which follows
// from its text alone and not from the evidence. Each is answered at the risk that all
// may have together, divided by their number (Bonferroni), with exact two-sided
// intervals; what is printed is the interval that decided. So the chance that any
// proposal of a run that says "shown" is false is the stated risk at most. A later run
// is a test of its own. Proposals that rest on a count or on arithmetic alone (audit,
// budget, latency in part, candidate) say so.
//
// It keeps no receipt and no outcome, but counts; of a case its digest, of an audited
// answer eight bytes. Evidence of simulated upstreams counts only where there is no
// other and all candidates are simulated.
//
// Start reading at [Study]; a proposal of each kind is made in propose.go, the text is
// edited in text.go.
//
// Sources: C. J. Clopper and E. S. Pearson, Biometrika 26 (1934) 404–413, for the
// intervals; C. E. Bonferroni, "Teoria statistica delle classi e calcolo delle
// probabilità" (1936), for the shared risk.
package advise

import (
	"fmt"
	"iter"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
)

// A Kind is what a proposal changes, and why.
type Kind string

// The kinds, in the order in which they are proposed.
const (
	BelowBar    Kind = "below-bar"    // a candidate is worse than the bar: out
	Unproven    Kind = "unproven"     // answers that nothing but verifiers had judged are worse than the bar: climb
	Size        Kind = "size"         // a candidate fails above a size and not below: a rule
	DoesNotPay  Kind = "does-not-pay" // trying a candidate costs more than it saves: out
	Order       Kind = "order"        // two candidates of a listed order stand the wrong way round
	Latency     Kind = "latency"      // the limit cuts off answers that would soon have come
	Audit       Kind = "audit"        // too few audits to notice a drift, or more than it takes
	Budget      Kind = "budget"       // the limit of a request refuses what would have cost little more
	Probability Kind = "probability"  // what the rubric states is not what happens
	Candidate   Kind = "candidate"    // somebody who was good enough is not in the ladder
)

// Kinds are all of them.
var Kinds = []Kind{BelowBar, Unproven, Size, DoesNotPay, Order, Latency, Audit, Budget, Probability, Candidate}

// A Rung is a candidate with what stands behind its name now.
type Rung struct {
	Name    string         // as the rubric calls it
	Model   starling.Model // the zero one if nobody offers it
	Unit    string         // as evidence names it; "" if nobody offers it
	Trusted bool           // it is the reference
}

// A Question is what there is to advise on.
type Question struct {
	Skill    *skill.Skill
	Rungs    []Rung          // the rubric's candidates, in its order
	Others   []Rung          // who could be asked and is not in the ladder
	Furthest starling.Zone   // how far the skill's data may travel
	Board    *evidence.Board // who has which warrant; nil none
	Sizes    map[string]int  // bytes of a request that asks a case, by its digest
	Texts    int             // that are kept, to learn from
	Compared bool            // answers can be compared with the reference's
	Risk     float64         // that any proposal is false; 0: 0.05
	Now      time.Time       // zero: the present
}

// An Advice is what a study found.
type Advice struct {
	Skill     string                    `json:"skill"`
	Rubric    string                    `json:"rubric"`              // sha256 of the one that all of it is about
	Simulated bool                      `json:"simulated,omitempty"` // it rests on simulated upstreams' answers
	Counts    Counts                    `json:"evidence"`
	Questions int                       `json:"questions"`                 // that were answered
	Risk      float64                   `json:"risk"`                      // that any of the answers is false
	Level     float64                   `json:"level"`                     // the confidence of each interval
	PerCase   map[string]starling.Money `json:"cost_per_case_nanodollars"` // what an answer to a case has cost in the mean, by candidate; of those that were asked
	Proposals []Proposal                `json:"proposals"`
	Notes     []string                  `json:"notes"` // what changes nothing: what is not known, and how much it would take
}

// Counts say what was looked at.
type Counts struct {
	From      time.Time `json:"from"`     // of the first request
	Until     time.Time `json:"until"`    // of the last
	Requests  int       `json:"requests"` // of callers who named no model
	Answered  int       `json:"answered"`
	Cases     int       `json:"cases"`     // answers to them
	Audits    int       `json:"audits"`    // and reviews
	Elsewhere int       `json:"elsewhere"` // requests and outcomes under another rubric, which say nothing of this one
	Simulated int       `json:"simulated"` // requests and outcomes that were left out because of others that are not simulated
}

// A Proposal is a change of the rubric that the evidence speaks for.
type Proposal struct {
	Kind    Kind           `json:"kind"`
	Of      string         `json:"of,omitempty"` // the candidate
	What    string         `json:"what"`         // in a few words
	Why     string         `json:"why"`          // one sentence, with the numbers
	Shown   *Shown         `json:"shown,omitempty"`
	Now     starling.Money `json:"cost_per_answer_nanodollars"`          // as it was, in the mean
	Then    starling.Money `json:"expected_cost_per_answer_nanodollars"` // an estimate
	Quality string         `json:"quality"`                              // what is expected to change, an estimate
	Wrong   string         `json:"if_wrong"`                             // what it costs to believe it though it is false
	Loosens []string       `json:"loosens,omitempty"`                    // promises of the rubric that become weaker; such a proposal is never applied unasked
	Edits   []Edit         `json:"edits"`
}

// Shown is a share with the exact interval that decided.
type Shown struct {
	Of         string  `json:"of"` // what was counted
	N          int     `json:"n"`
	K          int     `json:"k"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	Confidence float64 `json:"confidence"`
}

// Point is the share itself.
func (s *Shown) Point() float64 {
	if s.N == 0 {
		return 0
	}
	return float64(s.K) / float64(s.N)
}

func (s *Shown) String() string {
	return fmt.Sprintf("%d of %d %s, %.1f %%, at %.4g %% between %.1f and %.1f %%", s.K, s.N, s.Of, 100*s.Point(), 100*s.Confidence, 100*s.Low, 100*s.High)
}

// Study reads the outcomes and receipts of a skill, each once, and says what they
// speak for. The first error of either ends it, and is returned as it is.
func Study(q Question, outcomes iter.Seq2[*evidence.Outcome, error], receipts iter.Seq2[*starling.Receipt, error]) (*Advice, error) {
	if q.Risk == 0 {
		q.Risk = 0.05
	}
	if q.Now.IsZero() {
		q.Now = time.Now()
	}
	f := newFold(&q)
	for o, err := range outcomes {
		if err != nil {
			return nil, err
		}
		f.outcome(o)
	}
	for r, err := range receipts {
		if err != nil {
			return nil, err
		}
		f.receipt(r)
	}
	return f.advise(), nil
}

// Loosened names the promises of a rubric that another makes weaker: a class, a cap, the
// bar, how long a caller waits, how much is checked, and who may answer unproven.
func Loosened(from, to *skill.Rubric) []string {
	var out []string
	add := func(what string, is bool) {
		if is {
			out = append(out, what)
		}
	}
	add("class", from.Class != to.Class)
	add("budget", raised(from.Budget.Request, to.Budget.Request) || raised(from.Budget.Day, to.Budget.Day) || raised(from.Budget.Month, to.Budget.Month))
	was, is := from.Bar.Filled(), to.Bar.Filled()
	add("bar", is.Pass < was.Pass || is.Margin > was.Margin || is.Confidence < was.Confidence || is.Valid > was.Valid || was.Unproven == skill.Climb && is.Unproven != skill.Climb)
	add("latency", raised(from.Latency, to.Latency))
	add("audit", to.Audit < from.Audit)
	add("verify", len(to.Verify) < len(from.Verify))
	return out
}

// raised reports whether a limit, of which 0 is none, lets more pass.
func raised[T ~int64](from, to T) bool { return from > 0 && (to > from || to == 0) }
