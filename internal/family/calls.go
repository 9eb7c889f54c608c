package family

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"starling"
)

// A parser is shown an answer from the mark on at which a call seems to begin. What it
// decides of a text it decides of every longer one too; until it can, it wants more.
// Where nothing more comes it makes do with what there is: the mark that ends a call is
// often the token that ended the answer.

// found is what a parser made of a text. The zero value says that it is no call.
type found struct {
	calls    []made
	n        int  // bytes that it took, 0 if it is none
	more     bool // it cannot tell yet
	switches bool // what follows is of another kind than what was before,
	thought  bool // namely a thought
}

// A made call: its arguments are JSON.
type made struct{ name, arguments string }

var more = found{more: true}

// openers are the marks at which calls begin.
var openers = map[Dialect][]mark{
	Hermes:    {{text: "<tool_call>", does: call}},
	QwenXML:   {{text: "<tool_call>", does: call}, {text: "<function=", does: call}},
	GLM:       {{text: "<tool_call>", does: call}},
	Llama:     {{text: "<|python_tag|>", does: call}, {text: "{", does: call, first: true}},
	Pythonic:  {{text: "<|python_tag|>", does: call}, {text: "<|python_start|>", does: call}, {text: "[", does: call, first: true}, {text: "{", does: call, first: true}},
	ToolCode:  {{text: "```tool_code", does: call}},
	Mistral:   {{text: "[TOOL_CALLS]", does: call}},
	DeepSeek:  {{text: "<｜tool▁calls▁begin｜>", does: call}},
	Kimi:      {{text: "<|tool_calls_section_begin|>", does: call}},
	Gemma4:    {{text: "<|tool_call>", does: call}},
	Functools: {{text: "functools", does: call, first: true}},
}

var harmonyMarks = []mark{
	{text: "<|channel|>", does: call}, {text: "<|start|>", does: call},
	{text: "<|end|>", does: answer}, {text: "<|return|>", does: answer}, {text: "<|call|>", does: answer},
}

// parse reads a call in a dialect. The text begins with one of its openers.
func parse(d Dialect, text string, tools *toolbox, last bool) found {
	switch d {
	case Hermes, QwenXML, GLM:
		return tagged(text, tools, last)
	case Llama:
		return bare(text, tools, last)
	case Pythonic:
		if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "<|python_tag|>") {
			return bare(text, tools, last)
		}
		return pythonic(text, tools, last)
	case ToolCode:
		return toolCode(text, tools, last)
	case Mistral:
		return mistral(text, last)
	case DeepSeek:
		return section(text, deepseekSection, last)
	case Kimi:
		return section(text, kimiSection, last)
	case Gemma4:
		return gemma(text, last)
	case Functools:
		return functools(text, tools, last)
	case Harmony:
		return harmony(text, last)
	}
	return found{}
}

// A toolbox is what the parsers need to know of the tools.
type toolbox struct {
	types map[string]map[string][]string // by tool and parameter
}

func newToolbox(tools []starling.Tool) toolbox {
	b := toolbox{types: map[string]map[string][]string{}}
	for _, t := range tools {
		var schema struct {
			Properties map[string]struct{ Type json.RawMessage }
		}
		_ = json.Unmarshal(t.Schema, &schema) // one that says nothing says nothing of types
		types := map[string][]string{}
		for name, p := range schema.Properties {
			var one string
			var many []string
			if json.Unmarshal(p.Type, &one) == nil {
				many = []string{one}
			} else {
				_ = json.Unmarshal(p.Type, &many)
			}
			types[name] = many
		}
		b.types[t.Name] = types
	}
	return b
}

func (b *toolbox) knows(name string) bool { _, ok := b.types[name]; return ok }

