package wire

import (
	"errors"
	"time"

	"starling"
)

func (ollama) renderer(o WriterOptions) renderer {
	return &ollamaRenderer{o: o, dialect: starling.Ollama}
}

// ollamaRenderer writes lines, or a whole answer, in either of Ollama's dialects.
// Calls are told whole, so they wait for the end. A refusal is text: there is no
// other word for it.
type ollamaRenderer struct {
	o       WriterOptions
	dialect starling.Dialect
	head    []byte    // what every line starts with
	calls   gathered  // told at the end
	first   time.Time // when the first piece was told; zero if there is no clock
}

func (r *ollamaRenderer) pass(raw []byte) []byte { return raw }

func (r *ollamaRenderer) passed(*pen) {}

// idle writes white space before the next line's object: clients take a line that is
// blank for one that is broken.
func (r *ollamaRenderer) idle(p *pen) { p.b = append(p.b, ' ') }

// errNoTools is a call in an answer to a question that cannot offer tools.
var errNoTools = &starling.Error{Kind: starling.Refused, Op: "read answer", Err: errors.New("the upstream called a tool, and none was offered"), Billed: true}

func (r *ollamaRenderer) delta(p *pen, d *starling.Delta) error {
	if r.first.IsZero() && r.o.Now != nil {
		r.first = r.o.Now()
	}
	switch {
	case d.Kind == starling.CallPart && r.dialect == starling.Generate:
		return errNoTools
	case d.Kind == starling.CallPart:
		r.calls.add(d)
	case d.Text == "": // a signature, which has no place here
	case d.Kind == starling.ReasoningPart:
		r.line(p, "", d.Text, nil)
	default:
		r.line(p, d.Text, "", d.Tokens)
	}
	return nil
}

// line writes one line that is not the last.
func (r *ollamaRenderer) line(p *pen, said, thought string, tokens []starling.Token) {
	r.open(p)
	_ = r.message(p, said, thought, nil, starling.Stopped) // without calls nothing is wrong
	r.probable(p, tokens)
	p.key("done")
	p.bool(false)
	r.shut(p)
}

// probable writes the tokens of a text, if they are known.
func (r *ollamaRenderer) probable(p *pen, tokens []starling.Token) {
	if len(tokens) > 0 {
		p.key("logprobs")
		p.tokens(tokens)
	}
}

func (r *ollamaRenderer) open(p *pen) {
	if r.head == nil {
		h := pen{}
		h.open('{')
		h.pairs("model", r.o.Model, "created_at", r.o.Created.UTC().Format(time.RFC3339Nano))
		r.head = h.b
	}
	p.b = append(p.b, r.head...)
}

func (r *ollamaRenderer) shut(p *pen) {
	p.shut('}')
	p.b = append(p.b, '\n')
}

// message writes what was said. Arguments that are no object cannot be said, unless
// the limit cut them off, as the caller is told.
func (r *ollamaRenderer) message(p *pen, said, thought string, calls []starling.ToolCall, f starling.Finish) (err error) {
	if r.dialect == starling.Generate {
		p.pairs("response", said)
		if thought != "" {
			p.pairs("thinking", thought)
		}
		return nil
	}
	p.key("message")
	p.open('{')
	p.pairs("role", "assistant", "content", said)
	if thought != "" {
		p.pairs("thinking", thought)
	}
	if len(calls) > 0 {
		p.key("tool_calls")
		p.open('[')
		for i := range calls {
			if !r.call(p, i, &calls[i]) && f != starling.Length {
				err = errArguments
			}
		}
		p.shut(']')
	}
	p.shut('}')
	return err
}

func (r *ollamaRenderer) call(p *pen, i int, c *starling.ToolCall) (ok bool) {
	arguments, ok := argumentObject(c.Arguments)
	id := c.ID
	if id == "" {
		id = ownID("call", r.o.ID, i)
	}
	p.open('{')
	p.pairs("id", id)
	p.key("function")
	p.open('{')
	p.ints(tally{"index", int64(i)})
	p.pairs("name", c.Name)
	p.key("arguments")
	p.raw(arguments)
	p.shut('}')
	p.shut('}')
	return ok
}

func (r *ollamaRenderer) end(p *pen, e ending) error {
	if calls := r.calls.calls(); len(calls) > 0 {
		r.open(p)
		if err := r.message(p, "", "", calls, e.finish); err != nil {
			return err
		}
		p.key("done")
		p.bool(false)
		r.shut(p)
	}
	r.open(p)
	_ = r.message(p, "", "", nil, e.finish)
	r.last(p, e)
	r.shut(p)
	return nil
}

// last writes what is known at the end.
func (r *ollamaRenderer) last(p *pen, e ending) {
	p.key("done")
	p.bool(true)
	reason := "stop"
	if e.finish == starling.Length || e.finish == starling.Overfull {
		reason = "length"
	}
	p.pairs("done_reason", reason)
	input, output := int64(-1), int64(-1)
	if e.usage != nil {
		input, output = e.usage.TotalInput(), e.usage.Output
	}
	var total, before, after int64
	if r.o.Now != nil {
		now := r.o.Now()
		total = now.Sub(r.o.Created).Nanoseconds()
		if after = total; !r.first.IsZero() {
			before, after = r.first.Sub(r.o.Created).Nanoseconds(), now.Sub(r.first).Nanoseconds()
		}
		p.ints(tally{"total_duration", total}, tally{"load_duration", 0})
	}
	r.counted(p, "prompt_eval", input, before)
	r.counted(p, "eval", output, after)
}

// counted writes how many tokens there were, unless nobody counted, and how long they
// took. Of an answer that comes as a whole it is not known which part the prompt took:
// all of it is the answer's.
func (r *ollamaRenderer) counted(p *pen, name string, n, took int64) {
	if n >= 0 {
		p.ints(tally{name + "_count", n})
	}
	if r.o.Now != nil {
		p.ints(tally{name + "_duration", took})
	}
}

func (r *ollamaRenderer) body(p *pen, g *gathered, e ending) error {
	calls := g.calls()
	if len(calls) > 0 && r.dialect == starling.Generate {
		return errNoTools
	}
	var said []byte
	for _, b := range g.blocks {
		if b.kind == starling.TextPart || b.kind == starling.RefusalPart {
			said = append(said, b.said.String()...)
		}
	}
	r.open(p)
	err := r.message(p, string(said), g.text(starling.ReasoningPart), calls, e.finish)
	r.probable(p, g.tokens())
	r.last(p, e)
	p.shut('}')
	return err
}

// broke writes the error as a line of its own.
func (r *ollamaRenderer) broke(p *pen, body []byte) {
	for _, c := range body {
		if c == '\n' || c == '\r' { // between members: a string has none
			c = ' '
		}
		p.b = append(p.b, c)
	}
	p.b = append(p.b, '\n')
}
