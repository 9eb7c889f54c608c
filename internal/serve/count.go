package serve

import (
	"net/http"

	"starling"
	"starling/internal/cascade"
)

// count answers how many tokens a conversation has, for the model that would be
// asked first. Where its upstream counts, that is asked: the conversation travels, so
// it is an exchange with a receipt, and free. Else it is our own estimate, for which
// nothing leaves: it has no receipt, and a header says what it is.
func (s *Server) count(w http.ResponseWriter, r *http.Request) {
	caller, release, ok := s.admit(starling.CountTokens, w, r)
	if !ok {
		return
	}
	defer release()
	shift := s.begin()
	defer shift.end()
	req, err := s.read(starling.CountTokens, caller, w, r)
	req.Dialect, req.Caller = starling.CountTokens, caller
	p := &reply{server: s, w: w, ctl: http.NewResponseController(w), req: &req}
	c := shift.cascade
	if err != nil {
		s.finish(r.Context(), p, c.Refuse(req, err, p))
		return
	}
	req.Model = undisguised(c.Router, req.Model)
	m, named, err := first(c, req)
	switch {
	case err != nil:
		s.finish(r.Context(), p, c.Refuse(req, err, p))
	case m.Dialect != starling.Anthropic:
		s.estimate(w, req, m, "none")
	default:
		if req.Model = m.ID(); named != "" {
			req.Skill = named
		}
		ex := c.Answer(r.Context(), req, p)
		if countless(ex) {
			s.metrics.observe(ex)
			s.estimate(w, req, m, ex.ID)
			return
		}
		s.finish(r.Context(), p, ex)
	}
}

// countless reports whether an upstream of Anthropic's dialect turned out not to
// count, as many do that are not the vendor.
func countless(ex *starling.Exchange) bool {
	return len(ex.Attempts) > 0 && starling.KindOf(ex.Err) == starling.NotFound
}

// first returns who would be asked first in the conversation whose tokens are to be
// counted, and the skill that it names, "" if it names none.
func first(c *cascade.Cascade, req starling.Request) (m starling.Model, named string, err error) {
	req.Dialect, req.MaxTokens = starling.Anthropic, 1 // how long the answer may be nobody says here
	ex := c.Foresee(&req)
	if ex.Err != nil {
		return m, "", ex.Err
	}
	if ex.Plan.Identified == "" {
		named = ex.Plan.Skill
	}
	return ex.Plan.Candidates[0].Model, named, nil
}

// estimate answers with a count of our own. The receipt is that of a question that an
// upstream did not understand, or "none".
func (s *Server) estimate(w http.ResponseWriter, req starling.Request, m starling.Model, receipt string) {
	said(w.Header(), &starling.Exchange{ID: receipt, Request: req, Response: starling.Response{
		Model: m.Name, Provider: m.Provider, Zone: m.Zone, Simulated: m.Simulated, Reason: "the upstream does not count tokens",
	}})
	req.Dialect = starling.Anthropic
	writeJSON(w, http.StatusOK, struct {
		Input int64 `json:"input_tokens"`
	}{s.counted(w, &req, m)})
}

// counted returns our own count of a question's tokens for a model, of which nothing
// leaves, and says in the headers how it came about.
func (s *Server) counted(w http.ResponseWriter, r *starling.Request, m starling.Model) int64 {
	size := s.current().Router.Factors.Size(r, m)
	how, pictures := size.How, r.PictureTokens()
	if pictures > 0 {
		how += ", and the usual size of pictures"
	}
	h := w.Header()
	h.Set("X-Starling-Reason", ascii(or(h.Get("X-Starling-Reason"), "no model was asked")+": "+how))
	if !size.Exact || pictures > 0 {
		h.Set("X-Starling-Estimate", "true")
	}
	return size.Tokens + pictures
}

// hello answers Claude Code's question whether anybody is there.
func (s *Server) hello(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"message": "hello"})
}
