package main

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

func openaiAt(url, key string) openai.Client {
	return openai.NewClient(option.WithBaseURL(url+"/v1"), option.WithAPIKey(key))
}

func openaiChat() {
	c := openaiAt(gateway, key)
	ask := func(model string) openai.ChatCompletionNewParams {
		return openai.ChatCompletionNewParams{Model: model, MaxTokens: openai.Int(400), Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(question)}}
	}
	each("chat", func(ctx context.Context, model string) error {
		var resp *http.Response
		said, err := c.Chat.Completions.New(ctx, ask(model), option.WithResponseInto(&resp))
		if err != nil {
			return err
		}
		return must(simulated(said.Choices[0].Message.Content) && said.Choices[0].FinishReason == "stop" && resp.Header.Get("X-Starling-Receipt") != "", said.RawJSON())
	})
	each("stream", func(ctx context.Context, model string) error {
		all, n, err := gathered(ctx, c, ask(model))
		if err != nil {
			return err
		}
		return must(n > 3 && all.Choices[0].FinishReason == "stop" && simulated(all.Choices[0].Message.Content), n, all.ChatCompletion)
	})
	each("usage", func(ctx context.Context, model string) error {
		whole, err := c.Chat.Completions.New(ctx, ask(model))
		if err != nil {
			return err
		}
		p := ask(model)
		p.StreamOptions.IncludeUsage = openai.Bool(true)
		all, _, err := gathered(ctx, c, p)
		if err != nil {
			return err
		}
		return must(whole.Usage.PromptTokens > 0 && whole.Usage.CompletionTokens > 0 && all.Usage.CompletionTokens == whole.Usage.CompletionTokens, whole.Usage, all.Usage)
	})
	openaiLoop(c, ask, "tools", one, 1)
	openaiLoop(c, ask, "parallel", both, 2)
	each("images", func(ctx context.Context, model string) error {
		plain, err := c.Chat.Completions.New(ctx, ask(model))
		if err != nil {
			return err
		}
		p := ask(model)
		p.Messages = []openai.ChatCompletionMessageParamUnion{openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
			openai.TextContentPart(question), openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + png}),
		})}
		seen, err := c.Chat.Completions.New(ctx, p)
		if err != nil {
			return err
		}
		return must(seen.Usage.PromptTokens > plain.Usage.PromptTokens+50, plain.Usage, seen.Usage)
	})
	each("schema", func(ctx context.Context, model string) error {
		p := ask(model)
		p.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "report", Strict: openai.Bool(true), Schema: form}}
		return openaiSays(ctx, c, p, func(m openai.ChatCompletionChoice) bool { return isReport(m.Message.Content) })
	})
	each("stop", func(ctx context.Context, model string) error {
		p := ask(model)
		p.Stop.OfStringArray = []string{stopWord}
		return openaiSays(ctx, c, p, func(m openai.ChatCompletionChoice) bool {
			return m.FinishReason == "stop" && simulated(m.Message.Content) && !strings.Contains(m.Message.Content, stopWord)
		})
	})
	each("limit", func(ctx context.Context, model string) error {
		p := ask(model)
		p.MaxTokens = openai.Int(5)
		return openaiSays(ctx, c, p, func(m openai.ChatCompletionChoice) bool { return m.FinishReason == "length" })
	})
	once("error", func(ctx context.Context) error {
		_, err := c.Chat.Completions.New(ctx, ask(dialects[0]+"-brid"))
		var e *openai.Error
		return must(errors.As(err, &e) && e.StatusCode == http.StatusNotFound && strings.Contains(e.Message, dialects[0]+"-bird"), err)
	})
	once("refused", func(ctx context.Context) error {
		return refusal(func() error {
			p := openaiAt(counted, poor)
			_, err := p.Chat.Completions.New(ctx, ask(dialects[0]+"-bird"))
			return spoken(err)
		})
	})
	hangsUp(func(ctx context.Context, model string) error {
		stream := c.Chat.Completions.NewStreaming(ctx, ask(model))
		defer stream.Close()
		for n := 0; stream.Next(); {
			if n++; n == 3 {
				return nil
			}
		}
		return must(false, "it ended at once", stream.Err())
	})
	once("models", func(ctx context.Context) error {
		page, err := c.Models.List(ctx)
		if err != nil {
			return err
		}
		for _, m := range page.Data {
			if m.ID == dialects[0]+"-bird" {
				return nil
			}
		}
		return errors.New("it is not listed")
	})
	once("embed", func(ctx context.Context) error {
		said, err := c.Embeddings.New(ctx, openai.EmbeddingNewParams{Model: "openai-bird", Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"a starling", "a barn"}}, Dimensions: openai.Int(8)})
		if err != nil {
			return err
		}
		return must(len(said.Data) == 2 && len(said.Data[0].Embedding) == 8 && said.Usage.PromptTokens > 0, said.RawJSON())
	})
}

