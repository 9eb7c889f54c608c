package wire

import (
	"errors"
	"math/bits"

	"starling"
)

func (gemini) decoder(o ReadOptions) decoder {
	return &geminiDecoder{deltas: o.Deltas, raw: o.Raw, choices: o.Choices}
}

// geminiDecoder reads the chunks of a stream, or a whole answer, which has the form
// of one chunk. Of several candidates only the first is told in deltas; all of them
// must finish.
type geminiDecoder struct {
	deltas    bool
	raw       bool  // the caller hears the upstream's own words
	choices   int64 // that were asked for
	scanner   scanner
	id, model string
	searches  int64
	probs     probable

	blocks int // that appeared so far
	last   starling.PartKind
	called bool

	seen, finished [mostChoices/64 + 1]uint64 // bits: candidates by index
	blocked        bool                       // the prompt was refused: nothing else comes
}

// ended: there is no mark of the end. Every candidate tells why it ended.
func (d *geminiDecoder) ended() bool {
	finished := 0
	for _, word := range d.finished {
		finished += bits.OnesCount64(word)
	}
	return d.blocked || finished > 0 && d.seen == d.finished && int64(finished) >= d.choices
}

func (d *geminiDecoder) event(b block, ev *starling.Event) error {
	defer func() { ev.ID, ev.Model = d.id, d.model }()
	if len(b.data) == 0 {
		return nil
	}
	if err := d.chunk(b.data, ev); err != errNotJSON || d.deltas {
		return err
	}
	return nil // it passes as it is: what it means is between upstream and caller
}

func (d *geminiDecoder) chunk(data []byte, ev *starling.Event) error {
	top, f := d.scanner.members(data)
	if f != "" || kindOf(data) != '{' {
		return errNotJSON
	}
	var usage, candidates []byte
	for _, m := range top {
		switch snake(string(m.key)) {
		case "response_id":
			d.id = keep(d.id, m.value)
		case "model_version":
			d.model = keep(d.model, m.value)
		case "candidates":
			candidates = m.value
		case "usage_metadata":
			usage = m.value
		case "prompt_feedback":
			if textLength(geminiField(m.value, "block_reason")) > 0 {
				d.blocked, ev.Finish = true, starling.Filtered
			}
		case "error":
			if len(m.value) > 2 && kindOf(m.value) != 'n' {
				return saidInStream(starling.Gemini, data, m.value)
			}
		}
	}
	for m := enter(candidates); m.next(); {
		if err := d.candidate(m.value, ev); err != nil {
			return err
		}
	}
	ev.Usage = geminiUsage(usage, d.searches)
	return nil
}

func (d *geminiDecoder) candidate(v []byte, ev *starling.Event) error {
	var index int64
	var content, finish, logprobs []byte
	for m := enter(v); m.next(); {
		switch snake(m.name()) {
		case "index":
			index = min(max(tokens(m.value), 0), mostChoices-1)
		case "content":
			content = m.value
		case "finish_reason":
			finish = m.value
		case "logprobs_result":
			logprobs = m.value
		case "grounding_metadata":
			d.searches = max(d.searches, int64(count(geminiField(m.value, "web_search_queries"))))
		}
	}
	d.seen[index/64] |= 1 << (index % 64)
	before := len(ev.Deltas)
	for m := enter(field(content, "parts")); m.next(); {
		if d.blocks > mostBlocks {
			return errTooLong
		}
		d.part(m.value, index == 0, ev)
	}
	if index == 0 && d.deltas && logprobs != nil {
		d.probs.add(ev, before, geminiTokens(logprobs))
	}
	reason := text(finish)
	if reason == "" || reason == "FINISH_REASON_UNSPECIFIED" {
		return nil
	}
	d.finished[index/64] |= 1 << (index % 64)
	if index == 0 || ev.Finish == "" {
		ev.Finish = d.finish(reason)
	}
	if isBadCall(reason) && !d.raw {
		return errBadCall
	}
	return nil
}

