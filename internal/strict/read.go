package strict

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Read reads one YAML document that must satisfy the schema into the value that
// into points to. Struct fields are named by their yaml tags; amounts
// ([starling.Money]) and durations are read from text or numbers, exactly.
// An empty document is an empty mapping. The name of the file is used in errors
// only, which are Invalid and list every problem that was found.
func Read(file string, data []byte, schema *Schema, into any) error {
	doc, err := Parse(file, data)
	if err != nil {
		return err
	}
	return doc.Decode(schema, into)
}

// A Document is a file that was read as YAML, with the position of everything in
// it, for checks that no schema can say. It is immutable.
type Document struct {
	file string
	root *node
}

// Parse reads one YAML document. Errors are Invalid.
func Parse(file string, data []byte) (*Document, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if p, bad := unreadable(data); bad {
		p.File = file
		return nil, Report([]Problem{p})
	}
	root, problems := parse(string(data))
	if len(problems) > 0 {
		for i := range problems {
			problems[i].File = file
		}
		return nil, Report(problems)
	}
	return &Document{file: file, root: root}, nil
}

func parse(text string) (*node, []Problem) {
	tokens := lexer.Tokenize(text)
	if p, bad := excessive(tokens); bad {
		return nil, []Problem{p}
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, []Problem{syntax(err)}
	}
	body, p, ok := only(file.Docs)
	if !ok {
		return nil, []Problem{p}
	}
	b := builder{anchors: map[string]*node{}}
	root := b.build(body)
	if root.kind == nothing {
		root = &node{kind: mapping, line: 1, column: 1}
	}
	if root.size > maxNodes {
		b.complain(root, "the document is too large once its aliases are followed", fmt.Sprintf("at most %d values", maxNodes))
	}
	return root, b.problems
}

// unreadable finds what no parser should be asked to read.
func unreadable(data []byte) (Problem, bool) {
	switch {
	case len(data) > maxBytes:
		return Problem{Text: fmt.Sprintf("the file has %d bytes", len(data)), Hint: fmt.Sprintf("at most %d are read", maxBytes)}, true
	case !utf8.Valid(data):
		line, column := invalid(data)
		return Problem{Line: line, Column: column, Text: "this is not UTF-8", Hint: "save the file as UTF-8"}, true
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		line, column := position(data[:i])
		return Problem{Line: line, Column: column, Text: "a NUL character is not text", Hint: "remove it"}, true
	}
	return Problem{}, false
}

// invalid returns where the first byte stands that is no UTF-8.
func invalid(data []byte) (line, column int) {
	good := 0
	for good < len(data) {
		r, size := utf8.DecodeRune(data[good:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		good += size
	}
	return position(data[:good])
}

// position returns line and column of what follows the given text.
func position(before []byte) (line, column int) {
	last := before[bytes.LastIndexByte(before, '\n')+1:]
	return 1 + bytes.Count(before, []byte("\n")), 1 + utf8.RuneCount(last)
}

// only returns the body of the one document. A mark at the end, or a directive
// at the start, makes the parser see documents without a body.
func only(docs []*ast.DocumentNode) (ast.Node, Problem, bool) {
	var body ast.Node
	for _, doc := range docs {
		if doc.Body == nil {
			continue
		}
		if d, ok := doc.Body.(*ast.DirectiveNode); ok {
			return nil, at(d.Start, "directives are not supported", "remove the line that begins with %"), false
		}
		if body != nil {
			return nil, at(cmp.Or(doc.Start, doc.Body.GetToken()), "a second document begins here", "write one document in a file"), false
		}
		body = doc.Body
	}
	return body, Problem{}, true
}

// syntax turns the parser's error into a problem.
func syntax(err error) Problem {
	var e yaml.Error
	if !errors.As(err, &e) {
		return Problem{Line: 1, Column: 1, Text: "this is not YAML"}
	}
	hint := ""
	if strings.Contains(e.GetMessage(), "'\t'") {
		return at(e.GetToken(), "a tab cannot indent", "indent with spaces")
	}
	if strings.Contains(e.GetMessage(), "mapping value is not allowed") {
		hint = "put text that has a colon in quotes"
	}
	return at(e.GetToken(), e.GetMessage(), hint)
}

func at(t *token.Token, text, hint string) Problem {
	p := Problem{Line: 1, Column: 1, Text: text, Hint: hint}
	if t != nil && t.Position != nil {
		p.Line, p.Column = max(1, t.Position.Line), max(1, t.Position.Column)
	}
	return p
}

// Decode checks the document against the schema and reads it into the value
// that into points to. Errors are Invalid; Internal if the schema cannot be
// compiled or promises more than the Go value can hold.
func (d *Document) Decode(schema *Schema, into any) error {
	problems, err := schema.explain(d.root)
	if err != nil {
		return err
	}
	if len(problems) == 0 {
		dec := decoder{}
		if err := dec.decode(d.root, into); err != nil {
			return err
		}
		problems = dec.problems
	}
	for i := range problems {
		problems[i].File = d.file
	}
	return Report(problems)
}

// Problem says what is wrong with the value at the path of keys and list
// indices; if there is none, with the nearest value above it.
func (d *Document) Problem(path []string, text, hint string) Problem {
	n := d.root.find(path)
	return Problem{File: d.file, Line: n.line, Column: n.column, Text: text, Hint: hint}
}

// AtKey says what is wrong with the key that the path ends in, rather than with
// its value; if there is no such key, it is [Document.Problem].
func (d *Document) AtKey(path []string, text, hint string) Problem {
	p := d.Problem(path, text, hint)
	if last := len(path) - 1; last >= 0 && d.Has(path) {
		if m := d.root.find(path[:last]).member(path[last]); m != nil {
			p.Line, p.Column = m.line, m.column
		}
	}
	return p
}

// Inside says what is wrong with a place inside the text at the path: the given
// line (from 1) and column (from 0) of the text itself. The position is exact
// for text on one line without quotes, and for block text ("|"); otherwise it is
// where the text begins.
func (d *Document) Inside(path []string, line, column int, text string) Problem {
	n := d.root.find(path)
	p := d.Problem(path, text, "")
	switch {
	case n.style == plainLine && line == 1:
		p.Column += column
	case n.style == block:
		p.Line += line
		p.Column = n.indent + column
	}
	return p
}

// Has reports whether there is a value at the path.
func (d *Document) Has(path []string) bool {
	n := d.root
	for _, step := range path {
		if n = n.child(step); n == nil {
			return false
		}
	}
	return true
}
