package wire

import (
	"slices"
	"strings"

	"starling"
)

// A demanded shape is read twice, by Parse for whoever judges the answer and by View
// for translation; both ask the functions of this file.

// readFormat notes the shape that a field demands of the answer. One that has no
// word here, such as a grammar, is between the caller and an upstream of its dialect.
func readFormat(read func(v []byte) *starling.Format) func(*starling.Request, []byte) error {
	return func(r *starling.Request, v []byte) error {
		if f := read(v); f != nil {
			r.Format = f
		}
		return nil
	}
}

// openAIFormat reads a response_format, nil for free text. Some servers take a
// schema beside json_object.
func openAIFormat(v []byte) *starling.Format {
	f := &starling.Format{Kind: text(field(v, "type"))}
	switch f.Kind {
	case "json_schema":
		inner := field(v, "json_schema")
		f.Name, f.Schema = text(field(inner, "name")), given(field(inner, "schema"))
		if k := kindOf(field(inner, "strict")); k == 't' || k == 'f' {
			strict := k == 't'
			f.Strict = &strict
		}
	case "json_object":
		if f.Schema = given(field(v, "schema")); f.Schema != nil {
			f.Kind = "json_schema"
		}
	default:
		return nil
	}
	return f
}

// anthropicFormat reads output_config.format, nil for free text.
func anthropicFormat(v []byte) *starling.Format {
	if text(field(v, "type")) != "json_schema" {
		return nil
	}
	return &starling.Format{Kind: "json_schema", Schema: given(field(v, "schema"))}
}

// responsesFormat reads text.format, nil for free text.
func responsesFormat(v []byte) *starling.Format {
	f := &starling.Format{Kind: text(field(v, "type"))}
	switch f.Kind {
	case "json_schema":
		f.Name, f.Schema = text(field(v, "name")), given(field(v, "schema"))
		if k := kindOf(field(v, "strict")); k == 't' || k == 'f' {
			strict := k == 't'
			f.Strict = &strict
		}
	case "json_object":
	default:
		return nil
	}
	return f
}

// geminiFormat reads what two fields say only together, nil for free text. Strict is
// not said of a schema that need not name every property as required, which other
// vendors demand of it.
func geminiFormat(media string, schema []byte) *starling.Format {
	switch {
	case schema != nil:
		return &starling.Format{Kind: "json_schema", Schema: schema, Strict: new(bool)}
	case media == "application/json":
		return &starling.Format{Kind: "json_object"}
	}
	return nil
}

// ollamaFormat reads "json", or a schema; nil for free text. Other vendors keep to a
// schema strictly only if all of its objects are closed, and refuse another: then it
// isn't asked for.
func ollamaFormat(v []byte) *starling.Format {
	switch {
	case kindOf(v) == '{':
		strict := closed(v)
		return &starling.Format{Kind: "json_schema", Schema: v, Strict: &strict}
	case text(v) == "json":
		return &starling.Format{Kind: "json_object"}
	}
	return nil
}

// given is a value that says something.
func given(v []byte) []byte {
	if kindOf(v) == 'n' {
		return nil
	}
	return v
}

// inWords says a demanded shape to a model whose upstream has no other way to be told.
func inWords(f *starling.Format) string {
	const alone = " and nothing else: no code fence, and no words before or after it."
	if len(f.Schema) == 0 {
		return "When you answer, answer with one JSON object" + alone
	}
	return "When you answer, answer with one JSON value" + alone + " It must be valid against this JSON Schema:\n" + string(f.Schema)
}

// A subset is the part of JSON Schema that a vendor's native support takes. What is
// beyond it would be refused.
type subset struct {
	words   []string // that it knows beside those of structure
	formats []string // values of format; nil any
	all     bool     // every property must be required
}

// anthropicSubset: source: what the transform of anthropic-sdk-python leaves in a
// schema (lib/_parse/_transform.py, 2026).
var anthropicSubset = subset{
	words:   []string{"anyOf", "allOf", "const", "default"},
	formats: []string{"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"},
}

