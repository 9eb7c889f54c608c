package sim

import (
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"starling"
)

// parseOllama reads the body of POST /api/chat.
func parseOllama(f map[string]gjson.Result) (*ask, *fault) {
	a := &ask{dialect: starling.Ollama}
	a.ollama(f)
	a.ollamaTools(f["tools"])
	i := 0
	f["messages"].ForEach(func(_, m gjson.Result) bool {
		a.ollamaMessage(fmt.Sprintf("messages[%d]", i), m)
		i++
		return a.wrong == nil
	})
	if i == 0 {
		a.bad("messages", "the simulator loads no models: send a message")
	}
	return a, a.wrong
}

// parseGenerate reads the body of POST /api/generate.
func parseGenerate(f map[string]gjson.Result) (*ask, *fault) {
	a := &ask{dialect: starling.Generate}
	a.ollama(f)
	a.usable()
	if system := a.text("system", f["system"]); system != "" {
		a.add("system", system)
	}
	a.add("user", "").tokens = tokensPerMessage
	prompt := a.text("prompt", f["prompt"])
	if prompt == "" {
		a.bad("prompt", "the simulator loads no models: send a prompt")
	}
	a.ollamaImages(f["images"])
	a.add("user", prompt)
	a.heard([]string{prompt})
	return a, a.wrong
}

// ollama reads what both of Ollama's dialects have. A model that can think does,
// unless it is told not to.
func (a *ask) ollama(f map[string]gjson.Result) {
	a.model, a.choices = a.text("model", f["model"]), 1
	a.stream = !f["stream"].Exists() || f["stream"].Type == gjson.Null || a.flag("stream", f["stream"])
	a.reason = f["think"].Type != gjson.False
	a.uncut = f["truncate"].Type == gjson.False
	if think := f["think"]; think.Type == gjson.String && !slices.Contains([]string{"low", "medium", "high"}, think.Str) {
		a.bad("think", "invalid think value: must be high, medium, low, true, or false")
	}
	options := f["options"]
	if n := options.Get("num_predict"); n.Int() > 0 {
		a.limit = n.Int()
	}
	a.window = options.Get("num_ctx").Int()
	a.stops = a.strings("options.stop", options.Get("stop"))
	switch v := f["format"]; {
	case v.IsObject():
		a.format = format{kind: "json_schema", schema: v.Raw}
	case v.Str == "json":
		a.format = format{kind: "json_object"}
	case v.Exists() && v.Type != gjson.Null && v.Raw != `""`:
		a.bad("format", "invalid format: expected \"json\" or a JSON schema")
	}
	if a.model == "" {
		a.bad("model", "model is required")
	}
}

func (a *ask) ollamaTools(all gjson.Result) {
	all.ForEach(func(_, t gjson.Result) bool {
		fn := t.Get("function")
		name := fn.Get("name").Str
		if t.Get("type").Str != "function" || name == "" {
			a.bad("tools", "a tool must be a function with a name")
		}
		a.tools = append(a.tools, tool{name: name, schema: fn.Get("parameters").Raw})
		a.add("tool", name)
		a.add("tool", fn.Get("description").Str)
		a.add("tool", fn.Get("parameters").Raw)
		return true
	})
	a.usable()
}

func (a *ask) ollamaImages(all gjson.Result) {
	all.ForEach(func(_, v gjson.Result) bool {
		a.image(v.Str)
		return true
	})
}

// ollamaMessage reads a turn. Ollama itself does not look whether results are of
// calls that were made.
func (a *ask) ollamaMessage(at string, m gjson.Result) {
	role, content := m.Get("role").Str, a.text(at+".content", m.Get("content"))
	a.add(role, "").tokens = tokensPerMessage
	a.told = false
	a.ollamaImages(m.Get("images"))
	a.add(role, content)
	switch role {
	case "system":
	case "user":
		a.heard([]string{content})
	case "assistant":
		m.Get("tool_calls").ForEach(func(_, c gjson.Result) bool {
			if !c.Get("function.arguments").IsObject() {
				a.bad(at+".tool_calls", "a call's arguments must be an object")
			}
			a.add("call", c.Get("function.name").Str)
			a.add("call", c.Get("function.arguments").Raw)
			return true
		})
	case "tool":
		a.held, a.told, a.result = true, true, content
	default:
		a.bad(at+".role", "the role must be system, user, assistant or tool")
	}
}
