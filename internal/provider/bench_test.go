//go:build unix

package provider

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptrace"
	"syscall"
	"testing"
	"time"

	"starling"
)

// canned is an upstream that costs next to nothing, so that what is measured is
// the caller's side.
func canned(b *testing.B, stream bool) *upstream {
	kind, body := answerOf(stream)
	return serveHandler(b, starling.OpenAI, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header()["Content-Type"] = []string{kind}
		_, _ = w.Write(body)
	})
}

func answerOf(stream bool) (kind string, body []byte) {
	u := &upstream{dialect: starling.OpenAI, script: story}
	body = []byte(u.opening()[0] + u.word("one") + u.word("two") + u.ending()[0] + u.ending()[1] + u.ending()[2])
	kind = "text/event-stream"
	if !stream {
		kind, body = "application/json", []byte(`{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"one two"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}`)
	}
	return kind, body
}

// BenchmarkGenerateAlone is what a call costs beside its HTTP exchange: there is
// none. Reading the answer (internal/wire) is included.
func BenchmarkGenerateAlone(b *testing.B) {
	for name, stream := range map[string]bool{"stream": true, "whole": false} {
		b.Run(name, func(b *testing.B) {
			p := open(b, canned(b, stream).options(b))
			kind, body := answerOf(stream)
			p.guard.doors[starling.Machine].RegisterProtocol("http", instead(func(r *http.Request) *http.Response {
				trace := httptrace.ContextClientTrace(r.Context())
				trace.GotConn(httptrace.GotConnInfo{})
				trace.WroteHeaders()
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(bytes.NewReader(body))}
			}))
			call := calling(p, stream)
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range p.Generate(b.Context(), call) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

type instead func(*http.Request) *http.Response

func (f instead) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// spent returns the processor time that this process has used.
func spent(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkGenerate compares a call with the same exchange by a bare
// http.Client, over real HTTP on loopback. The processor time, the upstream's
// included, is what to compare: it does not depend on what else the machine does.
func BenchmarkGenerate(b *testing.B) {
	for name, stream := range map[string]bool{"stream": true, "whole": false} {
		b.Run(name+"/starling", func(b *testing.B) {
			u := canned(b, stream)
			p := open(b, u.options(b))
			call := calling(p, stream)
			b.ReportAllocs()
			before := spent(b)
			for b.Loop() {
				for _, err := range p.Generate(b.Context(), call) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(spent(b)-before)/float64(b.N), "cpu-ns/op")
		})
		b.Run(name+"/bare", func(b *testing.B) {
			u := canned(b, stream)
			client := &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 8}}
			defer client.CloseIdleConnections()
			body := asking(starling.OpenAI, stream).Body
			b.ReportAllocs()
			before := spent(b)
			for b.Loop() {
				req, _ := http.NewRequestWithContext(b.Context(), http.MethodPost, u.base()+"/chat/completions", bytes.NewReader(body))
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Authorization", "Bearer "+canary)
				resp, err := client.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			b.ReportMetric(float64(spent(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
