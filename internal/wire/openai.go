package wire

import "starling"

// openAI is POST /v1/chat/completions, as OpenAI describes it and as the many
// servers compatible with it speak it.
type openAI struct{}

func (openAI) asked() []ask { return openAIAsked }

var openAIAsked = []ask{
	{name: "model", required: true, read: readModel},
	{name: "messages", required: true, read: readMessages},
	{name: "stream", read: readStream},
	{name: "stream_options", read: readStreamOptions},
	{name: "max_tokens", read: readLimit("max_tokens")},
	{name: "max_completion_tokens", read: readLimit("max_completion_tokens")},
	{name: "n", read: readChoices},
	{name: "logprobs", read: readLogprobs},
	{name: "tools", read: readTools},
	{name: "tool_choice", read: readToolChoice},
	{name: "service_tier", read: readTier("service_tier", "priority", "fast", "scale")},
	{name: "prompt_cache_key", read: readTalk},
	{name: "web_search_options", read: readHosted},
	{name: "search_parameters", read: readHosted}, // xAI
	{name: "plugins", read: readHosted},           // OpenRouter
	{name: "response_format", read: readFormat(openAIFormat)},
}

// readHosted: what the vendor looks up for an answer it charges beside the tokens.
func readHosted(r *starling.Request, _ []byte) error {
	r.Hosted++
	return nil
}

// readTalk notes what the caller calls the conversation.
func readTalk(r *starling.Request, v []byte) error {
	r.Talk = text(v)
	return nil
}

func readStreamOptions(r *starling.Request, v []byte) error {
	if kindOf(v) != '{' {
		return invalid("stream_options", "must be an object")
	}
	said := false
	for m := enter(v); m.next(); {
		if !m.is("include_usage") {
			continue
		}
		if said {
			return invalid("stream_options.include_usage", "occurs twice")
		}
		if said = true; m.null() {
			continue
		}
		if err := readBool(&r.WantUsage, "stream_options.include_usage", m.value); err != nil {
			return err
		}
	}
	return nil
}

func (openAI) weigh(part []byte) weight {
	switch string(part) {
	case "text", "refusal":
		return byBytes
	case "image_url":
		return byImage
	}
	return byWindow
}

func (openAI) fate(name string, v []byte) fate { return ruled(openAIRules, name, v) }

// openAIRules say what becomes of OpenAI's own fields in another dialect.
var openAIRules = map[string]rule{
	"audio":              {fate: refuse},
	"function_call":      {fate: refuse, without: isText("none", "auto")},
	"functions":          {fate: refuse, without: isEmpty},
	"logit_bias":         {fate: refuse, without: isEmpty},
	"modalities":         {fate: refuse, without: func(v []byte) bool { return string(v) == `["text"]` || isEmpty(v) }},
	"moderation":         {fate: refuse},
	"prediction":         {fate: refuse},
	"tool_choice":        {fate: refuse},
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

	"stream_options.include_obfuscation": {without: isFalse},

	"verbosity": {without: isText("medium")},
}

// same replaces the model's name, and asks for usage in a stream whose caller
// did not.
func (openAI) same(r *starling.Request, o *outgoing) []byte {
	var edits []edit
	if e, ok := newModel(r.Body, r.Model, o.model.Name); ok {
		edits = append(edits, e)
	}
	if r.Stream && !r.WantUsage {
		edits = append(edits, askUsage(r.Body))
	}
	return edited(r.Body, edits...)
}

// askUsage sets stream_options.include_usage.
func askUsage(body []byte) edit {
	const asked = `"include_usage":true`
	at, end := locate(body, "stream_options")
	if at == end {
		start := skipSpace(body, 0) + 1
		return edit{start, start, `"stream_options":{` + asked + `},`} // there are other members
	}
	options := body[at:end]
	if kindOf(options) != '{' || isEmpty(options) {
		return edit{at, end, "{" + asked + "}"}
	}
	if from, to := locate(options, "include_usage"); from < to {
		return edit{at + from, at + to, "true"}
	}
	return edit{at + 1, at + 1, asked + ","}
}

func (openAI) streamType() string { return eventStream }
