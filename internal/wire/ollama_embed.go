package wire

import (
	"time"

	"starling"
)

// embed is Ollama's POST /api/embed and, for one text, its older POST
// /api/embeddings.
//
// It cuts a text that is longer than the model's window in silence, unless told not
// to. Here nobody cuts: what is too long is the upstream's to refuse, and an
// upstream of this dialect is told so where the caller left it unsaid.
//
// Source: ollama, docs/api.md, "Generate Embeddings" (2026), and the types of the
// npm package ollama 0.6.4.
type embed struct {
	wordless
	one bool
}

func (l embed) asked() []ask {
	if l.one {
		return embedOneAsked
	}
	return embedAsked
}

var (
	embedAsked = []ask{
		{name: "model", required: true, read: readModel},
		{name: "input", required: true, read: readTexts(false)},
		{name: "dimensions", read: readDims},
		{name: "truncate", read: readTruncate},
	}
	embedOneAsked = []ask{
		{name: "model", required: true, read: readModel},
		{name: "prompt", required: true, read: readOneText},
	}
)

func readTruncate(_ *starling.Request, v []byte) error {
	var ignored bool
	return readBool(&ignored, "truncate", v)
}

func readOneText(_ *starling.Request, v []byte) error {
	if kindOf(v) != '"' {
		return invalid("prompt", "must be a text")
	}
	return nil
}

func (l embed) same(r *starling.Request, o *outgoing) []byte {
	body := withModel(r, o)
	if at, end := locate(body, "truncate"); l.one || at < end {
		return body
	}
	start := skipSpace(body, 0) + 1
	return edited(body, edit{start, start, `"truncate":false,`}) // there are other members
}

func (l embed) texts(body []byte, o *outgoing) (t texts) {
	for m := enter(body[skipSpace(body, 0):]); m.next(); {
		switch {
		case m.is("model"):
		case m.is("input") && !l.one, m.is("prompt") && l.one:
			t.input = m.value
		case m.is("dimensions") && !l.one:
			t.dimensions = m.value
		case m.is("truncate") && isFalse(m.value):
		default:
			o.leaveField(m.name(), m.value)
		}
	}
	return t
}

func (l embed) ask(t texts, o *outgoing) []byte {
	if l.one || kindOf(t.input) == '[' && !textsAlone(t.input) {
		o.refuse("input", "the upstream reads texts, and no tokens")
	}
	if t.user != nil {
		o.leave("user")
	}
	p := &o.pen
	p.open('{')
	p.pairs("model", o.model.Name)
	p.key("input")
	p.raw(t.input)
	if t.dimensions != nil {
		p.key("dimensions")
		p.raw(t.dimensions)
	}
	p.key("truncate")
	p.bool(false)
	p.shut('}')
	return p.b
}

func textsAlone(v []byte) bool {
	for m := enter(v); m.next(); {
		if kindOf(m.value) != '"' {
			return false
		}
	}
	return true
}

func (l embed) decoder(o ReadOptions) decoder {
	a := askingOf(o.Request)
	return wholly(func(b []byte, ev *starling.Event) error {
		if !valid(b) || kindOf(b) != '{' {
			return unfit("what it answers is no list of vectors")
		}
		if e := field(b, "error"); e != nil {
			return saidInStream(starling.Embed, b, e)
		}
		ev.Model = text(field(b, "model"))
		if n := tokens(field(b, "prompt_eval_count")); n > 0 {
			ev.Usage = &starling.Usage{Input: n}
		}
		list := field(b, "embeddings")
		if l.one {
			list = []byte("[" + string(field(b, "embedding")) + "]")
		}
		all, err := a.vectors(list, func(v []byte) []byte { return v })
		if o.Deltas {
			ev.Vectors = all
		}
		return err
	})
}

func (l embed) renderer(o WriterOptions) renderer {
	return vectorRenderer{write: func(p *pen, all [][]float32, e ending) {
		p.open('{')
		if l.one {
			p.key("embedding")
			p.raw(appendVector(nil, all[0], false))
			p.shut('}')
			return
		}
		p.pairs("model", o.Request.Model)
		p.key("embeddings")
		p.open('[')
		for _, v := range all {
			p.raw(appendVector(nil, v, false))
		}
		p.shut(']')
		p.ints(tally{"total_duration", int64(time.Since(o.Created))})
		if e.usage != nil {
			p.ints(tally{"prompt_eval_count", e.usage.TotalInput()})
		}
		p.shut('}')
	}}
}

// envelope is Ollama's: a text, for people.
func (embed) envelope(p *pen, e said) {
	p.open('{')
	p.pairs("error", e.message)
	p.shut('}')
}
