package wire

import (
	"strings"

	"starling"
)

func (responses) request(o *outgoing) []byte {
	w := &responsesRequest{outgoing: o, pen: &o.pen, shared: openAIRequest{outgoing: o, pen: &o.pen}}
	c, p := o.chat, w.pen
	p.open('{')
	p.pairs("model", o.model.Name)
	w.input()
	w.tools()
	w.sampling()
	w.format()
	w.effort()
	w.shared.endUser()
	p.key("store") // whoever asks sends all of it again
	p.bool(false)
	if c.Parallel != nil && len(c.Tools) > 0 {
		p.key("parallel_tool_calls")
		p.bool(*c.Parallel)
	}
	if o.stream {
		p.key("stream")
		p.bool(true)
	}
	p.shut('}')
	return p.b
}

// responsesRequest writes a question. What both of OpenAI's dialects say alike is
// shared.
type responsesRequest struct {
	*outgoing
	pen    *pen
	shared openAIRequest
}

// input writes the system prompt and all turns. A prompt in one piece has a field
// of its own.
func (w *responsesRequest) input() {
	p, system := w.pen, w.instructions()
	if len(system) == 1 && system[0].Kind == starling.TextPart {
		p.pairs("instructions", system[0].Text)
		system = nil
	}
	p.key("input")
	p.open('[')
	if len(system) > 0 {
		w.message("system", system)
	}
	for i := range w.chat.Messages {
		switch m := &w.chat.Messages[i]; m.Role {
		case starling.Assistant:
			w.assistant(m.Parts)
		case starling.System:
			w.message("system", m.Parts)
		default:
			w.user(m.Parts)
		}
	}
	p.shut(']')
}

// message writes what others than the assistant say.
func (w *responsesRequest) message(role string, parts []starling.Part) {
	p := w.pen
	p.open('{')
	p.pairs("type", "message", "role", role)
	p.key("content")
	w.content(parts)
	p.shut('}')
}

func (w *responsesRequest) content(parts []starling.Part) {
	w.pen.open('[')
	for i := range parts {
		w.part(&parts[i])
	}
	w.pen.shut(']')
}

func (w *responsesRequest) part(part *starling.Part) {
	p := w.pen
	p.open('{')
	if part.Kind == starling.ImagePart {
		detail := part.Image.Detail
		if detail == "" {
			detail = "auto" // required here
		}
		p.pairs("type", "input_image", "image_url", address(part.Image), "detail", detail)
	} else {
		p.pairs("type", "input_text", "text", part.Text)
	}
	p.shut('}')
}

// user writes a turn of the user. The results of tools are items of their own and
// come first, as they must follow the calls.
func (w *responsesRequest) user(parts []starling.Part) {
	var said []starling.Part
	results := 0
	for i := range parts {
		switch part := parts[i]; part.Kind {
		case starling.ResultPart:
			results++
			w.result(part.Result)
		case starling.ReasoningPart:
			w.thinking(part)
		case starling.CallPart:
			w.refuse("messages[].content[].type", "the user cannot call tools")
		default:
			said = append(said, part)
		}
	}
	if len(said) > 0 || results == 0 {
		w.message("user", said)
	}
}

// result writes a tool's answer: a string where it is in one piece.
func (w *responsesRequest) result(r *starling.ToolResult) {
	if r.Error {
		w.leave("messages[].content[].is_error")
	}
	p := w.pen
	p.open('{')
	p.pairs("type", "function_call_output", "call_id", shortID(r.ID))
	p.key("output")
	switch {
	case len(r.Parts) == 0:
		p.string("")
	case len(r.Parts) == 1 && r.Parts[0].Kind == starling.TextPart:
		p.string(r.Parts[0].Text)
	default:
		w.content(r.Parts)
	}
	p.shut('}')
}

