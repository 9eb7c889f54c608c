package sim

import (
	"starling"
)

type responsesUsage struct {
	Input   int64 `json:"input_tokens"`
	Details struct {
		Cached     int64 `json:"cached_tokens"`
		CacheWrite int64 `json:"cache_write_tokens"`
	} `json:"input_tokens_details"`
	Output        int64 `json:"output_tokens"`
	OutputDetails struct {
		Reasoning int64 `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
	Total int64 `json:"total_tokens"`
}

// responsesUsageOf counts by OpenAI's convention, under this dialect's names.
func responsesUsageOf(u starling.Usage) *responsesUsage {
	r := &responsesUsage{Input: u.TotalInput(), Output: u.Output, Total: u.TotalInput() + u.Output}
	r.Details.Cached, r.Details.CacheWrite = u.CacheRead, u.CacheWrite+u.CacheWrite1h
	r.OutputDetails.Reasoning = u.Reasoning
	return r
}

// A responsesPart is a part of an item, marshalled by its type.
type responsesPart struct {
	Type        string      `json:"type"`
	Text        string      `json:"text"`
	Annotations *[]struct{} `json:"annotations,omitempty"`
	Logprobs    *[]struct{} `json:"logprobs,omitempty"`
}

// A responsesItem is an item of the answer, marshalled by its type.
type responsesItem struct {
	ID        string           `json:"id"`
	Type      string           `json:"type"`
	Status    string           `json:"status,omitempty"`
	Role      string           `json:"role,omitempty"`
	Content   *[]responsesPart `json:"content,omitempty"`
	Summary   *[]responsesPart `json:"summary,omitempty"`
	Encrypted string           `json:"encrypted_content,omitempty"`
	CallID    string           `json:"call_id,omitempty"`
	Namespace string           `json:"namespace,omitempty"`
	Name      string           `json:"name,omitempty"`
	Arguments *string          `json:"arguments,omitempty"`
	Input     *string          `json:"input,omitempty"`
}

type responsesIncomplete struct {
	Reason string `json:"reason"`
}

type responsesBody struct {
	ID           string               `json:"id"`
	Object       string               `json:"object"`
	Created      int64                `json:"created_at"`
	Status       string               `json:"status"`
	Model        string               `json:"model"`
	Error        *struct{}            `json:"error"`
	Incomplete   *responsesIncomplete `json:"incomplete_details"`
	Instructions *string              `json:"instructions"`
	Metadata     struct{}             `json:"metadata"`
	Output       []responsesItem      `json:"output"`
	Parallel     bool                 `json:"parallel_tool_calls"`
	Store        bool                 `json:"store"`
	Temperature  float64              `json:"temperature"`
	ToolChoice   string               `json:"tool_choice"`
	Tools        []struct{}           `json:"tools"`
	TopP         float64              `json:"top_p"`
	Tier         string               `json:"service_tier"`
	Usage        *responsesUsage      `json:"usage,omitempty"`
	Simulated    bool                 `json:"simulated"`
}

// responsesBody is the response so far. What the caller sent is not repeated.
func (c *call) responsesBody(status string) responsesBody {
	return responsesBody{
		ID: c.id, Object: "response", Created: c.created, Status: status, Model: c.model.Name, Output: []responsesItem{},
		Parallel: !c.ask.use.serial, Temperature: 1, ToolChoice: "auto", Tools: []struct{}{}, TopP: 1, Tier: "default", Simulated: true,
	}
}

// responsesEnd is the whole response. This dialect knows no stop sequences.
func (c *call) responsesEnd() responsesBody {
	ans, status := c.answers[0], "completed"
	if ans.finish == starling.Length {
		status = "incomplete"
	}
	b := c.responsesBody(status)
	if status == "incomplete" {
		b.Incomplete = &responsesIncomplete{"max_output_tokens"}
	}
	for i, part := range ans.blocks {
		b.Output = append(b.Output, c.responsesItem(i, part, part.text, "completed"))
	}
	b.Usage = responsesUsageOf(c.usage)
	return b
}

func (c *call) responsesWhole() []byte { return marshal(c.responsesEnd()) }

// responsesItem is a block as an item that says so much.
func (c *call) responsesItem(i int, b block, said, status string) responsesItem {
	own := die(0).about(c.id).nth(int64(i))
	switch {
	case b.kind == starling.ReasoningPart:
		it := responsesItem{ID: own.name("rs"), Type: "reasoning", Status: status, Summary: &[]responsesPart{}}
		if said != "" {
			it.Summary = &[]responsesPart{{Type: "summary_text", Text: said}}
			it.Encrypted = signature(c.model.Name)
		}
		return it
	case b.custom:
		return responsesItem{ID: own.name("ctc"), Type: "custom_tool_call", CallID: b.id, Namespace: b.namespace, Name: b.name, Input: &said}
	case b.kind == starling.CallPart:
		return responsesItem{ID: own.name("fc"), Type: "function_call", Status: status, CallID: b.id, Namespace: b.namespace, Name: b.name, Arguments: &said}
	}
	it := responsesItem{ID: own.name("msg"), Type: "message", Status: status, Role: "assistant", Content: &[]responsesPart{}}
	if said != "" {
		it.Content = &[]responsesPart{responsesText(said)}
	}
	return it
}

func responsesText(said string) responsesPart {
	return responsesPart{Type: "output_text", Text: said, Annotations: &[]struct{}{}, Logprobs: &[]struct{}{}}
}

// A responsesEvent is an event's data, marshalled by its type.
type responsesEvent struct {
	Type     string         `json:"type"`
	Seq      int            `json:"sequence_number"`
	Response *responsesBody `json:"response,omitempty"`
	Index    *int           `json:"output_index,omitempty"`
	Content  *int           `json:"content_index,omitempty"`
	Summary  *int           `json:"summary_index,omitempty"`
	ItemID   string         `json:"item_id,omitempty"`
	Item     *responsesItem `json:"item,omitempty"`
	Part     *responsesPart `json:"part,omitempty"`
	Name     string         `json:"name,omitempty"`
	Delta    *string        `json:"delta,omitempty"`
	Text     *string        `json:"text,omitempty"`
	Args     *string        `json:"arguments,omitempty"`
	Input    *string        `json:"input,omitempty"`
	Logprobs *[]struct{}    `json:"logprobs,omitempty"`
}

// responsesStream numbers events. It stops when it is told to.
type responsesStream struct {
	seq   int
	yield func(event) bool
	over  bool
}

func (s *responsesStream) send(e responsesEvent, tokens int64) {
	if s.over {
		return
	}
	e.Type, e.Seq = "response."+e.Type, s.seq
	s.seq++
	out := sse(e.Type, e)
	out.tokens = tokens
	s.over = !s.yield(out)
}

// responsesEvents yields the events of the answer, item by item.
func (c *call) responsesEvents(yield func(event) bool) {
	s := &responsesStream{yield: yield}
	start := c.responsesBody("in_progress")
	s.send(responsesEvent{Type: "created", Response: &start}, 0)
	s.send(responsesEvent{Type: "in_progress", Response: &start}, 0)
	for i, b := range c.answers[0].blocks {
		c.responsesBlock(s, i, b)
	}
	end := c.responsesEnd()
	s.send(responsesEvent{Type: end.Status, Response: &end}, 0)
}

// responsesBlock tells an item from its beginning to its end.
func (c *call) responsesBlock(s *responsesStream, i int, b block) {
	zero, none := 0, []struct{}{}
	begun, done := c.responsesItem(i, b, "", "in_progress"), c.responsesItem(i, b, b.text, "completed")
	about := responsesEvent{Index: &i, ItemID: done.ID}
	with := func(kind string, set func(e *responsesEvent)) responsesEvent {
		e := about
		e.Type = kind
		set(&e)
		return e
	}
	deltas := func(kind string) {
		s.pieces(b.text, func(piece *string) responsesEvent {
			return with(kind+".delta", func(e *responsesEvent) { e.Delta = piece })
		})
	}
	s.send(responsesEvent{Type: "output_item.added", Index: &i, Item: &begun}, Tokens(b.name))
	switch {
	case b.custom:
		deltas("custom_tool_call_input")
		s.send(with("custom_tool_call_input.done", func(e *responsesEvent) { e.Input = &b.text }), 0)
	case b.kind == starling.CallPart:
		deltas("function_call_arguments")
		s.send(with("function_call_arguments.done", func(e *responsesEvent) { e.Name, e.Args = b.name, &b.text }), 0)
	case b.kind == starling.ReasoningPart:
		about.Summary = &zero
		s.send(with("reasoning_summary_part.added", func(e *responsesEvent) { e.Part = &responsesPart{Type: "summary_text"} }), 0)
		deltas("reasoning_summary_text")
		s.send(with("reasoning_summary_text.done", func(e *responsesEvent) { e.Text = &b.text }), 0)
		s.send(with("reasoning_summary_part.done", func(e *responsesEvent) { e.Part = &responsesPart{Type: "summary_text", Text: b.text} }), 0)
	default:
		about.Content, about.Logprobs = &zero, &none
		empty, full := responsesText(""), responsesText(b.text)
		s.send(responsesEvent{Type: "content_part.added", Index: &i, ItemID: done.ID, Content: &zero, Part: &empty}, 0)
		deltas("output_text")
		s.send(with("output_text.done", func(e *responsesEvent) { e.Text = &b.text }), 0)
		s.send(responsesEvent{Type: "content_part.done", Index: &i, ItemID: done.ID, Content: &zero, Part: &full}, 0)
	}
	s.send(responsesEvent{Type: "output_item.done", Index: &i, Item: &done}, 0)
}

// pieces sends a text token by token.
func (s *responsesStream) pieces(text string, event func(piece *string) responsesEvent) {
	for text != "" && !s.over {
		piece := clip(text, 1)
		text = text[len(piece):]
		s.send(event(&piece), Tokens(piece))
	}
}

// responsesFailure is an error in the middle of a stream.
func responsesFailure(f *fault, d starling.Dialect) []byte {
	return sse("error", struct {
		Type      string  `json:"type"`
		Code      string  `json:"code"`
		Message   string  `json:"message"`
		Param     *string `json:"param"`
		Seq       int     `json:"sequence_number"`
		Simulated bool    `json:"simulated"`
	}{"error", f.terms(d).code, f.message, nil, 0, true}).raw
}
