package serve

import (
	"encoding/json"
	"net/http"
	"strings"

	"starling"
	"starling/internal/wire"
)

// keptAnswer answers GET /v1/responses/{id}.
func (s *Server) keptAnswer(w http.ResponseWriter, r *http.Request, c starling.Caller) {
	k, ok := s.kept.find(c.Key, r.PathValue("id"))
	if !ok || k.ID != r.PathValue("id") {
		s.unkept(w, r, c)
		return
	}
	writeJSON(w, http.StatusOK, json.RawMessage(k.Response))
}

// forgetAnswer answers DELETE /v1/responses/{id}.
func (s *Server) forgetAnswer(w http.ResponseWriter, r *http.Request, c starling.Caller) {
	id := r.PathValue("id")
	if !s.kept.forget(c.Key, id) {
		s.unkept(w, r, c)
		return
	}
	writeJSON(w, http.StatusOK, struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Deleted bool   `json:"deleted"`
	}{id, "response", true})
}

// keptInput answers GET /v1/responses/{id}/input_items, with all of them at once.
func (s *Server) keptInput(w http.ResponseWriter, r *http.Request, c starling.Caller) {
	k, ok := s.kept.find(c.Key, r.PathValue("id"))
	if !ok || k.ID != r.PathValue("id") {
		s.unkept(w, r, c)
		return
	}
	var items []struct{ ID string }
	_ = json.Unmarshal(k.Input, &items) // what is no object has no id
	list := struct {
		Object  string          `json:"object"`
		Data    json.RawMessage `json:"data"`
		HasMore bool            `json:"has_more"`
		FirstID string          `json:"first_id"`
		LastID  string          `json:"last_id"`
	}{Object: "list", Data: k.Input}
	if n := len(items); n > 0 {
		list.FirstID, list.LastID = items[0].ID, items[n-1].ID
	}
	writeJSON(w, http.StatusOK, list)
}

// unkept answers what clients ask about what a vendor would have kept.
func (s *Server) unkept(w http.ResponseWriter, r *http.Request, _ starling.Caller) {
	e := &starling.Error{Kind: starling.NotFound, Op: r.Method + " " + clip(r.URL.Path) + " is not kept here", Hint: "send the whole input with every request, and store: false"}
	if strings.HasPrefix(r.URL.Path, "/v1/responses/compact") {
		e = &starling.Error{Kind: starling.NotFound, Op: "conversations are not compacted here", Hint: "have the client summarise them"}
	}
	s.refuse(w, r, e)
}

// inputTokens answers how many tokens a question has, by our own count.
func (s *Server) inputTokens(w http.ResponseWriter, r *http.Request, c starling.Caller) {
	body, err := s.body(w, r)
	if err == nil {
		body, err = s.recalled(c, body)
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	req, err := wire.Parse(starling.Responses, body)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	m, _ := s.current().Router.Directory.Find(req.Model) // of one that is not known nothing was learned
	writeJSON(w, http.StatusOK, struct {
		Object string `json:"object"`
		Tokens int64  `json:"input_tokens"`
	}{"response.input_tokens", s.counted(w, &req, m)})
}
