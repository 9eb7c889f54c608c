package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"starling"
	"starling/internal/wire"
)

// ask answers a question in the given dialect: it is the way of every request.
func (s *Server) ask(d starling.Dialect) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller, release, ok := s.admit(d, w, r)
		if !ok {
			return
		}
		defer release()
		reply := &reply{server: s, w: w, ctl: http.NewResponseController(w)}
		ex := s.answer(d, caller, r, reply)
		if ex == nil { // nothing was asked
			return
		}
		s.finish(r.Context(), reply, ex)
	}
}

// admit lets a question in if there is a slot, and says who asks. Else it has been
// refused.
func (s *Server) admit(d starling.Dialect, w http.ResponseWriter, r *http.Request) (caller starling.Caller, release func(), ok bool) {
	release, ok = s.enter()
	if !ok {
		s.refuseIn(d, w, &starling.Error{Kind: starling.Overloaded, Op: fmt.Sprintf("%d requests are under way", s.opts.InFlight), Hint: "try again in a moment"})
		return caller, nil, false
	}
	caller, err := s.caller(r.Context(), r.Header)
	if err != nil {
		release()
		s.refuseIn(d, w, err)
		return caller, nil, false
	}
	return caller, release, true
}

// finish sends the end of an exchange, and notes what came of it.
func (s *Server) finish(ctx context.Context, reply *reply, ex *starling.Exchange) {
	reply.flush(ex)
	s.later(reply.sample)
	s.metrics.observe(ex)
	s.record(ctx, ex)
}

// answer reads the request and has it answered; what cannot be read is refused
// with a receipt. For a request that asks no model there is none, and no exchange.
func (s *Server) answer(d starling.Dialect, caller starling.Caller, r *http.Request, p *reply) *starling.Exchange {
	shift := s.begin()
	defer shift.end()
	req, err := s.read(d, caller, p.w, r)
	req.Dialect, req.Caller = d, caller
	req.Model = undisguised(shift.cascade.Router, req.Model)
	p.req = &req
	if err != nil {
		return shift.cascade.Refuse(req, err, p)
	}
	if done := wire.Loads(&req); done != "" {
		s.loaded(p.w, r, &req, done)
		return nil
	}
	return shift.cascade.Answer(r.Context(), req, p)
}

// enter takes a slot; the caller must give it back.
func (s *Server) enter() (release func(), ok bool) {
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, true
	default:
		return nil, false
	}
}

// read makes a Request of what came over the wire.
func (s *Server) read(d starling.Dialect, caller starling.Caller, w http.ResponseWriter, r *http.Request) (starling.Request, error) {
	body, err := s.body(w, r)
	if err == nil && d == starling.Responses {
		body, err = s.recalled(caller, body)
	}
	if err != nil {
		return starling.Request{}, err
	}
	req, err := wire.Parse(d, body)
	req.Query = r.URL.RawQuery
	if inPath(d) {
		if missing := addressed(&req, r); err == nil {
			err = missing
		}
	}
	if err != nil {
		return req, err
	}
	if err := spoken(r.Header); err != nil {
		return req, err
	}
	if req.Skill, err = only(r.Header, "X-Starling-Skill"); err != nil {
		return req, err
	}
	class, err := only(r.Header, "X-Starling-Class")
	if err != nil {
		return req, err
	}
	req.Class = starling.Class(class)
	if err := terms(&req, r.Header); err != nil {
		return req, err
	}
	req.Agent = clip(r.UserAgent())
	req.Unattended = req.Agent == starling.TrialAgent
	req.Header = travelling(d, r.Header)
	req.Talk = talkOf(r.Header, req.Talk)
	return req, nil
}

// terms reads what a caller says that the answer may cost, and how good it must be:
// "X-Starling-Budget: $0.01", "X-Starling-Bar: 0.97".
func terms(req *starling.Request, h http.Header) error {
	budget, err := only(h, "X-Starling-Budget")
	if err != nil {
		return err
	}
	if budget != "" {
		if req.Budget, err = starling.ParseMoney(budget); err != nil || req.Budget <= 0 {
			req.Budget = 0
			return &starling.Error{Kind: starling.Invalid, Op: "X-Starling-Budget is no amount of more than nothing", Hint: "say the most that the answer may cost in dollars, like 0.01"}
		}
	}
	if err := splits(req, h); err != nil {
		return err
	}
	bar, err := only(h, "X-Starling-Bar")
	if err != nil || bar == "" {
		return err
	}
	if req.Bar, err = strconv.ParseFloat(bar, 64); err != nil || !(0 < req.Bar && req.Bar <= 1) {
		req.Bar = 0
		return &starling.Error{Kind: starling.Invalid, Op: "X-Starling-Bar is no share", Hint: "say which share of the answers must be shown to pass, like 0.95"}
	}
	return nil
}

