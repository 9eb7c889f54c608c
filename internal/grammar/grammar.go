// Package grammar turns a JSON Schema into a grammar that holds a model to it: GBNF, the
// language of llama.cpp, with the root rule "root".
//
// The grammar is sound before it is complete: a text that it accepts is valid by the
// schema, but for the keywords that are named loose, and some valid texts it does not
// accept: members stand in the order in which the schema names them, numbers have a sane
// count of digits, a schema that only speaks of members wants an object. What cannot be
// held, such as uniqueItems, is for a validator to check afterwards. docs/spec/grammar.md
// says which keyword is held how.
//
// It is no validator, it knows no engine, and it does no I/O. Start reading at
// [FromSchema], then compile.go; expr.go is the algebra that grammars are made of.
//
// Source: the README of llama.cpp's grammars, 2026-11; JSON Schema 2020-12.
package grammar

import (
	"errors"
	"fmt"

	"starling"
	"starling/internal/strict"
)

// Beyond these bounds a schema is refused. An engine walks the grammar with each token,
// so one that is larger would also be slow.
const (
	maxSchema = 256 << 10 // bytes
	maxText   = 256 << 10 // of a grammar
	maxRules  = 4096
	maxDepth  = 96 // of schemas within each other
	maxWork   = 1 << 20
	maxRepeat = 512 // times; the engine refuses 2,000, and copies what is repeated
)

// FromSchema returns a grammar for the schema, and the JSON pointers of its keywords that
// the grammar does not hold ("/properties/tags/uniqueItems"), sorted, nil for none. The
// same schema gives the same grammar. A reference that leaves the schema is an error.
//
// Errors are Invalid: the text is no JSON Schema, is beyond a bound, refers to itself
// without a step into the value, or no value at all would fit it. Their Detail has the
// JSON pointer, where there is one.
func FromSchema(text []byte) (gbnf string, loose []string, err error) {
	doc, err := readSchema(text)
	if err != nil {
		return "", nil, err
	}
	w := NewWriter(Style{})
	w.taken["root"] = 0
	c := newCompiler(doc, w)
	c.rule([]item{{s: c.schemaOf(doc, "")}}, "")
	if c.err != nil {
		return "", nil, c.err
	}
	gbnf, err = w.write(w.rules)
	if err != nil {
		return "", nil, err
	}
	return gbnf, c.slack(), nil
}

// readSchema reads a schema that can be compiled.
func readSchema(text []byte) (*value, error) {
	if len(text) > maxSchema {
		return nil, invalid("", "the schema is too large", fmt.Sprintf("keep it under %d KiB", maxSchema>>10))
	}
	if err := strict.NewSchema(text).Compile(); err != nil {
		return nil, err
	}
	doc, err := read(text)
	if err != nil {
		return nil, err
	}
	if doc.based() {
		return nil, invalid("", "a part of the schema has an $id of its own", "leave out every $id but the outermost one")
	}
	return doc, nil
}

// invalid is an error at a place in the schema.
func invalid(at, what, hint string) error {
	return &starling.Error{Kind: starling.Invalid, Op: "grammar", Hint: hint, Err: errors.New(what), Detail: at}
}
