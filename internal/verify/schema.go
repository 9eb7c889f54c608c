package verify

import (
	"context"

	"starling/internal/skill"
	"starling/internal/strict"
)

// A schema accepts an answer that is one JSON value of the shape that a JSON
// Schema describes.
type schema struct {
	document
	shape *strict.Schema
}

func newSchema(spec skill.VerifySpec) (rule, error) {
	if spec.Schema == nil {
		return nil, fault("there is no schema")
	}
	if err := spec.Schema.Compile(); err != nil {
		return nil, err
	}
	return &schema{document: document{fence: spec.Fence}, shape: spec.Schema}, nil
}

func (s *schema) judge(_ context.Context, q question) (string, error) {
	value, _, why := s.read(q.text)
	if why != "" {
		return why, nil
	}
	broken, err := s.shape.Check(value)
	if err != nil || broken == "" {
		return "", err
	}
	return "the JSON breaks the schema at " + broken, nil
}
