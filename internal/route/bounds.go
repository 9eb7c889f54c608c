package route

import (
	"bytes"
	"fmt"
	"sort"

	"starling"
)

// What is known of tokens before anybody has counted them.
const (
	// bytesPerToken is the usual length of a token in English text; it serves
	// for expectations only.
	bytesPerToken = 4
	// Every token of a byte-level vocabulary covers at least one byte, so the
	// body's length bounds its tokens, with each message's JSON frame paying for
	// its template. What vendors add in front comes on top; tools bring a
	// preamble of several hundred tokens.
	frameTokens    = 64
	preambleTokens = 2048
	// The dearest image in published tables is just under this many tokens.
	imageTokens = 50_000
	// usualOutput is what an answer is expected to have when nobody said.
	usualOutput = 300
)

// bounds returns the most tokens a call can read and write. An output of 0 means
// that nothing bounds it.
func bounds(req *starling.Request, m starling.Model) (input, output int64) {
	input = int64(len(req.Body)) + frameTokens + int64(req.Images)*imageTokens
	if req.Tools > 0 {
		input += preambleTokens
	}
	if m.Context > 0 {
		input = min(input, m.Context)
	}
	output = req.MaxTokens
	if output == 0 || m.MaxOutput > 0 && output > m.MaxOutput {
		output = m.MaxOutput
	}
	if output == 0 {
		output = m.Context
	}
	return input, output * max(req.Choices, 1)
}

// worst returns the most that a call can cost. Anthropic writes to its prompt
// cache, at a higher price, only where the caller marks it.
func worst(req *starling.Request, m starling.Model, input, output int64) starling.Money {
	price := m.Price
	if m.Dialect == starling.Anthropic && (req.Dialect != starling.Anthropic || !bytes.Contains(req.Body, []byte("cache_control"))) {
		price = price.WithoutCacheWrites()
	}
	total := price.Worst(input, output, longest)
	if m.Hedged {
		total = total.Plus(total)
	}
	return total
}

func expectedOutput(req *starling.Request) int64 {
	if req.MaxTokens > 0 {
		return min(req.MaxTokens, usualOutput)
	}
	return usualOutput
}

// unsuited says why a model cannot take a request; kind "" when it can.
func unsuited(req *starling.Request, screen starling.Screen, m starling.Model, output int64) (kind starling.Kind, why string) {
	switch {
	case m.Zone == starling.Nowhere || m.Zone > screen.Furthest:
		return starling.Forbidden, fmt.Sprintf("it runs in zone %s, and data of class %s may go no further than %s", m.Zone, screen.Class, screen.Furthest)
	case !m.Price.Known():
		return starling.Invalid, "its price is unknown; declare one under prices in the configuration"
	case req.Tools > 0 && m.NoTools:
		return starling.Invalid, "it cannot call tools"
	case req.Images > 0 && m.NoImages:
		return starling.Invalid, "it cannot read images"
	case output == 0 && m.Price.Milliwatts == 0 && !m.Price.Free:
		return starling.Invalid, "nothing bounds its answer; set max_tokens"
	case m.Context > 0 && leastTokens(req) > m.Context:
		return starling.TooLarge, fmt.Sprintf("at least %d tokens do not fit its window of %d", leastTokens(req), m.Context)
	}
	return "", ""
}

// leastTokens is a count that no real text falls below: one token for sixteen
// bytes. It finds what surely cannot fit; counting exactly is the model's part.
// An image's bytes are no text, so a request with images is let through.
func leastTokens(req *starling.Request) int64 {
	if req.Images > 0 {
		return 0
	}
	return int64(len(req.Body)) / 16
}

// outputHint says which max_tokens would have fitted under the limit. Saying it
// may lengthen the body, so there is room for that.
func outputHint(req *starling.Request, m starling.Model, limit starling.Money) string {
	const field = `"max_completion_tokens":2147483647,`
	input, most := bounds(req, m)
	if input += int64(len(field)); m.Context > 0 {
		input = min(input, m.Context)
	}
	choices := max(req.Choices, 1)
	fits := sort.Search(int(most/choices), func(n int) bool {
		return worst(req, m, input, int64(n+1)*choices) > limit
	})
	if fits == 0 {
		return ""
	}
	return fmt.Sprintf("; max_tokens of at most %d would fit", fits)
}
