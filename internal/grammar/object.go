package grammar

import "slices"

// A shape is what the items say of an object together.
type shape struct {
	names    []string
	required map[string]bool
	rest     []item // what other members must fit
	open     bool   // there may be others
}

// object is members in the order in which the schema names them, and then the others.
func (c *compiler) object(items []item) *expr {
	sh := c.shapeOf(items)
	c.looseOfObject(items, sh)
	form, at := &c.script.object, place(items)
	members := make([]*expr, len(sh.names))
	for i, name := range sh.names {
		members[i] = c.member(items, name)
	}
	tail, others := empty, fail
	if sh.open {
		others = seq(form.before, c.shared(form.other(sh.names), at+"/key"), form.after, c.within("", sh.rest, at+"/other"), form.end)
		tail = c.shared(rep(seq(form.between, others), 0, endless), at+"/others")
	}
	tails := make([]*expr, len(members)+1) // what may follow once something stands before
	tails[len(members)] = tail
	for i := len(members) - 1; i >= 0; i-- {
		m := seq(form.between, members[i])
		if !sh.required[sh.names[i]] {
			m = maybe(m)
		}
		tails[i] = c.shared(seq(m, tails[i+1]), at+"/rest")
	}
	var begins []*expr
	for i, name := range sh.names {
		begins = append(begins, seq(members[i], tails[i+1]))
		if sh.required[name] {
			return seq(form.open, alt(begins...), form.close)
		}
	}
	begins = append(begins, seq(others, tail))
	return seq(form.open, maybe(alt(begins...)), form.close)
}

// place is where the first of the items stands.
func place(items []item) string {
	if len(items) == 0 {
		return ""
	}
	return items[0].s.at
}

// within is the rule of a member's value, in the script that is for it.
func (c *compiler) within(name string, items []item, at string) *expr {
	outer := c.script
	defer func() { c.script = outer }()
	c.script = outer.of(name)
	return c.rule(items, at)
}

// shared gives an expression a rule, since it will stand in two places.
func (c *compiler) shared(e *expr, at string) *expr {
	if e.op == opFail || e.op == opRef || e == empty {
		return e
	}
	return ref(c.define(at, e).name)
}

func (c *compiler) shapeOf(items []item) shape {
	sh := shape{required: map[string]bool{}}
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			sh.names = append(sh.names, name)
			seen[name] = true
		}
	}
	said, closed := false, false
	for _, i := range items {
		if p := i.s.get("properties"); p != nil {
			for _, name := range p.names {
				add(name)
			}
		}
		other := c.part(i.s, "additionalProperties")
		if other == nil {
			other = c.part(i.s, "unevaluatedProperties")
		}
		if other != nil {
			said, closed = true, closed || other.never()
			sh.rest = append(sh.rest, item{s: other})
		}
	}
	for _, i := range items {
		for _, name := range requiredOf(i.s) {
			add(name)
			sh.required[name] = true
		}
	}
	sh.open = !closed && (said || len(sh.names) == 0)
	return sh
}

// member is a name with what fits all that the items say of it.
func (c *compiler) member(items []item, name string) *expr {
	var all []item
	at := place(items) + "/properties/" + escape.Replace(name)
	form := &c.script.object
	written, ok := form.name(name)
	if !ok {
		return fail
	}
	for _, i := range items {
		c.spend(1)
		named := false
		if s := c.part(i.s, "properties", name); s != nil {
			all, named = append(all, item{s: s}), true
		}
		for _, pattern := range patternsOf(i.s) {
			re := c.checks.pattern(pattern)
			if !c.spend(1) || re == nil || !re.MatchString(name) {
				continue
			}
			all, named = append(all, item{s: c.part(i.s, "patternProperties", pattern)}), true
		}
		if other := c.part(i.s, "additionalProperties"); other != nil && !named {
			all = append(all, item{s: other})
		}
	}
	return seq(form.before, lit(written), form.after, c.within(name, all, at), form.end)
}

func patternsOf(s *schema) []string {
	if v := s.get("patternProperties"); v != nil {
		return v.names
	}
	return nil
}

func (c *compiler) looseOfObject(items []item, sh shape) {
	for _, i := range items {
		c.let(i.s, "propertyNames", "dependentRequired", "dependentSchemas", "dependencies")
		if v := i.s.get("unevaluatedProperties"); v != nil && v.scalar != true {
			c.let(i.s, "unevaluatedProperties")
		}
		for _, pattern := range patternsOf(i.s) {
			if sh.open || c.checks.pattern(pattern) == nil {
				c.let(i.s, "patternProperties")
			}
		}
		if least, ok := count(i.s.get("minProperties")); ok && least > len(sh.required) {
			c.let(i.s, "minProperties")
		}
		if most, ok := count(i.s.get("maxProperties")); ok && (sh.open || most < len(sh.names)) {
			c.let(i.s, "maxProperties")
		}
	}
}

// A branch is the names that begin alike.
type branch struct {
	next  map[rune]*branch
	order []rune
	ends  bool // a name is complete here
}

func branchOf(names []string) *branch {
	root := &branch{}
	for _, name := range names {
		root.add([]rune(name))
	}
	return root
}

func (b *branch) add(name []rune) {
	for _, r := range name {
		if b.next == nil {
			b.next = map[rune]*branch{}
		}
		if b.next[r] == nil {
			b.next[r] = &branch{}
			b.order = append(b.order, r)
		}
		b = b.next[r]
	}
	b.ends = true
}

// others is what may follow here so that the whole, of characters of ranges and what ends
// it, is none of the names. More is any number of those characters.
func (b *branch) others(ranges []rune, more, end *expr) *expr {
	if len(b.order) == 0 && !b.ends {
		return seq(more, end)
	}
	var all []*expr
	var taken []rune
	slices.Sort(b.order)
	for _, r := range b.order {
		if one := overlap([]rune{r, r}, ranges); len(one) > 0 {
			all = append(all, seq(class(one...), b.next[r].others(ranges, more, end)))
			taken = append(taken, r, r)
		}
	}
	all = append(all, seq(class(without(ranges, taken)...), more, end))
	if !b.ends {
		all = append(all, end)
	}
	return alt(all...)
}
