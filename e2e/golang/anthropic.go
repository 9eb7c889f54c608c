package main

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

func anthropicAt(url, key string) anthropic.Client {
	return anthropic.NewClient(option.WithBaseURL(url), option.WithAPIKey(key))
}

func anthropicAsk(model string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{
		Model: anthropic.Model(model), MaxTokens: 400,
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(question))},
	}
}

func anthropicMessages() {
	c := anthropicAt(gateway, key)
	says := func(ctx context.Context, p anthropic.MessageNewParams, good func(*anthropic.Message) bool) error {
		said, err := c.Messages.New(ctx, p)
		if err != nil {
			return err
		}
		return must(good(said), said.RawJSON())
	}
	each("chat", func(ctx context.Context, model string) error {
		p := anthropicAsk(model)
		p.System = []anthropic.TextBlockParam{{Text: "Be brief."}}
		var resp *http.Response
		said, err := c.Messages.New(ctx, p, option.WithResponseInto(&resp))
		if err != nil {
			return err
		}
		return must(simulated(said.Content[0].Text) && said.StopReason == anthropic.StopReasonEndTurn && resp.Header.Get("X-Starling-Receipt") != "", said.RawJSON())
	})
	each("stream", func(ctx context.Context, model string) error {
		whole, n, err := accumulated(ctx, c, anthropicAsk(model))
		if err != nil {
			return err
		}
		return must(n >= 8 && whole.StopReason == anthropic.StopReasonEndTurn && simulated(whole.Content[0].Text), n, whole)
	})
	each("usage", func(ctx context.Context, model string) error {
		whole, _, err := accumulated(ctx, c, anthropicAsk(model))
		if err != nil {
			return err
		}
		return says(ctx, anthropicAsk(model), func(m *anthropic.Message) bool {
			return m.Usage.InputTokens > 0 && m.Usage.OutputTokens > 0 && m.Usage.InputTokens == whole.Usage.InputTokens && m.Usage.OutputTokens == whole.Usage.OutputTokens
		})
	})
	anthropicLoop(c, says, "tools", one, 1)
	anthropicLoop(c, says, "parallel", both, 2)
	each("images", func(ctx context.Context, model string) error {
		plain, err := c.Messages.New(ctx, anthropicAsk(model))
		if err != nil {
			return err
		}
		p := anthropicAsk(model)
		p.Messages = []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewImageBlockBase64("image/png", png), anthropic.NewTextBlock(question))}
		return says(ctx, p, func(m *anthropic.Message) bool { return m.Usage.InputTokens > plain.Usage.InputTokens+50 })
	})
	each("schema", func(ctx context.Context, model string) error {
		p := anthropicAsk(model)
		p.OutputConfig.Format = anthropic.JSONOutputFormatParam{Schema: form}
		return says(ctx, p, func(m *anthropic.Message) bool { return isReport(m.Content[0].Text) })
	})
	each("stop", func(ctx context.Context, model string) error {
		p := anthropicAsk(model)
		p.StopSequences = []string{stopWord}
		return says(ctx, p, func(m *anthropic.Message) bool {
			return simulated(m.Content[0].Text) && !strings.Contains(m.Content[0].Text, stopWord) && (m.StopReason == anthropic.StopReasonStopSequence || m.StopReason == anthropic.StopReasonEndTurn)
		})
	})
	each("limit", func(ctx context.Context, model string) error {
		p := anthropicAsk(model)
		p.MaxTokens = 5
		return says(ctx, p, func(m *anthropic.Message) bool { return m.StopReason == anthropic.StopReasonMaxTokens })
	})
	once("error", func(ctx context.Context) error {
		_, err := c.Messages.New(ctx, anthropicAsk(dialects[0]+"-brid"))
		var e *anthropic.Error
		return must(errors.As(err, &e) && e.StatusCode == http.StatusNotFound && strings.Contains(e.RawJSON(), dialects[0]+"-bird"), err)
	})
	once("refused", func(ctx context.Context) error {
		return refusal(func() error {
			p := anthropicAt(counted, poor)
			_, err := p.Messages.New(ctx, anthropicAsk(dialects[0]+"-bird"))
			return err
		})
	})
	hangsUp(func(ctx context.Context, model string) error {
		stream := c.Messages.NewStreaming(ctx, anthropicAsk(model))
		defer stream.Close()
		for stream.Next() {
			if stream.Current().Type == "content_block_delta" {
				return nil
			}
		}
		return must(false, "no text came", stream.Err())
	})
	once("models", func(ctx context.Context) error {
		page, err := c.Models.List(ctx, anthropic.ModelListParams{})
		if err != nil {
			return err
		}
		for _, m := range page.Data {
			if m.ID == dialects[0]+"-bird" && m.DisplayName != "" {
				return nil
			}
		}
		return errors.New("it is not listed")
	})
	each("count", func(ctx context.Context, model string) error {
		n, err := c.Messages.CountTokens(ctx, anthropic.MessageCountTokensParams{Model: anthropic.Model(model), Messages: anthropicAsk(model).Messages})
		if err != nil {
			return err
		}
		return must(n.InputTokens > 0, n.RawJSON())
	})
}

func accumulated(ctx context.Context, c anthropic.Client, p anthropic.MessageNewParams) (anthropic.Message, int, error) {
	stream := c.Messages.NewStreaming(ctx, p)
	var whole anthropic.Message
	n := 0
	for stream.Next() {
		n++
		if err := whole.Accumulate(stream.Current()); err != nil {
			return whole, n, err
		}
	}
	return whole, n, stream.Err()
}

func anthropicLoop(c anthropic.Client, says func(context.Context, anthropic.MessageNewParams, func(*anthropic.Message) bool) error, feature, prompt string, n int) {
	each(feature, func(ctx context.Context, model string) error {
		p := anthropicAsk(model)
		p.Messages = []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(prompt))}
		for _, name := range names[:n] {
			p.Tools = append(p.Tools, anthropic.ToolUnionParam{OfTool: &anthropic.ToolParam{Name: name, InputSchema: anthropic.ToolInputSchemaParam{Properties: city["properties"], Required: []string{"city"}}}})
		}
		first, _, err := accumulated(ctx, c, p)
		if err != nil {
			return err
		}
		var results []anthropic.ContentBlockParamUnion
		for _, b := range first.Content {
			if b.Type == "tool_use" && hasCity(string(b.Input)) {
				results = append(results, anthropic.NewToolResultBlock(b.ID, "fine", false))
			}
		}
		if err := must(first.StopReason == anthropic.StopReasonToolUse && len(results) == n, first); err != nil {
			return err
		}
		p.Messages = append(p.Messages, first.ToParam(), anthropic.NewUserMessage(results...))
		return says(ctx, p, func(m *anthropic.Message) bool {
			return m.StopReason == anthropic.StopReasonEndTurn && toolSaid(m.Content[0].Text)
		})
	})
}