// typed returns as JSON what a model wrote without saying whether it is a text: as one
// where the tool takes a text, or where it is nothing else.
func (b *toolbox) typed(tool, parameter, text string) json.RawMessage {
	if s := strings.TrimSpace(text); !b.stringly(tool, parameter) && json.Valid([]byte(s)) {
		return json.RawMessage(s)
	}
	return quoted(text)
}

// stringly reports whether what is written for a parameter is a text, whatever it is.
func (b *toolbox) stringly(tool, parameter string) bool {
	return slices.Contains(b.types[tool][parameter], "string")
}

func quoted(s string) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always can be
	return bytes.TrimSpace(b.Bytes())
}

// pairs writes a JSON object in the order in which it was said.
type pairs struct{ b strings.Builder }

func (p *pairs) add(key string, value json.RawMessage) {
	if p.b.Len() > 0 {
		p.b.WriteByte(',')
	}
	p.b.Write(quoted(key))
	p.b.WriteByte(':')
	p.b.Write(value)
}

func (p *pairs) String() string { return "{" + p.b.String() + "}" }

// jsonEnd returns the length of the JSON object or list with which a text begins, 0 if it
// is not whole yet, and -1 if it is none or wrong.
func jsonEnd(s string) int {
	if s == "" {
		return 0
	}
	if s[0] != '{' && s[0] != '[' {
		return -1
	}
	depth, in := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case in && c == '\\':
			i++
		case c == '"':
			in = !in
		case in:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				if !json.Valid([]byte(s[:i+1])) {
					return -1
				}
				return i + 1
			}
		}
	}
	return 0
}

// named reads {"name":…,"arguments":…}, with parameters for arguments too, and with the
// whole in "function" too.
func named(data string) (made, bool) {
	var c struct {
		Name, Type            string
		Arguments, Parameters json.RawMessage
		Function              json.RawMessage
	}
	if json.Unmarshal([]byte(data), &c) != nil {
		return made{}, false
	}
	if c.Name == "" && len(c.Function) > 0 && c.Function[0] == '{' {
		return named(string(c.Function))
	}
	args := c.Arguments
	if args == nil {
		args = c.Parameters
	}
	var text string
	if json.Unmarshal(args, &text) == nil && text != "" { // an object, written as a text
		args = json.RawMessage(text)
	}
	return callOf(c.Name, string(args))
}

// callOf returns a call if the name is one and the arguments are an object or nothing.
func callOf(name, args string) (made, bool) {
	args = strings.TrimSpace(args)
	if args == "" || args == "null" {
		args = "{}"
	}
	return made{name, args}, toolName.MatchString(name) && args[0] == '{' && json.Valid([]byte(args))
}

// list reads a JSON list of named calls.
func list(data string) ([]made, bool) {
	var raw []json.RawMessage
	if json.Unmarshal([]byte(data), &raw) != nil || len(raw) == 0 {
		return nil, false
	}
	var all []made
	for _, r := range raw {
		c, ok := named(string(r))
		if !ok {
			return nil, false
		}
		all = append(all, c)
	}
	return all, true
}

// blanks returns how many blanks a text begins with.
func blanks(s string) int { return len(s) - len(strings.TrimLeft(s, " \t\r\n")) }

// begins reports whether a text begins with a mark, and whether it still may.
func begins(s, mark string) (yes, maybe bool) {
	return strings.HasPrefix(s, mark), strings.HasPrefix(mark, s)
}

// closed reads the mark that ends a call, at a place of the text, blanks before it: the
// place after it; 0 to wait for it, -1 if something else is there.
func closed(text string, at int, mark string, last bool) int {
	end := at + blanks(text[at:])
	switch yes, maybe := begins(text[end:], mark); {
	case yes:
		return end + len(mark)
	case maybe && last:
		return len(text)
	case maybe:
		return 0
	}
	return -1
}

// done makes of the result of closed what was found.
func done(n int, calls ...made) found {
	switch n {
	case 0:
		return more
	case -1:
		return found{}
	}
	return found{n: n, calls: calls}
}
