package serve_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/ledger"
	"starling/internal/serve"
)

// statuses are what callers of each dialect are told for each kind.
var statuses = map[string]map[starling.Kind]int{
	chatPath:      {starling.Invalid: 400, starling.Unauthenticated: 401, starling.Forbidden: 403, starling.NotFound: 404, starling.TooLarge: 413, starling.OverBudget: 429, starling.Overloaded: 503, starling.Refused: 502},
	responsesPath: {starling.Invalid: 400, starling.Unauthenticated: 401, starling.Forbidden: 400, starling.NotFound: 404, starling.TooLarge: 413, starling.OverBudget: 400, starling.Overloaded: 503, starling.Refused: 502},
	messagesPath:  {starling.Invalid: 400, starling.Unauthenticated: 401, starling.Forbidden: 402, starling.NotFound: 404, starling.TooLarge: 413, starling.OverBudget: 402, starling.Overloaded: 529, starling.Refused: 502},
}

// alwaysThere are the headers without which no response leaves.
var alwaysThere = []string{"X-Starling-Receipt", "X-Starling-Model", "X-Starling-Provider", "X-Starling-Zone", "X-Starling-Reason", "X-Starling-Cost"}

func wantHeaders(t testing.TB, a answer) {
	t.Helper()
	for _, name := range alwaysThere {
		if a.header.Get(name) == "" {
			t.Errorf("no %s in %v", name, a.header)
		}
	}
}

// wantEnvelope checks that an error is told in the words of the path's dialect,
// with every key that its clients read.
func wantEnvelope(t testing.TB, path, body string) {
	t.Helper()
	text := func(at string) bool {
		v := gjson.Get(body, at)
		return v.Type == gjson.String && v.Str != ""
	}
	ok := gjson.Valid(body) && text("error.type") && text("error.message")
	if path == messagesPath {
		ok = ok && gjson.Get(body, "type").Str == "error"
	} else {
		ok = ok && text("error.code") && gjson.Get(body, "error.param").Exists()
	}
	if !ok {
		t.Errorf("%s: no envelope of its dialect: %s", path, body)
	}
}

// wantRefusal checks everything that is to be said of a request that was refused
// before anybody was asked.
func (s *stand) wantRefusal(t testing.TB, path string, a answer, kind starling.Kind, says ...string) {
	t.Helper()
	if want := statuses[path][kind]; a.status != want {
		t.Errorf("status %d, want %d: %s", a.status, want, a.body)
	}
	wantHeaders(t, a)
	wantEnvelope(t, path, a.body)
	for _, text := range says {
		if !strings.Contains(gjson.Get(a.body, "error.message").Str, text) {
			t.Errorf("%q is missing in %s", text, a.body)
		}
	}
	r := s.receipt(a)
	if r.Outcome != starling.Failed || r.Kind != kind || r.Cost != 0 || len(r.Attempts) != 0 || r.Why == "" {
		t.Errorf("receipt: outcome %s, kind %s, cost %s, %d attempts, why %q", r.Outcome, r.Kind, r.Cost, len(r.Attempts), r.Why)
	}
	for _, standing := range must(s.ledger.Standing(context.Background())) {
		if standing.Held != 0 {
			t.Errorf("%s is still held", standing.Held)
		}
	}
}

// uncalled is a stand with a budget, a skill, and an upstream that counts.
func uncalled(t *testing.T, o serve.Options) (*stand, *atomic.Int32) {
	var calls atomic.Int32
	s := newStand(t, standOptions{
		serve: o, budgets: []ledger.Budget{{Scope: ledger.ForAll, Limit: starling.Dollar, Per: ledger.InTotal}},
		skills: testSkill("candidates: [up/m]\n"),
	}, openAIUp(func(w http.ResponseWriter, r *http.Request) { calls.Add(1) }))
	return s, &calls
}

