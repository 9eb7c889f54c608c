package route

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"sort"

	"starling"
)

// worst returns the most that a call can cost. Anthropic writes to its prompt
// cache, at a higher price, only where the caller marks it. What the vendor's own
// tools read and charge is bounded by nothing: where there is a cap, they are over
// it. In another dialect they are refused or left out.
func worst(req *starling.Request, m starling.Model, input, output int64) starling.Money {
	price := m.Price
	if req.Hosted > 0 && m.Speaks(req.Dialect) && price.Milliwatts == 0 && !price.Free {
		return boundless
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
		(bytes.Contains(req.Body, []byte("cache_control")) || bytes.Contains(req.Body, []byte(`\u00`))) // as an escape may spell it
}

// boundless is more than any cap.
const boundless = starling.Money(math.MaxInt64)

// unsuited says why a model cannot take a request; kind "" when it can.
func unsuited(req *starling.Request, screen starling.Screen, m starling.Model, input, output int64) (kind starling.Kind, why string) {
	byTokens := m.Price.Milliwatts == 0 && !m.Price.Free
	switch {
	case m.Zone == starling.Nowhere || m.Zone > screen.Furthest:
		return starling.Forbidden, fmt.Sprintf("it runs in zone %s, and data of class %s may go no further than %s", m.Zone, screen.Class, screen.Furthest)
	case m.Away != "":
		return starling.Invalid, m.Away
	case !m.Price.Known():
		return starling.Invalid, "its price is unknown; declare one under prices in the configuration"
	case req.Tools > 0 && m.NoTools:
		return starling.Invalid, "it cannot call tools"
	case req.Images+req.Documents > 0 && m.NoImages:
		return starling.Invalid, "it cannot read images"
	case req.Tier != "" && byTokens:
		return starling.Invalid, "its price is known for the standard service only, not for " + req.Tier
	case output == 0 && byTokens:
		return starling.Invalid, "nothing bounds its answer; set max_tokens"
	case input == 0 && byTokens:
		return starling.Invalid, "nothing bounds what it reads of a document: its window is unknown; declare its context under prices in the configuration"
	case m.Context > 0 && leastTokens(req) > m.Context:
		return starling.TooLarge, fmt.Sprintf("at least %d tokens do not fit its window of %d", leastTokens(req), m.Context)
	}
	return "", ""
}

// leastTokens is a count that no real text falls below: one token for sixteen
// bytes. It finds what surely cannot fit; counting exactly is the model's part.
// The bytes of images and documents are no text.
func leastTokens(req *starling.Request) int64 { return int64(len(req.Body)-req.Opaque) / 16 }

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
