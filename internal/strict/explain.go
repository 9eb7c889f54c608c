package strict

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"starling"
)

// explain validates a document and says in plain words what is wrong with it.
// The error is Internal: the schema is the program's own.
func (s *Schema) explain(root *node) ([]Problem, error) {
	v, err := s.validate(root.value())
	if err != nil {
		return nil, &starling.Error{Kind: starling.Internal, Op: "read strictly", Err: err}
	}
	if v == nil {
		return nil, nil
	}
	e := explainer{schema: s, root: root}
	e.explain(v)
	return e.problems, nil
}

type explainer struct {
	schema   *Schema
	root     *node
	problems []Problem
}

func (e *explainer) explain(v *jsonschema.ValidationError) {
	n := e.root.find(v.InstanceLocation)
	switch k := v.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		e.unknown(n, k.Properties, e.schema.at(v.SchemaURL))
		return
	case *kind.Required:
		for _, name := range k.Missing {
			e.add(n, "missing key "+show(name), "")
		}
		return
	case *kind.UniqueItems:
		e.add(n.items[k.Duplicates[1]], "this entry is there twice", "keep one")
		return
	case *kind.OneOf, *kind.AnyOf:
		e.choose(n, v)
		return
	}
	if len(v.Causes) > 0 {
		for _, cause := range v.Causes {
			e.explain(cause)
		}
		return
	}
	text, hint := words(v.ErrorKind, n)
	if own, ok := e.schema.at(v.SchemaURL)["x-hint"].(string); ok {
		hint = own
	}
	e.add(n, text, hint)
}

func (e *explainer) add(n *node, text, hint string) {
	e.problems = append(e.problems, Problem{Line: n.line, Column: n.column, Text: text, Hint: hint})
}

// unknown complains of keys that the schema does not have, at the keys: those that
// are unlike any named one, or, where names are free, those of the wrong form.
func (e *explainer) unknown(n *node, names []string, schema map[string]any) {
	properties, _ := schema["properties"].(map[string]any)
	known := slices.Sorted(maps.Keys(properties))
	form, _ := schema["x-hint"].(string)
	for _, name := range names {
		here := n
		if m := n.member(name); m != nil {
			here = &node{line: m.line, column: m.column}
		}
		if _, free := schema["patternProperties"]; free && len(known) == 0 {
			e.add(here, show(name)+" cannot be a key here", form)
			continue
		}
		hint := ""
		if near := Nearest(name, known); len(near) > 0 {
			hint = "did you mean " + strconv.Quote(near[0]) + "?"
		} else if len(known) > 0 {
			hint = "known: " + strings.Join(known, ", ")
		}
		e.add(here, "unknown key "+show(name), hint)
	}
}

// choose explains a value that may have several forms by the form it has: if a
// mapping may stand there and a mapping does, by what is wrong with the mapping.
func (e *explainer) choose(n *node, v *jsonschema.ValidationError) {
	var want []string
	for _, branch := range v.Causes {
		types := mismatch(branch, len(v.InstanceLocation))
		if types == nil {
			e.explain(branch)
			return
		}
		want = append(want, types...)
	}
	if len(want) == 0 {
		e.add(n, "this fits more than one form", "")
		return
	}
	e.add(n, expected(want, n), "")
}

// mismatch returns the types that a branch wanted of the value at that depth, if
// the type alone ruled it out.
func mismatch(v *jsonschema.ValidationError, depth int) []string {
	for _, leaf := range leaves(v) {
		if k, ok := leaf.ErrorKind.(*kind.Type); ok && len(leaf.InstanceLocation) == depth {
			return k.Want
		}
	}
	return nil
}

// plain calls the types of JSON Schema by the words of this package.
var plain = map[string]string{
	"null": "nothing", "boolean": "true or false", "number": "a number", "integer": "a whole number",
	"string": "text", "array": "a list", "object": "a mapping",
}

func expected(types []string, n *node) string {
	var want []string
	for _, t := range []string{"string", "number", "integer", "boolean", "array", "object", "null"} {
		if slices.Contains(types, t) {
			want = append(want, plain[t])
		}
	}
	got := string(n.kind)
	if n.kind == boolean {
		got = n.text
	}
	return fmt.Sprintf("expected %s, got %s", alternatives(want), got)
}

func alternatives(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// words says what a broken rule demands. It never repeats the value.
func words(broken jsonschema.ErrorKind, n *node) (text, hint string) {
	switch k := broken.(type) {
	case *kind.Type:
		return mistyped(k.Want, n)
	case *kind.Enum:
		return oneOf(k.Want, n)
	case *kind.Const:
		return "expected " + literal(k.Want), ""
	case *kind.Pattern:
		return "the text has the wrong form", "it must match " + k.Want
	case *kind.FalseSchema:
		return "this is not allowed here", ""
	}
	if text := tooSmall(broken); text != "" {
		return text, ""
	}
	if text := tooLarge(broken); text != "" {
		return text, ""
	}
	if rule := broken.KeywordPath(); len(rule) > 0 {
		return "the value breaks the rule " + strconv.Quote(strings.Join(rule, " ")), ""
	}
	return "this value is not allowed here", ""
}

func mistyped(want []string, n *node) (text, hint string) {
	if slices.Contains(want, "string") && (n.kind == number || n.kind == boolean) {
		hint = "put it in quotes"
	}
	return expected(want, n), hint
}

func oneOf(want []any, n *node) (text, hint string) {
	allowed := make([]string, len(want))
	for i, w := range want {
		allowed[i] = literal(w)
	}
	if near := Nearest(n.text, allowed); len(near) > 0 {
		hint = "did you mean " + strconv.Quote(near[0]) + "?"
	}
	return "expected " + alternatives(allowed), hint
}

func literal(v any) string { return fmt.Sprint(v) }

func tooSmall(broken jsonschema.ErrorKind) string {
	switch k := broken.(type) {
	case *kind.Minimum:
		return "must be at least " + exact(k.Want)
	case *kind.ExclusiveMinimum:
		return "must be more than " + exact(k.Want)
	case *kind.MinLength:
		return atLeast(k.Want, "characters")
	case *kind.MinItems:
		return atLeast(k.Want, "entries")
	case *kind.MinProperties:
		return atLeast(k.Want, "keys")
	}
	return ""
}

func tooLarge(broken jsonschema.ErrorKind) string {
	switch k := broken.(type) {
	case *kind.Maximum:
		return "must be at most " + exact(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be less than " + exact(k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters, has %d", k.Want, k.Got)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d entries, has %d", k.Want, k.Got)
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %d keys, has %d", k.Want, k.Got)
	}
	return ""
}

func atLeast(n int, what string) string {
	if n == 1 {
		return "must not be empty"
	}
	return fmt.Sprintf("must have at least %d %s", n, what)
}

func exact(r *big.Rat) string {
	if r.IsInt() {
		return r.RatString()
	}
	return strings.TrimRight(r.FloatString(12), "0")
}
