package split

import (
	"strings"
	"unicode/utf8"

	"starling/internal/tokens"
)

// A unit is a sentence or a line, with the space behind it: what is not torn apart
// unless it is longer than a chunk.
type unit struct {
	from, to int
	tokens   int64
	ends     bool // a paragraph ends with it
}

// units cuts a text into units of no more than so many tokens. They cover it.
func units(text string, most int64) (all []unit) {
	for from := 0; from < len(text); {
		to, ends := sentence(text, from)
		all = fit(all, text, from, to, most)
		all[len(all)-1].ends = ends
		from = to
	}
	return all
}

// sentence returns where the sentence or line that begins at from ends, and whether a
// paragraph does.
func sentence(text string, from int) (to int, paragraph bool) {
	for i := from; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\n':
			to, lines := blank(text, i)
			return to, lines > 1 || to == len(text)
		case (c == '.' || c == '!' || c == '?') && i+1 < len(text) && (text[i+1] == ' ' || text[i+1] == '\t' || text[i+1] == '\n' || text[i+1] == '\r'):
			to, lines := blank(text, i+1)
			return to, lines > 1 || to == len(text)
		}
	}
	return len(text), true
}

// blank returns where the blank space that begins at i ends, and how many lines end in it.
func blank(text string, i int) (to, lines int) {
	for ; i < len(text) && strings.IndexByte(" \t\r\n", text[i]) >= 0; i++ {
		if text[i] == '\n' {
			lines++
		}
	}
	return i, lines
}

// fit appends a stretch of text as one unit, or halves it on a rune's border until all
// of it fits. One rune is never torn, however few tokens may be.
func fit(all []unit, text string, from, to int, most int64) []unit {
	n := most + 1
	if int64(to-from) <= most*16 { // of what is longer no text has so few tokens
		n = tokens.Text(text[from:to])
	}
	half := from + (to-from)/2
	for half > from && !utf8.RuneStart(text[half]) {
		half--
	}
	if n <= most || half == from {
		return append(all, unit{from: from, to: to, tokens: n})
	}
	return fit(fit(all, text, from, half, most), text, half, to, most)
}

// A stretch is a chunk in bytes of its document.
type stretch struct {
	from, to, fresh int
	tokens          int64
}

// pack puts units into chunks of no more than so many tokens, each ending where a
// paragraph does if that leaves it at least half full, and beginning with the end of
// the one before it.
func pack(units []unit, most, overlap int64) (all []stretch) {
	for from, fresh := 0, 0; fresh < len(units); {
		to, sum := from, int64(0)
		for to < len(units) && (to == from || sum+units[to].tokens <= most) {
			sum += units[to].tokens
			to++
		}
		to, sum = back(units, fresh, to, sum)
		all = append(all, stretch{units[from].from, units[to-1].to, units[fresh].from, sum})
		fresh = to
		from = lap(units, from, to, most, overlap)
	}
	return all
}

// back moves the end of a chunk, which has more than what it shares, to that of a
// paragraph.
func back(units []unit, fresh, to int, sum int64) (int, int64) {
	if to == len(units) {
		return to, sum
	}
	less := sum
	for end := to; end > fresh && less >= sum/2; end-- {
		if units[end-1].ends {
			return end, less
		}
		less -= units[end-1].tokens
	}
	return to, sum
}

// lap returns where the next chunk begins, so that what comes next fits too.
func lap(units []unit, from, to int, most, overlap int64) int {
	if to == len(units) {
		return to
	}
	begin := to
	for shared := int64(0); begin-1 > from; begin-- {
		shared += units[begin-1].tokens
		if shared > overlap || shared+units[to].tokens > most {
			break
		}
	}
	return begin
}
