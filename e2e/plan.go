package main

import (
	"maps"
	"slices"
)

// This file is the plan: what there is to talk to, who talks, and what each
// client is expected to do. Nothing else in the program names a dialect. Where
// Missing says why something is not there, the table says "no" and nobody asks;
// emptying it switches the thing on for every client at once.

// An upstream is a simulated vendor that speaks one dialect to the gateway.
type upstream struct {
	Dialect string
	Path    string // of its base URL
	Embeds  bool   // it turns texts into vectors, once the gateway lets it
	Missing string // why the gateway cannot ask it yet; "" if it can

	// Cannot says of features what no client can have of this dialect, and why.
	Cannot map[string]string
}

var upstreams = []upstream{
	{Dialect: "openai", Path: "/v1", Embeds: true},
	{Dialect: "responses", Path: "/v1", Cannot: map[string]string{"stop": "the dialect has no stop sequences: refused, in so many words"}},
	{Dialect: "anthropic"},
	{Dialect: "gemini", Path: "/v1beta", Embeds: true},
	{Dialect: "ollama"},
}

// endpoints are what clients call, with why the gateway does not serve it yet.
var endpoints = map[string]string{
	"chat":         "", // POST /v1/chat/completions
	"messages":     "", // POST /v1/messages
	"models":       "", // GET /v1/models
	"responses":    "",
	"completions":  "",
	"embeddings":   "",
	"moderations":  "", // POST /v1/moderations, passed through
	"count_tokens": "",
	"gemini":       "",
	"ollama":       "",
	"ollama-embed": "",
	"ollama-tags":  "",
	"gemini-list":  "",
	"gemini-count": "",
	"mcp":          "", // tools for agents, over stdio and at /mcp
	"gemini-embed": "", // POST /v1beta/models/{model}:batchEmbedContents
}

// features are the table's columns.
var features = []struct{ Name, Means string }{
	{"chat", "a whole answer, with its receipt where the client shows headers"},
	{"stream", "the answer as it arrives, in the client's own events"},
	{"tools", "a tool loop: the call, its result, the final text"},
	{"parallel", "two calls at once, and their results"},
	{"images", "a picture reaches the model"},
	{"schema", "an answer of a stated JSON Schema"},
	{"stop", "a stop sequence ends the answer, and is told"},
	{"limit", "the limit of tokens ends it, and is told"},
	{"usage", "the client shows the tokens, whole and streamed"},
	{"error", "an unknown model: the client's own error, with the gateway's words"},
	{"refused", "a budget that is spent: one request, and its reason reaches the person"},
	{"abort", "the client hangs up in the middle: the upstream's call is cancelled"},
	{"models", "the list of models"},
	{"embed", "embeddings"},
	{"count", "the tokens of a prompt, counted"},
	{"moderate", "what a moderation model says of texts"},
	{"delegate", "a message is sorted by the skill delegate, for less, and the agent's own session stays as it is"},
	{"document", "a question about a report, which the agent's own session never has"},
	{"offer", "Starling's own tools are listed, and return what they state"},
	{"plan", "what a task would cost, before anybody is asked"},
	{"receipt", "what was done can be read and explained"},
}

// A client is a row of the table.
type client struct {
	Name     string // of the row
	Package  string // whose installed version is shown
	Group    string // folder that says what to install, "node"
	Run      []string
	Endpoint string            // what it calls
	Features []string          // what it is asked to show
	Other    map[string]string // endpoints of single features that are not the row's own
	Quick    bool              // part of the time-boxed subset

	// Cannot says what the pair of this client and an upstream's dialect cannot
	// do, and why: "schema/ollama". It is shown; one that works after all is a failure.
	Cannot map[string]string
}

var (
	chatty   = []string{"chat", "stream", "tools", "parallel", "images", "schema", "stop", "limit", "usage", "error", "refused", "abort"}
	prompted = []string{"chat", "stream", "stop", "limit", "usage", "error", "refused", "abort"}
	agents   = []string{"tools", "error", "refused"}
	hands    = []string{"chat", "error", "refused", "abort", "models", "offer", "plan", "receipt"}
)

func less(all []string, gone ...string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(f string) bool { return slices.Contains(gone, f) })
}

