package llamacpp

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// A gbnf is a grammar as the test reads it, which is another reader than the library's:
// it says whether a text is one of its sentences, or the beginning of one.
type gbnf struct{ rules map[string]*part }

// A part of a rule. What it is says its shape: a text, a class of characters, the name of
// a rule, parts after each other, one of several, or one again and again.
type part struct {
	is     shape
	text   []rune  // of a text; of a class the ends of its ranges, in pairs
	name   string  // of a rule
	sub    []*part // of what has parts
	min    int     // of a repetition
	max    int     // -1: no end
	absent bool    // of a class: what it does not hold
}

type shape int

const (
	literal shape = iota
	class
	named
	sequential
	choices
	repeated
)

func readGBNF(t testing.TB, text string) *gbnf {
	t.Helper()
	g := &gbnf{rules: map[string]*part{}}
	for line := range strings.Lines(text) {
		name, body, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ::= ")
		r := &gbnfReader{t: t, s: body}
		g.rules[name] = r.alternatives()
		if !ok || r.s != "" {
			t.Fatalf("a rule that the test cannot read: %q", line)
		}
	}
	return g
}

type gbnfReader struct {
	t testing.TB
	s string
}

// takes goes over a prefix, if it is there.
func (r *gbnfReader) takes(prefix string) (there bool) {
	r.s, there = strings.CutPrefix(r.s, prefix)
	return there
}

func (r *gbnfReader) alternatives() *part {
	p := &part{is: choices, sub: []*part{r.sequence()}}
	for r.takes(" | ") {
		p.sub = append(p.sub, r.sequence())
	}
	return p
}

func (r *gbnfReader) sequence() *part {
	p := &part{is: sequential, sub: []*part{r.repetition()}}
	for !strings.HasPrefix(r.s, " |") && r.takes(" ") {
		p.sub = append(p.sub, r.repetition())
	}
	return p
}

func (r *gbnfReader) repetition() *part {
	p := r.single()
	switch {
	case r.takes("?"):
		return &part{is: repeated, sub: []*part{p}, max: 1}
	case r.takes("*"):
		return &part{is: repeated, sub: []*part{p}, max: -1}
	case r.takes("+"):
		return &part{is: repeated, sub: []*part{p}, min: 1, max: -1}
	case !r.takes("{"):
		return p
	}
	bounds, rest, _ := strings.Cut(r.s, "}")
	r.s = rest
	least, most, two := strings.Cut(bounds, ",")
	again := &part{is: repeated, sub: []*part{p}, min: r.number(least), max: -1}
	switch {
	case !two:
		again.max = again.min
	case most != "":
		again.max = r.number(most)
	}
	return again
}

func (r *gbnfReader) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func (r *gbnfReader) single() *part {
	switch {
	case r.takes(`"`):
		p := &part{is: literal}
		for !r.takes(`"`) {
			p.text = append(p.text, r.char())
		}
		return p
	case r.takes("["):
		p := &part{is: class, absent: r.takes("^")}
		for !r.takes("]") {
			low := r.char()
			high := low
			if r.takes("-") {
				high = r.char()
			}
			p.text = append(p.text, low, high)
		}
		return p
	case r.takes("("):
		p := r.alternatives()
		if !r.takes(")") {
			r.t.Fatalf("a group without an end: %q", r.s)
		}
		return p
	}
	n := len(r.s) - len(strings.TrimLeft(r.s, "abcdefghijklmnopqrstuvwxyz0123456789-"))
	if n == 0 {
		r.t.Fatalf("nothing that the test can read: %q", r.s)
	}
	p := &part{is: named, name: r.s[:n]}
	r.s = r.s[n:]
	return p
}

func (r *gbnfReader) char() rune {
	c, n := utf8.DecodeRuneInString(r.s)
	if n == 0 {
		r.t.Fatal("a rule that ends too early")
	}
	r.s = r.s[n:]
	if c != '\\' {
		return c
	}
	kind := r.s[0]
	r.s = r.s[1:]
	if digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[kind]; digits > 0 {
		v, err := strconv.ParseUint(r.s[:digits], 16, 32)
		if err != nil {
			r.t.Fatal(err)
		}
		r.s = r.s[digits:]
		return rune(v)
	}
	return rune(kind)
}

