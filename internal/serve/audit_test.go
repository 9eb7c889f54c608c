package serve_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/corpus"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/serve"
	"starling/internal/sim"
)

// simulated is an upstream of both dialects that answers "hello" rightly, with yes,
// or wrongly, with no.
func simulated(name string, d starling.Dialect, right bool) upstreamAt {
	m := sim.Model{Name: "m"}
	if right {
		m.Quality = 1
	}
	return upstreamAt{name: name, dialect: d, handler: sim.New(sim.Options{Models: []sim.Model{m}, Cases: []sim.Case{{Skill: "test", Input: "hello", Answer: "yes", Wrong: []string{"no"}}}})}
}

// audited is the rubric of a skill of which every answer is audited.
const audited = "candidates: [small/m, large/m]\nreference: large/m\naudit: 1\ngrade: label\n"

// counted reads the number of audits with a result.
func (s *stand) counted(results ...string) (n int) {
	s.t.Helper()
	body := s.get("/metrics").body
	for _, result := range results {
		for line := range strings.Lines(body) {
			var k int
			if rest, ok := strings.CutPrefix(line, fmt.Sprintf(`starling_audits_total{result=%q,skill="test"} `, result)); ok {
				_, _ = fmt.Sscan(rest, &k)
			}
			n += k
		}
	}
	return n
}

// wait waits until something is so.
func (s *stand) wait(what string, is func() bool) {
	s.t.Helper()
	for end := time.Now().Add(eventually); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatal("it never came to be: " + what)
		}
	}
}

// over waits until so many audits are over.
func (s *stand) over(n int) {
	s.t.Helper()
	s.wait(fmt.Sprintf("%d audits", n), func() bool { return s.counted("agreed", "disagreed", "skipped", "failed") >= n })
}

