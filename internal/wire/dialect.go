package wire

import (
	"errors"
	"net/textproto"
	"slices"

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
	// request writes the chat for an upstream of this dialect.
	request(o *outgoing) []byte

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

// dialectOf returns the implementation of d.
func dialectOf(d starling.Dialect) (dialect, error) {
	switch d {
	case starling.OpenAI:
		return openAI{}, nil
	case starling.Anthropic:
		return anthropic{}, nil
	case starling.Responses:
		return responses{}, nil
	}
	return nil, &starling.Error{Kind: starling.Invalid, Op: "dialect", Err: errors.New("unknown"), Hint: "use openai, anthropic or responses"}
}

// Dialects lists the dialects that are spoken.
func Dialects() []starling.Dialect { return slices.Clone(spoken[:]) }

var spoken = [...]starling.Dialect{starling.OpenAI, starling.Anthropic, starling.Responses}

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

// eventStream is the media type of server-sent events.
const eventStream = "text/event-stream; charset=utf-8"

// invalid is the error of a request's field. Neither name nor why may quote the
// request.
func invalid(name, why string) *starling.Error {
	return &starling.Error{Kind: starling.Invalid, Op: fieldOp + name, Err: errors.New(why)}
}

// fieldOp starts the Op of every error about a field of the request.
const fieldOp = "request: "
