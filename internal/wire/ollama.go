package wire

import (
	"fmt"
	"strings"

	"starling"
)

// ollama is POST /api/chat. An answer is streamed unless the caller says otherwise.
//
// Source: docs/api.md and api/types.go of Ollama v0.17.4.
type ollama struct{}

func (ollama) asked() []ask { return ollamaAsked }

// Without messages nothing is asked: see [Loads].
var ollamaAsked = []ask{
	{name: "model", required: true, read: readModel},
	{name: "messages", read: readTurns},
	{name: "stream", read: readCountedStream, absent: streams},
	{name: "options", read: readOptions},
	{name: "format", read: readFormat(ollamaFormat)},
	{name: "logprobs", read: readLogprobs},
	{name: "tools", read: readTools},
}

func streams(r *starling.Request) { r.Stream, r.WantUsage = true, true }

func readTurns(_ *starling.Request, v []byte) error {
	if kindOf(v) != '[' {
		return invalid("messages", "must be an array")
	}
	return nil
}

// readOptions reads the limit among the options. One below nothing is none.
func readOptions(r *starling.Request, v []byte) error {
	const limit = "options.num_predict"
	if kindOf(v) != '{' {
		return invalid("options", "must be an object")
	}
	said := false
	for m := enter(v); m.next(); {
		if !m.is("num_predict") || m.null() {
			continue
		}
		n, ok := whole(m.value)
		switch {
		case said:
			return invalid(limit, "occurs twice")
		case !ok || n > mostTokens:
			return invalid(limit, fmt.Sprintf("must be a whole number up to %d", mostTokens))
		}
		said, r.MaxTokens = true, max(n, 0)
	}
	return nil
}

// Loads returns what a question of Ollama's dialects asks for that asks a model
// nothing: "load" or "unload", and "" for any other. Its clients send them to have a
// model in memory, or out of it.
//
// Source: ChatHandler and GenerateHandler of Ollama v0.17.4.
func Loads(r *starling.Request) string {
	empty, reason := true, "load"
	if r.Dialect != starling.Ollama && r.Dialect != starling.Generate {
		return ""
	}
	for m := enter(r.Body[skipSpace(r.Body, 0):]); m.next(); {
		switch {
		case m.is("messages") && r.Dialect == starling.Ollama:
			empty = m.null() || isEmpty(m.value)
		case m.is("prompt") && r.Dialect == starling.Generate:
			empty = m.null() || text(m.value) == "" && kindOf(m.value) == '"'
		case m.is("keep_alive") && (isZero(m.value) || strings.Trim(text(m.value), "0hms") == "" && len(m.value) > 2):
			reason = "unload"
		}
	}
	if !empty {
		return ""
	}
	return reason
}

func (ollama) weigh(part []byte) weight { return ollamaWeigh(part) }

// ollamaWeigh: what is no text is an image, of which there is no type ([ollamaStep]).
func ollamaWeigh([]byte) weight { return byBytes }

func (ollama) step(key []byte) step { return ollamaStep(key) }

func (generate) step(key []byte) step { return ollamaStep(key) }

func ollamaStep(key []byte) step {
	if string(key) == "images" {
		return toImages
	}
	return messageStep(key)
}

func (ollama) fate(name string, v []byte) fate { return ruled(ollamaRules, name, v) }

// ollamaRules say what becomes of the fields of Ollama's dialects in another one.
// What its options say of memory and devices is for Ollama alone.
var ollamaRules = map[string]rule{
	"_debug_render_only": {fate: refuse, without: isFalse},
	"context":            {fate: refuse, without: isEmpty},
	"height":             {fate: refuse, without: isZero},
	"raw":                {fate: refuse, without: isFalse},
	"steps":              {fate: refuse, without: isZero},
	"suffix":             {fate: refuse, without: isText("")},
	"template":           {fate: refuse, without: isText("")},
	"width":              {fate: refuse, without: isZero},

	"messages[].role":              {fate: refuse},
	"messages[].tool_calls[].type": {fate: refuse},
	"tools[].type":                 {fate: refuse},

	"shift":    {without: isFalse},
	"truncate": {without: isFalse},

	"options.frequency_penalty": {without: isZero},
	"options.presence_penalty":  {without: isZero},
}

// same replaces the model's name. Whatever the caller says, or does not say, of the
// window is between it and Ollama.
func (ollama) same(r *starling.Request, o *outgoing) []byte { return renamed(r, o) }

// renamed is r's body with the model's name replaced.
func renamed(r *starling.Request, o *outgoing) []byte {
	if e, ok := newModel(r.Body, r.Model, o.model.Name); ok {
		return edited(r.Body, e)
	}
	return r.Body
}

func (ollama) streamType() string { return jsonLines }

func (ollama) reword(body []byte, top []member, system string) []edit {
	return append(openAI{}.reword(body, top, system), unstreamed(body, top)...)
}

// unstreamed asks for a whole answer where unsaid is a stream.
func unstreamed(body []byte, top []member) []edit {
	for _, m := range top {
		if string(m.key) == "stream" {
			return nil // Reword sets it
		}
	}
	start := skipSpace(body, 0) + 1
	return []edit{{start, start, `"stream":false,`}} // there are other members
}
