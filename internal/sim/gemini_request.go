package sim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"starling"
)

// gemini answers what a path's verb asks of its model.
func (x *visit) gemini() *fault {
	path := x.r.URL.EscapedPath()
	i := strings.LastIndexByte(path, ':')
	_, escaped, found := strings.Cut(path[:max(i, 0)], "/models/")
	name, err := url.PathUnescape(escaped)
	if err != nil || !found {
		return &fault{cause: noRoute, message: "The simulator has no such path"}
	}
	switch verb := path[i+1:]; {
	case verb == "generateContent":
		return x.post(func(f map[string]gjson.Result) *fault { return x.generate(x.parseGemini(f, name, false)) })
	case verb == "streamGenerateContent" && x.r.URL.Query().Get("alt") == "sse":
		return x.post(func(f map[string]gjson.Result) *fault { return x.generate(x.parseGemini(f, name, true)) })
	case verb == "countTokens":
		return x.post(func(f map[string]gjson.Result) *fault { return x.countGemini(f, name) })
	case verb == "batchEmbedContents":
		return x.post(func(f map[string]gjson.Result) *fault { return x.embed(parseGeminiBatch(f, name)) })
	case verb == "embedContent":
		return x.post(func(f map[string]gjson.Result) *fault { return x.embed(parseGeminiText(f, name)) })
	}
	return &fault{cause: noRoute, message: "The simulator has no such path; it streams with alt=sse only"}
}

func (x *visit) countGemini(f map[string]gjson.Result, name string) *fault {
	if inner := f["generateContentRequest"]; inner.IsObject() {
		f = fieldsOf(inner)
	}
	a, wrong := x.parseGemini(f, name, false)
	if wrong != nil {
		return wrong
	}
	if _, f := x.find(a.model); f != nil {
		return f
	}
	x.reply(marshal(struct {
		Total     int64 `json:"totalTokens"`
		Simulated bool  `json:"simulated"`
	}{a.input(), true}))
	return nil
}

// parseGemini reads the body of a question in Gemini's dialect. Of the two names
// that Google knows for a field it reads the one that Google writes.
func (x *visit) parseGemini(f map[string]gjson.Result, model string, stream bool) (*ask, *fault) {
	a := &ask{dialect: starling.Gemini, model: model, stream: stream}
	config := f["generationConfig"]
	a.limit = a.count("generation_config.max_output_tokens", config.Get("maxOutputTokens"))
	a.choices = max(a.count("generation_config.candidate_count", config.Get("candidateCount")), 1)
	if a.choices > 8 {
		a.bad("generation_config.candidate_count", "candidate_count must be at most 8")
	}
	a.stops = a.strings("generation_config.stop_sequences", config.Get("stopSequences"))
	budget := config.Get("thinkingConfig.thinkingBudget")
	a.reason = !budget.Exists() || budget.Int() != 0
	a.thoughts = config.Get("thinkingConfig.includeThoughts").Bool()
	if budget.Exists() && config.Get("thinkingConfig.thinkingLevel").Exists() {
		a.bad("generation_config.thinking_config", "thinking_budget and thinking_level are not supported together")
	}
	a.geminiFormat(config)
	a.geminiTools(f)
	f["systemInstruction"].Get("parts").ForEach(func(_, p gjson.Result) bool {
		a.add("system", p.Get("text").Str)
		return true
	})
	signed := ""
	if m := x.models[model]; m != nil && m.Reasoning > 0 {
		signed = geminiSignature(model)
	}
	a.geminiContents(f["contents"], signed)
	return a, a.wrong
}

func (a *ask) geminiFormat(config gjson.Result) {
	switch media := config.Get("responseMimeType").Str; media {
	case "", "text/plain":
		return
	case "application/json":
	default:
		a.bad("generation_config.response_mime_type", "allowed mimetypes are text/plain and application/json")
	}
	a.format = format{kind: "json_object"}
	if v := config.Get("responseJsonSchema"); v.Exists() {
		a.format = format{kind: "json_schema", schema: v.Raw}
	} else if v := config.Get("responseSchema"); v.Exists() {
		a.format = format{kind: "json_schema", schema: lowered(v.Raw)}
	}
}

