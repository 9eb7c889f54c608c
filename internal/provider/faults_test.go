package provider

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"starling"
	"starling/internal/conform"
)

func withCancel(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}

// raw serves connections by hand: do gets each after its request was read.
func raw(t *testing.T, do func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
				do(c)
			}
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return "http://" + l.Addr().String()
}

// reset closes a connection with a RST.
func reset(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }

const sse = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

func say(parts ...string) func(net.Conn) {
	return func(c net.Conn) {
		for _, p := range parts {
			_, _ = io.WriteString(c, p)
		}
	}
}

func TestEveryWayInWhichAnUpstreamFailsIsAnErrorThatSaysIt(t *testing.T) {
	chunk := `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"` + canary + `"},"finish_reason":null}]}` + "\n\n"
	for _, c := range []struct {
		name   string
		do     func(net.Conn)
		kind   starling.Kind
		says   string
		billed bool
	}{
		{"hanging up on the question", say(), starling.Overloaded, "ended early", true},
		{"reset on the question", reset, starling.Overloaded, "reset", true},
		{"reset after the headers", func(c net.Conn) { say(sse + "\r\n")(c); reset(c) }, starling.Overloaded, "", true},
		{"reset within the answer", func(c net.Conn) { say(sse+"\r\n", chunk)(c); reset(c) }, starling.Overloaded, "", true},
		{"the end within a chunk", say(sse+"Transfer-Encoding: chunked\r\n\r\n", "ffff\r\n", chunk), starling.Overloaded, "ended early", true},
		{"a chunk that is none", say(sse+"Transfer-Encoding: chunked\r\n\r\n", canary+"\r\n"), starling.Overloaded, "does not speak HTTP", true},
		{"the end before the announced length", say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9999\r\n\r\n", chunk), starling.Overloaded, "ended early", true},
		{"something that is not HTTP", say(canary + " is not HTTP\r\n\r\n"), starling.Overloaded, "does not speak HTTP", true},
		{"a status that is none", say("HTTP/1.1 " + canary + "\r\n\r\n"), starling.Overloaded, "does not speak HTTP", true},
		{"headers without end", say("HTTP/1.1 200 OK\r\nX-Huge: " + strings.Repeat(canary, 40_000) + "\r\n\r\n"), starling.Overloaded, "", true},
		{"many headers", say("HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Many: "+canary+"\r\n", 20_000) + "\r\n"), starling.Overloaded, "", true},
		{"a page of a captive portal", say("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"), starling.Refused, "a stream of events", true},
		{"one JSON object for a stream", say("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"), starling.Refused, "a stream of events", true},
		{"a coding that was not asked for", say(sse + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"), starling.Refused, "coding", true},
		{"nothing at all", say(sse + "Content-Length: 0\r\n\r\n"), starling.Overloaded, "", true},
		{"a redirect", say("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://elsewhere.example/" + canary + "\r\nContent-Length: 0\r\n\r\n"), starling.Refused, "307", false},
		{"a refusal that is cut off", say("HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{\"error\":"), starling.Overloaded, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := &upstream{dialect: starling.OpenAI, Server: &httptest.Server{URL: raw(t, c.do)}}
			p := open(t, u.options(t))
			_, _, err := collect(t, p, calling(p, true))
			e, _ := errors.AsType[*starling.Error](err)
			if e == nil || e.Kind != c.kind || !strings.Contains(e.Error(), c.says) || e.Billed != c.billed {
				t.Errorf("%+v, want %s that says %q, billed %v", err, c.kind, c.says, c.billed)
			}
			if err != nil && strings.Contains(fmt.Sprintf("%v %+v", err, e), canary) {
				t.Errorf("content is in the error: %v", err)
			}
			if e != nil && !strings.HasPrefix(e.Op, "provider up") {
				t.Errorf("%q does not say whose error it is", e.Op)
			}
		})
	}
}

func TestAnAnswerInFiveBytePiecesIsTheSameAnswer(t *testing.T) {
	script := conform.Script{Words: []string{"größer ", "🐦‍⬛ ", "ende"}, Usage: starling.Usage{Input: 1, Output: 2}}
	for _, d := range []starling.Dialect{starling.OpenAI, starling.Anthropic} {
		u := serveScript(t, d, script)
		p := open(t, u.options(t))
		want, _, err := collect(t, p, calling(p, true))
		if err != nil {
			t.Fatal(err)
		}
		v := &upstream{dialect: d, Server: &httptest.Server{URL: raw(t, func(c net.Conn) {
			say("HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n", sse, "Connection: close\r\n\r\n")(c)
			for rest := want; rest != ""; {
				n := min(5, len(rest))
				say(rest[:n])(c)
				rest = rest[n:]
			}
		})}}
		q := open(t, v.options(t))
		if got, _, err := collect(t, q, calling(q, true)); got != want || err != nil {
			t.Errorf("%s: got %q and %v, want %q", d, got, err, want)
		}
	}
}

func TestEachPhaseHasALimitAndSaysItsName(t *testing.T) {
	hold := func(before func(http.ResponseWriter)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			before(w)
			<-r.Context().Done()
		}
	}
	headers := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
	}
	const short = 30 * time.Millisecond
	for _, c := range []struct {
		name   string
		before func(http.ResponseWriter)
		limits Limits
		stream bool
		says   string
	}{
		{"no headers", func(http.ResponseWriter) {}, Limits{Header: short}, true, "no response within 30ms"},
		{"no first event", headers, Limits{First: short}, true, "no first event within 30ms"},
		{"a stall", func(w http.ResponseWriter) {
			headers(w)
			_, _ = io.WriteString(w, (&upstream{dialect: starling.OpenAI}).opening()[0])
			_ = http.NewResponseController(w).Flush()
		}, Limits{Idle: short}, true, "no further event within 30ms"},
		{"half an event", func(w http.ResponseWriter) {
			headers(w)
			_, _ = io.WriteString(w, "data: {")
			_ = http.NewResponseController(w).Flush()
		}, Limits{First: short}, true, "no first event within 30ms"},
		{"all together", headers, Limits{Total: short}, true, "no complete answer within 30ms"},
		{"an answer that is not streamed", func(http.ResponseWriter) {}, Limits{Header: time.Nanosecond, Total: short}, false, "no complete answer within 30ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := &upstream{dialect: starling.OpenAI}
				p := u.inside(t, hold(c.before), func(o *Options) { o.Limits = c.limits })
				_, _, err := collect(t, p, calling(p, c.stream))
				e, _ := errors.AsType[*starling.Error](err)
				if e == nil || e.Kind != starling.Overloaded || !strings.Contains(e.Op, c.says) || !e.Billed {
					t.Errorf("%+v, want Overloaded that says %q and may be charged", err, c.says)
				}
			})
		})
	}
}

