package local

import (
	"strings"

	"starling"
	"starling/internal/engine"
)

// A trail is what an engine wrote and a reader has not told of yet. By it the tokens of
// the text are known: a reader says what it found between marks, which it leaves out,
// and often later than it was written.
type trail struct {
	text   string
	tokens []step
}

// A step is a token on the trail.
type step struct {
	starling.Token
	at int // where in the text it begins
}

func (t *trail) add(said *engine.Token) {
	if said.Logprob == nil {
		return
	}
	one := step{Token: starling.Token{Text: said.Text, Logprob: *said.Logprob}, at: len(t.text)}
	for _, l := range said.Top {
		one.Top = append(one.Top, starling.Token{Text: string(l.Text), Logprob: l.Logprob})
	}
	t.text += said.Text
	t.tokens = append(t.tokens, one)
}

// over goes along what a reader says, and gives the tokens of its text to it. It is
// looked for from the end, where most of it was just written. What is not found was not
// written so, such as a call's arguments.
func (t *trail) over(said []starling.Delta) []starling.Delta {
	if len(t.tokens) == 0 {
		return said
	}
	places, end := make([]int, len(said)), len(t.text)
	for i := len(said) - 1; i >= 0; i-- {
		if places[i] = -1; said[i].Kind != starling.CallPart && said[i].Text != "" {
			places[i] = strings.LastIndex(t.text[:end], said[i].Text)
		}
		if places[i] >= 0 {
			end = places[i]
		}
	}
	gone := 0
	for i, at := range places {
		if at < 0 {
			continue
		}
		passed := t.past(at-gone, at-gone+len(said[i].Text))
		if gone = at + len(said[i].Text); said[i].Kind == starling.TextPart {
			said[i].Tokens = passed
		}
	}
	return said
}

// past drops everything up to an end, and returns the tokens that reach into what is
// behind from. One that reaches beyond the end is told of once.
func (t *trail) past(from, end int) (all []starling.Token) {
	for len(t.tokens) > 0 && t.tokens[0].at < end {
		if one := t.tokens[0]; one.at >= from || one.at+len(one.Text) > from {
			all = append(all, one.Token)
		}
		t.tokens = t.tokens[1:]
	}
	t.text = t.text[end:]
	for i := range t.tokens {
		t.tokens[i].at -= end
	}
	return all
}
