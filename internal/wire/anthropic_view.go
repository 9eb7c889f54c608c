package wire

import "starling"

func (anthropic) view(body []byte) (*starling.Chat, error) {
	top, err := object(body)
	if err != nil {
		return nil, err
	}
	v := &anthropicViewer{}
	v.chat.Choices = 1
	for _, m := range top {
		if kindOf(m.value) != 'n' {
			v.field(string(m.key), m.value)
		}
	}
	v.settleEffort()
	return v.done()
}

type anthropicViewer struct {
	viewer
	effort   []byte // output_config.effort
	disabled bool   // thinking is
}

// settleEffort: who does not think needs no measure of it.
func (v *anthropicViewer) settleEffort() {
	switch {
	case v.disabled:
		v.chat.Effort = "none"
		if v.effort != nil {
			v.extra("output_config.effort", v.effort)
		}
	case v.effort != nil:
		v.chat.Effort = v.string("output_config.effort", v.effort)
	}
}

func (v *anthropicViewer) field(name string, value []byte) {
	c := &v.chat
	switch name {
	case "model", "stream": // read by Parse
	case "system":
		c.System = v.blocks("system", value)
	case "messages":
		v.messages(value)
	case "tools":
		v.tools(value)
	case "tool_choice":
		v.toolChoice(value)
	case "max_tokens":
		c.MaxTokens = v.limit(name, value)
	case "temperature":
		c.Temperature = v.number(name, value)
	case "top_p":
		c.TopP = v.number(name, value)
	case "top_k":
		c.TopK = v.number(name, value)
	case "stop_sequences":
		c.Stop = v.strings(name, value)
	case "thinking":
		v.thinking(value)
	case "output_config":
		v.outputConfig(value)
	case "output_format": // the older place of output_config.format
		v.format(value)
	case "metadata":
		v.metadata(value)
	default:
		v.extra(name, value)
	}
}

// thinking: "adaptive" leaves the measure to the model, so there is nothing to
// say beyond the effort.
func (v *anthropicViewer) thinking(value []byte) {
	for m := v.object("thinking", value); m.next(); {
		if m.null() {
			continue
		}
		switch name := m.name(); {
		case name == "type" && text(m.value) == "disabled":
			v.disabled = true
		case name == "type" && text(m.value) == "adaptive":
			v.extra("thinking.type", m.value)
		case name == "type":
		case name == "budget_tokens":
			v.chat.ThinkTokens = v.limit("thinking.budget_tokens", m.value)
		default:
			v.extra("thinking."+name, m.value)
		}
	}
}

func (v *anthropicViewer) outputConfig(value []byte) {
	for m := v.object("output_config", value); m.next(); {
		if m.null() {
			continue
		}
		switch name := m.name(); name {
		case "effort":
			v.effort = m.value
		case "format":
			v.format(m.value)
		default:
			v.extra("output_config."+name, m.value)
		}
	}
}

func (v *anthropicViewer) format(value []byte) {
	if kind := text(field(value, "type")); kind != "json_schema" {
		v.fail("output_config.format.type", "must be json_schema")
	}
	v.chat.Format = anthropicFormat(value)
}

func (v *anthropicViewer) metadata(value []byte) {
	for m := v.object("metadata", value); m.next(); {
		if name := m.name(); name != "user_id" {
			v.extra("metadata."+name, m.value)
		} else if !m.null() {
			v.chat.User = v.string("metadata.user_id", m.value)
		}
	}
}

func (v *anthropicViewer) tools(value []byte) {
	for m := v.array("tools", value); m.next(); {
		if kind := field(m.value, "type"); kind != nil && text(kind) != "custom" {
			v.extra("tools[].type", kind)
			continue
		}
		v.tool(m.value)
	}
}

func (v *anthropicViewer) tool(value []byte) {
	var t starling.Tool
	for m := v.object("tools[]", value); m.next(); {
		if m.null() {
			continue
		}
		switch name := m.name(); name {
		case "type":
		case "name":
			t.Name = v.string("tools[].name", m.value)
		case "description":
			t.Description = v.string("tools[].description", m.value)
		case "input_schema":
			t.Schema = m.value
		case "strict":
			t.Strict = v.bool("tools[].strict", m.value)
		default:
			v.unsaid("tools[].", name, m.value)
		}
	}
	v.chat.Tools = append(v.chat.Tools, t)
}

// unsaid keeps a field of some element. Cache marks are one field wherever they
// stand.
func (v *anthropicViewer) unsaid(path, name string, value []byte) {
	if name == "cache_control" {
		path = ""
	}
	v.extra(path+name, value)
}

