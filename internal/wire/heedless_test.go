package wire

import (
	"testing"

	"starling"
)

func TestAClientThatTriesA429AgainWhateverItSaysIsTold402(t *testing.T) {
	spent := &starling.Error{Kind: starling.OverBudget, Op: "budget of all per day: cap $1.00, spent $1.00"}
	for _, tt := range []struct {
		name, agent string
		dialect     starling.Dialect
		err         *starling.Error
		status      int
	}{
		{"ai 7", "ai/7.0.173 ai-sdk-provider-utils/5.0.81 node.js/24", starling.OpenAI, spent, 402},
		{"a program built of ai 6", "mine/1 ai-sdk/provider-utils/4.0.23 runtime/bun/1.3.14", starling.OpenAI, spent, 402},
		{"its embeddings", "ai/7.0.173 ai-sdk-provider-utils/5.0.81 node.js/24", starling.Embeddings, spent, 402},
		{"opencode", "opencode/1.18.33 ai-sdk/provider-utils/4.0.23 runtime/bun/1.3.14", starling.OpenAI, spent, 402},
		{"continue", "ls/JS 5.23.2", starling.OpenAI, spent, 402},
		{"continue completing a prompt", "ls/JS 5.23.2", starling.Completions, spent, 402},
		{"OpenAI's own SDK heeds the header", "OpenAI/JS 7.57.0", starling.OpenAI, spent, 429},
		{"so does Python's", "OpenAI/Python 3.57.0", starling.OpenAI, spent, 429},
		{"langchain's too", "langchainjs-openai/1.0.0 ((node/v24.21.0; linux; x64))", starling.OpenAI, spent, 429},
		{"nobody says who asks", "", starling.OpenAI, spent, 429},
		{"Responses has a status of its own", "ai/7.0.173 ai-sdk-provider-utils/5.0.81 node.js/24", starling.Responses, spent, 400},
		{"what is forbidden stays so", "opencode/1.18.33", starling.OpenAI, &starling.Error{Kind: starling.Forbidden, Op: "no"}, 403},
		{"an upstream that is busy may be tried again", "opencode/1.18.33", starling.OpenAI,
			&starling.Error{Kind: starling.Overloaded, Op: "busy", Reply: &starling.Reply{Dialect: starling.Anthropic, Status: 429, Body: []byte(`{"error":{"message":"slow down"}}`)}}, 429},
		{"what an upstream of the dialect replied is not rewritten", "opencode/1.18.33", starling.OpenAI,
			&starling.Error{Kind: starling.OverBudget, Reply: &starling.Reply{Dialect: starling.OpenAI, Status: 429, Body: []byte(`{"error":{"message":"quota"}}`)}}, 429},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, header, body := ErrorReply(tt.dialect, tt.err, "req_1", tt.agent)
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			if _, _, same := ErrorReply(tt.dialect, tt.err, "req_1", ""); string(body) != string(same) {
				t.Errorf("another envelope: %s", body)
			}
			if tt.err == spent && header["x-should-retry"] != "false" {
				t.Errorf("headers %v", header)
			}
		})
	}
}
