package serve_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"starling"
)

// proper answers in the upstream's dialect, streamed or not.
func proper(d starling.Dialect, stream bool) http.HandlerFunc {
	switch {
	case d == starling.Anthropic && stream:
		return events(antStart, antText, antEnd)
	case d == starling.Anthropic:
		return whole(wholeAnthropic)
	case stream:
		return events(oai(oaiRole), oai(oaiText), oai(oaiStop), oai(oaiUsage), oai(oaiDone))
	}
	return whole(wholeOpenAI)
}

func says(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
	}
}

// TestACandidateThatFailsBeforeTheFirstByteIsReplaced: the caller sees one
// answer and is told who could not give it.
func TestACandidateThatFailsBeforeTheFirstByteIsReplaced(t *testing.T) {
	for _, c := range []struct {
		name   string
		first  http.HandlerFunc
		reason string
	}{
		{"it hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "failed (overloaded)"},
		{"it is busy", says(503), "failed (overloaded)"},
		{"it asks for patience", says(429, "Retry-After", "1"), "failed (overloaded)"},
		{"it breaks", says(500), "failed (overloaded)"},
		{"it does not know our key", says(401), "failed (refused)"},
		{"it does not know the model", says(404), "failed (not_found)"},
		{"it redirects", says(302, "Location", "http://127.0.0.1/"), "failed (refused)"},
		{"it shows a page to log in at", says(200, "Content-Type", "text/html"), "failed (refused)"},
		{"it says nothing", says(200, "Content-Type", "application/json"), "failed ("},
		{"it speaks nonsense", whole("{]"), "failed ("},
	} {
		for _, path := range []string{chatPath, messagesPath} {
			for _, stream := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s for %s, stream %t", c.name, path, stream), func(t *testing.T) {
					s := newStand(t, standOptions{skills: testSkill("candidates: [one/m, two/m]\n")},
						upstreamAt{name: "one", dialect: starling.OpenAI, handler: c.first},
						upstreamAt{name: "two", dialect: starling.Anthropic, zone: starling.Office, handler: proper(starling.Anthropic, stream)})
					a := s.ask(path, chat("starling/test", stream))
					if a.status != 200 || !strings.Contains(a.body, "Hello") {
						t.Fatalf("status %d: %s", a.status, a.body)
					}
					reason := a.header.Get("X-Starling-Reason")
					if a.header.Get("X-Starling-Provider") != "two" || a.header.Get("X-Starling-Zone") != "office" || !strings.Contains(reason, "after one/m "+c.reason) {
						t.Errorf("provider %s, reason %q", a.header.Get("X-Starling-Provider"), reason)
					}
					r := s.receipt(a)
					if len(r.Attempts) != 2 || r.Attempts[0].Outcome != starling.Failed || r.Attempts[1].Outcome != starling.Answered || r.Response.Reason != reason {
						t.Errorf("attempts %+v, reason %q", r.Attempts, r.Response.Reason)
					}
				})
			}
		}
	}
}

func TestWhenEverybodyIsDownTheCallerMayTryLater(t *testing.T) {
	for _, path := range []string{chatPath, messagesPath} {
		for _, stream := range []bool{true, false} {
			s := newStand(t, standOptions{skills: testSkill("candidates: [one/m, two/m]\n")},
				upstreamAt{name: "one", dialect: starling.OpenAI, handler: says(503)},
				upstreamAt{name: "two", dialect: starling.Anthropic, handler: says(529, "Retry-After", "60")})
			a := s.ask(path, chat("starling/test", stream))
			if a.status != statuses[path][starling.Overloaded] && a.status != 529 || !strings.Contains(a.body, "all candidates failed") || a.header.Get("Retry-After") != "60" {
				t.Errorf("%s: status %d, Retry-After %q: %s", path, a.status, a.header.Get("Retry-After"), a.body)
			}
			wantHeaders(t, a)
			wantEnvelope(t, path, a.body)
			if a.header.Get("X-Should-Retry") == "false" {
				t.Errorf("%s: the caller is told not to try again", path)
			}
			if r := s.receipt(a); r.Kind != starling.Overloaded || len(r.Attempts) != 2 || r.Cost != 0 {
				t.Errorf("%s: kind %s, %d attempts, cost %s", path, r.Kind, len(r.Attempts), r.Cost)
			}
		}
	}
}

func TestAfterAByteNobodyElseMayAnswer(t *testing.T) {
	for _, path := range []string{chatPath, messagesPath} {
		var second atomic.Int32
		s := newStand(t, standOptions{skills: testSkill("candidates: [one/m, two/m]\n")},
			upstreamAt{name: "one", dialect: starling.OpenAI, handler: dies(oai(oaiRole), oai(oaiText))},
			upstreamAt{name: "two", dialect: starling.OpenAI, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				second.Add(1)
				proper(starling.OpenAI, true)(w, r)
			})})
		a := s.ask(path, chat("starling/test", true))
		if second.Load() != 0 || strings.Count(a.body, "Hello") != 1 || a.header.Get("X-Starling-Provider") != "one" {
			t.Errorf("%s: the second was asked %d times; provider %s:\n%s", path, second.Load(), a.header.Get("X-Starling-Provider"), a.body)
		}
		if r := s.receipt(a); r.Outcome != starling.Broken {
			t.Errorf("%s: outcome %s", path, r.Outcome)
		}
	}
}

