package wire

import (
	"cmp"
	"slices"
)

// An edit replaces body[from:to]. Everything else keeps its bytes: order of keys,
// space, the text of numbers.
type edit struct {
	from, to int
	with     string
}

// edited returns body with edits that don't overlap, in new memory; body itself
// without any.
func edited(body []byte, edits ...edit) []byte {
	if len(edits) == 0 {
		return body
	}
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	more := 0
	for _, e := range edits {
		more += len(e.with) - (e.to - e.from)
	}
	return appendEdited(make([]byte, 0, len(body)+more), body, edits...)
}

// appendEdited appends body with edits in order.
func appendEdited(dst, body []byte, edits ...edit) []byte {
	at := 0
	for _, e := range edits {
		dst = append(append(dst, body[at:e.from]...), e.with...)
		at = e.to
	}
	return append(dst, body[at:]...)
}

// newModel replaces the value of the outermost "model", unless it is the same.
func newModel(body []byte, old, name string) (edit, bool) {
	if old == name {
		return edit{}, false
	}
	at, end := locate(body, "model")
	return edit{at, end, string(appendString(nil, name))}, at < end
}

// locate returns where the value of an object's member stands, 0, 0 if there is
// none.
func locate(object []byte, name string) (from, to int) {
	w := walk{b: object, i: skipSpace(object, 0) + 1, object: true}
	for w.next() {
		if w.is(name) {
			return w.i - len(w.value), w.i
		}
	}
	return 0, 0
}
