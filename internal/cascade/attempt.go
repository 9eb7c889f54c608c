package cascade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"starling"
	"starling/internal/route"
	"starling/internal/wire"
)

// patience is how long a single candidate may be tried again when nobody else
// is next.
const patience = 2 * time.Second

// An attempt is a [starling.Attempt] in the making.
type attempt struct {
	*exchange
	starling.Attempt
	candidate *starling.Candidate
	started   time.Time
	handling  time.Duration // spent on our side of the iterator
	hurry     *time.Timer   // ends a candidate whose first byte is late; nil if nobody is next, or it came
	word      time.Duration // from the start to the first word; 0 if none came
	sent      bool          // the caller has seen a part
	bytes     int           // of answer so far
	counted   bool          // the upstream said its usage
	sized     int64         // tokens of the question, as the upstream's server said before; 0 unsaid
	held      []starling.Event
	holding   int  // bytes
	last      bool // nobody is next
	collector wire.Collector
	netted
}

// try runs one candidate, and where its answer breaks the shape that the request
// demands, once more. It reports whether the caller has seen any of its answer, and
// why it is not the answer, nil if it is.
func (x *exchange) try(c *starling.Candidate, last bool) (sent bool, err error) {
	a := x.attempt(c, last)
	if err = a.make(); err == nil || !a.repairable() {
		return a.sent, err
	}
	again := a.again()
	if again == nil {
		return a.sent, err
	}
	late := again.make()
	if again.Outcome == starling.Skipped { // what was wrong says more than why nothing was done about it
		return again.sent, err
	}
	return again.sent, late
}

func (x *exchange) attempt(c *starling.Candidate, last bool) *attempt {
	a := &attempt{exchange: x, candidate: c, started: time.Now(), last: last}
	a.Model, a.Zone, a.Simulated = c.Model.ID(), c.Model.Zone, c.Model.Simulated
	a.Offset = a.started.Sub(x.Started)
	a.Outcome = starling.Skipped
	return a
}

// make calls the candidate, and has its answer judged and sent.
func (a *attempt) make() (err error) {
	if err := a.reserve(a.candidate.Worst); err != nil {
		return a.close(err)
	}
	a.exchange.calling = a
	if a.candidate.Split != nil {
		if err := a.split(); err != nil {
			return a.close(err)
		}
	}
	count := a.tally()
	defer count.end(true)
	if err = a.fit(); err == nil {
		err = a.run()
	}
	a.book(err)
	a.account.Spend(a.Cost) // before the verifiers, who may spend on their own
	if err = a.read(count, err); err == nil {
		a.look()
		err = a.judge()
	}
	if err = a.close(err); err == nil && !a.sent {
		err = a.release()
	}
	return err
}

// reserve makes sure that the call may cost its worst: under every cap, and under
// what the skill or the caller allows the whole exchange.
func (a *attempt) reserve(worst starling.Money) error {
	if err := a.within(a.spent(), worst); err != nil {
		if worst == route.Boundless && a.Request.Hosted > 0 {
			err.Op, err.Hint = "what a request may cost is limited, and what the vendor's own tools, such as web_search, charge beside the tokens has no bound", "leave these tools out of the request, or budget.request out of the rubric and X-Starling-Budget out of the headers"
		}
		return err
	}
	return a.account.Reserve(a.ctx, worst)
}

// within returns an OverBudget error for a call that may cost more than is left of what
// the exchange may.
func (x *exchange) within(spent, worst starling.Money) *starling.Error {
	limit := x.Plan.Limit
	if limit == 0 || spent.Plus(worst) <= limit {
		return nil
	}
	who, hint := "the skill", "raise budget.request in the rubric, or lower max_tokens"
	if limit == x.Request.Budget {
		who, hint = "the caller", "ask with a larger X-Starling-Budget, or lower max_tokens"
	}
	return &starling.Error{Kind: starling.OverBudget, Op: fmt.Sprintf("%s allows %s a request, of which %s is spent; the call may cost %s", who, limit, spent, worst), Hint: hint}
}

