package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/gjson"

	"starling"
)

// Options are what a Server is made of. The zero value serves no model.
type Options struct {
	Models []Model // of two with one name the first counts
	Cases  []Case  // whose answers are known
	Facts  []Fact  // of long documents
	Seed   uint64  // another seed, another world

	Key     string        // what callers must send as bearer token or x-api-key; "" asks for none
	MaxBody int64         // most bytes of a request; 0 is 32 MiB
	Stall   time.Duration // how long a stalled answer keeps its connection; 0 is a minute
	Grace   time.Duration // how long Close lets open answers go on; 0 is two seconds
}

// A Server answers as the vendors of its models would. It is an [http.Handler]
// of its own, and listens when started ([Server.Start]). Safe for concurrent use.
type Server struct {
	die      die
	models   map[string]*runner
	names    []string // of the models, in the order given
	cases    map[string]*Case
	facts    []Fact
	key      [sha256.Size]byte
	open     bool // no key is asked for
	maxBody  int64
	stall    time.Duration
	grace    time.Duration
	attempts attempts
	schemas  schemas
	requests atomic.Uint64 // for request ids

	listening listening

	mu      sync.Mutex
	closing bool
	running sync.WaitGroup // requests; grows only under mu while not closing
}

// New makes a server that does not listen yet.
func New(o Options) *Server {
	s := &Server{
		die:     die(mix(o.Seed)),
		models:  make(map[string]*runner, len(o.Models)),
		cases:   index(o.Cases),
		facts:   o.Facts,
		key:     sha256.Sum256([]byte(o.Key)),
		open:    o.Key == "",
		maxBody: orElse(o.MaxBody, 32<<20),
		stall:   orElse(o.Stall, time.Minute),
		grace:   orElse(o.Grace, 2*time.Second),
	}
	for _, m := range o.Models {
		if _, twice := s.models[m.Name]; twice || m.Name == "" {
			continue
		}
		s.models[m.Name] = &runner{Model: m.filled()}
		s.names = append(s.names, m.Name)
	}
	return s
}

// ServeHTTP answers one request. A connection that a [Failure] cuts ends in the
// panic with [http.ErrAbortHandler] that net/http asks for.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &visit{Server: s, w: w, r: r, dialect: dialectOf(r)}
	x.id = s.die.nth(int64(s.requests.Add(1))).name("req")
	h := w.Header()
	h.Set("X-Starling-Simulated", "true")
	if x.dialect == starling.Anthropic {
		h.Set("Request-Id", x.id)
	} else {
		h.Set("X-Request-Id", x.id)
	}
	if !s.enter() {
		x.refuse(&fault{cause: overloaded, message: "The simulator is shutting down"})
		return
	}
	defer s.running.Done()
	if f := x.route(); f != nil {
		x.refuse(f)
	}
}

// enter counts a request in, unless the server is closing.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.running.Add(1)
	return true
}

// A visit is one HTTP request and its reply.
type visit struct {
	*Server
	w       http.ResponseWriter
	r       *http.Request
	dialect starling.Dialect
	id      string // of the request
}

func (x *visit) refuse(f *fault) { f.write(x.w, x.dialect, x.id) }

// dialectOf tells by the path, and where both vendors have it by the headers.
func dialectOf(r *http.Request) starling.Dialect {
	switch {
	case strings.HasPrefix(r.URL.Path, "/v1beta/"), r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/v1/models/"):
		return starling.Gemini
	case strings.HasPrefix(r.URL.Path, "/v1/messages"):
		return starling.Anthropic
	case r.URL.Path == "/api/generate":
		return starling.Generate
	case strings.HasPrefix(r.URL.Path, "/api/") && r.URL.Path != "/api/hello":
		return starling.Ollama
	case r.URL.Path == "/v1/completions":
		return starling.Completions
	case r.URL.Path == "/v1/responses":
		return starling.Responses
	case strings.HasPrefix(r.URL.Path, "/v1/chat/"), r.URL.Path == "/v1/embeddings", r.URL.Path == "/v1/moderations":
		return starling.OpenAI
	case r.Header.Get("Anthropic-Version") != "" || r.Header.Get("X-Api-Key") != "":
		return starling.Anthropic
	}
	return starling.OpenAI
}

