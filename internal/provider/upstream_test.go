package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"starling"
	"starling/internal/conform"
	"starling/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// story is a plain answer.
var story = conform.Script{Words: []string{"a ", "b ", "c"}, Usage: starling.Usage{Input: 7, Output: 3}}

// canary is the key that must not be found anywhere but in a request's header.
const canary = "sk-canary-7f3a91c2"

// An upstream is a real HTTP server of a dialect on loopback that follows a
// script, or has a handler of its own.
type upstream struct {
	*httptest.Server
	dialect starling.Dialect
	script  conform.Script
	calls   atomic.Int64
	opened  atomic.Int64
	gone    chan struct{}
	last    atomic.Pointer[http.Request]
}

// serveScript starts an upstream that follows s.
func serveScript(t testing.TB, d starling.Dialect, s conform.Script) *upstream {
	u := &upstream{dialect: d, script: s, gone: make(chan struct{}, 64)}
	return u.start(t, http.HandlerFunc(u.follow))
}

// serveHandler starts an upstream that does what h does.
func serveHandler(t testing.TB, d starling.Dialect, h http.HandlerFunc) *upstream {
	u := &upstream{dialect: d, gone: make(chan struct{}, 64)}
	return u.start(t, h)
}

func (u *upstream) start(t testing.TB, h http.Handler) *upstream {
	u.Server = httptest.NewUnstartedServer(u.heard(h))
	u.Config.ConnState = u.count
	u.Start()
	t.Cleanup(u.Close)
	return u
}

// count counts the connections that are opened.
func (u *upstream) count(_ net.Conn, s http.ConnState) {
	if s == http.StateNew {
		u.opened.Add(1)
	}
}

// inside is open, in a bubble of synctest, for an upstream that does what h does and
// is reached without a network: no time passes while anybody can go on.
func (u *upstream) inside(t *testing.T, h http.HandlerFunc, change func(*Options)) *HTTP {
	way := make(pipes)
	server := &http.Server{Handler: u.heard(h), ErrorLog: discard(), ConnState: u.count}
	served := make(chan error, 1)
	go func() { served <- server.Serve(way) }()
	t.Cleanup(func() { _ = server.Close(); <-served })
	u.Server = &httptest.Server{URL: "http://127.0.0.1:1"}
	o := u.options(t)
	if change != nil {
		change(&o)
	}
	p := open(t, o)
	p.guard.doors[starling.Machine].DialContext = way.dial
	return p
}

// pipes is a listener to which each dial is the one end of a pipe.
type pipes chan net.Conn

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p <- there
	return here, nil
}

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error { close(p); return nil }

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// heard reads a question to its end before it counts it: a caller who then leaves
// has asked, whatever reached the server first.
func (u *upstream) heard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		u.calls.Add(1)
		u.last.Store(r)
		h.ServeHTTP(w, r)
	})
}

// follow answers as the script says.
func (u *upstream) follow(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Model  string `json:"model"`
		Stream bool   `json:"stream"`
	}
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || r.Method != http.MethodPost {
		http.Error(w, "not a question", http.StatusTeapot)
		return
	}
	if u.dialect == starling.Gemini {
		ask.Stream = strings.HasSuffix(r.URL.Path, "/models/m:streamGenerateContent") && r.URL.Query().Get("alt") == "sse"
		if !ask.Stream && !strings.HasSuffix(r.URL.Path, "/models/m:generateContent") {
			http.Error(w, "not a path for a question", http.StatusTeapot)
			return
		}
	}
	switch {
	case u.script.Hang == conform.AtOnce:
		u.hang(r)
	case u.script.Refuse != 0:
		u.refuse(w, r)
	case ask.Stream:
		u.stream(w, r)
	default:
		u.whole(w)
	}
}

func (u *upstream) hang(r *http.Request) {
	<-r.Context().Done()
	u.gone <- struct{}{}
}

func (u *upstream) refuse(w http.ResponseWriter, r *http.Request) {
	message := "no"
	if u.script.Echo {
		message = fmt.Sprint(r.Header)
		w.Header().Set("X-Echo", r.Header.Get("Authorization")+r.Header.Get("X-Api-Key")+r.Header.Get("X-Goog-Api-Key"))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(u.script.Refuse)
	body := map[string]any{"error": map[string]any{"message": message, "type": "test_error", "param": nil, "code": nil}}
	switch u.dialect {
	case starling.Anthropic:
		body = map[string]any{"type": "error", "error": map[string]any{"type": "test_error", "message": message}}
	case starling.Ollama:
		body = map[string]any{"error": message}
	case starling.Gemini:
		body = map[string]any{"error": map[string]any{"code": u.script.Refuse, "message": message, "status": "TEST_ERROR"}}
	}
	_ = json.NewEncoder(w).Encode(body)
}

func (u *upstream) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", wire.StreamType(u.dialect))
	send := func(events ...string) {
		for _, e := range events {
			_, _ = w.Write([]byte(e))
		}
		_ = http.NewResponseController(w).Flush()
	}
	send(u.opening()...)
	for i, word := range u.script.Words {
		send(u.word(word))
		if i == 0 && u.script.Hang == conform.AfterWord {
			u.hang(r)
			return
		}
	}
	switch {
	case u.script.Cut:
		panic(http.ErrAbortHandler)
	case !u.script.Short:
		send(u.ending()...)
	}
}

