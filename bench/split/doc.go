// Command split measures what it costs, and what it does to the answers, to have long
// documents read in chunks by cheap models (docs/spec/rubric.md, "Long documents")
// instead of sending them to a strong one: the whole gateway, from the request to the
// receipts, over lengths, numbers of facts to find, and qualities of the readers.
//
//	go run ./bench/split            writes bench/split/result.md, about three minutes
//	go run ./bench/split -quick     a look, half a minute, to stdout
//
// The prices are those of the embedded catalogue for the named models. What the models
// do is simulated, and stated: a reader reports the stated share of the facts in its
// chunks, and the strong model answers the stated share rightly, whoever read. So the
// costs are those of real prices at simulated lengths of answers, and the shares of right
// answers follow from what was stated; they say nothing about any model. Nothing in it
// depends on the clock: the same command writes the same tables.
package main
