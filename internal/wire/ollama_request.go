package wire

import (
	"strings"

	"starling"
)

// request writes a question so that nothing of it is cut in silence. Ollama reads
// no more than options.num_ctx tokens, and drops the oldest turns beyond: it is told
// not to, and the window that the model is known to have.
func (ollama) request(o *outgoing) []byte {
	w := &ollamaRequest{outgoing: o, pen: &o.pen}
	c, p := o.chat, w.pen
	p.open('{')
	p.pairs("model", o.model.Name)
	p.key("messages")
	p.open('[')
	if parts := o.instructions(); len(parts) > 0 {
		w.said("system", parts)
	}
	for i := range c.Messages {
		w.message(&c.Messages[i])
	}
	p.shut(']')
	w.tools()
	w.format()
	w.think()
	w.options()
	w.probs("logprobs", "top_logprobs")
	if c.User != "" {
		w.leave("user")
	}
	p.key("stream")
	p.bool(o.stream)
	p.key("truncate")
	p.bool(false)
	p.key("shift")
	p.bool(false)
	p.shut('}')
	return p.b
}

type ollamaRequest struct {
	*outgoing
	pen   *pen
	names map[string]string // of the tools called so far, by the calls' ids
}

func (w *ollamaRequest) message(m *starling.Message) {
	switch m.Role {
	case starling.Assistant:
		w.assistant(m.Parts)
	case starling.System:
		w.said("system", m.Parts)
	default:
		w.fromUser(m.Parts, w.result, func(rest []starling.Part) { w.said("user", rest) })
	}
}

// said writes text and images. A message has one text here, and its images beside
// it: where they alternate, each text is told with the images next to it.
func (w *ollamaRequest) said(role string, parts []starling.Part) {
	for more := true; more; more = len(parts) > 0 {
		n := together(parts)
		w.pen.open('{')
		w.pen.pairs("role", role, "content", joined(parts[:n]))
		w.images(parts[:n])
		w.pen.shut('}')
		parts = parts[n:]
	}
}

// together returns how many parts fit into one message: texts with images before or
// after them.
func together(parts []starling.Part) int {
	turns := 0
	for i := 1; i < len(parts); i++ {
		if (parts[i].Kind == starling.ImagePart) != (parts[i-1].Kind == starling.ImagePart) {
			turns++
		}
		if turns == 2 {
			return i
		}
	}
	return len(parts)
}

// joined puts texts together as Ollama does with messages of one role.
func joined(parts []starling.Part) string {
	var all []string
	for _, part := range parts {
		if part.Kind != starling.ImagePart {
			all = append(all, part.Text)
		}
	}
	return strings.Join(all, "\n\n")
}

func (w *ollamaRequest) images(parts []starling.Part) {
	begun := false
	for _, part := range parts {
		if part.Kind != starling.ImagePart {
			continue
		}
		if !begun {
			begun = true
			w.pen.key("images")
			w.pen.open('[')
		}
		if part.Image.URL != "" {
			w.refuse("messages[].content[].image", "must be base64: the upstream fetches no images")
		}
		if d := part.Image.Detail; d != "" && d != "auto" {
			w.leave("messages[].content[].image_url.detail")
		}
		w.pen.string(part.Image.Data)
	}
	if begun {
		w.pen.shut(']')
	}
}

// result writes a tool's answer and returns its images.
func (w *ollamaRequest) result(r *starling.ToolResult) (images []starling.Part) {
	for _, part := range r.Parts {
		if part.Kind == starling.ImagePart {
			images = append(images, part)
		}
	}
	if r.Error {
		w.leave("messages[].content[].is_error")
	}
	if len(images) > 0 {
		w.leave("messages[].content[].content[].image: sent in the user message that follows")
	}
	p := w.pen
	p.open('{')
	p.pairs("role", "tool", "content", joined(r.Parts))
	if name := w.names[r.ID]; name != "" {
		p.pairs("tool_name", name)
	}
	p.pairs("tool_call_id", r.ID)
	p.shut('}')
	return images
}

// assistant writes a turn of the model. Thoughts that nobody signed go back before
// calls: models that think between them want to see them again.
func (w *ollamaRequest) assistant(parts []starling.Part) {
	var said []starling.Part
	var calls []*starling.ToolCall
	var thoughts strings.Builder
	called := false
	for i := range parts {
		called = called || parts[i].Kind == starling.CallPart
	}
	for _, part := range parts {
		switch part.Kind {
		case starling.CallPart:
			calls = append(calls, part.Call)
		case starling.ReasoningPart:
			if called && (part.Signature == ourMark || part.Signature == "") {
				thoughts.WriteString(part.Text)
			} else {
				w.thinking(part)
			}
		case starling.ImagePart:
			w.refuse("messages[].content[].image", "the assistant cannot show images in the upstream's dialect")
		case starling.RefusalPart:
			w.leave("messages[].refusal: sent as text")
			said = append(said, part)
		default:
			said = append(said, part)
		}
	}
	p := w.pen
	p.open('{')
	p.pairs("role", "assistant", "content", joined(said))
	if thoughts.Len() > 0 {
		p.pairs("thinking", thoughts.String())
	}
	w.calls(calls)
	p.shut('}')
}

