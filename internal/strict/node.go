package strict

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// A node is a value with its position. Aliases share the node they stand for,
// so the tree is as small as the text; size says how large it is in full.
type node struct {
	kind         shape
	line, column int

	text    string // of a scalar: its text, of a number the caller's own digits
	style   style
	indent  int // of block text: the column its lines begin in
	members []member
	items   []*node
	size    int
}

// A member is an entry of a mapping.
type member struct {
	name         string
	line, column int
	value        *node
}

type shape string

// The shapes of values, as they are called in problems.
const (
	nothing shape = "nothing"
	boolean shape = "true or false"
	number  shape = "a number"
	text    shape = "text"
	list    shape = "a list"
	mapping shape = "a mapping"
)

type style uint8

const (
	quoted    style = iota
	plainLine       // no quotes, on one line: characters stand where they stand in the text
	block           // "|": lines stand where they stand in the text
)

// find returns the node at the path, or the deepest one above it. The position
// of a key in a mapping is its own.
func (n *node) find(path []string) *node {
	for _, step := range path {
		next := n.child(step)
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

func (n *node) child(step string) *node {
	if m := n.member(step); m != nil {
		return m.value
	}
	if i, err := strconv.Atoi(step); err == nil && n.kind == list && i >= 0 && i < len(n.items) {
		return n.items[i]
	}
	return nil
}

func (n *node) member(name string) *member {
	i := slices.IndexFunc(n.members, func(m member) bool { return m.name == name })
	if i < 0 {
		return nil
	}
	return &n.members[i]
}

// value returns the node as a schema validator and [json.Marshal] want it.
func (n *node) value() any {
	switch n.kind {
	case boolean:
		return n.text == "true"
	case number:
		return json.Number(decimal(n.text))
	case text:
		return n.text
	case list:
		items := make([]any, len(n.items))
		for i, item := range n.items {
			items[i] = item.value()
		}
		return items
	case mapping:
		members := make(map[string]any, len(n.members))
		for _, m := range n.members {
			members[m.name] = m.value.value()
		}
		return members
	}
	return nil
}

// A builder turns the parser's tree into nodes. It goes on after a problem.
type builder struct {
	anchors  map[string]*node
	problems []Problem
}

func (b *builder) complain(n *node, text, hint string) {
	b.problems = append(b.problems, Problem{Line: n.line, Column: n.column, Text: text, Hint: hint})
}

func (b *builder) build(n ast.Node) *node {
	if n == nil {
		return &node{kind: nothing, line: 1, column: 1, size: 1}
	}
	p := at(n.GetToken(), "", "")
	out := &node{kind: nothing, line: p.Line, column: p.Column, size: 1}
	switch n := n.(type) {
	case *ast.MappingNode:
		b.mapping(out, n)
	case *ast.MappingValueNode:
		b.mapping(out, &ast.MappingNode{Values: []*ast.MappingValueNode{n}})
	case *ast.SequenceNode:
		b.list(out, n)
	case *ast.AnchorNode:
		return b.anchor(out, n)
	case *ast.AliasNode:
		return b.alias(out, n)
	case *ast.TagNode:
		return b.tag(out, n)
	default:
		b.scalar(out, n)
	}
	return out
}

func (b *builder) mapping(out *node, n *ast.MappingNode) {
	out.kind = mapping
	seen := make(map[string]bool, len(n.Values))
	for _, entry := range n.Values {
		m, ok := b.key(entry)
		if !ok {
			continue
		}
		if seen[m.name] {
			b.complain(&node{line: m.line, column: m.column}, fmt.Sprintf("key %s is there twice", show(m.name)), "keep one")
			continue
		}
		seen[m.name] = true
		m.value = b.build(entry.Value)
		if m.value.kind == nothing {
			m.value.line, m.value.column = m.line, m.column
		}
		out.members = append(out.members, m)
		out.grow(m.value)
	}
	if len(out.members) > 0 && (n.Start == nil || n.Start.Type == token.MappingValueType) {
		out.line, out.column = out.members[0].line, out.members[0].column
	}
}

// key reads the key of an entry: any scalar, as its text.
func (b *builder) key(entry *ast.MappingValueNode) (member, bool) {
	var key ast.Node = entry.Key
	if k, ok := key.(*ast.MappingKeyNode); ok {
		key = k.Value
	}
	if key == nil {
		key = entry
	}
	p := at(key.GetToken(), "", "")
	here := &node{line: p.Line, column: p.Column}
	switch k := key.(type) {
	case *ast.MergeKeyNode:
		b.complain(here, "merge keys are not supported", "write the keys out")
		return member{}, false
	case *ast.StringNode:
		return member{name: k.Value, line: p.Line, column: p.Column}, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return member{name: k.GetToken().Value, line: p.Line, column: p.Column}, true
	}
	b.complain(here, "this cannot be a key", "use text as the key")
	return member{}, false
}

func (b *builder) list(out *node, n *ast.SequenceNode) {
	out.kind = list
	for i, item := range n.Values {
		value := b.build(item)
		if value.kind == nothing && i < len(n.Entries) && n.Entries[i] != nil {
			p := at(n.Entries[i].Start, "", "")
			value.line, value.column = p.Line, p.Column
		}
		out.items = append(out.items, value)
		out.grow(value)
	}
}

// grow adds a part's size, and stops adding where it no longer matters.
func (n *node) grow(part *node) { n.size = min(n.size+part.size, maxNodes+1) }

func (b *builder) anchor(out *node, n *ast.AnchorNode) *node {
	value := b.build(n.Value)
	if n.Name == nil || n.Name.GetToken() == nil {
		b.complain(out, "an anchor needs a name", "")
		return value
	}
	b.anchors[n.Name.GetToken().Value] = value
	return value
}

// alias returns what the alias stands for. An anchor is known only once its
// value is complete, so that nothing can contain itself.
func (b *builder) alias(out *node, n *ast.AliasNode) *node {
	name := ""
	if n.Value != nil && n.Value.GetToken() != nil {
		name = n.Value.GetToken().Value
	}
	value, ok := b.anchors[name]
	if !ok {
		b.complain(out, fmt.Sprintf("nothing above is called &%s", clip(name)), "define the anchor before it is used")
		return out
	}
	return value
}

// tag allows the one tag that says what quotes would.
func (b *builder) tag(out *node, n *ast.TagNode) *node {
	if n.Start == nil || n.Start.Value != "!!str" || n.Value == nil {
		b.complain(out, "tags are not supported", "remove it, or put text in quotes")
		return out
	}
	switch v := n.Value.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return b.build(v)
	case ast.ScalarNode:
		out.kind, out.text = text, v.GetToken().Value
	default:
		b.complain(out, "only text can be tagged !!str", "remove the tag")
	}
	return out
}

// show quotes a key for a problem, shortened.
func show(name string) string { return strconv.Quote(clip(name)) }

func clip(s string) string {
	const longest = 60
	if r := []rune(s); len(r) > longest {
		return strings.TrimSpace(string(r[:longest])) + "…"
	}
	return s
}
