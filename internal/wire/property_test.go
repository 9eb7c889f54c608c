package wire

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"starling"
)

// TestThereAndBackKeepsTheConversation: what is said in one dialect, translated
// into the other and back, is still said, by the same ones and in the same order.
func TestThereAndBackKeepsTheConversation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, err := Parse(starling.OpenAI, conversationOf(t))
		if err != nil {
			t.Fatal(err)
		}
		body, err := Outgoing(&r, starling.Anthropic, starling.Model{Name: "there"}, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		there, err := Parse(starling.Anthropic, body)
		if err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		body, err = Outgoing(&there, starling.OpenAI, starling.Model{Name: r.Model}, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse(starling.OpenAI, body)
		if err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if d := cmp.Diff(summary(t, &r), summary(t, &back)); d != "" {
			t.Fatal(d)
		}
		if r.Images != there.Images || r.Images != back.Images || r.Tools != back.Tools || r.Stream != back.Stream {
			t.Fatalf("routing sees %+v, %+v", r, back)
		}
	})
}

// summary flattens a conversation: neighbouring messages of one role may be cut
// differently by the dialects.
func summary(t *rapid.T, r *starling.Request) (all []string) {
	c, err := View(r)
	if err != nil {
		t.Fatal(err)
	}
	say := func(role starling.Role, p starling.Part) {
		switch p.Kind {
		case starling.ImagePart:
			all = append(all, fmt.Sprintf("%s shows %+v", role, *p.Image))
		case starling.CallPart:
			all = append(all, fmt.Sprintf("%s calls %+v", role, *p.Call))
		case starling.ResultPart:
			all = append(all, fmt.Sprintf("%s returns %s %+v", role, p.Result.ID, p.Result.Parts))
		default:
			all = append(all, fmt.Sprintf("%s says %q", role, p.Text))
		}
	}
	for _, p := range c.System {
		say(starling.System, p)
	}
	for _, m := range c.Messages {
		for _, p := range m.Parts {
			say(m.Role, p)
		}
	}
	for _, tool := range c.Tools {
		all = append(all, fmt.Sprintf("tool %s %s %s", tool.Name, tool.Description, tool.Schema))
	}
	parallel := "unsaid"
	if c.Parallel != nil {
		parallel = fmt.Sprint(*c.Parallel)
	}
	return append(all, fmt.Sprint(c.ToolChoice, parallel, c.MaxTokens, c.Temperature, c.TopP, c.Stop, c.Effort, c.User))
}

type obj = map[string]any

func conversationOf(t *rapid.T) []byte {
	word := rapid.StringN(1, 12, -1).Filter(func(s string) bool { return strings.TrimSpace(s) != "" }) // nothing but space is not sent
	text := rapid.Custom(func(t *rapid.T) obj { return obj{"type": "text", "text": word.Draw(t, "text")} })
	image := rapid.Custom(func(t *rapid.T) obj {
		url := rapid.SampledFrom([]string{"https://example.com/a.png", "data:image/png;base64,AAAA"}).Draw(t, "url")
		return obj{"type": "image_url", "image_url": obj{"url": url}}
	})
	var messages []obj
	for range rapid.IntRange(0, 2).Draw(t, "instructions") {
		messages = append(messages, obj{"role": rapid.SampledFrom([]string{"system", "developer"}).Draw(t, "role"), "content": word.Draw(t, "instruction")})
	}
	ids := 0
	for range rapid.IntRange(0, 4).Draw(t, "turns") {
		messages = append(messages, obj{"role": "user", "content": rapid.SliceOfN(rapid.OneOf(text, image), 1, 3).Draw(t, "parts")})
		answer := obj{"role": "assistant", "content": word.Draw(t, "answer")}
		var calls, results []obj
		for range rapid.IntRange(0, 3).Draw(t, "calls") {
			ids++
			id := fmt.Sprint("call_", ids)
			arguments, _ := json.Marshal(rapid.MapOf(word, word).Draw(t, "arguments"))
			calls = append(calls, obj{"id": id, "type": "function", "function": obj{"name": "f", "arguments": string(arguments)}})
			results = append(results, obj{"role": "tool", "tool_call_id": id, "content": word.Draw(t, "result")})
		}
		if len(calls) > 0 {
			answer["tool_calls"] = calls
		}
		messages = append(append(messages, answer), results...)
	}
	r := obj{"model": "m", "messages": append(messages, obj{"role": "user", "content": word.Draw(t, "last")}), "max_tokens": rapid.IntRange(1, 1000).Draw(t, "limit"), "stream": rapid.Bool().Draw(t, "stream")}
	maybe := func(name string, v any) {
		if rapid.Bool().Draw(t, name) {
			r[name] = v
		}
	}
	maybe("temperature", rapid.Float64Range(0, 1).Draw(t, "t"))
	maybe("stop", rapid.SliceOfN(word, 1, 3).Draw(t, "words"))
	maybe("user", word.Draw(t, "u"))
	maybe("reasoning_effort", rapid.SampledFrom([]string{"low", "medium", "high"}).Draw(t, "e"))
	if rapid.Bool().Draw(t, "tools") {
		r["tools"] = []obj{{"type": "function", "function": obj{"name": "f", "description": word.Draw(t, "d"), "parameters": obj{"type": "object"}}}}
		r["tool_choice"] = rapid.SampledFrom([]any{"auto", "required", "none", obj{"type": "function", "function": obj{"name": "f"}}}).Draw(t, "choice")
		if r["tool_choice"] != "none" {
			maybe("parallel_tool_calls", rapid.Bool().Draw(t, "p"))
		}
	}
	body, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
