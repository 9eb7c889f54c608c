package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"starling"
)

// blob is base64 of a length that matters.
var blob = strings.Repeat("iVBORw0KGgo+/AAA", 64)

func TestParseReadsWhatRoutingNeeds(t *testing.T) {
	for _, c := range []struct {
		name    string
		dialect starling.Dialect
		body    string
		want    starling.Request
	}{
		{"the least", starling.OpenAI, `{"model":"m","messages":[{}]}`, starling.Request{Model: "m"}},
		{"a stream without usage", starling.OpenAI, `{"model":"m","stream":true,"messages":[{}]}`, starling.Request{Model: "m", Stream: true}},
		{"a stream with usage", starling.OpenAI, `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{}]}`, starling.Request{Model: "m", Stream: true, WantUsage: true}},
		{"the larger of two limits", starling.OpenAI, `{"max_tokens":10,"max_completion_tokens":20,"model":"m","messages":[{}],"n":3}`, starling.Request{Model: "m", MaxTokens: 20, Choices: 3}},
		{"null is as absent", starling.OpenAI, `{"model":"m","messages":[{}],"stream":null,"max_tokens":null,"n":null,"stream_options":null,"tools":null}`, starling.Request{Model: "m"}},
		{"escaped keys and space", starling.OpenAI, " {\n\"\\u006dodel\" : \"\\u00e4\\n\" ,\"messages\":[ {} ]}\r\n", starling.Request{Model: "ä\n"}},
		{"unknown fields", starling.OpenAI, `{"model":"m","messages":[1],"x":[{"model":7}],"top_k":"y"}`, starling.Request{Model: "m"}},
		{"tools", starling.OpenAI, `{"model":"m","messages":[{}],"tools":[{},{}]}`, starling.Request{Model: "m", Tools: 2}},
		{"images and sound", starling.OpenAI, `{"model":"m","messages":[{"content":"image_url"},{"content":[{"type":"text","text":"{\"type\":\"image_url\"}"},{"type":"image_url","image_url":{"url":"x"}},{"type":"input_audio"}],"tool_calls":[{"type":"function"}]}]}`, starling.Request{Model: "m", Images: 1, Documents: 1}},
		{"tools that the vendor runs", starling.Anthropic, `{"model":"m","max_tokens":5,"messages":[{}],"tools":[{"name":"f"},{"type":"custom"},{"type":"bash_20250124"},{"type":"web_search_20250305"}],"mcp_servers":[{}]}`, starling.Request{Model: "m", MaxTokens: 5, Tools: 4, Hosted: 2}},
		{"a search that the vendor makes", starling.OpenAI, `{"model":"m","messages":[{}],"web_search_options":{}}`, starling.Request{Model: "m", Hosted: 1}},
		{"a dearer service", starling.OpenAI, `{"model":"m","messages":[{}],"service_tier":"priority"}`, starling.Request{Model: "m", Tier: "service_tier priority"}},
		{"a cheaper one", starling.OpenAI, `{"model":"m","messages":[{}],"service_tier":"flex"}`, starling.Request{Model: "m"}},
		{"a faster one", starling.Anthropic, `{"model":"m","max_tokens":5,"messages":[{}],"speed":"fast"}`, starling.Request{Model: "m", MaxTokens: 5, Tier: "speed fast"}},
		{"the base64 of an image", starling.OpenAI, `{"model":"m","messages":[{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` + blob + `"}},{"type":"text","text":"` + blob + `"}]}]}`, starling.Request{Model: "m", Images: 1, Opaque: len("data:image/png;base64,") + len(blob)}},
		{"of one in a result, and not of a tool's input", starling.Anthropic, `{"model":"m","max_tokens":5,"messages":[{"content":[{"type":"tool_use","input":{"source":{"data":"` + blob + `"}}},{"type":"tool_result","content":[{"type":"image","source":{"type":"base64","data":"` + blob + `"}}]}]}]}`, starling.Request{Model: "m", MaxTokens: 5, Images: 1, Opaque: len(blob)}},
		{"a document of plain text has its bytes", starling.Anthropic, `{"model":"m","max_tokens":5,"messages":[{"content":[{"type":"document","source":{"type":"text","data":"` + strings.Repeat("plain text ", 200) + `"}}]}]}`, starling.Request{Model: "m", MaxTokens: 5, Documents: 1}},
		{"anthropic", starling.Anthropic, `{"model":"m","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"x"}]}`, starling.Request{Model: "m", MaxTokens: 5, Stream: true, WantUsage: true}},
		{"images in results, but not in the input of tools", starling.Anthropic, `{"model":"m","max_tokens":5,"messages":[{"content":[{"type":"tool_use","input":{"type":"image","content":{"type":"image"}}},{"type":"tool_result","content":[{"type":"image"},{"type":"text"}]},{"type":"document"},{"type":"mcp_tool_result","content":[]}]}]}`, starling.Request{Model: "m", MaxTokens: 5, Images: 1, Documents: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(c.dialect, []byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			c.want.Dialect, c.want.Body = c.dialect, []byte(c.body)
			c.want.Choices = max(c.want.Choices, 1)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	const ok = `"model":"m","messages":[{}]`
	for _, c := range []struct {
		name, body, op string
		dialect        starling.Dialect
	}{
		{"nothing", ``, "request", starling.OpenAI},
		{"an array", `[]`, "request", starling.OpenAI},
		{"two objects", `{` + ok + `}{}`, "request", starling.OpenAI},
		{"half an object", `{` + ok, "request", starling.OpenAI},
		{"broken UTF-8", "{" + ok + ",\"x\":\"\xff\"}", "request", starling.OpenAI},
		{"a hundred thousand brackets", `{` + ok + `,"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, "request", starling.OpenAI},
		{"no model", `{"messages":[{}]}`, "request: model", starling.OpenAI},
		{"a null model", `{"model":null,"messages":[{}]}`, "request: model", starling.OpenAI},
		{"an empty model", `{"model":"","messages":[{}]}`, "request: model", starling.OpenAI},
		{"a model that is a number", `{"model":1,"messages":[{}]}`, "request: model", starling.OpenAI},
		{"two models", `{"model":"a",` + ok + `}`, "request: model", starling.OpenAI},
		{"two models, one in disguise", `{"\u006dodel":"a",` + ok + `}`, "request: model", starling.OpenAI},
		{"no messages", `{"model":"m"}`, "request: messages", starling.OpenAI},
		{"empty messages", `{"model":"m","messages":[]}`, "request: messages", starling.OpenAI},
		{"messages that are no array", `{"model":"m","messages":{}}`, "request: messages", starling.OpenAI},
		{"a stream that is a string", `{` + ok + `,"stream":"true"}`, "request: stream", starling.OpenAI},
		{"stream options that are no object", `{` + ok + `,"stream_options":[]}`, "request: stream_options", starling.OpenAI},
		{"usage that is a number", `{` + ok + `,"stream_options":{"include_usage":1}}`, "request: stream_options.include_usage", starling.OpenAI},
		{"a negative limit", `{` + ok + `,"max_tokens":-1}`, "request: max_tokens", starling.OpenAI},
		{"a limit in halves", `{` + ok + `,"max_completion_tokens":1.5}`, "request: max_completion_tokens", starling.OpenAI},
		{"a limit beyond reason", `{` + ok + `,"max_tokens":99999999999999999999}`, "request: max_tokens", starling.OpenAI},
		{"no choice", `{` + ok + `,"n":0}`, "request: n", starling.OpenAI},
		{"a thousand choices", `{` + ok + `,"n":1000}`, "request: n", starling.OpenAI},
		{"tools that are no array", `{` + ok + `,"tools":{}}`, "request: tools", starling.OpenAI},
		{"no limit where one is required", `{` + ok + `}`, "request: max_tokens", starling.Anthropic},
		{"an unknown dialect", `{` + ok + `}`, "dialect", "morse"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(c.dialect, []byte(c.body))
			var e *starling.Error
			if !errors.As(err, &e) || e.Kind != starling.Invalid || e.Op != c.op {
				t.Errorf("got %#v, want invalid with op %q", err, c.op)
			}
		})
	}
}

func TestParseKeepsTheBodyItself(t *testing.T) {
	body := []byte(`{"model":"m","messages":[{}]}`)
	r, err := Parse(starling.OpenAI, body)
	if err != nil || &r.Body[0] != &body[0] || len(r.Body) != len(body) {
		t.Errorf("the body was copied or changed: %v", err)
	}
}

// TestAFieldIsReadInItsOwnLettersAlone: an upstream that does not tell capital letters from
// small ones would take the one that we passed over.
func TestAFieldIsReadInItsOwnLettersAlone(t *testing.T) {
	for _, c := range []struct{ field, says string }{
		{`"Model":"dear"`, "request: model"},
		{`"MAX_TOKENS":100000`, "request: max_tokens"},
		{`"Tool\u017f":[]`, "request: tools"},
	} {
		_, err := Parse(starling.OpenAI, []byte(`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"Hi"}],`+c.field+`}`))
		if starling.KindOf(err) != starling.Invalid || !strings.HasPrefix(err.Error(), c.says) {
			t.Errorf("%s: %v", c.field, err)
		}
	}
	if _, err := Parse(starling.OpenAI, []byte(`{"model":"m","messages":[{"role":"user","content":"Hi"}],"Seed":1}`)); err != nil {
		t.Error(err)
	}
}
