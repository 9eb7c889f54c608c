package wire

import (
	"bytes"
	"strings"
)

// Mentions reports whether a body holds a word of a protocol: `"tool_calls"`. It is
// bytes.Contains, made for such words. That one looks closer wherever a word's first byte
// stands, and letters and quotes stand everywhere; here the first byte of another kind
// decides, which is rare in prose and in JSON.
func Mentions(body []byte, word string) bool {
	mark := max(0, strings.IndexFunc(word, func(c rune) bool { return c != '"' && (c < 'a' || c > 'z') }))
	before, rest := word[:mark], []byte(word[mark:])
	for i := mark; i < len(body); {
		n := bytes.Index(body[i:], rest)
		if n < 0 {
			return false
		}
		if i += n; string(body[i-mark:i]) == before {
			return true
		}
		i++
	}
	return false
}
