package e2e

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
)

func openaiClient(t *testing.T) openai.Client {
	return openai.NewClient(option.WithBaseURL(gateway+"/v1"), option.WithAPIKey("unused"), option.WithHTTPClient(httpClient(t)))
}

// models are the upstreams of both dialects: each client talks to both.
var models = []string{"openai-bird", "anthropic-bird"}

func TestOpenAIGoChats(t *testing.T) {
	c := openaiClient(t)
	for _, model := range models {
		got, err := c.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{
			Model:     model,
			MaxTokens: openai.Int(200),
			Messages:  []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("Be brief."), openai.UserMessage("What do starlings eat?")},
		})
		if err != nil {
			t.Fatalf("%s: %v", model, err)
		}
		m := got.Choices[0]
		if !strings.Contains(m.Message.Content, "[simulated]") || m.FinishReason != "stop" || got.Usage.PromptTokens == 0 || got.Usage.CompletionTokens == 0 {
			t.Errorf("%s: %+v, usage %+v", model, m, got.Usage)
		}
	}
}

func TestOpenAIGoStreams(t *testing.T) {
	c := openaiClient(t)
	for _, model := range models {
		stream := c.Chat.Completions.NewStreaming(t.Context(), openai.ChatCompletionNewParams{
			Model:         model,
			MaxTokens:     openai.Int(200),
			Messages:      []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Tell me about murmurations.")},
			StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)},
		})
		var acc openai.ChatCompletionAccumulator
		chunks := 0
		for stream.Next() {
			chunks++
			if !acc.AddChunk(stream.Current()) {
				t.Errorf("%s: chunk %d does not continue the answer", model, chunks)
			}
		}
		if err := stream.Err(); err != nil {
			t.Fatalf("%s: %v", model, err)
		}
		if chunks < 5 || acc.Choices[0].FinishReason != "stop" || acc.Usage.CompletionTokens == 0 || acc.Choices[0].Message.Content == "" {
			t.Errorf("%s: %d chunks, %+v", model, chunks, acc.ChatCompletion)
		}
	}
}

func TestOpenAIGoRunsAToolLoop(t *testing.T) {
	c := openaiClient(t)
	for _, model := range models {
		params := openai.ChatCompletionNewParams{
			Model:     model,
			MaxTokens: openai.Int(400),
			Messages:  []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Use the tool: what is the weather in Rome?")},
			Tools: []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
				Name:        "weather",
				Description: openai.String("the weather of a city"),
				Parameters: shared.FunctionParameters{
					"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"},
				},
			})},
		}
		first, err := c.Chat.Completions.New(t.Context(), params)
		if err != nil {
			t.Fatalf("%s: %v", model, err)
		}
		calls := first.Choices[0].Message.ToolCalls
		if first.Choices[0].FinishReason != "tool_calls" || len(calls) == 0 || calls[0].Function.Name != "weather" || !strings.Contains(calls[0].Function.Arguments, "city") {
			t.Fatalf("%s: no tool call: %s", model, first.RawJSON())
		}
		params.Messages = append(params.Messages, first.Choices[0].Message.ToParam())
		for _, call := range calls {
			params.Messages = append(params.Messages, openai.ToolMessage("sunny, 24 degrees", call.ID))
		}
		second, err := c.Chat.Completions.New(t.Context(), params)
		if err != nil {
			t.Fatalf("%s: %v", model, err)
		}
		if m := second.Choices[0]; m.FinishReason != "stop" || m.Message.Content == "" {
			t.Errorf("%s: the loop does not end: %s", model, second.RawJSON())
		}
	}
}

func TestOpenAIGoSeesRefusalsAsItsOwnErrors(t *testing.T) {
	c := openaiClient(t)
	_, err := c.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{
		Model: "openai-brid", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hello")},
	})
	var e *openai.Error
	if !errors.As(err, &e) || e.StatusCode != http.StatusNotFound || !strings.Contains(e.Message, "openai-bird") {
		t.Errorf("an unknown model is %v; want a 404 that names the near one", err)
	}
}

func TestOpenAIGoListsModels(t *testing.T) {
	c := openaiClient(t)
	page, err := c.Models.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range page.Data {
		if m.ID == "openai-bird" {
			return
		}
	}
	t.Errorf("openai-bird is not among %d models", len(page.Data))
}
