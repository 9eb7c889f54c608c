package wire

import (
	"errors"
	"io"

	"starling"
)

// wordless is what the dialects share in which nobody is talked with: they have no
// turns, and what they ask can be said in no dialect of conversations.
type wordless struct{ openAI }

func (wordless) weigh([]byte) weight                    { return byBytes }
func (wordless) outline([]byte) Outline                 { return Outline{} }
func (wordless) reword([]byte, []member, string) []edit { return nil }
func (wordless) request(o *outgoing) []byte {
	o.refuse("model", "nothing else can be asked in this dialect")
	return nil
}
func (wordless) view([]byte) (*starling.Chat, error)          { return nil, errWordless }
func (wordless) same(r *starling.Request, o *outgoing) []byte { return withModel(r, o) }
func (wordless) fate(string, []byte) fate                     { return leave }

var errWordless = &starling.Error{Kind: starling.Invalid, Op: "request", Err: errors.New("it is no conversation"), Hint: "ask a model that takes it"}

// withModel replaces the model's name, where the caller gave one.
func withModel(r *starling.Request, o *outgoing) []byte {
	if e, ok := newModel(r.Body, r.Model, o.model.Name); ok {
		return edited(r.Body, e)
	}
	return r.Body
}

// A whole reads answers that come in one piece.
type wholly func(b []byte, ev *starling.Event) error

func (wholly) event(block, *starling.Event) error        { return errShape }
func (wholly) ended() bool                               { return false }
func (w wholly) body(b []byte, ev *starling.Event) error { return w(b, ev) }

// A texter is a dialect of questions for vectors.
type texter interface {
	// texts reads a question that [Parse] has accepted, and tells o what cannot be
	// carried into another dialect.
	texts(body []byte, o *outgoing) texts
	// ask writes it for an upstream of this dialect.
	ask(t texts, o *outgoing) []byte
}

// texts are a question for vectors in no dialect. Its values are JSON, nil for
// what was not said.
type texts struct{ input, dimensions, user []byte }

// ofTexts translates a question for vectors.
func (o *outgoing) ofTexts(r *starling.Request, from, to dialect) ([]byte, error) {
	source, ok1 := from.(texter)
	target, ok2 := to.(texter)
	if !ok1 || !ok2 {
		return nil, errWordless
	}
	t := source.texts(r.Body, o)
	o.pen.b = make([]byte, 0, len(r.Body)+64)
	body := target.ask(t, o)
	return body, o.err
}

// embeddings is POST /v1/embeddings.
//
// Source: CreateEmbeddingRequest and CreateEmbeddingResponse of OpenAI's OpenAPI
// document 2.3.0.
type embeddings struct{ wordless }

func (embeddings) asked() []ask { return embeddingsAsked }

var embeddingsAsked = []ask{
	{name: "model", required: true, read: readModel},
	{name: "input", required: true, read: readTexts(true)},
	{name: "encoding_format", read: readEncoding},
	{name: "dimensions", read: readDims},
}

func readEncoding(_ *starling.Request, v []byte) error {
	if f := text(v); f != plainFormat && f != packedFormat {
		return invalid("encoding_format", "must be float or base64")
	}
	return nil
}

func readDims(_ *starling.Request, v []byte) error {
	if n, ok := whole(v); !ok || n < 1 {
		return invalid("dimensions", "must be a whole number, 1 or more")
	}
	return nil
}

// readTexts counts the texts of an input: one or an array of them, or, where the
// dialect has that, an array of tokens or of such arrays.
func readTexts(orTokens bool) func(*starling.Request, []byte) error {
	return func(r *starling.Request, v []byte) error {
		if kindOf(v) == '"' {
			return nil
		}
		texts, tokens, arrays, other := int64(0), false, int64(0), kindOf(v) != '['
		for m := enter(v); m.next(); {
			switch kindOf(m.value) {
			case '"':
				texts++
			case '0':
				tokens = true
			case '[':
				arrays++
				other = other || !isTokens(m.value)
			default:
				other = true
			}
		}
		switch {
		case other, texts > 0 && (tokens || arrays > 0), tokens && arrays > 0, !orTokens && (tokens || arrays > 0):
			if !orTokens {
				return invalid("input", "must be a text or an array of texts")
			}
			return invalid("input", "must be a text, an array of texts, an array of tokens, or an array of such arrays")
		case isEmpty(v):
			return invalid("input", "must not be empty")
		}
		r.Choices = max(texts, arrays, 1)
		return nil
	}
}

