package advise

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

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

// belowBar looks for candidates that are worse than the bar. Where starling rightsize
// has broken off after so many failures, the upper bound is exact all the same: to have
// failed f times by case n is to have failed f times or more of n.
//
// Source: J. B. S. Haldane, "On a method of estimating frequencies", Biometrika 33
// (1945) 222–225, inverse binomial sampling.
func (m *maker) belowBar() {
	least := m.least()
	if !m.rubric.Bar.Set() {
		return
	}
	for _, rung := range m.doubted() {
		r := m.record(rung)
		looks := []*Shown{m.show("answers to callers agree when audited", r.audits)}
		if m.rubric.Bar.Pass > 0 { // a margin is to the reference on the same case, and that is for starling rightsize to say
			looks = append(looks, m.show("accepted answers to cases pass", r.graded))
		}
		for _, s := range looks {
			if s.High >= least {
				continue
			}
			m.remove(BelowBar, rung, Proposal{
				Why:     fmt.Sprintf("of %s %s, and the bar is %.4g %%", rung.Name, s, 100*least),
				Shown:   s,
				Quality: fmt.Sprintf("%d of %d answers came from it, of which about %.0f %% pass; those behind it give them now (estimate)", m.answers(r), m.counts.Answered, 100*s.Point()),
				Wrong:   "if it is good enough all the same, requests that it could have answered cost what those behind it take",
			})
			break
		}
	}
}

// answers is how many callers a candidate has answered.
func (m *maker) answers(r *record) int { return r.cost.n - (r.tried.n - r.tried.k) }

func (m *maker) unprovenAnswers() {
	least := m.least()
	if !m.rubric.Bar.Set() || m.rubric.Bar.Unproven == skill.Climb {
		return
	}
	var all share
	for _, rung := range m.doubted() {
		if r := m.record(rung); !m.gone[rung.Name] { // whoever goes is no reason for the others to climb
			all.n, all.k = all.n+r.unproven.n, all.k+r.unproven.k
		}
	}
	s := m.show("audited answers that no warrant covered agree", all)
	if s.High >= least {
		return
	}
	m.propose(Proposal{
		Kind: Unproven, What: "who was not shown to be good enough must climb, whatever verifiers say",
		Why:     fmt.Sprintf("%s, and the bar is %.4g %%", s, 100*least),
		Shown:   s,
		Quality: "callers see no answer any more of who has no warrant, but of the last of the ladder and the reference (estimate)",
		Wrong:   "candidates without a warrant answer nothing until starling rightsize gives them one; what they would have answered costs what the last of the ladder takes",
		Edits:   []Edit{{Do: Set, At: []string{"bar", "unproven"}, Value: skill.Climb}},
	}, m.each(m.whole.mean()*starling.Money(m.counts.Answered)).Plus(-m.each(m.spent)))
}

// fewest is how many cases there must be on each side of a size, in the half that it is
// found on.
const fewest = 8

// size looks, of each candidate, for a size of requests above which it fails. It is
// found on one half of the cases, and tested on the other.
func (m *maker) size() {
	if !m.rubric.Bar.Set() {
		return
	}
	for _, rung := range m.doubted() {
		r := m.record(rung)
		limit := split(r.sizes)
		if limit == 0 || m.gone[rung.Name] || len(m.q.Rungs) < 2 || m.ruled(rung.Name, limit) {
			continue
		}
		below, above := sided(r.sizes, limit)
		high, low := m.show(fmt.Sprintf("larger ones are accepted and pass (the half of the cases on which %d bytes were not found)", limit), above), m.show("smaller ones", below)
		if high.High >= low.Low || m.rubric.Bar.Pass > 0 && high.High >= m.rubric.Bar.Pass {
			continue
		}
		var others []string
		for _, c := range m.rubric.Candidates {
			if c.Model != rung.Name && !m.gone[c.Model] {
				others = append(others, c.Model)
			}
		}
		m.propose(Proposal{
			Kind: Size, Of: rung.Name, What: fmt.Sprintf("requests of more than %d bytes go past %s", limit, rung.Name),
			Why:     fmt.Sprintf("of %s %s; of smaller ones %d of %d, %.1f %%, between %.1f and %.1f %%", rung.Name, high, low.K, low.N, 100*low.Point(), 100*low.Low, 100*low.High),
			Shown:   high,
			Quality: fmt.Sprintf("of large requests %.0f %% fewer are answered wrongly or climb (estimate)", 100*(low.Point()-high.Point())),
			Wrong:   "if it is no worse with large requests, those cost what the candidates behind it take",
			Edits: []Edit{{Do: Append, At: []string{"rules"}, Rule: &Rule{
				When: fmt.Sprintf("request.input_bytes > %d", limit), Candidates: others,
				Why: fmt.Sprintf("on cases of this size %d of %d answers of %s pass", high.K, high.N, rung.Name),
			}}},
		}, 0)
	}
}

