package route

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"starling"
	"starling/internal/skill"
)

// A step is a candidate as its order sees it: how likely it is accepted, and what
// asking it costs, in nanodollars.
type step struct {
	odds  float64
	now   float64 // this call
	cold  float64 // this call, if no prompt cache knew anything of it
	later float64 // each further call in the same conversation
}

// A climb is a ladder in the making, and for how many more turns of the
// conversation it is made.
type climb struct {
	steps []step
	turns float64
}

// cost is what an order costs in expectation: each step is asked as often as all
// before it fail. Over a conversation the first call to a step is at its price now,
// and the others at that of later.
func (c *climb) cost(order []int) float64 {
	sum, reach := 0.0, 1.0
	for _, i := range order {
		r := &c.steps[i]
		once, times := reach, reach
		if c.turns > 0 {
			once, times = 1-math.Pow(1-reach, 1+c.turns), reach*(1+c.turns)
		}
		sum += once*r.now + max(0, times-once)*r.later
		reach *= 1 - r.odds
	}
	return sum
}

// listed is the order of the rubric.
func (c *climb) listed() []int {
	order := make([]int, len(c.steps))
	for i := range order {
		order[i] = i
	}
	return order
}

// cheapest returns the order of least cost among the rubric's own, the one by cost
// for each acceptance, and those with one step before all others of that. Where
// this call is all there is the second is the best there can be, as an exchange of
// neighbours shows: i before j is better if and only if cost i / odds i is less. So
// a step that does not pay stands behind the one that always answers.
//
// Source: W. E. Smith, "Various optimizers for single-stage production", Naval
// Research Logistics Quarterly 3 (1956) 59–66.
func (c *climb) cheapest() []int {
	best := c.listed()
	ratio := slices.Clone(best)
	slices.SortStableFunc(ratio, func(i, j int) int { return cmp.Compare(c.ratio(i), c.ratio(j)) })
	best = c.cheaper(best, ratio)
	if c.turns > 0 {
		for i := range c.steps {
			best = c.cheaper(best, first(ratio, i))
		}
	}
	return best
}

// dearer returns the order of least cost among the rubric's own and those with a
// step first that costs no less than the one it overtakes, as long as no cache
// knows the conversation: where nothing shows who is good enough, a prompt cache
// may move a conversation up, and never down.
func (c *climb) dearer() []int {
	best := c.listed()
	all := slices.Clone(best)
	for i := range c.steps[1:] {
		if c.steps[i+1].cold >= c.steps[0].cold {
			best = c.cheaper(best, first(all, i+1))
		}
	}
	return best
}

// ratio is what a step costs for each acceptance.
func (c *climb) ratio(i int) float64 {
	r := &c.steps[i]
	return (r.now + c.turns*r.later) / r.odds
}

// cheaper returns the order that costs less, the first if they cost the same but
// for rounding.
func (c *climb) cheaper(a, b []int) []int {
	if x := c.cost(a); c.cost(b) < x-1e-9*x {
		return b
	}
	return a
}

// first returns the order with a step before the others.
func first(order []int, i int) []int {
	out := append(make([]int, 0, len(order)), i)
	for _, j := range order {
		if j != i {
			out = append(out, j)
		}
	}
	return out
}

// arrange puts the candidates in order, and says what that is expected to cost. It
// adds nobody and removes nobody.
//
// The rubric's order stands until there is evidence of everybody but the last, who
// is trusted, and the guard has found that ordering by it pays. Without evidence
// only a prompt cache moves somebody to the front.
func (p *planning) arrange() {
	if len(p.Candidates) > 1 && p.skill.Rubric.Order != skill.Listed {
		measured := p.measured()
		if t := p.talk(); t != nil || measured {
			p.settle(t, measured)
		}
	}
	p.Expected = p.expected()
}

// expected is what the ladder costs in expectation: each candidate as often as all
// before it fail.
func (p *planning) expected() starling.Money {
	sum, reach := 0.0, 1.0
	for i := range p.Candidates {
		c := &p.Candidates[i]
		sum += reach * float64(c.Expected)
		reach *= 1 - c.Probability
	}
	return starling.Money(sum)
}

// measured reports whether the evidence may order the candidates. Where the guard
// has found that it should not, the rule says so.
func (p *planning) measured() bool {
	guard, known := p.Insight.guard(p.skill)
	if !known {
		return false
	}
	if !guard.On {
		p.Rule += " (routing is off here: " + guard.Why + ")"
		return false
	}
	last := len(p.tries)
	if p.trusted {
		last--
	}
	for _, tries := range p.tries[:last] {
		if tries < enough {
			return false
		}
	}
	return true
}

// plain is the climb of this call alone, as if nobody had asked anything before.
func (p *planning) plain() *climb {
	c := &climb{steps: make([]step, len(p.Candidates))}
	for i := range p.Candidates {
		k := &p.Candidates[i]
		cost := float64(k.Expected)
		c.steps[i] = step{odds: max(k.Probability, 1e-6), now: cost, cold: cost}
	}
	return c
}

// settle decides on the order, and says why it is not the rubric's. The talk is nil
// outside a conversation.
func (p *planning) settle(t *talk, measured bool) {
	alone := p.plain()
	order := alone.listed()
	if measured {
		order = alone.cheapest()
	}
	why := ""
	if listed := alone.listed(); !slices.Equal(order, listed) {
		why = fmt.Sprintf("expected cost, from evidence: %s instead of %s in the rubric's order", starling.Money(alone.cost(order)), starling.Money(alone.cost(listed)))
	}
	if t != nil {
		c := t.climb(p)
		talking := c.dearer()
		if measured {
			talking = c.cheapest()
		}
		if talking[0] != order[0] {
			why = t.why(p, c, talking[0])
		}
		order = talking
		for i := range p.Candidates {
			p.Candidates[i].Expected = min(starling.Money(c.steps[i].now), p.Candidates[i].Worst)
		}
	}
	if !slices.IsSorted(order) {
		p.reorder(order)
	}
	p.because(why)
}

// because notes what changed the order, beside the rule that chose who is in it.
func (p *planning) because(why string) {
	switch {
	case why == "":
	case p.Rule == listedRule:
		p.Rule = why
	default:
		p.Rule += "; " + why
	}
}

// reorder puts the candidates in an order. Whoever comes to stand behind the last
// of the ladder is told why: asking it first costs more than it saves.
func (p *planning) reorder(order []int) {
	last := len(p.Candidates) - 1
	out := make([]starling.Candidate, 0, len(order))
	passed := ""
	for _, i := range order {
		c := p.Candidates[i]
		if passed != "" {
			c.Why += ", does not pay before " + passed + ": asked only if that fails"
		}
		if i == last && p.trusted {
			passed = c.Model.ID()
		}
		out = append(out, c)
	}
	p.Candidates = out
}