func (u *upstream) opening() []string {
	if u.dialect == starling.Ollama {
		return nil
	}
	if u.dialect == starling.Responses {
		return responsesOpening
	}
	if u.dialect == starling.OpenAI {
		return []string{`data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}` + "\n\n"}
	}
	if u.dialect == starling.Gemini {
		return []string{`data: {"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"index":0}],"modelVersion":"m","responseId":"g1"}` + "\n\n"}
	}
	return []string{
		fmt.Sprintf("event: message_start\ndata: "+`{"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":%d,"output_tokens":1}}}`+"\n\n", u.script.Usage.Input),
		"event: content_block_start\ndata: " + `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}` + "\n\n",
	}
}

func (u *upstream) word(word string) string {
	text, _ := json.Marshal(word)
	if u.dialect == starling.Ollama {
		return fmt.Sprintf(`{"model":"m","created_at":"2026-11-26T10:00:00Z","message":{"role":"assistant","content":%s},"done":false}`+"\n", text)
	}
	if u.dialect == starling.Responses {
		return fmt.Sprintf("event: response.output_text.delta\ndata: "+`{"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":%s}`+"\n\n", text)
	}
	if u.dialect == starling.OpenAI {
		return fmt.Sprintf(`data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":%s},"finish_reason":null}]}`+"\n\n", text)
	}
	if u.dialect == starling.Gemini {
		return fmt.Sprintf(`data: {"candidates":[{"content":{"role":"model","parts":[{"text":%s}]},"index":0}],"modelVersion":"m","responseId":"g1"}`+"\n\n", text)
	}
	return fmt.Sprintf("event: content_block_delta\ndata: "+`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%s}}`+"\n\n", text)
}

func (u *upstream) ending() []string {
	n := u.script.Usage
	if u.dialect == starling.Ollama {
		return []string{u.line("") + "\n"}
	}
	if u.dialect == starling.Responses {
		raw, _ := json.Marshal(map[string]any{"type": "response.completed", "response": u.response()})
		return []string{"event: response.completed\ndata: " + string(raw) + "\n\n"}
	}
	if u.dialect == starling.OpenAI {
		return []string{
			`data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n",
			fmt.Sprintf(`data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}`+"\n\n", n.Input, n.Output, n.Input+n.Output),
			"data: [DONE]\n\n",
		}
	}
	if u.dialect == starling.Gemini {
		return []string{fmt.Sprintf(`data: {"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":%d,"candidatesTokenCount":%d,"totalTokenCount":%d},"modelVersion":"m","responseId":"g1"}`+"\n\n", n.Input, n.Output, n.Input+n.Output)}
	}
	return []string{
		"event: content_block_stop\ndata: " + `{"type":"content_block_stop","index":0}` + "\n\n",
		fmt.Sprintf("event: message_delta\ndata: "+`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":%d}}`+"\n\n", n.Output),
		"event: message_stop\ndata: " + `{"type":"message_stop"}` + "\n\n",
	}
}

// line is the last one of Ollama's dialect, or a whole answer.
func (u *upstream) line(text string) string {
	n := u.script.Usage
	raw, _ := json.Marshal(map[string]any{
		"model": "m", "message": map[string]any{"role": "assistant", "content": text}, "done": true, "done_reason": "stop",
		"prompt_eval_count": n.Input, "eval_count": n.Output,
	})
	return string(raw)
}

func (u *upstream) whole(w http.ResponseWriter) {
	n, text := u.script.Usage, strings.Join(u.script.Words, "")
	body := map[string]any{
		"id": "c1", "object": "chat.completion", "created": 1, "model": "m",
		"choices": []any{map[string]any{"index": 0, "message": map[string]any{"role": "assistant", "content": text}, "finish_reason": "stop"}},
		"usage":   map[string]any{"prompt_tokens": n.Input, "completion_tokens": n.Output, "total_tokens": n.Input + n.Output},
	}
	if u.dialect == starling.Anthropic {
		body = map[string]any{
			"id": "m1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn", "stop_sequence": nil,
			"content": []any{map[string]any{"type": "text", "text": text}},
			"usage":   map[string]any{"input_tokens": n.Input, "output_tokens": n.Output},
		}
	}
	if u.dialect == starling.Gemini {
		body = map[string]any{
			"candidates":    []any{map[string]any{"content": map[string]any{"role": "model", "parts": []any{map[string]any{"text": text}}}, "finishReason": "STOP", "index": 0}},
			"usageMetadata": map[string]any{"promptTokenCount": n.Input, "candidatesTokenCount": n.Output, "totalTokenCount": n.Input + n.Output},
			"modelVersion":  "m", "responseId": "g1",
		}
	}
	if u.dialect == starling.Responses {
		body = u.response()
	}
	raw, _ := json.Marshal(body)
	if u.dialect == starling.Ollama {
		raw = []byte(u.line(text))
	}
	w.Header().Set("Content-Type", "application/json")
	switch {
	case u.script.Cut:
		w.Header().Set("Content-Length", fmt.Sprint(len(raw)))
		_, _ = w.Write(raw[:len(raw)/2])
		panic(http.ErrAbortHandler)
	case u.script.Short:
		_, _ = w.Write(raw[:len(raw)/2])
	default:
		_, _ = w.Write(raw)
	}
}

