package forecast

import "math"

// A shape is what can be said of a text without its words.
type shape struct {
	letters, digits, symbols int // characters
	code                     int // of the symbols, those that are frequent in code
	foreign                  int // letters beyond ASCII
	terms, numbers           int // tokens
	decimals                 int // marks within numbers
	choices                  int // "A." or "b)": a letter alone and a mark
	alone                    bool
}

// add counts a token.
func (s *shape) add(t *token) {
	for _, c := range t.text[:t.length] {
		s.count(t.kind, c)
	}
	switch first := t.text[0]; t.kind {
	case word:
		s.terms++
	case number:
		s.numbers++
	case symbol:
		if s.alone && (first == '.' || first == ')' || first == ':') {
			s.choices++
		}
	}
	s.alone = t.kind == word && t.length == 1
}

// count counts a character.
func (s *shape) count(k kind, c rune) {
	switch k {
	case word:
		s.letters++
		if c > 'z' {
			s.foreign++
		}
	case number:
		s.digits++
		if mark(c) {
			s.decimals++
		}
	case symbol:
		s.symbols++
		switch c {
		case '{', '}', ';', '=', '<', '>', '_', '\\', '[', ']', '#', '`':
			s.code++
		}
	}
}

// A figure of the shape is spread softly over steps, so that a small change of
// the text is a small change of the features, and a curve can be learned.
const (
	steps   = 6
	lengths = 14 // steps for the length, one for each doubling from 16
	shapes  = lengths + 9*steps
)

// step is what a figure's steps weigh: little beside the words, whatever the text.
const step = 0.2

// features appends the features of a shape to dst.
func (s *shape) features(length int, dst []feature) []feature {
	dst = spread(dst, hashed, lengths, math.Log2(float64(length+16))-4)
	chars := float64(max(s.letters+s.digits+s.symbols, 1))
	tokens := float64(max(s.terms, 1))
	for i, share := range [...]float64{
		float64(s.digits) / chars,
		float64(s.symbols) / chars,
		4 * float64(s.code) / chars,
		float64(s.foreign) / chars,
		float64(s.numbers) / tokens,
		float64(s.choices) / 32,
		(float64(s.letters)/tokens - 2) / 8,
		float64(s.choices) * 16 / chars,
		float64(s.decimals) / float64(max(s.numbers, 1)),
	} {
		share = min(max(share, 0), 1)
		dst = spread(dst, hashed+lengths+i*steps, steps, (steps-1)*math.Sqrt(share))
	}
	return dst
}

// spread appends the two steps next to x, from 0 to n−1, by nearness.
func spread(dst []feature, from, n int, x float64) []feature {
	x = min(max(x, 0), float64(n-1))
	low := min(int(x), n-2)
	near := float32(x - float64(low))
	return append(dst,
		feature{uint32(from + low), step * (1 - near)},
		feature{uint32(from + low + 1), step * near})
}
