package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A synth makes one value that a JSON Schema allows. It knows the keywords that
// structured output and tools use; the caller validates what it made. Object
// members come sorted by name.
type synth struct {
	root  any
	nodes int // made so far
}

const (
	maxNodes = 4096
	maxDepth = 24
	richTo   = 3 // down to this depth optional members are there, too
)

var errTooBig = errors.New("its instances are too large or never end")

func synthesise(schema any, d die) (any, error) {
	s := &synth{root: schema}
	return s.value(schema, d, 0)
}

func (s *synth) value(schema any, d die, depth int) (any, error) {
	if s.nodes++; s.nodes > maxNodes || depth > maxDepth {
		return nil, errTooBig
	}
	m, ok := schema.(map[string]any)
	if !ok {
		if schema == true {
			return marker + "any", nil
		}
		return nil, errors.New("a part of it allows nothing")
	}
	if c, ok := m["const"]; ok {
		return c, nil
	}
	if all, ok := m["enum"].([]any); ok {
		return s.oneOf(all, m, d)
	}
	for _, composite := range []string{"$ref", "allOf", "anyOf", "oneOf"} {
		if _, ok := m[composite]; ok {
			return s.composed(m, composite, d, depth)
		}
	}
	return s.typed(m, d, depth)
}

// typed makes a value of the schema's own type.
func (s *synth) typed(m map[string]any, d die, depth int) (any, error) {
	switch kind := kindOf(m, d); kind {
	case "object":
		return s.object(m, d, depth)
	case "array":
		return s.array(m, d, depth)
	case "string":
		return stringOf(m, d)
	case "integer", "number":
		return numberOf(m, kind, d)
	case "boolean":
		return d.pick(2) == 1, nil
	case "null":
		return nil, nil
	default:
		return nil, fmt.Errorf("it has the unknown type %q", kind)
	}
}

// kindOf returns the type that the schema states or implies. Where null is one
// of several, another is taken.
func kindOf(m map[string]any, d die) string {
	switch t := m["type"].(type) {
	case string:
		return t
	case []any:
		kinds := slices.DeleteFunc(slices.Clone(t), func(k any) bool { return k == "null" })
		if len(kinds) == 0 {
			return "null"
		}
		kind, _ := kinds[d.about("type").pick(len(kinds))].(string)
		return kind
	}
	for _, implied := range []struct{ keyword, kind string }{
		{"properties", "object"}, {"required", "object"}, {"minProperties", "object"}, {"items", "array"}, {"prefixItems", "array"}, {"minItems", "array"},
		{"minimum", "number"}, {"maximum", "number"}, {"exclusiveMinimum", "number"}, {"exclusiveMaximum", "number"}, {"multipleOf", "number"},
	} {
		if _, ok := m[implied.keyword]; ok {
			return implied.kind
		}
	}
	return "string"
}

// oneOf picks a value of an enum, of the stated type where there is one.
func (s *synth) oneOf(all []any, m map[string]any, d die) (any, error) {
	fits := slices.DeleteFunc(slices.Clone(all), func(v any) bool { return !isKind(v, m["type"]) })
	if len(fits) == 0 {
		return nil, errors.New("an enum of it allows nothing")
	}
	return fits[d.about("enum").pick(len(fits))], nil
}

func isKind(v, kind any) bool {
	if many, ok := kind.([]any); ok {
		return slices.ContainsFunc(many, func(k any) bool { return isKind(v, k) })
	}
	switch v.(type) {
	case string:
		return kind == nil || kind == "string"
	case bool:
		return kind == nil || kind == "boolean"
	case json.Number:
		return kind == nil || kind == "number" || kind == "integer"
	case nil:
		return kind == nil || kind == "null"
	case []any:
		return kind == nil || kind == "array"
	}
	return kind == nil || kind == "object"
}

