package advise

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
)

// A maker makes proposals of one side of the evidence.
type maker struct {
	*fold
	*side
	*Advice
	rubric *skill.Rubric
	gone   map[string]bool // candidates that are to be taken out: nothing else is proposed of them
}

// slack is how far a comparison of costs must be from even, as their means are taken
// to be what they are.
const slack = 0.9

// advise answers every question that the rubric poses.
func (f *fold) advise() *Advice {
	r := &f.q.Skill.Rubric
	a := &Advice{Skill: f.q.Skill.Name, Rubric: f.q.Skill.Hash, Risk: f.q.Risk, PerCase: map[string]starling.Money{}, Proposals: []Proposal{}, Notes: []string{}}
	m := maker{fold: f, side: &f.real, Advice: a, rubric: r, gone: map[string]bool{}}
	if f.real.any == 0 && f.sim.any > 0 && f.simulated() {
		m.side, a.Simulated = &f.sim, true
	}
	a.Counts = m.counts
	a.Counts.Elsewhere = f.elsewhere
	if a.Counts.Simulated = f.sim.any; a.Simulated {
		a.Counts.Simulated = 0
	} else if f.sim.any > 0 {
		m.note("%d requests and outcomes of simulated upstreams are left out: they say nothing of a model", f.sim.any)
	}
	a.Questions = m.questions()
	a.Level = 1 - a.Risk/float64(a.Questions)
	for _, rung := range f.q.Rungs {
		if r := m.record(rung); r.asking.n > 0 {
			a.PerCase[rung.Name] = r.asking.mean()
		}
	}
	for _, propose := range []func(){m.belowBar, m.unprovenAnswers, m.size, m.doesNotPay, m.order, m.latency, m.audit, m.budget, m.probability, m.candidate, m.silences, m.verifiers} {
		propose()
	}
	return a
}

// simulated reports whether the whole ladder is.
func (f *fold) simulated() bool {
	return !slices.ContainsFunc(f.q.Rungs, func(r Rung) bool { return r.Unit != "" && !r.Model.Simulated })
}

// least is the share that the bar wants, of answers that are compared with the
// reference's: its own are taken to pass.
func (m *maker) least() float64 {
	if b := m.rubric.Bar; b.Margin > 0 {
		return 1 - b.Margin
	}
	return m.rubric.Bar.Pass
}

// doubted are the candidates that have to be good enough: all but the last and the
// reference, who are trusted.
func (m *maker) doubted() []Rung {
	var out []Rung
	for i, r := range m.q.Rungs {
		if i < len(m.q.Rungs)-1 && !r.Trusted {
			out = append(out, r)
		}
	}
	return out
}

// questions is how many the rubric poses. It must not depend on what the evidence
// says.
func (m *maker) questions() int {
	n, each := 0, 1 // whether it pays
	if m.rubric.Bar.Set() {
		each += 3 // cases, audits, size
	}
	if m.rubric.Latency > 0 {
		each++
	}
	for _, r := range m.doubted() {
		n += each
		if m.stated(r.Name) > 0 {
			n++
		}
	}
	if m.rubric.Bar.Set() && m.rubric.Bar.Unproven != skill.Climb {
		n++
	}
	if m.rubric.Order == skill.Listed {
		n += max(0, len(m.q.Rungs)-2)
	}
	return max(n, 1)
}

func (m *maker) stated(name string) float64 {
	for _, c := range m.rubric.Candidates {
		if c.Model == name {
			return c.Probability
		}
	}
	return 0
}

func (m *maker) note(format string, args ...any) {
	m.Notes = append(m.Notes, fmt.Sprintf(format, args...))
}

func (m *maker) show(of string, s share) *Shown {
	out := &Shown{Of: of, N: s.n, K: s.k, Confidence: m.Level}
	out.Low, out.High = evidence.ClopperPearson(s.k, s.n, m.Level)
	return out
}

// oneSided is the confidence of one end of an interval.
func (m *maker) oneSided() float64 { return 1 - (1-m.Level)/2 }

// record is what is known of a rung, an empty one if nothing is.
func (m *maker) record(r Rung) *record {
	if found := m.records[r.Unit]; found != nil && r.Unit != "" {
		return found
	}
	return &record{}
}

// propose adds a proposal; what it costs is as it was, unless more is said.
func (m *maker) propose(p Proposal, more starling.Money) {
	p.Now = m.each(m.spent)
	p.Then = max(0, p.Now.Plus(more))
	m.Proposals = append(m.Proposals, p)
}

// each is a sum for every request that was answered.
func (m *maker) each(all starling.Money) starling.Money {
	return sum{m.counts.Answered, all}.mean()
}

// out are the edits that take a candidate out of the ladder, and of each rule in which
// somebody comes after it: who comes last is trusted, and nobody should come to be.
func (m *maker) out(name string) (edits []Edit, kept string) {
	edits = []Edit{{Do: Remove, At: []string{"candidates"}, Name: name}}
	for i, rule := range m.rubric.Rules {
		at := slices.IndexFunc(rule.Candidates, func(c skill.Candidate) bool { return c.Model == name })
		switch {
		case at < 0:
		case at == len(rule.Candidates)-1:
			kept += fmt.Sprintf("; rule %d ends with it and keeps it", i+1)
		default:
			edits = append(edits, Edit{Do: Remove, At: []string{"rules", strconv.Itoa(i), "candidates"}, Name: name})
		}
	}
	return edits, kept
}

