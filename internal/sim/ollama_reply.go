package sim

import (
	"encoding/json"
	"time"

	"starling"
)

type ollamaCall struct {
	ID       string `json:"id,omitempty"`
	Function struct {
		Index     int             `json:"index"`
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"function"`
}

type ollamaMessage struct {
	Role     string       `json:"role"`
	Content  string       `json:"content"`
	Thinking string       `json:"thinking,omitempty"`
	Calls    []ollamaCall `json:"tool_calls,omitempty"`
}

// An ollamaLine is a line of a stream, or a whole answer: with a message for a chat,
// with a response for a prompt.
type ollamaLine struct {
	Model     string         `json:"model"`
	CreatedAt string         `json:"created_at"`
	Message   *ollamaMessage `json:"message,omitempty"`
	Response  *string        `json:"response,omitempty"`
	Thinking  string         `json:"thinking,omitempty"`
	Done      bool           `json:"done"`
	Reason    string         `json:"done_reason,omitempty"`

	Total      int64 `json:"total_duration,omitempty"`
	Load       int64 `json:"load_duration,omitempty"`
	Prompt     int64 `json:"prompt_eval_count,omitempty"`
	PromptTook int64 `json:"prompt_eval_duration,omitempty"`
	Output     int64 `json:"eval_count,omitempty"`
	OutputTook int64 `json:"eval_duration,omitempty"`

	Simulated bool `json:"simulated,omitempty"`
}

// line makes a line that says something in the dialect that was asked.
func (c *call) line(m ollamaMessage) *ollamaLine {
	l := &ollamaLine{Model: c.model.Name, CreatedAt: time.Unix(c.created, 0).UTC().Format(time.RFC3339)}
	if c.dialect == starling.Generate {
		l.Response, l.Thinking = &m.Content, m.Thinking
		return l
	}
	m.Role = "assistant"
	l.Message = &m
	return l
}

// last adds to a line what is said at the end.
func (c *call) last(l *ollamaLine) *ollamaLine {
	took := time.Since(c.pace.start)
	l.Done, l.Reason, l.Simulated = true, "stop", true
	if c.answers[0].finish == starling.Length {
		l.Reason = "length"
	}
	l.Total, l.OutputTook = took.Nanoseconds(), took.Nanoseconds()
	l.Prompt, l.Output = c.usage.TotalInput(), c.usage.Output
	return l
}

// ollamaCallOf makes a call of a block. One that the limit cut has no arguments.
func ollamaCallOf(nth int, b block) ollamaCall {
	call := ollamaCall{ID: b.id}
	call.Function.Index, call.Function.Name, call.Function.Arguments = nth, b.name, json.RawMessage(b.text)
	if !json.Valid(call.Function.Arguments) {
		call.Function.Arguments = json.RawMessage("{}")
	}
	return call
}

func (c *call) ollamaWhole() []byte {
	var m ollamaMessage
	for _, b := range c.answers[0].blocks {
		switch b.kind {
		case starling.TextPart:
			m.Content += b.text
		case starling.ReasoningPart:
			m.Thinking += b.text
		case starling.CallPart:
			m.Calls = append(m.Calls, ollamaCallOf(len(m.Calls), b))
		}
	}
	return marshal(c.last(c.line(m)))
}

// ollamaEvents yields the answer line by line, a call in one line, and the end.
func (c *call) ollamaEvents(yield func(event) bool) {
	say := func(l *ollamaLine, tokens int64) bool {
		return yield(event{raw: append(marshal(l), '\n'), tokens: tokens})
	}
	calls := 0
	for _, b := range c.answers[0].blocks {
		if b.kind == starling.CallPart {
			if !say(c.line(ollamaMessage{Calls: []ollamaCall{ollamaCallOf(calls, b)}}), b.tokens()) {
				return
			}
			calls++
			continue
		}
		for rest := b.text; rest != ""; {
			piece := clip(rest, 1)
			rest = rest[len(piece):]
			m := ollamaMessage{Content: piece}
			if b.kind == starling.ReasoningPart {
				m = ollamaMessage{Thinking: piece}
			}
			if !say(c.line(m), Tokens(piece)) {
				return
			}
		}
	}
	say(c.last(c.line(ollamaMessage{})), 0)
}
