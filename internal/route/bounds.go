package route

import (
	"cmp"
	"fmt"
	"math"
	"sort"

	"starling"
	"starling/internal/wire"
)

// worst returns the most that a call can cost. Anthropic writes to its prompt
// cache, at a higher price, only where the caller marks it. What the vendor's own
// tools read and charge is bounded by nothing: where there is a cap, they are over
// it. In another dialect they are refused or left out. A limit of their calls
// (max_tool_calls of Responses) bounds them no better: what a call reads, and for most
// vendors what it is charged, nobody states.
func worst(req *starling.Request, m starling.Model, input, output int64) starling.Money {
	price := m.Price
	if req.Hosted > 0 && m.Speaks(req.Dialect) && price.Milliwatts == 0 && !price.Free {
		return Boundless
	}
	if m.Dialect == starling.Anthropic && !marksCache(req) {
		price = price.WithoutCacheWrites()
	}
	total := price.Worst(input, output, cmp.Or(m.Longest, longest))
	if m.Hedged {
		total = total.Plus(total)
	}
	return total
}

// marksCache reports whether a request may mark what is to be written to a cache.
func marksCache(req *starling.Request) bool {
	return req.Dialect == starling.Anthropic &&
		(wire.Mentions(req.Body, "cache_control") || wire.Mentions(req.Body, `\u00`)) // as an escape may spell it
}

// Boundless is more than any cap.
const Boundless = starling.Money(math.MaxInt64)

// unfit says why a model is asked nothing of that class in that dialect, whatever it is;
// kind "" if it may be.
func unfit(d starling.Dialect, screen starling.Screen, m starling.Model) (kind starling.Kind, why string) {
	switch {
	case m.Zone == starling.Nowhere || m.Zone > screen.Furthest:
		return starling.Forbidden, fmt.Sprintf("it runs in zone %s, and data of class %s may go no further than %s", m.Zone, screen.Class, screen.Furthest)
	case m.Away != "":
		return starling.Invalid, m.Away
	case untaken(d, m) != "":
		return starling.Invalid, untaken(d, m)
	case !m.Price.Known():
		return starling.Invalid, "its price is unknown; declare one under prices in the configuration"
	}
	return "", ""
}

// unsuited says why a model cannot take a request; kind "" when it can.
func unsuited(req *starling.Request, screen starling.Screen, m starling.Model, input, output int64) (kind starling.Kind, why string) {
	if kind, why := unfit(req.Dialect, screen, m); kind != "" {
		return kind, why
	}
	byTokens := m.Price.Milliwatts == 0 && !m.Price.Free
	switch {
	case req.Tools > 0 && m.NoTools:
		return starling.Invalid, "it cannot call tools"
	case req.Images+req.Documents > 0 && m.NoImages:
		return starling.Invalid, "it cannot read images"
	case req.Tier != "" && byTokens:
		return starling.Invalid, "its price is known for the standard service only, not for " + req.Tier
	case output == 0 && byTokens && req.Dialect.Wants() == "":
		return starling.Invalid, "nothing bounds its answer; set max_tokens (starling run and ask: --max-tokens)"
	case input == 0 && byTokens:
		return starling.Invalid, "nothing bounds what it reads of a document: its window is unknown; declare its context under prices in the configuration"
	}
	return "", ""
}

// untaken says why a model is not asked such questions, "" if it is.
func untaken(d starling.Dialect, m starling.Model) string {
	want := d.Wants()
	switch {
	case m.Answers(d):
		return ""
	case want == starling.CountTokens:
		return "its upstream counts no tokens"
	case want == starling.Embeddings:
		return "it is not known to turn texts into vectors; if it does, list it under embeds of its provider"
	case want == starling.Moderations:
		return "it is no moderation model"
	case m.Takes == starling.Embeddings:
		return "it turns texts into vectors and does not converse; ask it at /v1/embeddings"
	}
	return "it moderates and does not converse; ask it at /v1/moderations"
}

