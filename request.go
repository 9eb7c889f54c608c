package starling

import "encoding/json"

// A Dialect names a wire format for asking a model and for its answer.
type Dialect string

// The dialects in which a conversation is asked.
const (
	OpenAI      Dialect = "openai"      // POST /v1/chat/completions
	Anthropic   Dialect = "anthropic"   // POST /v1/messages
	Responses   Dialect = "responses"   // POST /v1/responses
	Gemini      Dialect = "gemini"      // POST /v1beta/models/{model}:generateContent, :streamGenerateContent
	Ollama      Dialect = "ollama"      // POST /api/chat
	Generate    Dialect = "generate"    // POST /api/generate, Ollama's for a prompt alone
	Completions Dialect = "completions" // POST /v1/completions, OpenAI's for a prompt alone
)

// The dialects of questions that nobody answers in words: they pass to an upstream
// that speaks them.
const (
	Embeddings    Dialect = "embeddings"     // POST /v1/embeddings
	Embed         Dialect = "embed"          // POST /api/embed, Ollama's
	EmbedOne      Dialect = "embed_one"      // POST /api/embeddings, Ollama's older one, for one text
	EmbedContents Dialect = "embed_contents" // POST /v1beta/models/{model}:batchEmbedContents, Gemini's
	EmbedContent  Dialect = "embed_content"  // POST /v1beta/models/{model}:embedContent, for one text
	Moderations   Dialect = "moderations"    // POST /v1/moderations
	CountTokens   Dialect = "count_tokens"   // POST /v1/messages/count_tokens
)

// Wants returns what a question of the dialect asks for: [Embeddings] for vectors,
// [Moderations], [CountTokens], and "" for an answer in words. Between dialects that
// want the same a question may be translated, and no other.
func (d Dialect) Wants() Dialect {
	switch d {
	case Embeddings, Embed, EmbedOne, EmbedContents, EmbedContent:
		return Embeddings
	case Moderations, CountTokens:
		return d
	}
	return ""
}

// A Request is the caller's question: the bytes as received, and what had to be
// read of them to route it. It belongs to one exchange and is never changed
// after the cascade has taken it: a provider that needs other bytes makes them.
type Request struct {
	Dialect Dialect
	Body    []byte              // one valid JSON object, exactly as received
	Header  map[string][]string // the caller's headers that travel upstream, canonical names
	Query   string              // the raw query that travels upstream, "beta=true"

	Model     string // as the caller named it, in the body or in the path
	Stream    bool   // the caller wants events
	Array     bool   // of a stream: as the elements of one JSON array
	WantUsage bool   // the caller asked for usage inside the stream
	WantProbs bool   // the caller asked for the tokens' log-probabilities
	MaxTokens int64  // most output tokens per choice the caller allows; 0 if unsaid
	Choices   int64  // how many answers are asked for, or vectors; at least 1
	Tools     int    // tools offered to the model
	Chooses   bool   // the caller says whether tools must be used, and which
	Hosted    int    // of them, those that the vendor runs, and charges beside the tokens
	Images    int    // pictures: their tokens are not bounded by their bytes
	Documents int    // documents, sound and whatever else is no text: bounded by the model's window alone
	Opaque    int    // bytes of Body that are the base64 of those
	Tier      string // a dearer service tier that is asked for, "priority"; "" the standard one

	Format *Format // the shape that the answer must have; nil: free text. Its schema is a piece of Body

	Caller     Caller
	Skill      string  // the skill that the caller named; "" if none
	Class      Class   // the class that the caller named; "" if none
	Budget     Money   // most that the whole exchange may cost, by the caller's own word; 0 unsaid. It can only lower the skill's
	Bar        float64 // share of answers that must be shown to pass, by the caller's own word, in (0, 1]; 0 unsaid. It can only raise the skill's
	Split      *bool   // whether long documents are to be read in parts, by the caller's own word; nil unsaid, and the rubric decides
	Agent      string  // the calling program, from User-Agent: "openai-js/7.57"
	Talk       string  // the caller's own name of the conversation; "" if none. It tells conversations apart, and is kept nowhere
	Unattended bool    // nobody waits for the answer: a trial or an audit, which gives way to everybody who does

	// Chat is the dialect-free view. It is nil until somebody needs it
	// (wire.View): an exchange that passes through never pays for it.
	Chat *Chat

	// Counted is what was counted of its tokens; nil counts anew each time.
	Counted *Counted
}

