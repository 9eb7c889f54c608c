package wire

import (
	"strings"

	"starling"
)

// In this dialect tools may stand in a namespace, and some take free text instead of
// JSON. Other dialects know neither: there a tool in a namespace goes by a joined
// name, and one for free text takes an object with one string. What the model then
// calls is told to the caller as he offered it.

// A responsesTool is a tool as the caller named it.
type responsesTool struct {
	namespace string // "" if it is in none
	name      string
	custom    bool // it takes free text
}

// flatName is the name under which other dialects know a tool.
func flatName(namespace, name string) string {
	if namespace == "" {
		return name
	}
	const longest = 64 // that OpenAI takes
	flat := namespace + "__" + name
	if len(flat) > longest {
		return hashedID(flat, flat)
	}
	return flat
}

// eachTool goes through an array of tools, and through those in namespaces.
func eachTool(tools []byte, f func(namespace string, tool []byte)) {
	for m := enter(tools); m.next(); {
		if text(field(m.value, "type")) != "namespace" {
			f("", m.value)
			continue
		}
		namespace := text(field(m.value, "name"))
		for t := enter(field(m.value, "tools")); t.next(); {
			f(namespace, t.value)
		}
	}
}

// offeredTools returns the tools of a request that have another name or another
// form in other dialects, by their name there.
func offeredTools(body []byte) map[string]responsesTool {
	named := map[string]responsesTool{}
	note := func(namespace string, tool []byte) {
		t := responsesTool{namespace: namespace, name: text(field(tool, "name")), custom: text(field(tool, "type")) == "custom"}
		if t.custom || namespace != "" {
			named[flatName(namespace, t.name)] = t
		}
	}
	if !valid(body) {
		return named
	}
	body = body[skipSpace(body, 0):]
	eachTool(field(body, "tools"), note)
	if Mentions(body, "additional_tools") {
		for m := enter(field(body, "input")); m.next(); {
			if text(field(m.value, "type")) == "additional_tools" {
				eachTool(field(m.value, "tools"), note)
			}
		}
	}
	return named
}

// customSchema is what a tool for free text takes in other dialects.
const customSchema = `{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}`

// customArguments are free text as the arguments of a call, customInput is the
// inverse. A model that does not keep to the schema is taken at its word.
func customArguments(input string) string {
	return string(append(appendString([]byte(`{"input":`), input), '}'))
}

func customInput(arguments string) string {
	v := []byte(strings.TrimSpace(arguments))
	if kindOf(v) != '{' || !valid(v) {
		return arguments
	}
	if input := field(v, "input"); kindOf(input) == '"' {
		return text(input)
	}
	return arguments
}

func (v *responsesViewer) tools(value []byte) {
	if v.is('[', "tools", value) {
		eachTool(value, v.tool)
	}
}

// tool reads one tool. Those of the vendor that only help are left out by their
// name; without the others the answer would be another one.
func (v *responsesViewer) tool(namespace string, value []byte) {
	switch kind := text(field(value, "type")); kind {
	case "function":
		v.function(namespace, value)
	case "custom":
		v.custom(namespace, value)
	case "web_search", "web_search_preview", "local_shell", "tool_search", "image_generation":
		v.extra("tools[]."+kind, value)
	default:
		v.extra("tools[].type", appendString(nil, kind))
	}
}

func (v *responsesViewer) function(namespace string, value []byte) {
	t := starling.Tool{}
	for m := enter(value); m.next(); {
		if m.null() {
			continue
		}
		switch name := m.name(); name {
		case "type":
		case "name":
			t.Name = flatName(namespace, v.string("tools[].name", m.value))
		case "description":
			t.Description = v.string("tools[].description", m.value)
		case "parameters":
			t.Schema = m.value
		case "strict":
			t.Strict = v.bool("tools[].strict", m.value)
		default:
			v.extra("tools[]."+name, m.value)
		}
	}
	v.chat.Tools = append(v.chat.Tools, t)
}

// custom reads a tool for free text. Which grammar it keeps to is told to the model
// and watched by nobody.
func (v *responsesViewer) custom(namespace string, value []byte) {
	t := starling.Tool{Schema: []byte(customSchema)}
	for m := enter(value); m.next(); {
		if m.null() {
			continue
		}
		switch name := m.name(); name {
		case "type":
		case "name":
			t.Name = flatName(namespace, v.string("tools[].name", m.value))
		case "description":
			t.Description = v.string("tools[].description", m.value)
		case "format":
			if text(field(m.value, "type")) == "grammar" {
				v.extra("tools[].format.grammar", m.value)
				v.grammar = text(field(m.value, "syntax")) + " grammar:\n" + text(field(m.value, "definition"))
			}
		default:
			v.extra("tools[]."+name, m.value)
		}
	}
	t.Description += "\n\nPut the whole text into the string input."
	if v.grammar != "" {
		t.Description += " It has to match this " + v.grammar
		v.grammar = ""
	}
	t.Description = strings.TrimSpace(t.Description)
	v.extra("tools[].custom", value)
	v.chat.Tools = append(v.chat.Tools, t)
}

func (v *responsesViewer) toolChoice(value []byte) {
	c := &v.chat
	if kindOf(value) == '"' {
		if c.ToolChoice.Mode = text(value); c.ToolChoice.Mode != "auto" && c.ToolChoice.Mode != "none" && c.ToolChoice.Mode != "required" {
			v.fail("tool_choice", "must be auto, none, required or an object")
		}
		return
	}
	name := flatName(text(field(value, "namespace")), text(field(value, "name")))
	switch kind := text(field(value, "type")); {
	case (kind == "function" || kind == "custom") && name != "":
		c.ToolChoice = starling.ToolChoice{Mode: "tool", Name: name}
	case kind == "allowed_tools":
		c.ToolChoice.Mode = text(field(value, "mode"))
		v.allowed = map[string]bool{}
		for m := enter(field(value, "tools")); m.next(); {
			v.allowed[flatName(text(field(m.value, "namespace")), text(field(m.value, "name")))] = true
		}
	default:
		v.extra("tool_choice", value)
	}
}

// allow keeps only the tools that may be called: offering no others says the same.
func (v *responsesViewer) allow() {
	if v.allowed == nil {
		return
	}
	var kept []starling.Tool
	for _, t := range v.chat.Tools {
		if v.allowed[t.Name] {
			kept = append(kept, t)
		}
	}
	v.chat.Tools = kept
}
