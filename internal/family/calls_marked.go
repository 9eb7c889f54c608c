package family

import (
	"strings"
)

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