// What is translated has no place for comments and pings, but they keep it alive.
func TestAnUpstreamThatShowsThatItLivesIsWaitedFor(t *testing.T) {
	for d, alive := range map[starling.Dialect]string{starling.OpenAI: ": alive\n\n", starling.Anthropic: "event: ping\ndata: {\"type\":\"ping\"}\n\n"} {
		synctest.Test(t, func(t *testing.T) {
			u := &upstream{dialect: d, script: story}
			p := u.inside(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for range 15 {
					_, _ = io.WriteString(w, alive)
					_ = http.NewResponseController(w).Flush()
					time.Sleep(100 * time.Millisecond)
				}
				u.follow(w, r)
			}, func(o *Options) { o.Limits = Limits{First: time.Second, Idle: time.Second} })
			call := calling(p, true)
			call.Request = asking(map[starling.Dialect]starling.Dialect{starling.OpenAI: starling.Anthropic, starling.Anthropic: starling.OpenAI}[d], true)
			if _, _, err := collect(t, p, call); err != nil {
				t.Errorf("%s: %v", d, err)
			}
		})
	}
}

func TestAConnectionThatTakesTooLongBoughtNothing(t *testing.T) {
	// A TLS client waits for a server that never says hello.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	u := &upstream{dialect: starling.OpenAI, Server: &httptest.Server{URL: "https://" + l.Addr().String()}}
	o := u.options(t)
	o.Limits.Connect = 30 * time.Millisecond
	p := open(t, o)
	_, _, err = collect(t, p, calling(p, true))
	e, _ := errors.AsType[*starling.Error](err)
	if e == nil || e.Kind != starling.Overloaded || !strings.Contains(e.Op, "no connection within 30ms") || e.Billed {
		t.Errorf("%+v, want Overloaded that says so and bought nothing", err)
	}
}

