package wire

import (
	"errors"
	"slices"

	"starling"
)

func (anthropic) renderer(o WriterOptions) renderer { return &anthropicRenderer{o: o} }

// anthropicRenderer writes a stream's events, or a message.
//
// In this dialect blocks follow one another: each is opened, filled and closed,
// and none is opened again. Other dialects may tell several at once, so what
// begins before the call that is open is complete waits.
type anthropicRenderer struct {
	o       WriterOptions
	began   bool
	index   int          // of the block that is open, or of the next one
	open    *piece       // nil if none is
	waiting gathered     // blocks that began since
	closed  map[int]bool // block numbers of calls
	called  bool
	refused bool
}

var errLate = errors.New("the upstream told more of a call after its end")

func (r *anthropicRenderer) pass(raw []byte) []byte { return raw }

func (r *anthropicRenderer) passed(*pen) {}

// idle writes a ping, which clients skip wherever it stands.
func (r *anthropicRenderer) idle(p *pen) { event(p, "ping", func() {}) }

func (r *anthropicRenderer) delta(p *pen, d *starling.Delta) error {
	r.begin(p)
	switch {
	case r.open != nil && r.open.block == d.Block:
		r.open.add(d)
		r.piece(p, d)
		return nil
	case r.waiting.find(d.Block) != nil:
		r.waiting.add(d)
		return nil
	case r.closed[d.Block]:
		return errLate
	case r.mustWait(d):
		r.waiting.add(d)
		return nil
	}
	r.settle(p)
	r.start(p, &piece{block: d.Block, kind: d.Kind, id: d.ID, name: d.Name})
	r.open.add(d)
	r.piece(p, d)
	return nil
}

// mustWait reports whether a new block cannot be opened yet: a call that began
// before it may go on, or it is a call and has no name, or others are before it.
func (r *anthropicRenderer) mustWait(d *starling.Delta) bool {
	if d.Kind == starling.CallPart && (d.Name == "" || len(r.waiting.blocks) > 0) {
		return true
	}
	return r.open != nil && !r.open.complete() || slices.ContainsFunc(r.waiting.blocks, func(b *piece) bool { return !b.complete() })
}

// complete reports whether a block can be closed: text at any time, a call when
// its name and its arguments are there.
func (b *piece) complete() bool {
	return b.kind != starling.CallPart || b.name != "" && valid([]byte(b.said.String()))
}

// settle closes what is open, and writes what waits.
func (r *anthropicRenderer) settle(p *pen) {
	r.stop(p)
	for _, w := range r.waiting.blocks {
		r.start(p, w)
		r.piece(p, &starling.Delta{Kind: w.kind, Text: w.said.String()})
		r.stop(p)
	}
	r.waiting.blocks = nil
}

// event writes one event: its name, as clients drop those without, and its data
// with type and what inside writes.
func event(p *pen, name string, inside func()) {
	p.b = append(append(append(p.b, "event: "...), name...), "\ndata: "...)
	p.open('{')
	p.pairs("type", name)
	inside()
	p.shut('}')
	p.b = append(p.b, "\n\n"...)
}

// begin writes message_start. What the prompt takes is not known before the end;
// the estimate is corrected by message_delta, whose counts replace it.
func (r *anthropicRenderer) begin(p *pen) {
	if r.began {
		return
	}
	r.began = true
	event(p, "message_start", func() {
		p.key("message")
		p.open('{')
		r.identity(p)
		p.key("content")
		p.raw([]byte("[]"))
		p.key("stop_reason")
		p.raw(nil)
		p.key("stop_sequence")
		p.raw(nil)
		anthropicCount(p, &starling.Usage{Input: estimate(r.o.Request)})
		p.shut('}')
	})
}

// estimate guesses the tokens of a prompt from its bytes. It doesn't guess about
// images.
func estimate(r *starling.Request) int64 {
	if r.Images+r.Documents > 0 {
		return 0
	}
	return int64(len(r.Body)+3) / 4
}

func (r *anthropicRenderer) identity(p *pen) {
	p.pairs("id", r.o.ID, "type", "message", "role", "assistant", "model", r.o.Model)
}

func (r *anthropicRenderer) start(p *pen, b *piece) {
	r.open = b
	r.called = r.called || b.kind == starling.CallPart
	r.refused = r.refused || b.kind == starling.RefusalPart
	event(p, "content_block_start", func() {
		p.ints(tally{"index", int64(r.index)})
		p.key("content_block")
		p.open('{')
		switch b.kind {
		case starling.CallPart:
			p.pairs("type", "tool_use", "id", r.callID(b.id, r.index), "name", b.name)
			p.key("input")
			p.raw([]byte("{}"))
		case starling.ReasoningPart:
			p.pairs("type", "thinking", "thinking", "", "signature", "")
		default:
			p.pairs("type", "text", "text", "")
		}
		p.shut('}')
	})
}

// callID returns the id of a call in the letters that the dialect allows, or one
// that is unique in the conversation: the client sends it back.
func (r *anthropicRenderer) callID(id string, n int) string {
	if id != "" {
		return plainID(id)
	}
	return plainID(ownID("toolu", r.o.ID, n))
}

