package grammar

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// A gbnf is a grammar read back from its text, for tests: the engine's own reader is not
// at hand in every one.
type gbnf struct {
	rules  map[string]*expr
	height map[*expr]int // of the lowest tree that fits
}

func readGBNF(t rapid.TB, text string) *gbnf {
	t.Helper()
	g := &gbnf{rules: map[string]*expr{}, height: map[*expr]int{}}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		name, body, ok := strings.Cut(line, " ::= ")
		if !ok || unfit.ReplaceAllString(name, "-") != name {
			t.Fatalf("no rule: %q", line)
		}
		if g.rules[name] != nil {
			t.Fatalf("%s is there twice", name)
		}
		p := &gbnfReader{t: t, s: body}
		g.rules[name] = p.alternatives()
		if p.s != "" {
			t.Fatalf("%s: unread %q", name, p.s)
		}
	}
	for _, e := range g.rules {
		walk(e, func(e *expr) {
			if e.op == opRef && g.rules[e.text] == nil {
				t.Fatalf("%s is no rule", e.text)
			}
		})
	}
	for changed := true; changed; {
		changed = false
		for _, e := range g.rules {
			changed = g.measure(e) || changed
		}
	}
	return g
}

type gbnfReader struct {
	t rapid.TB
	s string
}

func (p *gbnfReader) next() rune {
	r, n := utf8.DecodeRuneInString(p.s)
	p.s = p.s[n:]
	if r != '\\' {
		return r
	}
	c := p.s[0]
	p.s = p.s[1:]
	if n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]; n > 0 {
		v, err := strconv.ParseUint(p.s[:n], 16, 32)
		if err != nil {
			p.t.Fatal(err)
		}
		p.s = p.s[n:]
		return rune(v)
	}
	if !strings.ContainsRune(`"\[]`, rune(c)) {
		p.t.Fatalf("unknown escape %q", c)
	}
	return rune(c)
}

func (p *gbnfReader) alternatives() *expr {
	e := &expr{op: opAlt, sub: []*expr{p.sequence()}}
	for strings.HasPrefix(p.s, " | ") {
		p.s = p.s[3:]
		e.sub = append(e.sub, p.sequence())
	}
	return e
}

func (p *gbnfReader) sequence() *expr {
	e := &expr{op: opSeq, sub: []*expr{p.repeated()}}
	for strings.HasPrefix(p.s, " ") && !strings.HasPrefix(p.s, " |") {
		p.s = p.s[1:]
		e.sub = append(e.sub, p.repeated())
	}
	return e
}

func (p *gbnfReader) repeated() *expr {
	e := p.one()
	if p.s == "" {
		return e
	}
	least, most := 0, endless
	switch p.s[0] {
	case '?':
		most = 1
	case '*':
	case '+':
		least = 1
	case '{':
		inside, rest, _ := strings.Cut(p.s[1:], "}")
		low, high, two := strings.Cut(inside, ",")
		least, _ = strconv.Atoi(low)
		most = least
		if two {
			most = endless
			if high != "" {
				most, _ = strconv.Atoi(high)
			}
		}
		p.s = "}" + rest
	default:
		return e
	}
	p.s = p.s[1:]
	return &expr{op: opRep, sub: []*expr{e}, min: least, max: most}
}

