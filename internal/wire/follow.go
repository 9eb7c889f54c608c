package wire

import (
	"fmt"

	"starling"
)

// A turning is how one dialect writes two more turns: where they are appended, and
// in which words, a pattern with two JSON strings.
type turning struct{ field, pattern string }

// In most dialects a turn of words is an object of role and content.
var plainTurns = `{"role":"assistant","content":%s},{"role":"user","content":%s}`

// turnings has a row for each dialect in which a conversation can go on.
var turnings = map[starling.Dialect]turning{
	starling.OpenAI:    {"messages", plainTurns},
	starling.Anthropic: {"messages", plainTurns},
	starling.Responses: {"input", plainTurns},
	starling.Ollama:    {"messages", plainTurns},
	starling.Gemini:    {"contents", `{"role":"model","parts":[{"text":%s}]},{"role":"user","parts":[{"text":%s}]}`},
}

// Follow returns r with two more turns: what the model answered, and what it is asked
// then. Everything else of the body keeps its bytes. Errors are Invalid: in this
// dialect, or after such a question, a conversation cannot go on.
func Follow(r *starling.Request, answered, asked string) (starling.Request, error) {
	t, ok := turnings[r.Dialect]
	from, to := locate(r.Body, t.field)
	if !ok || from == to {
		return starling.Request{}, &starling.Error{Kind: starling.Invalid, Op: "the conversation cannot go on in the dialect " + string(r.Dialect)}
	}
	turns := fmt.Sprintf(t.pattern, appendString(nil, answered), appendString(nil, asked))
	var e edit
	switch v := r.Body[from:to]; {
	case kindOf(v) == '"': // of a single question
		e = edit{from, to, fmt.Sprintf(`[{"role":"user","content":%s},%s]`, v, turns)}
	case kindOf(v) == '[' && !isEmpty(v):
		e = edit{to - 1, to - 1, "," + turns}
	default:
		return starling.Request{}, invalid(t.field, "is no conversation")
	}
	own := *r
	own.Body, own.Chat = edited(r.Body, e), nil
	return own, nil
}

// called are the words that a conversation with tools has in one dialect or another.
var called = [...]string{`"tool_calls"`, `"tool_use"`, `"function_call"`, `"functionCall"`}

// HasTools reports whether a request offers tools, or comes from a conversation in
// which there were some. It may err on the side of tools.
func HasTools(r *starling.Request) bool {
	if r.Tools > 0 {
		return true
	}
	for _, word := range called {
		if Mentions(r.Body, word) {
			return true
		}
	}
	return false
}
