package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"starling"
)

// A fault is a refusal, not yet in either vendor's words.
type fault struct {
	cause   cause
	param   string // the field at fault; "" if none
	message string
}

// A cause is why something is refused.
type cause int

const (
	badRequest cause = iota
	badKey
	noModel
	noRoute
	badMethod
	tooLarge
	tooLong
	rateLimited
	overloaded
	broken
)

// vendorTerms is how each vendor says a cause.
type vendorTerms struct {
	status int
	kind   string
	code   string // of OpenAI, "" is null; of Google, the reason
}

var openaiTerms = map[cause]vendorTerms{
	badRequest:  {400, "invalid_request_error", ""},
	badKey:      {401, "invalid_request_error", "invalid_api_key"},
	noModel:     {404, "invalid_request_error", "model_not_found"},
	noRoute:     {404, "invalid_request_error", "unknown_url"},
	badMethod:   {405, "invalid_request_error", "method_not_supported"},
	tooLarge:    {413, "invalid_request_error", "request_too_large"},
	tooLong:     {400, "invalid_request_error", "context_length_exceeded"},
	rateLimited: {429, "requests", "rate_limit_exceeded"},
	overloaded:  {503, "server_error", "server_overloaded"},
	broken:      {500, "server_error", ""},
}

var anthropicTerms = map[cause]vendorTerms{
	badRequest:  {400, "invalid_request_error", ""},
	badKey:      {401, "authentication_error", ""},
	noModel:     {404, "not_found_error", ""},
	noRoute:     {404, "not_found_error", ""},
	badMethod:   {405, "invalid_request_error", ""},
	tooLarge:    {413, "request_too_large", ""},
	tooLong:     {400, "invalid_request_error", ""},
	rateLimited: {429, "rate_limit_error", ""},
	overloaded:  {529, "overloaded_error", ""},
	broken:      {500, "api_error", ""},
}

// ollamaStatus is all that Ollama says of a cause beside the message.
var ollamaStatus = map[cause]int{
	badRequest: 400, badKey: 401, noModel: 404, noRoute: 404, badMethod: 405, tooLarge: 413, tooLong: 400, rateLimited: 429, overloaded: 503, broken: 500,
}

var geminiTerms = map[cause]vendorTerms{
	badRequest:  {400, "INVALID_ARGUMENT", ""},
	badKey:      {400, "INVALID_ARGUMENT", "API_KEY_INVALID"},
	noModel:     {404, "NOT_FOUND", ""},
	noRoute:     {404, "NOT_FOUND", ""},
	badMethod:   {405, "INVALID_ARGUMENT", ""},
	tooLarge:    {413, "INVALID_ARGUMENT", ""},
	tooLong:     {400, "INVALID_ARGUMENT", ""},
	rateLimited: {429, "RESOURCE_EXHAUSTED", ""},
	overloaded:  {503, "UNAVAILABLE", ""},
	broken:      {500, "INTERNAL", ""},
}

func (f *fault) terms(d starling.Dialect) vendorTerms {
	switch d {
	case starling.Anthropic:
		return anthropicTerms[f.cause]
	case starling.Ollama, starling.Generate:
		return vendorTerms{status: ollamaStatus[f.cause]}
	case starling.Gemini:
		return geminiTerms[f.cause]
	}
	return openaiTerms[f.cause]
}

type openaiError struct {
	Error struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	} `json:"error"`
	Simulated bool `json:"simulated"`
}

type anthropicError struct {
	Type  string `json:"type"`
	Error struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
	RequestID string `json:"request_id"`
	Simulated bool   `json:"simulated"`
}

type geminiError struct {
	Error struct {
		Code    int            `json:"code"`
		Message string         `json:"message"`
		Status  string         `json:"status"`
		Details []geminiReason `json:"details,omitempty"`
	} `json:"error"`
	Simulated bool `json:"simulated"`
}

type geminiReason struct {
	Type   string `json:"@type"`
	Reason string `json:"reason"`
	Domain string `json:"domain"`
}

// body renders the fault in the dialect's envelope.
func (f *fault) body(d starling.Dialect, requestID string) []byte {
	terms := f.terms(d)
	if d == starling.Ollama || d == starling.Generate {
		return marshal(struct {
			Error     string `json:"error"`
			Simulated bool   `json:"simulated"`
		}{f.message, true})
	}
	if d == starling.Anthropic {
		e := anthropicError{Type: "error", RequestID: requestID, Simulated: true}
		e.Error.Type, e.Error.Message = terms.kind, f.message
		return marshal(e)
	}
	if d == starling.Gemini {
		e := geminiError{Simulated: true}
		e.Error.Code, e.Error.Message, e.Error.Status = terms.status, f.message, terms.kind
		if terms.code != "" {
			e.Error.Details = []geminiReason{{"type.googleapis.com/google.rpc.ErrorInfo", terms.code, "googleapis.com"}}
		}
		return marshal(e)
	}
	e := openaiError{Simulated: true}
	e.Error.Message, e.Error.Type = f.message, terms.kind
	e.Error.Param, e.Error.Code = orNull(f.param), orNull(terms.code)
	return marshal(e)
}

// write answers with the fault. A refusal that may pass says when to come back.
func (f *fault) write(w http.ResponseWriter, d starling.Dialect, requestID string) {
	body := f.body(d, requestID)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if f.cause == rateLimited || f.cause == overloaded {
		h.Set("Retry-After", "1")
		h.Set("Retry-After-Ms", "20")
	}
	w.WriteHeader(f.terms(d).status)
	w.Write(body) // a client that left misses only its refusal
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// marshal renders one of this package's own wire structs.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("sim: a wire struct of ours has no JSON: %v", err))
	}
	return b
}

// refused makes a fault about a field.
func refused(param, format string, args ...any) *fault {
	return &fault{cause: badRequest, param: param, message: fmt.Sprintf(format, args...)}
}
