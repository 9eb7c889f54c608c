package advise

import (
	"fmt"
	"math"
	"slices"

	"starling"
	"starling/internal/skill"
)

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
