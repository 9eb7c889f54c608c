package wire

import "strings"

// jsonSchema makes JSON Schema of Google's own Schema object: types are written
// small there, nullable is a type, counts are numbers, and what only steers the
// order of the answer's fields is left out. What is JSON Schema already stays.
//
// Source: ai.google.dev/api/caching#Schema, OpenAPI 3.0's schema object.
func jsonSchema(v []byte) []byte {
	p := pen{}
	p.schema(v)
	return p.b
}

func (p *pen) schema(v []byte) {
	if kindOf(v) != '{' {
		p.raw(v)
		return
	}
	nullable := kindOf(geminiField(v, "nullable")) == 't'
	_, isAny := alone(geminiField(v, "any_of"))
	hasType := field(v, "type") != nil
	p.open('{')
	for m := enter(v); m.next(); {
		name := snake(m.name())
		switch {
		case m.null() || name == "nullable" || name == "property_ordering" || name == "example":
		case name == "type" && kindOf(m.value) == '"':
			p.schemaType(text(m.value), nullable)
		case name == "format" && text(m.value) == "enum":
		case name == "any_of":
			p.key("anyOf")
			p.schemas(m.value, nullable && !hasType && isAny.b != nil)
		case name == "properties":
			p.key("properties")
			p.open('{')
			for f := enter(m.value); f.next(); {
				p.key(f.name())
				p.schema(f.value)
			}
			p.shut('}')
		case name == "items":
			p.key("items")
			p.schema(m.value)
		case name == "enum":
			p.key("enum")
			p.enum(m.value, nullable)
		default:
			p.key(schemaKey(m.name()))
			p.raw(bareCount(name, m.value))
		}
	}
	if geminiField(v, "properties") != nil && geminiField(v, "additional_properties") == nil {
		p.key("additionalProperties") // Google's models write only what is listed
		p.bool(false)
	}
	p.shut('}')
}

// schemaType writes a type, in small letters, and null beside it.
func (p *pen) schemaType(name string, nullable bool) {
	if name = strings.ToLower(name); name == "type_unspecified" {
		return
	}
	p.key("type")
	if !nullable {
		p.string(name)
		return
	}
	p.open('[')
	p.string(name)
	p.string("null")
	p.shut(']')
}

func (p *pen) schemas(v []byte, nullable bool) {
	p.open('[')
	for m := enter(v); m.next(); {
		p.schema(m.value)
	}
	if nullable {
		p.raw([]byte(`{"type":"null"}`))
	}
	p.shut(']')
}

func (p *pen) enum(v []byte, nullable bool) {
	p.open('[')
	for m := enter(v); m.next(); {
		p.raw(m.value)
	}
	if nullable {
		p.raw(nil)
	}
	p.shut(']')
}

// schemaKey is a keyword as JSON Schema writes it.
func schemaKey(name string) string {
	switch name {
	case "max_items", "min_items", "max_length", "min_length", "max_properties", "min_properties":
		before, after, _ := strings.Cut(name, "_")
		return before + strings.ToUpper(after[:1]) + after[1:]
	}
	return name
}

// bareCount is a count as a number: Google's JSON writes 64 bits as a string.
func bareCount(name string, v []byte) []byte {
	switch name {
	case "max_items", "min_items", "max_length", "min_length", "max_properties", "min_properties":
		if s := text(v); s != "" && strings.Trim(s, "0123456789") == "" {
			return []byte(s)
		}
	}
	return v
}