func TestACertificateThatIsNotTrustedIsRefused(t *testing.T) {
	u := &upstream{dialect: starling.OpenAI, Server: httptest.NewUnstartedServer(http.NotFoundHandler())}
	u.Config.ErrorLog = discard()
	u.EnableHTTP2 = true
	u.StartTLS()
	defer u.Close()
	p := open(t, u.options(t))
	_, _, err := collect(t, p, calling(p, true))
	e, _ := errors.AsType[*starling.Error](err)
	if e == nil || e.Kind != starling.Refused || !strings.Contains(e.Op, "certificate") || e.Billed {
		t.Errorf("%+v, want Refused for its certificate", err)
	}
}

func TestATrustedUpstreamIsSpokenToInHTTP2(t *testing.T) {
	for _, stream := range []bool{true, false} {
		u := &upstream{dialect: starling.Anthropic, script: story, gone: make(chan struct{}, 1)}
		u.Server = httptest.NewUnstartedServer(u.heard(http.HandlerFunc(u.follow)))
		u.EnableHTTP2 = true
		u.StartTLS()
		t.Cleanup(u.Close)
		p := open(t, u.options(t))
		p.guard.doors[starling.Machine].TLSClientConfig = u.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		raw, _, err := collect(t, p, calling(p, stream))
		if err != nil || !strings.Contains(raw, "b ") || u.last.Load().ProtoMajor != 2 {
			t.Errorf("stream %v: answer %q, error %v", stream, raw, err)
		}

		u.script.Hang = conform.AtOnce
		ctx, cancel := withCancel(t)
		u.last.Store(nil)
		go func() {
			for u.last.Load() == nil {
				time.Sleep(time.Millisecond)
			}
			cancel()
		}()
		for _, err := range p.Generate(ctx, calling(p, stream)) {
			if starling.KindOf(err) != starling.Cancelled {
				t.Errorf("stream %v: %v, want Cancelled", stream, err)
			}
		}
		<-u.gone
	}
}

func TestHTTPWhereTLSIsExpectedIsRefused(t *testing.T) {
	u := serveHandler(t, starling.OpenAI, func(http.ResponseWriter, *http.Request) {})
	o := u.options(t)
	o.URL = strings.Replace(o.URL, "http:", "https:", 1)
	p := open(t, o)
	_, _, err := collect(t, p, calling(p, true))
	if starling.KindOf(err) != starling.Refused || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("%v, want Refused for TLS", err)
	}
}

func TestAnAnswerOverTheLimitIsCutOff(t *testing.T) {
	for _, stream := range []bool{true, false} {
		u := serveHandler(t, starling.OpenAI, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", map[bool]string{true: "text/event-stream", false: "application/json"}[stream])
			for range 1 << 20 {
				if _, err := io.WriteString(w, ": a comment that never ends well\n\n"); err != nil {
					return
				}
			}
		})
		o := u.options(t)
		o.Limits.Body = 100_000
		p := open(t, o)
		got, _, err := collect(t, p, calling(p, stream))
		if starling.KindOf(err) != starling.Refused || !strings.Contains(err.Error(), "100000 bytes") || len(got) > 100_000 {
			t.Errorf("stream %v: %d bytes and %v", stream, len(got), err)
		}
	}
}

