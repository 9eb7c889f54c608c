package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"starling"
)

// A Gateway is who answers. Safe for concurrent use if Do is.
type Gateway struct {
	URL string // of its root, without a slash at its end
	Key string // sent for callers who bring none; "" none
	Do  func(*http.Request) (*http.Response, error)
}

// Inside is the gateway of this process. Its requests come from this machine, as they do:
// whoever mounts what they come from has looked at who asked for them.
func Inside(api http.Handler) Gateway {
	return Gateway{URL: "http://127.0.0.1", Do: func(r *http.Request) (resp *http.Response, err error) {
		defer func() {
			if recover() != nil { // the handler has said what it was, and cut the connection
				resp, err = nil, &starling.Error{Kind: starling.Internal, Op: "mcp: the gateway broke off", Hint: "its log says why"}
			}
		}()
		r.RemoteAddr, r.RequestURI = "127.0.0.1:0", r.URL.RequestURI()
		if r.Body == nil {
			r.Body = http.NoBody
		}
		w := &written{header: http.Header{}, status: http.StatusOK}
		api.ServeHTTP(w, r)
		return &http.Response{StatusCode: w.status, Header: w.header, Body: io.NopCloser(&w.body), Request: r}, nil
	}}
}

// written is an answer that stays in memory. No tool asks for a stream.
type written struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *written) Header() http.Header         { return w.header }
func (w *written) WriteHeader(status int)      { w.status = status }
func (w *written) Write(b []byte) (int, error) { return w.body.Write(b) }

// A caller asks in somebody's name.
type caller struct {
	gateway Gateway
	header  http.Header // of the caller's own HTTP request; nil over stdio
	agent   string      // what this program calls itself
}

// An inquiry is one question to the gateway.
type inquiry struct {
	method, path string
	body         any // as JSON; nil none
	header       http.Header
}

// A reply is what the gateway said.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// terms are the headers with which a client says, once for all its tasks, what the
// arguments of a tool say of one. Where both are there the gateway refuses, as it does two
// of a kind from anybody: it is not for us to choose. Nor is it which of them are known, so
// that one that is misspelt is refused there too.
func terms(hs ...http.Header) http.Header {
	said := http.Header{}
	for _, h := range hs {
		for name, values := range h {
			if strings.HasPrefix(name, "X-Starling-") {
				said[name] = append(said[name], values...)
			}
		}
	}
	return said
}

// ask returns what the gateway answered, if that is no error. Errors: the gateway's own by
// Kind, with the receipt of a refusal that has one; Overloaded where nobody is there;
// ctx.Err().
func (c caller) ask(ctx context.Context, q inquiry) (reply, error) {
	req, err := c.request(ctx, q)
	if err != nil {
		return reply{}, err
	}
	resp, err := c.gateway.Do(req)
	if err != nil {
		return reply{}, c.silent(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}, c.silent(ctx, err)
	}
	r := reply{resp.StatusCode, resp.Header, body}
	if r.status != http.StatusOK {
		return r, r.failure()
	}
	return r, nil
}

func (c caller) request(ctx context.Context, q inquiry) (*http.Request, error) {
	var body io.Reader
	if q.body != nil {
		text, err := json.Marshal(q.body)
		if err != nil {
			return nil, &starling.Error{Kind: starling.Internal, Op: "mcp: write the question", Err: err}
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, c.gateway.URL+q.path, body)
	if err != nil {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "mcp: the gateway's address", Err: err}
	}
	req.Header = terms(c.header, q.header)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", c.agent)
	if key := c.header.Get("Authorization"); key != "" {
		req.Header.Set("Authorization", key)
	} else if c.gateway.Key != "" {
		req.Header.Set("Authorization", "Bearer "+c.gateway.Key)
	}
	return req, nil
}

// silent is the error of a gateway that says nothing.
func (c caller) silent(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if starling.KindOf(err) != starling.Internal {
		return err
	}
	return &starling.Error{Kind: starling.Overloaded, Op: "mcp: ask the gateway at " + c.gateway.URL, Hint: "is it there?", Err: err}
}

// into reads the body of a reply.
func (r reply) into(v any) error {
	if err := json.Unmarshal(r.body, v); err != nil {
		return &starling.Error{Kind: starling.Internal, Op: "mcp: understand the gateway", Hint: "is it of this version?", Err: err}
	}
	return nil
}

// failure is the error that the gateway answered with.
func (r reply) failure() error {
	told := gjson.GetBytes(r.body, "error")
	e := &starling.Error{Kind: r.kind(told.Get("code").String()), Op: told.Get("message").String()}
	if e.Op == "" {
		e.Op = fmt.Sprintf("the gateway answered with status %d", r.status)
	}
	if id := r.header.Get("X-Starling-Receipt"); id != "" && id != "none" {
		e.Hint = "receipt " + id
	}
	return e
}

// kind is the gateway's own, where an upstream's words did not take its place.
func (r reply) kind(code string) starling.Kind {
	switch kind := starling.Kind(code); {
	case slices.Contains(starling.Kinds, kind):
		return kind
	case r.status == http.StatusUnauthorized:
		return starling.Unauthenticated
	case r.status == http.StatusNotFound:
		return starling.NotFound
	case r.status == http.StatusRequestEntityTooLarge, code == "context_length_exceeded":
		return starling.TooLarge
	case r.status >= http.StatusInternalServerError, r.status == http.StatusTooManyRequests:
		return starling.Overloaded
	}
	return starling.Refused
}

// dollars reads an amount such as "$0.0001 (estimate)".
func dollars(said string) float64 {
	amount, _, _ := strings.Cut(said, " ")
	m, err := starling.ParseMoney(amount)
	if err != nil {
		return 0
	}
	return usd(m)
}

// usd is an amount for JSON, whose readers know no nanodollars.
func usd(m starling.Money) float64 { return float64(m) / float64(starling.Dollar) }
