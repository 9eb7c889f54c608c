package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// A tap passes everything on, byte for byte, and counts: one stands between the
// upstreams and the gateway, one between the clients whose requests are counted
// and the gateway.
type tap struct {
	URL  string
	http *http.Server

	mu     sync.Mutex
	counts counts
}

// Counts are what passed a tap.
type counts struct {
	Asked     int `json:"asked"`     // questions: every POST
	Cancelled int `json:"cancelled"` // of them, those whose caller left before the end
	Other     int `json:"other"`
}

// newTap listens on loopback and passes on what to says, which may change the
// request's path.
func newTap(to func(*http.Request) *url.URL) (*tap, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &tap{URL: "http://" + ln.Addr().String()}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to(r.Out))
			r.Out.Host = r.In.Host
		},
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // those who leave are counted, not logged
	}
	t.http = &http.Server{Handler: t.counting(proxy), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go t.http.Serve(ln) // ends with close
	return t, nil
}

func (t *tap) close() { _ = t.http.Close() }

func (t *tap) counting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			t.note(func() { t.counts.Other++ })
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "the body could not be read", http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		t.note(func() { t.counts.Asked++ })
		defer func() {
			if errors.Is(r.Context().Err(), context.Canceled) {
				t.note(func() { t.counts.Cancelled++ })
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func (t *tap) note(change func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change()
}

func (t *tap) read() counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}

// tell answers what the taps counted, for the scripts.
func tell(front, back *tap) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]counts{"gateway": front.read(), "upstream": back.read()})
	})
}
