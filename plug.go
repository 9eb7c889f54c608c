package starling

import (
	"context"
	"iter"
	"time"
)

// A Provider runs models somewhere: on this CPU, on a colleague's idle machine,
// in a container, in a cloud. Implementations live in internal/provider and
// must pass conform.Provider.
//
// A Provider is safe for concurrent use and keeps no state about a caller.
type Provider interface {
	// Models reports what can be called. It answers from memory.
	Models() []Model

	// Generate runs the call and yields the answer as it arrives.
	//
	// Exactly one of the event and the error is set in each pair. The last pair
	// is either an event (and the upstream's usage, where it sent one, came by
	// then), or an error; nothing follows an error. A stream that stops without
	// its dialect's proper end is an error, never an end. When the caller stops
	// ranging, or ctx ends, the upstream call is closed before the iterator
	// returns.
	//
	// A question for vectors, a moderation or a count ([Dialect.Wants]) has one
	// whole event, checked against what was asked for: a model is asked only what it
	// answers ([Model.Answers]).
	//
	// Errors are *Error: Cancelled when ctx ended, Forbidden when the call may
	// not leave for this provider's zone, NotFound for an unknown model,
	// Invalid when the request cannot be said in the provider's dialect,
	// Overloaded when trying later may succeed, Refused when it will not.
	Generate(ctx context.Context, c Call) iter.Seq2[Event, error]
}

// A Call is one question to one model.
type Call struct {
	Model    Model
	Request  *Request
	Furthest Zone               // as screened; the egress guard checks it again
	Deltas   bool               // fill Event.Deltas even when Raw passes through
	Logprobs bool               // have the model say how sure it is, where its dialect can: Event.Confidence
	Patience time.Duration      // how long a refused call may be tried again; 0 when somebody else is next
	Left     func(field string) // told of each field that translation cannot carry; never nil
}

// A Verifier judges whether an answer is good enough to be seen.
// Implementations live in internal/verify and must pass conform.Verifier.
type Verifier interface {
	// Name is the verifier's kind and, if a rubric has several, its number.
	Name() string

	// Verify judges a. An answer that it cannot judge is an error, not a
	// rejection; an empty answer is a rejection. The same input gets the same
	// verdict. Safe for concurrent use.
	Verify(ctx context.Context, r *Request, a *Answer) (Verdict, error)
}

// An AskingVerifier is a Verifier that asks a model before it says anything. Its
// Verify is an Invalid error: without an Asker it cannot judge. Implementations
// live in internal/verify and must pass conform.AskingVerifier.
type AskingVerifier interface {
	Verifier

	// VerifyAsking judges as Verify does, by what ask is told, and says in
	// Verdict.Cost what that did cost. The same input is asked in the same words,
	// and the same replies get the same verdict. What the asker cannot get, and a
	// reply that is none, is an error, never a verdict: it fails closed.
	VerifyAsking(ctx context.Context, r *Request, a *Answer, ask Asker) (Verdict, error)
}

// An Asker asks models for a verifier, as carefully as candidates are asked:
// within the zone that the exchange's data may travel to, and under every cap.
// What it spends is in the books already when it returns.
//
// It belongs to the goroutine of the exchange.
type Asker interface {
	// Ask has a model answer q and returns the whole answer, and what that did
	// cost. The model is named by an alias or by "provider/model"; "" is the one
	// whose answer is judged. q is not streamed.
	//
	// Errors are *Error: Forbidden when the model runs further away than the data
	// may travel, OverBudget when the call may cost more than is allowed, NotFound
	// when nobody offers the model, and those of [Provider.Generate].
	Ask(ctx context.Context, model string, q *Request) (*Answer, Money, error)
}
