package local

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"starling"
	"starling/internal/engine"
	"starling/internal/wire"
)

// mostPrompt is how many bytes a prompt may have, so that it fits a message however it
// is written down.
const mostPrompt = engine.MostFrame / 8

// mostLikely is how many tokens an engine tells of that could have been said.
const mostLikely = 20

// A question is what a chat asks of an engine.
type question struct {
	engine.Generate
	weights    Weights
	reader     func() Reader // a new one, for each choice
	size       int           // bytes of the prompt
	told       bool          // the caller is told the tokens and their log-probabilities
	background bool
}

// question translates a call. What cannot be done is Invalid, before anything is
// computed; what is left out without a change of the answer is told to c.Left.
func (l *Local) question(c starling.Call, w Weights) (*question, error) {
	r := *c.Request // whose view is the exchange's own to make
	chat, err := wire.View(&r)
	if err != nil {
		return nil, err
	}
	q := &question{weights: w, background: r.Unattended}
	q.Sampling = w.Speaker.Defaults(chat.Effort)
	if w.adapter != nil {
		q.Adapter, q.Scale = w.adapter.Name, w.adapter.Scale
	}
	a := &asker{question: q, chat: chat, left: c.Left}
	if err := a.impossible(&r); err != nil {
		return nil, err
	}
	a.numbers()
	a.extras(r.Dialect)
	if a.err == nil {
		a.err = l.shape(a)
	}
	if a.err == nil {
		a.err = a.prompt(r.Dialect)
	}
	q.MaxTokens, q.Logprobs, q.told = int(min(chat.MaxTokens, math.MaxInt32)), c.Logprobs || chat.Logprobs, chat.Logprobs
	q.Top, q.Choices = int(chat.TopLogprobs), int(chat.Choices)
	for _, s := range slices.Concat(chat.Stop, w.Speaker.Stops()) {
		if s != "" && !slices.Contains(q.Stop, s) {
			q.Stop = append(q.Stop, s)
		}
	}
	return q, a.err
}

// An asker makes a question of a chat. It keeps the first error and goes on.
type asker struct {
	*question
	chat *starling.Chat
	raw  bool // the prompt is read as it is
	left func(field string)
	err  error
}

// refuse keeps the first reason why a field cannot be done. It quotes none.
func (a *asker) refuse(field, why string) {
	if a.err == nil {
		a.err = refused(field, why)
	}
}

func refused(field, why string) error {
	return &starling.Error{Kind: starling.Invalid, Op: "request: " + field, Hint: "the next candidate may be able to", Err: errors.New(why)}
}

// impossible says what of a request no model here can do.
func (a *asker) impossible(r *starling.Request) error {
	chat := a.chat
	switch last := len(chat.Messages) - 1; {
	case chat.TopLogprobs > mostLikely:
		return refused("top_logprobs", fmt.Sprintf("must be at most %d", mostLikely))
	case chat.Choices > 1 && r.Dialect != starling.OpenAI && r.Dialect != starling.Completions:
		return refused("n", "a model on this machine gives one answer in this dialect")
	case chat.Choices > int64(a.weights.places()):
		return refused("n", fmt.Sprintf("must be at most %d, as many answers as this model writes at once (sequences of local, in the configuration)", a.weights.places()))
	case r.Images+r.Documents > 0:
		return refused("messages", "there is more than text")
	case r.Hosted > 0:
		return refused("tools", "a vendor's own tools are with the vendor")
	case a.forced() && len(chat.Tools) == 0:
		return refused("tool_choice", "there are no tools")
	case len(chat.Tools) > 0 && chat.ToolChoice.Mode != "none" && !a.weights.Speaker.CallsTools():
		return refused("tools", "this model calls no tools")
	case last < 0:
		return refused("messages", "there is none")
	case chat.Messages[last].Role == starling.Assistant:
		return refused("messages", "the last one is the assistant's")
	}
	return nil
}

// numbers takes the caller's own sampling, each number as near as 32 bits have it.
func (a *asker) numbers() {
	s := &a.Sampling
	a.real("temperature", a.chat.Temperature, 0, 100, &s.Temperature)
	a.real("top_p", a.chat.TopP, 0, 1, &s.TopP)
	a.whole("top_k", a.chat.TopK, 0, math.MaxInt32, &s.TopK)
	if n := a.chat.Seed; n != "" {
		seed, err := strconv.ParseInt(string(n), 10, 64)
		if err != nil {
			a.refuse("seed", "must be a whole number")
		}
		low := uint32(seed) // any seed will do that is always the same
		s.Seed = &low
	}
}

func (a *asker) real(field string, n json.Number, least, most float64, to *float32) {
	if n == "" {
		return
	}
	x, err := n.Float64()
	if err != nil || x < least || x > most {
		a.refuse(field, fmt.Sprintf("must be from %g to %g", least, most))
		return
	}
	*to = float32(x)
}

func (a *asker) whole(field string, n json.Number, least, most int64, to *int32) {
	if n == "" {
		return
	}
	x, err := n.Int64()
	if err != nil || x < least || x > most {
		a.refuse(field, fmt.Sprintf("must be a whole number from %d to %d", least, most))
		return
	}
	*to = int32(x)
}

// extras decides on each field that has no dialect-free form.
func (a *asker) extras(d starling.Dialect) {
	for _, name := range slices.Sorted(maps.Keys(a.chat.Extra)) {
		value := a.chat.Extra[name]
		plain := name
		for _, group := range []string{"options.", "generation_config."} {
			plain = strings.TrimPrefix(plain, group)
		}
		switch {
		case a.samples(name, plain, value):
		case idle(value):
		case name == "raw" && d == starling.Generate:
			a.raw = true
		case otherwise[name] || strings.HasSuffix(name, ".type") || strings.HasSuffix(name, ".role"):
			a.refuse(name, "cannot be done on this machine")
		default:
			a.left(name)
		}
	}
}

