// Command local measures what Starling costs a model on this machine: the library called
// directly, and the same file through the gateway's HTTP API, in turn, in one run.
//
//	go run ./bench/local -library DIR            the whole run, about an hour
//	go run ./bench/local -library DIR -quick     a look, about four
//
// DIR has llama.cpp's shared libraries, of the version that the gateway pins: starling
// engine install says where it puts them. The models have the shapes of real ones and
// weights by chance, in F16 as this program writes them, and in Q8_0, Q4_0 and Q4_K_M as
// the library makes them of that. They are kept in the folder -scratch for the next run:
// 8 GB, or 5 where the disk has no more, of one shape at a time. Speed does not depend on
// what weights say, and what is said means nothing.
//
// For each model, number of threads and number of sequences both subjects start anew. The
// gateway is this tree's, with a data folder of its own, all of it as a user would have
// it: starling engine install, model import, serve. The library runs in a process that
// does no more than read and write, its batches filled from all sequences, so that its
// memory and its start are what a program of the user's own would have. Both have the
// same threads, the same window, and no more sequences than are asked at once.
//
// The first question finds nothing loaded: it is the cold start, measured by who asks.
// Then a round is both subjects, each for a second and a half: one question for some
// tokens in all sequences at once, and short ones for a single token; again and again.
// Rounds come in pairs, the second in the opposite order, so that a machine that becomes
// slower is unjust to nobody. No prompt is asked twice, which would help who keeps what
// was read. What ends an answer is forbidden, so that every answer has its length.
//
// Prompt speed is all prompts' tokens by the time until each sequence has its first token.
// Generation speed is all tokens after that moment by the time since then. The library's
// times are taken beside the library, the gateway's by who asks, and nothing is taken off.
// A figure is the median of the rounds; a ratio that of the rounds' ratios, in brackets
// from the smallest to the largest.
//
// Where engines may have two threads, the gateway gets a rest before its turn: it counts the
// library's threads as somebody else's and gives up its own at once, as it should, and
// takes them back after three seconds of peace. How many cores were busy is in the table.
//
// Leave the machine alone while it runs: of two threads each waits for the other in every
// step, so that one program beside them can make both subjects many times slower. The
// result says whose the cores were. A setting in which nothing was answered within two
// minutes is named, and the others are measured all the same. It runs on Linux.
//
// Start reading at main.go, then measure.go.
package main
