package serve_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"starling"
	"starling/internal/serve"
)

// What a connection can do without speaking HTTP well. Limits of time are set
// short, so that waiting for them is cheap; nothing is measured.

// eventually is how long a test waits for what has to happen.
const eventually = time.Minute

// A line is a bare connection to the gateway.
type line struct {
	net.Conn
	t    testing.TB
	read *bufio.Reader
}

func (s *stand) dial() *line {
	s.t.Helper()
	conn := must(net.Dial("tcp", s.addr))
	s.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(eventually))
	return &line{conn, s.t, bufio.NewReader(conn)}
}

// say sends text. The other side may have hung up: what it answered counts.
func (l *line) say(text string) { _, _ = io.WriteString(l, text) }

// hear reads one whole answer.
func (l *line) hear() answer {
	l.t.Helper()
	resp, err := http.ReadResponse(l.read, nil)
	if err != nil {
		l.t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body), err}
}

// wantClosed checks that nothing more comes and that the connection ends.
func (l *line) wantClosed() {
	l.t.Helper()
	rest, err := io.ReadAll(l.read)
	if e, isNet := errors.AsType[net.Error](err); len(rest) > 0 || isNet && e.Timeout() {
		l.t.Errorf("the connection stays, or says more: %.200q, %v", rest, err)
	}
}

// post is a request as it goes over the wire.
func post(path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

// trickle sends a byte now and then until the other side has hung up.
func (l *line) trickle(text string) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
			if _, err := io.WriteString(l, text); err != nil {
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

func TestABodyThatNeverEndsIsCutOff(t *testing.T) {
	s, calls := uncalled(t, serve.Options{BodyTime: 150 * time.Millisecond})
	const announced = "Host: localhost\r\nContent-Length: 100000\r\n\r\n"
	const chunked = "Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, c := range []struct {
		name, head, piece string
		status            int
	}{
		{"byte by byte", "POST /v1/chat/completions HTTP/1.1\r\n" + announced, " ", 400},
		{"byte by byte in chunks", "POST /v1/messages HTTP/1.1\r\n" + chunked, "1\r\n \r\n", 400},
		{"the length of a chunk, digit by digit", "POST /v1/messages HTTP/1.1\r\n" + chunked, "0", 400},
		{"not at all", "POST /v1/chat/completions HTTP/1.1\r\n" + announced, "", 400},
		{"after a promise to wait", "POST /v1/chat/completions HTTP/1.1\r\nExpect: 100-continue\r\n" + announced, "", 400},
		{"where no body is read", "GET /v1/models HTTP/1.1\r\n" + announced, " ", 200},
		{"where there is nothing", "POST /v1/nothing HTTP/1.1\r\n" + announced, " ", 404},
		{"at the door", "POST /v1/messages HTTP/1.1\r\nOrigin: https://evil.example\r\n" + chunked, "1\r\n \r\n", 402},
		{"in a coding that is refused", "POST /v1/messages HTTP/1.1\r\nContent-Encoding: gzip\r\n" + announced, " ", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := s.dial()
			l.say(c.head)
			if c.piece != "" {
				defer l.trickle(c.piece)()
			}
			a := l.hear()
			if a.status == http.StatusContinue {
				a = l.hear()
			}
			if a.status != c.status {
				t.Errorf("status %d, want %d: %s", a.status, c.status, a.body)
			}
			if c.status >= 400 {
				wantHeaders(t, a)
			}
			l.wantClosed()
		})
	}
	if calls.Load() != 0 {
		t.Errorf("the upstream was asked %d times", calls.Load())
	}
}

func TestAHalfOpenConnectionIsClosed(t *testing.T) {
	s, _ := uncalled(t, serve.Options{HeaderTime: time.Second})
	for name, text := range map[string]string{
		"silence":                   "",
		"half a request line":       "POST /v1/chat/com",
		"half a header":             "POST /v1/chat/completions HTTP/1.1\r\nHost: loc",
		"headers without an end":    "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n",
		"half a request after one":  "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nPOST /v1/",
		"a handshake of TLS, begun": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := s.dial()
			l.say(text)
			if strings.HasPrefix(text, "GET") {
				if a := l.hear(); a.status != 200 {
					t.Errorf("status %d", a.status)
				}
			}
			rest, err := io.ReadAll(l.read) // net/http may still say what it thinks of the request
			if e, isNet := errors.AsType[net.Error](err); isNet && e.Timeout() {
				t.Errorf("the connection stays open; it said %q", rest)
			}
		})
	}
}

