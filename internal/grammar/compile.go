package grammar

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A schema is one that stands somewhere in the document: an object of keywords, or a
// boolean.
type schema struct {
	id int
	at string // JSON pointer
	v  *value
}

// get returns a keyword's value, nil where it is absent.
func (s *schema) get(keyword string) *value { return s.v.member[keyword] }

func (s *schema) text(keyword string) (string, bool) {
	v := s.get(keyword)
	if v == nil {
		return "", false
	}
	t, ok := v.scalar.(string)
	return t, ok
}

// never reports whether nothing fits: the schema is false.
func (s *schema) never() bool { return s.v.scalar == false }

// silent reports whether the schema says nothing itself. Left out, it leaves what others
// say of a value in one form, and so in one rule.
func (s *schema) silent() bool {
	for keyword := range s.v.member {
		if !slices.Contains(notes, keyword) {
			return false
		}
	}
	return !s.never()
}

// notes are keywords that narrow nothing, or that [compiler.flatten] has followed.
var notes = []string{"$ref", "allOf", "$schema", "$id", "$defs", "definitions", "$comment", "title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly"}

// An item is one of the schemas that a value must fit all at once. Of its choices some
// have been made: the chosen branches are items of their own.
type item struct {
	s    *schema
	made [2]bool // anyOf, oneOf
}

var choices = [2]string{"anyOf", "oneOf"}

// A compiler makes rules of schemas. What a value must fit is a list of items, so that
// allOf, $ref and what stands beside them come together without being rewritten.
type compiler struct {
	*Writer
	doc     *value
	schemas map[*value]*schema
	named   map[string]string // script and items as text: their rule
	script  *script           // of what is compiled now
	loose   map[string]bool
	checks  *checker
	depth   int
	work    int
	err     error
}

func newCompiler(doc *value, w *Writer) *compiler {
	return &compiler{Writer: w, doc: doc, schemas: map[*value]*schema{}, named: map[string]string{}, script: w.inner, loose: map[string]bool{}, checks: newChecker(doc)}
}

// slack is what is loose, in order.
func (c *compiler) slack() []string { return slices.Sorted(maps.Keys(c.loose)) }

func (c *compiler) schemaOf(v *value, at string) *schema {
	if s := c.schemas[v]; s != nil {
		return s
	}
	s := &schema{len(c.schemas), at, v}
	c.schemas[v] = s
	return s
}

// part returns the schema that a keyword holds, nil where it holds none.
func (c *compiler) part(s *schema, steps ...string) *schema {
	v, at := s.v, s.at
	for _, step := range steps {
		if v = v.find([]string{escape.Replace(step)}); v == nil {
			return nil
		}
		at += "/" + escape.Replace(step)
	}
	if v.kind == arrayKind {
		return nil
	}
	return c.schemaOf(v, at)
}

// list returns the schemas that a keyword lists.
func (c *compiler) list(s *schema, keyword string) []*schema {
	v := s.get(keyword)
	if v == nil || v.kind != arrayKind {
		return nil
	}
	all := make([]*schema, len(v.items))
	for i := range v.items {
		all[i] = c.part(s, keyword, strconv.Itoa(i))
	}
	return all
}

// refuse notes the first error. Everything is fail from then on.
func (c *compiler) refuse(at, what, hint string) *expr {
	if c.err == nil {
		c.err = invalid(at, what, hint)
	}
	return fail
}

// spend counts work, so that a short schema cannot ask for a lot of it.
func (c *compiler) spend(n int) bool {
	if c.work += n; c.work > maxWork {
		c.refuse("", "the schema has too many combinations", "use fewer alternatives, shorter bounds and smaller enums")
	}
	return c.err == nil
}

// let notes keywords that the grammar does not hold.
func (c *compiler) let(s *schema, keywords ...string) {
	for _, k := range keywords {
		if s.get(k) != nil {
			c.loose[s.at+"/"+k] = true
		}
	}
}

