package wire

import "starling"

func (responses) view(body []byte) (*starling.Chat, error) {
	top, err := object(body)
	if err != nil {
		return nil, err
	}
	v := &responsesViewer{}
	v.chat.Choices = 1
	for _, m := range top {
		if kindOf(m.value) != 'n' {
			v.field(string(m.key), m.value)
		}
	}
	v.settle()
	return v.done()
}

type responsesViewer struct {
	viewer
	instructions []starling.Part
	grammar      string          // of the tool that is being read
	allowed      map[string]bool // tools by name; nil: all
	elsewhere    bool            // there is more to the conversation, which an upstream keeps
}

// settle puts in order what may come in any.
func (v *responsesViewer) settle() {
	c := &v.chat
	c.System = append(v.instructions, c.System...)
	v.allow()
	if len(c.Messages)+len(c.System) == 0 && !v.elsewhere {
		v.fail("input", "is missing")
	}
}

func (v *responsesViewer) field(name string, value []byte) {
	c := &v.chat
	switch name {
	case "model", "stream": // read by Parse
	case "input":
		v.input(value)
	case "instructions":
		if kindOf(value) == '"' {
			v.instructions = []starling.Part{{Kind: starling.TextPart, Text: text(value)}}
		} else {
			v.extra(name, value)
		}
	case "tools":
		v.tools(value)
	case "tool_choice":
		v.toolChoice(value)
	case "parallel_tool_calls":
		c.Parallel = v.bool(name, value)
	case "max_output_tokens":
		c.MaxTokens = v.limit(name, value)
	case "temperature":
		c.Temperature = v.number(name, value)
	case "top_p":
		c.TopP = v.number(name, value)
	case "top_logprobs":
		c.TopLogprobs = v.limit(name, value)
	case "text":
		v.text(value)
	case "reasoning":
		v.reasoning(value)
	case "include":
		v.include(value)
	case "stream_options":
		v.members(name, value)
	case "safety_identifier", "user": // the older name of the same
		if user := v.string(name, value); c.User == "" || name != "user" {
			c.User = user
		}
	default:
		v.elsewhere = v.elsewhere || stateful[name] != ""
		v.extra(name, value)
	}
}

// members keeps the fields of an object that have no word in Chat.
func (v *responsesViewer) members(name string, value []byte) {
	for m := v.object(name, value); m.next(); {
		v.extra(name+"."+m.name(), m.value)
	}
}

func (v *responsesViewer) text(value []byte) {
	for m := v.object("text", value); m.next(); {
		switch name := m.name(); {
		case m.null():
		case name == "format":
			v.format(m.value)
		default:
			v.extra("text."+name, m.value)
		}
	}
}

func (v *responsesViewer) format(value []byte) {
	v.chat.Format = responsesFormat(value)
	switch text(field(value, "type")) {
	case "text", "json_object":
	case "json_schema":
		if strict := field(value, "strict"); strict != nil {
			v.bool("text.format.strict", strict)
		}
		if d := field(value, "description"); d != nil {
			v.extra("text.format.description", d)
		}
	default:
		v.fail("text.format.type", "must be text, json_object or json_schema")
	}
}

func (v *responsesViewer) reasoning(value []byte) {
	for m := v.object("reasoning", value); m.next(); {
		switch name := m.name(); {
		case m.null():
		case name == "effort":
			v.chat.Effort = v.string("reasoning.effort", m.value)
		default:
			v.extra("reasoning."+name, m.value)
		}
	}
}

// include asks for more than the answer. Probabilities are a part of it; the rest
// is about tools that the vendor runs, and reasoning for its own eyes.
func (v *responsesViewer) include(value []byte) {
	for m := v.array("include", value); m.next(); {
		if text(m.value) == includedProbs {
			v.chat.Logprobs = true
			continue
		}
		v.extra("include[]."+text(m.value), m.value)
	}
}

func (v *responsesViewer) input(value []byte) {
	if kindOf(value) == '"' {
		v.say("user", []starling.Part{{Kind: starling.TextPart, Text: text(value)}})
		return
	}
	i := 0
	for m := v.array("input", value); m.next(); i++ {
		if v.is('{', at("input", i, ""), m.value) {
			v.item(i, m.value)
		}
	}
}

// item reads one item. Of those without a word in Chat some can be missed: records
// of what the vendor's tools did, which the answers that follow speak of. Without
// any other the history would be another one.
func (v *responsesViewer) item(i int, value []byte) {
	kind := text(field(value, "type"))
	switch kind {
	case "message":
		v.message(i, value)
	case "":
		if field(value, "role") != nil {
			v.message(i, value)
		} else {
			v.reference(value)
		}
	case "item_reference":
		v.reference(value)
	case "reasoning":
		v.thought(i, value)
	case "function_call", "custom_tool_call":
		v.call(kind, value)
	case "function_call_output", "custom_tool_call_output":
		v.result(i, value)
	case "additional_tools":
		v.tools(field(value, "tools"))
	case "configuration_update", "mcp_list_tools", "tool_search_call", "tool_search_output", "web_search_call":
		v.extra("input[]."+kind, value)
	default:
		v.extra("input[].type", appendString(nil, kind))
	}
}

