package cascade

import (
	"context"
	"errors"

	"starling"
)

// An asker asks models for a verifier of an attempt's answer. Each call is an
// exchange within the exchange, of one attempt that is never seen: it is planned
// like a model that a caller pins, so zone, price and bounds are looked at alike,
// it is called and booked as candidates are, and lands on the receipt before the
// attempt that it is about.
type asker struct {
	about    *attempt
	verifier string
}

// verdict has a verifier judge the answer.
func (a *attempt) verdict(v starling.Verifier, answer *starling.Answer) (starling.Verdict, error) {
	if asking, ok := v.(starling.AskingVerifier); ok {
		return asking.VerifyAsking(a.ctx, &a.Request, answer, &asker{a, v.Name()})
	}
	return v.Verify(a.ctx, &a.Request, answer)
}

// Ask implements [starling.Asker].
func (k *asker) Ask(ctx context.Context, model string, q *starling.Request) (*starling.Answer, starling.Money, error) {
	c, err := k.plan(model, q)
	if err != nil {
		return nil, 0, err
	}
	if err := k.reserve(ctx, c.Worst); err != nil {
		return nil, 0, err
	}
	a := k.attempt(ctx, c, q)
	if err := k.consult(a); err != nil {
		return nil, a.Cost, err
	}
	return a.collector.Answer(), a.Cost, nil
}

// plan returns the model as a candidate for q. It may not be one that q must not
// reach, or whose price nobody knows.
func (k *asker) plan(model string, q *starling.Request) (*starling.Candidate, error) {
	pinned := *q
	if pinned.Model = model; model == "" {
		pinned.Model = k.about.candidate.Model.ID()
	}
	plan, err := k.about.Router.Plan(&pinned, k.about.Screen, nil)
	if err != nil {
		return nil, cannotAsk(pinned.Model, plan.Left, err)
	}
	c := plan.Candidates[0]
	c.Verify = []string{k.verifier} // so that the answer is gathered, and not sent
	return &c, nil
}

func cannotAsk(model string, left []starling.Left, err error) error {
	e := &starling.Error{Kind: starling.KindOf(err), Op: "it cannot ask " + model, Err: err}
	if len(left) == 0 {
		return e
	}
	e.Kind, e.Err = left[0].Kind, errors.New(left[0].Why)
	if e.Kind == starling.Forbidden {
		e.Hint = "have it ask a nearer model, or relabel the data"
	}
	return e
}

// reserve makes sure that the call may cost its worst, on top of all that the
// exchange has spent, the answer that is judged included. It is made now and not
// with the candidate's: most verifiers that ask are never reached, as one before
// them has said no.
func (k *asker) reserve(ctx context.Context, worst starling.Money) error {
	a := k.about
	if err := a.within(a.spent().Plus(a.Cost), worst); err != nil {
		return err
	}
	return a.account.Reserve(ctx, worst)
}

// attempt makes the call's attempt, in an exchange of its own that shares the
// account.
func (k *asker) attempt(ctx context.Context, c *starling.Candidate, q *starling.Request) *attempt {
	x := &exchange{Cascade: k.about.Cascade, ctx: ctx, account: k.about.account}
	x.Started, x.Request, x.Screen = k.about.Started, *q, k.about.Screen
	x.Plan.Patience = k.about.Plan.Patience
	return x.attempt(c, k.about.last)
}

// consult makes the call. It is in the books whatever comes of it, a bug included.
func (k *asker) consult(a *attempt) (err error) {
	err = &starling.Error{Kind: starling.Internal, Op: "a bug ended the call", Billed: true}
	defer func() {
		a.book(err)
		a.account.Spend(a.Cost)
		a.Outcome, a.Why = starling.Consulted, "asked by verifier "+k.verifier
		if err != nil {
			a.Kind, a.Why = starling.KindOf(err), a.Why+": "+why(err)
		}
		x := k.about.exchange
		x.Attempts = append(append(x.Attempts, a.Attempts...), a.Attempt)
		x.Waited += a.Waited
	}()
	err = a.run()
	return err
}
