package wire

import (
	"bytes"

	"starling"
)

func (gemini) renderer(o WriterOptions) renderer {
	return &geminiRenderer{o: o, array: o.Request.Array, thoughts: wantsThoughts(o.Request.Body)}
}

// wantsThoughts reports whether a body asks to be told what the model thinks. A
// client that did not would take thoughts for the answer.
func wantsThoughts(body []byte) bool {
	if !bytes.Contains(body, []byte("houghts")) || !valid(body) {
		return false
	}
	config := geminiField(geminiField(body[skipSpace(body, 0):], "generation_config"), "thinking_config")
	return kindOf(geminiField(config, "include_thoughts")) == 't'
}

// geminiRenderer writes chunks, or a whole answer, which has the form of one chunk.
//
// In this dialect a call is told whole. Other dialects tell calls in pieces, and
// several at once, so what comes from the first call on waits for the end.
type geminiRenderer struct {
	o        WriterOptions
	array    bool // the chunks are elements of an array
	thoughts bool // they are asked for
	begun    bool // what stands before the next chunk is written, or before all
	some     bool // a chunk is
	refused  bool // a part of the answer was a refusal
	waiting  gathered
}

// pass: the upstream is always asked for events, whatever the caller wants. Comments
// do not pass: Google sends none, and its client for Go takes one for an error.
func (r *geminiRenderer) pass(raw []byte) []byte {
	data := parse(raw).data
	if len(data) == 0 {
		return nil
	}
	if !r.array && !r.begun {
		return raw
	}
	p := pen{}
	r.chunk(&p, data)
	return p.b
}

func (r *geminiRenderer) passed(p *pen) { r.over(p) }

// idle writes white space where the next chunk will stand. Google's clients read neither
// comments nor blank lines between events.
func (r *geminiRenderer) idle(p *pen) {
	r.begin(p)
	p.b = append(p.b, ' ')
}

// begin writes what stands before a chunk, unless it is there: the name of its field,
// or the bracket of the array.
func (r *geminiRenderer) begin(p *pen) {
	switch {
	case r.begun:
	case r.array:
		p.b = append(p.b, "[\n"...)
	default:
		p.b = append(p.b, dataField...)
	}
	r.begun = true
}

// open starts a chunk, shut ends it.
func (r *geminiRenderer) open(p *pen) {
	r.begin(p)
	if r.array && r.some {
		p.b = append(p.b, ",\n"...)
	}
	r.some = true
}

func (r *geminiRenderer) shut(p *pen) {
	if !r.array {
		p.b = append(p.b, "\n\n"...)
		r.begun = false
	}
}

// chunk writes a chunk that is there as a whole.
func (r *geminiRenderer) chunk(p *pen, data []byte) {
	r.open(p)
	if r.array {
		p.b = append(p.b, data...)
		return
	}
	p.b = append(p.b, appendData(nil, data)[len(dataField):]...)
	r.begun = false
}

// over ends the array.
func (r *geminiRenderer) over(p *pen) {
	switch {
	case !r.array:
	case r.begun:
		p.b = append(p.b, "\n]\n"...)
	default:
		p.b = append(p.b, "[]\n"...)
	}
}

func (r *geminiRenderer) delta(p *pen, d *starling.Delta) error {
	switch {
	case d.Kind == starling.ReasoningPart && !r.thoughts:
	case d.Kind == starling.CallPart || len(r.waiting.blocks) > 0:
		r.waiting.add(d)
	case d.Text == "": // a signature, which belongs to another model
	default:
		r.open(p)
		r.answer(p, d.Tokens, func() { r.text(p, d.Kind, d.Text) }, nil)
		r.shut(p)
	}
	return nil
}

// answer writes one chunk with the parts that inside writes, the tokens of their text,
// and the ending on the last one.
func (r *geminiRenderer) answer(p *pen, tokens []starling.Token, inside func(), e *ending) {
	p.open('{')
	p.key("candidates")
	p.open('[')
	p.open('{')
	p.key("content")
	p.open('{')
	p.key("parts")
	p.open('[')
	inside()
	p.shut(']')
	p.pairs("role", "model")
	p.shut('}')
	if e != nil {
		finish := e.finish
		if r.refused && (finish == starling.Stopped || finish == "") { // there is no other way to say so
			finish = starling.Filtered
		}
		p.pairs("finishReason", geminiFinish(finish))
	}
	geminiProbs(p, tokens)
	p.key("index")
	p.int(0)
	p.shut('}')
	p.shut(']')
	if e != nil && e.usage != nil {
		geminiCount(p, e.usage)
	}
	p.pairs("modelVersion", r.o.Model, "responseId", r.o.ID)
	p.shut('}')
}