// ruled reports whether a rule keeps a candidate from requests of that size already.
func (m *maker) ruled(name string, limit int) bool {
	d, err := m.q.Skill.Decide(skill.Facts{InputBytes: limit + 1, Class: m.rubric.Class, Now: m.q.Now})
	return err != nil || d.Refuse || !slices.ContainsFunc(d.Candidates, func(c skill.Candidate) bool { return c.Model == name })
}

// split is the size at which the share that fails rises most, on one half of the cases; 0
// if it rises nowhere.
func split(all []measure) int {
	var some []measure
	for _, m := range all {
		if m.half {
			some = append(some, m)
		}
	}
	slices.SortFunc(some, func(a, b measure) int { return a.size - b.size })
	var total, below share
	for _, m := range some {
		total.add(m.passed)
	}
	found, most := 0, 0.0
	for i := range some {
		below.add(some[i].passed)
		above := share{total.n - below.n, total.k - below.k}
		if below.n < fewest || above.n < fewest || some[i].size == some[i+1].size {
			continue
		}
		gain := (below.point() - above.point()) * math.Sqrt(float64(below.n)*float64(above.n)/float64(total.n))
		if gain > most {
			found, most = (some[i].size+some[i+1].size)/2, gain
		}
	}
	return found
}

// sided counts, on the other half, what passed below a size and above it.
func sided(all []measure, limit int) (below, above share) {
	for _, m := range all {
		switch {
		case m.half:
		case m.size > limit:
			above.add(m.passed)
		default:
			below.add(m.passed)
		}
	}
	return below, above
}

func (m *maker) doesNotPay() {
	for _, rung := range m.doubted() {
		r := m.record(rung)
		if m.gone[rung.Name] || r.rest.n == 0 || r.rest.mean() <= 0 {
			continue
		}
		even := float64(r.cost.mean()) / float64(r.rest.mean())
		s := m.show("answers are accepted", r.tried)
		if s.High >= slack*min(even, 1) {
			continue
		}
		m.remove(DoesNotPay, rung, Proposal{
			Why: fmt.Sprintf("of %s %s; a try costs %s and an acceptance saves %s, so it pays from %.1f %% on (estimate)",
				rung.Name, s, Rough(r.cost.mean()), Rough(r.rest.mean()), 100*min(even, 1)),
			Shown:   s,
			Quality: "verifiers have turned down most of what it said; who answers now is who came after it (estimate)",
			Wrong:   fmt.Sprintf("if it is accepted more often than that, each request that it would have answered costs %s more", Rough(max(0, r.rest.mean()-r.cost.mean()))),
		})
	}
}

