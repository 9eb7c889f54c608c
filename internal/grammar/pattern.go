package grammar

import (
	"regexp/syntax"
	"slices"
)

// A form is what a regular expression fits, as it is written between a string's quotes.
type form struct {
	e        *expr
	min, max int   // characters; max may be endless
	single   *expr // where it is one character, many times over: that one
}

// maxNodes is how much of a regular expression a form is made of at most.
const maxNodes = 2000

// formOf reads a regular expression of the safe kind: anchors at its two ends alone,
// classes, groups, choices and repetitions, nothing that looks around or back. It returns
// nil for any other, and for an empty one.
func formOf(pattern string, in *script) *form {
	if pattern == "" {
		return nil
	}
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	t := &translator{script: in, left: maxNodes}
	f := t.anchored(re)
	if t.unsafe || f.e.op == opFail {
		return nil
	}
	return &f
}

// cut makes the form's length lie within bounds. It reports false if it cannot.
func (f *form) cut(least, most int) bool {
	if f.min >= least && (most == endless || f.max != endless && f.max <= most) {
		return true
	}
	if f.single == nil {
		return false
	}
	f.min = max(f.min, least)
	if most != endless {
		f.max = lower(f.max, most)
	}
	f.e = rep(f.single, f.min, f.max)
	return f.e.op != opFail
}

type translator struct {
	script *script
	unsafe bool
	left   int // nodes
}

// anchored reads the whole. Where it has no anchor anything may stand before or after.
func (t *translator) anchored(re *syntax.Regexp) form {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	if re.Op == syntax.OpAlternate {
		return t.choice(re.Sub, t.anchored)
	}
	parts := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		parts = re.Sub
	}
	begins, ends := false, false
	for len(parts) > 0 && parts[0].Op == syntax.OpBeginText {
		parts, begins = parts[1:], true
	}
	for len(parts) > 0 && parts[len(parts)-1].Op == syntax.OpEndText {
		parts, ends = parts[:len(parts)-1], true
	}
	f := t.chain(parts)
	anything := form{rep(t.script.char, 0, endless), 0, endless, nil}
	switch {
	case begins && ends:
		return f
	case begins:
		return join(f, anything)
	case ends:
		return join(anything, f)
	}
	return join(join(anything, f), anything)
}

func join(a, b form) form {
	f := form{e: seq(a.e, b.e), min: a.min + b.min, max: a.max + b.max}
	if a.max == endless || b.max == endless {
		f.max = endless
	}
	return f
}

func (t *translator) chain(parts []*syntax.Regexp) form {
	if len(parts) == 1 {
		return t.form(parts[0])
	}
	f := form{e: empty}
	for _, p := range parts {
		f = join(f, t.form(p))
	}
	return f
}

func (t *translator) choice(parts []*syntax.Regexp, read func(*syntax.Regexp) form) form {
	all := form{e: fail}
	for i, p := range parts {
		f := read(p)
		if i == 0 {
			all.min, all.max = f.min, f.max
		}
		all.e, all.min = alt(all.e, f.e), min(all.min, f.min)
		if all.max != endless && (f.max == endless || f.max > all.max) {
			all.max = f.max
		}
	}
	return all
}

// form reads what has no anchors in it.
func (t *translator) form(re *syntax.Regexp) form {
	if t.left--; t.left < 0 {
		t.unsafe = true
	}
	if t.unsafe {
		return form{e: fail}
	}
	switch re.Op {
	case syntax.OpEmptyMatch:
		return form{e: empty}
	case syntax.OpLiteral:
		return t.literal(re)
	case syntax.OpCharClass:
		e := t.script.characters(re.Rune)
		return form{e, 1, 1, e}
	case syntax.OpAnyCharNotNL, syntax.OpAnyChar:
		return form{t.script.plain, 1, 1, t.script.plain}
	case syntax.OpCapture:
		return t.form(re.Sub[0])
	case syntax.OpConcat:
		return t.chain(re.Sub)
	case syntax.OpAlternate:
		return t.choice(re.Sub, t.form)
	case syntax.OpStar:
		return t.repeat(re.Sub[0], 0, endless)
	case syntax.OpPlus:
		return t.repeat(re.Sub[0], 1, endless)
	case syntax.OpQuest:
		return t.repeat(re.Sub[0], 0, 1)
	case syntax.OpRepeat:
		return t.repeat(re.Sub[0], re.Min, re.Max)
	}
	t.unsafe = true // an anchor within, the edge of a word
	return form{e: fail}
}

func (t *translator) literal(re *syntax.Regexp) form {
	if re.Flags&syntax.FoldCase != 0 {
		t.unsafe = true
		return form{e: fail}
	}
	text := ""
	for _, r := range re.Rune {
		one, ok := t.script.spelled(r)
		t.unsafe = t.unsafe || !ok
		text += one
	}
	n := len(re.Rune)
	f := form{lit(text), n, n, nil}
	if n == 1 {
		f.single = f.e
	}
	return f
}

// repeat refuses to repeat what may be empty, which an engine could do without an end.
func (t *translator) repeat(re *syntax.Regexp, least, most int) form {
	f := t.form(re)
	if f.min == 0 && most != 1 || least > maxRepeat || most > maxRepeat {
		t.unsafe = true
		return form{e: fail}
	}
	if most > 1 || least > 1 {
		t.left -= max(most, least) * nodes(f.e) // as the engine will copy it
	}
	out := form{e: rep(f.e, least, most), min: least * f.min, max: endless}
	if most != endless && f.max != endless {
		out.max = most * f.max
	}
	if f.min == 1 && f.max == 1 {
		out.single = f.single
	}
	return out
}

func nodes(e *expr) (n int) {
	walk(e, func(*expr) { n++ })
	return n
}

// overlap is the characters that two lists of ranges share.
func overlap(a, b []rune) (both []rune) {
	for i := 0; i < len(a); i += 2 {
		for j := 0; j < len(b); j += 2 {
			if low, high := max(a[i], b[j]), min(a[i+1], b[j+1]); low <= high {
				both = append(both, low, high)
			}
		}
	}
	return both
}

// without is the characters of a list of ranges but for some, which are sorted.
func without(ranges, but []rune) (rest []rune) {
	rest = slices.Clone(ranges)
	for i := 0; i < len(but); i += 2 {
		below, above := []rune{0, but[i] - 1}, []rune{but[i+1] + 1, 0x10FFFF}
		rest = append(overlap(rest, below), overlap(rest, above)...)
	}
	return rest
}
