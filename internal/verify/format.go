package verify

import (
	"encoding/json"
	"fmt"
	"strings"

	"starling"
	"starling/internal/strict"
)

// A Format is the net under structured output: it checks that an answer is JSON alone,
// of the shape that the request demands. No rubric asks for it. It is immutable.
//
// What is no answer is none that breaks a shape: a refusal in the dialect's own form,
// a call of tools, a turn that is to be continued. Its readers tell them apart by
// other fields than the text.
type Format struct {
	shape  *strict.Schema // nil: any JSON
	arrays bool           // without a schema, an array will do
	plain  bool           // the caller's dialect tells no refusal apart from an answer
}

// Format returns the net for a request, nil if it demands no shape. Errors are
// Invalid: the schema is none, or refers to another document.
func (s *Shapes) Format(r *starling.Request) (*Format, error) {
	if r.Format == nil {
		return nil, nil
	}
	f := &Format{arrays: r.Dialect == starling.Gemini, plain: r.Dialect == starling.Ollama || r.Dialect == starling.Generate}
	if len(r.Format.Schema) == 0 {
		return f, nil
	}
	f.shape = s.of(r.Format.Schema)
	if err := f.shape.Compile(); err != nil {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "request: " + schemaField[r.Dialect], Err: err, Hint: "the answer must be validated: send a JSON Schema (2020-12) that refers to nothing outside itself, with patterns in RE2's syntax"}
	}
	return f, nil
}

// schemaField is where each dialect has the schema, for who sent it.
var schemaField = map[starling.Dialect]string{
	starling.OpenAI:    "response_format.json_schema.schema",
	starling.Anthropic: "output_config.format.schema",
	starling.Responses: "text.format.schema",
	starling.Gemini:    "generationConfig.responseJsonSchema",
	starling.Ollama:    "format",
	starling.Generate:  "format",
}

// A Breach is how an answer breaks the demanded shape.
type Breach struct {
	Why   string // without a word of answer or schema
	Place string // in the caller's schema, for the caller; "" if it is not about the schema
	Cut   bool   // the output limit, the window or a refusal ended it: asking the same again changes nothing
	Again string // what its model is asked then; it may quote the answer, and is for the model alone
}

// A Mended is an answer whose form could be mended without inventing anything.
type Mended struct {
	Text string // the JSON alone, as the model wrote it
	How  string // what was done
}

// Check says how an answer breaks the shape, nil if it does not. Where only its form
// did, and that can be mended by taking away what is not JSON, it is returned mended.
// Texts is in how many blocks its text stands: readers take the first.
func (f *Format) Check(a *starling.Answer, texts int) (*Mended, *Breach) {
	if done := a.Refused || a.Finish == starling.Paused; done && f.plain {
		return nil, &Breach{Why: "the model refused or paused, which the caller's dialect cannot say", Cut: true}
	} else if done || len(a.Calls) > 0 {
		return nil, nil
	}
	text := strings.Trim(a.Text, jsonSpace)
	value, why := f.read(text)
	if why == "" {
		if b := f.breach(value, a.Finish); b != nil || texts < 2 {
			return nil, b
		}
		return &Mended{text, "the blocks in which the JSON stood were joined"}, nil
	}
	if only, how := onlyJSON(text); only != "" {
		if value, still := f.read(only); still == "" {
			if b := f.breach(value, a.Finish); b != nil {
				return nil, b
			}
			return &Mended{only, how}, nil
		}
	}
	if cut(a.Finish) {
		return nil, &Breach{Why: "the answer was cut at the limit of output tokens before its JSON was complete", Cut: true}
	}
	return nil, &Breach{Why: why, Again: Alone}
}

const jsonSpace = " \t\r\n"

func cut(f starling.Finish) bool { return f == starling.Length || f == starling.Overfull }

// read returns the value of a text that is JSON alone.
func (f *Format) read(text string) (value any, why string) {
	if len(text) > maxAnswer {
		return nil, fmt.Sprintf("the answer has more than %d bytes", maxAnswer)
	}
	if text == "" {
		return nil, "the answer is empty"
	}
	value, raw, why := document{}.read(text)
	if why == "" && raw != text { // space that JSON does not know
		why = "the answer is not one JSON value and nothing else"
	}
	return value, why
}

// mostBreaks is of how many broken rules a model is told.
const mostBreaks = 5

// breach says which rules a value breaks.
func (f *Format) breach(value any, finish starling.Finish) *Breach {
	if f.shape == nil {
		_, object := value.(map[string]any)
		_, array := value.([]any)
		if object || array && f.arrays {
			return nil
		}
		return &Breach{Why: "the answer is no JSON object", Again: again("It is no JSON object.")}
	}
	breaks, err := f.shape.Breaks(value, mostBreaks)
	if err != nil {
		return &Breach{Why: "the schema could not be applied", Cut: true}
	}
	if len(breaks) == 0 {
		return nil
	}
	var lines []string
	for _, b := range breaks {
		at := b.At
		if at == "" {
			at = "the root"
		}
		lines = append(lines, fmt.Sprintf("- at %s: %s (rule %s of the schema)", at, b.Text, b.Place))
	}
	return &Breach{Why: "the JSON breaks the schema: " + broken(breaks[0].Keyword), Place: breaks[0].Place, Cut: cut(finish), Again: again(lines...)}
}

// rule1 names a rule by its keyword of JSON Schema, which is no content.
func broken(keyword string) string {
	if keyword == "" {
		return "a value is not allowed where it stands"
	}
	return "keyword " + keyword
}

// Alone is what a model is asked whose answer is not JSON alone.
var Alone = again("It is not one JSON value and nothing else.")

// again is what a model is asked whose answer broke the shape.
func again(problems ...string) string {
	return "Your answer cannot be used, because it must be JSON of the demanded shape:\n" + strings.Join(problems, "\n") +
		"\nAnswer again with the corrected JSON alone: no code fence, no comment, and no words before or after it."
}

// onlyJSON returns the one JSON object or array in a text, and what stood around it;
// "" if there is none, or if anything around it may belong to JSON too: then nobody
// can say what was meant.
func onlyJSON(text string) (only, how string) {
	if len(text) > maxAnswer {
		return "", ""
	}
	plain := strings.TrimSpace(strings.TrimPrefix(text, "\uFEFF"))
	if inner := unfenced(plain); inner != plain {
		return strings.Trim(inner, jsonSpace), "the code fence around the JSON was taken off"
	}
	if plain != text && json.Valid([]byte(plain)) {
		return plain, "the space around the JSON was taken off"
	}
	from := strings.IndexAny(text, "{[")
	if from < 0 {
		return "", ""
	}
	to := from + lengthOfJSON(text[from:])
	before, after := text[:from], text[to:]
	member := strings.HasSuffix(strings.TrimRight(before, jsonSpace), `":`)
	if to == from || member || strings.ContainsAny(before+after, "{}[]") {
		return "", ""
	}
	return text[from:to], "the words around the JSON were taken off"
}

// lengthOfJSON returns how long the JSON value is with which a text begins; 0 if with
// none.
func lengthOfJSON(text string) int {
	dec := json.NewDecoder(strings.NewReader(text))
	var v json.RawMessage
	if dec.Decode(&v) != nil {
		return 0
	}
	return int(dec.InputOffset())
}