// order compares neighbours of a listed order by what they cost for each acceptance, on
// the same cases. The last stays the last: it is the one that is trusted.
func (m *maker) order() {
	if m.rubric.Order != skill.Listed {
		return
	}
	for i := 0; i+2 < len(m.q.Rungs); i++ {
		a, b := m.q.Rungs[i], m.q.Rungs[i+1]
		x, y := m.record(a), m.record(b)
		first, second := m.show("answers to cases are accepted", x.accepted), m.show("answers to cases are accepted", y.accepted)
		p, q := float64(x.asking.mean()), float64(y.asking.mean())
		if m.gone[a.Name] || m.gone[b.Name] || y.accepted.n == 0 || x.accepted.n == 0 || slack*p*second.Low <= q*first.High {
			continue
		}
		m.propose(Proposal{
			Kind: Order, Of: b.Name, What: b.Name + " before " + a.Name,
			Why: fmt.Sprintf("of %s %s at %s each; of %s %d of %d, between %.1f and %.1f %%, at %s: it costs less for each acceptance",
				b.Name, second, Rough(y.asking.mean()), a.Name, first.K, first.N, 100*first.Low, 100*first.High, Rough(x.asking.mean())),
			Shown:   second,
			Quality: "who may answer does not change, only who is asked first (estimate: as the cases are)",
			Wrong:   "requests are answered by the dearer of the two first",
			Edits:   []Edit{{Do: Put, At: []string{"candidates"}, Name: b.Name, Before: a.Name}},
		}, starling.Money(q*first.Point()-p*second.Point()))
	}
}

// tooLate is the share of late answers from which on a limit is worth a thought.
const tooLate = 0.05

func (m *maker) latency() {
	limit := m.rubric.Latency
	if limit <= 0 {
		return
	}
	late, step, best := (*Shown)(nil), 0.0, Rung{}
	all, lasted := share{}, spread{}
	for _, rung := range m.doubted() {
		r := m.record(rung)
		all.n, all.k = all.n+r.late.n, all.k+r.late.k
		lasted.merge(&r.lasted)
		s := m.show("tries were cut off", r.late)
		soon, _ := r.took.half()
		if s.Low > tooLate && soon > step && !m.gone[rung.Name] {
			late, step, best = s, soon, rung
		}
	}
	if late == nil {
		m.never(all, &lasted)
		return
	}
	r := m.record(best)
	_, within := r.took.half()
	next := time.Duration(step * float64(limit)).Round(100 * time.Millisecond)
	m.propose(Proposal{
		Kind: Latency, Of: best.Name, What: fmt.Sprintf("wait %s for the first byte, not %s", next, limit),
		Why: fmt.Sprintf("of %s %s; of its answers to cases, which nothing cuts off, %d took longer, and %d of these no longer than %s",
			best.Name, late, r.took.over(), within, next),
		Shown:   late,
		Quality: "who may answer does not change (estimate: as the cases are)",
		Wrong:   fmt.Sprintf("callers wait up to %s longer for whom is replaced all the same", next-limit),
		Edits:   []Edit{{Do: Set, At: []string{"latency"}, Value: next.String()}},
	}, -m.each(starling.Money(float64(r.rest.mean())*float64(r.late.k)*float64(within)/float64(max(1, r.took.over())))))
}

func (s *spread) merge(o *spread) {
	s.n += o.n
	for i, k := range o.bins {
		s.bins[i] += k
	}
}

// never notes a limit that nobody has met.
func (m *maker) never(all share, lasted *spread) {
	if all.k > 0 || all.n < 59 {
		return
	}
	s := m.show("tries were cut off", all)
	m.note("latency: %s; half take no longer than %s, and 99 %% no longer than %s (n = %d): %s never matters here", s, lasted.at(0.5), lasted.at(0.99), lasted.n, m.rubric.Latency)
}

// The traffic from which on audits are weighed.
const (
	month     = 30 * 24 * time.Hour
	shortest  = 24 * time.Hour
	thinnest  = 100
	mostAudit = 0.25
	plenty    = 4   // times what it takes is more than is needed
	dear      = 0.1 // of what the skill spends
)

