package provider

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"starling"
)

// A Kind is what the upstreams of one dialect have in common.
type Kind struct {
	Trim string // ending of a configured URL that Ask and List begin with
	Ask  string // path below the URL for a question, where "{model}" is the model's name; it may have a query
	List string // path below the URL for the list of models

	// Stream is the path for a question whose answer is to be streamed; "" where the
	// question itself says so.
	Stream string

	// Also has the paths below the URL for questions in other dialects, which some
	// upstreams of this one understand as well: those of [Options.Also], those that
	// its models take, and where the dialect has it the counting of tokens. They too
	// may have the model's name.
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
		Also:      map[starling.Dialect]string{starling.CountTokens: "/v1/messages/count_tokens"},
		Authorize: func(h http.Header, key string) { h["X-Api-Key"] = []string{key} },
		Default:   map[string]string{"Anthropic-Version": "2023-06-01"},
	},
	starling.Ollama: { // beside its own paths it has OpenAI's, for which it is often configured
		Trim:      "/v1",
		Ask:       "/api/chat",
		List:      "/api/tags",
		Also:      map[starling.Dialect]string{starling.Generate: "/api/generate", starling.Completions: "/v1/completions", starling.Embeddings: "/v1/embeddings", starling.Embed: "/api/embed"},
		Logprobs:  true,
		Authorize: func(h http.Header, key string) { h["Authorization"] = []string{"Bearer " + key} },
	},
	starling.Gemini: {
		Trim:   "/v1beta",
		Ask:    "/v1beta/models/{model}:generateContent",
		Stream: "/v1beta/models/{model}:streamGenerateContent?alt=sse",
		List:   "/v1beta/models?pageSize=1000",
		Also: map[starling.Dialect]string{
			starling.OpenAI: "/v1beta/openai/chat/completions", starling.Embeddings: "/v1beta/openai/embeddings",
			starling.EmbedContents: "/v1beta/models/{model}:batchEmbedContents", starling.EmbedContent: "/v1beta/models/{model}:embedContent",
		},
		Authorize: func(h http.Header, key string) { h["X-Goog-Api-Key"] = []string{key} },
	},
}

// dialects lists the names of Kinds.
func dialects() string {
	var names []string
	for d := range Kinds {
		names = append(names, string(d))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// taking returns the dialect in which upstreams of a kind are asked for what a model
// takes, and the path for it, "" if there is none.
func (k Kind) taking(takes starling.Dialect) (starling.Dialect, string) {
	for _, d := range []starling.Dialect{takes, starling.Embed} {
		if path := k.Also[d]; path != "" && d.Wants() == takes {
			return d, path
		}
	}
	return takes, ""
}

// Asks reports whether upstreams of a kind can be asked for what a model takes
// ([starling.Model.Takes]).
func (k Kind) Asks(takes starling.Dialect) bool {
	_, path := k.taking(takes)
	return takes == "" || path != ""
}

// at returns the URL of path, which is escaped and may have a query, at the upstream
// with the given base.
func (k Kind) at(base *url.URL, path string) *url.URL {
	u := *base
	root := strings.TrimRight(u.EscapedPath(), "/")
	if k.Trim != "" {
		root = strings.TrimSuffix(root, k.Trim)
	}
	path, query, _ := strings.Cut(path, "?")
	u.Path, u.RawPath = root+path, ""
	if unescaped, err := url.PathUnescape(root + path); err == nil && unescaped != root+path {
		u.Path, u.RawPath = unescaped, root+path
	}
	u.RawQuery = joined(u.RawQuery, query)
	return &u
}

// question returns the URL at which a model is asked.
func (k Kind) question(base *url.URL, model string, stream bool) *url.URL {
	path := k.Ask
	if stream && k.Stream != "" {
		path = k.Stream
	}
	return k.at(base, named(path, model))
}

// named is a path with the model's name where that belongs.
func named(path, model string) string {
	return strings.Replace(path, "{model}", url.PathEscape(model), 1)
}

// joined is one query made of two.
func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "&" + b
}

// as returns the kind whose headers an upstream of kind k expects with a question in
// a dialect: where it understands another vendor's, it takes the key where that has it.
func (k Kind) as(d starling.Dialect) Kind {
	switch d {
	case starling.Responses, starling.Completions, starling.Embeddings, starling.Moderations: // OpenAI's
		d = starling.OpenAI
	}
	if own, known := Kinds[d]; known {
		return own
	}
	return k
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