const ok = `"model":"up/m","max_tokens":10,"messages":[{"role":"user","content":"x"}]`

func TestABodyThatIsNoQuestionIsRefused(t *testing.T) {
	s, calls := uncalled(t, serve.Options{})
	for _, c := range []struct{ name, body, says string }{
		{"nothing at all", "", ""},
		{"only space", " \r\n\t", ""},
		{"JSON that is cut", `{` + ok, ""},
		{"JSON with more behind it", `{` + ok + `} {}`, ""},
		{"a comma too many", `{` + ok + `,}`, ""},
		{"single quotes", `{'model':'up/m'}`, ""},
		{"an array", `[{` + ok + `}]`, "not a JSON object"},
		{"a string", `"hello"`, "not a JSON object"},
		{"null", `null`, "not a JSON object"},
		{"a hundred thousand arrays, one inside the other", strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), ""},
		{"a hundred thousand objects, one inside the other", `{` + ok + `,"x":` + strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_001), ""},
		{"a hundred thousand that nobody closes", strings.Repeat(`{"a":`, 100_000), ""},
		{"text that is not UTF-8", "{" + ok + ",\"x\":\"\xff\xfe\"}", "UTF-8"},
		{"an overlong slash", "{" + ok + ",\"x\":\"\xc0\xaf\"}", "UTF-8"},
		{"a NUL inside a string", "{" + ok + ",\"x\":\"\x00\"}", ""},
		{"a NUL behind the object", "{" + ok + "}\x00", ""},
		{"nothing but NULs", strings.Repeat("\x00", 1000), ""},
		{"a byte order mark", "\ufeff{" + ok + "}", ""},
		{"UTF-16", "{\x00\"\x00m\x00\"\x00", ""},
		{"gzip that nobody announced", "\x1f\x8b\x08\x00\x00", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{chatPath, messagesPath} {
				s.wantRefusal(t, path, s.ask(path, c.body), starling.Invalid, c.says)
			}
		})
	}
	if calls.Load() != 0 {
		t.Errorf("the upstream was asked %d times", calls.Load())
	}
}

func TestAFieldThatMakesNoSenseIsNamed(t *testing.T) {
	s, calls := uncalled(t, serve.Options{})
	const m = `"messages":[{"role":"user","content":"x"}]`
	for _, c := range []struct{ name, body, field string }{
		{"no model", `{"max_tokens":10,` + m + `}`, "model"},
		{"a model of null", `{"model":null,"max_tokens":10,` + m + `}`, "model"},
		{"a model without a name", `{"model":"","max_tokens":10,` + m + `}`, "model"},
		{"a model that is a number", `{"model":4,"max_tokens":10,` + m + `}`, "model"},
		{"two models", `{"model":"up/m",` + ok + `}`, "model"},
		{"two models, one of them in disguise", `{"mod\u0065l":"up/m",` + ok + `}`, "model"},
		{"no messages", `{"model":"up/m","max_tokens":10}`, "messages"},
		{"messages without a message", `{"model":"up/m","max_tokens":10,"messages":[]}`, "messages"},
		{"messages that are a text", `{"model":"up/m","max_tokens":10,"messages":"x"}`, "messages"},
		{"messages twice", `{` + m + `,` + ok + `}`, "messages"},
		{"a stream that is a word", `{"stream":"yes",` + ok + `}`, "stream"},
		{"a limit that is a word", `{"model":"up/m","max_tokens":"10",` + m + `}`, "max_tokens"},
		{"a limit below nothing", `{"model":"up/m","max_tokens":-1,` + m + `}`, "max_tokens"},
		{"half a token", `{"model":"up/m","max_tokens":0.5,` + m + `}`, "max_tokens"},
		{"a limit beyond all models", `{"model":"up/m","max_tokens":1e300,` + m + `}`, "max_tokens"},
		{"tools that are an object", `{"tools":{},` + ok + `}`, "tools"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{chatPath, messagesPath} {
				a := s.ask(path, c.body)
				s.wantRefusal(t, path, a, starling.Invalid, c.field)
				if got := gjson.Get(a.body, "error.param").Str; path == chatPath && got != c.field {
					t.Errorf("param is %q, want %q", got, c.field)
				}
			}
		})
	}
	if calls.Load() != 0 {
		t.Errorf("the upstream was asked %d times", calls.Load())
	}
}

