// Package starling holds the words of the system: the values that travel with a
// request, and the interfaces that answer one. It imports only the standard
// library and does no I/O, so everything else may import it.
//
// A request becomes an [Exchange]. Each stage reads the fields above its own and
// writes exactly one:
//
//	Request   the caller's question, as received               internal/wire
//	Screen    what class its data is, and how far it may go    internal/privacy
//	Plan      who should try, in which order, and why          internal/route
//	Observed  what would have been done, had anything been     internal/cascade
//	Attempts  who tried, what it cost, was it good enough      internal/cascade
//	Response  what can be said of the answer that was returned internal/cascade
//	Receipt   what it cost, what it saved, chained and signed  internal/ledger
//
// To follow a request, open internal/cascade/cascade.go and read down.
//
// Units are in the type, never in a comment alone: [Money] is in nanodollars,
// a [Rate] is money per million tokens, time is a [time.Duration].
package starling