func isTokens(v []byte) bool {
	for m := enter(v); m.next(); {
		if kindOf(m.value) != '0' {
			return false
		}
	}
	return !isEmpty(v)
}

func (embeddings) texts(body []byte, o *outgoing) (t texts) {
	for m := enter(body[skipSpace(body, 0):]); m.next(); {
		switch m.name() {
		case "model", "encoding_format": // the answer is told in the form that was asked for
		case "input":
			t.input = m.value
		case "dimensions":
			t.dimensions = m.value
		case "user":
			t.user = m.value
		default:
			o.leaveField(m.name(), m.value)
		}
	}
	return t
}

func (embeddings) ask(t texts, o *outgoing) []byte {
	p := &o.pen
	p.open('{')
	p.pairs("model", o.model.Name)
	p.key("input")
	p.raw(t.input)
	for _, m := range []struct {
		name  string
		value []byte
	}{{"dimensions", t.dimensions}, {"user", t.user}} {
		if m.value != nil {
			p.key(m.name)
			p.raw(m.value)
		}
	}
	p.pairs("encoding_format", packedFormat) // a third of the bytes, and exact
	p.shut('}')
	return p.b
}

// leaveField tells of a member that is not carried. null asks for nothing; a name
// that is no plain one may be content.
func (o *outgoing) leaveField(name string, value []byte) {
	var v viewer
	v.extra(name, value)
	for name := range v.chat.Extra {
		o.leave(name)
	}
}

// decoder reads the list of vectors, and has it be what was asked for: where an
// upstream heeds neither form nor order, Raw is mended.
func (embeddings) decoder(o ReadOptions) decoder {
	a := askingOf(o.Request)
	return wholly(func(b []byte, ev *starling.Event) error {
		if !valid(b) || kindOf(b) != '{' {
			return unfit("what it answers is no list of vectors")
		}
		if e := field(b, "error"); kindOf(e) == '{' {
			return saidInStream(starling.Embeddings, b, e)
		}
		ev.Model = text(field(b, "model"))
		usage := field(b, "usage")
		if n := max(tokens(field(usage, "prompt_tokens")), tokens(field(usage, "total_tokens"))); n > 0 {
			ev.Usage = &starling.Usage{Input: n}
		}
		from, to := locate(b, "data")
		all, data, err := a.list(b[from:to])
		if err != nil {
			return err
		}
		if o.Deltas {
			ev.Vectors = all
		}
		if o.Raw && len(data) > 0 && &data[0] != &b[from] {
			ev.Raw = edited(b, edit{from, to, string(data)})
		}
		return nil
	})
}

func (l embeddings) renderer(o WriterOptions) renderer {
	return vectorRenderer{write: func(p *pen, all [][]float32, e ending) {
		p.open('{')
		p.pairs("object", "list")
		p.key("data")
		p.open('[')
		for i, v := range all {
			p.open('{')
			p.pairs("object", "embedding")
			p.ints(tally{"index", int64(i)})
			p.key("embedding")
			p.raw(appendVector(nil, v, askingOf(o.Request).base64))
			p.shut('}')
		}
		p.shut(']')
		p.pairs("model", o.Model)
		n := int64(0)
		if e.usage != nil {
			n = e.usage.TotalInput()
		}
		p.key("usage")
		p.open('{')
		p.ints(tally{"prompt_tokens", n}, tally{"total_tokens", n})
		p.shut('}')
		p.shut('}')
	}}
}

// vectorRenderer writes vectors in one piece: there is no stream of them.
type vectorRenderer struct {
	write func(p *pen, all [][]float32, e ending)
}

func (vectorRenderer) pass(raw []byte) []byte            { return raw }
func (vectorRenderer) passed(*pen)                       {}
func (vectorRenderer) idle(*pen)                         {}
func (vectorRenderer) delta(*pen, *starling.Delta) error { return errShape }
func (vectorRenderer) end(*pen, ending) error            { return io.ErrUnexpectedEOF }
func (vectorRenderer) broke(p *pen, body []byte)         { p.b = append(p.b, body...) }

func (r vectorRenderer) body(p *pen, g *gathered, e ending) error {
	if len(g.vectors) == 0 {
		return errShape
	}
	r.write(p, g.vectors, e)
	return nil
}
