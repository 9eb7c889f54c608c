package verify

import (
	"math/big"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// numeral returns the run of digits that a text begins with, with the points,
// commas and narrow spaces between digits.
func numeral(text string) string {
	end := 0
	for end < len(text) {
		r, size := utf8.DecodeRuneInString(text[end:])
		if !isDigit(r) {
			next, _ := utf8.DecodeRuneInString(text[end+size:])
			if !strings.ContainsRune(".,"+narrow, r) || !isDigit(next) {
				break
			}
		}
		end += size
	}
	return text[:end]
}

// narrow are the spaces that separate thousands and nothing else.
const narrow = "\u00a0\u2009\u202f"

// written is a decimal number: with a point or without, with groups of three
// digits or without. 12,50 and 1.2.3 are none.
var written = regexp.MustCompile(`^(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?:[` + narrow + `][0-9]{3})+)?(?:\.([0-9]+))?$`)

// decimal reads a numeral of at most 40 characters exactly.
func decimal(text string) (value *big.Rat, decimals int, ok bool) {
	const longest = 40
	m := written.FindStringSubmatch(text)
	if m == nil || text == "" || len(text) > longest {
		return nil, 0, false
	}
	plain := strings.Map(func(r rune) rune {
		if isDigit(r) || r == '.' {
			return r
		}
		return -1
	}, text)
	value, ok = new(big.Rat).SetString(plain)
	return value, len(m[1]), ok
}

// lastNumber returns the last number of a text, with its sign. A number may
// touch the unit behind it but not a letter before it: CO2 has none.
func lastNumber(text string) (*big.Rat, bool) {
	var last *big.Rat
	for pos := 0; pos < len(text); {
		r, size := utf8.DecodeRuneInString(text[pos:])
		next, _ := utf8.DecodeRuneInString(text[pos+size:])
		if !isDigit(r) && !(r == '.' && isDigit(next)) {
			pos += size
			continue
		}
		run := numeral(text[pos:])
		before, _ := utf8.DecodeLastRuneInString(text[:pos])
		if value, _, ok := decimal(run); ok && !unicode.IsLetter(before) && before != '_' {
			last = value
			if negative(text[:pos]) {
				last = new(big.Rat).Neg(value)
			}
		}
		pos += len(run)
	}
	return last, last != nil
}

// negative reports whether a text ends in the sign of the number behind it: a
// minus that touches the number, and nothing that it could be subtracted from.
func negative(text string) bool {
	text = strings.TrimRightFunc(text, func(r rune) bool { return unicode.Is(unicode.Sc, r) })
	r, size := utf8.DecodeLastRuneInString(text)
	if r != '-' && r != '−' {
		return false
	}
	before, n := utf8.DecodeLastRuneInString(text[:len(text)-size])
	return n == 0 || unicode.IsSpace(before) || strings.ContainsRune("(=:*[", before)
}
