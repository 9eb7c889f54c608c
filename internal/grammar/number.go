package grammar

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
)

const (
	maxDigits   = 64 // of a bound, as it is written
	maxExponent = 64
	decimals    = 6 // of a bound, after its point
)

// A limit is a bound of a number, nil where there is none.
type limit struct {
	at    *big.Rat
	apart bool // the bound itself is outside
}

// number is the numbers of the types within the bounds of the items.
func (c *compiler) number(types typeSet) func([]item) *expr {
	return func(items []item) *expr {
		var low, high limit
		for _, i := range items {
			c.limit(i.s, "minimum", &low, 1)
			c.limit(i.s, "maximum", &high, -1)
			if v := i.s.get("multipleOf"); v != nil && (types&isFraction != 0 || !divides(v)) {
				c.let(i.s, "multipleOf")
			}
		}
		switch {
		case types&isFraction == 0 && low.at == nil && high.at == nil:
			return ref("integer")
		case types&isFraction == 0:
			return signed(low, high, 0, 0)
		case low.at == nil && high.at == nil:
			return ref("number")
		}
		point := max(1, places(low), places(high))
		if low.apart || high.apart {
			point += 2 // else all between the bound and the next digit would be lost
		}
		var all []*expr
		for n := range point {
			all = append(all, signed(low, high, n, 0))
		}
		return alt(append(all, signed(low, high, point, sane-point))...)
	}
}

// divides reports whether every integer is a multiple of v.
func divides(v *value) bool {
	r, ok := rational(v)
	return ok && r.Sign() > 0 && r.Num().IsInt64() && r.Num().Int64() == 1
}

// limit narrows a bound by a keyword and by its exclusive sister. A lower bound has the
// direction 1, an upper one -1.
func (c *compiler) limit(s *schema, keyword string, to *limit, direction int) {
	exclusive := "exclusive" + strings.ToUpper(keyword[:1]) + keyword[1:]
	apart := s.get(exclusive)
	older := apart != nil && apart.scalar == true // of draft 4: the bound itself is outside
	c.narrow(s, keyword, older, to, direction)
	if apart != nil && !older {
		c.narrow(s, exclusive, true, to, direction)
	}
}

// beyond is more than a number without bounds can be.
var beyond = new(big.Int).Exp(big.NewInt(10), big.NewInt(sane), nil)

func (c *compiler) narrow(s *schema, keyword string, apart bool, to *limit, direction int) {
	v := s.get(keyword)
	if v == nil {
		return
	}
	if _, boolean := v.scalar.(bool); boolean {
		return
	}
	r, ok := rational(v)
	far := ok && new(big.Rat).Abs(r).Cmp(new(big.Rat).SetInt(beyond)) >= 0
	switch {
	case far && r.Sign() == -direction:
		return // no number that the grammar knows is out there
	case !ok, far, places(limit{at: r}) > decimals:
		c.let(s, keyword)
		return
	}
	if to.at != nil {
		if order := r.Cmp(to.at) * direction; order < 0 || order == 0 && !apart {
			return
		}
	}
	*to = limit{r, apart}
}

// rational reads a number. It reports false for one that is too long.
func rational(v *value) (*big.Rat, bool) {
	n, ok := v.scalar.(json.Number)
	if !ok || len(n) > maxDigits {
		return nil, false
	}
	if i := strings.IndexAny(string(n), "eE"); i >= 0 {
		if e, err := strconv.Atoi(string(n[i+1:])); err != nil || e > maxExponent || e < -maxExponent {
			return nil, false
		}
	}
	return new(big.Rat).SetString(string(n))
}

// places is how many digits after the point the bound needs; more than decimals where
// that is not enough.
func places(l limit) int {
	if l.at == nil {
		return 0
	}
	r := new(big.Rat).Set(l.at)
	n := 0
	for ; !r.IsInt() && n <= decimals; n++ {
		r.Mul(r, big.NewRat(10, 1))
	}
	return n
}

