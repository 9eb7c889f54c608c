package serve

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"starling"
	"starling/internal/wire"
)

// Google's API has the model and what is asked of it in the path,
// "/v1beta/models/NAME:generateContent". A name may hold slashes, escaped or not,
// and colons: the last one ends it.
//
// Source: ai.google.dev/api, and what google.golang.org/genai v1.77.0 and
// @google/genai 3.1.0 send.

// isGoogles tells Google's clients apart.
func isGoogles(r *http.Request) bool {
	path := r.URL.Path
	return strings.HasPrefix(path, "/v1beta/") || r.Method == http.MethodPost && strings.HasPrefix(path, "/v1/models/") ||
		strings.HasPrefix(path, "/v1/models") && r.Header.Get("X-Goog-Api-Key") != ""
}

// fromGoogle is for routes of Google's API: its clients may send their key in the
// query, from where it goes no further than into the header that is meant for it.
func fromGoogle(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if key := r.URL.Query().Get("key"); key != "" && r.Header.Get("X-Goog-Api-Key") == "" {
			r.Header.Set("X-Goog-Api-Key", key)
		}
		r.URL.RawQuery = withoutParameters(r.URL.RawQuery, "key")
		next(w, r)
	}
}

// gemini does what the path's verb says.
func (s *Server) gemini(w http.ResponseWriter, r *http.Request) {
	switch _, verb := modelAndVerb(r); verb {
	case "generateContent", "streamGenerateContent":
		s.ask(starling.Gemini)(w, r)
	case "batchEmbedContents":
		s.ask(starling.EmbedContents)(w, r)
	case "embedContent":
		s.ask(starling.EmbedContent)(w, r)
	case "countTokens":
		unasked(s.authenticated(s.countGoogles))(w, r)
	default:
		unasked(func(w http.ResponseWriter, r *http.Request) {
			s.refuse(w, r, &starling.Error{Kind: starling.NotFound, Op: r.Method + " " + clip(r.URL.Path), Hint: "a model of this API answers :generateContent, :streamGenerateContent, :countTokens, :embedContent and :batchEmbedContents"})
		})(w, r)
	}
}

// modelAndVerb splits a path at its last colon.
func modelAndVerb(r *http.Request) (model, verb string) {
	rest := r.PathValue("rest")
	i := strings.LastIndexByte(rest, ':')
	if i < 0 {
		return rest, ""
	}
	return rest[:i], rest[i+1:]
}

// inPath reports whether questions of a dialect name their model in the path.
func inPath(d starling.Dialect) bool {
	return d == starling.Gemini || d == starling.EmbedContents || d == starling.EmbedContent
}

// addressed reads of the path and the query what the body of such a question does not say.
// Without alt=sse a stream is an array.
func addressed(req *starling.Request, r *http.Request) error {
	model, verb := modelAndVerb(r)
	query := r.URL.Query()
	req.Model, req.Stream = model, verb == "streamGenerateContent"
	req.Array = req.Stream && query.Get("alt") != "sse" && query.Get("$alt") != "sse"
	req.Query = withoutParameters(req.Query, "alt", "$alt")
	if model == "" {
		return &starling.Error{Kind: starling.Invalid, Op: "request: model", Err: errors.New("is missing"), Hint: "name it in the path: /v1beta/models/NAME:" + verb}
	}
	return nil
}

// withoutParameters returns a query without the named ones, the rest byte for byte.
func withoutParameters(query string, names ...string) string {
	if query == "" {
		return ""
	}
	return strings.Join(slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		return err != nil || slices.Contains(names, name)
	}), "&")
}

// A googlesModel is a model as Google's API lists it.
type googlesModel struct {
	Name        string   `json:"name"`
	Version     string   `json:"version"`
	DisplayName string   `json:"displayName"`
	Description string   `json:"description"`
	Context     int64    `json:"inputTokenLimit,omitempty"`
	MaxOutput   int64    `json:"outputTokenLimit,omitempty"`
	Methods     []string `json:"supportedGenerationMethods"`
	Simulated   bool     `json:"simulated,omitempty"`
}

func googles(m listedModel) googlesModel {
	about := "offered by " + m.OwnedBy
	if m.Zone != "" {
		about += ", zone " + m.Zone
	}
	return googlesModel{
		Name: "models/" + m.ID, Version: m.CreatedAt[:len("2006-01-02")], DisplayName: m.DisplayName, Description: about,
		Context: m.Context, MaxOutput: m.MaxOutput, Methods: googlesMethods(m), Simulated: m.Simulated,
	}
}

// googlesMethods says what a model may be asked.
func googlesMethods(m listedModel) []string {
	methods := []string{}
	if m.takes == "" {
		methods = append(methods, "generateContent", "countTokens")
	}
	if m.takes == starling.Embeddings || m.embeds {
		methods = append(methods, "embedContent", "batchEmbedContents")
	}
	return methods
}

func googlesList(all []listedModel) map[string][]googlesModel {
	models := make([]googlesModel, 0, len(all))
	for _, m := range all {
		models = append(models, googles(m))
	}
	return map[string][]googlesModel{"models": models}
}

// countGoogles answers how many tokens a question takes, by our own count.
func (s *Server) countGoogles(w http.ResponseWriter, r *http.Request, _ starling.Caller) {
	model, _ := modelAndVerb(r)
	_, by, err := s.named(model)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	body, err := s.body(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	question, err := wire.CountedGoogles(body)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	var m starling.Model // of a skill anybody may be asked
	if len(by) == 1 {
		m = by[0]
	}
	n := s.counted(w, &question, m)
	writeJSON(w, http.StatusOK, map[string]any{"totalTokens": n, "estimated": w.Header().Get("X-Starling-Estimate") != ""})
}
