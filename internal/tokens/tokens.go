// Package tokens counts the tokens of a request before a model is asked, and notices
// when a model has read fewer than it was sent.
//
// What is counted is the text that a model reads ([wire.ReadingOf]), with a frame for
// each message. Pictures, sound and documents are not in it: [starling.Model.Bounds]
// bounds them. The count is that of OpenAI's tokenizers. For OpenAI's own models and
// plain text it is the vendor's own count. For everybody else it is an estimate: how
// much of a model's own tokens one of ours is, its factor, is learned from the usage
// that it returns ([Factors]), and until then it is taken to be 1. It errs downwards:
// what a vendor adds in front, such as a preamble for tools, is not in it.
//
// Counting takes a processor about 0.02 ms a kilobyte, and 0.15 ms where the words are
// new (go test -bench Count), so nobody counts who need not: a text has no more tokens
// than bytes, what was counted is remembered ([starling.Counted]
// for a request, digests of words and of long passages, so that a conversation that goes
// on is counted where it is new), and [Factors.Due] says which calls are counted beside.
//
//	what a request has    tokens.go
//	with which tokenizer  encoding.go, cut.go
//	a model's factor      factor.go
//	who read too little   short.go
//
// The rules are in docs/spec/windows.md.
package tokens

import (
	"fmt"

	"starling"
	"starling/internal/wire"
)

// A Size is how many tokens a request's text has for a model.
type Size struct {
	Tokens int64 // as the model counts them, as far as is known
	Least  int64 // that it surely has
	Ours   int64 // by our own tokenizer, before the factor
	Exact  bool  // by the vendor's own tokenizer
	How    string
}

// String is for people: "about 131204 tokens (counted with o200k_base × 1.07, an
// estimate)".
func (s Size) String() string {
	if s.Exact {
		return fmt.Sprintf("%d tokens (%s)", s.Tokens, s.How)
	}
	return fmt.Sprintf("about %d tokens (%s)", s.Tokens, s.How)
}

// Size returns how many tokens the text of r has for m.
func (f *Factors) Size(r *starling.Request, m starling.Model) Size {
	return f.size(r, m, Ours(r, m, nil))
}

// size makes a size of what was counted.
func (f *Factors) size(r *starling.Request, m starling.Model, counted int64) Size {
	e := encodingOf(m)
	s := Size{Ours: counted, Tokens: counted, Least: counted, Exact: exact(r, m)}
	if s.Exact {
		s.How = "counted with " + e.enc.name
		return s
	}
	k := f.known(m.ID())
	s.Tokens = int64(float64(counted) * k.factor)
	s.Least = int64(float64(counted) * k.least)
	s.How = fmt.Sprintf("counted with %s × %.2f, an estimate", e.enc.name, k.factor)
	if k.seen == 0 {
		s.How = "counted with " + e.enc.name + ", an estimate"
	}
	return s
}

// exact reports whether our count is the vendor's own: of plain text alone, since what
// becomes of tools, pictures and a demanded shape is known to the vendor only.
func exact(r *starling.Request, m starling.Model) bool {
	if !encodingOf(m).own || r.Tools+r.Images+r.Documents > 0 || len(r.Body) > mostText {
		return false
	}
	o := wire.ReadingOf(r)
	return !o.Shaped && o.Managed == ""
}

// What a model puts around a message: OpenAI's figures, of which others' differ little.
//
// Source: OpenAI's cookbook, "How to count tokens with tiktoken".
const (
	perTurn  = 4 // with the role's name
	perName  = 1
	perReply = 3 // what an answer begins with
)

// Text returns how many tokens of our own a text has, whoever reads it: that of the
// tokenizer with which models are counted of which nothing else is known.
func Text(text string) int64 {
	c := counting{encoding: o200k, sparse: 1}
	c.text(text)
	return c.tokens
}

// Ours returns how many tokens of our own the text of r has for m, before any factor.
// It is 0 if stop, which may be nil, says true before it is known.
func Ours(r *starling.Request, m starling.Model, stop func() bool) int64 {
	enc := encodingOf(m).enc
	return r.Counted.By(enc.name, func() int64 {
		o := wire.ReadingOf(r)
		n := enc.count(o.Passages, stop)
		if n < 0 {
			return 0
		}
		return n + int64(o.Turns*perTurn+o.Names*perName+perReply)
	})
}
