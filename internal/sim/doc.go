// Package sim is the simulator: upstreams that speak the dialects over real
// HTTP, and traffic to send them or a gateway. It serves the demo, load tests
// and what-if questions ("what would this traffic cost if the small model were
// right eight times out of ten?").
//
// It is not a model, a proxy or a recording. Nothing it says is a model's: every
// reply carries the header X-Starling-Simulated, "simulated": true and ids that
// begin with "sim-". Its share of right answers, prices and delays are what its
// [Model] states; they are measurements of nothing.
//
// What a model does with an input is a hash of the seed, the model and the input
// (chance.go), never a stream of random numbers: neither order nor concurrency
// changes an answer. Only failures depend on how often the same conversation was
// asked, so that trying again can help.
//
// Its embeddings (embed.go) are hashed words, with a little knowledge of which of
// them the shop's customers use together. Its moderations (moderate.go) know a few
// violent words.
//
// A [Shop] makes up what customers ask (shop.go, shop.txt). They are
// hard in ways in which real messages are, but no evidence about those.
//
// The wire structs here are its own and owe nothing to internal/wire, so that
// each can be tested against the other. What it counts ([Server.Tally]) is the
// invoice that a ledger is compared with.
//
// To follow a request, open sim.go, then call.go. Formats: the vendors' published
// API references for Chat Completions, Completions, Responses, Messages, Embeddings and
// Moderations, as read in November 2026; docs/api.md and api/types.go of Ollama v0.17.4.
package sim
