package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"starling"
)

func TestEveryKindHasItsStatusInEveryDialect(t *testing.T) {
	const never = "false"
	type row struct {
		status int
		word   string
		retry  string
	}
	want := map[starling.Dialect]map[starling.Kind]row{
		starling.OpenAI: {
			starling.Invalid:         {400, "invalid_request_error", ""},
			starling.Unauthenticated: {401, "authentication_error", ""},
			starling.Forbidden:       {403, "permission_error", never},
			starling.NotFound:        {404, "not_found_error", ""},
			starling.TooLarge:        {413, "request_too_large", ""},
			starling.OverBudget:      {429, "insufficient_quota", never},
			starling.Unproven:        {403, "permission_error", never},
			starling.Overloaded:      {503, "server_error", ""},
			starling.Refused:         {502, "upstream_error", never},
			starling.Cancelled:       {499, "cancelled", ""},
			starling.Internal:        {500, "server_error", ""},
		},
		starling.Anthropic: {
			starling.Invalid:         {400, "invalid_request_error", ""},
			starling.Unauthenticated: {401, "authentication_error", ""},
			starling.Forbidden:       {402, "permission_error", never},
			starling.NotFound:        {404, "not_found_error", ""},
			starling.TooLarge:        {413, "request_too_large", ""},
			starling.OverBudget:      {402, "billing_error", never},
			starling.Unproven:        {402, "permission_error", never},
			starling.Overloaded:      {529, "overloaded_error", ""},
			starling.Refused:         {502, "api_error", never},
			starling.Cancelled:       {499, "api_error", ""},
			starling.Internal:        {500, "api_error", ""},
		},
		starling.Ollama: {
			starling.Invalid:         {400, "", ""},
			starling.Unauthenticated: {401, "", ""},
			starling.Forbidden:       {403, "", never},
			starling.NotFound:        {404, "", ""},
			starling.TooLarge:        {413, "", ""},
			starling.OverBudget:      {402, "", never},
			starling.Unproven:        {403, "", never},
			starling.Overloaded:      {503, "", ""},
			starling.Refused:         {502, "", never},
			starling.Cancelled:       {499, "", ""},
			starling.Internal:        {500, "", ""},
		},
		starling.Gemini: {
			starling.Invalid:         {400, "INVALID_ARGUMENT", ""},
			starling.Unauthenticated: {401, "UNAUTHENTICATED", ""},
			starling.Forbidden:       {403, "PERMISSION_DENIED", never},
			starling.NotFound:        {404, "NOT_FOUND", ""},
			starling.TooLarge:        {413, "INVALID_ARGUMENT", ""},
			starling.OverBudget:      {400, "FAILED_PRECONDITION", never},
			starling.Unproven:        {403, "PERMISSION_DENIED", never},
			starling.Overloaded:      {503, "UNAVAILABLE", ""},
			starling.Refused:         {502, "UNKNOWN", never},
			starling.Cancelled:       {499, "CANCELLED", ""},
			starling.Internal:        {500, "INTERNAL", ""},
		},
		starling.Responses: {
			starling.Invalid:         {400, "invalid_request_error", ""},
			starling.Unauthenticated: {401, "authentication_error", ""},
			starling.Forbidden:       {400, "permission_error", never},
			starling.NotFound:        {404, "not_found_error", ""},
			starling.TooLarge:        {413, "request_too_large", ""},
			starling.OverBudget:      {400, "insufficient_quota", never},
			starling.Unproven:        {400, "permission_error", never},
			starling.Overloaded:      {503, "server_error", ""},
			starling.Refused:         {502, "upstream_error", never},
			starling.Cancelled:       {499, "cancelled", ""},
			starling.Internal:        {500, "server_error", ""},
		},
	}
	want[starling.Generate], want[starling.Completions] = want[starling.Ollama], want[starling.OpenAI]
	for _, d := range Dialects() {
		for _, k := range starling.Kinds {
			status, header, body := ErrorReply(d, &starling.Error{Kind: k, Op: "o", Hint: "do <this>"}, "req_1", "")
			got := row{status, wordOr(text(field(field(body, "error"), "type")), text(field(field(body, "error"), "status"))), header["x-should-retry"]}
			if got != want[d][k] {
				t.Errorf("%s %s: got %v, want %v", d, k, got, want[d][k])
			}
		}
	}
}

