// Package rightsize finds out, on a skill's own cases, which of its candidates
// are good enough: it asks them, cheapest first, grades what they say, keeps every
// outcome as evidence, and stops with a candidate as soon as the cases that are
// left cannot change its verdict. It knows no HTTP and no storage; who asks and
// who keeps is handed in.
//
// Start reading at [Trial.Run]. What the verdicts rest on is in report.go.
package rightsize

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
	"starling/internal/verify"
)

// A Candidate is what is tried.
type Candidate struct {
	Name  string         // as the rubric calls it
	Model starling.Model // that the name stands for
	ID    string         // names the whole unit, as in [evidence.Outcome]
}

// An Answer is what a candidate said to a case, and what that took.
type Answer struct {
	Text    string
	Cost    starling.Money
	Took    time.Duration
	Receipt string
}

// A Trial is a skill with its candidates, and the hands that it takes.
type Trial struct {
	Skill      *skill.Skill
	Cases      []skill.Case
	Verifiers  []starling.Verifier
	Candidates []Candidate         // in the order of the rubric, so cheapest first
	Known      []*evidence.Outcome // of this skill, from before: what is known is not asked again
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
	// Progress is told, from one goroutine at a time, how far it is; it may be nil.
	Progress func(done, total int)
}

// chunk is how many cases of a candidate are asked before one looks whether it is
// decided, for each worker.
const chunk = 4

// Run tries the candidates and returns the verdicts. What was asked is kept
// whatever happens, so a run that was broken off goes on where it stopped.
//
// Errors: OverBudget when the limit allows no further question, Invalid for a
// skill whose cases can show nothing or cannot be graded, and those of Ask and
// Keep. The report of a run that was broken off is returned too; its verdicts are
// of what is known.
func (t *Trial) Run(ctx context.Context) (*Report, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	r := &run{Trial: t, tallies: make([]tally, len(t.Candidates)), total: len(t.Cases) * len(t.Candidates)}
	r.recall()
	for i := range t.Candidates {
		if err := r.try(ctx, i); err != nil {
			return r.report(false), err
		}
	}
	return r.report(true), nil
}

// check refuses what could show nothing, before anything is spent.
func (t *Trial) check() error {
	bar, n := t.Skill.Rubric.Bar, len(t.Cases)
	if bar.Pass == 0 || bar.Confidence == 0 {
		return &starling.Error{Kind: starling.Invalid, Op: "rightsize: the rubric of " + t.Skill.Name + " has no bar", Hint: "add bar: {pass: 0.95, confidence: 0.95}"}
	}
	if more := evidence.Missing(n, n, bar.Pass, bar.Confidence); more > 0 {
		return &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("rightsize: even if all %d cases passed they would not show that %g of 1 pass, at a confidence of %g", n, bar.Pass, bar.Confidence),
			Hint: fmt.Sprintf("add %d cases to %s/cases.jsonl, or lower the bar", more, t.Skill.Dir)}
	}
	return nil
}

// A run is a Trial under way.
type run struct {
	*Trial
	tallies []tally // of the candidates
	spent   starling.Money
	done    int
	total   int
}

// A tally is what is known of a candidate.
type tally struct {
	graded map[string]bool // by case: whether it passed
	passes int
	cost   starling.Money
	took   []time.Duration
}

func (y *tally) add(o *evidence.Outcome) {
	if _, known := y.graded[o.Case]; known {
		return
	}
	if y.graded == nil {
		y.graded = map[string]bool{}
	}
	pass := o.Grade == 1
	if y.graded[o.Case] = pass; pass {
		y.passes++
	}
	y.cost = y.cost.Plus(o.Cost)
	y.took = append(y.took, o.Took)
}

// recall takes over what is known of the skill as it is: another rubric may grade
// otherwise, and another case asks something else.
func (r *run) recall() {
	cases := map[string]bool{}
	for _, c := range r.Cases {
		cases[c.ID] = true
	}
	for _, o := range r.Known {
		for i := range r.Candidates {
			if o.Candidate == r.Candidates[i].ID && o.Rubric == r.Skill.Hash && o.Source == evidence.FromCase && cases[o.Case] {
				r.tallies[i].add(o)
			}
		}
	}
}

