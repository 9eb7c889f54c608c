package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"starling"
)

// askedThoughts is a question of the gemini dialect that wants to hear the model
// think.
const askedThoughts = `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"thinkingConfig":{"includeThoughts":true}}}`

// toGemini translates a question and returns what goes upstream and what is left.
func toGemini(t testing.TB, d starling.Dialect, model, body string) (string, []string, error) {
	t.Helper()
	r, err := Parse(d, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	out, err := Outgoing(&r, starling.Gemini, starling.Model{Name: model}, func(s string) { left = append(left, s) })
	if err == nil && !json.Valid(out) {
		t.Fatalf("not JSON: %s", out)
	}
	return string(out), left, err
}

func TestGoogleReadsAFieldByEitherOfItsNames(t *testing.T) {
	camel := `{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"x"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":1}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"y"}}}]}],
		"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object"}}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},
		"generationConfig":{"maxOutputTokens":9,"topP":0.5,"topK":3,"stopSequences":["z"],"responseMimeType":"application/json","responseJsonSchema":{"type":"object"},"thinkingConfig":{"thinkingBudget":7}}}`
	snaked := strings.NewReplacer("systemInstruction", "system_instruction", "inlineData", "inline_data", "mimeType", "mime_type", "functionCall", "function_call", "functionResponse", "function_response", "functionDeclarations", "function_declarations",
		"parametersJsonSchema", "parameters_json_schema", "toolConfig", "tool_config", "CallingConfig", "_calling_config", "allowedFunctionNames", "allowed_function_names", "generationConfig", "generation_config", "maxOutputTokens", "max_output_tokens",
		"topP", "top_p", "topK", "top_k", "stopSequences", "stop_sequences", "responseMimeType", "response_mime_type", "responseJsonSchema", "response_json_schema", "thinkingConfig", "thinking_config", "thinkingBudget", "thinking_budget").Replace(camel)
	snaked = strings.ReplaceAll(snaked, "function_callingConfig", "function_calling_config")
	if snaked == camel || strings.Contains(snaked, "Config") {
		t.Fatal("the test says the same twice")
	}
	var chats []*starling.Chat
	for _, body := range []string{camel, snaked} {
		r := parsed(t, starling.Gemini, body)
		if r.MaxTokens != 9 || r.Tools != 1 || r.Images != 1 || !r.WantUsage {
			t.Errorf("routing sees %+v", r)
		}
		c, err := View(r)
		if err != nil || len(c.Extra) > 0 {
			t.Fatalf("%v, extra %v", err, c.Extra)
		}
		chats = append(chats, c)
	}
	if d := cmp.Diff(chats[0], chats[1]); d != "" {
		t.Error(d)
	}
	c := chats[0]
	if c.ToolChoice != (starling.ToolChoice{Mode: "tool", Name: "f"}) || c.Format.Kind != "json_schema" || c.ThinkTokens != 7 || c.TopK != "3" || c.System[0].Text != "s" ||
		c.Messages[1].Parts[0].Call.ID != c.Messages[2].Parts[0].Result.ID {
		t.Errorf("got %+v", c)
	}
}

func TestAStreamThatIsSentBackInItsChunksIsOneTurn(t *testing.T) {
	r := parsed(t, starling.Gemini, `{"contents":[{"role":"user","parts":[{"text":"x"}]},{"role":"model","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b"}]},
		{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"role":"model","parts":[{"functionCall":{"name":"g"}}]},{"role":"user","parts":[{"functionResponse":{"name":"g","response":{}}},{"functionResponse":{"name":"f","response":{}}}]},
		{"role":"user","parts":[{"text":"y"}]},{"role":"user","parts":[{"text":"z"}]}]}`)
	c, err := View(r)
	if err != nil || len(c.Messages) != 5 || len(c.Messages[1].Parts) != 3 || c.Messages[1].Parts[0].Text != "ab" || c.Messages[2].Parts[0].Result.ID != c.Messages[1].Parts[2].Call.ID {
		t.Errorf("%v: %+v", err, c)
	}
	if o := OutlineOf(r); o.Answers != 1 || Text(o.First) != "x" || Text(o.Last) != "z" {
		t.Errorf("%+v", o)
	}
}

func TestWhatRoutingReadsOfAGeminiQuestion(t *testing.T) {
	payload := strings.Repeat("QUJD", 200)
	part := func(s string) string { return `{"contents":[{"role":"user","parts":[{"text":"x"},` + s + `]}]}` }
	for name, c := range map[string]struct {
		body string
		want starling.Request
	}{
		"a picture":               {part(`{"inlineData":{"mimeType":"image/png","data":"` + payload + `"}}`), starling.Request{Images: 1, Opaque: len(payload)}},
		"its data first":          {part(`{"inline_data":{"data":"` + payload + `","mime_type":"image/png"}}`), starling.Request{Images: 1, Opaque: len(payload)}},
		"a document":              {part(`{"inlineData":{"mimeType":"application/pdf","data":"` + payload + `"}}`), starling.Request{Documents: 1, Opaque: len(payload)}},
		"a film without its type": {part(`{"fileData":{"fileUri":"https://youtu.be/x"}}`), starling.Request{Documents: 1}},
		"a picture that a tool returns": {part(`{"functionResponse":{"name":"f","response":{},"parts":[{"inlineData":{"mimeType":"image/png","data":"` + payload + `"}}]}}`),
			starling.Request{Images: 1, Opaque: len(payload)}},
		"what a tool returned, which only looks like one": {part(`{"functionResponse":{"name":"f","response":{"inlineData":{"mimeType":"image/png","data":"` + payload + `"}}}}`), starling.Request{}},
		"tools, and some that Google runs": {`{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"a"},{"name":"b"}]},{"googleSearch":{}},{"urlContext":{},"codeExecution":{}}]}`,
			starling.Request{Tools: 5, Hosted: 3}},
		"two answers": {`{"contents":[{"parts":[{"text":"x"}]}],"generation_config":{"candidate_count":2,"max_output_tokens":5}}`, starling.Request{Choices: 2, MaxTokens: 5}},
		"a tier":      {`{"contents":[{"parts":[{"text":"x"}]}],"serviceTier":"priority"}`, starling.Request{Tier: "service_tier priority"}},
	} {
		r := parsed(t, starling.Gemini, c.body)
		got := starling.Request{Images: r.Images, Documents: r.Documents, Opaque: r.Opaque, Tools: r.Tools, Hosted: r.Hosted, MaxTokens: r.MaxTokens, Tier: r.Tier}
		if c.want.Choices > 0 {
			got.Choices = r.Choices
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestAGeminiQuestionThatMakesNoSenseIsRefused(t *testing.T) {
	for name, c := range map[string][2]string{
		"no contents":           {`{}`, "contents"},
		"contents without any":  {`{"contents":[]}`, "contents"},
		"contents of a text":    {`{"contents":"x"}`, "contents"},
		"a limit that is none":  {`{"contents":[{}],"generationConfig":{"maxOutputTokens":-1}}`, "generation_config.max_output_tokens"},
		"a limit twice":         {`{"contents":[{}],"generationConfig":{"maxOutputTokens":1,"max_output_tokens":2}}`, "generation_config.max_output_tokens"},
		"too many candidates":   {`{"contents":[{}],"generationConfig":{"candidateCount":1000}}`, "generation_config.candidate_count"},
		"tools that are a text": {`{"contents":[{}],"tools":"x"}`, "tools"},
	} {
		_, err := Parse(starling.Gemini, []byte(c[0]))
		if starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v, want one about %s", name, err, c[1])
		}
	}
}

func TestWhatOnlyGeminiKnowsIsRefusedOrTold(t *testing.T) {
	const ask = `{"contents":[{"role":"user","parts":[{"text":"x"}]}],`
	for name, c := range map[string]struct{ body, refused, left string }{
		"safety settings":          {ask + `"safetySettings":[{}]}`, "", "safety_settings"},
		"labels":                   {ask + `"labels":{"a":"b"}}`, "", "labels"},
		"what was cached":          {ask + `"cachedContent":"cachedContents/1"}`, "cached_content", ""},
		"speech":                   {ask + `"generationConfig":{"speechConfig":{}}}`, "speech_config", ""},
		"pictures as an answer":    {ask + `"generationConfig":{"responseModalities":["TEXT","IMAGE"]}}`, "response_modalities", ""},
		"text as an answer":        {ask + `"generationConfig":{"responseModalities":["TEXT"]}}`, "", ""},
		"a search":                 {ask + `"tools":[{"googleSearch":{}}]}`, "tools[].type", ""},
		"two candidates":           {ask + `"generationConfig":{"candidateCount":2}}`, "n", ""},
		"a penalty":                {ask + `"generationConfig":{"presencePenalty":1}}`, "", "generation_config.presence_penalty"},
		"no penalty":               {ask + `"generationConfig":{"presencePenalty":0.0}}`, "", ""},
		"no probabilities":         {ask + `"generationConfig":{"responseLogprobs":false,"logprobs":2}}`, "", "top_logprobs"},
		"one of the words":         {ask + `"generationConfig":{"responseMimeType":"text/x.enum"}}`, "response_mime_type", ""},
		"a document":               {`{"contents":[{"parts":[{"inlineData":{"mimeType":"application/pdf","data":"AA"}}]}]}`, "inline_data", ""},
		"what was uploaded before": {`{"contents":[{"parts":[{"fileData":{"mimeType":"image/png","fileUri":"https://generativelanguage.googleapis.com/v1beta/files/1"}}]}]}`, "file_data", ""},
		"code that ran":            {`{"contents":[{"parts":[{"executableCode":{}}]}]}`, "executable_code", ""},
		"a role of its own":        {`{"contents":[{"role":"tool","parts":[{"text":"x"}]}]}`, "role", ""},
		"some of the functions": {ask + `"tools":[{"functionDeclarations":[{"name":"a"},{"name":"b"},{"name":"c"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["a","b"]}}}`,
			"allowed_function_names", ""},
		"all of the functions": {ask + `"tools":[{"functionDeclarations":[{"name":"a"},{"name":"b"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["a","b"]}}}`, "", ""},
		"a signed call": {`{"contents":[{"parts":[{"text":"x"}]},{"role":"model","parts":[{"functionCall":{"name":"f"},"thoughtSignature":"QUJD"}]},{"parts":[{"functionResponse":{"name":"f","response":{}}}]}]}`,
			"", "contents[].parts[].thought_signature"},
		"a result of nothing": {`{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{}}}]}]}`, "function_response", ""},
	} {
		for _, to := range []starling.Dialect{starling.OpenAI, starling.Anthropic} {
			var left []string
			_, err := Outgoing(parsed(t, starling.Gemini, c.body), to, starling.Model{Name: "m", MaxOutput: 9}, func(s string) {
				if !strings.HasPrefix(s, "max_tokens") {
					left = append(left, s)
				}
			})
			if c.refused != "" && (starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), c.refused)) || c.refused == "" && err != nil {
				t.Errorf("%s to %s: %v, want %q", name, to, err, c.refused)
			}
			if got := strings.Join(left, ", "); err == nil && got != c.left {
				t.Errorf("%s to %s: left %q, want %q", name, to, got, c.left)
			}
		}
	}
}

func TestGooglesSchemaBecomesJSONSchema(t *testing.T) {
	for google, want := range map[string]string{
		`{"type":"STRING"}`: `{"type":"string"}`,
		`{"type":"OBJECT","properties":{"nullable":{"type":"INTEGER","format":"int32"},"maxItems":{"type":"ARRAY","items":{"type":"NUMBER"},"maxItems":"3"}},"required":["nullable"],"propertyOrdering":["nullable"]}`: `{"type":"object","properties":{"nullable":{"type":"integer","format":"int32"},"maxItems":{"type":"array","items":{"type":"number"},"maxItems":3}},"required":["nullable"],"additionalProperties":false}`,
		`{"type":"STRING","nullable":true}`:                                       `{"type":["string","null"]}`,
		`{"type":"STRING","format":"enum","enum":["a","b"],"nullable":true}`:      `{"type":["string","null"],"enum":["a","b",null]}`,
		`{"anyOf":[{"type":"STRING"},{"type":"INTEGER"}],"nullable":true}`:        `{"anyOf":[{"type":"string"},{"type":"integer"},{"type":"null"}]}`,
		`{"type":"object","additionalProperties":false,"$defs":{"a":true}}`:       `{"type":"object","additionalProperties":false,"$defs":{"a":true}}`,
		`{"type":"STRING","min_length":"1","maxLength":5,"example":{"type":"X"}}`: `{"type":"string","minLength":1,"maxLength":5}`,
		`{"type":"TYPE_UNSPECIFIED","description":"d"}`:                           `{"description":"d"}`,
	} {
		if got := string(jsonSchema([]byte(google))); got != want {
			t.Errorf("%s becomes\n%s, want\n%s", google, got, want)
		}
	}
}

// toolTurn is a conversation of the openai dialect in the middle of a tool loop,
// with an earlier one before it.
const toolTurn = `{"model":"m","messages":[{"role":"user","content":"one"},
	{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"b","type":"function","function":{"name":"g","arguments":"{\"x\":1}"}}]},
	{"role":"tool","tool_call_id":"b","content":"B"},{"role":"tool","tool_call_id":"a","content":"A"},
	{"role":"assistant","content":"done"},{"role":"user","content":"two"},
	{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":""}}]},{"role":"tool","tool_call_id":"c","content":"C"}]}`

func TestEveryStepOfAnothersHistoryHasThePlaceholder(t *testing.T) {
	for model, want := range map[string]int{"gemini-3-pro": 2, "gemini-4-nano": 2, "unheard-of": 2, "gemini-2.5-flash": 0, "gemma-3": 0} {
		out, left, err := toGemini(t, starling.OpenAI, model, toolTurn)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(out, anySignature); got != want {
			t.Errorf("%s: %d placeholders, want %d: %s", model, got, want, out)
		}
		if told := len(left) == 1 && left[0] == leftSignatures; told != (want > 0) {
			t.Errorf("%s: left %q", model, left)
		}
		first := strings.Index(out, `"thoughtSignature"`)
		if want > 0 && (first < strings.Index(out, `"id":"a"`) || first > strings.Index(out, `"id":"b"`)) {
			t.Errorf("%s: it is not at the step's first call: %s", model, out)
		}
		if !strings.Contains(out, `"functionResponse":{"id":"b","name":"g","response":{"output":"B"}},`) && !strings.Contains(out, `{"functionResponse":{"id":"b","name":"g","response":{"output":"B"}}},{"functionResponse":{"id":"a","name":"f"`) {
			t.Errorf("%s: the results do not stand together under their functions' names: %s", model, out)
		}
	}
}

func TestSignaturesPassInTheirOwnDialectAndNowhereElse(t *testing.T) {
	own := `{"contents":[{"parts":[{"text":"x"}]},{"role":"model","parts":[{"text":"hm","thought":true},{"functionCall":{"name":"f","args":{}},"thoughtSignature":"QUJD"}]},{"parts":[{"functionResponse":{"name":"f","response":{}}}]}]}`
	out, left, err := toGemini(t, starling.Gemini, "gemini-3-pro", own)
	if out != own || len(left) > 0 || err != nil {
		t.Errorf("%s, left %q, %v", out, left, err)
	}
	answer := `{"candidates":[{"content":{"role":"model","parts":[{"text":"hm","thought":true,"thoughtSignature":"QUJD"},{"functionCall":{"id":"1","name":"f","args":{}},"thoughtSignature":"REVG"}]},"finishReason":"STOP"}]}`
	for _, to := range []starling.Dialect{starling.OpenAI, starling.Anthropic} {
		var out bytes.Buffer
		r := &starling.Request{Dialect: to}
		if err := relay(NewWriter(&out, WriterOptions{Request: r}), strings.NewReader(answer), ReadOptions{Dialect: starling.Gemini, Deltas: true}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "QUJD") || strings.Contains(out.String(), "REVG") || !strings.Contains(out.String(), "hm") {
			t.Errorf("%s: %s", to, out.String())
		}
	}
}

func TestAnothersThoughtsAndCallsAreKnownByOurMarkWhenTheyComeBack(t *testing.T) {
	r := &starling.Request{Dialect: starling.Gemini, Body: []byte(askedThoughts)}
	out := rendered(t, r, starling.Event{Deltas: []starling.Delta{{Kind: starling.ReasoningPart, Text: "hm", Signature: "of another"}}}, callDelta(1, "a", "f", `{}`), callDelta(2, "b", "f", `{}`), starling.Event{Finish: starling.ToolUse})
	if strings.Count(out, geminiMark) != 2 || strings.Contains(out, "of another") {
		t.Fatalf("got %s", out)
	}
	said := string(geminiField(enterFirst(geminiField([]byte(out), "candidates")), "content"))
	back := `{"contents":[{"role":"user","parts":[{"text":"x"}]},` + said + `,{"role":"model","parts":[{"text":"only","thought":true,"thought_signature":"` + geminiMark + `"}]},{"role":"user","parts":[{"functionResponse":{"id":"a","name":"f","response":{}}}]}]}`
	for model, placeholders := range map[string]int{"gemini-3-pro": 1, "gemini-2.5-pro": 0} {
		body, left, err := toGemini(t, starling.Gemini, model, back)
		if err != nil || strings.Contains(body, geminiMark) || strings.Contains(body, "hm") || strings.Contains(body, "only") || strings.Count(body, `"role":"model"`) != 1 || strings.Count(body, anySignature) != placeholders {
			t.Errorf("%s: %s, %v", model, body, err)
		}
		if want := []string{"thinking"}; cmp.Diff(left[len(left)-1:], want) != "" && cmp.Diff(left[:1], want) != "" {
			t.Errorf("%s: left %q", model, left)
		}
	}
	r = parsed(t, starling.Gemini, back)
	c, err := View(r)
	if err != nil || len(c.Extra) > 0 || c.Messages[1].Parts[0].Signature != ourMark {
		t.Errorf("%v, extra %v", err, c.Extra)
	}
}

// enterFirst returns an array's first element.
func enterFirst(v []byte) []byte {
	m := enter(v)
	m.next()
	return m.value
}

func TestThoughtsAreToldToWhoAskedForThem(t *testing.T) {
	for body, want := range map[string]bool{askedThoughts: true, strings.Replace(askedThoughts, "true", "false", 1): false, `{"contents":[{"parts":[{"text":"includeThoughts true"}]}]}`: false, `{}`: false, `nothing with Thoughts`: false} {
		for _, stream := range []bool{true, false} {
			r := &starling.Request{Dialect: starling.Gemini, Stream: stream, Body: []byte(body)}
			out := rendered(t, r, starling.Event{Deltas: []starling.Delta{{Kind: starling.ReasoningPart, Text: "hm"}}}, textDelta(1, "x"))
			if strings.Contains(out, "hm") != want || !strings.Contains(out, `"x"`) {
				t.Errorf("%s, stream %v: %s", body, stream, out)
			}
		}
	}
}

func TestHowHardToThinkIsSaidInTheModelsOwnMeasure(t *testing.T) {
	for _, c := range []struct{ model, effort, want string }{
		{"gemini-3-flash", "minimal", `"thinkingLevel":"minimal"`},
		{"gemini-3-pro", "minimal", `"thinkingLevel":"low"`},
		{"gemini-3-pro", "xhigh", `"thinkingLevel":"high"`},
		{"gemini-3-flash", "none", `"thinkingLevel":"minimal"}`},
		{"gemini-2.5-flash", "none", `"thinkingBudget":0}`},
		{"gemini-2.5-pro", "none", ``},
		{"gemini-2.5-pro", "medium", `"thinkingBudget":8192,"includeThoughts":true`},
	} {
		out, left, err := toGemini(t, starling.OpenAI, c.model, `{"model":"m","reasoning_effort":"`+c.effort+`","messages":[{"role":"user","content":"x"}]}`)
		if err != nil || !strings.Contains(out, c.want) || strings.Contains(out, "thinkingConfig") != (c.want != "") {
			t.Errorf("%+v: %s, %v", c, out, err)
		}
		if c.want == "" && len(left) != 1 {
			t.Errorf("%+v: left %q", c, left)
		}
	}
	out, _, _ := toGemini(t, starling.Anthropic, "gemini-2.5-flash", `{"model":"m","max_tokens":9,"thinking":{"type":"enabled","budget_tokens":1234},"messages":[{"role":"user","content":"x"}]}`)
	if !strings.Contains(out, `"thinkingBudget":1234`) {
		t.Errorf("got %s", out)
	}
}

func TestWhatGeminiCannotBeToldIsRefused(t *testing.T) {
	for field, body := range map[string]string{
		"tool_call_id":    `{"model":"m","messages":[{"role":"tool","tool_call_id":"nobody","content":"x"}]}`,
		"arguments":       `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"[]"}}]},{"role":"tool","tool_call_id":"a","content":"x"}]}`,
		"messages":        `{"model":"m","messages":[{"role":"system","content":"x"}]}`,
		"response_format": `{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}}],"response_format":{"type":"json_object"}}`,
		"tool_choice":     `{"model":"m","messages":[{"role":"user","content":"x"}],"tool_choice":"required"}`,
	} {
		if out, _, err := toGemini(t, starling.OpenAI, "gemini-2.5-flash", body); starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v, %s", field, err, out)
		}
	}
}

