package wire

// ourMark stands for the signature of thoughts that a model of another dialect
// had. Clients send thoughts back with their signature, and an upstream that did
// not sign them refuses the whole conversation; by the mark they are found and
// taken out again.
const ourMark = "starling-unsigned"

// withoutOurThoughts takes the thoughts under our mark out of a request's
// messages. A message that has nothing else is taken out with them.
func withoutOurThoughts(body []byte, o *outgoing) []byte {
	if !Mentions(body, `"`+ourMark+`"`) {
		return body
	}
	at, end := locate(body, "messages")
	if at == end {
		return body
	}
	kept, cut := filtered(body[at:end], func(message []byte) []byte {
		content := field(message, "content")
		from, to := locate(message, "content")
		rest, cut := filtered(content, func(block []byte) []byte {
			if text(field(block, "signature")) == ourMark {
				return nil
			}
			return block
		})
		switch {
		case !cut:
			return message
		case isEmpty(rest):
			return nil
		}
		return edited(message, edit{from, to, string(rest)})
	})
	if !cut {
		return body
	}
	o.leave("thinking")
	return edited(body, edit{at, end, string(kept)})
}

// filtered returns an array with each element replaced by what f makes of it, nil
// for nothing, and whether that changed any.
func filtered(array []byte, f func(element []byte) []byte) (out []byte, changed bool) {
	p := pen{}
	p.open('[')
	for m := enter(array); m.next(); {
		v := f(m.value)
		changed = changed || len(v) != len(m.value)
		if v != nil {
			p.raw(v)
		}
	}
	p.shut(']')
	return p.b, changed
}

// leastBudget is the least that thinking may be allowed in tokens.
const leastBudget = 1024

// budget says how long to think to a model that knows no levels. It must leave some
// of the output limit for the answer.
func (w *anthropicRequest) budget() {
	c, p := w.chat, w.pen
	switch {
	case c.ThinkTokens == 0 || c.Effort == "" && hasEffort(w.model.Name): // nothing to say, or said as a level
	case c.Effort != "" || c.ThinkTokens < leastBudget || c.ThinkTokens >= c.MaxTokens || !w.mayThink():
		w.leave("thinking.budget_tokens")
	default:
		p.key("thinking")
		p.open('{')
		p.pairs("type", "enabled")
		p.ints(tally{"budget_tokens", c.ThinkTokens})
		p.shut('}')
	}
}
