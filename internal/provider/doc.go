// Package provider calls the upstreams: models behind HTTP, on this machine or
// elsewhere, each in its dialect. It also holds the one egress guard, which
// every connection to an upstream passes.
//
// It does not choose a model, hold an answer back, judge it or price it: that is
// internal/cascade. It does not know what an event of a dialect looks like: that
// is internal/wire.
//
// To follow a call start at [HTTP.Generate] and read down: call.go (the call and
// its tries), try.go (one HTTP exchange), [Guard.Do] (may it leave?). What ends a
// call is in watch.go (time), failure.go (what went wrong, in words that carry
// no content) and breaker.go (not calling at all).
//
// Three rules hold throughout:
//
//   - What may have been bought is never bought again in silence. A call is
//     retried only if it never left, or was refused in so many words.
//   - A key, a URL's credentials and content are in no error.
//   - When an iterator has returned, its call is closed. Only an upstream that
//     asks for it ([Options].Drain) is read to its end, under [HTTP.Close].
//
// Sources: the vendors' published API references and client libraries as of
// November 2026; RFC 9110 (Retry-After); github.com/failsafe-go/failsafe-go for
// the retry, hedge and breaker policies.
package provider
