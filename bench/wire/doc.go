// Command wire measures what the dialects cost: to translate a question, and a chunk
// of an answer, between every two of them; and what a question of 50 KB that passes
// in its own dialect costs above a minimal proxy, with ledger, budget, route and
// receipts on.
//
//	go run ./bench/wire                 the whole run, some minutes; writes bench/wire/result.md
//	go run ./bench/wire -quick          a look, into the terminal
//	go run ./bench/wire -only pass      one of translate, pass
//
// Run it from the repository's root. What is compared is measured in turn, in many
// short rounds; figures are processor time (getrusage here, the kernel's count of
// their threads for other processes), medians over the rounds, in brackets the
// interval of 95 % by the bootstrap. It runs on Linux.
//
// Start reading at main.go, then translate.go and pass.go.
package main
