package family

import (
	"regexp"
	"strings"
)

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
