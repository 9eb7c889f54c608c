package sim

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"starling"
)

// A Shot is one request of a load, and what came of it.
type Shot struct {
	Index   int
	Dialect starling.Dialect
	Model   string
	Stream  bool

	Status  int         // 0 if no answer began
	Header  http.Header // of the answer
	Failure string      // "" for an answer; else a key of [Report.Failed]
	Left    bool        // left on purpose

	FirstByte time.Duration
	Total     time.Duration
	Gaps      []time.Duration // between events
	Bytes     int64
	Events    int
}

// leaveAfter is the number of events after which a caller leaves who does.
const leaveAfter = 3

// maxAnswer bounds the bytes that are read of one answer.
const maxAnswer = 256 << 20

// shot sends request number i and reads its answer to the end.
func (g *generator) shot(ctx context.Context, i int) Shot {
	ctx, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	d := die(mix(g.Seed)).nth(int64(i))
	s := Shot{
		Index: i, Dialect: starling.OpenAI, Model: g.Models[i%len(g.Models)],
		Stream: d.about("stream").share() < g.Stream, Left: d.about("leave").share() < g.Leave,
	}
	s.Left = s.Left && s.Stream
	if d.about("dialect").share() < g.Anthropic {
		s.Dialect = starling.Anthropic
	}
	r, err := g.request(ctx, &s)
	if err != nil {
		s.Failure = "connection"
		return s
	}
	sent := time.Now()
	resp, err := g.client.Do(r)
	if err == nil {
		defer resp.Body.Close()
		s.Status, s.Header = resp.StatusCode, resp.Header
		err = s.read(resp.Body, sent)
	}
	s.Total = time.Since(sent)
	s.Failure = s.failure(err)
	s.Left = s.Left && s.Failure == ""
	return s
}

// failure names what went wrong, in few words that can be counted.
func (s *Shot) failure(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case s.Status == 0:
		return "connection"
	case s.Status != http.StatusOK:
		return "status " + strconv.Itoa(s.Status)
	case errors.Is(err, errEvent):
		return "error event"
	case err != nil:
		return "broken off"
	}
	return ""
}

var (
	errEvent = errors.New("an error event came")
	errEnd   = errors.New("the end is missing")
)

func (s *Shot) read(body io.Reader, sent time.Time) error {
	counted := &counter{r: io.LimitReader(body, maxAnswer)}
	b := bufio.NewReader(counted)
	_, err := b.Peek(1)
	s.FirstByte = time.Since(sent)
	if err == nil && s.Stream && s.Status == http.StatusOK {
		err = s.readEvents(b)
	} else if err == nil {
		_, err = b.WriteTo(io.Discard)
	}
	s.Bytes = counted.n
	if err == io.EOF { // an empty body
		return errEnd
	}
	return err
}

// readEvents reads a stream until its dialect's end. Lines may be of any length:
// only their beginning is looked at.
func (s *Shot) readEvents(b *bufio.Reader) error {
	var last time.Time
	fresh := true // at the beginning of a line
	for ended := false; ; {
		line, err := b.ReadSlice('\n')
		if fresh && bytes.HasPrefix(line, []byte("data:")) {
			now := time.Now()
			if s.Events++; s.Events > 1 {
				s.Gaps = append(s.Gaps, now.Sub(last))
			}
			last = now
		}
		switch {
		case !fresh:
		case bytes.HasPrefix(line, []byte("data: [DONE]")), bytes.HasPrefix(line, []byte("event: message_stop")):
			ended = true
		case bytes.HasPrefix(line, []byte("event: error")), bytes.HasPrefix(line, []byte(`data: {"error"`)):
			return errEvent
		}
		fresh = err == nil
		switch {
		case err == io.EOF && ended:
			return nil
		case err == io.EOF:
			return errEnd
		case err != nil && err != bufio.ErrBufferFull:
			return err
		case s.Left && s.Events >= leaveAfter:
			return nil // closing the body ends the request
		}
	}
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// request renders the request of a shot as either vendor's client would.
func (g *generator) request(ctx context.Context, s *Shot) (*http.Request, error) {
	path := "/v1/chat/completions"
	if s.Dialect == starling.Anthropic {
		path = "/v1/messages"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL+path, bytes.NewReader(g.body(s)))
	if err != nil {
		return nil, err
	}
	for name, values := range g.Header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	r.Header.Set("Content-Type", "application/json")
	if s.Dialect == starling.Anthropic {
		r.Header.Set("Anthropic-Version", "2023-06-01")
	}
	switch {
	case g.Key == "":
	case s.Dialect == starling.Anthropic:
		r.Header.Set("X-Api-Key", g.Key)
	default:
		r.Header.Set("Authorization", "Bearer "+g.Key)
	}
	return r, nil
}

func (g *generator) body(s *Shot) []byte {
	b := appendString([]byte(`{"model":`), s.Model)
	b = strconv.AppendInt(append(b, `,"max_tokens":`...), g.MaxTokens, 10)
	if s.Stream {
		b = append(b, `,"stream":true`...)
	}
	if g.System != "" && s.Dialect == starling.Anthropic {
		b = appendString(append(b, `,"system":`...), g.System)
	}
	b = append(b, `,"messages":[`...)
	if g.System != "" && s.Dialect == starling.OpenAI {
		b = append(appendString(append(b, `{"role":"system","content":`...), g.System), `},`...)
	}
	b = appendString(append(b, `{"role":"user","content":`...), g.Inputs[s.Index%len(g.Inputs)])
	return append(b, `}]}`...)
}
