package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"starling"
	"starling/internal/corpus"
	"starling/internal/evidence"
	"starling/internal/skill"
	"starling/internal/wire"
)

// A feedback says how good an answer was: up or down, or a grade, or what it
// should have been.
type feedback struct {
	Receipt    string   `json:"receipt"`
	Rating     string   `json:"rating"`     // "up" or "down"
	Grade      *float64 `json:"grade"`      // from 0 to 1, in place of a rating
	Correction string   `json:"correction"` // the right answer; with it the grade is 0 if nothing else is said
	Input      string   `json:"input"`      // what was asked, for the correction: nobody has kept it
	Consent    bool     `json:"consent"`    // that input and correction may be kept on this machine
	Review     bool     `json:"review"`     // a person compared it with what is right: the grade speaks for or against the warrant that covered it
}

// longestFeedback is the largest body of a feedback: two texts, escaped.
const longestFeedback = 4 << 20

// feedback answers POST /v1/feedback. The grade goes into the ledger as an
// outcome of the skill and of who answered; a review counts as an audit does; a correction, where the caller
// consents, into the corpus.
func (s *Server) feedback(w http.ResponseWriter, r *http.Request, caller starling.Caller) {
	f, err := s.readFeedback(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	receipt, err := s.own(r.Context(), f.Receipt, caller)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	kept, err := s.take(r.Context(), f, receipt)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, kept)
}

func (s *Server) readFeedback(w http.ResponseWriter, r *http.Request) (f feedback, err error) {
	body, err := wire.ReadBody(http.MaxBytesReader(w, r.Body, longestFeedback), r.ContentLength)
	if err != nil {
		passOver(r, s.opts.MaxBody)
		return f, &starling.Error{Kind: starling.TooLarge, Op: "a feedback of more than 4 MiB", Hint: "send less", Err: err}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err = d.Decode(&f); err == nil && d.More() {
		err = errors.New("something follows it")
	}
	if err != nil {
		return f, invalidFeedback("it is not one JSON object of the known fields")
	}
	return f, f.check()
}

func (f *feedback) check() error {
	said := f.Grade != nil || f.Rating != "" || f.Correction != ""
	switch {
	case f.Receipt == "":
		return invalidFeedback("it names no receipt")
	case f.Rating != "" && f.Rating != "up" && f.Rating != "down", !said:
		return invalidFeedback("its rating is neither up nor down")
	case f.Rating != "" && f.Grade != nil:
		return invalidFeedback("it has a rating and a grade")
	case f.Review && f.Grade == nil && f.Rating == "":
		return invalidFeedback("a review has a grade")
	case f.Grade != nil && !(0 <= *f.Grade && *f.Grade <= 1):
		return invalidFeedback("its grade is not from 0 to 1")
	case f.Correction != "" && (strings.TrimSpace(f.Input) == "" || !f.Consent):
		return invalidFeedback("a correction is kept only with the input that it is for, and with consent")
	}
	return nil
}

func invalidFeedback(what string) error {
	return &starling.Error{Kind: starling.Invalid, Op: "feedback: " + what, Hint: `send {"receipt": "rcp_…", "rating": "up" or "down"}, or "grade" from 0 to 1, or "correction" with "input" and "consent": true; with "review": true if a person looked at it`}
}

func (f *feedback) grade() float64 {
	switch {
	case f.Grade != nil:
		return *f.Grade
	case f.Rating == "up":
		return 1
	}
	return 0
}

// taken says what was written down.
type taken struct {
	Outcome    string  `json:"outcome"` // id
	Skill      string  `json:"skill"`
	Model      string  `json:"model"`
	Grade      float64 `json:"grade"`
	Correction bool    `json:"correction_kept"`
}

// take writes the feedback down. Who answered must still be what it was, or the
// grade would be of another.
func (s *Server) take(ctx context.Context, f feedback, r *starling.Receipt) (taken, error) {
	sk, m, err := s.answered(r)
	if err != nil {
		return taken{}, err
	}
	o := &evidence.Outcome{
		Time: time.Now(), Skill: sk.Name, Rubric: sk.Hash, Candidate: sk.Unit(m), Model: m.ID(), Case: "mac " + r.RequestMAC,
		Grade: f.grade(), Cost: r.Cost, Took: r.Took, Source: evidence.FromFeedback, Receipt: r.ID, Simulated: r.Response.Simulated,
	}
	if f.Review {
		o.Source, o.Warrant = evidence.FromReview, covering(r, m)
	}
	if err := s.learn(ctx, o); err != nil {
		return taken{}, err
	}
	done := taken{Outcome: o.ID, Skill: sk.Name, Model: m.ID(), Grade: o.Grade}
	if f.Correction == "" || s.opts.Keep == nil {
		return done, nil
	}
	done.Correction = true
	return done, s.opts.Keep(ctx, corpus.Text{Skill: sk.Name, Input: f.Input, Answer: f.Correction, Source: "feedback on " + r.ID, Time: time.Now(), Class: r.Screen.Class})
}

// covering returns the warrant that covered the model's answer, "" if none did.
func covering(r *starling.Receipt, m starling.Model) string {
	for i := range r.Plan.Candidates {
		if c := &r.Plan.Candidates[i]; c.Model.ID() == m.ID() {
			return c.Warrant
		}
	}
	return ""
}

// answered returns the skill and the model of an answer.
func (s *Server) answered(r *starling.Receipt) (*skill.Skill, starling.Model, error) {
	router := s.current().Router
	if r.Plan.Skill == "" || r.Outcome != starling.Answered {
		return nil, starling.Model{}, &starling.Error{Kind: starling.Invalid, Op: "feedback: the receipt is not of an answer in a skill", Hint: "evidence is of skills: ask for model starling/<skill>"}
	}
	sk, ok := router.Skills.Find(r.Plan.Skill)
	m, found := router.Directory.Find(r.Response.Provider + "/" + r.Response.Model)
	if !ok || !found || sk.Hash != r.Plan.Rubric {
		return nil, starling.Model{}, &starling.Error{Kind: starling.Invalid, Op: "feedback: the skill or the model has changed since", Hint: "rate answers that were given by what there is now"}
	}
	return sk, m, nil
}
