package wire

import (
	"bytes"
	"math"
	"strconv"

	"starling"
)

// Log-probabilities of the tokens say how sure a model was of its answer. The
// openai and ollama dialects have them, and only who asks gets them.
//
// Source: OpenAI's OpenAPI document 2.3.0 (2026-08-21), CreateChatCompletionRequest
// and ChatCompletionTokenLogprob; api/types.go of Ollama v0.17.4.

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
