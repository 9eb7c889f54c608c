package rightsize

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
	"starling/internal/verify"
)

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
	y.Model.Simulated = y.Model.Simulated || o.Simulated // it may have said so only in its answer
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

// chunk is how many cases of a candidate are asked before one looks whether it is
// decided, for each worker.
const chunk = 4

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
		Confidence: a.Confidence, Cost: a.Cost, Took: a.Took, Source: evidence.FromCase, Receipt: a.Receipt, Simulated: c.Model.Simulated || a.Simulated,
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
