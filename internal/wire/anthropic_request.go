package wire

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"starling"
)

// defaultLimit is the output limit for a caller who set none, to a model whose
// own is unknown: the dialect requires one.
const defaultLimit = 4096

func (anthropic) request(o *outgoing) []byte {
	w := &anthropicRequest{outgoing: o, pen: &o.pen}
	c, p := o.chat, w.pen
	p.open('{')
	p.pairs("model", o.model.Name)
	w.limit()
	w.system()
	p.key("messages")
	p.open('[')
	for i := 0; i < len(c.Messages); {
		i += w.message(c.Messages[i:])
	}
	p.shut(']')
	w.tools()
	w.sampling()
	w.output()
	if c.Logprobs {
		w.refuse("logprobs", "the upstream's dialect has no log-probabilities")
	}
	if c.User != "" {
		p.key("metadata")
		p.open('{')
		p.pairs("user_id", c.User)
		p.shut('}')
	}
	if o.stream {
		p.key("stream")
		p.bool(true)
	}
	p.shut('}')
	return p.b
}

type anthropicRequest struct {
	*outgoing
	pen *pen
}

func (w *anthropicRequest) limit() {
	n := w.chat.MaxTokens
	if n == 0 {
		if n = w.model.MaxOutput; n == 0 {
			n = defaultLimit
		}
		w.leavef("max_tokens: upstream needs a limit, %d used", n)
	}
	w.pen.key("max_tokens")
	w.pen.int(n)
}

// system gathers instructions from wherever they stand: here they have a place
// of their own.
func (w *anthropicRequest) system() {
	parts := slices.Clone(w.chat.System)
	for _, m := range w.chat.Messages {
		if m.Role == starling.System {
			w.leave("messages[].role: system, moved to the front")
			parts = append(parts, m.Parts...)
		}
	}
	parts = w.sayable(parts)
	if f := w.chat.Format; f != nil && !w.native(f) {
		w.leave("response_format: said in the instructions")
		parts = append(parts, starling.Part{Kind: starling.TextPart, Text: inWords(f)})
	}
	if len(parts) == 0 {
		return
	}
	w.pen.key("system")
	w.blocks(parts)
}

// message writes the first of the messages and reports how many it took: the
// results of one turn's calls belong into one message.
func (w *anthropicRequest) message(ms []starling.Message) (took int) {
	m := ms[0]
	if m.Role == starling.System {
		return 1
	}
	said, took := withResults(ms)
	parts := w.sayable(said)
	if len(parts) == 0 {
		w.leave("messages[]: one without content")
		return took
	}
	p := w.pen
	p.open('{')
	p.pairs("role", string(m.Role))
	p.key("content")
	w.blocks(parts)
	p.shut('}')
	return took
}

func onlyResults(m starling.Message) bool {
	for i := range m.Parts {
		if m.Parts[i].Kind != starling.ResultPart {
			return false
		}
	}
	return m.Role == starling.User && len(m.Parts) > 0
}

// sayable leaves out what the dialect refuses: text of nothing but space, and
// thoughts that it cannot verify.
func (w *anthropicRequest) sayable(parts []starling.Part) (rest []starling.Part) {
	for _, part := range parts {
		switch {
		case part.Kind == starling.ReasoningPart:
			w.thinking(part)
		case part.Kind == starling.RefusalPart:
			w.leave("messages[].refusal: sent as text")
			rest = append(rest, part)
		case part.Kind == starling.TextPart && strings.TrimSpace(part.Text) == "":
		default:
			rest = append(rest, part)
		}
	}
	return rest
}

func (w *anthropicRequest) blocks(parts []starling.Part) {
	w.pen.open('[')
	for i := range parts {
		w.pen.open('{')
		w.block(&parts[i])
		w.pen.shut('}')
	}
	w.pen.shut(']')
}

func (w *anthropicRequest) block(part *starling.Part) {
	p := w.pen
	switch part.Kind {
	case starling.ImagePart:
		w.image(part.Image)
	case starling.CallPart:
		p.pairs("type", "tool_use", "id", plainID(part.Call.ID), "name", part.Call.Name)
		p.key("input")
		p.raw(w.input(part.Call.Arguments))
	case starling.ResultPart:
		w.result(part.Result)
	default:
		p.pairs("type", "text", "text", part.Text)
	}
}

// input is a call's arguments as the object that they must be here.
func (w *anthropicRequest) input(arguments string) []byte {
	v, ok := argumentObject(arguments)
	if !ok {
		w.refuse("messages[].tool_calls[].function.arguments", "must be a JSON object for the upstream's dialect")
	}
	return v
}