// rule returns a reference to the rule of what fits all the items, and makes it where it
// is new. It is named after the place.
func (c *compiler) rule(items []item, at string) *expr {
	all := c.flatten(items)
	key := strconv.Itoa(c.script.id) + " " + keyOf(all)
	if name, ok := c.named[key]; ok {
		return ref(name)
	}
	if c.depth == maxDepth {
		c.refuse(at, "the schema nests too deeply", fmt.Sprintf("keep it under %d levels", maxDepth))
	}
	if len(c.rules) >= maxRules {
		c.refuse(at, "the schema has too many combinations", "use fewer anyOf and oneOf beside each other")
	}
	if c.err != nil {
		return fail
	}
	c.depth++
	defer func() { c.depth-- }()
	r := c.define(at, nil)
	c.named[key] = r.name
	r.body = c.body(all)
	return ref(r.name)
}

var unfit = regexp.MustCompile(`[^a-z0-9]+`)

// baseName is the last step of a pointer that says something, in the letters of a rule's
// name.
func baseName(at string) string {
	if at == "" {
		return "root"
	}
	steps := strings.Split(at, "/")
	for _, step := range slices.Backward(steps) {
		name := strings.Trim(unfit.ReplaceAllString(strings.ToLower(step), "-"), "-")
		if name != "" && name[0] > '9' {
			return strings.Trim(name[:min(len(name), 24)], "-")
		}
	}
	return "part"
}

func keyOf(items []item) string {
	var b strings.Builder
	for _, i := range items {
		fmt.Fprintf(&b, "%d", i.s.id)
		for k, made := range i.made {
			if made {
				b.WriteByte("ao"[k])
			}
		}
		b.WriteByte(' ')
	}
	return b.String()
}

// flatten adds what the items refer to and what their allOf lists. That a schema is
// reached again on its own way is found by [compiler.straight].
func (c *compiler) flatten(items []item) []item {
	var all []item
	seen := map[*schema]bool{}
	var add func(item)
	add = func(i item) {
		if seen[i.s] || !c.spend(1) {
			return
		}
		seen[i.s] = true
		c.straight(i.s)
		if !i.s.silent() {
			all = append(all, i)
		}
		if i.s.v.kind != objectKind {
			return
		}
		if to := c.target(i.s); to != nil {
			add(item{s: to})
		}
		for _, s := range c.list(i.s, "allOf") {
			add(item{s: s})
		}
	}
	for _, i := range items {
		add(i)
	}
	return all
}

// target is the schema that another refers to, nil if it refers to none.
func (c *compiler) target(s *schema) *schema {
	to, ok := s.text("$ref")
	if !ok {
		return nil
	}
	at, ok := strings.CutPrefix(to, "#")
	if !ok || at != "" && at[0] != '/' {
		c.refuse(s.at+"/$ref", "the reference is no JSON pointer", "refer to a part of the same schema, as in #/$defs/name")
		return nil
	}
	at = plainPointer(at)
	steps := strings.Split(at, "/")
	v := c.doc.find(steps[1:])
	if v == nil || v.kind == arrayKind {
		c.refuse(s.at+"/$ref", "the reference leads nowhere", "")
		return nil
	}
	return c.schemaOf(v, at)
}

// straight refuses a schema that asks its value to fit the schema itself, by way of
// references and choices alone.
func (c *compiler) straight(s *schema) {
	const under, done = 1, 2
	state := c.checks.seen
	var visit func(*schema)
	visit = func(s *schema) {
		switch {
		case s == nil || s.v.kind != objectKind || state[s] == done || c.err != nil:
			return
		case state[s] == under:
			c.refuse(s.at, "the schema refers to itself without a step into the value", "put the reference into properties or items")
			return
		}
		state[s] = under
		visit(c.target(s))
		for _, k := range []string{"allOf", "anyOf", "oneOf"} {
			for _, part := range c.list(s, k) {
				visit(part)
			}
		}
		state[s] = done
	}
	visit(s)
}

// Keywords that narrow a value of any kind and that no grammar holds.
var heedless = []string{"not", "$dynamicRef", "$recursiveRef"}

