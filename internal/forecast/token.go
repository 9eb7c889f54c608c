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

// A token is what is being read, in lower case.
type token struct {
	kind     kind
	text     [longest]rune
	length   int
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

// extend adds a character.
func (t *token) extend(c rune) {
	t.text[t.length] = c
	t.length++
}

// ended reports whether a character of a kind does not belong to the token: a
// symbol that is repeated is one.
func (t *token) ended(k kind, c rune) bool {
	return k != t.kind || t.length == longest || (k == symbol && t.length > 0 && c != t.text[0])
}

// hash is the hash of what tells the token from others: of a symbol how often it
// stands there does not, nor do the digits of a number after the fourth, unless
// it has cents.
func (t *token) hash() uint64 {
	h := mix(saltWord, uint64(t.kind))
	marked := false
	for i, c := range t.text[:t.length] {
		marked = marked || mark(c)
		if t.kind == word || i == 0 || (t.kind == number && (i < 4 || marked)) {
			h = mix(h, uint64(c))
		}
	}
	return h
}

// mark reports whether a character within a number sets its digits apart.
func mark(c rune) bool { return c == '.' || c == ',' }

// please is the hash of a word that says nothing about what follows it.
var please = func() uint64 {
	t := token{kind: word}
	for _, c := range "please" {
		t.extend(c)
	}
	return t.hash()
}()

// end adds the finished token, with the one before it a pair, and its parts.
func (r *reader) end() {
	t := &r.token
	defer func() { t.length = 0 }()
	if t.kind == blank || t.length == 0 {
		return
	}
	hash := t.hash()
	if hash == please {
		r.skipped += t.length
		return
	}
	r.shape.add(t)
	r.add(words, hash)
	if t.previous != 0 {
		r.add(pairs, mix(mix(saltPair, t.previous), hash))
	}
	t.previous = hash
	r.parts()
}

// parts adds every four characters of a word in a row; the space before it is
// one of them.
func (r *reader) parts() {
	t := &r.token
	if t.kind != word {
		return
	}
	four := uint64(' ')
	for _, c := range t.text[:t.length] {
		four = four<<16 | uint64(uint16(c))
		if four>>48 != 0 {
			r.add(chars, mix(saltChars, four))
		}
	}
}

// hashOf is the hash of a text as it is, byte by byte.
func hashOf(text string) uint64 {
	h := uint64(saltWord)
	for i := range len(text) {
		h = mix(h, uint64(text[i]))
	}
	return h
}
