// Package engine is llama.cpp in a process of its own: the child of Starling that holds
// one model, and the language in which it is spoken to.
//
// llama.cpp ends the whole process where one of its assertions fails, and memory is
// surely given back only where a process ends; and a process can be slowed down, frozen
// and killed. So the gateway never calls the library itself: it starts its own program
// once more, as an engine ([Serve]), and sends it an [Order] after the other. What a
// child does wrong, its parent sees as silence, as garbage, or as an end.
//
//	frame.go     a parent's end: orders out, reports in
//	serve.go     a child's life: greet, load, obey
//	load.go      the model, and texts as its tokens
//	loop.go      batches: every answer's next token, and prompts
//	sequence.go  one answer, and what its place remembers
//	sampler.go   which token, and how likely
//	text.go      what of an answer is sure: stop texts, whole characters
//	vectors.go   texts as vectors
//	library.go   which library fits; quantize.go what else it is used for
//
// Start reading at protocol.go. Package local starts engines and decides what they hold.
//
// The library is loaded at run time, without cgo, by github.com/hybridgroup/yzma. Its
// structures fit one version of llama.cpp alone, and a mismatch could corrupt in silence:
// another version is refused before the first call.
package engine
