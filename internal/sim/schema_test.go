package sim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/tidwall/gjson"
	"pgregory.net/rapid"

	"starling/internal/sim"
)

func shaped(schema string) post {
	return chat("openai", "m", "x", `"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":`+schema+`}}`)
}

func valid(schema, instance string) error {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		return err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("x:y", doc); err != nil {
		return err
	}
	compiled, err := c.Compile("x:y")
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(instance))
	if err != nil {
		return err
	}
	return compiled.Validate(v)
}

func TestAnAnswerFitsTheSchemaThatWasAskedFor(t *testing.T) {
	for name, schema := range map[string]string{
		"an invoice":            `{"type":"object","required":["number","total","lines"],"additionalProperties":false,"properties":{"number":{"type":"string","pattern":"^INV-[0-9]{4}$"},"total":{"type":"number","minimum":0.01,"multipleOf":0.01},"lines":{"type":"array","minItems":2,"items":{"type":"object","required":["sku","n"],"properties":{"sku":{"type":"string","minLength":3,"maxLength":5},"n":{"type":"integer","exclusiveMinimum":0,"maximum":3}}}}}}`,
		"a label":               `{"type":"object","properties":{"label":{"enum":["a","b"]}},"required":["label"]}`,
		"every format":          `{"type":"object","properties":{"a":{"type":"string","format":"date"},"b":{"type":"string","format":"date-time"},"c":{"type":"string","format":"email"},"d":{"type":"string","format":"uuid"},"e":{"type":"string","format":"uri"},"f":{"type":"string","format":"time"},"g":{"type":"string","format":"ipv6"},"h":{"type":"string","format":"duration"}}}`,
		"a tree":                `{"$defs":{"node":{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"children":{"type":"array","items":{"$ref":"#/$defs/node"}}}}},"$ref":"#/$defs/node"}`,
		"a choice":              `{"oneOf":[{"type":"object","required":["a"],"properties":{"a":{"type":"null"}}},{"type":"integer","maximum":-5},{"type":"boolean"}]}`,
		"parts that add up":     `{"allOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"b":{"type":"integer"}},"required":["b"]}]}`,
		"a nullable":            `{"type":["null","string"],"minLength":40}`,
		"a tuple":               `{"type":"array","prefixItems":[{"const":1},{"type":"string"}],"items":false}`,
		"names without schema":  `{"required":["x","y"]}`,
		"a number of names":     `{"type":"object","minProperties":3,"additionalProperties":{"type":"integer"}}`,
		"different items":       `{"type":"array","minItems":4,"uniqueItems":true,"items":{"type":"string"}}`,
		"a narrow number":       `{"type":"number","exclusiveMinimum":0.1,"exclusiveMaximum":0.2}`,
		"a pattern of choices":  `{"type":"string","pattern":"^(red|green|\\d{2,3}[A-F]?)+$"}`,
		"an escaped pointer":    `{"$defs":{"a/b":{"type":"integer"}},"properties":{"x":{"$ref":"#/$defs/a~1b"}},"required":["x"]}`,
		"an optional recursion": `{"type":"object","properties":{"me":{"$ref":"#"}}}`,
		"anything":              `true`,
	} {
		t.Run(name, func(t *testing.T) {
			s := sim.New(sim.Options{Models: []sim.Model{both()}})
			for seed := range 20 {
				p := shaped(schema)
				p.body = strings.Replace(p.body, `"x"`, quote(fmt.Sprint("x", seed)), 1)
				w := ask(s, p)
				if w.Code != 200 {
					t.Fatalf("%d %s", w.Code, w.Body)
				}
				text := gjson.Get(w.Body.String(), "choices.0.message.content").Str
				if err := valid(schema, text); err != nil {
					t.Errorf("%s is no instance: %v", text, err)
				}
			}
		})
	}
}

func TestASchemaBeyondTheSimulatorIsRefused(t *testing.T) {
	bomb := `{"$defs":{"l0":{"type":"integer"}`
	for i := range 40 {
		bomb += fmt.Sprintf(`,"l%d":{"oneOf":[{"$ref":"#/$defs/l%d"},{"$ref":"#/$defs/l%d"}]}`, i+1, i, i)
	}
	for name, schema := range map[string]string{
		"it allows nothing":            `{"type":"string","enum":[1]}`,
		"it never ends":                `{"type":"object","required":["me"],"properties":{"me":{"$ref":"#"}}}`,
		"it refers to itself":          `{"$ref":"#"}`,
		"it is elsewhere":              `{"$ref":"https://example.com/schema.json"}`,
		"it leads nowhere":             `{"$ref":"#/$defs/gone"}`,
		"it is a bomb of branches":     bomb + `},"$ref":"#/$defs/l20"}`,
		"it wants a million items":     `{"type":"array","minItems":1000000}`,
		"it wants a novel":             `{"type":"string","minLength":100000000}`,
		"its pattern has a look-ahead": `{"type":"string","pattern":"(?=a)b"}`,
		"its bounds cross":             `{"type":"integer","minimum":5,"maximum":4}`,
		"it is no schema":              `{"type":"integer","minimum":"five"}`,
		"it is a number":               `7`,
	} {
		s := sim.New(sim.Options{Models: []sim.Model{both()}})
		if w := ask(s, shaped(schema)); w.Code != 400 || !strings.Contains(w.Body.String(), "JSON Schema") && !strings.Contains(w.Body.String(), "schema") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestRandomSchemasAreMetOrRefused(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{both()}})
	rapid.Check(t, func(t *rapid.T) {
		schema := randomSchema(3).Draw(t, "schema")
		w := ask(s, shaped(schema))
		if w.Code == 400 {
			return
		}
		if err := valid(schema, gjson.Get(w.Body.String(), "choices.0.message.content").Str); err != nil {
			t.Errorf("%v", err)
		}
	})
}

func randomSchema(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		n := rapid.IntRange(0, 20)
		kinds := []string{"string", "integer", "number", "boolean", "enum"}
		if depth > 0 {
			kinds = append(kinds, "object", "array", "anyOf", "oneOf", "allOf")
		}
		switch kind := rapid.SampledFrom(kinds).Draw(t, "kind"); kind {
		case "string":
			return fmt.Sprintf(`{"type":"string","minLength":%d,"maxLength":%d}`, n.Draw(t, "min"), n.Draw(t, "max"))
		case "integer", "number":
			return fmt.Sprintf(`{"type":%q,"minimum":%d,"exclusiveMaximum":%d,"multipleOf":%d.5}`, kind, n.Draw(t, "min")-10, n.Draw(t, "max"), n.Draw(t, "step")%3)
		case "object":
			return fmt.Sprintf(`{"type":"object","properties":{"a":%s,"b":%s},"required":["b"]}`, randomSchema(depth-1).Draw(t, "a"), randomSchema(depth-1).Draw(t, "b"))
		case "array":
			return fmt.Sprintf(`{"type":"array","items":%s,"minItems":%d}`, randomSchema(depth-1).Draw(t, "item"), n.Draw(t, "min")%4)
		case "anyOf", "oneOf", "allOf":
			return fmt.Sprintf(`{%q:[%s,%s]}`, kind, randomSchema(depth-1).Draw(t, "one"), randomSchema(depth-1).Draw(t, "two"))
		case "enum":
			return fmt.Sprintf(`{"enum":["a",%d,null]}`, n.Draw(t, "value"))
		}
		return `{"type":"boolean"}`
	})
}