// geminiTokens reads the tokens that were chosen, and those that could have been.
func geminiTokens(v []byte) (all []starling.Token) {
	token := func(v []byte) starling.Token {
		return starling.Token{Text: text(field(v, "token")), Logprob: logprobOf(geminiField(v, "log_probability"))}
	}
	for m := enter(geminiField(v, "chosen_candidates")); m.next(); {
		all = append(all, token(m.value))
	}
	i := 0
	for m := enter(geminiField(v, "top_candidates")); m.next() && i < len(all); i++ {
		for c := enter(field(m.value, "candidates")); c.next(); {
			all[i].Top = append(all[i].Top, token(c.value))
		}
	}
	return all
}

// errBadCall ends an answer in which the model meant to call a tool and failed to.
// Its dialect calls that a reason to finish; a caller of another one would take the
// turn for done.
var errBadCall = errors.New("the model wrote a call that its vendor could not read")

func isBadCall(reason string) bool {
	return reason == "MALFORMED_FUNCTION_CALL" || reason == "UNEXPECTED_TOOL_CALL" || reason == "MALFORMED_RESPONSE" || reason == "MISSING_THOUGHT_SIGNATURE"
}

// finish translates the reason. Here a model that waits for a tool has stopped.
func (d *geminiDecoder) finish(reason string) starling.Finish {
	switch reason {
	case "STOP":
		if d.called {
			return starling.ToolUse
		}
		return starling.Stopped
	case "MAX_TOKENS":
		return starling.Length
	case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		return starling.Filtered
	}
	return starling.OtherStop
}

// part reads a part. Its signature is its model's own (gemini_marks.go).
func (d *geminiDecoder) part(v []byte, first bool, ev *starling.Event) {
	var said, call []byte
	kind := starling.TextPart
	for m := enter(v); m.next(); {
		switch snake(m.name()) {
		case "text":
			said = m.value
		case "thought":
			if kindOf(m.value) == 't' {
				kind = starling.ReasoningPart
			}
		case "function_call":
			call = m.value
		}
	}
	if kindOf(call) == '{' {
		d.call(call, first, ev)
	}
	n := textLength(said)
	if n == 0 {
		return
	}
	ev.Bytes += n
	if !first {
		return
	}
	if d.last != kind {
		d.last = kind
		d.blocks++
	}
	if d.deltas {
		ev.Deltas = append(ev.Deltas, starling.Delta{Kind: kind, Block: d.blocks - 1, Text: text(said)})
	}
}

// call reads a call, which is always whole here.
func (d *geminiDecoder) call(v []byte, first bool, ev *starling.Event) {
	args := field(v, "args")
	if kindOf(args) != '{' {
		args = []byte("{}")
	}
	ev.Bytes += len(args)
	if !first {
		return
	}
	d.called = true
	d.blocks++
	d.last = starling.CallPart
	if d.deltas {
		ev.Deltas = append(ev.Deltas, starling.Delta{Kind: starling.CallPart, Block: d.blocks - 1, ID: text(field(v, "id")), Name: text(field(v, "name")), Text: wellFormed(string(args))})
	}
}

// body reads a whole answer.
func (d *geminiDecoder) body(b []byte, ev *starling.Event) error {
	if err := d.chunk(b, ev); err != nil {
		return err
	}
	if d.seen[0] == 0 && !d.blocked {
		return errShape
	}
	ev.ID, ev.Model = d.id, d.model
	return nil
}

// geminiUsage reads usage, nil if v is none. In this dialect what was read from a
// prompt cache is a part of the prompt, and thoughts stand beside the candidates.
func geminiUsage(v []byte, searches int64) *starling.Usage {
	if kindOf(v) != '{' {
		return nil
	}
	u := &starling.Usage{Searches: searches}
	var prompt, own, total int64
	for m := enter(v); m.next(); {
		switch snake(m.name()) {
		case "prompt_token_count":
			prompt = tokens(m.value)
		case "tool_use_prompt_token_count":
			own = tokens(m.value)
		case "cached_content_token_count":
			u.CacheRead = tokens(m.value)
		case "candidates_token_count":
			u.Output += tokens(m.value)
		case "thoughts_token_count":
			u.Reasoning = tokens(m.value)
			u.Output += u.Reasoning
		case "total_token_count":
			total = tokens(m.value)
		case "service_tier":
			u.Tier = keep(u.Tier, m.value)
		}
	}
	u.Input = max(prompt-u.CacheRead, 0) + own
	u.Output = max(u.Output, total-prompt-own)
	if u.TotalInput()+u.Output == 0 {
		return nil // nobody counted
	}
	return u
}
