// Package cascade answers: it climbs the plan from candidate to candidate until
// an answer is good enough, reserves before every call what it may cost, books
// what it did cost, and settles the exchange with a receipt whatever happened.
//
// It knows no HTTP and no dialect. Start reading at [Cascade.Answer].
package cascade

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"starling"
	"starling/internal/ledger"
	"starling/internal/privacy"
	"starling/internal/route"
	"starling/internal/skill"
	"starling/internal/verify"
)

// A Cascade answers requests. It is immutable and safe for concurrent use; a
// changed configuration makes a new one.
type Cascade struct {
	Policy    *privacy.Policy
	Router    *route.Router
	Providers map[string]starling.Provider
	Ledger    *ledger.Ledger
	Log       *slog.Logger
	Observe   *Observing // it changes nothing, and notes what it would have done; nil: it does it

	shapes verify.Shapes // of what requests bring along
}

// A Reply takes the answer to the caller.
type Reply interface {
	// Start is called once, before the first event, when it is known who
	// answers: ex.Response is set, and for an answer that is not streamed so
	// are all costs. Every byte of the answer is also to be written to digest.
	Start(ex *starling.Exchange, digest io.Writer)
	// Event takes a piece. It must not keep ev.Raw. An error means that the
	// caller is gone.
	Event(ev starling.Event) error
	// Finish renders what is left of the answer, or of its failure (ex.Err).
	// It is called exactly once, before the exchange is settled.
	Finish(ex *starling.Exchange)
}

// Answer runs the whole exchange. The exchange is returned, settled, whatever
// happened; why there is no answer, or why it broke off, is in its Err:
// Forbidden, OverBudget, NotFound, Invalid, Overloaded, Refused, Cancelled.
func (c *Cascade) Answer(ctx context.Context, req starling.Request, reply Reply) *starling.Exchange {
	skill, how, err := c.Router.Identify(&req)
	name, class := "", starling.Class("")
	if skill != nil {
		name, class = skill.Name, skill.Rubric.Class
	}
	x := c.begin(ctx, req, name, reply)
	x.skill = skill
	defer x.end()

	if x.Err = err; err != nil {
		return &x.Exchange
	}
	if x.Screen, x.Err = c.screen(&x.Request, class, how); x.Err != nil {
		return &x.Exchange
	}
	x.plan(how)
	if x.Plan.Identified = how; x.Err != nil {
		return &x.Exchange
	}
	x.climb()
	x.remember()
	return &x.Exchange
}

// Foresee says what would be done with a request: its Screen and its Plan are set on the
// exchange that is returned, as far as they could be made. Nobody is asked, nothing is
// reserved, and there is no receipt. Err: that of Answer for a request that nobody may
// answer.
func (c *Cascade) Foresee(req *starling.Request) *starling.Exchange {
	ex := &starling.Exchange{Request: *req}
	skill, how, err := c.Router.Identify(&ex.Request)
	if ex.Err = err; err != nil {
		return ex
	}
	class := starling.Class("")
	if skill != nil {
		class = skill.Rubric.Class
	}
	if ex.Screen, ex.Err = c.screen(&ex.Request, class, how); ex.Err != nil {
		return ex
	}
	plan := c.Router.Plan
	if c.Observe != nil {
		plan = c.Router.Observe
	}
	ex.Plan, ex.Err = plan(&ex.Request, ex.Screen, skill)
	ex.Plan.Identified = how
	return ex
}

// plan says who may answer, or where it is only observed who would have.
func (x *exchange) plan(how string) {
	if x.Observe == nil {
		x.Plan, x.Err = x.Router.Plan(&x.Request, x.Screen, x.skill)
		return
	}
	x.observe(how)
	x.Plan, x.Err = x.Router.Observe(&x.Request, x.Screen, x.skill)
}

// remember notes what prompt caches may know of a conversation now.
func (x *exchange) remember() {
	if x.Observe != nil {
		x.imagine()
		return
	}
	x.Router.Sessions.Remember(&x.Exchange)
}

// screen says how far the data may travel. A skill that nobody named is a guess: its
// class may narrow that, and not take the place of what holds without it.
func (c *Cascade) screen(req *starling.Request, class starling.Class, how string) (starling.Screen, error) {
	s, err := c.Policy.Screen(req, class)
	if how == "" || err != nil {
		return s, err
	}
	without, err := c.Policy.Screen(req, "")
	if err == nil && without.Furthest < s.Furthest {
		return without, nil
	}
	return s, err
}

