package serve

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"starling"
)

// agents answers /mcp: tools and resources for agents. What answers them, next, does so by
// asking this same API again in the caller's name, so it may do nothing that the caller
// may not. Here are the things that are the connection's: who asks, how large a question
// is, and how long a caller may take.
func (s *Server) agents(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		said(w.Header(), &starling.Exchange{ID: "none", Request: starling.Request{Dialect: dialectOf(r)}, Response: starling.Response{Reason: "each result of a tool names its own receipt"}})
		if _, err := s.caller(r.Context(), r.Header); err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="starling"`) // without which clients do not take a 401 for a question for a key
			s.refuse(w, r, err)
			return
		}
		body, err := s.body(w, r)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		own := r.Clone(r.Context())
		own.Body, own.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		signed(own.Header)
		next.ServeHTTP(&paced{ResponseWriter: w, ctl: http.NewResponseController(w), span: s.opts.SendTime}, own)
	}
}

// signed leaves the caller's key in one place, wherever it came.
func signed(h http.Header) {
	key := presented(h)
	for _, name := range []string{"Authorization", "X-Api-Key", "X-Goog-Api-Key"} {
		h.Del(name)
	}
	if key != "" {
		h.Set("Authorization", "Bearer "+key)
	}
}

// A paced writer gives a caller time for each piece, however long the one before it was
// waited for.
type paced struct {
	http.ResponseWriter
	ctl  *http.ResponseController
	span time.Duration
}

func (p *paced) Write(b []byte) (int, error) {
	_ = p.ctl.SetWriteDeadline(time.Now().Add(p.span)) // not every writer has deadlines
	return p.ResponseWriter.Write(b)
}

// Flush implements [http.Flusher], for those who do not look behind a writer.
func (p *paced) Flush() { _ = p.ctl.Flush() }

// Unwrap is for [http.ResponseController].
func (p *paced) Unwrap() http.ResponseWriter { return p.ResponseWriter }
