// Package serve is the HTTP API: it guards the door, finds out who asks, reads
// the request in the caller's dialect, lets the cascade answer, and writes the
// answer and the headers that leave nothing in silence.
//
// It decides nothing about models. Start reading at [Server.Handler], then
// [Server.ask]; [Server.Serve] begins and ends it all.
package serve

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"starling"
	"starling/internal/cascade"
	"starling/internal/corpus"
	"starling/internal/ledger"
)

// Options are a server's limits and names. The zero value is a good default.
type Options struct {
	Hosts    []string      // Host names that are served beside loopback's own
	Origins  []string      // browser origins that may call; none by default
	MaxBody  int64         // largest request body in bytes; 32 MiB
	BodyTime time.Duration // longest time for a caller to send its body; 1 minute
	SendTime time.Duration // longest time for a caller to take a piece, and half of it the shortest; 30 seconds
	InFlight int           // most requests at once; 1024
	Version  string

	Keep  func(context.Context, ...corpus.Text) error // keeps corrections, and where rubrics say so the reference's answers, all or none; nil keeps none
	Learn func(context.Context) error                 // has what was just written down in force when it returns; nil waits for nobody

	Agents func(api http.Handler) http.Handler // makes what answers /mcp, by asking the API in its callers' names; nil has no /mcp

	Recall    time.Duration // how long callers of Responses may refer to an answer, in memory; an hour
	Stateless bool          // no answer is kept for that

	HeaderTime time.Duration // longest time for a caller to send its headers; 10 seconds
	Grace      time.Duration // longest time for requests to end when the server is to stop; 10 seconds
}

func (o Options) filled() Options {
	if o.MaxBody == 0 {
		o.MaxBody = 32 << 20
	}
	if o.BodyTime == 0 {
		o.BodyTime = time.Minute
	}
	if o.SendTime == 0 {
		o.SendTime = 30 * time.Second
	}
	if o.InFlight == 0 {
		o.InFlight = 1024
	}
	if o.HeaderTime == 0 {
		o.HeaderTime = 10 * time.Second
	}
	if o.Recall == 0 {
		o.Recall = time.Hour
	}
	if o.Grace == 0 {
		o.Grace = 10 * time.Second
	}
	hosts := make([]string, len(o.Hosts))
	for i, h := range o.Hosts {
		hosts[i] = hostname(h)
	}
	o.Hosts = hosts
	return o
}

// A Server answers HTTP requests. Safe for concurrent use; the cascade can be
// swapped while it serves.
type Server struct {
	opts    Options
	ledger  *ledger.Ledger
	log     *slog.Logger
	metrics *metrics
	slots   chan struct{}

	kept *recall // answers that callers may refer to

	swapping sync.RWMutex
	shift    *shift

	auditing *queue // answers that the reference is asked for too
	keeping  *queue // the reference's own, to be kept
	missing  sync.Mutex
	silences map[[2]string]*silence // by what was missed, and skill; guarded by missing
}

// New makes a server around a cascade and the ledger that it settles in.
func New(c *cascade.Cascade, l *ledger.Ledger, log *slog.Logger, o Options) *Server {
	s := &Server{opts: o.filled(), ledger: l, log: log, metrics: newMetrics(), shift: &shift{cascade: c}, auditing: newQueue(), keeping: newQueue()}
	s.slots = make(chan struct{}, s.opts.InFlight)
	s.kept = newRecall(s.opts.Recall)
	if s.opts.Stateless {
		s.kept.span = 0
	}
	return s
}