func more(all []string, new ...string) []string { return append(slices.Clone(all), new...) }

func js(name, pkg, script, mode, endpoint string, features []string) client {
	return client{Name: name, Package: pkg, Group: "node", Run: []string{script, mode}, Endpoint: endpoint, Features: features, Quick: true}
}

func py(name, pkg, script, mode, endpoint string, features []string) client {
	return client{Name: name, Package: pkg, Group: "python", Run: []string{script, mode}, Endpoint: endpoint, Features: features, Quick: true}
}

func golang(name, pkg, mode, endpoint string, features []string) client {
	return client{Name: name, Package: pkg, Group: "golang", Run: []string{mode}, Endpoint: endpoint, Features: features, Quick: true}
}

func agent(name, pkg, folder, endpoint string) client {
	return client{Name: name, Package: pkg, Group: "agents/" + folder, Endpoint: endpoint, Features: agents}
}

func (c client) with(other map[string]string) client {
	c.Other = other
	return c
}

func (c client) cannot(what, why string) client {
	c.Cannot = maps.Clone(c.Cannot)
	if c.Cannot == nil {
		c.Cannot = map[string]string{}
	}
	c.Cannot[what] = why
	return c
}

// also is asked of one client more than of those like it.
func (c client) also(feature, endpoint string) client {
	c.Features = more(c.Features, feature)
	return c.with(map[string]string{feature: endpoint})
}

// dialects are what the endpoints speak that agents call.
var dialects = map[string]string{"messages": "anthropic", "responses": "responses", "chat": "openai"}

// delegates is asked of agents that have skills.
func (c client) delegates() client {
	c.Features = more(c.Features, "delegate", "document")
	return c
}

func (c client) quick() client {
	c.Quick = true
	return c
}

const (
	triesAgain = "it tries a 429 again by itself, whatever x-should-retry says: four requests, then the reason; a 402 it would ask once, but it calls itself what OpenAI's SDK does, which knows a spent quota by its 429"
	forces     = "it asks for a schema by forcing a tool, to which an upstream of this dialect cannot be made: refused, in so many words"
	readsStart = "it reads the prompt's tokens in message_start alone, when an upstream of another dialect has not told them: it shows the gateway's estimate"
)

