package advise

import (
	"hash/fnv"
	"math"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
)

// A share counts how often something was so.
type share struct{ n, k int }

func (s *share) add(is bool) {
	if s.n++; is {
		s.k++
	}
}

func (s share) point() float64 {
	if s.n == 0 {
		return 0
	}
	return float64(s.k) / float64(s.n)
}

// A sum is amounts, and how many.
type sum struct {
	n  int
	of starling.Money
}

func (s *sum) add(m starling.Money) { s.n, s.of = s.n+1, s.of.Plus(m) }

func (s sum) mean() starling.Money {
	if s.n == 0 {
		return 0
	}
	return s.of / starling.Money(s.n)
}

// steps are the multiples of a limit between which it is counted what goes beyond it.
var steps = [...]float64{1, 1.25, 1.5, 2, 3}

// beyond counts values by how far they go beyond a limit: at 0 those that do not, at i
// those up to the i-th step, and at the last place all that go further.
type beyond [len(steps) + 1]int

func (b *beyond) add(value, limit float64) {
	for i, step := range steps {
		if value <= step*limit {
			b[i]++
			return
		}
	}
	b[len(steps)]++
}

// over is how many go beyond the limit.
func (b *beyond) over() (n int) {
	for _, k := range b[1:] {
		n += k
	}
	return n
}

// half is the first step within which at least half of those that go beyond the limit
// stay, and how many; 0 if there is none.
func (b *beyond) half() (step float64, within int) {
	for i, k := range b[1:len(steps)] {
		if within += k; 2*within >= b.over() {
			return steps[i+1], within
		}
	}
	return 0, 0
}

// A spread is durations by their size, each known to a twentieth.
type spread struct {
	n    int
	bins [512]int32
}

const (
	finest = float64(time.Millisecond)
	ratio  = 1.05
)

func (s *spread) add(d time.Duration) {
	i := 0
	if f := float64(d); f > finest {
		i = min(int(math.Ceil(math.Log(f/finest)/math.Log(ratio))), len(s.bins)-1)
	}
	s.n++
	s.bins[i]++
}

// at is a duration that the share of all do not exceed.
func (s *spread) at(share float64) time.Duration {
	seen := 0
	for i, k := range s.bins {
		if seen += int(k); float64(seen) >= share*float64(s.n) {
			return time.Duration(finest * math.Pow(ratio, float64(i))).Round(time.Millisecond)
		}
	}
	return 0
}

// A measure is an answer to a case: how large the question was, and whether the
// answer was accepted and passed.
type measure struct {
	size   int
	passed bool
	half   bool // of the half that a threshold is found on
}

// A record is what a candidate did.
type record struct {
	graded   share // answers to cases that somebody would have seen; they passed
	accepted share // answers to cases; verifiers accepted them
	asking   sum   // what those cost
	known    map[string]bool
	sizes    []measure
	took     beyond // answers to cases, against the skill's latency; nothing cut them off
	audits   share  // answers that were compared; they agree
	unproven share  // of these, answers that no warrant covered

	tried  share  // answers to callers; verifiers accepted them
	cost   sum    // of these tries, with what verifiers asked
	rest   sum    // what came after those that were rejected
	late   share  // tries that somebody was next to; the limit cut them off
	lasted spread // tries that were not cut off
}

// A side is all evidence of one sort: simulated, or not.
type side struct {
	records  map[string]*record // by unit
	heard    map[uint64]bool    // audited receipts: the first grade of an answer counts
	judged   map[string]*share  // by verifier: answers; they were accepted
	counts   Counts
	spent    starling.Money
	others   int    // answers of others than the reference, of which the share audit is drawn
	compared sum    // audits, with what they cost
	refused  beyond // refusals for the limit of a request, by what they would have taken
	whole    sum    // the reference's price of answers
	any      int
}

// A fold is what is kept of outcomes and receipts.
type fold struct {
	q         *Question
	real      side
	sim       side
	elsewhere int
}

func newFold(q *Question) *fold {
	made := func() side {
		return side{records: map[string]*record{}, heard: map[uint64]bool{}, judged: map[string]*share{}}
	}
	return &fold{q: q, real: made(), sim: made()}
}

func (f *fold) side(simulated bool) *side {
	s := &f.real
	if simulated {
		s = &f.sim
	}
	s.any++
	return s
}

func (s *side) record(unit string) *record {
	if s.records[unit] == nil {
		s.records[unit] = &record{known: map[string]bool{}}
	}
	return s.records[unit]
}

func (f *fold) outcome(o *evidence.Outcome) {
	if o.Skill != f.q.Skill.Name {
		return
	}
	if o.Rubric != f.q.Skill.Hash {
		f.elsewhere++
		return
	}
	s := f.side(o.Simulated)
	switch o.Source {
	case evidence.FromCase:
		f.graded(s, o)
	case evidence.FromAudit, evidence.FromReview:
		s.audited(o)
	}
}

// graded takes in an answer to a case; the first of a candidate counts.
func (f *fold) graded(s *side, o *evidence.Outcome) {
	r := s.record(o.Candidate)
	if r.known[o.Digest+o.Case] {
		return
	}
	r.known[o.Digest+o.Case] = true
	s.counts.Cases++
	passed := !o.Rejected && o.Grade == 1
	if r.accepted.add(!o.Rejected); !o.Rejected {
		r.graded.add(passed)
	}
	r.asking.add(o.Cost)
	if limit := f.q.Skill.Rubric.Latency; limit > 0 {
		r.took.add(float64(o.Took), float64(limit))
	}
	if size, ok := f.q.Sizes[o.Digest]; ok {
		r.sizes = append(r.sizes, measure{size, passed, half(o.Digest)})
	}
}

