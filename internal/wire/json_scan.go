package wire

import (
	"encoding/binary"
	"math/bits"
)

// maxDepth is how deep JSON may nest. Nothing that a model is asked or answers
// comes near it; a body of brackets alone would else cost stack or time.
const maxDepth = 512

// A fault says what is wrong with a JSON text; "" is nothing.
type fault string

const (
	broken  fault = "not valid JSON"
	tooDeep fault = "nested too deeply"
)

// A member is one member of the outermost object, its key unescaped.
type member struct {
	key, value []byte
	from, to   int // where it stands, from its key's quote to its value's end
}

// A scanner checks a JSON text in one pass, without recursion. On the way it notes
// the members of the outermost object, and counts parts (parts.go).
type scanner struct {
	b     []byte
	i     int
	depth int
	kinds [maxDepth/64 + 1]uint64 // by depth: set for an object, clear for an array

	note  bool // fill top
	top   []member
	start int // of the value of the last of top

	lang      dialect // whose parts to count; nil for none
	own       stepper // lang, if it has keys of its own
	path      [deepestPart + 2]step
	images    int
	documents int
	opaque    int // bytes
}

// valid reports whether b is one JSON value within the depth limit.
func valid(b []byte) bool {
	s := scanner{b: b}
	return s.run() == ""
}

// members checks b and returns its outermost object's members in order, none for
// another kind of value. They are valid until the next call.
func (s *scanner) members(b []byte) ([]member, fault) {
	if s.top == nil {
		s.top = make([]member, 0, 16)
	}
	*s = scanner{b: b, note: true, top: s.top[:0], lang: s.lang, own: s.own}
	f := s.run()
	return s.top, f
}

func (s *scanner) run() fault {
	if f := s.value(); f != "" {
		return f
	}
	s.space()
	if s.i != len(s.b) {
		return broken
	}
	return ""
}

// value reads one value with everything in it.
func (s *scanner) value() fault {
	for {
		inside, f := s.begin()
		if f != "" {
			return f
		}
		if inside {
			continue
		}
		done, ok := s.after()
		if !ok {
			return broken
		}
		if done {
			return ""
		}
	}
}

// begin reads a scalar or an empty container, or steps into a container, up to
// its first value.
func (s *scanner) begin() (inside bool, f fault) {
	s.space()
	if s.i >= len(s.b) {
		return false, broken
	}
	c := s.b[s.i]
	if c != '{' && c != '[' {
		from := s.i
		if !s.scalar(c) {
			return false, broken
		}
		if c == '"' && s.lang != nil && s.depth <= deepestPart+1 {
			s.spoken(s.b[from:s.i])
		}
		return false, ""
	}
	if s.depth == maxDepth {
		return false, tooDeep
	}
	s.open(c)
	s.space()
	if s.i < len(s.b) && s.b[s.i] == s.closer() {
		s.i++
		s.depth--
		return false, ""
	}
	if c == '{' && !s.key() {
		return false, broken
	}
	return true, ""
}

// after reads what follows a value: commas with the next key, and ends of
// containers. It reports whether the outermost value is complete.
func (s *scanner) after() (done, ok bool) {
	for s.depth > 0 {
		if s.note && s.depth == 1 && s.inObject() && len(s.top) > 0 {
			m := &s.top[len(s.top)-1]
			m.value, m.to = s.b[s.start:s.i], s.i
		}
		s.space()
		if s.i >= len(s.b) {
			return false, false
		}
		switch s.b[s.i] {
		case s.closer():
			s.i++
			s.depth--
		case ',':
			s.i++
			if !s.inObject() {
				return false, true
			}
			s.space()
			return false, s.key()
		default:
			return false, false
		}
	}
	return true, true
}

func (s *scanner) open(c byte) {
	s.i++
	s.depth++
	word, bit := s.depth/64, uint64(1)<<(s.depth%64)
	s.kinds[word] &^= bit
	if c == '{' {
		s.kinds[word] |= bit
	}
}

func (s *scanner) inObject() bool { return s.kinds[s.depth/64]>>(s.depth%64)&1 == 1 }

func (s *scanner) closer() byte {
	if s.inObject() {
		return '}'
	}
	return ']'
}