func TestTheEnvelopesOfTheDialects(t *testing.T) {
	e := invalid("max_tokens", "must be <9>")
	for _, c := range []struct {
		dialect starling.Dialect
		header  map[string]string
		body    string
	}{
		{starling.OpenAI, map[string]string{"content-type": "application/json", "x-request-id": "req_1"}, `{"error":{"message":"request: max_tokens: must be <9>","type":"invalid_request_error","param":"max_tokens","code":"invalid"}}`},
		{"unknown", map[string]string{"content-type": "application/json", "x-request-id": "req_1"}, `{"error":{"message":"request: max_tokens: must be <9>","type":"invalid_request_error","param":"max_tokens","code":"invalid"}}`},
		{starling.Ollama, map[string]string{"content-type": "application/json", "x-request-id": "req_1"}, `{"error":"request: max_tokens: must be <9>"}`},
		{starling.Gemini, map[string]string{"content-type": "application/json", "x-request-id": "req_1"}, `{"error":{"code":400,"message":"request: max_tokens: must be <9>","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"invalid","domain":"starling","metadata":{"field":"max_tokens"}}]}}`},
		{starling.Anthropic, map[string]string{"content-type": "application/json", "request-id": "req_1"}, `{"type":"error","error":{"type":"invalid_request_error","message":"request: max_tokens: must be <9>"},"request_id":"req_1"}`},
	} {
		_, header, body := ErrorReply(c.dialect, e, "req_1", "")
		if d := cmp.Diff(c.body, string(body)) + cmp.Diff(c.header, header); d != "" {
			t.Errorf("%s: %s", c.dialect, d)
		}
	}
}

// TestAHintIsToldApartToo in OpenAI's dialect, where the message has it as well.
func TestAHintIsToldApartToo(t *testing.T) {
	e := &starling.Error{Kind: starling.NotFound, Op: "no <such> model", Hint: "did you mean \"m\"?"}
	for _, d := range []starling.Dialect{starling.OpenAI, starling.Responses, starling.Completions} {
		_, _, body := ErrorReply(d, e, "", "")
		if want := `{"error":{"message":"no <such> model (did you mean \"m\"?)","type":"not_found_error","param":null,"code":"not_found","hint":"did you mean \"m\"?"}}`; string(body) != want {
			t.Errorf("%s: %s", d, body)
		}
	}
}

func TestAnUpstreamsReplyGoesThrough(t *testing.T) {
	header := map[string][]string{"Retry-After": {"7"}, "X-Should-Retry": {"true"}, "Request-Id": {"up_1"}, "Set-Cookie": {"secret"}}
	body := []byte(`{"type":"error", "error":{"type":"rate_limit_error","message":"Slow <down>"}}`)
	e := ReadError(starling.Anthropic, 429, header, body)
	if e.Kind != starling.Overloaded || e.Billed {
		t.Fatalf("got %+v", e)
	}
	status, h, got := ErrorReply(starling.Anthropic, e, "req_1", "")
	if d := cmp.Diff(map[string]string{"content-type": "application/json", "request-id": "up_1", "retry-after": "7", "x-should-retry": "true"}, h); d != "" || status != 429 || string(got) != string(body) {
		t.Errorf("the same dialect: %d %s %s", status, d, got)
	}
	status, h, got = ErrorReply(starling.OpenAI, e, "req_1", "")
	if d := cmp.Diff(map[string]string{"content-type": "application/json", "x-request-id": "req_1", "retry-after": "7", "x-should-retry": "true"}, h); d != "" || status != 429 {
		t.Errorf("the other dialect: %d %s", status, d)
	}
	if want := `{"error":{"message":"Slow <down>","type":"rate_limit_error","param":null,"code":"overloaded"}}`; string(got) != want {
		t.Errorf("the other dialect: %s", got)
	}
}

