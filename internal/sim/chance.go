package sim

import (
	"math/bits"
	"strconv"
)

// A die is a throw that was decided before it was asked for: a hash of what it
// is about. The same question always gets the same throw.
type die uint64

// about narrows a die to a topic; dice about different topics are independent.
func (d die) about(topic string) die { return die(fold(uint64(d), topic)) }

// nth narrows a die to the nth of several alike.
func (d die) nth(n int64) die { return die(mix(uint64(d) ^ uint64(n)*0x9e3779b97f4a7c15)) }

// share returns a number in [0, 1).
func (d die) share() float64 { return float64(mix(uint64(d))>>11) / (1 << 53) }

// pick returns a number in [0, n); n must be positive.
func (d die) pick(n int) int {
	hi, _ := bits.Mul64(mix(uint64(d)), uint64(n))
	return int(hi)
}

// name returns the die as an id: "sim-", the kind, and 16 hex digits.
func (d die) name(kind string) string {
	const digits = 16
	h := strconv.FormatUint(mix(uint64(d)), 16)
	for len(h) < digits {
		h = "0" + h
	}
	return "sim-" + kind + "-" + h
}

// fold mixes s into h, eight bytes at a time. It is no defence against somebody
// who wants collisions; nobody gains by one here.
func fold(h uint64, s string) uint64 {
	const odd = 0xff51afd7ed558ccd
	n := uint64(len(s))
	for ; len(s) >= 8; s = s[8:] {
		word := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		h = (h ^ word) * odd
		h ^= h >> 32
	}
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * odd
	}
	return mix(h ^ n)
}

// mix is the finaliser of SplitMix64: every bit of h changes half of the result.
//
// Source: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number
// generators", OOPSLA 2014.
func mix(h uint64) uint64 {
	h += 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
