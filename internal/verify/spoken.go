package verify

import (
	"encoding/json"
	"regexp"
	"strings"

	"starling"
)

// marks are how models write a call whose form they have not learned: each family has
// its own. They stand at the beginning of a line.
var marks = regexp.MustCompile(`(?m)^[ \t]*(` + "```tool_code|```tool_call" + `|<tool_calls?>|<function_calls?>|<tool_use>|<invoke |<function=|<\|tool_call|<\|python_tag\|>|<｜tool▁call|\[TOOL_CALLS\]|Action: |functions\.\w+\(|<tool_code>)`)

// examples are words of who explains a call, and does not make it.
var examples = regexp.MustCompile(`(?i)\b(examples?|sample|e\.g\.|for instance|format|syntax|looks? like|would be|documentation|schema)\b|例|示例|格式`)

// mayBeCall reports, from the text alone, whether a call may stand in it.
func (t *turn) mayBeCall() bool {
	return strings.ContainsAny(t.said, "`<[(:") && marks.MatchString(t.said) || strings.HasSuffix(t.said, "}") || strings.HasSuffix(t.said, "]") || strings.HasSuffix(t.said, "```")
}

// spoken reports whether the text ends in a call of an offered tool. In the middle of
// a text it is talked about.
func (t *turn) spoken(shaped bool) bool {
	if len(t.offered) == 0 {
		return false
	}
	for _, at := range marks.FindAllStringIndex(t.said, -1) {
		rest := t.said[at[0]:]
		if t.named(rest) && t.ends(rest) && !examples.MatchString(lastLines(t.said[:at[0]])) {
			return true
		}
	}
	return !shaped && t.spokenJSON()
}

// named reports whether the beginning of a text names an offered tool.
func (t *turn) named(text string) bool {
	text = text[:min(len(text), 300)]
	for name := range t.offered {
		if name != "" && strings.Contains(text, name) {
			return true
		}
	}
	return false
}

// ends reports whether nothing but the call follows.
func (t *turn) ends(text string) bool {
	if t.answer.Finish == starling.Length {
		return true
	}
	text = strings.TrimSpace(strings.TrimRight(strings.TrimSpace(text), "`"))
	if text == "" {
		return false
	}
	return strings.ContainsRune("}])>", rune(text[len(text)-1])) || strings.HasPrefix(text, "Action: ") && !strings.Contains(text, "\n\n")
}

// spokenJSON reports whether the text ends in the JSON of a call.
func (t *turn) spokenJSON() bool {
	text := strings.TrimSpace(strings.TrimSuffix(t.said, "```"))
	for from, starts := 0, 0; from < len(text) && starts < 16; starts++ {
		i := strings.IndexAny(text[from:], "{[")
		if i < 0 {
			return false
		}
		from += i
		if n := lengthOfJSON(text[from:]); n == len(text)-from {
			return t.isCall(text[from:]) && !examples.MatchString(lastLines(text[:from]))
		} else if n > 0 {
			from += n
			continue
		}
		from++
	}
	return false
}

// isCall reports whether JSON is a call of an offered tool, or a list of such.
func (t *turn) isCall(text string) bool {
	var all []map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &all) != nil {
		var one map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &one) != nil {
			return false
		}
		all = append(all, one)
	}
	for _, c := range all {
		if !t.describes(c) {
			return false
		}
	}
	return len(all) > 0
}

func (t *turn) describes(c map[string]json.RawMessage) bool {
	if inner, ok := c["function"]; ok {
		var f map[string]json.RawMessage
		if json.Unmarshal(inner, &f) == nil {
			c = f
		}
	}
	named := false
	for _, field := range []string{"name", "tool", "tool_name", "function", "function_name", "action"} {
		var name string
		if json.Unmarshal(c[field], &name) == nil && t.offered[name] != nil {
			named = true
		}
	}
	for _, field := range []string{"arguments", "parameters", "args", "input", "tool_input", "action_input", "params"} {
		if _, ok := c[field]; ok && named {
			return true
		}
	}
	return false
}

// lastLines is the end of what stands before a call: there it is said if the call is
// an example.
func lastLines(text string) string {
	text = strings.TrimSpace(text)
	return strings.ToValidUTF8(text[max(0, len(text)-160):], "")
}