func (v *anthropicViewer) toolChoice(value []byte) {
	c := &v.chat
	modes := map[string]string{"auto": "auto", "any": "required", "none": "none", "tool": "tool"}
	for m := v.object("tool_choice", value); m.next(); {
		switch name := m.name(); name {
		case "type":
			if c.ToolChoice.Mode = modes[text(m.value)]; c.ToolChoice.Mode == "" {
				v.extra("tool_choice", value)
			}
		case "name":
			c.ToolChoice.Name = text(m.value)
		case "disable_parallel_tool_use":
			if off := v.bool("tool_choice.disable_parallel_tool_use", m.value); off != nil {
				parallel := !*off
				c.Parallel = &parallel
			}
		default:
			v.extra("tool_choice."+name, m.value)
		}
	}
}

func (v *anthropicViewer) messages(value []byte) {
	i := 0
	for m := v.array("messages", value); m.next(); i++ {
		v.message(i, m.value)
	}
}

func (v *anthropicViewer) message(i int, value []byte) {
	var m starling.Message
	for f := v.object(at("messages", i, ""), value); f.next(); {
		switch name := f.name(); name {
		case "role":
			m.Role = v.role(i, f.value)
		case "content":
			m.Parts = v.blocks(at("messages", i, ".content"), f.value)
		default:
			v.unsaid("messages[].", name, f.value)
		}
	}
	v.chat.Messages = append(v.chat.Messages, m)
}

func (v *anthropicViewer) role(i int, value []byte) starling.Role {
	switch role := starling.Role(text(value)); role {
	case starling.User, starling.Assistant, starling.System:
		return role
	}
	v.fail(at("messages", i, ".role"), "must be user, assistant or system")
	return ""
}

// blocks reads content: a string, or an array of blocks.
func (v *anthropicViewer) blocks(name string, value []byte) (parts []starling.Part) {
	switch kindOf(value) {
	case 'n':
		return nil
	case '"':
		return []starling.Part{{Kind: starling.TextPart, Text: text(value)}}
	}
	for m := v.parts(name, value); m.next(); {
		if p := v.block(m.value); p.Kind != "" {
			parts = append(parts, p)
		}
	}
	return parts
}

func (v *anthropicViewer) block(value []byte) (p starling.Part) {
	own := "" // the field that the kind has for itself
	switch kind := text(field(value, "type")); kind {
	case "text":
		own, p = "text", starling.Part{Kind: starling.TextPart, Text: text(field(value, "text"))}
	case "thinking":
		own, p = "thinking", starling.Part{Kind: starling.ReasoningPart, Text: text(field(value, "thinking")), Signature: text(field(value, "signature"))}
	case "redacted_thinking":
		own, p = "data", starling.Part{Kind: starling.ReasoningPart, Signature: text(field(value, "data"))}
	case "image":
		own, p = "source", v.image(field(value, "source"))
	case "tool_use":
		own, p = "input", starling.Part{Kind: starling.CallPart, Call: &starling.ToolCall{
			ID: text(field(value, "id")), Name: text(field(value, "name")), Arguments: string(field(value, "input")),
		}}
	case "tool_result":
		own, p = "content", v.result(value)
	default:
		v.extra("messages[].content[].type", appendString(nil, kind))
		return p
	}
	for m := enter(value); m.next(); {
		switch name := m.name(); name {
		case own, "type", "id", "name", "signature", "tool_use_id", "is_error":
		default:
			v.unsaid("messages[].content[].", name, m.value)
		}
	}
	return p
}

func (v *anthropicViewer) image(source []byte) starling.Part {
	img := &starling.Image{}
	switch text(field(source, "type")) {
	case "base64":
		img.MediaType, img.Data = text(field(source, "media_type")), text(field(source, "data"))
	case "url":
		img.URL = text(field(source, "url"))
	default: // a file that was uploaded before
		v.extra("messages[].content[].source", source)
	}
	return starling.Part{Kind: starling.ImagePart, Image: img}
}

func (v *anthropicViewer) result(value []byte) starling.Part {
	r := &starling.ToolResult{ID: text(field(value, "tool_use_id")), Error: kindOf(field(value, "is_error")) == 't'}
	if content := field(value, "content"); content != nil {
		r.Parts = v.results(content)
	}
	return starling.Part{Kind: starling.ResultPart, Result: r}
}

// results reads what a tool answered: text and images. Anything else has no word
// in Chat, results within results included.
func (v *anthropicViewer) results(content []byte) (parts []starling.Part) {
	if kindOf(content) == '"' {
		return v.blocks("", content)
	}
	for m := v.parts("messages[].content[].content", content); m.next(); {
		switch kind := text(field(m.value, "type")); kind {
		case "text", "image":
			parts = append(parts, v.block(m.value))
		default:
			v.extra("messages[].content[].type", appendString(nil, kind))
		}
	}
	return parts
}
