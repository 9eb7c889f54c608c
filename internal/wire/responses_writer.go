package wire

import (
	"bytes"
	"strconv"

	"starling"
)

func (responses) renderer(o WriterOptions) renderer { return &responsesRenderer{o: o} }

// responsesRenderer writes a stream's events, or a response.
//
// In this dialect every text and every call is an item of its own. Calls may be
// told at once, each under its number; all else is complete before the next begins.
type responsesRenderer struct {
	o       WriterOptions
	seq     int64 // of the next event
	began   bool
	items   []*responsesItem         // that were announced, by their number
	waiting []*responsesItem         // that say nothing yet, or have no name
	tools   map[string]responsesTool // nil until a tool is called
	echo    []byte                   // what every response repeats of its question
}

// A responsesItem is an item of the answer as far as it was told.
type responsesItem struct {
	piece
	number int
	shut   bool
	cut    bool // the limit ended it
}

func (r *responsesRenderer) pass(raw []byte) []byte {
	const key = `"sequence_number":`
	if at := bytes.LastIndex(raw, []byte(key)); at >= 0 {
		rest := raw[skipSpace(raw, at+len(key)):]
		end := 0
		for end < len(rest) && end < 18 && rest[end]-'0' <= 9 {
			end++
		}
		n, _ := strconv.ParseInt(string(rest[:end]), 10, 64) // none is 0
		r.seq = n + 1
	}
	return raw
}

func (r *responsesRenderer) passed(*pen) {}

func (r *responsesRenderer) idle(p *pen) { p.b = append(p.b, comment...) }

// event writes one event with its number.
func (r *responsesRenderer) event(p *pen, name string, inside func()) {
	event(p, name, func() {
		p.ints(tally{"sequence_number", r.seq})
		inside()
	})
	r.seq++
}

func (r *responsesRenderer) begin(p *pen) {
	if r.began {
		return
	}
	r.began = true
	for _, name := range [...]string{"response.created", "response.in_progress"} {
		r.event(p, name, func() {
			p.key("response")
			r.response(p, "in_progress", nil, nil)
		})
	}
}

func (r *responsesRenderer) delta(p *pen, d *starling.Delta) error {
	r.begin(p)
	it := r.find(d.Block)
	switch {
	case it != nil && it.shut && d.Kind == starling.CallPart && d.Text == "":
		return nil
	case it != nil && it.shut && d.Kind == starling.CallPart:
		return errLate
	case it == nil || it.shut: // a text that goes on after another is another item
		r.settle(p)
		it = &responsesItem{piece: piece{block: d.Block, kind: d.Kind}, number: -1}
		r.waiting = append(r.waiting, it)
	}
	it.add(d)
	switch {
	case it.number >= 0:
		r.more(p, it, d.Text, d.Tokens)
	case it.tellable():
		r.announce(p, it)
	}
	return nil
}

// find returns the youngest item of a block.
func (r *responsesRenderer) find(block int) *responsesItem {
	for _, all := range [...][]*responsesItem{r.waiting, r.items} {
		for i := len(all) - 1; i >= 0; i-- {
			if all[i].block == block {
				return all[i]
			}
		}
	}
	return nil
}

// tellable reports whether an item can be announced: a call when it has a name,
// all else when it says something.
func (it *responsesItem) tellable() bool {
	if it.kind == starling.CallPart {
		return it.name != ""
	}
	return it.said.Len() > 0
}

// settle closes the items that are complete.
func (r *responsesRenderer) settle(p *pen) {
	for _, it := range r.items {
		if !it.shut && it.complete() {
			r.shut(p, it)
		}
	}
}

// announce begins an item, with what it said so far.
func (r *responsesRenderer) announce(p *pen, it *responsesItem) {
	for i, w := range r.waiting {
		if w == it {
			r.waiting = append(r.waiting[:i:i], r.waiting[i+1:]...)
			break
		}
	}
	it.number = len(r.items)
	r.items = append(r.items, it)
	said := it.said.String()
	r.event(p, "response.output_item.added", func() {
		p.ints(tally{"output_index", int64(it.number)})
		p.key("item")
		r.item(p, it, "in_progress")
	})
	switch it.kind {
	case starling.CallPart:
	case starling.ReasoningPart:
		r.about(p, it, "response.reasoning_summary_part.added", func() { r.part(p, it, "") })
	default:
		r.about(p, it, "response.content_part.added", func() { r.part(p, it, "") })
	}
	r.more(p, it, said, it.tokens)
}

// about writes an event about an item, or about the only part of it.
func (r *responsesRenderer) about(p *pen, it *responsesItem, name string, inside func()) {
	r.event(p, name, func() {
		p.pairs("item_id", r.id(it))
		p.ints(tally{"output_index", int64(it.number)})
		switch it.kind {
		case starling.CallPart:
		case starling.ReasoningPart:
			p.ints(tally{"summary_index", 0})
		default:
			p.ints(tally{"content_index", 0})
		}
		inside()
	})
}

// part writes the only part of an item that has parts.
func (r *responsesRenderer) part(p *pen, it *responsesItem, said string) {
	p.key("part")
	it.content(p, said)
}