func (v *responsesViewer) reference(value []byte) {
	v.elsewhere = true
	v.extra("input[].item_reference", value)
}

func (v *responsesViewer) message(i int, value []byte) {
	var role string
	var parts []starling.Part
	for m := enter(value); m.next(); {
		if m.null() {
			continue
		}
		switch name := m.name(); name {
		case "type", "id", "status":
		case "role":
			role = v.string(at("input", i, ".role"), m.value)
		case "content":
			parts = v.content(at("input", i, ".content"), m.value)
		default:
			v.extra("input[]."+name, m.value)
		}
	}
	v.say(role, parts)
}

// say puts parts where their role belongs. What the assistant says, thinks and
// calls until it is answered is one turn, in several items.
func (v *responsesViewer) say(role string, parts []starling.Part) {
	c := &v.chat
	last := len(c.Messages) - 1
	switch role {
	case "system", "developer":
		if last < 0 {
			c.System = append(c.System, parts...)
			return
		}
		c.Messages = append(c.Messages, starling.Message{Role: starling.System, Parts: parts})
		return
	case "assistant":
		if last >= 0 && c.Messages[last].Role == starling.Assistant {
			c.Messages[last].Parts = append(c.Messages[last].Parts, parts...)
			return
		}
		c.Messages = append(c.Messages, starling.Message{Role: starling.Assistant, Parts: parts})
		return
	case "user":
	default:
		v.extra("input[].role", appendString(nil, role))
	}
	c.Messages = append(c.Messages, starling.Message{Role: starling.User, Parts: parts})
}

// content reads a string or an array of parts.
func (v *responsesViewer) content(path string, value []byte) (parts []starling.Part) {
	if kindOf(value) == '"' {
		return []starling.Part{{Kind: starling.TextPart, Text: text(value)}}
	}
	for m := v.parts(path, value); m.next(); {
		if p, ok := v.part(m.value); ok {
			parts = append(parts, p)
		}
	}
	return parts
}

func (v *responsesViewer) part(value []byte) (p starling.Part, ok bool) {
	const path = "input[].content[]."
	own := "text"
	switch kind := text(field(value, "type")); kind {
	case "input_text", "output_text", "text":
		p = starling.Part{Kind: starling.TextPart, Text: text(field(value, own))}
	case "refusal":
		own, p = kind, starling.Part{Kind: starling.RefusalPart, Text: text(field(value, kind))}
	case "input_image":
		own = "image_url"
		img := openAIImage(field(value, own))
		if d := text(field(value, "detail")); d != "" && d != "auto" { // which goes without saying
			img.Detail = d
		}
		p = starling.Part{Kind: starling.ImagePart, Image: img}
	default:
		v.extra(path+"type", appendString(nil, kind))
		return p, false
	}
	for m := enter(value); m.next(); {
		switch name := m.name(); {
		case name == "type" || name == own || name == "detail" && p.Image != nil:
		default:
			v.extra(path+name, m.value)
		}
	}
	return p, true
}

// thought reads reasoning. Its encrypted content ties it to its model.
func (v *responsesViewer) thought(i int, value []byte) {
	p := starling.Part{Kind: starling.ReasoningPart, Signature: text(field(value, "encrypted_content"))}
	for _, name := range [...]string{"content", "summary"} {
		if kindOf(field(value, name)) == '[' && p.Text == "" {
			p.Text = Text(field(value, name))
		}
	}
	v.unsaid(value, "encrypted_content", "content", "summary")
	if p.Text+p.Signature != "" {
		v.say("assistant", []starling.Part{p})
	}
}

func (v *responsesViewer) call(kind string, value []byte) {
	c := &starling.ToolCall{
		ID:        text(field(value, "call_id")),
		Name:      flatName(text(field(value, "namespace")), text(field(value, "name"))),
		Arguments: callText(field(value, "arguments")),
	}
	if kind == "custom_tool_call" {
		c.Arguments = customArguments(text(field(value, "input")))
	}
	v.unsaid(value, "call_id", "namespace", "name", "arguments", "input")
	v.say("assistant", []starling.Part{{Kind: starling.CallPart, Call: c}})
}

func (v *responsesViewer) result(i int, value []byte) {
	r := &starling.ToolResult{ID: text(field(value, "call_id"))}
	if r.ID == "" {
		v.extra("input[].call_id", []byte(`""`))
	}
	if output := field(value, "output"); output != nil {
		r.Parts = v.content(at("input", i, ".output"), output)
	}
	v.unsaid(value, "call_id", "namespace", "name", "output")
	v.say("user", []starling.Part{{Kind: starling.ResultPart, Result: r}})
}

// unsaid keeps the fields of an item that were not read. Its id and its status say
// nothing to anybody else.
func (v *responsesViewer) unsaid(item []byte, read ...string) {
next:
	for m := enter(item); m.next(); {
		for _, name := range read {
			if m.is(name) {
				continue next
			}
		}
		if name := m.name(); name != "type" && name != "id" && name != "status" {
			v.extra("input[]."+name, m.value)
		}
	}
}
