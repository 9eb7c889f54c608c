package evidence

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// A Board is what the evidence says now: a fold over the ledger's notes. It keeps
// no content. Notes of one warrant may come before it. Safe for concurrent use.
type Board struct {
	mu       sync.RWMutex
	units    map[unit]*standing
	warrants map[string]*force // by id
	models   map[string]*Tally // by model, over all skills and rubrics
	cases    int               // how many cases have a grade
}

// A unit is a candidate in a skill.
type unit struct{ skill, candidate string }

// A standing is what is known of a unit.
type standing struct {
	tallies map[string]*Tally  // by rubric
	graded  map[[3]string]bool // rubric, case and its digest: the first grade counts
	latest  *force
}

// A force is a warrant with all that has been said against it.
type force struct {
	warrant *Warrant // nil while only its audits or its end have come
	watch   *Watch
	early   []float64 // audits' grades that came before it
	revoked *Revocation
	bound   float64 // of all outcomes
	drift   drift
	audited map[string]bool // receipts: the first grade of an answer counts
	audits  int
	agreed  float64 // sum of the audits' grades
}

// A Tally counts what a candidate did under one rubric.
type Tally struct {
	Tried    int // answers to cases, and answers that verifiers judged
	Accepted int // of them, those that somebody would have seen
	Graded   int // accepted answers to cases
	Passed   int // of them, with grade 1
}

// Most is an upper bound for the share of accepted answers that pass: with the
// given confidence there are no more. It is 1 when nothing is known.
func (t Tally) Most(confidence float64) float64 {
	return 1 - LowerBound(t.Graded-t.Passed, t.Graded, confidence)
}

// A Standing is what a Board knows of a candidate in a skill.
type Standing struct {
	Tally
	Warrant *Warrant    // the latest one, or the one that was asked for; whether it has lapsed is to be asked of it
	Later   *Warrant    // of the same candidate and skill, in whose favour it ended; nil if it is the latest
	Revoked *Revocation // of that warrant; nil if it was not
	Coming  *Revocation // that is written down, or due, and not yet in force; nil if there is none
	Audits  int         // since that warrant
	Agreed  float64     // their mean grade
	Bound   float64     // the lower bound, in terms of the warrant's Level, of all that is known
}

// NewBoard returns a board on which nothing stands.
func NewBoard() *Board {
	return &Board{units: map[unit]*standing{}, warrants: map[string]*force{}, models: map[string]*Tally{}}
}

// Fold takes a note in. The same note must not come twice.
func (b *Board) Fold(n Note) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case n.Outcome != nil:
		b.outcome(n.Outcome)
	case n.Warrant != nil:
		b.issue(n.Warrant)
	case n.Revocation != nil:
		if f := b.force(n.Revocation.Warrant); f.revoked == nil || n.Revocation.Time.Before(f.revoked.Time) {
			f.revoked = n.Revocation
		}
	}
}

func (b *Board) outcome(o *Outcome) {
	s := b.standing(unit{o.Skill, o.Candidate})
	switch o.Source {
	case FromCase:
		id := [3]string{o.Rubric, o.Case, o.Digest}
		if s.graded[id] {
			return
		}
		s.graded[id] = true
		b.cases++
		t := s.tally(o.Rubric)
		t.try(!o.Rejected)
		b.model(o.Model).try(!o.Rejected)
		if !o.Rejected {
			t.Graded++
			if o.Grade == 1 {
				t.Passed++
			}
		}
	case FromVerifier:
		s.tally(o.Rubric).try(!o.Rejected)
		b.model(o.Model).try(!o.Rejected)
	case FromAudit, FromReview:
		if o.Warrant != "" {
			b.force(o.Warrant).audit(o.Receipt, o.Grade)
		}
	}
}

func (t *Tally) try(accepted bool) {
	if t.Tried++; accepted {
		t.Accepted++
	}
}

func (b *Board) issue(w *Warrant) {
	f := b.force(w.ID)
	f.warrant, f.watch = w, NewWatch(w.Outcomes(), w.Level(), w.Confidence)
	for _, grade := range f.early {
		f.watch.Add(w.audited(grade))
	}
	f.early, f.bound, f.drift = nil, f.watch.Bound(), newDrift(w)
	s := b.standing(unit{w.Skill, w.Candidate})
	if s.latest == nil || !w.Time.Before(s.latest.warrant.Time) {
		s.latest = f
	}
}

func (f *force) audit(receipt string, grade float64) {
	if f.audited[receipt] {
		return
	}
	if receipt != "" {
		if f.audited == nil {
			f.audited = map[string]bool{}
		}
		f.audited[receipt] = true
	}
	f.audits++
	f.agreed += grade
	if f.watch == nil {
		f.early = append(f.early, grade)
		return
	}
	f.watch.Add(f.warrant.audited(grade))
	f.bound = f.watch.Bound()
}

