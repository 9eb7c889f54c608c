package sim

import (
	"context"
	"iter"
	"net/http"
	"strconv"
	"time"

	"starling"
)

// A call is a request that a model answers.
type call struct {
	*visit
	model *runner
	ask   *ask

	id      string // of the answer
	created int64  // Unix seconds
	answers []answer
	usage   starling.Usage // of the whole answer
	pace    pace
	fate    fate

	made   int64     // output tokens so far
	end    end       // how it ended
	leftAt time.Time // when the client's departure was noticed
}

// generate runs the whole call: check, draw a fate, decide the answer, send it,
// book it.
func (x *visit) generate(a *ask, wrong *fault) *fault {
	if wrong != nil {
		return wrong
	}
	m, f := x.find(a.model)
	if f != nil {
		return f
	}
	c := &call{visit: x, model: m, ask: a, pace: pace{start: time.Now()}, end: rejected}
	m.begin()
	defer m.settle(c)
	if f := c.check(); f != nil {
		return f
	}
	if f := c.prepare(); f != nil {
		return f
	}
	c.end = brokenOff // until it is known to be better
	if a.stream {
		c.sendEvents()
	} else {
		c.sendWhole()
	}
	return nil
}

// check compares the request with what the model can do.
func (c *call) check() *fault {
	m, input := c.model, c.ask.input()
	switch {
	case c.ask.limit > m.MaxOutput:
		return refused("max_tokens", "max_tokens: %d > %d, which is the maximum allowed number of output tokens for %s", c.ask.limit, m.MaxOutput, m.Name)
	case m.Context > 0 && input >= m.Context:
		return &fault{cause: tooLong, param: "messages", message: "prompt is too long: " + strconv.FormatInt(input, 10) + " tokens, the maximum context length is " + strconv.FormatInt(m.Context, 10)}
	}
	return c.fit(input)
}

// fit has a model read no more than its window.
func (c *call) fit(input int64) *fault {
	window := c.model.Reads
	if window == 0 {
		return nil
	}
	if window = orElse(c.ask.window, window); input <= window {
		return nil
	}
	if c.ask.uncut {
		return &fault{cause: tooLong, message: "the input length exceeds the context length"}
	}
	c.ask.forget(window)
	return nil
}

// prepare decides everything about the answer before the first byte of it.
func (c *call) prepare() *fault {
	m, a := c.model, c.ask
	conversation := c.die.about(m.Name).nth(int64(a.digest()))
	attempt := conversation.nth(c.attempts.next(uint64(conversation)))
	c.fate = m.Failure.fate(attempt)
	if f := c.fate.fault(); f != nil {
		c.end = failed
		return f
	}
	limit := orElse(a.limit, m.MaxOutput)
	if m.Context > 0 {
		limit = min(limit, m.Context-a.input())
	}
	for nth := range a.choices {
		ans, f := c.answer(&m.Model, a, nth, limit)
		if f != nil {
			return f
		}
		c.answers = append(c.answers, ans)
	}
	c.usage = m.cache.usage(&m.Model, a)
	for _, ans := range c.answers {
		c.usage.Output += ans.tokens()
		c.usage.Reasoning += ans.reasoning()
	}
	c.pace = m.Latency.pace(c.pace.start, conversation)
	c.id, c.created = c.name(attempt), time.Now().Unix()
	return nil
}

func (c *call) name(d die) string {
	switch c.dialect {
	case starling.Anthropic:
		return d.name("msg")
	case starling.Completions:
		return d.name("cmpl")
	case starling.Gemini, starling.Responses:
		return d.name("resp")
	}
	return d.name("chatcmpl")
}

// billed returns what the vendor would charge for.
func (c *call) billed() starling.Usage {
	u := c.usage
	u.Output = c.made
	u.Reasoning = min(u.Reasoning, c.made)
	return u
}

// An event is one server-sent event, or a line.
type event struct {
	raw    []byte // good until the next event
	tokens int64  // of output that it carries
}

func (c *call) events() iter.Seq[event] {
	switch c.dialect {
	case starling.Anthropic:
		return c.anthropicEvents
	case starling.Ollama, starling.Generate:
		return c.ollamaEvents
	case starling.Completions:
		return c.completionEvents
	case starling.Gemini:
		return c.geminiEvents
	case starling.Responses:
		return c.responsesEvents
	}
	return c.openaiEvents
}

