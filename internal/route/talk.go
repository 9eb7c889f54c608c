package route

import (
	"fmt"
	"time"

	"starling"
)

// A talk is the conversation that a request belongs to, for who orders its
// candidates.
type talk struct {
	session
	turns float64 // that will follow
	now   time.Time
}

// talk returns the conversation of a request; nil if it is none, or so short that
// no provider's prompt cache has a part in it. A first question with tools is the
// beginning of one: agents go on by themselves.
func (p *planning) talk() *talk {
	if p.Sessions == nil || len(p.req.Body)-p.req.Opaque < leastText {
		return nil
	}
	o := p.prompt.read(p.req)
	turn := int64(o.Answers) + 1
	if turn == 1 && p.req.Tools == 0 || o.First == nil {
		return nil
	}
	p.Session = starling.Session{ID: p.Sessions.id(p.req, o), Turn: turn}
	kind := kindOfTalk{p.Plan.Skill, p.req.Tools > 0}
	t := &talk{now: time.Now(), turns: p.Sessions.expect(kind, turn)}
	t.session = p.Sessions.look(p.Session.ID, kind, t.now)
	return t
}

// climb prices the candidates over the rest of the conversation.
func (t *talk) climb(p *planning) *climb {
	c := &climb{steps: make([]step, len(p.Candidates)), turns: t.turns}
	for i := range p.Candidates {
		k := &p.Candidates[i]
		c.steps[i] = t.step(p, k)
		c.steps[i].odds = max(k.Probability, 1e-6)
	}
	return c
}

// step prices a candidate: this call as far as its provider's cache may know the
// prompt, this call as if it knew nothing, and a call in the middle of what follows.
func (t *talk) step(p *planning, k *starling.Candidate) step {
	u := k.Model.Expect(p.req)
	if t.rate > 0 {
		u.Input = int64(t.rate * float64(len(p.req.Body)-p.req.Opaque))
	}
	if t.output > 0 {
		u.Output = int64(t.output)
	}
	price := func(read, fresh int64, cached bool) float64 {
		cost := starling.Usage{Input: fresh, Output: u.Output}
		if cached && read+fresh >= leastCached {
			cost = starling.Usage{CacheRead: read, CacheWrite: fresh, Output: u.Output}
		}
		return float64(expected(k.Model, cost))
	}
	before := t.of(k.Model.ID())
	cached := p.caches(&k.Model) && (before == nil || !before.blind)
	known := int64(0)
	if cached && before != nil && before.tokens >= leastCached && t.now.Before(before.until) {
		known = min(before.tokens, u.Input)
	}
	growth := t.growth
	if growth == 0 {
		growth = float64(u.Output) + usualQuestion
	}
	grown := u.Input + int64(growth*max(0, t.turns-1)/2) // what was said before a call in the middle of what follows
	r := step{now: price(known, u.Input-known, cached), cold: price(0, u.Input, cached)}
	if cached && !t.slow {
		r.later = price(grown, int64(growth), true)
	} else {
		r.later = price(0, grown+int64(growth), cached)
	}
	return r
}

// usualQuestion is how many tokens a turn brings beside the answer before it.
const usualQuestion = 200

// caches reports whether a model's provider remembers prompts like this one, and
// asks less for what it remembers. Anthropic's only does where it is marked.
func (p *planning) caches(m *starling.Model) bool {
	return m.Price.CacheRead > 0 && m.Price.CacheRead < m.Price.Input && (m.Dialect != starling.Anthropic || marksCache(p.req))
}

// why says why a conversation begins with another candidate than its request would
// alone.
func (t *talk) why(p *planning, c *climb, first int) string {
	name := p.Candidates[first].Model.ID()
	if lost := c.steps[first].cold - c.steps[first].now; lost > 0 {
		return fmt.Sprintf("kept in its session with %s: switching would lose %s of cached prompt", name, starling.Money(lost))
	}
	return fmt.Sprintf("%s first: with its prompt cache it is cheapest for a conversation of some %.0f more turns", name, t.turns)
}