// TrialAgent is the [Request.Agent] of questions that Starling asks itself to try
// models: they are no traffic, and nobody observes them.
const TrialAgent = "starling-trial"

// A Caller is who asks, as far as the gateway knows. The zero value is the
// user of this machine, on loopback, without a key.
type Caller struct {
	Key   string // the key's public id, never the key; "" without one
	Name  string // what its maker called it
	Team  string
	Class Class  // the class that the key implies; "" if none
	Skill string // the skill a request of this key has when it names none
}

// A Chat is a question in no dialect: the meeting point of the translators.
// Order is kept everywhere; nothing is merged that the caller kept apart.
type Chat struct {
	System     []Part
	Messages   []Message
	Tools      []Tool
	ToolChoice ToolChoice
	Parallel   *bool // nil: the caller did not say

	MaxTokens   int64       // 0: unsaid
	Temperature json.Number // the caller's own digits; "" unsaid
	TopP        json.Number
	TopK        json.Number
	Seed        json.Number
	Stop        []string
	Choices     int64 // 1 unless the caller asked for more
	Logprobs    bool  // the tokens' log-probabilities are asked for
	TopLogprobs int64 // and those of so many that could have stood there; 0 without Logprobs

	Format      *Format // nil: free text
	Effort      string  // reasoning effort: "", "none", "minimal", "low", "medium", "high", "xhigh", "max"
	ThinkTokens int64   // reasoning budget in tokens; 0 unsaid
	User        string  // the caller's own name for its end user

	// Extra holds the fields that have no dialect-free form, by their name in
	// the caller's dialect. A translator either refuses them or says on the
	// attempt that they were left out; it never drops one in silence.
	Extra map[string]json.RawMessage
}

// A Message is one turn.
type Message struct {
	Role  Role
	Parts []Part
}

// A Role says who speaks.
type Role string

// The roles. A tool's result is a part of a User message.
const (
	System    Role = "system"
	User      Role = "user"
	Assistant Role = "assistant"
)

// A Part is a piece of a message. Exactly the fields of its Kind are set.
type Part struct {
	Kind   PartKind
	Text   string      // TextPart, ReasoningPart, RefusalPart
	Image  *Image      // ImagePart
	Call   *ToolCall   // CallPart
	Result *ToolResult // ResultPart

	// Signature ties a ReasoningPart to the model that thought it. With an
	// empty Text it is redacted reasoning. Only that model can read it.
	Signature string
}

// A PartKind says what a Part is.
type PartKind string

// The kinds of part.
const (
	TextPart      PartKind = "text"
	ImagePart     PartKind = "image"
	ReasoningPart PartKind = "reasoning"
	RefusalPart   PartKind = "refusal"
	CallPart      PartKind = "tool_call"
	ResultPart    PartKind = "tool_result"
)

// An Image is given by URL, or by MediaType and base64 Data.
type Image struct {
	URL       string
	MediaType string // "image/png"
	Data      string // base64, as received
	Detail    string // OpenAI's hint; "" unsaid
}

// A ToolCall is a model's wish to have a tool run.
type ToolCall struct {
	ID        string
	Name      string
	Arguments string // JSON text as the model wrote it; may be invalid JSON
}

// A ToolResult is what a tool answered.
type ToolResult struct {
	ID    string // of the call
	Parts []Part // text and images
	Error bool
}

// A Tool is a function that the model may call.
type Tool struct {
	Name        string
	Description string
	Schema      json.RawMessage // of its parameters, as received; nil if none
	Strict      *bool
}

// A ToolChoice says whether tools must be used. The zero value is unsaid.
type ToolChoice struct {
	Mode string // "", "auto", "none", "required", "tool"
	Name string // for "tool"
}

// A Format is a demanded shape of the answer.
type Format struct {
	Kind   string // "json_object" or "json_schema"
	Name   string
	Schema json.RawMessage // JSON Schema; nil if none was given
	Strict *bool
}
