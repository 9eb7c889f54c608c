package sim

import (
	"encoding/json"
	"strconv"

	"starling"
)

type openaiUsage struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
	Total      int64 `json:"total_tokens"`

	PromptDetails struct {
		Cached     int64 `json:"cached_tokens"`
		CacheWrite int64 `json:"cache_write_tokens"`
		Audio      int64 `json:"audio_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionDetails struct {
		Reasoning int64 `json:"reasoning_tokens"`
		Audio     int64 `json:"audio_tokens"`
		Accepted  int64 `json:"accepted_prediction_tokens"`
		Rejected  int64 `json:"rejected_prediction_tokens"`
	} `json:"completion_tokens_details"`
}

// openaiUsageOf counts by OpenAI's convention: what was cached is inside the
// prompt, reasoning is inside the completion.
func openaiUsageOf(u starling.Usage) openaiUsage {
	o := openaiUsage{Prompt: u.TotalInput(), Completion: u.Output, Total: u.TotalInput() + u.Output}
	o.PromptDetails.Cached = u.CacheRead
	o.PromptDetails.CacheWrite = u.CacheWrite + u.CacheWrite1h
	o.CompletionDetails.Reasoning = u.Reasoning
	return o
}

type openaiCall struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type openaiMessage struct {
	Role        string       `json:"role"`
	Content     *string      `json:"content"`
	Reasoning   *string      `json:"reasoning_content,omitempty"` // as servers of open weights send it
	Refusal     *string      `json:"refusal"`
	Annotations []struct{}   `json:"annotations"`
	ToolCalls   []openaiCall `json:"tool_calls,omitempty"`
}

type openaiChoice struct {
	Index    int             `json:"index"`
	Message  openaiMessage   `json:"message"`
	Logprobs *openaiLogprobs `json:"logprobs"`
	Finish   string          `json:"finish_reason"`
}

type openaiBody struct {
	ID          string         `json:"id"`
	Object      string         `json:"object"`
	Created     int64          `json:"created"`
	Model       string         `json:"model"`
	Choices     []openaiChoice `json:"choices"`
	Usage       openaiUsage    `json:"usage"`
	Tier        string         `json:"service_tier"`
	Fingerprint string         `json:"system_fingerprint"`
	Simulated   bool           `json:"simulated"`
}

func (c *call) openaiWhole() []byte {
	b := openaiBody{
		ID: c.id, Object: "chat.completion", Created: c.created, Model: c.model.Name, Usage: openaiUsageOf(c.usage),
		Tier: "default", Fingerprint: "simulated", Simulated: true,
	}
	for i, ans := range c.answers {
		b.Choices = append(b.Choices, openaiChoice{Index: i, Message: openaiMessageOf(ans), Logprobs: c.openaiLogprobs(ans), Finish: openaiFinish(ans.finish)})
	}
	return marshal(b)
}

func openaiMessageOf(ans answer) openaiMessage {
	m := openaiMessage{Role: "assistant", Annotations: []struct{}{}}
	for _, b := range ans.blocks {
		switch b.kind {
		case starling.TextPart:
			m.Content = &b.text
		case starling.ReasoningPart:
			m.Reasoning = &b.text
		case starling.CallPart:
			call := openaiCall{ID: b.id, Type: "function"}
			call.Function.Name, call.Function.Arguments = b.name, b.text
			m.ToolCalls = append(m.ToolCalls, call)
		}
	}
	return m
}

// openaiFinish says why an answer ended. OpenAI does not tell a stop sequence
// from a natural end.
func openaiFinish(f starling.Finish) string {
	if f == starling.StopWord {
		return "stop"
	}
	return string(f) // the vocabulary has OpenAI's words for the other three
}

// openaiEvents yields the chunks of every choice in turn, the usage if asked for,
// and [DONE].
func (c *call) openaiEvents(yield func(event) bool) {
	k := c.chunks()
	for i, ans := range c.answers {
		k.logprobs = nil
		if l := c.openaiLogprobs(ans); l != nil {
			k.logprobs = l.Content
		}
		if !k.choice(i, ans, yield) {
			return
		}
	}
	if c.ask.wantUsage && !yield(event{raw: k.usage(c.usage)}) {
		return
	}
	yield(event{raw: []byte("data: [DONE]\n\n")})
}

// chunks renders chunks into one buffer: what they share is rendered once.
type chunks struct {
	buf  []byte
	head []byte // up to the choices
	tail []byte // "usage":null, where usage will come

	logprobs []openaiToken // of the choice's text that is still to come
}

func (c *call) chunks() *chunks {
	head := append([]byte(`data: {"id":"`), c.id...)
	head = append(head, `","object":"chat.completion.chunk","created":`...)
	head = strconv.AppendInt(head, c.created, 10)
	head = appendString(append(head, `,"model":`...), c.model.Name)
	head = append(head, `,"service_tier":"default","system_fingerprint":"simulated","choices":[`...)
	k := &chunks{head: head}
	if c.ask.wantUsage {
		k.tail = []byte(`,"usage":null`)
	}
	return k
}

// choice yields one choice from its role to its finish; false when told to stop.
func (k *chunks) choice(index int, ans answer, yield func(event) bool) bool {
	if !yield(event{raw: k.marked(index, `"role":"assistant","content":"","refusal":null`, "null")}) {
		return false
	}
	calls := 0
	for _, b := range ans.blocks {
		ok := true
		switch b.kind {
		case starling.TextPart:
			ok = k.text(index, "content", b.text, yield)
		case starling.ReasoningPart:
			ok = k.text(index, "reasoning_content", b.text, yield)
		case starling.CallPart:
			ok = k.call(index, calls, b, yield)
			calls++
		}
		if !ok {
			return false
		}
	}
	return yield(event{raw: k.marked(index, "", `"`+openaiFinish(ans.finish)+`"`)})
}

// text yields a text token by token as a field of the delta.
func (k *chunks) text(index int, field, text string, yield func(event) bool) bool {
	for text != "" {
		piece := clip(text, 1)
		text = text[len(piece):]
		b := k.open(index)
		b = append(append(append(b, '"'), field...), `":`...)
		k.buf = k.closeWith(appendString(b, piece), k.next(field), "null")
		if !yield(event{raw: k.end(k.buf), tokens: Tokens(piece)}) {
			return false
		}
	}
	return true
}

// call yields a tool call: its name and id once, then its arguments in pieces.
func (k *chunks) call(index, nth int, c block, yield func(event) bool) bool {
	b := k.open(index)
	b = append(strconv.AppendInt(append(b, `"tool_calls":[{"index":`...), int64(nth), 10), `,"id":`...)
	b = append(appendString(b, c.id), `,"type":"function","function":{"name":`...)
	b = append(appendString(b, c.name), `,"arguments":""}}]`...)
	if !yield(event{raw: k.end(k.close(b, "null")), tokens: Tokens(c.name)}) {
		return false
	}
	for rest := c.text; rest != ""; {
		piece := clip(rest, 1)
		rest = rest[len(piece):]
		b := strconv.AppendInt(append(k.open(index), `"tool_calls":[{"index":`...), int64(nth), 10)
		b = append(appendString(append(b, `,"function":{"arguments":`...), piece), `}}]`...)
		if !yield(event{raw: k.end(k.close(b, "null")), tokens: Tokens(piece)}) {
			return false
		}
	}
	return true
}

// usage renders the chunk without choices.
func (k *chunks) usage(u starling.Usage) []byte {
	b := append(append(k.buf[:0], k.head...), `],"usage":`...)
	usage, err := json.Marshal(openaiUsageOf(u))
	if err != nil {
		panic("sim: numbers have JSON: " + err.Error())
	}
	k.buf = append(append(b, usage...), ",\"simulated\":true}\n\n"...)
	return k.buf
}

// marked renders a chunk that says that it is simulated: the first and the last.
func (k *chunks) marked(index int, delta, finish string) []byte {
	b := k.close(append(k.open(index), delta...), finish)
	k.buf = append(append(append(b, k.tail...), `,"simulated":true`...), "}\n\n"...)
	return k.buf
}

func (k *chunks) open(index int) []byte {
	b := append(append(k.buf[:0], k.head...), `{"index":`...)
	return append(strconv.AppendInt(b, int64(index), 10), `,"delta":{`...)
}

func (k *chunks) close(b []byte, finish string) []byte {
	return k.closeWith(b, "null", finish)
}

func (k *chunks) closeWith(b []byte, logprobs, finish string) []byte {
	b = append(append(b, `},"logprobs":`...), logprobs...)
	b = append(append(b, `,"finish_reason":`...), finish...)
	return append(b, `}]`...)
}

func (k *chunks) end(b []byte) []byte {
	k.buf = append(append(b, k.tail...), "}\n\n"...)
	return k.buf
}
