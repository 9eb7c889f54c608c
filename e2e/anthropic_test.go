package e2e

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

func anthropicClient(t *testing.T) anthropic.Client {
	return anthropic.NewClient(option.WithBaseURL(gateway), option.WithAPIKey("unused"), option.WithHTTPClient(httpClient(t)))
}

func TestAnthropicGoChats(t *testing.T) {
	c := anthropicClient(t)
	for _, model := range models {
		got, err := c.Messages.New(t.Context(), anthropic.MessageNewParams{
			Model: anthropic.Model(model), MaxTokens: 200,
			System:   []anthropic.TextBlockParam{{Text: "Be brief."}},
			Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("What do starlings eat?"))},
		})
		if err != nil {
			t.Fatalf("%s: %v", model, err)
		}
		if len(got.Content) == 0 || !strings.Contains(got.Content[0].Text, "[simulated]") || got.StopReason != anthropic.StopReasonEndTurn || got.Usage.InputTokens == 0 || got.Usage.OutputTokens == 0 {
			t.Errorf("%s: %s", model, got.RawJSON())
		}
	}
}

func TestAnthropicGoStreams(t *testing.T) {
	c := anthropicClient(t)
	for _, model := range models {
		stream := c.Messages.NewStreaming(t.Context(), anthropic.MessageNewParams{
			Model: anthropic.Model(model), MaxTokens: 200,
			Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("Tell me about murmurations."))},
		})
		var whole anthropic.Message
		events := 0
		for stream.Next() {
			events++
			if err := whole.Accumulate(stream.Current()); err != nil {
				t.Fatalf("%s: event %d: %v", model, events, err)
			}
		}
		if err := stream.Err(); err != nil {
			t.Fatalf("%s: %v", model, err)
		}
		if events < 8 || whole.StopReason != anthropic.StopReasonEndTurn || whole.Usage.OutputTokens == 0 || len(whole.Content) == 0 || whole.Content[0].Text == "" {
			t.Errorf("%s: %d events, %+v", model, events, whole)
		}
	}
}

func TestAnthropicGoRunsAToolLoop(t *testing.T) {
	c := anthropicClient(t)
	for _, model := range models {
		params := anthropic.MessageNewParams{
			Model: anthropic.Model(model), MaxTokens: 400,
			Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("Use the tool: what is the weather in Rome?"))},
			Tools: []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
				Name: "weather", Description: anthropic.String("the weather of a city"),
				InputSchema: anthropic.ToolInputSchemaParam{Properties: map[string]any{"city": map[string]any{"type": "string"}}, Required: []string{"city"}},
			}}},
		}
		first, err := c.Messages.New(t.Context(), params)
		if err != nil {
			t.Fatalf("%s: %v", model, err)
		}
		var results []anthropic.ContentBlockParamUnion
		for _, block := range first.Content {
			if block.Type == "tool_use" && block.Name == "weather" {
				results = append(results, anthropic.NewToolResultBlock(block.ID, "sunny, 24 degrees", false))
			}
		}
		if first.StopReason != anthropic.StopReasonToolUse || len(results) == 0 {
			t.Fatalf("%s: no tool call: %s", model, first.RawJSON())
		}
		params.Messages = append(params.Messages, first.ToParam(), anthropic.NewUserMessage(results...))
		second, err := c.Messages.New(t.Context(), params)
		if err != nil {
			t.Fatalf("%s: %v", model, err)
		}
		if second.StopReason != anthropic.StopReasonEndTurn || len(second.Content) == 0 {
			t.Errorf("%s: the loop does not end: %s", model, second.RawJSON())
		}
	}
}

func TestAnthropicGoSeesRefusalsAsItsOwnErrors(t *testing.T) {
	c := anthropicClient(t)
	_, err := c.Messages.New(t.Context(), anthropic.MessageNewParams{
		Model: "anthropic-brid", MaxTokens: 10,
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hello"))},
	})
	var e *anthropic.Error
	if !errors.As(err, &e) || e.StatusCode != http.StatusNotFound || !strings.Contains(e.RawJSON(), "anthropic-bird") {
		t.Errorf("an unknown model is %v; want a 404 that names the near one", err)
	}
}

func TestAnthropicGoListsModels(t *testing.T) {
	c := anthropicClient(t)
	page, err := c.Models.List(t.Context(), anthropic.ModelListParams{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range page.Data {
		if m.ID == "anthropic-bird" && m.DisplayName != "" {
			return
		}
	}
	t.Errorf("anthropic-bird is not among %d models", len(page.Data))
}
