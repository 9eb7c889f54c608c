package wire

import (
	"slices"
	"strings"

	"starling"
)

func (gemini) request(o *outgoing) []byte {
	w := &geminiRequest{outgoing: o, pen: &o.pen, names: map[string]string{}}
	c, p := o.chat, w.pen
	p.open('{')
	p.key("contents")
	p.open('[')
	start := len(p.b)
	for i := 0; i < len(c.Messages); {
		i += w.message(c.Messages[i:])
	}
	if len(p.b) == start {
		w.refuse("messages", "have no content for the upstream's dialect")
	}
	p.shut(']')
	w.system()
	w.tools()
	w.generation()
	if c.User != "" {
		w.leave("user")
	}
	p.shut('}')
	return p.b
}

type geminiRequest struct {
	*outgoing
	pen   *pen
	names map[string]string // of functions, by the ids of their calls
}

// system gathers instructions from wherever they stand: here they have a place
// of their own.
func (w *geminiRequest) system() {
	parts := slices.Clone(w.instructions())
	for _, m := range w.chat.Messages {
		if m.Role == starling.System {
			w.leave("messages[].role: system, moved to the front")
			parts = append(parts, m.Parts...)
		}
	}
	if parts = w.sayable(parts); len(parts) == 0 {
		return
	}
	w.pen.key("systemInstruction")
	w.pen.open('{')
	w.parts(parts)
	w.pen.shut('}')
}

// message writes the first of the messages and reports how many it took: the
// results of one turn's calls belong into one content.
func (w *geminiRequest) message(ms []starling.Message) (took int) {
	m := ms[0]
	if m.Role == starling.System {
		return 1
	}
	said, took := withResults(ms)
	parts := w.sayable(w.unfolded(said))
	if len(parts) == 0 {
		w.leave("messages[]: one without content")
		return took
	}
	role := "user"
	if m.Role == starling.Assistant {
		role = "model"
	}
	w.pen.open('{')
	w.pen.pairs("role", role)
	w.parts(parts)
	w.pen.shut('}')
	return took
}

// unfolded puts the images of results behind all results: most models read a
// result's text only.
func (w *geminiRequest) unfolded(parts []starling.Part) (all []starling.Part) {
	var images []starling.Part
	last := 0
	for _, part := range parts {
		all = append(all, part)
		if part.Result == nil {
			continue
		}
		last = len(all)
		for _, inner := range part.Result.Parts {
			if inner.Kind == starling.ImagePart {
				w.leave("messages[].content[].content[].image: sent beside the result")
				images = append(images, inner)
			}
		}
	}
	return slices.Insert(all, last, images...)
}

// sayable leaves out what the dialect refuses: text without a character, and
// another model's thoughts.
func (w *geminiRequest) sayable(parts []starling.Part) (rest []starling.Part) {
	for _, part := range parts {
		switch {
		case part.Kind == starling.ReasoningPart:
			w.thinking(part)
		case part.Kind == starling.RefusalPart:
			w.leave("messages[].refusal: sent as text")
			rest = append(rest, part)
		case part.Kind == starling.TextPart && part.Text == "":
		default:
			rest = append(rest, part)
		}
	}
	return rest
}

func (w *geminiRequest) parts(parts []starling.Part) {
	p := w.pen
	p.key("parts")
	p.open('[')
	called := false
	for i := range parts {
		p.open('{')
		switch part := &parts[i]; part.Kind {
		case starling.ImagePart:
			w.image(part.Image)
		case starling.CallPart:
			w.call(part.Call, !called)
			called = true
		case starling.ResultPart:
			w.result(part.Result)
		default:
			p.pairs("text", part.Text)
		}
		p.shut('}')
	}
	p.shut(']')
}

