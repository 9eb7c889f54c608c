package grammar

import (
	"errors"
	"net/url"
	"regexp"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A checker validates the values of enum and const by the schemas that they stand among.
type checker struct {
	compiler *jsonschema.Compiler
	ready    map[*schema]*jsonschema.Schema
	patterns map[string]*regexp.Regexp
	weights  map[*schema]int
	seen     map[*schema]int // of [compiler.straight]
}

// here is the address of the schema among its own references.
const here = "starling:///schema"

func newChecker(doc *value) *checker {
	k := &checker{jsonschema.NewCompiler(), map[*schema]*jsonschema.Schema{}, map[string]*regexp.Regexp{}, map[*schema]int{}, map[*schema]int{}}
	k.compiler.UseLoader(alone{})
	_ = k.compiler.AddResource(here, doc.plain()) // fails only where the address is taken
	return k
}

// alone loads nothing: a schema is complete in itself.
type alone struct{}

func (alone) Load(string) (any, error) { return nil, errors.New("a reference leaves the schema") }

// fits reports whether the value fits all the items.
func (k *checker) fits(items []item, v *value) (bool, error) {
	plain := v.plain()
	for _, i := range items {
		s, ok := k.ready[i.s]
		if !ok {
			var err error
			if s, err = k.compiler.Compile(here + "#" + (&url.URL{Path: i.s.at}).EscapedPath()); err != nil {
				return false, err
			}
			k.ready[i.s] = s
		}
		if s.Validate(plain) != nil {
			return false, nil
		}
	}
	return true, nil
}

// weight is how many values the schema's text has: about what it takes to validate one.
func (k *checker) weight(s *schema) int {
	n, ok := k.weights[s]
	if !ok {
		n = s.v.count()
		k.weights[s] = n
	}
	return n
}

// pattern compiles a regular expression, to nil where it is none of Go's.
func (k *checker) pattern(text string) *regexp.Regexp {
	re, ok := k.patterns[text]
	if !ok {
		re, _ = regexp.Compile(text)
		k.patterns[text] = re
	}
	return re
}

// plainPointer undoes the escapes of an address in a reference.
func plainPointer(at string) string {
	if plain, err := url.PathUnescape(at); err == nil {
		return plain
	}
	return at
}
