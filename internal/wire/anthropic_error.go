package wire

import "starling"

func (anthropic) requestID() string { return "request-id" }

// refusal: coding agents of this dialect stop at 402 and show its message; 400
// and 403 they try again with less, or take for a failed login.
func (anthropic) refusal(k starling.Kind) refusal {
	switch k {
	case starling.Invalid:
		return refusal{status: 400, word: "invalid_request_error"}
	case starling.Unauthenticated:
		return refusal{status: 401, word: "authentication_error"}
	case starling.Forbidden, starling.Unproven:
		return refusal{status: 402, word: "permission_error", final: true}
	case starling.NotFound:
		return refusal{status: 404, word: "not_found_error"}
	case starling.TooLarge:
		return refusal{status: 413, word: "request_too_large"}
	case starling.OverBudget:
		return refusal{status: 402, word: "billing_error", final: true}
	case starling.Overloaded:
		return refusal{status: 529, word: "overloaded_error"}
	case starling.Refused:
		return refusal{status: 502, word: "api_error", final: true}
	case starling.Cancelled:
		return refusal{status: 499, word: "api_error"}
	}
	return refusal{status: 500, word: "api_error"}
}

func (anthropic) meanings() []meaning {
	return []meaning{
		{400, "invalid_request_error"}, {401, "authentication_error"}, {402, "billing_error"}, {403, "permission_error"},
		{404, "not_found_error"}, {408, "timeout_error"}, {413, "request_too_large"}, {429, "rate_limit_error"},
		{500, "api_error"}, {529, "overloaded_error"},
	}
}

func (anthropic) envelope(p *pen, e said) {
	p.open('{')
	p.pairs("type", "error")
	p.key("error")
	p.open('{')
	p.pairs("type", e.word, "message", e.message)
	p.shut('}')
	if e.request != "" {
		p.pairs("request_id", e.request)
	}
	p.shut('}')
}