// run has the model generate, and passes the answer on or holds it back.
func (a *attempt) run() error {
	ctx := a.ctx
	call := starling.Call{Model: a.candidate.Model, Request: a.asked(), Furthest: a.Screen.Furthest, Deltas: a.candidate.Held(), Logprobs: a.candidate.Logprobs, Left: a.leave}
	if a.last {
		call.Patience = patience
	} else if a.Plan.Patience > 0 {
		var cancel context.CancelCauseFunc
		ctx, cancel = context.WithCancelCause(a.ctx)
		defer cancel(nil)
		a.hurry = a.limit(cancel)
		defer a.hurry.Stop()
	}

	a.Outcome = starling.Failed
	for ev, err := range a.Providers[a.candidate.Model.Provider].Generate(ctx, call) {
		since := time.Now()
		if err == nil {
			err = a.take(ev, since)
		} else if why := ended(ctx); why != nil && !a.left() {
			err = charged(why, err)
		}
		a.handling += time.Since(since)
		if err != nil {
			return err
		}
	}
	return nil
}

// limit ends the call when the skill's latency limit is over.
func (a *attempt) limit(cancel context.CancelCauseFunc) *time.Timer {
	return time.AfterFunc(a.Plan.Patience-time.Since(a.started), func() { cancel(a.late()) })
}

func (a *attempt) late() *starling.Error {
	return &starling.Error{Kind: starling.Overloaded, Op: "no answer within the skill's latency limit of " + a.Plan.Patience.String()}
}

// spoke lifts the latency limit. It is an error if that was over a moment before: the
// call is ended then, and its answer would break off before the caller.
func (a *attempt) spoke() error {
	hurry := a.hurry
	if a.hurry = nil; hurry == nil || hurry.Stop() {
		return nil
	}
	late := a.late()
	late.Billed = true
	return late
}

// ended returns why we ended a context ourselves, nil if we did not.
func ended(ctx context.Context) *starling.Error {
	why, _ := context.Cause(ctx).(*starling.Error)
	return why
}

// charged is the error of a call that we ended: charged for if the provider says
// that the call had left.
func charged(why *starling.Error, err error) error {
	own := *why
	if e, ok := errors.AsType[*starling.Error](err); ok {
		own.Billed = e.Billed
	}
	return &own
}

// take books what an event says and passes it on.
func (a *attempt) take(ev starling.Event, now time.Time) error {
	if ev.Aside != nil {
		a.aside(*ev.Aside)
		return nil
	}
	if ev.Idle && !a.sent && !(a.last && a.streams()) {
		return nil // who still may be replaced has said nothing yet
	}
	a.note(ev)
	if a.FirstByte == 0 && !ev.Idle {
		a.FirstByte = now.Sub(a.started)
		if err := a.begins(); err != nil {
			return err
		}
	}
	a.overhear(ev)
	if !a.streams() {
		return a.hold(ev)
	}
	if !a.sent {
		if err := a.spoke(); err != nil {
			return err
		}
		a.sent = true
		a.answering()
		a.open()
	}
	return a.send(ev)
}

// open tells the caller who answers.
func (a *attempt) open() {
	a.sample = a.choose(a.candidate)
	digest := io.Discard // of an audit and a part, which nobody is sent
	if a.AuditOf == "" && a.PartOf == "" {
		digest = a.account.AnswerDigest()
	}
	a.reply.Start(&a.Exchange, digest)
}

// streams reports whether the caller sees events as they come.
func (a *attempt) streams() bool { return a.Request.Stream && !a.candidate.Held() }

// Of an answer that is held back at most mostHeld bytes are kept, with what an
// event takes besides its own.
const (
	mostHeld  = 128 << 20
	heldEvent = 160
)