func (w *geminiRequest) image(img *starling.Image) {
	p := w.pen
	if img.Detail != "" && img.Detail != "auto" {
		w.leave("messages[].content[].image_url.detail")
	}
	if img.URL == "" {
		p.key("inlineData")
		p.open('{')
		p.pairs("mimeType", mediaType(img.MediaType), "data", img.Data)
		p.shut('}')
		return
	}
	if strings.HasPrefix(img.URL, "data:") {
		w.refuse("messages[].content[].image_url", "a data URL must be base64 for the upstream's dialect")
	}
	p.key("fileData")
	p.open('{')
	p.pairs("fileUri", img.URL)
	if media := imageType(img.URL); media != "" {
		p.pairs("mimeType", media)
	}
	p.shut('}')
}

// call writes a call of the history. Nobody has the signature that the model may
// have given it (gemini_marks.go); a step has one, at its first call.
func (w *geminiRequest) call(c *starling.ToolCall, first bool) {
	p := w.pen
	args, ok := argumentObject(c.Arguments)
	if !ok {
		w.refuse("messages[].tool_calls[].function.arguments", "must be a JSON object for the upstream's dialect")
	}
	w.names[c.ID] = c.Name
	p.key("functionCall")
	p.open('{')
	if c.ID != "" {
		p.pairs("id", shortID(c.ID))
	}
	p.pairs("name", c.Name)
	p.key("args")
	p.raw(args)
	p.shut('}')
	if first && wantsSignatures(w.model.Name) {
		w.leave(leftSignatures)
		p.pairs("thoughtSignature", anySignature)
	}
}

// result writes a tool's answer, which is an object here, and names its function.
func (w *geminiRequest) result(r *starling.ToolResult) {
	p := w.pen
	name, known := w.names[r.ID]
	if !known {
		w.refuse("messages[].tool_call_id", "names no call of the messages before it, and the upstream's dialect wants the function's name")
	}
	var said strings.Builder
	for _, part := range r.Parts {
		if part.Kind != starling.ImagePart {
			said.WriteString(part.Text)
		}
	}
	p.key("functionResponse")
	p.open('{')
	if r.ID != "" {
		p.pairs("id", shortID(r.ID))
	}
	p.pairs("name", name)
	p.key("response")
	p.open('{')
	if r.Error {
		p.pairs("error", said.String())
	} else {
		p.pairs("output", said.String())
	}
	p.shut('}')
	p.shut('}')
}

func (w *geminiRequest) tools() {
	c, p := w.chat, w.pen
	if len(c.Tools) == 0 {
		w.choiceWithoutTools()
		return
	}
	p.key("tools")
	p.open('[')
	p.open('{')
	p.key("functionDeclarations")
	p.open('[')
	for _, t := range c.Tools {
		w.tool(t)
	}
	p.shut(']')
	p.shut('}')
	p.shut(']')
	w.toolChoice()
}

func (w *geminiRequest) tool(t starling.Tool) {
	p := w.pen
	p.open('{')
	p.pairs("name", t.Name)
	if t.Description != "" {
		p.pairs("description", t.Description)
	}
	if t.Schema != nil {
		p.key("parametersJsonSchema")
		p.raw(t.Schema)
	}
	if t.Strict != nil && *t.Strict {
		w.leave("tools[].strict")
	}
	p.shut('}')
}

func (w *geminiRequest) toolChoice() {
	c, p := w.chat, w.pen
	if c.Parallel != nil && !*c.Parallel {
		w.leave("parallel_tool_calls")
	}
	mode := map[string]string{"auto": "AUTO", "none": "NONE", "required": "ANY", "tool": "ANY"}[c.ToolChoice.Mode]
	if mode == "" {
		return
	}
	p.key("toolConfig")
	p.open('{')
	p.key("functionCallingConfig")
	p.open('{')
	p.pairs("mode", mode)
	if c.ToolChoice.Mode == "tool" {
		p.key("allowedFunctionNames")
		p.open('[')
		p.string(c.ToolChoice.Name)
		p.shut(']')
	}
	p.shut('}')
	p.shut('}')
}

