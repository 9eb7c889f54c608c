package forecast

import (
	"math"
	"sync"
	"unicode"
	"unicode/utf8"
)

const (
	hashBits = 14
	block    = 1 << hashBits // slots of a sort of n-gram
	hashed   = sorts * block // slots for n-grams; the shape of a text follows
	slots    = hashed + shapes
)

// The sorts of n-grams.
const (
	words = iota
	pairs // of words
	chars // four at a time, within a word
	sorts
)

// Of a long text the beginning is read, where it says what to do, and the end,
// where it says with what: so much of each, in bytes that are no white space.
const (
	readFirst = 1024
	readLast  = 2048
)

// A feature is a slot with its value.
type feature struct {
	at uint32
	by float32
}

// A reader turns texts into features. It is large and used again.
type reader struct {
	count   [hashed]uint8
	touched [sorts][]uint32
	shape   shape
	token   token
	skipped int // bytes that do not count

	prompt, weighed []feature // what hear and listen work with
	said            []float32
}

var readers = sync.Pool{New: func() any { return new(reader) }}

// read appends the features of a text to dst: its n-grams by the roots of their
// counts, and then its shape. No slot is there twice.
func (r *reader) read(text string, dst []feature) []feature {
	r.shape, r.token, r.skipped = shape{}, token{}, 0
	first, last := sample(text, readFirst, readLast)
	r.scan(first)
	if last != "" {
		r.token.previous = 0
		r.scan(last)
	}
	dst = r.drain(dst)
	return r.shape.features(solid(text)-r.skipped, dst)
}

// hear returns what a head says of a prompt. It is valid until the next call.
func (r *reader) hear(h *head, prompt string) []float32 {
	r.prompt = r.read(prompt, r.prompt[:0])
	return r.listen(h, r.prompt)
}

// listen is hear for a prompt that was read before.
func (r *reader) listen(h *head, prompt []feature) []float32 {
	r.weighed = h.scale.weigh(prompt, r.weighed[:0])
	r.said = append(r.said[:0], make([]float32, h.targets)...)
	h.add(r.weighed, r.said)
	return r.said
}

// roots holds the square root of every count: the tenth "the" says less than
// the first.
var roots = func() (all [256]float32) {
	for i := range all {
		all[i] = float32(math.Sqrt(float64(i)))
	}
	return all
}()

// drain empties the counts into dst.
func (r *reader) drain(dst []feature) []feature {
	for sort, touched := range r.touched {
		for _, at := range touched {
			dst = append(dst, feature{at, roots[r.count[at]]})
			r.count[at] = 0
		}
		r.touched[sort] = touched[:0]
	}
	return dst
}

// add counts an n-gram by its hash.
func (r *reader) add(sort int, hash uint64) {
	at := uint32(sort*block) + uint32(hash*0x9e3779b97f4a7c15>>(64-hashBits)) // Fibonacci hashing
	switch r.count[at] {
	case 0:
		r.touched[sort] = append(r.touched[sort], at)
	case math.MaxUint8:
		return
	}
	r.count[at]++
}

// sample returns the beginning and the end of a text, by bytes that are no white
// space, so that more white space leaves no word out; or all of it, and "".
func sample(text string, first, last int) (string, string) {
	if len(text) <= first+last {
		return text, ""
	}
	begin := 0
	for ; begin < len(text) && first > 0; begin++ {
		if !space(text[begin]) {
			first--
		}
	}
	end := len(text)
	for ; end > begin && last > 0; end-- {
		if !space(text[end-1]) {
			last--
		}
	}
	if end <= begin {
		return text, ""
	}
	return text[:begin], text[end:]
}

// solid counts the bytes that are no white space.
func solid(text string) int {
	n := 0
	for i := range len(text) {
		if text[i] > ' ' {
			n++
		}
	}
	return n
}

func space(b byte) bool { return b <= ' ' }

// scan reads tokens: runs of letters, runs of digits, and symbols.
func (r *reader) scan(text string) {
	for i := 0; i < len(text); {
		c, size := rune(text[i]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(text[i:])
		}
		i += size
		k, c := kindOf(c)
		if mark(c) && r.token.kind == number && i < len(text) && '0' <= text[i] && text[i] <= '9' {
			k = number
		}
		if r.token.ended(k, c) {
			r.end()
			r.token.kind = k
		}
		r.token.extend(c)
	}
	r.end()
	r.token.kind = blank
}

// kindOf sorts a character, and returns it in lower case.
func kindOf(c rune) (kind, rune) {
	switch {
	case 'a' <= c && c <= 'z':
		return word, c
	case 'A' <= c && c <= 'Z':
		return word, c + 'a' - 'A'
	case '0' <= c && c <= '9':
		return number, c
	case c <= ' ':
		return blank, c
	case c < utf8.RuneSelf:
		return symbol, c
	case unicode.IsLetter(c) || unicode.IsMark(c):
		return word, unicode.ToLower(c)
	case unicode.IsSpace(c):
		return blank, ' '
	case unicode.IsDigit(c):
		return number, '0'
	}
	return symbol, c
}
