// Package engine is the language in which llama.cpp is spoken to, which lives in a
// process of its own: a child of Starling that holds one model.
//
// llama.cpp ends the whole process where one of its assertions fails, and memory is
// surely given back only where a process ends; and a process can be slowed down, frozen
// and killed. So the gateway never calls the library itself: it starts its own program
// once more, as an engine (package llamacpp), and sends it an [Order] after the other.
// What a child does wrong, its parent sees as silence, as garbage, or as an end.
//
// Start reading at protocol.go; frame.go puts it on a wire. Package local starts engines
// and decides what they hold.
package engine
