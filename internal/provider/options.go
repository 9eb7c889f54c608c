package provider

import (
	"cmp"
	"time"

	"starling"
)

// Options say what an upstream is. Name, Dialect, URL and Zone are required.
type Options struct {
	Name    string
	Dialect starling.Dialect
	URL     string        // of the API: "https://api.openai.com/v1", "https://api.anthropic.com"
	Zone    starling.Zone // as the guard knows it
	Key     Secret
	Vendor  string             // by name, where it can do more than its dialect says: "vllm" and "llama-server" count
	Also    []starling.Dialect // that it understands beside Dialect: what is asked in them is not translated
	Models  []starling.Model   // Provider, Dialect and Zone may be left out

	// Embedding is the model that [HTTP.Embedder] asks; without a name there is none.
	// It is offered beside Models, for vectors alone unless it is one of them.
	Embedding starling.Model

	Limits Limits

	// HedgeAfter is when a second call is made if no event has come; 0 never.
	// The call that comes second is cut, and booked as Lost.
	HedgeAfter time.Duration

	// Drain is for an upstream that suffers when a caller hangs up: an answer
	// that nobody wants any more is read to its end, at most Limits.Drain long.
	Drain bool

	Trip int           // failures in a row that stop the calls to a model; 5
	Rest time.Duration // for how long, before one call may try; 15 s
}

// Limits bound a call. A field that is not positive has the default named beside
// it.
type Limits struct {
	Connect time.Duration // until there is a connection, TLS included: 5 s
	Header  time.Duration // from then until a streamed answer's headers: 120 s
	First   time.Duration // from then until the first event: 120 s
	Idle    time.Duration // between two events: 60 s
	Total   time.Duration // of the whole call: 10 min. An answer that is not streamed has no other after Connect
	Drain   time.Duration // for an answer that nobody wants any more: 2 min

	Body  int64 // bytes of an answer: 64 MiB
	Event int   // bytes of one event of a stream: 16 MiB
}

func (l Limits) filled() Limits {
	return Limits{
		Connect: cmp.Or(max(l.Connect, 0), 5*time.Second),
		Header:  cmp.Or(max(l.Header, 0), 120*time.Second),
		First:   cmp.Or(max(l.First, 0), 120*time.Second),
		Idle:    cmp.Or(max(l.Idle, 0), 60*time.Second),
		Total:   cmp.Or(max(l.Total, 0), 10*time.Minute),
		Drain:   cmp.Or(max(l.Drain, 0), 2*time.Minute),
		Body:    cmp.Or(max(l.Body, 0), 64<<20),
		Event:   cmp.Or(max(l.Event, 0), 16<<20),
	}
}
