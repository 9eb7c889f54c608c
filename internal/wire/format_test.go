package wire

import (
	"slices"
	"testing"

	"starling"
)

// demanded is a request in each dialect that demands a schema, and one that demands
// any JSON, "" where the dialect has no word for that.
var demanded = map[starling.Dialect]struct{ schema, any string }{
	starling.OpenAI: {
		`{"model":"m","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}}`,
		`{"model":"m","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_object"}}`,
	},
	starling.Anthropic: {
		`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}}}`, "",
	},
	starling.Responses: {
		`{"model":"m","input":"x","text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}}`,
		`{"model":"m","input":"x","text":{"format":{"type":"json_object"}}}`,
	},
	starling.Gemini: {
		`{"model":"m","contents":[{"role":"user","parts":[{"text":"x"}]}],"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}}}`,
		`{"model":"m","contents":[{"role":"user","parts":[{"text":"x"}]}],"generationConfig":{"responseMimeType":"application/json"}}`,
	},
	starling.Ollama: {
		`{"model":"m","messages":[{"role":"user","content":"x"}],"format":{"type":"object"}}`,
		`{"model":"m","messages":[{"role":"user","content":"x"}],"format":"json"}`,
	},
	starling.Generate: {
		`{"model":"m","prompt":"x","format":{"type":"object"}}`,
		`{"model":"m","prompt":"x","format":"json"}`,
	},
}

// shapeless are the dialects in which no shape can be demanded.
var shapeless = []starling.Dialect{starling.Completions, starling.Embeddings, starling.Moderations}

func TestEveryDialectSaysWhichShapeIsDemanded(t *testing.T) {
	for _, d := range Dialects() {
		if slices.Contains(shapeless, d) {
			continue
		}
		c, ok := demanded[d]
		if !ok {
			t.Errorf("%s: there is no example here, so nobody knows whether its answers are validated", d)
			continue
		}
		r, err := Parse(d, []byte(c.schema))
		if err != nil || r.Format == nil || r.Format.Kind != "json_schema" || string(r.Format.Schema) != `{"type":"object"}` {
			t.Errorf("%s: format %+v, %v", d, r.Format, err)
		}
		if chat, err := View(&r); err != nil || chat.Format == nil || string(chat.Format.Schema) != `{"type":"object"}` {
			t.Errorf("%s: the view says another thing than Parse: %v", d, err)
		}
		if c.any == "" {
			continue
		}
		if r, err := Parse(d, []byte(c.any)); err != nil || r.Format == nil || r.Format.Kind != "json_object" || r.Format.Schema != nil {
			t.Errorf("%s: format %+v, %v", d, r.Format, err)
		}
	}
}

func TestWhatIsNoJSONShapeIsLeftToTheUpstream(t *testing.T) {
	for _, format := range []string{`null`, `"json"`, `{}`, `[]`, `7`, `{"type":"text"}`, `{"type":"grammar","grammar":"x"}`, `{"type":7}`} {
		r, err := Parse(starling.OpenAI, []byte(`{"model":"m","messages":[{"role":"user","content":"x"}],"response_format":`+format+`}`))
		if err != nil || r.Format != nil {
			t.Errorf("%s: %+v, %v", format, r.Format, err)
		}
	}
}

func TestASchemaGoesToNativeSupportOnlyWhereThatTakesIt(t *testing.T) {
	const closed = `"additionalProperties":false`
	for _, c := range []struct {
		schema         string
		openai, claude bool
	}{
		{`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],` + closed + `}`, true, true},
		{`{"type":"object","properties":{"a":{"type":"string"}},` + closed + `}`, false, true},
		{`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`, false, false},
		{`{"type":"object","properties":{"a":{"type":"integer","minimum":1}},"required":["a"],` + closed + `}`, true, false},
		{`{"type":"object","properties":{"a":{"type":"array","items":{"type":"object"}}},"required":["a"],` + closed + `}`, false, false},
		{`{"type":"object","properties":{"a":{"$ref":"#/$defs/b"}},"required":["a"],"$defs":{"b":{"type":"string","format":"uuid"}},` + closed + `}`, true, true},
		{`{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"],` + closed + `}`, false, false},
		{`{"type":"object","properties":{"a":{"$ref":"http://example.com/a"}},"required":["a"],` + closed + `}`, false, false},
		{`{"type":"object","properties":{"a":{"enum":["x",{"y":1}]}},"required":["a"],` + closed + `}`, false, false},
		{`{"type":"object","properties":{"a":{"oneOf":[{"type":"string"}]}},"required":["a"],` + closed + `}`, false, false},
		{`{"type":"string"}`, false, false}, {`{"anyOf":[{"type":"string"}]}`, false, false}, {`true`, false, false}, {`{}`, false, false},
	} {
		if got := openAISubset.takes([]byte(c.schema)); got != c.openai {
			t.Errorf("openai %t: %s", got, c.schema)
		}
		if got := anthropicSubset.takes([]byte(c.schema)); got != c.claude {
			t.Errorf("anthropic %t: %s", got, c.schema)
		}
	}
}