func TestAStreamCanBeAnArray(t *testing.T) {
	upstream := "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n\n: alive\n\ndata: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"b\"}]},\"finishReason\":\"STOP\"}]}\n\n"
	for name, raw := range map[string]bool{"passed": true, "translated": false} {
		var out bytes.Buffer
		r := &starling.Request{Dialect: starling.Gemini, Stream: true, Array: true, Model: "m"}
		if err := relay(NewWriter(&out, WriterOptions{Request: r}), strings.NewReader(upstream), ReadOptions{Dialect: starling.Gemini, Stream: true, Raw: raw, Deltas: !raw}); err != nil {
			t.Fatal(err)
		}
		var chunks []struct {
			Candidates []struct {
				Content struct{ Parts []struct{ Text string } }
			}
		}
		if err := json.Unmarshal(out.Bytes(), &chunks); err != nil || len(chunks) < 2 || chunks[0].Candidates[0].Content.Parts[0].Text != "a" || chunks[1].Candidates[0].Content.Parts[0].Text != "b" {
			t.Errorf("%s: %v: %s", name, err, out.String())
		}
	}
	var events bytes.Buffer
	r := &starling.Request{Dialect: starling.Gemini, Stream: true}
	if err := relay(NewWriter(&events, WriterOptions{Request: r}), strings.NewReader(upstream), ReadOptions{Dialect: starling.Gemini, Stream: true, Raw: true}); err != nil || events.String() != strings.Replace(upstream, ": alive\n\n", "", 1) {
		t.Errorf("as events: %v: %s", err, events.String())
	}
	for name, events := range map[string][]starling.Event{"broken off": {textDelta(0, "x")}, "broken at once": nil} {
		var out bytes.Buffer
		w := NewWriter(&out, WriterOptions{Request: &starling.Request{Dialect: starling.Gemini, Stream: true, Array: true}})
		for _, ev := range events {
			if err := w.Event(ev); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Fail(&starling.Error{Kind: starling.Overloaded, Op: "o"}); err != nil {
			t.Fatal(err)
		}
		var chunks []map[string]any
		if err := json.Unmarshal(out.Bytes(), &chunks); err != nil || len(chunks) != len(events)+1 || chunks[len(events)]["error"] == nil {
			t.Errorf("%s: %v: %s", name, err, out.String())
		}
	}
}

func TestAGeminiAnswerIsReadWithItsUsageAndItsEnd(t *testing.T) {
	chunk := func(s string) string { return "data: " + s + "\n\n" }
	for name, c := range map[string]struct {
		upstream string
		finish   starling.Finish
		kind     starling.Kind
		usage    starling.Usage
	}{
		"all counts": {chunk(`{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":40,"toolUsePromptTokenCount":5,"candidatesTokenCount":7,"thoughtsTokenCount":3,"totalTokenCount":115}}`),
			starling.Stopped, "", starling.Usage{Input: 65, CacheRead: 40, Output: 10, Reasoning: 3}},
		"counts after the end":  {chunk(`{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"MAX_TOKENS"}]}`) + chunk(`{"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}`), starling.Length, "", starling.Usage{Input: 1, Output: 2}},
		"a call ends as a stop": {chunk(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]}}]}`) + chunk(`{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}]}`), starling.ToolUse, "", starling.Usage{}},
		"the prompt is blocked": {chunk(`{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4}}`), starling.Filtered, "", starling.Usage{Input: 4}},
		"recitation":            {chunk(`{"candidates":[{"finishReason":"RECITATION"}]}`), starling.Filtered, "", starling.Usage{}},
		"cut before the end":    {chunk(`{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}`), "", starling.Overloaded, starling.Usage{}},
		"nothing at all":        {"", "", starling.Overloaded, starling.Usage{}},
		"one of two is missing": {chunk(`{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP"},{"index":1,"content":{"parts":[{"text":"y"}]}}]}`), starling.Stopped, starling.Overloaded, starling.Usage{}},
		"a call that is none":   {chunk(`{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}`), "", starling.Overloaded, starling.Usage{}},
		"an error":              {chunk(`{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}`), "", starling.Overloaded, starling.Usage{}},
		"our own key":           {chunk(`{"error":{"code":400,"message":"key","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}`), "", starling.Refused, starling.Usage{}},
	} {
		got := readAll(t, strings.NewReader(c.upstream), ReadOptions{Dialect: starling.Gemini, Stream: true, Deltas: true})
		if got.answer.Finish != c.finish || starling.KindOf(got.err) != c.kind || got.usage != c.usage {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestACallThatIsNoObjectIsNoGeminiAnswer(t *testing.T) {
	for _, stream := range []bool{true, false} {
		for finish, fails := range map[starling.Finish]bool{starling.ToolUse: true, starling.Length: false} {
			var out bytes.Buffer
			w := NewWriter(&out, WriterOptions{Request: &starling.Request{Dialect: starling.Gemini, Stream: stream}})
			if err := w.Event(callDelta(0, "a", "f", `{"cut":`)); err != nil {
				t.Fatal(err)
			}
			_ = w.Event(starling.Event{Finish: finish})
			err := w.Close()
			if (starling.KindOf(err) == starling.Refused) != fails || fails && out.Len() > 0 || !fails && (strings.Contains(out.String(), "functionCall") || !strings.Contains(out.String(), "MAX_TOKENS")) {
				t.Errorf("stream %v, %s: %v, %s", stream, finish, err, out.String())
			}
		}
	}
}

// TestThereAndBackThroughGeminiKeepsTheConversation: from the openai dialect into
// this one and back.
func TestThereAndBackThroughGeminiKeepsTheConversation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, err := Parse(starling.OpenAI, conversationOf(t))
		if err != nil {
			t.Fatal(err)
		}
		body, err := Outgoing(&r, starling.Gemini, starling.Model{Name: "there"}, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		there, err := Parse(starling.Gemini, body)
		if err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if body, err = Outgoing(&there, starling.OpenAI, starling.Model{Name: r.Model}, func(string) {}); err != nil {
			t.Fatal(err)
		}
		back, err := Parse(starling.OpenAI, body)
		if err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		for _, q := range []*starling.Request{&r, &back} { // these have no word in Gemini
			c, err := View(q)
			if err != nil {
				t.Fatal(err)
			}
			c.Parallel, c.User = nil, ""
		}
		if d := cmp.Diff(summary(t, &r), summary(t, &back)); d != "" {
			t.Fatal(d)
		}
		if r.Images != there.Images || r.Images != back.Images || r.Tools != there.Tools {
			t.Fatalf("routing sees %+v, %+v", r, there)
		}
	})
}

