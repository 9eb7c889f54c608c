package grammar

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A Style says in what values differ from JSON as they are written. The zero value is
// JSON.
type Style struct {
	Python bool     // True, False and None
	Quote  string   // stands around texts, which are then written as they are, without escapes
	Bare   bool     // names that are words have no quotes
	Never  []string // what no text holds as it is written
}

// A Layout says how the members of an object are written. Its texts stand as they are,
// but that a blank may follow a comma between two members.
type Layout struct {
	Open, Close   string
	Before, After string // of a member's name
	End           string // of its value
	Between       string // of two members

	Name func(name string) (written string, ok bool) // false: it cannot be written
	Text func(name string) bool                      // the member's value is a text, and written as it is; nil: none is
}

// A script is how values are written at a place.
type script struct {
	id      int
	only    typeSet // what may stand there
	style   Style
	raw     bool   // texts are written as they are
	quote   string // around a text
	ranges  []rune // of the characters that stand for themselves where not all of a text is known
	char    *expr  // one character, in any spelling
	plain   *expr  // one that stands for itself
	text    *expr  // any text, with its quotes
	object  members
	members func(name string) *script // how a member's value is written; nil: as this
}

// The members of an object as expressions.
type members struct {
	open, close, before, after, end, between *expr

	name  func(name string) (string, bool)
	other func(names []string) *expr // a name that is none of these
}

var (
	rawRanges  = []rune{'\t', '\n', 0x20, 0x7E, 0x80, 0xD7FF, 0xE000, 0x10FFFF}
	wordRanges = []rune{'0', '9', 'A', 'Z', '_', '_', 'a', 'z'}
	aWord      = regexp.MustCompile(`^[0-9A-Za-z_]+$`)
)

