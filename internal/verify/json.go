package verify

import (
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"strconv"
	"strings"
)

// A document is how an answer that must be JSON is read.
type document struct {
	fence bool // it may stand in a code fence
}

// read returns the answer's one JSON value, numbers as [json.Number], and its
// text. Why says what forbids that: anything before or after it, a key that is
// there twice (readers differ in which they take), numbers beyond all measure.
func (d document) read(answer string) (value any, raw, why string) {
	raw = strings.TrimSpace(answer)
	if d.fence {
		raw = unfenced(raw)
	}
	p := parser{dec: json.NewDecoder(strings.NewReader(raw))}
	p.dec.UseNumber()
	value, err := p.value(0)
	if err == nil {
		if _, end := p.dec.Token(); end != io.EOF {
			err = fault("something follows the JSON value")
		}
	}
	if err != nil {
		return nil, "", faultOf(err)
	}
	return value, raw, ""
}

// unfenced returns what stands between ``` or ```json and ```, or the text as it
// is if it is not all in one fence.
func unfenced(text string) string {
	first, rest, ok := strings.Cut(text, "\n")
	body, closed := strings.CutSuffix(rest, "```")
	mark := strings.ToLower(strings.TrimSpace(first))
	if !ok || !closed || mark != "```" && mark != "```json" {
		return text
	}
	return strings.TrimSpace(body)
}

// faultOf names what is wrong without a word of the answer: the decoder's own
// errors quote it.
func faultOf(err error) string {
	if f, ok := errors.AsType[fault](err); ok {
		return string(f)
	}
	return "the answer is not one JSON value and nothing else"
}

// A fault is an error whose text may be shown.
type fault string

func (f fault) Error() string { return string(f) }

type parser struct{ dec *json.Decoder }

const maxNesting = 100

func (p parser) value(depth int) (any, error) {
	token, err := p.dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if depth == maxNesting {
			return nil, fault("the JSON is nested too deeply")
		}
		if t == '{' {
			return p.object(depth + 1)
		}
		return p.array(depth + 1)
	case json.Number:
		if _, ok := rational(t.String()); !ok {
			return nil, fault("a number is out of range")
		}
	}
	return token, nil
}

func (p parser) object(depth int) (any, error) {
	object := map[string]any{}
	for p.dec.More() {
		token, err := p.dec.Token()
		if err != nil {
			return nil, err
		}
		key, _ := token.(string)
		if _, twice := object[key]; twice {
			return nil, fault("a key of the JSON is there twice")
		}
		if object[key], err = p.value(depth); err != nil {
			return nil, err
		}
	}
	_, err := p.dec.Token()
	return object, err
}

func (p parser) array(depth int) (any, error) {
	array := []any{}
	for p.dec.More() {
		item, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		array = append(array, item)
	}
	_, err := p.dec.Token()
	return array, err
}

// rational reads a JSON number exactly. One with more than 100 characters or an
// exponent beyond ±300 is refused: it could take up any amount of memory.
func rational(text string) (*big.Rat, bool) {
	const longest, furthest = 100, 300
	if len(text) > longest {
		return nil, false
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		if e, err := strconv.Atoi(text[i+1:]); err != nil || e > furthest || e < -furthest {
			return nil, false
		}
	}
	return new(big.Rat).SetString(text)
}