// generation writes generationConfig, if there is anything to say in it.
func (w *geminiRequest) generation() {
	c, p := w.chat, w.pen
	start := len(p.b)
	p.key("generationConfig")
	p.open('{')
	empty := len(p.b)
	if c.MaxTokens > 0 {
		p.key("maxOutputTokens")
		p.int(c.MaxTokens)
	}
	w.numbers(digits{"temperature", c.Temperature}, digits{"topP", c.TopP}, digits{"topK", c.TopK}, digits{"seed", c.Seed})
	w.probs("responseLogprobs", "logprobs")
	if len(c.Stop) > 0 {
		p.key("stopSequences")
		p.open('[')
		for _, s := range c.Stop {
			p.string(s)
		}
		p.shut(']')
	}
	w.format()
	w.effort()
	if len(p.b) == empty {
		p.b = p.b[:start]
		return
	}
	p.shut('}')
}

func (w *geminiRequest) format() {
	f, p := w.chat.Format, w.pen
	if f == nil {
		return
	}
	if len(w.chat.Tools) > 0 && isOldGemini(w.model.Name) {
		w.refuse("response_format", "the upstream's model cannot be held to JSON while it has tools")
	}
	p.pairs("responseMimeType", "application/json")
	if f.Kind != "json_schema" {
		return
	}
	if f.Name != "" {
		w.leave("response_format.json_schema.name")
	}
	if f.Strict != nil && !*f.Strict {
		w.leave("response_format.json_schema.strict: the upstream always keeps to the schema")
	}
	if len(f.Schema) > 0 {
		p.key("responseJsonSchema")
		p.raw(f.Schema)
	}
}

// effort says how hard to think: as a level, or to the models before Gemini 3 as a
// budget. Thoughts are shown to who asks for thinking. Not thinking at all is
// something that only some models can.
func (w *geminiRequest) effort() {
	c, p := w.chat, w.pen
	if c.Effort == "" && c.ThinkTokens == 0 {
		return
	}
	if c.Effort != "" && c.ThinkTokens > 0 {
		w.leave("thinking.budget_tokens")
	}
	name, value := w.measure()
	if value == nil {
		w.leave("thinking: disabled")
		return
	}
	p.key("thinkingConfig")
	p.open('{')
	p.key(name)
	p.raw(value)
	if c.Effort != "none" {
		p.key("includeThoughts")
		p.bool(true)
	}
	p.shut('}')
}

// measure is how hard to think in the model's own measure; no value where it cannot
// be told.
func (w *geminiRequest) measure() (name string, value []byte) {
	c := w.chat
	if isOldGemini(w.model.Name) {
		return "thinkingBudget", w.budget()
	}
	effort := c.Effort
	if effort == "" {
		effort = effortOf(c.ThinkTokens)
		w.leavef("thinking.budget_tokens: sent as thinkingLevel %s", effort)
	}
	level, ok := geminiLevels[effort]
	if !ok {
		return "", nil
	}
	isPro := strings.Contains(w.model.Name, "-pro")
	if isPro && level == "minimal" {
		level = "low"
	}
	if level != effort {
		w.leavef("reasoning_effort: %s sent as %s", effort, level)
	}
	return "thinkingLevel", appendString(nil, level)
}

// geminiLevels is the table of efforts to the dialect's levels.
var geminiLevels = map[string]string{"none": "minimal", "minimal": "minimal", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}

// budget is the table of efforts to budgets, Google's own for its compatible API.
// Those of 2.5's generation called pro cannot be told not to think.
//
// Source: ai.google.dev/gemini-api/docs/openai, "Thinking".
func (w *geminiRequest) budget() []byte {
	c := w.chat
	switch c.Effort {
	case "":
		return appendInt(c.ThinkTokens)
	case "none":
		if strings.Contains(w.model.Name, "-pro") {
			return nil
		}
		return []byte("0")
	case "minimal", "low":
		return []byte("1024")
	case "medium":
		return []byte("8192")
	}
	return []byte("24576")
}

func appendInt(n int64) []byte {
	p := pen{}
	p.int(n)
	return p.b
}
