package wire

import (
	"encoding/json"
	"fmt"
	"slices"

	"starling"
)

// An outgoing is a question on its way into another dialect: what to say, to
// whom, and what was found unsayable.
type outgoing struct {
	chat   *starling.Chat
	model  starling.Model
	stream bool
	left   func(string)
	said   map[string]bool // told to left already
	err    error           // the first refusal
	pen    pen
}

// Outgoing returns r's body for the named model behind an upstream of dialect d.
//
// In the request's own dialect it is r.Body with the model's name replaced in
// place, and for a stream of the openai dialect with usage asked for, because
// an answer without a count cannot be booked. Where nothing has to change the
// result is r.Body itself, so it must not be written to.
//
// In another dialect the request is translated. Each field that cannot be
// carried is told to left, once, or is Invalid with Op "request: <field>" when
// leaving it out would change the answer's meaning or shape. Nothing is translated
// into a dialect that is none of [Targets]: Invalid.
//
// Outgoing does not write to r; it uses r.Chat if View has filled it.
func Outgoing(r *starling.Request, d starling.Dialect, model starling.Model, left func(string)) ([]byte, error) {
	lang, err := dialectOf(d)
	if err != nil {
		return nil, err
	}
	o := &outgoing{model: model, stream: r.Stream, left: left}
	if r.Dialect == d {
		return lang.same(r, o), nil
	}
	from, err := dialectOf(r.Dialect)
	if err != nil {
		return nil, err
	}
	switch want := r.Dialect.Wants(); {
	case want != d.Wants():
		return nil, errWordless
	case want != "":
		return o.ofTexts(r, from, lang)
	}
	to, err := targetOf(d)
	if err != nil {
		return nil, err
	}
	if o.chat = r.Chat; o.chat == nil {
		if o.chat, err = from.view(r.Body); err != nil {
			return nil, err
		}
	}
	o.extras(from)
	o.pen.b = make([]byte, 0, len(r.Body)+512)
	body := to.request(o)
	return body, o.err
}

// View returns the request without dialect, and keeps it in r.Chat. It shares
// r.Body's bytes. Errors are Invalid: a field that Chat has is of a wrong type.
// What Chat has no word for is in Chat.Extra, nested fields by their path:
// "messages[].name".
//
// It is the one function that writes to r: call it before the request is shared.
func View(r *starling.Request) (*starling.Chat, error) {
	if r.Chat != nil {
		return r.Chat, nil
	}
	lang, err := dialectOf(r.Dialect)
	if err != nil {
		return nil, err
	}
	r.Chat, err = lang.view(r.Body)
	return r.Chat, err
}

// A fate is what becomes of a field that Chat has no word for when the request
// is translated.
type fate int

const (
	leave  fate = iota // left out, and said so
	lost               // nothing is lost by leaving it out: it says what goes without saying
	refuse             // the answer would be another one
)

// extras decides on every field of Chat.Extra.
func (o *outgoing) extras(from dialect) {
	for name, v := range sorted(o.chat.Extra) {
		switch from.fate(name, v) {
		case leave:
			o.leave(name)
		case refuse:
			o.refuse(name, "cannot be said in the upstream's dialect")
			o.explain(from, name)
		}
	}
	if o.chat.Choices > 1 {
		o.refuse("n", "more than one choice cannot be asked for in the upstream's dialect")
	}
	if m := o.chat.Messages; len(m) > 0 && m[len(m)-1].Role == starling.Assistant {
		o.refuse("messages", "the last one is the assistant's, and dialects differ in whether it is continued")
	}
}

// mostLeft bounds how much is told of what a request said in vain.
const mostLeft = 32

// leave tells, once, that a field is left out.
func (o *outgoing) leave(what string) {
	if len(o.said) == mostLeft {
		what = "and more"
	}
	if o.said[what] || len(o.said) > mostLeft {
		return
	}
	if o.said == nil {
		o.said = map[string]bool{}
	}
	o.said[what] = true
	o.left(what)
}

func (o *outgoing) leavef(format string, args ...any) { o.leave(fmt.Sprintf(format, args...)) }

// refuse keeps the first reason why the request cannot be translated.
func (o *outgoing) refuse(field, why string) {
	if o.err == nil {
		o.err = invalid(field, why)
	}
}

// explain replaces the reason that was just kept by what the caller's dialect knows
// better.
func (o *outgoing) explain(from dialect, field string) {
	knows, ok := from.(interface {
		explain(field string) *starling.Error
	})
	if !ok {
		return
	}
	if e, own := o.err.(*starling.Error); own && e.Op == fieldOp+field {
		if why := knows.explain(field); why != nil {
			o.err = why
		}
	}
}

// A digits is a number's name and the caller's own digits for it.
type digits struct {
	name string
	n    json.Number
}

// numbers writes those that the caller set.
func (o *outgoing) numbers(all ...digits) {
	for _, d := range all {
		if d.n != "" {
			o.pen.key(d.name)
			o.pen.raw([]byte(d.n))
		}
	}
}

// probs asks for log-probabilities by these names, if the caller does.
func (o *outgoing) probs(asked, top string) {
	if !o.chat.Logprobs {
		return
	}
	o.pen.key(asked)
	o.pen.bool(true)
	o.mostLikely(top)
}

// mostLikely asks for the tokens that could have been said.
func (o *outgoing) mostLikely(top string) {
	if o.chat.TopLogprobs > 0 {
		o.pen.ints(tally{top, o.chat.TopLogprobs})
	}
}

// fromUser writes a turn of the user where the results of tools are messages of their
// own. They come first, as they must follow the calls; result returns their images,
// which follow in the user's message, because a result can only be text there.
func (o *outgoing) fromUser(parts []starling.Part, result func(*starling.ToolResult) []starling.Part, say func([]starling.Part)) {
	var rest []starling.Part
	results := 0
	for i := range parts {
		if r := parts[i].Result; r != nil {
			results++
			rest = append(rest, result(r)...)
		}
	}
	for _, part := range parts {
		switch part.Kind {
		case starling.ResultPart:
		case starling.ReasoningPart:
			o.thinking(part)
		case starling.CallPart:
			o.refuse("messages[].content[].type", "the user cannot call tools")
		default:
			rest = append(rest, part)
		}
	}
	if len(rest) > 0 || results == 0 {
		say(rest)
	}
}

// withResults returns what the first of the messages says, and how many it took: the
// results of one turn's calls are told together.
func withResults(ms []starling.Message) (said []starling.Part, took int) {
	said, took = ms[0].Parts, 1
	if onlyResults(ms[0]) {
		said = slices.Clone(said)
		for ; took < len(ms) && onlyResults(ms[took]); took++ {
			said = append(said, ms[took].Parts...)
		}
	}
	return said, took
}
