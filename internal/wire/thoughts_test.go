package wire

import (
	"strings"
	"testing"

	"starling"
)

func TestHowLongToThinkIsSaidInTheWordsOfTheModel(t *testing.T) {
	for _, c := range []struct {
		name, model   string
		tokens, limit int64
		temperature   string
		effort        string
		has, left     string
	}{
		{"a newer model knows levels", "claude-opus-4-6", 8000, 20_000, "", "", `"output_config":{"effort":"medium"}`, "thinking.budget_tokens: sent as effort medium"},
		{"an older one is told the tokens", "claude-opus-4-1", 8000, 20_000, "", "", `"thinking":{"type":"enabled","budget_tokens":8000}`, ""},
		{"which must be a thousand", "claude-opus-4-1", 1000, 20_000, "", "", "", "thinking.budget_tokens"},
		{"and leave some for the answer", "claude-opus-4-1", 8000, 8000, "", "", "", "thinking.budget_tokens"},
		{"and go with no sampling", "claude-opus-4-1", 8000, 20_000, "0.5", "", "", "thinking.budget_tokens"},
		{"a level counts before tokens", "claude-opus-4-6", 8000, 20_000, "", "high", `"output_config":{"effort":"high"}`, "thinking.budget_tokens"},
	} {
		t.Run(c.name, func(t *testing.T) {
			chat := plainChat()
			chat.ThinkTokens, chat.MaxTokens, chat.Effort = c.tokens, c.limit, c.effort
			*temperature(chat) = "1"
			if c.temperature != "" {
				*temperature(chat) = "0.5"
			}
			var left []string
			body, err := Outgoing(&starling.Request{Dialect: starling.OpenAI, Chat: chat}, starling.Anthropic, starling.Model{Name: c.model}, func(s string) { left = append(left, s) })
			told := strings.Join(left, "; ")
			if err != nil || !strings.Contains(string(body), c.has) || (c.left == "") != (told == "") || !strings.Contains(told, c.left) {
				t.Errorf("%v, told %q: %s", err, told, body)
			}
			if c.has == "" && strings.Contains(string(body), `"thinking"`) {
				t.Errorf("it thinks: %s", body)
			}
		})
	}
}

func TestARefusalInTheHistoryIsOneForOpenAIsOwnModels(t *testing.T) {
	chat := plainChat()
	before(chat, starling.Message{Role: starling.User, Parts: []starling.Part{textPart("do it")}}, starling.Message{Role: starling.Assistant, Parts: []starling.Part{{Kind: starling.RefusalPart, Text: "no"}}})
	for model, want := range map[string]string{"gpt-5": `"content":[{"type":"refusal","refusal":"no"}]`, "qwen3": `"content":"no"`} {
		body, err := Outgoing(&starling.Request{Dialect: starling.Anthropic, Chat: chat}, starling.OpenAI, starling.Model{Name: model}, func(string) {})
		if err != nil || !strings.Contains(string(body), want) {
			t.Errorf("%s: %v: %s", model, err, body)
		}
	}
}
