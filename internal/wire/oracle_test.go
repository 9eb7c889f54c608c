package wire

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"starling"
)

// oracle compiles schemas of OpenAI's own description of its API, which is not
// part of this repository.
func oracle(t *testing.T) func(schema string) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open("../../../shared/contracts/openapi/openai.json.gz")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("OpenAI's API description is not here")
	}
	if err != nil {
		t.Fatal(err)
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
	if err := c.AddResource("mem://openai", repaired(doc)); err != nil {
		t.Fatal(err)
	}
	return func(schema string) *jsonschema.Schema {
		s, err := c.Compile("mem://openai#/components/schemas/" + schema)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// repaired makes JSON Schema 2020-12 of a document that says it is, but keeps
// words of older versions.
func repaired(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = repaired(v[i])
		}
	case map[string]any:
		delete(v, "$recursiveAnchor")
		if _, ok := v["$recursiveRef"]; ok {
			return map[string]any{"$ref": "#/components/schemas/CompoundFilter"}
		}
		for k := range v {
			v[k] = repaired(v[k])
		}
		if union, ok := v["oneOf"]; ok && v["discriminator"] != nil { // told apart by a field, and else some of them overlap
			delete(v, "oneOf")
			v["anyOf"] = union
		}
		if v["nullable"] == true {
			delete(v, "nullable")
			return map[string]any{"anyOf": []any{v, map[string]any{"type": "null"}}}
		}
	}
	return v
}

func checked(t *testing.T, s *jsonschema.Schema, text string) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%v: %s", err, text)
	}
}

func TestWhatIsWrittenIsWhatOpenAIDescribes(t *testing.T) {
	schema := oracle(t)
	chunk, whole, failed := schema("CreateChatCompletionStreamResponse"), schema("CreateChatCompletionResponse"), schema("ErrorResponse")
	for _, stream := range []bool{true, false} {
		r := streaming(starling.OpenAI)
		r.Stream, r.WantUsage = stream, true
		out := rendered(t, r,
			starling.Event{Deltas: []starling.Delta{{Kind: starling.ReasoningPart, Text: "hm"}, {Kind: starling.TextPart, Block: 1, Text: "x"}, {Kind: starling.RefusalPart, Block: 2, Text: "no"}}},
			callDelta(3, "a", "f", "{}"), starling.Event{Finish: starling.ToolUse, Usage: &starling.Usage{Input: 1, Output: 2}})
		if !stream {
			checked(t, whole, out)
			continue
		}
		for data := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(out), "data: [DONE]"), "\n\n") {
			if data = strings.TrimPrefix(data, "data: "); data != "" {
				checked(t, chunk, data)
			}
		}
	}
	for _, k := range starling.Kinds {
		_, _, body := ErrorReply(starling.OpenAI, &starling.Error{Kind: k, Op: "o"}, "r", "")
		checked(t, failed, string(body))
	}
}

func TestACompletionIsWhatOpenAIDescribes(t *testing.T) {
	whole := oracle(t)("CreateCompletionResponse")
	for _, stream := range []bool{true, false} {
		r := streaming(starling.Completions)
		r.Stream = stream
		out := rendered(t, r, textDelta(0, "x"), starling.Event{Finish: starling.Length, Usage: &starling.Usage{Input: 1, Output: 2}})
		for data := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(out), "data: [DONE]"), "\n\n") {
			if data = strings.TrimPrefix(data, "data: "); data != "" && !strings.Contains(data, `"finish_reason":null`) { // of chunks it says nothing
				checked(t, whole, data)
			}
		}
	}
}

func TestWhatGoesToOpenAIIsWhatItDescribes(t *testing.T) {
	request := oracle(t)("CreateChatCompletionRequest")
	n := 0
	for _, body := range archived(t, "question", "upstream.json") {
		if bytes.Contains([]byte(body), []byte(`"input_schema"`)) || strings.Contains(body, `"truncate"`) || !json.Valid([]byte(body)) || !strings.Contains(body, `"function":`) {
			continue // the other dialect
		}
		n++
		checked(t, request, body)
	}
	if n == 0 {
		t.Error("no question goes to OpenAI")
	}
}
