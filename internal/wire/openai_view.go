package wire

import "starling"

func (openAI) view(body []byte) (*starling.Chat, error) {
	top, err := object(body)
	if err != nil {
		return nil, err
	}
	v := &openAIViewer{}
	v.chat.Choices = 1
	for _, m := range top {
		if kindOf(m.value) != 'n' {
			v.field(string(m.key), m.value)
		}
	}
	return v.done()
}

type openAIViewer struct{ viewer }

func (v *openAIViewer) field(name string, value []byte) {
	c := &v.chat
	switch name {
	case "model", "stream": // read by Parse
	case "stream_options": // usage is read by Parse
		for m := v.object(name, value); m.next(); {
			if !m.is("include_usage") {
				v.extra(name+"."+m.name(), m.value)
			}
		}
	case "messages":
		v.messages(value)
	case "tools":
		v.tools(value)
	case "tool_choice":
		v.toolChoice(value)
	case "parallel_tool_calls":
		c.Parallel = v.bool(name, value)
	case "max_tokens", "max_completion_tokens":
		c.MaxTokens = max(c.MaxTokens, v.limit(name, value))
	case "temperature":
		c.Temperature = v.number(name, value)
	case "top_p":
		c.TopP = v.number(name, value)
	case "top_k":
		c.TopK = v.number(name, value)
	case "seed":
		c.Seed = v.number(name, value)
	case "n":
		c.Choices = v.limit(name, value)
	case "logprobs":
		c.Logprobs = v.yes(name, value)
	case "top_logprobs":
		c.TopLogprobs = v.limit(name, value)
	case "stop":
		c.Stop = v.strings(name, value)
	case "response_format":
		v.format(value)
	case "reasoning_effort":
		c.Effort = v.string(name, value)
	case "safety_identifier":
		c.User = v.string(name, value)
	case "user": // the older name of the same
		if user := v.string(name, value); c.User == "" {
			c.User = user
		}
	default:
		v.extra(name, value)
	}
}

func (v *openAIViewer) format(value []byte) {
	switch text(field(value, "type")) {
	case "text":
		return
	case "json_schema":
		schema := field(value, "json_schema")
		if strict := field(schema, "strict"); strict != nil {
			v.is('t', "response_format.json_schema.strict", strict)
		}
		if d := field(schema, "description"); d != nil {
			v.extra("response_format.json_schema.description", d)
		}
	case "json_object":
	default:
		v.fail("response_format.type", "must be text, json_object or json_schema")
	}
	v.chat.Format = openAIFormat(value)
}

func (v *openAIViewer) tools(value []byte) {
	for m := v.array("tools", value); m.next(); {
		if f := v.function("tools[]", m.value); f != nil {
			v.tool(f)
		}
	}
}

// function returns the function inside a tool or a call. Other kinds of either
// have no word in Chat.
func (v *openAIViewer) function(path string, value []byte) (f []byte) {
	f = field(value, "function")
	if kind := field(value, "type"); kindOf(f) != '{' || (kind != nil && text(kind) != "function") {
		v.extra(path+".type", appendString(nil, text(kind)))
		return nil
	}
	for m := enter(value); m.next(); {
		switch name := m.name(); name {
		case "type", "function", "id", "index":
		default:
			v.extra(path+"."+name, m.value)
		}
	}
	return f
}

func (v *openAIViewer) tool(value []byte) {
	var t starling.Tool
	for m := enter(value); m.next(); {
		if m.null() {
			continue
		}
		switch name := m.name(); name {
		case "name":
			t.Name = v.string("tools[].function.name", m.value)
		case "description":
			t.Description = v.string("tools[].function.description", m.value)
		case "parameters":
			t.Schema = m.value
		case "strict":
			t.Strict = v.bool("tools[].function.strict", m.value)
		default:
			v.extra("tools[].function."+name, m.value)
		}
	}
	v.chat.Tools = append(v.chat.Tools, t)
}

func (v *openAIViewer) toolChoice(value []byte) {
	switch mode := text(value); mode {
	case "auto", "none", "required":
		v.chat.ToolChoice.Mode = mode
		return
	}
	name := text(field(field(value, "function"), "name"))
	if text(field(value, "type")) != "function" || name == "" {
		v.extra("tool_choice", value)
		return
	}
	v.chat.ToolChoice = starling.ToolChoice{Mode: "tool", Name: name}
}