// splits reads whether the caller wants long documents read in parts: "X-Starling-Split:
// true", or not: "false".
func splits(req *starling.Request, h http.Header) error {
	said, err := only(h, "X-Starling-Split")
	if err != nil || said == "" {
		return err
	}
	yes := said == "true"
	if !yes && said != "false" {
		return &starling.Error{Kind: starling.Invalid, Op: "X-Starling-Split is neither true nor false", Hint: "say true to have long documents read in parts, false to have them sent as they are"}
	}
	req.Split = &yes
	return nil
}

// talkOf returns what a client calls the conversation: in a header that some coding
// agents send, where a part is the agent's own, else in the body.
//
// Source: the requests of Claude Code 2.1.330, Codex 0.169 and opencode 1.18.33.
func talkOf(h http.Header, inBody string) string {
	for _, name := range []string{"X-Claude-Code-Session-Id", "Session-Id", "X-Session-Id"} {
		if id := h.Get(name); id != "" {
			return id + "\x00" + h.Get("X-Claude-Code-Agent-Id")
		}
	}
	return inBody
}

// spoken refuses a header of ours that says nothing here. Passed over, a misspelt class
// would let data travel, and a misspelt budget let money go, without a word.
func spoken(h http.Header) error {
	known := []string{"X-Starling-Bar", "X-Starling-Budget", "X-Starling-Class", "X-Starling-Skill", "X-Starling-Split"}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if strings.HasPrefix(name, "X-Starling-") && !slices.Contains(known, name) {
			return &starling.Error{Kind: starling.Invalid, Op: "there is no header " + clip(name), Hint: "there is " + strings.Join(known, ", ")}
		}
	}
	return nil
}

// only returns a header's one value, "" of none. Of several it is not for us to choose:
// the one that is passed over may be the one that protects. Nor is one that is empty
// passed over: whoever sends it meant to say something, with a variable that was not set.
func only(h http.Header, name string) (string, error) {
	values := h.Values(name)
	if len(values) > 1 {
		return "", &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("the header %s occurs %d times", name, len(values)), Hint: "send it once"}
	}
	if len(values) == 1 && strings.TrimSpace(values[0]) == "" {
		return "", &starling.Error{Kind: starling.Invalid, Op: "the header " + name + " is empty", Hint: "leave it out, or look whether the variable is set that should stand there"}
	}
	return h.Get(name), nil
}

// body reads the whole body within its limits of size and time. After an error
// nothing more can be read: the connection ends with the answer.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "content-encoding " + clip(enc), Hint: "send the body uncompressed"}
	}
	if r.ContentLength > s.opts.MaxBody {
		passOver(r, 2*s.opts.MaxBody)
		return nil, s.tooLarge(fmt.Sprintf("body of %d bytes", r.ContentLength))
	}
	body, err := wire.ReadBody(http.MaxBytesReader(w, r.Body, s.opts.MaxBody), r.ContentLength)
	if err == nil {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // set by hurry; from here on a caller may be silent
		return body, nil
	}
	w.Header().Set("Connection", "close")
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		passOver(r, s.opts.MaxBody)
		return nil, s.tooLarge("the body")
	}
	return nil, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("the body ended after %d bytes", len(body)), Hint: "send the whole body within " + s.opts.BodyTime.String(), Err: context.Cause(r.Context())}
}

// passOver reads what is left of a body that is too large, if that is no more than most: a
// client that writes all of it before it reads would find a broken connection in the place
// of the refusal. One that waits to be asked for its body has not sent it.
func passOver(r *http.Request, most int64) {
	if r.ContentLength <= most && r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, most) // in the time that every body has; nobody needs it
	}
}

func (s *Server) tooLarge(what string) error {
	return &starling.Error{Kind: starling.TooLarge, Op: fmt.Sprintf("%s is over the limit of %d bytes", what, s.opts.MaxBody), Hint: "send less, or raise max_body in the configuration"}
}

// travelling keeps the headers that belong to the question rather than to the
// connection. None of them is a credential. What a coding agent tells of the
// directory that it works in ("X-Codex-Turn-Metadata") is not among them: only
// bodies are screened.
func travelling(d starling.Dialect, h http.Header) map[string][]string {
	var out map[string][]string
	for name, values := range h {
		session := d == starling.Responses && (name == "Session-Id" || name == "Thread-Id") // by which prompt caches are found
		if !strings.HasPrefix(name, "Anthropic-") && name != "Openai-Beta" && !session {
			continue
		}
		if out == nil {
			out = make(map[string][]string, 2)
		}
		out[name] = values
	}
	return out
}

// record logs an exchange that ended badly on our side; what ended well is in
// the ledger and needs no line.
func (s *Server) record(ctx context.Context, ex *starling.Exchange) {
	if ex.Err == nil {
		return
	}
	kind := starling.KindOf(ex.Err)
	if kind == starling.Internal {
		s.log.ErrorContext(ctx, "exchange failed", "receipt", ex.ID, "kind", kind, "err", ex.Err)
		return
	}
	s.log.InfoContext(ctx, "exchange refused", "receipt", ex.ID, "kind", kind, "attempts", len(ex.Attempts))
}