// openAISubset is that of strict: true. Source: OpenAI's guide to structured outputs,
// "supported schemas".
var openAISubset = subset{
	words: []string{"anyOf", "const", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems"},
	all:   true,
}

// deepestSchema is how deep a schema is looked into.
const deepestSchema = 64

// takes reports whether a whole schema is within the subset: its root is an object.
func (s *subset) takes(schema []byte) bool {
	return text(field(schema, "type")) == "object" && s.within(schema, 0)
}

func (s *subset) within(schema []byte, depth int) bool {
	if kindOf(schema) != '{' || depth > deepestSchema {
		return false
	}
	for m := enter(schema); m.next(); {
		if !s.word(m.name(), m.value, depth) {
			return false
		}
	}
	return text(field(schema, "type")) != "object" || s.closed(schema)
}

// word reports whether one keyword is within the subset, with all below it.
func (s *subset) word(name string, v []byte, depth int) bool {
	switch name {
	case "type", "title", "description", "required", "additionalProperties":
		return true
	case "enum":
		return s.each(v, func(e []byte) bool { return kindOf(e) != '{' && kindOf(e) != '[' })
	case "$ref":
		return strings.HasPrefix(text(v), "#/") // what refers to the whole is recursive
	case "format":
		return s.formats == nil || slices.Contains(s.formats, text(v))
	case "minItems":
		n, ok := whole(v)
		return slices.Contains(s.words, name) || ok && n <= 1
	case "properties", "$defs", "definitions":
		return s.each(v, func(e []byte) bool { return s.within(e, depth+1) })
	case "items":
		return s.within(v, depth+1)
	case "anyOf", "allOf":
		return slices.Contains(s.words, name) && s.each(v, func(e []byte) bool { return s.within(e, depth+1) })
	}
	return slices.Contains(s.words, name)
}

func (s *subset) each(v []byte, ok func([]byte) bool) bool {
	for m := enter(v); m.next(); {
		if !ok(m.value) {
			return false
		}
	}
	return true
}

// closed reports whether an object has no other properties than those it names.
func (s *subset) closed(schema []byte) bool {
	if kindOf(field(schema, "additionalProperties")) != 'f' {
		return false
	}
	if !s.all {
		return true
	}
	required := map[string]bool{}
	for m := enter(field(schema, "required")); m.next(); {
		required[text(m.value)] = true
	}
	for m := enter(field(schema, "properties")); m.next(); {
		if !required[m.name()] {
			return false
		}
	}
	return true
}

// hasFormat reports whether a model of Anthropic's takes a schema. Those from before
// Opus 4.1 and Sonnet 4.5 do not; a name that is not known is taken to be newer.
func hasFormat(model string) bool {
	for _, old := range [...]string{"claude-2", "claude-3", "claude-instant", "opus-4-0", "opus-4-2", "sonnet-4-0", "sonnet-4-2", "opus-4@", "sonnet-4@"} {
		if strings.Contains(model, old) {
			return false
		}
	}
	return true
}

// plainSchema is a schema without what is no rule: the name of its draft, and bounds
// that every integer of JavaScript keeps, which zod writes beside each.
func plainSchema(schema []byte) []byte { return plain(schema, 0) }

func plain(schema []byte, depth int) []byte {
	if kindOf(schema) != '{' || depth > deepestSchema {
		return schema
	}
	return rewritten(schema, func(name string, v []byte) []byte {
		switch name {
		case "$schema":
			if depth == 0 {
				return nil
			}
		case "minimum":
			if string(v) == "-9007199254740991" {
				return nil
			}
		case "maximum":
			if string(v) == "9007199254740991" {
				return nil
			}
		case "items":
			return plain(v, depth+1)
		case "properties", "$defs", "definitions", "anyOf", "allOf", "oneOf":
			return rewritten(v, func(_ string, v []byte) []byte { return plain(v, depth+1) })
		}
		return v
	})
}

// rewritten is an object or an array of which each member is what to makes of it, nil
// to leave it out. Anything else is itself.
func rewritten(v []byte, to func(name string, v []byte) []byte) []byte {
	first := kindOf(v)
	if first != '{' && first != '[' {
		return v
	}
	var out []byte
	for m := enter(v); m.next(); {
		name := ""
		if first == '{' {
			name = m.name()
		}
		is := to(name, m.value)
		if is == nil {
			continue
		}
		if out = append(out, ','); first == '{' {
			out = append(appendString(out, name), ':')
		}
		out = append(out, is...)
	}
	if len(out) == 0 {
		out = []byte{first}
	}
	out[0] = first // where the first comma is
	return append(out, first+2)
}
