package wire

import (
	"bytes"

	"starling"
)

// openAI is POST /v1/chat/completions, as OpenAI describes it and as the many
// servers compatible with it speak it.
type openAI struct{}

func (l openAI) asked() []ask {
	return []ask{
		{name: "model", required: true, read: readModel},
		{name: "messages", required: true, read: readMessages(l)},
		{name: "stream", read: readStream},
		{name: "stream_options", read: readStreamOptions},
		{name: "max_tokens", read: readLimit("max_tokens")},
		{name: "max_completion_tokens", read: readLimit("max_completion_tokens")},
		{name: "n", read: readChoices},
		{name: "tools", read: readTools},
	}
}

func readStreamOptions(r *starling.Request, v []byte) error {
	if kindOf(v) != '{' {
		return invalid("stream_options", "must be an object")
	}
	if usage := field(v, "include_usage"); usage != nil {
		return readBool(&r.WantUsage, "stream_options.include_usage", usage)
	}
	return nil
}

func (openAI) bounded(part string) bool { return part == "text" || part == "refusal" }

func (openAI) fate(name string, v []byte) fate { return ruled(openAIRules, name, v) }

// openAIRules say what becomes of OpenAI's own fields in another dialect.
var openAIRules = map[string]rule{
	"audio":              {fate: refuse},
	"function_call":      {fate: refuse, without: isText("none", "auto")},
	"functions":          {fate: refuse, without: isEmpty},
	"logit_bias":         {fate: refuse, without: isEmpty},
	"logprobs":           {fate: refuse, without: isFalse},
	"modalities":         {fate: refuse, without: func(v []byte) bool { return string(v) == `["text"]` || isEmpty(v) }},
	"moderation":         {fate: refuse},
	"prediction":         {fate: refuse},
	"tool_choice":        {fate: refuse},
	"top_logprobs":       {fate: refuse, without: isZero},
	"web_search_options": {fate: refuse},

	"messages[].audio":             {fate: refuse},
	"messages[].content[].type":    {fate: refuse},
	"messages[].function_call":     {fate: refuse},
	"messages[].role":              {fate: refuse},
	"messages[].tool_calls[].type": {fate: refuse},
	"tools[].type":                 {fate: refuse},

	"frequency_penalty": {without: isZero},
	"presence_penalty":  {without: isZero},
	"service_tier":      {without: isText("auto", "default")},
	"store":             {without: isFalse},
	"verbosity":         {without: isText("medium")},
}

// same replaces the model's name, and asks for usage in a stream whose caller
// did not.
func (openAI) same(r *starling.Request, o *outgoing) []byte {
	body := withModel(r.Body, r.Model, o.model.Name)
	if r.Stream && !r.WantUsage {
		body = withUsage(body)
	}
	return body
}

// withModel replaces the value of the outermost "model". Everything else keeps
// its bytes.
func withModel(body []byte, old, name string) []byte {
	if old == name {
		return body
	}
	at, end := locate(body, "model")
	if at == end {
		return body
	}
	return splice(body, at, end, appendString(nil, name))
}

// withUsage sets stream_options.include_usage.
func withUsage(body []byte) []byte {
	at, end := locate(body, "stream_options")
	if at == end {
		last := bytes.LastIndexByte(body, '}')
		return splice(body, last, last, []byte(`,"stream_options":{"include_usage":true}`))
	}
	options := body[at:end]
	if kindOf(options) != '{' {
		return splice(body, at, end, []byte(`{"include_usage":true}`))
	}
	if from, to := locate(options, "include_usage"); from < to {
		return splice(body, at+from, at+to, []byte("true"))
	}
	more := `"include_usage":true`
	if !isEmpty(options) {
		more += ","
	}
	return splice(body, at+1, at+1, []byte(more))
}

// locate returns where the value of an object's member stands, 0, 0 if there is
// none.
func locate(object []byte, name string) (from, to int) {
	w := walk{b: object, i: skipSpace(object, 0) + 1, object: true}
	for w.next() {
		if same(w.key, name) {
			return w.i - len(w.value), w.i
		}
	}
	return 0, 0
}

// splice returns b with b[from:to] replaced, in new memory.
func splice(b []byte, from, to int, with []byte) []byte {
	out := make([]byte, 0, len(b)-(to-from)+len(with))
	out = append(out, b[:from]...)
	out = append(out, with...)
	return append(out, b[to:]...)
}