func (it *responsesItem) content(p *pen, said string) {
	p.open('{')
	switch it.kind {
	case starling.ReasoningPart:
		p.pairs("type", "summary_text", "text", said)
	case starling.RefusalPart:
		p.pairs("type", "refusal", "refusal", said)
	default:
		p.pairs("type", "output_text", "text", said)
		p.key("annotations")
		p.raw([]byte("[]"))
		p.key("logprobs")
		if said == "" { // it only begins
			p.raw([]byte("[]"))
		} else {
			p.tokens(it.tokens)
		}
	}
	p.shut('}')
}

// responsesEvents names the events that tell of a text, without their ending, and
// the field that has all of it.
var responsesEvents = map[starling.PartKind][2]string{
	starling.TextPart:      {"response.output_text", "text"},
	starling.RefusalPart:   {"response.refusal", "refusal"},
	starling.ReasoningPart: {"response.reasoning_summary_text", "text"},
	starling.CallPart:      {"response.function_call_arguments", "arguments"},
}

const customInputEvent = "response.custom_tool_call_input"

// more writes a piece. What is free text to the caller came as JSON, so it is told
// when it is complete.
func (r *responsesRenderer) more(p *pen, it *responsesItem, said string, tokens []starling.Token) {
	if said == "" || r.tool(it).custom {
		return
	}
	r.about(p, it, responsesEvents[it.kind][0]+".delta", func() {
		p.pairs("delta", said)
		if it.kind == starling.TextPart {
			p.key("logprobs")
			p.tokens(tokens)
		}
	})
}

// shut ends an item.
func (r *responsesRenderer) shut(p *pen, it *responsesItem) {
	it.shut = true
	said, names := it.said.String(), responsesEvents[it.kind]
	switch tool := r.tool(it); {
	case tool.custom:
		input := customInput(said)
		if input != "" {
			r.about(p, it, customInputEvent+".delta", func() { p.pairs("delta", input) })
		}
		r.about(p, it, customInputEvent+".done", func() { p.pairs("input", input) })
	case it.kind == starling.CallPart:
		r.about(p, it, names[0]+".done", func() { p.pairs("name", tool.name, names[1], said) })
	case it.kind == starling.ReasoningPart:
		r.about(p, it, names[0]+".done", func() { p.pairs(names[1], said) })
		r.about(p, it, "response.reasoning_summary_part.done", func() { r.part(p, it, said) })
	default:
		r.about(p, it, names[0]+".done", func() {
			p.pairs(names[1], said)
			if it.kind == starling.TextPart {
				p.key("logprobs")
				p.tokens(it.tokens)
			}
		})
		r.about(p, it, "response.content_part.done", func() { r.part(p, it, said) })
	}
	r.event(p, "response.output_item.done", func() {
		p.ints(tally{"output_index", int64(it.number)})
		p.key("item")
		r.item(p, it, it.status())
	})
}

// close ends all items that said something. The one that the limit ended is not
// complete.
func (r *responsesRenderer) close(p *pen, e ending) {
	for _, it := range append([]*responsesItem(nil), r.waiting...) {
		if it.kind == starling.CallPart || it.said.Len() > 0 {
			r.announce(p, it)
		}
	}
	for i, it := range r.items {
		if !it.shut {
			it.cut = responsesStatus(e.finish) != "completed" && i == len(r.items)-1
			r.shut(p, it)
		}
	}
}

func (r *responsesRenderer) end(p *pen, e ending) error {
	r.begin(p)
	r.close(p, e)
	status := responsesStatus(e.finish)
	r.event(p, "response."+status, func() {
		p.key("response")
		r.response(p, status, &e, nil)
	})
	return nil
}

func (r *responsesRenderer) body(p *pen, g *gathered, e ending) error {
	for _, b := range g.blocks {
		it := &responsesItem{piece: piece{block: b.block, kind: b.kind, signature: b.signature, tokens: b.tokens, id: b.id, name: b.name}, number: len(r.items)}
		it.said.WriteString(b.said.String())
		if it.kind == starling.CallPart || it.said.Len() > 0 {
			r.items = append(r.items, it)
		}
	}
	status := responsesStatus(e.finish)
	if n := len(r.items); n > 0 {
		r.items[n-1].cut = status != "completed"
	}
	r.response(p, status, &e, nil)
	return nil
}

// broke tells of an error twice: agents wait for a response that failed, and the
// vendor's libraries for an event that is an error.
func (r *responsesRenderer) broke(p *pen, body []byte) {
	v := field(body[skipSpace(body, 0):], "error")
	r.event(p, "response.failed", func() {
		p.key("response")
		r.response(p, "failed", nil, v)
	})
	r.event(p, "error", func() {
		p.pairs("message", message(body))
		for _, name := range [...]string{"code", "param"} {
			p.key(name)
			p.raw(orString(field(v, name)))
		}
	})
}

// orString returns a string or a number as a string; nil, which is null, for anything else.
func orString(v []byte) []byte {
	switch kindOf(v) {
	case '"':
		return v
	case '0':
		return appendString(nil, string(v))
	}
	return nil
}