// spoken returns the error with what it says to people, which its text is without.
func spoken(err error) error {
	var e *openai.Error
	if errors.As(err, &e) {
		return errors.New(err.Error() + ": " + e.Message)
	}
	return err
}

func gathered(ctx context.Context, c openai.Client, p openai.ChatCompletionNewParams) (openai.ChatCompletionAccumulator, int, error) {
	stream := c.Chat.Completions.NewStreaming(ctx, p)
	var all openai.ChatCompletionAccumulator
	n := 0
	for stream.Next() {
		if n++; !all.AddChunk(stream.Current()) {
			return all, n, errors.New("a chunk does not continue the answer: " + stream.Current().RawJSON())
		}
	}
	return all, n, stream.Err()
}

func openaiSays(ctx context.Context, c openai.Client, p openai.ChatCompletionNewParams, good func(openai.ChatCompletionChoice) bool) error {
	said, err := c.Chat.Completions.New(ctx, p)
	if err != nil {
		return err
	}
	return must(good(said.Choices[0]), said.RawJSON())
}

func openaiLoop(c openai.Client, ask func(string) openai.ChatCompletionNewParams, feature, prompt string, n int) {
	each(feature, func(ctx context.Context, model string) error {
		p := ask(model)
		p.Messages = []openai.ChatCompletionMessageParamUnion{openai.UserMessage(prompt)}
		for _, name := range names[:n] {
			p.Tools = append(p.Tools, openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: name, Parameters: city}))
		}
		first, _, err := gathered(ctx, c, p)
		if err != nil {
			return err
		}
		said := first.Choices[0]
		if err := must(said.FinishReason == "tool_calls" && len(said.Message.ToolCalls) == n, first.ChatCompletion); err != nil {
			return err
		}
		p.Messages = append(p.Messages, said.Message.ToParam())
		for _, call := range said.Message.ToolCalls {
			if !hasCity(call.Function.Arguments) {
				return errors.New("arguments: " + call.Function.Arguments)
			}
			p.Messages = append(p.Messages, openai.ToolMessage("fine", call.ID))
		}
		return openaiSays(ctx, c, p, func(m openai.ChatCompletionChoice) bool {
			return m.FinishReason == "stop" && toolSaid(m.Message.Content)
		})
	})
}

