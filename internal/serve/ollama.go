package serve

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"starling"
)

// ollamaVersion is that of Ollama whose API is served here: clients ask for it, and
// refuse to work with an old one.
const ollamaVersion = "0.17.4"

// ollama adds the routes that clients of Ollama call, but for embeddings.
//
// Source: docs/api.md, api/types.go and server/routes.go of Ollama v0.17.4.
func (s *Server) ollama(mux *http.ServeMux) {
	mux.HandleFunc("POST /api/chat", s.ask(starling.Ollama))
	mux.HandleFunc("POST /api/generate", s.ask(starling.Generate))
	mux.HandleFunc("GET /api/tags", unasked(s.authenticated(s.tags)))
	mux.HandleFunc("POST /api/show", unasked(s.authenticated(s.show)))
	mux.HandleFunc("GET /api/ps", unasked(s.authenticated(s.loadedModels)))
	mux.HandleFunc("GET /api/version", unasked(s.version))
	mux.HandleFunc("GET /{$}", unasked(s.alive))
	for _, route := range []string{"POST /api/pull", "POST /api/push", "POST /api/create", "POST /api/copy", "DELETE /api/delete", "POST /api/blobs/{digest}"} {
		mux.HandleFunc(route, s.unmanaged)
	}
}

// alive answers clients that look whether somebody is there before they ask.
func (s *Server) alive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("Starling is running\n")) // the caller may be gone
}

func (s *Server) version(w http.ResponseWriter, r *http.Request) {
	said := map[string]string{"version": ollamaVersion}
	if s.insider(r) {
		said["starling"] = s.opts.Version
	}
	writeJSON(w, http.StatusOK, said)
}

// unmanaged refuses what would change which models there are: the configuration does
// that, and nobody from outside.
func (s *Server) unmanaged(w http.ResponseWriter, r *http.Request) {
	s.refuse(w, r, &starling.Error{Kind: starling.NotFound, Op: r.Method + " " + clip(r.URL.Path) + ": models are not managed here", Hint: "configure them under providers and models; GET /api/tags lists what there is"})
}

// A tag is a listed model in the form that Ollama's clients read. What is not a file
// on this machine has no size.
type tag struct {
	Name       string     `json:"name"`
	Model      string     `json:"model"`
	ModifiedAt string     `json:"modified_at"`
	Size       int64      `json:"size"`
	Digest     string     `json:"digest"`
	Details    tagDetails `json:"details"`
	Simulated  bool       `json:"simulated,omitempty"`
}

type tagDetails struct {
	Parent       string   `json:"parent_model"`
	Format       string   `json:"format"`
	Family       string   `json:"family"`
	Families     []string `json:"families"`
	Parameters   string   `json:"parameter_size"`
	Quantization string   `json:"quantization_level"`
}

func detailsOf(m listedModel) tagDetails {
	return tagDetails{Family: m.OwnedBy, Families: []string{m.OwnedBy}}
}

func (s *Server) tags(w http.ResponseWriter, _ *http.Request, _ starling.Caller) {
	all := []tag{}
	for _, m := range s.listed() {
		sum := sha256.Sum256([]byte(m.ID)) // clients cut it without a look at its length
		all = append(all, tag{Name: m.ID, Model: m.ID, ModifiedAt: m.CreatedAt, Digest: hex.EncodeToString(sum[:]), Details: detailsOf(m), Simulated: m.Simulated})
	}
	writeJSON(w, http.StatusOK, map[string]any{"models": all})
}

// loadedModels: which models an upstream has in memory is its own affair.
func (s *Server) loadedModels(w http.ResponseWriter, _ *http.Request, _ starling.Caller) {
	writeJSON(w, http.StatusOK, map[string]any{"models": []tag{}})
}

// A shown model tells what clients look for before they offer it tools or images, or
// fill its window.
type shownModel struct {
	Modelfile    string         `json:"modelfile"`
	Parameters   string         `json:"parameters"`
	Template     string         `json:"template"`
	Details      tagDetails     `json:"details"`
	Info         map[string]any `json:"model_info"`
	Capabilities []string       `json:"capabilities"`
	ModifiedAt   string         `json:"modified_at"`
	Simulated    bool           `json:"simulated,omitempty"`
}

func (s *Server) show(w http.ResponseWriter, r *http.Request, _ starling.Caller) {
	body, err := s.body(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	var asked struct{ Model, Name string } // the name is the older way to say it
	if err := json.Unmarshal(body, &asked); err != nil || asked.Model+asked.Name == "" {
		s.refuse(w, r, &starling.Error{Kind: starling.Invalid, Op: "request: model", Hint: "send a JSON object with the model's name"})
		return
	}
	listed, by, err := s.named(or(asked.Model, asked.Name))
	if err != nil {
		s.refuse(w, r, noSuchModel(or(asked.Model, asked.Name)))
		return
	}
	info := map[string]any{"general.architecture": "starling", "general.basename": listed.ID}
	if listed.Context > 0 {
		info["starling.context_length"] = listed.Context
	}
	writeJSON(w, http.StatusOK, shownModel{Details: detailsOf(listed), Info: info, Capabilities: abilities(by...), ModifiedAt: listed.CreatedAt, Simulated: listed.Simulated})
}

func noSuchModel(name string) *starling.Error {
	return &starling.Error{Kind: starling.NotFound, Op: "there is no model " + clip(name), Hint: "GET /api/tags lists what there is"}
}

// abilities says what at least one of the models can do, as far as is known.
func abilities(models ...starling.Model) []string {
	able := []string{"completion"}
	tools, vision := false, false
	for _, m := range models {
		tools, vision = tools || !m.NoTools && !m.Student, vision || !m.NoImages && !m.Student
	}
	if tools {
		able = append(able, "tools")
	}
	if vision {
		able = append(able, "vision")
	}
	return able
}

// loaded answers a client that asks nothing but to have a model in memory, or out of
// it. No model is asked: that would cost, and where it runs is nobody's affair.
func (s *Server) loaded(w http.ResponseWriter, r *http.Request, req *starling.Request, done string) {
	unasked(func(w http.ResponseWriter, r *http.Request) {
		if _, _, err := s.named(req.Model); err != nil {
			s.refuse(w, r, noSuchModel(req.Model))
			return
		}
		said := map[string]any{"model": req.Model, "created_at": time.Now().UTC().Format(time.RFC3339Nano), "done": true, "done_reason": done}
		if req.Dialect == starling.Ollama {
			said["message"] = map[string]string{"role": "assistant", "content": ""}
		} else {
			said["response"] = ""
		}
		writeJSON(w, http.StatusOK, said)
	})(w, r)
}
