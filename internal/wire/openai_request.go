package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"starling"
)

// billingHeader starts a system block with which one client accounts to
// Anthropic; it is no instruction, and differs between conversations.
const billingHeader = "x-anthropic-billing-header:"

func (openAI) request(o *outgoing) []byte {
	w := &openAIRequest{outgoing: o, pen: &o.pen}
	c, p := o.chat, w.pen
	p.open('{')
	p.pairs("model", o.model.Name)
	p.key("messages")
	p.open('[')
	w.system()
	for i := range c.Messages {
		w.message(&c.Messages[i])
	}
	p.shut(']')
	w.tools()
	w.sampling()
	w.format()
	w.effort()
	w.endUser()
	if o.stream {
		p.key("stream")
		p.bool(true)
		p.key("stream_options")
		p.raw([]byte(`{"include_usage":true}`))
	}
	p.shut('}')
	return p.b
}

type openAIRequest struct {
	*outgoing
	pen *pen
}

func (w *openAIRequest) system() {
	if parts := w.instructions(); len(parts) > 0 {
		w.plain("system", parts)
	}
}

// longestUser is the longest name of an end user that OpenAI takes.
const longestUser = 64

// endUser names the caller's end user; one with a longer name, by its hash.
func (w *openAIRequest) endUser() {
	user := w.chat.User
	if len(user) > longestUser {
		w.leave("metadata.user_id: too long here, sent as its SHA-256")
		sum := sha256.Sum256([]byte(user))
		user = hex.EncodeToString(sum[:])
	}
	if user != "" {
		w.pen.pairs("user", user)
	}
}

// plain writes a message of text and images.
func (w *openAIRequest) plain(role string, parts []starling.Part) {
	w.pen.open('{')
	w.pen.pairs("role", role)
	w.content(parts)
	w.pen.shut('}')
}

// content writes text as a string where it is in one piece, and parts otherwise.
func (w *openAIRequest) content(parts []starling.Part) {
	p := w.pen
	p.key("content")
	switch {
	case len(parts) == 0:
		p.string("")
		return
	case len(parts) == 1 && parts[0].Kind == starling.TextPart:
		p.string(parts[0].Text)
		return
	}
	p.open('[')
	for i := range parts {
		w.part(&parts[i])
	}
	p.shut(']')
}

func (w *openAIRequest) part(part *starling.Part) {
	p := w.pen
	p.open('{')
	switch part.Kind {
	case starling.RefusalPart:
		p.pairs("type", "refusal", "refusal", part.Text)
	case starling.ImagePart:
		p.pairs("type", "image_url")
		p.key("image_url")
		p.open('{')
		p.pairs("url", address(part.Image))
		if part.Image.Detail != "" {
			p.pairs("detail", part.Image.Detail)
		}
		p.shut('}')
	default:
		p.pairs("type", "text", "text", part.Text)
	}
	p.shut('}')
}

// address is the inverse of image.
func address(img *starling.Image) string {
	if img.URL != "" {
		return img.URL
	}
	return "data:" + img.MediaType + ";base64," + img.Data
}

func (w *openAIRequest) message(m *starling.Message) {
	switch m.Role {
	case starling.Assistant:
		w.assistant(m.Parts)
	case starling.System:
		w.plain("system", m.Parts)
	default:
		w.fromUser(m.Parts, w.result, func(rest []starling.Part) { w.plain("user", rest) })
	}
}

