package wire

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"starling"
)

func TestNothingIsTranslatedIntoADialectOfPrompts(t *testing.T) {
	if got, want := Targets(), []starling.Dialect{starling.Generate, starling.Completions}; slices.ContainsFunc(want, func(d starling.Dialect) bool { return slices.Contains(got, d) }) {
		t.Errorf("%v", got)
	}
	for _, d := range []starling.Dialect{starling.Generate, starling.Completions} {
		r := parsed(t, starling.OpenAI, chat(starling.OpenAI, `"seed":1`))
		if _, err := Outgoing(r, d, starling.Model{Name: "x"}, func(string) {}); starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: %v", d, err)
		}
	}
}

func TestWhatPassesToAnUpstreamOfItsDialectKeepsItsBytes(t *testing.T) {
	for _, c := range []struct {
		dialect starling.Dialect
		in, out string
	}{
		{starling.Ollama, `{ "model":"a", "messages":[{"content":"<é>"}],"options":{"num_ctx":1024}, "x":1.50}`, `{ "model":"b", "messages":[{"content":"<é>"}],"options":{"num_ctx":1024}, "x":1.50}`},
		{starling.Generate, `{"prompt":"x","raw":true,"context":[1,2],"model":"a"}`, `{"prompt":"x","raw":true,"context":[1,2],"model":"b"}`},
		{starling.Completions, `{"model":"a","prompt":[1,2],"echo":true}`, `{"model":"b","prompt":[1,2],"echo":true}`},
		{starling.Completions, `{"model":"a","prompt":"x","stream":true}`, `{"stream_options":{"include_usage":true},"model":"b","prompt":"x","stream":true}`}, // trap 6
	} {
		got, err := Outgoing(parsed(t, c.dialect, c.in), c.dialect, starling.Model{Name: "b", Context: 4096}, nil)
		if d := cmp.Diff(c.out, string(got)); d != "" || err != nil {
			t.Errorf("%v %s", err, d)
		}
	}
}

// ollamaChat makes a request of an Ollama client.
func ollamaChat(fields string) string {
	return `{"model":"m","messages":[{"role":"user","content":"hi"}],` + fields + `}`
}

func TestWhatWouldChangeTheAnswerIsRefusedFromAndToOllama(t *testing.T) {
	openAIChat := func(fields string) string { return chat(starling.OpenAI, fields) }
	for _, c := range []struct {
		from, to starling.Dialect
		body, op string
	}{
		{starling.Ollama, starling.OpenAI, ollamaChat(`"format":"xml"`), "format"},
		{starling.Ollama, starling.OpenAI, ollamaChat(`"think":3`), "think"},
		{starling.Ollama, starling.OpenAI, ollamaChat(`"_debug_render_only":true`), "_debug_render_only"},
		{starling.Ollama, starling.OpenAI, `{"model":"m","messages":[{"role":"robot","content":"x"}]}`, "messages[].role"},
		{starling.Ollama, starling.OpenAI, `{"model":"m","messages":[{"role":"user","content":[]}]}`, "messages[0].content"},
		{starling.Ollama, starling.OpenAI, `{"model":"m","messages":[{"role":"assistant","content":"{"}]}`, "messages"},
		{starling.Ollama, starling.OpenAI, ollamaChat(`"tools":[{"type":"web"}]`), "tools[].type"},
		{starling.Generate, starling.OpenAI, `{"model":"m","prompt":"x","raw":true}`, "raw"},
		{starling.Generate, starling.OpenAI, `{"model":"m","prompt":"x","template":"t"}`, "template"},
		{starling.Generate, starling.OpenAI, `{"model":"m","prompt":"x","suffix":"s"}`, "suffix"},
		{starling.Generate, starling.OpenAI, `{"model":"m","prompt":"x","context":[1]}`, "context"},
		{starling.Generate, starling.Ollama, `{"model":"m","prompt":"x","width":512}`, "width"},
		{starling.Completions, starling.OpenAI, `{"model":"m","prompt":["x","y"]}`, "prompt"},
		{starling.Completions, starling.OpenAI, `{"model":"m","prompt":[1,2]}`, "prompt"},
		{starling.Completions, starling.OpenAI, `{"model":"m","prompt":[1]}`, "prompt"},
		{starling.Completions, starling.OpenAI, `{"model":"m","prompt":"x","echo":true}`, "echo"},
		{starling.Completions, starling.OpenAI, `{"model":"m","prompt":"x","suffix":"y"}`, "suffix"},
		{starling.Completions, starling.OpenAI, `{"model":"m","prompt":"x","best_of":2}`, "best_of"},
		{starling.Completions, starling.OpenAI, `{"model":"m","prompt":"x","n":2}`, "n"},
		{starling.OpenAI, starling.Ollama, openAIChat(`"n":2`), "n"},
		{starling.OpenAI, starling.Ollama, openAIChat(`"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required"`), "tool_choice"},
		{starling.OpenAI, starling.Ollama, openAIChat(`"tool_choice":"required"`), "tool_choice"},
		{starling.OpenAI, starling.Ollama, openAIChat(`"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]`), "messages[].content[].image"},
		{starling.OpenAI, starling.Ollama, openAIChat(`"messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{"}}]},{"role":"user","content":"x"}]`), "messages[].tool_calls[].function.arguments"},
	} {
		t.Run(c.body, func(t *testing.T) {
			_, err := Outgoing(parsed(t, c.from, c.body), c.to, starling.Model{Name: "x"}, func(string) {})
			var e *starling.Error
			if !errors.As(err, &e) || e.Kind != starling.Invalid || e.Op != fieldOp+c.op {
				t.Errorf("got %v, want invalid %q", err, c.op)
			}
		})
	}
}

