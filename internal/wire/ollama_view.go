package wire

import (
	"fmt"
	"strings"

	"starling"
)

func (ollama) view(body []byte) (*starling.Chat, error) { return ollamaView(body) }

// ollamaView reads a question of either of Ollama's dialects.
func ollamaView(body []byte) (*starling.Chat, error) {
	top, err := object(body)
	if err != nil {
		return nil, err
	}
	v := &ollamaViewer{}
	v.chat.Choices = 1
	for _, m := range top {
		if kindOf(m.value) != 'n' {
			v.field(string(m.key), m.value)
		}
	}
	v.prompted()
	if len(v.chat.Messages) == 0 {
		v.fail("messages", "must not be empty")
	}
	return v.done()
}

// ollamaViewer reads tools as they are in the openai dialect.
type ollamaViewer struct {
	openAIViewer
	asked struct { // by a prompt alone
		text   string
		images []starling.Part
	}
	open []*starling.ToolCall // without their result so far
}

func (v *ollamaViewer) field(name string, value []byte) {
	c := &v.chat
	switch name {
	case "model", "stream": // read by Parse
	case "messages":
		i := 0
		for m := v.array(name, value); m.next(); i++ {
			v.message(i, m.value)
		}
	case "system":
		if s := v.string(name, value); s != "" {
			c.System = append(c.System, starling.Part{Kind: starling.TextPart, Text: s})
		}
	case "prompt":
		v.asked.text = v.string(name, value)
	case "images":
		v.asked.images = v.images(name, value)
	case "tools":
		v.tools(value)
	case "format":
		v.format(value)
	case "think":
		v.think(value)
	case "logprobs", "top_logprobs":
		v.openAIViewer.field(name, value)
	case "options":
		for m := v.object(name, value); m.next(); {
			if !m.null() {
				v.option(m.name(), m.value)
			}
		}
	default:
		v.extra(name, value)
	}
}

// prompted makes the one turn of a question that has a prompt alone.
func (v *ollamaViewer) prompted() {
	if v.asked.text == "" {
		return
	}
	said := []starling.Part{{Kind: starling.TextPart, Text: v.asked.text}}
	v.chat.Messages = append(v.chat.Messages, starling.Message{Role: starling.User, Parts: append(v.asked.images, said...)})
}

func (v *ollamaViewer) option(name string, value []byte) {
	c, path := &v.chat, "options."+name
	switch name {
	case "num_predict":
		if n, _ := whole(value); n > 0 { // below is without a limit
			c.MaxTokens = n
		}
	case "temperature":
		c.Temperature = v.number(path, value)
	case "top_p":
		c.TopP = v.number(path, value)
	case "top_k":
		c.TopK = v.number(path, value)
	case "seed":
		c.Seed = v.number(path, value)
	case "stop":
		c.Stop = v.strings(path, value)
	default:
		v.extra(path, value)
	}
}

func (v *ollamaViewer) format(value []byte) {
	v.chat.Format = ollamaFormat(value)
	if v.chat.Format == nil && (kindOf(value) != '"' || text(value) != "") {
		v.fail("format", "must be json or a JSON schema")
	}
}

// closed reports whether every object that a schema speaks of has all its properties
// and no others.
func closed(schema []byte) bool {
	properties, required := 0, 0
	open := text(field(schema, "type")) == "object"
	for m := enter(schema); m.next(); {
		switch {
		case m.is("properties"):
			for p := enter(m.value); p.next(); properties++ {
			}
		case m.is("required"):
			required = count(m.value)
		case m.is("additionalProperties") && isFalse(m.value):
			open = false
		}
		if k := kindOf(m.value); (k == '{' || k == '[') && !closed(m.value) {
			return false
		}
	}
	return !open && properties == required
}

// think reads whether to think, or how hard. Only to think is what Ollama itself
// makes of it.
func (v *ollamaViewer) think(value []byte) {
	switch kindOf(value) {
	case 't':
		v.chat.Effort = "medium"
	case 'f':
		v.chat.Effort = "none"
	default:
		v.chat.Effort = v.string("think", value)
	}
}

// message reads one turn. Instructions before the first other turn are the chat's
// System.
func (v *ollamaViewer) message(i int, value []byte) {
	var role, id, name, content, thought string
	var images, calls []starling.Part
	for f := v.object(at("messages", i, ""), value); f.next(); {
		if f.null() {
			continue
		}
		switch key := f.name(); key {
		case "role":
			role = strings.ToLower(v.string(at("messages", i, ".role"), f.value))
		case "content":
			content = v.string(at("messages", i, ".content"), f.value)
		case "thinking":
			thought = v.string(at("messages", i, ".thinking"), f.value)
		case "images":
			images = v.images(at("messages", i, ".images"), f.value)
		case "tool_calls":
			calls = v.calls(i, f.value)
		case "tool_name":
			name = text(f.value)
		case "tool_call_id":
			id = text(f.value)
		default:
			v.extra("messages[]."+key, f.value)
		}
	}
	var parts []starling.Part
	if thought != "" {
		parts = append(parts, starling.Part{Kind: starling.ReasoningPart, Text: thought})
	}
	parts = append(parts, images...)
	if content != "" || len(images)+len(calls) == 0 {
		parts = append(parts, starling.Part{Kind: starling.TextPart, Text: content})
	}
	if role == "tool" {
		id = v.answers(i, id, name)
	}
	v.turn(role, id, starling.Message{Parts: append(parts, calls...)})
}

// images reads base64 without a type, which other dialects must be told.
func (v *ollamaViewer) images(field string, value []byte) (parts []starling.Part) {
	for m := v.array(field, value); m.next(); {
		data := v.string(field, m.value)
		img := &starling.Image{MediaType: sniffed(data), Data: data}
		if strings.HasPrefix(data, "data:") {
			img = image(data)
		}
		parts = append(parts, starling.Part{Kind: starling.ImagePart, Image: img})
	}
	return parts
}

// sniffed returns the type of an image, by how its base64 begins.
func sniffed(data string) string {
	for start, media := range map[string]string{"iVBORw0KGgo": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp"} {
		if strings.HasPrefix(data, start) {
			return media
		}
	}
	return "application/octet-stream"
}

// calls reads the calls of a turn. One without an id is named by where it stands,
// so that the conversation reads the same each time.
func (v *ollamaViewer) calls(i int, value []byte) (parts []starling.Part) {
	for m := v.array(at("messages", i, ".tool_calls"), value); m.next(); {
		f := v.function("messages[].tool_calls[]", m.value)
		if f == nil {
			continue
		}
		c := &starling.ToolCall{ID: text(field(m.value, "id")), Name: text(field(f, "name")), Arguments: callText(field(f, "arguments"))}
		if c.ID == "" {
			c.ID = fmt.Sprintf("call_%d_%d", i, len(parts))
		}
		v.open = append(v.open, c)
		parts = append(parts, starling.Part{Kind: starling.CallPart, Call: c})
	}
	return parts
}

// answers returns the id of the call that a result is of. Many clients say the
// tool's name alone, or nothing: then results are in the order of the calls.
func (v *ollamaViewer) answers(i int, id, name string) string {
	for n, c := range v.open {
		if id == c.ID || id == "" && (name == "" || name == c.Name) {
			v.open = append(v.open[:n:n], v.open[n+1:]...)
			return c.ID
		}
	}
	if id == "" {
		return fmt.Sprintf("call_of_%d", i) // no call of its name waits
	}
	return id
}
