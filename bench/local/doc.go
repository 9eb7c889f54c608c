// Command local measures what Starling costs a model on this machine: the library called
// directly, and the same file through an HTTP API, in turn, in one run.
//
//	go run ./bench/local -library DIR -models DIR                     the library alone
//	go run ./bench/local -library DIR -models DIR -url URL -pid PID   beside a server
//	go run ./bench/local -quick ...                                   a look
//
// The folder has the models as GGUF files, such as qwen3-0.6b-F16.gguf. Of one that ends
// in -F16.gguf the kinds Q8_0, Q4_0 and Q4_K_M are made beside it, by the library, where
// they are missing. The server at the URL speaks the OpenAI dialect and calls a model by
// its file's name without .gguf, or as -name has it; the process -pid is whose memory is
// read, which is the engine's. How many threads a server uses it says itself: give it as
// many as -threads.
//
// A round asks each subject the same prompt of 512 tokens for 128 tokens, in so many
// sequences at once; no prompt is asked twice, so that nobody is helped by what was kept.
// Prompt speed is all prompts' tokens by the time until each sequence has its first token,
// generation speed all tokens after the first by the time since then. The library runs in
// a process of its own, so that its memory and its cold start are what a user sees. Figures
// are wall-clock time, medians over rounds in turn, in brackets the interval of 95 % by
// the bootstrap. It runs on Linux.
//
// Start reading at main.go, then direct.go and server.go.
package main