// geminiProbs writes tokens in this dialect's two lists, if they are known.
func geminiProbs(p *pen, tokens []starling.Token) {
	if len(tokens) == 0 {
		return
	}
	list := func(all []starling.Token) {
		p.open('[')
		for i := range all {
			p.open('{')
			p.pairs("token", all[i].Text)
			p.key("logProbability")
			p.float(writable(all[i].Logprob))
			p.shut('}')
		}
		p.shut(']')
	}
	p.key("logprobsResult")
	p.open('{')
	p.key("chosenCandidates")
	list(tokens)
	p.key("topCandidates")
	p.open('[')
	for i := range tokens {
		p.open('{')
		p.key("candidates")
		list(tokens[i].Top)
		p.shut('}')
	}
	p.shut(']')
	p.shut('}')
}

// text writes a part of text. Thoughts are marked as another model's.
func (r *geminiRenderer) text(p *pen, kind starling.PartKind, s string) {
	r.refused = r.refused || kind == starling.RefusalPart
	p.open('{')
	p.pairs("text", s)
	if kind == starling.ReasoningPart {
		p.key("thought")
		p.bool(true)
		p.pairs("thoughtSignature", geminiMark)
	}
	p.shut('}')
}

// end writes what waited, and why the answer ended. Some clients want a part in
// every chunk.
func (r *geminiRenderer) end(p *pen, e ending) error {
	var err error
	start, begun, some := len(p.b), r.begun, r.some
	r.open(p)
	r.answer(p, r.waiting.tokens(), func() {
		if err = r.blocks(p, &r.waiting, e.finish); len(r.waiting.blocks) == 0 {
			r.text(p, starling.TextPart, "")
		}
	}, &e)
	if err != nil {
		p.b, r.begun, r.some = p.b[:start], begun, some
		return err
	}
	r.shut(p)
	r.over(p)
	return nil
}

// blocks writes an answer's blocks as parts. A call whose arguments are no object
// cannot be said, unless it was cut off by the limit, as the caller is told: then it
// is left out.
func (r *geminiRenderer) blocks(p *pen, g *gathered, finish starling.Finish) (err error) {
	calls := 0
	for i, b := range g.blocks {
		if b.kind != starling.CallPart {
			if b.said.Len() > 0 && (r.thoughts || b.kind != starling.ReasoningPart) {
				r.text(p, b.kind, b.said.String())
			}
			continue
		}
		args, ok := argumentObject(b.said.String())
		switch {
		case !ok && finish == starling.Length:
			continue
		case !ok:
			err = errArguments
		}
		r.call(p, b, i, args, calls == 0)
		calls++
	}
	return err
}

// call writes a call. The first one has the signature of all, as Google writes it.
func (r *geminiRenderer) call(p *pen, b *piece, n int, args []byte, first bool) {
	id := b.id
	if id == "" {
		id = ownID("call", r.o.ID, n)
	}
	p.open('{')
	p.key("functionCall")
	p.open('{')
	p.pairs("id", id, "name", b.name)
	p.key("args")
	p.raw(args)
	p.shut('}')
	if first {
		p.pairs("thoughtSignature", geminiMark)
	}
	p.shut('}')
}

// geminiFinish is the table of finish reasons.
func geminiFinish(f starling.Finish) string {
	switch f {
	case starling.Length, starling.Overfull:
		return "MAX_TOKENS"
	case starling.Filtered:
		return "SAFETY"
	case starling.OtherStop, starling.Paused:
		return "OTHER"
	}
	return "STOP"
}

// geminiCount writes usage in this dialect's convention: the caches are a part of
// the prompt, and thoughts stand beside the candidates.
func geminiCount(p *pen, u *starling.Usage) {
	p.key("usageMetadata")
	p.open('{')
	p.ints(tally{"promptTokenCount", u.TotalInput()}, tally{"candidatesTokenCount", u.Output - min(u.Reasoning, u.Output)}, tally{"totalTokenCount", u.TotalInput() + u.Output})
	if u.CacheRead > 0 {
		p.ints(tally{"cachedContentTokenCount", u.CacheRead})
	}
	if u.Reasoning > 0 {
		p.ints(tally{"thoughtsTokenCount", min(u.Reasoning, u.Output)})
	}
	p.shut('}')
}

func (r *geminiRenderer) body(p *pen, g *gathered, e ending) (err error) {
	r.answer(p, g.tokens(), func() { err = r.blocks(p, g, e.finish) }, &e)
	return err
}

// broke writes the error as the last chunk.
func (r *geminiRenderer) broke(p *pen, body []byte) {
	r.chunk(p, body)
	r.over(p)
}
