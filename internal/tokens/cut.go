package tokens

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A piece that is counted at once has at most longestPiece bytes, and no longer run of
// white space than longestBlank: the tokenizer's time grows with the square of either.
const (
	longestPiece = 1024
	longestBlank = 96
)

// cut returns where the first piece of a text ends. No token spans a single space from
// what is before it, nor the last line break of several from what is behind it, so the
// pieces have as many tokens as the whole. Only where there is no such place is a text
// cut anywhere, which may cost a token.
//
// Source: the patterns by which o200k_base and cl100k_base split a text before they
// merge bytes: a space only ever begins what it is a part of, but in white space.
func cut(text string) int {
	run := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case i == 0:
		case i >= longestPiece && utf8.RuneStart(c), run >= longestBlank:
			return i
		case c == ' ' && alone(text, i), text[i-1] == '\n' && c != '/' && lineEnds(text[i:]):
			return i
		}
		if run++; !blank(c) {
			run = 0
		}
	}
	return len(text)
}

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// alone reports whether the space at i has no white space beside it.
func alone(text string, i int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:i])
	after, _ := utf8.DecodeRuneInString(text[i+1:])
	return i+1 < len(text) && !unicode.IsSpace(before) && !unicode.IsSpace(after)
}

// lineEnds reports whether a line break before the text was the last of its white space.
func lineEnds(text string) bool {
	rest := strings.TrimLeft(text[:min(len(text), longestBlank)], " \t")
	return rest != "" && rest[0] > ' ' && rest[0] < utf8.RuneSelf
}