// warrant issues one of the small model in the skill "test".
func (s *stand) warrant() *evidence.Warrant {
	s.t.Helper()
	sk, _ := s.cascade.Router.Skills.Find("test")
	m, _ := s.cascade.Router.Directory.Find("small/m")
	w := &evidence.Warrant{
		Time: time.Now(), Skill: "test", Rubric: sk.Hash, Cases: sk.Cases, Candidate: sk.Unit(m), Model: m.ID(), Pass: 0.9, Confidence: 0.95,
		Asked: 300, Covered: 300, Passed: 285, Bound: evidence.LowerBound(285, 300, 0.95), Expires: time.Now().Add(time.Hour),
	}
	if err := s.ledger.AddNotes(context.Background(), evidence.Note{Warrant: w}); err != nil {
		s.t.Fatal(err)
	}
	if err := s.news.Catch(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	return w
}

// audits returns the receipts of audits.
func (s *stand) audits() (all []*starling.Receipt) {
	s.t.Helper()
	ctx := context.Background()
	if err := s.ledger.Flush(ctx); err != nil {
		s.t.Fatal(err)
	}
	for r, err := range s.ledger.Receipts(ctx, ledger.Query{}) {
		if must(r, err); r.AuditOf != "" {
			all = append(all, r)
		}
	}
	return all
}

// TestAWarrantThatAuditsContradictIsRevokedFromTheNextRequestOn is the whole way:
// the small model answers under its warrant, the reference says otherwise, and soon
// the small one is not asked any more.
func TestAWarrantThatAuditsContradictIsRevokedFromTheNextRequestOn(t *testing.T) {
	s := newStand(t, standOptions{keyed: true, skills: testSkill(audited + "bar: {pass: 0.9, confidence: 0.95}\n")},
		simulated("small", starling.OpenAI, false), simulated("large", starling.Anthropic, true))
	w := s.warrant()
	asked, went := map[string]*starling.Receipt{}, ""
	for n := 0; went != "large"; n++ {
		if n == 30 {
			t.Fatal("it stands after 30 disagreements")
		}
		a := s.ask([]string{chatPath, messagesPath}[n%2], chat("starling/test", n%4 > 1))
		r := s.receipt(a)
		if went = r.Response.Provider; went == "small" {
			if r.Plan.Candidates[0].Warrant != w.ID || a.status != 200 {
				t.Fatalf("%d: %+v", a.status, r.Plan)
			}
			asked[r.ID] = r
			s.over(len(asked)) // nothing but the audit, not even a tick, is waited for
			continue
		}
		if l := r.Plan.Left; len(l) != 1 || l[0].Kind != starling.Unproven || !strings.HasPrefix(l[0].Why, "its warrant was revoked: of ") {
			t.Errorf("left out: %+v", l)
		}
	}
	if n := s.counted("disagreed"); n != len(asked) || n < 3 {
		t.Errorf("%d of %d disagreed", n, len(asked))
	}
	for _, o := range s.outcomes() {
		r := asked[o.Receipt]
		if r == nil || o.Source != evidence.FromAudit || o.Grade != 0 || o.Why != "the label is another" || o.Warrant != w.ID || o.Reference != "large/m" ||
			o.Model != "small/m" || o.Candidate != w.Candidate || o.Case != "mac "+r.RequestMAC || o.Cost <= 0 {
			t.Errorf("%+v", o)
		}
	}
	audits := s.audits()
	for _, r := range audits {
		of := asked[r.AuditOf]
		if of == nil || r.Plan.Rule != "audit of "+of.ID || r.Plan.Skill != "test" || r.Key != of.Key || r.Key == "" || r.RequestMAC != of.RequestMAC || r.AnswerMAC != "" ||
			r.Outcome != starling.Answered || r.Response.Provider != "large" || r.Cost <= 0 || r.Saved != -r.Cost || r.Plan.Pinned || r.Screen.Class != of.Screen.Class {
			t.Errorf("%+v", r)
		}
	}
	if len(audits) != len(asked) || len(s.outcomes()) != len(asked) {
		t.Errorf("%d audits and %d outcomes of %d answers", len(audits), len(s.outcomes()), len(asked))
	}
	var revoked []*evidence.Revocation
	for n, err := range s.ledger.Notes(context.Background(), new(ledger.Place)) {
		if must(n, err); n.Revocation != nil {
			revoked = append(revoked, n.Revocation)
		}
	}
	if len(revoked) != 1 || revoked[0].Warrant != w.ID {
		t.Errorf("%+v", revoked)
	}
	if report := must(s.ledger.Verify(context.Background(), ledger.Audit{})); !report.OK() {
		t.Errorf("%+v", report)
	}
}

// regexpCreated finds the time of a translated answer.
var regexpCreated = regexp.MustCompile(`"created":\d+`)

// TestAnAuditChangesNothingOfWhatTheCallerGets compares byte by byte, in every
// dialect, streamed or not, passed on or translated, held back or not.
func TestAnAuditChangesNothingOfWhatTheCallerGets(t *testing.T) {
	blocks := map[starling.Dialect][]string{starling.OpenAI: {oai(oaiRole), ": alive\n\n", oai(oaiText), oai(oaiStop), oai(oaiUsage), oai(oaiDone)}, starling.Anthropic: {antStart, antText, antEnd}}
	bodies := map[starling.Dialect]string{starling.OpenAI: wholeOpenAI, starling.Anthropic: wholeAnthropic}
	either := func(d starling.Dialect) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body := must(io.ReadAll(r.Body))
			r.Body = io.NopCloser(bytes.NewReader(body))
			if gjson.GetBytes(body, "stream").Bool() {
				events(blocks[d]...)(w, r)
				return
			}
			whole(bodies[d])(w, r)
		}
	}
	for _, d := range []starling.Dialect{starling.OpenAI, starling.Anthropic} {
		for _, held := range []string{"", "verify: [{kind: pattern, must: [H]}]\n"} {
			up := func(name string) upstreamAt { return upstreamAt{name: name, dialect: d, handler: either(d)} }
			rubric := "candidates: [small/m]\nreference: large/m\ngrade: label\n" + held
			with := newStand(t, standOptions{skills: testSkill(rubric + "audit: 1\n")}, up("small"), up("large"))
			without := newStand(t, standOptions{skills: testSkill(rubric)}, up("small"), up("large"))
			for n, path := range []string{chatPath, messagesPath, chatPath, messagesPath} {
				a, b := with.ask(path, chat("starling/test", n > 1)), without.ask(path, chat("starling/test", n > 1))
				own := func(a answer) string {
					text := strings.ReplaceAll(a.body, a.header.Get("X-Starling-Receipt"), "ID")
					return regexpCreated.ReplaceAllString(text, `"created":0`)
				}
				if own(a) != own(b) || a.status != 200 || b.status != 200 || a.err != nil {
					t.Errorf("%s asked by %s:\n%s\n%s", d, path, a.body, b.body)
				}
				for name := range b.header {
					if _, ok := a.header[name]; !ok || len(a.header) != len(b.header) {
						t.Errorf("headers %v, %v", a.header, b.header)
					}
				}
				with.over(n + 1)
			}
			if n := with.counted("agreed"); n != 4 || without.counted("agreed", "disagreed", "skipped", "failed") != 0 {
				t.Errorf("%s, %q: %d agreed", d, held, n)
			}
		}
	}
}

