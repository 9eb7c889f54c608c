package serve

import (
	"context"
	"net/http"
	"strings"

	"starling"
	"starling/internal/ledger"
)

// caller finds out who asks. As long as no key was ever made it is the user of
// this machine, whatever key a client happens to send; but one that looks like
// ours may be the first, made a moment ago.
func (s *Server) caller(ctx context.Context, h http.Header) (starling.Caller, error) {
	secret := presented(h)
	switch {
	case s.ledger.Keyless() && !ledger.LooksLikeKey(secret):
		return starling.Caller{}, nil
	case secret == "":
		return starling.Caller{}, &starling.Error{Kind: starling.Unauthenticated, Op: "no key", Hint: "send one as Authorization: Bearer, x-api-key or x-goog-api-key; starling key create makes one"}
	}
	caller, err := s.ledger.Lookup(ctx, secret)
	if err != nil && s.ledger.Keyless() {
		return starling.Caller{}, nil
	}
	return caller, err
}

// presented returns the key that a client of any dialect sends.
func presented(h http.Header) string {
	if key := h.Get("X-Api-Key"); key != "" {
		return key
	}
	if scheme, key, ok := strings.Cut(h.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(key)
	}
	return h.Get("X-Goog-Api-Key")
}

// authenticated wraps a route that needs to know who asks.
func (s *Server) authenticated(next func(http.ResponseWriter, *http.Request, starling.Caller)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller, err := s.caller(r.Context(), r.Header)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		next(w, r, caller)
	}
}

// insider reports whether a request comes from this machine or with a key.
func (s *Server) insider(r *http.Request) bool {
	if isLoopback(r.RemoteAddr) {
		return true
	}
	_, err := s.caller(r.Context(), r.Header)
	return err == nil
}

// insiders wraps a route that tells about spending: this machine may read it, and
// whoever has a key.
func (s *Server) insiders(next http.Handler) http.HandlerFunc {
	guarded := s.authenticated(func(w http.ResponseWriter, r *http.Request, _ starling.Caller) { next.ServeHTTP(w, r) })
	return func(w http.ResponseWriter, r *http.Request) {
		if isLoopback(r.RemoteAddr) {
			next.ServeHTTP(w, r)
			return
		}
		guarded(w, r)
	}
}
