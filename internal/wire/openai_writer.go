package wire

import (
	"bytes"

	"starling"
)

func (openAI) renderer(o WriterOptions) renderer {
	return &openAIRenderer{o: o, usage: o.Request.WantUsage}
}

// openAIRenderer writes chunks, or a completion.
type openAIRenderer struct {
	o       WriterOptions
	usage   bool   // the caller asked for usage in the stream
	head    []byte // what every chunk starts with, up to its choices
	cut     []byte // an event without its usage; its memory is reused
	scan    scanner
	done    bool // [DONE] passed
	choices []openAIChoice
	named   int // calls of all choices to which an id was given
}

// openAIChoice is a choice as far as it was written into a stream.
type openAIChoice struct {
	began, over bool  // the first chunk, with the role, is written; the last one
	calls       []int // block numbers of the calls that were told
}

// choice returns one by its number, in memory that the next call may move.
func (r *openAIRenderer) choice(n int) *openAIChoice {
	for len(r.choices) <= n {
		r.choices = append(r.choices, openAIChoice{})
	}
	return &r.choices[n]
}

func (r *openAIRenderer) pass(raw []byte) []byte {
	if !r.done && bytes.Contains(raw, []byte("[DONE]")) {
		r.done = isDone(parse(raw).data)
	}
	if r.usage {
		return raw
	}
	return r.withoutUsage(raw)
}

const openAIDone = "data: [DONE]\n\n"

func (r *openAIRenderer) passed(p *pen) {
	if !r.done {
		p.b = append(p.b, openAIDone...)
	}
}

// withoutUsage takes usage out of a chunk: the caller did not ask, we did. The
// chunk that has nothing else is left out, because clients who expect a choice
// in every chunk fall over it. The result is valid until the next call.
func (r *openAIRenderer) withoutUsage(raw []byte) []byte {
	if !bytes.Contains(raw, []byte(`"usage"`)) {
		return raw
	}
	data := parse(raw).data
	top, f := r.scan.members(data)
	if f != "" {
		return raw
	}
	var cut []edit
	counted, chosen := false, false
	for _, m := range top {
		switch string(m.key) {
		case "choices":
			chosen = !isEmpty(m.value)
		case "usage":
			counted = counted || kindOf(m.value) != 'n'
			cut = append(cut, cutMember(data, m))
		}
	}
	if counted && !chosen {
		return nil
	}
	r.cut = splicedEvent(r.cut[:0], raw, data, cut)
	return r.cut
}

// cutMember takes a member out of its object, with one of its commas: the one
// before it, or for the first member the one after.
func cutMember(object []byte, m member) edit {
	before := bytes.TrimRight(object[:m.from], " \t\r\n")
	if last := len(before) - 1; before[last] == ',' {
		return edit{from: last, to: m.to}
	}
	after := skipSpace(object, m.to)
	if object[after] == ',' {
		after++
	}
	return edit{from: m.from, to: after}
}

// chunk writes one choice's chunk around what inside writes, with the tokens of its text.
func (r *openAIRenderer) chunk(p *pen, choice int, finish string, tokens []starling.Token, inside func()) {
	r.open(p)
	p.key("choices")
	p.open('[')
	p.open('{')
	p.key("index")
	p.int(int64(choice))
	p.key("delta")
	p.open('{')
	inside()
	p.shut('}')
	p.logprobs(tokens)
	p.key("finish_reason")
	if finish == "" {
		p.raw(nil)
	} else {
		p.string(finish)
	}
	p.shut('}')
	p.shut(']')
	if r.usage {
		p.key("usage")
		p.raw(nil)
	}
	r.shut(p)
}

// open starts a chunk. All chunks of an answer start with the same bytes.
func (r *openAIRenderer) open(p *pen) {
	if r.head == nil {
		h := pen{b: []byte("data: ")}
		h.open('{')
		r.identity(&h, "chat.completion.chunk")
		r.head = h.b
	}
	p.b = append(p.b, r.head...)
}

func (r *openAIRenderer) identity(p *pen, object string) {
	p.pairs("id", r.o.ID, "object", object)
	p.key("created")
	p.int(r.o.Created.Unix())
	p.pairs("model", r.o.Model)
}

func (r *openAIRenderer) shut(p *pen) {
	p.shut('}')
	p.b = append(p.b, "\n\n"...)
}

func (r *openAIRenderer) idle(p *pen) { p.b = append(p.b, comment...) }

func (r *openAIRenderer) begin(p *pen, choice int) {
	if c := r.choice(choice); !c.began {
		c.began = true
		r.chunk(p, choice, "", nil, func() { p.pairs("role", "assistant", "content", "") })
	}
}

func (r *openAIRenderer) delta(p *pen, d *starling.Delta) error {
	r.begin(p, d.Choice)
	switch {
	case d.Finish != "":
		r.finish(p, d.Choice, d.Finish)
	case d.Kind == starling.CallPart:
		r.call(p, d)
	case d.Text == "": // a signature, which has no place here
	default:
		r.chunk(p, d.Choice, "", d.Tokens, func() { p.pairs(openAIFields[d.Kind], d.Text) })
	}
	return nil
}

// openAIFields names a message's field for a kind of text. The one for reasoning
// is not OpenAI's; compatible servers made it and clients read it.
var openAIFields = map[starling.PartKind]string{
	starling.TextPart:      "content",
	starling.ReasoningPart: "reasoning_content",
	starling.RefusalPart:   "refusal",
}

