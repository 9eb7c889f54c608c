package serve

import (
	"net/http"
	"strings"

	"starling"
	"starling/internal/wire"
)

// kept answers what clients ask about conversations and answers that a vendor would
// have kept. Here nothing is: an answer is sent, and then it is gone.
func (s *Server) kept(w http.ResponseWriter, r *http.Request, _ starling.Caller) {
	e := &starling.Error{Kind: starling.NotFound, Op: r.Method + " " + clip(r.URL.Path) + ": answers and conversations are not kept here", Hint: "send the whole input with every request, and store: false"}
	if strings.HasPrefix(r.URL.Path, "/v1/responses/compact") {
		e = &starling.Error{Kind: starling.NotFound, Op: "conversations are not compacted here", Hint: "have the client summarise them"}
	}
	s.refuse(w, r, e)
}

// inputTokens answers how many tokens a question has, by its bytes.
func (s *Server) inputTokens(w http.ResponseWriter, r *http.Request, _ starling.Caller) {
	body, err := s.body(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	req, err := wire.Parse(starling.Responses, body)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	m, _ := s.current().Router.Directory.Find(req.Model) // of one that is not known there is no bound
	w.Header().Set("X-Starling-Reason", "no model was asked: an estimate by the bytes of the question")
	writeJSON(w, http.StatusOK, struct {
		Object string `json:"object"`
		Tokens int64  `json:"input_tokens"`
	}{"response.input_tokens", m.Estimate(&req, 0, 0).Input})
}