// samples takes a field of sampling that some dialects have.
func (a *asker) samples(name, plain string, value json.RawMessage) bool {
	s, n := &a.Sampling, json.Number(value)
	switch plain {
	case "frequency_penalty":
		a.real(name, n, -2, 2, &s.Frequency)
	case "presence_penalty":
		a.real(name, n, -2, 2, &s.Presence)
	case "repeat_penalty", "repetition_penalty":
		a.real(name, n, 0, 10, &s.Repeat)
	case "min_p":
		a.real(name, n, 0, 1, &s.MinP)
	case "typical_p":
		a.real(name, n, 0, 1, &s.Typical)
	case "repeat_last_n":
		a.whole(name, n, -1, math.MaxInt32, &s.Last)
	case "logit_bias":
		a.bias(name, value)
	default:
		return false
	}
	return true
}

func (a *asker) bias(name string, value json.RawMessage) {
	var by map[int32]float32
	if json.Unmarshal(value, &by) != nil {
		a.refuse(name, "must be an object of numbers by token")
		return
	}
	if len(by) > 0 {
		a.Bias = by
	}
}

// idle reports whether a value asks for nothing.
func idle(value json.RawMessage) bool {
	switch string(bytes.TrimSpace(value)) {
	case "false", "0", "0.0", "[]", "{}", `""`, "null":
		return true
	}
	return false
}

// otherwise are the fields without which the answer would be another one, in any
// dialect.
var otherwise = map[string]bool{
	"_debug_render_only": true, "audio": true, "background": true, "best_of": true, "cached_content": true, "container": true, "context": true, "conversation": true,
	"echo": true, "function_call": true, "functions": true, "height": true, "instructions": true, "mcp_servers": true, "modalities": true,
	"prediction": true, "previous_response_id": true, "prompt": true, "raw": true, "steps": true, "suffix": true, "template": true, "tool_choice": true,
	"web_search_options": true, "width": true, "messages[].audio": true, "messages[].function_call": true,
	"generation_config.response_modalities": true,
}

// shape holds the answer to the demanded form.
func (l *Local) shape(a *asker) error {
	f := a.chat.Format
	switch {
	case f == nil:
		return nil
	case a.forced():
		a.left("response_format") // there will be no text that could have it
		return nil
	}
	schema := []byte(f.Schema)
	if f.Kind != "json_schema" || len(schema) == 0 {
		schema = []byte(`{"type":"object"}`)
	}
	if l.opts.Grammar == nil {
		return refused("response_format", "nothing here holds a model to a shape")
	}
	gbnf, loose, err := l.opts.Grammar(schema)
	if err != nil {
		return err
	}
	a.hold(gbnf, loose, "response_format")
	return nil
}

// hold holds the answer to a grammar, and says what it does not hold.
func (a *asker) hold(gbnf string, loose []string, field string) {
	for _, what := range keywords(loose) {
		a.left(field + ": " + what)
	}
	a.Grammar = gbnf
}

// forced reports whether the answer must be a call.
func (a *asker) forced() bool {
	return a.chat.ToolChoice.Mode == "required" || a.chat.ToolChoice.Mode == "tool"
}

// keywords are the last words of JSON pointers, each once: what stands before them are
// the caller's own names.
func keywords(pointers []string) (all []string) {
	for _, p := range pointers {
		word := p[strings.LastIndexByte(p, '/')+1:]
		if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ$") != "" || len(word) > 40 {
			word = "a keyword"
		}
		if !slices.Contains(all, word) {
			all = append(all, word)
		}
	}
	return all
}

// prompt renders the chat. A prompt of the completions dialect is continued as it is.
func (a *asker) prompt(d starling.Dialect) (err error) {
	if d == starling.Completions || a.raw {
		a.Prompt, a.reader = []engine.Text{{Text: a.chat.Messages[0].Parts[0].Text}}, func() Reader { return &plainReader{} }
	} else {
		chat := *a.chat
		if chat.ToolChoice.Mode == "none" {
			chat.Tools = nil
		}
		if a.Prompt, err = a.weights.Speaker.Prompt(&chat); err != nil {
			return err
		}
		if a.forced() {
			gbnf, loose, err := a.weights.Speaker.Force(&chat, a.Prompt)
			if err != nil {
				return err
			}
			a.hold(gbnf, loose, "tools")
		}
		a.reader = func() Reader { return a.weights.Speaker.Reader(chat.Tools, a.Prompt) }
	}
	for _, t := range a.Prompt {
		a.size += len(t.Text)
	}
	if a.size > mostPrompt {
		return &starling.Error{Kind: starling.TooLarge, Op: fmt.Sprintf("local: the prompt has %d bytes, at most %d are read", a.size, mostPrompt)}
	}
	return nil
}

// digest names a prompt to nobody but this process.
func (l *Local) digest(q *question) (s suspect) {
	mac := hmac.New(sha256.New, l.secret[:])
	mac.Write([]byte(cmp.Or(q.weights.Digest, q.weights.Name)))
	for _, t := range q.Prompt {
		fmt.Fprintf(mac, "\x00%v\x00%d\x00%s", t.Special, len(t.Text), t.Text)
	}
	fmt.Fprintf(mac, "\x00%s", q.Grammar)
	copy(s[:], mac.Sum(nil))
	return s
}

// A plainReader takes everything for text.
type plainReader struct{}

func (*plainReader) Add(text string) []starling.Delta {
	return []starling.Delta{{Kind: starling.TextPart, Text: text}}
}

func (*plainReader) End() ([]starling.Delta, starling.Finish) { return nil, "" }