// try asks a candidate until its verdict is clear.
func (r *run) try(ctx context.Context, i int) error {
	y := &r.tallies[i]
	r.step(len(y.graded))
	var left []skill.Case
	for _, c := range r.Cases {
		if _, known := y.graded[c.ID]; !known {
			left = append(left, c)
		}
	}
	for len(left) > 0 && !r.decided(y) {
		n := min(len(left), chunk*max(r.Workers, 1))
		if err := r.askAll(ctx, i, left[:n]); err != nil {
			return err
		}
		left = left[n:]
	}
	r.step(len(left)) // that need not be asked
	return nil
}

func (r *run) step(n int) {
	if r.done += n; r.Progress != nil {
		r.Progress(r.done, r.total)
	}
}

// askAll asks some cases and keeps what came of it, also when one of them ends
// the run.
func (r *run) askAll(ctx context.Context, i int, cases []skill.Case) error {
	if err := r.afford(i, cases); err != nil {
		return err
	}
	said := make([]answered, len(cases))
	var mu sync.Mutex
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(max(r.Workers, 1))
	for j, c := range cases {
		group.Go(func() (err error) {
			if said[j], err = r.ask(inner, r.Candidates[i], c); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			r.step(1)
			return nil
		})
	}
	return r.keep(ctx, i, said, group.Wait())
}

// keep writes down what came of some cases. If all were refused, it is something
// else than the cases: nothing is kept, and the run ends.
func (r *run) keep(ctx context.Context, i int, said []answered, err error) error {
	var all []evidence.Outcome
	refused := 0
	for _, a := range said {
		if a.outcome == nil {
			continue
		}
		if all = append(all, *a.outcome); a.refusal != nil {
			refused++
		}
		r.spent = r.spent.Plus(a.outcome.Cost)
	}
	if len(said) > 1 && refused == len(said) {
		return said[0].refusal
	}
	for j := range all {
		r.tallies[i].add(&all[j])
	}
	if len(all) == 0 {
		return err
	}
	if kept := r.Keep(context.WithoutCancel(ctx), all); kept != nil {
		return kept
	}
	return err
}

// afford makes sure that the limit allows the cases at their worst.
func (r *run) afford(i int, cases []skill.Case) error {
	if r.Limit == 0 {
		return nil
	}
	worst := r.spent
	for _, c := range cases {
		worst = worst.Plus(r.Worst(r.Candidates[i], c))
	}
	if worst <= r.Limit {
		return nil
	}
	return &starling.Error{Kind: starling.OverBudget, Op: "rightsize: " + r.spent.String() + " is spent, and the next questions may take it over the limit of " + r.Limit.String(),
		Hint: "raise the limit and run it again: what was asked is known"}
}

// An answered is what came of a question.
type answered struct {
	outcome *evidence.Outcome // nil if nothing did
	refusal error             // why there was no answer
}

// ask asks one case and grades the answer.
func (r *run) ask(ctx context.Context, c Candidate, cs skill.Case) (answered, error) {
	a, err := r.Ask(ctx, c, cs)
	o := &evidence.Outcome{
		Time: time.Now().UTC(), Skill: r.Skill.Name, Rubric: r.Skill.Hash, Candidate: c.ID, Model: c.Model.ID(), Case: cs.ID,
		Cost: a.Cost, Took: a.Took, Source: evidence.FromCase, Receipt: a.Receipt, Simulated: c.Model.Simulated,
	}
	switch {
	case starling.KindOf(err) == starling.Refused:
		o.Why = "no answer"
		return answered{o, err}, nil
	case err != nil:
		return answered{}, err
	}
	pass, why, err := verify.Grade(ctx, cs, r.Skill.Rubric.Grade, a.Text, r.Verifiers)
	if err != nil {
		return answered{}, err
	}
	if o.Why = why; pass {
		o.Grade = 1
	}
	return answered{o, nil}, nil
}