func TestAFloodOfHeadersIsRefused(t *testing.T) {
	s, calls := uncalled(t, serve.Options{})
	for name, header := range map[string]string{
		"one huge line":   "X-Junk: " + strings.Repeat("a", 100<<10) + "\r\n",
		"many lines":      strings.Repeat("X-Junk: "+strings.Repeat("a", 90)+"\r\n", 1000),
		"one huge cookie": "Cookie: " + strings.Repeat("a=b; ", 20<<10) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			l := s.dial()
			l.say("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n" + header + "\r\n")
			if a := l.hear(); a.status != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("status %d, want 431", a.status)
			}
			l.wantClosed()
		})
	}
	if calls.Load() != 0 {
		t.Errorf("the upstream was asked %d times", calls.Load())
	}
}

func TestWhatIsNoHTTPHarmsNobody(t *testing.T) {
	s, calls := uncalled(t, serve.Options{HeaderTime: time.Second})
	refused := `{"model":"nobody","messages":[{"role":"user","content":"x"}]}`
	for _, c := range []struct {
		name, text string
		statuses   []int
	}{
		{"two requests in one packet", post(chatPath, refused) + post(chatPath, refused), []int{404, 404}},
		{"garbage behind a request", post(chatPath, refused) + "\x00\x01garbage\r\n\r\n", []int{404, 400}},
		{"a body longer than announced", strings.Replace(post(chatPath, refused), fmt.Sprint(len(refused)), "2", 1), []int{400, 400}},
		{"two lengths that differ", "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", []int{400}},
		{"a negative length", "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", []int{400}},
		{"a length and chunks", "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", []int{400}},
		{"chunks that are none", "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", []int{400}},
		{"two hosts", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", []int{400}},
		{"no host", "GET /healthz HTTP/1.1\r\n\r\n", []int{400}},
		{"another protocol", "SSH-2.0-OpenSSH_9.9\r\n\r\n", []int{400}},
		{"a header that is folded around", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n\u0000c\r\n\r\n", []int{400}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := s.dial()
			l.say(c.text)
			for i, want := range c.statuses {
				if a := l.hear(); a.status != want {
					t.Errorf("answer %d has status %d, want %d: %s", i+1, a.status, want, a.body)
				}
			}
		})
	}
	if calls.Load() != 0 {
		t.Errorf("the upstream was asked %d times", calls.Load())
	}
}

func TestAClientThatStopsReadingIsLeft(t *testing.T) {
	text := strings.Replace(oaiText, "Hello", strings.Repeat("a", 64<<10), 1)
	gone := make(chan struct{})
	up := openAIUp(func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		events(oai(oaiRole))(w, r)
		for r.Context().Err() == nil { // without end
			if _, err := io.WriteString(w, oai(text)); err != nil {
				return
			}
		}
	})
	up.price = starling.Price{Rates: starling.Rates{Input: 1, Output: 1_000_000}, Source: "test"}
	s := newStand(t, standOptions{serve: serve.Options{SendTime: 200 * time.Millisecond}}, up)
	l := s.dial()
	_ = l.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	l.say(post(chatPath, chat("up/m", true)))
	resp := must(http.ReadResponse(l.read, nil)) // and not a byte of the body
	select {
	case <-gone:
	case <-time.After(eventually):
		t.Fatal("the upstream goes on for a client that does not read")
	}
	r := s.receiptOf(resp.Header.Get("X-Starling-Receipt"))
	if r.Outcome != starling.Abandoned || r.Cost <= 0 || !r.Attempts[0].Usage.Estimated {
		t.Errorf("outcome %s, cost %s, usage %+v; what was sent is booked", r.Outcome, r.Cost, r.Attempts[0].Usage)
	}
}

