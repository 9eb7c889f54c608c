// Command student measures what a student is worth: how often it is right, how
// well it knows when it is not, and how much traffic a warrant would let it
// answer, beside a blind and a simple baseline.
//
//	go run ./bench/student                     the whole run, a few minutes
//	go run ./bench/student -seeds 1            a look
//	go run ./bench/student -data DIR           where the data sets lie
//	go run ./bench/student -embeddings http://127.0.0.1:11434/v1 -model NAME
//	                                           with the vectors of a running endpoint
//
// It reads BANKING77 (PolyAI, CC-BY-4.0) and CLINC150 (Larson et al., CC-BY-3.0)
// as JSON lines of text and label from DIR/intent; neither is part of the
// project. Without -data it looks where STARLING_SHARED_DATA says, and in
// ../shared/data. Without data it says so and measures nothing. CPU time is what
// the kernel accounts to the process, so it runs on Unix.
package main
