package sim

import (
	"fmt"

	"github.com/tidwall/gjson"

	"starling"
)

// parseResponses reads the body of POST /v1/responses. Nothing is kept here, so what
// refers to something kept is refused, as a vendor refuses what it does not know.
func parseResponses(f map[string]gjson.Result) (*ask, *fault) {
	a := &ask{dialect: starling.Responses, choices: 1}
	a.model = a.text("model", f["model"])
	a.stream = a.flag("stream", f["stream"])
	a.limit = a.count("max_output_tokens", f["max_output_tokens"])
	effort := a.text("reasoning.effort", f["reasoning"].Get("effort"))
	a.reason = effort != "" && effort != "none"
	a.responsesFormat(f["text"].Get("format"))
	if id := a.text("previous_response_id", f["previous_response_id"]); id != "" {
		a.bad("previous_response_id", "Previous response with id '%s' not found.", clip(id, 25))
	}
	a.responsesTools(f)
	if instructions := a.text("instructions", f["instructions"]); instructions != "" {
		a.add("system", instructions).tokens += tokensPerMessage
	}
	a.responsesInput(f["input"])
	if a.model == "" {
		a.bad("model", "you must provide a model")
	}
	return a, a.wrong
}

func (a *ask) responsesFormat(v gjson.Result) {
	switch kind := v.Get("type").Str; kind {
	case "", "text":
	case "json_object":
		a.format = format{kind: kind}
	case "json_schema":
		a.format = format{kind: kind, schema: v.Get("schema").Raw}
		if v.Get("name").Str == "" {
			a.bad("text.format.name", "a json_schema needs a name")
		}
	default:
		a.bad("text.format.type", "the type must be text, json_object or json_schema")
	}
}

func (a *ask) responsesTools(f map[string]gjson.Result) {
	f["tools"].ForEach(func(_, t gjson.Result) bool {
		if t.Get("type").Str != "namespace" {
			a.responsesTool("", t)
			return true
		}
		t.Get("tools").ForEach(func(_, inner gjson.Result) bool {
			a.responsesTool(t.Get("name").Str, inner)
			return true
		})
		return true
	})
	choice := f["tool_choice"]
	a.use = toolUse{mode: choice.Str}
	if choice.IsObject() {
		a.use = toolUse{mode: "tool", name: choice.Get("name").Str}
	}
	a.use.serial = f["parallel_tool_calls"].Type == gjson.False
	a.usable()
}

// responsesTool takes a tool that the caller runs. The vendor's own are never used
// by a simulated model.
func (a *ask) responsesTool(namespace string, t gjson.Result) {
	kind, name := t.Get("type").Str, t.Get("name").Str
	switch kind {
	case "function", "custom":
		if name == "" {
			a.bad("tools", "a tool of the caller's needs a name")
		}
		a.tools = append(a.tools, tool{name: name, namespace: namespace, custom: kind == "custom", schema: t.Get("parameters").Raw})
	case "":
		a.bad("tools", "a tool needs a type")
	}
	a.add("tool", name)
	a.add("tool", t.Get("description").Str)
	a.add("tool", t.Get("parameters").Raw)
}

func (a *ask) responsesInput(input gjson.Result) {
	i := 0
	switch {
	case input.Type == gjson.String:
		a.add("user", input.Str).tokens += tokensPerMessage
		a.heard([]string{input.Str})
		i++
	case input.IsArray():
		input.ForEach(func(_, item gjson.Result) bool {
			a.responsesItem(fmt.Sprintf("input[%d]", i), item)
			i++
			return a.wrong == nil
		})
	}
	if i == 0 {
		a.bad("input", "input must be a text or an array with at least one item")
	}
	a.settled("input")
}

func (a *ask) responsesItem(at string, item gjson.Result) {
	kind := item.Get("type").Str
	if kind == "" && item.Get("role").Exists() {
		kind = "message"
	}
	switch kind {
	case "message":
		a.responsesMessage(at, item)
	case "reasoning":
		if item.Get("encrypted_content").Str != signature(a.model) {
			a.bad(at, "%s: the encrypted content is not this model's, or not there", at)
		}
		item.Get("summary").ForEach(func(_, s gjson.Result) bool {
			a.add("assistant", s.Get("text").Str)
			return true
		})
	case "function_call", "custom_tool_call":
		a.add("call", item.Get("name").Str)
		a.add("call", item.Get("arguments").Str+item.Get("input").Str)
		a.call(at+".call_id", item.Get("call_id").Str)
	case "function_call_output", "custom_tool_call_output":
		text := ""
		for _, t := range a.responsesContent(at+".output", "result", item.Get("output")) {
			text += t
		}
		a.answered(at+".call_id", item.Get("call_id").Str, text)
	case "item_reference", "":
		a.bad(at+".id", "Item with id '%s' not found. Items are not persisted here.", clip(item.Get("id").Str, 25))
	default: // what agents send beside, and what a vendor's tools did
		a.add(kind, item.Raw)
	}
}

func (a *ask) responsesMessage(at string, m gjson.Result) {
	role := m.Get("role").Str
	if role == "user" {
		a.settled(at)
	}
	a.add(role, "").tokens = tokensPerMessage
	a.told = a.told && role != "user"
	texts := a.responsesContent(at+".content", role, m.Get("content"))
	switch role {
	case "user":
		a.heard(texts)
	case "system", "developer", "assistant":
	default:
		a.bad(at+".role", "the role must be system, developer, user or assistant")
	}
}

// responsesContent reads a text or an array of parts and returns its texts.
func (a *ask) responsesContent(at, role string, content gjson.Result) []string {
	if content.Type == gjson.String {
		a.add(role, content.Str)
		return []string{content.Str}
	}
	if !content.IsArray() {
		a.bad(at, "%s must be a string or an array of parts", at)
		return nil
	}
	var texts []string
	content.ForEach(func(_, p gjson.Result) bool {
		switch p.Get("type").Str {
		case "input_text", "output_text":
			texts = append(texts, p.Get("text").Str)
			a.add(role, p.Get("text").Str)
		case "refusal":
			a.add(role, p.Get("refusal").Str)
		case "input_image":
			a.image(p.Get("image_url").Str)
		case "input_file":
			a.image(p.Raw)
		default:
			a.bad(at, "a part must be input_text, output_text, refusal, input_image or input_file")
		}
		return true
	})
	return texts
}
