package wire

import (
	"fmt"
	"slices"
	"strings"

	"starling"
)

func (gemini) view(body []byte) (*starling.Chat, error) {
	top, err := object(body)
	if err != nil {
		return nil, err
	}
	v := &geminiViewer{}
	v.chat.Choices = 1
	for _, m := range top {
		if kindOf(m.value) != 'n' {
			v.field(snake(string(m.key)), m.value)
		}
	}
	v.settle()
	return v.done()
}

type geminiViewer struct {
	viewer
	media   string // the media type of the answer
	schema  []byte // of the answer
	only    []string
	calls   int       // so far
	waiting []awaited // calls that have no result yet
}

func (v *geminiViewer) field(name string, value []byte) {
	switch name {
	case "model": // it stands in the path
	case "system_instruction":
		v.chat.System = v.instruction(value)
	case "contents":
		v.contents(value)
	case "tools":
		v.tools(value)
	case "tool_config":
		v.toolConfig(value)
	case "generation_config":
		for m := v.object(name, value); m.next(); {
			if !m.null() {
				v.setting(snake(m.name()), m.value)
			}
		}
	default:
		v.extra(name, value)
	}
}

func (v *geminiViewer) setting(name string, value []byte) {
	c, path := &v.chat, "generation_config."+name
	switch name {
	case "max_output_tokens":
		c.MaxTokens = v.limit(path, value)
	case "candidate_count":
		c.Choices = v.limit(path, value)
	case "temperature":
		c.Temperature = v.number(path, value)
	case "top_p":
		c.TopP = v.number(path, value)
	case "top_k":
		c.TopK = v.number(path, value)
	case "seed":
		c.Seed = v.number(path, value)
	case "response_logprobs":
		c.Logprobs = v.yes(path, value)
	case "logprobs":
		c.TopLogprobs = v.limit(path, value)
	case "stop_sequences":
		c.Stop = v.strings(path, value)
	case "response_mime_type":
		v.media = v.string(path, value)
	case "response_schema":
		v.schema = jsonSchema(value)
	case "response_json_schema", "_response_json_schema":
		v.schema = value
	case "thinking_config":
		v.thinking(path, value)
	default:
		v.extra(path, value)
	}
}

func (v *geminiViewer) thinking(path string, value []byte) {
	c := &v.chat
	for m := v.object(path, value); m.next(); {
		if m.null() {
			continue
		}
		switch name := snake(m.name()); name {
		case "include_thoughts": // the writer of the answer heeds it
		case "thinking_budget":
			switch n, ok := whole(m.value); {
			case !ok || n < -1:
				v.fail(path+"."+name, "must be a whole number from -1")
			case n == 0:
				c.Effort = "none"
			case n > 0: // -1 leaves it to the model
				c.ThinkTokens = n
			}
		case "thinking_level":
			level := strings.ToLower(v.string(path+"."+name, m.value))
			if slices.Contains([]string{"minimal", "low", "medium", "high"}, level) {
				c.Effort = level
			} else {
				v.extra(path+"."+name, m.value)
			}
		default:
			v.extra(path+"."+name, m.value)
		}
	}
}

// settle decides what two fields say only together.
func (v *geminiViewer) settle() {
	v.chat.Format = geminiFormat(v.media, v.schema)
	if v.chat.Format == nil && v.media != "" && v.media != "text/plain" {
		v.fail("generation_config.response_mime_type", "must be text/plain or application/json to be asked in another dialect")
	}
	v.choose()
}

// choose: some of the tools, or only one of them, must be called.
func (v *geminiViewer) choose() {
	c := &v.chat
	if len(v.only) == 0 || c.ToolChoice.Mode != "required" {
		return
	}
	if len(v.only) == 1 {
		c.ToolChoice = starling.ToolChoice{Mode: "tool", Name: v.only[0]}
		return
	}
	for _, t := range c.Tools {
		if !slices.Contains(v.only, t.Name) {
			v.fail("tool_config.function_calling_config.allowed_function_names", "must be one, or all, to be asked in another dialect")
			return
		}
	}
}

// instruction reads the system instruction: a content, or a string.
func (v *geminiViewer) instruction(value []byte) []starling.Part {
	if kindOf(value) == '"' {
		return []starling.Part{{Kind: starling.TextPart, Text: text(value)}}
	}
	if !v.is('{', "system_instruction", value) {
		return nil
	}
	return v.parts("system_instruction", value)
}