// scaled is the first whole number within the bound, counted in units of so many digits
// after the point.
func scaled(l limit, point, direction int) *big.Int {
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(point)), nil)
	if l.at == nil {
		end := new(big.Int).Mul(beyond, unit)
		end.Sub(end, big.NewInt(1))
		if direction > 0 {
			end.Neg(end)
		}
		return end
	}
	r := new(big.Rat).Mul(l.at, new(big.Rat).SetInt(unit))
	n := new(big.Int)
	n.Div(r.Num(), r.Denom()) // rounds down, since the divisor is positive
	switch {
	case direction > 0 && (!r.IsInt() || l.apart):
		n.Add(n, big.NewInt(1))
	case direction < 0 && r.IsInt() && l.apart:
		n.Sub(n, big.NewInt(1))
	}
	return n
}

// signed is the numbers within the bounds that have so many digits after the point, and
// up to more of them where those decide nothing.
func signed(low, high limit, point, more int) *expr {
	from, to := scaled(low, point, 1), scaled(high, point, -1)
	zero, one := new(big.Int), big.NewInt(1)
	below := span(largest(one, new(big.Int).Neg(to)), new(big.Int).Neg(from), point, more)
	return alt(span(largest(zero, from), to, point, more), seq(lit("-"), below))
}

func largest(a, b *big.Int) *big.Int {
	if a.Cmp(b) > 0 {
		return a
	}
	return b
}

// span is the numbers from a to b, which are not negative, in units of the last digit.
// More digits may follow any but the last number.
func span(a, b *big.Int, point, more int) *expr {
	if a.Cmp(b) > 0 {
		return fail
	}
	all := between(padded(a, point), padded(b, point), point)
	before := new(big.Int).Sub(b, big.NewInt(1))
	if more == 0 || a.Cmp(before) > 0 {
		return all
	}
	return alt(seq(between(padded(a, point), padded(before, point), point), rep(digit, 1, more)), all)
}

// padded has at least one digit before the point.
func padded(n *big.Int, point int) string {
	s := n.String()
	return strings.Repeat("0", max(0, point+1-len(s))) + s
}

// between is the digits from a to b, a being no longer than b, with the point where so
// many of them are left.
func between(a, b string, point int) *expr {
	if len(a) == len(b) {
		return same(a, b, point)
	}
	all := []*expr{same(a, strings.Repeat("9", len(a)), point)}
	if len(b)-len(a) > 1 {
		middle := []*expr{class('1', '9'), rep(digit, len(a)-point, len(b)-2-point)}
		if point > 0 {
			middle = append(middle, lit("."), rep(digit, point, point))
		}
		all = append(all, seq(middle...))
	}
	return alt(append(all, same("1"+strings.Repeat("0", len(b)-1), b, point))...)
}

// same is between for digits of one length.
func same(a, b string, point int) *expr {
	if a == "" {
		return empty
	}
	rest := len(a) - 1
	low, high := a[0], b[0]
	floor, ceiling := strings.Repeat("0", rest), strings.Repeat("9", rest)
	dot := empty
	if len(a) == point {
		dot = lit(".")
	}
	if low == high {
		return seq(dot, lit(a[:1]), same(a[1:], b[1:], point))
	}
	var edges []*expr
	if a[1:] != floor {
		edges = append(edges, seq(lit(a[:1]), same(a[1:], ceiling, point)))
		low++
	}
	if b[1:] != ceiling {
		edges = append(edges, seq(lit(b[:1]), same(floor, b[1:], point)))
		high--
	}
	if low <= high {
		edges = append(edges, seq(class(rune(low), rune(high)), any9(rest, point)))
	}
	return seq(dot, alt(edges...))
}

// any9 is any n digits, with the point where it belongs.
func any9(n, point int) *expr {
	if point == 0 || n < point {
		return rep(digit, n, n)
	}
	return seq(rep(digit, n-point, n-point), lit("."), rep(digit, point, point))
}