// assistant writes a turn of the assistant, an item for each thing that it says or
// calls.
func (w *responsesRequest) assistant(parts []starling.Part) {
	p := w.pen
	for _, part := range parts {
		switch part.Kind {
		case starling.ReasoningPart:
			w.thinking(part)
		case starling.ImagePart:
			w.refuse("messages[].content[].image", "the assistant cannot show images in the upstream's dialect")
		case starling.CallPart:
			p.open('{')
			p.pairs("type", "function_call", "call_id", shortID(part.Call.ID), "name", part.Call.Name, "arguments", part.Call.Arguments)
			p.shut('}')
		default:
			if part.Kind == starling.RefusalPart {
				w.leave("messages[].refusal: sent as text")
			}
			p.open('{')
			p.pairs("type", "message", "role", "assistant", "content", part.Text)
			p.shut('}')
		}
	}
}

func (w *responsesRequest) tools() {
	c, p := w.chat, w.pen
	if len(c.Tools) == 0 {
		w.choiceWithoutTools()
		return
	}
	p.key("tools")
	p.open('[')
	for i := range c.Tools {
		w.tool(&c.Tools[i])
	}
	p.shut(']')
	switch mode := c.ToolChoice.Mode; mode {
	case "":
	case "tool":
		p.key("tool_choice")
		p.open('{')
		p.pairs("type", "function", "name", c.ToolChoice.Name)
		p.shut('}')
	default:
		p.pairs("tool_choice", mode)
	}
}

// tool writes a function. Here one is strict unless it says that it is not.
func (w *responsesRequest) tool(t *starling.Tool) {
	p := w.pen
	p.open('{')
	p.pairs("type", "function", "name", t.Name)
	if t.Description != "" {
		p.pairs("description", t.Description)
	}
	p.key("parameters")
	if t.Schema == nil {
		p.raw([]byte(`{"type":"object","properties":{}}`))
	} else {
		p.raw(t.Schema)
	}
	p.key("strict")
	p.bool(t.Strict != nil && *t.Strict)
	p.shut('}')
}

func (w *responsesRequest) sampling() {
	c, p := w.chat, w.pen
	if c.MaxTokens > 0 {
		p.key("max_output_tokens")
		p.int(c.MaxTokens)
	}
	w.numbers(digits{"temperature", c.Temperature}, digits{"top_p", c.TopP})
	if c.TopK != "" {
		w.leave("top_k")
	}
	if c.Seed != "" {
		w.leave("seed")
	}
	if c.Logprobs {
		p.key("include")
		p.raw([]byte(`["` + includedProbs + `"]`))
		w.mostLikely("top_logprobs")
	}
	if len(c.Stop) > 0 {
		w.refuse("stop", "the upstream's dialect has no stop sequences")
	}
}

func (w *responsesRequest) format() {
	f, p := w.chat.Format, w.pen
	if f == nil {
		return
	}
	p.key("text")
	p.open('{')
	p.key("format")
	p.open('{')
	p.pairs("type", f.Kind)
	if f.Kind == "json_schema" {
		name := f.Name
		if name == "" {
			name = "answer" // required here
		}
		p.pairs("name", name)
		p.key("schema")
		p.raw(f.Schema)
		p.key("strict")
		p.bool(f.Strict == nil || *f.Strict)
	}
	p.shut('}')
	p.shut('}')
}

// effort says how hard to think, by the rules of OpenAI's other dialect.
func (w *responsesRequest) effort() {
	if level := w.level(); level != "" {
		w.pen.key("reasoning")
		w.pen.open('{')
		w.pen.pairs("effort", level)
		w.pen.shut('}')
	}
}

// instructions are what the caller's system prompt says to a model. A block with
// which one client accounts to Anthropic is no part of it.
func (o *outgoing) instructions() []starling.Part {
	parts := o.chat.System
	if len(parts) == 0 || !strings.HasPrefix(parts[0].Text, billingHeader) {
		return parts
	}
	o.leave("system: " + strings.TrimSuffix(billingHeader, ":"))
	first := parts[0]
	_, first.Text, _ = strings.Cut(first.Text, "\n")
	if first.Text == "" {
		return parts[1:]
	}
	return append([]starling.Part{first}, parts[1:]...)
}