func (v *geminiViewer) tools(value []byte) {
	for m := v.array("tools", value); m.next(); {
		for t := v.object("tools[]", m.value); t.next(); {
			if t.null() {
				continue
			}
			if name := snake(t.name()); name != "function_declarations" {
				v.extra("tools[].type", appendString(nil, name))
				continue
			}
			for f := v.array("tools[].function_declarations", t.value); f.next(); {
				v.function(f.value)
			}
		}
	}
}

func (v *geminiViewer) function(value []byte) {
	const path = "tools[].function_declarations[]"
	var t starling.Tool
	for m := v.object(path, value); m.next(); {
		if m.null() {
			continue
		}
		switch name := snake(m.name()); name {
		case "name":
			t.Name = v.string(path+".name", m.value)
		case "description":
			t.Description = v.string(path+".description", m.value)
		case "parameters":
			t.Schema = jsonSchema(m.value)
		case "parameters_json_schema":
			t.Schema = m.value
		default:
			v.extra(path+"."+name, m.value)
		}
	}
	v.chat.Tools = append(v.chat.Tools, t)
}

func (v *geminiViewer) toolConfig(value []byte) {
	for m := v.object("tool_config", value); m.next(); {
		name := snake(m.name())
		if name != "function_calling_config" {
			v.extra("tool_config."+name, m.value)
			continue
		}
		for f := v.object("tool_config."+name, m.value); f.next(); {
			v.calling("tool_config."+name, snake(f.name()), f.value)
		}
	}
}

func (v *geminiViewer) calling(path, name string, value []byte) {
	if kindOf(value) == 'n' {
		return
	}
	modes := map[string]string{"MODE_UNSPECIFIED": "", "AUTO": "auto", "ANY": "required", "NONE": "none", "VALIDATED": "auto"}
	switch name {
	case "mode":
		said := strings.ToUpper(v.string(path+".mode", value))
		mode, known := modes[said]
		if !known {
			v.extra(path, value)
		}
		if said == "VALIDATED" {
			v.extra(path+".mode", value)
		}
		v.chat.ToolChoice.Mode = mode
	case "allowed_function_names":
		v.only = v.strings(path+"."+name, value)
	default:
		v.extra(path+"."+name, value)
	}
}

func (v *geminiViewer) contents(value []byte) {
	i := 0
	for m := v.array("contents", value); m.next(); i++ {
		if !v.is('{', at("contents", i, ""), m.value) {
			return
		}
		role := text(field(m.value, "role"))
		content := starling.Message{Role: starling.User}
		switch role {
		case "model":
			content.Role = starling.Assistant
		case "user", "function", "":
		default:
			v.extra("contents[].role", appendString(nil, role))
		}
		content.Parts = v.parts(at("contents", i, ""), m.value)
		v.turn(content)
	}
}

// turn adds a turn. Clients that keep a stream send the model's back chunk by chunk:
// what follows one another is one turn, and text that was cut is one text.
func (v *geminiViewer) turn(m starling.Message) {
	n := len(v.chat.Messages)
	if m.Role != starling.Assistant || n == 0 || v.chat.Messages[n-1].Role != m.Role {
		v.chat.Messages = append(v.chat.Messages, m)
		return
	}
	last := &v.chat.Messages[n-1]
	for i, p := range m.Parts {
		if k := len(last.Parts) - 1; i == 0 && k >= 0 && isProse(p) && last.Parts[k].Kind == p.Kind && last.Parts[k].Signature == p.Signature {
			last.Parts[k].Text += p.Text
		} else {
			last.Parts = append(last.Parts, p)
		}
	}
}

func isProse(p starling.Part) bool {
	return p.Kind == starling.TextPart || p.Kind == starling.ReasoningPart
}

// parts reads a content's parts.
func (v *geminiViewer) parts(name string, content []byte) (parts []starling.Part) {
	all := field(content, "parts")
	if all == nil {
		return nil
	}
	for m := v.array(name+".parts", all); m.next(); {
		if p, ok := v.part(m.value); ok {
			parts = append(parts, p)
		}
	}
	return parts
}

// part reads one part: it is what the one of its fields says that has a word in
// Chat.
func (v *geminiViewer) part(value []byte) (p starling.Part, ok bool) {
	var signature string
	thought := false
	for m := v.object("contents[].parts[]", value); m.next(); {
		if m.null() {
			continue
		}
		switch name := snake(m.name()); name {
		case "text":
			p, ok = starling.Part{Kind: starling.TextPart, Text: v.string("contents[].parts[].text", m.value)}, true
		case "thought":
			thought = kindOf(m.value) == 't'
		case "thought_signature":
			signature = signatureOf(m.value)
		case "inline_data":
			p, ok = v.inline(m.value)
		case "file_data":
			p, ok = v.file(m.value)
		case "function_call":
			p, ok = v.call(m.value), true
		case "function_response":
			p, ok = v.result(m.value), true
		default:
			v.extra("contents[].parts[]."+name, m.value)
		}
	}
	switch {
	case thought && p.Kind == starling.TextPart:
		p.Kind, p.Signature = starling.ReasoningPart, signature
	case signature != "" && signature != ourMark && signature != anySignature:
		v.extra("contents[].parts[].thought_signature", appendString(nil, ""))
	}
	return p, ok
}

