package wire

import (
	"bytes"

	"starling"
)

// gemini is POST /v1beta/models/{model}:generateContent and
// :streamGenerateContent. The model, and whether the answer is streamed, stand in
// the path: who reads that sets [starling.Request].Model, Stream and Array.
//
// Google reads a field by either of its names, "generationConfig" and
// "generation_config"; so does this, and it tells of fields by the second.
//
// Source: ai.google.dev/api/generate-content, and the types of
// google.golang.org/genai v1.77.0.
type gemini struct{}

func (gemini) asked() []ask { return geminiAsked }

var geminiAsked = []ask{
	{name: "contents", required: true, read: readContents},
	{name: "generationConfig", read: readGenerationConfig},
	{name: "generation_config", read: readGenerationConfig},
	{name: "tools", read: readGeminiTools},
	{name: "toolConfig", read: readToolChoice},
	{name: "tool_config", read: readToolChoice},
	{name: "serviceTier", read: readTier("service_tier", "priority", "PRIORITY", "SERVICE_TIER_PRIORITY")},
	{name: "service_tier", read: readTier("service_tier", "priority", "PRIORITY", "SERVICE_TIER_PRIORITY")},
}

// readContents: in this dialect every stream has usage, asked or not.
func readContents(r *starling.Request, v []byte) error {
	if kindOf(v) != '[' {
		return invalid("contents", "must be an array")
	}
	if isEmpty(v) {
		return invalid("contents", "must not be empty")
	}
	r.WantUsage = true
	return nil
}

func readGenerationConfig(r *starling.Request, v []byte) error {
	const at = "generation_config"
	if kindOf(v) != '{' {
		return invalid(at, "must be an object")
	}
	seen := map[string]bool{}
	var media string
	var schema []byte
	for m := enter(v); m.next(); {
		name := snake(m.name())
		if m.null() {
			continue
		}
		var err error
		switch name {
		case "response_mime_type":
			media = text(m.value)
		case "response_schema":
			schema = jsonSchema(m.value)
		case "response_json_schema", "_response_json_schema":
			schema = m.value
		case "max_output_tokens":
			err = readLimit(at+"."+name)(r, m.value)
		case "candidate_count":
			if err = readChoices(r, m.value); err != nil {
				err = invalid(at+"."+name, "must be a whole number from 1 to 128")
			}
		case "response_logprobs":
			err = readBool(&r.WantProbs, at+"."+name, m.value)
		default:
			continue
		}
		if seen[name] {
			err = invalid(at+"."+name, "occurs twice")
		}
		if seen[name] = true; err != nil {
			return err
		}
	}
	r.Format = geminiFormat(media, schema)
	return nil
}

// readGeminiTools counts what the tools offer: each function, and each tool that
// Google runs.
func readGeminiTools(r *starling.Request, v []byte) error {
	if kindOf(v) != '[' {
		return invalid("tools", "must be an array")
	}
	for m := enter(v); m.next(); {
		for t := enter(m.value); t.next(); {
			switch name := snake(t.name()); {
			case t.null():
			case name == "function_declarations":
				r.Tools += count(t.value)
			case name == "computer_use": // the caller's own
				r.Tools++
			default:
				r.Tools++
				r.Hosted++
			}
		}
	}
	return nil
}

// step implements stepper: a turn has parts, and what a part is shows in its keys.
func (gemini) step(key []byte) step {
	switch string(key) {
	case "contents":
		return toMessages
	case "parts":
		return toContent
	case "inlineData", "inline_data", "fileData", "file_data":
		return toSource
	case "mimeType", "mime_type":
		return toMedia
	case "fileUri", "file_uri":
		return toURI
	case "data":
		return toPayload
	case "functionResponse", "function_response":
		return toResult
	}
	return elsewhere
}

// weigh goes by a payload's media type; of one that stands elsewhere there is none.
func (gemini) weigh(media []byte) weight {
	if bytes.HasPrefix(media, []byte("image/")) {
		return byImage
	}
	return byWindow
}

func (gemini) fate(name string, v []byte) fate { return ruled(geminiRules, name, v) }