// argumentObject returns a call's arguments as JSON. None at all are an empty
// object, as a call without arguments is often written.
func argumentObject(arguments string) (v []byte, ok bool) {
	v = []byte(strings.TrimSpace(arguments))
	if len(v) == 0 {
		return []byte("{}"), true
	}
	if v[0] != '{' || !valid(v) {
		return []byte("{}"), false
	}
	return v, true
}

func (w *anthropicRequest) image(img *starling.Image) {
	p := w.pen
	if img.Detail != "" && img.Detail != "auto" {
		w.leave("messages[].content[].image_url.detail")
	}
	p.pairs("type", "image")
	p.key("source")
	p.open('{')
	if img.URL == "" {
		p.pairs("type", "base64", "media_type", mediaType(img.MediaType), "data", img.Data)
	} else {
		p.pairs("type", "url", "url", img.URL)
	}
	p.shut('}')
	if strings.HasPrefix(img.URL, "data:") {
		w.refuse("messages[].content[].image_url", "a data URL must be base64 for the upstream's dialect")
	}
}

// mediaType is the proper name of a type that many call otherwise.
func mediaType(name string) string {
	if name == "image/jpg" {
		return "image/jpeg"
	}
	return name
}

func (w *anthropicRequest) result(r *starling.ToolResult) {
	p := w.pen
	p.pairs("type", "tool_result", "tool_use_id", plainID(r.ID))
	if parts := w.sayable(r.Parts); len(parts) > 0 {
		p.key("content")
		w.blocks(parts)
	}
	if r.Error {
		p.key("is_error")
		p.bool(true)
	}
}

// plainID returns id if it is made of letters, digits, '_' and '-', as the
// dialect demands of a call's id. Any other is rewritten, always in the same
// way, so that call and result still find each other.
func plainID(id string) string {
	plain := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || ('0' <= r && r <= '9') || ('a' <= r && r <= 'z') || ('A' <= r && r <= 'Z') {
			return r
		}
		return '_'
	}, id)
	if plain == id && id != "" {
		return shortID(id)
	}
	return hashedID(plain, id)
}

// longestID is the longest id of a call that OpenAI takes.
const longestID = 40

// shortID returns an id that every upstream takes: a longer one is cut, always in
// the same way, so that call and result still find each other.
func shortID(id string) string {
	if len(id) <= longestID {
		return id
	}
	return hashedID(id, id)
}

// hashedID is the beginning of a name with the hash of the id it stands for.
func hashedID(name, id string) string {
	h := fnv.New64a()
	h.Write([]byte(id)) // never fails
	const hash = 1 + 16
	if most := longestID - hash; len(name) > most {
		name = strings.ToValidUTF8(name[:most], "")
	}
	return fmt.Sprintf("%s_%016x", name, h.Sum64())
}

// ownID is the id of a call that came without: the n-th of the named answer. The
// client sends it back, so it is unique in the conversation.
func ownID(kind, answer string, n int) string {
	return fmt.Sprintf("%s_%s_%d", kind, answer[max(0, len(answer)-24):], n)
}

func (w *anthropicRequest) tools() {
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
	w.toolChoice()
}

func (w *anthropicRequest) tool(t starling.Tool) {
	p := w.pen
	p.open('{')
	p.pairs("name", t.Name)
	if t.Description != "" {
		p.pairs("description", t.Description)
	}
	p.key("input_schema")
	p.raw(inputSchema(t.Schema))
	if t.Strict != nil {
		p.key("strict")
		p.bool(*t.Strict)
	}
	p.shut('}')
}

// inputSchema is a tool's schema with the type that is required here, and that no
// parameters, or some without a type, mean there.
func inputSchema(schema []byte) []byte {
	switch {
	case schema == nil || isEmpty(schema) && schema[0] == '{':
		return []byte(`{"type":"object"}`)
	case schema[0] != '{' || field(schema, "type") != nil:
		return schema
	}
	return edited(schema, edit{1, 1, `"type":"object",`})
}

func (w *anthropicRequest) toolChoice() {
	c, p := w.chat, w.pen
	mode := c.ToolChoice.Mode
	if mode == "" && c.Parallel == nil {
		return
	}
	types := map[string]string{"": "auto", "auto": "auto", "required": "any", "none": "none", "tool": "tool"}
	p.key("tool_choice")
	p.open('{')
	p.pairs("type", types[mode])
	if mode == "tool" {
		p.pairs("name", c.ToolChoice.Name)
	}
	if c.Parallel != nil && mode != "none" {
		p.key("disable_parallel_tool_use")
		p.bool(!*c.Parallel)
	}
	p.shut('}')
}

