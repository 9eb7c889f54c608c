package serve

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"starling"
	"starling/internal/route"
)

// A listed model satisfies the clients of both dialects: OpenAI's read id,
// object, created and owned_by; Anthropic's read type, id, display_name and
// created_at. Source: the two vendors' SDKs.
type listedModel struct {
	ID          string `json:"id"`
	Object      string `json:"object"`
	Created     int64  `json:"created"`
	OwnedBy     string `json:"owned_by"`
	Type        string `json:"type"`
	DisplayName string `json:"display_name"`
	CreatedAt   string `json:"created_at"`
	Context     int64  `json:"context_window,omitempty"`
	MaxOutput   int64  `json:"max_output_tokens,omitempty"`
	Zone        string `json:"zone,omitempty"`
	Simulated   bool   `json:"simulated,omitempty"`

	takes  starling.Dialect // as [starling.Model] has them: only Google's clients are told
	embeds bool
}

type modelList struct {
	Object  string        `json:"object"`
	Data    []listedModel `json:"data"`
	HasMore bool          `json:"has_more"`
	FirstID *string       `json:"first_id"`
	LastID  *string       `json:"last_id"`
}

// listed returns everything that a request may name: skills, aliases, models.
func (s *Server) listed() []listedModel {
	router := s.current().Router
	var out []listedModel
	for _, name := range router.Skills.Names() {
		out = append(out, entry(route.Prefix+name, "starling", starling.Model{}))
	}
	for _, name := range router.Directory.Aliases() {
		if m, ok := router.Directory.Find(name); ok {
			out = append(out, entry(name, m.Provider, m))
		}
	}
	for _, m := range router.Directory.Models() {
		out = append(out, entry(m.ID(), m.Provider, m))
	}
	return out
}

func entry(id, owner string, m starling.Model) listedModel {
	created, err := time.Parse(time.DateOnly, m.Released)
	if err != nil {
		created = time.Unix(0, 0)
	}
	l := listedModel{
		ID: id, Object: "model", Created: created.Unix(), OwnedBy: owner,
		Type: "model", DisplayName: id, CreatedAt: created.UTC().Format(time.RFC3339),
		Context: m.Context, MaxOutput: m.MaxOutput, Simulated: m.Simulated,
		takes: m.Takes, embeds: m.Embeds,
	}
	if m.Zone != starling.Nowhere {
		l.Zone = m.Zone.String()
	}
	return l
}

func (s *Server) models(w http.ResponseWriter, r *http.Request, _ starling.Caller) {
	switch dialectOf(r) {
	case starling.Gemini:
		writeJSON(w, http.StatusOK, googlesList(s.listed()))
		return
	case starling.Anthropic:
		s.claudeModels(w, r)
		return
	}
	list := modelList{Object: "list", Data: s.listed()}
	if n := len(list.Data); n > 0 {
		list.FirstID, list.LastID = &list.Data[0].ID, &list.Data[n-1].ID
	} else {
		list.Data = []listedModel{}
	}
	writeJSON(w, http.StatusOK, list)
}

func (s *Server) claudeModels(w http.ResponseWriter, r *http.Request) {
	list, more, err := page(s.claudes(), r.URL.Query())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	out := struct {
		Object  string        `json:"object"`
		Data    []claudeModel `json:"data"`
		HasMore bool          `json:"has_more"`
		FirstID *string       `json:"first_id"`
		LastID  *string       `json:"last_id"`
	}{Object: "list", Data: list, HasMore: more}
	if n := len(list); n > 0 {
		out.FirstID, out.LastID = &list[0].ID, &list[n-1].ID
	} else {
		out.Data = []claudeModel{}
	}
	writeJSON(w, http.StatusOK, out)
}

func (s *Server) model(w http.ResponseWriter, r *http.Request, _ starling.Caller) {
	id, dialect := r.PathValue("id"), dialectOf(r)
	if dialect == starling.Anthropic {
		for _, m := range s.claudes() {
			if m.ID == id {
				writeJSON(w, http.StatusOK, m)
				return
			}
		}
	}
	m, by, err := s.named(id)
	switch {
	case err != nil:
		s.refuse(w, r, err)
	case dialect == starling.Gemini:
		writeJSON(w, http.StatusOK, googles(m))
	case dialect == starling.Anthropic:
		writeJSON(w, http.StatusOK, claude(m, by[0]))
	default:
		writeJSON(w, http.StatusOK, m)
	}
}

// named finds what a request may name, and who may answer to it: a model, or for a
// skill any, since the plan leaves out who may not. Errors are NotFound.
func (s *Server) named(id string) (m listedModel, by []starling.Model, err error) {
	router := s.current().Router
	if found, ok := router.Directory.Find(id); ok {
		return entry(id, found.Provider, found), []starling.Model{found}, nil
	}
	skill, ok := strings.CutPrefix(id, route.Prefix)
	if _, known := router.Skills.Find(skill); ok && (known || id == route.Auto) {
		return entry(id, "starling", starling.Model{}), router.Directory.Models(), nil
	}
	return m, nil, &starling.Error{Kind: starling.NotFound, Op: "there is no model " + clip(id), Hint: "GET /v1/models lists what there is"}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the caller may be gone
}