// hold keeps an event until the verdict, or the end.
func (a *attempt) hold(ev starling.Event) error {
	if a.candidate.Held() {
		a.collector.Add(ev)
	}
	if a.holding += len(ev.Raw) + heldEvent; a.holding > mostHeld {
		return &starling.Error{Kind: starling.Refused, Op: fmt.Sprintf("the answer has more than %d bytes, too long to be held back", mostHeld), Billed: true}
	}
	if !ev.Whole { // of which there is no next that could overwrite it
		ev.Raw = slices.Clone(ev.Raw)
	}
	a.held = append(a.held, ev)
	return nil
}

func (a *attempt) note(ev starling.Event) {
	if a.bytes += ev.Bytes; a.bytes > 0 && a.word == 0 {
		a.word = time.Since(a.started)
	}
	a.Simulated = a.Simulated || ev.Simulated
	if ev.ID != "" {
		a.Upstream = ev.ID
	}
	if ev.Model != "" {
		a.Said = ev.Model
	}
	if ev.Confidence != 0 {
		a.Confidence = ev.Confidence
	}
	if ev.Finish != "" {
		a.Finish = ev.Finish
	}
	if ev.Usage != nil {
		a.Usage, a.counted = *ev.Usage, true
	}
}

// send passes an event to the caller. What cannot be said in the caller's dialect
// says so itself; a caller who cannot be reached has left.
func (a *attempt) send(ev starling.Event) error {
	a.sample.hear(ev)
	err := a.reply.Event(ev)
	if _, own := errors.AsType[*starling.Error](err); own {
		return err
	}
	if err != nil {
		return &starling.Error{Kind: starling.Cancelled, Op: "sending the answer", Err: err, Billed: true}
	}
	return nil
}

// book sets what the attempt cost. What an upstream did not count, though it may
// charge for it, is estimated and says so.
func (a *attempt) book(err error) {
	a.Took = time.Since(a.started)
	a.Waited += a.Took - a.handling
	e, _ := errors.AsType[*starling.Error](err)
	if err != nil && !a.counted && (e == nil || !e.Billed) {
		return
	}
	a.estimate(err != nil)
	a.Lines, a.Cost = a.priced(a.Usage, a.Took-a.handling)
}

// priced says what a call costs. What the vendor's own tools cost it does not
// count, but for searches.
func (a *attempt) priced(u starling.Usage, took time.Duration) ([]starling.CostLine, starling.Money) {
	m := &a.candidate.Model
	p := &m.Price
	lines, cost := p.Cost(u, took)
	if a.Request.Hosted > 0 && m.Speaks(a.Request.Dialect) && u.Searches == 0 && p.Milliwatts == 0 && !p.Free {
		lines = append(lines, starling.CostLine{What: "hosted_tools", Unpriced: true})
	}
	return lines, cost
}

// estimate fills in what the upstream left out of its count. No prompt takes no
// tokens, and no answer; and the count of an answer that was cut short is of an
// earlier moment.
func (a *attempt) estimate(cut bool) {
	silent := a.word
	if silent == 0 {
		silent = a.Took - a.handling
	}
	m := &a.candidate.Model
	guess := m.Estimate(a.asked(), a.bytes, silent)
	if cut && m.Drained { // it is made to its end all the same
		_, guess.Output = m.Bounds(a.asked())
	}
	if !a.counted {
		a.Usage = guess
		return
	}
	if a.Usage.TotalInput() == 0 {
		a.Usage.Input, a.Usage.Estimated = guess.Input, true
	}
	if cut && a.Usage.Output < guess.Output || a.Usage.Output == 0 && a.bytes > 0 {
		a.Usage.Output, a.Usage.Estimated = guess.Output, true
	}
}

// aside books a call that was made beside this one.
func (a *attempt) aside(other starling.Attempt) {
	other.Lines, other.Cost = a.priced(other.Usage, other.Took)
	other.Offset += a.Offset
	a.account.Spend(other.Cost)
	a.Attempts = append(a.Attempts, other)
}

