package wire

import (
	"bytes"
	"strconv"
)

// A walk goes through the members of an object or the elements of an array of
// JSON that is known to be valid. Start it with enter.
type walk struct {
	b      []byte
	i      int
	object bool

	key   []byte // unescaped; nil in an array
	value []byte // without surrounding space
}

// enter starts a walk through v. A value that is no container has no members.
func enter(v []byte) walk {
	switch kindOf(v) {
	case '{':
		return walk{b: v, i: 1, object: true}
	case '[':
		return walk{b: v, i: 1}
	}
	return walk{}
}

// next steps to the next member and reports whether there is one.
func (w *walk) next() bool {
	w.i = separator(w.b, w.i)
	if w.i >= len(w.b)-1 || w.b[w.i] == '}' || w.b[w.i] == ']' {
		return false
	}
	if w.object {
		end := quoteEnd(w.b, w.i+1)
		w.key = plainKey(w.b[w.i+1 : end-1])
		w.i = separator(w.b, end)
	}
	end := valueEnd(w.b, w.i)
	w.value = w.b[w.i:end]
	w.i = end
	return true
}

// plainKey returns a key without escapes, which keys hardly ever have.
func plainKey(key []byte) []byte {
	if bytes.IndexByte(key, '\\') < 0 {
		return key
	}
	return []byte(unquoted(key))
}

func (w *walk) name() string { return string(w.key) }

func (w *walk) is(name string) bool { return string(w.key) == name }

func (w *walk) null() bool { return kindOf(w.value) == 'n' }

// separator steps over space, commas and colons.
func separator(b []byte, i int) int {
	for i < len(b) && (b[i] <= ' ' || b[i] == ',' || b[i] == ':') {
		i++
	}
	return i
}

// valueEnd returns the index after the value that starts at i.
func valueEnd(b []byte, i int) int {
	switch b[i] {
	case '"':
		return quoteEnd(b, i+1)
	case '{', '[':
		return containerEnd(b, i)
	}
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
		i++
	}
	return i
}

// quoteEnd is stringEnd for a string that is known to be one: it only has to find
// the quote before which the backslashes pair up.
func quoteEnd(b []byte, i int) int {
	for {
		i += bytes.IndexByte(b[i:], '"')
		j := i
		for b[j-1] == '\\' {
			j--
		}
		i++
		if (i-1-j)%2 == 0 {
			return i
		}
	}
}

func containerEnd(b []byte, i int) int {
	for depth := 0; ; i++ {
		switch b[i] {
		case '"':
			i = quoteEnd(b, i+1) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

// kindOf returns a value's first byte: '{', '[', '"', 't', 'f', 'n', or '0' for
// any number. It is 0 for a value that isn't there.
func kindOf(v []byte) byte {
	if len(v) == 0 {
		return 0
	}
	if c := v[0]; c != '-' && c-'0' > 9 {
		return c
	}
	return '0'
}

// field returns the value of the last member of the given name, nil if v has
// none or only null.
func field(v []byte, name string) (value []byte) {
	for m := enter(v); m.next(); {
		if m.is(name) {
			value = m.value
		}
	}
	if kindOf(value) == 'n' {
		return nil
	}
	return value
}

// count returns how many elements an array has.
func count(v []byte) (n int) {
	if kindOf(v) != '[' {
		return 0
	}
	for m := enter(v); m.next(); {
		n++
	}
	return n
}

// whole reads an integer that is written as one: no fraction, no exponent.
func whole(v []byte) (int64, bool) {
	if kindOf(v) != '0' {
		return 0, false
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	return n, err == nil
}

// tokens reads a count of tokens as an upstream wrote it: never negative, 0 for
// anything that is no number, and bounded so that sums cannot wrap.
func tokens(v []byte) int64 {
	if kindOf(v) != '0' {
		return 0
	}
	f, _ := strconv.ParseFloat(string(v), 64)
	const most = 1 << 48
	return int64(min(max(f, 0), most))
}
