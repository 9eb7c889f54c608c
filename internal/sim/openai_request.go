package sim

import (
	"fmt"

	"github.com/tidwall/gjson"

	"starling"
)

const maxChoices = 128

// parseOpenAI reads the body of POST /v1/chat/completions. What it does not
// simulate (temperature, logit_bias and the like) it ignores, as a vendor's
// effect on them could not be told from here.
func parseOpenAI(f map[string]gjson.Result) (*ask, *fault) {
	a := &ask{dialect: starling.OpenAI}
	a.model = a.text("model", f["model"])
	a.stream = a.flag("stream", f["stream"])
	a.wantUsage = a.stream && f["stream_options"].Get("include_usage").Bool()
	a.limit = a.count("max_completion_tokens", f["max_completion_tokens"])
	if a.limit == 0 {
		a.limit = a.count("max_tokens", f["max_tokens"])
	}
	a.choices = max(a.count("n", f["n"]), 1)
	if a.choices > maxChoices {
		a.bad("n", "n must be at most %d", maxChoices)
	}
	a.openaiStops(f["stop"])
	effort := a.text("reasoning_effort", f["reasoning_effort"])
	a.reason = effort != "" && effort != "none"
	a.openaiLogprobs(f)
	a.openaiFormat(f["response_format"])
	a.openaiTools(f)
	a.openaiMessages(f["messages"])
	if a.model == "" {
		a.bad("model", "you must provide a model")
	}
	return a, a.wrong
}

func (a *ask) openaiStops(v gjson.Result) {
	if v.Type == gjson.String {
		a.stops = []string{v.Str}
		return
	}
	a.stops = a.strings("stop", v)
	if len(a.stops) > 4 {
		a.bad("stop", "stop may hold at most 4 sequences")
	}
}

func (a *ask) openaiLogprobs(f map[string]gjson.Result) {
	a.logprobs = a.flag("logprobs", f["logprobs"])
	top := f["top_logprobs"]
	if !top.Exists() || top.Type == gjson.Null {
		return
	}
	const most = 20
	switch n := top.Int(); {
	case top.Type != gjson.Number || float64(n) != top.Num || n < 0 || n > most:
		a.bad("top_logprobs", "top_logprobs must be a whole number from 0 to %d", most)
	case !a.logprobs:
		a.bad("top_logprobs", "top_logprobs goes with logprobs only")
	default:
		a.likely = int(n)
	}
}

func (a *ask) openaiFormat(v gjson.Result) {
	switch kind := v.Get("type").Str; kind {
	case "", "text":
	case "json_object":
		a.format = format{kind: kind}
	case "json_schema":
		a.format = format{kind: kind, schema: v.Get("json_schema.schema").Raw}
		if v.Get("json_schema.name").Str == "" {
			a.bad("response_format.json_schema.name", "a json_schema needs a name")
		}
	default:
		a.bad("response_format.type", "the type must be text, json_object or json_schema")
	}
}

func (a *ask) openaiTools(f map[string]gjson.Result) {
	i := 0
	f["tools"].ForEach(func(_, t gjson.Result) bool {
		fn := t.Get("function")
		name := fn.Get("name").Str
		if t.Get("type").Str != "function" || name == "" {
			a.bad(fmt.Sprintf("tools[%d]", i), "a tool must be a function with a name")
		}
		a.tools = append(a.tools, tool{name: name, schema: fn.Get("parameters").Raw})
		a.add("tool", name)
		a.add("tool", fn.Get("description").Str)
		a.add("tool", fn.Get("parameters").Raw)
		i++
		return true
	})
	choice := f["tool_choice"]
	a.use = toolUse{mode: choice.Str}
	if choice.IsObject() {
		a.use = toolUse{mode: "tool", name: choice.Get("function.name").Str}
	}
	a.use.serial = f["parallel_tool_calls"].Type == gjson.False
	a.usable()
}

// usable checks the tool choice against the tools.
func (a *ask) usable() {
	switch a.use.mode {
	case "":
		a.use.mode = "auto"
	case "auto", "none":
	case "required":
		if len(a.tools) == 0 {
			a.bad("tool_choice", "a tool is required, but there are no tools")
		}
	case "tool":
		if a.find(a.use.name) == nil {
			a.bad("tool_choice", "the tool that must be called is not among the tools")
		}
	default:
		a.bad("tool_choice", "unknown tool choice")
	}
}

func (a *ask) find(name string) *tool {
	for i := range a.tools {
		if a.tools[i].name == name {
			return &a.tools[i]
		}
	}
	return nil
}

func (a *ask) openaiMessages(all gjson.Result) {
	i := 0
	if all.IsArray() {
		all.ForEach(func(_, m gjson.Result) bool {
			a.openaiMessage(fmt.Sprintf("messages[%d]", i), m)
			i++
			return a.wrong == nil
		})
	}
	if i == 0 {
		a.bad("messages", "messages must be an array with at least one message")
	}
	a.settled("messages")
}

func (a *ask) openaiMessage(at string, m gjson.Result) {
	role := m.Get("role").Str
	if role != "tool" {
		a.settled(at)
	}
	a.add(role, "").tokens = tokensPerMessage
	a.told = false
	switch role {
	case "system", "developer":
		a.openaiContent(at, role, m.Get("content"))
	case "user":
		a.heard(a.openaiContent(at, role, m.Get("content")))
	case "assistant":
		a.openaiAssistant(at, m)
	case "tool":
		text := ""
		for _, t := range a.openaiContent(at, role, m.Get("content")) {
			text += t
		}
		a.answered(at+".tool_call_id", m.Get("tool_call_id").Str, text)
	default:
		a.bad(at+".role", "the role must be system, developer, user, assistant or tool")
	}
}

// openaiContent reads a message's content and returns its texts.
func (a *ask) openaiContent(at, role string, content gjson.Result) []string {
	if content.Type == gjson.String {
		a.add(role, content.Str)
		return []string{content.Str}
	}
	if !content.IsArray() {
		a.bad(at+".content", "content must be a string or an array of parts")
		return nil
	}
	var texts []string
	content.ForEach(func(_, p gjson.Result) bool {
		switch p.Get("type").Str {
		case "text":
			texts = append(texts, p.Get("text").Str)
			a.add(role, p.Get("text").Str)
		case "image_url":
			a.image(p.Get("image_url.url").Str)
		case "input_audio", "file":
			a.image(p.Raw)
		case "refusal":
			a.add(role, p.Get("refusal").Str)
		default:
			a.bad(at+".content", "a part must be text, image_url, input_audio, file or refusal")
		}
		return true
	})
	return texts
}

func (a *ask) openaiAssistant(at string, m gjson.Result) {
	calls := m.Get("tool_calls")
	if content := m.Get("content"); content.Exists() && content.Type != gjson.Null {
		a.openaiContent(at, "assistant", content)
	} else if !calls.IsArray() {
		a.bad(at+".content", "an assistant message needs content or tool calls")
	}
	if !calls.IsArray() {
		return
	}
	calls.ForEach(func(_, c gjson.Result) bool {
		if c.Get("type").Str != "function" || c.Get("function.arguments").Type != gjson.String {
			a.bad(at+".tool_calls", "a call must be a function with its arguments as a string")
		}
		a.add("call", c.Get("function.name").Str)
		a.add("call", c.Get("function.arguments").Str)
		a.call(at+".tool_calls.id", c.Get("id").Str)
		return true
	})
}