// piece writes more of the block that is open.
func (r *anthropicRenderer) piece(p *pen, d *starling.Delta) {
	if d.Text == "" {
		return
	}
	r.more(p, func() {
		switch d.Kind {
		case starling.CallPart:
			p.pairs("type", "input_json_delta", "partial_json", d.Text)
		case starling.ReasoningPart:
			p.pairs("type", "thinking_delta", "thinking", d.Text)
		default:
			p.pairs("type", "text_delta", "text", d.Text)
		}
	})
}

func (r *anthropicRenderer) more(p *pen, inside func()) {
	event(p, "content_block_delta", func() {
		p.ints(tally{"index", int64(r.index)})
		p.key("delta")
		p.open('{')
		inside()
		p.shut('}')
	})
}

// signature is the upstream's own, or our mark: the thoughts of a model of
// another dialect must be known when the client sends them back.
func signature(b *piece) string {
	if b.signature != "" {
		return b.signature
	}
	return ourMark
}

// stop closes the open block.
func (r *anthropicRenderer) stop(p *pen) {
	if r.open == nil {
		return
	}
	if r.open.kind == starling.ReasoningPart {
		r.more(p, func() { p.pairs("type", "signature_delta", "signature", signature(r.open)) })
	}
	event(p, "content_block_stop", func() { p.ints(tally{"index", int64(r.index)}) })
	if r.closed == nil {
		r.closed = map[int]bool{}
	}
	r.closed[r.open.block] = r.open.kind == starling.CallPart
	r.open = nil
	r.index++
}

func (r *anthropicRenderer) end(p *pen, e ending) error {
	r.begin(p)
	r.settle(p)
	event(p, "message_delta", func() {
		p.key("delta")
		p.open('{')
		r.reason(p, e.finish)
		p.shut('}')
		if e.usage == nil {
			e.usage = &starling.Usage{Input: estimate(r.o.Request)}
		}
		anthropicCount(p, e.usage)
	})
	event(p, "message_stop", func() {})
	return nil
}

func (r *anthropicRenderer) reason(p *pen, f starling.Finish) {
	if r.refused && f == starling.Stopped {
		f = starling.Filtered
	}
	p.pairs("stop_reason", anthropicFinish(f, r.called))
	p.key("stop_sequence")
	p.raw(nil)
}

// anthropicFinish is the table of stop reasons. An agent that is told end_turn
// after a call never runs it.
func anthropicFinish(f starling.Finish, called bool) string {
	switch f {
	case starling.Length:
		return "max_tokens"
	case starling.Filtered:
		return "refusal"
	case starling.Overfull:
		return "model_context_window_exceeded"
	case starling.Paused:
		return "pause_turn"
	case starling.ToolUse:
		return "tool_use"
	}
	switch {
	case called:
		return "tool_use"
	case f == starling.StopWord:
		return "stop_sequence"
	}
	return "end_turn"
}

// anthropicCount writes usage in this dialect's convention: the caches stand
// outside of input_tokens.
func anthropicCount(p *pen, u *starling.Usage) {
	p.key("usage")
	p.open('{')
	p.ints(tally{"input_tokens", u.Input}, tally{"cache_creation_input_tokens", u.CacheWrite + u.CacheWrite1h}, tally{"cache_read_input_tokens", u.CacheRead})
	p.key("cache_creation")
	p.open('{')
	p.ints(tally{"ephemeral_5m_input_tokens", u.CacheWrite}, tally{"ephemeral_1h_input_tokens", u.CacheWrite1h})
	p.shut('}')
	p.ints(tally{"output_tokens", u.Output})
	if u.Reasoning > 0 {
		p.key("output_tokens_details")
		p.open('{')
		p.ints(tally{"thinking_tokens", u.Reasoning})
		p.shut('}')
	}
	p.shut('}')
}

// errArguments is a call that cannot be said in a whole message.
var errArguments = &starling.Error{Kind: starling.Refused, Op: "read answer", Err: errors.New("the upstream's call has arguments that are not a JSON object"), Billed: true}

// body writes a whole message. A call whose arguments are no object cannot be
// said in it, unless it was cut off by the limit, as the caller is told.
func (r *anthropicRenderer) body(p *pen, g *gathered, e ending) (err error) {
	p.open('{')
	r.identity(p)
	p.key("content")
	p.open('[')
	for i, b := range g.blocks {
		p.open('{')
		switch b.kind {
		case starling.CallPart:
			input, ok := argumentObject(b.said.String())
			if !ok && e.finish != starling.Length {
				err = errArguments
			}
			r.called = true
			p.pairs("type", "tool_use", "id", r.callID(b.id, i), "name", b.name)
			p.key("input")
			p.raw(input)
		case starling.ReasoningPart:
			p.pairs("type", "thinking", "thinking", b.said.String(), "signature", signature(b))
		default:
			r.refused = r.refused || b.kind == starling.RefusalPart
			p.pairs("type", "text", "text", b.said.String())
		}
		p.shut('}')
	}
	p.shut(']')
	r.reason(p, e.finish)
	if e.usage == nil {
		e.usage = &starling.Usage{}
	}
	anthropicCount(p, e.usage)
	p.shut('}')
	return err
}

func (r *anthropicRenderer) broke(p *pen, body []byte) {
	p.b = appendData(append(p.b, "event: error\n"...), body)
}
