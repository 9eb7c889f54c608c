package family

import (
	"strings"
)

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
