package main

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/genai"
)

func geminiAt(url, key string) (*genai.Client, error) {
	return genai.NewClient(context.Background(), &genai.ClientConfig{APIKey: key, Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: url}})
}

func geminiTools(n int) *genai.GenerateContentConfig {
	var all []*genai.FunctionDeclaration
	for _, name := range names[:n] {
		all = append(all, &genai.FunctionDeclaration{Name: name, ParametersJsonSchema: city})
	}
	return &genai.GenerateContentConfig{Tools: []*genai.Tool{{FunctionDeclarations: all}}}
}

func gemini() {
	c, err := geminiAt(gateway, key)
	if err != nil {
		once("chat", func(context.Context) error { return err })
		return
	}
	says := func(ctx context.Context, model string, contents []*genai.Content, config *genai.GenerateContentConfig, good func(*genai.GenerateContentResponse) bool) error {
		said, err := c.Models.GenerateContent(ctx, model, contents, config)
		if err != nil {
			return err
		}
		return must(good(said), said.Text(), said.Candidates[0].FinishReason, said.UsageMetadata)
	}
	each("chat", func(ctx context.Context, model string) error {
		return says(ctx, model, genai.Text(question), &genai.GenerateContentConfig{SystemInstruction: genai.NewContentFromText("Be brief.", "")}, func(r *genai.GenerateContentResponse) bool {
			return simulated(r.Text()) && r.Candidates[0].FinishReason == genai.FinishReasonStop && r.SDKHTTPResponse.Headers.Get("X-Starling-Receipt") != ""
		})
	})
	streamed := func(ctx context.Context, model string, contents []*genai.Content, config *genai.GenerateContentConfig) (text string, last *genai.GenerateContentResponse, n int, err error) {
		for piece, err := range c.Models.GenerateContentStream(ctx, model, contents, config) {
			if err != nil {
				return text, last, n, err
			}
			n, last = n+1, piece
			text += piece.Text()
		}
		return text, last, n, must(last != nil, "nothing came")
	}
	each("stream", func(ctx context.Context, model string) error {
		text, last, n, err := streamed(ctx, model, genai.Text(question), nil)
		if err != nil {
			return err
		}
		return must(n > 3 && simulated(text) && last.Candidates[0].FinishReason == genai.FinishReasonStop, n, text)
	})
	each("usage", func(ctx context.Context, model string) error {
		_, last, _, err := streamed(ctx, model, genai.Text(question), nil)
		if err != nil {
			return err
		}
		return says(ctx, model, genai.Text(question), nil, func(r *genai.GenerateContentResponse) bool {
			u := r.UsageMetadata
			return u.PromptTokenCount > 0 && u.CandidatesTokenCount > 0 && u.CandidatesTokenCount == last.UsageMetadata.CandidatesTokenCount
		})
	})
	loop := func(feature, prompt string, n int) {
		each(feature, func(ctx context.Context, model string) error {
			contents := genai.Text(prompt)
			first, err := c.Models.GenerateContent(ctx, model, contents, geminiTools(n))
			if err != nil {
				return err
			}
			calls := first.FunctionCalls()
			if err := must(len(calls) == n, len(calls), "calls:", first.Text()); err != nil {
				return err
			}
			results := &genai.Content{Role: genai.RoleUser}
			for _, call := range calls {
				if _, ok := call.Args["city"].(string); !ok {
					return must(false, "arguments:", call.Args)
				}
				part := genai.NewPartFromFunctionResponse(call.Name, map[string]any{"output": "fine"})
				part.FunctionResponse.ID = call.ID
				results.Parts = append(results.Parts, part)
			}
			text, _, _, err := streamed(ctx, model, append(contents, first.Candidates[0].Content, results), geminiTools(n))
			if err != nil {
				return err
			}
			return must(toolSaid(text), text)
		})
	}
	loop("tools", one, 1)
	loop("parallel", both, 2)
	each("images", func(ctx context.Context, model string) error {
		plain, err := c.Models.GenerateContent(ctx, model, genai.Text(question), nil)
		if err != nil {
			return err
		}
		picture, _ := base64.StdEncoding.DecodeString(png)
		contents := []*genai.Content{genai.NewContentFromParts([]*genai.Part{genai.NewPartFromText(question), genai.NewPartFromBytes(picture, "image/png")}, genai.RoleUser)}
		return says(ctx, model, contents, nil, func(r *genai.GenerateContentResponse) bool {
			return r.UsageMetadata.PromptTokenCount > plain.UsageMetadata.PromptTokenCount+50
		})
	})
	each("schema", func(ctx context.Context, model string) error {
		return says(ctx, model, genai.Text(question), &genai.GenerateContentConfig{ResponseMIMEType: "application/json", ResponseJsonSchema: form}, func(r *genai.GenerateContentResponse) bool { return isReport(r.Text()) })
	})
	each("stop", func(ctx context.Context, model string) error {
		return says(ctx, model, genai.Text(question), &genai.GenerateContentConfig{StopSequences: []string{stopWord}}, func(r *genai.GenerateContentResponse) bool {
			return simulated(r.Text()) && !strings.Contains(r.Text(), stopWord) && r.Candidates[0].FinishReason == genai.FinishReasonStop
		})
	})
	each("limit", func(ctx context.Context, model string) error {
		return says(ctx, model, genai.Text(question), &genai.GenerateContentConfig{MaxOutputTokens: 5}, func(r *genai.GenerateContentResponse) bool {
			return r.Candidates[0].FinishReason == genai.FinishReasonMaxTokens
		})
	})
	once("error", func(ctx context.Context) error {
		_, err := c.Models.GenerateContent(ctx, dialects[0]+"-brid", genai.Text(question), nil)
		var e genai.APIError
		return must(errors.As(err, &e) && e.Code == http.StatusNotFound && strings.Contains(e.Message, dialects[0]+"-bird"), err)
	})
	once("refused", func(ctx context.Context) error {
		return refusal(func() error {
			p, err := geminiAt(counted, poor)
			if err == nil {
				_, err = p.Models.GenerateContent(ctx, dialects[0]+"-bird", genai.Text(question), nil)
			}
			return err
		})
	})
	hangsUp(func(ctx context.Context, model string) error {
		for _, err := range c.Models.GenerateContentStream(ctx, model, genai.Text(question), nil) {
			return err
		}
		return errors.New("nothing came")
	})
	once("models", func(ctx context.Context) error {
		var all []string
		for m, err := range c.Models.All(ctx) {
			if err != nil {
				return err
			}
			all = append(all, m.Name)
		}
		one, err := c.Models.Get(ctx, dialects[0]+"-bird", nil)
		if err != nil {
			return err
		}
		return must(slices.Contains(all, "models/"+dialects[0]+"-bird") && one.Name == "models/"+dialects[0]+"-bird", all, one.Name)
	})
	once("embed", func(ctx context.Context) error {
		eight := int32(8)
		for _, model := range []string{"openai-bird", "gemini-bird"} {
			said, err := c.Models.EmbedContent(ctx, model, append(genai.Text("a starling"), genai.Text("a barn")...), &genai.EmbedContentConfig{OutputDimensionality: &eight, TaskType: "CLUSTERING"})
			if err != nil {
				return err
			}
			if err := must(len(said.Embeddings) == 2 && len(said.Embeddings[1].Values) == 8, said); err != nil {
				return err
			}
		}
		return nil
	})
	each("count", func(ctx context.Context, model string) error {
		n, err := c.Models.CountTokens(ctx, model, genai.Text(question), nil)
		if err != nil {
			return err
		}
		return must(n.TotalTokens > 0, n)
	})
}
