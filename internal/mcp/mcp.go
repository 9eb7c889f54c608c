// Package mcp is Starling for agents: the tools and resources of the Model Context
// Protocol, each of which is one or two questions to the gateway's own HTTP API, asked in
// the caller's name. It translates and decides nothing, so keys, classes, zones, caps and
// receipts hold here because they hold there.
//
// Start reading at [Door], then tool.go; [Stdio] and [Handler] are the two ways in.
//
// Source: https://modelcontextprotocol.io/specification, revision 2026-07-28; older ones
// are spoken where a client asks for them.
package mcp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"starling"
)

// beat is the time between two signs of life while an answer is waited for.
const beat = 5 * time.Second

// instructions are what a client may tell its model of all this.
const instructions = "Starling answers bounded tasks with the cheapest model that was shown to be good enough, and proves it by receipts. " +
	"Hand over a task that is complete in itself; say how sensitive its data is (class), what it may cost and how good it must be."

// A Door is a way in: to whom it leads, and what is told of it.
type Door struct {
	Gateway Gateway
	Version string // of the program
}

// longestLine is the most of a message that is read over stdin, in bytes: more than a
// gateway takes, which can say so.
const longestLine = 64 << 20

// Stdio serves one client, who writes lines to in and reads them from out, until in ends
// or ctx does. It closes in. Errors: Invalid for what is no message, after which nobody
// knows where the next one begins; Internal.
func Stdio(ctx context.Context, d Door, in io.ReadCloser, out io.Writer) error {
	to := &unclosed{Writer: out}
	err := d.server().Run(ctx, &sdk.IOTransport{Reader: in, Writer: to, MaxLineLength: longestLine})
	if err == nil || ctx.Err() != nil || errors.Is(err, io.EOF) {
		return nil
	}
	if to.failed.Load() {
		return &starling.Error{Kind: starling.Internal, Op: "mcp: speak over stdin and stdout", Err: err}
	}
	return &starling.Error{Kind: starling.Invalid, Op: "mcp: read a message", Hint: "write JSON-RPC to stdin, each message on a line of its own, of at most 64 MiB", Err: err}
}

// unclosed is somebody else's writer.
type unclosed struct {
	io.Writer
	failed atomic.Bool
}

func (u *unclosed) Write(b []byte) (int, error) {
	n, err := u.Writer.Write(b)
	if err != nil {
		u.failed.Store(true)
	}
	return n, err
}

func (*unclosed) Close() error { return nil }

// Handler serves clients over HTTP, without sessions: each request stands alone and brings
// its Authorization. Whoever mounts it guards it: it looks at no host and limits no body.
func Handler(d Door) http.Handler {
	s := d.server()
	h := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, &sdk.StreamableHTTPOptions{
		Stateless: true, PropagateRequestCancellation: true, MaxRequestBodyBytes: -1, DisableLocalhostProtection: true,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), connection{}, r.Context())))
	})
}

// connection is the key of the context of the HTTP request that brought a call. With the
// older revisions of the protocol the SDK lets a call go on when its connection has ended,
// since it may be resumed; here nothing can be, so nobody would ever read the answer.
type connection struct{}

// attended returns a context that ends with ctx, and with the call's connection if it has
// one.
func attended(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	c, ok := ctx.Value(connection{}).(context.Context)
	if !ok {
		return ctx, cancel
	}
	stop := context.AfterFunc(c, cancel)
	return ctx, func() { stop(); cancel() }
}

func (d Door) server() *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "starling", Title: "Starling", Version: d.Version}, &sdk.ServerOptions{
		Instructions: instructions,
		Capabilities: &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{}, Resources: &sdk.ResourceCapabilities{}}, // neither changes
	})
	d.tools(s)
	d.resources(s)
	return s
}
