package provider

import (
	"bytes"
	"iter"
	"strings"

	"starling"
)

// A key that an upstream echoes must not reach a caller, nor the books. It is
// found as it is and within one event: not escaped, and not told in pieces.

// leastKey is the length from which a key is looked for in answers. A shorter one
// is no secret that a vendor hands out but a word, such as local engines ask for,
// and answers may hold the word.
const leastKey = 16

// outOf returns text with the key hidden: text itself if it isn't there.
func (s Secret) outOf(text []byte) []byte {
	return hide(text, []byte(s.reveal()))
}

func hide(text, key []byte) []byte {
	if len(key) > 0 && bytes.Contains(text, key) {
		return bytes.ReplaceAll(text, key, []byte(hidden))
	}
	return text
}

func (s Secret) outOfString(text string) string {
	if key := s.reveal(); key != "" {
		return strings.ReplaceAll(text, key, hidden)
	}
	return text
}

// outOfHeader returns a copy of h without the key, and without cookies.
func (s Secret) outOfHeader(h map[string][]string) map[string][]string {
	out := make(map[string][]string, len(h))
	for name, values := range h {
		if name == "Set-Cookie" {
			continue
		}
		for _, v := range values {
			out[name] = append(out[name], s.outOfString(v))
		}
	}
	return out
}

// outOfAnswer passes an answer on with the key hidden in its events and in the
// error that ends it.
func (s Secret) outOfAnswer(answer iter.Seq2[starling.Event, error]) iter.Seq2[starling.Event, error] {
	if s.IsZero() {
		return answer
	}
	key := []byte(s.reveal())
	return func(yield func(starling.Event, error) bool) {
		for ev, err := range answer {
			if e, ok := err.(*starling.Error); ok {
				err = s.outOfError(e)
			} else if len(key) >= leastKey {
				ev.Raw = hide(ev.Raw, key)
				s.outOfWords(&ev)
			}
			if !yield(ev, err) {
				return
			}
		}
	}
}

// outOfWords hides the key in what was read of an event's bytes.
func (s Secret) outOfWords(ev *starling.Event) {
	ev.ID, ev.Model = s.outOfString(ev.ID), s.outOfString(ev.Model)
	if ev.Usage != nil {
		ev.Usage.Tier = s.outOfString(ev.Usage.Tier)
	}
	for i := range ev.Deltas {
		d := &ev.Deltas[i]
		d.Text, d.Signature = s.outOfString(d.Text), s.outOfString(d.Signature)
		d.ID, d.Name = s.outOfString(d.ID), s.outOfString(d.Name)
	}
}

// outOfError returns e with the key hidden in its reply. A cause that says the
// key is left out.
func (s Secret) outOfError(e *starling.Error) *starling.Error {
	own := *e
	if own.Err != nil && strings.Contains(own.Err.Error(), s.reveal()) {
		own.Err = nil
	}
	if r := own.Reply; r != nil {
		own.Reply = &starling.Reply{Dialect: r.Dialect, Status: r.Status, Header: s.outOfHeader(r.Header), Body: s.outOf(r.Body)}
	}
	return &own
}
