package wire

import (
	"io"
	"strings"

	"starling"
)

func (responses) decoder(o ReadOptions) decoder { return &responsesDecoder{deltas: o.Deltas} }

// responsesDecoder reads the events of a stream, or a whole response. Servers leave
// out some of the events: what an item says in its end, or the response in its own,
// is told then, if it was not before.
type responsesDecoder struct {
	deltas    bool
	scanner   scanner
	id, model string
	tier      string
	searches  int64

	blocks []responsesBlock // in order of appearance
	probs  probable
	calls  bool // a tool was called
	done   bool // the response has ended
}

// responsesBlock is a part of an item as far as it was told.
type responsesBlock struct {
	item int64 // the upstream's number of it
	part int64 // of it; of reasoning the first, as all of it is one block
	kind starling.PartKind
	id   string // of a call's item, where it was said

	named bool  // of a call, its name was told
	last  int64 // of reasoning, the part that was told last
	told  int   // bytes
}

func (d *responsesDecoder) ended() bool { return d.done }

func (d *responsesDecoder) event(b block, ev *starling.Event) error {
	defer func() { ev.ID, ev.Model = d.id, d.model }()
	if len(b.data) == 0 || isDone(b.data) {
		return nil
	}
	top, f := d.scanner.members(b.data)
	if f != "" || kindOf(b.data) != '{' {
		if d.deltas {
			return errNotJSON
		}
		return nil // passes as it is
	}
	e := responsesEvent{data: b.data, kind: string(b.name)}
	e.read(top)
	if err := d.take(&e, ev); err != nil {
		return err
	}
	if len(d.blocks) > mostBlocks {
		return errTooLong
	}
	return nil
}

// responsesEvent is an event's fields.
type responsesEvent struct {
	data                             []byte
	kind                             string
	item, part                       int64 // output_index; content_index or summary_index
	response, content, delta, id, is []byte
	logprobs                         []byte
	err                              []byte
}

func (e *responsesEvent) read(top []member) {
	for _, m := range top {
		switch string(m.key) {
		case "type":
			if k := text(m.value); k != "" {
				e.kind = k
			}
		case "output_index":
			e.item = tokens(m.value)
		case "content_index", "summary_index":
			e.part = tokens(m.value)
		case "response":
			e.response = m.value
		case "item":
			e.content = m.value
		case "item_id":
			e.id = m.value
		case "delta":
			e.delta = m.value
		case "logprobs":
			e.logprobs = m.value
		case "text", "refusal", "arguments", "input":
			e.is = m.value
		case "error":
			e.err = m.value
		}
	}
}

// kinds of text by the events that tell them.
var responsesTexts = map[string]starling.PartKind{
	"output_text":             starling.TextPart,
	"refusal":                 starling.RefusalPart,
	"reasoning_text":          starling.ReasoningPart,
	"reasoning_summary_text":  starling.ReasoningPart,
	"function_call_arguments": starling.CallPart,
}

func (d *responsesDecoder) take(e *responsesEvent, ev *starling.Event) error {
	name, ours := strings.CutPrefix(e.kind, "response.")
	switch name {
	case "created", "in_progress", "queued":
		d.about(e.response)
	case "output_item.added":
		d.begin(e.item, e.content, ev)
	case "output_item.done":
		d.item(e.item, e.content, ev)
	case "completed", "incomplete", "failed", "cancelled":
		return d.end(name, e.response, ev)
	case "error":
		v := e.err
		if kindOf(v) != '{' {
			v = e.data
		}
		return d.broke(v)
	default:
		if e.err != nil && !ours && kindOf(e.err) == '{' {
			return d.broke(e.err)
		}
		d.piece(name, e, ev)
	}
	return nil
}

// broke is the error that an upstream sends where an answer should be, in the form
// that it would have as a whole.
func (d *responsesDecoder) broke(v []byte) error {
	p := pen{}
	p.open('{')
	p.key("error")
	p.raw(v)
	p.shut('}')
	return saidInStream(starling.Responses, p.b, v)
}

// about reads who answers.
func (d *responsesDecoder) about(response []byte) {
	for m := enter(response); m.next(); {
		switch string(m.key) {
		case "id":
			d.id = keep(d.id, m.value)
		case "model":
			d.model = keep(d.model, m.value)
		case "service_tier":
			d.tier = keep(d.tier, m.value)
		}
	}
}