func TestASlowReaderGetsAllOfAnAnswer(t *testing.T) {
	long := strings.Repeat("a", 256<<10)
	text := strings.Replace(oaiText, "Hello", long, 1)
	blocks := []string{oai(oaiRole)}
	for range 16 {
		blocks = append(blocks, oai(text))
	}
	s := newStand(t, standOptions{serve: serve.Options{BodyTime: 500 * time.Millisecond}}, openAIUp(events(append(blocks, oai(oaiStop), oai(oaiUsage), oai(oaiDone))...)))
	l := s.dial()
	l.say(post(chatPath, chat("up/m", true)))
	resp := must(http.ReadResponse(l.read, nil))
	defer resp.Body.Close()
	time.Sleep(700 * time.Millisecond) // longer than a body may take: that limit is over by now
	body, err := io.ReadAll(resp.Body)
	if err != nil || strings.Count(string(body), long) != 16 || !strings.Contains(string(body), "[DONE]") {
		t.Errorf("%d bytes came, %v", len(body), err)
	}
	if r := s.receiptOf(resp.Header.Get("X-Starling-Receipt")); r.Outcome != starling.Answered {
		t.Errorf("outcome %s", r.Outcome)
	}
}

func TestAnOldClientIsAnswered(t *testing.T) {
	s := newStand(t, standOptions{}, openAIUp(events(oai(oaiRole), oai(oaiText), oai(oaiStop), oai(oaiUsage), oai(oaiDone))))
	for _, c := range []struct {
		name, host string
		status     int
		says       string
	}{
		{"of HTTP/1.0", "Host: localhost\r\n", 200, "[DONE]"},
		{"which names no host", "", 403, "127.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := s.dial()
			l.say(strings.NewReplacer("HTTP/1.1", "HTTP/1.0", "Host: localhost\r\n", c.host).Replace(post(chatPath, chat("up/m", true))))
			a := l.hear()
			if a.status != c.status || !strings.Contains(a.body, c.says) {
				t.Errorf("status %d: %s", a.status, a.body)
			}
			wantHeadersBut(t, a, "X-Starling-Cost") // of a stream it is a trailer, and HTTP/1.0 has none
			l.wantClosed()
		})
	}
}

func wantHeadersBut(t testing.TB, a answer, left string) {
	t.Helper()
	if a.header.Get(left) == "" {
		a.header = a.header.Clone()
		a.header.Set(left, "not there, and need not be")
	}
	wantHeaders(t, a)
}