// body makes the rule of items that are complete.
func (c *compiler) body(items []item) *expr {
	if slices.ContainsFunc(items, func(i item) bool { return i.s.never() }) {
		return fail
	}
	for _, i := range items {
		if e, ok := c.listed(i.s, items); ok {
			return e
		}
	}
	for n, i := range items {
		for k, keyword := range choices {
			if branches := c.list(i.s, keyword); len(branches) > 0 && !i.made[k] {
				return c.choose(items, n, k, branches)
			}
		}
	}
	for _, i := range items {
		c.let(i.s, heedless...)
		if i.s.get("then") != nil || i.s.get("else") != nil {
			c.let(i.s, "if")
		}
	}
	return c.typed(items)
}

// choose tries each branch of a choice together with all the items.
func (c *compiler) choose(items []item, n, k int, branches []*schema) *expr {
	s := items[n].s
	if choices[k] == "oneOf" && !c.apart(branches) {
		c.let(s, "oneOf")
	}
	items = slices.Clone(items)
	items[n].made[k] = true
	var all []*expr
	for _, b := range branches {
		all = append(all, c.rule(append(slices.Clone(items), item{s: b}), b.at))
	}
	return alt(all...)
}

// typed is a choice between the types that the items allow.
func (c *compiler) typed(items []item) *expr {
	types, named := everyType, false
	for _, i := range items {
		if t := i.s.get("type"); t != nil {
			types, named = types&typesOf(t), true
		}
	}
	if !named {
		var spoken typeSet
		for _, i := range items {
			spoken |= spokenOf(i.s)
		}
		switch {
		case spoken != 0:
			types = spoken
		case c.script.only == everyType:
			return ref("value")
		}
	}
	types &= c.script.only
	var all []*expr
	for _, t := range []struct {
		is   typeSet
		make func([]item) *expr
	}{{isObject, c.object}, {isArray, c.array}, {isString, c.string}, {isInteger, c.number(types)}, {isBoolean, is("boolean")}, {isNull, is("null")}} {
		if types&t.is != 0 {
			all = append(all, t.make(items))
		}
	}
	return alt(all...)
}

func is(name string) func([]item) *expr { return func([]item) *expr { return ref(name) } }

// A typeSet says which types a value may have. A number that is no integer has a bit of
// its own.
type typeSet int

const (
	isNull typeSet = 1 << iota
	isBoolean
	isObject
	isArray
	isString
	isInteger
	isFraction
	everyType typeSet = 1<<iota - 1
)

var typeNames = map[string]typeSet{
	"null": isNull, "boolean": isBoolean, "object": isObject, "array": isArray,
	"string": isString, "integer": isInteger, "number": isInteger | isFraction,
}

func typesOf(v *value) (t typeSet) {
	if name, ok := v.scalar.(string); ok {
		return typeNames[name]
	}
	for _, e := range v.items {
		t |= typesOf(e)
	}
	return t
}

// speaks has the keywords that say something of one type alone.
var speaks = map[string]typeSet{
	"properties": isObject, "required": isObject, "additionalProperties": isObject, "patternProperties": isObject, "propertyNames": isObject,
	"minProperties": isObject, "maxProperties": isObject, "dependentRequired": isObject, "dependentSchemas": isObject, "dependencies": isObject, "unevaluatedProperties": isObject,
	"items": isArray, "prefixItems": isArray, "additionalItems": isArray, "minItems": isArray, "maxItems": isArray, "uniqueItems": isArray, "contains": isArray, "unevaluatedItems": isArray,
	"minLength": isString, "maxLength": isString, "pattern": isString, "format": isString,
	"minimum": isInteger | isFraction, "maximum": isInteger | isFraction, "exclusiveMinimum": isInteger | isFraction, "exclusiveMaximum": isInteger | isFraction, "multipleOf": isInteger | isFraction,
}

// spokenOf is what a schema without a type is about: whoever lists properties wants an
// object.
func spokenOf(s *schema) (t typeSet) {
	for keyword := range s.v.member {
		t |= speaks[keyword]
	}
	return t
}

// listed returns the values of enum or const that fit all the items, each as it is
// written. It reports false where s has neither.
func (c *compiler) listed(s *schema, items []item) (*expr, bool) {
	var values []*value
	if one := s.get("const"); one != nil {
		values = []*value{one}
	} else if list := s.get("enum"); list != nil {
		values = list.items
	} else {
		return nil, false
	}
	var all []*expr
	for _, v := range values {
		text, ok := c.script.write(v)
		if !c.spend(len(text)) {
			return fail, true
		}
		if !ok || typeOf(v)&c.script.only == 0 {
			continue
		}
		fits, err := c.keeps(s, items, v)
		if err != nil {
			return c.refuse(s.at, "the schema cannot be used", ""), true
		}
		if fits {
			all = append(all, lit(text))
		}
	}
	return alt(all...), true
}

