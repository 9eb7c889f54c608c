package sim_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"go.uber.org/goleak"

	"starling"
	"starling/internal/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A post is a request to be sent.
type post struct {
	dialect starling.Dialect
	body    string
	header  map[string]string
}

func (p post) path() string {
	switch p.dialect {
	case starling.Anthropic:
		return "/v1/messages"
	case starling.Responses:
		return "/v1/responses"
	}
	return "/v1/chat/completions"
}

func (p post) request(ctx context.Context, base string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, "POST", base+p.path(), strings.NewReader(p.body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if p.dialect == starling.Anthropic {
		r.Header.Set("Anthropic-Version", "2023-06-01")
	}
	for k, v := range p.header {
		r.Header.Set(k, v)
	}
	return r
}

// ask hands a request to the server without a network.
func ask(s *sim.Server, p post) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, p.request(context.Background(), ""))
	return w
}

// chat builds a plain request in either dialect.
func chat(d starling.Dialect, model, user string, extra ...string) post {
	fields := append([]string{`"model":` + quote(model), `"messages":[{"role":"user","content":` + quote(user) + `}]`}, extra...)
	if d == starling.Anthropic && !strings.Contains(strings.Join(extra, ""), `"max_tokens"`) {
		fields = append(fields, `"max_tokens":1000`)
	}
	return post{dialect: d, body: "{" + strings.Join(fields, ",") + "}"}
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// said is an answer in no dialect, read from a body or from a stream.
type said struct {
	text, reasoning, signature string
	calls                      []call
	finish, stop               string
	usage                      gjson.Result
	events                     []gjson.Result // of a stream, without [DONE]
	done                       bool           // the stream had its dialect's end
}

type call struct{ id, name, arguments string }

func whole(t *testing.T, d starling.Dialect, body string) said {
	t.Helper()
	if !gjson.Valid(body) {
		t.Fatalf("the body is no JSON: %s", body)
	}
	b := gjson.Parse(body)
	s := said{usage: b.Get("usage"), done: true}
	if d == starling.OpenAI {
		m := b.Get("choices.0.message")
		s.text, s.reasoning, s.finish = m.Get("content").Str, m.Get("reasoning_content").Str, b.Get("choices.0.finish_reason").Str
		m.Get("tool_calls").ForEach(func(_, c gjson.Result) bool {
			s.calls = append(s.calls, call{c.Get("id").Str, c.Get("function.name").Str, c.Get("function.arguments").Str})
			return true
		})
		return s
	}
	if d == starling.Responses {
		s.wholeResponse(b)
		return s
	}
	s.finish, s.stop = b.Get("stop_reason").Str, b.Get("stop_sequence").Str
	b.Get("content").ForEach(func(_, c gjson.Result) bool {
		switch c.Get("type").Str {
		case "text":
			s.text += c.Get("text").Str
		case "thinking":
			s.reasoning, s.signature = c.Get("thinking").Str, c.Get("signature").Str
		case "tool_use":
			s.calls = append(s.calls, call{c.Get("id").Str, c.Get("name").Str, c.Get("input").Raw})
		}
		return true
	})
	return s
}

// stream reads server-sent events to their end, whatever that is.
func stream(t *testing.T, d starling.Dialect, body io.Reader) said {
	t.Helper()
	var s said
	name := ""
	for lines := bufio.NewScanner(body); lines.Scan(); {
		line := lines.Text()
		if n, ok := strings.CutPrefix(line, "event: "); ok {
			name = n
		}
		data, ok := strings.CutPrefix(line, "data: ")
		switch {
		case !ok:
		case data == "[DONE]":
			s.done = true
		case !gjson.Valid(data):
			t.Fatalf("an event is no JSON: %s", data)
		default:
			e := gjson.Parse(data)
			if d != starling.OpenAI && e.Get("type").Str != name {
				t.Errorf("the event %q holds data of type %q", name, e.Get("type").Str)
			}
			s.events = append(s.events, e)
			s.take(d, e)
		}
	}
	return s
}

func (s *said) take(d starling.Dialect, e gjson.Result) {
	if d == starling.OpenAI {
		s.takeOpenAI(e)
		return
	}
	if d == starling.Responses {
		s.takeResponses(e)
		return
	}
	delta := e.Get("delta")
	switch e.Get("type").Str {
	case "message_start":
		s.usage = e.Get("message.usage")
	case "content_block_start":
		if b := e.Get("content_block"); b.Get("type").Str == "tool_use" {
			s.calls = append(s.calls, call{id: b.Get("id").Str, name: b.Get("name").Str})
		}
	case "content_block_delta":
		s.text += delta.Get("text").Str
		s.reasoning += delta.Get("thinking").Str
		s.signature += delta.Get("signature").Str
		if part := delta.Get("partial_json"); part.Exists() {
			s.calls[len(s.calls)-1].arguments += part.Str
		}
	case "message_delta":
		s.finish, s.stop, s.usage = delta.Get("stop_reason").Str, delta.Get("stop_sequence").Str, e.Get("usage")
	case "message_stop":
		s.done = true
	}
}

func (s *said) takeOpenAI(e gjson.Result) {
	if u := e.Get("usage"); u.IsObject() {
		s.usage = u
	}
	c := e.Get("choices.0")
	s.text += c.Get("delta.content").Str
	s.reasoning += c.Get("delta.reasoning_content").Str
	if f := c.Get("finish_reason").Str; f != "" {
		s.finish = f
	}
	c.Get("delta.tool_calls").ForEach(func(_, t gjson.Result) bool {
		i := int(t.Get("index").Int())
		for len(s.calls) <= i {
			s.calls = append(s.calls, call{})
		}
		s.calls[i].id += t.Get("id").Str
		s.calls[i].name += t.Get("function.name").Str
		s.calls[i].arguments += t.Get("function.arguments").Str
		return true
	})
}

var dialects = []starling.Dialect{starling.OpenAI, starling.Anthropic}

// both is a model that answers in both dialects.
func both() sim.Model {
	return sim.Model{Name: "m", Reasoning: 12, Words: 20, MaxOutput: 4000, Price: starling.Price{
		Rates: starling.Rates{Input: 3 * starling.Rate(starling.Dollar), Output: 15 * starling.Rate(starling.Dollar), CacheRead: starling.Rate(starling.Dollar)}}}
}

const weatherOpenAI = `"tools":[{"type":"function","function":{"name":"weather","description":"today","parameters":{"type":"object","required":["city"],"properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":1,"maximum":7}}}}},{"type":"function","function":{"name":"time"}}]`
const weatherAnthropic = `"tools":[{"name":"weather","description":"today","input_schema":{"type":"object","required":["city"],"properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":1,"maximum":7}}}},{"name":"time","input_schema":{"type":"object"}}]`

func tools(d starling.Dialect) string {
	if d == starling.Anthropic {
		return weatherAnthropic
	}
	return weatherOpenAI
}

func start(t *testing.T, o sim.Options) (*sim.Server, string) {
	t.Helper()
	s := sim.New(o)
	url, err := s.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, url
}

func send(t *testing.T, url string, p post) *http.Response {
	t.Helper()
	resp, err := http.DefaultClient.Do(p.request(t.Context(), url))
	if err != nil {
		t.Fatal(err)
	}
	return resp
}
