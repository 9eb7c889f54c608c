package forecast

// A kind is a sort of token.
type kind uint8

const (
	blank kind = iota
	word
	number
	symbol
)

// longest is the length at which a token is cut: what is longer is no word, or
// of a language without spaces.
const longest = 24

// A token is what is being read.
type token struct {
	kind     kind
	last     rune
	length   int
	marked   bool   // a number with a mark within
	hash     uint64 // of the characters so far
	recent   uint64 // the last four characters, sixteen bits each
	previous uint64 // hash of the token before
}

// Hashes of different sorts of n-grams are kept apart by these. They, and the
// factor in mix, are odd numbers without a pattern.
const (
	saltWord  = 0x8f3b_65d1_0c2e_a947
	saltPair  = 0x51c6_9e2d_b7a0_834b
	saltChars = 0xd2a8_47f3_196b_5ec1
)

func mix(h, v uint64) uint64 {
	h = (h ^ v) * 0xff51_afd7_ed55_8ccd
	return h ^ h>>32
}

// extend adds a character to the token.
func (r *reader) extend(c rune) {
	t := &r.token
	if t.length == 0 {
		t.hash, t.recent, t.marked = mix(saltWord, uint64(t.kind)), ' ', false
	}
	t.length++
	t.last = c
	t.marked = t.marked || mark(c)
	r.shape.count(t.kind, c)
	if t.kind == word {
		r.four(c)
	}
	if t.tells() {
		t.hash = mix(t.hash, uint64(c))
	}
}

// tells reports whether the last character makes a difference: not in a symbol
// that is repeated, and not after four digits, unless there are cents.
func (t *token) tells() bool {
	switch t.kind {
	case symbol:
		return t.length == 1
	case number:
		return t.marked || t.length <= 4
	}
	return true
}

// mark reports whether a character within a number sets its digits apart.
func mark(c rune) bool { return c == '.' || c == ',' }

// four adds the four characters that end with c, once there are so many; the
// space before a word is one of them.
func (r *reader) four(c rune) {
	t := &r.token
	t.recent = t.recent<<16 | uint64(uint16(c))
	if t.recent>>48 != 0 {
		r.add(chars, mix(saltChars, t.recent))
	}
}

// please is the hash of a word that says nothing about what follows it.
var please = func() uint64 {
	h := mix(saltWord, uint64(word))
	for _, c := range "please" {
		h = mix(h, uint64(c))
	}
	return h
}()

// end adds the finished token, and with the one before it a pair.
func (r *reader) end() {
	t := &r.token
	if t.kind != blank && t.length > 0 && t.hash != please {
		r.shape.token(t)
		r.add(words, t.hash)
		if t.previous != 0 {
			r.add(pairs, mix(mix(saltPair, t.previous), t.hash))
		}
		t.previous = t.hash
	}
	t.length = 0
}

// hashOf is the hash of a text as it is, byte by byte.
func hashOf(text string) uint64 {
	h := uint64(saltWord)
	for i := range len(text) {
		h = mix(h, uint64(text[i]))
	}
	return h
}