func TestANameThatNobodyKnowsIsRefusedWithTheKnownOnes(t *testing.T) {
	s, calls := uncalled(t, serve.Options{})
	for _, c := range []struct {
		name, model   string
		header, value string
		kind          starling.Kind
		says          string
	}{
		{"a model", "up/mm", "", "", starling.NotFound, "up/m"},
		{"a model like no other", "claude-opus", "", "", starling.NotFound, "GET /v1/models"},
		{"a skill in the model", "starling/tset", "", "", starling.NotFound, "did you mean test"},
		{"a skill like no other", "starling/zzzzzz", "", "", starling.NotFound, "known: test"},
		{"a skill in the header", "up/m", "X-Starling-Skill", "tes", starling.NotFound, "did you mean test"},
		{"a class", "up/m", "X-Starling-Class", "secret", starling.Invalid, "public, internal, confidential, restricted"},
		{"auto without a skill", "starling/auto", "", "", starling.Invalid, "X-Starling-Skill"},
		{"a class that keeps it near", "up/m", "X-Starling-Class", "restricted", starling.Forbidden, "zone cloud"},
		{"a coding of the body", "up/m", "Content-Encoding", "gzip", starling.Invalid, "uncompressed"},
		{"a coding that nobody has", "up/m", "Content-Encoding", "identity, secret", starling.Invalid, "uncompressed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{chatPath, messagesPath} {
				for _, stream := range []bool{true, false} {
					var header []string
					if c.header != "" {
						header = []string{c.header, c.value}
					}
					s.wantRefusal(t, path, s.ask(path, chat(c.model, stream), header...), c.kind, c.says)
				}
			}
		})
	}
	if calls.Load() != 0 {
		t.Errorf("the upstream was asked %d times", calls.Load())
	}
}

func TestALabelThatIsSentTwiceIsRefused(t *testing.T) {
	s, calls := uncalled(t, serve.Options{})
	for _, name := range []string{"X-Starling-Class", "X-Starling-Skill"} {
		for _, path := range []string{chatPath, messagesPath} {
			req := must(http.NewRequest(http.MethodPost, s.url+path, strings.NewReader(chat("up/m", false))))
			req.Header[name] = []string{"public", "restricted"}
			s.wantRefusal(t, path, s.do(req), starling.Invalid, "occurs 2 times")
		}
	}
	if calls.Load() != 0 {
		t.Errorf("the upstream was asked %d times", calls.Load())
	}
}

func TestABodyOverTheLimitIsRefusedWithTheNumbers(t *testing.T) {
	const limit = 1000
	s, calls := uncalled(t, serve.Options{MaxBody: limit})
	sized := func(n int) string {
		body := `{` + ok + `,"x":"` + `"}`
		return strings.Replace(body, `"x":"`, `"x":"`+strings.Repeat("a", n-len(body)), 1)
	}
	for _, c := range []struct {
		name    string
		size    int
		chunked bool
		says    []string
	}{
		{"a byte too many, announced", limit + 1, false, []string{"1001", "1000"}},
		{"far too many, announced", 1 << 20, false, []string{"1048576", "1000"}},
		{"a byte too many, in chunks", limit + 1, true, []string{"1000"}},
		{"far too many, in chunks", 1 << 20, true, []string{"1000"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{chatPath, messagesPath} {
				var body io.Reader = strings.NewReader(sized(c.size))
				if c.chunked {
					body = io.MultiReader(body) // of which net/http knows no length
				}
				a := s.do(must(http.NewRequest(http.MethodPost, s.url+path, body)))
				s.wantRefusal(t, path, a, starling.TooLarge, c.says...)
			}
		})
	}
	if calls.Load() != 0 {
		t.Errorf("the upstream was asked %d times", calls.Load())
	}
	if s.ask(chatPath, sized(limit)); calls.Load() == 0 {
		t.Error("a body of just the limit is refused")
	}
}

