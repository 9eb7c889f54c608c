package starling

import (
	"sync"
	"time"
)

// What is known of a call's tokens before an upstream has counted them, or when
// none does.
const (
	// Every token of a byte-level vocabulary covers at least one byte, so the
	// body's length bounds its tokens, with each message's JSON frame paying for
	// its template. What vendors add in front comes on top; tools bring a
	// preamble of several hundred tokens.
	frameTokens    = 64
	preambleTokens = 2048
	// An embedding model adds to each text a beginning, an end, and what some put in
	// front.
	frameText = 16
	// The dearest image in published tables is just under mostImage tokens; a
	// large photograph takes about manyImage, a usual picture usualImage.
	mostImage  = 50_000
	manyImage  = 4_800
	usualImage = 1_600
	// An upstream that says nothing for longer than usualSilence may be generating
	// what nobody sees; few are faster than fastest tokens a second.
	usualSilence = 2 * time.Second
	fastest      = 200
	// usualOutput is what an answer is expected to have when nobody said.
	usualOutput = 300
)

// Bounds returns the most tokens that a call of m can read and write; 0 means
// that nothing bounds them. The caller's own words bound both: what is stated of
// a model may be out of date, so its output limit counts only where the caller
// set none, and its window only for what has no other bound, documents and sound.
func (m Model) Bounds(r *Request) (input, output int64) {
	input = r.TextBytes() + frameTokens + int64(r.Images)*mostImage
	if r.Tools > 0 {
		input += preambleTokens
	}
	switch {
	case r.Documents > 0 && m.Context == 0:
		input = 0
	case r.Documents > 0:
		input += m.Context
	}
	if r.Dialect.Wants() != "" { // nobody answers in words
		return input + max(r.Choices-1, 0)*frameText, 0
	}
	output = r.MaxTokens
	if output == 0 {
		output = m.MaxOutput
	}
	if output == 0 {
		output = m.Context
	}
	return input, output * max(r.Choices, 1)
}

// Expect returns the tokens that a call of m will usually take.
func (m Model) Expect(r *Request) Usage {
	output := int64(usualOutput)
	switch {
	case r.Dialect.Wants() != "":
		output = 0
	case r.MaxTokens > 0:
		output = min(r.MaxTokens, usualOutput)
	}
	return Usage{Input: r.TextBytes()/4 + r.PictureTokens(), Output: output, Estimated: true}
}

// Time is how long the model is expected to work for a use, until the first token of its
// answer and in all, by its measured speeds; 0 and 0 where those are unknown.
func (m Model) Time(u Usage) (first, all time.Duration) {
	if m.Reads <= 0 || m.Writes <= 0 {
		return 0, 0
	}
	seconds := func(s float64) time.Duration { return time.Duration(min(s, 1e6) * float64(time.Second)) }
	read := float64(u.Input) / m.Reads
	return seconds(read), seconds(read + float64(u.Output)/m.Writes)
}

// PictureTokens returns the tokens that a request's pictures and documents usually take.
func (r *Request) PictureTokens() int64 { return int64(r.Images+r.Documents) * usualImage }

// Estimate guesses the tokens of a call that may be charged and that nobody
// counted, after so many bytes of answer and so long a silence before them. A
// token of text is rarely shorter than three bytes, so the guess errs upwards: one
// for three bytes begun, and eight for the framing. It is within [Model.Bounds],
// and so within what was reserved.
func (m Model) Estimate(r *Request, answered int, silent time.Duration) Usage {
	switch r.Dialect.Wants() {
	case CountTokens: // it is free, and no use of the tokens that it counts
		return Usage{Estimated: true}
	case Embeddings, Moderations:
		return Usage{Input: guess(r.TextBytes()), Estimated: true}
	}
	hidden := max(0, silent-usualSilence)
	u := Usage{
		Input:     guess(r.TextBytes()) + int64(r.Images+r.Documents)*manyImage,
		Output:    guess(int64(answered)) + int64(hidden*fastest/time.Second),
		Estimated: true,
	}
	input, output := m.Bounds(r)
	if input > 0 {
		u.Input = min(u.Input, input)
	}
	if output > 0 {
		u.Output = min(u.Output, output)
	}
	return u
}

func guess(bytes int64) int64 { return bytes/3 + min(bytes%3, 1) + 8 }

// TextBytes is the length of the body without its pictures, sound and documents. A
// text has no more tokens than bytes.
func (r *Request) TextBytes() int64 { return int64(max(len(r.Body)-r.Opaque, 0)) }

// Counted remembers how many tokens a request's text has, by who counts, so that it
// is counted once however many ask. Safe for concurrent use; a nil one remembers
// nothing.
type Counted struct {
	mu sync.Mutex
	by map[string]int64
}

// By returns what was counted by who is named, else what count returns, which is
// remembered if it is more than 0. Whoever comes while it counts waits.
func (c *Counted) By(who string, count func() int64) int64 {
	if c == nil {
		return count()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.by[who]
	if n > 0 {
		return n
	}
	if n = count(); n > 0 {
		if c.by == nil {
			c.by = make(map[string]int64, 1)
		}
		c.by[who] = n
	}
	return n
}
