package wire

import "starling"

// moderations is POST /v1/moderations. Nobody translates it: what is harmful is
// each vendor's own list.
//
// Source: CreateModerationRequest and CreateModerationResponse of OpenAI's OpenAPI
// document 2.3.0, where the model may be left out.
type moderations struct{ wordless }

func (moderations) asked() []ask { return moderationsAsked }

var moderationsAsked = []ask{
	{name: "model", read: readModel},
	{name: "input", required: true, read: readJudged},
}

// readJudged counts what is judged: a text, an array of texts, or an array of parts
// that are judged together.
func readJudged(r *starling.Request, v []byte) error {
	texts, parts, other := int64(0), int64(0), kindOf(v) != '"' && kindOf(v) != '['
	for m := enter(v); m.next(); {
		switch kindOf(m.value) {
		case '"':
			texts++
		case '{':
			parts++
			if text(field(m.value, "type")) == "image_url" {
				r.Images++
			}
		default:
			other = true
		}
	}
	switch {
	case other, texts > 0 && parts > 0:
		return invalid("input", "must be a text, an array of texts, or an array of parts")
	case isEmpty(v):
		return invalid("input", "must not be empty")
	}
	r.Choices = max(texts, 1)
	return nil
}

func (moderations) decoder(o ReadOptions) decoder {
	return wholly(func(b []byte, ev *starling.Event) error {
		if !valid(b) || kindOf(b) != '{' {
			return unfit("what it answers is no moderation")
		}
		if e := field(b, "error"); kindOf(e) == '{' {
			return saidInStream(starling.Moderations, b, e)
		}
		ev.ID, ev.Model = text(field(b, "id")), text(field(b, "model"))
		if n, want := int64(count(field(b, "results"))), max(o.Choices, 1); n != want {
			return unfitf("%d results for %d inputs", n, want)
		}
		return nil
	})
}

// counting is POST /v1/messages/count_tokens.
//
// Source: MessageCountTokensParams and MessageTokensCount of anthropic-sdk-go
// v1.84.0.
type counting struct{ anthropic }

func (counting) asked() []ask { return countingAsked }

var countingAsked = []ask{
	{name: "model", required: true, read: readModel},
	{name: "messages", required: true, read: readMessages},
	{name: "tools", read: readTools},
}

func (counting) view([]byte) (*starling.Chat, error) { return nil, errWordless }
func (counting) request(o *outgoing) []byte          { return wordless{}.request(o) }

func (counting) decoder(ReadOptions) decoder {
	return wholly(func(b []byte, _ *starling.Event) error {
		if !valid(b) || kindOf(b) != '{' {
			return unfit("what it answers is no count of tokens")
		}
		if e := field(b, "error"); kindOf(e) == '{' {
			return saidInStream(starling.CountTokens, b, e)
		}
		if n, ok := whole(field(b, "input_tokens")); !ok || n < 0 {
			return unfit("what it answers is no count of tokens")
		}
		return nil
	})
}
