package sim

import (
	"encoding/json"

	"starling"
)

type geminiUsage struct {
	Prompt    int64 `json:"promptTokenCount"`
	Cached    int64 `json:"cachedContentTokenCount,omitempty"`
	Candidate int64 `json:"candidatesTokenCount,omitempty"`
	Thoughts  int64 `json:"thoughtsTokenCount,omitempty"`
	Total     int64 `json:"totalTokenCount"`
}

// geminiUsageOf counts by Google's convention: what was cached is inside the prompt,
// thoughts stand beside the candidates.
func geminiUsageOf(u starling.Usage) geminiUsage {
	return geminiUsage{
		Prompt: u.TotalInput(), Cached: u.CacheRead, Candidate: u.Output - u.Reasoning, Thoughts: u.Reasoning,
		Total: u.TotalInput() + u.Output,
	}
}

type geminiCall struct {
	ID   string          `json:"id,omitempty"`
	Name string          `json:"name"`
	Args json.RawMessage `json:"args"`
}

type geminiPart struct {
	Text      *string     `json:"text,omitempty"`
	Thought   bool        `json:"thought,omitempty"`
	Call      *geminiCall `json:"functionCall,omitempty"`
	Signature string      `json:"thoughtSignature,omitempty"`
}

type geminiContent struct {
	Parts []geminiPart `json:"parts"`
	Role  string       `json:"role"`
}

type geminiCandidate struct {
	Content geminiContent `json:"content"`
	Finish  string        `json:"finishReason,omitempty"`
	Index   int           `json:"index"`
}

type geminiBody struct {
	Candidates []geminiCandidate `json:"candidates"`
	Usage      *geminiUsage      `json:"usageMetadata,omitempty"`
	Version    string            `json:"modelVersion"`
	ID         string            `json:"responseId"`
	Simulated  bool              `json:"simulated,omitempty"`
}

func (c *call) geminiBody(candidates ...geminiCandidate) geminiBody {
	return geminiBody{Candidates: candidates, Version: c.model.Name, ID: c.id}
}

func (c *call) geminiWhole() []byte {
	b, usage := c.geminiBody(), geminiUsageOf(c.usage)
	b.Usage, b.Simulated = &usage, true
	for i, ans := range c.answers {
		one := geminiCandidate{Content: geminiContent{Parts: []geminiPart{}, Role: "model"}, Finish: geminiFinish(ans.finish), Index: i}
		called := false
		for _, part := range ans.blocks {
			if p, ok := c.geminiPart(part, !called); ok {
				one.Content.Parts = append(one.Content.Parts, p)
			}
			called = called || part.kind == starling.CallPart
		}
		b.Candidates = append(b.Candidates, one)
	}
	return marshal(b)
}

// geminiPart renders a block, unless it is a thought that nobody wants to read or a
// call that was cut. The first call has the signature of a model that thinks.
func (c *call) geminiPart(b block, first bool) (geminiPart, bool) {
	switch b.kind {
	case starling.ReasoningPart:
		return geminiPart{Text: &b.text, Thought: true}, c.ask.thoughts
	case starling.CallPart:
		p := geminiPart{Call: &geminiCall{ID: b.id, Name: b.name, Args: json.RawMessage(b.text)}}
		if c.model.NoCallIDs {
			p.Call.ID = ""
		}
		if first && c.model.Reasoning > 0 {
			p.Signature = geminiSignature(c.model.Name)
		}
		return p, json.Valid([]byte(b.text))
	}
	return geminiPart{Text: &b.text}, true
}

// geminiFinish says why an answer ended. A model that calls a tool has stopped here.
func geminiFinish(f starling.Finish) string {
	if f == starling.Length {
		return "MAX_TOKENS"
	}
	return "STOP"
}

// geminiEvents yields each candidate's chunks in turn. The last one of each says why
// it ended, the very last the usage.
func (c *call) geminiEvents(yield func(event) bool) {
	for i, ans := range c.answers {
		called := false
		for _, b := range ans.blocks {
			if !c.geminiBlock(i, b, !called, yield) {
				return
			}
			called = called || b.kind == starling.CallPart
		}
		nothing := ""
		last := c.geminiBody(geminiCandidate{Content: geminiContent{[]geminiPart{{Text: &nothing}}, "model"}, Finish: geminiFinish(ans.finish), Index: i})
		last.Simulated = true
		if i == len(c.answers)-1 {
			usage := geminiUsageOf(c.usage)
			last.Usage = &usage
		}
		if !yield(chunkOf(last, 0)) {
			return
		}
	}
}

// geminiBlock yields a block: text token by token, a call whole; false when told to
// stop. Thoughts that nobody wants to read take their time all the same.
func (c *call) geminiBlock(index int, b block, first bool, yield func(event) bool) bool {
	if b.kind == starling.CallPart {
		p, ok := c.geminiPart(b, first)
		return !ok || yield(chunkOf(c.geminiBody(geminiCandidate{Content: geminiContent{[]geminiPart{p}, "model"}, Index: index}), b.tokens()))
	}
	if b.kind == starling.ReasoningPart && !c.ask.thoughts {
		nothing := ""
		return yield(chunkOf(c.geminiBody(geminiCandidate{Content: geminiContent{[]geminiPart{{Text: &nothing}}, "model"}, Index: index}), b.tokens()))
	}
	for rest := b.text; rest != ""; {
		piece := clip(rest, 1)
		rest = rest[len(piece):]
		p := geminiPart{Text: &piece, Thought: b.kind == starling.ReasoningPart}
		if !yield(chunkOf(c.geminiBody(geminiCandidate{Content: geminiContent{[]geminiPart{p}, "model"}, Index: index}), Tokens(piece))) {
			return false
		}
	}
	return true
}

func chunkOf(b geminiBody, tokens int64) event {
	return event{raw: append(append([]byte("data: "), marshal(b)...), "\n\n"...), tokens: tokens}
}