// piece reads an event about a text: more of it, or all of it.
func (d *responsesDecoder) piece(name string, e *responsesEvent, ev *starling.Event) {
	defer d.probable(ev, len(ev.Deltas), e.logprobs)
	what, how, _ := strings.Cut(name, ".")
	kind, known := responsesTexts[what]
	switch {
	case !known:
	case how == "delta":
		if kind == starling.CallPart {
			d.more(d.call(e.item, text(e.id)), e.delta, ev)
		} else {
			d.more(d.open(e.item, e.part, kind), e.delta, ev)
		}
	case how == "done" && kind == starling.CallPart:
		d.rest(d.call(e.item, text(e.id)), e.is, ev)
	case how == "done" && kind == starling.ReasoningPart:
		d.reasons(e.item, e.part, e.is, ev)
	case how == "done":
		d.rest(d.open(e.item, e.part, kind), e.is, ev)
	}
}

// probable gives a text that was told its tokens.
func (d *responsesDecoder) probable(ev *starling.Event, before int, logprobs []byte) {
	if d.deltas && len(ev.Deltas) > before { // what was told before has its own
		d.probs.add(ev, before, tokensOf(logprobs))
	}
}

// find returns the youngest block of an item's part, -1 if there is none.
func (d *responsesDecoder) find(item, part int64, kind starling.PartKind) int {
	for i := len(d.blocks) - 1; i >= 0; i-- {
		if b := &d.blocks[i]; b.item == item && b.kind == kind && (b.part == part || kind == starling.ReasoningPart) {
			return i
		}
	}
	return -1
}

// open returns the block of a part, a new one if need be. Parts of reasoning are
// paragraphs of one block.
func (d *responsesDecoder) open(item, part int64, kind starling.PartKind) int {
	i := d.find(item, part, kind)
	if i < 0 {
		d.blocks = append(d.blocks, responsesBlock{item: item, part: part, kind: kind, last: part})
		i = len(d.blocks) - 1
	}
	return i
}

// call returns the block of a call: by the id of its item, where servers number all
// of them alike.
func (d *responsesDecoder) call(item int64, id string) int {
	for i := len(d.blocks) - 1; i >= 0 && id != ""; i-- {
		if d.blocks[i].kind == starling.CallPart && d.blocks[i].id == id {
			return i
		}
	}
	return d.open(item, 0, starling.CallPart)
}

// more tells a piece of a block.
func (d *responsesDecoder) more(i int, v []byte, ev *starling.Event) {
	n := textLength(v)
	if n == 0 {
		return
	}
	d.tell(i, starling.Delta{}, v, ev)
	d.blocks[i].told += n
}

// tell tells of a block, with the text v.
func (d *responsesDecoder) tell(i int, piece starling.Delta, v []byte, ev *starling.Event) {
	ev.Bytes += textLength(v)
	if d.deltas {
		piece.Kind, piece.Block, piece.Text = d.blocks[i].kind, i, text(v)
		ev.Deltas = append(ev.Deltas, piece)
	}
}

// rest tells all of a block, unless some of it was told.
func (d *responsesDecoder) rest(i int, v []byte, ev *starling.Event) {
	if d.blocks[i].told == 0 {
		d.more(i, v, ev)
	}
}

// reasons tells a part of reasoning that nothing was told of.
func (d *responsesDecoder) reasons(item, part int64, v []byte, ev *starling.Event) {
	i := d.open(item, part, starling.ReasoningPart)
	if d.blocks[i].told == 0 || part > d.blocks[i].last {
		d.more(i, v, ev)
		d.blocks[i].last = part
	}
}

// begin reads the beginning of an item. That of a call has its name.
func (d *responsesDecoder) begin(item int64, v []byte, ev *starling.Event) {
	switch text(field(v, "type")) {
	case "function_call", "custom_tool_call":
		d.named(item, v, ev)
	}
}

// named opens the block of a call, unless it is open, and tells its name once.
func (d *responsesDecoder) named(item int64, v []byte, ev *starling.Event) int {
	id := text(field(v, "id"))
	i := d.find(item, 0, starling.CallPart)
	if i < 0 || id != "" && d.blocks[i].id != "" && d.blocks[i].id != id {
		d.blocks = append(d.blocks, responsesBlock{item: item, kind: starling.CallPart})
		i = len(d.blocks) - 1
	}
	if b := &d.blocks[i]; !b.named {
		b.named, b.id, d.calls = true, id, true
		d.tell(i, starling.Delta{ID: text(field(v, "call_id")), Name: flatName(text(field(v, "namespace")), text(field(v, "name")))}, nil, ev)
	}
	return i
}

