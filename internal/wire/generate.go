package wire

import "starling"

// generate is POST /api/generate: Ollama's dialect for a prompt alone. Nothing is
// translated into it, as it has neither turns nor tools.
type generate struct{}

func (generate) asked() []ask { return generateAsked }

// Without a prompt nothing is asked: see [Loads].
var generateAsked = []ask{
	{name: "model", required: true, read: readModel},
	{name: "prompt", read: readPrompt},
	{name: "stream", read: readCountedStream, absent: streams},
	{name: "options", read: readOptions},
	{name: "format", read: readFormat(ollamaFormat)},
	{name: "logprobs", read: readLogprobs},
}

func readPrompt(_ *starling.Request, v []byte) error {
	if kindOf(v) != '"' {
		return invalid("prompt", "must be a string")
	}
	return nil
}

func (generate) decoder(o ReadOptions) decoder {
	return &ollamaDecoder{dialect: starling.Generate, deltas: o.Deltas}
}

func (generate) renderer(o WriterOptions) renderer {
	return &ollamaRenderer{o: o, dialect: starling.Generate}
}

func (generate) reword(body []byte, top []member, system string) []edit {
	return append(anthropic{}.reword(body, top, system), unstreamed(body, top)...)
}

// What follows is the same in both of Ollama's dialects.

func (generate) weigh(part []byte) weight                     { return ollamaWeigh(part) }
func (generate) view(body []byte) (*starling.Chat, error)     { return ollamaView(body) }
func (generate) fate(name string, v []byte) fate              { return ruled(ollamaRules, name, v) }
func (generate) same(r *starling.Request, o *outgoing) []byte { return renamed(r, o) }
func (generate) streamType() string                           { return jsonLines }
func (generate) requestID() string                            { return ollama{}.requestID() }
func (generate) refusal(k starling.Kind) refusal              { return ollama{}.refusal(k) }
func (generate) meanings() []meaning                          { return nil }
func (generate) envelope(p *pen, e said)                      { ollama{}.envelope(p, e) }