var clients = []client{
	js("openai js, chat", "openai", "openai.mjs", "chat", "chat", more(chatty, "models", "embed", "moderate")).with(map[string]string{"models": "models", "embed": "embeddings", "moderate": "moderations"}),
	js("openai js, responses", "openai", "openai.mjs", "responses", "responses", less(chatty, "stop")),
	js("openai js, completions", "openai", "openai.mjs", "completions", "completions", prompted),
	js("anthropic js", "@anthropic-ai/sdk", "anthropic.mjs", "messages", "messages", more(chatty, "models", "count")).with(map[string]string{"models": "models", "count": "count_tokens"}),
	js("ai sdk, openai responses", "@ai-sdk/openai", "ai.mjs", "responses", "responses", less(chatty, "stop")),
	js("ai sdk, openai chat", "@ai-sdk/openai", "ai.mjs", "chat", "chat", more(chatty, "embed")).with(map[string]string{"embed": "embeddings"}),
	js("ai sdk, anthropic", "@ai-sdk/anthropic", "ai.mjs", "messages", "messages", chatty).cannot("schema/ollama", forces),
	js("ai sdk, openai-compatible", "@ai-sdk/openai-compatible", "ai.mjs", "compatible", "chat", more(chatty, "embed")).with(map[string]string{"embed": "embeddings"}),
	js("langchain js, openai", "@langchain/openai", "langchain.mjs", "openai", "chat", more(chatty, "embed")).with(map[string]string{"embed": "embeddings"}).cannot("schema/ollama", forces),
	js("langchain js, anthropic", "@langchain/anthropic", "langchain.mjs", "anthropic", "messages", chatty).cannot("usage/openai", readsStart).cannot("usage/responses", readsStart).cannot("usage/gemini", readsStart).cannot("usage/ollama", readsStart),
	js("openai agents js", "@openai/agents", "agents.mjs", "responses", "responses", []string{"chat", "stream", "tools", "parallel", "schema", "usage", "error", "refused"}),
	js("google genai js", "@google/genai", "genai.mjs", "gemini", "gemini", more(chatty, "models", "count", "embed")).with(map[string]string{"models": "gemini-list", "count": "gemini-count", "embed": "gemini-embed"}),
	js("ollama js", "ollama", "ollama.mjs", "ollama", "ollama", more(chatty, "models", "embed")).with(map[string]string{"models": "ollama-tags", "embed": "ollama-embed"}),
	js("mcp js, stdio", "@modelcontextprotocol/sdk", "mcp.mjs", "stdio", "mcp", hands),
	js("mcp js, http", "@modelcontextprotocol/sdk", "mcp.mjs", "http", "mcp", hands),

	py("openai python, chat", "openai", "openai_sdk.py", "chat", "chat", more(chatty, "models", "embed", "moderate")).with(map[string]string{"models": "models", "embed": "embeddings", "moderate": "moderations"}),
	py("openai python, responses", "openai", "openai_sdk.py", "responses", "responses", less(chatty, "stop")),
	py("openai python, completions", "openai", "openai_sdk.py", "completions", "completions", prompted),
	py("anthropic python", "anthropic", "anthropic_sdk.py", "messages", "messages", more(chatty, "models", "count")).with(map[string]string{"models": "models", "count": "count_tokens"}),
	py("langchain python, openai", "langchain-openai", "langchain_openai_sdk.py", "chat", "chat", more(chatty, "embed")).with(map[string]string{"embed": "embeddings"}).cannot("schema/ollama", forces),
	{Name: "litellm python, openai", Package: "litellm", Group: "litellm", Run: []string{"litellm_sdk.py", "openai"}, Endpoint: "chat", Features: less(chatty, "abort")},
	{Name: "litellm python, anthropic", Package: "litellm", Group: "litellm", Run: []string{"litellm_sdk.py", "anthropic"}, Endpoint: "messages", Features: less(chatty, "abort"), Cannot: map[string]string{"schema/ollama": forces}},

	golang("openai go, chat", "github.com/openai/openai-go/v3", "openai-chat", "chat", more(chatty, "models", "embed")).with(map[string]string{"models": "models", "embed": "embeddings"}),
	golang("openai go, responses", "github.com/openai/openai-go/v3", "openai-responses", "responses", less(chatty, "stop")),
	golang("anthropic go", "github.com/anthropics/anthropic-sdk-go", "anthropic", "messages", more(chatty, "models", "count")).with(map[string]string{"models": "models", "count": "count_tokens"}),
	golang("google genai go", "google.golang.org/genai", "gemini", "gemini", more(chatty, "models", "count", "embed")).with(map[string]string{"models": "gemini-list", "count": "gemini-count", "embed": "gemini-embed"}),

	golang("oracle: OpenAI's OpenAPI, chat", "", "oracle-chat", "chat", []string{"chat", "stream", "tools", "parallel", "schema", "limit", "error", "embed"}).with(map[string]string{"embed": "embeddings"}),
	golang("oracle: OpenAI's OpenAPI, responses", "", "oracle-responses", "responses", []string{"chat", "stream", "tools", "parallel", "schema", "limit", "error"}),
	golang("oracle: Anthropic's Go types", "github.com/anthropics/anthropic-sdk-go", "oracle-messages", "messages", []string{"chat", "stream", "tools", "parallel", "schema", "limit", "error"}),
	golang("oracle: Gemini's Go types", "google.golang.org/genai", "oracle-gemini", "gemini", []string{"chat", "stream", "tools", "parallel", "schema", "limit", "error"}),

	agent("claude code", "@anthropic-ai/claude-code", "claude", "messages").also("models", "models").cannot("error/-", "it has words of its own for a 404: which model, and to pick another").delegates().quick(),
	agent("codex", "@openai/codex", "codex", "responses").delegates().quick(),
	agent("opencode", "opencode-ai", "opencode", "chat").delegates(),
	agent("gemini-cli", "@google/gemini-cli", "gemini", "gemini"),
	agent("pi", "@mariozechner/pi-coding-agent", "pi", "chat").cannot("refused/-", triesAgain).quick(),
	agent("continue", "@continuedev/cli", "cn", "chat"),
}
