package wire

import "starling"

func (gemini) requestID() string { return "x-request-id" }

// refusal: gemini-cli 0.61.0 stops at 400, 402 and 403 after one request and shows
// the message; 429 and 5xx it tries again, whatever x-should-retry says. 402 is no
// status of Google's, and where an account is not in order it says 400.
func (gemini) refusal(k starling.Kind) refusal {
	switch k {
	case starling.Invalid:
		return refusal{status: 400, word: "INVALID_ARGUMENT"}
	case starling.Unauthenticated:
		return refusal{status: 401, word: "UNAUTHENTICATED"}
	case starling.Forbidden, starling.Unproven:
		return refusal{status: 403, word: "PERMISSION_DENIED", final: true}
	case starling.NotFound:
		return refusal{status: 404, word: "NOT_FOUND"}
	case starling.TooLarge:
		return refusal{status: 413, word: "INVALID_ARGUMENT"}
	case starling.OverBudget:
		return refusal{status: 400, word: "FAILED_PRECONDITION", final: true}
	case starling.Overloaded:
		return refusal{status: 503, word: "UNAVAILABLE"}
	case starling.Refused:
		return refusal{status: 502, word: "UNKNOWN", final: true}
	case starling.Cancelled:
		return refusal{status: 499, word: "CANCELLED"}
	}
	return refusal{status: 500, word: "INTERNAL"}
}

// meanings: Google's codes. Source: google/rpc/code.proto.
func (gemini) meanings() []meaning {
	return []meaning{
		{400, "INVALID_ARGUMENT"}, {400, "FAILED_PRECONDITION"}, {401, "UNAUTHENTICATED"}, {403, "PERMISSION_DENIED"},
		{404, "NOT_FOUND"}, {409, "ABORTED"}, {429, "RESOURCE_EXHAUSTED"}, {499, "CANCELLED"}, {500, "INTERNAL"}, {503, "UNAVAILABLE"}, {504, "DEADLINE_EXCEEDED"},
	}
}

// envelope writes Google's error. Its code is the status; our kind, and the field,
// stand where Google puts what only programs read.
func (gemini) envelope(p *pen, e said) {
	p.open('{')
	p.key("error")
	p.open('{')
	p.key("code")
	p.int(int64(e.status))
	p.pairs("message", e.message, "status", e.word)
	p.key("details")
	p.open('[')
	p.open('{')
	p.pairs("@type", "type.googleapis.com/google.rpc.ErrorInfo", "reason", e.code, "domain", "starling")
	p.key("metadata")
	p.open('{')
	if e.field != "" {
		p.pairs("field", e.field)
	}
	p.shut('}')
	p.shut('}')
	p.shut(']')
	p.shut('}')
	p.shut('}')
}