// TestWhoIsAuditedFollowsFromTheReceipt: from its id and from who answered.
func TestWhoIsAuditedFollowsFromTheReceipt(t *testing.T) {
	half := "candidates: [small/m, large/m]\nreference: large/m\naudit: 0.5\ngrade: label\n"
	ups := func() []upstreamAt {
		return []upstreamAt{simulated("small", starling.OpenAI, true), simulated("large", starling.OpenAI, true)}
	}
	s := newStand(t, standOptions{skills: testSkill(half)}, ups()...)
	drawn := map[string]bool{}
	for range 30 {
		if id := s.ask(chatPath, chat("starling/test", false)).header.Get("X-Starling-Receipt"); evidence.Drawn(id, 0.5) {
			drawn[id] = true
		}
	}
	s.over(len(drawn))
	for _, r := range s.audits() {
		if !drawn[r.AuditOf] {
			t.Errorf("%s was not drawn", r.AuditOf)
		}
		delete(drawn, r.AuditOf)
	}
	if len(drawn) > 0 {
		t.Errorf("not audited: %v", drawn)
	}
	for _, o := range s.outcomes() {
		if o.Grade != 1 || o.Warrant != "" || o.Why != "" {
			t.Errorf("%+v", o)
		}
	}

	none := func(name, rubric string, ask func(s *stand) answer) {
		var log lines
		s := newStand(t, standOptions{skills: testSkill(rubric), log: slog.New(slog.NewTextHandler(&log, nil))}, ups()...)
		if a := ask(s); a.status != 200 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		s.stop() // what waited would be skipped, and the log would say so
		if n := len(s.audits()); n > 0 || log.text() != "" {
			t.Errorf("%s: %d audits, %s", name, n, log.text())
		}
	}
	plainly := func(s *stand) answer { return s.ask(chatPath, chat("starling/test", false)) }
	none("the reference's own answer", strings.Replace(audited, "small/m, ", "", 1), plainly)
	none("a grade that only people can give", strings.Replace(audited, "label", "contains", 1), plainly)
	none("no reference", strings.Replace(audited, "reference: large/m\n", "", 1), plainly)
	none("no share", strings.Replace(audited, "audit: 1\n", "", 1), plainly)
	none("a pin", audited, func(s *stand) answer { return s.ask(chatPath, chat("small/m", false), "X-Starling-Skill", "test") })
}