// geminiRules say what becomes of Gemini's own fields in another dialect.
var geminiRules = map[string]rule{
	"cached_content": {fate: refuse},

	"contents[].parts[].code_execution_result": {fate: refuse},
	"contents[].parts[].executable_code":       {fate: refuse},
	"contents[].parts[].file_data":             {fate: refuse},
	"contents[].parts[].inline_data":           {fate: refuse},
	"contents[].parts[].tool_call":             {fate: refuse},
	"contents[].parts[].tool_response":         {fate: refuse},
	"contents[].parts[].type":                  {fate: refuse},
	"contents[].parts[].video_metadata":        {fate: refuse},
	"contents[].role":                          {fate: refuse},

	"generation_config.image_config":                   {fate: refuse},
	"generation_config.response_format":                {fate: refuse, without: isEmpty},
	"generation_config.response_modalities":            {fate: refuse, without: isOnlyText},
	"generation_config.speech_config":                  {fate: refuse},
	"generation_config.translation_config":             {fate: refuse},
	"tools[].type":                                     {fate: refuse},
	"tool_config.function_calling_config":              {fate: refuse},
	"generation_config.frequency_penalty":              {without: isZero},
	"generation_config.presence_penalty":               {without: isZero},
	"generation_config.thinking_config.thinking_level": {without: isText("THINKING_LEVEL_UNSPECIFIED")},
	"service_tier":                                     {without: isText("standard", "STANDARD", "unspecified")},
}

// isOnlyText reports whether nothing but text is wanted as an answer.
func isOnlyText(v []byte) bool {
	for m := enter(v); m.next(); {
		if kind := text(m.value); kind != "TEXT" && kind != "text" && kind != "MODALITY_UNSPECIFIED" {
			return false
		}
	}
	return kindOf(v) == '['
}

// same takes out what another dialect's model left in the conversation
// (gemini_marks.go). A body that names a model, beside the path, names the one that
// is asked.
func (gemini) same(r *starling.Request, o *outgoing) []byte {
	body := r.Body
	if at, end := locate(body, "model"); at < end && kindOf(body[at:]) == '"' {
		body = edited(body, edit{at, end, string(appendString(nil, "models/"+o.model.Name))})
	}
	return withoutOurMarks(body, o)
}

func (gemini) streamType() string { return eventStream }

// snake returns a field's name as Google's interface definition has it: "topP" is
// "top_p".
func snake(name string) string {
	plain := true
	for i := range len(name) {
		plain = plain && name[i]-'A' > 25
	}
	if plain {
		return name
	}
	b := make([]byte, 0, len(name)+4)
	for i := range len(name) {
		if c := name[i]; c-'A' <= 25 {
			b = append(b, '_', c|0x20)
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}

// geminiField returns the value of a field by its interface name, nil if there is
// none.
func geminiField(v []byte, name string) (value []byte) {
	for m := enter(v); m.next(); {
		if !m.null() && snake(m.name()) == name {
			value = m.value
		}
	}
	return value
}

func (gemini) outline(body []byte) (o Outline) {
	for len(body) > 0 && body[0] <= ' ' {
		body = body[1:]
	}
	var contents []byte
	for m := enter(body); m.next(); {
		switch name := snake(m.name()); {
		case m.null():
		case name == "contents":
			contents = m.value
		case name == "tools":
			o.Tools = m.value
		case name == "system_instruction":
			o.System = append(o.System, partsOf(m.value))
		}
	}
	before := ""
	for m := enter(contents); m.next(); {
		role := text(field(m.value, "role"))
		again := role == before // a stream that was kept chunk by chunk
		before = role
		switch content := partsOf(m.value); role {
		case "model":
			if !again {
				o.Answers++
			}
		case "user", "":
			if o.First == nil {
				o.First = content
			}
			if hasWords(content) {
				o.Last = content
			}
		}
	}
	return o
}

// partsOf returns the parts of a content, or the string that some write for one.
func partsOf(content []byte) []byte {
	if kindOf(content) == '{' {
		return field(content, "parts")
	}
	return content
}

// hasWords reports whether one of the parts is the user's own text.
func hasWords(parts []byte) bool {
	for m := enter(parts); m.next(); {
		if textLength(field(m.value, "text")) > 0 {
			return true
		}
	}
	return kindOf(parts) == '"' && len(parts) > 2
}

// reword replaces the system instruction.
func (gemini) reword(body []byte, top []member, system string) (edits []edit) {
	instruction := `{"parts":[{"text":` + system + `}]}`
	for _, m := range top {
		if snake(string(m.key)) == "system_instruction" {
			edits = append(edits, m.becomes(instruction))
		}
	}
	if len(edits) == 0 {
		start := skipSpace(body, 0) + 1
		edits = []edit{{start, start, `"systemInstruction":` + instruction + ","}} // there are other members
	}
	return edits
}

// CountedGoogles returns the question in the body of a countTokens request, which is
// one itself or holds one. Errors are Invalid.
func CountedGoogles(body []byte) (starling.Request, error) {
	if _, err := object(body); err != nil {
		return starling.Request{}, err
	}
	if inner := geminiField(body[skipSpace(body, 0):], "generate_content_request"); inner != nil {
		body = inner
	}
	return Parse(starling.Gemini, body)
}
