package serve_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"
	"pgregory.net/rapid"

	"starling"
	"starling/internal/ledger"
)

// A deed is what an upstream does with a question.
type deed struct {
	name string
	do   func(w http.ResponseWriter, r *http.Request, d starling.Dialect, stream bool)
}

// good is the text of a proper answer.
func good(d starling.Dialect, stream bool) string {
	switch {
	case d == starling.Anthropic && stream:
		return antStart + antText + antEnd
	case d == starling.Anthropic:
		return wholeAnthropic
	case stream:
		return oai(oaiRole) + oai(oaiText) + oai(oaiStop) + oai(oaiUsage) + oai(oaiDone)
	}
	return wholeOpenAI
}

func media(stream bool) string {
	if stream {
		return "text/event-stream"
	}
	return "application/json"
}

func reply(w http.ResponseWriter, stream bool, body string) {
	w.Header().Set("Content-Type", media(stream))
	_, _ = io.WriteString(w, body)
}

var bodies = rapid.SampledFrom([]string{
	"", " ", "null", "{}", "[]", "{", "hello", "\x00\xff", `{"choices":"x"}`, `{"choices":[]}`, `{"choices":[{}],"usage":7}`, `{"content":{}}`, `{"type":"message"}`,
	`{"error":{"message":"no","type":"invalid_request_error"}}`, `{"error":"no"}`, `{"type":"error","error":{"type":"overloaded_error","message":"no"}}`,
	"data: {\n\n", "data: [DONE]\n\n", "data: {}\n\n", "data: \xff\n\n", "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"no\"}}\n\n",
	"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", ":\n\n", "\n\n\n", "data: {\"error\":{\"message\":\"no\"}}\n\n", "<html>log in</html>", strings.Repeat("[", 10_000),
})

var statusCodes = rapid.SampledFrom([]int{200, 201, 204, 206, 300, 302, 304, 400, 401, 402, 403, 404, 405, 408, 409, 413, 418, 422, 429, 451, 500, 501, 502, 503, 504, 520, 529, 599})

// drawDeed: half of the upstreams do what they should.
func drawDeed(t *rapid.T, who string) deed {
	kind := rapid.SampledFrom([]string{"answers", "answers", "answers", "refuses", "talks nonsense", "says the wrong type", "dies", "ends early", "hangs up", "is no HTTP", "adds nonsense"}).Draw(t, who)
	body, status := bodies.Draw(t, "body"), statusCodes.Draw(t, "status")
	cut := rapid.Float64Range(0, 1).Draw(t, "cut")
	type write = func(http.ResponseWriter, *http.Request, starling.Dialect, bool)
	do := map[string]write{
		"answers": func(w http.ResponseWriter, _ *http.Request, d starling.Dialect, stream bool) {
			reply(w, stream, good(d, stream))
		},
		"refuses": func(w http.ResponseWriter, _ *http.Request, _ starling.Dialect, _ bool) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Retry-After", "3600") // nobody waits that long
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		},
		"talks nonsense": func(w http.ResponseWriter, _ *http.Request, _ starling.Dialect, stream bool) { reply(w, stream, body) },
		"adds nonsense": func(w http.ResponseWriter, _ *http.Request, d starling.Dialect, stream bool) {
			text := good(d, stream)
			at := int(cut * float64(len(text)))
			reply(w, stream, text[:at]+body+text[at:])
		},
		"says the wrong type": func(w http.ResponseWriter, _ *http.Request, d starling.Dialect, stream bool) {
			reply(w, !stream, good(d, stream))
		},
		"ends early": func(w http.ResponseWriter, _ *http.Request, d starling.Dialect, stream bool) {
			text := good(d, stream)
			reply(w, stream, text[:int(cut*float64(len(text)))])
		},
		"dies": func(w http.ResponseWriter, r *http.Request, d starling.Dialect, stream bool) {
			text := good(d, stream)
			rawHTTP(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", media(stream), len(text)+1, text[:int(cut*float64(len(text)))]))(w, r)
		},
		"hangs up":   func(http.ResponseWriter, *http.Request, starling.Dialect, bool) { panic(http.ErrAbortHandler) },
		"is no HTTP": func(w http.ResponseWriter, r *http.Request, _ starling.Dialect, _ bool) { rawHTTP(body)(w, r) },
	}
	return deed{kind, do[kind]}
}

// A cast is the upstreams of the property: what each is to do next, and what
// they were asked.
type cast struct {
	mu    sync.Mutex
	next  map[string]deed
	asked []string // "provider/model"
}

func (c *cast) upstream(name string, d starling.Dialect, zone starling.Zone) upstreamAt {
	return upstreamAt{name: name, model: "model-" + name, dialect: d, zone: zone, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		c.asked = append(c.asked, name+"/"+gjson.GetBytes(body, "model").Str)
		next := c.next[name]
		c.mu.Unlock()
		next.do(w, r, d, gjson.GetBytes(body, "stream").Bool())
	})}
}

// begin sets what everybody does, and forgets who was asked.
func (c *cast) begin(next map[string]deed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next, c.asked = next, nil
}

func (c *cast) log() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.asked...)
}

