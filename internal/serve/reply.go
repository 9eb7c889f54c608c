package serve

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"starling"
	"starling/internal/cascade"
	"starling/internal/wire"
)

// A reply writes one answer: headers before the first byte, events as they
// come, and at the end what could only be known then.
type reply struct {
	server  *Server
	w       http.ResponseWriter
	ctl     *http.ResponseController
	req     *starling.Request
	until   time.Time    // when the connection takes no more writing
	writer  *wire.Writer // nil until started
	digest  io.Writer
	buffer  bytes.Buffer    // an answer that is not streamed, or the end of one that is
	whole   bool            // the buffer's end is that of a whole answer
	refusal *refusal        // what is sent when nothing was started
	sample  *cascade.Sample // of the answer, if it is looked at again
}

type refusal struct {
	status int
	header map[string]string
	body   []byte
}

// Start implements [cascade.Reply].
func (p *reply) Start(ex *starling.Exchange, digest io.Writer) {
	said(p.w.Header(), ex)
	p.sure(ex.Attempts)
	p.warn(ex, "")
	p.digest = digest
	p.writer = wire.NewWriter(p, wire.WriterOptions{
		Request: p.req, ID: ex.ID, Created: ex.Started, Model: ex.Response.Model, Keeps: p.server.kept.span > 0, Now: time.Now,
	})
	h := p.w.Header()
	if !p.req.Stream {
		h.Set("Content-Type", "application/json")
		return
	}
	h.Set("Content-Type", wire.StreamType(p.req.Dialect))
	if p.req.Array {
		h.Set("Content-Type", "application/json")
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	h.Set("Trailer", "X-Starling-Cost, X-Starling-Saved")
	p.w.WriteHeader(http.StatusOK)
}

// sure says how sure the model is that answers. It is known of an answer that is
// there as a whole; of one that is streamed as it comes, only its receipt tells.
func (p *reply) sure(attempts []starling.Attempt) {
	for i := range attempts {
		if a := &attempts[i]; a.Outcome == starling.Answered && a.Confidence > 0 {
			p.w.Header().Set("X-Starling-Confidence", strconv.FormatFloat(a.Confidence, 'f', 4, 64))
		}
	}
}

// warn says that who answers has read less than was sent. Of an answer that is streamed
// as it comes that is known at its end.
func (p *reply) warn(ex *starling.Exchange, trailer string) {
	for i := range ex.Attempts {
		if a := &ex.Attempts[i]; a.Outcome == starling.Answered && a.Short != "" {
			p.w.Header().Set(trailer+"X-Starling-Warning", a.Model+" "+a.Short)
		}
	}
}

// Write takes what the writer renders: into the buffer, and into the digest, of
// which neither fails.
func (p *reply) Write(b []byte) (int, error) {
	_, _ = p.digest.Write(b)
	return p.buffer.Write(b)
}

// Event implements [cascade.Reply]: in a stream every event is flushed.
func (p *reply) Event(ev starling.Event) error {
	if err := p.writer.Event(ev); err != nil {
		return err
	}
	if !p.req.Stream {
		return nil
	}
	return p.push()
}

// push sends what the buffer holds.
func (p *reply) push() error {
	if p.buffer.Len() == 0 {
		return nil
	}
	p.hurry()
	_, err := p.buffer.WriteTo(p.w)
	if err != nil {
		return err
	}
	return p.ctl.Flush()
}

// hurry gives a caller the time to take the next piece: at least half of
// SendTime, so that pieces in quick succession do not each set a clock.
func (p *reply) hurry() {
	now, limit := time.Now(), p.server.opts.SendTime
	if p.until.Sub(now) < limit/2 {
		p.until = now.Add(limit)
		_ = p.ctl.SetWriteDeadline(p.until) // not every writer has deadlines
	}
}

// Finish implements [cascade.Reply]: it renders the end, which flush sends once
// the receipt is written.
func (p *reply) Finish(ex *starling.Exchange) {
	switch {
	case p.writer == nil:
		p.refusal = p.server.refusalOf(p.req.Dialect, ex.Err, ex.ID, p.req.Agent)
	case ex.Err != nil:
		_ = p.writer.Fail(asError(ex.Err)) // into a buffer
	default:
		if err := p.writer.Close(); err != nil {
			ex.Err = err
			_ = p.writer.Fail(asError(err))
			return
		}
		p.whole = true
		p.server.kept.keep(p.req, ex.ID, p.buffer.Bytes())
	}
}

// flush sends the end of the answer, or the refusal, with everything that is
// known now.
func (p *reply) flush(ex *starling.Exchange) {
	h := p.w.Header()
	p.hurry()
	if p.writer == nil {
		said(h, ex)
		p.refusal.send(p.w)
		return
	}
	if !p.req.Stream && ex.Err != nil {
		said(h, ex)
		p.server.refusalOf(p.req.Dialect, ex.Err, ex.ID, p.req.Agent).send(p.w)
		return
	}
	if p.whole && ex.Err != nil { // its receipt could not be written
		p.buffer.Reset()
		p.digest = io.Discard // that of the answer is done with
		_ = p.writer.Fail(asError(ex.Err))
	}
	h.Set("X-Starling-Cost", costText(&ex.Response)) // of a stream it is a trailer
	if ex.Receipt != nil && ex.Receipt.Estimate {
		h.Set("X-Starling-Saved", ex.Receipt.Saved.String()+" (estimate)")
	}
	if p.req.Stream {
		p.warn(ex, http.TrailerPrefix)
	}
	_, _ = p.buffer.WriteTo(p.w) // the caller may be gone
}

// costText says so where the cost is not all of it.
func costText(r *starling.Response) string {
	if r.Unpriced {
		return r.Cost.String() + " (and what has no known price)"
	}
	return r.Cost.String()
}

// said writes the headers that every response carries. What is not known yet
// is not there.
func said(h http.Header, ex *starling.Exchange) {
	r := &ex.Response
	values := make([]string, 0, 9)
	set := func(name, value string) { // of a canonical name, all values in one piece of memory
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	set("X-Starling-Receipt", ex.ID)
	set("X-Starling-Model", or(r.Model, "none"))
	set("X-Starling-Provider", or(r.Provider, "none"))
	set("X-Starling-Zone", r.Zone.String())
	reason := or(r.Reason, or(ex.Plan.Rule, "refused"))
	if starling.KindOf(ex.Err) == starling.Internal { // what is wrong on this machine, its paths and addresses are no more for the caller here than in the body
		reason = "refused: internal error"
	}
	set("X-Starling-Reason", ascii(reason))
	set(wire.RequestID(ex.Request.Dialect), ex.ID)
	if ex.Observed != nil {
		set("X-Starling-Observed", ascii(wouldBe(ex.Observed)))
	}
	if r.Simulated {
		set("X-Starling-Simulated", "true")
	}
	if !ex.Request.Stream || ex.Err != nil {
		set("X-Starling-Cost", costText(r))
	}
}

// wouldBe is who would have been asked first, as X-Starling-Model names it: a student
// by the skill's name would not be known for one, and has its whole.
func wouldBe(o *starling.Observed) string {
	first := o.First()
	provider, name, _ := strings.Cut(first, "/")
	if first == "" || provider == starling.StudentName {
		return or(first, "none")
	}
	return name
}

// unasked is for routes that ask no model: they say so in the headers that every
// response carries.
func unasked(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		said(w.Header(), &starling.Exchange{ID: "none", Request: starling.Request{Dialect: dialectOf(r)}, Response: starling.Response{Reason: "no model was asked"}})
		next(w, r)
	}
}

// refuse answers an error on a route that has no dialect of its own: in the
// caller's, as far as its headers tell.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	s.refuseIn(dialectOf(r), w, err)
}

