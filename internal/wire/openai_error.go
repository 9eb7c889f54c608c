package wire

import "starling"

func (openAI) requestID() string { return "x-request-id" }

// refusal: a client of this dialect tries 429 and 5xx again unless told not to,
// and shows the message of 429.
func (openAI) refusal(k starling.Kind) refusal {
	switch k {
	case starling.Invalid:
		return refusal{status: 400, word: "invalid_request_error"}
	case starling.Unauthenticated:
		return refusal{status: 401, word: "authentication_error"}
	case starling.Forbidden, starling.Unproven:
		return refusal{status: 403, word: "permission_error", final: true}
	case starling.NotFound:
		return refusal{status: 404, word: "not_found_error"}
	case starling.TooLarge:
		return refusal{status: 413, word: "request_too_large"}
	case starling.OverBudget:
		return refusal{status: 429, word: "insufficient_quota", final: true}
	case starling.Overloaded:
		return refusal{status: 503, word: "server_error"}
	case starling.Refused:
		return refusal{status: 502, word: "upstream_error", final: true}
	case starling.Cancelled:
		return refusal{status: 499, word: "cancelled"}
	}
	return refusal{status: 500, word: "server_error"}
}

func (openAI) meanings() []meaning {
	return []meaning{
		{400, "invalid_request_error"}, {400, "context_length_exceeded"}, {400, "invalid_prompt"},
		{404, "not_found_error"}, {404, "model_not_found"},
		{413, "request_too_large"},
		{429, "rate_limit_error"}, {429, "rate_limit_exceeded"}, {429, "insufficient_quota"}, {429, "tokens"}, {429, "requests"},
		{503, "overloaded_error"}, {500, "server_error"},
	}
}

// envelope writes the error object. All four of its keys are required; a hint is one of our
// own beside them, for those who tell it apart from the message.
func (openAI) envelope(p *pen, e said) {
	p.open('{')
	p.key("error")
	p.open('{')
	p.pairs("message", e.message, "type", e.word)
	p.key("param")
	if e.field == "" {
		p.raw(nil)
	} else {
		p.string(e.field)
	}
	p.pairs("code", e.code)
	if e.hint != "" {
		p.pairs("hint", e.hint)
	}
	p.shut('}')
	p.shut('}')
}
