package cascade

import (
	"bytes"
	"context"
	"io"
	"strings"
	"time"

	"starling"
	"starling/internal/corpus"
	"starling/internal/evidence"
	"starling/internal/skill"
	"starling/internal/verify"
	"starling/internal/wire"
)

// A Sampler is a [Reply] that takes answers which are looked at again once the
// caller has them. Where the reply is none, nothing is looked at again.
type Sampler interface {
	// Sample is called at most once, when the exchange is settled.
	Sample(*Sample)
}

// A Sample is an answer that was sent, with its request, to be looked at again. It
// is the one thing that holds content after an exchange, and it goes no further
// than into [Cascade.Audit] or [Cascade.Text].
type Sample struct {
	Receipt *starling.Receipt
	Skill   string
	Audit   bool // somebody is to be asked too: the reference, or in a shadow who would have answered
	Keep    bool // the reference has answered, and the text is to be kept

	request    starling.Request
	candidate  starling.Candidate // who answered
	said       said
	rubric     string // hash of the skill's
	identified string // how the skill was found that nobody named
	shadow     *starling.Candidate
}

// Size returns how many bytes a sample keeps alive.
func (s *Sample) Size() int64 { return int64(len(s.request.Body) + s.said.size) }

// Err says why the sample is of no use, nil if it may be.
func (s *Sample) Err() error {
	if s.said.long {
		return errLong
	}
	return nil
}

// choose says, of who is about to answer, whether the answer is looked at again. It
// is nil if it is not. That follows from the exchange's id, the rubric and who
// answers, so it is known before anything is sent.
func (x *exchange) choose(c *starling.Candidate) *Sample {
	if _, ok := x.reply.(Sampler); !ok || x.Request.Choices > 1 || x.Request.Dialect.Wants() != "" {
		return nil
	}
	if x.Observe != nil {
		return x.chooseObserved(c)
	}
	if x.skill == nil || x.skill.Rubric.Reference == "" {
		return nil
	}
	r := &x.skill.Rubric
	own := x.Plan.Reference != nil && x.Plan.Reference.ID() == c.Model.ID() && c.Split == nil // which has not seen the documents
	audit := !own && !x.Plan.Pinned && r.Audit > 0 && evidence.Drawn(x.ID, r.Audit) && verify.Comparable(r.Grade)
	if !audit && !(own && r.Keep) {
		return nil
	}
	return &Sample{Skill: x.skill.Name, Audit: audit, Keep: !audit, candidate: *c, rubric: x.skill.Hash, identified: x.Plan.Identified}
}

// pass hands over what was chosen, if it was answered to the end.
func (x *exchange) pass() {
	if s := x.sample; s != nil && x.Receipt.Outcome == starling.Answered {
		s.Receipt, s.request = x.Receipt, x.Request
		x.reply.(Sampler).Sample(s)
	}
}

// longest is what is kept of an answer, in bytes as it was sent: one that is longer
// is not looked at again.
const longest = 1 << 20

var errLong = &starling.Error{Kind: starling.TooLarge, Op: "an answer is too long to be looked at again"}

// A said is an answer as it was sent. What came in the caller's dialect is kept as
// it is and read later: nobody waits for that.
type said struct {
	raw    bytes.Buffer
	whole  bool
	deltas wire.Collector
	size   int
	long   bool
}

// hear takes what is sent. A nil sample hears nothing.
func (s *Sample) hear(ev starling.Event) {
	if s != nil {
		s.said.add(ev)
	}
}

func (s *said) add(ev starling.Event) {
	s.size += len(ev.Raw)
	if ev.Raw == nil {
		s.size += ev.Bytes
	}
	switch {
	case ev.Idle || s.long:
	case s.size > longest:
		*s = said{long: true}
	case ev.Raw == nil:
		s.deltas.Add(ev)
	default:
		s.whole = ev.Whole
		s.raw.Write(ev.Raw)
	}
}

// read returns the answer, which came in the dialect if it did not in deltas.
func (s *said) read(d starling.Dialect) (*starling.Answer, error) {
	if s.long {
		return nil, errLong
	}
	if s.raw.Len() == 0 {
		return s.deltas.Answer(), nil
	}
	var c wire.Collector
	for ev, err := range wire.Read(&s.raw, wire.ReadOptions{Dialect: d, Stream: !s.whole, Deltas: true}) {
		if err != nil {
			return nil, err
		}
		c.Add(ev)
	}
	return c.Answer(), nil
}

var errCalls = &starling.Error{Kind: starling.Invalid, Op: "an answer that calls tools cannot be compared"}

// plain is read for an answer that can be compared with another.
func (s *said) plain(d starling.Dialect) (*starling.Answer, error) {
	answer, err := s.read(d)
	if err == nil && len(answer.Calls) > 0 {
		return nil, errCalls
	}
	return answer, err
}

// An Audited is what came of an audit.
type Audited struct {
	Exchange *starling.Exchange // the reference's, or the shadow, settled; nil if nobody was asked
	Outcome  *evidence.Outcome  // of the answer that was audited, or of the shadow's; nil if nothing can be said of it
	Text     *corpus.Text       // the reference's answer where it may be kept
	Err      error              // why there is no outcome
}

