package serve

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"starling/internal/cascade"
	"starling/internal/corpus"
	"starling/internal/evidence"
)

// Audits run in the background, two at a time, so that they take little from those
// who wait. What is kept is written by one, as much at once as waits: one writing
// takes about as long as another, however much it is.
const (
	auditors = 2
	keepers  = 1
)

// writing is how long what came of an audit may take to be written down, also when
// the gateway is stopping.
const writing = 10 * time.Second

// Sample implements [cascade.Sampler]. It is handed on when the caller has the
// answer.
func (p *reply) Sample(s *cascade.Sample) { p.sample = s }

// later has a sample looked at again, or counts it among those that are not.
func (s *Server) later(sample *cascade.Sample) {
	switch {
	case sample == nil:
	case !sample.Audit:
		s.keepLater(sample)
	case sample.Err() != nil:
		s.skip(sample, sample.Err().Error())
	case !s.auditing.offer(sample):
		s.skip(sample, "too many wait")
	}
}

// skip counts an audit that is not begun. What is to be kept is so all the same.
func (s *Server) skip(sample *cascade.Sample, why string) {
	s.unaudited(skippedAudit, sample.Skill, why)
	s.keepLater(sample)
}

// keepLater has a text written down, if it is to be kept.
func (s *Server) keepLater(sample *cascade.Sample) {
	if sample.Keep && (s.opts.Keep == nil || sample.Err() != nil || !s.keeping.offer(sample)) {
		s.missed(unkept, sample.Skill, "too many wait, or it is too long")
	}
}

// background begins what is done after answers. It goes on until the queues are
// closed; ctx ends with the grace of a stopping gateway.
func (s *Server) background(ctx context.Context) {
	s.auditing.work(ctx, auditors, 1, func(ctx context.Context, one []*cascade.Sample) { s.audit(ctx, one[0]) })
	s.keeping.work(ctx, keepers, mostWaiting, s.keepOwn)
}

// stopAudits has no further audit begin.
func (s *Server) stopAudits() {
	for _, sample := range s.auditing.drop() {
		s.skip(sample, "the gateway is stopping")
	}
}

// What can become of an audit, beside agreed and disagreed.
const (
	agreedAudit    = "agreed"
	disagreedAudit = "disagreed"
	climbedAudit   = "climbed" // of a shadow: its answer would not have been accepted
	skippedAudit   = "skipped" // it was not begun
	failedAudit    = "failed"  // it was, and nothing can be said
)

// audit has the reference asked with the cascade that answers now.
func (s *Server) audit(ctx context.Context, sample *cascade.Sample) {
	shift := s.begin()
	defer shift.end()
	defer s.survive(sample)
	done := shift.cascade.Audit(ctx, sample)
	s.metrics.audited(done.Exchange)
	s.keep(ctx, textsOf(done.Text))
	if done.Err != nil {
		s.unaudited(failedAudit, sample.Skill, done.Err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writing)
	defer cancel()
	if err := s.learn(ctx, done.Outcome); err != nil {
		s.log.ErrorContext(ctx, "the outcome of an audit is not written down", "receipt", done.Outcome.Receipt, "skill", sample.Skill, "err", err)
	}
	result := agreedAudit
	switch {
	case done.Outcome.Rejected:
		result = climbedAudit
	case done.Outcome.Grade < 1:
		result = disagreedAudit
	}
	s.metrics.audits.WithLabelValues(sample.Skill, result).Inc()
}

// survive ends an audit that a bug has ended, and nothing else.
func (s *Server) survive(sample *cascade.Sample) {
	if bug := recover(); bug != nil {
		s.metrics.audits.WithLabelValues(sample.Skill, failedAudit).Inc()
		s.log.Error("a bug ended an audit", "skill", sample.Skill, "bug", fmt.Sprintf("%T", bug), "stack", string(debug.Stack()))
	}
}

// learn writes an outcome down, and has what it changes in force when it returns;
// where that fails it is soon.
func (s *Server) learn(ctx context.Context, o *evidence.Outcome) error {
	if err := s.ledger.AddNotes(ctx, evidence.Note{Outcome: o}); err != nil || s.opts.Learn == nil {
		return err
	}
	if err := s.opts.Learn(ctx); err != nil {
		s.log.ErrorContext(ctx, "an outcome is not in force yet", "outcome", o.ID, "skill", o.Skill, "err", err)
	}
	return nil
}

// keepOwn keeps what the reference answered itself.
func (s *Server) keepOwn(ctx context.Context, some []*cascade.Sample) {
	shift := s.begin()
	defer shift.end()
	var texts []corpus.Text
	for _, sample := range some {
		texts = append(texts, textsOf(s.text(shift, sample))...)
	}
	s.keep(ctx, texts)
}

func (s *Server) text(shift *shift, sample *cascade.Sample) *corpus.Text {
	defer s.survive(sample)
	return shift.cascade.Text(sample)
}

// textsOf is the text that there is, or none.
func textsOf(t *corpus.Text) []corpus.Text {
	if t == nil {
		return nil
	}
	return []corpus.Text{*t}
}

func (s *Server) keep(ctx context.Context, texts []corpus.Text) {
	if len(texts) == 0 || s.opts.Keep == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writing)
	defer cancel()
	if err := s.opts.Keep(ctx, texts...); err != nil {
		for _, t := range texts {
			s.missed(unkept, t.Skill, err.Error())
		}
	}
}

// unaudited counts an audit that says nothing.
func (s *Server) unaudited(result, skill, why string) {
	s.metrics.audits.WithLabelValues(skill, result).Inc()
	s.missed("audits "+result, skill, why)
}

const unkept = "texts not kept"

// quietly is how often the same is said of a skill.
const quietly = time.Minute

// A silence is what has not been said yet.
type silence struct {
	since time.Time // when it was last said
	count int       // since then
}

// missed says what was not done, once a minute for each skill.
func (s *Server) missed(what, skill, why string) {
	s.missing.Lock()
	defer s.missing.Unlock()
	if s.silences == nil {
		s.silences = map[[2]string]*silence{}
	}
	of := s.silences[[2]string{what, skill}]
	if of == nil {
		of = &silence{}
		s.silences[[2]string{what, skill}] = of
	}
	if of.count++; time.Since(of.since) >= quietly {
		s.log.Warn(what, "skill", skill, "count", of.count, "last", why)
		of.since, of.count = time.Now(), 0
	}
}

// endBackground waits for what is under way, and says what has not been said.
func (s *Server) endBackground() {
	s.auditing.workers.Wait()
	s.keeping.close()
	s.keeping.workers.Wait()
	s.missing.Lock()
	defer s.missing.Unlock()
	for of, silence := range s.silences {
		if silence.count > 0 {
			s.log.Warn(of[0], "skill", of[1], "count", silence.count)
			silence.count = 0
		}
	}
}
