package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/packages/respjson"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"google.golang.org/genai"
)

// An oracle says of what the gateway answered whether its vendor would have.
type oracle struct {
	path          string                  // below the gateway, with MODEL and, in a stream's place, METHOD
	plain, schema string                  // bodies; MODEL, PROMPT and LIMIT stand for theirs
	tools         [2]string               // one tool, two tools: what goes into the body
	chunk, whole  func(data []byte) error // of a stream, and all at once
	failed        func(data []byte) error // of an error
	streamed      string                  // member that asks for a stream; "" if the path does
}

// run asks everything that can be asked, of every upstream.
func (o oracle) run() {
	ask := func(feature, prompt, tools, body string, limit int) {
		each(feature, func(ctx context.Context, model string) error {
			data, status, err := o.post(ctx, model, prompt, body+tools, limit, feature == "stream")
			if err != nil {
				return err
			}
			if status != http.StatusOK {
				return fmt.Errorf("%d: %s", status, data)
			}
			if feature != "stream" {
				return o.whole(data)
			}
			return o.chunks(data)
		})
	}
	ask("chat", question, "", o.plain, 400)
	ask("stream", question, "", o.plain, 400)
	ask("stream", both, o.tools[1], o.plain, 400)
	ask("tools", one, o.tools[0], o.plain, 400)
	ask("parallel", both, o.tools[1], o.plain, 400)
	ask("schema", question, "", o.schema, 400)
	ask("limit", question, "", o.plain, 16)
	once("error", func(ctx context.Context) error {
		data, status, err := o.post(ctx, dialects[0]+"-brid", question, o.plain, 400, false)
		if err != nil {
			return err
		}
		return errors.Join(must(status == http.StatusNotFound, status), o.failed(data))
	})
}

func (o oracle) post(ctx context.Context, model, prompt, body string, limit int, stream bool) ([]byte, int, error) {
	path, method := o.path, "generateContent"
	if stream {
		body, method = body+o.streamed, "streamGenerateContent?alt=sse"
	}
	fill := strings.NewReplacer("MODEL", model, "PROMPT", prompt, "LIMIT", fmt.Sprint(limit), "METHOD", method)
	return post(ctx, fill.Replace(path), "{"+fill.Replace(body)+"}")
}

func post(ctx context.Context, path, body string) ([]byte, int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, gateway+path, strings.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + key}, "Anthropic-Version": {"2023-06-01"}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return data, resp.StatusCode, err
}

// chunks holds every event of a stream against its type.
func (o oracle) chunks(stream []byte) error {
	n := 0
	lines := bufio.NewScanner(bytes.NewReader(stream))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		n++
		if err := o.chunk([]byte(data)); err != nil {
			return fmt.Errorf("event %d: %w: %s", n, err, data)
		}
	}
	return must(n > 0, "no event")
}

// A description is OpenAI's own of its API, which is no part of this repository.
type description struct {
	doc      map[string]any
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
}