// key reads a key, its colon and the space after it.
func (s *scanner) key() bool {
	if s.i >= len(s.b) || s.b[s.i] != '"' {
		return false
	}
	from := s.i + 1
	end, escaped := keyEnd(s.b, from)
	if end < 0 {
		return false
	}
	s.i = end
	s.space()
	if s.i >= len(s.b) || s.b[s.i] != ':' {
		return false
	}
	s.i++
	s.space()
	noted, passed := s.note && s.depth == 1, s.lang != nil && s.depth <= deepestPart+1
	if !noted && !passed {
		return true
	}
	key := s.b[from : end-1]
	if escaped {
		key = plainKey(key)
	}
	if noted {
		s.top = append(s.top, member{key: key, from: from - 1})
		s.start = s.i
	}
	if passed {
		s.pass(key)
	}
	return true
}

// keyEnd is stringEnd for keys, which are short and hardly ever have an escape.
func keyEnd(b []byte, i int) (end int, escaped bool) {
	for j := i; j < len(b); j++ {
		switch c := b[j]; {
		case c == '"':
			return j + 1, false
		case c == '\\':
			return stringEnd(b, j), true
		case c < 0x20:
			return -1, false
		}
	}
	return -1, false
}

func (s *scanner) scalar(c byte) bool {
	switch {
	case c == '"':
		end := stringEnd(s.b, s.i+1)
		s.i = max(end, s.i)
		return end > 0
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	}
	return s.number()
}

func (s *scanner) word(w string) bool {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

// number reads RFC 8259's number.
func (s *scanner) number() bool {
	s.one("-")
	if !s.one("0") && s.digits() == 0 {
		return false
	}
	if s.one(".") && s.digits() == 0 {
		return false
	}
	if s.one("eE") {
		s.one("+-")
		return s.digits() > 0
	}
	return true
}

// one steps over one of the given bytes, if it is next.
func (s *scanner) one(of string) bool {
	if s.i < len(s.b) {
		for j := range len(of) {
			if s.b[s.i] == of[j] {
				s.i++
				return true
			}
		}
	}
	return false
}

func (s *scanner) digits() (n int) {
	for s.i < len(s.b) && s.b[s.i]-'0' <= 9 {
		s.i++
		n++
	}
	return n
}

func (s *scanner) space() {
	if s.i < len(s.b) && s.b[s.i] <= ' ' { // hardly ever
		s.i = skipSpace(s.b, s.i)
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// stringEnd returns the index after the closing quote of a string whose content
// starts at i, or -1 if it is not a proper JSON string. It looks at eight bytes
// at a time for a quote, a backslash or a control character: each of the three
// masks has its lowest set bit at a byte that matches, so the lowest of all does.
func stringEnd(b []byte, i int) int {
	const (
		low  = 0x0101010101010101
		high = 0x8080808080808080
	)
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, back := w^(low*'"'), w^(low*'\\')
		hit := ((quote - low) &^ quote) | ((back - low) &^ back) | ((w - low*0x20) &^ w)
		if hit &= high; hit == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(hit) / 8
		if b[i] == '"' {
			return i + 1
		}
		n := escapeLength(b[i:])
		if n == 0 {
			return -1
		}
		i += n
	}
	return shortStringEnd(b, i)
}

// shortStringEnd is stringEnd for the last bytes of b.
func shortStringEnd(b []byte, i int) int {
	for i < len(b) {
		switch {
		case b[i] == '"':
			return i + 1
		case b[i] == '\\':
			n := escapeLength(b[i:])
			if n == 0 {
				return -1
			}
			i += n
		case b[i] < 0x20:
			return -1
		default:
			i++
		}
	}
	return -1
}

// escapeLength returns the length of the escape that b starts with, 0 if it is
// none.
func escapeLength(b []byte) int {
	if len(b) < 2 || b[0] != '\\' {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b[2:]); ok {
			return 6
		}
	}
	return 0
}

// hex4 reads the four hex digits that b starts with.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case c-'0' <= 9:
			r = r<<4 | rune(c-'0')
		case (c|0x20)-'a' <= 5:
			r = r<<4 | rune((c|0x20)-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
