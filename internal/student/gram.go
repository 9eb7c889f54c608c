package student

import "unicode/utf8"

// A family is a kind of n-gram. Each is weighted and brought to length 1 on its
// own, so that the many pieces of words do not drown the few words.
type family uint8

const (
	phrase   family = iota // one word, or two in a row
	piece                  // 2 to 4 characters of a word, with the space around it
	company                // two words near each other, in either order
	families int    = iota
)

const (
	shortest = 2 // characters of a piece
	longest  = 4
	nearby   = 4 // words after a word that are in its company
)

// A found is an n-gram in a text: its hash, and where it stands. Two words in
// company stand apart; of all others the second span is empty.
type found struct {
	hash   uint32
	kind   family
	at, to span
}

// each yields every n-gram of the text, repeated as often as it is there.
func (t text) each(yield func(found)) {
	hashes := make([]uint32, len(t.words))
	for i, w := range t.words {
		hashes[i] = hash(t.bytes[w.from:w.to])
	}
	for i, w := range t.words {
		yield(found{hash: mix(hashes[i], 0, phrase), kind: phrase, at: w})
		if i+1 < len(t.words) {
			yield(found{hash: mix(hashes[i], hashes[i+1], phrase), kind: phrase, at: span{w.from, t.words[i+1].to}})
		}
		for j := i + 1; j < len(t.words) && j <= i+nearby; j++ {
			a, b := min(hashes[i], hashes[j]), max(hashes[i], hashes[j])
			yield(found{hash: mix(a, b, company), kind: company, at: w, to: t.words[j]})
		}
		t.pieces(w, yield)
	}
}

// pieces yields the pieces of one word and the space around it.
func (t text) pieces(w span, yield func(found)) {
	for from := w.from - 1; from < w.to; {
		sum, to := basis, from
		for n := 1; n <= longest && to <= w.to; n++ {
			_, size := utf8.DecodeRune(t.bytes[to:])
			sum = extend(sum, t.bytes[to:to+size])
			to += size
			if n >= shortest {
				yield(found{hash: mix(sum, 0, piece), kind: piece, at: span{from, to}})
			}
		}
		_, size := utf8.DecodeRune(t.bytes[from:])
		from += size
	}
}

const basis uint32 = 2166136261

// hash is 32-bit FNV-1a. Source: draft-eastlake-fnv, section 2.
func hash(b []byte) uint32 { return extend(basis, b) }

func extend(sum uint32, b []byte) uint32 {
	for _, c := range b {
		sum = (sum ^ uint32(c)) * 16777619
	}
	return sum
}

// mix makes one hash of two and the family, with every bit depending on all of
// them, since a lexicon is searched by the leading ones. The steps are those of
// SplitMix64: G. L. Steele et al., "Fast splittable pseudorandom number
// generators", OOPSLA 2014.
func mix(a, b uint32, kind family) uint32 {
	return uint32(scramble((uint64(a)<<32|uint64(b))+uint64(kind)<<17) >> 32)
}

func scramble(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