func TestWhatCannotBeCarriedIsReportedFromAndToOllama(t *testing.T) {
	tool := `"tools":[{"type":"function","function":{"name":"f"}}],`
	for _, c := range []struct {
		from, to starling.Dialect
		model    starling.Model
		body     string
		left     []string
	}{
		{starling.Ollama, starling.OpenAI, starling.Model{}, ollamaChat(`"options":{"num_ctx":9,"num_gpu":1,"mirostat":2,"min_p":0.1,"frequency_penalty":0},"keep_alive":0,"truncate":true,"shift":false,"logprobs":false,"top_logprobs":0,"format":"","new_field":1`),
			[]string{"keep_alive", "new_field", "options.min_p", "options.mirostat", "options.num_ctx", "options.num_gpu", "truncate"}},
		{starling.Generate, starling.OpenAI, starling.Model{}, `{"model":"m","prompt":"x","suffix":"","template":"","raw":false,"context":[],"system":"","images":[]}`, nil},
		{starling.Completions, starling.OpenAI, starling.Model{}, `{"model":"m","prompt":"x","presence_penalty":1,"frequency_penalty":0,"best_of":1,"echo":false,"logit_bias":{}}`, []string{"presence_penalty"}},
		{starling.OpenAI, starling.Ollama, starling.Model{Name: "llama3"}, chat(starling.OpenAI, tool+`"tool_choice":"none","reasoning_effort":"high","user":"u"`),
			[]string{"reasoning_effort: the upstream's model thinks as much as it does", "tools: not offered, as none may be called", "user"}},
		{starling.OpenAI, starling.Ollama, starling.Model{Name: "gpt-oss:20b"}, chat(starling.OpenAI, `"reasoning_effort":"high"`), nil},
		{starling.OpenAI, starling.Ollama, starling.Model{Name: "gpt-oss:20b"}, chat(starling.OpenAI, `"reasoning_effort":"xhigh"`), []string{"reasoning_effort: sent as high"}},
		{starling.OpenAI, starling.Ollama, starling.Model{Name: "qwen3"}, chat(starling.OpenAI, `"reasoning_effort":"none"`), nil},
		{starling.Anthropic, starling.Ollama, starling.Model{Name: "gpt-oss"}, chat(starling.Anthropic, `"thinking":{"type":"enabled","budget_tokens":9000}`), []string{"reasoning_effort: sent as medium"}},
		{starling.OpenAI, starling.Ollama, starling.Model{}, chat(starling.OpenAI, tool+`"parallel_tool_calls":true,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"high"}}]}]`), []string{"messages[].content[].image_url.detail"}},
	} {
		t.Run(c.body, func(t *testing.T) {
			var left []string
			if _, err := Outgoing(parsed(t, c.from, c.body), c.to, c.model, func(s string) { left = append(left, s) }); err != nil {
				t.Fatal(err)
			}
			slices.Sort(left)
			if d := cmp.Diff(c.left, left); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestOllamaIsToldTheWindowAndNotToCut(t *testing.T) {
	for context, want := range map[int64]string{0: "", 40960: `"options":{"num_ctx":40960,"temperature":0.5}`} {
		body, err := Outgoing(parsed(t, starling.OpenAI, chat(starling.OpenAI, `"temperature":0.5`)), starling.Ollama, starling.Model{Name: "m", Context: context}, func(string) {})
		if err != nil || !strings.Contains(string(body), want) || !strings.Contains(string(body), `"truncate":false,"shift":false`) {
			t.Errorf("%v %s", err, body)
		}
		if context == 0 && strings.Contains(string(body), "num_ctx") {
			t.Errorf("a window is invented: %s", body)
		}
	}
}

func TestASchemaIsStrictOnlyIfItIsClosed(t *testing.T) {
	for schema, want := range map[string]bool{
		`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`:                                                                                       true,
		`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`:                                                                                                                    false,
		`{"type":"object","properties":{"a":{"type":"string"},"b":{}},"required":["a"],"additionalProperties":false}`:                                                                                false,
		`{"type":"object","properties":{"a":{"type":"array","items":{"type":"object","properties":{"b":{}}}}},"required":["a"],"additionalProperties":false}`:                                        false,
		`{"type":"object","properties":{"a":{"anyOf":[{"type":"string"},{"type":"object","properties":{},"additionalProperties":false}]}},"required":["a"],"additionalProperties":false,"$defs":{}}`: true,
	} {
		c, err := View(parsed(t, starling.Ollama, ollamaChat(`"format":`+schema)))
		if err != nil || *c.Format.Strict != want {
			t.Errorf("%s: %v %v", schema, c.Format, err)
		}
	}
}

func TestResultsFindTheirCallsWithoutIDs(t *testing.T) {
	for name, c := range map[string]struct {
		calls, results string
		want           []string
	}{
		"in order":                {`{"function":{"name":"f"}},{"function":{"name":"g"}}`, `{"role":"tool","content":"a"},{"role":"tool","content":"b"}`, []string{"call_0_0", "call_0_1"}},
		"by name":                 {`{"function":{"name":"f"}},{"function":{"name":"g"}}`, `{"role":"tool","tool_name":"g","content":"b"},{"role":"tool","tool_name":"f","content":"a"}`, []string{"call_0_1", "call_0_0"}},
		"by id":                   {`{"id":"x","function":{"name":"f"}},{"id":"y","function":{"name":"f"}}`, `{"role":"tool","tool_call_id":"y"},{"role":"tool","content":"a"}`, []string{"y", "x"}},
		"of a call that is gone":  {`{"function":{"name":"f"}}`, `{"role":"tool","tool_name":"z","content":"b"}`, []string{"call_of_1"}},
		"of a known id, but gone": {`{"function":{"name":"f"}}`, `{"role":"tool","tool_call_id":"q","content":"b"}`, []string{"q"}},
	} {
		view, err := View(parsed(t, starling.Ollama, `{"model":"m","messages":[{"role":"assistant","tool_calls":[`+c.calls+`]},`+c.results+`]}`))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range view.Messages[1:] {
			got = append(got, m.Parts[0].Result.ID)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// TestOllamaThereAndBackKeepsTheConversation: what is said to Ollama is still what
// was said, by the same ones and in the same order.
func TestOllamaThereAndBackKeepsTheConversation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asked := bytes.ReplaceAll(conversationOf(t), []byte("https://example.com/a.png"), []byte("data:image/png;base64,iVBORw0KGgo"))
		asked = bytes.ReplaceAll(asked, []byte(`"tool_choice":"required"`), []byte(`"tool_choice":"auto"`))
		r, err := Parse(starling.OpenAI, asked)
		if err != nil {
			t.Fatal(err)
		}
		body, err := Outgoing(&r, starling.Ollama, starling.Model{Name: "there"}, func(string) {})
		if err != nil {
			if strings.Contains(err.Error(), "tool_choice") {
				return // one tool is demanded
			}
			t.Fatal(err)
		}
		there, err := Parse(starling.Ollama, body)
		if err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if d := cmp.Diff(turnsOf(t, &r), turnsOf(t, &there)); d != "" {
			t.Fatalf("%s\n%s", d, body)
		}
		if r.Images != there.Images || r.Stream != there.Stream || r.MaxTokens != there.MaxTokens {
			t.Fatalf("routing sees %+v, %+v", r, there)
		}
	})
}

// turnsOf flattens a conversation by role: texts of one turn are joined, images stand
// before them.
func turnsOf(t *rapid.T, r *starling.Request) (all []string) {
	c, err := View(r)
	if err != nil {
		t.Fatal(err)
	}
	var texts, shown, calls []string
	var last starling.Role
	flush := func() {
		if len(texts)+len(shown)+len(calls) > 0 {
			all = append(all, fmt.Sprint(last, shown, strings.Join(texts, "\n\n"), calls))
		}
		texts, shown, calls = nil, nil, nil
	}
	for _, m := range append([]starling.Message{{Role: starling.System, Parts: c.System}}, c.Messages...) {
		if m.Role != last {
			flush()
			last = m.Role
		}
		for _, p := range m.Parts {
			switch p.Kind {
			case starling.ImagePart:
				shown = append(shown, p.Image.Data)
			case starling.CallPart:
				calls = append(calls, fmt.Sprintf("%+v", *p.Call))
			case starling.ResultPart:
				calls = append(calls, fmt.Sprintf("%s %+v", p.Result.ID, p.Result.Parts))
			default:
				texts = append(texts, p.Text)
			}
		}
	}
	flush()
	return append(all, fmt.Sprint(c.MaxTokens, c.Temperature, c.TopP, c.Stop))
}
