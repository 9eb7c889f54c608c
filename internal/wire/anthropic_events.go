package wire

import (
	"io"

	"starling"
)

func (anthropic) decoder(o ReadOptions) decoder { return &anthropicDecoder{deltas: o.Deltas} }

// anthropicDecoder reads the events of a stream, or a whole message.
type anthropicDecoder struct {
	deltas    bool
	scanner   scanner
	id, model string
	usage     starling.Usage

	blocks []anthropicBlock // that started, in order
	told   int              // of them, those that have a word in Delta
	calls  bool             // a tool was called
	done   bool             // message_stop came
}

// anthropicBlock is a content block as far as it was told.
type anthropicBlock struct {
	index int64 // the upstream's number of it
	kind  starling.PartKind
	block int
	input string // of a call: the input that it started with, until more comes
}

func (d *anthropicDecoder) ended() bool { return d.done }

func (d *anthropicDecoder) event(b block, ev *starling.Event) error {
	defer func() { ev.ID, ev.Model = d.id, d.model }()
	if len(b.data) == 0 {
		return nil
	}
	top, f := d.scanner.members(b.data)
	if f != "" || kindOf(b.data) != '{' {
		if d.deltas {
			return errNotJSON
		}
		return nil // passes as it is
	}
	e := anthropicEvent{data: b.data, kind: b.name}
	e.read(top)
	return d.take(&e, ev)
}

// anthropicEvent is an event's fields.
type anthropicEvent struct {
	data, kind                          []byte
	index                               int64
	message, content, delta, usage, err []byte
}

func (e *anthropicEvent) read(top []member) {
	for _, m := range top {
		switch string(m.key) {
		case "type":
			if kindOf(m.value) == '"' {
				e.kind = m.value[1 : len(m.value)-1]
			}
		case "index":
			e.index = tokens(m.value)
		case "message":
			e.message = m.value
		case "content_block":
			e.content = m.value
		case "delta":
			e.delta = m.value
		case "usage":
			e.usage = m.value
		case "error":
			e.err = m.value
		}
	}
}

func (d *anthropicDecoder) take(e *anthropicEvent, ev *starling.Event) error {
	switch string(e.kind) {
	case "message_start":
		d.message(e.message, ev)
	case "content_block_start":
		return d.start(e.index, e.content, ev)
	case "content_block_delta":
		return d.delta(e, ev)
	case "content_block_stop":
		d.stop(e.index, ev)
	case "message_delta":
		d.finish(text(field(e.delta, "stop_reason")), ev)
		d.count(e.usage, ev)
	case "message_stop":
		d.done = true
		return io.EOF
	case "ping":
		ev.Idle = true
	case "error":
		return saidInStream(starling.Anthropic, e.data, e.err)
	}
	return nil
}

func (d *anthropicDecoder) message(v []byte, ev *starling.Event) {
	for m := enter(v); m.next(); {
		switch string(m.key) {
		case "id":
			d.id = keep(d.id, m.value)
		case "model":
			d.model = keep(d.model, m.value)
		case "usage":
			d.count(m.value, ev)
		}
	}
}

// start reads the beginning of a block, which may hold a part of it already, or
// all of it.
func (d *anthropicDecoder) start(index int64, content []byte, ev *starling.Event) error {
	if len(d.blocks) >= mostBlocks {
		return errTooLong
	}
	b := anthropicBlock{index: index}
	first := starling.Delta{}
	switch text(field(content, "type")) {
	case "text":
		b.kind, first.Text = starling.TextPart, text(field(content, "text"))
	case "thinking":
		b.kind, first.Text, first.Signature = starling.ReasoningPart, text(field(content, "thinking")), text(field(content, "signature"))
	case "redacted_thinking":
		b.kind, first.Signature = starling.ReasoningPart, text(field(content, "data"))
	case "tool_use":
		b.kind, first.ID, first.Name = starling.CallPart, text(field(content, "id")), text(field(content, "name"))
		b.input = wellFormed(string(field(content, "input")))
		d.calls = true
	default: // blocks of the server's own tools: they pass raw, or not at all
		d.blocks = append(d.blocks, b)
		return nil
	}
	b.block = d.told
	d.told++
	d.blocks = append(d.blocks, b)
	if first.Text+first.Signature+first.ID+first.Name != "" {
		first.Kind, first.Block = b.kind, b.block
		d.tell(first, ev)
	}
	return nil
}

// find returns the youngest block of the upstream's number, nil if none started.
// One without a kind has no word in Delta.
func (d *anthropicDecoder) find(index int64) *anthropicBlock {
	for i := len(d.blocks) - 1; i >= 0; i-- {
		if b := &d.blocks[i]; b.index == index {
			return b
		}
	}
	return nil
}

// unopened makes the start of a block that a server forgot, as far as its first
// piece tells what it is.
var unopened = map[string]string{"text_delta": `{"type":"text"}`, "thinking_delta": `{"type":"thinking"}`}

