package wire

import (
	"bytes"
	"iter"
	"strings"

	"starling"
)

// contents is POST /v1beta/models/{model}:batchEmbedContents and, for one text,
// :embedContent. The model stands in the path: who reads that sets
// [starling.Request].Model.
//
// A batch is a list of questions for one vector each. All of them want as many
// numbers here: an answer has vectors of one length.
//
// Source: ai.google.dev/api/embeddings (2026), and what google.golang.org/genai
// v1.77.0 and @google/genai 3.3.0 send and read.
type contents struct {
	wordless
	one bool
}

func (l contents) asked() []ask {
	if l.one {
		return contentAsked
	}
	return contentsAsked
}

var (
	contentAsked = []ask{
		{name: "content", required: true, read: readContent("content")},
		{name: "outputDimensionality", read: readOutputDims("output_dimensionality")},
		{name: "output_dimensionality", read: readOutputDims("output_dimensionality")},
	}
	contentsAsked = []ask{
		{name: "requests", required: true, read: readEmbedRequests},
	}
)

func readOutputDims(name string) func(*starling.Request, []byte) error {
	return func(_ *starling.Request, v []byte) error {
		if n, ok := whole(v); !ok || n < 1 {
			return invalid(name, "must be a whole number, 1 or more")
		}
		return nil
	}
}

// readEmbedRequests counts the texts of a batch.
func readEmbedRequests(r *starling.Request, v []byte) error {
	const at = "requests[]."
	if kindOf(v) != '[' || isEmpty(v) {
		return invalid("requests", "must be an array, not empty")
	}
	r.Choices = 0
	var dims []byte
	for m := enter(v); m.next(); r.Choices++ {
		q := embedRequest(m.value, nil)
		if err := readContent(at+"content")(r, q.content); err != nil {
			return err
		}
		if q.dims != nil {
			if err := readOutputDims(at+"output_dimensionality")(r, q.dims); err != nil {
				return err
			}
		}
		if r.Choices > 0 && !bytes.Equal(q.dims, dims) {
			return invalid(at+"output_dimensionality", "must be the same in all of them")
		}
		dims = q.dims
	}
	return nil
}

// readContent counts what is no text of a content: hardly a model of vectors reads
// that.
func readContent(name string) func(*starling.Request, []byte) error {
	return func(r *starling.Request, v []byte) error {
		parts := field(v, "parts")
		if kindOf(parts) != '[' || isEmpty(parts) {
			return invalid(name, "must be an object with parts")
		}
		for m := enter(parts); m.next(); {
			if kindOf(m.value) != '{' {
				return invalid(name+".parts[]", "must be an object")
			}
			switch media, other := otherThanText(m.value); {
			case !other:
			case gemini{}.weigh([]byte(media)) == byImage:
				r.Images++
			default:
				r.Documents++
			}
		}
		return nil
	}
}

// otherThanText reports whether a part is anything but text, and of which media type
// if it says that. A part of nothing is an empty text: clients leave those out.
func otherThanText(part []byte) (media string, other bool) {
	for m := enter(part); m.next(); {
		if !m.null() && (!m.is("text") || kindOf(m.value) != '"') {
			media, other = text(geminiField(m.value, "mime_type")), true
		}
	}
	return media, other
}

// A wantedContent is a question for one vector. Its values are JSON, nil for what was
// not said.
type wantedContent struct{ content, dims []byte }

// embedRequest reads one. What other dialects have no word for is told to others, if
// there is somebody, by its name in Google's interface definition.
func embedRequest(v []byte, others func(name string, value []byte)) (q wantedContent) {
	for m := enter(v); m.next(); {
		switch name := snake(m.name()); {
		case m.null(), name == "model": // it stands in the path
		case name == "content":
			q.content = m.value
		case name == "output_dimensionality":
			q.dims = m.value
		case others != nil && !(name == "task_type" && text(m.value) == "TASK_TYPE_UNSPECIFIED"):
			others(name, m.value)
		}
	}
	return q
}

// requests goes through the questions for one vector.
func (l contents) requests(body []byte) iter.Seq[[]byte] {
	body = body[skipSpace(body, 0):]
	return func(yield func([]byte) bool) {
		if l.one {
			yield(body)
			return
		}
		for m := enter(field(body, "requests")); m.next() && yield(m.value); {
		}
	}
}

// dims returns how many numbers a vector is to have, 0 if that was not said.
func (l contents) dims(body []byte) (n int64) {
	for v := range l.requests(body) {
		n, _ = whole(embedRequest(v, nil).dims)
		break // which all of them want
	}
	return n
}

