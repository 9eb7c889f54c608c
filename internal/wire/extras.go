package wire

import (
	"bytes"
	"encoding/json"
	"iter"
	"maps"
	"slices"
)

// A rule says what becomes of one field of Chat.Extra. Where without reports
// true the value asks for nothing, and leaving it out loses nothing.
type rule struct {
	fate    fate
	without func(v []byte) bool
}

// ruled looks a field up; one without a rule is left out and reported.
func ruled(rules map[string]rule, name string, v []byte) fate {
	r := rules[name]
	if r.without != nil && r.without(v) {
		return lost
	}
	return r.fate
}

func isFalse(v []byte) bool { return kindOf(v) == 'f' }

func isZero(v []byte) bool { return kindOf(v) == '0' && len(bytes.Trim(v, "0.")) == 0 }

// isEmpty reports whether v is an array or object with nothing in it.
func isEmpty(v []byte) bool {
	k := kindOf(v)
	if k != '[' && k != '{' {
		return false
	}
	c := v[skipSpace(v, 1)]
	return c == ']' || c == '}'
}

// isText reports whether v is one of the given strings.
func isText(of ...string) func([]byte) bool {
	return func(v []byte) bool { return kindOf(v) == '"' && slices.Contains(of, text(v)) }
}

// sorted goes through a map in the order of its keys, so that what is said of it
// is always said in the same order.
func sorted(m map[string]json.RawMessage) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
