package advise

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
)

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
