package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"starling"
)

// mostReply bounds what is kept of an upstream's refusal.
const mostReply = 1 << 20

// ReadError makes an *Error of an upstream's answer that has no 2xx status. Its
// text holds the status and the dialect's word, nothing that could quote the
// request. Reply keeps what the upstream said for the caller: the body if it is
// a JSON object of at most 1 MiB, and the headers about retrying and the
// request's id. There is no Reply when the upstream refused the gateway's own
// key or account, which is not the caller's affair.
//
// Kinds: Overloaded for 408, 409, 425, 429 and 5xx except 501, NotFound for 404,
// Refused for the rest.
func ReadError(d starling.Dialect, status int, header map[string][]string, body []byte) *starling.Error {
	v := errorObject(body)
	e := &starling.Error{Kind: kindOfStatus(status), Op: "upstream", Err: fmt.Errorf("answered %d%s", status, wordIn(v))}
	switch {
	case status == 401 || status == 403 || isOwnKey(v):
		e.Hint = "check the provider's key and what it may use"
		return e
	case status == 402 || text(field(v, "code")) == "insufficient_quota" || text(field(v, "type")) == "insufficient_quota":
		e.Kind, e.Hint = starling.Refused, "check the provider account's balance"
		return e
	case status == 404:
		e.Hint = "check the model's name and the provider's URL"
	}
	e.Reply = &starling.Reply{Dialect: d, Status: status, Header: kept(header)}
	if v != nil && len(body) <= mostReply {
		e.Reply.Body = bytes.Clone(body)
	}
	return e
}

// kindOfStatus says what a status means for whoever might try again.
func kindOfStatus(status int) starling.Kind {
	switch {
	case status == 404:
		return starling.NotFound
	case status == 408, status == 409, status == 425, status == 429, status >= 500 && status != 501:
		return starling.Overloaded
	}
	return starling.Refused
}

// errorObject returns the error in a body: its "error", the body itself where
// there is none, nil where it is no JSON object.
func errorObject(body []byte) []byte {
	body = bytes.TrimSpace(body)
	if kindOf(body) == '[' && valid(body) { // Google's, where events are elements of an array
		m := enter(body)
		m.next()
		body = m.value
	}
	if kindOf(body) != '{' || !valid(body) {
		return nil
	}
	if v := field(body, "error"); kindOf(v) == '{' {
		return v
	}
	return body
}

// isOwnKey reports whether an error of Google's, which has the status of a bad
// request, is about the key.
func isOwnKey(v []byte) bool {
	for m := enter(field(v, "details")); m.next(); {
		if text(field(m.value, "reason")) == "API_KEY_INVALID" {
			return true
		}
	}
	return false
}

// wordIn returns " " and the type of an error if it is a plain word: anything
// else could be content.
func wordIn(v []byte) string {
	word := text(field(v, "type"))
	if word == "" || len(word) > 40 || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return " " + word
}

// kept returns the headers that help a caller.
func kept(header map[string][]string) map[string][]string {
	out := map[string][]string{}
	for name, v := range header {
		switch name := strings.ToLower(name); name {
		case "retry-after", "retry-after-ms", "x-should-retry", "request-id", "x-request-id":
			out[name] = v
		}
	}
	return out
}

// saidInStream is the error for an error that the upstream sent where an answer
// should be. v is its description, nil if it has none.
func saidInStream(d starling.Dialect, body, v []byte) error {
	lang, err := dialectOf(d)
	if err != nil {
		return err
	}
	code := field(v, "code")
	status, _ := whole(code)
	if status < 400 || status > 599 {
		status = int64(max(statusOf(lang, text(field(v, "type"))), statusOf(lang, text(code))))
	}
	if status == 0 {
		status = 500
	}
	e := ReadError(d, int(status), nil, body)
	e.Op = "read answer"
	e.Err = errors.New("the upstream broke off:" + wordOr(wordIn(v), " an error"))
	return e
}

func wordOr(word, other string) string {
	if word == "" {
		return other
	}
	return word
}
