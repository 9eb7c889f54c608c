package wire

import (
	"errors"
	"fmt"
	"runtime"
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
		{starling.OpenAI, `"logit_bias":{"1":2}`, "logit_bias"},
		{starling.OpenAI, `"modalities":["text","audio"]`, "modalities"},
		{starling.OpenAI, `"audio":{"voice":"x"}`, "audio"},
		{starling.OpenAI, `"prediction":{}`, "prediction"},
		{starling.OpenAI, `"web_search_options":{}`, "web_search_options"},
		{starling.OpenAI, `"moderation":{"model":"x"}`, "moderation"},
		{starling.OpenAI, `"functions":[{"name":"f"}]`, "functions"},
		{starling.OpenAI, `"response_format":{"type":"grammar"}`, "response_format.type"},
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
		{starling.Anthropic, starling.Model{}, `"output_config":{"effort":"high"},"thinking":{"type":"disabled"}`, []string{"output_config.effort", "thinking: disabled"}},
		{starling.Anthropic, starling.Model{}, `"thinking":{"type":"enabled","budget_tokens":9000},"output_config":{"effort":"high"}`, []string{"thinking.budget_tokens"}},
		{starling.Anthropic, starling.Model{Name: "qwen3", Zone: starling.Machine}, `"output_config":{"effort":"high"}`, []string{"reasoning_effort: the upstream is local, and may not know it"}},
		{starling.Anthropic, starling.Model{Name: "qwen3", Zone: starling.Cloud}, `"output_config":{"effort":"high"}`, nil},
		{starling.Anthropic, starling.Model{}, `"metadata":{"user_id":"` + strings.Repeat("u", 65) + `"}`, []string{"metadata.user_id: too long here, sent as its SHA-256"}},
		{starling.Anthropic, starling.Model{}, `"patient John Doe, born 1970":1,"` + strings.Repeat("long", 21) + `":2`, []string{"a field with an unusual name"}},
		{starling.OpenAI, starling.Model{}, limited + `"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":true}`, []string{"stream_options.include_obfuscation"}},
		{starling.OpenAI, starling.Model{}, limited + `"stream":true,"stream_options":{"include_obfuscation":false}`, nil},
		{starling.OpenAI, starling.Model{}, limited + `"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":false,"schema":{"type":"object","additionalProperties":false}}}`,
			[]string{"response_format.json_schema.name", "response_format.json_schema.strict: the upstream always keeps to the schema"}},
		{starling.OpenAI, starling.Model{}, limited + `"response_format":{"type":"json_object"}`, []string{"response_format: said in the instructions"}},
		{starling.OpenAI, starling.Model{Name: "claude-3-5-haiku-latest"}, limited + `"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","additionalProperties":false}}}`,
			[]string{"response_format: said in the instructions"}},
		{starling.OpenAI, starling.Model{Name: "claude-opus-5"}, limited + `"reasoning_effort":"high","temperature":0.2`, []string{"reasoning_effort: sent without thinking, which goes with neither a forced tool nor sampling"}},
		{starling.OpenAI, starling.Model{Name: "claude-opus-5"}, limited + `"reasoning_effort":"high","temperature":1,"top_p":0.99`, nil},
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

func TestWhatUpstreamsRefuseIsSaidOtherwise(t *testing.T) {
	long := "call_" + strings.Repeat("x", 60)
	ours := `"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"starling-unsigned"},{"type":"tool_use","id":"` + long + `","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"` + long + `","content":"x"}]}]`
	for _, c := range []struct {
		name         string
		dialect      starling.Dialect
		model        string
		fields       string
		want, absent string
	}{
		{"a model that thought before it called is given its thoughts back", starling.Anthropic, "deepseek-chat", ours, `"reasoning_content":"hm","tool_calls"`, ""},
		{"OpenAI's own keep theirs to themselves", starling.Anthropic, "gpt-5.2", ours, `"tool_calls"`, "reasoning_content"},
		{"and another model's are nobody's", starling.Anthropic, "deepseek-chat", strings.Replace(ours, "starling-unsigned", "theirs", 1), `"tool_calls"`, "reasoning_content"},
		{"an id that is too long is cut in the call", starling.Anthropic, "m", ours, `{"id":"` + shortID(long) + `","type":"function"`, long},
		{"and in its result", starling.Anthropic, "m", ours, `"tool_call_id":"` + shortID(long) + `"`, long},
		{"instructions after a client's accounts are kept", starling.Anthropic, "m", `"system":"x-anthropic-billing-header: a=b\nBe brief."`, `"content":"Be brief."`, "billing"},
		{"a long name of a user is its hash", starling.Anthropic, "m", `"metadata":{"user_id":"` + strings.Repeat("u", 65) + `"}`, `"user":"f20e249d15fa4b9f`, "uuuu"},
		{"text of nothing but space is not sent", starling.OpenAI, "m", `"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"\n\n","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":" "}]`, `{"type":"tool_result","tool_use_id":"a"}`, `"type":"text","text":"\n`},
		{"a schema has a type", starling.OpenAI, "m", `"tools":[{"type":"function","function":{"name":"f","parameters":{}}},{"type":"function","function":{"name":"g","parameters":{"properties":{}}}}]`, `{"name":"f","input_schema":{"type":"object"}},{"name":"g","input_schema":{"type":"object","properties":{}}}`, ""},
		{"a picture has its proper type", starling.OpenAI, "m", `"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/jpg;base64,/9j/"}}]}]`, `"media_type":"image/jpeg"`, "image/jpg"},
		{"a forced tool goes without thinking", starling.OpenAI, "claude-opus-5", `"reasoning_effort":"high","tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required"`, `"output_config":{"effort":"high"}`, `"thinking"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Outgoing(parsed(t, c.dialect, chat(c.dialect, c.fields)), other(c.dialect), starling.Model{Name: c.model}, func(string) {})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(got), c.want) || c.absent != "" && strings.Contains(string(got), c.absent) {
				t.Errorf("want %s and not %s in %s", c.want, c.absent, got)
			}
		})
	}
}

func TestHowMuchIsReportedIsBounded(t *testing.T) {
	var fields strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&fields, `"x%d":1,`, i)
	}
	left := 0
	_, err := Outgoing(parsed(t, starling.OpenAI, chat(starling.OpenAI, fields.String()+`"max_tokens":5`)), starling.Anthropic, starling.Model{}, func(string) { left++ })
	if err != nil || left != mostLeft+1 {
		t.Errorf("%d fields are reported, %v", left, err)
	}
}

// A body of many small messages takes memory in proportion: nothing is copied
// again and again.
func TestManyResultsAndInstructionsAreCopiedOnce(t *testing.T) {
	const n = 5_000
	for name, message := range map[string]string{
		"results":      `{"role":"tool","tool_call_id":"a","content":"x"}`,
		"instructions": `{"role":"system","content":"x"}`,
	} {
		body := chat(starling.OpenAI, `"messages":[{"role":"user","content":"x"},`+strings.Repeat(message+",", n)+message+`],"max_tokens":5`)
		r := parsed(t, starling.OpenAI, body)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Outgoing(r, starling.Anthropic, starling.Model{}, func(string) {}); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 5_000*n {
			t.Errorf("%s: %d bytes for %d messages", name, took, n)
		}
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
