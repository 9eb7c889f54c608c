// Package local runs small models on this machine, as a [starling.Provider] in zone
// machine: it starts a child for each model that is wanted, watches it, feeds it, and
// ends it when its memory is needed, and it never gets in anybody's way.
//
// It knows neither the library nor files of weights nor how a family of models is
// spoken to: those come in by [Options]. What a child is told and says is in
// internal/engine/protocol.go.
//
//	Local     the provider: a question → a place at a model → an answer   local.go, ask.go, answer.go
//	keeper    what is loaded, who waits and who is seated, as a pure step  keeper.go, room.go, habit.go
//	keeping   the one goroutine that owns the keeper                       keeping.go
//	child     one process and the works that it has                        child.go, work.go, process_*.go
//	governor  how many threads                                             governor.go
//
// Start reading at keeper.go: an event goes in, and effects come out. Nothing else
// decides what happens.
package local
