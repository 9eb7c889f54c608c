package verify

import (
	"iter"
	"math/big"
	"slices"
)

// An equation is two sides that a text says are equal, at least one of which has
// something to work out.
type equation struct {
	left, right side
	percent     bool // the word follows: the right side is meant as it is, or in hundredths
}

// A side is an expression: numbers, + − × ÷ and brackets.
type side []lexeme

// maxTerms bounds a side, and with it the size of the numbers in between. A
// longer one cannot be checked and does not hold.
const maxTerms = 200

// equations yields what in a text is an equation. Something that only resembles
// one is passed over: a side that goes on in words ("x + 3 = 7", "2 + 3 = 10 − x",
// "2 × 500 = 1 thousand"), or whose beginning is in doubt ("1 200 + 5").
func equations(all []lexeme) iter.Seq[equation] {
	return func(yield func(equation) bool) {
		for i, l := range all {
			if l.kind != equals {
				continue
			}
			left, ok := leftOf(all[:i])
			if !ok {
				continue
			}
			right, ok := rightOf(all[i+1:])
			if !ok || !left.works() && !right.works() {
				continue
			}
			after := all[i+1:][len(right):]
			if !yield(equation{left, right, len(after) > 0 && after[0].share}) {
				return
			}
		}
	}
}

// works reports whether there is something to work out.
func (s side) works() bool {
	return slices.ContainsFunc(s[1:], func(l lexeme) bool { return l.kind == operator })
}

// leftOf returns the expression that ends where the lexemes end.
func leftOf(all []lexeme) (side, bool) {
	start, depth := len(all), 0
scan:
	for start > 0 {
		switch l := all[start-1]; {
		case l.kind == shut:
			depth++
		case l.kind == open && depth == 0:
			break scan
		case l.kind == open:
			depth--
		case l.kind != operand && l.kind != operator:
			break scan
		case l.kind == operand && start < len(all) && all[start].kind == operand:
			if all[start].group { // "1 200": one number or two?
				return nil, false
			}
			break scan
		}
		start--
	}
	s, before := side(all[start:]), all[:start]
	if depth != 0 || len(s) == 0 || goesOn(before) {
		return nil, false
	}
	if s[0].kind == operator {
		return led(s, before)
	}
	return s, true
}

// goesOn reports whether what stands before an expression belongs to it.
func goesOn(before []lexeme) bool {
	if len(before) == 0 {
		return false
	}
	last := before[len(before)-1]
	return last.kind == word && last.tied
}

// led judges an expression that begins with an operator: a bullet at the start
// of a line is dropped, a sign is kept, and after anything else the first number
// is missing.
func led(s side, before []lexeme) (side, bool) {
	begins := len(before) == 0 || before[len(before)-1].kind == line
	switch {
	case len(s) < 2 || s[1].kind == operator:
		return nil, false
	case s[0].sign():
		return s, begins || before[len(before)-1].kind != word || !before[len(before)-1].single
	case begins:
		return s[1:], true
	}
	return nil, false
}

// rightOf returns the expression that begins where the lexemes begin.
func rightOf(all []lexeme) (side, bool) {
	end, depth := 0, 0
scan:
	for end < len(all) {
		switch l := all[end]; {
		case l.kind == open:
			depth++
		case l.kind == shut && depth == 0:
			break scan
		case l.kind == shut:
			depth--
		case l.kind != operand && l.kind != operator:
			break scan
		case l.kind == operand && end > 0 && all[end-1].kind == operand:
			if l.group {
				return nil, false
			}
			break scan
		}
		end++
	}
	s, after := side(all[:end]), all[end:]
	if depth != 0 || len(s) == 0 {
		return nil, false
	}
	return trailed(s, after)
}

// trailed judges how an expression ends: a dash before a word or a full stop is
// no part of it, one before a letter hides an unknown, and a word may make the
// last number another one.
func trailed(s side, after []lexeme) (side, bool) {
	dangling := s[len(s)-1].kind == operator
	if dangling {
		s = s[:len(s)-1]
	}
	if len(s) == 0 || s[len(s)-1].kind == operator {
		return nil, false
	}
	if len(after) > 0 && after[0].kind == word {
		w := after[0]
		if w.scale || w.tied || dangling && w.single {
			return nil, false
		}
	}
	return s, true
}

