package llamacpp

import (
	"strings"
	"unicode/utf8"
)

// A text is an answer as it comes in, of which only what is sure is let out: whole
// characters, and nothing that a stop text might begin with.
type text struct {
	stops []string
	bytes []byte // of a character that is not whole yet
	held  string // what may begin a stop text
}

// add returns what is sure now, and which stop text has come up. What follows it is lost.
func (t *text) add(piece []byte) (sure, stop string) {
	t.bytes = append(t.bytes, piece...)
	n := whole(t.bytes)
	all := t.held + strings.ToValidUTF8(string(t.bytes[:n]), "\uFFFD")
	t.bytes = append(t.bytes[:0], t.bytes[n:]...)
	at := -1
	for _, s := range t.stops {
		if i := strings.Index(all, s); i >= 0 && (at < 0 || i < at || i == at && len(s) > len(stop)) {
			at, stop = i, s
		}
	}
	if at >= 0 {
		t.held, t.bytes = "", nil
		return all[:at], stop
	}
	keep := 0
	for _, s := range t.stops {
		keep = max(keep, begun(all, s))
	}
	t.held = all[len(all)-keep:]
	return all[:len(all)-keep], ""
}

// waits reports whether something is held back.
func (t *text) waits() bool { return t.held != "" || len(t.bytes) > 0 }

// end returns what was held back, now that nothing follows. A character that has not
// become whole was never said.
func (t *text) end() string {
	rest := t.held
	t.held, t.bytes = "", nil
	return rest
}

// whole returns how many bytes there are before a last character that lacks some.
func whole(b []byte) int {
	for i := len(b) - 1; i >= 0 && i >= len(b)-utf8.UTFMax; i-- {
		if !utf8.RuneStart(b[i]) {
			continue
		}
		if !utf8.FullRune(b[i:]) {
			return i
		}
		break
	}
	return len(b)
}

// begun returns the length of the longest end of a text with which a stop text begins.
func begun(all, stop string) int {
	for n := min(len(all), len(stop)-1); n > 0; n-- {
		if strings.HasSuffix(all, stop[:n]) {
			return n
		}
	}
	return 0
}
