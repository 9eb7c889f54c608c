package starling

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// Money is an amount in nanodollars (10⁻⁹ US dollars). Sums are exact; there is
// no floating point anywhere between a price and a receipt. The range is about
// ± 9.2 billion dollars; [Rate.Of] saturates rather than wraps.
type Money int64

// Dollar is one US dollar.
const Dollar Money = 1_000_000_000

// ParseMoney reads a dollar amount such as "5", "$0.25" or "-0.000000001".
// More than nine decimals, exponents and separators are Invalid: a typed amount
// is either understood to the last digit or refused.
func ParseMoney(s string) (Money, error) {
	bad := func() (Money, error) {
		return 0, &Error{Kind: Invalid, Op: fmt.Sprintf("amount %q", s), Hint: "write dollars with at most nine decimals, like 0.25 or $5"}
	}
	text := strings.TrimSpace(s)
	text, negative := strings.CutPrefix(text, "-")
	text = strings.TrimPrefix(text, "$")
	whole, fraction, _ := strings.Cut(text, ".")
	digits := whole + fraction
	if digits == "" || len(fraction) > 9 || strings.Trim(digits, "0123456789") != "" {
		return bad()
	}
	n, ok := new(big.Int).SetString(digits+strings.Repeat("0", 9-len(fraction)), 10)
	if !ok || !n.IsInt64() {
		return bad()
	}
	if negative {
		return -Money(n.Int64()), nil
	}
	return Money(n.Int64()), nil
}

// String renders the exact amount in dollars with at least two decimals: "$0.00",
// "$0.000123", "-$1.50".
func (m Money) String() string {
	text := make([]byte, 0, 24)
	abs := uint64(m)
	if m < 0 {
		text, abs = append(text, '-'), -abs
	}
	text = strconv.AppendUint(append(text, '$'), abs/uint64(Dollar), 10)
	point := len(text)
	text = strconv.AppendUint(text, uint64(Dollar)+abs%uint64(Dollar), 10) // its leading 1 keeps the zeros
	text[point] = '.'
	for end := len(text); end > point+3 && text[end-1] == '0'; end-- {
		text = text[:end-1]
	}
	return string(text)
}

// A Rate is a price in nanodollars per million tokens: $3 per million is
// 3_000_000_000.
type Rate int64

// Of returns the price of n tokens, rounded to the nearest nanodollar (half up)
// and never above [math.MaxInt64]. A negative n costs nothing.
func (r Rate) Of(n int64) Money {
	if r <= 0 || n <= 0 {
		return 0
	}
	const million = 1_000_000
	hi, lo := bits.Mul64(uint64(r), uint64(n))
	lo, carry := bits.Add64(lo, million/2, 0)
	hi += carry
	if hi >= million {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, million)
	if q > math.MaxInt64 {
		return math.MaxInt64
	}
	return Money(q)
}

// Plus adds without wrapping: a sum beyond the range stays at its end. Worst
// cases are added with it, so that an absurd bound stays absurd.
func (m Money) Plus(n Money) Money {
	sum := m + n
	switch {
	case n > 0 && sum < m:
		return math.MaxInt64
	case n < 0 && sum > m:
		return math.MinInt64
	}
	return sum
}

// Times returns m for each of n, at most the largest amount. Neither may be
// below zero.
func (m Money) Times(n int64) Money {
	hi, lo := bits.Mul64(uint64(m), uint64(n))
	if hi > 0 || lo > math.MaxInt64 {
		return math.MaxInt64
	}
	return Money(lo)
}