// lowered writes the types of Google's schemas in small letters.
func lowered(schema string) string {
	var v any
	if json.Unmarshal([]byte(schema), &v) != nil {
		return schema
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if kind, ok := v["type"].(string); ok {
				v["type"] = strings.ToLower(kind)
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(v)
	return string(marshal(v))
}

func (a *ask) geminiTools(f map[string]gjson.Result) {
	f["tools"].ForEach(func(_, t gjson.Result) bool {
		t.Get("functionDeclarations").ForEach(func(_, d gjson.Result) bool {
			name, schema := d.Get("name").Str, d.Get("parametersJsonSchema").Raw
			if v := d.Get("parameters"); v.Exists() {
				if schema != "" {
					a.bad("tools", "parameters and parameters_json_schema exclude each other")
				}
				schema = lowered(v.Raw)
			}
			if name == "" {
				a.bad("tools", "a function declaration needs a name")
			}
			a.tools = append(a.tools, tool{name: name, schema: schema})
			a.add("tool", name)
			a.add("tool", d.Get("description").Str)
			a.add("tool", schema)
			return true
		})
		return true
	})
	config := f["toolConfig"].Get("functionCallingConfig")
	modes := map[string]string{"": "auto", "AUTO": "auto", "VALIDATED": "auto", "NONE": "none", "ANY": "required"}
	mode, known := modes[config.Get("mode").Str]
	if !known {
		a.bad("tool_config", "unknown function calling mode")
	}
	a.use = toolUse{mode: mode}
	if only := config.Get("allowedFunctionNames").Array(); len(only) > 0 {
		if mode != "required" {
			a.bad("tool_config", "allowed_function_names goes with mode ANY only")
		}
		a.use = toolUse{mode: "tool", name: only[0].Str}
	}
	a.usable()
}

// geminiContents reads the turns. A model that signs its calls wants each step of
// the turn under way to begin its calls with a signature of its own, or with the
// one that stands for any.
func (a *ask) geminiContents(all gjson.Result, signed string) {
	contents := all.Array()
	if !all.IsArray() || len(contents) == 0 {
		a.bad("contents", "contents is not specified")
	}
	turns, latest := geminiTurns(contents), 0 // where the user spoke last
	for i, t := range turns {
		if t.role != "model" && slices.ContainsFunc(t.parts, func(p gjson.Result) bool { return p.Get("text").Exists() }) {
			latest = i
		}
	}
	h := geminiHistory{ask: a}
	for i, t := range turns {
		h.turn(fmt.Sprintf("contents[%d]", i), t, i > latest && signed != "", signed)
		if a.wrong != nil {
			return
		}
	}
	a.settled("contents")
}

// A geminiTurn is what one side says until the other does. Clients that keep a
// stream send the model's back chunk by chunk.
type geminiTurn struct {
	role  string
	parts []gjson.Result
}

func geminiTurns(contents []gjson.Result) (turns []geminiTurn) {
	for _, c := range contents {
		role := c.Get("role").Str
		if role == "" {
			role = "user"
		}
		if n := len(turns); role == "model" && n > 0 && turns[n-1].role == role {
			turns[n-1].parts = append(turns[n-1].parts, c.Get("parts").Array()...)
			continue
		}
		turns = append(turns, geminiTurn{role, c.Get("parts").Array()})
	}
	return turns
}

// A geminiHistory is the conversation being read. Calls may be without ids.
type geminiHistory struct {
	*ask
	calls   int
	waiting [][2]string // id and name
}

func (h *geminiHistory) turn(at string, t geminiTurn, current bool, signed string) {
	if t.role != "user" && t.role != "model" && t.role != "function" {
		h.bad(at+".role", "please use a valid role: user, model")
	}
	if len(t.parts) == 0 {
		h.bad(at+".parts", "contents.parts must not be empty")
	}
	waiting := len(h.open) > 0
	h.add(t.role, "").tokens = tokensPerMessage
	h.told = false
	var texts []string
	first := true
	for _, p := range t.parts {
		isCall := p.Get("functionCall").Exists()
		if isCall && first && current {
			h.signed(at, p, signed)
		}
		first = first && !isCall
		if text := p.Get("text"); text.Type == gjson.String {
			texts = append(texts, text.Str)
		}
		h.part(at, t.role, p)
	}
	if t.role == "user" {
		h.heard(texts)
	}
	if waiting {
		h.settled(at)
		h.waiting = nil
	}
}

func (h *geminiHistory) part(at, role string, p gjson.Result) {
	switch {
	case p.Get("functionCall").Exists():
		h.functionCall(at, p.Get("functionCall"))
	case p.Get("functionResponse").Exists():
		h.functionResponse(at, p.Get("functionResponse"))
	case p.Get("inlineData").Exists():
		h.image(p.Get("inlineData.data").Str)
	case p.Get("fileData").Exists():
		h.image(p.Get("fileData.fileUri").Str)
	case p.Get("text").Type == gjson.String:
		h.add(role, p.Get("text").Str)
	default:
		h.bad(at+".parts", "a part must have one of text, inlineData, fileData, functionCall and functionResponse")
	}
}

func (h *geminiHistory) signed(at string, part gjson.Result, signed string) {
	switch part.Get("thoughtSignature").Str {
	case signed, anySignature:
	case "":
		h.bad(at, "Function call is missing a thought_signature in functionCall parts.")
	default:
		h.bad(at, "Corrupted thought signature.")
	}
}

func (h *geminiHistory) functionCall(at string, c gjson.Result) {
	h.add("call", c.Get("name").Str)
	h.add("call", c.Get("args").Raw)
	id := c.Get("id").Str
	if id == "" {
		id = fmt.Sprintf("unnamed %d", h.calls)
	}
	h.calls++
	h.call(at, id)
	h.waiting = append(h.waiting, [2]string{id, c.Get("name").Str})
}

func (h *geminiHistory) functionResponse(at string, r gjson.Result) {
	id, name, response := r.Get("id").Str, r.Get("name").Str, r.Get("response")
	if !response.IsObject() || name == "" {
		h.bad(at, "a function response needs a name and an object as its response")
	}
	for i, w := range h.waiting {
		if w[1] == name && (id == "" || id == w[0]) {
			id = w[0]
			h.waiting = append(h.waiting[:i:i], h.waiting[i+1:]...)
			break
		}
	}
	text := response.Raw
	if v := response.Get("output"); v.Type == gjson.String {
		text = v.Str
	}
	h.add("result", text)
	h.answered(at, id, text)
}

// anySignature stands for a signature that nobody knows.
const anySignature = "skip_thought_signature_validator"

// geminiSignature ties a call to the model that made it.
func geminiSignature(model string) string {
	return base64.StdEncoding.EncodeToString([]byte(signature(model)))
}
