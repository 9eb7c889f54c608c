package wire

import (
	"io"
	"math/bits"

	"starling"
)

func (openAI) decoder(o ReadOptions) decoder {
	return &openAIDecoder{dialect: starling.OpenAI, deltas: o.Deltas, choices: o.Choices, last: noBlock}
}

// openAIDecoder reads the chunks of a stream, or a whole completion: of a chat, or
// the older kind that has text in the place of messages. Of several choices only the
// first is told in deltas; all of them must finish.
type openAIDecoder struct {
	dialect   starling.Dialect
	deltas    bool
	choices   int64 // that were asked for
	scanner   scanner
	id, model string
	tier      string

	sure  certainty // of the first choice
	probs probable

	blocks int // that appeared so far
	last   starling.PartKind
	calls  []openAICall

	seen, finished [mostChoices/64 + 1]uint64 // bits: choices by index
	done           bool                       // [DONE] came
	whole          bool                       // a whole completion is read
}

// openAICall is a tool call of the first choice, as far as it was told.
type openAICall struct {
	index int64 // the upstream's number of it; -1 unsaid
	id    string
	block int
	name  string
}

// mostBlocks bounds what is remembered of one answer.
const mostBlocks = 4096

const noBlock starling.PartKind = ""

func isDone(data []byte) bool { return string(data) == "[DONE]" }

func (d *openAIDecoder) ended() bool {
	finished := 0
	for _, word := range d.finished {
		finished += bits.OnesCount64(word)
	}
	return d.done || d.seen[0] != 0 && d.seen == d.finished && int64(finished) >= d.choices
}

func (d *openAIDecoder) event(b block, ev *starling.Event) error {
	defer func() { ev.ID, ev.Model, ev.Confidence = d.id, d.model, d.sure.confidence() }()
	if isDone(b.data) {
		d.done = true
		return io.EOF
	}
	if len(b.data) == 0 {
		return nil
	}
	if err := d.chunk(b, ev); err != errNotJSON || d.deltas {
		return err
	}
	return nil // it passes as it is: what it means is between upstream and caller
}

func (d *openAIDecoder) chunk(b block, ev *starling.Event) error {
	top, f := d.scanner.members(b.data)
	if f != "" || kindOf(b.data) != '{' {
		return errNotJSON
	}
	var usage, choices []byte
	for _, m := range top {
		switch string(m.key) {
		case "id":
			d.id = keep(d.id, m.value)
		case "model":
			d.model = keep(d.model, m.value)
		case "service_tier":
			d.tier = keep(d.tier, m.value)
		case "choices":
			choices = m.value
		case "usage":
			usage = m.value
		case "error":
			if len(m.value) > 2 && kindOf(m.value) != 'n' {
				return saidInStream(d.dialect, b.data, m.value)
			}
		}
	}
	if string(b.name) == "error" {
		return saidInStream(d.dialect, b.data, nil)
	}
	for m := enter(choices); m.next() && d.blocks <= mostBlocks; {
		d.choice(m.value, ev)
	}
	if d.blocks > mostBlocks {
		return errTooLong
	}
	ev.Usage = openAIUsage(usage, d.tier)
	return nil
}

// keep returns the string v if it says anything, and old otherwise. It makes no
// garbage while v stays the same.
func keep(old string, v []byte) string {
	if len(v) <= 2 || v[0] != '"' || string(v[1:len(v)-1]) == old {
		return old
	}
	return text(v)
}

func (d *openAIDecoder) choice(v []byte, ev *starling.Event) {
	var index int64
	var said, plain, finish, logprobs []byte
	for m := enter(v); m.next(); {
		switch string(m.key) {
		case "index":
			index = min(max(tokens(m.value), 0), mostChoices-1)
		case "delta", "message":
			said = m.value
		case "text":
			plain = m.value
		case "finish_reason":
			finish = m.value
		case "logprobs":
			logprobs = m.value
		}
	}
	if index == 0 {
		d.sure.add(field(logprobs, "content"))
	}
	d.seen[index/64] |= 1 << (index % 64)
	before := len(ev.Deltas)
	if d.dialect == starling.Completions {
		s := saying{openAIDecoder: d, ev: ev, first: index == 0}
		s.text(starling.TextPart, plain)
	} else {
		d.message(said, index, ev)
	}
	if index == 0 && d.deltas && logprobs != nil {
		if d.dialect == starling.Completions {
			d.probs.add(ev, before, completionTokens(logprobs))
		} else {
			d.probs.add(ev, before, tokensOf(field(logprobs, "content")))
		}
	}
	if textLength(finish) > 0 {
		d.finished[index/64] |= 1 << (index % 64)
		ev.Finish = d.finish(text(finish))
	}
}

// finish translates the reason. Some servers say that the model stopped when it
// called tools; who waits for a result must not hear that.
func (d *openAIDecoder) finish(reason string) starling.Finish {
	switch reason {
	case "stop":
		if len(d.calls) > 0 {
			return starling.ToolUse
		}
		return starling.Stopped
	case "tool_calls", "function_call":
		return starling.ToolUse
	case "length":
		return starling.Length
	case "content_filter":
		return starling.Filtered
	}
	return starling.OtherStop
}

// message reads a delta, or a whole message, which has the same fields.
func (d *openAIDecoder) message(v []byte, index int64, ev *starling.Event) {
	var content, refusal, reasoning, calls, call []byte
	for m := enter(v); m.next(); {
		switch string(m.key) {
		case "content":
			content = m.value
		case "refusal":
			refusal = m.value
		case "reasoning_content":
			if textLength(m.value) > 0 {
				reasoning = m.value
			}
		case "reasoning": // the same under another name; servers send either, or both
			if reasoning == nil {
				reasoning = m.value
			}
		case "tool_calls":
			calls = m.value
		case "function_call":
			call = m.value
		}
	}
	s := saying{openAIDecoder: d, ev: ev, first: index == 0}
	s.text(starling.ReasoningPart, reasoning)
	s.content(content)
	s.text(starling.RefusalPart, refusal)
	for m := enter(calls); m.next() && d.blocks <= mostBlocks; {
		s.call(m.value)
	}
	if kindOf(call) == '{' {
		s.function(0, "", call)
	}
}