// holds reports whether both sides are equal. A side that is a mere number may
// be rounded: it equals the other one rounded to as many decimals, half away
// from zero.
func (e equation) holds() bool {
	if len(e.left) > maxTerms || len(e.right) > maxTerms {
		return false
	}
	left, ok := e.left.value()
	if !ok {
		return false
	}
	right, ok := e.right.value()
	switch {
	case !ok:
		return false
	case !e.right.works():
		return approximates(right, left, e.right.decimals()) || e.percent && approximates(hundredth(right), left, e.right.decimals()+2)
	case !e.left.works():
		return approximates(left, right, e.left.decimals())
	}
	return left.Cmp(right) == 0
}

// decimals returns those of the side's only number.
func (s side) decimals() int {
	for _, l := range s {
		if l.kind == operand {
			return l.decimals
		}
	}
	return 0
}

// approximates reports whether a number of so many decimals is another one,
// rounded.
func approximates(shown, exact *big.Rat, decimals int) bool {
	return rounded(exact, decimals).Cmp(shown) == 0
}

func hundredth(r *big.Rat) *big.Rat { return new(big.Rat).Quo(r, big.NewRat(100, 1)) }

func rounded(r *big.Rat, decimals int) *big.Rat {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
	n := new(big.Int).Mul(new(big.Int).Abs(r.Num()), scale)
	n.Mul(n, big.NewInt(2)).Add(n, r.Denom())
	n.Quo(n, new(big.Int).Mul(r.Denom(), big.NewInt(2)))
	if r.Sign() < 0 {
		n.Neg(n)
	}
	return new(big.Rat).SetFrac(n, scale)
}

// value works the side out: brackets, then × and ÷, then + and −. It fails on
// what is no expression, and on a division by zero.
func (s side) value() (*big.Rat, bool) {
	c := calculation{rest: s}
	v := c.sum(0)
	return v, v != nil && len(c.rest) == 0
}

// A calculation works out an expression from left to right. A result is nil if
// there is none.
type calculation struct{ rest side }

func (c *calculation) next(ops string) (byte, bool) {
	if len(c.rest) == 0 || c.rest[0].kind != operator {
		return 0, false
	}
	op := c.rest[0].op
	for i := range len(ops) {
		if ops[i] == op {
			c.rest = c.rest[1:]
			return op, true
		}
	}
	return 0, false
}

func (c *calculation) sum(depth int) *big.Rat {
	total := c.product(depth)
	for total != nil {
		op, ok := c.next("+-")
		if !ok {
			break
		}
		next := c.product(depth)
		switch {
		case next == nil:
			return nil
		case op == '+':
			total = new(big.Rat).Add(total, next)
		default:
			total = new(big.Rat).Sub(total, next)
		}
	}
	return total
}

func (c *calculation) product(depth int) *big.Rat {
	total := c.factor(depth)
	for total != nil {
		op, ok := c.next("*/")
		if !ok {
			break
		}
		next := c.factor(depth)
		switch {
		case next == nil, op == '/' && next.Sign() == 0:
			return nil
		case op == '*':
			total = new(big.Rat).Mul(total, next)
		default:
			total = new(big.Rat).Quo(total, next)
		}
	}
	return total
}

func (c *calculation) factor(depth int) *big.Rat {
	if op, ok := c.next("+-"); ok {
		v := c.primary(depth)
		if v != nil && op == '-' {
			v = new(big.Rat).Neg(v)
		}
		return v
	}
	return c.primary(depth)
}

func (c *calculation) primary(depth int) *big.Rat {
	if len(c.rest) == 0 || depth == maxNesting {
		return nil
	}
	first := c.rest[0]
	c.rest = c.rest[1:]
	switch first.kind {
	case operand:
		return first.value
	case open:
		v := c.sum(depth + 1)
		if len(c.rest) == 0 || c.rest[0].kind != shut {
			return nil
		}
		c.rest = c.rest[1:]
		return v
	}
	return nil
}