func FuzzGemini(f *testing.F) {
	f.Add([]byte(askedThoughts))
	f.Add([]byte(`{"systemInstruction":"s","contents":[{"role":"model","parts":[{"function_call":{"name":"f"}}]},{"parts":[{"functionResponse":{"name":"f","response":{"error":"x"},"parts":[{"inlineData":{"mimeType":"image/png","data":"A_"}}]}}]},{"parts":[{"text":"x","thoughtSignature":"` + geminiMark + `"}]}],"tools":[{"functionDeclarations":[{"parameters":{"type":"OBJECT","properties":{"a":{"nullable":true,"enum":["x"]}}}}]}],"generationConfig":{"responseSchema":{"anyOf":[]},"thinkingConfig":{"thinkingLevel":"LOW"}}}`))
	f.Add([]byte("data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{}}}]},\"finishReason\":\"STOP\"}]}\n\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		readAll(t, bytes.NewReader(body), ReadOptions{Dialect: starling.Gemini, Stream: true, Deltas: true, MaxEvent: 1 << 16})
		r, err := Parse(starling.Gemini, body)
		if err != nil {
			if starling.KindOf(err) != starling.Invalid {
				t.Fatalf("%v is not invalid", err)
			}
			return
		}
		OutlineOf(&r)
		same, err := Outgoing(&r, starling.Gemini, starling.Model{Name: "m"}, func(string) {})
		if err != nil || !json.Valid(same) {
			t.Fatalf("%v: %s", err, same)
		}
		for _, to := range []starling.Dialect{starling.OpenAI, starling.Anthropic} {
			out, err := Outgoing(&r, to, starling.Model{Name: "m"}, func(string) {})
			if err != nil {
				if starling.KindOf(err) != starling.Invalid {
					t.Fatalf("%v is not invalid", err)
				}
				continue
			}
			if !json.Valid(out) {
				t.Fatalf("not JSON: %s", out)
			}
		}
	})
}
