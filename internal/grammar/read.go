package grammar

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// A value is JSON whose members keep their order.
type value struct {
	scalar any // nil, bool, json.Number or string; of what holds others nothing
	kind   byte
	names  []string // of an object's members, in order
	member map[string]*value
	items  []*value
}

// Kinds of values; those that hold others are written as they begin.
const (
	scalarKind = 's'
	objectKind = '{'
	arrayKind  = '['
)

// read takes a text that is known to be one JSON value.
func read(text []byte) (*value, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := next(d)
	if err != nil {
		return nil, invalid("", "the schema is no JSON", "")
	}
	return v, nil
}

func next(d *json.Decoder) (*value, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		return nextObject(d)
	case json.Delim('['):
		v := &value{kind: arrayKind}
		for d.More() {
			e, err := next(d)
			if err != nil {
				return nil, err
			}
			v.items = append(v.items, e)
		}
		_, err := d.Token()
		return v, err
	}
	return &value{kind: scalarKind, scalar: t}, nil
}

func nextObject(d *json.Decoder) (*value, error) {
	v := &value{kind: objectKind, member: map[string]*value{}}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		e, err := next(d)
		if err != nil {
			return nil, err
		}
		name, _ := t.(string)
		if v.member[name] == nil {
			v.names = append(v.names, name)
		}
		v.member[name] = e // of two the last one counts
	}
	_, err := d.Token()
	return v, err
}

// text writes the value as compact JSON.
func (v *value) text() string {
	switch v.kind {
	case objectKind:
		parts := make([]string, len(v.names))
		for i, name := range v.names {
			parts[i] = quoted(name) + ":" + v.member[name].text()
		}
		return "{" + strings.Join(parts, ",") + "}"
	case arrayKind:
		parts := make([]string, len(v.items))
		for i, e := range v.items {
			parts[i] = e.text()
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	if s, ok := v.scalar.(string); ok {
		return quoted(s)
	}
	b, _ := json.Marshal(v.scalar) // null, a boolean or a number
	return string(b)
}

// count is how many values there are in it, with itself.
func (v *value) count() int {
	n := 1
	for _, e := range v.member {
		n += e.count()
	}
	for _, e := range v.items {
		n += e.count()
	}
	return n
}

// based reports whether a part of the value says "$id", to which references in it would be
// relative.
func (v *value) based() bool {
	for _, e := range v.member {
		if id := e.member["$id"]; id != nil && id.kind == scalarKind || e.based() {
			return true
		}
	}
	return slices.ContainsFunc(v.items, func(e *value) bool {
		id := e.member["$id"]
		return id != nil && id.kind == scalarKind || e.based()
	})
}

// plain is the value as encoding/json gives it.
func (v *value) plain() any {
	switch v.kind {
	case objectKind:
		m := make(map[string]any, len(v.names))
		for name, e := range v.member {
			m[name] = e.plain()
		}
		return m
	case arrayKind:
		s := make([]any, len(v.items))
		for i, e := range v.items {
			s[i] = e.plain()
		}
		return s
	}
	return v.scalar
}

// quoted is a JSON string with as few escapes as can be.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		b.WriteString(spelled(r))
	}
	b.WriteByte('"')
	return b.String()
}

// spelled is a character as it stands in a JSON string.
func spelled(r rune) string {
	switch r {
	case '"', '\\':
		return `\` + string(r)
	case '\b':
		return `\b`
	case '\f':
		return `\f`
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	if r < 0x20 || r == 0x7F {
		return `\u00` + string("0123456789abcdef"[r>>4]) + string("0123456789abcdef"[r&15])
	}
	return string(r)
}

// find returns the value at a JSON pointer without its first slash, nil if there is none.
func (v *value) find(steps []string) *value {
	for _, step := range steps {
		if v == nil {
			return nil
		}
		switch v.kind {
		case objectKind:
			v = v.member[unescape.Replace(step)]
		case arrayKind:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v.items) {
				return nil
			}
			v = v.items[i]
		default:
			return nil
		}
	}
	return v
}

var (
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
	unescape = strings.NewReplacer("~1", "/", "~0", "~")
)
