package strict

import (
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// The limits of what is read. The parser's time grows with the square of a
// mapping's keys and its memory with the sum of all paths, so both are bounded
// before it is asked; recursion is bounded by the depth.
const (
	maxBytes  = 1 << 20
	maxTokens = 50_000
	maxDepth  = 32
	maxKeys   = 2_000    // in one mapping
	maxKey    = 256      // characters of a key
	maxPaths  = 16 << 20 // bytes of the paths of all values together
	maxNodes  = 100_000  // values, with every alias counted as what it stands for
)

// A level is an open collection.
type level struct {
	flow   bool
	column int // of a block collection
	keys   int
	above  int // length of the path to it
	path   int // length of the path to what is being read in it
}

// excessive finds the first token that goes beyond a limit. It needs no grammar:
// brackets open and close, and a block collection is open as long as nothing
// begins left of it.
func excessive(tokens token.Tokens) (Problem, bool) {
	if len(tokens) > maxTokens {
		return at(tokens[maxTokens], "the document has too many parts", "split it"), true
	}
	var open []level
	paths := 0
	for _, t := range tokens {
		open = nest(open, t)
		if len(open) == 0 {
			continue
		}
		top := open[len(open)-1]
		paths += top.path
		switch {
		case len(open) > maxDepth:
			return at(t, "values are nested too deeply", fmt.Sprintf("at most %d levels", maxDepth)), true
		case top.keys > maxKeys:
			return at(t, "the mapping has too many keys", fmt.Sprintf("at most %d", maxKeys)), true
		case paths > maxPaths:
			return at(t, "the document has too many long keys above its values", "shorten them"), true
		case t.Type == token.MappingValueType && t.Prev != nil && utf8.RuneCountInString(t.Prev.Value) > maxKey:
			return at(t.Prev, "the key is too long", fmt.Sprintf("at most %d characters", maxKey)), true
		}
	}
	return Problem{}, false
}

// nest returns the collections that are open after the token.
func nest(open []level, t *token.Token) []level {
	inFlow := len(open) > 0 && open[len(open)-1].flow
	switch t.Type {
	case token.MappingStartType, token.SequenceStartType:
		return append(open, level{flow: true, above: path(open), path: path(open)})
	case token.MappingEndType, token.SequenceEndType:
		if inFlow {
			return open[:len(open)-1]
		}
	case token.SequenceEntryType, token.MappingKeyType:
		if !inFlow {
			return entry(open, t.Position.Column)
		}
	case token.MappingValueType:
		key := t
		if t.Prev != nil {
			key = t.Prev
		}
		if !inFlow {
			open = entry(open, key.Position.Column)
		}
		top := &open[len(open)-1]
		top.keys++
		top.path = top.above + len(key.Value)
	}
	return open
}

// entry returns the open collections when an entry of a block collection begins
// in the column.
func entry(open []level, column int) []level {
	for len(open) > 0 && !open[len(open)-1].flow && open[len(open)-1].column > column {
		open = open[:len(open)-1]
	}
	if n := len(open); n == 0 || open[n-1].flow || open[n-1].column < column {
		return append(open, level{column: column, above: path(open), path: path(open)})
	}
	return open
}

func path(open []level) int {
	const index = 8 // about what an index adds
	if len(open) == 0 {
		return index
	}
	return open[len(open)-1].path + index
}
