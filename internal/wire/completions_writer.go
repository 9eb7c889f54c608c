package wire

import (
	"unicode/utf8"

	"starling"
)

func (completions) renderer(o WriterOptions) renderer {
	r := &completionsRenderer{openAIRenderer: openAIRenderer{o: o, usage: o.Request.WantUsage}}
	h := pen{b: []byte("data: ")}
	h.open('{')
	r.identity(&h, "text_completion")
	r.head = h.b
	return r
}

// completionsRenderer writes chunks, which have the same object as a whole answer.
// Thoughts have no place here and are no part of the text; they are in its usage.
type completionsRenderer struct {
	openAIRenderer
	at []int // where in the text of each choice the next token stands, in characters
}

func (r *completionsRenderer) delta(p *pen, d *starling.Delta) error {
	switch {
	case d.Kind == starling.CallPart:
		return errNoTools
	case d.Finish != "":
		r.choice(d.Choice).over = true
		r.piece(p, d.Choice, "", nil, completionsFinish(d.Finish))
	case d.Kind != starling.ReasoningPart && d.Text != "":
		r.piece(p, d.Choice, d.Text, d.Tokens, "")
	}
	return nil
}

// piece writes a chunk with more of the text.
func (r *completionsRenderer) piece(p *pen, choice int, said string, tokens []starling.Token, finish string) {
	r.open(p)
	p.key("choices")
	p.open('[')
	r.one(p, choice, said, tokens, finish)
	p.shut(']')
	if r.usage {
		p.key("usage")
		p.raw(nil)
	}
	r.shut(p)
}

func (r *completionsRenderer) one(p *pen, choice int, said string, tokens []starling.Token, finish string) {
	p.open('{')
	p.pairs("text", said)
	p.ints(tally{"index", int64(choice)})
	r.logprobs(p, choice, tokens)
	p.key("finish_reason")
	if finish == "" {
		p.raw(nil)
	} else {
		p.string(finish)
	}
	p.shut('}')
}

// logprobs writes the tokens in this dialect's four lists, null for none. What could
// have been said is an object by its text, in which what was said is too.
func (r *completionsRenderer) logprobs(p *pen, choice int, tokens []starling.Token) {
	p.key("logprobs")
	if len(tokens) == 0 {
		p.raw(nil)
		return
	}
	for len(r.at) <= choice {
		r.at = append(r.at, 0)
	}
	list := func(name string, write func(t *starling.Token)) {
		p.key(name)
		p.open('[')
		for i := range tokens {
			write(&tokens[i])
		}
		p.shut(']')
	}
	p.open('{')
	list("tokens", func(t *starling.Token) { p.string(t.Text) })
	list("token_logprobs", func(t *starling.Token) { p.float(writable(t.Logprob)) })
	list("top_logprobs", func(t *starling.Token) { byText(p, t) })
	list("text_offset", func(t *starling.Token) {
		p.int(int64(r.at[choice]))
		r.at[choice] += utf8.RuneCountInString(t.Text)
	})
	p.shut('}')
}

func byText(p *pen, t *starling.Token) {
	told := map[string]bool{}
	p.open('{')
	for _, one := range append(t.Top[:len(t.Top):len(t.Top)], *t) {
		if name := wellFormed(one.Text); !told[name] {
			told[name] = true
			p.key(name)
			p.float(writable(one.Logprob))
		}
	}
	p.shut('}')
}

func (r *completionsRenderer) end(p *pen, e ending) error {
	r.choice(0)
	for i := range r.choices {
		if !r.choices[i].over {
			r.piece(p, i, "", nil, completionsFinish(e.finish))
		}
	}
	r.counted(p, e)
	p.b = append(p.b, openAIDone...)
	return nil
}

func (r *completionsRenderer) body(p *pen, g *gathered, e ending) error {
	p.open('{')
	r.identity(p, "text_completion")
	p.key("choices")
	p.open('[')
	for i, c := range g.choices(e.finish) {
		if len(c.calls()) > 0 {
			return errNoTools
		}
		r.one(p, i, c.text(starling.TextPart)+c.text(starling.RefusalPart), c.tokens(), completionsFinish(c.finish))
	}
	p.shut(']')
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