// heads are the characters with which what never may be begins, in order.
func (s *Style) heads() (all []rune) {
	for _, never := range s.Never {
		for _, r := range never {
			all = append(all, r)
			break
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (s *Style) never(text string) bool {
	return slices.ContainsFunc(s.Never, func(n string) bool { return strings.Contains(text, n) })
}

// pairs are ranges of one character each.
func pairs(all []rune) (ranges []rune) {
	for _, r := range all {
		ranges = append(ranges, r, r)
	}
	return ranges
}

// values is the script of any value in a style. The rules that it refers to are common
// ones, of which [Writer.common] has the style's own.
func values(s Style) *script {
	p := &script{id: 1, only: everyType, style: s, quote: `"`, ranges: without(plainRanges, pairs(s.heads())), char: ref("char"), plain: ref("plain"), text: ref("string")}
	if s.Quote != "" {
		p.raw, p.quote, p.ranges = true, s.Quote, without(rawRanges, pairs(s.heads()))
	}
	p.object = members{open: lit("{"), close: lit("}"), before: empty, after: colon, end: empty, between: comma, other: p.otherKey}
	p.object.name = func(name string) (string, bool) { return p.key(name), true }
	if s.Bare {
		p.object.other = otherWord
	}
	return p
}

// bare is the script of a text that is written as it is, with nothing around it.
func (p *script) bare(text *expr) *script {
	ranges := without(rawRanges, pairs(p.style.heads()))
	return &script{id: 2, only: isString, style: p.style, raw: true, ranges: ranges, char: class(ranges...), plain: class(ranges...), text: text}
}

// outermost is the script of an object in a layout, whose members are in the script p.
func (p *script) outermost(l *Layout, text *script) *script {
	o := *p
	o.id, o.only = 3, isObject
	o.members = func(name string) *script {
		if l != nil && l.Text != nil && l.Text(name) {
			return text
		}
		return p
	}
	if l == nil {
		return &o
	}
	o.object = members{open: lit(l.Open), close: lit(l.Close), before: lit(l.Before), after: lit(l.After), end: lit(l.End), between: lit(l.Between), name: l.Name, other: otherWord}
	if l.Between == "," {
		o.object.between = comma
	}
	return &o
}

// of is the script of a member's value.
func (p *script) of(name string) *script {
	if p.members == nil {
		return p
	}
	return p.members(name)
}

// spelled is a character as it stands in a text. It reports false where it cannot.
func (p *script) spelled(r rune) (string, bool) {
	switch {
	case p.raw:
		return string(r), len(overlap([]rune{r, r}, p.ranges)) > 0
	case slices.Contains(p.style.heads(), r):
		return fmt.Sprintf(`\u%04x`, r), true // none of them is beyond the first plane
	}
	return spelled(r), true
}

// characters is one of a class, as it is written in a text. Control characters are left
// out, but for those that have a letter.
func (p *script) characters(ranges []rune) *expr {
	all := []*expr{class(overlap(ranges, p.ranges)...)}
	if !p.raw {
		for _, r := range append([]rune("\"\\\b\f\n\r\t"), p.style.heads()...) {
			if len(overlap(ranges, []rune{r, r})) > 0 {
				text, _ := p.spelled(r)
				all = append(all, lit(text))
			}
		}
	}
	return alt(all...)
}

// key is a name as it stands in an object.
func (p *script) key(name string) string {
	if p.style.Bare && aWord.MatchString(name) {
		return name
	}
	return p.escaped(name)
}

// escaped is a JSON string that holds nothing that may not be.
func (p *script) escaped(s string) string {
	text := quoted(s)
	if !p.style.never(text) {
		return text
	}
	for _, r := range p.style.heads() {
		text = strings.ReplaceAll(text, string(r), fmt.Sprintf(`\u%04x`, r))
	}
	return text
}

// write is a value as it stands here. It reports false where it cannot be written.
func (p *script) write(v *value) (string, bool) {
	switch v.kind {
	case objectKind:
		return p.writeObject(v)
	case arrayKind:
		all := make([]string, len(v.items))
		for i, e := range v.items {
			text, ok := p.write(e)
			if !ok {
				return "", false
			}
			all[i] = text
		}
		return "[" + strings.Join(all, ",") + "]", true
	}
	if s, ok := v.scalar.(string); ok {
		return p.writeText(s)
	}
	text := v.text()
	if word := map[string]string{"true": "True", "false": "False", "null": "None"}[text]; word != "" && p.style.Python {
		return word, true
	}
	return text, true
}

// writeText writes a text. Where one without escapes cannot hold it but has quotes, it is
// written as in JSON.
func (p *script) writeText(s string) (string, bool) {
	if !p.raw {
		return p.escaped(s), true
	}
	fits := !p.style.never(s) && (p.quote == "" || !strings.Contains(s, p.quote)) && !strings.ContainsFunc(s, func(r rune) bool { return len(overlap([]rune{r, r}, rawRanges)) == 0 })
	if !fits && p.quote != "" {
		return p.escaped(s), true
	}
	return p.quote + s + p.quote, fits
}

func (p *script) writeObject(v *value) (string, bool) {
	o := &p.object
	var all []string
	for _, name := range v.names {
		key, ok := o.name(name)
		text, fits := p.of(name).write(v.member[name])
		if !ok || !fits {
			return "", false
		}
		all = append(all, literally(o.before)+key+literally(o.after)+text+literally(o.end))
	}
	return literally(o.open) + strings.Join(all, literally(o.between)) + literally(o.close), true
}

// literally is the text of a literal, or the first of a sequence.
func literally(e *expr) string {
	if e.op == opSeq && len(e.sub) > 0 {
		e = e.sub[0]
	}
	return e.text
}

// otherKey is a name that none of these is. It has no escapes, so that no name can be
// spelled in another way.
func (p *script) otherKey(names []string) *expr {
	return seq(lit(`"`), branchOf(names).others(p.keyRanges(), rep(p.keyPlain(), 0, endless), lit(`"`)))
}

func (p *script) keyRanges() []rune { return without(plainRanges, pairs(p.style.heads())) }

func (p *script) keyPlain() *expr {
	if p.raw {
		return class(p.keyRanges()...)
	}
	return p.plain
}

// otherWord is a word that none of these names is.
func otherWord(names []string) *expr {
	root := branchOf(names)
	root.ends = true // none is empty
	return root.others(wordRanges, rep(class(wordRanges...), 0, endless), empty)
}

// own has the rules of JSON that a style has otherwise.
func (s *Style) own(free *expr) map[string]*expr {
	own := map[string]*expr{}
	if s.Python {
		own["boolean"], own["null"] = alt(lit("True"), lit("False")), lit("None")
	}
	if s.Bare {
		own["member"] = seq(rep(class(wordRanges...), 1, endless), colon, ref("value"))
	}
	heads := pairs(s.heads())
	switch {
	case s.Quote != "":
		own["string"] = seq(lit(s.Quote), free, lit(s.Quote))
		own["plain"] = class(without(rawRanges, heads)...)
		own["char"] = own["plain"]
	case len(heads) > 0:
		own["string"] = seq(lit(`"`), free, lit(`"`))
		own["plain"] = class(without(plainRanges, heads)...)
		own["char"] = alt(own["plain"], escapes)
	}
	return own
}
