package family

import (
	"pgregory.net/rapid"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A piece is a part of a grammar that was read back from its text: one of its choices is
// said, or what it names, or a text, or a character of its ranges, so many times.
type piece struct {
	choices     [][]*piece
	name, text  string
	ranges      []rune
	least, most int
}

// A gbnf says random sentences of a grammar.
type gbnf struct {
	rules  map[string]*piece
	height map[string]int // of the lowest tree of a rule
}

func readGBNF(t rapid.TB, text string) *gbnf {
	t.Helper()
	g := &gbnf{map[string]*piece{}, map[string]int{}}
	for line := range strings.Lines(text) {
		name, body, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ::= ")
		s := body
		g.rules[name] = group(&s)
		if s != "" {
			t.Fatalf("%s: %q is left", name, s)
		}
	}
	for changed := true; changed; {
		changed = false
		for name, p := range g.rules {
			if h := g.measure(p); h > 0 && h+1 != g.height[name] {
				g.height[name], changed = h+1, true
			}
		}
	}
	return g
}

// group reads choices up to the end of the text or a bracket.
func group(s *string) *piece {
	p := &piece{choices: [][]*piece{nil}, least: 1, most: 1}
	for *s != "" && (*s)[0] != ')' {
		switch {
		case (*s)[0] == ' ':
			*s = (*s)[1:]
		case (*s)[0] == '|':
			p.choices, *s = append(p.choices, nil), (*s)[1:]
		default:
			last := len(p.choices) - 1
			p.choices[last] = append(p.choices[last], times(one(s), s))
		}
	}
	return p
}

func one(s *string) *piece {
	c := (*s)[0]
	switch c {
	case '(':
		*s = (*s)[1:]
		p := group(s)
		*s = (*s)[1:]
		return p
	case '"':
		*s = (*s)[1:]
		var b strings.Builder
		for (*s)[0] != '"' {
			b.WriteRune(char(s))
		}
		*s = (*s)[1:]
		return &piece{text: b.String()}
	case '[':
		*s = (*s)[1:]
		p := &piece{}
		for (*s)[0] != ']' {
			low := char(s)
			high := low
			if (*s)[0] == '-' {
				*s = (*s)[1:]
				high = char(s)
			}
			p.ranges = append(p.ranges, low, high)
		}
		*s = (*s)[1:]
		return p
	}
	n := strings.IndexAny(*s+" ", " )?*+{|")
	p := &piece{name: (*s)[:n]}
	*s = (*s)[n:]
	return p
}

func char(s *string) rune {
	r, n := utf8.DecodeRuneInString(*s)
	*s = (*s)[n:]
	if r != '\\' {
		return r
	}
	c := (*s)[0]
	*s = (*s)[1:]
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	if digits == 0 {
		return rune(c)
	}
	v, _ := strconv.ParseUint((*s)[:digits], 16, 32)
	*s = (*s)[digits:]
	return rune(v)
}

func times(p *piece, s *string) *piece {
	p.least, p.most = 1, 1
	if *s == "" {
		return p
	}
	switch (*s)[0] {
	case '?':
		p.least = 0
	case '*':
		p.least, p.most = 0, -1
	case '+':
		p.most = -1
	case '{':
		inner, rest, _ := strings.Cut((*s)[1:], "}")
		low, high, two := strings.Cut(inner, ",")
		p.least, _ = strconv.Atoi(low)
		p.most = p.least
		if two {
			p.most = -1
		}
		if high != "" {
			p.most, _ = strconv.Atoi(high)
		}
		*s = "}" + rest
	default:
		return p
	}
	*s = (*s)[1:]
	return p
}

// measure is the height of the lowest tree, 0 while it is not known.
func (g *gbnf) measure(p *piece) int {
	switch {
	case p.least == 0 || p.text != "" || p.ranges != nil:
		return 1
	case p.name != "":
		return g.height[p.name]
	case p.choices == nil: // the empty text
		return 1
	}
	lowest := 0
	for _, c := range p.choices {
		if h := g.tallest(c); h > 0 && (lowest == 0 || h < lowest) {
			lowest = h
		}
	}
	return lowest
}

func (g *gbnf) tallest(all []*piece) int {
	h := 1
	for _, p := range all {
		n := g.measure(p)
		if n == 0 {
			return 0
		}
		h = max(h, n)
	}
	return h
}

// say writes a random sentence: number draws up to n, n not included.
func (g *gbnf) say(b *strings.Builder, p *piece, number func(n int) int, depth int) {
	short := depth > 12 || b.Len() > 2000
	n := p.least
	if more := p.most - p.least; !short && more != 0 {
		if more < 0 || more > 5 {
			more = 5
		}
		n += number(more + 1)
	}
	for range n {
		switch {
		case p.name != "":
			g.say(b, g.rules[p.name], number, depth+1)
		case p.ranges != nil:
			i := 2 * number(len(p.ranges)/2)
			b.WriteRune(p.ranges[i] + rune(number(int(p.ranges[i+1]-p.ranges[i])+1)))
		case p.choices == nil:
			b.WriteString(p.text)
		default:
			chosen := p.choices[number(len(p.choices))]
			for _, c := range p.choices {
				if h := g.tallest(c); h > 0 && (g.tallest(chosen) == 0 || short && h < g.tallest(chosen)) {
					chosen = c
				}
			}
			for _, s := range chosen {
				g.say(b, s, number, depth)
			}
		}
	}
}
