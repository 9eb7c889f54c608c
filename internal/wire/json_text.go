package wire

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// text returns a JSON string's content, "" for any other value. Halves of
// surrogate pairs become U+FFFD, and so does each byte that is no UTF-8.
func text(v []byte) string {
	if kindOf(v) != '"' || len(v) < 2 {
		return ""
	}
	return wellFormed(unquoted(v[1 : len(v)-1]))
}

// wellFormed returns s as every reader of JSON will understand it: upstreams send
// bytes that are no UTF-8, and who judges an answer must see what the caller will.
func wellFormed(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

// unquoted resolves the escapes of a string that was checked.
func unquoted(b []byte) string {
	at := bytes.IndexByte(b, '\\')
	if at < 0 {
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for ; at >= 0; at = bytes.IndexByte(b, '\\') {
		out = append(out, b[:at]...)
		r, n := escaped(b[at:])
		out = utf8.AppendRune(out, r)
		b = b[at+n:]
	}
	return string(append(out, b...))
}

// textLength returns the length of text(v) without making it.
func textLength(v []byte) int {
	if kindOf(v) != '"' || len(v) < 2 {
		return 0
	}
	b := v[1 : len(v)-1]
	if !utf8.Valid(b) {
		return len(text(v))
	}
	n := len(b)
	for at := bytes.IndexByte(b, '\\'); at >= 0; at = bytes.IndexByte(b, '\\') {
		r, length := escaped(b[at:])
		n += utf8.RuneLen(r) - length
		b = b[at+length:]
	}
	return n
}

// escaped returns the rune that the escape at the start of b means, and how
// many bytes it takes: a surrogate pair takes twelve.
func escaped(b []byte) (rune, int) {
	switch b[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		return unicodeEscape(b)
	}
	return rune(b[1]), 2
}

func unicodeEscape(b []byte) (rune, int) {
	r, _ := hex4(b[2:])
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
		if low, ok := hex4(b[8:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 12
			}
		}
	}
	return utf8.RuneError, 6
}

// A pen writes JSON. It sets commas itself: one is due wherever the text so far
// does not end in an opening bracket or a colon.
type pen struct{ b []byte }

func (p *pen) comma() {
	if n := len(p.b); n > 0 && p.b[n-1] != '{' && p.b[n-1] != '[' && p.b[n-1] != ':' && p.b[n-1] != ' ' && p.b[n-1] != '\n' {
		p.b = append(p.b, ',')
	}
}

// open starts a container, '{' or '['.
func (p *pen) open(c byte) {
	p.comma()
	p.b = append(p.b, c)
}

// shut ends a container, '}' or ']'.
func (p *pen) shut(c byte) { p.b = append(p.b, c) }

func (p *pen) key(k string) {
	p.comma()
	p.b = appendString(p.b, k)
	p.b = append(p.b, ':')
}

// raw writes a value that is JSON already; none is null.
func (p *pen) raw(v []byte) {
	if len(v) == 0 {
		v = []byte("null")
	}
	p.comma()
	p.b = append(p.b, v...)
}

func (p *pen) string(s string) {
	p.comma()
	p.b = appendString(p.b, s)
}

func (p *pen) int(n int64) {
	p.comma()
	p.b = strconv.AppendInt(p.b, n, 10)
}

func (p *pen) float(x float64) {
	p.comma()
	p.b = strconv.AppendFloat(p.b, x, 'g', -1, 64)
}

func (p *pen) bool(v bool) {
	p.comma()
	p.b = strconv.AppendBool(p.b, v)
}

// pairs writes members whose values are strings: name, value, name, value.
func (p *pen) pairs(kv ...string) {
	for i := 0; i+1 < len(kv); i += 2 {
		p.key(kv[i])
		p.string(kv[i+1])
	}
}

// A tally is a named count.
type tally struct {
	name string
	n    int64
}

func (p *pen) ints(all ...tally) {
	for _, t := range all {
		p.key(t.name)
		p.int(t.n)
	}
}

// appendString appends s as a JSON string. Only what must be escaped is: <, >
// and & stay, as they came.
func appendString(dst []byte, s string) []byte {
	s = wellFormed(s)
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' {
			dst = append(dst, s[from:i]...)
			dst = appendEscape(dst, c)
			from = i + 1
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '"', '\\':
		return append(dst, '\\', c)
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
