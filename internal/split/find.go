package split

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"starling"
)

// What a reader may report of a chunk.
const (
	mostFindings = 8
	mostQuote    = 600 // bytes
	leastQuote   = 6   // of which anything would stand in any text
	mostSays     = 400
)

// MostUnread is the share of the readings that may fail. Of more the answer would say too
// little, and everything is sent to the next candidate.
const MostUnread = 0.25

// A Finding is what a reader found in a chunk.
type Finding struct {
	Quote string `json:"quote"` // words of the chunk
	Says  string `json:"says"`  // what they say about what was looked for, in the reader's words
}

// findSchema is the shape of a reader's answer.
const findSchema = `{"type":"object","additionalProperties":false,"required":["found","findings"],"properties":{"found":{"type":"boolean"},"findings":{"type":"array","items":{"type":"object","additionalProperties":false,"required":["quote","says"],"properties":{"quote":{"type":"string"},"says":{"type":"string"}}}}}}`

// ReadFindings reads what a reader answered about the chunk of that number. Every quote
// must stand in it, up to white space: what does not was not read there. The error says,
// without a word of the answer, what is wrong with it.
func (w *Work) ReadFindings(number int, text string) ([]Finding, error) {
	var said struct {
		Found    bool      `json:"found"`
		Findings []Finding `json:"findings"`
	}
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		return nil, errors.New("what was found is not the JSON that was asked for")
	}
	switch n := len(said.Findings); {
	case said.Found != (n > 0):
		return nil, errors.New("it says both that there is something and that there is nothing")
	case n > mostFindings:
		return nil, fmt.Errorf("there are %d findings; there may be %d", n, mostFindings)
	}
	chunk := folded(w.Text(number))
	for i, f := range said.Findings {
		quote := folded(f.Quote)
		switch {
		case len(quote) < leastQuote || len(f.Quote) > mostQuote:
			return nil, fmt.Errorf("quote %d is too short or too long", i+1)
		case strings.TrimSpace(f.Says) == "" || len(f.Says) > mostSays:
			return nil, fmt.Errorf("finding %d says nothing, or too much", i+1)
		case !strings.Contains(chunk, quote):
			return nil, fmt.Errorf("quote %d does not stand in the chunk", i+1)
		}
	}
	return said.Findings, nil
}

func folded(text string) string { return strings.Join(strings.Fields(text), " ") }

// Quotes is the name of the verifier of what readers answer.
const Quotes = "quotes"

// Quotes accepts what a reader may answer about the chunk of that number.
func (w *Work) Quotes(number int) starling.Verifier {
	return check{Quotes, func(text string) error {
		_, err := w.ReadFindings(number, text)
		return err
	}}
}

// A check is a verifier that says what is wrong with a text.
type check struct {
	name  string
	wrong func(text string) error
}

func (c check) Name() string { return c.name }

// Verify implements [starling.Verifier].
func (c check) Verify(_ context.Context, _ *starling.Request, a *starling.Answer) (starling.Verdict, error) {
	v := starling.Verdict{Verifier: c.name, Accept: true}
	if err := c.wrong(strings.TrimSpace(a.Text)); err != nil {
		v.Accept, v.Why = false, err.Error()
	}
	return v, nil
}