// result writes a tool's answer and returns its images.
func (w *openAIRequest) result(r *starling.ToolResult) (images []starling.Part) {
	var said []starling.Part
	for _, part := range r.Parts {
		if part.Kind == starling.ImagePart {
			images = append(images, part)
		} else {
			said = append(said, part)
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
	p.pairs("role", "tool", "tool_call_id", shortID(r.ID))
	w.content(said)
	p.shut('}')
	return images
}

func (w *openAIRequest) assistant(parts []starling.Part) {
	var said, thoughts []starling.Part
	var calls []*starling.ToolCall
	for _, part := range parts {
		switch part.Kind {
		case starling.CallPart:
			calls = append(calls, part.Call)
		case starling.ReasoningPart:
			thoughts = append(thoughts, part)
		case starling.ImagePart:
			w.refuse("messages[].content[].image", "the assistant cannot show images in the upstream's dialect")
		case starling.RefusalPart:
			said = append(said, w.refusal(part))
		default:
			said = append(said, part)
		}
	}
	p := w.pen
	p.open('{')
	p.pairs("role", "assistant")
	if len(said) == 0 && len(calls) > 0 {
		p.key("content")
		p.raw(nil)
	} else {
		w.content(said)
	}
	w.thoughts(thoughts, len(calls) > 0)
	w.calls(calls)
	p.shut('}')
}

// refusal is a refusal as such for OpenAI's own models, and text for all others:
// most servers know no other part of what an assistant said.
func (w *openAIRequest) refusal(part starling.Part) starling.Part {
	if !isOpenAIs(w.model.Name) {
		w.leave("messages[].refusal: sent as text")
		part.Kind = starling.TextPart
	}
	return part
}

// thoughts gives back what a model of this dialect thought before it called
// tools, as our mark shows: some refuse the results of a call without. OpenAI's
// own keep their thoughts to themselves.
func (w *openAIRequest) thoughts(parts []starling.Part, called bool) {
	var own strings.Builder
	for _, part := range parts {
		if called && part.Signature == ourMark && !isOpenAIs(w.model.Name) {
			own.WriteString(part.Text)
		} else {
			w.thinking(part)
		}
	}
	if own.Len() > 0 {
		w.pen.pairs(openAIFields[starling.ReasoningPart], own.String())
	}
}

// thinking is left out: another model's thoughts are not this one's, and its
// signature even less.
func (o *outgoing) thinking(part starling.Part) {
	if part.Text != "" {
		o.leave("thinking")
	}
	if part.Signature != "" {
		o.leave("thinking signature")
	}
}

func (w *openAIRequest) calls(calls []*starling.ToolCall) {
	if len(calls) == 0 {
		return
	}
	p := w.pen
	p.key("tool_calls")
	p.open('[')
	for _, c := range calls {
		p.open('{')
		p.pairs("id", shortID(c.ID), "type", "function")
		p.key("function")
		p.open('{')
		p.pairs("name", c.Name, "arguments", c.Arguments)
		p.shut('}')
		p.shut('}')
	}
	p.shut(']')
}

func (w *openAIRequest) tools() {
	c, p := w.chat, w.pen
	if len(c.Tools) == 0 {
		w.choiceWithoutTools()
		return
	}
	p.key("tools")
	p.open('[')
	for _, t := range c.Tools {
		w.tool(t)
	}
	p.shut(']')
	switch mode := c.ToolChoice.Mode; mode {
	case "":
	case "tool":
		p.key("tool_choice")
		p.open('{')
		p.pairs("type", "function")
		p.key("function")
		p.open('{')
		p.pairs("name", c.ToolChoice.Name)
		p.shut('}')
		p.shut('}')
	default:
		p.pairs("tool_choice", mode)
	}
	if c.Parallel != nil {
		p.key("parallel_tool_calls")
		p.bool(*c.Parallel)
	}
}

// choiceWithoutTools: without tools there is nothing to choose among, and
// nothing to demand.
func (o *outgoing) choiceWithoutTools() {
	if mode := o.chat.ToolChoice.Mode; mode == "required" || mode == "tool" {
		o.refuse("tool_choice", "demands a tool, but there are none")
	}
}

func (w *openAIRequest) tool(t starling.Tool) {
	p := w.pen
	p.open('{')
	p.pairs("type", "function")
	p.key("function")
	p.open('{')
	p.pairs("name", t.Name)
	if t.Description != "" {
		p.pairs("description", t.Description)
	}
	if t.Schema != nil {
		p.key("parameters")
		p.raw(t.Schema)
	}
	if t.Strict != nil {
		p.key("strict")
		p.bool(*t.Strict)
	}
	p.shut('}')
	p.shut('}')
}

func (w *openAIRequest) sampling() {
	c, p := w.chat, w.pen
	if c.MaxTokens > 0 {
		p.key(limitField(w.model.Name))
		p.int(c.MaxTokens)
	}
	w.numbers(digits{"temperature", c.Temperature}, digits{"top_p", c.TopP}, digits{"seed", c.Seed})
	if c.TopK != "" {
		w.leave("top_k")
	}
	w.probs("logprobs", "top_logprobs")
	if len(c.Stop) > 0 {
		p.key("stop")
		p.open('[')
		for _, s := range c.Stop {
			p.string(s)
		}
		p.shut(']')
	}
}

// limitField names the field for the output limit. OpenAI's own models want the
// newer one, and its reasoning models refuse the older; most compatible servers
// know only the older, and one that is not known does not limit.
func limitField(model string) string {
	if isOpenAIs(model) {
		return "max_completion_tokens"
	}
	return "max_tokens"
}

// isOpenAIs reports whether a model is one of OpenAI's own that only OpenAI runs.
func isOpenAIs(model string) bool {
	own := strings.HasPrefix(model, "gpt-") && !strings.HasPrefix(model, "gpt-oss")
	reasoning := len(model) > 1 && model[0] == 'o' && model[1] >= '1' && model[1] <= '9'
	return own || reasoning || strings.HasPrefix(model, "chatgpt-")
}

func (w *openAIRequest) format() {
	f, p := w.chat.Format, w.pen
	if f == nil {
		return
	}
	kind := f.Kind
	if len(f.Schema) == 0 {
		kind = "json_object"
	}
	p.key("response_format")
	p.open('{')
	p.pairs("type", kind)
	if kind == "json_schema" {
		name := f.Name
		if name == "" {
			name = "answer" // required here
		}
		p.key("json_schema")
		p.open('{')
		p.pairs("name", name)
		p.key("schema")
		p.raw(f.Schema)
		p.key("strict")
		p.bool(f.Strict == nil && openAISubset.takes(f.Schema) || f.Strict != nil && *f.Strict)
		p.shut('}')
	}
	p.shut('}')
}

func (w *openAIRequest) effort() {
	if level := w.level(); level != "" {
		w.pen.pairs("reasoning_effort", level)
	}
}

// level says how hard to think, "" to say nothing. OpenAI has levels only; a budget
// becomes the level of the table, and not thinking is left to the model, since one
// that cannot think refuses the field. So do many local servers for any model.
func (o *outgoing) level() string {
	c := o.chat
	near := o.model.Zone == starling.Machine || o.model.Zone == starling.Office
	if c.Effort != "" && c.ThinkTokens > 0 {
		o.leave("thinking.budget_tokens")
	}
	switch {
	case c.Effort == "none":
		o.leave("thinking: disabled")
	case near && (c.Effort != "" || c.ThinkTokens > 0):
		o.leave("reasoning_effort: the upstream is local, and may not know it")
	case c.Effort != "":
		return c.Effort
	case c.ThinkTokens > 0:
		level := effortOf(c.ThinkTokens)
		o.leavef("thinking.budget_tokens: sent as reasoning_effort %s", level)
		return level
	}
	return ""
}

// effortOf is the table from a budget of reasoning tokens to a level.
func effortOf(budget int64) string {
	switch {
	case budget <= 4096:
		return "low"
	case budget <= 16384:
		return "medium"
	}
	return "high"
}
