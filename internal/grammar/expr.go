package grammar

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// An op is what an expression is.
type op int

const (
	opFail  op = iota // fits nothing
	opText            // a literal
	opClass           // one character of ranges
	opSeq             // all of sub, in turn; of none: the empty text
	opAlt             // one of sub
	opRep             // sub[0], min to max times
	opRef             // a rule
)

// endless is the upper bound of a repetition that has none.
const endless = -1

// An expr is a piece of a grammar. It does not change once it is made.
type expr struct {
	op       op
	text     string // of a literal, or a rule's name
	ranges   []rune // pairs, sorted, apart from each other
	sub      []*expr
	min, max int
}

type rule struct {
	name string
	body *expr
}

var (
	fail  = &expr{op: opFail}
	empty = &expr{op: opSeq}
)

func ref(name string) *expr { return &expr{op: opRef, text: name} }

func lit(text string) *expr {
	if text == "" {
		return empty
	}
	return &expr{op: opText, text: text}
}

func class(ranges ...rune) *expr {
	if len(ranges) == 0 {
		return fail
	}
	return &expr{op: opClass, ranges: ranges}
}

// seq joins what stands side by side. What holds a part that fits nothing fits nothing.
func seq(parts ...*expr) *expr {
	var sub []*expr
	for _, p := range parts {
		switch {
		case p.op == opFail:
			return fail
		case p.op == opSeq:
			sub = append(sub, p.sub...)
		case p.op == opText && len(sub) > 0 && sub[len(sub)-1].op == opText:
			sub[len(sub)-1] = lit(sub[len(sub)-1].text + p.text)
		default:
			sub = append(sub, p)
		}
	}
	if len(sub) == 1 {
		return sub[0]
	}
	return &expr{op: opSeq, sub: sub}
}

// alt is a choice between those that fit something.
func alt(choices ...*expr) *expr {
	var sub []*expr
	for _, c := range choices {
		switch c.op {
		case opFail:
		case opAlt:
			sub = append(sub, c.sub...)
		default:
			sub = append(sub, c)
		}
	}
	switch len(sub) {
	case 0:
		return fail
	case 1:
		return sub[0]
	}
	return &expr{op: opAlt, sub: sub}
}

// rep repeats e, which must not fit the empty text if max is endless.
func rep(e *expr, least, most int) *expr {
	switch {
	case most != endless && least > most:
		return fail
	case most == 0 || e.op == opFail && least == 0:
		return empty
	case e.op == opFail || least == 1 && most == 1:
		return e
	}
	return &expr{op: opRep, sub: []*expr{e}, min: least, max: most}
}

func maybe(e *expr) *expr { return rep(e, 0, 1) }

// write prints the rules that the first one needs. It reports false if that one fits
// nothing.
func write(rules []*rule, common map[string]*expr) (string, bool) {
	byName := map[string]*expr{}
	for _, r := range rules {
		byName[r.name] = r.body
	}
	all := withCommon(rules, byName, common)
	finite := finiteOf(slices.Clone(all))
	for _, r := range all {
		byName[r.name] = prune(r.body, finite)
	}
	byName["root"] = byName[alias("root", byName)]
	if byName["root"].op == opFail {
		return "", false
	}
	var b strings.Builder
	needed := map[string]bool{}
	reach("root", byName, needed)
	for _, r := range all {
		if needed[r.name] {
			fmt.Fprintf(&b, "%s ::= ", r.name)
			printer{&b, byName}.print(byName[r.name], 0)
			b.WriteByte('\n')
		}
	}
	return b.String(), true
}

// withCommon adds the rules of JSON itself that others refer to.
func withCommon(rules []*rule, byName, common map[string]*expr) []*rule {
	all := slices.Clone(rules)
	for i := 0; i < len(all); i++ {
		walk(all[i].body, func(e *expr) {
			if e.op == opRef && byName[e.text] == nil {
				byName[e.text] = common[e.text]
				all = append(all, &rule{e.text, common[e.text]})
			}
		})
	}
	return all
}

func walk(e *expr, see func(*expr)) {
	see(e)
	for _, s := range e.sub {
		walk(s, see)
	}
}

// finiteOf says which rules fit some text that ends: a list whose element needs another
// such list, without an end, fits none.
func finiteOf(rules []*rule) map[string]bool {
	finite := map[string]bool{}
	for changed := true; changed; {
		changed = false
		slices.Reverse(rules) // they need those before them and those after them
		for _, r := range rules {
			if !finite[r.name] && ends(r.body, finite) {
				finite[r.name], changed = true, true
			}
		}
	}
	return finite
}

