package student

import (
	"cmp"
	"math"
	"slices"
)

// A lexicon holds the n-grams that a student knows: of each its hash, ascending,
// and how much it says, its inverse document frequency. The position of a hash
// is the row of its weights.
type lexicon struct {
	hashes []uint32
	idf    []float32
	rarest float32  // the highest idf
	first  []uint32 // by the leading bits of a hash: where to begin looking
}

// leading is how many bits of a hash are looked up before searching. Whoever
// wrote the file, a search takes no more than 17 steps.
const leading = 16

// newLexicon indexes ascending hashes.
func newLexicon(hashes []uint32, idf []float32) *lexicon {
	l := &lexicon{hashes: hashes, idf: idf, first: make([]uint32, 1<<leading+1)}
	for _, v := range idf {
		l.rarest = max(l.rarest, v)
	}
	row := 0
	for prefix := range l.first {
		for row < len(hashes) && int(hashes[row]>>(32-leading)) < prefix {
			row++
		}
		l.first[prefix] = uint32(row)
	}
	return l
}

// row finds a hash.
func (l *lexicon) row(hash uint32) (int, bool) {
	prefix := hash >> (32 - leading)
	from := int(l.first[prefix])
	i, ok := slices.BinarySearch(l.hashes[from:l.first[prefix+1]], hash)
	return from + i, ok
}

// learn makes the lexicon of some texts: the n-grams that at least two of them
// have, of which the most frequent ones if there are more than limit.
func learn(texts []text, limit int) *lexicon {
	type seen struct{ in, last uint32 }
	counts := map[uint32]seen{}
	for i, t := range texts {
		t.each(func(f found) {
			if s := counts[f.hash]; s.last != uint32(i+1) {
				counts[f.hash] = seen{s.in + 1, uint32(i + 1)}
			}
		})
	}
	type entry struct{ hash, in uint32 }
	var kept []entry
	for h, s := range counts {
		if s.in >= 2 {
			kept = append(kept, entry{h, s.in})
		}
	}
	slices.SortFunc(kept, func(a, b entry) int { return cmp.Or(cmp.Compare(b.in, a.in), cmp.Compare(a.hash, b.hash)) })
	kept = kept[:min(len(kept), limit)]
	slices.SortFunc(kept, func(a, b entry) int { return cmp.Compare(a.hash, b.hash) })
	hashes, idf := make([]uint32, len(kept)), make([]float32, len(kept))
	for i, e := range kept {
		hashes[i], idf[i] = e.hash, rarity(int(e.in), len(texts))
	}
	return newLexicon(hashes, idf)
}

// rarity is the inverse document frequency of what is in some of n texts.
//
// Source: K. Spärck Jones, "A statistical interpretation of term specificity and
// its application in retrieval", J. Documentation 28 (1972) 11–21; smoothed as
// if one more text had everything.
func rarity(in, n int) float32 {
	return float32(1 + log(float64(n+1)/float64(in+1)))
}

// An entry is one coordinate of a vector.
type entry struct {
	row   uint32
	value float32
}

// A place is an n-gram of the lexicon in a text: its row, and in the last two
// bits its family.
type place uint32

// vector returns the text as coordinates in ascending order of rows: (1 + ln tf)
// × idf, each family of length 1. N-grams that are not in the lexicon count
// towards that length as the rarest that are, so that a text of which little is
// known has low scores, and therefore a low confidence. Known is the share of the
// n-grams, repeated as they are, that the lexicon has.
func (l *lexicon) vector(t text) (v []entry, known float64) {
	places := make([]place, 0, 256)
	all := 0
	var unknown [families]int
	t.each(func(f found) {
		all++
		if row, ok := l.row(f.hash); ok {
			places = append(places, place(row)<<2|place(f.kind))
		} else {
			unknown[f.kind]++
		}
	})
	if all == 0 {
		return nil, 0
	}
	return l.weigh(places, unknown), float64(len(places)) / float64(all)
}

// weigh counts and weighs what was found, beside so many that were not.
func (l *lexicon) weigh(places []place, unknown [families]int) []entry {
	slices.Sort(places)
	v, kinds := make([]entry, 0, len(places)), places[:0]
	var lengths [families]float32
	for i := 0; i < len(places); {
		p, from := places[i], i
		for i < len(places) && places[i] == p {
			i++
		}
		value := float32(l.idf[p>>2] * damped(i-from))
		lengths[p&3] += float32(value * value)
		v, kinds = append(v, entry{uint32(p >> 2), value}), append(kinds, p)
	}
	for i := range lengths {
		lengths[i] += float32(float32(unknown[i]) * float32(l.rarest*l.rarest))
		lengths[i] = float32(math.Sqrt(float64(lengths[i])))
	}
	for i, p := range kinds {
		v[i].value /= lengths[p&3]
	}
	return v
}

// damped is 1 + ln n.
func damped(n int) float32 {
	if n == 1 {
		return 1
	}
	return float32(1 + log(float64(n)))
}
