// Command gateway measures what Starling costs a request: direct, through a
// minimal reverse proxy, and through Starling with ledger, budget, route and
// receipts on, interleaved in one run on one machine against one simulated
// upstream. Every figure is printed as a ratio to the minimal proxy beside its
// absolute value.
//
//	go run ./bench/gateway            the whole run, about ten minutes
//	go run ./bench/gateway -quick     a look, about a minute
//
// It starts its own processes on loopback and ends them. CPU is what the
// kernel accounts to the proxy's process (/proc/PID/task/*/schedstat), so it runs on Linux.
package main
