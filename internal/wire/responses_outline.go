package wire

import (
	"strings"

	"starling"
)

func (responses) outline(body []byte) (o Outline) {
	for len(body) > 0 && body[0] <= ' ' {
		body = body[1:]
	}
	var input []byte
	for m := enter(body); m.next(); {
		switch {
		case m.null():
		case m.is("input"):
			input = m.value
		case m.is("tools"):
			o.Tools = m.value
		case m.is("instructions"):
			o.System = append(o.System, m.value)
		}
	}
	if kindOf(input) == '"' {
		o.heard(input)
		return o
	}
	o.converse(input)
	return o
}

// converse reads the items of a conversation.
func (o *Outline) converse(input []byte) {
	turns, answering := false, false
	for m := enter(input); m.next(); {
		speaker, content := spokenIn(m.value)
		switch {
		case speaker == starling.System && !turns:
			o.System = append(o.System, content)
			continue
		case speaker == starling.User && content != nil:
			o.heard(content)
		case speaker == starling.Assistant && !answering: // all that it does until it is answered is one turn
			o.Answers++
		}
		turns, answering = true, speaker == starling.Assistant
	}
}

// spokenIn returns who made an item, and what it says; what a tool answered is the
// user's, without words.
func spokenIn(item []byte) (starling.Role, []byte) {
	var kind, content []byte
	role := ""
	for f := enter(item); f.next(); {
		switch {
		case f.is("type"):
			kind = f.value
		case f.is("role"):
			role = text(f.value)
		case f.is("content"):
			content = f.value
		}
	}
	if len(kind) > 0 && string(kind) != `"message"` {
		if strings.HasSuffix(text(kind), "_output") {
			return starling.User, nil
		}
		if string(kind) == `"additional_tools"` {
			return starling.System, nil
		}
		return starling.Assistant, nil
	}
	switch role {
	case "system", "developer":
		return starling.System, content
	case "assistant":
		return starling.Assistant, nil
	}
	return starling.User, content
}

func (responses) reword(body []byte, top []member, system string) (edits []edit) {
	said := false
	for _, m := range top {
		switch string(m.key) {
		case "instructions":
			said = true
			edits = append(edits, m.becomes(system))
		case "input":
			if rest, cut := filtered(m.value, func(item []byte) []byte {
				if speaker, content := spokenIn(item); speaker == starling.System && content != nil {
					return nil
				}
				return item
			}); cut {
				edits = append(edits, m.becomes(string(rest)))
			}
		}
	}
	if !said {
		start := skipSpace(body, 0) + 1
		edits = append(edits, edit{start, start, `"instructions":` + system + ","}) // there are other members
	}
	return edits
}
