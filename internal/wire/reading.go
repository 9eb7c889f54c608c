package wire

import (
	"bytes"
	"encoding/json"

	"starling"
)

// A Reading is what a model reads of a request, as far as it is text, in whichever
// dialect: system prompt, turns, descriptions of tools, calls and their results,
// and a demanded shape of the answer. It is for those who count it, and takes one
// walk through the body.
//
// No part of it are what vendors take out again (thoughts of earlier turns), what is
// no text (pictures, sound, documents and their addresses), the names of roles and
// types, ids, and the words of JSON Schema.
type Reading struct {
	Passages [][]byte // pieces of the body, JSON as it came: see [Passage]
	Turns    int      // messages and prompts, each of which has a frame
	Names    int      // of people and tools that speak in them

	Shaped bool // a shape of the answer is demanded, which each vendor tells a model in its own way

	// Managed names the field by which the caller lets the vendor read less than
	// was sent, or more; "" there is none.
	Managed string
}

// ReadingOf reads a request that [Parse] has accepted. Of anything else it is empty.
func ReadingOf(r *starling.Request) (o Reading) {
	body := r.Body
	for len(body) > 0 && body[0] <= ' ' {
		body = body[1:]
	}
	for m := enter(body); m.next(); {
		if !m.null() {
			o.member(m.name(), m.value)
		}
	}
	return o
}

// member reads a member of the body. The names of all dialects are here, since none
// means two things; what is not named no model reads.
func (o *Reading) member(name string, v []byte) {
	switch name {
	case "messages", "contents", "input":
		o.turns(v)
	case "system", "instructions", "systemInstruction", "system_instruction", "prompt", "suffix":
		o.Turns++
		o.words(v, 0)
	case "tools", "functions":
		o.schema(v, 0)
	case "response_format", "format", "output_format", "output_config", "text":
		o.Shaped = true
		o.schema(v, 0)
	case "generationConfig", "generation_config":
		o.Shaped = true
		for m := enter(v); m.next(); {
			switch snake(m.name()) {
			case "response_schema", "response_json_schema", "_response_json_schema":
				o.schema(m.value, 0)
			}
		}
	case "context_management", "previous_response_id", "conversation", "transforms", "cachedContent", "cached_content", "container":
		o.Managed = name
	case "truncation":
		if text(v) == "auto" {
			o.Managed = name
		}
	}
}

// turns reads a list of messages, or of prompts, or the one prompt that stands for it.
func (o *Reading) turns(v []byte) {
	if kindOf(v) != '[' {
		o.Turns++
		o.words(v, 0)
		return
	}
	for m := enter(v); m.next(); {
		o.Turns++
		o.words(m.value, 0)
	}
}

// deepestWords is how deep words are looked for; what is deeper is one passage.
const deepestWords = 16

// words takes the texts of a value.
func (o *Reading) words(v []byte, depth int) {
	switch k := kindOf(v); {
	case k == '"':
		o.add(v)
	case k != '{' && k != '[':
	case depth == deepestWords:
		o.add(v)
	default:
		for m := enter(v); m.next(); {
			o.word(&m, depth)
		}
	}
}

// word takes the texts of a member or an element.
func (o *Reading) word(m *walk, depth int) {
	if !m.object {
		o.words(m.value, depth+1)
		return
	}
	switch string(m.key) {
	case "role", "type", "id", "call_id", "tool_call_id", "tool_use_id", "status", "index", "phase",
		"cache_control", "signature", "thoughtSignature", "thought_signature", "citations", "annotations", "logprobs",
		"thinking", "reasoning", "reasoning_content", "reasoning_details", "reasoning_text", "summary", "encrypted_content", // thoughts
		"data", "url", "image_url", "images", "source", "input_audio", "audio", "file", "file_id", "file_data", "file_url", "filename",
		"inlineData", "inline_data", "fileData", "file_data_uri", "detail", "media_type", "mimeType", "mime_type":
		return
	case "input", "args", "arguments", "response": // of a call, or what came of it: a model reads its JSON
		if kindOf(m.value) == '{' {
			o.add(m.value)
			return
		}
	case "name":
		o.Names++
	}
	o.words(m.value, depth+1)
}

// schema takes of tools, and of a demanded shape, what every vendor shows a model in
// whichever form: names, descriptions and values, and not the JSON around them.
func (o *Reading) schema(v []byte, depth int) {
	switch k := kindOf(v); {
	case k == '"':
		o.add(v)
	case k != '{' && k != '[':
	case depth == deepestWords:
		o.add(v)
	default:
		for m := enter(v); m.next(); {
			o.inSchema(&m, depth)
		}
	}
}

func (o *Reading) inSchema(m *walk, depth int) {
	if !m.object {
		o.schema(m.value, depth+1)
		return
	}
	switch string(m.key) {
	case "type", "required", "$schema", "$id", "$ref", "format", "strict", "cache_control", "verbosity", "effort":
		if kindOf(m.value) == '{' { // of the body's text or output_config, a shape
			o.schema(m.value, depth+1)
		}
	case "properties", "$defs", "definitions":
		for p := enter(m.value); p.next(); {
			o.add(quoted(p.key))
			o.schema(p.value, depth+1)
		}
	default:
		o.schema(m.value, depth+1)
	}
}

// quoted writes a key as the JSON string that it was.
func quoted(key []byte) []byte { return appendString(nil, string(key)) }

func (o *Reading) add(v []byte) {
	if len(v) > 2 {
		o.Passages = append(o.Passages, v)
	}
}

// Passage returns the text that a passage of a [Reading] is: of a string its content,
// of anything else its JSON without space around it.
func Passage(v []byte) string {
	if kindOf(v) == '"' {
		return text(v)
	}
	var compact bytes.Buffer
	if json.Compact(&compact, v) != nil {
		return string(v)
	}
	return compact.String()
}
