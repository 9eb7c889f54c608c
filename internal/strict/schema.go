package strict

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"starling"
)

// A Schema is a JSON Schema (2020-12) that is compiled when it is first used.
// It refers to nothing outside itself. It is safe for concurrent use.
//
// The keyword "x-hint" beside any other is shown to whoever breaks it. The form of
// free keys is said with patternProperties: what breaks propertyNames is reported
// by the validator at a place that its other findings may have overwritten.
type Schema struct {
	data []byte

	once     sync.Once
	doc      any // as JSON, for hints and known keys
	compiled *jsonschema.Schema
	err      error
}

// NewSchema returns the schema that the JSON text describes, without reading it.
func NewSchema(data []byte) *Schema { return &Schema{data: data} }

// JSON returns the text of the schema, for whoever only reads it.
func (s *Schema) JSON() []byte { return s.data }

// UnmarshalJSON takes the text as the schema, without reading it.
func (s *Schema) UnmarshalJSON(data []byte) error {
	s.data = bytes.Clone(data)
	return nil
}

// Compile reads the schema. The error is Invalid: the text is no JSON Schema,
// or refers to another document.
func (s *Schema) Compile() error {
	s.once.Do(func() {
		if err := s.compile(); err != nil {
			s.err = &starling.Error{Kind: starling.Invalid, Op: "JSON Schema", Err: err}
		}
	})
	return s.err
}

// here is the address of the schema among its own references.
const here = "starling:///schema"

func (s *Schema) compile() error {
	if len(s.data) > maxBytes {
		return fmt.Errorf("more than %d bytes", maxBytes)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(s.data))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(alone{})
	if err := c.AddResource(here, doc); err != nil {
		return err
	}
	compiled, err := c.Compile(here)
	if err != nil {
		return rephrase(err)
	}
	s.doc, s.compiled = doc, compiled
	return nil
}

// rephrase shortens the validator's report of a broken schema to its places.
func rephrase(err error) error {
	var invalid *jsonschema.SchemaValidationError
	var v *jsonschema.ValidationError
	if !errors.As(err, &invalid) || !errors.As(invalid.Err, &v) {
		return err
	}
	for len(v.Causes) > 0 {
		v = v.Causes[0]
	}
	return fmt.Errorf("the value at /%s is not allowed", strings.Join(v.InstanceLocation, "/"))
}

// alone loads nothing: neither files nor the network are a schema's business.
type alone struct{}

func (alone) Load(string) (any, error) {
	return nil, errors.New("a schema may not refer to another document")
}

// Check validates a value as encoding/json gives it, with numbers as
// json.Number. It returns the place in the schema of the first rule that is
// broken, such as "/properties/total/type", and "" if none is: never anything of
// the value. The error is Invalid: the schema cannot be compiled.
func (s *Schema) Check(value any) (broken string, err error) {
	v, err := s.validate(value)
	if v == nil {
		return "", err
	}
	for _, leaf := range leaves(v) {
		if at := place(leaf); broken == "" || at < broken {
			broken = at
		}
	}
	return broken, nil
}

// A Break is a rule of a schema that a value breaks.
type Break struct {
	Place   string // in the schema, "/properties/total/type"
	Keyword string // of JSON Schema, "type"
	At      string // in the value, "/total"; "" its root
	Text    string // what is wrong; it may quote the value
}

// Breaks validates a value as Check does and returns the first so many rules that
// are broken, by their places. The error is Invalid: the schema cannot be compiled.
func (s *Schema) Breaks(value any, most int) ([]Break, error) {
	v, err := s.validate(value)
	if v == nil {
		return nil, err
	}
	all := leaves(v)
	slices.SortStableFunc(all, func(a, b *jsonschema.ValidationError) int { return strings.Compare(place(a), place(b)) })
	var first []Break
	for _, leaf := range all[:min(len(all), most)] {
		b := Break{Place: place(leaf), Text: leaf.BasicOutput().Error.String()}
		if path := leaf.ErrorKind.KeywordPath(); len(path) > 0 {
			b.Keyword = path[0]
		}
		for _, step := range leaf.InstanceLocation {
			b.At += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(step)
		}
		first = append(first, b)
	}
	return first, nil
}

// place is where in the schema the rule stands that is broken.
func place(v *jsonschema.ValidationError) string {
	return fragment(v.SchemaURL) + "/" + strings.Join(v.ErrorKind.KeywordPath(), "/")
}

// validate returns the tree of what is broken, nil if nothing is.
func (s *Schema) validate(value any) (*jsonschema.ValidationError, error) {
	if err := s.Compile(); err != nil {
		return nil, err
	}
	err := s.compiled.Validate(value)
	if err == nil {
		return nil, nil
	}
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		return nil, &starling.Error{Kind: starling.Internal, Op: "JSON Schema", Err: err}
	}
	return v, nil
}

func leaves(v *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(v.Causes) == 0 {
		return []*jsonschema.ValidationError{v}
	}
	var out []*jsonschema.ValidationError
	for _, cause := range v.Causes {
		out = append(out, leaves(cause)...)
	}
	return out
}

func fragment(schemaURL string) string {
	_, f, _ := strings.Cut(schemaURL, "#")
	if plain, err := url.PathUnescape(f); err == nil {
		return plain
	}
	return f
}

// at returns the part of the schema that a validator's URL points to.
func (s *Schema) at(schemaURL string) map[string]any {
	part := s.doc
	for _, step := range strings.Split(strings.Trim(fragment(schemaURL), "/"), "/") {
		if step == "" {
			continue
		}
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch p := part.(type) {
		case map[string]any:
			part = p[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(p) {
				return nil
			}
			part = p[i]
		}
	}
	m, _ := part.(map[string]any)
	return m
}