func (w *ollamaRequest) calls(calls []*starling.ToolCall) {
	if len(calls) == 0 {
		return
	}
	if w.names == nil {
		w.names = map[string]string{}
	}
	p := w.pen
	p.key("tool_calls")
	p.open('[')
	for _, c := range calls {
		w.names[c.ID] = c.Name
		arguments, ok := argumentObject(c.Arguments)
		if !ok {
			w.refuse("messages[].tool_calls[].function.arguments", "must be a JSON object for the upstream's dialect")
		}
		p.open('{')
		p.pairs("id", c.ID)
		p.key("function")
		p.open('{')
		p.pairs("name", c.Name)
		p.key("arguments")
		p.raw(arguments)
		p.shut('}')
		p.shut('}')
	}
	p.shut(']')
}

// tools writes the tools. Ollama knows no choice among them: what demands one is
// refused, and if none may be called, none is offered.
func (w *ollamaRequest) tools() {
	c, p := w.chat, w.pen
	if len(c.Tools) == 0 {
		w.choiceWithoutTools()
		return
	}
	switch c.ToolChoice.Mode {
	case "required", "tool":
		w.refuse("tool_choice", "the upstream cannot be made to call a tool")
	case "none":
		w.leave("tools: not offered, as none may be called")
		return
	}
	if c.Parallel != nil && !*c.Parallel {
		w.leave("parallel_tool_calls")
	}
	p.key("tools")
	p.open('[')
	for _, t := range c.Tools {
		if t.Strict != nil && *t.Strict {
			w.leave("tools[].function.strict")
		}
		p.open('{')
		p.pairs("type", "function")
		p.key("function")
		p.open('{')
		p.pairs("name", t.Name)
		if t.Description != "" {
			p.pairs("description", t.Description)
		}
		p.key("parameters")
		p.raw(inputSchema(t.Schema))
		p.shut('}')
		p.shut('}')
	}
	p.shut(']')
}

func (w *ollamaRequest) format() {
	f, p := w.chat.Format, w.pen
	if f == nil {
		return
	}
	if f.Name != "" {
		w.leave("response_format.json_schema.name")
	}
	if f.Strict != nil && !*f.Strict {
		w.leave("response_format.json_schema.strict: the upstream always keeps to the schema")
	}
	if f.Kind == "json_schema" && len(f.Schema) > 0 {
		p.key("format")
		p.raw(f.Schema)
		return
	}
	p.pairs("format", "json")
}

// think says how hard to think. Only gpt-oss knows levels; other models that can
// think do so unless told not to, and those that cannot refuse to be told to.
//
// Source: ChatHandler of Ollama v0.17.4.
func (w *ollamaRequest) think() {
	c, level := w.chat, ""
	switch {
	case c.Effort == "none":
		w.pen.key("think")
		w.pen.bool(false)
		return
	case c.Effort != "":
		level = ollamaLevels[c.Effort]
		if c.ThinkTokens > 0 {
			w.leave("thinking.budget_tokens")
		}
	case c.ThinkTokens > 0:
		level = effortOf(c.ThinkTokens)
	default:
		return
	}
	if level == "" || !strings.Contains(w.model.Name, "gpt-oss") {
		w.leave("reasoning_effort: the upstream's model thinks as much as it does")
		return
	}
	if level != c.Effort {
		w.leavef("reasoning_effort: sent as %s", level)
	}
	w.pen.pairs("think", level)
}

// ollamaLevels is the table of efforts.
var ollamaLevels = map[string]string{"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}

// options says how to choose tokens, and how large the window is. The window is the
// model's own and the same in every question: Ollama loads a model anew for another.
func (w *ollamaRequest) options() {
	c, p := w.chat, w.pen
	if c.MaxTokens == 0 && c.Temperature == "" && c.TopP == "" && c.TopK == "" && c.Seed == "" && len(c.Stop) == 0 && w.model.Context == 0 {
		return
	}
	p.key("options")
	p.open('{')
	if w.model.Context > 0 {
		p.ints(tally{"num_ctx", w.model.Context})
	}
	if c.MaxTokens > 0 {
		p.ints(tally{"num_predict", c.MaxTokens})
	}
	w.numbers(digits{"temperature", c.Temperature}, digits{"top_p", c.TopP}, digits{"top_k", c.TopK}, digits{"seed", c.Seed})
	if len(c.Stop) > 0 {
		p.key("stop")
		p.open('[')
		for _, s := range c.Stop {
			p.string(s)
		}
		p.shut(']')
	}
	p.shut('}')
}
