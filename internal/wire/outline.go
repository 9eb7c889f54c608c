package wire

import (
	"io"
	"strings"

	"starling"
)

// An Outline says where the parts of a conversation stand in a request's body, for
// those who route by them and need no translation. Its values are pieces of the
// body, JSON as it came: see [Text]. It takes one walk through the body.
type Outline struct {
	System  [][]byte // what stands before the first turn: strings, or arrays of parts
	Tools   []byte   // the array of tools, nil if there is none
	First   []byte   // what the user said first, nil if nothing
	Last    []byte   // what the user said last with words in it, nil if nothing
	Answers int      // turns of the assistant so far
}

// OutlineOf reads the outline of a request that [Parse] has accepted. Of anything
// else it is empty.
func OutlineOf(r *starling.Request) Outline {
	lang, err := dialectOf(r.Dialect)
	if err != nil {
		return Outline{}
	}
	return lang.outline(r.Body)
}

func (openAI) outline(body []byte) Outline { return outlineOf(body, "") }

func (anthropic) outline(body []byte) Outline { return outlineOf(body, "system") }

func (ollama) outline(body []byte) Outline { return outlineOf(body, "") }

func (generate) outline(body []byte) Outline { return promptOf(body) }

func (completions) outline(body []byte) Outline { return promptOf(body) }

// promptOf reads a body that has a prompt in the place of turns.
func promptOf(body []byte) (o Outline) {
	for m := enter(body[skipSpace(body, 0):]); m.next(); {
		switch {
		case m.null():
		case m.is("system"):
			o.System = append(o.System, m.value)
		case m.is("prompt"):
			prompt := m.value
			if elements := enter(prompt); kindOf(prompt) == '[' && elements.next() {
				prompt = elements.value // the first of several
			}
			if kindOf(prompt) == '"' {
				o.heard(prompt)
			}
		}
	}
	return o
}

// outlineOf reads a body whose turns are messages, and whose system prompt may be a
// member of its own.
func outlineOf(body []byte, system string) (o Outline) {
	for len(body) > 0 && body[0] <= ' ' {
		body = body[1:]
	}
	var messages []byte
	for m := enter(body); m.next(); {
		switch {
		case m.null():
		case m.is("messages"):
			messages = m.value
		case m.is("tools"):
			o.Tools = m.value
		case system != "" && m.is(system):
			o.hearSystem(m.value)
		}
	}
	turns := false
	for m := enter(messages); m.next(); {
		role, content := turn(m.value)
		switch {
		case !turns && (string(role) == `"system"` || string(role) == `"developer"`):
			o.System = append(o.System, content)
			continue
		case string(role) == `"assistant"`:
			o.Answers++
		case string(role) == `"user"`:
			o.heard(content)
		}
		turns = true
	}
	return o
}

// turn reads a message's role and content, as they are written.
func turn(message []byte) (role, content []byte) {
	for f := enter(message); f.next(); {
		switch {
		case f.is("role"):
			role = f.value
		case f.is("content"):
			content = f.value
		}
	}
	return role, content
}

// hearSystem takes a system prompt, without what one client accounts with: it is no
// instruction, and no part of what stays the same.
func (o *Outline) hearSystem(content []byte) {
	first := content
	if kindOf(content) == '[' {
		walk := enter(content)
		if walk.next() {
			first = field(walk.value, "text")
		}
		if isBilling(first) {
			o.hearRest(text(first))
			for walk.next() {
				if said := field(walk.value, "text"); said != nil {
					o.System = append(o.System, said)
				}
			}
			return
		}
	}
	if isBilling(first) {
		o.hearRest(text(first))
		return
	}
	o.System = append(o.System, content)
}

// hearRest takes what stands below the accounting, if anything does.
func (o *Outline) hearRest(said string) {
	if _, rest, _ := strings.Cut(said, "\n"); rest != "" {
		o.System = append(o.System, appendString(nil, rest))
	}
}

func isBilling(said []byte) bool {
	return len(said) > len(billingHeader) && said[0] == '"' && string(said[1:len(billingHeader)+1]) == billingHeader
}

func (o *Outline) heard(content []byte) {
	if o.First == nil {
		o.First = content
	}
	if hasText(content) {
		o.Last = content
	}
}

// hasText reports whether content has words: what a tool answered has none of the
// user's.
func hasText(content []byte) bool {
	if kindOf(content) == '"' {
		return len(content) > 2
	}
	for m := enter(content); m.next(); {
		switch text(field(m.value, "type")) {
		case "text", "input_text":
			return true
		}
	}
	return false
}

// Text returns the words of a content, a string or an array of parts, "" if there
// are none. It has no escapes any more.
func Text(content []byte) string {
	if kindOf(content) != '[' {
		return text(content)
	}
	var all []string
	for m := enter(content); m.next(); {
		if t := text(field(m.value, "text")); t != "" {
			all = append(all, t)
		}
	}
	return strings.Join(all, "\n")
}

// WriteOpening writes what stays the same while a conversation goes on: what
// stands before the first turn, the tools, and what the user said first. Marks for
// prompt caches, which move, are no part of it.
func (o *Outline) WriteOpening(w io.Writer) {
	for _, s := range o.System {
		writeContent(w, s)
	}
	_, _ = w.Write(o.Tools)
	_, _ = w.Write([]byte{0})
	writeContent(w, o.First)
}

func writeContent(w io.Writer, content []byte) {
	if kindOf(content) != '[' {
		_, _ = w.Write(content)
		_, _ = w.Write([]byte{0})
		return
	}
	for m := enter(content); m.next(); {
		value := field(m.value, "text")
		if value == nil { // a picture, a result: its marks are not told apart
			value = m.value
		}
		_, _ = w.Write(value)
		_, _ = w.Write([]byte{0})
	}
}
