package strict_test

import (
	"encoding/json"
	"strings"
	"testing"

	"starling"
	"starling/internal/strict"
)

func TestASchemaNamesItsBrokenRuleAndNothingOfTheValue(t *testing.T) {
	s := strict.NewSchema([]byte(`{"type": "object", "properties": {"total": {"type": "number"}}, "additionalProperties": false}`))
	for _, c := range []struct {
		name  string
		value any
		want  string
	}{
		{"it fits", map[string]any{"total": json.Number("1")}, ""},
		{"a wrong type", map[string]any{"total": "secret"}, "/properties/total/type"},
		{"a key too many", map[string]any{"secret": "x"}, "/additionalProperties"},
	} {
		got, err := s.Check(c.value)
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}

func TestASchemaThatCannotBeUsedIsInvalid(t *testing.T) {
	for _, c := range []struct{ name, schema string }{
		{"no JSON", `{`},
		{"no schema", `{"type": "nonsense"}`},
		{"a file", `{"$ref": "file:///etc/hostname"}`},
		{"the network", `{"$ref": "http://127.0.0.1/schema.json"}`},
		{"a pattern that is no regular expression", `{"pattern": "("}`},
		{"text after the schema", `{} {}`},
		{"too long", `{"description": "` + strings.Repeat("x", 1<<20) + `"}`},
	} {
		err := strict.NewSchema([]byte(c.schema)).Compile()
		if starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