func (x *visit) route() *fault {
	if f := x.admit(); f != nil {
		return f
	}
	path := x.r.URL.Path
	switch {
	case path == "/v1/chat/completions":
		return x.post(func(f map[string]gjson.Result) *fault { return x.generate(parseOpenAI(f)) })
	case path == "/v1/completions":
		return x.post(func(f map[string]gjson.Result) *fault { return x.generate(parseCompletions(f)) })
	case path == "/api/chat":
		return x.post(func(f map[string]gjson.Result) *fault { return x.generate(parseOllama(f)) })
	case path == "/api/generate":
		return x.post(func(f map[string]gjson.Result) *fault { return x.generate(parseGenerate(f)) })
	case path == "/api/embed":
		return x.post(func(f map[string]gjson.Result) *fault { return x.embed(parseOllamaEmbed(f)) })
	case path == "/api/tags":
		return x.listTags()
	case path == "/v1/responses":
		return x.post(func(f map[string]gjson.Result) *fault { return x.generate(parseResponses(f)) })
	case path == "/v1/embeddings":
		return x.post(func(f map[string]gjson.Result) *fault { return x.embed(parseEmbeddings(f)) })
	case path == "/v1/moderations":
		return x.post(x.moderate)
	case path == "/v1/messages":
		return x.post(func(f map[string]gjson.Result) *fault { return x.generate(parseAnthropic(f)) })
	case path == "/v1/messages/count_tokens":
		return x.post(x.countTokens)
	case x.dialect == starling.Gemini && x.r.Method == http.MethodPost:
		return x.gemini()
	case path == "/v1/models" || path == "/v1beta/models":
		return x.listModels()
	case strings.HasPrefix(path, "/v1beta/models/"):
		return x.showModel(strings.TrimPrefix(path, "/v1beta/models/"))
	case strings.HasPrefix(path, "/v1/models/"):
		return x.showModel(strings.TrimPrefix(path, "/v1/models/"))
	}
	return &fault{cause: noRoute, message: "The simulator has no such path"}
}

// admit checks the key, wherever either vendor's clients put it.
func (x *visit) admit() *fault {
	if x.open {
		return nil
	}
	key := x.r.Header.Get("X-Api-Key")
	if bearer, ok := strings.CutPrefix(x.r.Header.Get("Authorization"), "Bearer "); ok {
		key = bearer
	}
	if x.dialect == starling.Gemini {
		if key = x.r.Header.Get("X-Goog-Api-Key"); key == "" {
			key = x.r.URL.Query().Get("key")
		}
	}
	got := sha256.Sum256([]byte(key))
	if subtle.ConstantTimeCompare(got[:], x.key[:]) == 1 {
		return nil
	}
	switch x.dialect {
	case starling.Anthropic:
		return &fault{cause: badKey, message: "invalid x-api-key"}
	case starling.Gemini:
		return &fault{cause: badKey, message: "API key not valid. Please pass a valid API key."}
	}
	return &fault{cause: badKey, message: "Incorrect API key provided"}
}

// post reads the body and hands its fields on.
func (x *visit) post(next func(map[string]gjson.Result) *fault) *fault {
	if x.r.Method != http.MethodPost {
		x.w.Header().Set("Allow", http.MethodPost)
		return &fault{cause: badMethod, message: "Only POST is allowed here"}
	}
	if x.dialect == starling.Anthropic && x.r.Header.Get("Anthropic-Version") == "" {
		return refused("", "anthropic-version: header is required")
	}
	body, f := x.body()
	if f != nil {
		return f
	}
	fields, f := object(body)
	if f != nil {
		return f
	}
	return next(fields)
}

// body reads at most the allowed bytes, and waits for them at most a minute.
func (x *visit) body() ([]byte, *fault) {
	limit := http.MaxBytesReader(x.w, x.r.Body, x.maxBody)
	deadline := http.NewResponseController(x.w)
	if x.r.ContentLength != 0 {
		deadline.SetReadDeadline(time.Now().Add(time.Minute)) // not every writer can: then there is none
		defer deadline.SetReadDeadline(time.Time{})
	}
	var b bytes.Buffer
	b.Grow(int(min(max(x.r.ContentLength, 0), 64<<10)) + bytes.MinRead)
	_, err := b.ReadFrom(limit)
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return nil, &fault{cause: tooLarge, message: "Request exceeds the maximum size"}
	case err != nil && !errors.Is(err, io.EOF):
		return nil, refused("", "the body could not be read")
	}
	return b.Bytes(), nil
}

// find returns the model of a name, if it speaks the dialect that was asked.
func (x *visit) find(name string) (*runner, *fault) {
	m := x.models[name]
	if m != nil && m.speaks(x.dialect) {
		return m, nil
	}
	switch x.dialect {
	case starling.Anthropic:
		return nil, &fault{cause: noModel, message: "model: " + clip(name, 25)}
	case starling.Ollama, starling.Generate:
		return nil, &fault{cause: noModel, message: "model '" + clip(name, 25) + "' not found"}
	case starling.Gemini:
		return nil, &fault{cause: noModel, message: "models/" + clip(name, 25) + " is not found for API version v1beta"}
	}
	return nil, &fault{cause: noModel, param: "model", message: "The model `" + clip(name, 25) + "` does not exist or you do not have access to it."}
}

func (x *visit) countTokens(f map[string]gjson.Result) *fault {
	f["max_tokens"] = gjson.Result{Type: gjson.Number, Num: 1, Raw: "1"} // not asked for here
	a, wrong := parseAnthropic(f)
	if wrong != nil {
		return wrong
	}
	if _, f := x.find(a.model); f != nil {
		return f
	}
	x.reply(marshal(struct {
		InputTokens int64 `json:"input_tokens"`
		Simulated   bool  `json:"simulated"`
	}{a.input(), true}))
	return nil
}

// gone reports whether the context ended because the client left, and not
// because the server closes.
func (x *visit) gone(ctx context.Context) bool {
	return ctx.Err() != nil && x.listening.ctx().Err() == nil
}
