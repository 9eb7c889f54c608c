package wire

import "starling"

func (completions) renderer(o WriterOptions) renderer {
	r := &completionsRenderer{openAIRenderer{o: o, usage: o.Request.WantUsage}}
	h := pen{b: []byte("data: ")}
	h.open('{')
	r.identity(&h, "text_completion")
	r.head = h.b
	return r
}

// completionsRenderer writes chunks, which have the same object as a whole answer.
// Thoughts have no place here and are no part of the text; they are in its usage.
type completionsRenderer struct{ openAIRenderer }

func (r *completionsRenderer) delta(p *pen, d *starling.Delta) error {
	switch {
	case d.Kind == starling.CallPart:
		return errNoTools
	case d.Kind != starling.ReasoningPart && d.Text != "":
		r.piece(p, d.Text, "")
	}
	return nil
}

// piece writes a chunk with more of the text.
func (r *completionsRenderer) piece(p *pen, said, finish string) {
	r.open(p)
	r.choice(p, said, finish)
	if r.usage {
		p.key("usage")
		p.raw(nil)
	}
	r.shut(p)
}

func (r *completionsRenderer) choice(p *pen, said, finish string) {
	p.key("choices")
	p.open('[')
	p.open('{')
	p.pairs("text", said)
	p.ints(tally{"index", 0})
	p.key("logprobs")
	p.raw(nil)
	p.key("finish_reason")
	if finish == "" {
		p.raw(nil)
	} else {
		p.string(finish)
	}
	p.shut('}')
	p.shut(']')
}

func (r *completionsRenderer) end(p *pen, e ending) error {
	r.piece(p, "", completionsFinish(e.finish))
	r.counted(p, e)
	p.b = append(p.b, openAIDone...)
	return nil
}

func (r *completionsRenderer) body(p *pen, g *gathered, e ending) error {
	if len(g.calls()) > 0 {
		return errNoTools
	}
	p.open('{')
	r.identity(p, "text_completion")
	r.choice(p, g.text(starling.TextPart)+g.text(starling.RefusalPart), completionsFinish(e.finish))
	if e.usage != nil {
		r.count(p, e.usage)
	}
	p.shut('}')
	return nil
}

// completionsFinish is openAIFinish where there are no calls.
func completionsFinish(f starling.Finish) string {
	if f == starling.ToolUse {
		f = starling.Stopped
	}
	return openAIFinish(f, false)
}
