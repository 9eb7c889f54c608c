package wire

import "starling"

// A span is where a text stands in a request's body, with its quotes.
type span struct{ from, to int }

// spans finds the texts of what the user said last.
func spans(r *starling.Request) (all []span) {
	last := OutlineOf(r).Last
	at := func(v []byte) {
		if from := offset(r.Body, v); from >= 0 && kindOf(v) == '"' {
			all = append(all, span{from, from + len(v)})
		}
	}
	if kindOf(last) == '"' {
		at(last)
		return all
	}
	for m := enter(last); m.next(); {
		switch text(field(m.value, "type")) {
		case "", "text", "input_text":
			at(field(m.value, "text"))
		}
	}
	return all
}

// offset returns where a piece of body begins, -1 of what is none: what an outline
// holds are pieces, and a piece ends where the room of its body does.
func offset(body, piece []byte) int {
	from := cap(body) - cap(piece)
	if len(piece) == 0 || from < 0 || from+len(piece) > len(body) || &body[from] != &piece[0] {
		return -1
	}
	return from
}

// Said returns the texts of what the user said last, part by part and without escapes;
// none of a request without words.
func Said(r *starling.Request) (texts []string) {
	for _, s := range spans(r) {
		texts = append(texts, text(r.Body[s.from:s.to]))
	}
	return texts
}

// Retell returns r with other texts in the places of those that [Said] has; everything
// else of the body keeps its bytes, and so does a text that stays the same. There must
// be as many as Said has: else it is Invalid.
func Retell(r *starling.Request, texts []string) (starling.Request, error) {
	places := spans(r)
	if len(places) != len(texts) {
		return starling.Request{}, &starling.Error{Kind: starling.Invalid, Op: "what the user said cannot be said otherwise in the dialect " + string(r.Dialect)}
	}
	var edits []edit
	for i, s := range places {
		if text(r.Body[s.from:s.to]) != texts[i] {
			edits = append(edits, edit{s.from, s.to, string(appendString(nil, texts[i]))})
		}
	}
	own := *r
	own.Body, own.Chat, own.Counted = edited(r.Body, edits...), nil, new(starling.Counted)
	return own, nil
}
