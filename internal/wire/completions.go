package wire

import (
	"fmt"

	"starling"
)

// completions is POST /v1/completions: OpenAI's older dialect, for a prompt alone.
// Nothing is translated into it, as it has neither turns nor tools.
//
// Source: OpenAI's OpenAPI document 2.3.0 (2026-08-21), CreateCompletionRequest and
// CreateCompletionResponse.
type completions struct{}

func (completions) asked() []ask { return completionsAsked }

var completionsAsked = []ask{
	{name: "model", required: true, read: readModel},
	{name: "prompt", required: true, read: readPrompts},
	{name: "stream", read: readStream},
	{name: "stream_options", read: readStreamOptions},
	{name: "max_tokens", read: readLimit("max_tokens")},
	{name: "n", read: readTimes("n")},
	{name: "best_of", read: readTimes("best_of")},
	{name: "logprobs", read: readLogprobs},
}

// readPrompts reads a text, several, or one or several as tokens. Each is answered.
func readPrompts(r *starling.Request, v []byte) error {
	switch kindOf(v) {
	case '"':
		return nil
	case '[':
		first := enter(v)
		if !first.next() {
			return invalid("prompt", "must not be empty")
		}
		if kindOf(first.value) == '0' {
			return nil
		}
		return times(r, "prompt", int64(count(v)))
	}
	return invalid("prompt", "must be a string or an array")
}

// readTimes reads how many answers are made of each prompt, whether they are all
// told or the best of them: they are charged.
func readTimes(name string) func(*starling.Request, []byte) error {
	return func(r *starling.Request, v []byte) error {
		n, _ := whole(v)
		return times(r, name, n)
	}
}

func times(r *starling.Request, name string, n int64) error {
	if n < 1 || n*r.Choices > mostChoices {
		return invalid(name, fmt.Sprintf("must be at least 1, and all answers together at most %d", mostChoices))
	}
	r.Choices *= n
	return nil
}

func (completions) weigh([]byte) weight { return byBytes }

// impliedLimit is what the dialect says of a caller who sets no limit.
const impliedLimit = 16

func (completions) view(body []byte) (*starling.Chat, error) {
	top, err := object(body)
	if err != nil {
		return nil, err
	}
	v := &completionsViewer{}
	v.chat.Choices = 1
	for _, m := range top {
		if kindOf(m.value) != 'n' {
			v.field(string(m.key), m.value)
		}
	}
	if v.chat.MaxTokens == 0 {
		v.chat.MaxTokens = impliedLimit
	}
	return v.done()
}

// completionsViewer reads what is said as in the openai dialect.
type completionsViewer struct{ openAIViewer }

func (v *completionsViewer) field(name string, value []byte) {
	switch name {
	case "prompt":
		v.prompt(value)
	case "model", "stream", "stream_options", "max_tokens", "temperature", "top_p", "seed", "n", "stop", "user":
		v.openAIViewer.field(name, value)
	case "logprobs":
		v.chat.Logprobs, v.chat.TopLogprobs = true, v.limit(name, value)
	default:
		v.extra(name, value)
	}
}

// prompt makes a turn of a prompt. Several are kept apart, and so that nobody takes
// them for one they are an extra too.
func (v *completionsViewer) prompt(value []byte) {
	all := []string{text(value)}
	if kindOf(value) == '[' {
		all = nil
		for m := enter(value); m.next(); {
			all = append(all, text(m.value))
		}
	}
	m := starling.Message{Role: starling.User}
	for _, s := range all {
		m.Parts = append(m.Parts, starling.Part{Kind: starling.TextPart, Text: s})
	}
	v.chat.Messages = append(v.chat.Messages, m)
	if first := enter(value); kindOf(value) == '[' && (len(all) != 1 || first.next() && kindOf(first.value) != '"') {
		v.extra("prompt", value)
	}
}

func (completions) fate(name string, v []byte) fate { return ruled(completionsRules, name, v) }

// completionsRules say what becomes of the dialect's own fields in another one.
var completionsRules = map[string]rule{
	"best_of":    {fate: refuse, without: func(v []byte) bool { return string(v) == "1" }},
	"echo":       {fate: refuse, without: isFalse},
	"logit_bias": {fate: refuse, without: isEmpty},
	"prompt":     {fate: refuse}, // several, or tokens
	"suffix":     {fate: refuse, without: isText("")},

	"frequency_penalty": {without: isZero},
	"presence_penalty":  {without: isZero},

	"stream_options.include_obfuscation": {without: isFalse},
}

// reword puts the instructions before the prompt: there is no other place.
func (completions) reword(_ []byte, top []member, system string) (edits []edit) {
	for _, m := range top {
		if string(m.key) != "prompt" {
			continue
		}
		prompt := m.value
		if one := enter(prompt); count(prompt) == 1 && one.next() {
			prompt = one.value
		}
		if kindOf(prompt) == '"' {
			edits = append(edits, m.becomes(string(appendString(nil, text([]byte(system))+"\n\n"+text(prompt)))))
		}
	}
	return edits
}

// decoder reads the answers of all choices, but does not know how many of those that
// were made are told.
func (completions) decoder(o ReadOptions) decoder {
	return &openAIDecoder{dialect: starling.Completions, deltas: o.Deltas, last: noBlock}
}

// What follows is the same as in the openai dialect.

func (completions) same(r *starling.Request, o *outgoing) []byte { return openAI{}.same(r, o) }
func (completions) streamType() string                           { return eventStream }
func (completions) requestID() string                            { return openAI{}.requestID() }
func (completions) refusal(k starling.Kind) refusal              { return openAI{}.refusal(k) }
func (completions) meanings() []meaning                          { return openAI{}.meanings() }
func (completions) envelope(p *pen, e said)                      { openAI{}.envelope(p, e) }

// completionTokens reads the lists in which this dialect tells of tokens.
func completionTokens(v []byte) (all []starling.Token) {
	probs, tops := enter(field(v, "token_logprobs")), enter(field(v, "top_logprobs"))
	for m := enter(field(v, "tokens")); m.next() && probs.next(); {
		t := starling.Token{Text: text(m.value), Logprob: logprobOf(probs.value)}
		if tops.next() && kindOf(tops.value) == '{' {
			for top := enter(tops.value); top.next(); {
				t.Top = append(t.Top, starling.Token{Text: top.name(), Logprob: logprobOf(top.value)})
			}
		}
		all = append(all, t)
	}
	return all
}