// refuseIn answers an error at the door, where there is no exchange and so no
// receipt: whoever may not come in cannot fill the ledger.
func (s *Server) refuseIn(d starling.Dialect, w http.ResponseWriter, err error) {
	s.doorRefusal(d, w, err).send(w)
}

func (s *Server) doorRefusal(d starling.Dialect, w http.ResponseWriter, err error) *refusal {
	said(w.Header(), &starling.Exchange{ID: "none", Err: err, Request: starling.Request{Dialect: d}, Response: starling.Response{Reason: err.Error()}})
	s.metrics.refused(starling.KindOf(err))
	return s.refusalOf(d, err, "", "") // no budget is asked at the door
}

func (s *Server) refusalOf(d starling.Dialect, err error, id, agent string) *refusal {
	e := asError(err)
	if e.Kind == starling.Internal {
		bare := *e
		bare.Op, bare.Err, bare.Hint = "internal error", nil, "the gateway's log and the receipt say more"
		e = &bare
	}
	status, header, body := wire.ErrorReply(d, e, id, agent)
	if status < 400 || status > 599 { // an upstream's that is none: net/http would take it for the status of something else
		status = http.StatusBadGateway
	}
	return &refusal{status, header, body}
}

func (f *refusal) send(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	for name, value := range f.header {
		if value != "" {
			w.Header().Set(name, value)
		}
	}
	w.WriteHeader(f.status)
	_, _ = w.Write(f.body) // the caller may be gone
}

func asError(err error) *starling.Error {
	if e, ok := errors.AsType[*starling.Error](err); ok {
		return e
	}
	return &starling.Error{Kind: starling.Internal, Op: "internal error", Err: err}
}

// dialectOf tells the clients apart by the path, and by their headers on paths that
// several use.
func dialectOf(r *http.Request) starling.Dialect {
	if isGoogles(r) {
		return starling.Gemini
	}
	if strings.HasPrefix(r.URL.Path, "/v1/responses") || strings.HasPrefix(r.URL.Path, "/v1/conversations") {
		return starling.Responses
	}
	if strings.HasPrefix(r.URL.Path, "/api/") && r.URL.Path != "/api/hello" { // which is one of Anthropic's clients
		return starling.Ollama
	}
	if strings.HasPrefix(r.URL.Path, "/v1/messages") || r.Header.Get("Anthropic-Version") != "" || r.Header.Get("X-Api-Key") != "" {
		return starling.Anthropic
	}
	return starling.OpenAI
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// ascii makes a text fit for a header. What was cut off stays told.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, strings.ReplaceAll(s, "…", "..."))
}