func TestReadErrorKnowsEveryStatus(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		kind   starling.Kind
		reply  bool
		hint   string
	}{
		{400, `{"error":{"type":"invalid_request_error","message":"your secret prompt"}}`, starling.Refused, true, ""},
		{401, `{"error":{"message":"bad key sk-123"}}`, starling.Refused, false, "key"},
		{402, `{}`, starling.Refused, false, "balance"},
		{403, `{}`, starling.Refused, false, "key"},
		{404, `{}`, starling.NotFound, true, "model"},
		{408, `{}`, starling.Overloaded, true, ""},
		{409, `{}`, starling.Overloaded, true, ""},
		{413, `{}`, starling.Refused, true, ""},
		{422, `{}`, starling.Refused, true, ""},
		{429, `{}`, starling.Overloaded, true, ""},
		{429, `{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}`, starling.Refused, false, "balance"},
		{500, `<html>`, starling.Overloaded, true, ""},
		{501, ``, starling.Refused, true, ""},
		{503, `{}`, starling.Overloaded, true, ""},
		{529, `{}`, starling.Overloaded, true, ""},
		{302, ``, starling.Refused, true, ""},
	} {
		t.Run(fmt.Sprint(c.status, c.body), func(t *testing.T) {
			e := ReadError(starling.OpenAI, c.status, nil, []byte(c.body))
			if e.Kind != c.kind || (e.Reply != nil) != c.reply || !strings.Contains(e.Hint, c.hint) {
				t.Errorf("got %+v", e)
			}
			if s := e.Error(); strings.Contains(s, "secret") || strings.Contains(s, "sk-") {
				t.Errorf("the error quotes: %s", s)
			}
			if status, _, body := ErrorReply(starling.OpenAI, e, "r", ""); status < 400 || !valid(body) {
				t.Errorf("told as %d %s", status, body)
			}
		})
	}
}

func TestWhatAnUpstreamSaysIsFoundWhereverItSaysIt(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":{"message":"m"}}`:                "m",
		`{"error":"m"}`:                            "m", // Ollama
		`{"object":"error","message":"m"}`:         "m", // vLLM
		`{"detail":"m"}`:                           "m", // FastAPI
		`{"type":"error","error":{"message":"m"}}`: "m",
		`{"error":{"code":1}}`:                     "upstream: answered 400",
		`[]`:                                       "upstream: answered 400",
	} {
		_, _, told := ErrorReply(starling.Anthropic, ReadError(starling.OpenAI, 400, nil, []byte(body)), "r", "")
		if got := text(field(field(told, "error"), "message")); got != want {
			t.Errorf("%s is told as %q", body, got)
		}
	}
}

func TestAReplyIsBounded(t *testing.T) {
	body := []byte(`{"error":{"message":"` + strings.Repeat("x", mostReply) + `"}}`)
	e := ReadError(starling.OpenAI, 400, nil, body)
	if len(e.Reply.Body) > 0 {
		t.Errorf("kept %d bytes", len(e.Reply.Body))
	}
	small := []byte(`{"error":{"message":"m"}}`)
	e = ReadError(starling.OpenAI, 400, nil, small)
	small[2] = 'X'
	if string(e.Reply.Body) != `{"error":{"message":"m"}}` {
		t.Error("the body is not a copy")
	}
}

func TestErrorsKeepTheirCause(t *testing.T) {
	cause := errors.New("cause")
	if e := failure(fmt.Errorf("x: %w", cause)); !errors.Is(e, cause) {
		t.Errorf("got %v", e)
	}
}
