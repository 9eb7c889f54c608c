package provider

import (
	"net/http"
	"net/url"
	"strings"

	"starling"
)

// A Kind is what the upstreams of one dialect have in common.
type Kind struct {
	Trim string // ending of a configured URL that Ask and List begin with
	Ask  string // path below the URL for a question
	List string // path below the URL for the list of models

	Embed string // path below the URL for embeddings; "" if the dialect has none

	// Also has the paths below the URL for questions in other dialects, which some
	// upstreams of this one understand as well ([Options.Also]).
	Also map[starling.Dialect]string

	Logprobs bool // it can say how likely each token was

	Authorize func(h http.Header, key string)
	Default   map[string]string // headers that a caller may set otherwise
}

// Kinds lists the dialects that can be called over HTTP.
var Kinds = map[starling.Dialect]Kind{
	starling.OpenAI: {
		Ask:       "/chat/completions",
		List:      "/models",
		Embed:     "/embeddings",
		Also:      map[starling.Dialect]string{starling.Responses: "/responses", starling.Completions: "/completions", starling.Embeddings: "/embeddings", starling.Moderations: "/moderations"},
		Logprobs:  true,
		Authorize: func(h http.Header, key string) { h["Authorization"] = []string{"Bearer " + key} },
	},
	starling.Responses: {
		Ask:       "/responses",
		List:      "/models",
		Authorize: func(h http.Header, key string) { h["Authorization"] = []string{"Bearer " + key} },
	},
	starling.Anthropic: {
		Trim:      "/v1",
		Ask:       "/v1/messages",
		List:      "/v1/models",
		Authorize: func(h http.Header, key string) { h["X-Api-Key"] = []string{key} },
		Default:   map[string]string{"Anthropic-Version": "2023-06-01"},
	},
}

// at returns the URL of path at the upstream with the given base.
func (k Kind) at(base *url.URL, path string) *url.URL {
	u := *base
	root := strings.TrimRight(u.EscapedPath(), "/")
	if k.Trim != "" {
		root = strings.TrimSuffix(root, k.Trim)
	}
	u.Path, u.RawPath = root+path, ""
	if unescaped, err := url.PathUnescape(root); err == nil && unescaped != root {
		u.Path, u.RawPath = unescaped+path, root+path
	}
	return &u
}

// headers returns the headers of a call. They hold the key, so they are made for
// the call and kept nowhere: a map prints what is in it.
func (k Kind) headers(key Secret) http.Header {
	h := http.Header{
		"Content-Type":    {"application/json"},
		"Accept-Encoding": {"identity"},
		"User-Agent":      {"starling"},
	}
	for name, value := range k.Default {
		h[name] = []string{value}
	}
	if !key.IsZero() {
		k.Authorize(h, key.reveal())
	}
	return h
}

// travels reports whether a caller's header may go upstream. The API hands over
// only what belongs to the question; this is the second lock on the caller's
// credentials, and on what would change how the call is sent: with an
// idempotency key, for one, net/http repeats a POST by itself.
func travels(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key", "Cookie", "Proxy-Authorization",
		"Host", "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
		"Content-Length", "Content-Type", "Content-Encoding", "Accept", "Accept-Encoding", "User-Agent",
		"Idempotency-Key", "X-Idempotency-Key":
		return false
	}
	return true
}

// cleared returns a caller's query without the parameters that can hold a key.
// A query without one is returned as it is, byte for byte.
func cleared(query string) string {
	if query == "" {
		return ""
	}
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		odd := strings.Contains(pair, "#") // no query can hold one, and nobody knows how it would be read
		if err == nil && !odd && !credential(name) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

func credential(parameter string) bool {
	switch strings.ToLower(parameter) {
	case "key", "api_key", "api-key", "apikey", "x-api-key", "access_token", "auth_token", "token", "authorization":
		return true
	}
	return false
}
