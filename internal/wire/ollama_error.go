package wire

import "starling"

func (ollama) requestID() string { return "x-request-id" }

// refusal: clients of this dialect never try again by themselves, and show the
// message of every status. So each has the plainest.
//
// Source: checkOk in npm's ollama 0.6.4, ResponseError in PyPI's ollama.
func (ollama) refusal(k starling.Kind) refusal {
	switch k {
	case starling.Invalid:
		return refusal{status: 400}
	case starling.Unauthenticated:
		return refusal{status: 401}
	case starling.Forbidden, starling.Unproven:
		return refusal{status: 403, final: true}
	case starling.NotFound:
		return refusal{status: 404}
	case starling.TooLarge:
		return refusal{status: 413}
	case starling.OverBudget:
		return refusal{status: 402, final: true}
	case starling.Overloaded:
		return refusal{status: 503}
	case starling.Refused:
		return refusal{status: 502, final: true}
	case starling.Cancelled:
		return refusal{status: 499}
	}
	return refusal{status: 500}
}

// meanings: there are no types of error.
func (ollama) meanings() []meaning { return nil }

// envelope writes the message, which is all that an error is here.
func (ollama) envelope(p *pen, e said) {
	p.open('{')
	p.pairs("error", e.message)
	p.shut('}')
}
