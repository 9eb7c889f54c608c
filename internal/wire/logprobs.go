package wire

import (
	"bytes"
	"errors"
	"math"
	"strconv"

	"starling"
)

// Log-probabilities of the tokens say how sure a model was of its answer. All dialects
// but anthropic have them, and only who asks gets them. What an upstream says of itself
// counts as its confidence in the openai and ollama dialects.
//
// Source: OpenAI's OpenAPI document 2.3.0 (2026-08-21), CreateChatCompletionRequest,
// ChatCompletionTokenLogprob, LogProb and CreateCompletionResponse; api/types.go of
// Ollama v0.17.4; LogprobsResult of google.golang.org/genai v1.77.0.

func readLogprobs(r *starling.Request, v []byte) error {
	r.WantProbs = kindOf(v) != 'f'
	return nil
}

// AskLogprobs returns a question of the openai or ollama dialect with log-probabilities
// asked for, in new memory. It is for a caller who did not ask, so what comes of
// it is to be taken out again ([ReadOptions].HideLogprobs).
func AskLogprobs(body []byte) []byte {
	if at, end := locate(body, "logprobs"); at < end { // false, or null
		return edited(body, edit{at, end, "true"})
	}
	start := skipSpace(body, 0) + 1
	return edited(body, edit{start, start, `"logprobs":true,`}) // there are other members
}

// A certainty adds up the log-probabilities of an answer's tokens.
type certainty struct {
	sum    float64
	tokens int
	broken bool // one of them is no number: of the whole nothing is known
}

// add takes what an upstream says of an answer's tokens, an array: those of its
// text, whatever the upstream counts among them. Those of a refusal are no answer's.
func (c *certainty) add(logprobs []byte) {
	for m := enter(logprobs); m.next(); {
		v := field(m.value, "logprob")
		c.broken = c.broken || kindOf(v) != '0'
		p, _ := strconv.ParseFloat(string(v), 64) // out of range is infinite, which will do
		c.sum += min(p, 0)                        // some round to a little more than certain
		c.tokens++
	}
}

// leastConfidence stands for a probability too small to be told from 0, which
// would mean that nothing was said.
const leastConfidence = 1e-9

func (c *certainty) confidence() float64 {
	if c.broken {
		return 0
	}
	return Confidence(c.sum, c.tokens)
}

// Confidence returns the geometric mean of the probabilities of an answer's tokens, from
// the sum of their logarithms; 0 if nothing is known of them.
func Confidence(sum float64, tokens int) float64 {
	if tokens == 0 {
		return 0
	}
	return max(math.Exp(sum/float64(tokens)), leastConfidence)
}

// withoutLogprobs returns an event, or a body, whose data is in raw, as it would
// be if nobody had asked for log-probabilities: null stands in their place. The
// result is in new memory, or raw itself.
func withoutLogprobs(raw, data []byte) []byte {
	if !bytes.Contains(raw, []byte(`"logprobs"`)) || !valid(data) {
		return raw
	}
	var cut []edit
	for m := enter(data); m.next(); {
		if m.is("logprobs") && !m.null() { // ollama's
			cut = append(cut, edit{m.i - len(m.value), m.i, "null"})
		}
		if !m.is("choices") {
			continue
		}
		choices := m.i - len(m.value)
		for c := enter(m.value); c.next(); {
			cut = append(cut, logprobsOf(c.value, choices+c.i-len(c.value))...)
		}
	}
	if len(cut) == 0 {
		return raw
	}
	return splicedEvent(nil, raw, data, cut)
}

// logprobsOf returns the edits that silence a choice which begins at that place.
func logprobsOf(choice []byte, at int) (cut []edit) {
	for m := enter(choice); m.next(); {
		if m.is("logprobs") && !m.null() {
			cut = append(cut, edit{at + m.i - len(m.value), at + m.i, "null"})
		}
	}
	return cut
}

// splicedEvent appends an event with edits, in order, made to its data.
func splicedEvent(dst, raw, data []byte, edits []edit) []byte {
	start := bytes.Index(raw, data)
	if start < 0 { // it came in several lines
		return appendData(dst, appendEdited(nil, data, edits...))
	}
	for i := range edits {
		edits[i].from, edits[i].to = edits[i].from+start, edits[i].to+start
	}
	return appendEdited(dst, raw, edits...)
}

// logprobs writes the tokens of a choice of the openai dialect, null for none.
func (p *pen) logprobs(tokens []starling.Token) {
	p.key("logprobs")
	if len(tokens) == 0 {
		p.raw(nil)
		return
	}
	p.open('{')
	p.key("content")
	p.tokens(tokens)
	p.key("refusal")
	p.raw(nil)
	p.shut('}')
}

// tokens writes tokens as OpenAI and Ollama do.
func (p *pen) tokens(all []starling.Token) {
	p.open('[')
	for i := range all {
		p.open('{')
		p.token(&all[i])
		p.key("top_logprobs")
		p.open('[')
		for j := range all[i].Top {
			p.open('{')
			p.token(&all[i].Top[j])
			p.shut('}')
		}
		p.shut(']')
		p.shut('}')
	}
	p.shut(']')
}

func (p *pen) token(t *starling.Token) {
	p.pairs("token", t.Text)
	p.key("logprob")
	p.float(writable(t.Logprob))
	p.key("bytes")
	p.open('[')
	for _, b := range []byte(t.Text) {
		p.int(int64(b))
	}
	p.shut(']')
}

// leastLogprob is what OpenAI writes for a token that could hardly have been said. JSON
// has no infinity.
const leastLogprob = -9999

func writable(logprob float64) float64 {
	if math.IsNaN(logprob) {
		return leastLogprob
	}
	return min(max(logprob, leastLogprob), 0)
}

// tokensOf reads what tokens writes.
func tokensOf(v []byte) (all []starling.Token) {
	for m := enter(v); m.next(); {
		t := tokenOf(m.value)
		for top := enter(field(m.value, "top_logprobs")); top.next(); {
			t.Top = append(t.Top, tokenOf(top.value))
		}
		all = append(all, t)
	}
	return all
}

func tokenOf(v []byte) starling.Token {
	t := starling.Token{Text: text(field(v, "token")), Logprob: logprobOf(field(v, "logprob"))}
	if bytes := field(v, "bytes"); kindOf(bytes) == '[' {
		var raw []byte
		for m := enter(bytes); m.next(); {
			raw = append(raw, byte(tokens(m.value)))
		}
		t.Text = string(raw)
	}
	return t
}

// logprobOf reads a number; what is none is hardly likely.
func logprobOf(v []byte) float64 {
	x, err := strconv.ParseFloat(string(v), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return leastLogprob
	}
	return x
}

// A probable gives the tokens that an upstream tells of to the text that it tells.
type probable struct {
	waiting []starling.Token // their text is not there yet: it ends within a character
}

// add gives tokens to the first text among an event's deltas from that number on. Those
// of thoughts, which some servers count among them, are left out.
func (p *probable) add(ev *starling.Event, from int, tokens []starling.Token) {
	if p.waiting = append(p.waiting, tokens...); len(p.waiting) == 0 || len(ev.Deltas) == from {
		return
	}
	for i := from; i < len(ev.Deltas); i++ {
		if ev.Deltas[i].Kind == starling.TextPart {
			ev.Deltas[i].Tokens = p.waiting
			break
		}
	}
	p.waiting = nil
}
