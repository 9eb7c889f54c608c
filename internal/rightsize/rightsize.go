// Package rightsize finds out, on a skill's own cases, which of its candidates
// are good enough, and says so in warrants: it asks them, cheapest first, grades
// what they say, keeps every outcome as evidence, and stops with a candidate as
// soon as the cases that are left cannot change its verdict. It knows no HTTP and no
// storage; who asks and who keeps is handed in.
//
// Start reading at [Trial.Run]. How the cases are asked is in run.go, what a
// candidate is judged by in sample.go, why the verdicts can be believed together in
// sequence.go, the words for them in report.go, and what is written down of them in
// warrant.go.
package rightsize

import (
	"context"
	"fmt"
	"slices"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
)

// A Candidate is what is tried.
type Candidate struct {
	Name       string         // as the rubric calls it
	Model      starling.Model // that the name stands for
	ID         string         // names the whole unit, as in [evidence.Outcome]; "" if nobody offers it
	SkipVerify bool           // its answers are seen whatever verifiers would say
	Logprobs   bool           // it is to say how sure it is, by log-probabilities

	// Aside candidates have their place in the sequence and are not asked: what is
	// known of them counts, and they are not reported.
	Aside bool
}

// An Answer is what a candidate said to a case, and what that took.
type Answer struct {
	Text       string
	Confidence float64 // the candidate's own, in (0, 1]; 0 unknown
	Cost       starling.Money
	Took       time.Duration
	Receipt    string
	Simulated  bool // by a simulated upstream, though nobody may have known
}

// A Trial is a skill with its candidates, and the hands that it takes.
type Trial struct {
	Skill      *skill.Skill
	Cases      []skill.Case
	Verifiers  []starling.Verifier
	Candidates []Candidate         // all of the rubric, in its order, so cheapest first
	Reference  Candidate           // whom a bar with a margin compares with; it may be one of the candidates
	Known      []*evidence.Outcome // of this skill, from before: what is known is not asked again
	Board      *evidence.Board     // the warrants of this skill, from before; nil if there are none
	Workers    int                 // questions at the same time; 1 at least
	Limit      starling.Money      // most that this run may spend; 0 none

	// Ask asks one candidate one case. An answer that is none is an error: Refused
	// counts as a failure of the candidate, unless it says so to many cases in a row;
	// every other ends the run.
	Ask func(context.Context, Candidate, skill.Case) (Answer, error)
	// Worst returns the most that asking can cost.
	Worst func(Candidate, skill.Case) starling.Money
	// Keep writes outcomes down before their candidate is asked more.
	Keep func(context.Context, []evidence.Outcome) error
	// Issue writes down warrants and revocations, and gives them their ids. Without
	// it the report says what would be issued.
	Issue func(context.Context, ...evidence.Note) error
	// Progress is told, from one goroutine at a time, how far it is; it may be nil.
	Progress func(done, total int)
}

// Asks returns who is asked: the candidates that are not aside, and before them
// the reference, if the bar needs it and it is none of them.
func (t *Trial) Asks() []Candidate {
	var all []Candidate
	for _, c := range t.Candidates {
		if !c.Aside {
			all = append(all, c)
		}
	}
	isReference := func(c Candidate) bool { return c.ID == t.Reference.ID }
	if t.Skill.Rubric.Bar.Margin > 0 && !slices.ContainsFunc(all, isReference) {
		all = append([]Candidate{t.Reference}, all...)
	}
	return all
}

// Run tries the candidates, writes down who is good enough, and returns the
// verdicts. What was asked is kept whatever happens, so a run that was broken off
// goes on where it stopped; it issues nothing.
//
// Errors: OverBudget when the limit allows no further question, Invalid for a
// skill whose cases can show nothing or cannot be graded, and those of Ask, Keep
// and Issue. The report of a run that was broken off is returned too; its verdicts
// are of what is known.
func (t *Trial) Run(ctx context.Context) (*Report, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	r := newRun(t)
	if err := r.tryAll(ctx); err != nil {
		return r.report(false), err
	}
	out := r.report(true)
	return out, r.settle(ctx, out)
}

// check refuses what could show nothing, before anything is spent.
func (t *Trial) check() error {
	bar, n := t.Skill.Rubric.Bar, len(t.Cases)
	if !bar.Set() {
		return &starling.Error{Kind: starling.Invalid, Op: "rightsize: the rubric of " + t.Skill.Name + " has no bar", Hint: "add bar: {pass: 0.95, confidence: 0.95}"}
	}
	if err := t.judged(); err != nil {
		return err
	}
	// With a margin the best that can be is that the candidate is right wherever the
	// reference is wrong; what a candidate as good as the reference takes is said
	// when it is known how often they differ.
	if more := evidence.Missing(n, n, level(bar), bar.Confidence); more > 0 {
		return &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("rightsize: even if all %d cases passed they would not show %s, at a confidence of %g", n, barText(bar), bar.Confidence),
			Hint: fmt.Sprintf("add %d cases to %s/cases.jsonl, or lower the bar", more, t.Skill.Dir)}
	}
	return nil
}

func barText(bar skill.Bar) string {
	if bar.Margin > 0 {
		return fmt.Sprintf("that a candidate is at most %g worse than the reference", bar.Margin)
	}
	return fmt.Sprintf("that %g of 1 pass", bar.Pass)
}

// level is what the mean of what is shown must reach, as in [evidence.Warrant].
func level(bar skill.Bar) float64 {
	return (&evidence.Warrant{Pass: bar.Pass, Margin: bar.Margin}).Level()
}

// judged refuses cases that judges alone would grade: a judge can be talked into
// anything, so what it says is no ground for a warrant.
func (t *Trial) judged() error {
	specs := t.Skill.Rubric.Verify
	byMachine := func(v skill.VerifySpec) bool { return v.Kind != "judge" }
	if len(specs) == 0 || slices.ContainsFunc(specs, byMachine) {
		return nil
	}
	alone := slices.Equal(t.Skill.Rubric.Grade, []string{"verified"})
	for _, c := range t.Cases {
		alone = alone || c.Gold.Verified && c.Gold.Label == "" && c.Gold.JSON == nil && c.Gold.Number == "" && len(c.Gold.Contains) == 0 && c.Gold.Cites == nil
	}
	if !alone {
		return nil
	}
	return &starling.Error{Kind: starling.Invalid, Op: "rightsize: only a judge says which answers of " + t.Skill.Name + " are right, and a judge alone carries no warrant",
		Hint: "give the cases a gold that can be compared, or add a verifier that needs no model"}
}