func TestAConversationGoesOnInItsOwnDialect(t *testing.T) {
	for _, c := range []struct {
		dialect    starling.Dialect
		body, want string
	}{
		{starling.OpenAI, `{"model":"m", "messages":[ {"role":"user","content":"x"} ],"x":1.0}`, `{"model":"m", "messages":[ {"role":"user","content":"x"} ,{"role":"assistant","content":"a\"b"},{"role":"user","content":"again"}],"x":1.0}`},
		{starling.Anthropic, `{"messages":[{"role":"user","content":"x"}],"model":"m","max_tokens":1}`, `{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"a\"b"},{"role":"user","content":"again"}],"model":"m","max_tokens":1}`},
		{starling.Responses, `{"model":"m","input":"x"}`, `{"model":"m","input":[{"role":"user","content":"x"},{"role":"assistant","content":"a\"b"},{"role":"user","content":"again"}]}`},
		{starling.Gemini, `{"contents":[{"parts":[{"text":"x"}]}]}`, `{"contents":[{"parts":[{"text":"x"}]},{"role":"model","parts":[{"text":"a\"b"}]},{"role":"user","parts":[{"text":"again"}]}]}`},
		{starling.Generate, `{"prompt":"x"}`, ""}, {starling.OpenAI, `{"messages":[]}`, ""}, {starling.OpenAI, `{"messages":7}`, ""}, {starling.OpenAI, `{}`, ""},
	} {
		r := &starling.Request{Dialect: c.dialect, Body: []byte(c.body), Chat: &starling.Chat{}, Agent: "test"}
		got, err := Follow(r, `a"b`, "again")
		switch {
		case c.want == "":
			if starling.KindOf(err) != starling.Invalid {
				t.Errorf("%s: %s, %v", c.body, got.Body, err)
			}
		case err != nil || string(got.Body) != c.want || got.Chat != nil || got.Agent != "test":
			t.Errorf("%s became\n%s, %v, want\n%s", c.body, got.Body, err, c.want)
		case string(r.Body) != c.body:
			t.Errorf("the question itself became %s", r.Body)
		}
	}
}

func TestWhatIsNoRuleIsLeftOutOfASchema(t *testing.T) {
	for _, tt := range []struct{ name, schema, want string }{
		{"a plain one stays", `{"type":"object","properties":{"a":{"type":"integer","minimum":1}}}`, `{"type":"object","properties":{"a":{"type":"integer","minimum":1}}}`},
		{"the name of its draft", `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}`, `{"type":"object"}`},
		{"the bounds that zod writes", `{"properties":{"a":{"type":"integer","minimum":-9007199254740991,"maximum":9007199254740991}}}`, `{"properties":{"a":{"type":"integer"}}}`},
		{"one of them with a rule beside", `{"properties":{"a":{"minimum":0,"maximum":9007199254740991}}}`, `{"properties":{"a":{"minimum":0}}}`},
		{"within arrays, choices and definitions", `{"anyOf":[{"items":{"maximum":9007199254740991}}],"$defs":{"x":{"minimum":-9007199254740991}}}`, `{"anyOf":[{"items":{}}],"$defs":{"x":{}}}`},
		{"properties of such names", `{"properties":{"maximum":{"type":"string"},"$schema":{"type":"string"}}}`, `{"properties":{"maximum":{"type":"string"},"$schema":{"type":"string"}}}`},
		{"a constant is no schema", `{"const":{"maximum":9007199254740991}}`, `{"const":{"maximum":9007199254740991}}`},
		{"nothing is left", `{"$schema":"x"}`, `{}`},
		{"what is none", `true`, `true`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(plainSchema([]byte(tt.schema))); got != tt.want {
				t.Errorf("%s", got)
			}
		})
	}
}