func TestEveryResponseCarriesWhoAnsweredAndWhatItCost(t *testing.T) {
	var c cast
	s := newStand(t, standOptions{
		trip:    1 << 20, // nobody is given up: every deed is to be met
		budgets: []ledger.Budget{{Scope: ledger.ForAll, Limit: 1000 * starling.Dollar, Per: ledger.InTotal}},
		skills: more(skillFiles("unseen", "reference: far/model-far\ncandidates: [near/model-near, far/model-far]\n"),
			skillFiles("checked", "candidates: [far/model-far, near/model-near]\nverify:\n  - {kind: label, values: [Hello]}\n")),
	}, c.upstream("near", starling.OpenAI, starling.Machine), c.upstream("far", starling.Anthropic, starling.Cloud))

	var sum starling.Money
	var receipts int64
	rapid.Check(t, func(t *rapid.T) {
		c.begin(map[string]deed{"near": drawDeed(t, "near"), "far": drawDeed(t, "far")})
		path := rapid.SampledFrom([]string{chatPath, messagesPath}).Draw(t, "path")
		stream := rapid.Bool().Draw(t, "stream")
		model := rapid.SampledFrom([]string{"near/model-near", "far/model-far", "starling/unseen", "starling/checked"}).Draw(t, "model")
		a := s.ask(path, chat(model, stream))
		r := s.receipt(a)
		sum, receipts = sum.Plus(r.Cost), receipts+1
		wantLawful(t, path, stream, a, r)
		wantSameStory(t, a, r, c.log())
	})
	totals := must(s.ledger.Totals(context.Background(), ledger.Query{}, "all"))
	if totals[0].Cost != sum || totals[0].Receipts != receipts {
		t.Errorf("the ledger has %s over %d receipts; the receipts say %s over %d", totals[0].Cost, totals[0].Receipts, sum, receipts)
	}
	for _, standing := range must(s.ledger.Standing(context.Background())) {
		if standing.Held != 0 || standing.Spent != sum {
			t.Errorf("held %s, spent %s of %s", standing.Held, standing.Spent, sum)
		}
	}
	if report := must(s.ledger.Verify(context.Background(), ledger.Audit{})); !report.OK() {
		t.Error(report.Faults)
	}
}

// wantLawful checks what a caller sees: an answer with a proper end, or an error.
func wantLawful(t *rapid.T, path string, stream bool, a answer, r *starling.Receipt) {
	for _, name := range alwaysThere {
		if a.header.Get(name) == "" {
			t.Errorf("no %s in %v", name, a.header)
		}
	}
	if got := a.header.Get("X-Starling-Cost"); got != r.Cost.String() {
		t.Errorf("told %s, booked %s", got, r.Cost)
	}
	if a.err != nil {
		t.Errorf("the body is cut: %v", a.err)
	}
	switch {
	case a.status != 200:
		if a.status < 400 || !gjson.Parse(a.body).IsObject() || !gjson.Valid(a.body) || r.Outcome != starling.Failed {
			t.Errorf("status %d, outcome %s: %q", a.status, r.Outcome, a.body)
		}
	case !stream:
		if !gjson.Valid(a.body) || r.Outcome != starling.Answered {
			t.Errorf("outcome %s: %q", r.Outcome, a.body)
		}
	default:
		wantOneEnd(t, path, a, r)
	}
}

// wantOneEnd: a stream ends properly or with an error, and never with both.
func wantOneEnd(t *rapid.T, path string, a answer, r *starling.Receipt) {
	proper, broken := strings.HasSuffix(a.body, "data: [DONE]\n\n"), false
	for block := range strings.SplitSeq(a.body, "\n\n") {
		d := strings.Join(datas(block), "\n")
		if !gjson.Valid(d) {
			continue // what an upstream of the same dialect writes is passed on, were it nonsense
		}
		if kind := gjson.Get(d, "type").Str; path == messagesPath {
			proper, broken = proper || kind == "message_stop", broken || kind == "error"
		} else {
			broken = broken || gjson.Get(d, "error").IsObject()
		}
	}
	if proper == broken || proper != (r.Outcome == starling.Answered) {
		t.Errorf("proper end %t, error %t, outcome %s (%s):\n%s", proper, broken, r.Outcome, r.Why, a.body)
	}
}

// wantSameStory compares what the caller was told, what is booked and what the
// upstreams were asked.
func wantSameStory(t *rapid.T, a answer, r *starling.Receipt, asked []string) {
	var called []string
	var cost starling.Money
	for _, attempt := range r.Attempts {
		called = append(called, attempt.Model)
		cost = cost.Plus(attempt.Cost)
	}
	if fmt.Sprint(called) != fmt.Sprint(asked) || cost != r.Cost {
		t.Errorf("upstreams were asked as %v, booked are %v; %s in attempts, %s in all", asked, called, cost, r.Cost)
	}
	who := a.header.Get("X-Starling-Provider") + "/" + a.header.Get("X-Starling-Model")
	if a.status == 200 && who != asked[len(asked)-1] || a.status != 200 && who != "none/none" && who != asked[len(asked)-1] {
		t.Errorf("status %d: %s is said to answer, asked were %v", a.status, who, asked)
	}
}
