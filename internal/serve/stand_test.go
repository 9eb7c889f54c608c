package serve_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"starling"
	"starling/internal/cascade"
	"starling/internal/evidence"
	"starling/internal/ledger"
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

// An upstreamAt is a test's upstream: what it is, and what it does.
type upstreamAt struct {
	name    string
	model   string // "m" if unsaid
	dialect starling.Dialect
	also    []starling.Dialect
	zone    starling.Zone
	price   starling.Price
	drain   bool
	limits  provider.Limits  // instead of those of the stand
	takes   starling.Dialect // instead of conversations
	handler http.Handler
}

// A stand is a whole gateway over real HTTP: callers, upstreams and a ledger.
type stand struct {
	t       testing.TB
	dir     string // of the ledger
	url     string
	addr    string // host and port of url
	ledger  *ledger.Ledger
	server  *serve.Server
	client  *http.Client
	asked   map[string]string // the upstreams' URLs
	key     string            // sent with every question; "" for none
	cascade *cascade.Cascade
	news    *ledger.Follower // keeps the board of evidence up to date
	stop    func()           // has the gateway stop, and waits until it has
}

// dollar is a price that makes tokens easy to follow: a dollar for a million,
// five for a million of output.
var dollar = starling.Price{Rates: starling.Rates{Input: 1e9, Output: 5e9, CacheRead: 1e8, CacheWrite: 1.25e9}, Source: "test"}

// versions are how upstreams of the dialects are usually configured to begin.
var versions = map[starling.Dialect]string{starling.OpenAI: "/v1", starling.Anthropic: "/v1", starling.Responses: "/v1", starling.Gemini: "/v1beta"}

type standOptions struct {
	serve   serve.Options
	limits  provider.Limits
	budgets []ledger.Budget
	skills  fstest.MapFS
	trip    int  // failures in a row that stop the calls to a model; 5
	keyed   bool // there is a key, and questions carry it
	log     *slog.Logger
	observe *cascade.Observing
	store   string // the URL of a store that gateways share; "": its own
}

func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableCompression: true}}
}

// newStand puts a gateway in front of the upstreams. Each offers one model.
func newStand(t testing.TB, o standOptions, ups ...upstreamAt) *stand {
	t.Helper()
	s := &stand{t: t, asked: map[string]string{}, client: newClient()}
	var addresses []provider.Upstream
	for i, up := range ups {
		server := httptest.NewServer(up.handler)
		t.Cleanup(server.Close)
		s.asked[up.name] = server.URL
		if up.zone == starling.Nowhere {
			ups[i].zone = starling.Cloud
		}
		addresses = append(addresses, provider.Upstream{URL: server.URL, Zone: ups[i].zone})
	}
	guard := must(provider.NewGuard(addresses...))
	t.Cleanup(guard.Close)

	providers := map[string]starling.Provider{}
	var models []starling.Model
	for _, up := range ups {
		if !up.price.Known() {
			up.price = dollar
		}
		m := starling.Model{Provider: up.name, Name: cmp.Or(up.model, "m"), Dialect: up.dialect, Zone: up.zone, Price: up.price, Takes: up.takes, Context: 1 << 20, MaxOutput: 4096}
		p := must(provider.New(guard, provider.Options{Name: up.name, Dialect: up.dialect, Also: up.also, URL: s.asked[up.name] + versions[up.dialect], Zone: up.zone, Models: []starling.Model{m}, Limits: cmp.Or(up.limits, o.limits), Drain: up.drain, Trip: o.trip}))
		t.Cleanup(p.Close)
		providers[up.name] = p
		models = append(models, p.Models()...)
	}
	s.open(o, providers, must(route.NewDirectory(models, nil)))
	return s
}

