package wire

import (
	"bytes"
	"strings"

	"starling"
)

// In this dialect a caller who does not say store: false may refer to an answer
// instead of sending it again: by previous_response_id, or to an item of it by its
// id. What was written here is known by its ids; whoever keeps it puts it in the
// place of the reference before anybody reads the question, so that it is screened,
// counted and translated like any other. What others keep stays as it is.

// A Kept is an answer to which its caller may refer.
type Kept struct {
	ID       string            // of the response
	Response []byte            // the response object
	Input    []byte            // the array of items that was asked, without instructions
	Items    map[string][]byte // of the answer, by their ids
	Output   []byte            // the array of them
}

// KeptOf returns the answer with that id as it was written for r, and false if there
// is none to keep: the caller wants none kept, or an upstream's own passed. It shares
// memory with neither.
func KeptOf(r *starling.Request, id string, written []byte) (k Kept, ok bool) {
	if r.Dialect != starling.Responses || !wantsKept(r.Body[skipSpace(r.Body, 0):]) {
		return k, false
	}
	response := written
	if r.Stream {
		_, last, _ := cutLast(bytes.TrimSpace(written), []byte("\ndata: "))
		if !valid(last) {
			return k, false
		}
		response = field(last, "response")
	}
	if !valid(response) || text(field(response, "id")) != responseID(id) {
		return k, false
	}
	k = Kept{ID: responseID(id), Response: bytes.Clone(response), Input: bytes.Clone(itemsOf(field(r.Body[skipSpace(r.Body, 0):], "input"))), Items: map[string][]byte{}}
	k.Output = field(k.Response, "output")
	for m := enter(k.Output); m.next(); {
		k.Items[text(field(m.value, "id"))] = m.value
	}
	return k, true
}

// wantsKept: who says nothing wants it.
func wantsKept(body []byte) bool {
	at, end := locate(body, "store")
	return at == end || kindOf(body[at:end]) != 'f'
}

func cutLast(b, sep []byte) (before, after []byte, found bool) {
	if at := bytes.LastIndex(b, sep); at >= 0 {
		return b[:at], b[at+len(sep):], true
	}
	return b, nil, false
}

// responseID is the id of a response that is written here.
func responseID(answer string) string { return "resp_" + answer }

// itemsOf returns an input as an array of items.
func itemsOf(input []byte) []byte {
	switch kindOf(input) {
	case '[':
		return input
	case '"':
		p := pen{}
		p.open('[')
		p.open('{')
		p.pairs("type", "message", "role", "user")
		p.key("content")
		p.raw(input)
		p.shut('}')
		p.shut(']')
		return p.b
	}
	return []byte("[]")
}

// Recalled returns a question in the responses dialect with everything in the place
// of a reference to what was written here. find looks an answer up by its id or by
// that of one of its items. Without such a reference the result is body itself.
// Errors are Invalid: what is referred to is not kept, or not any more.
func Recalled(body []byte, find func(id string) (Kept, bool)) ([]byte, error) {
	if !Mentions(body, "_"+ourItem) && !Mentions(body, `"resp_rcp_`) || !valid(body) {
		return body, nil
	}
	top, err := object(body)
	if err != nil {
		return body, nil // Parse says why
	}
	q := recalling{find: find}
	for _, m := range top {
		switch string(m.key) {
		case "input":
			q.input = m
		case "previous_response_id":
			q.previous = m
		}
	}
	edits := q.edits(body)
	if q.err != nil {
		return nil, q.err
	}
	return edited(body, edits...), nil
}

// recalling is a question in which references are replaced.
type recalling struct {
	find            func(id string) (Kept, bool)
	input, previous member
	replaced        bool // an item
	err             error
}

func (q *recalling) edits(body []byte) (edits []edit) {
	items := q.referred(q.input.value)
	changed := q.replaced
	if id := text(q.previous.value); strings.HasPrefix(id, responseID("rcp_")) {
		k, ok := q.find(id)
		if !ok {
			q.forgotten("previous_response_id")
			return nil
		}
		items, changed = joinedItems(k.Input, k.Output, itemsOf(items)), true
		edits = append(edits, q.previous.becomes("null"))
	}
	switch {
	case !changed:
	case q.input.value != nil:
		edits = append(edits, q.input.becomes(string(items)))
	default:
		start := skipSpace(body, 0) + 1
		edits = append(edits, edit{start, start, `"input":` + string(items) + ","}) // there are other members
	}
	return edits
}

// referred returns the input with the items that it refers to.
func (q *recalling) referred(input []byte) []byte {
	if kindOf(input) != '[' {
		return input
	}
	items, _ := filtered(input, func(item []byte) []byte {
		kind, id := text(field(item, "type")), text(field(item, "id"))
		reference := kind == "item_reference" || kind == "" && field(item, "role") == nil
		if !reference || !strings.Contains(id, "_"+ourItem+"_") {
			return item
		}
		k, ok := q.find(id)
		if !ok {
			q.forgotten("input[].item_reference")
			return item
		}
		q.replaced = true
		return k.Items[id]
	})
	return items
}

func (q *recalling) forgotten(field string) {
	if q.err == nil {
		e := invalid(field, "what it names is not kept any more, or never was for this key")
		e.Hint = "send the whole input with every request, and store: false"
		q.err = e
	}
}

// joinedItems returns arrays as one.
func joinedItems(arrays ...[]byte) []byte {
	p := pen{}
	p.open('[')
	for _, a := range arrays {
		for m := enter(a); m.next(); {
			p.raw(m.value)
		}
	}
	p.shut(']')
	return p.b
}
