// Package llamacpp is llama.cpp in a process of its own: what a child of Starling does
// from its greeting to its end. It is spoken to in the language of package engine.
//
//	serve.go     a child's life: greet, load, obey
//	load.go      the model, and texts as its tokens
//	loop.go      batches: every answer's next token, and prompts
//	sequence.go  one answer, or a choice of one, and what its place remembers
//	sampler.go   which token, and how likely
//	text.go      what of an answer is sure: stop texts, whole characters
//	vectors.go   texts as vectors
//	library.go   which library fits; quantize.go what else it is used for
//
// The library is loaded at run time, without cgo, by github.com/hybridgroup/yzma. Its
// structures fit one version of llama.cpp alone, and a mismatch could corrupt in silence:
// another version is refused before the first call.
//
// A program that imports this package is linked to the system's C library, and on Linux
// does not start without libffi.so.8. Built with the tag static, Starling does without.
package llamacpp