func (s *stand) open(o standOptions, providers map[string]starling.Provider, directory *route.Directory) {
	log := cmp.Or(o.log, slog.New(slog.DiscardHandler))
	s.dir = s.t.TempDir()
	s.ledger = must(ledger.Open(context.Background(), ledger.Options{Dir: s.dir, URL: o.store, Log: log, Budgets: o.budgets}))
	s.t.Cleanup(func() { _ = s.ledger.Close() })
	s.news = &ledger.Follower{Records: s.ledger.Records, Board: evidence.NewBoard()}
	o.serve.Learn = s.news.Catch
	set := must(skill.LoadAll(o.skills))
	verifiers := map[string][]starling.Verifier{}
	for _, name := range set.Names() {
		sk, _ := set.Find(name)
		verifiers[name] = must(verify.ForSkill(sk))
	}
	c := &cascade.Cascade{
		Policy: &privacy.Policy{}, Router: &route.Router{Directory: directory, Skills: set, Verifiers: verifiers, Board: s.news.Board},
		Providers: providers, Ledger: s.ledger, Log: log, Observe: o.observe,
	}
	if o.keyed {
		s.key, _ = s.newKey(ledger.KeySpec{Name: "the stand's"})
	}
	s.cascade = c
	s.server = serve.New(c, s.ledger, log, o.serve)
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	s.addr, s.url = ln.Addr().String(), "http://"+ln.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(ctx, ln) }()
	s.stop = sync.OnceFunc(func() {
		stop()
		if err := <-served; err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(func() {
		s.client.CloseIdleConnections()
		s.stop()
	})
}

// newKey makes a key.
func (s *stand) newKey(spec ledger.KeySpec) (secret, id string) {
	s.t.Helper()
	secret, k, err := s.ledger.CreateKey(context.Background(), spec)
	if err != nil {
		s.t.Fatal(err)
	}
	return secret, k.ID
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// testSkill is a folder with one skill, "test", whose rubric goes on as given.
func testSkill(rubric string) fstest.MapFS { return skillFiles("test", rubric) }

func skillFiles(name, rubric string) fstest.MapFS {
	return fstest.MapFS{
		name + "/SKILL.md":    {Data: []byte("---\nname: " + name + "\ndescription: A skill for tests.\n---\n\n# Test\n")},
		name + "/rubric.yaml": {Data: []byte("version: 1\n" + rubric)},
	}
}

// more adds a folder of skills to another.
func more(a, b fstest.MapFS) fstest.MapFS {
	maps.Copy(a, b)
	return a
}

// An answer is what a caller got.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
}

// ask posts a body to a path of the gateway and reads the whole answer.
func (s *stand) ask(path, body string, header ...string) answer {
	s.t.Helper()
	req := must(http.NewRequest(http.MethodPost, s.url+path, bytes.NewReader([]byte(body))))
	req.Header.Set("Content-Type", "application/json")
	return s.do(req, header...)
}

// get asks for a path of the gateway.
func (s *stand) get(path string, header ...string) answer {
	s.t.Helper()
	return s.do(must(http.NewRequest(http.MethodGet, s.url+path, nil)), header...)
}

// do sends a request with headers, given by name and value, and reads the whole
// answer. A header "Host" is the host.
func (s *stand) do(req *http.Request, header ...string) answer {
	s.t.Helper()
	if s.key != "" {
		req.Header.Set("Authorization", "Bearer "+s.key)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	return readAnswer(resp)
}

func readAnswer(resp *http.Response) answer {
	data, err := io.ReadAll(resp.Body)
	for name, values := range resp.Trailer {
		resp.Header[name] = values
	}
	return answer{resp.StatusCode, resp.Header, string(data), err}
}

const (
	chatPath     = "/v1/chat/completions"
	messagesPath = "/v1/messages"

	responsesPath = "/v1/responses"
)

// chat and messages are small questions to a model, streamed or not.
func chat(model string, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"stream":%t,"max_tokens":100,"messages":[{"role":"user","content":"hello"}]}`, model, stream)
}

func messages(model string, stream bool) string { return chat(model, stream) }

// receipt returns the settled receipt of an answer.
func (s *stand) receipt(a answer) *starling.Receipt {
	s.t.Helper()
	id := a.header.Get("X-Starling-Receipt")
	if id == "" || id == "none" {
		s.t.Fatalf("no receipt: status %d, body %s", a.status, a.body)
	}
	return s.receiptOf(id)
}

func (s *stand) receiptOf(id string) *starling.Receipt {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), eventually)
	defer cancel()
	for {
		sealed, err := s.ledger.Receipt(ctx, id)
		if err == nil {
			return must(sealed.Receipt())
		}
		if ctx.Err() != nil || starling.KindOf(err) != starling.NotFound {
			s.t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

// events answers with server-sent events, one write and flush each.
func events(blocks ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		for _, b := range blocks {
			_, _ = io.WriteString(w, b)
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// whole answers with a JSON body.
func whole(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}
}

// whole answers of both dialects
const (
	wholeOpenAI    = `{"id":"c1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}}`
	wholeAnthropic = `{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":100,"output_tokens":20}}`
)

// large skips a test of much text, or of many requests, where tests are to be short: the
// race detector makes it ten times slower and finds nothing in it that the others lack.
func large(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it runs without -short")
	}
}