func (c *call) whole() []byte {
	switch c.dialect {
	case starling.Anthropic:
		return c.anthropicWhole()
	case starling.Ollama, starling.Generate:
		return c.ollamaWhole()
	case starling.Completions:
		return c.completionWhole()
	case starling.Gemini:
		return c.geminiWhole()
	case starling.Responses:
		return c.responsesWhole()
	}
	return c.openaiWhole()
}

// linewise reports whether events are lines.
func (c *call) linewise() bool { return c.dialect == starling.Ollama || c.dialect == starling.Generate }

// sendEvents streams the answer, each event as it is due.
func (c *call) sendEvents() {
	ctx, out := c.r.Context(), http.NewResponseController(c.w)
	if c.pace.wait(ctx, 0) != nil {
		c.quit(ctx)
		return
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	if c.linewise() {
		h.Set("Content-Type", "application/x-ndjson")
	}
	h.Set("Cache-Control", "no-cache")
	sent := 0
	for e := range c.events() {
		if c.pace.wait(ctx, c.made+e.tokens) != nil {
			c.quit(ctx)
			return
		}
		if c.fate != fine && sent > 0 && c.made+e.tokens >= c.usage.Output/2 {
			c.breakOff(ctx)
			return
		}
		if _, err := c.w.Write(e.raw); err != nil || out.Flush() != nil {
			c.quit(ctx)
			return
		}
		c.made += e.tokens
		sent++
	}
	c.end = whole
}

// breakOff ends a stream in the middle, as its fate demands.
func (c *call) breakOff(ctx context.Context) {
	switch c.fate {
	case truncate:
		return
	case errorEvent:
		f := &fault{cause: overloaded, message: "Overloaded (simulated)"}
		switch {
		case c.linewise():
			c.w.Write(append(f.body(c.dialect, c.visit.id), '\n')) // as below
		case c.dialect == starling.Responses:
			c.w.Write(responsesFailure(f, c.dialect)) // as below
			return
		}
		raw := append([]byte("data: "), f.body(c.dialect, c.visit.id)...)
		if c.dialect == starling.Anthropic {
			raw = append([]byte("event: error\n"), raw...)
		}
		c.w.Write(append(raw, "\n\n"...)) // if nobody reads it, it is cut all the same
		return
	case stall:
		c.hang(ctx)
	}
	panic(http.ErrAbortHandler)
}

// sendWhole sends the answer in one piece, when its last token is due.
func (c *call) sendWhole() {
	ctx, total := c.r.Context(), c.usage.Output
	if c.fate != fine {
		c.cutWhole(ctx)
		return
	}
	if c.pace.wait(ctx, total) != nil {
		c.made = c.pace.made(total)
		c.quit(ctx)
		return
	}
	c.made = total
	if c.reply(c.whole()) != nil {
		c.quit(ctx)
		return
	}
	c.end = whole
}

// cutWhole sends half of an answer that is not streamed, or nothing at all when
// it stalls.
func (c *call) cutWhole(ctx context.Context) {
	half := c.usage.Output / 2
	if c.pace.wait(ctx, half) != nil {
		c.made = c.pace.made(half)
		c.quit(ctx)
		return
	}
	c.made = half
	if c.fate == stall {
		c.hang(ctx)
		panic(http.ErrAbortHandler)
	}
	body := c.whole()
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.w.Write(body[:len(body)/2]) // the connection ends here in any case
	http.NewResponseController(c.w).Flush()
	panic(http.ErrAbortHandler)
}

// hang keeps the connection without a byte until the client leaves or the
// simulator loses patience.
func (c *call) hang(ctx context.Context) {
	t := time.NewTimer(c.stall)
	defer t.Stop()
	select {
	case <-ctx.Done():
		c.noticed(ctx)
	case <-t.C:
	}
}

// quit notes that nobody reads on. A server that closes cuts the connection: a
// clean end would look like an answer.
func (c *call) quit(ctx context.Context) {
	if !c.gone(ctx) && ctx.Err() != nil {
		panic(http.ErrAbortHandler)
	}
	c.end = left
	c.leftAt = time.Now()
}

func (c *call) noticed(ctx context.Context) {
	if c.gone(ctx) {
		c.leftAt = time.Now()
	}
}