// A todo is what is still to come in one way to read a text: the rest of a part, and then
// of those around it. There is one of each, so that two ways that go on alike are one.
type todo struct {
	part *part
	at   int // characters of a text, parts, or times, that were there
	rest *todo
}

// A walk reads a text in all ways at once.
type walk struct {
	g    *gbnf
	all  map[todo]*todo
	open map[*todo]bool // where a character is to come
	seen map[*todo]bool
	end  bool // nothing has to come
}

// reads says how a text stands to the grammar: it is a sentence, or begins one, or
// neither.
func (g *gbnf) reads(text string) (sentence, begins bool) {
	w := &walk{g: g, all: map[todo]*todo{}}
	w.restart()
	w.visit(w.todo(g.rules["root"], 0, nil))
	for _, c := range text {
		before := w.open
		w.restart()
		for t := range before {
			if t.takes(c) {
				w.visit(w.todo(t.part, t.at+1, t.rest))
			}
		}
	}
	return w.end, w.end || len(w.open) > 0
}

func (w *walk) restart() { w.open, w.seen, w.end = map[*todo]bool{}, map[*todo]bool{}, false }

func (w *walk) todo(p *part, at int, rest *todo) *todo {
	t := todo{p, at, rest}
	if w.all[t] == nil {
		w.all[t] = &t
	}
	return w.all[t]
}

// visit finds which characters may come next.
func (w *walk) visit(t *todo) {
	switch {
	case t == nil:
		w.end = true
		return
	case w.seen[t]:
		return
	}
	w.seen[t] = true
	switch p := t.part; p.is {
	case literal, class:
		if t.at == p.length() {
			w.visit(t.rest)
		} else {
			w.open[t] = true
		}
	case named:
		w.visit(w.todo(w.g.rules[p.name], 0, t.rest))
	case choices:
		for _, s := range p.sub {
			w.visit(w.todo(s, 0, t.rest))
		}
	case sequential:
		if t.at == len(p.sub) {
			w.visit(t.rest)
		} else {
			w.visit(w.todo(p.sub[t.at], 0, w.todo(p, t.at+1, t.rest)))
		}
	case repeated:
		if t.at >= p.min {
			w.visit(t.rest)
		}
		if next := t.at + 1; p.max < 0 {
			w.visit(w.todo(p.sub[0], 0, w.todo(p, min(next, p.min), t.rest)))
		} else if next <= p.max {
			w.visit(w.todo(p.sub[0], 0, w.todo(p, next, t.rest)))
		}
	}
}

// length is how many characters are to come.
func (p *part) length() int {
	if p.is == class {
		return 1
	}
	return len(p.text)
}

func (t *todo) takes(c rune) bool {
	p := t.part
	if p.is == literal {
		return p.text[t.at] == c
	}
	for i := 0; i < len(p.text); i += 2 {
		if p.text[i] <= c && c <= p.text[i+1] {
			return !p.absent
		}
	}
	return p.absent
}

func TestTheTestsOwnReaderOfGrammarsIsRight(t *testing.T) {
	for grammar, c := range map[string]struct{ sentences, beginnings, others []string }{
		`root ::= "ab" [0-9]{2,3} "\"\u00e9"?`:                    {[]string{"ab12", "ab123", `ab12"é`}, []string{"", "a", "ab", "ab1", `ab12"`}, []string{"b", "ab1234", "abx", `ab12"e`}},
		"root ::= \"(\" list? \")\"\nlist ::= root (\",\" root)*": {[]string{"()", "(())", "((),(()))"}, []string{"(", "((),"}, []string{")", "(,", "()("}},
		`root ::= ("a"*)* "b" | [^ab-c]+`:                         {[]string{"b", "aab", "xyz"}, []string{"", "aa"}, []string{"c", "xa", "ba"}},
	} {
		g := readGBNF(t, grammar)
		for want, texts := range map[[2]bool][]string{{true, true}: c.sentences, {false, true}: c.beginnings, {false, false}: c.others} {
			for _, text := range texts {
				if sentence, begins := g.reads(text); [2]bool{sentence, begins} != want {
					t.Errorf("%s: %q: %v and %v", grammar, text, sentence, begins)
				}
			}
		}
	}
}