func (v *geminiViewer) inline(value []byte) (starling.Part, bool) {
	media := text(geminiField(value, "mime_type"))
	if !strings.HasPrefix(media, "image/") {
		v.extra("contents[].parts[].inline_data", appendString(nil, media))
		return starling.Part{}, false
	}
	// Google reads both alphabets of base64; others only this one.
	data := strings.NewReplacer("-", "+", "_", "/").Replace(text(field(value, "data")))
	return starling.Part{Kind: starling.ImagePart, Image: &starling.Image{MediaType: media, Data: data}}, true
}

// file reads the address of a picture. What was uploaded to Google before, only
// Google can read.
func (v *geminiViewer) file(value []byte) (starling.Part, bool) {
	uri, media := text(geminiField(value, "file_uri")), text(geminiField(value, "mime_type"))
	isWeb := strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "http://")
	if media == "" {
		media = imageType(uri)
	}
	if !isWeb || !strings.HasPrefix(media, "image/") || strings.Contains(uri, "generativelanguage.googleapis.com") {
		v.extra("contents[].parts[].file_data", appendString(nil, media))
		return starling.Part{}, false
	}
	return starling.Part{Kind: starling.ImagePart, Image: &starling.Image{URL: uri}}, true
}

// imageType is what an address's ending says of a picture, "" if it says nothing.
func imageType(uri string) string {
	path, _, _ := strings.Cut(uri, "?")
	for ending, media := range map[string]string{".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif", ".heic": "image/heic", ".heif": "image/heif"} {
		if strings.HasSuffix(strings.ToLower(path), ending) {
			return media
		}
	}
	return ""
}

// call reads a call. One without an id gets one that is always the same at its
// place in the conversation.
func (v *geminiViewer) call(value []byte) starling.Part {
	c := &starling.ToolCall{ID: text(field(value, "id")), Name: text(field(value, "name")), Arguments: "{}"}
	if args := field(value, "args"); args != nil {
		c.Arguments = string(args)
	}
	if c.ID == "" {
		c.ID = fmt.Sprintf("call_%d", v.calls)
	}
	v.calls++
	v.waiting = append(v.waiting, awaited{c.ID, c.Name})
	return starling.Part{Kind: starling.CallPart, Call: c}
}

// result reads what a tool answered: the text under "output" or "error", or else
// the whole object.
func (v *geminiViewer) result(value []byte) starling.Part {
	r := &starling.ToolResult{ID: text(field(value, "id"))}
	r.ID = v.answered(r.ID, text(field(value, "name")))
	response := field(value, "response")
	said := response
	if members, last := alone(response); members == 1 && (last.is("output") || last.is("error")) {
		said, r.Error = last.value, last.is("error")
	}
	if kindOf(said) == '"' {
		r.Parts = append(r.Parts, starling.Part{Kind: starling.TextPart, Text: text(said)})
	} else if said != nil {
		r.Parts = append(r.Parts, starling.Part{Kind: starling.TextPart, Text: string(said)})
	}
	for m := enter(value); m.next(); {
		switch name := snake(m.name()); {
		case m.null() || name == "id" || name == "name" || name == "response":
		case name == "parts":
			for part := v.array("contents[].parts[].function_response.parts", m.value); part.next(); {
				if p, ok := v.part(part.value); ok {
					r.Parts = append(r.Parts, p)
				}
			}
		default:
			v.extra("contents[].parts[].function_response."+name, m.value)
		}
	}
	return starling.Part{Kind: starling.ResultPart, Result: r}
}

// alone counts an object's members and returns the last of them.
func alone(object []byte) (n int, last walk) {
	for m := enter(object); m.next(); {
		n++
		last = m
	}
	return n, last
}

// An awaited is a call that has no result yet.
type awaited struct{ id, name string }

// answered returns the id of the call that a result belongs to: the one it names,
// or the oldest of that function that waits.
func (v *geminiViewer) answered(id, name string) string {
	for i, c := range v.waiting {
		if c.id == id || id == "" && c.name == name {
			v.waiting = slices.Delete(v.waiting, i, i+1)
			return c.id
		}
	}
	if id == "" {
		v.fail("contents[].parts[].function_response", "answers no call of the conversation")
	}
	return id
}
