// Command routing measures on public data what forecasts, and the cascades and
// routers that rest on them, are worth: next to random, prompt length alone, the
// cheapest, the dearest and the best single candidate, mixtures of single
// candidates (the zero-router), the means of the tasks, and the oracle, which
// knows the grades. Every figure has a 95 % bootstrap interval.
//
//	go run ./bench/routing            everything, five to eight minutes
//	go run ./bench/routing -only pair one part of it
//
// The data is not in the repository. It is looked for in -data, in the folder
// that STARLING_SHARED_DATA names, and in ../shared/data; where it is in none of
// them there is nothing to measure, and the command says so. No row of it is
// printed.
//
// Everything is cross-validated: a case is forecast by what was fitted without
// its part of the rows, and nothing was tuned on a part that it is tested on.
// Read pair.go, pool.go, unseen.go, cascade.go, calibration.go, robust.go and
// speed.go for the parts; result.md says what came out.
package main