// ends reports whether e fits a text, by the rules of which that is known.
func ends(e *expr, finite map[string]bool) bool {
	switch e.op {
	case opFail:
		return false
	case opRef:
		return finite[e.text]
	case opSeq:
		return !slices.ContainsFunc(e.sub, func(s *expr) bool { return !ends(s, finite) })
	case opAlt:
		return slices.ContainsFunc(e.sub, func(s *expr) bool { return ends(s, finite) })
	case opRep:
		return e.min == 0 || ends(e.sub[0], finite)
	}
	return true
}

// prune takes out what fits nothing because its rule does not.
func prune(e *expr, finite map[string]bool) *expr {
	switch e.op {
	case opRef:
		if !finite[e.text] {
			return fail
		}
	case opSeq, opAlt:
		sub := make([]*expr, len(e.sub))
		for i, s := range e.sub {
			sub[i] = prune(s, finite)
		}
		if e.op == opSeq {
			return seq(sub...)
		}
		return alt(sub...)
	case opRep:
		return rep(prune(e.sub[0], finite), e.min, e.max)
	}
	return e
}

// alias follows rules that are only another's name. They do not name themselves in a
// circle: a step into a value has brackets.
func alias(name string, byName map[string]*expr) string {
	for byName[name].op == opRef {
		name = byName[name].text
	}
	return name
}

func reach(name string, byName map[string]*expr, needed map[string]bool) {
	if needed[name] {
		return
	}
	needed[name] = true
	walk(byName[name], func(e *expr) {
		if e.op == opRef {
			reach(alias(e.text, byName), byName, needed)
		}
	})
}

// A printer writes expressions in GBNF.
type printer struct {
	b      *strings.Builder
	byName map[string]*expr
}

// print writes e where it binds as tightly as level asks: 0 a rule's body, 1 a part of a
// sequence, 2 what is repeated.
func (p printer) print(e *expr, level int) {
	group := e.op == opAlt && level > 0 || level > 1 && (e.op == opRep || e.op == opSeq && len(e.sub) > 0)
	if group {
		p.b.WriteByte('(')
		level = 0
	}
	switch e.op {
	case opText:
		p.b.WriteString(quote(e.text))
	case opClass:
		p.class(e.ranges)
	case opRef:
		p.b.WriteString(alias(e.text, p.byName))
	case opRep:
		p.print(e.sub[0], 2)
		p.b.WriteString(times(e.min, e.max))
	case opSeq:
		p.list(e.sub, " ", 1)
	case opAlt:
		p.list(e.sub, " | ", 0)
	}
	if e.op == opSeq && len(e.sub) == 0 {
		p.b.WriteString(`""`)
	}
	if group {
		p.b.WriteByte(')')
	}
}

func (p printer) list(sub []*expr, between string, level int) {
	for i, s := range sub {
		if i > 0 {
			p.b.WriteString(between)
		}
		p.print(s, level)
	}
}

func times(least, most int) string {
	switch {
	case least == 0 && most == 1:
		return "?"
	case least == 0 && most == endless:
		return "*"
	case least == 1 && most == endless:
		return "+"
	case most == endless:
		return fmt.Sprintf("{%d,}", least)
	case least == most:
		return fmt.Sprintf("{%d}", least)
	}
	return fmt.Sprintf("{%d,%d}", least, most)
}

func (p printer) class(ranges []rune) {
	p.b.WriteByte('[')
	for i := 0; i < len(ranges); i += 2 {
		p.b.WriteString(classRune(ranges[i]))
		if ranges[i] != ranges[i+1] {
			p.b.WriteString("-" + classRune(ranges[i+1]))
		}
	}
	p.b.WriteByte(']')
}

func classRune(r rune) string {
	if r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
		return string(r)
	}
	return hex(r)
}

func hex(r rune) string {
	switch {
	case r < 0x80:
		return fmt.Sprintf(`\x%02X`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04X`, r)
	}
	return fmt.Sprintf(`\U%08X`, r)
}

// quote writes a literal. What cannot be seen is written by its number.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case unicode.IsGraphic(r):
			b.WriteRune(r)
		default:
			b.WriteString(hex(r))
		}
	}
	b.WriteByte('"')
	return b.String()
}