// composed resolves one composing keyword by merging what it says into the rest
// of the schema.
func (s *synth) composed(m map[string]any, keyword string, d die, depth int) (any, error) {
	rest := maps.Clone(m)
	delete(rest, keyword)
	if keyword == "$ref" {
		ref, _ := m[keyword].(string)
		target, err := s.resolve(ref)
		if err != nil {
			return nil, err
		}
		return s.merged(rest, target, d, depth)
	}
	branches, _ := m[keyword].([]any)
	if len(branches) == 0 {
		return nil, fmt.Errorf("its %s is empty", keyword)
	}
	if keyword != "allOf" {
		return s.merged(rest, branches[d.about(keyword).nth(int64(depth)).pick(len(branches))], d, depth)
	}
	for _, b := range branches[:len(branches)-1] {
		next, ok := b.(map[string]any)
		if !ok || next["$ref"] != nil && rest["$ref"] != nil {
			return nil, errors.New("its allOf is beyond the simulator")
		}
		rest = merge(rest, next)
	}
	return s.merged(rest, branches[len(branches)-1], d, depth)
}

// merged makes a value of two schemas at once.
func (s *synth) merged(m map[string]any, other any, d die, depth int) (any, error) {
	next, ok := other.(map[string]any)
	if !ok {
		return s.value(other, d, depth+1)
	}
	return s.value(merge(m, next), d, depth+1)
}

// merge joins properties and required names; of any other keyword that both
// schemas have, the second counts. What that gets wrong, validation finds.
func merge(a, b map[string]any) map[string]any {
	m := maps.Clone(a)
	for k, v := range b {
		switch was := m[k].(type) {
		case map[string]any:
			if more, ok := v.(map[string]any); ok && k == "properties" {
				joined := maps.Clone(was)
				maps.Copy(joined, more)
				v = joined
			}
		case []any:
			if more, ok := v.([]any); ok && k == "required" {
				v = append(slices.Clone(was), more...)
			}
		}
		m[k] = v
	}
	return m
}

// resolve follows a reference within the schema, "#/$defs/address".
func (s *synth) resolve(ref string) (any, error) {
	pointer, ok := strings.CutPrefix(ref, "#")
	if !ok || pointer != "" && pointer[0] != '/' {
		return nil, errors.New("only references within the schema can be followed")
	}
	at := s.root
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if pointer == "" {
			break
		}
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch node := at.(type) {
		case map[string]any:
			at, ok = node[step]
		case []any:
			i, err := strconv.Atoi(step)
			if ok = err == nil && i >= 0 && i < len(node); ok {
				at = node[i]
			}
		default:
			ok = false
		}
		if !ok {
			return nil, errors.New("a reference of it leads nowhere")
		}
	}
	return at, nil
}

func (s *synth) object(m map[string]any, d die, depth int) (any, error) {
	properties, _ := m["properties"].(map[string]any)
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if depth >= richTo && !slices.Contains(list(m["required"]), any(name)) {
			continue
		}
		v, err := s.value(properties[name], d.about(name), depth+1)
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	for _, r := range list(m["required"]) {
		name, ok := r.(string)
		if _, there := out[name]; there || !ok {
			continue
		}
		v, err := s.value(orTrue(m["additionalProperties"]), d.about(name), depth+1)
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	for least, i := whole64(m["minProperties"], 0), 0; int64(len(out)) < least && i < maxNodes; i++ {
		name := "simulated_" + strconv.Itoa(i)
		v, err := s.value(orTrue(m["additionalProperties"]), d.about(name), depth+1)
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	return out, nil
}

func (s *synth) array(m map[string]any, d die, depth int) (any, error) {
	prefix := list(m["prefixItems"])
	least := whole64(m["minItems"], 0)
	n := max(least, int64(len(prefix)))
	if most := whole64(m["maxItems"], 1); n == 0 && m["items"] != false && depth < richTo {
		n = min(1, most)
	}
	out := []any{}
	for i := range n {
		item := orTrue(m["items"])
		if int(i) < len(prefix) {
			item = prefix[i]
		}
		v, err := s.value(item, d.about("item").nth(i), depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func orTrue(schema any) any {
	if schema == nil {
		return true
	}
	return schema
}