// call writes a piece of a call: its number always, id and name only at first.
func (r *openAIRenderer) call(p *pen, d *starling.Delta) {
	n, isNew := r.choice(d.Choice).number(d.Block)
	r.chunk(p, d.Choice, "", nil, func() {
		p.key("tool_calls")
		p.open('[')
		p.open('{')
		p.key("index")
		p.int(int64(n))
		if isNew {
			p.pairs("id", r.callID(d.ID), "type", "function")
		}
		p.key("function")
		p.open('{')
		if isNew || d.Name != "" {
			p.pairs("name", d.Name)
		}
		p.pairs("arguments", d.Text)
		p.shut('}')
		p.shut('}')
		p.shut(']')
	})
}

func (c *openAIChoice) number(block int) (n int, isNew bool) {
	for n, b := range c.calls {
		if b == block {
			return n, false
		}
	}
	c.calls = append(c.calls, block)
	return len(c.calls) - 1, true
}

// callID returns the upstream's id of a new call, or one that is unique in the
// conversation: the client sends it back.
func (r *openAIRenderer) callID(id string) string {
	r.named++
	if id != "" {
		return id
	}
	return ownID("call", r.o.ID, r.named-1)
}

// finish writes the last chunk of a choice.
func (r *openAIRenderer) finish(p *pen, choice int, why starling.Finish) {
	c := r.choice(choice)
	c.over = true
	r.chunk(p, choice, openAIFinish(why, len(c.calls) > 0), nil, func() {})
}

// end writes what is left to be said: all, where one choice was asked for.
func (r *openAIRenderer) end(p *pen, e ending) error {
	r.begin(p, 0)
	for i := range r.choices {
		if !r.choices[i].over {
			r.finish(p, i, e.finish)
		}
	}
	r.counted(p, e)
	p.b = append(p.b, openAIDone...)
	return nil
}

// counted writes the chunk that has nothing but usage, for who asked for it.
func (r *openAIRenderer) counted(p *pen, e ending) {
	if !r.usage || e.usage == nil {
		return
	}
	r.open(p)
	p.key("choices")
	p.raw([]byte("[]"))
	r.count(p, e.usage)
	r.shut(p)
}

// openAIFinish is the table of finish reasons. Who waits for a result hears so,
// whatever the upstream called it.
func openAIFinish(f starling.Finish, called bool) string {
	switch f {
	case starling.Length, starling.Overfull:
		return "length"
	case starling.Filtered:
		return "content_filter"
	case starling.ToolUse:
		return "tool_calls"
	}
	if called {
		return "tool_calls"
	}
	return "stop"
}

// count writes usage in this dialect's convention: the caches are a part of the
// prompt, reasoning a part of the completion.
func (r *openAIRenderer) count(p *pen, u *starling.Usage) {
	p.key("usage")
	p.open('{')
	p.ints(tally{"prompt_tokens", u.TotalInput()}, tally{"completion_tokens", u.Output}, tally{"total_tokens", u.TotalInput() + u.Output})
	p.key("prompt_tokens_details")
	p.open('{')
	p.ints(tally{"cached_tokens", u.CacheRead}, tally{"cache_write_tokens", u.CacheWrite + u.CacheWrite1h}, tally{"audio_tokens", 0})
	p.shut('}')
	p.key("completion_tokens_details")
	p.open('{')
	p.ints(tally{"reasoning_tokens", u.Reasoning}, tally{"audio_tokens", 0}, tally{"accepted_prediction_tokens", 0}, tally{"rejected_prediction_tokens", 0})
	p.shut('}')
	p.shut('}')
}

func (r *openAIRenderer) body(p *pen, g *gathered, e ending) error {
	p.open('{')
	r.identity(p, "chat.completion")
	p.key("choices")
	p.open('[')
	for i, c := range g.choices(e.finish) {
		p.open('{')
		p.key("index")
		p.int(int64(i))
		p.key("message")
		r.message(p, c)
		p.logprobs(c.tokens())
		p.pairs("finish_reason", openAIFinish(c.finish, len(c.calls()) > 0))
		p.shut('}')
	}
	p.shut(']')
	if e.usage != nil {
		r.count(p, e.usage)
	}
	p.shut('}')
	return nil
}

func (r *openAIRenderer) message(p *pen, g *gathered) {
	calls := g.calls()
	p.open('{')
	p.pairs("role", "assistant")
	r.orNull(p, "content", g.text(starling.TextPart), len(calls) > 0)
	r.orNull(p, "refusal", g.text(starling.RefusalPart), true)
	if thought := g.text(starling.ReasoningPart); thought != "" {
		p.pairs(openAIFields[starling.ReasoningPart], thought)
	}
	if len(calls) > 0 {
		p.key("tool_calls")
		p.open('[')
		for _, c := range calls {
			p.open('{')
			p.pairs("id", r.callID(c.ID), "type", "function")
			p.key("function")
			p.open('{')
			p.pairs("name", c.Name, "arguments", c.Arguments)
			p.shut('}')
			p.shut('}')
		}
		p.shut(']')
	}
	p.shut('}')
}

// orNull writes a text; an empty one is null where that is what the dialect says
// for nothing.
func (r *openAIRenderer) orNull(p *pen, name, s string, null bool) {
	p.key(name)
	if s == "" && null {
		p.raw(nil)
	} else {
		p.string(s)
	}
}

func (r *openAIRenderer) broke(p *pen, body []byte) { p.b = appendData(p.b, body) }
