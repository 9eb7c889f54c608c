package wire

import (
	"strings"

	"starling"
)

// responses is POST /v1/responses, as OpenAI describes it and as its command-line
// agent speaks it, which says more than is described.
//
// Source: OpenAI's OpenAPI document 2.3.0 (2026-08-21), CreateResponse, Response and
// ResponseStreamEvent; the bodies of Codex 0.171.
type responses struct{}

func (responses) asked() []ask { return responsesAsked }

var responsesAsked = []ask{
	{name: "model", required: true, read: readModel},
	{name: "input", read: readInput},
	{name: "stream", read: readCountedStream},
	{name: "max_output_tokens", read: readLimit("max_output_tokens")},
	{name: "tools", read: readResponsesTools},
	{name: "tool_choice", read: readToolChoice},
	{name: "service_tier", read: readTier("service_tier", "priority", "fast", "ultrafast", "scale")},
	{name: "background", read: readBackground},
	{name: "text", read: readFormat(func(v []byte) *starling.Format { return responsesFormat(field(v, "format")) })},
	{name: "prompt_cache_key", read: readTalk},
	{name: "include", read: readInclude},
}

// includedProbs is what asks for log-probabilities among what an answer is to include.
const includedProbs = "message.output_text.logprobs"

func readInclude(r *starling.Request, v []byte) error {
	for m := enter(v); m.next(); {
		r.WantProbs = r.WantProbs || text(m.value) == includedProbs
	}
	return nil
}

func readInput(_ *starling.Request, v []byte) error {
	if k := kindOf(v); k != '"' && k != '[' {
		return invalid("input", "must be a string or an array")
	}
	if isEmpty(v) {
		return invalid("input", "must not be empty")
	}
	return nil
}

// readBackground: an answer that is made while nobody listens could be neither
// fetched here nor booked.
func readBackground(_ *starling.Request, v []byte) error {
	on := false
	if err := readBool(&on, "background", v); err != nil {
		return err
	}
	if on {
		e := invalid("background", "answers are not made in the background here")
		e.Hint = "ask without it, streamed if it takes long"
		return e
	}
	return nil
}

func readResponsesTools(r *starling.Request, v []byte) error {
	if kindOf(v) != '[' {
		return invalid("tools", "must be an array")
	}
	eachTool(v, func(_ string, tool []byte) {
		r.Tools++
		switch kind := text(field(tool, "type")); kind {
		case "function", "custom", "local_shell", "apply_patch", "computer", "tool_search": // the caller runs them
		default:
			if isHosted(kind) {
				r.Hosted++
			}
		}
	})
	return nil
}

func (responses) weigh(part []byte) weight {
	switch string(part) {
	case "input_text", "output_text", "text", "refusal", "summary_text", "reasoning_text":
		return byBytes
	case "input_image", "computer_screenshot":
		return byImage
	}
	return byWindow
}

func (responses) fate(name string, v []byte) fate { return ruled(responsesRules, name, v) }

// isEchoed: the caller gets it back with the answer, whoever makes that.
func isEchoed([]byte) bool { return true }

// responsesRules say what becomes of this dialect's own fields in another one.
var responsesRules = map[string]rule{
	"background":           {fate: refuse, without: isFalse},
	"conversation":         {fate: refuse},
	"instructions":         {fate: refuse},
	"moderation":           {fate: refuse},
	"previous_response_id": {fate: refuse},
	"prompt":               {fate: refuse},
	"tool_choice":          {fate: refuse},

	"input[].call_id":           {fate: refuse},
	"input[].content[].file_id": {fate: refuse},
	"input[].content[].type":    {fate: refuse},
	"input[].item_reference":    {fate: refuse},
	"input[].role":              {fate: refuse},
	"input[].type":              {fate: refuse},
	"tools[].type":              {fate: refuse},

	"input[].content[].annotations":      {without: isEmpty},
	"input[].content[].logprobs":         {without: isEmpty},
	"metadata":                           {without: isEchoed},
	"service_tier":                       {without: isText("auto", "default")},
	"store":                              {without: isFalse},
	"stream_options.include_obfuscation": {without: isFalse},
	"text.verbosity":                     {without: isText("medium")},
	"tools[].defer_loading":              {without: isFalse},
	"truncation":                         {without: isText("disabled")},
}

// stateful has the fields that name what an upstream keeps. Another one, or one of
// another dialect, would answer without the history that the caller counts on.
var stateful = map[string]string{
	"previous_response_id":   "the answer that it names is not kept here, nor known to a candidate that speaks another dialect",
	"conversation":           "conversations are not kept here",
	"prompt":                 "prompts are not kept here",
	"input[].item_reference": "the item that is referred to is not kept here",
}

// explain is the error of a field that would change the answer if it were left out,
// nil if there is nothing to say but that.
func (responses) explain(name string) *starling.Error {
	why, ok := stateful[name]
	if !ok {
		return nil
	}
	e := invalid(name, why)
	e.Hint = "send the whole input with every request, and store: false"
	return e
}

// same replaces the model's name, and takes out the reasoning that another
// dialect's model had: the upstream that is said to have made it does not know it.
func (responses) same(r *starling.Request, o *outgoing) []byte {
	body := r.Body
	if e, ok := newModel(body, r.Model, o.model.Name); ok {
		body = edited(body, e)
	}
	return withoutOurReasoning(body, o)
}

// ourItem is in the ids of all items that were written here.
const ourItem = "starling"

// itemID is the id of the n-th item of an answer. Clients send items back with their
// ids, so it is unique in the conversation; some upstreams check how it begins.
func itemID(kind, answer string, n int) string { return ownID(kind+"_"+ourItem, answer, n) }

func withoutOurReasoning(body []byte, o *outgoing) []byte {
	if !Mentions(body, `"rs_`+ourItem) && !Mentions(body, `"`+ourMark+`"`) {
		return body
	}
	at, end := locate(body, "input")
	if at == end || kindOf(body[at:end]) != '[' {
		return body
	}
	kept, cut := filtered(body[at:end], func(item []byte) []byte {
		if text(field(item, "type")) != "reasoning" {
			return item
		}
		if strings.HasPrefix(text(field(item, "id")), "rs_"+ourItem) || text(field(item, "encrypted_content")) == ourMark {
			return nil
		}
		return item
	})
	if !cut {
		return body
	}
	o.leave("input[].reasoning")
	return edited(body, edit{at, end, string(kept)})
}

func (responses) streamType() string { return eventStream }

func (responses) requestID() string { return openAI{}.requestID() }

// refusal: the coding agent of this dialect shows a 400 as it is after one request;
// 402 and 403 it tries five times more, and of a 429 it loses the message.
func (responses) refusal(k starling.Kind) refusal {
	f := openAI{}.refusal(k)
	switch k {
	case starling.Forbidden, starling.Unproven, starling.OverBudget:
		f.status = 400
	}
	return f
}

func (responses) meanings() []meaning {
	return append(openAI{}.meanings(), meaning{400, "previous_response_not_found"}, meaning{503, "server_is_overloaded"}, meaning{503, "slow_down"})
}

func (responses) envelope(p *pen, e said) {
	if e.field == "previous_response_id" {
		e.code = "previous_response_not_found"
	}
	openAI{}.envelope(p, e)
}