// TestAPinIsNeverReplaced: who named a model gets that one or an error.
func TestAPinIsNeverReplaced(t *testing.T) {
	var second atomic.Int32
	s := newStand(t, standOptions{},
		upstreamAt{name: "one", dialect: starling.OpenAI, handler: says(500)},
		upstreamAt{name: "two", dialect: starling.OpenAI, handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { second.Add(1) })})
	a := s.ask(chatPath, chat("one/m", false))
	if a.status < 500 || second.Load() != 0 {
		t.Errorf("status %d, the other was asked %d times", a.status, second.Load())
	}
}

func TestTheCostIsToldWithTheAnswer(t *testing.T) {
	skills := testSkill("reference: up/m\ncandidates: [up/m]\n")
	for _, d := range []starling.Dialect{starling.OpenAI, starling.Anthropic} {
		for _, path := range []string{chatPath, messagesPath} {
			for _, stream := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s for %s, stream %t", d, path, stream), func(t *testing.T) {
					s := newStand(t, standOptions{skills: skills}, upstreamAt{name: "up", dialect: d, handler: proper(d, stream)})
					resp, err := s.client.Post(s.url+path, "application/json", strings.NewReader(chat("starling/test", stream)))
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					early := resp.Header.Get("X-Starling-Cost")
					a := readAnswer(resp)
					r := s.receipt(a)
					if stream && early != "" || !stream && early == "" {
						t.Errorf("before the body the cost is %q", early)
					}
					if a.err != nil || r.Cost <= 0 || a.header.Get("X-Starling-Cost") != r.Cost.String() {
						t.Errorf("told %q, booked %s, %v", a.header.Get("X-Starling-Cost"), r.Cost, a.err)
					}
					if want := r.Saved.String() + " (estimate)"; a.header.Get("X-Starling-Saved") != want {
						t.Errorf("saved %q, want %q", a.header.Get("X-Starling-Saved"), want)
					}
				})
			}
		}
	}
}

// TestWhatHasNoKnownPriceIsSaidBesideTheCost: a cost that is not all of it is not
// told as if it were.
func TestWhatHasNoKnownPriceIsSaidBesideTheCost(t *testing.T) {
	searched := strings.Replace(wholeAnthropic, `"output_tokens":20`, `"output_tokens":20,"server_tool_use":{"web_search_requests":2}`, 1)
	priced := dollar
	priced.Search = starling.Dollar / 100
	search := strings.Replace(chat("up/m", false), `"messages"`, `"tools":[{"type":"web_search_20250305","name":"web_search"}],"messages"`, 1)
	for _, c := range []struct {
		name, answer string
		price        starling.Price
		tells        string // after the cost
		cost         starling.Money
	}{
		{"searches of a known price", searched, priced, "", starling.Dollar*2/100 + 200_000},
		{"searches of an unknown price", searched, dollar, " (and what has no known price)", 200_000},
		{"tools that nobody counts", wholeAnthropic, priced, " (and what has no known price)", 200_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, standOptions{}, upstreamAt{name: "up", dialect: starling.Anthropic, price: c.price, handler: whole(c.answer)})
			a := s.ask(messagesPath, search)
			r := s.receipt(a)
			if r.Cost != c.cost || a.header.Get("X-Starling-Cost") != c.cost.String()+c.tells || r.Response.Unpriced != (c.tells != "") {
				t.Errorf("%d: told %q, booked %s: %+v", a.status, a.header.Get("X-Starling-Cost"), r.Cost, r.Attempts)
			}
		})
	}
}

// TestARefusalFromUpstreamIsAlwaysAnError: net/http takes an odd status of an
// upstream for something else, or panics on it.
func TestARefusalFromUpstreamIsAlwaysAnError(t *testing.T) {
	for _, status := range []string{"000", "007", "099", "101", "199", "304", "399", "600", "999"} {
		for _, path := range []string{chatPath, messagesPath} {
			t.Run(status+" for "+path, func(t *testing.T) {
				s := newStand(t, standOptions{}, openAIUp(rawHTTP("HTTP/1.1 "+status+" Odd\r\nContent-Type: application/json\r\nContent-Length: 45\r\nConnection: close\r\n\r\n"+`{"error":{"message":"odd","type":"api_error"}}`)))
				a := s.ask(path, chat("up/m", false))
				if a.status < 400 || a.status > 599 {
					t.Errorf("status %d: %s", a.status, a.body)
				}
				wantHeaders(t, a)
				if r := s.receipt(a); r.Outcome != starling.Failed {
					t.Errorf("outcome %s", r.Outcome)
				}
			})
		}
	}
}

// rawHTTP answers with bytes that net/http would not write, and hangs up.
func rawHTTP(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = conn.Write([]byte(text))
		_ = conn.Close()
	}
}