// Audit asks the skill's reference what the sample's caller had asked, in an
// exchange of its own that is screened, planned, reserved and booked as the caller's
// was, and grades the answer that the caller got by what the reference says. Nothing
// can be said if the reference may not or does not answer, or says nothing that can
// be compared with; nor if the skill has changed since. Of a shadow the roles are
// turned (observe.go).
func (c *Cascade) Audit(ctx context.Context, s *Sample) (a Audited) {
	sk, ok := c.Router.Skills.Find(s.Skill)
	if !ok || sk.Hash != s.rubric {
		a.Err = &starling.Error{Kind: starling.Invalid, Op: "the skill has changed since"}
		return a
	}
	answer, err := s.said.plain(s.request.Dialect)
	if err != nil {
		a.Err = err
		return a
	}
	if s.shadow != nil {
		return c.shadow(ctx, s, sk, answer)
	}
	var told said
	a.Exchange = c.again(ctx, s, sk, &told)
	if a.Err = a.Exchange.Err; a.Err != nil {
		return a
	}
	reference, err := told.plain(s.request.Dialect)
	if err != nil {
		a.Err = err
		return a
	}
	if sk.Rubric.Keep {
		a.Text = s.text(sk, a.Exchange.Receipt, reference)
	}
	a.Outcome, a.Err = c.compare(s, sk, a.Exchange.Receipt, answer, reference)
	return a
}

// again asks the reference, or in a shadow who would have answered.
func (c *Cascade) again(ctx context.Context, s *Sample, sk *skill.Skill, told *said) *starling.Exchange {
	x := c.begin(ctx, s.request, sk.Name, listener{told})
	defer x.end()
	x.AuditOf, x.Request.Unattended = s.Receipt.ID, true
	if x.Screen, x.Err = c.screen(&x.Request, sk.Rubric.Class, s.identified); x.Err != nil {
		return &x.Exchange
	}
	if s.shadow == nil {
		x.Plan, x.Err = c.Router.Audit(&x.Request, x.Screen, sk, x.AuditOf)
	} else {
		x.Observed = &starling.Observed{Shadow: true}
		x.Plan, x.Err = c.Router.Shadow(&x.Request, x.Screen, sk, s.shadow.Model.ID(), x.AuditOf)
	}
	if x.Err != nil {
		return &x.Exchange
	}
	x.climb()
	return &x.Exchange
}

// A listener is the reply of an audit: nobody waits for it.
type listener struct{ told *said }

func (l listener) Start(*starling.Exchange, io.Writer) {}
func (l listener) Finish(*starling.Exchange)           {}

func (l listener) Event(ev starling.Event) error {
	l.told.add(ev)
	return nil
}

// compare makes the outcome of an answer that the reference gave too.
func (c *Cascade) compare(s *Sample, sk *skill.Skill, r *starling.Receipt, answer, reference *starling.Answer) (*evidence.Outcome, error) {
	same, why, err := verify.Compare(sk.Rubric.Grade, answer, reference, c.Router.Verifiers[sk.Name])
	if err != nil {
		return nil, err
	}
	o := &evidence.Outcome{
		Time: time.Now(), Skill: sk.Name, Rubric: sk.Hash, Candidate: s.candidate.Unit, Model: s.candidate.Model.ID(), Case: "mac " + s.Receipt.RequestMAC,
		Why: why, Cost: r.Cost, Took: s.Receipt.Took, Source: evidence.FromAudit, Receipt: s.Receipt.ID, Warrant: s.candidate.Warrant,
		Reference: r.Response.Provider + "/" + r.Response.Model, Simulated: s.Receipt.Response.Simulated || r.Response.Simulated,
	}
	for i := range s.Receipt.Attempts {
		if t := &s.Receipt.Attempts[i]; t.Outcome == starling.Answered {
			o.Confidence = t.Confidence
		}
	}
	if same {
		o.Grade = 1
	}
	return o, nil
}

// Text returns what a sample of the reference's own answer gives the corpus, nil if
// its form is not the plain one or the skill has changed since.
func (c *Cascade) Text(s *Sample) *corpus.Text {
	sk, ok := c.Router.Skills.Find(s.Skill)
	if !ok || sk.Hash != s.rubric || !sk.Rubric.Keep {
		return nil
	}
	answer, err := s.said.read(s.request.Dialect)
	if err != nil {
		return nil
	}
	return s.text(sk, s.Receipt, answer)
}

// text makes a text of the plain form: one message of the user, the skill's prompt
// or none, and a whole answer in words. Others would teach something else than what
// the skill is asked.
func (s *Sample) text(sk *skill.Skill, r *starling.Receipt, a *starling.Answer) *corpus.Text {
	input, ok := plain(s.request, sk.Rubric.Prompt)
	answer := strings.TrimSpace(a.Text)
	if !ok || answer == "" || len(a.Calls) > 0 || a.Finish != starling.Stopped {
		return nil
	}
	return &corpus.Text{Skill: sk.Name, Input: input, Answer: answer, Model: r.Response.Provider + "/" + r.Response.Model, Source: "reference, " + r.ID, Time: time.Now(), Class: r.Screen.Class}
}

// plain returns the one thing that a request asks under the prompt. The request is
// a copy: to view it writes to it.
func plain(req starling.Request, prompt string) (input string, ok bool) {
	if req.Tools+req.Images+req.Documents > 0 || req.Choices > 1 {
		return "", false
	}
	chat, err := wire.View(&req)
	if err != nil || len(chat.Messages) != 1 || chat.Messages[0].Role != starling.User || len(chat.Messages[0].Parts) != 1 {
		return "", false
	}
	var system []string
	for _, p := range chat.System {
		if p.Kind != starling.TextPart {
			return "", false
		}
		system = append(system, p.Text)
	}
	part := chat.Messages[0].Parts[0]
	same := words(strings.Join(system, " ")) == words(prompt)
	return part.Text, same && part.Kind == starling.TextPart && strings.TrimSpace(part.Text) != ""
}

func words(text string) string { return strings.Join(strings.Fields(text), " ") }