// without is what an answer costs more if a candidate is not asked any more: what it
// answered, those behind it have to.
func (m *maker) without(r *record) starling.Money {
	rest := r.rest.mean()
	if r.rest.n == 0 {
		rest = m.whole.mean()
	}
	return m.each(rest * starling.Money(m.answers(r))).Plus(-m.each(r.cost.of))
}

// remove proposes that a candidate is taken out.
func (m *maker) remove(kind Kind, rung Rung, p Proposal) {
	r := m.record(rung)
	edits, kept := m.out(rung.Name)
	p.Kind, p.Of, p.What, p.Edits = kind, rung.Name, "take "+rung.Name+" out of the ladder"+kept, edits
	m.gone[rung.Name] = true
	m.propose(p, m.without(r))
}

// candidate proposes who was shown to be good enough and is not in the ladder, and the
// student where enough texts are kept.
func (m *maker) candidate() {
	last := m.q.Rungs[len(m.q.Rungs)-1].Name
	for _, rung := range m.q.Others {
		w := m.warrant(rung)
		if w == nil || rung.Model.Zone > m.q.Furthest || w.Simulated != m.Simulated {
			continue
		}
		m.propose(Proposal{
			Kind: Candidate, Of: rung.Name, What: rung.Name + " before " + last,
			Why:     fmt.Sprintf("it had a warrant for these cases: %d of %d passed, at %.4g %% at least %.1f %%, and is in the ladder no more", w.Passed, w.Covered, 100*w.Confidence, 100*w.Least()),
			Shown:   &Shown{"answers to cases pass", w.Covered, w.Passed, w.Least(), 1, w.Confidence},
			Quality: "what it answers is as good as was shown then, once starling rightsize has shown it again (estimate)",
			Wrong:   "tries that are not accepted cost what it charges",
			Edits:   []Edit{{Do: Put, At: []string{"candidates"}, Name: rung.Name, Before: last}},
		}, 0)
	}
	m.student()
}

// warrant is the latest of a model that nothing but a change of the rubric has ended.
func (m *maker) warrant(r Rung) *evidence.Warrant {
	s := m.q.Board.Standing(m.q.Skill.Name, m.q.Skill.Hash, r.Unit)
	if s.Warrant == nil || s.Revoked != nil || s.Coming != nil || s.Warrant.Lapsed(s.Warrant.Rubric, m.q.Skill.Cases, m.q.Now) != "" {
		return nil
	}
	return s.Warrant
}

// held is one text in how many that a student does not learn from.
const held = 4

func (m *maker) student() {
	ladders := [][]skill.Candidate{m.rubric.Candidates}
	for _, rule := range m.rubric.Rules {
		ladders = append(ladders, rule.Candidates)
	}
	named := slices.ContainsFunc(ladders, func(l []skill.Candidate) bool {
		return slices.ContainsFunc(l, func(c skill.Candidate) bool { return c.Model == starling.StudentName })
	})
	missing := evidence.Missing(0, 0, m.least(), m.rubric.Bar.Confidence)
	if named || m.q.Texts == 0 || !m.rubric.Bar.Set() || !slices.Contains(m.rubric.Grade, "label") || missing == evidence.Never {
		return
	}
	if m.q.Texts < held*missing {
		m.note("n = %d kept texts are not enough for a student: at least %d are needed, of which a quarter has to show the bar without a mistake", m.q.Texts, held*missing)
		return
	}
	first := m.q.Rungs[0].Name
	m.propose(Proposal{
		Kind: Candidate, Of: starling.StudentName, What: "the skill's own student before " + first,
		Why:     fmt.Sprintf("%d texts are kept, a quarter of which are enough to show the bar of %.4g %% at %.4g %% (at least %d)", m.q.Texts, 100*m.least(), 100*m.rubric.Bar.Confidence, missing),
		Quality: "none until starling distill has shown a student to be good enough; then what it answers is as good as the bar (estimate)",
		Wrong:   "nothing but the work: a student without a warrant answers nothing",
		Edits:   []Edit{{Do: Put, At: []string{"candidates"}, Name: starling.StudentName, Before: first}},
	}, 0)
}

// silences says of whom nothing is known, and how much it would take.
func (m *maker) silences() {
	if !m.rubric.Bar.Set() {
		m.note("the rubric has no bar: nothing says what good enough is")
		return
	}
	take := needed(m.least(), m.oneSided(), fall)
	for _, rung := range m.doubted() {
		r := m.record(rung)
		n := max(r.graded.n, r.audits.n)
		switch {
		case m.gone[rung.Name]:
		case rung.Unit == "":
			m.note("nobody offers %s now: nothing is said of it", rung.Name)
		case n < take && take != evidence.Never:
			m.note("n = %d graded answers are not enough to say anything about %s: at least %d are needed to find it ten points below the bar, four times in five", n, rung.Name, take)
		}
	}
}

// verifiers notes those that have turned nothing down.
func (m *maker) verifiers() {
	for _, name := range slices.Sorted(maps.Keys(m.judged)) {
		s := m.judged[name]
		if s.n < 59 || s.k < s.n {
			continue
		}
		m.note("verifier %s rejected none of %d answers: at 95 %% at most %.1f %% of all", name, s.n, 100*(1-evidence.LowerBound(s.n, s.n, 0.95)))
	}
}

// Rough is an amount to three digits, as an estimate deserves.
func Rough(m starling.Money) starling.Money {
	digits := len(strings.TrimLeft(strconv.FormatInt(int64(m), 10), "-"))
	if digits <= 3 {
		return m
	}
	unit := starling.Money(math.Pow10(digits - 3))
	return (m + unit/2) / unit * unit
}
