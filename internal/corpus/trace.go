package corpus

import (
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// A text of a trace is bounded; a longer one is a file that went astray.
const longestText = 1 << 20

// Trace reads one line of a trace. It may be
//
//	{"input": …, "output": …}, or "label" or "answer" for "output"
//	{"messages": [… {"role": "assistant", "content": …}]}, with "system" beside it or in it
//	{"request": {…}, "response": {…}} of OpenAI's Chat Completions or Anthropic's Messages
//
// The input is the last question of the user. Why says what is wrong with the
// line, "" if nothing is; it quotes none of it.
func Trace(line []byte) (t Text, why string) {
	if !utf8.Valid(line) {
		return t, "it is not UTF-8"
	}
	if !gjson.ValidBytes(line) || !gjson.ParseBytes(line).IsObject() {
		return t, "it is not one JSON object"
	}
	root := gjson.ParseBytes(line)
	switch {
	case root.Get("request").IsObject():
		t, why = exchanged(root.Get("request"), root.Get("response"))
	case root.Get("messages").IsArray():
		t, why = conversed(root)
	default:
		t, why = plain(root)
	}
	switch {
	case why != "":
	case strings.TrimSpace(t.Input) == "":
		why = "it has no input"
	case strings.TrimSpace(t.Answer) == "":
		why = "it has no answer"
	case len(t.Input) > longestText || len(t.Answer) > longestText:
		why = "it is longer than a mebibyte"
	}
	if why != "" {
		return Text{}, why
	}
	return t, ""
}

func plain(root gjson.Result) (t Text, why string) {
	for _, name := range []string{"output", "label", "answer"} {
		v := root.Get(name)
		switch {
		case !v.Exists():
			continue
		case t.Answer != "":
			return t, "it has more than one answer"
		case v.IsObject() || v.IsArray():
			t.Answer = v.Raw
		case v.Type == gjson.Null:
			return t, "its answer is null"
		default:
			t.Answer = v.String()
		}
	}
	in := root.Get("input")
	if in.Exists() && in.Type != gjson.String {
		return t, "its input is no text"
	}
	t.Input, t.Model = in.String(), root.Get("model").String()
	return t, ""
}

// conversed takes the last answer of a conversation, and the question before it.
func conversed(root gjson.Result) (t Text, why string) {
	messages := root.Get("messages").Array()
	n := len(messages)
	if n < 2 || messages[n-1].Get("role").String() != "assistant" {
		return t, "its last message is no answer"
	}
	if messages[n-1].Get("tool_calls").Exists() {
		return t, "its answer calls tools"
	}
	t.Model = root.Get("model").String()
	t.Input, t.Answer = asked(messages[:n-1]), contentText(messages[n-1].Get("content"))
	return t, ""
}

// exchanged takes a request as it was sent and the answer to it.
func exchanged(request, response gjson.Result) (t Text, why string) {
	t.Input = asked(request.Get("messages").Array())
	if body := response.Get("body"); body.IsObject() { // as in files of batches
		response = body
	}
	t.Model = response.Get("model").String()
	if t.Model == "" {
		t.Model = request.Get("model").String()
	}
	switch message := response.Get("choices.0.message"); {
	case response.Get("error").IsObject():
		return t, "its answer is an error"
	case message.Get("tool_calls").Exists(), response.Get(`content.#(type=="tool_use")`).Exists():
		return t, "its answer calls tools"
	case message.IsObject():
		t.Answer = contentText(message.Get("content"))
	default:
		t.Answer = contentText(response.Get("content"))
	}
	return t, ""
}

// asked is the text of the user's last message.
func asked(messages []gjson.Result) string {
	for i := len(messages) - 1; i >= 0; i-- {
		if messages[i].Get("role").String() == "user" {
			return contentText(messages[i].Get("content"))
		}
	}
	return ""
}

// contentText joins the parts of a message that are text.
func contentText(content gjson.Result) string {
	if content.Type == gjson.String {
		return content.String()
	}
	var parts []string
	for _, part := range content.Array() {
		if part.Get("type").String() == "text" {
			parts = append(parts, part.Get("text").String())
		}
	}
	return strings.Join(parts, "\n")
}
