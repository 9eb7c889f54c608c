package wire

import (
	"strings"

	"starling"
)

// A refusal is how a dialect tells a kind of error: one row of the table in
// which every kind has its own.
type refusal struct {
	status int
	word   string // the dialect's type of error
	final  bool   // clients must not try again by themselves
}

// A said is an error as it is told to a caller.
type said struct {
	refusal
	message string // with the hint, as most clients show nothing else
	hint    string // what a person can do about it; "" if nothing
	code    string // our kind
	field   string // of the request; "" if it is about no field
	request string // the request's id; "" inside a stream
}

// ErrorReply returns how e is told to a caller who speaks d: a status, headers
// with lower-case names, and the dialect's envelope. What an upstream of the
// same dialect replied is given unmodified, as clients match its words; of what
// another one replied, status and message are kept. An unknown dialect is
// answered in the openai dialect.
//
// Statuses differ by dialect because clients differ in what they try again and
// in what they show: a refusal for budget or privacy must reach a person. agent is
// the caller's User-Agent, "" if unknown: some stop at another status than most.
func ErrorReply(d starling.Dialect, e *starling.Error, requestID, agent string) (status int, header map[string]string, body []byte) {
	lang := known(d)
	s := told(lang, e)
	s.request = requestID
	header = map[string]string{"content-type": "application/json"}
	if requestID != "" {
		header[lang.requestID()] = requestID
	}
	if s.final {
		s.status = heeded(s.status, agent)
		header["x-should-retry"] = "false"
	}
	if e.Reply != nil {
		for name, v := range e.Reply.Header {
			if name = strings.ToLower(name); len(v) > 0 && (e.Reply.Dialect == d || strings.HasPrefix(name, "retry-") || name == "x-should-retry") {
				header[name] = v[0]
			}
		}
		if e.Reply.Dialect == d && len(e.Reply.Body) > 0 {
			return e.Reply.Status, header, e.Reply.Body
		}
	}
	p := pen{}
	lang.envelope(&p, s)
	return s.status, header, p.b
}

// told returns e as a caller of the dialect is told it.
func told(lang dialect, e *starling.Error) said {
	s := said{refusal: lang.refusal(e.Kind), code: string(e.Kind), message: e.Error(), hint: e.Hint}
	if e.Detail != "" {
		s.message += ": " + e.Detail
	}
	if name, ok := strings.CutPrefix(e.Op, fieldOp); ok && e.Kind == starling.Invalid {
		s.field = name
	}
	if e.Reply != nil {
		s.adopt(lang, e.Reply)
	}
	return s
}

// adopt takes over what an upstream replied: the status of a refusal, which is
// the caller's to mend, and the words of any.
func (s *said) adopt(lang dialect, r *starling.Reply) {
	if r.Status >= 400 && r.Status < 500 {
		s.status = r.Status
		s.word = wordOf(lang, r.Status)
	}
	if m := message(r.Body); m != "" {
		s.message = m
	}
}

// message returns what an upstream says for people, in whichever of the usual
// places.
func message(body []byte) string {
	e := errorObject(body)
	for _, v := range [][]byte{field(e, "message"), field(e, "error"), field(e, "detail")} {
		if m := text(v); m != "" {
			return m
		}
	}
	return ""
}

// A meaning is the status that a dialect's type of error stands for.
type meaning struct {
	status int
	word   string
}

// statusOf returns the status that a word stands for, 0 if it isn't known.
func statusOf(lang dialect, word string) int {
	for _, m := range lang.meanings() {
		if m.word == word {
			return m.status
		}
	}
	return 0
}

// wordOf returns the word for a status, that of a bad request if it has none.
func wordOf(lang dialect, status int) string {
	for _, m := range lang.meanings() {
		if m.status == status {
			return m.word
		}
	}
	return lang.refusal(starling.Invalid).word
}