// lines is a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestAReferenceThatCannotBeAskedSaysNothing: there is no outcome, and the log has
// one line a minute.
func TestAReferenceThatCannotBeAskedSaysNothing(t *testing.T) {
	far := simulated("large", starling.OpenAI, true)
	near := simulated("small", starling.OpenAI, true)
	near.zone = starling.Machine
	failing := upstreamAt{name: "large", dialect: starling.OpenAI, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "{}", 500) })}
	silent := upstreamAt{name: "large", dialect: starling.OpenAI, handler: whole(strings.Replace(wholeOpenAI, "Hello", "", 1))}
	odd := upstreamAt{name: "large", dialect: starling.OpenAI, handler: whole(strings.Replace(wholeOpenAI, "Hello", "Well, yes", 1))}
	ladder := strings.Replace(audited, ", large/m]", "]", 1)
	judged := ladder + "verify: [{kind: label, values: [yes, no]}]\n"
	for _, c := range []struct {
		name    string
		rubric  string
		budgets []ledger.Budget
		large   upstreamAt
		says    string
	}{
		{"it is too far for the data", ladder + "class: restricted\n", nil, far, "no model may answer this request"},
		{"it would break a cap", ladder, []ledger.Budget{{Scope: ledger.ForSkill, Name: "test", Per: "day", Limit: 10_000_000}}, upstreamAt{name: "large", dialect: starling.OpenAI, price: starling.Price{Rates: starling.Rates{Input: 1e12, Output: 1e12}, Source: "test"}, handler: far.handler}, "budget"},
		{"it fails", ladder, nil, failing, "large"},
		{"nobody offers it", strings.Replace(ladder, "large/m", "huge/m", 1), nil, far, "there is no model"},
		{"it says nothing", ladder, nil, silent, "it is empty or a refusal"},
		{"it says what would be rejected", judged, nil, odd, "rejected by verifier label"},
		{"it says what is no label", strings.Replace(judged, "[small/m]", "[small/m, {model: large/m, skip_verify: true}]", 1), nil, odd, "it is none of the labels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log lines
			s := newStand(t, standOptions{skills: testSkill(c.rubric), budgets: c.budgets, log: slog.New(slog.NewTextHandler(&log, nil))}, near, c.large)
			for range 3 {
				if a := s.ask(chatPath, chat("starling/test", false)); a.status != 200 || a.header.Get("X-Starling-Provider") != "small" {
					t.Fatalf("%d %s", a.status, a.body)
				}
			}
			s.over(3)
			s.stop()
			if n := len(s.outcomes()); n != 0 {
				t.Errorf("%d outcomes", n)
			}
			text := log.text()
			if strings.Count(text, `msg="audits failed"`) != 2 || !strings.Contains(text, "count=1") || !strings.Contains(text, "count=2") || !strings.Contains(text, c.says) || strings.Contains(text, "Well, yes") {
				t.Error(text)
			}
		})
	}
}

// stuck is a reference that says nothing until it is released.
func stuck() (up upstreamAt, began chan string, release func()) {
	began, released := make(chan string, 100), make(chan struct{})
	return upstreamAt{name: "large", dialect: starling.OpenAI, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		began <- r.URL.Path
		select {
		case <-released:
			whole(wholeOpenAI)(w, r)
		case <-r.Context().Done():
		}
	})}, began, sync.OnceFunc(func() { close(released) })
}

