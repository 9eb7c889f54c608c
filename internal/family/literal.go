package family

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Two dialects write arguments in another language than JSON: Python's, and Gemma 4's
// own. Both are read by one reader of values, which differ in how texts are quoted.

// A scanner reads values from a text. Short says that the text ended too early: more of
// it may be right.
type scanner struct {
	s     string
	at    int
	gemma bool
	short bool
	depth int
}

func (l *scanner) skip() { l.at += blanks(l.s[l.at:]) }

// eat takes a mark if it is there.
func (l *scanner) eat(mark string) bool {
	l.skip()
	yes, maybe := begins(l.s[l.at:], mark)
	l.short = l.short || (maybe && !yes)
	if yes {
		l.at += len(mark)
	}
	return yes
}

var word = regexp.MustCompile(`^[A-Za-z0-9_.$+-]+`)

// word takes a name. One that the text ends with may go on.
func (l *scanner) word() string {
	l.skip()
	w := word.FindString(l.s[l.at:])
	l.at += len(w)
	l.short = l.short || l.at == len(l.s)
	return w
}

const gemmaQuote = `<|"|>`

// text takes a quoted text.
func (l *scanner) text() (string, bool) {
	l.skip()
	start := l.at
	if l.gemma && l.eat(gemmaQuote) {
		s, end, ok := until(l.s, l.at, gemmaQuote)
		if !ok {
			l.short, l.at = true, start // what stands in it is no value of its own
			return "", false
		}
		l.at = end
		return s, true
	}
	if l.at == len(l.s) || (l.s[l.at] != '"' && l.s[l.at] != '\'') {
		return "", false
	}
	return l.quoted(l.s[l.at])
}

var escapes = map[byte]string{'n': "\n", 't': "\t", 'r': "\r", 'b': "\b", 'f': "\f", '\\': "\\", '"': `"`, '\'': "'", '/': "/", '\n': ""}

// quoted takes a text in quotes of Python or JSON.
func (l *scanner) quoted(quote byte) (string, bool) {
	var b strings.Builder
	for i := l.at + 1; i < len(l.s); i++ {
		c := l.s[i]
		switch {
		case c == quote:
			l.at = i + 1
			return b.String(), true
		case c == '\\' && i+1 < len(l.s):
			i++
			if e, ok := escapes[l.s[i]]; ok {
				b.WriteString(e)
			} else if r, n := unicodeEscape(l.s[i:]); n > 0 {
				b.WriteRune(r)
				i += n - 1
			} else {
				b.WriteByte('\\')
				b.WriteByte(l.s[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	l.short = true
	return "", false
}

// unicodeEscape reads uXXXX, and a pair of them; n is 0 if it is none.
func unicodeEscape(s string) (rune, int) {
	for _, n := range []int{11, 5} {
		if len(s) < n || s[0] != 'u' {
			continue
		}
		var text string
		if json.Unmarshal([]byte(`"\`+s[:n]+`"`), &text) == nil && utf8.RuneCountInString(text) == 1 {
			r, _ := utf8.DecodeRuneInString(text)
			return r, n
		}
	}
	return 0, 0
}

// value takes a value and returns it as JSON.
func (l *scanner) value() (json.RawMessage, bool) {
	if l.depth++; l.depth > mostDepth {
		return nil, false
	}
	defer func() { l.depth-- }()
	if s, ok := l.text(); ok {
		return quoted(s), true
	}
	switch {
	case l.eat("["):
		return l.items()
	case l.eat("{"):
		args, ok := l.pairs(":", "}")
		return json.RawMessage(args), ok
	}
	switch w := l.word(); w {
	case "True", "true":
		return json.RawMessage("true"), true
	case "False", "false":
		return json.RawMessage("false"), true
	case "None", "null":
		return json.RawMessage("null"), true
	default:
		return json.RawMessage(w), w != "" && json.Valid([]byte(w))
	}
}

func (l *scanner) items() (json.RawMessage, bool) {
	var all []string
	for !l.eat("]") {
		v, ok := l.value()
		if !ok {
			return nil, false
		}
		all = append(all, string(v))
		if !l.eat(",") && !strings.HasPrefix(l.s[l.at:], "]") {
			l.short = l.short || l.at == len(l.s)
			return nil, false
		}
	}
	return json.RawMessage("[" + strings.Join(all, ",") + "]"), true
}

// pairs takes keys and values up to the mark that ends them, as a JSON object.
func (l *scanner) pairs(between, end string) (string, bool) {
	var p pairs
	for !l.eat(end) {
		key, ok := l.text()
		if !ok {
			key = l.word()
			ok = key != ""
		}
		if !ok || !l.eat(between) {
			return "", false
		}
		v, ok := l.value()
		if !ok {
			return "", false
		}
		p.add(key, v)
		if !l.eat(",") && !strings.HasPrefix(l.s[l.at:], end) {
			return "", false
		}
	}
	return p.String(), true
}

// failed is what a parser says after a scanner that did not find a value.
func (l *scanner) failed() found {
	if l.short || l.at >= len(l.s) {
		return more
	}
	return found{}
}

// gemma reads <|tool_call>call:name{key:<|"|>text<|"|>,other:1}<tool_call|>.
//
// Source: https://ai.google.dev/gemma/docs/core/prompt-formatting-gemma4.
func gemma(text string, last bool) found {
	l := scanner{s: text, at: len("<|tool_call>"), gemma: true}
	if !l.eat("call:") {
		return l.failed()
	}
	name := l.word()
	if !toolName.MatchString(name) || !l.eat("{") {
		return l.failed()
	}
	args, ok := l.pairs(":", "}")
	if !ok {
		return l.failed()
	}
	return done(closed(text, l.at, "<tool_call|>", last), made{name, args})
}

// call takes name(key=value, …), in which every argument has its name.
func (l *scanner) call(tools *toolbox) (made, bool) {
	name := l.word()
	if !tools.knows(name) && l.at < len(l.s) {
		return made{}, false
	}
	if !l.eat("(") {
		return made{}, false
	}
	args, ok := l.pairs("=", ")")
	return made{name, args}, ok
}

// pythonic reads a list of calls in Python.
//
// Source: https://www.llama.com/docs/model-cards-and-prompt-formats/llama4.
func pythonic(text string, tools *toolbox, last bool) found {
	l := scanner{s: text}
	tag := l.eat("<|python_start|>")
	if !l.eat("[") {
		return l.failed()
	}
	var calls []made
	for {
		c, ok := l.call(tools)
		if !ok {
			return l.failed()
		}
		calls = append(calls, c)
		if l.eat("]") {
			break
		}
		if !l.eat(",") {
			return l.failed()
		}
	}
	if tag {
		return done(closed(text, l.at, "<|python_end|>", last), calls...)
	}
	return done(l.at, calls...)
}

// toolCode reads calls in Python, a line each, in a fence called tool_code. A print around
// a call says nothing.
//
// Source: https://ai.google.dev/gemma/docs/capabilities/function-calling.
func toolCode(text string, tools *toolbox, last bool) found {
	l := scanner{s: text, at: len("```tool_code")}
	var calls []made
	for len(calls) == 0 || !l.eat("```") {
		l.skip()
		if l.at == len(text) && last && len(calls) > 0 {
			return done(l.at, calls...)
		}
		print := l.eat("print(")
		list := l.eat("[")
		c, ok := l.call(tools)
		if !ok || (list && !l.eat("]")) || (print && !l.eat(")")) {
			return l.failed()
		}
		calls = append(calls, c)
	}
	return done(l.at, calls...)
}