func (v *openAIViewer) messages(value []byte) {
	i := 0
	for m := v.array("messages", value); m.next(); i++ {
		v.message(i, m.value)
	}
}

// message reads one turn. Instructions before the first other turn are the
// chat's System.
func (v *openAIViewer) message(i int, value []byte) {
	var role, id string
	var m starling.Message
	var content, calls, refusal, reasoning []byte
	for f := v.object(at("messages", i, ""), value); f.next(); {
		if f.null() {
			continue
		}
		switch name := f.name(); name {
		case "role":
			role = v.string(at("messages", i, ".role"), f.value)
		case "content":
			content = f.value
		case "tool_call_id":
			id = v.string(at("messages", i, ".tool_call_id"), f.value)
		case "tool_calls":
			calls = f.value
		case "refusal":
			refusal = f.value
		case "reasoning_content":
			reasoning = f.value
		case "reasoning":
			if reasoning == nil {
				reasoning = f.value
			}
		default:
			v.extra("messages[]."+name, f.value)
		}
	}
	if s := text(reasoning); s != "" {
		m.Parts = append(m.Parts, starling.Part{Kind: starling.ReasoningPart, Text: s})
	}
	m.Parts = append(m.Parts, v.content(i, content)...)
	if s := text(refusal); s != "" {
		m.Parts = append(m.Parts, starling.Part{Kind: starling.RefusalPart, Text: s})
	}
	if calls != nil {
		m.Parts = append(m.Parts, v.calls(i, calls)...)
	}
	v.turn(role, id, m)
}

// turn puts a message where its role belongs.
func (v *openAIViewer) turn(role, id string, m starling.Message) {
	c := &v.chat
	switch role {
	case "system", "developer":
		if len(c.Messages) == 0 {
			c.System = append(c.System, m.Parts...)
			return
		}
		m.Role = starling.System
	case "assistant":
		m.Role = starling.Assistant
	case "tool":
		m.Role = starling.User
		m.Parts = []starling.Part{{Kind: starling.ResultPart, Result: &starling.ToolResult{ID: id, Parts: m.Parts}}}
	default:
		m.Role = starling.User
		if role != "user" {
			v.extra("messages[].role", appendString(nil, role))
		}
	}
	c.Messages = append(c.Messages, m)
}

func (v *openAIViewer) content(i int, value []byte) (parts []starling.Part) {
	switch kindOf(value) {
	case 0:
		return nil
	case '"':
		return []starling.Part{{Kind: starling.TextPart, Text: text(value)}}
	}
	for m := v.parts(at("messages", i, ".content"), value); m.next(); {
		if p, ok := v.part(m.value); ok {
			parts = append(parts, p)
		}
	}
	return parts
}

func (v *openAIViewer) part(value []byte) (p starling.Part, ok bool) {
	const path = "messages[].content[]."
	kind := text(field(value, "type"))
	switch kind {
	case "text":
		p = starling.Part{Kind: starling.TextPart, Text: text(field(value, "text"))}
	case "refusal":
		p = starling.Part{Kind: starling.RefusalPart, Text: text(field(value, "refusal"))}
	case "image_url":
		p = starling.Part{Kind: starling.ImagePart, Image: openAIImage(field(value, kind))}
	default:
		v.extra(path+"type", appendString(nil, kind))
		return p, false
	}
	for m := enter(value); m.next(); {
		if name := m.name(); name != "type" && name != kind {
			v.extra(path+name, m.value)
		}
	}
	return p, true
}

// openAIImage reads {"url":…,"detail":…}, or the bare address that some clients
// send.
func openAIImage(value []byte) *starling.Image {
	if kindOf(value) == '"' {
		return image(text(value))
	}
	img := image(text(field(value, "url")))
	img.Detail = text(field(value, "detail"))
	return img
}

func (v *openAIViewer) calls(i int, value []byte) (parts []starling.Part) {
	for m := v.array(at("messages", i, ".tool_calls"), value); m.next(); {
		f := v.function("messages[].tool_calls[]", m.value)
		if f == nil {
			continue
		}
		parts = append(parts, starling.Part{Kind: starling.CallPart, Call: &starling.ToolCall{
			ID:        text(field(m.value, "id")),
			Name:      text(field(f, "name")),
			Arguments: callText(field(f, "arguments")),
		}})
	}
	return parts
}

// callText reads a call's arguments: a string, or, from some local servers, the
// object itself.
func callText(v []byte) string {
	if kindOf(v) == '{' {
		return wellFormed(string(v))
	}
	return text(v)
}
