package serve

import (
	"net/http"

	"starling"
)

// A foreseen is what would be done with a request.
type foreseen struct {
	Screen  starling.Screen `json:"screen"`
	Plan    starling.Plan   `json:"plan"`
	Refused *refused        `json:"refused,omitempty"` // nobody would answer
}

// A refused is why nobody would.
type refused struct {
	Kind starling.Kind `json:"kind"`
	Why  string        `json:"why"`
	Hint string        `json:"hint,omitempty"`
}

// plan answers POST /v1/plan, which takes what /v1/chat/completions takes, headers and
// all: who would be asked, in which order, what it is expected to cost and at most, and
// who would not be, and why. Nobody is asked, nothing is reserved, and nothing leaves:
// there is no receipt.
func (s *Server) plan(w http.ResponseWriter, r *http.Request, caller starling.Caller) {
	shift := s.begin()
	defer shift.end()
	req, err := s.read(starling.OpenAI, caller, w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	req.Dialect, req.Caller = starling.OpenAI, caller
	req.Model = undisguised(shift.cascade.Router, req.Model)
	ex := shift.cascade.Foresee(&req)
	f := foreseen{Screen: ex.Screen, Plan: ex.Plan}
	if f.Plan.Candidates == nil {
		f.Plan.Candidates = []starling.Candidate{} // nobody is a list, too
	}
	if f.Screen.From == nil {
		f.Screen.From = []string{}
	}
	if ex.Err != nil {
		e := asError(ex.Err)
		if e.Kind == starling.Internal {
			s.refuse(w, r, e)
			return
		}
		f.Refused = &refused{e.Kind, e.Op, e.Hint}
	}
	writeJSON(w, http.StatusOK, f)
}