func TestAPathThatIsNotServedSaysSoInJSON(t *testing.T) {
	s, calls := uncalled(t, serve.Options{})
	for _, c := range []struct {
		name, method, target string
		says                 string
	}{
		{"GET of a question", "GET", chatPath, "POST /v1/chat/completions"},
		{"PUT of a question", "PUT", chatPath, "POST /v1/chat/completions"},
		{"DELETE of a question", "DELETE", messagesPath, "POST /v1/messages"},
		{"PATCH of a question", "PATCH", messagesPath, "POST /v1/messages"},
		{"OPTIONS of a question", "OPTIONS", chatPath, "POST /v1/chat/completions"},
		{"OPTIONS of everything", "OPTIONS", "*", ""},
		{"TRACE", "TRACE", chatPath, ""},
		{"a method that nobody has", "BREW", chatPath, "BREW"},
		{"POST of a list", "POST", "/v1/models", "GET /v1/models"},
		{"POST of a receipt", "POST", "/v1/receipts/x", "GET /v1/receipts/{id}"},
		{"a path of another API", "POST", "/v1/audio/speech", "POST /v1/chat/completions"},
		{"an answer that somebody else keeps", "GET", "/v1/responses/resp_1", "not kept here"},
		{"its deletion", "DELETE", "/v1/responses/resp_1", "not kept here"},
		{"its cancelling", "POST", "/v1/responses/resp_1/cancel", "not kept here"},
		{"what was asked", "GET", "/v1/responses/resp_1/input_items", "not kept here"},
		{"a conversation", "POST", "/v1/conversations", "not kept here"},
		{"its items", "GET", "/v1/conversations/conv_1/items", "not kept here"},
		{"a conversation to be made shorter", "POST", "/v1/responses/compact", "not compacted here"},
		{"nothing", "GET", "/nothing", "GET /healthz"},
		{"two slashes at the front", "POST", "/" + chatPath, chatPath},
		{"two slashes in the middle", "POST", "/v1//messages", "/v1/messages"},
		{"a slash behind it", "POST", "/v1/messages/", ""},
		{"a way round", "GET", "/v1/../healthz", "/healthz"},
		{"a way round in disguise", "GET", "/v1/%2e%2e/healthz", ""},
		{"capital letters", "POST", "/V1/Messages", ""},
		{"a path with a NUL", "GET", "/v1/models/%00", ""},
		{"a path that is not UTF-8", "GET", "/v1/models/%ff%fe", ""},
		{"a path without an end", "GET", "/" + strings.Repeat("a", 20_000), ""},
		{"a model that is not there", "GET", "/v1/models/nobody", "GET /v1/models"},
		{"a model without a name", "GET", "/v1/models/", ""},
		{"a receipt that is not there", "GET", "/v1/receipts/nobody", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := s.dial()
			l.say(c.method + " " + c.target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			a := l.hear()
			if a.status != http.StatusNotFound || !strings.Contains(a.body, c.says) || len(a.body) > 2000 {
				t.Errorf("status %d, body %s", a.status, a.body)
			}
			wantHeaders(t, a)
			path := chatPath
			if strings.HasPrefix(c.target, messagesPath) {
				path = messagesPath
			}
			wantEnvelope(t, path, a.body)
		})
	}
	if a := s.do(must(http.NewRequest(http.MethodHead, s.url+"/v1/models", nil))); a.status != 200 || a.body != "" {
		t.Errorf("HEAD of the models: status %d, body %q", a.status, a.body)
	}
	if a := s.do(must(http.NewRequest(http.MethodHead, s.url+chatPath, nil))); a.status != 404 || a.body != "" {
		t.Errorf("HEAD of a question: status %d, body %q", a.status, a.body)
	}
	if calls.Load() != 0 {
		t.Errorf("the upstream was asked %d times", calls.Load())
	}
}

func TestAWebSocketIsSentBackToHTTPOnEveryPath(t *testing.T) {
	s, calls := uncalled(t, serve.Options{})
	for _, target := range []string{"GET /v1/responses", "GET /v1/realtime", "GET /v1/chat/completions", "POST /v1/chat/completions", "POST /v1/messages", "GET /v1/models", "GET /", "GET /healthz", "GET //x"} {
		t.Run(target, func(t *testing.T) {
			l := s.dial()
			l.say(target + " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
			a := l.hear()
			if a.status != http.StatusUpgradeRequired || !strings.Contains(a.body, "use HTTP") {
				t.Errorf("status %d: %s", a.status, a.body)
			}
			wantHeaders(t, a)
			l.wantClosed()
		})
	}
	if calls.Load() != 0 {
		t.Errorf("the upstream was asked %d times", calls.Load())
	}
	a := s.get("/healthz", "Connection", "Upgrade, HTTP2-Settings", "Upgrade", "h2c", "HTTP2-Settings", "AAMAAABkAAQAAP__")
	if a.status != 200 {
		t.Errorf("an offer of HTTP/2 need not be taken, yet it got status %d", a.status)
	}
}

func TestMoreThanFitAtOnceAreSentAway(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	s := newStand(t, standOptions{serve: serve.Options{InFlight: 1}}, openAIUp(func(w http.ResponseWriter, r *http.Request) {
		close(inside)
		<-leave
		whole(wholeOpenAI)(w, r)
	}))
	first := make(chan answer)
	go func() { first <- s.ask(chatPath, chat("up/m", false)) }()
	<-inside
	for _, path := range []string{chatPath, messagesPath} {
		a := s.ask(path, chat("up/m", false))
		if a.status != statuses[path][starling.Overloaded] {
			t.Errorf("status %d: %s", a.status, a.body)
		}
		wantHeaders(t, a)
		wantEnvelope(t, path, a.body)
	}
	close(leave)
	if a := <-first; a.status != 200 {
		t.Errorf("the one inside got status %d: %s", a.status, a.body)
	}
}
