package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/tidwall/gjson"
)

// minimal is the baseline: the least that a proxy in Go can do and still know
// what passes through it. It reads the body, peeks at the model, forwards, and
// reads the usage. It has no ledger, no budget, no route and no receipts.
type minimal struct {
	upstream string
	client   *http.Client
	tokens   atomic.Int64
}

// serveMinimal serves until ctx ends.
func serveMinimal(ctx context.Context, listen, upstream string) error {
	m := &minimal{upstream: upstream, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}}}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: m, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	if err := srv.Serve(ln); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func (m *minimal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "unreadable body", http.StatusBadRequest)
		return
	}
	if gjson.GetBytes(body, "model").String() == "" {
		http.Error(w, "no model", http.StatusBadRequest)
		return
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, m.upstream+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", r.Header.Get("Authorization"))
	if version := r.Header.Get("Anthropic-Version"); version != "" { // that dialect's servers demand it
		req.Header.Set("Anthropic-Version", version)
	}
	resp, err := m.client.Do(req)
	if err != nil {
		http.Error(w, "upstream", http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
	w.WriteHeader(resp.StatusCode)
	if gjson.GetBytes(body, "stream").Bool() {
		m.stream(w, resp.Body)
		return
	}
	answer, _ := io.ReadAll(resp.Body)
	m.count(answer)
	_, _ = w.Write(answer)
}

// stream passes events on as they come, each flushed.
func (m *minimal) stream(w http.ResponseWriter, body io.Reader) {
	flush := http.NewResponseController(w)
	lines := bufio.NewReader(body)
	for {
		line, err := lines.ReadSlice('\n')
		if _, werr := w.Write(line); werr != nil || err != nil {
			return
		}
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok && bytes.Contains(data, []byte(`"usage"`)) {
			m.count(data)
		}
		if len(line) == 1 {
			_ = flush.Flush()
		}
	}
}

func (m *minimal) count(body []byte) {
	m.tokens.Add(gjson.GetBytes(body, "usage.total_tokens").Int())
}
