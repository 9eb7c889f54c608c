// Package hub fetches the engine's libraries and the weights of models, checks them and
// keeps them. What it hands out is whole and is what its source promised: a file gets its
// name only after its checksum held, and a library only after all of its files are there.
//
// It loads nothing and runs nothing of what it keeps. Whether weights fit this machine,
// what is in them, and whether a library can be called are asked of functions that its
// owner hands over ([Options]).
//
// Start reading at hub.go, which says what lies where; then fetch.go, the one way in
// which bytes come from outside.
package hub