func (p *gbnfReader) one() *expr {
	switch c := p.s[0]; c {
	case '"':
		p.s = p.s[1:]
		var b strings.Builder
		for p.s[0] != '"' {
			b.WriteRune(p.next())
		}
		p.s = p.s[1:]
		return &expr{op: opText, text: b.String()}
	case '[':
		p.s = p.s[1:]
		e := &expr{op: opClass}
		for p.s[0] != ']' {
			low := p.next()
			high := low
			if p.s[0] == '-' {
				p.s = p.s[1:]
				high = p.next()
			}
			if low > high {
				p.t.Fatalf("an empty range from %q to %q", low, high)
			}
			e.ranges = append(e.ranges, low, high)
		}
		p.s = p.s[1:]
		return e
	case '(':
		p.s = p.s[1:]
		e := p.alternatives()
		if p.s[0] != ')' {
			p.t.Fatalf("no end of a group: %q", p.s)
		}
		p.s = p.s[1:]
		return e
	}
	n := strings.IndexFunc(p.s, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-') })
	if n < 0 {
		n = len(p.s)
	}
	if n == 0 {
		p.t.Fatalf("nothing that can be read: %q", p.s)
	}
	name := p.s[:n]
	p.s = p.s[n:]
	return &expr{op: opRef, text: name}
}

// measure finds out heights, 0 being unknown. It reports whether it learned something.
func (g *gbnf) measure(e *expr) (changed bool) {
	for _, s := range e.sub {
		changed = g.measure(s) || changed
	}
	h := 1
	switch e.op {
	case opRef:
		if h = g.height[g.rules[e.text]]; h > 0 {
			h++
		}
	case opSeq:
		for _, s := range e.sub {
			if g.height[s] == 0 {
				h = 0
				break
			}
			h = max(h, g.height[s])
		}
	case opAlt:
		h = 0
		for _, s := range e.sub {
			if n := g.height[s]; n > 0 && (h == 0 || n < h) {
				h = n
			}
		}
	case opRep:
		if e.min > 0 {
			h = g.height[e.sub[0]]
		}
	}
	if h != g.height[e] {
		g.height[e], changed = h, true
	}
	return changed
}

// sentence is a random text that the grammar accepts.
func (g *gbnf) sentence(r *rand.Rand) string {
	var b strings.Builder
	g.say(&b, g.rules["root"], r, 0)
	return b.String()
}

func (g *gbnf) say(b *strings.Builder, e *expr, r *rand.Rand, depth int) {
	short := depth > 14 || b.Len() > 3000
	switch e.op {
	case opText:
		b.WriteString(e.text)
	case opClass:
		i := 2 * r.IntN(len(e.ranges)/2)
		if i > 6 || r.IntN(4) > 0 {
			i = 0
		}
		b.WriteRune(e.ranges[i] + rune(r.IntN(int(e.ranges[i+1]-e.ranges[i])+1)))
	case opRef:
		g.say(b, g.rules[e.text], r, depth+1)
	case opSeq:
		for _, s := range e.sub {
			g.say(b, s, r, depth)
		}
	case opAlt:
		chosen := e.sub[r.IntN(len(e.sub))]
		for _, s := range e.sub {
			if short && g.height[s] > 0 && g.height[s] < g.height[chosen] || g.height[chosen] == 0 {
				chosen = s
			}
		}
		g.say(b, chosen, r, depth)
	case opRep:
		n := e.min
		if !short && (e.max == endless || e.max > e.min) {
			more := 4
			if e.max != endless {
				more = min(e.max-e.min, 600)
			}
			n += r.IntN(more + 1)
		}
		if g.height[e.sub[0]] == 0 {
			n = 0
		}
		for range n {
			g.say(b, e.sub[0], r, depth)
		}
	}
}

// accepts reports whether the whole text is a sentence.
func (g *gbnf) accepts(text string) bool {
	m := matcher{g: g, text: text, memo: map[spot][]int{}}
	for _, end := range m.ends(g.rules["root"], 0) {
		if end == len(text) {
			return true
		}
	}
	return false
}

type spot struct {
	e    *expr
	from int
}

type matcher struct {
	g    *gbnf
	text string
	memo map[spot][]int
}

// ends returns where e may end that begins at from.
func (m *matcher) ends(e *expr, from int) []int {
	if known, ok := m.memo[spot{e, from}]; ok {
		return known
	}
	found := map[int]bool{}
	switch e.op {
	case opText:
		if strings.HasPrefix(m.text[from:], e.text) {
			found[from+len(e.text)] = true
		}
	case opClass:
		c, n := utf8.DecodeRuneInString(m.text[from:])
		if n > 0 && len(overlap(e.ranges, []rune{c, c})) > 0 {
			found[from+n] = true
		}
	case opRef:
		return m.ends(m.g.rules[e.text], from)
	case opAlt:
		for _, s := range e.sub {
			for _, end := range m.ends(s, from) {
				found[end] = true
			}
		}
	case opSeq:
		found[from] = true
		for _, s := range e.sub {
			found = m.step(s, found)
		}
	case opRep:
		now := map[int]bool{from: true}
		for n := 0; len(now) > 0 && (e.max == endless || n <= e.max); n++ {
			fresh := n < e.min
			if n >= e.min {
				for at := range now {
					fresh = fresh || !found[at]
					found[at] = true
				}
			}
			if !fresh {
				break
			}
			now = m.step(e.sub[0], now)
		}
	}
	var list []int
	for at := range found {
		list = append(list, at)
	}
	m.memo[spot{e, from}] = list
	return list
}

func (m *matcher) step(e *expr, from map[int]bool) map[int]bool {
	to := map[int]bool{}
	for at := range from {
		for _, end := range m.ends(e, at) {
			to[end] = true
		}
	}
	return to
}
