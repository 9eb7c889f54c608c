package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"starling"
)

// A Play is how a simulated model takes its turns in one task, so that a real agent
// can be led through it from the beginning to the end. It calls what a person wrote
// in it and nothing else: a coding agent runs what it is told.
type Play struct {
	Task  string `json:"task"`  // words of the user by which the task is known
	Turns []Turn `json:"turns"` // one call each before it answers; none if it answers at once
	Find  string `json:"find"`  // RE2, sought in what the last tool said, without turns in the user's words
	Say   string `json:"say"`   // the answer, with $1 for what the expression's first group found

	find *regexp.Regexp
}

// A Turn is the call of one tool: of the one that takes a command line, or of one by
// its name.
type Turn struct {
	Run   string          `json:"run"`
	Tool  string          `json:"tool"`
	Input json.RawMessage `json:"input"` // its arguments, an object; {} if unsaid
}

// ParsePlays reads a JSON array of plays. Errors: Invalid.
func ParsePlays(text []byte) ([]Play, error) {
	var plays []Play
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&plays); err != nil {
		return nil, unplayable("plays", err)
	}
	for i := range plays {
		if err := plays[i].ready(); err != nil {
			return nil, unplayable(fmt.Sprintf("play %d", i+1), err)
		}
	}
	return plays, nil
}

func unplayable(what string, err error) error {
	return &starling.Error{Kind: starling.Invalid, Op: what, Hint: `write [{"task": "ticket 7", "turns": [{"run": "date"}], "find": "\\d+", "say": "$0"}]`, Err: err}
}

// ready checks a play and compiles its expression.
func (p *Play) ready() (err error) {
	if strings.TrimSpace(p.Task) == "" {
		return fmt.Errorf("it has no task")
	}
	for i := range p.Turns {
		t := &p.Turns[i]
		if (t.Run == "") == (t.Tool == "") {
			return fmt.Errorf("turn %d needs either a command line to run or a tool", i+1)
		}
		if t.Input == nil {
			t.Input = json.RawMessage("{}")
		}
		if t.Input[0] != '{' || t.Run != "" && len(t.Input) > len("{}") {
			return fmt.Errorf("turn %d: the input of a tool is an object, and a command line has none", i+1)
		}
	}
	p.find, err = regexp.Compile(p.Find)
	return err
}

// play returns the play that the conversation is of, nil if of none. What an agent
// asks beside it without offering tools, such as a title, is no turn of it.
func (m *Model) play(a *ask) *Play {
	for i := range m.Plays {
		p := &m.Plays[i]
		if len(p.Turns) > 0 && len(a.tools) == 0 {
			continue
		}
		for _, said := range a.pieces {
			if said.kind == "user" && strings.Contains(said.text, p.Task) {
				return p
			}
		}
	}
	return nil
}

// turn is the next turn of the conversation: the first call that was not made yet,
// or the answer.
func (p *Play) turn(a *ask, d die) ([]block, *fault) {
	made := 0
	for _, said := range a.pieces {
		if said.kind == "call" {
			made++
		}
	}
	made /= 2 // each call is told as its name and its arguments
	if made >= len(p.Turns) || a.use.mode == "none" {
		return text(marker + p.answer(a)), nil
	}
	return p.Turns[made].call(a, d)
}

func (p *Play) answer(a *ask) string {
	in := a.result
	if len(p.Turns) == 0 {
		in = a.said
	}
	at := p.find.FindStringSubmatchIndex(in)
	if at == nil {
		return "What was sought is not in it: " + clip(in, 50)
	}
	return string(p.find.ExpandString(nil, p.Say, in, at))
}

func (t *Turn) call(a *ask, d die) ([]block, *fault) {
	chosen, input := a.find(t.Tool), string(t.Input)
	if t.Run != "" {
		handy := a.handy()
		chosen, input = &handy, arguments(handy.schema, t.Run, d)
		if commandIn(handy.schema) == "" {
			chosen = nil
		}
	}
	if chosen == nil {
		return nil, refused("tools", "the play calls a tool that is not offered: %s", clip(t.Tool+t.Run, 25))
	}
	id := d.about("call").nth(int64(a.digest())).name("call")
	return []block{{kind: starling.CallPart, id: id, name: chosen.name, namespace: chosen.namespace, custom: chosen.custom, text: input}}, nil
}