func (d *anthropicDecoder) delta(e *anthropicEvent, ev *starling.Event) error {
	b := d.find(e.index)
	if b == nil {
		start, ok := unopened[text(field(e.delta, "type"))]
		if !ok {
			return errShape
		}
		if err := d.start(e.index, []byte(start), ev); err != nil {
			return err
		}
		b = d.find(e.index)
	}
	if b.kind == "" {
		return nil
	}
	var said, signature []byte
	for m := enter(e.delta); m.next(); {
		switch string(m.key) {
		case "text", "thinking", "partial_json":
			said = m.value
		case "signature":
			signature = m.value
		}
	}
	n := textLength(said)
	if n > 0 {
		b.input = ""
	}
	ev.Bytes += n
	if d.deltas && n+textLength(signature) > 0 {
		ev.Deltas = append(ev.Deltas, starling.Delta{Kind: b.kind, Block: b.block, Text: text(said), Signature: text(signature)})
	}
	return nil
}

// stop ends a block. A call whose input came with its start, or not at all, is
// told of it now.
func (d *anthropicDecoder) stop(index int64, ev *starling.Event) {
	if b := d.find(index); b != nil {
		d.flush(b, ev)
	}
}

func (d *anthropicDecoder) flush(b *anthropicBlock, ev *starling.Event) {
	if b.input != "" {
		d.tell(starling.Delta{Kind: b.kind, Block: b.block, Text: b.input}, ev)
		b.input = ""
	}
}

func (d *anthropicDecoder) tell(piece starling.Delta, ev *starling.Event) {
	ev.Bytes += len(piece.Text)
	if d.deltas {
		ev.Deltas = append(ev.Deltas, piece)
	}
}

// finish translates the reason. No block outlives it, whether it was ended or
// not.
func (d *anthropicDecoder) finish(reason string, ev *starling.Event) {
	for i := range d.blocks {
		d.flush(&d.blocks[i], ev)
	}
	switch reason {
	case "":
		return
	case "end_turn":
		ev.Finish = starling.Stopped
		if d.calls {
			ev.Finish = starling.ToolUse
		}
	case "stop_sequence":
		ev.Finish = starling.StopWord
	case "max_tokens":
		ev.Finish = starling.Length
	case "tool_use":
		ev.Finish = starling.ToolUse
	case "refusal":
		ev.Finish = starling.Filtered
	case "pause_turn":
		ev.Finish = starling.Paused
	case "model_context_window_exceeded":
		ev.Finish = starling.Overfull
	default:
		ev.Finish = starling.OtherStop
	}
}

// body reads a whole message.
func (d *anthropicDecoder) body(b []byte, ev *starling.Event) error {
	if !valid(b) {
		return errNotJSON
	}
	if e := field(b, "error"); e != nil {
		return saidInStream(starling.Anthropic, b, e)
	}
	content := field(b, "content")
	if kindOf(content) != '[' {
		return errShape
	}
	d.message(b, ev)
	i := int64(0)
	for m := enter(content); m.next(); i++ {
		if err := d.start(i, m.value, ev); err != nil {
			return err
		}
		d.stop(i, ev)
	}
	d.finish(text(field(b, "stop_reason")), ev)
	ev.ID, ev.Model = d.id, d.model
	return nil
}

// count takes a count over. Counts are cumulative, so each replaces the one
// before; but a count of zero says that nobody counted, because some servers
// tell the input only at the start and others only at the end. Here what was
// read from and written to a prompt cache stands outside input_tokens.
func (d *anthropicDecoder) count(v []byte, ev *starling.Event) {
	if kindOf(v) != '{' {
		return
	}
	u := &d.usage
	written, short, long := u.CacheWrite+u.CacheWrite1h, int64(0), u.CacheWrite1h
	for m := enter(v); m.next(); {
		switch string(m.key) {
		case "input_tokens":
			later(&u.Input, m.value)
		case "cache_read_input_tokens":
			later(&u.CacheRead, m.value)
		case "cache_creation_input_tokens":
			later(&written, m.value)
		case "cache_creation":
			later(&short, field(m.value, "ephemeral_5m_input_tokens"))
			later(&long, field(m.value, "ephemeral_1h_input_tokens"))
		case "output_tokens":
			later(&u.Output, m.value)
		case "output_tokens_details":
			later(&u.Reasoning, field(m.value, "thinking_tokens"))
		case "server_tool_use":
			later(&u.Searches, field(m.value, "web_search_requests"))
		case "service_tier":
			u.Tier = keep(u.Tier, m.value)
		}
	}
	u.CacheWrite1h, u.CacheWrite = long, max(written-long, short) // a split may come without its sum
	now := *u
	ev.Usage = &now
}

func later(n *int64, v []byte) {
	if t := tokens(v); t > 0 {
		*n = t
	}
}