func (w *anthropicRequest) sampling() {
	c, p := w.chat, w.pen
	if c.Temperature != "" {
		if t, err := c.Temperature.Float64(); err != nil || t > 1 {
			w.refuse("temperature", "the upstream's dialect goes up to 1")
		}
	}
	w.numbers(digits{"temperature", c.Temperature}, digits{"top_p", c.TopP}, digits{"top_k", c.TopK})
	if c.Seed != "" {
		w.leave("seed")
	}
	if len(c.Stop) > 0 {
		p.key("stop_sequences")
		p.open('[')
		for _, s := range c.Stop {
			p.string(s)
		}
		p.shut(']')
	}
}

// output says how hard to think and in which shape to answer.
func (w *anthropicRequest) output() {
	c, p := w.chat, w.pen
	effort := w.effort()
	if effort != "" && w.mayThink() {
		p.key("thinking")
		p.raw([]byte(`{"type":"adaptive"}`))
	}
	if c.Effort == "none" {
		p.key("thinking")
		p.raw([]byte(`{"type":"disabled"}`))
	}
	w.budget()
	shaped := c.Format != nil && w.native(c.Format)
	if effort == "" && !shaped {
		return
	}
	p.key("output_config")
	p.open('{')
	if effort != "" {
		p.pairs("effort", effort)
	}
	if shaped {
		w.format()
	}
	p.shut('}')
}

// mayThink reports whether thoughts may come before the answer: the dialect
// refuses them beside a tool that is forced, and beside most sampling.
func (w *anthropicRequest) mayThink() bool {
	c := w.chat
	forced := c.ToolChoice.Mode == "required" || c.ToolChoice.Mode == "tool"
	warm := c.TopK != "" || c.Temperature != "" && float(c.Temperature) != 1 || c.TopP != "" && float(c.TopP) < 0.95
	if forced || warm {
		w.leave("reasoning_effort: sent without thinking, which goes with neither a forced tool nor sampling")
		return false
	}
	return true
}

func float(n json.Number) float64 {
	f, _ := n.Float64() // what is no number was refused
	return f
}

// effort is the table of efforts: the dialect's own levels, with "minimal" as
// the lowest of them, and a budget as the level of the table. A model from before there
// were levels is told nothing of an effort: a token budget would be a number that nobody
// asked for.
func (w *anthropicRequest) effort() string {
	effort, budget := w.chat.Effort, w.chat.ThinkTokens
	switch {
	case effort == "" && budget > 0 && hasEffort(w.model.Name):
		effort = effortOf(budget)
		w.leavef("thinking.budget_tokens: sent as effort %s", effort)
		return effort
	case effort == "" || effort == "none":
		return ""
	case !hasEffort(w.model.Name):
		w.leave("reasoning_effort")
		return ""
	case effort == "minimal":
		w.leave("reasoning_effort: minimal sent as low")
		return "low"
	}
	return effort
}

// hasEffort reports whether a model knows levels of effort. Those of the
// generations up to 4.5 do not; a name that is not known is taken to be newer.
func hasEffort(model string) bool {
	for _, old := range [...]string{"claude-2", "claude-3", "claude-instant", "opus-4-0", "opus-4-1", "opus-4-2", "opus-4-5", "sonnet-4-0", "sonnet-4-2", "sonnet-4-5", "haiku-4-5", "opus-4@", "sonnet-4@"} {
		if strings.Contains(model, old) {
			return false
		}
	}
	return true
}

// native reports whether the upstream itself sees to it that the answer has a shape:
// not without a schema, not where the model is too old, and not where the schema says
// what would be refused.
func (w *anthropicRequest) native(f *starling.Format) bool {
	return len(f.Schema) > 0 && hasFormat(w.model.Name) && anthropicSubset.takes(plainSchema(f.Schema))
}

func (w *anthropicRequest) format() {
	f, p := w.chat.Format, w.pen
	if f.Name != "" {
		w.leave("response_format.json_schema.name")
	}
	if f.Strict != nil && !*f.Strict {
		w.leave("response_format.json_schema.strict: the upstream always keeps to the schema")
	}
	p.key("format")
	p.open('{')
	p.pairs("type", "json_schema")
	p.key("schema")
	p.raw(plainSchema(f.Schema))
	p.shut('}')
}
