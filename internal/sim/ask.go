package sim

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"starling"
)

// An ask is a request as the simulator understands it, in no dialect.
type ask struct {
	dialect   starling.Dialect
	model     string
	stream    bool
	wantUsage bool  // usage inside an OpenAI stream
	limit     int64 // most tokens of an answer; 0 unsaid
	choices   int64
	stops     []string
	tools     []tool
	use       toolUse
	format    format
	reason    bool // the caller wants reasoning
	thoughts  bool // and to read it, where that must be said
	logprobs  bool // the caller wants log-probabilities
	likely    int  // and that many of the likeliest tokens with each
	images    int64
	echo      bool  // the prompt is told before the answer
	window    int64 // that is asked for; 0 unsaid
	uncut     bool  // a prompt beyond the window is to be refused

	pieces []piece // the prompt in order, for counting and caching

	said   string   // the texts of the last user message, joined by line breaks
	parts  []string // the same texts, one by one
	result string   // the last tool result
	held   bool     // there is a tool result somewhere
	told   bool     // the last message is one

	open  map[string]bool // tool calls that wait for their result
	wrong *fault          // the first thing that is wrong with it
}

// A piece is a stretch of the prompt that can be told apart from the next.
type piece struct {
	kind   string // role or "tool"
	text   string
	tokens int64
	mark   time.Duration // a cache breakpoint after it, of this lifetime; 0 none
}

type tool struct {
	name   string
	schema string // JSON Schema of its arguments; "" if none

	namespace string // in which it stands; "" if in none
	custom    bool   // it takes free text
}

type toolUse struct {
	mode   string // "auto", "none", "required", "tool"
	name   string // for "tool"
	serial bool   // one call at a time
}

type format struct {
	kind   string // "", "json_object", "json_schema"
	schema string
}

// object reads a body that must be one JSON object. The last of two fields of a
// name counts, as it does in every vendor's own parser.
func object(body []byte) (map[string]gjson.Result, *fault) {
	if !json.Valid(body) { // also bounds the nesting, which gjson does not
		return nil, refused("", "the body is not valid JSON")
	}
	root := gjson.ParseBytes(body)
	if !root.IsObject() {
		return nil, refused("", "the body must be a JSON object")
	}
	return fieldsOf(root), nil
}

func fieldsOf(o gjson.Result) map[string]gjson.Result {
	fields := make(map[string]gjson.Result, 8)
	o.ForEach(func(k, v gjson.Result) bool {
		fields[k.Str] = v
		return true
	})
	return fields
}

// bad records the first thing that is wrong.
func (a *ask) bad(param, format string, args ...any) {
	if a.wrong == nil {
		a.wrong = refused(param, format, args...)
	}
}

// text reads an optional string.
func (a *ask) text(param string, v gjson.Result) string {
	if v.Exists() && v.Type != gjson.String && v.Type != gjson.Null {
		a.bad(param, "%s must be a string", param)
	}
	return v.Str
}

// flag reads an optional boolean; unsaid is false.
func (a *ask) flag(param string, v gjson.Result) bool {
	if v.Exists() && v.Type != gjson.Null && !v.IsBool() {
		a.bad(param, "%s must be a boolean", param)
	}
	return v.Type == gjson.True
}

// count reads an optional whole number of at least 1; unsaid is 0.
func (a *ask) count(param string, v gjson.Result) int64 {
	if !v.Exists() || v.Type == gjson.Null {
		return 0
	}
	n := v.Int()
	if v.Type != gjson.Number || float64(n) != v.Num || n < 1 {
		a.bad(param, "%s must be a whole number of at least 1", param)
		return 0
	}
	return n
}

// strings reads an optional array of non-empty strings.
func (a *ask) strings(param string, v gjson.Result) []string {
	if !v.Exists() || v.Type == gjson.Null {
		return nil
	}
	if !v.IsArray() {
		a.bad(param, "%s must be an array of strings", param)
		return nil
	}
	var all []string
	v.ForEach(func(_, s gjson.Result) bool {
		if s.Type != gjson.String || s.Str == "" {
			a.bad(param, "%s must hold strings that are not empty", param)
		}
		all = append(all, s.Str)
		return true
	})
	return all
}

// add appends a piece of the prompt. The pointer is good until the next one.
func (a *ask) add(kind, text string) *piece {
	a.pieces = append(a.pieces, piece{kind: kind, text: text, tokens: Tokens(text)})
	return &a.pieces[len(a.pieces)-1]
}

// image appends an image, which is told apart by its data or address.
func (a *ask) image(data string) *piece {
	a.images++
	p := a.add("image", data)
	p.tokens = tokensPerImage
	return p
}

// heard ends a user message with its texts. One without any, of tool results or
// images, leaves the last word to the one before it.
func (a *ask) heard(texts []string) {
	if len(texts) > 0 {
		a.parts, a.said = texts, strings.Join(texts, "\n")
	}
}

// call notes that an assistant asked for a tool.
func (a *ask) call(param, id string) {
	if id == "" || a.open[id] {
		a.bad(param, "%s must be there and unique in its message", param)
		return
	}
	if a.open == nil {
		a.open = map[string]bool{}
	}
	a.open[id] = true
}

// answered notes a tool's result, which must be of an open call.
func (a *ask) answered(param, id, text string) {
	if !a.open[id] {
		a.bad(param, "%s names no tool call of the message before it", param)
	}
	delete(a.open, id)
	a.held, a.told, a.result = true, true, text
}

// settled checks that no call is left without its result.
func (a *ask) settled(param string) {
	if len(a.open) > 0 {
		a.bad(param, "every tool call must be followed by its result")
		a.open = nil
	}
}

// input returns the tokens of the whole prompt.
func (a *ask) input() int64 {
	var n int64
	for _, p := range a.pieces {
		n += p.tokens
	}
	return n
}

// forget leaves the last so many tokens of the prompt, as servers do that cut what is
// too long for them and answer as if nothing were; 0 leaves all.
func (a *ask) forget(most int64) {
	if most <= 0 || a.input() <= most {
		return
	}
	var kept int64
	i := len(a.pieces)
	for i > 0 && kept+a.pieces[i-1].tokens <= most {
		i--
		kept += a.pieces[i].tokens
	}
	if i > 0 && kept < most { // the end of the one before
		i--
		p := &a.pieces[i]
		p.text, p.tokens = tail(p.text, most-kept), most-kept
		if i == len(a.pieces)-1 {
			a.said, a.parts = p.text, []string{p.text}
		}
	}
	a.pieces = a.pieces[i:]
}

// digest is a hash of the whole conversation.
func (a *ask) digest() uint64 {
	h := uint64(len(a.pieces))
	for _, p := range a.pieces {
		h = fold(fold(h, p.kind), p.text)
	}
	return h
}