// Refuse settles an exchange that could not even be read, so that it too has a
// receipt. req holds what is known of it.
func (c *Cascade) Refuse(req starling.Request, err error, reply Reply) *starling.Exchange {
	x := c.begin(context.Background(), req, "", reply)
	x.Err = err
	x.settle()
	return &x.Exchange
}

func (c *Cascade) begin(ctx context.Context, req starling.Request, skill string, reply Reply) *exchange {
	x := &exchange{Cascade: c, ctx: ctx, reply: reply}
	x.account = c.Ledger.Begin(req.Caller, skill)
	x.ID, x.Started = x.account.ID(), x.account.Began()
	x.Request = req
	x.Request.Counted = new(starling.Counted)
	return x
}

// An exchange is a [starling.Exchange] with the hands that work on it.
type exchange struct {
	starling.Exchange
	*Cascade
	ctx     context.Context
	reply   Reply
	account *ledger.Account
	calling *attempt            // under way; nil between attempts
	judges  []starling.Verifier // of a part; nil: those of the skill
	skill   *skill.Skill        // nil if none was named
	would   *would              // what would have been done; nil if nothing, or if it is
	sample  *Sample             // what is sent, where it is looked at again; nil else
	netting
}

// left reports whether the caller has gone; the context of one who is there ends
// when the gateway stops, and its cause is a [starling.Error] then.
func (x *exchange) left() bool { return x.ctx.Err() != nil && ended(x.ctx) == nil }

// climb tries the candidates in order. Whoever has sent a byte is the last.
func (x *exchange) climb() {
	if x.Err = x.demand(); x.Err != nil {
		return
	}
	var failures []error
	for i := range x.Plan.Candidates {
		last := i == len(x.Plan.Candidates)-1
		sent, err := x.try(&x.Plan.Candidates[i], last)
		if err == nil {
			return
		}
		failures = append(failures, err)
		if sent || x.ctx.Err() != nil {
			x.Err = err
			return
		}
	}
	x.Err = exhausted(failures)
}

// end settles the exchange, whatever happened: one that a bug has ended did not
// answer.
func (x *exchange) end() {
	bug := recover()
	if bug != nil {
		x.Err = &starling.Error{Kind: starling.Internal, Op: "a bug ended the exchange", Hint: "report what the log says", Billed: true}
		if a := x.calling; a != nil {
			a.book(x.Err)
			_ = a.close(x.Err)
		}
	}
	x.settle()
	if bug != nil {
		panic(bug)
	}
}

// settle books the exchange. The receipt is durable before the caller can know
// that the answer is complete.
func (x *exchange) settle() {
	x.Response.Cost, x.Response.Unpriced = x.spent(), x.Unpriced()
	x.reprice()
	if x.Err != nil && x.Response.Reason == "" {
		x.Response.Reason = "refused: " + why(x.Err)
	}
	x.reply.Finish(&x.Exchange)
	receipt, err := x.account.Settle(&x.Exchange)
	if err != nil {
		x.Log.Error("receipt not written", "receipt", x.ID, "err", err)
		x.Err = errors.Join(x.Err, err)
		return
	}
	x.Receipt = receipt
	x.Router.Board.FoldReceipt(receipt)
	x.Router.Factors.Fold(receipt)
	x.Router.Reports.Fold(receipt)
	x.pass()
}

// spent is what the exchange has cost so far, its parts included.
func (x *exchange) spent() starling.Money {
	var total starling.Money
	for i := range x.Attempts {
		total = total.Plus(x.Attempts[i].Cost)
	}
	for _, r := range x.Parts {
		total = total.Plus(r.Cost)
	}
	return total
}

// exhausted is the error of an exchange in which every candidate failed: the
// last one's, since it is the most capable, with the count of the others.
func exhausted(failures []error) error {
	last := failures[len(failures)-1]
	if len(failures) == 1 {
		return last
	}
	e, ok := errors.AsType[*starling.Error](last)
	if !ok {
		return last
	}
	whole := *e
	whole.Op = "all candidates failed; the last: " + e.Op
	for _, f := range failures {
		if starling.KindOf(f) == starling.Overloaded {
			whole.Kind = starling.Overloaded // somebody may be back soon
		}
	}
	return &whole
}