// described reads the description, or says that it is not here.
func described() (*description, error) {
	f, err := os.Open(os.Getenv("STARLING_OPENAPI"))
	if err != nil {
		return nil, fmt.Errorf("%w: OpenAI's OpenAPI document is not here; name it in STARLING_OPENAPI", errSkipped)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(z)
	if err != nil {
		return nil, err
	}
	d := &description{compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	var ok bool
	if d.doc, ok = repaired(doc).(map[string]any); !ok {
		return nil, errors.New("OpenAI's OpenAPI document is no object")
	}
	return d, d.compiler.AddResource("openapi:doc", d.doc)
}

// repaired makes JSON Schema 2020-12 of a document that says it is, but keeps
// words of older versions.
func repaired(v any) any {
	switch n := v.(type) {
	case []any:
		for i := range n {
			n[i] = repaired(n[i])
		}
	case map[string]any:
		delete(n, "$recursiveAnchor")
		if _, ok := n["$recursiveRef"]; ok {
			return map[string]any{"$ref": "#/components/schemas/CompoundFilter"}
		}
		for k := range n {
			n[k] = repaired(n[k])
		}
		if n["nullable"] == true {
			delete(n, "nullable")
			return map[string]any{"anyOf": []any{n, map[string]any{"type": "null"}}}
		}
	}
	return v
}

// fits returns a check against a schema of the description.
func (d *description) fits(name string) func([]byte) error {
	return func(data []byte) error { return d.check(name, data) }
}

func (d *description) check(name string, data []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	s := d.schemas[name]
	if s == nil {
		if s, err = d.compiler.Compile("openapi:doc#/components/schemas/" + name); err != nil {
			return err
		}
		d.schemas[name] = s
	}
	return s.Validate(v)
}

// event holds an event of the Responses API against the schema of its own type,
// since an error about 58 of them at once helps nobody.
func (d *description) event(data []byte) error {
	var e struct{ Type string }
	if err := json.Unmarshal(data, &e); err != nil {
		return err
	}
	schemas := at(d.doc, "components", "schemas")
	branches, _ := at(d.doc, "components", "schemas", "ResponseStreamEvent").(map[string]any)["anyOf"].([]any)
	for _, b := range branches {
		ref, _ := at(b, "$ref").(string)
		name := ref[strings.LastIndexByte(ref, '/')+1:]
		if kinds, _ := at(schemas, name, "properties", "type", "enum").([]any); len(kinds) == 1 && kinds[0] == e.Type {
			return d.check(name, data)
		}
	}
	return fmt.Errorf("no event is of the type %q", e.Type)
}

func at(v any, path ...string) any {
	for _, step := range path {
		m, _ := v.(map[string]any)
		v = m[step]
	}
	return v
}

const (
	bare     = `{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}`
	demanded = `{"type":"object","properties":{"city":{"type":"string"},"degrees":{"type":"integer"}},"required":["city","degrees"],"additionalProperties":false}`
)

// tools writes one tool and two, each as format says.
func tools(before, format, after string) [2]string {
	first, second := fmt.Sprintf(format, "weather", bare), fmt.Sprintf(format, "time", bare)
	return [2]string{before + first + after, before + first + "," + second + after}
}

// absent says of every feature that it could not be tried.
func absent(err error) {
	for _, feature := range []string{"chat", "stream", "tools", "parallel", "schema", "limit", "error", "embed"} {
		once(feature, func(context.Context) error { return err })
	}
}

func oracleChat() {
	d, err := described()
	if err != nil {
		absent(err)
		return
	}
	oracle{
		path:     "/v1/chat/completions",
		plain:    `"model":"MODEL","max_tokens":LIMIT,"messages":[{"role":"user","content":"PROMPT"}]`,
		schema:   `"model":"MODEL","max_tokens":LIMIT,"messages":[{"role":"user","content":"PROMPT"}],"response_format":{"type":"json_schema","json_schema":{"name":"report","strict":true,"schema":` + demanded + `}}`,
		tools:    tools(`,"tools":[`, `{"type":"function","function":{"name":"%s","parameters":%s}}`, `]`),
		streamed: `,"stream":true,"stream_options":{"include_usage":true}`,
		chunk:    d.fits("CreateChatCompletionStreamResponse"), whole: d.fits("CreateChatCompletionResponse"), failed: d.fits("ErrorResponse"),
	}.run()
	once("embed", func(ctx context.Context) error {
		data, status, err := post(ctx, "/v1/embeddings", `{"model":"openai-bird","input":["a starling","a barn"]}`)
		if err != nil {
			return err
		}
		return errors.Join(must(status == http.StatusOK, status), d.check("CreateEmbeddingResponse", data))
	})
}

func oracleResponses() {
	d, err := described()
	if err != nil {
		absent(err)
		return
	}
	oracle{
		path:     "/v1/responses",
		plain:    `"model":"MODEL","store":false,"max_output_tokens":LIMIT,"input":"PROMPT"`,
		schema:   `"model":"MODEL","store":false,"max_output_tokens":LIMIT,"input":"PROMPT","text":{"format":{"type":"json_schema","name":"report","strict":true,"schema":` + demanded + `}}`,
		tools:    tools(`,"tools":[`, `{"type":"function","name":"%s","parameters":%s,"strict":true}`, `]`),
		streamed: `,"stream":true`,
		chunk:    d.event, whole: d.fits("Response"), failed: d.fits("ErrorResponse"),
	}.run()
}

func oracleMessages() {
	oracle{
		path:     "/v1/messages",
		plain:    `"model":"MODEL","max_tokens":LIMIT,"messages":[{"role":"user","content":"PROMPT"}]`,
		schema:   `"model":"MODEL","max_tokens":LIMIT,"messages":[{"role":"user","content":"PROMPT"}],"output_config":{"format":{"type":"json_schema","schema":` + demanded + `}}`,
		tools:    tools(`,"tools":[`, `{"name":"%s","input_schema":%s}`, `]`),
		streamed: `,"stream":true`,
		chunk: func(data []byte) error {
			var e anthropic.MessageStreamEventUnion
			if err := json.Unmarshal(data, &e); err != nil {
				return err
			}
			if e.Type == "ping" {
				return nil
			}
			return strictly(reflect.ValueOf(e.AsAny()), e.Type)
		},
		whole: func(data []byte) error {
			var m anthropic.Message
			if err := json.Unmarshal(data, &m); err != nil {
				return err
			}
			return strictly(reflect.ValueOf(m), "message")
		},
		failed: func(data []byte) error {
			var e anthropic.ErrorResponse
			if err := json.Unmarshal(data, &e); err != nil {
				return err
			}
			return strictly(reflect.ValueOf(e), "error")
		},
	}.run()
}

// strictly walks a value of the Anthropic SDK's types: no field of an answer may
// be unknown to them, and none that they require may be missing.
func strictly(v reflect.Value, where string) error {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return fmt.Errorf("%s: of no known type", where)
		}
		return strictly(v.Elem(), where)
	case reflect.Slice:
		var errs []error
		for i := range v.Len() {
			errs = append(errs, strictly(v.Index(i), fmt.Sprintf("%s[%d]", where, i)))
		}
		return errors.Join(errs...)
	case reflect.Struct:
		return strictStruct(v, where)
	}
	return nil
}