func openaiResponses() {
	c := openaiAt(gateway, key)
	ask := func(model string) responses.ResponseNewParams {
		return responses.ResponseNewParams{Model: model, Store: openai.Bool(false), Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(question)}}
	}
	says := func(ctx context.Context, p responses.ResponseNewParams, good func(*responses.Response) bool) error {
		said, err := c.Responses.New(ctx, p)
		if err != nil {
			return err
		}
		return must(good(said), said.RawJSON())
	}
	each("chat", func(ctx context.Context, model string) error {
		return says(ctx, ask(model), func(r *responses.Response) bool { return simulated(r.OutputText()) && r.Status == "completed" })
	})
	each("stream", func(ctx context.Context, model string) error {
		text, last, err := flowed(ctx, c, ask(model))
		if err != nil {
			return err
		}
		return must(last.Type == "response.completed" && last.Response.OutputText() == text && simulated(text), last.RawJSON())
	})
	each("usage", func(ctx context.Context, model string) error {
		_, last, err := flowed(ctx, c, ask(model))
		if err != nil {
			return err
		}
		return says(ctx, ask(model), func(r *responses.Response) bool {
			return r.Usage.InputTokens > 0 && r.Usage.OutputTokens > 0 && r.Usage.OutputTokens == last.Response.Usage.OutputTokens
		})
	})
	responsesLoop(c, ask, says, "tools", one, 1)
	responsesLoop(c, ask, says, "parallel", both, 2)
	each("images", func(ctx context.Context, model string) error {
		plain, err := c.Responses.New(ctx, ask(model))
		if err != nil {
			return err
		}
		picture := responses.ResponseInputContentParamOfInputImage("auto")
		picture.OfInputImage.ImageURL = openai.String("data:image/png;base64," + png)
		p := ask(model)
		p.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: responses.ResponseInputParam{
			responses.ResponseInputItemParamOfMessage(responses.ResponseInputMessageContentListParam{responses.ResponseInputContentParamOfInputText(question), picture}, "user"),
		}}
		return says(ctx, p, func(r *responses.Response) bool { return r.Usage.InputTokens > plain.Usage.InputTokens+50 })
	})
	each("schema", func(ctx context.Context, model string) error {
		p := ask(model)
		p.Text.Format.OfJSONSchema = &responses.ResponseFormatTextJSONSchemaConfigParam{Name: "report", Strict: openai.Bool(true), Schema: form}
		return says(ctx, p, func(r *responses.Response) bool { return isReport(r.OutputText()) })
	})
	each("limit", func(ctx context.Context, model string) error {
		p := ask(model)
		p.MaxOutputTokens = openai.Int(16)
		return says(ctx, p, func(r *responses.Response) bool {
			return r.Status == "incomplete" && r.IncompleteDetails.Reason == "max_output_tokens"
		})
	})
	once("error", func(ctx context.Context) error {
		_, err := c.Responses.New(ctx, ask(dialects[0]+"-brid"))
		var e *openai.Error
		return must(errors.As(err, &e) && e.StatusCode == http.StatusNotFound && strings.Contains(e.Message, dialects[0]+"-bird"), err)
	})
	once("refused", func(ctx context.Context) error {
		return refusal(func() error {
			p := openaiAt(counted, poor)
			_, err := p.Responses.New(ctx, ask(dialects[0]+"-bird"))
			return spoken(err)
		})
	})
	hangsUp(func(ctx context.Context, model string) error {
		stream := c.Responses.NewStreaming(ctx, ask(model))
		defer stream.Close()
		for stream.Next() {
			if stream.Current().Type == "response.output_text.delta" {
				return nil
			}
		}
		return must(false, "no text came", stream.Err())
	})
}

// flowed reads a streamed response: its text, and the last event.
func flowed(ctx context.Context, c openai.Client, p responses.ResponseNewParams) (text string, last responses.ResponseStreamEventUnion, err error) {
	stream := c.Responses.NewStreaming(ctx, p)
	for n := int64(0); stream.Next(); n++ {
		last = stream.Current()
		if last.SequenceNumber != n {
			return text, last, errors.New("out of sequence: " + last.RawJSON())
		}
		if last.Type == "response.output_text.delta" {
			text += last.Delta
		}
	}
	return text, last, stream.Err()
}

func responsesLoop(c openai.Client, ask func(string) responses.ResponseNewParams, says func(context.Context, responses.ResponseNewParams, func(*responses.Response) bool) error, feature, prompt string, n int) {
	each(feature, func(ctx context.Context, model string) error {
		p, items := ask(model), responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(prompt, "user")}
		for _, name := range names[:n] {
			p.Tools = append(p.Tools, responses.ToolParamOfFunction(name, city, true))
		}
		p.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: items}
		_, last, err := flowed(ctx, c, p)
		if err != nil {
			return err
		}
		calls := 0
		for _, o := range last.Response.Output {
			if o.Type == "function_call" && hasCity(o.Arguments.OfString) {
				calls++
				items = append(items, responses.ResponseInputItemParamOfFunctionCall(o.Arguments.OfString, o.CallID, o.Name))
				output := responses.ResponseInputItemParamOfFunctionCallOutput("fine")
				output.OfFunctionCallOutput.CallID = param.NewOpt(o.CallID)
				items = append(items, output)
			}
		}
		if calls != n {
			return must(false, calls, "calls:", last.RawJSON())
		}
		p.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: items}
		return says(ctx, p, func(r *responses.Response) bool { return toolSaid(r.OutputText()) })
	})
}