// audit weighs how many audits a month there are to come against what it takes to find
// a candidate ten points below the bar. It is arithmetic: the next month may be another.
func (m *maker) audit() {
	c, bar := &m.counts, m.rubric.Bar
	span := c.Until.Sub(c.From)
	if !bar.Set() || m.rubric.Reference == "" || !m.q.Compared || m.others == 0 {
		return
	}
	if span < shortest || m.others < thinnest {
		m.note("n = %d answers of others than the reference, in %s, are not enough to say how many audits a month there will be: at least %d in a day are needed", m.others, span.Round(time.Second), thinnest)
		return
	}
	monthly := float64(m.others) * float64(month) / float64(span)
	take := needed(m.least(), bar.Confidence, fall)
	n := int(monthly * m.rubric.Audit)
	each := m.compared.mean()
	if m.compared.n == 0 {
		each = m.whole.mean()
	}
	next := 0.0
	switch cost := float64(each) * float64(m.others) * m.rubric.Audit; {
	case take == evidence.Never:
	case n < take && upTo(float64(take)/monthly) > mostAudit:
		m.note("audit: %.0f answers a month (estimate) are too few to notice a drop of ten points within a month: it takes %d audits, %.0f %% of them", monthly, take, 100*min(1, float64(take)/monthly))
	case n < take:
		next = upTo(float64(take) / monthly)
	case n > plenty*take && cost > dear*float64(m.spent):
		next = upTo(2 * float64(take) / monthly)
	}
	if next == 0 || next == m.rubric.Audit {
		return
	}
	p := Proposal{
		Kind: Audit, What: fmt.Sprintf("audit %.4g %% of the answers, not %.4g %%", 100*next, 100*m.rubric.Audit),
		Why: fmt.Sprintf("%d answers of others than the reference in %s are %.0f a month, and %d audits (estimate): that %s; %d find a drop of ten points below the bar four times in five",
			m.others, span.Round(time.Second), monthly, n, found(finds(n, m.least(), bar.Confidence)), take),
		Quality: "answers do not change; how soon worse ones are noticed does (estimate)",
		Wrong:   "each audit costs what the reference takes, about " + Rough(each).String(),
		Edits:   []Edit{{Do: Set, At: []string{"audit"}, Value: strconv.FormatFloat(next, 'g', -1, 64)}},
	}
	if next < m.rubric.Audit {
		p.Wrong = "a candidate that becomes worse is noticed later"
	}
	m.propose(p, m.each(starling.Money(float64(each)*float64(m.others)*(next-m.rubric.Audit))))
}

func found(drop float64) string {
	if drop >= 1 {
		return "finds nothing"
	}
	return fmt.Sprintf("finds a drop of %.0f points", 100*drop)
}

// manyRefused are enough to ask whether a limit is too low.
const manyRefused = 20

func (m *maker) budget() {
	limit := m.rubric.Budget.Request
	n := m.refused.over()
	step, within := m.refused.half()
	if limit == 0 || n < manyRefused || step == 0 {
		return
	}
	next := starling.Money(math.Ceil(step * float64(limit)))
	s := m.show("requests were refused for it", share{m.counts.Requests, n})
	m.propose(Proposal{
		Kind: Budget, What: fmt.Sprintf("allow a request %s, not %s", next, limit),
		Why:     fmt.Sprintf("%s; the worst case of %d of these %d is at most %s", s, within, n, next),
		Shown:   s,
		Quality: "they are answered (estimate: by their worst case, and most requests cost much less)",
		Wrong:   fmt.Sprintf("a request may cost up to %s more than anybody had allowed", next.Plus(-limit)),
		Edits:   []Edit{{Do: Set, At: []string{"budget", "request"}, Value: next.String()}},
	}, 0)
}

func (m *maker) probability() {
	for _, rung := range m.doubted() {
		stated := m.stated(rung.Name)
		s := m.show("answers are accepted", m.record(rung).tried)
		measured := math.Round(100*min(max(s.Point(), s.Low), s.High)) / 100
		if stated == 0 || m.gone[rung.Name] || s.N == 0 || s.Low <= stated && stated <= s.High || measured <= 0 {
			continue
		}
		m.propose(Proposal{
			Kind: Probability, Of: rung.Name, What: fmt.Sprintf("state a probability of %.2f of %s, not %.4g", measured, rung.Name, stated),
			Why:     fmt.Sprintf("of %s %s, and the rubric states %.4g %%", rung.Name, s, 100*stated),
			Shown:   s,
			Quality: "answers do not change; what plans expect of costs does, and their order where evidence decides it (estimate)",
			Wrong:   "plans expect too much or too little of it until its own record, which counts for more, has grown",
			Edits:   []Edit{{Do: Set, At: []string{"candidates", rung.Name, "probability"}, Value: strconv.FormatFloat(measured, 'g', -1, 64)}},
		}, 0)
	}
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
