// Package rightsize finds out, on a skill's own cases, which of its candidates
// are good enough, and says so in warrants: it asks them, cheapest first, grades
// what they say, keeps every outcome as evidence, and stops with a candidate as
// soon as the cases that are left cannot change its verdict. It knows no HTTP and no
// storage; who asks and who keeps is handed in.
//
// Start reading at [Trial.Run]. What a candidate is judged by is in sample.go, why
// the verdicts can be believed together in sequence.go, the words for them in
// report.go, and what is written down of them in warrant.go.
package rightsize

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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
	Name       string         // as the rubric calls it
	Model      starling.Model // that the name stands for
	ID         string         // names the whole unit, as in [evidence.Outcome]; "" if nobody offers it
	SkipVerify bool           // its answers are seen whatever verifiers would say

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

// chunk is how many cases of a candidate are asked before one looks whether it is
// decided, for each worker.
const chunk = 4

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

// A run is a Trial under way.
type run struct {
	*Trial
	tried     []*tried          // the candidates
	reference *tried            // nil without a margin; it may be one of them
	digests   map[string]string // of the cases, by id
	order     []string          // their ids, in an order that has nothing to do with what is answered
	spent     starling.Money
	done      int
	total     int
}

// A tried is a candidate with what is known of it.
type tried struct {
	Candidate
	graded map[string]graded // by case
	cost   starling.Money
	took   []time.Duration
}

// A graded is what came of one case.
type graded struct {
	grade, confidence float64
	rejected          bool
}

func newRun(t *Trial) *run {
	r := &run{Trial: t, digests: map[string]string{}, total: len(t.Asks()) * len(t.Cases)}
	for _, c := range t.Cases {
		r.digests[c.ID] = c.Digest()
		r.order = append(r.order, c.ID)
	}
	slices.SortFunc(r.order, func(a, b string) int {
		return cmp.Or(cmp.Compare(r.digests[a], r.digests[b]), cmp.Compare(a, b))
	})
	margin := t.Skill.Rubric.Bar.Margin > 0
	for _, c := range t.Candidates {
		r.tried = append(r.tried, r.recall(c))
		if margin && r.reference == nil && c.ID == t.Reference.ID {
			r.reference = r.tried[len(r.tried)-1]
		}
	}
	if margin && r.reference == nil {
		r.reference = r.recall(t.Reference)
	}
	return r
}

// recall takes over what is known of the skill as it is: another rubric may grade
// otherwise, a case that was edited asks something else, and what is older than
// warrants last is no ground for a new one.
func (r *run) recall(c Candidate) *tried {
	y := &tried{Candidate: c, graded: map[string]graded{}}
	since := time.Now().Add(-r.valid())
	for _, o := range r.Known {
		digest, asked := r.digests[o.Case]
		if asked && o.Digest == digest && o.Candidate == c.ID && o.Rubric == r.Skill.Hash && o.Source == evidence.FromCase && o.Time.After(since) {
			y.add(o)
		}
	}
	return y
}

func (r *run) valid() time.Duration { return cmp.Or(r.Skill.Rubric.Bar.Valid, skill.DefaultValid) }

// add takes an outcome. Of several of one case the first counts: who asked until
// the answer is right would show nothing.
func (y *tried) add(o *evidence.Outcome) {
	if _, known := y.graded[o.Case]; known {
		return
	}
	y.graded[o.Case] = graded{o.Grade, o.Confidence, o.Rejected}
	y.cost = y.cost.Plus(o.Cost)
	y.took = append(y.took, o.Took)
}

// tryAll asks the reference, if the bar needs it, and the candidates.
func (r *run) tryAll(ctx context.Context) error {
	if r.reference != nil {
		if err := r.try(ctx, r.reference, func() bool { return false }); err != nil {
			return err
		}
	}
	for i, y := range r.tried {
		if y.Aside || y == r.reference {
			continue
		}
		if err := r.try(ctx, y, func() bool { return r.decided(i) }); err != nil {
			return err
		}
	}
	return nil
}

// try asks a candidate until its verdict is clear.
func (r *run) try(ctx context.Context, y *tried, decided func() bool) error {
	r.step(len(y.graded))
	var left []skill.Case
	for _, c := range r.Cases {
		if _, known := y.graded[c.ID]; !known {
			left = append(left, c)
		}
	}
	for len(left) > 0 && !decided() {
		n := min(len(left), chunk*max(r.Workers, 1))
		if err := r.askAll(ctx, y, left[:n]); err != nil {
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
func (r *run) askAll(ctx context.Context, y *tried, cases []skill.Case) error {
	if err := r.afford(y, cases); err != nil {
		return err
	}
	said := make([]answered, len(cases))
	var mu sync.Mutex
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(max(r.Workers, 1))
	for j, c := range cases {
		group.Go(func() (err error) {
			if said[j], err = r.ask(inner, y.Candidate, c); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			r.step(1)
			return nil
		})
	}
	return r.keep(ctx, y, said, group.Wait())
}

// keep writes down what came of some cases. If all were refused, it is something
// else than the cases: nothing is kept, and the run ends.
func (r *run) keep(ctx context.Context, y *tried, said []answered, err error) error {
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
		y.add(&all[j])
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
func (r *run) afford(y *tried, cases []skill.Case) error {
	if r.Limit == 0 {
		return nil
	}
	worst := r.spent
	for _, c := range cases {
		worst = worst.Plus(r.Worst(y.Candidate, c))
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
		Time: time.Now().UTC(), Skill: r.Skill.Name, Rubric: r.Skill.Hash, Candidate: c.ID, Model: c.Model.ID(), Case: cs.ID, Digest: r.digests[cs.ID],
		Confidence: a.Confidence, Cost: a.Cost, Took: a.Took, Source: evidence.FromCase, Receipt: a.Receipt, Simulated: c.Model.Simulated,
	}
	switch {
	case starling.KindOf(err) == starling.Refused:
		o.Why = "no answer"
		return answered{o, err}, nil
	case err != nil:
		return answered{}, err
	}
	if err := r.grade(ctx, c, cs, a.Text, o); err != nil {
		return answered{}, err
	}
	return answered{o, nil}, nil
}

// grade compares the answer with gold, and asks whether anybody would have seen
// it.
func (r *run) grade(ctx context.Context, c Candidate, cs skill.Case, text string, o *evidence.Outcome) error {
	pass, why, err := verify.Grade(ctx, cs, r.Skill.Rubric.Grade, text, r.Verifiers)
	if err != nil {
		return err
	}
	if o.Why = why; pass {
		o.Grade = 1
	}
	if c.SkipVerify {
		return nil
	}
	rejected, err := verify.Rejects(ctx, r.Skill.Rubric.Prompt, cs.Input, text, r.Verifiers)
	o.Rejected = rejected != ""
	o.Why = cmp.Or(o.Why, rejected)
	return err
}