func TestABodyOfExactlyTheLimitIsRead(t *testing.T) {
	a := &answer{ReadCloser: io.NopCloser(strings.NewReader("12345")), left: 5 + 1}
	if got, err := io.ReadAll(a); string(got) != "12345" || err != nil || a.err != io.EOF {
		t.Errorf("%q, %v, remembered %v", got, err, a.err)
	}
	b := &answer{ReadCloser: io.NopCloser(strings.NewReader("123456")), left: 5 + 1}
	if _, err := io.ReadAll(b); !errors.Is(err, errTooLong) {
		t.Errorf("one byte more gives %v", err)
	}
}

func TestAConnectionIsUsedAgain(t *testing.T) {
	for _, stream := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) { // the end of an answer comes in time, however busy the machine is
			u := &upstream{dialect: starling.Anthropic, script: story}
			p := u.inside(t, u.follow, nil)
			for range 20 {
				if _, _, err := collect(t, p, calling(p, stream)); err != nil {
					t.Fatal(err)
				}
			}
			if u.opened.Load() != 1 {
				t.Errorf("stream %v: 20 calls took %d connections", stream, u.opened.Load())
			}
		})
	}
}

func TestAProviderIsMadeOnlyOfWhatFits(t *testing.T) {
	good := Options{Name: "up", Dialect: starling.OpenAI, URL: "https://a.example/v1", Zone: starling.Cloud, Models: []starling.Model{{Name: "m"}}}
	g, err := NewGuard(Upstream{good.URL, good.Zone}, Upstream{"http://127.0.0.1:1/v1", starling.Machine})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*Options)
		valid  bool
	}{
		{"all is well", func(*Options) {}, true},
		{"a dialect that there is none of", func(o *Options) { o.Dialect = "morse" }, false},
		{"an upstream that the guard does not know", func(o *Options) { o.URL = "https://b.example" }, false},
		{"a zone that is not the guard's", func(o *Options) { o.Zone = starling.Machine }, false},
		{"a model of another provider", func(o *Options) { o.Models = []starling.Model{{Name: "m", Provider: "other"}} }, false},
		{"a model in another zone", func(o *Options) { o.Models = []starling.Model{{Name: "m", Zone: starling.Machine}} }, false},
		{"a model without a name", func(o *Options) { o.Models = []starling.Model{{}} }, false},
		{"a model that a near server only passes on", func(o *Options) {
			o.URL, o.Zone, o.Models = "http://127.0.0.1:1/v1", starling.Machine, []starling.Model{{Name: "gpt-oss:120b-cloud"}}
		}, false},
		{"one of the same name in a cloud", func(o *Options) { o.Models = []starling.Model{{Name: "gpt-oss:120b-cloud"}} }, true},
		{"a model that is listed twice", func(o *Options) { o.Models = []starling.Model{{Name: "m"}, {Name: "m"}} }, false},
		{"drained and hedged", func(o *Options) { o.Drain, o.HedgeAfter = true, time.Second }, false},
		{"a URL with a password", func(o *Options) { o.URL = "https://u:" + canary + "@a.example/v1" }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := good
			c.change(&o)
			p, err := New(g, o)
			if (err == nil) != c.valid || (err == nil) != (p != nil) || err != nil && (starling.KindOf(err) != starling.Invalid || strings.Contains(err.Error(), canary)) {
				t.Errorf("%v; valid should be %v", err, c.valid)
			}
		})
	}
}

func mustAddress(t *testing.T, raw string) *url.URL {
	u, err := url.Parse(raw)
	if err != nil {
		t.Skip("no URL can hold it")
	}
	return u
}