// judge asks the nets and the verifiers, in order, until one says no.
func (a *attempt) judge() error {
	if !a.candidate.Held() {
		return nil
	}
	answer := a.collector.Answer()
	if err := a.net(answer); err != nil {
		return err
	}
	if a.candidate.Threshold > 0 {
		if err := a.rule(a.sure()); err != nil {
			return err
		}
	}
	if len(a.candidate.Verify) == 0 {
		return nil
	}
	for _, v := range a.verifiers() {
		if !slices.Contains(a.candidate.Verify, v.Name()) {
			continue // an audit asks no model about the reference
		}
		verdict, err := a.verdict(v, answer)
		if err != nil {
			return fmt.Errorf("verifier %s: %w", v.Name(), err)
		}
		if err := a.rule(verdict); err != nil {
			return err
		}
	}
	return nil
}

// verifiers are those that may judge answers of the exchange.
func (x *exchange) verifiers() []starling.Verifier {
	if x.judges != nil {
		return x.judges
	}
	return x.Router.Verifiers[x.Plan.Skill]
}

// sure compares the candidate's own confidence with what its warrant covers.
func (a *attempt) sure() starling.Verdict {
	v := starling.Verdict{Verifier: "confidence", Accept: a.Confidence >= a.candidate.Threshold}
	if !v.Accept {
		v.Why = fmt.Sprintf("its confidence of %.4g is below %.4g", a.Confidence, a.candidate.Threshold)
	}
	return v
}

// rule books a verdict. A rejection is an error.
func (a *attempt) rule(v starling.Verdict) error {
	a.Verdicts = append(a.Verdicts, v)
	if v.Accept {
		return nil
	}
	a.Outcome = starling.Rejected
	return &starling.Error{Kind: starling.Refused, Op: "the answer was rejected by verifier " + v.Verifier, Hint: v.Why}
}

// close writes the attempt down; it is final from here on.
func (a *attempt) close(err error) error {
	a.calling = nil
	switch {
	case err == nil:
		a.Outcome = starling.Answered
		a.answering()
	case a.left() || starling.KindOf(err) == starling.Cancelled:
		a.Outcome = starling.Abandoned
	case a.sent:
		a.Outcome = starling.Broken
	}
	if err != nil {
		a.Kind, a.Why = starling.KindOf(err), why(err)
	}
	a.Attempts = append(a.Attempts, a.Attempt)
	return err
}

// release sends an accepted answer that was held back.
func (a *attempt) release() error {
	a.Response.Cost, a.Response.Unpriced = a.spent(), a.Unpriced()
	a.sent = true
	a.open()
	for _, ev := range a.held {
		if err := a.send(ev); err != nil {
			return err
		}
	}
	return nil
}

// answering says who answers, and why.
func (a *attempt) answering() {
	m := a.candidate.Model
	a.Response = starling.Response{Model: m.Name, Provider: m.Provider, Zone: m.Zone, Simulated: a.Simulated, Finish: a.Finish, Reason: a.reason()}
}

func (a *attempt) reason() string {
	text := a.Plan.Rule + "; " + a.candidate.Why
	if a.Plan.Pinned {
		text = a.Plan.Rule
	}
	for _, v := range a.Verdicts {
		if v.Net() {
			text += "; " + v.Verifier + ": " + v.Why
		}
	}
	for i := range a.Attempts {
		before := &a.Attempts[i]
		if before.Outcome == starling.Consulted { // about somebody's answer, not instead of it
			continue
		}
		who := before.Model
		if before.Split != "" {
			who += ", split,"
		}
		text += fmt.Sprintf("; after %s %s", who, before.Outcome)
		if before.Kind != "" {
			text += " (" + string(before.Kind) + ")"
		}
		if before.Split != "" {
			text += ": " + before.Split
		}
	}
	return text
}

func (a *attempt) leave(field string) { a.Left = append(a.Left, field) }

// why is an error's text for the receipt: without the hint, which is advice.
func why(err error) string {
	e, ok := errors.AsType[*starling.Error](err)
	if !ok {
		return err.Error()
	}
	bare := *e
	bare.Hint = ""
	if e.Kind == starling.Refused && e.Hint != "" {
		bare.Hint = e.Hint
	}
	return bare.Error()
}