// TestAuditsNeverHaveACallerWait: two run, some wait, and more are skipped.
func TestAuditsNeverHaveACallerWait(t *testing.T) {
	large, began, release := stuck()
	s := newStand(t, standOptions{skills: testSkill(audited)}, simulated("small", starling.OpenAI, true), large)
	defer release()
	ask := func() {
		if a := s.ask(chatPath, chat("starling/test", false)); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	ask()
	ask()
	<-began
	<-began
	for range 64 + 5 {
		ask()
	}
	s.over(5)
	if n := s.counted("skipped"); n != 5 {
		t.Errorf("%d skipped", n)
	}
	release()
	s.over(71)
	if n := s.counted("disagreed"); n != 66 { // "Hello" is not "yes"
		t.Errorf("%d disagreed", n)
	}
}

// TestAStoppingGatewayBeginsNoAudit, and ends those that run as it ends answers.
func TestAStoppingGatewayBeginsNoAudit(t *testing.T) {
	large, began, release := stuck()
	defer release()
	s := newStand(t, standOptions{serve: serve.Options{Grace: 50 * time.Millisecond}, skills: testSkill(audited)}, simulated("small", starling.OpenAI, true), large)
	for range 6 {
		s.ask(chatPath, chat("starling/test", false))
	}
	<-began
	<-began
	s.stop()
	audits := s.audits()
	if len(audits) != 2 || len(s.outcomes()) != 0 {
		t.Fatalf("%d audits, %d outcomes", len(audits), len(s.outcomes()))
	}
	for _, r := range audits {
		if r.Outcome != starling.Failed || !strings.Contains(r.Why, "the gateway is stopping") {
			t.Errorf("%s: %s", r.Outcome, r.Why)
		}
	}
}

// TestAnAnswerThatIsTooLongIsNotAudited: it is not kept in memory either.
func TestAnAnswerThatIsTooLongIsNotAudited(t *testing.T) {
	long := upstreamAt{name: "small", dialect: starling.OpenAI, handler: whole(strings.Replace(wholeOpenAI, "Hello", strings.Repeat("a", 1<<20), 1))}
	s := newStand(t, standOptions{skills: testSkill(audited)}, long, simulated("large", starling.OpenAI, true))
	if a := s.ask(chatPath, chat("starling/test", false)); a.status != 200 || len(a.body) < 1<<20 {
		t.Fatalf("%d, %d bytes", a.status, len(a.body))
	}
	s.over(1)
	if n := s.counted("skipped"); n != 1 || len(s.audits()) != 0 {
		t.Errorf("%d skipped", n)
	}
}

// kept collects texts.
type kept struct {
	mu    sync.Mutex
	all   []corpus.Text
	times int // that something was kept
}

func (k *kept) keep(_ context.Context, some ...corpus.Text) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all, k.times = append(k.all, some...), k.times+1
	return nil
}