func (b *Board) force(id string) *force {
	if b.warrants[id] == nil {
		b.warrants[id] = &force{}
	}
	return b.warrants[id]
}

func (b *Board) standing(u unit) *standing {
	if b.units[u] == nil {
		b.units[u] = &standing{tallies: map[string]*Tally{}, graded: map[[3]string]bool{}}
	}
	return b.units[u]
}

func (b *Board) model(id string) *Tally {
	if b.models[id] == nil {
		b.models[id] = &Tally{}
	}
	return b.models[id]
}

// Everywhere returns how often a model, "provider/name", was tried and accepted in
// all skills under all rubrics. Nothing is said of grades.
func (b *Board) Everywhere(model string) Tally {
	if b == nil {
		return Tally{}
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if t := b.models[model]; t != nil {
		return *t
	}
	return Tally{}
}

// Cases returns how many answers to cases were graded: it grows when there is
// something new to learn from.
func (b *Board) Cases() int {
	if b == nil {
		return 0
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.cases
}

func (s *standing) tally(rubric string) *Tally {
	if s.tallies[rubric] == nil {
		s.tallies[rubric] = &Tally{}
	}
	return s.tallies[rubric]
}

// Standing returns what is known of a candidate in a skill with the given rubric.
// A warrant whose watch has ended is revoked from that moment on, whether or not
// that is written down yet.
func (b *Board) Standing(skill, rubric, candidate string) Standing {
	if b == nil {
		return Standing{}
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	s := b.units[unit{skill, candidate}]
	if s == nil {
		return Standing{}
	}
	var out Standing
	if s.latest != nil {
		out = b.stands(s.latest)
	}
	if t := s.tallies[rubric]; t != nil {
		out.Tally = *t
	}
	return out
}

// stands is what is known of a warrant.
func (b *Board) stands(f *force) Standing {
	out := Standing{Warrant: f.warrant, Audits: f.audits, Bound: f.bound}
	if r := f.revocation(); r != nil && r.End == Drifted && r.Time.After(time.Now()) { // of any other, the clock of who wrote it was ahead
		out.Coming = r
	} else {
		out.Revoked = r
	}
	if f.audits > 0 {
		out.Agreed = f.agreed / float64(f.audits)
	}
	if latest := b.units[unit{f.warrant.Skill, f.warrant.Candidate}].latest; latest != f {
		out.Later = latest.warrant
	}
	return out
}

// Warrants returns what is known of every warrant, whatever became of it: by skill
// and model, the latest first. Their tallies are empty.
func (b *Board) Warrants() []Standing {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var all []Standing
	for _, f := range b.warrants {
		if f.warrant != nil {
			all = append(all, b.stands(f))
		}
	}
	slices.SortFunc(all, func(x, y Standing) int {
		v, w := x.Warrant, y.Warrant
		return cmp.Or(cmp.Compare(v.Skill, w.Skill), cmp.Compare(v.Model, w.Model), w.Time.Compare(v.Time), cmp.Compare(w.ID, v.ID))
	})
	return all
}

// revocation is the one that is written down, or else the one that is due: at once
// if audits say so, later if it drifted. Of two the earlier counts.
func (f *force) revocation() *Revocation {
	w, end := f.warrant, f.watch.End()
	switch due := (Revocation{Warrant: w.ID, Skill: w.Skill, Candidate: w.Candidate, Model: w.Model}); {
	case end != "" && (f.revoked == nil || f.revoked.End == Drifted):
		due.End, due.Why = end, f.why()
		return &due
	case f.revoked == nil && !f.drift.since.IsZero():
		due.End, due.Why, due.Time = Drifted, f.drift.why(w), f.drift.since.Add(afterDrift).UTC()
		return &due
	}
	return f.revoked
}

func (f *force) why() string {
	audits := fmt.Sprintf("of %d answers that were audited %.4g passed", f.audits, f.agreed)
	if f.watch.End() == Dropped {
		return audits + ", fewer than the cases had shown"
	}
	below := math.Floor(f.bound*1e4) / 1e4 // 0.89997 is not 0.9000
	return fmt.Sprintf("%s, and the bound of all is %.4f, below %.4f", audits, below, f.warrant.Level())
}

// Due returns the revocations that have to be written down, each once.
func (b *Board) Due(now time.Time) []*Revocation {
	b.mu.Lock()
	defer b.mu.Unlock()
	var due []*Revocation
	for _, f := range b.warrants {
		if f.warrant == nil {
			continue
		}
		r := f.revocation()
		if r == f.revoked {
			continue
		}
		if r.Time.IsZero() {
			r.Time = now.UTC()
		}
		f.revoked = r
		due = append(due, r)
	}
	return due
}