// item reads a whole item, and tells what was not told of it.
func (d *responsesDecoder) item(item int64, v []byte, ev *starling.Event) {
	switch text(field(v, "type")) {
	case "message":
		part := int64(0)
		for m := enter(field(v, "content")); m.next(); part++ {
			if said := field(m.value, "text"); said != nil {
				before := len(ev.Deltas)
				d.rest(d.open(item, part, starling.TextPart), said, ev)
				d.probable(ev, before, field(m.value, "logprobs"))
			} else if said := field(m.value, "refusal"); said != nil {
				d.rest(d.open(item, part, starling.RefusalPart), said, ev)
			}
		}
	case "reasoning":
		d.thought(item, v, ev)
	case "function_call":
		d.rest(d.named(item, v, ev), appendString(nil, callText(field(v, "arguments"))), ev)
	case "custom_tool_call":
		d.rest(d.named(item, v, ev), appendString(nil, customArguments(text(field(v, "input")))), ev)
	case "web_search_call":
		d.searches++
	}
}

// thought reads a whole item of reasoning: its own words, or a summary of them. Its
// encrypted content is for this dialect's own model alone, so it passes raw, or not
// at all.
func (d *responsesDecoder) thought(item int64, v []byte, ev *starling.Event) {
	if d.find(item, 0, starling.ReasoningPart) >= 0 {
		return
	}
	for _, name := range [...]string{"content", "summary"} {
		if all := field(v, name); kindOf(all) == '[' && !isEmpty(all) {
			d.rest(d.open(item, 0, starling.ReasoningPart), appendString(nil, Text(all)), ev)
			return
		}
	}
}

// end reads the end of a response, with everything in it that was not told.
func (d *responsesDecoder) end(name string, response []byte, ev *starling.Event) error {
	d.about(response)
	if name == "failed" || name == "cancelled" {
		return d.broke(field(response, "error"))
	}
	if len(d.blocks) == 0 {
		i := int64(0)
		for m := enter(field(response, "output")); m.next(); i++ {
			d.item(i, m.value, ev)
		}
	}
	d.finish(name, response, ev)
	d.done = true
	return io.EOF
}

func (d *responsesDecoder) finish(status string, response []byte, ev *starling.Event) {
	ev.Usage = responsesUsage(field(response, "usage"), d.tier, d.searches)
	ev.Finish = starling.Stopped
	switch reason := text(field(field(response, "incomplete_details"), "reason")); {
	case status == "completed" && d.calls:
		ev.Finish = starling.ToolUse
	case status == "completed":
	case reason == "max_output_tokens":
		ev.Finish = starling.Length
	case reason == "content_filter":
		ev.Finish = starling.Filtered
	default:
		ev.Finish = starling.OtherStop
	}
}

// body reads a whole response.
func (d *responsesDecoder) body(b []byte, ev *starling.Event) error {
	if !valid(b) {
		return errNotJSON
	}
	if e := field(b, "error"); kindOf(e) == '{' {
		return saidInStream(starling.Responses, b, e)
	}
	if kindOf(field(b, "output")) != '[' {
		return errShape
	}
	status := text(field(b, "status"))
	if status == "" {
		status = "completed"
	}
	if err := d.end(status, b, ev); err != io.EOF {
		return err
	}
	ev.ID, ev.Model = d.id, d.model
	if len(d.blocks) > mostBlocks {
		return errTooLong
	}
	return nil
}

// responsesUsage reads usage, nil if v is none. What was read from and written to a
// prompt cache is a part of input_tokens, reasoning one of output_tokens.
func responsesUsage(v []byte, tier string, searches int64) *starling.Usage {
	if kindOf(v) != '{' {
		return nil
	}
	u := &starling.Usage{Tier: tier, Searches: searches}
	var input int64
	for m := enter(v); m.next(); {
		switch string(m.key) {
		case "input_tokens":
			input = tokens(m.value)
		case "output_tokens":
			u.Output = tokens(m.value)
		case "input_tokens_details":
			u.CacheRead = tokens(field(m.value, "cached_tokens"))
			u.CacheWrite = tokens(field(m.value, "cache_write_tokens"))
		case "output_tokens_details":
			u.Reasoning = tokens(field(m.value, "reasoning_tokens"))
		}
	}
	if u.Input = input - u.CacheRead - u.CacheWrite; u.Input < 0 {
		u.Input = input // they are counted outside, as Anthropic does
	}
	if u.TotalInput()+u.Output == 0 {
		return nil // nobody counted
	}
	return u
}