// keeps reports whether a value that s lists fits all the items. Where nothing but types is
// said beside the list, no validator has to go through the list again.
func (c *compiler) keeps(s *schema, items []item, v *value) (bool, error) {
	if len(items) == 1 && s.onlyListed() {
		t := s.get("type")
		return t == nil || typesOf(t)&typeOf(v) != 0, nil
	}
	return c.fits(items, v)
}

// fits reports whether a value fits all the items.
func (c *compiler) fits(items []item, v *value) (bool, error) {
	for _, i := range items {
		if !c.spend(1 + c.checks.weight(i.s)/8) {
			return false, nil
		}
	}
	return c.checks.fits(items, v)
}

// onlyListed reports whether the schema has one list of values and at most types beside.
func (s *schema) onlyListed() bool {
	for keyword := range s.v.member {
		if keyword != "enum" && keyword != "const" && keyword != "type" && (keyword == "$ref" || keyword == "allOf" || !slices.Contains(notes, keyword)) {
			return false
		}
	}
	return (s.get("enum") == nil) != (s.get("const") == nil)
}

// typeOf is the type that a value has.
func typeOf(v *value) typeSet {
	switch x := v.scalar.(type) {
	case bool:
		return isBoolean
	case string:
		return isString
	case json.Number:
		if r, ok := new(big.Rat).SetString(string(x)); ok && !r.IsInt() {
			return isFraction
		}
		return isInteger
	}
	switch v.kind {
	case objectKind:
		return isObject
	case arrayKind:
		return isArray
	}
	return isNull
}

// apart reports whether no value can fit two of the branches, as far as that is plain to
// see.
func (c *compiler) apart(branches []*schema) bool {
	if len(branches) > 64 {
		return false
	}
	for i, a := range branches {
		for _, b := range branches[:i] {
			if !c.disjoint(a, b, 4) {
				return false
			}
		}
	}
	return true
}

// disjoint looks at types, at listed values, and at members that both require.
func (c *compiler) disjoint(a, b *schema, depth int) bool {
	a, b = c.behind(a), c.behind(b)
	if a.never() || b.never() {
		return true
	}
	if ta, tb := a.get("type"), b.get("type"); ta != nil && tb != nil && typesOf(ta)&typesOf(tb) == 0 {
		return true
	}
	if c.otherValues(a, b) || c.otherValues(b, a) {
		return true
	}
	if depth == 0 || !onlyObjects(a) || !onlyObjects(b) {
		return false
	}
	return slices.ContainsFunc(requiredOf(a), func(name string) bool {
		pa, pb := c.part(a, "properties", name), c.part(b, "properties", name)
		return pa != nil && pb != nil && slices.Contains(requiredOf(b), name) && c.disjoint(pa, pb, depth-1)
	})
}

// behind follows references as long as nothing is said beside them.
func (c *compiler) behind(s *schema) *schema {
	for range maxDepth {
		to := c.target(s)
		if to == nil || s.get("type") != nil {
			break
		}
		s = to
	}
	return s
}

func onlyObjects(s *schema) bool {
	t := s.get("type")
	return t != nil && typesOf(t) == isObject
}

// otherValues reports whether a lists its values and none of them fits b.
func (c *compiler) otherValues(a, b *schema) bool {
	values := []*value{a.get("const")}
	if values[0] == nil {
		list := a.get("enum")
		if list == nil {
			return false
		}
		values = list.items
	}
	return !slices.ContainsFunc(values, func(v *value) bool {
		fits, err := c.fits([]item{{s: b}}, v)
		return fits || err != nil || c.err != nil
	})
}

func requiredOf(s *schema) (names []string) {
	if v := s.get("required"); v != nil {
		for _, e := range v.items {
			if name, ok := e.scalar.(string); ok {
				names = append(names, name)
			}
		}
	}
	return names
}