// leastTokens is a count that no real text falls below: one token for sixteen
// bytes. It finds what surely cannot fit without counting it. The bytes of images and
// documents are no text. Of many texts whose vectors are asked for each has the window
// for itself.
func leastTokens(req *starling.Request) int64 {
	least := req.TextBytes() / 16
	if req.Dialect.Wants() != "" {
		least /= max(req.Choices, 1)
	}
	return least
}

const (
	leastAnswer = 16   // tokens of an answer without which no question is worth asking
	wished      = 256  // that are left for one of which nobody said how long it may be
	leastWindow = 1024 // no model has a smaller one
)

// A crowding is how much too long a prompt is for a window.
type crowding struct{ tokens, most int64 }

// overfull says why a request does not fit the window of a model, "" if it may. Nobody
// counts where its bytes fit, as a text has no more tokens.
//
// A server near by cuts in silence what does not fit, so what is counted decides. Vendors
// refuse it, and know better than we where the border is, so it takes what the text surely
// has. Whoever is the only one is asked for a shorter answer rather than for none.
func (p *planning) overfull(m starling.Model) (why string) {
	p.close = ""
	answer := p.answer(m)
	if m.Context == 0 {
		return ""
	}
	if least := leastTokens(p.req); least > m.Context {
		p.crowd(least, m.Context)
		return fmt.Sprintf("at least %d tokens do not fit its window of %d", least, m.Context)
	}
	if p.req.Dialect.Wants() != "" || p.req.TextBytes()+answer <= max(m.Context, leastWindow) {
		return ""
	}
	size := p.Factors.Size(p.req, m)
	tokens := size.Least
	if nearby(m) && !m.Counts {
		tokens = size.Tokens
	}
	switch text := fmt.Sprintf("%s + %d of answer", size, answer); {
	case tokens+answer > m.Context:
		p.crowd(size.Tokens, m.Context-answer)
		return fmt.Sprintf("%s do not fit its window of %d", text, m.Context)
	case size.Tokens+answer > m.Context:
		p.close = fmt.Sprintf(", may not fit: %s, of %d", text, m.Context)
	}
	return ""
}

// Room returns the most tokens that a prompt may have for the window of a model, and
// whether it is worth asking the model's server how many one has: by our own count it
// may have more.
func (r *Router) Room(req *starling.Request, m starling.Model) (most int64, ask bool) {
	most = m.Context - leastAnswer
	if m.Context == 0 || !m.Counts || req.TextBytes() <= max(most, leastWindow) {
		return most, false
	}
	const doubt = 5 // a part that templates, and what is no text, may add
	tokens := r.Factors.Size(req, m).Tokens
	return most, tokens+tokens/doubt > most
}

func nearby(m starling.Model) bool {
	return m.Zone == starling.Machine || m.Zone == starling.Office
}

// answer is what a window must have room for beside the prompt.
func (p *planning) answer(m starling.Model) int64 {
	n := cmp.Or(p.req.MaxTokens, wished)
	if p.only {
		n = min(n, leastAnswer)
	}
	if m.MaxOutput > 0 {
		n = min(n, m.MaxOutput)
	}
	return n
}

// crowd notes who comes nearest to having room.
func (p *planning) crowd(tokens, most int64) {
	if p.crowded.tokens == 0 || most > p.crowded.most {
		p.crowded = crowding{max(tokens, most+1), max(most, 0)}
	}
}

// outputHint says which max_tokens would have fitted under the limit. Saying it
// may lengthen the body, so there is room for that.
func outputHint(req *starling.Request, m starling.Model, limit starling.Money) string {
	const field = `"max_completion_tokens":2147483647,`
	input, most := m.Bounds(req)
	input += int64(len(field))
	choices := max(req.Choices, 1)
	fits := sort.Search(int(most/choices), func(n int) bool {
		return worst(req, m, input, int64(n+1)*choices) > limit
	})
	if fits == 0 {
		return ""
	}
	return fmt.Sprintf("; max_tokens of at most %d would fit", fits)
}
