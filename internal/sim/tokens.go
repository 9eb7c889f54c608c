package sim

import "unicode/utf8"

const (
	runesPerToken    = 4
	tokensPerMessage = 3   // what a vendor adds around each message
	tokensPerImage   = 765 // whatever its size: a vendor's figure for a medium one
)

// Tokens estimates the tokens of a text: one for every four runes, rounded up.
// It is never more than the text's length in bytes, so a caller's bound by bytes
// holds. Every message adds three, every image 765.
func Tokens(text string) int64 {
	return (int64(utf8.RuneCountInString(text)) + runesPerToken - 1) / runesPerToken
}

// clip returns the longest prefix of text with at most n tokens.
func clip(text string, n int64) string {
	if n <= 0 {
		return ""
	}
	left := n * runesPerToken
	for i := range text {
		if left == 0 {
			return text[:i]
		}
		left--
	}
	return text
}

// tail returns a suffix of text with at most n tokens.
func tail(text string, n int64) string {
	runes := []rune(text)
	return string(runes[max(0, len(runes)-int(n*runesPerToken)):])
}