// A saying is what one choice says in one event.
type saying struct {
	*openAIDecoder
	ev    *starling.Event
	first bool // it is the first choice
}

// content reads text, or the parts in which a few servers send it.
func (s *saying) content(v []byte) {
	if kindOf(v) != '[' {
		s.text(starling.TextPart, v)
		return
	}
	for m := enter(v); m.next(); {
		if thought := field(m.value, "thinking"); thought != nil {
			for t := enter(thought); t.next(); {
				s.text(starling.ReasoningPart, field(t.value, "text"))
			}
			s.text(starling.ReasoningPart, thought)
		}
		s.text(starling.TextPart, field(m.value, "text"))
	}
}

// text tells a piece of text. It continues the last block if that is of its
// kind.
func (s *saying) text(kind starling.PartKind, v []byte) {
	n := textLength(v)
	if n == 0 {
		return
	}
	s.ev.Bytes += n
	if !s.first {
		return
	}
	if s.last != kind {
		s.last = kind
		s.blocks++
	}
	if s.deltas {
		s.ev.Deltas = append(s.ev.Deltas, starling.Delta{Kind: kind, Block: s.blocks - 1, Text: text(v)})
	}
}

func (s *saying) call(v []byte) {
	index := int64(-1)
	var id, f []byte
	for m := enter(v); m.next(); {
		switch string(m.key) {
		case "index":
			if kindOf(m.value) == '0' {
				index = tokens(m.value)
			}
		case "id":
			id = m.value
		case "function":
			f = m.value
		}
	}
	if s.whole { // each is one call, whatever ids and numbers they share
		index = int64(len(s.calls))
	}
	s.function(index, text(id), f)
}

// function tells of a call, a new one or more of one.
func (s *saying) function(index int64, id string, f []byte) {
	arguments := field(f, "arguments")
	n := textLength(arguments)
	if kindOf(arguments) == '{' { // the object itself, from some local servers
		n = len(arguments)
	}
	s.ev.Bytes += n
	if !s.first {
		return
	}
	name := text(field(f, "name"))
	c, isNew := s.find(index, id, name)
	delta := starling.Delta{Kind: starling.CallPart, Block: c.block, Text: callText(arguments)}
	if isNew {
		delta.ID = id
	}
	if c.name == "" {
		delta.Name, c.name = name, name
	}
	if s.deltas && (isNew || delta.Name != "" || delta.Text != "") {
		s.ev.Deltas = append(s.ev.Deltas, delta)
	}
}

// find returns the call that a piece belongs to. Servers leave out the index,
// the id, or both, and some number every call 0: a piece starts a new call if
// nothing it says points to an old one, or if it has a name and another id or
// name.
func (d *openAIDecoder) find(index int64, id, name string) (c *openAICall, isNew bool) {
	for i := len(d.calls) - 1; i >= 0; i-- {
		c := &d.calls[i]
		same := (id == "" || c.id == "" || c.id == id) && (c.name == "" || c.name == name)
		switch {
		case index >= 0 && c.index == index && (same || name == ""):
			return c, false
		case index < 0 && id != "" && c.id == id:
			return c, false
		case index < 0 && id == "" && name == "":
			return c, false
		}
	}
	d.calls = append(d.calls, openAICall{index: index, id: id, block: d.blocks})
	d.blocks++
	d.last = starling.CallPart
	return &d.calls[len(d.calls)-1], true
}

// body reads a whole completion.
func (d *openAIDecoder) body(b []byte, ev *starling.Event) error {
	d.whole = true
	if err := d.chunk(block{data: b}, ev); err != nil {
		return err
	}
	if d.seen[0] == 0 {
		return errShape
	}
	ev.ID, ev.Model, ev.Confidence = d.id, d.model, d.sure.confidence()
	return nil
}

// openAIUsage reads usage, nil if v is none. In this dialect what was read from
// and written to a prompt cache is a part of prompt_tokens. A server for which
// it is more than the whole counts it outside, as Anthropic does.
func openAIUsage(v []byte, tier string) *starling.Usage {
	if kindOf(v) != '{' {
		return nil
	}
	u := &starling.Usage{Tier: tier}
	var prompt, total int64
	for m := enter(v); m.next(); {
		switch string(m.key) {
		case "prompt_tokens":
			prompt = tokens(m.value)
		case "completion_tokens":
			u.Output = tokens(m.value)
		case "total_tokens":
			total = tokens(m.value)
		case "prompt_cache_hit_tokens", "cached_tokens": // DeepSeek, Moonshot
			u.CacheRead = max(u.CacheRead, tokens(m.value))
		case "prompt_tokens_details":
			u.CacheRead = max(u.CacheRead, tokens(field(m.value, "cached_tokens")))
			u.CacheWrite = tokens(field(m.value, "cache_write_tokens"))
		case "completion_tokens_details":
			u.Reasoning = tokens(field(m.value, "reasoning_tokens"))
		}
	}
	if u.Input = prompt - u.CacheRead - u.CacheWrite; u.Input < 0 {
		u.Input = prompt
	} else { // some count reasoning beside completion_tokens; the total has it
		u.Output = max(u.Output, total-prompt)
	}
	if u.TotalInput()+u.Output == 0 {
		return nil // nobody counted
	}
	return u
}