// same names the model that is asked wherever the question names one, as Google wants
// the name of the path repeated.
func (l contents) same(r *starling.Request, o *outgoing) []byte {
	var edits []edit
	rename := func(v []byte, at int) {
		if from, to := locate(v, "model"); from < to {
			edits = append(edits, edit{at + from, at + to, string(appendString(nil, "models/"+o.model.Name))})
		}
	}
	if l.one {
		rename(r.Body, 0)
		return edited(r.Body, edits...)
	}
	from, to := locate(r.Body, "requests")
	for m := enter(r.Body[from:to]); m.next(); {
		rename(m.value, from+m.i-len(m.value))
	}
	return edited(r.Body, edits...)
}

func (l contents) texts(body []byte, o *outgoing) (t texts) {
	at := "requests[]."
	if l.one {
		at = ""
	}
	p := pen{}
	p.open('[')
	for v := range l.requests(body) {
		q := embedRequest(v, func(name string, value []byte) { o.leaveField(at+name, value) })
		t.dimensions = q.dims
		p.string(o.wordsOf(at+"content.parts", field(q.content, "parts")))
	}
	p.shut(']')
	t.input = p.b
	return t
}

// wordsOf returns the text that the parts of a content are.
func (o *outgoing) wordsOf(name string, parts []byte) string {
	var all []string
	for m := enter(parts); m.next(); {
		if _, other := otherThanText(m.value); other {
			o.refuse(name, "the upstream reads texts alone")
		}
		all = append(all, text(field(m.value, "text")))
	}
	if len(all) > 1 {
		o.leave(name + ": several, sent as the lines of one text")
	}
	return strings.Join(all, "\n")
}

func (l contents) ask(t texts, o *outgoing) []byte {
	list := t.input
	if kindOf(list) == '"' {
		list = []byte("[" + string(list) + "]")
	}
	switch {
	case !textsAlone(list):
		o.refuse("input", "the upstream reads texts, and no tokens")
	case l.one && count(list) != 1:
		o.refuse("input", "the upstream reads one text")
	}
	if t.user != nil {
		o.leave("user")
	}
	p := &o.pen
	if !l.one {
		p.open('{')
		p.key("requests")
		p.open('[')
	}
	for m := enter(list); m.next(); {
		p.open('{')
		p.pairs("model", "models/"+o.model.Name)
		p.key("content")
		p.b = append(append(append(p.b, `{"parts":[{"text":`...), m.value...), `}]}`...)
		if t.dimensions != nil {
			p.key("outputDimensionality")
			p.raw(t.dimensions)
		}
		p.shut('}')
	}
	if !l.one {
		p.shut(']')
		p.shut('}')
	}
	return p.b
}

func (l contents) decoder(o ReadOptions) decoder {
	a := askingOf(o.Request)
	return wholly(func(b []byte, ev *starling.Event) error {
		if !valid(b) || kindOf(b) != '{' {
			return unfit("what it answers is no list of vectors")
		}
		if e := field(b, "error"); e != nil {
			return saidInStream(starling.EmbedContents, b, e)
		}
		if n := tokens(field(field(b, "usageMetadata"), "promptTokenCount")); n > 0 {
			ev.Usage = &starling.Usage{Input: n}
		}
		list := field(b, "embeddings")
		if l.one {
			list = []byte("[" + string(field(b, "embedding")) + "]")
		}
		all, err := a.vectors(list, func(v []byte) []byte { return field(v, "values") })
		if o.Deltas {
			ev.Vectors = all
		}
		return err
	})
}

func (l contents) renderer(WriterOptions) renderer {
	return vectorRenderer{write: func(p *pen, all [][]float32, e ending) {
		p.open('{')
		if l.one {
			p.key("embedding")
			l.vector(p, all[0])
		} else {
			p.key("embeddings")
			p.open('[')
			for _, v := range all {
				l.vector(p, v)
			}
			p.shut(']')
		}
		if e.usage != nil {
			p.key("usageMetadata")
			p.open('{')
			p.ints(tally{"promptTokenCount", e.usage.TotalInput()})
			p.shut('}')
		}
		p.shut('}')
	}}
}

func (contents) vector(p *pen, v []float32) {
	p.open('{')
	p.key("values")
	p.raw(appendVector(nil, v, false))
	p.shut('}')
}

// What follows is the same in all that Google's clients ask.

func (contents) requestID() string               { return gemini{}.requestID() }
func (contents) refusal(k starling.Kind) refusal { return gemini{}.refusal(k) }
func (contents) meanings() []meaning             { return gemini{}.meanings() }
func (contents) envelope(p *pen, e said)         { gemini{}.envelope(p, e) }
