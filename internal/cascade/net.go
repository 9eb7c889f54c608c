package cascade

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"starling"
	"starling/internal/verify"
	"starling/internal/wire"
)

// The safety nets: what is looked at in an answer though no rubric asks for it. An
// answer that must have a shape is held back, whoever gives it, and mended, asked for
// once more, or passed over. A turn of an agent is held back while somebody stronger
// is next; the last one's streams, is looked at behind, and what is found is noted.

// A netting is what the nets know of an exchange.
type netting struct {
	format *verify.Format // nil unless a shape is demanded, and validated
	view   *starling.Chat // of the request; nil if it has none, or nobody asked
	viewed bool
}

// A netted is what they know of an attempt.
type netted struct {
	question *starling.Request // what the candidate is asked in the place of the request; nil: the request
	mended   bool              // it is asked once more
	heard    said              // what the caller is sent unseen of a conversation with tools
	broken   *verify.Breach    // the shape is broken
}

// demand reads the shape that the request demands, before anybody is called. Errors
// are Invalid.
func (x *exchange) demand() (err error) {
	if slices.ContainsFunc(x.Plan.Candidates, func(c starling.Candidate) bool { return slices.Contains(c.Nets, starling.FormatNet) }) {
		x.format, err = x.shapes.Format(&x.Request)
	}
	return err
}

// chat returns the request's view, nil if it cannot be read without its dialect. The
// request itself stays as it is.
func (x *exchange) chat() *starling.Chat {
	if !x.viewed {
		own := x.Request
		x.view, _ = wire.View(&own) // what it cannot read says the upstream, in its own words
		x.viewed = true
	}
	return x.view
}

// asked is the question as it is put to the candidate.
func (a *attempt) asked() *starling.Request {
	if a.question != nil {
		return a.question
	}
	return &a.Request
}

// begins is told of the first byte. The latency limit is met with it, unless verifiers
// take their time as well.
func (a *attempt) begins() error {
	if a.candidate.Verified() {
		return nil
	}
	return a.spoke()
}

// watched reports whether an answer is looked at behind.
func (a *attempt) watched() bool {
	return a.Request.Tools > 0 && a.Request.Choices <= 1 && !slices.Contains(a.candidate.Nets, starling.TurnNet)
}

func (a *attempt) overhear(ev starling.Event) {
	if a.watched() {
		a.heard.add(ev)
	}
}

// look notes what is wrong with a turn that is sent all the same. One that is too long
// or that we cannot read is not looked at.
func (a *attempt) look() {
	if !a.watched() {
		return
	}
	answer, err := a.heard.read(a.Request.Dialect)
	a.heard = said{}
	if err != nil {
		return
	}
	if why := a.turn(answer); why != "" {
		a.Verdicts = append(a.Verdicts, starling.Verdict{Verifier: starling.TurnNet, Why: why})
	}
}

// turn says what is wrong with a turn of an agent. The request holds whatever its
// caller likes, schemas too; a bug in reading it must not end the exchange.
func (a *attempt) turn(answer *starling.Answer) (why string) {
	defer func() {
		if bug := recover(); bug != nil {
			why = ""
			a.Log.Error("a bug ended the look at a turn", "receipt", a.ID, "bug", fmt.Sprintf("%T", bug))
		}
	}()
	return a.shapes.Turn(&a.Request, answer, a.chat)
}

// net has the nets judge an answer that is held back.
func (a *attempt) net(answer *starling.Answer) error {
	if slices.Contains(a.candidate.Nets, starling.TurnNet) {
		if why := a.turn(answer); why != "" {
			return a.rule(starling.Verdict{Verifier: starling.TurnNet, Why: why})
		}
	}
	if a.format == nil {
		return nil
	}
	mended, breach := a.format.Check(answer, a.collector.Texts())
	if mended != nil && a.Request.WantProbs {
		mended, breach = nil, &verify.Breach{Why: "the answer is not one JSON value and nothing else", Again: verify.Alone} // its tokens would not be those whose probabilities are asked for
	}
	if breach != nil {
		return a.breaks(breach)
	}
	if mended != nil {
		a.mend(mended.Text)
		answer.Text = mended.Text
		return a.rule(starling.Verdict{Verifier: starling.FormatNet, Accept: true, Why: mended.How})
	}
	return nil
}

// breaks rejects an answer that breaks the demanded shape. Where in the schema, the
// caller alone is told.
func (a *attempt) breaks(b *verify.Breach) error {
	a.broken = b
	err := a.rule(starling.Verdict{Verifier: starling.FormatNet, Why: b.Why})
	if e, ok := err.(*starling.Error); ok && b.Place != "" {
		e.Detail = "at " + b.Place
	}
	return err
}

// mend puts the JSON in the place of the text in which it stood.
func (a *attempt) mend(text string) {
	put := false
	for i := range a.held {
		ev := &a.held[i]
		ev.Raw = nil
		var kept []starling.Delta
		for _, d := range ev.Deltas {
			if d.Kind == starling.TextPart {
				if put {
					continue
				}
				d.Text, put = text, true
			}
			kept = append(kept, d)
		}
		ev.Deltas = kept
	}
}

// repairable reports whether the same model may do better if it is told what was
// wrong.
func (a *attempt) repairable() bool {
	return a.broken != nil && !a.broken.Cut && !a.candidate.Model.Student && !a.mended && a.PartOf == "" && a.ctx.Err() == nil
}

// again makes the attempt in which the same model is asked once more, with its own
// answer and what is wrong with it; nil if that cannot be said, or the model may not
// be asked so much. It is reserved and booked like any other.
func (a *attempt) again() *attempt {
	answered := cmp.Or(strings.TrimSpace(a.collector.Answer().Text), "(nothing)")
	question, err := wire.Follow(a.asked(), answered, a.broken.Again)
	if err != nil {
		return nil
	}
	pinned := question
	pinned.Model, pinned.Budget, pinned.Bar, pinned.Split = a.candidate.Model.ID(), 0, 0, nil
	plan, err := a.Router.Plan(&pinned, a.Screen, nil)
	if err != nil {
		return nil
	}
	c := *a.candidate
	c.Worst, c.Expected, c.Split = plan.Candidates[0].Worst, plan.Candidates[0].Expected, nil
	b := a.exchange.attempt(&c, a.last)
	b.question, b.mended = &question, true
	b.Split, b.Spared = a.Split, a.Spared
	return b
}
