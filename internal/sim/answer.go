package sim

import (
	"strings"
	"unicode"

	"starling"
)

// An answer is what a model says, in no dialect.
type answer struct {
	blocks []block
	finish starling.Finish
	stop   string // the sequence that ended it, for StopWord
	right  bool   // it is a known case's right one
}

// A block is one stretch of an answer.
type block struct {
	kind starling.PartKind // ReasoningPart, TextPart or CallPart
	text string            // for a call: its arguments
	id   string            // of a call
	name string            // of a call

	namespace string // of the tool that is called
	custom    bool   // the arguments are free text
}

func (b block) tokens() int64 { return Tokens(b.name) + Tokens(b.text) }

func (a answer) tokens() int64 {
	var n int64
	for _, b := range a.blocks {
		n += b.tokens()
	}
	return n
}

// text returns what the answer says, without reasoning and calls.
func (a answer) text() string {
	var all strings.Builder
	for _, b := range a.blocks {
		if b.kind == starling.TextPart {
			all.WriteString(b.text)
		}
	}
	return all.String()
}

// reasoning returns the tokens of the answer that were reasoning.
func (a answer) reasoning() int64 {
	var n int64
	for _, b := range a.blocks {
		if b.kind == starling.ReasoningPart {
			n += b.tokens()
		}
	}
	return n
}

// answer decides what the model says as its nth choice, within limit tokens.
func (s *Server) answer(m *Model, a *ask, nth, limit int64) (answer, *fault) {
	d := s.die.about(m.Name).about(a.said).nth(nth)
	var ans answer
	if a.reason && m.Reasoning > 0 {
		ans.blocks = append(ans.blocks, block{kind: starling.ReasoningPart, text: filler(d.about("reasoning"), m.Reasoning)})
	}
	said, f := s.speak(m, a, nth)
	if f != nil {
		return answer{}, f
	}
	if wrong := s.slipped(m, a, said); wrong != nil {
		said = wrong
	}
	ans.blocks = append(ans.blocks, said...)
	c := s.known(a)
	ans.right = c != nil && !a.told && said[0].text == c.Answer
	ans.finish = starling.Stopped
	if said[0].kind == starling.CallPart {
		ans.finish = starling.ToolUse
	}
	ans.halt(a.stops)
	ans.cut(limit)
	return ans, nil
}

// speak returns the blocks of the answer proper; never none.
func (s *Server) speak(m *Model, a *ask, nth int64) ([]block, *fault) {
	if said, ok := s.long(m, a); ok {
		return text(said), nil
	}
	c, d := s.known(a), s.die.about(m.Name).about(a.said).nth(nth)
	if p := m.play(a); p != nil {
		return p.turn(a, d)
	}
	switch {
	case c != nil && !a.told:
		own := s.die.about(m.Name).about(strings.TrimSpace(c.Input)).nth(nth)
		return text(c.answer(own, m.quality(c.Skill))), nil
	case len(a.tools) > 0 && a.calls():
		return a.toolCalls(d, m), nil
	case a.format.kind == "json_schema":
		instance, err := s.schemas.instance(a.format.schema, d.about("schema"))
		if err != nil {
			return nil, refused("response_format", "the simulator cannot make an instance of this JSON Schema: %v", err)
		}
		return text(instance), nil
	case a.format.kind == "json_object":
		return text(`{"simulated":true,"text":` + string(appendString(nil, unknown(d, m.Words))) + `}`), nil
	case a.held:
		return text(marker + "The tool answered: " + clip(a.result, 50)), nil
	}
	return text(unknown(d, m.Words)), nil
}

func text(s string) []block { return []block{{kind: starling.TextPart, text: s}} }

// calls reports whether the answer is a tool call: always when one is forced,
// else unless a tool has answered already. A result is never met with another
// call, so that no agent runs in circles here.
func (a *ask) calls() bool {
	switch a.use.mode {
	case "none":
		return false
	case "required", "tool":
		return !a.told
	}
	return !a.held
}

// toolCalls calls the named tool, or the handy one. When two may be called at once,
// and the user says "both", the second is called too, or the only one twice.
func (a *ask) toolCalls(d die, m *Model) []block {
	chosen := []tool{a.handy()}
	if t := a.find(a.use.name); t != nil {
		chosen[0] = *t
	}
	if !a.use.serial && (m.ParallelTools || hasWord(a.said, "both")) {
		chosen = append(chosen, a.tools[min(1, len(a.tools)-1)])
	}
	conversation := d.about("call").nth(int64(a.digest()))
	var blocks []block
	for i, t := range chosen {
		own := conversation.nth(int64(i))
		b := block{kind: starling.CallPart, id: own.name("call"), name: t.name, namespace: t.namespace, custom: t.custom}
		if b.text = arguments(t.schema, harmless, d.nth(int64(i))); t.custom {
			b.text = unknown(d.nth(int64(i)), m.Words)
		}
		blocks = append(blocks, b)
	}
	return blocks
}

func hasWord(text, word string) bool {
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) }) {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}

// halt ends the answer's text before the first of the stop sequences.
func (a *answer) halt(stops []string) {
	for i := range a.blocks {
		b := &a.blocks[i]
		if b.kind != starling.TextPart {
			continue
		}
		for _, stop := range stops {
			if before, _, found := strings.Cut(b.text, stop); found {
				b.text, a.stop, a.finish = before, stop, starling.StopWord
			}
		}
	}
}

// cut ends the answer after limit tokens.
func (a *answer) cut(limit int64) {
	for i := range a.blocks {
		b := &a.blocks[i]
		if n := b.tokens(); n <= limit {
			limit -= n
			continue
		}
		a.blocks = a.blocks[:i+1]
		b.text = clip(b.text, limit-Tokens(b.name))
		if b.tokens() > limit { // not even the tool's name fits
			a.blocks = a.blocks[:i]
		}
		a.finish, a.stop = starling.Length, ""
		return
	}
}
