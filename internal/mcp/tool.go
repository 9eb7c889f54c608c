package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"starling"
)

// tools adds all of them.
func (d Door) tools(s *sdk.Server) {
	no := false
	spends := &sdk.ToolAnnotations{DestructiveHint: &no} // and asks models that may be anywhere
	looks := &sdk.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true, OpenWorldHint: &no}
	notes := &sdk.ToolAnnotations{DestructiveHint: &no, OpenWorldHint: &no}

	add(s, d, sdk.Tool{Name: "ask", Annotations: spends, Description: "Hand over a bounded task; returns answer, cost, receipt."}, caller.answer)
	add(s, d, sdk.Tool{Name: "estimate", Annotations: looks, InputSchema: bare(shape[task]()), Description: "Say who would be asked (arguments as of ask), at what cost, and who may not and why. Asks nobody."}, caller.estimate)
	add(s, d, sdk.Tool{Name: "explain", Annotations: looks, Description: "Say what was done to one request: who tried, verdicts, cost, why."}, caller.explain)
	add(s, d, sdk.Tool{Name: "savings", Annotations: looks, Description: "Sum up what was spent and saved (an estimate)."}, caller.savings)
	add(s, d, sdk.Tool{Name: "models", Annotations: looks, Description: "List skills and models that can be asked."}, caller.models)
	add(s, d, sdk.Tool{Name: "feedback", Annotations: notes, Description: "Grade an answer; with consent, say what it should have been."}, caller.feedback)
}

// add adds a tool whose arguments and result have the shapes of In and Out; t may describe
// the arguments in its own way. An error of do is a result that says so, which the model
// that called can read; protocol errors are for what is no call of a tool at all.
func add[In, Out any](s *sdk.Server, d Door, t sdk.Tool, do func(caller, context.Context, In) (Out, error)) {
	takes := shape[In]()
	accepts, err := takes.Resolve(nil)
	if err != nil {
		panic("the arguments of " + t.Name + " have no shape: " + err.Error())
	}
	if t.InputSchema == nil {
		t.InputSchema = takes
	}
	t.OutputSchema = outline(shape[Out]())
	s.AddTool(&t,
		func(ctx context.Context, req *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			var args In
			if err := read(req.Params.Arguments, accepts, &args); err != nil {
				return failed(err), nil
			}
			ctx, leave := attended(ctx)
			defer leave()
			end := signs(ctx, req)
			result, err := do(d.caller(req.Extra), ctx, args)
			end()
			if err != nil {
				return failed(err), nil
			}
			text, err := json.Marshal(result)
			if err != nil {
				return failed(err), nil
			}
			return &sdk.CallToolResult{StructuredContent: json.RawMessage(text), Content: []sdk.Content{&sdk.TextContent{Text: string(text)}}}, nil
		})
}

// caller is whoever sent a request.
func (d Door) caller(extra *sdk.RequestExtra) caller {
	c := caller{gateway: d.Gateway, agent: "starling-mcp/" + d.Version}
	if extra != nil {
		c.header = extra.Header
	}
	return c
}

// failed is the result of a tool that could not do what it was called for: the Kind of the
// error, and its sentence with what can be done.
func failed(err error) *sdk.CallToolResult {
	kind := starling.KindOf(err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		kind = starling.Cancelled
	}
	return &sdk.CallToolResult{IsError: true, Content: []sdk.Content{&sdk.TextContent{Text: string(kind) + ": " + err.Error()}}}
}

// shape is the JSON Schema of a type. What it has none of is left out, and never null.
func shape[T any]() *jsonschema.Schema {
	s, err := jsonschema.For[T](nil)
	if err != nil {
		panic(fmt.Sprintf("%T has no JSON Schema: %v", *new(T), err))
	}
	unnull(s)
	return s
}

func unnull(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if i := slices.Index(s.Types, "null"); i >= 0 && len(s.Types) == 2 {
		s.Type, s.Types = s.Types[1-i], nil
	}
	for _, p := range s.Properties {
		unnull(p)
	}
	unnull(s.Items)
}

// bare is a shape without its descriptions, for arguments that are described elsewhere.
func bare(s *jsonschema.Schema) *jsonschema.Schema {
	for _, p := range s.Properties {
		p.Description = ""
	}
	return s
}

// outline is a result's shape to its first level. Every client sends all shapes to its model
// with every request; what stands deeper the model reads in the result.
func outline(s *jsonschema.Schema) *jsonschema.Schema {
	s.AdditionalProperties = nil
	for name, p := range s.Properties {
		flat := &jsonschema.Schema{Type: p.Type, Description: p.Description}
		if p.Items != nil {
			flat.Items = &jsonschema.Schema{Type: p.Items.Type}
		}
		s.Properties[name] = flat
	}
	return s
}

// longest is how much of what is wrong with arguments is told, in bytes.
const longest = 300

// read reads the arguments of a tool. Errors: Invalid, for what is missing, unknown, of
// another type or said twice: the one that is passed over may be the one that protects.
func read(raw json.RawMessage, accepts *jsonschema.Resolved, into any) error {
	if len(raw) == 0 {
		raw = []byte("{}")
	}
	var loose any
	err := json.Unmarshal(raw, &loose)
	if err == nil {
		err = accepts.Validate(loose)
	}
	if err == nil {
		err = once(json.NewDecoder(bytes.NewReader(raw)))
	}
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return invalid(shorten(err.Error()))
	}
	return nil
}

func shorten(text string) string {
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}

func invalid(what string) error {
	return &starling.Error{Kind: starling.Invalid, Op: "arguments: " + what, Hint: "the tool's inputSchema says what it takes"}
}

// once refuses one value in which an object has a member twice.
func once(d *json.Decoder) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('{'):
		seen := map[string]bool{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return err
			}
			name := key.(string) // what else stands there is no JSON
			if seen[name] {
				return fmt.Errorf("%s is said twice", name)
			}
			seen[name] = true
			if err := once(d); err != nil {
				return err
			}
		}
		_, err = d.Token()
	case json.Delim('['):
		for d.More() {
			if err := once(d); err != nil {
				return err
			}
		}
		_, err = d.Token()
	}
	return err
}

// signs tells a client that wants to know of it that the answer is still waited for:
// before it returns, and then at every beat until the function that it returns was
// called.
func signs(ctx context.Context, req *sdk.CallToolRequest) (end func()) {
	token := req.Params.GetProgressToken()
	if token == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	began := time.Now()
	sign := func(waited float64) error {
		return req.Session.NotifyProgress(ctx, &sdk.ProgressNotificationParams{
			ProgressToken: token, Progress: waited, Message: fmt.Sprintf("waited %.0f s", waited),
		})
	}
	if sign(0) != nil {
		return cancel // nobody listens any more
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		every := time.NewTicker(beat)
		defer every.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-every.C:
				if sign(time.Since(began).Seconds()) != nil {
					return
				}
			}
		}
	}()
	return func() { cancel(); <-done }
}
