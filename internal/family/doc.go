// Package family knows how models of one family are spoken to: how a conversation
// becomes the text that a model continues, and how what it says becomes text, thoughts
// and calls of tools again. What is known of a family is data (profiles.yaml), each row
// with its source; docs/spec/families.md says how it was come by.
//
// It runs no model and counts no tokens. Start reading at profile.go; prompt.go is the
// way there, reader.go and calls.go the way back. Everything is a function of its
// arguments: a [Profile] is immutable and safe for concurrent use, a [Reader] belongs to
// one answer.
package family