// TestWhatWaitsToBeKeptIsWrittenAtOnce: a slow disk keeps as much as a fast one.
func TestWhatWaitsToBeKeptIsWrittenAtOnce(t *testing.T) {
	const n = 30
	var k kept
	k.mu.Lock() // the disk is busy
	rubric := "reference: large/m\nkeep: true\ngrade: label\ncandidates: [large/m]\n"
	s := newStand(t, standOptions{skills: testSkill(rubric), serve: serve.Options{Keep: k.keep}}, simulated("large", starling.OpenAI, true))
	for range n {
		if a := s.ask(chatPath, chat("starling/test", false)); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	k.mu.Unlock()
	s.stop()
	if len(k.all) != n || k.times > 3 {
		t.Errorf("%d texts are kept, in %d writings", len(k.all), k.times)
	}
}

// TestWhereARubricKeepsTheReferencesAnswersAreTexts: its own, and those that audits
// asked it for, of requests in the plain form.
func TestWhereARubricKeepsTheReferencesAnswersAreTexts(t *testing.T) {
	const prompt = `{"role":"system","content":"Say yes\n or no."},`
	const hello = `{"role":"user","content":[{"type":"text","text":"hello"}]}`
	for _, c := range []struct {
		name, rubric, path, body string
		source                   string // of the text, "" if there is none
	}{
		{"the reference's own", "candidates: [large/m]\n", chatPath, `"messages":[` + prompt + hello + `]`, "answer"},
		{"streamed", "candidates: [large/m]\n", chatPath, `"stream":true,"messages":[` + prompt + hello + `]`, "answer"},
		{"in the other dialect", "candidates: [large/m]\n", messagesPath, `"system":"Say yes or no.","messages":[` + hello + `]`, "answer"},
		{"pinned", "candidates: [small/m]\n", chatPath, `"model":"large/m","messages":[` + prompt + hello + `]`, "answer"},
		{"an audit's", "candidates: [small/m]\naudit: 1\n", chatPath, `"stream":true,"messages":[` + prompt + hello + `]`, "audit"},
		{"another's", "candidates: [small/m]\n", chatPath, `"messages":[` + prompt + hello + `]`, ""},
		{"another prompt", "candidates: [large/m]\n", chatPath, `"messages":[{"role":"system","content":"Say no."},` + hello + `]`, ""},
		{"no prompt", "candidates: [large/m]\n", chatPath, `"messages":[` + hello + `]`, ""},
		{"two messages", "candidates: [large/m]\n", chatPath, `"messages":[` + prompt + hello + `,{"role":"assistant","content":"?"},` + hello + `]`, ""},
		{"a picture", "candidates: [large/m]\n", chatPath, `"messages":[` + prompt + `{"role":"user","content":[{"type":"text","text":"hello"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]`, ""},
		{"tools", "candidates: [large/m]\n", chatPath, `"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none","messages":[` + prompt + hello + `]`, ""},
		{"cut short", "candidates: [large/m]\n", chatPath, `"max_tokens":1,"messages":[` + prompt + `{"role":"user","content":"something else"}]`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var k kept
			rubric := "reference: large/m\nkeep: true\ngrade: label\nprompt: Say yes or no.\n" + c.rubric
			s := newStand(t, standOptions{skills: testSkill(rubric), serve: serve.Options{Keep: k.keep}}, simulated("small", starling.OpenAI, false), simulated("large", starling.OpenAI, true))
			model := `"model":"starling/test",`
			if strings.Contains(c.body, `"model"`) {
				model = ""
			}
			limit := `"max_tokens":100,`
			if strings.Contains(c.body, `"max_tokens"`) {
				limit = ""
			}
			a := s.ask(c.path, "{"+model+limit+c.body+"}", "X-Starling-Skill", "test")
			if a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if c.source == "audit" {
				s.over(1)
			}
			s.stop()
			id := a.header.Get("X-Starling-Receipt")
			if c.source == "" {
				if len(k.all) > 0 {
					t.Errorf("%+v", k.all)
				}
				return
			}
			if audits := s.audits(); c.source == "audit" {
				id = audits[0].ID
			}
			if len(k.all) != 1 {
				t.Fatalf("%+v", k.all)
			}
			got := k.all[0]
			if got.Skill != "test" || got.Input != "hello" || got.Answer != "yes" || got.Model != "large/m" || got.Source != "reference, "+id || got.Time.IsZero() {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestAReviewSpeaksForOrAgainstTheWarrant that covered the answer, once an answer.
func TestAReviewSpeaksForOrAgainstTheWarrant(t *testing.T) {
	s := newStand(t, standOptions{skills: testSkill("candidates: [small/m, large/m]\nreference: large/m\nbar: {pass: 0.9, confidence: 0.95}\n")},
		simulated("small", starling.OpenAI, false), simulated("large", starling.OpenAI, true))
	w := s.warrant()
	if a := s.feedback(`{"receipt":"x","review":true,"correction":"y","input":"z","consent":true}`); a.status != 400 || !strings.Contains(a.body, "a review has a grade") {
		t.Errorf("%d %s", a.status, a.body)
	}
	reviewed := 0
	for s.receipt(s.ask(chatPath, chat("starling/test", false))).Response.Provider == "small" {
		id := s.ask(chatPath, chat("starling/test", false)).header.Get("X-Starling-Receipt")
		for range 2 { // the second says nothing more
			if a := s.feedback(fmt.Sprintf(`{"receipt":%q,"grade":0,"review":true}`, id)); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		if reviewed++; reviewed == 30 {
			t.Fatal("it stands after 30 reviews")
		}
	}
	all := s.outcomes()
	if len(all) != 2*reviewed || slices.ContainsFunc(all, func(o evidence.Outcome) bool { return o.Source != evidence.FromReview || o.Warrant != w.ID }) {
		t.Errorf("%d outcomes of %d reviews", len(all), reviewed)
	}
	if st := s.news.Board.Standing("test", w.Rubric, w.Candidate); st.Revoked == nil || st.Audits != reviewed {
		t.Errorf("%+v", st)
	}
}
