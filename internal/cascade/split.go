package cascade

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"starling"
	"starling/internal/split"
	"starling/internal/wire"
)

// Documents are read in parts: each part is an exchange of its own with a receipt that
// says what it is a part of, planned, called, judged and booked as every other, and paid
// from what the whole has reserved before the first of them ([ledger.Account.Part]).

// atOnce is how many chunks of a request are read at a time.
const atOnce = 4

// split has the documents read, and puts the question with what was found in the place
// of the request. Why that failed is the error; then nobody has been asked for the answer.
func (a *attempt) split() (err error) {
	ctx, cancel := a.hurried()
	defer cancel()
	a.Split = "nothing was read"
	w, err := a.Router.Cut(&a.Request, a.skill)
	if err != nil {
		return err
	}
	p, err := a.planned(ctx, w)
	if err != nil {
		return a.unsplit("the plan", err)
	}
	if err := a.pays(w, p); err != nil {
		return err
	}
	results, err := a.readings(ctx, w, p)
	if err != nil {
		return a.unsplit("the reading", err)
	}
	r, spared, err := w.Answer(p, results)
	if err != nil {
		return err
	}
	a.question, a.Spared = &r, spared
	return a.reserve(a.candidate.Split.Answer)
}

// hurried ends with the skill's latency limit: until the first byte it holds for all
// that comes before the answer too.
func (a *attempt) hurried() (context.Context, context.CancelFunc) {
	if a.last || a.Plan.Patience == 0 {
		return context.WithCancel(a.ctx)
	}
	ctx, cancel := context.WithCancelCause(a.ctx)
	late := a.limit(cancel)
	return ctx, func() { late.Stop(); cancel(nil) }
}

// unsplit says which step failed. What an upstream replied to it is none of the caller's
// affair.
func (a *attempt) unsplit(step string, err error) error {
	own := starling.Error{Kind: starling.KindOf(err), Op: step + " of the documents failed: " + why(err)}
	if own.Kind == "" {
		own.Kind = starling.Refused
	}
	return &own
}

// planned has the strong model say what is looked for.
func (a *attempt) planned(ctx context.Context, w *split.Work) (*split.Plan, error) {
	r, err := w.PlanRequest()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	s := a.part(ctx, &r, []string{a.Model}, w.PlanVerifier(), fmt.Sprintf("what to look for in %d chunks", len(w.Chunks)))
	a.Waited += time.Since(begun)
	if a.keep(s); s.bug != nil {
		panic(s.bug)
	}
	if s.err != nil {
		return nil, s.err
	}
	return w.ReadPlan(s.text)
}

// pays says why what the plan names is not read: it is not expected to cost less than to
// send everything, and who follows may be sent it. Whose call could not be paid for any
// more is nobody to leave it to.
func (a *attempt) pays(w *split.Work, p *split.Plan) error {
	err := a.Router.Pays(&a.Request, a.candidate, w, p)
	if err == nil {
		return nil
	}
	for _, next := range a.Plan.Candidates[1:] { // a split stands first
		if a.reserve(next.Worst) == nil {
			a.Split = fmt.Sprintf("%d readings were planned and none made, since they would cost more than they spare", len(p.Readings(w)))
			return err
		}
	}
	return nil
}

// readings has all chunks read that the plan names, some at a time. What nobody has read
// validly is marked as such; where that is too much it is an error.
func (a *attempt) readings(ctx context.Context, w *split.Work, p *split.Plan) ([]split.Result, error) {
	due := p.Readings(w)
	results, said := make([]split.Result, len(due)), make([]saying, len(due))
	begun := time.Now()
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(atOnce, len(due)) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(due); i = int(next.Add(1)) - 1 {
				results[i], said[i] = a.reading(ctx, w, p, due[i])
			}
		})
	}
	all.Wait()
	a.Waited += time.Since(begun)
	return results, a.gather(results, said)
}

// reading has one chunk read.
func (a *attempt) reading(ctx context.Context, w *split.Work, p *split.Plan, r split.Reading) (split.Result, saying) {
	result := split.Result{Reading: r}
	if ctx.Err() != nil {
		return result, saying{err: &starling.Error{Kind: starling.Cancelled, Op: "not begun", Err: context.Cause(ctx)}}
	}
	ask, err := w.ReadRequest(p.Jobs[r.Job].Ask, r.Chunk)
	if err != nil {
		return result, saying{err: err}
	}
	s := a.part(ctx, &ask, a.candidate.Split.Readers, w.Quotes(r.Chunk), fmt.Sprintf("chunk %d of %d, for job %d of %d", r.Chunk, len(w.Chunks), r.Job+1, len(p.Jobs)))
	if s.err == nil {
		result.Findings, s.err = w.ReadFindings(r.Chunk, s.text)
	}
	result.Read = s.err == nil
	return result, s
}

// gather books what was read, and says why it is not enough.
func (a *attempt) gather(results []split.Result, said []saying) (err error) {
	unread, findings := 0, 0
	for i := range said {
		a.keep(said[i])
		if findings += len(results[i].Findings); !results[i].Read {
			unread++
			err = said[i].err
		}
	}
	a.Split = fmt.Sprintf("%d readings, %d of them without a valid answer, %d findings", len(results), unread, findings)
	for i := range said {
		if said[i].bug != nil {
			panic(said[i].bug)
		}
	}
	if a.ctx.Err() != nil || float64(unread) > split.MostUnread*float64(len(results)) {
		return &starling.Error{Kind: starling.KindOf(err), Op: fmt.Sprintf("%d of %d readings have no valid answer, the last: %s", unread, len(results), why(err))}
	}
	return nil
}

// A saying is what came of a part.
type saying struct {
	text    string
	receipt *starling.Receipt // nil if it has none
	err     error
	bug     any // that ended it
}

// keep notes the receipt of a part.
func (a *attempt) keep(s saying) {
	if s.receipt != nil {
		a.Parts = append(a.Parts, s.receipt)
	}
}

// part asks the models, in order, in an exchange that is made for this one, until the
// verifier accepts. It may be called from several goroutines.
func (a *attempt) part(ctx context.Context, r *starling.Request, models []string, v starling.Verifier, rule string) (s saying) {
	account, err := a.account.Part()
	if err != nil {
		return saying{err: err}
	}
	told := new(gatherer)
	x := &exchange{Cascade: a.Cascade, ctx: ctx, reply: told, account: account, judges: []starling.Verifier{v}}
	x.ID, x.Started, x.PartOf = account.ID(), account.Began(), a.ID
	x.Request, x.Screen = *r, a.Screen
	x.Request.Caller, x.Request.Agent, x.Request.Unattended = a.Request.Caller, a.Request.Agent, a.Request.Unattended
	defer func() {
		s.bug = recover()
		s.receipt = x.Receipt
		if s.err = x.Err; s.err == nil && s.bug == nil {
			s.text = told.Answer().Text
		}
	}()
	defer x.end()
	if x.Plan, x.Err = a.Router.Part(&x.Request, x.Screen, models, v.Name(), rule); x.Err == nil {
		x.climb()
	}
	return s
}

// A gatherer is the reply of a part: nobody is sent what it takes.
type gatherer struct{ wire.Collector }

// Start implements [Reply].
func (g *gatherer) Start(*starling.Exchange, io.Writer) {}

// Finish implements [Reply].
func (g *gatherer) Finish(*starling.Exchange) {}

// Event implements [Reply].
func (g *gatherer) Event(ev starling.Event) error {
	g.Add(ev)
	return nil
}
