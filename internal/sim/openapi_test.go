package sim_test

import (
	"compress/gzip"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"starling/internal/sim"
)

// openapi loads the vendor's own description, whose nullables are of an older
// form than the rest, and which has one reference JSON Schema no longer knows.
func openapi(t *testing.T) *jsonschema.Compiler {
	t.Helper()
	f, err := os.Open("../../../shared/contracts/openapi/openai.json.gz")
	if err != nil {
		t.Skip("the vendor's OpenAPI document is not in ../shared/contracts/openapi next to the repository")
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(z)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi:doc", repaired(doc)); err != nil {
		t.Fatal(err)
	}
	return c
}

func repaired(v any) any {
	switch n := v.(type) {
	case []any:
		for i := range n {
			n[i] = repaired(n[i])
		}
	case map[string]any:
		for k, part := range n {
			n[k] = repaired(part)
		}
		delete(n, "$recursiveAnchor")
		if _, ok := n["$recursiveRef"]; ok {
			delete(n, "$recursiveRef")
			n["$ref"] = "#/components/schemas/CompoundFilter"
		}
		if n["nullable"] == true {
			delete(n, "nullable")
			return map[string]any{"anyOf": []any{n, map[string]any{"type": "null"}}}
		}
	}
	return v
}

func TestEveryReplyFitsTheVendorsOwnSchema(t *testing.T) {
	large(t)
	c := openapi(t)
	fits := func(name, text string) {
		t.Helper()
		schema, err := c.Compile("openapi:doc#/components/schemas/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if v, err = jsonschema.UnmarshalJSON(strings.NewReader(text)); err == nil {
			err = schema.Validate(v)
		}
		if err != nil {
			t.Errorf("%s: %s: %v", name, text, err)
		}
	}
	s := sim.New(sim.Options{Models: []sim.Model{both()}})
	for _, p := range []post{
		chat("openai", "m", "x"), chat("openai", "m", "both", weatherOpenAI), chat("openai", "m", "x", `"n":2`, `"reasoning_effort":"low"`),
		chat("openai", "m", "x", `"max_tokens":3`), chat("openai", "m", "Größe", `"logprobs":true,"top_logprobs":2`),
	} {
		fits("CreateChatCompletionResponse", ask(s, p).Body.String())
		p.body = strings.Replace(p.body, "{", `{"stream":true,"stream_options":{"include_usage":true},`, 1)
		for _, e := range stream(t, "openai", ask(s, p).Body).events {
			fits("CreateChatCompletionStreamResponse", e.Raw)
		}
	}
	for _, p := range []post{
		responsesPost(`"input":"x"`), responsesPost(`"input":"both",` + weatherResponses), responsesPost(`"input":"x","reasoning":{"effort":"low"}`), responsesPost(`"input":"x","max_output_tokens":3`),
		responsesPost(`"input":"x","tools":[{"type":"custom","name":"patch"}]`), responsesPost(`"input":"x","text":{"format":{"type":"json_schema","name":"n","schema":{"const":{"a":1}}}}`),
	} {
		fits("Response", ask(s, p).Body.String())
		p.body = strings.Replace(p.body, "{", `{"stream":true,`, 1)
		for _, e := range stream(t, p.dialect, ask(s, p).Body).events {
			fits("ResponseStreamEvent", e.Raw)
		}
	}
	fits("ErrorResponse", ask(s, responsesPost(`"input":"x","previous_response_id":"resp_1"`)).Body.String())
	fits("ErrorResponse", ask(s, chat("openai", "gone", "x")).Body.String())
	fits("CreateEmbeddingResponse", embed(s, `{"model":"m","input":["a","b"]}`).Body.String())
	fits("CreateEmbeddingResponse", embed(s, `{"model":"m","input":"a","dimensions":3,"encoding_format":"float"}`).Body.String())
	fits("CreateModerationResponse", moderate(s, `{"input":["a","I will kill them"]}`).Body.String())
	fits("ErrorResponse", moderate(s, `{"input":[]}`).Body.String())
}
