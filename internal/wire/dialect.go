package wire

import (
	"errors"
	"net/textproto"
	"slices"
	"strings"

	"starling"
)

// A dialect is one wire format: how a question is written in it, and how its
// answer is read and written. Implementations are stateless; what has state is
// made by decoder and renderer.
type dialect interface {
	// asked lists the request's fields that routing reads.
	asked() []ask
	// weigh says what bounds the tokens of a part of that type.
	weigh(part []byte) weight

	// view reads a request's body without dialect. The Chat may share its bytes.
	view(body []byte) (*starling.Chat, error)
	// fate says what becomes of a field of Chat.Extra in another dialect.
	fate(field string, value []byte) fate
	// same writes r for an upstream of this, its own dialect.
	same(r *starling.Request, o *outgoing) []byte
	// outline says where the parts of a conversation stand in a body.
	outline(body []byte) Outline
	// reword puts another system prompt, a JSON string, into a body of this
	// dialect with these members.
	reword(body []byte, top []member, system string) []edit
	// decoder reads answers.
	decoder(o ReadOptions) decoder
	// renderer writes answers, streamed ones as streamType.
	renderer(o WriterOptions) renderer
	streamType() string

	// refusal is the dialect's row of the table of errors, envelope its form,
	// and requestID the header that names the request.
	refusal(k starling.Kind) refusal
	envelope(p *pen, e said)
	requestID() string
	// meanings lists the types of error that upstreams send.
	meanings() []meaning
}

// A target is a dialect into which a conversation can be translated. The others
// know a prompt alone: callers ask in them, and an upstream that understands them
// is asked in the caller's own words.
type target interface {
	dialect
	// request writes the chat for an upstream of this dialect.
	request(o *outgoing) []byte
}

// dialectOf returns the implementation of d.
func dialectOf(d starling.Dialect) (dialect, error) {
	switch d {
	case starling.OpenAI:
		return openAI{}, nil
	case starling.Anthropic:
		return anthropic{}, nil
	case starling.Responses:
		return responses{}, nil
	case starling.Gemini:
		return gemini{}, nil
	case starling.Ollama:
		return ollama{}, nil
	case starling.Generate:
		return generate{}, nil
	case starling.Completions:
		return completions{}, nil
	case starling.Embeddings:
		return embeddings{}, nil
	case starling.Embed:
		return embed{}, nil
	case starling.EmbedOne:
		return embed{one: true}, nil
	case starling.EmbedContents:
		return contents{}, nil
	case starling.EmbedContent:
		return contents{one: true}, nil
	case starling.Moderations:
		return moderations{}, nil
	case starling.CountTokens:
		return counting{}, nil
	}
	return nil, &starling.Error{Kind: starling.Invalid, Op: "dialect", Err: errors.New("unknown"), Hint: "use one of " + names(Dialects())}
}

// targetOf returns the implementation of d, if questions can be translated into it.
func targetOf(d starling.Dialect) (target, error) {
	lang, err := dialectOf(d)
	if err != nil {
		return nil, err
	}
	if t, ok := lang.(target); ok {
		return t, nil
	}
	return nil, &starling.Error{Kind: starling.Invalid, Op: "dialect " + string(d), Err: errors.New("nothing is translated into it"), Hint: "use one of " + names(Targets())}
}

// Dialects lists the dialects of conversations, in which callers may ask and upstreams
// answer.
func Dialects() []starling.Dialect { return slices.Clone(spoken[:]) }

// Targets lists those of them into which questions of the others can be translated.
func Targets() []starling.Dialect {
	return slices.DeleteFunc(Dialects(), func(d starling.Dialect) bool {
		_, ok := known(d).(target)
		return !ok
	})
}

var spoken = [...]starling.Dialect{starling.OpenAI, starling.Anthropic, starling.Responses, starling.Gemini, starling.Ollama, starling.Generate, starling.Completions}

func names(ds []starling.Dialect) string {
	all := make([]string, len(ds))
	for i, d := range ds {
		all[i] = string(d)
	}
	return strings.Join(all, ", ")
}

// StreamType is the media type of a streamed answer in a dialect.
func StreamType(d starling.Dialect) string { return known(d).streamType() }

// RequestID is the header, as net/http writes it, in which a dialect's clients
// look for an id to quote in a complaint.
func RequestID(d starling.Dialect) string {
	return textproto.CanonicalMIMEHeaderKey(known(d).requestID())
}

// known returns the implementation of d, that of the openai dialect for an unknown
// one: callers get their errors in it.
func known(d starling.Dialect) dialect {
	lang, err := dialectOf(d)
	if err != nil {
		return openAI{}
	}
	return lang
}

// The media types of streams, which say how events are told apart: server-sent
// events, and a line of JSON for each.
const (
	eventStream = "text/event-stream; charset=utf-8"
	jsonLines   = "application/x-ndjson"
)

// invalid is the error of a request's field. Neither name nor why may quote the
// request.
func invalid(name, why string) *starling.Error {
	return &starling.Error{Kind: starling.Invalid, Op: fieldOp + name, Err: errors.New(why)}
}

// fieldOp starts the Op of every error about a field of the request.
const fieldOp = "request: "
