package grammar

import (
	"slices"
	"strconv"
	"strings"
)

// A Writer puts a grammar together of texts and of values that schemas describe. It
// belongs to one goroutine.
type Writer struct {
	style  Style
	common map[string]*expr
	rules  []*rule
	taken  map[string]int // names of rules
	inner  *script
	text   *script // of texts that stand by themselves
}

// A Piece is a part of a grammar of one Writer. It does not change.
type Piece struct{ e *expr }

// NewWriter returns a writer of values in a style.
func NewWriter(s Style) *Writer {
	w := &Writer{style: s, common: map[string]*expr{}, taken: map[string]int{"root": 1}, inner: values(s)}
	for name, e := range common {
		w.common[name], w.taken[name] = e, 1
	}
	var free *expr
	switch {
	case s.Quote != "":
		free = w.avoid("free", append(slices.Clone(s.Never), s.Quote), rawRanges, fail)
	case len(s.Never) > 0:
		free = w.avoid("free", s.Never, plainRanges, escapes)
	}
	for name, e := range s.own(free) {
		w.common[name] = e
	}
	return w
}

// Text is a text as it is.
func Text(s string) Piece { return Piece{lit(s)} }

// Sequence is pieces in turn.
func Sequence(all ...Piece) Piece { return Piece{seq(parts(all)...)} }

// Choice is one of some pieces.
func Choice(all ...Piece) Piece { return Piece{alt(parts(all)...)} }

// Times repeats a piece, which must not fit the empty text.
func Times(p Piece, least, most int) Piece { return Piece{rep(p.e, least, most)} }

// Digits is so many digits.
func Digits(least, most int) Piece { return Piece{rep(digit, least, most)} }

func parts(all []Piece) []*expr {
	es := make([]*expr, len(all))
	for i, p := range all {
		es[i] = p.e
	}
	return es
}

// Fails reports whether nothing fits a piece.
func (p Piece) Fails() bool { return p.e.op == opFail }

// Named gives a piece a rule of its own, so that it is written once wherever it stands.
func (w *Writer) Named(name string, p Piece) Piece {
	if p.Fails() {
		return p
	}
	return Piece{ref(w.define("/"+name, p.e).name)}
}

// Without is any text that holds none of some texts, which are not empty. It may be
// empty itself.
func (w *Writer) Without(name string, never ...string) Piece {
	return Piece{w.avoid(name, never, rawRanges, fail)}
}

// Arguments is an object that fits a schema, in a layout; in that of the style where
// there is none. It returns what is loose, as [FromSchema] does, whose errors these are.
func (w *Writer) Arguments(schema []byte, l *Layout) (Piece, []string, error) {
	doc, err := readSchema(schema)
	if err != nil {
		return Piece{fail}, nil, err
	}
	if l != nil && l.Text != nil && w.text == nil {
		w.text = w.inner.bare(w.avoid("text", w.style.Never, rawRanges, fail))
	}
	c := newCompiler(doc, w)
	c.script = w.inner.outermost(l, w.text)
	e := c.rule([]item{{s: c.schemaOf(doc, "")}}, "/arguments")
	return Piece{e}, c.slack(), c.err
}

// Grammar is the whole grammar of a piece. The error is Invalid: nothing fits, or it would
// be too large.
func (w *Writer) Grammar(p Piece) (string, error) {
	return w.write(append([]*rule{{"root", p.e}}, w.rules...))
}

func (w *Writer) write(rules []*rule) (string, error) {
	gbnf, ok := write(rules, w.common)
	switch {
	case !ok:
		return "", invalid("", "no value fits the schema", "look for what contradicts itself, or never ends")
	case len(gbnf) > maxText:
		return "", invalid("", "the grammar would be too large", "use fewer alternatives, shorter bounds and smaller enums")
	}
	return gbnf, nil
}

// define adds a rule under a free name.
func (w *Writer) define(at string, body *expr) *rule {
	base := baseName(at)
	w.taken[base]++
	name := base
	for n := w.taken[base]; n > 1; n++ {
		if name = base + "-" + strconv.Itoa(n); w.taken[name] == 0 {
			w.taken[base], w.taken[name] = n, 1
			break
		}
	}
	r := &rule{name, body}
	w.rules = append(w.rules, r)
	return r
}

// avoid is any text of characters and escapes in which none of some texts stands. It is a
// rule for each beginning of them that may have been written last; an escape begins anew.
func (w *Writer) avoid(name string, never []string, ranges []rune, escape *expr) *expr {
	var states []string
	var alphabet []rune
	for _, n := range never {
		for i, r := range n {
			states, alphabet = append(states, n[:i]), append(alphabet, r)
		}
	}
	slices.Sort(states)
	slices.Sort(alphabet)
	states, alphabet = slices.Compact(append([]string{""}, states...)), slices.Compact(alphabet)
	rules := map[string]*rule{}
	for _, s := range states {
		rules[s] = w.define("/"+name, nil)
	}
	to := func(s string) *expr { return ref(rules[s].name) }
	for _, s := range states {
		var all []*expr
		var apart []rune // characters that do not lead to the beginning
		for _, r := range alphabet {
			next, dead := after(s+string(r), states, never)
			one := overlap([]rune{r, r}, ranges)
			if !dead && (next == "" || len(one) == 0) {
				continue
			}
			apart = append(apart, r, r)
			if !dead {
				all = append(all, seq(class(one...), to(next)))
			}
		}
		all = append(all, seq(class(without(ranges, apart)...), to("")), seq(escape, to("")), empty)
		rules[s].body = alt(all...)
	}
	return to("")
}

// after is the longest end of a text with which a forbidden one may begin. It reports
// whether a forbidden one is complete.
func after(text string, states, never []string) (next string, dead bool) {
	for _, n := range never {
		if strings.HasSuffix(text, n) {
			return "", true
		}
	}
	for i := range text {
		if slices.Contains(states, text[i:]) {
			return text[i:], false
		}
	}
	return "", false
}
