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
	"slices"
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
	keep   bool // what is asked; said before anybody asks
	kept   []exchange
}

// An exchange is a question that passed, as the bytes that were sent, and the id of
// its receipt.
type exchange struct {
	Path    string
	Body    []byte
	Receipt string
	nth     int // of the questions, as they came
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
		nth := 0
		t.note(func() { t.counts.Asked++; nth = t.counts.Asked })
		path := r.URL.Path // which is changed on the way
		defer func() {
			if errors.Is(r.Context().Err(), context.Canceled) {
				t.note(func() { t.counts.Cancelled++ })
			}
			if t.keep {
				t.note(func() { t.kept = append(t.kept, exchange{path, body, w.Header().Get("X-Starling-Receipt"), nth}) })
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

// exchanges ends the tap and returns what was kept, in the order in which it was asked.
// Who asked last may have the answer a moment before it is kept: that is waited for.
func (t *tap) exchanges(ctx context.Context) []exchange {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_ = t.http.Shutdown(ctx) // what has not ended by then is none that can be shown
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.SortedFunc(slices.Values(t.kept), func(a, b exchange) int { return a.nth - b.nth })
}

// tell answers what the taps counted, for the scripts.
func tell(front, back *tap) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]counts{"gateway": front.read(), "upstream": back.read()})
	})
}