// TestWhoWritesAllOfABodyBeforeReadingReadsTheRefusal, where the body is not much too large.
// These are more than the buffers of a connection take.
func TestWhoWritesAllOfABodyBeforeReadingReadsTheRefusal(t *testing.T) {
	s, calls := uncalled(t, serve.Options{MaxBody: 16 << 20})
	for name, head := range map[string]string{"announced": "Content-Length: %d", "in chunks": "Transfer-Encoding: chunked\r\n\r\n%x"} {
		for path, size := range map[string]int{chatPath: 28 << 20, "/v1/feedback": 14 << 20} {
			t.Run(path+" "+name, func(t *testing.T) {
				conn := must(net.Dial("tcp", strings.TrimPrefix(s.url, "http://")))
				defer conn.Close()
				_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\n"+head+"\r\n", path, size)
				if name == "announced" && err == nil {
					_, err = io.WriteString(conn, "\r\n")
				}
				if err == nil {
					_, err = io.WriteString(conn, strings.Repeat(" ", size))
				}
				if name == "in chunks" && err == nil {
					_, err = io.WriteString(conn, "\r\n0\r\n\r\n")
				}
				if err != nil {
					t.Fatal(err)
				}
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if resp.StatusCode != http.StatusRequestEntityTooLarge {
					t.Errorf("status %d", resp.StatusCode)
				}
			})
		}
	}
	if calls.Load() != 0 {
		t.Errorf("the upstream was asked %d times", calls.Load())
	}
}

// TestWhatIsCutOffInAHeaderSaysSo, though headers are ASCII.
func TestWhatIsCutOffInAHeaderSaysSo(t *testing.T) {
	s, _ := uncalled(t, serve.Options{})
	if reason := s.get("/" + strings.Repeat("a", 200)).header.Get("X-Starling-Reason"); !strings.Contains(reason, "aaa... (") {
		t.Error(reason)
	}
}

func TestARefusalSaysWhatWasAsked(t *testing.T) {
	s, _ := uncalled(t, serve.Options{})
	a := s.ask(chatPath, `{"model":"up/m","messages":"x"}`, "X-Starling-Skill", "test")
	if r := s.receipt(a); r.Asked != "up/m" || r.Dialect != starling.OpenAI || r.RequestMAC == "" {
		t.Errorf("asked %q in %s, request %q", r.Asked, r.Dialect, r.RequestMAC)
	}
}

// TestNoWordOfAQuestionStandsInARefusal: messages go into logs and terminals.
func TestNoWordOfAQuestionStandsInARefusal(t *testing.T) {
	s, _ := uncalled(t, serve.Options{})
	const canary = "canary-4c1e"
	for _, body := range []string{
		fmt.Sprintf(`{"model":"up/m","max_tokens":10,"messages":%q}`, canary),
		fmt.Sprintf(`{"model":"up/m","max_tokens":10,"messages":[{"role":"user","content":%q}],"stream":%q}`, canary, canary),
		fmt.Sprintf(`{"model":"up/m","max_tokens":%q,"messages":[]}`, canary),
		canary, `{"` + canary,
	} {
		for _, path := range []string{chatPath, messagesPath} {
			a := s.ask(path, body)
			if r := s.receipt(a); strings.Contains(a.body, canary) || strings.Contains(fmt.Sprint(a.header, *r), canary) {
				t.Errorf("%s: %s, %v, receipt %+v", path, a.body, a.header, r)
			}
		}
	}
}
