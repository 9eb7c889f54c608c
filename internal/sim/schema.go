package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	maxSchema   = 256 << 10 // bytes
	maxCompiled = 64        // schemas kept
	tries       = 8         // throws until an instance must be valid
)

// arguments returns arguments for a tool: an instance of its schema, or none
// where the simulator cannot make one. A model may err there as well. A tool that
// runs commands is given the command line run.
func arguments(schema, run string, d die) string {
	if schema == "" || len(schema) > maxSchema {
		return "{}"
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		return "{}"
	}
	if name := commandIn(schema); name != "" {
		commanding(doc.(map[string]any), name, run)
	}
	v, err := synthesise(doc, d)
	if _, ok := v.(map[string]any); err != nil || !ok {
		return "{}"
	}
	return string(compact(v))
}

// schemas makes instances of JSON Schemas, and checks each before it is sent.
// It keeps what it compiled.
type schemas struct {
	mu       sync.Mutex
	compiled map[string]*compiled
}

type compiled struct {
	doc    any
	schema *jsonschema.Schema
}

// instance returns a valid instance of a schema as JSON, or says why it cannot.
func (s *schemas) instance(schema string, d die) (string, error) {
	c, err := s.compile(schema)
	if err != nil {
		return "", err
	}
	err = errors.New("no instance was found")
	for i := range int64(tries) {
		v, why := synthesise(c.doc, d.nth(i))
		if why != nil {
			err = why
			continue
		}
		if !affordable(c.doc, v) {
			return "", errTooBig
		}
		text := compact(v)
		parsed, _ := jsonschema.UnmarshalJSON(bytes.NewReader(text)) // our own JSON
		if c.schema.Validate(parsed) == nil {
			return string(text), nil
		}
	}
	return "", err
}

func (s *schemas) compile(schema string) (*compiled, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.compiled[schema]; c != nil {
		return c, nil
	}
	if len(schema) > maxSchema {
		return nil, fmt.Errorf("it is longer than %d bytes", maxSchema)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		return nil, errors.New("it is missing")
	}
	const at = "sim:schema"
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(nowhere{})
	if err := compiler.AddResource(at, doc); err != nil {
		return nil, errors.New("it is no schema")
	}
	built, err := compiler.Compile(at)
	if err != nil {
		return nil, errors.New("it is no schema of draft 2020-12")
	}
	if s.compiled == nil || len(s.compiled) >= maxCompiled {
		s.compiled = map[string]*compiled{}
	}
	c := &compiled{doc: doc, schema: built}
	s.compiled[schema] = c
	return c, nil
}

// nowhere loads nothing: a schema may refer to itself alone.
type nowhere struct{}

func (nowhere) Load(string) (any, error) { return nil, errors.New("nothing is loaded from elsewhere") }

// compact renders a value without escaping HTML.
func compact(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("sim: a synthesised value has JSON: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
