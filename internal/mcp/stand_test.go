package mcp_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"starling"
	"starling/internal/cascade"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/mcp"
	"starling/internal/privacy"
	"starling/internal/provider"
	"starling/internal/route"
	"starling/internal/serve"
	"starling/internal/skill"
	"starling/internal/verify"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A stand is a whole gateway, with one upstream behind it.
type stand struct {
	t      testing.TB
	url    string
	ledger *ledger.Ledger
}

const said = `{"id":"c1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}}`

// says answers at once.
func says(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, said)
}

var skills = fstest.MapFS{
	"greet/SKILL.md":    {Data: []byte("---\nname: greet\ndescription: Says hello.\n---\n\n# Greet\n")},
	"greet/rubric.yaml": {Data: []byte("version: 1\nreference: up/m\nprompt: Greet whoever comes.\ncandidates: [up/m]\n")},
}

func newStand(t testing.TB, o serve.Options, upstream http.HandlerFunc, budgets ...ledger.Budget) *stand {
	t.Helper()
	up := httptest.NewServer(upstream)
	t.Cleanup(up.Close)
	guard := must(provider.NewGuard(provider.Upstream{URL: up.URL, Zone: starling.Cloud}))
	t.Cleanup(guard.Close)
	price := starling.Price{Rates: starling.Rates{Input: 1e9, Output: 5e9}, Source: "test"}
	m := starling.Model{Provider: "up", Name: "m", Dialect: starling.OpenAI, Zone: starling.Cloud, Price: price, Context: 1 << 20, MaxOutput: 4096}
	p := must(provider.New(guard, provider.Options{Name: "up", Dialect: starling.OpenAI, URL: up.URL + "/v1", Zone: starling.Cloud, Models: []starling.Model{m}}))
	t.Cleanup(p.Close)
	log := slog.New(slog.DiscardHandler)
	s := &stand{t: t, ledger: must(ledger.Open(t.Context(), ledger.Options{Dir: t.TempDir(), Log: log, Budgets: budgets}))}
	t.Cleanup(func() { _ = s.ledger.Close() })
	news := &ledger.Follower{Records: s.ledger.Records, Board: evidence.NewBoard()}
	set := must(skill.LoadAll(skills))
	greet, _ := set.Find("greet")
	c := &cascade.Cascade{
		Policy: &privacy.Policy{}, Ledger: s.ledger, Log: log, Providers: map[string]starling.Provider{"up": p},
		Router: &route.Router{
			Directory: must(route.NewDirectory(p.Models(), nil)), Skills: set, Board: news.Board,
			Verifiers: map[string][]starling.Verifier{"greet": must(verify.ForSkill(greet))},
		},
	}
	o.Learn = news.Catch
	o.Agents = func(api http.Handler) http.Handler {
		return mcp.Handler(mcp.Door{Gateway: mcp.Inside(api), Version: "test"})
	}
	s.serve(serve.New(c, s.ledger, log, o))
	return s
}

func (s *stand) serve(server *serve.Server) {
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	s.url = "http://" + ln.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln) }()
	s.t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			s.t.Error(err)
		}
	})
}

// key makes a key of a team.
func (s *stand) key(team string) string {
	secret, _, err := s.ledger.CreateKey(s.t.Context(), ledger.KeySpec{Name: "of " + team, Team: team})
	if err != nil {
		s.t.Fatal(err)
	}
	return secret
}

// A way is a transport to a gateway, opened for a caller with headers.
type way struct {
	name string
	open func(t testing.TB, s *stand, header http.Header, o *sdk.ClientOptions) *sdk.ClientSession
}

var ways = []way{{"stdio", overStdio}, {"http", overHTTP}}

// overStdio is how an agent speaks to the program that it starts, pipes and all.
func overStdio(t testing.TB, s *stand, header http.Header, o *sdk.ClientOptions) *sdk.ClientSession {
	toServer, fromClient := io.Pipe()
	toClient, fromServer := io.Pipe()
	transport := &http.Transport{}
	client := &http.Client{Transport: transport}
	door := mcp.Door{Version: "test", Gateway: mcp.Gateway{URL: s.url, Key: strings.TrimPrefix(header.Get("Authorization"), "Bearer "), Do: client.Do}}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mcp.Stdio(ctx, door, toServer, fromServer) }()
	t.Cleanup(func() {
		_ = fromClient.Close()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
	})
	return connect(t, &sdk.IOTransport{Reader: toClient, Writer: fromClient}, o)
}

func overHTTP(t testing.TB, s *stand, header http.Header, o *sdk.ClientOptions) *sdk.ClientSession {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: headed{transport, header}}
	return connect(t, &sdk.StreamableClientTransport{Endpoint: s.url + "/mcp", HTTPClient: client, MaxRetries: -1}, o)
}

func connect(t testing.TB, over sdk.Transport, o *sdk.ClientOptions) *sdk.ClientSession {
	t.Helper()
	session, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, o).Connect(context.Background(), over, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sync.OnceFunc(func() { _ = session.Close() }))
	return session
}

// headed adds headers to every request.
type headed struct {
	http.RoundTripper
	header http.Header
}

func (h headed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, values := range h.header {
		r.Header[name] = values
	}
	return h.RoundTripper.RoundTrip(r)
}

// bearer are the headers of somebody with a key; none without.
func bearer(key string) http.Header {
	h := http.Header{}
	if key != "" {
		h.Set("Authorization", "Bearer "+key)
	}
	return h
}

type arguments map[string]any

// call calls a tool, which must not fail, and reads its structured result.
func call[Out any](t testing.TB, session *sdk.ClientSession, tool string, args any) (out Out) {
	t.Helper()
	result, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		t.Fatal(err)
	}
	if result.IsError {
		t.Fatalf("%s: %s", tool, text(result))
	}
	raw := must(json.Marshal(result.StructuredContent))
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%s: %v in %s", tool, err, raw)
	}
	return out
}

// refused calls a tool, which must fail as tools do, and returns what it says.
func refused(t testing.TB, session *sdk.ClientSession, tool string, args any) string {
	t.Helper()
	result, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		t.Fatalf("%s: a protocol error: %v", tool, err)
	}
	if !result.IsError {
		t.Fatalf("%s: not refused: %s", tool, text(result))
	}
	return text(result)
}

func text(r *sdk.CallToolResult) string {
	var all strings.Builder
	for _, c := range r.Content {
		if c, ok := c.(*sdk.TextContent); ok {
			all.WriteString(c.Text)
		}
	}
	return all.String()
}
