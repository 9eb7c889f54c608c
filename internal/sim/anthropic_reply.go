package sim

import (
	"encoding/json"
	"strconv"

	"starling"
)

type anthropicUsage struct {
	Input      int64 `json:"input_tokens"`
	CacheWrite int64 `json:"cache_creation_input_tokens"`
	CacheRead  int64 `json:"cache_read_input_tokens"`
	Creation   struct {
		Short int64 `json:"ephemeral_5m_input_tokens"`
		Long  int64 `json:"ephemeral_1h_input_tokens"`
	} `json:"cache_creation"`
	Output int64  `json:"output_tokens"`
	Tier   string `json:"service_tier"`
}

// anthropicUsageOf counts by Anthropic's convention: what was cached is outside
// the input.
func anthropicUsageOf(u starling.Usage) anthropicUsage {
	a := anthropicUsage{Input: u.Input, CacheWrite: u.CacheWrite + u.CacheWrite1h, CacheRead: u.CacheRead, Output: u.Output, Tier: "standard"}
	a.Creation.Short, a.Creation.Long = u.CacheWrite, u.CacheWrite1h
	return a
}

// An anthropicBlock is marshalled by its kind: text may be empty, but must be there.
type anthropicBlock struct {
	Type      string          `json:"type"`
	Text      *string         `json:"text,omitempty"`
	Thinking  *string         `json:"thinking,omitempty"`
	Signature *string         `json:"signature,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
}

type anthropicBody struct {
	ID           string           `json:"id"`
	Type         string           `json:"type"`
	Role         string           `json:"role"`
	Model        string           `json:"model"`
	Content      []anthropicBlock `json:"content"`
	StopReason   *string          `json:"stop_reason"`
	StopSequence *string          `json:"stop_sequence"`
	Usage        anthropicUsage   `json:"usage"`
	Simulated    bool             `json:"simulated"`
}

func (c *call) anthropicBody() anthropicBody {
	return anthropicBody{
		ID: c.id, Type: "message", Role: "assistant", Model: c.model.Name, Content: []anthropicBlock{},
		Usage: anthropicUsageOf(c.usage), Simulated: true,
	}
}

func (c *call) anthropicWhole() []byte {
	b, ans := c.anthropicBody(), c.answers[0]
	for _, part := range ans.blocks {
		b.Content = append(b.Content, c.anthropicBlock(part))
	}
	reason := anthropicStop(ans.finish)
	b.StopReason, b.StopSequence = &reason, orNull(ans.stop)
	return marshal(b)
}

func (c *call) anthropicBlock(b block) anthropicBlock {
	switch b.kind {
	case starling.ReasoningPart:
		s := signature(c.model.Name)
		return anthropicBlock{Type: "thinking", Thinking: &b.text, Signature: &s}
	case starling.CallPart:
		input := json.RawMessage(b.text)
		if !json.Valid(input) { // cut off by the limit: a whole answer holds only whole input
			input = json.RawMessage("{}")
		}
		return anthropicBlock{Type: "tool_use", ID: b.id, Name: b.name, Input: input}
	}
	return anthropicBlock{Type: "text", Text: &b.text}
}

func anthropicStop(f starling.Finish) string {
	switch f {
	case starling.ToolUse:
		return "tool_use"
	case starling.Length:
		return "max_tokens"
	case starling.StopWord:
		return "stop_sequence"
	}
	return "end_turn"
}

// anthropicEvents yields message_start, the blocks and the end of the message.
func (c *call) anthropicEvents(yield func(event) bool) {
	start := c.anthropicBody()
	start.Usage.Output = min(1, c.usage.Output)
	if !yield(sse("message_start", struct {
		Type      string        `json:"type"`
		Message   anthropicBody `json:"message"`
		Simulated bool          `json:"simulated"`
	}{"message_start", start, true})) {
		return
	}
	for i, b := range c.answers[0].blocks {
		if !c.anthropicPart(i, b, yield) {
			return
		}
	}
	if yield(c.messageDelta()) {
		yield(event{raw: []byte("event: message_stop\ndata: {\"type\":\"message_stop\",\"simulated\":true}\n\n")})
	}
}

// anthropicPart yields a block from its start to its stop; false when told to
// stop. After the first start comes a ping, as the vendor sends one.
func (c *call) anthropicPart(i int, b block, yield func(event) bool) bool {
	kind, field, rest := "text_delta", "text", b.text
	open, tokens := `{"type":"text","text":""}`, int64(0)
	switch b.kind {
	case starling.ReasoningPart:
		kind, field, open = "thinking_delta", "thinking", `{"type":"thinking","thinking":"","signature":""}`
	case starling.CallPart:
		kind, field, tokens = "input_json_delta", "partial_json", Tokens(b.name)
		id := appendString([]byte(`{"type":"tool_use","id":`), b.id)
		open = string(append(appendString(append(id, `,"name":`...), b.name), `,"input":{}}`...))
	}
	index := strconv.Itoa(i)
	if !yield(event{raw: []byte("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":" + index + ",\"content_block\":" + open + "}\n\n"), tokens: tokens}) {
		return false
	}
	if i == 0 && !yield(event{raw: []byte("event: ping\ndata: {\"type\":\"ping\"}\n\n")}) {
		return false
	}
	head := []byte("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":" + index + ",\"delta\":{\"type\":\"" + kind + "\",\"" + field + "\":")
	var buf []byte
	for rest != "" {
		piece := clip(rest, 1)
		rest = rest[len(piece):]
		buf = append(appendString(append(buf[:0], head...), piece), "}}\n\n"...)
		if !yield(event{raw: buf, tokens: Tokens(piece)}) {
			return false
		}
	}
	if b.kind == starling.ReasoningPart && !yield(event{raw: []byte("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":" + index +
		",\"delta\":{\"type\":\"signature_delta\",\"signature\":\"" + signature(c.model.Name) + "\"}}\n\n")}) {
		return false
	}
	return yield(event{raw: []byte("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":" + index + "}\n\n")})
}

// messageDelta says why the answer ended, and its usage: cumulative, not more.
func (c *call) messageDelta() event {
	type delta struct {
		StopReason   string  `json:"stop_reason"`
		StopSequence *string `json:"stop_sequence"`
	}
	ans := c.answers[0]
	return sse("message_delta", struct {
		Type      string         `json:"type"`
		Delta     delta          `json:"delta"`
		Usage     anthropicUsage `json:"usage"`
		Simulated bool           `json:"simulated"`
	}{"message_delta", delta{anthropicStop(ans.finish), orNull(ans.stop)}, anthropicUsageOf(c.usage), true})
}

// sse renders an event of Anthropic's dialect, whose name is said twice.
func sse(name string, v any) event {
	raw := append([]byte("event: "+name+"\ndata: "), marshal(v)...)
	return event{raw: append(raw, "\n\n"...)}
}
