package sim

import (
	"fmt"
	"time"

	"github.com/tidwall/gjson"

	"starling"
)

const maxMarks = 4 // cache breakpoints in one request

// parseAnthropic reads the body of POST /v1/messages.
func parseAnthropic(f map[string]gjson.Result) (*ask, *fault) {
	a := &ask{dialect: starling.Anthropic, choices: 1}
	a.model = a.text("model", f["model"])
	a.stream = a.flag("stream", f["stream"])
	a.limit = a.count("max_tokens", f["max_tokens"])
	a.stops = a.strings("stop_sequences", f["stop_sequences"])
	kind := f["thinking"].Get("type").Str
	a.reason = kind == "enabled" || kind == "adaptive"
	a.anthropicFormat(f)
	a.anthropicTools(f)
	a.anthropicSystem(f["system"])
	a.anthropicMessages(f["messages"])
	if a.limit == 0 {
		a.bad("max_tokens", "max_tokens: Field required")
	}
	if a.model == "" {
		a.bad("model", "model: Field required")
	}
	a.marked()
	return a, a.wrong
}

func (a *ask) anthropicFormat(f map[string]gjson.Result) {
	v := f["output_config"].Get("format")
	if !v.Exists() {
		v = f["output_format"] // the beta's name
	}
	switch kind := v.Get("type").Str; kind {
	case "":
	case "json_schema":
		a.format = format{kind: kind, schema: v.Get("schema").Raw}
	default:
		a.bad("output_config", "output_config.format.type: must be json_schema")
	}
}

func (a *ask) anthropicTools(f map[string]gjson.Result) {
	i := 0
	f["tools"].ForEach(func(_, t gjson.Result) bool {
		name := t.Get("name").Str
		if name == "" {
			a.bad("tools", "tools.%d.name: Field required", i)
		}
		a.tools = append(a.tools, tool{name: name, schema: t.Get("input_schema").Raw})
		a.add("tool", name)
		a.add("tool", t.Get("description").Str)
		a.mark(a.add("tool", t.Get("input_schema").Raw), t)
		i++
		return true
	})
	choice := f["tool_choice"]
	a.use = toolUse{
		mode: choice.Get("type").Str, name: choice.Get("name").Str,
		serial: choice.Get("disable_parallel_tool_use").Bool(),
	}
	if a.use.mode == "any" {
		a.use.mode = "required"
	}
	a.usable()
}

// mark notes the cache breakpoint that a block carries.
func (a *ask) mark(p *piece, block gjson.Result) {
	control := block.Get("cache_control")
	if !control.IsObject() {
		return
	}
	if control.Get("type").Str != "ephemeral" {
		a.bad("cache_control", "cache_control.type: must be ephemeral")
	}
	switch control.Get("ttl").Str {
	case "", "5m":
		p.mark = 5 * time.Minute
	case "1h":
		p.mark = time.Hour
	default:
		a.bad("cache_control", "cache_control.ttl: must be 5m or 1h")
	}
}

// marked checks the number and the order of breakpoints.
func (a *ask) marked() {
	n, last := 0, time.Hour
	for _, p := range a.pieces {
		if p.mark == 0 {
			continue
		}
		if p.mark > last {
			a.bad("cache_control", "a ttl of 1h must not come after one of 5m")
		}
		n, last = n+1, p.mark
	}
	if n > maxMarks {
		a.bad("cache_control", "at most %d blocks with cache_control may be provided, found %d", maxMarks, n)
	}
}

func (a *ask) anthropicSystem(v gjson.Result) {
	switch {
	case !v.Exists() || v.Type == gjson.Null:
	case v.Type == gjson.String:
		a.add("system", v.Str)
	case v.IsArray():
		v.ForEach(func(_, b gjson.Result) bool {
			if b.Get("type").Str != "text" {
				a.bad("system", "system: blocks must be of type text")
			}
			a.mark(a.add("system", b.Get("text").Str), b)
			return true
		})
	default:
		a.bad("system", "system: must be a string or an array of blocks")
	}
}

func (a *ask) anthropicMessages(all gjson.Result) {
	i := 0
	if all.IsArray() {
		all.ForEach(func(_, m gjson.Result) bool {
			a.anthropicMessage(fmt.Sprintf("messages.%d", i), m)
			i++
			return a.wrong == nil
		})
	}
	if i == 0 {
		a.bad("messages", "messages: at least one message is required")
	}
	a.settled("messages")
}

func (a *ask) anthropicMessage(at string, m gjson.Result) {
	role, content := m.Get("role").Str, m.Get("content")
	waiting := len(a.open) > 0
	a.add(role, "").tokens = tokensPerMessage
	a.told = false
	if role != "user" && role != "assistant" && role != "system" { // agents do send system here
		a.bad(at, "%s.role: must be user or assistant", at)
	}
	texts := a.anthropicContent(at, role, content)
	if role == "user" {
		a.heard(texts)
	}
	if waiting { // the results must all be in the very next message
		a.settled(at)
	}
}

// anthropicContent reads a message's content and returns its texts.
func (a *ask) anthropicContent(at, role string, content gjson.Result) []string {
	if content.Type == gjson.String {
		a.add(role, content.Str)
		return []string{content.Str}
	}
	if !content.IsArray() {
		a.bad(at, "%s.content: must be a string or an array of blocks", at)
		return nil
	}
	var texts []string
	content.ForEach(func(_, b gjson.Result) bool {
		if b.Get("type").Str == "text" {
			texts = append(texts, b.Get("text").Str)
		}
		a.anthropicBlock(at, role, b)
		return a.wrong == nil
	})
	return texts
}

func (a *ask) anthropicBlock(at, role string, b gjson.Result) {
	var p *piece
	switch kind := b.Get("type").Str; kind {
	case "text":
		p = a.add(role, b.Get("text").Str)
	case "image", "document":
		p = a.image(b.Get("source").Raw)
	case "thinking", "redacted_thinking":
		p = a.add(role, b.Get("thinking").Str)
		if kind == "thinking" && b.Get("signature").Str != signature(a.model) {
			a.bad(at, "%s: Invalid `signature` in `thinking` block", at)
		}
	case "tool_use":
		a.add("call", b.Get("name").Str)
		p = a.add("call", b.Get("input").Raw)
		if role != "assistant" || !b.Get("input").IsObject() {
			a.bad(at, "%s: a tool_use needs the assistant's role and an object as its input", at)
		}
		a.call(at+".id", b.Get("id").Str)
	case "tool_result":
		p = a.anthropicResult(at, b)
	default:
		a.bad(at, "%s: unknown type of block", at)
		return
	}
	a.mark(p, b)
}

func (a *ask) anthropicResult(at string, b gjson.Result) *piece {
	text, content := "", b.Get("content")
	p := a.add("result", "")
	switch {
	case !content.Exists():
	case content.Type == gjson.String:
		text = content.Str
		p = a.add("result", text)
	case content.IsArray():
		content.ForEach(func(_, c gjson.Result) bool {
			if c.Get("type").Str == "image" {
				p = a.image(c.Get("source").Raw)
				return true
			}
			text += c.Get("text").Str
			p = a.add("result", c.Get("text").Str)
			return true
		})
	default:
		a.bad(at, "%s: a tool_result's content must be a string or an array of blocks", at)
	}
	a.answered(at+".tool_use_id", b.Get("tool_use_id").Str, text)
	return p
}

// signature ties reasoning to the model that thought it.
func signature(model string) string { return die(0).about("signature").about(model).name("sig") }
