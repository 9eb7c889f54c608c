package family

import (
	"bytes"
	"encoding/json"
	"regexp"
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
	types := b.types[tool][parameter]
	stringly := false
	for _, t := range types {
		stringly = stringly || t == "string"
	}
	if s := strings.TrimSpace(text); !stringly && json.Valid([]byte(s)) {
		return json.RawMessage(s)
	}
	return quoted(text)
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

// tagged reads what stands in <tool_call>: JSON, functions in XML, or GLM's keys and
// values. Models mix them up, and each is known by its beginning.
//
// Source: the templates of Qwen2.5, Qwen3-Coder and GLM-4.5.
func tagged(text string, tools *toolbox, last bool) found {
	at := 0
	if open := "<tool_call>"; strings.HasPrefix(text, open) {
		at = len(open)
	}
	at += blanks(text[at:])
	switch rest := text[at:]; {
	case rest == "":
		return more
	case rest[0] == '{':
		n := jsonEnd(rest)
		if n <= 0 {
			return done(n)
		}
		c, ok := named(rest[:n])
		if !ok {
			return found{}
		}
		return done(closed(text, at+n, "</tool_call>", last), c)
	case strings.HasPrefix(rest, "<function="):
		return function(text, at, tools, last)
	case strings.HasPrefix("<function=", rest):
		return more
	}
	return keyed(text, at, tools, last)
}

// until returns the text up to a mark and the place after it; false if it is not there.
func until(text string, at int, mark string) (string, int, bool) {
	i := strings.Index(text[at:], mark)
	if i < 0 {
		return "", at, false
	}
	return text[at : at+i], at + i + len(mark), true
}

// function reads <function=name><parameter=key>value</parameter>…</function>, and the end
// of the tag around it where there is one.
func function(text string, at int, tools *toolbox, last bool) found {
	wrapped := at > 0
	name, at, ok := until(text, at+len("<function="), ">")
	if !ok {
		return more
	}
	if name = strings.TrimSpace(name); !toolName.MatchString(name) {
		return found{}
	}
	var args pairs
	for {
		at += blanks(text[at:])
		rest := text[at:]
		param, mayParam := begins(rest, "<parameter=")
		end, mayEnd := begins(rest, "</function>")
		switch {
		case end && wrapped:
			return done(closed(text, at+len("</function>"), "</tool_call>", last), made{name, args.String()})
		case end:
			return done(at+len("</function>"), made{name, args.String()})
		case !param && (mayParam || mayEnd):
			return more
		case !param:
			return found{}
		}
		key, value := "", ""
		if key, at, ok = until(text, at+len("<parameter="), ">"); !ok {
			return more
		}
		if value, at, ok = until(text, at, "</parameter>"); !ok {
			return more
		}
		value = strings.TrimSuffix(strings.TrimPrefix(value, "\n"), "\n")
		args.add(key, tools.typed(name, key, value))
	}
}

// keyed reads name<arg_key>key</arg_key><arg_value>value</arg_value>…</tool_call>.
func keyed(text string, at int, tools *toolbox, last bool) found {
	i := strings.IndexByte(text[at:], '<')
	if i < 0 {
		return more
	}
	name := strings.TrimSpace(text[at : at+i])
	if !toolName.MatchString(name) {
		return found{}
	}
	at += i
	var args pairs
	for {
		at += blanks(text[at:])
		rest := text[at:]
		isKey, mayKey := begins(rest, "<arg_key>")
		end, mayEnd := begins(rest, "</tool_call>")
		switch {
		case end:
			return done(at+len("</tool_call>"), made{name, args.String()})
		case rest == "" && last:
			return done(at, made{name, args.String()})
		case !isKey && (mayKey || mayEnd):
			return more
		case !isKey:
			return found{}
		}
		key, value := "", ""
		var ok bool
		if key, at, ok = until(text, at+len("<arg_key>"), "</arg_key>"); !ok {
			return more
		}
		switch n := closed(text, at, "<arg_value>", false); n {
		case 0, -1:
			return done(n)
		default:
			at = n
		}
		if value, at, ok = until(text, at, "</arg_value>"); !ok {
			return more
		}
		key = strings.TrimSpace(key)
		args.add(key, tools.typed(name, key, value))
	}
}

// callKeys are those with one of which a call in bare JSON begins. An answer that is JSON
// of another kind is told as it comes.
var callKeys = map[string]bool{"name": true, "type": true, "function": true, "parameters": true, "arguments": true, "id": true}

var firstKey = regexp.MustCompile(`^\{\s*(?:"([^"\\]*)"|"[^"\\]*$|$|(.))`)

// bare reads JSON objects that are calls of tools that there are, one after another with
// blanks or a semicolon between them.
//
// Source: https://www.llama.com/docs/model-cards-and-prompt-formats/llama3_1.
func bare(text string, tools *toolbox, last bool) found {
	at := 0
	if tag := "<|python_tag|>"; strings.HasPrefix(text, tag) {
		at = len(tag)
	}
	var calls []made
	end := 0
	for {
		at += blanks(text[at:])
		if at == len(text) {
			break
		}
		if at < len(text) && text[at] == ';' && len(calls) > 0 {
			at++
			continue
		}
		if m := firstKey.FindStringSubmatch(text[at:]); m == nil || m[2] != "" || (m[1] != "" && !callKeys[m[1]]) {
			return found{n: end, calls: calls}
		}
		n := jsonEnd(text[at:])
		if n == 0 && !last {
			return more
		}
		if n <= 0 {
			return found{n: end, calls: calls}
		}
		c, ok := named(text[at : at+n])
		if !ok || !tools.knows(c.name) {
			return found{n: end, calls: calls}
		}
		calls = append(calls, c)
		at += n
		end = at
	}
	if !last {
		return more
	}
	return found{n: end, calls: calls}
}

// functools reads functools[{"name":…,"arguments":…}].
//
// Source: https://huggingface.co/microsoft/Phi-4-mini-instruct.
func functools(text string, tools *toolbox, last bool) found {
	at := len("functools")
	n := jsonEnd(text[at:])
	if n <= 0 {
		return done(n)
	}
	calls, ok := list(text[at : at+n])
	for _, c := range calls {
		ok = ok && tools.knows(c.name)
	}
	if !ok {
		return found{}
	}
	return done(at+n, calls...)
}

// mistral reads [TOOL_CALLS] before a list of calls, and before a name, [ARGS] and an
// object, with the call's id between them in one version.
//
// Source: https://github.com/mistralai/mistral-common (tokens of versions 3 to 13).
func mistral(text string, last bool) found {
	at := len("[TOOL_CALLS]")
	at += blanks(text[at:])
	switch {
	case at == len(text):
		return more
	case text[at] == '[':
		n := jsonEnd(text[at:])
		if n <= 0 {
			return done(n)
		}
		calls, ok := list(text[at : at+n])
		if !ok {
			return found{}
		}
		return done(at+n, calls...)
	}
	name, at, ok := until(text, at, "[ARGS]")
	if !ok {
		if !mayName(text[len("[TOOL_CALLS]"):]) {
			return found{}
		}
		return more
	}
	name, _, _ = strings.Cut(name, "[CALL_ID]")
	at += blanks(text[at:])
	n := jsonEnd(text[at:])
	if n <= 0 {
		return done(n)
	}
	c, ok := callOf(strings.TrimSpace(name), text[at:at+n])
	if !ok {
		return found{}
	}
	return done(at+n, c)
}

// mayName reports whether a text may become a name before [ARGS].
func mayName(s string) bool {
	s = strings.TrimSpace(s)
	if i := strings.IndexByte(s, '['); i >= 0 {
		s = s[:i]
	}
	return s == "" || toolName.MatchString(s)
}

// A sectioned dialect puts all calls into one section, each between two marks.
type sectioned struct {
	open, close, begin, end string
	read                    func(string) (made, bool)
}

var deepseekSection = sectioned{"<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", deepseek}

var kimiSection = sectioned{"<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>", "<|tool_call_end|>", kimi}

func section(text string, s sectioned, last bool) found {
	at := len(s.open)
	var calls []made
	for {
		at += blanks(text[at:])
		rest := text[at:]
		begin, mayBegin := begins(rest, s.begin)
		end, mayEnd := begins(rest, s.close)
		switch {
		case end && len(calls) > 0:
			return done(at+len(s.close), calls...)
		case !begin && last && (rest == "" || mayEnd) && len(calls) > 0:
			return done(len(text), calls...)
		case !begin && (mayBegin || mayEnd) && !end:
			return more
		case !begin:
			return found{}
		}
		inner, next, ok := until(text, at+len(s.begin), s.end)
		if !ok && !last {
			return more
		}
		if !ok {
			inner, next = text[at+len(s.begin):], len(text)
		}
		c, ok := s.read(inner)
		if !ok {
			return found{}
		}
		calls = append(calls, c)
		at = next
	}
}

// deepseek reads function<｜tool▁sep｜>name and a fence of JSON (V3, R1), and
// name<｜tool▁sep｜>JSON (V3.1).
//
// Source: the templates of DeepSeek-R1 and DeepSeek-V3.1.
func deepseek(inner string) (made, bool) {
	before, after, ok := strings.Cut(inner, "<｜tool▁sep｜>")
	if !ok {
		return made{}, false
	}
	name, args := strings.TrimSpace(before), after
	if first, fenced, ok := strings.Cut(after, "```json"); ok && name == "function" {
		name = strings.TrimSpace(first)
		args = strings.TrimSuffix(strings.TrimSpace(fenced), "```")
	}
	return callOf(name, args)
}

// kimi reads functions.name:0<|tool_call_argument_begin|>JSON.
//
// Source: https://huggingface.co/moonshotai/Kimi-K2-Instruct/blob/main/docs/tool_call_guidance.md.
func kimi(inner string) (made, bool) {
	id, args, ok := strings.Cut(inner, "<|tool_call_argument_begin|>")
	if !ok {
		return made{}, false
	}
	name := strings.TrimPrefix(strings.TrimSpace(id), "functions.")
	if i := strings.LastIndexByte(name, ':'); i >= 0 && strings.Trim(name[i+1:], "0123456789") == "" {
		name = name[:i]
	}
	return callOf(name, args)
}

// harmony reads the header of a message, up to <|message|>, and where it is a call the
// message as well. What is said in the channel analysis is a thought; in the others,
// text.
//
// Source: https://cookbook.openai.com/articles/openai-harmony.
func harmony(text string, last bool) found {
	header, at, ok := until(text, 0, "<|message|>")
	if !ok && last {
		return found{}
	}
	if !ok {
		return more
	}
	name, isCall := recipient(header)
	if !isCall {
		return found{n: at, switches: true, thought: strings.Contains(header, "<|channel|>analysis")}
	}
	end := len(text)
	for _, m := range []string{"<|call|>", "<|end|>", "<|return|>", "<|start|>"} {
		if i := strings.Index(text[at:], m); i >= 0 {
			end = min(end, at+i)
		}
	}
	if end == len(text) && !last {
		return more
	}
	c, ok := callOf(name, text[at:end])
	if !ok {
		return found{}
	}
	return found{n: end, calls: []made{c}, switches: true}
}

// recipient returns the tool to which a header is addressed.
func recipient(header string) (string, bool) {
	_, to, ok := strings.Cut(header, "to=functions.")
	if !ok {
		return "", false
	}
	if i := strings.IndexAny(to, " \t\n<"); i >= 0 {
		to = to[:i]
	}
	return to, true
}
