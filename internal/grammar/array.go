package grammar

import (
	"math/big"
	"strconv"
)

// array is the elements that have a place of their own, and then the others.
func (c *compiler) array(items []item) *expr {
	first, least, most := 0, 0, endless
	for _, i := range items {
		c.let(i.s, "contains", "dependentSchemas", "unevaluatedItems")
		if v := i.s.get("uniqueItems"); v != nil && v.scalar == true {
			c.let(i.s, "uniqueItems")
		}
		first = max(first, len(placed(i.s)))
		least = c.bound(i.s, "minItems", least, higher)
		most = c.bound(i.s, "maxItems", most, lower)
	}
	if most != endless && least > most {
		return fail
	}
	if most != endless {
		first = min(first, most)
	}
	others := ref("value")
	if most == endless || most > first {
		others = c.element(items, first)
	}
	more := endless
	if most != endless {
		more = most - first
	}
	// From the last element to the first: what may follow once so many stand before.
	next := c.shared(seq(comma, others), place(items)+"/next")
	tail := rep(next, max(least-first, 0), more)
	begin := fail // of the elements from here on, at least one
	if most != first {
		rest := rep(next, max(least-first-1, 0), max(more-1, endless))
		begin = seq(others, rest)
	}
	for i := first - 1; i >= 0; i-- {
		e := c.element(items, i)
		begin = seq(e, tail)
		tail = seq(comma, e, tail)
		if i >= least {
			tail = maybe(tail)
		}
	}
	if least == 0 {
		begin = maybe(begin)
	}
	return seq(lit("["), begin, lit("]"))
}

func higher(a, b int) int { return max(a, b) }

// lower is the lower of two upper bounds.
func lower(a, b int) int {
	if a == endless || b < a {
		return b
	}
	return a
}

// bound joins a bound with the one so far. One that is too large to be counted is loose.
func (c *compiler) bound(s *schema, keyword string, sofar int, join func(a, b int) int) int {
	v := s.get(keyword)
	if v == nil {
		return sofar
	}
	n, ok := count(v)
	if !ok || n > maxRepeat {
		c.let(s, keyword)
		return sofar
	}
	c.spend(8 * n) // an engine copies what is repeated
	return join(sofar, n)
}

// count reads a number of things. It reports false for none and for one beyond reason.
func count(v *value) (int, bool) {
	if v == nil {
		return 0, false
	}
	r, ok := rational(v)
	if !ok || !r.IsInt() || r.Cmp(big.NewRat(1<<30, 1)) > 0 {
		return 0, false
	}
	return int(r.Num().Int64()), true
}

// placed are the elements that a schema gives a place: prefixItems, or items as older
// drafts have it.
func placed(s *schema) []*value {
	if v := s.get("prefixItems"); v != nil {
		return v.items
	}
	if v := s.get("items"); v != nil && v.kind == arrayKind {
		return v.items
	}
	return nil
}

// element is what the element at an index must fit.
func (c *compiler) element(items []item, index int) *expr {
	var all []item
	at := place(items) + "/items"
	for _, i := range items {
		var s *schema
		switch {
		case index < len(placed(i.s)) && i.s.get("prefixItems") != nil:
			s = c.part(i.s, "prefixItems", strconv.Itoa(index))
		case index < len(placed(i.s)):
			s = c.part(i.s, "items", strconv.Itoa(index))
		case i.s.get("items") != nil && i.s.get("items").kind == arrayKind:
			s = c.part(i.s, "additionalItems")
		default:
			s = c.part(i.s, "items")
		}
		if s != nil {
			all = append(all, item{s: s})
		}
	}
	return c.rule(all, at)
}