// half reports on which half a case is. That follows from the case alone.
func half(digest string) bool { return sum64(digest)&1 == 0 }

func sum64(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // it never fails
	return h.Sum64()
}

// audited takes in a comparison with the reference's answer, or a person's word.
func (s *side) audited(o *evidence.Outcome) {
	if o.Rejected || o.Receipt != "" && s.heard[sum64(o.Receipt)] {
		return
	}
	s.heard[sum64(o.Receipt)] = true
	s.counts.Audits++
	r := s.record(o.Candidate)
	r.audits.add(o.Grade == 1)
	if o.Warrant == "" {
		r.unproven.add(o.Grade == 1)
	}
}

func (f *fold) receipt(r *starling.Receipt) {
	if r.Plan.Skill != f.q.Skill.Name || r.Observed != nil || r.Plan.Pinned && r.AuditOf == "" {
		return
	}
	if r.Plan.Rubric != f.q.Skill.Hash {
		f.elsewhere++
		return
	}
	s := f.side(simulated(r))
	if r.AuditOf != "" {
		s.compared.add(r.Cost)
		return
	}
	s.request(r, f.q.Skill)
}

// simulated reports whether any answer of an exchange was a simulated upstream's, or
// would have been.
func simulated(r *starling.Receipt) bool {
	for i := range r.Attempts {
		if r.Attempts[i].Simulated {
			return true
		}
	}
	for i := range r.Plan.Candidates {
		if r.Plan.Candidates[i].Model.Simulated {
			return true
		}
	}
	return r.Plan.Reference != nil && r.Plan.Reference.Simulated
}

// request takes in a caller's exchange.
func (s *side) request(r *starling.Receipt, sk *skill.Skill) {
	c := &s.counts
	if c.Requests++; c.From.IsZero() || r.Time.Before(c.From) {
		c.From = r.Time
	}
	if r.Time.After(c.Until) {
		c.Until = r.Time
	}
	s.spent = s.spent.Plus(r.Cost)
	if r.Outcome == starling.Answered {
		c.Answered++
		if ref := r.Plan.Reference; ref == nil || ref.ID() != r.Response.Provider+"/"+r.Response.Model {
			s.others++
		}
		if r.Reference > 0 {
			s.whole.add(r.Reference)
		}
	}
	s.refusal(r, sk.Rubric.Budget.Request)
	s.attempts(r)
}

// refusal counts a request that nobody might answer within the skill's limit, by the
// least that it would have taken.
func (s *side) refusal(r *starling.Receipt, limit starling.Money) {
	if limit == 0 || r.Outcome == starling.Answered || r.Kind != starling.OverBudget || r.Plan.Limit != limit {
		return
	}
	least := starling.Money(0)
	for _, l := range r.Plan.Left {
		if l.Kind == starling.OverBudget && l.Worst > 0 && (least == 0 || l.Worst < least) {
			least = l.Worst
		}
	}
	if least > 0 {
		s.refused.add(float64(least), float64(limit))
	}
}

// attempts takes in who tried. What a verifier asked on the way belongs to the attempt
// that it was about, which follows.
func (s *side) attempts(r *starling.Receipt) {
	after, beside := r.Cost, starling.Money(0)
	for i := range r.Attempts {
		a := &r.Attempts[i]
		if a.Outcome == starling.Consulted {
			beside = beside.Plus(a.Cost)
			continue
		}
		cost := a.Cost.Plus(beside)
		after, beside = after.Plus(-cost), 0
		if place := placed(r, a.Model); place >= 0 {
			s.attempt(r, a, place, cost, after)
		}
		s.verdicts(a)
	}
}

// placed is where a model stands in the plan, −1 nowhere.
func placed(r *starling.Receipt, model string) int {
	for i := range r.Plan.Candidates {
		if r.Plan.Candidates[i].Model.ID() == model {
			return i
		}
	}
	return -1
}

func (s *side) attempt(r *starling.Receipt, a *starling.Attempt, place int, cost, after starling.Money) {
	c := &r.Plan.Candidates[place]
	of := s.record(c.Unit)
	last := place == len(r.Plan.Candidates)-1
	limited := r.Plan.Patience > 0 && !last
	switch {
	case a.Outcome == starling.Answered || a.Outcome == starling.Rejected:
		if c.Verified() {
			of.tried.add(a.Outcome == starling.Answered)
		}
		of.cost.add(cost)
		if a.Outcome == starling.Rejected && !last {
			of.rest.add(after)
		}
		if limited {
			of.late.add(false)
			of.lasted.add(waited(a, c))
		}
	case limited && a.Outcome == starling.Failed && a.Took >= r.Plan.Patience:
		of.late.add(true)
	}
}

// waited is what the limit to the first byte is held against: of an answer that is
// judged before anybody sees it, all of it.
func waited(a *starling.Attempt, c *starling.Candidate) time.Duration {
	if c.Verified() || a.FirstByte == 0 {
		return a.Took
	}
	return a.FirstByte
}

func (s *side) verdicts(a *starling.Attempt) {
	for i := range a.Verdicts {
		v := &a.Verdicts[i]
		if v.Net() || v.Verifier == ownWord {
			continue
		}
		if s.judged[v.Verifier] == nil {
			s.judged[v.Verifier] = &share{}
		}
		s.judged[v.Verifier].add(v.Accept)
	}
}

// ownWord is the verdict of a candidate's own confidence, which no rubric asks for.
const ownWord = "confidence"
