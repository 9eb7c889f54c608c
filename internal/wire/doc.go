// Package wire knows the dialects: the bytes in which a model is asked and in
// which it answers, and the dialect-free [starling.Chat] and [starling.Event]
// between them. It is pure functions over bytes: it opens no connection, starts
// no goroutine, keeps no state beyond one request, and decides nothing about who
// answers.
//
// Start reading at outgoing.go (question) and read.go, writer.go (answer).
//
// What the dialects cannot say to each other is in the tables openAIRules,
// anthropicRules, responsesRules, geminiRules, ollamaRules and completionsRules, how hard
// to think in effort (anthropic_request.go), effortOf (openai_request.go),
// gemini_request.go and think (ollama_request.go), and what becomes of thoughts and their
// signatures in anthropic_thoughts.go, responses.go and gemini_marks.go.
//
//	Parse     bytes → Request: what routing must know          parse.go
//	View      Request → Chat, when somebody needs it           openai_view.go and its like
//	Outgoing  Request → bytes for an upstream                  outgoing.go
//	Read      an upstream's bytes → Events                     read.go, sse.go
//	Writer    Events → bytes for the caller                    writer.go
//	Reword    Request → the same under another system prompt   reword.go
//	Recalled  a question → with what it refers to              responses_kept.go
//	ErrorReply, ReadError                                      errors.go, heedless.go, readerror.go
//
// Two rules hold everywhere. In the caller's own dialect bytes stay as they
// are, but for four splices: the model's name, usage and log-probabilities that
// are asked for and then taken out again for a caller who did not ask
// (logprobs.go), and what stands under our own mark (anthropic_thoughts.go,
// responses.go, gemini_marks.go). In another dialect nothing is dropped in silence: a
// field that cannot be carried is refused when it would change the answer's
// meaning or shape, and reported otherwise.
//
// JSON is read in place by the small scanner of json_scan.go: it bounds depth
// before anything else looks, keeps the text of numbers, and does not recurse.
//
// A dialect is one type that implements dialect (dialect.go), its files share
// its name as prefix, and it has one row in spoken. One that questions can be
// translated into is a target too: generate and completions, which have a prompt in
// the place of a conversation, are none.
//
// Sources: OpenAI's OpenAPI document 2.3.0 (2026-08-21); the Messages API by the
// types of anthropic-sdk-go v1.84.0, its output_config and adaptive thinking by
// the references of OpenRouter's SDK and AWS Bedrock (2026), which agree;
// server-sent events: the WHATWG HTML standard, section 9.2; docs/api.md and
// api/types.go of Ollama v0.17.4.
package wire
