package wire

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"starling"
)

func parsed(t *testing.T, d starling.Dialect, body string) *starling.Request {
	t.Helper()
	r, err := Parse(d, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return &r
}

func TestTheSameDialectKeepsItsBytes(t *testing.T) {
	for _, c := range []struct {
		name    string
		dialect starling.Dialect
		in, out string
	}{
		{"only the model changes", starling.OpenAI, // trap 18
			"{ \"seed\":9007199254740993,\"model\" : \"a\", \"messages\":[{\"content\":\"<b>&\\u00e9\"}],\n\"x\":1.50e+3, \"prompt_cache_key\":\"k\"}\n",
			"{ \"seed\":9007199254740993,\"model\" : \"b\\\"\", \"messages\":[{\"content\":\"<b>&\\u00e9\"}],\n\"x\":1.50e+3, \"prompt_cache_key\":\"k\"}\n"},
		{"a model in a message is no model", starling.OpenAI, `{"messages":[{"model":"a"}],"model":"a"}`, `{"messages":[{"model":"a"}],"model":"b\""}`},
		{"a stream is made to count", starling.OpenAI, `{"model":"a","messages":[{}],"stream":true}`, `{"stream_options":{"include_usage":true},"model":"b\"","messages":[{}],"stream":true}`}, // trap 6
		{"options are kept", starling.OpenAI, `{"model":"a","messages":[{}],"stream":true,"stream_options":{ "include_obfuscation":false}}`, `{"model":"b\"","messages":[{}],"stream":true,"stream_options":{"include_usage":true, "include_obfuscation":false}}`},
		{"empty options", starling.OpenAI, `{"stream_options":{},"model":"a","messages":[{}],"stream":true}`, `{"stream_options":{"include_usage":true},"model":"b\"","messages":[{}],"stream":true}`},
		{"null options", starling.OpenAI, `{"stream_options":null,"model":"a","messages":[{}],"stream":true}`, `{"stream_options":{"include_usage":true},"model":"b\"","messages":[{}],"stream":true}`},
		{"usage not wanted", starling.OpenAI, `{"stream_options":{"include_usage":false},"model":"a","messages":[{}],"stream":true}`, `{"stream_options":{"include_usage":true},"model":"b\"","messages":[{}],"stream":true}`},
		{"usage wanted", starling.OpenAI, `{"stream_options":{"include_usage":true},"model":"a","messages":[{}],"stream":true}`, `{"stream_options":{"include_usage":true},"model":"b\"","messages":[{}],"stream":true}`},
		{"anthropic", starling.Anthropic,
			`{"model":"a","max_tokens":1,"stream":true,"system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"theirs"}]}],"context_management":{}}`,
			`{"model":"b\"","max_tokens":1,"stream":true,"system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"theirs"}]}],"context_management":{}}`},
		{"thoughts under our own mark are taken out again", starling.Anthropic, // trap 19
			`{"model":"a","max_tokens":1,"messages":[ {"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"starling-unsigned"}, {"type":"text","text":"y" }]},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"starling-unsigned"}]},{"role":"user","content":"z"}]}`,
			`{"model":"b\"","max_tokens":1,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"text","text":"y" }]},{"role":"user","content":"z"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Outgoing(parsed(t, c.dialect, c.in), c.dialect, starling.Model{Name: `b"`}, func(string) {})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.out, string(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestNothingToChangeIsTheBodyItself(t *testing.T) {
	r := parsed(t, starling.OpenAI, `{"model":"a","messages":[{}]}`)
	got, err := Outgoing(r, starling.OpenAI, starling.Model{Name: "a"}, nil)
	if err != nil || &got[0] != &r.Body[0] {
		t.Errorf("copied: %v", err)
	}
}

// chat makes a request with the given fields added.
func chat(d starling.Dialect, fields string) string {
	base := `"model":"m","messages":[{"role":"user","content":"hi"}]`
	if d == starling.Anthropic {
		base = `"max_tokens":9,` + base
	}
	if strings.Contains(fields, `"messages"`) {
		base = strings.Replace(base, `,"messages":[{"role":"user","content":"hi"}]`, "", 1)
	}
	return "{" + base + "," + fields + "}"
}

func other(d starling.Dialect) starling.Dialect {
	if d == starling.OpenAI {
		return starling.Anthropic
	}
	return starling.OpenAI
}

func TestWhatWouldChangeTheAnswerIsRefused(t *testing.T) {
	for _, c := range []struct {
		dialect    starling.Dialect
		fields, op string
	}{
		{starling.OpenAI, `"n":2`, "n"},
		{starling.OpenAI, `"logprobs":true`, "logprobs"},
		{starling.OpenAI, `"top_logprobs":2`, "top_logprobs"},
		{starling.OpenAI, `"logit_bias":{"1":2}`, "logit_bias"},
		{starling.OpenAI, `"modalities":["text","audio"]`, "modalities"},
		{starling.OpenAI, `"audio":{"voice":"x"}`, "audio"},
		{starling.OpenAI, `"prediction":{}`, "prediction"},
		{starling.OpenAI, `"web_search_options":{}`, "web_search_options"},
		{starling.OpenAI, `"moderation":{"model":"x"}`, "moderation"},
		{starling.OpenAI, `"functions":[{"name":"f"}]`, "functions"},
		{starling.OpenAI, `"response_format":{"type":"json_object"}`, "response_format"},
		{starling.OpenAI, `"temperature":1.5`, "temperature"},
		{starling.OpenAI, `"temperature":"hot"`, "temperature"},
		{starling.OpenAI, `"tools":[{"type":"custom","custom":{"name":"x"}}]`, "tools[].type"},
		{starling.OpenAI, `"tool_choice":{"type":"allowed_tools","allowed_tools":{}}`, "tool_choice"},
		{starling.OpenAI, `"tool_choice":"required"`, "tool_choice"},
		{starling.OpenAI, `"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}]`, "messages[].content[].type"},
		{starling.OpenAI, `"messages":[{"role":"function","name":"f","content":"x"}]`, "messages[].role"},
		{starling.OpenAI, `"messages":[{"role":"user","content":5}]`, "messages[0].content"},
		{starling.OpenAI, `"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]`, "messages"},
		{starling.OpenAI, `"messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{"}}]},{"role":"user","content":"x"}]`, "messages[].tool_calls[].function.arguments"},
		{starling.OpenAI, `"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/svg+xml,<svg/>"}}]}]`, "messages[].content[].image_url"},
		{starling.Anthropic, `"tools":[{"type":"web_search_20250305","name":"web_search"}]`, "tools[].type"},
		{starling.Anthropic, `"mcp_servers":[{"url":"x"}]`, "mcp_servers"},
		{starling.Anthropic, `"container":"c"`, "container"},
		{starling.Anthropic, `"inference_geo":"us"`, "inference_geo"},
		{starling.Anthropic, `"messages":[{"role":"user","content":[{"type":"document","source":{}}]}]`, "messages[].content[].type"},
		{starling.Anthropic, `"messages":[{"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"f"}}]}]`, "messages[].content[].source"},
		{starling.Anthropic, `"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"{"}]`, "messages"},
		{starling.Anthropic, `"messages":[{"role":"robot","content":"x"}]`, "messages[0].role"},
	} {
		t.Run(string(c.dialect)+" "+c.fields, func(t *testing.T) {
			_, err := Outgoing(parsed(t, c.dialect, chat(c.dialect, c.fields)), other(c.dialect), starling.Model{Name: "x"}, func(string) {})
			var e *starling.Error
			if !errors.As(err, &e) || e.Kind != starling.Invalid || e.Op != fieldOp+c.op {
				t.Errorf("got %v, want invalid %q", err, c.op)
			}
		})
	}
}

func TestWhatCannotBeCarriedIsReported(t *testing.T) {
	const limited = `"max_tokens":5,`
	for _, c := range []struct {
		dialect starling.Dialect
		model   starling.Model
		fields  string
		left    []string
	}{
		{starling.OpenAI, starling.Model{}, `"temperature":0`, []string{"max_tokens: upstream needs a limit, 4096 used"}},
		{starling.OpenAI, starling.Model{MaxOutput: 77}, `"temperature":0`, []string{"max_tokens: upstream needs a limit, 77 used"}},
		{starling.OpenAI, starling.Model{}, limited + `"metadata":{"a":"b"},"store":true,"service_tier":"flex","seed":7,"prompt_cache_key":"k","presence_penalty":0.5,"frequency_penalty":-0.5,"what_is_this":1,"verbosity":"low"`,
			[]string{"frequency_penalty", "metadata", "presence_penalty", "prompt_cache_key", "seed", "service_tier", "store", "verbosity", "what_is_this"}},
		{starling.OpenAI, starling.Model{}, limited + `"store":false,"service_tier":"auto","presence_penalty":0,"frequency_penalty":0.0,"logprobs":false,"top_logprobs":0,"logit_bias":{},"modalities":["text"],"metadata":null,"n":1,"response_format":{"type":"text"},"functions":[],"tool_choice":"auto","verbosity":"medium"`, nil},
		{starling.OpenAI, starling.Model{Name: "claude-haiku-4-5"}, limited + `"reasoning_effort":"low"`, []string{"reasoning_effort"}},
		{starling.OpenAI, starling.Model{Name: "claude-opus-5"}, limited + `"reasoning_effort":"minimal"`, []string{"reasoning_effort: minimal sent as low"}},
		{starling.OpenAI, starling.Model{}, limited + `"messages":[{"role":"user","name":"bob","content":"x"},{"role":"system","content":"y"},{"role":"assistant","content":"","reasoning_content":"hm"},{"role":"user","content":"z"}]`,
			[]string{"messages[].name", "messages[].role: system, moved to the front", "messages[]: one without content", "thinking"}},
		{starling.Anthropic, starling.Model{}, `"top_k":5,"context_management":{},"thinking":{"type":"adaptive"},"service_tier":"standard_only"`, []string{"context_management", "service_tier", "thinking.type", "top_k"}},
		{starling.Anthropic, starling.Model{}, `"thinking":{"type":"enabled","budget_tokens":9000}`, []string{"thinking.budget_tokens: sent as reasoning_effort medium"}},
		{starling.Anthropic, starling.Model{}, `"thinking":{"type":"disabled"}`, []string{"thinking: disabled"}},
		{starling.Anthropic, starling.Model{}, `"system":[{"type":"text","text":"x-anthropic-billing-header: y"},{"type":"text","text":"z","cache_control":{"type":"ephemeral"}}],"tools":[{"name":"f","input_schema":{},"cache_control":{},"defer_loading":true}]`,
			[]string{"cache_control", "system: x-anthropic-billing-header", "tools[].defer_loading"}},
		{starling.Anthropic, starling.Model{}, `"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","is_error":true,"content":[{"type":"text","text":"no"},{"type":"image","source":{"type":"url","url":"u"}}]}]}]`,
			[]string{"messages[].content[].content[].image: sent in the user message that follows", "messages[].content[].is_error", "thinking", "thinking signature"}},
	} {
		t.Run(string(c.dialect)+" "+c.fields, func(t *testing.T) {
			var left []string
			body, err := Outgoing(parsed(t, c.dialect, chat(c.dialect, c.fields)), other(c.dialect), c.model, func(s string) { left = append(left, s) })
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(left)
			if d := cmp.Diff(c.left, left); d != "" {
				t.Error(d)
			}
			if _, err := Parse(other(c.dialect), body); c.model.Name != "" && err != nil {
				t.Errorf("%v: %s", err, body)
			}
		})
	}
}

func TestTheLimitHasTheNameThatTheModelKnows(t *testing.T) {
	for model, want := range map[string]string{
		"gpt-5.2": "max_completion_tokens", "o3-mini": "max_completion_tokens", "chatgpt-4o-latest": "max_completion_tokens",
		"gpt-oss-20b": "max_tokens", "olmo-2": "max_tokens", "qwen3:8b": "max_tokens", "mistral-large": "max_tokens",
	} {
		body, err := Outgoing(parsed(t, starling.Anthropic, chat(starling.Anthropic, `"stream":false`)), starling.OpenAI, starling.Model{Name: model}, func(string) {})
		if err != nil || !strings.Contains(string(body), `"`+want+`":9`) {
			t.Errorf("%s: want %s in %s", model, want, body)
		}
	}
}

func TestIDsOfCallsAreMadePlainAlwaysInTheSameWay(t *testing.T) {
	if got := plainID("toolu_0-A"); got != "toolu_0-A" {
		t.Errorf("a plain id became %q", got)
	}
	a, b := plainID("functions.bash:0"), plainID("functions.bash.0")
	if a == b || a != plainID("functions.bash:0") || plainID(a) != a {
		t.Errorf("got %q and %q", a, b)
	}
}

func TestViewIsKept(t *testing.T) {
	r := parsed(t, starling.OpenAI, chat(starling.OpenAI, `"stop":"x"`))
	c, err := View(r)
	if err != nil || r.Chat != c {
		t.Fatalf("not kept: %v", err)
	}
	again, _ := View(r)
	if again != c {
		t.Error("made twice")
	}
}

func TestOutgoingDoesNotWriteToTheRequest(t *testing.T) {
	r := parsed(t, starling.OpenAI, chat(starling.OpenAI, `"stop":"x"`))
	before := *r
	if _, err := Outgoing(r, starling.Anthropic, starling.Model{Name: "x"}, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, *r); d != "" {
		t.Error(d)
	}
}