// base is the URL that a user would configure.
func (u *upstream) base() string {
	if u.dialect == starling.OpenAI || u.dialect == starling.Responses {
		return u.URL + "/v1"
	}
	return u.URL
}

// options are those of a provider for u, in the machine's zone.
func (u *upstream) options(t testing.TB) Options {
	t.Setenv("STARLING_TEST_KEY", canary)
	key, err := FromEnv("STARLING_TEST_KEY")
	if err != nil {
		t.Fatal(err)
	}
	return Options{Name: "up", Dialect: u.dialect, URL: u.base(), Zone: starling.Machine, Key: key, Models: []starling.Model{{Name: "m"}}}
}

// open returns the provider that o describes, behind a guard that knows it.
func open(t testing.TB, o Options) *HTTP {
	t.Helper()
	g, err := NewGuard(Upstream{URL: o.URL, Zone: o.Zone})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	p, err := New(g, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// asking returns a question in the dialect.
func asking(d starling.Dialect, stream bool) *starling.Request {
	body := fmt.Sprintf(`{"model":"as-the-caller-says","stream":%v,"max_tokens":64,"messages":[{"role":"user","content":"sing"}]}`, stream)
	if d == starling.Gemini {
		body = `{"contents":[{"role":"user","parts":[{"text":"sing"}]}],"generationConfig":{"maxOutputTokens":64}}`
	}
	if d == starling.Responses {
		body = fmt.Sprintf(`{"model":"as-the-caller-says","stream":%v,"max_output_tokens":64,"input":"sing"}`, stream)
	}
	return &starling.Request{Dialect: d, Body: []byte(body), Model: "as-the-caller-says", Stream: stream, WantUsage: stream, MaxTokens: 64, Choices: 1}
}

// calling returns a call of p's first model.
func calling(p *HTTP, stream bool) starling.Call {
	return starling.Call{Model: p.Models()[0], Request: asking(p.opts.Dialect, stream), Furthest: starling.Cloud, Left: func(string) {}}
}

// collect makes the call and returns the answer's bytes, the attempts beside it
// and the error.
func collect(t testing.TB, p *HTTP, c starling.Call) (raw string, beside []starling.Attempt, err error) {
	for ev, e := range p.Generate(t.Context(), c) {
		raw += string(ev.Raw)
		if ev.Aside != nil {
			beside = append(beside, *ev.Aside)
		}
		err = e
	}
	return raw, beside, err
}

func TestConformance(t *testing.T) {
	all := []starling.Dialect{starling.OpenAI, starling.Anthropic, starling.Responses, starling.Gemini, starling.Ollama}
	for _, of := range all {
		for _, asked := range all {
			t.Run(string(asked)+" to "+string(of), func(t *testing.T) {
				conform.Provider(t, bench(of, asked, Options{}))
			})
		}
		t.Run(string(of)+" hedged", func(t *testing.T) { conform.Provider(t, bench(of, of, Options{HedgeAfter: time.Hour})) })
		t.Run(string(of)+" drained", func(t *testing.T) {
			conform.Provider(t, bench(of, of, Options{Drain: true, Limits: Limits{Drain: 10 * time.Millisecond}}))
		})
	}
}

// bench sets up a provider with the given extras in front of a scripted upstream.
func bench(of, asked starling.Dialect, extra Options) func(*testing.T, conform.Script) *conform.Bench {
	return func(t *testing.T, s conform.Script) *conform.Bench {
		u := serveScript(t, of, s)
		o := u.options(t)
		o.HedgeAfter, o.Drain, o.Limits = extra.HedgeAfter, extra.Drain, extra.Limits
		p := open(t, o)
		return &conform.Bench{
			Provider:    p,
			Model:       p.Models()[0],
			Key:         canary,
			Ask:         func(stream bool) *starling.Request { return asking(asked, stream) },
			Calls:       func() int { return int(u.calls.Load()) },
			Connections: func() int { return int(u.opened.Load()) },
			Gone:        u.gone,
		}
	}
}

func discard() *log.Logger { return log.New(io.Discard, "", 0) }