func strictStruct(v reflect.Value, where string) error {
	if union := v.MethodByName("AsAny"); union.IsValid() {
		return strictly(union.Call(nil)[0], where)
	}
	present := v.FieldByName("JSON")
	if !present.IsValid() {
		return nil
	}
	var errs []error
	if extra := present.FieldByName("ExtraFields"); extra.IsValid() {
		for _, name := range extra.MapKeys() {
			if !beyond[name.String()] && !beyond[where+"."+name.String()] {
				errs = append(errs, fmt.Errorf("%s.%s is unknown", where, name))
			}
		}
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		seen, ok := fieldOf(present, f.Name)
		if !ok {
			continue
		}
		name := where + "." + f.Tag.Get("json")
		if seen.Raw() == "" {
			if (f.Tag.Get("api") == "required" || f.Tag.Get("default") != "") && !late[f.Tag.Get("json")] {
				errs = append(errs, fmt.Errorf("%s is missing", name))
			}
			continue
		}
		if seen.Raw() != "null" {
			errs = append(errs, strictly(v.Field(i), name))
		}
	}
	return errors.Join(errs...)
}

// beyond is what answers have and the SDK's types have not: the mark of simulated
// upstreams, which passes; and at the end of a stream the split of cache writes by
// their lifetime, which has a price, and which message_start could not know yet.
var beyond = map[string]bool{"simulated": true, "message_delta.usage.cache_creation": true, "message_delta.usage.service_tier": true}

// late are fields that the SDK calls required, and that its vendor came to send
// only lately: every client does without them.
var late = map[string]bool{
	"container": true, "diagnostics": true, "stop_details": true, "context_management": true,
	"cache_creation": true, "inference_geo": true, "output_tokens_details": true, "server_tool_use": true, "service_tier": true, "speed": true,
	"citations": true, "caller": true, "toolset_name": true, "cache_creation_input_tokens": true, "cache_read_input_tokens": true,
}

func fieldOf(present reflect.Value, name string) (respjson.Field, bool) {
	f := present.FieldByName(name)
	if !f.IsValid() {
		return respjson.Field{}, false
	}
	field, ok := f.Interface().(respjson.Field)
	return field, ok
}

func oracleGemini() {
	decode := func(data []byte) (*genai.GenerateContentResponse, error) {
		var m map[string]json.RawMessage
		if err := json.Unmarshal(data, &m); err != nil {
			return nil, err
		}
		delete(m, "simulated") // the upstream's own mark, which passes
		data, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		r := new(genai.GenerateContentResponse)
		strict := json.NewDecoder(bytes.NewReader(data))
		strict.DisallowUnknownFields()
		return r, strict.Decode(r)
	}
	oracle{
		path:   "/v1beta/models/MODEL:METHOD",
		plain:  `"contents":[{"role":"user","parts":[{"text":"PROMPT"}]}],"generationConfig":{"maxOutputTokens":LIMIT}`,
		schema: `"contents":[{"role":"user","parts":[{"text":"PROMPT"}]}],"generationConfig":{"maxOutputTokens":LIMIT,"responseMimeType":"application/json","responseJsonSchema":` + demanded + `}`,
		tools:  tools(`,"tools":[{"functionDeclarations":[`, `{"name":"%s","parametersJsonSchema":%s}`, `]}]`),
		chunk:  func(data []byte) error { _, err := decode(data); return err },
		whole: func(data []byte) error {
			r, err := decode(data)
			if err != nil {
				return err
			}
			return must(len(r.Candidates) == 1 && r.Candidates[0].Content != nil && r.Candidates[0].Content.Role == "model" && len(r.Candidates[0].Content.Parts) > 0 &&
				r.Candidates[0].FinishReason != "" && r.UsageMetadata != nil && r.UsageMetadata.PromptTokenCount > 0 && r.UsageMetadata.TotalTokenCount > 0 && r.ModelVersion != "" && r.ResponseID != "", string(data))
		},
		failed: func(data []byte) error {
			var e struct{ Error genai.APIError }
			strict := json.NewDecoder(bytes.NewReader(data))
			strict.DisallowUnknownFields()
			return errors.Join(strict.Decode(&e), must(e.Error.Code == http.StatusNotFound && e.Error.Status != "" && e.Error.Message != "", string(data)))
		},
	}.run()
}