// Handler returns the API. Every route stands behind the same guard.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", s.ask(starling.OpenAI))
	mux.HandleFunc("POST /v1/completions", s.ask(starling.Completions))
	mux.HandleFunc("POST /v1/messages", s.ask(starling.Anthropic))
	mux.HandleFunc("POST /v1/messages/count_tokens", s.count)
	mux.HandleFunc("POST /v1/embeddings", s.ask(starling.Embeddings))
	mux.HandleFunc("POST /v1/moderations", s.ask(starling.Moderations))
	mux.HandleFunc("POST /api/embed", s.ask(starling.Embed))
	mux.HandleFunc("POST /api/embeddings", s.ask(starling.EmbedOne))
	mux.HandleFunc("GET /api/hello", unasked(s.hello))
	s.ollama(mux)
	mux.HandleFunc("POST /v1/responses", s.ask(starling.Responses))
	mux.HandleFunc("POST /v1/responses/input_tokens", unasked(s.authenticated(s.inputTokens)))
	mux.HandleFunc("GET /v1/responses/{id}", unasked(s.authenticated(s.keptAnswer)))
	mux.HandleFunc("DELETE /v1/responses/{id}", unasked(s.authenticated(s.forgetAnswer)))
	mux.HandleFunc("GET /v1/responses/{id}/input_items", unasked(s.authenticated(s.keptInput)))
	mux.HandleFunc("/v1/responses/", unasked(s.authenticated(s.unkept)))
	mux.HandleFunc("/v1/conversations", unasked(s.authenticated(s.unkept)))
	mux.HandleFunc("/v1/conversations/", unasked(s.authenticated(s.unkept)))
	mux.HandleFunc("GET /v1/models", unasked(s.authenticated(s.models)))
	mux.HandleFunc("GET /v1/models/{id...}", unasked(s.authenticated(s.model)))
	for _, version := range []string{"v1beta", "v1"} {
		mux.HandleFunc("POST /"+version+"/models/{rest...}", fromGoogle(s.gemini))
		mux.HandleFunc("POST /"+version+"/models", s.nothing) // which would else be redirected
	}
	mux.HandleFunc("GET /v1beta/models", fromGoogle(unasked(s.authenticated(s.models))))
	mux.HandleFunc("GET /v1beta/models/{id...}", fromGoogle(unasked(s.authenticated(s.model))))
	mux.HandleFunc("GET /v1/receipts/{id}", unasked(s.authenticated(s.receipt)))
	mux.HandleFunc("GET /v1/skills", unasked(s.authenticated(s.skills)))
	mux.HandleFunc("GET /v1/skills/{name}", unasked(s.authenticated(s.skill)))
	mux.HandleFunc("POST /v1/plan", unasked(s.authenticated(s.plan)))
	mux.HandleFunc("GET /v1/savings", unasked(s.authenticated(s.savings)))
	mux.HandleFunc("POST /v1/feedback", unasked(s.authenticated(s.feedback)))
	mux.HandleFunc("GET /healthz", unasked(s.healthz))
	mux.HandleFunc("GET /metrics", unasked(s.insiders(s.metrics.handler())))
	mux.HandleFunc("/", s.nothing)
	api := s.guard(mux)
	if s.opts.Agents != nil {
		mux.HandleFunc("/mcp", s.agents(s.opts.Agents(api)))
	}
	return api
}

func (s *Server) nothing(w http.ResponseWriter, r *http.Request) {
	hint := "POST /v1/chat/completions, POST /v1/completions, POST /v1/responses, POST /v1/responses/input_tokens, POST /v1/messages, POST /v1/messages/count_tokens, POST /v1beta/models/{model}:generateContent, POST /v1beta/models/{model}:batchEmbedContents, POST /v1/embeddings, POST /v1/moderations, POST /api/chat, POST /api/generate, POST /api/embed, GET /api/tags, GET /v1/models, GET /v1/skills, GET /v1/skills/{name}, GET /v1/receipts/{id}, POST /v1/plan, GET /v1/savings, POST /v1/feedback, GET /healthz, GET /metrics"
	if s.opts.Agents != nil {
		hint += ", /mcp"
	}
	s.refuse(w, r, &starling.Error{Kind: starling.NotFound, Op: r.Method + " " + clip(r.URL.Path), Hint: "there is " + hint})
}

func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	state, status := "ok", http.StatusOK
	books := s.ledger.Health()
	switch {
	case books.Failing != nil:
		state, status = fmt.Sprintf("ledger: %d receipts wait in the journal since %s: %v", books.Pending, books.Since.Format(time.RFC3339), books.Failing), http.StatusServiceUnavailable
	case books.Lost:
		state = "ledger: a part of the journal or of the chain was missing at the start; run starling ledger verify"
	}
	if !s.insider(r) { // a stranger learns whether it works, and no more
		state, _, _ = strings.Cut(state, ":")
		writeJSON(w, status, map[string]string{"status": state})
		return
	}
	writeJSON(w, status, map[string]any{
		"status": state, "version": s.opts.Version, "models": len(s.current().Router.Directory.Models()), "observe": s.current().Observe != nil,
	})
}
