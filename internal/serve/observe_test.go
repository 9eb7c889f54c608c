package serve_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/cascade"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/serve"
)

// always observes, and gives every exchange a shadow.
func always() *cascade.Observing { return &cascade.Observing{Share: 1} }

// counting counts the questions that an upstream is asked.
func counting(up upstreamAt) (upstreamAt, *atomic.Int64) {
	n, handler := new(atomic.Int64), up.handler
	up.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		handler.ServeHTTP(w, r)
	})
	return up, n
}

// done waits until so many shadows are over.
func (s *stand) done(n int) {
	s.t.Helper()
	s.wait(fmt.Sprintf("%d shadows", n), func() bool { return s.counted("agreed", "disagreed", "climbed", "skipped", "failed") >= n })
}

// TestObservingChangesNothingOfWhatAPinningCallerGets compares byte by byte, in both
// dialects, streamed or not, passed on or translated, with a skill and without.
func TestObservingChangesNothingOfWhatAPinningCallerGets(t *testing.T) {
	blocks := map[starling.Dialect][]string{starling.OpenAI: {oai(oaiRole), ": alive\n\n", oai(oaiText), oai(oaiStop), oai(oaiUsage), oai(oaiDone)}, starling.Anthropic: {antStart, antText, antEnd}}
	bodies := map[starling.Dialect]string{starling.OpenAI: wholeOpenAI, starling.Anthropic: wholeAnthropic}
	for _, d := range []starling.Dialect{starling.OpenAI, starling.Anthropic} {
		either := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := must(io.ReadAll(r.Body))
			r.Body = io.NopCloser(bytes.NewReader(body))
			if gjson.GetBytes(body, "stream").Bool() {
				events(blocks[d]...)(w, r)
				return
			}
			whole(bodies[d])(w, r)
		})
		up := func(name string) upstreamAt { return upstreamAt{name: name, dialect: d, handler: either} }
		rubric := "candidates: [small/m, large/m]\nreference: large/m\ngrade: label\nclass: restricted\nprompt: Say yes or no.\nverify: [{kind: pattern, must: [H]}]\n"
		with := newStand(t, standOptions{skills: testSkill(rubric), observe: always()}, up("small"), up("large"))
		without := newStand(t, standOptions{skills: testSkill(rubric)}, up("small"), up("large"))
		for _, system := range []string{"Say  yes or no.", "Something else."} {
			for n, path := range []string{chatPath, messagesPath, chatPath, messagesPath} {
				body := map[string]string{
					chatPath:     fmt.Sprintf(`{"model":"large/m","stream":%t,"max_tokens":100,"messages":[{"role":"system","content":%q},{"role":"user","content":"hello"}]}`, n > 1, system),
					messagesPath: fmt.Sprintf(`{"model":"large/m","stream":%t,"max_tokens":100,"system":%q,"messages":[{"role":"user","content":"hello"}]}`, n > 1, system),
				}[path]
				a, b := with.ask(path, body), without.ask(path, body)
				own := func(a answer) string {
					text := strings.ReplaceAll(a.body, a.header.Get("X-Starling-Receipt"), "ID")
					return regexpCreated.ReplaceAllString(text, `"created":0`)
				}
				if own(a) != own(b) || a.status != 200 || b.status != 200 || a.err != nil {
					t.Errorf("%s asked by %s:\n%s\n%s", d, path, a.body, b.body)
				}
				if a.header.Get("X-Starling-Observed") != "none" || a.header.Get("X-Starling-Reason") != "observed: pinned by the caller" {
					t.Errorf("%v", a.header)
				}
				a.header.Del("X-Starling-Observed")
				for name := range b.header {
					if _, ok := a.header[name]; !ok || len(a.header) != len(b.header) {
						t.Errorf("headers %v, %v", a.header, b.header)
					}
				}
				r := with.receipt(a)
				if r.Screen.Furthest != starling.Cloud || r.Plan.Skill != "" || !r.Plan.Pinned {
					t.Errorf("the skill that its prompt told has changed the exchange: %+v", r)
				}
				said := r.Observed.Skill + ": " + r.Observed.Rule
				if strings.HasPrefix(system, "Say") && !strings.HasPrefix(said, "test: no model may answer this request") || !strings.HasPrefix(system, "Say") && said != ": no skill was named or recognised: nothing would have changed" {
					t.Error(said)
				}
			}
		}
	}
}

// seen is a plan as an observation records it.
func seen(p starling.Plan) (all []starling.WouldBe) {
	for _, c := range p.Candidates {
		all = append(all, starling.WouldBe{Model: c.Model.ID(), Unit: c.Unit, Warrant: c.Warrant, Threshold: c.Threshold, Probability: c.Probability, Expected: c.Expected})
	}
	return all
}

// TestWhoNamesASkillIsAnsweredByItsReference, unverified and at once, and the receipt
// has the plan that would have been in force.
func TestWhoNamesASkillIsAnsweredByItsReference(t *testing.T) {
	for name, c := range map[string]struct{ rubric, by, why string }{
		"the reference":     {"candidates: [small/m, large/m]\nreference: large/m\n", "large", "the skill's reference"},
		"no reference":      {"candidates: [small/m, large/m]\n", "large", "the skill's last candidate"},
		"one that is away":  {"candidates: [small/m, large/m]\nreference: huge/m\n", "large", "the skill's last candidate"},
		"one that is first": {"candidates: [large/m, small/m]\nreference: large/m\n", "large", "the skill's reference"},
	} {
		t.Run(name, func(t *testing.T) {
			c.rubric += "verify: [{kind: label, values: [no, never]}]\nbar: {pass: 0.9, confidence: 0.95}\n"
			ups := func() []upstreamAt {
				return []upstreamAt{simulated("small", starling.OpenAI, false), simulated("large", starling.Anthropic, true)}
			}
			o := standOptions{skills: testSkill(c.rubric), observe: &cascade.Observing{Share: 0}}
			s := newStand(t, o, ups()...)
			o.observe = nil
			for n := range 4 {
				acts := newStand(t, o, ups()...) // what it does is evidence, and may change its next plan
				path := []string{chatPath, messagesPath}[n%2]
				a, acted := s.ask(path, chat("starling/test", n > 1)), acts.ask(path, chat("starling/test", n > 1))
				r, did := s.receipt(a), acts.receipt(acted)
				if a.status != 200 || r.Response.Provider != c.by || len(r.Attempts) != 1 || len(r.Attempts[0].Verdicts) != 0 || !strings.Contains(a.body, "yes") || r.Plan.Pinned {
					t.Fatalf("%d %s: %+v", a.status, a.body, r)
				}
				if r.Plan.Rule != "observed: nothing is chosen" || a.header.Get("X-Starling-Reason") != "observed: nothing is chosen; "+c.why || r.Plan.Skill != "test" {
					t.Errorf("%s, %s", r.Plan.Rule, a.header.Get("X-Starling-Reason"))
				}
				first, _, _ := strings.Cut(did.Plan.Candidates[0].Model.ID(), "/")
				if a.header.Get("X-Starling-Observed") != "m" || !strings.HasPrefix(r.Observed.First(), first) {
					t.Errorf("%v", a.header)
				}
				if diff := cmp.Diff(seen(did.Plan), r.Observed.Candidates); diff != "" || r.Observed.Rubric != did.Plan.Rubric || r.Observed.Rule != did.Plan.Rule || r.Observed.Expected != did.Plan.Expected {
					t.Errorf("the plan is another: %s", diff)
				}
			}
		})
	}
}

// TestAPinIsObservedAsIfTheChoiceHadBeenLeft to the skill that the header, the key or
// the prompt tells.
func TestAPinIsObservedAsIfTheChoiceHadBeenLeft(t *testing.T) {
	rubric := "candidates: [small/m, large/m]\nreference: large/m\nprompt: Say yes or no.\nbar: {pass: 0.9, confidence: 0.95}\n"
	s := newStand(t, standOptions{skills: testSkill(rubric), observe: &cascade.Observing{}}, simulated("small", starling.OpenAI, true), simulated("large", starling.OpenAI, true))
	w := s.warrant()
	prompted := `{"model":"large/m","max_tokens":100,"messages":[{"role":"system","content":"Say yes or no."},{"role":"user","content":"hello"}]}`
	for how, a := range map[string]answer{
		"":                             s.ask(chatPath, chat("large/m", false), "X-Starling-Skill", "test"),
		"skill from its system prompt": s.ask(chatPath, prompted),
	} {
		r := s.receipt(a)
		o := r.Observed
		if o == nil || o.Skill != "test" || o.Identified != how || len(o.Candidates) != 2 || o.Candidates[0].Model != "small/m" || o.Candidates[0].Warrant != w.ID || o.Candidates[0].Unit != w.Candidate {
			t.Fatalf("%q: %+v", how, o)
		}
		if u := r.Attempts[0].Usage; o.AtTokens <= 0 || u.Output == 0 || r.Response.Provider != "large" {
			t.Errorf("%+v of %+v", o, u)
		}
	}
	trial := s.receipt(s.ask(chatPath, chat("large/m", false), "X-Starling-Skill", "test", "User-Agent", starling.TrialAgent))
	if trial.Observed != nil {
		t.Errorf("a trial is no traffic: %+v", trial.Observed)
	}
	none := s.receipt(s.ask(chatPath, chat("small/m", false)))
	if none.Observed == nil || none.Observed.Skill != "" || none.Observed.First() != "" {
		t.Errorf("%+v", none.Observed)
	}
	if a := s.ask(chatPath, chat("starling/auto", false)); a.status != 400 {
		t.Errorf("%d", a.status)
	}
	if h := s.get("/healthz"); gjson.Get(h.body, "observe").Bool() != true {
		t.Error(h.body)
	}
	if m := s.get("/metrics").body; !strings.Contains(m, `starling_observed_total{model="small/m",skill="test"} 2`) || !strings.Contains(m, `starling_observed_total{model="none",skill=""} 2`) {
		t.Error(m)
	}
}

// TestAShadowIsAnExchangeOfItsOwn, whatever comes of it.
func TestAShadowIsAnExchangeOfItsOwn(t *testing.T) {
	judged := "verify: [{kind: label, values: [yes, no]}]\n"
	saying := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body := must(io.ReadAll(r.Body))
			if gjson.GetBytes(body, "stream").Bool() {
				events(oai(oaiRole), oai(strings.Replace(oaiText, "Hello", text, 1)), oai(oaiStop), oai(oaiUsage), oai(oaiDone))(w, r)
				return
			}
			whole(strings.Replace(wholeOpenAI, "Hello", text, 1))(w, r)
		}
	}
	silent := upstreamAt{name: "large", dialect: starling.OpenAI, handler: saying("")}
	failing := upstreamAt{name: "small", dialect: starling.OpenAI, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "{}", 500) })}
	odd := upstreamAt{name: "small", dialect: starling.OpenAI, handler: saying("Well")}
	right, wrong := simulated("small", starling.OpenAI, true), simulated("small", starling.OpenAI, false)
	large := simulated("large", starling.Anthropic, true)
	for _, c := range []struct {
		name, rubric string
		small, large upstreamAt
		result       string
		outcome      *evidence.Outcome
	}{
		{"it agrees", judged, right, large, "agreed", &evidence.Outcome{Grade: 1}},
		{"it differs", judged, wrong, large, "disagreed", &evidence.Outcome{Why: "the label is another"}},
		{"nobody verifies it", "", wrong, large, "disagreed", &evidence.Outcome{Why: "the label is another"}},
		{"it climbs", judged, odd, large, "climbed", &evidence.Outcome{Rejected: true}},
		{"it fails", judged, failing, large, "failed", nil},
		{"nothing can be compared with", "", right, silent, "failed", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			rubric := "candidates: [small/m, large/m]\nreference: large/m\ngrade: label\n" + c.rubric
			s := newStand(t, standOptions{keyed: true, skills: testSkill(rubric), observe: always()}, c.small, c.large)
			of := map[string]*starling.Receipt{}
			for n, body := range []string{chat("starling/test", false), chat("starling/test", true), chat("large/m", true)} {
				a := s.ask([]string{chatPath, messagesPath}[n%2], body, "X-Starling-Skill", "test")
				r := s.receipt(a)
				of[r.ID] = r
				if a.status != 200 || r.Response.Provider != "large" {
					t.Fatalf("%d %s", a.status, a.body)
				}
			}
			s.done(3)
			if n := s.counted(c.result); n != 3 {
				t.Errorf("%d %s", n, c.result)
			}
			shadows := map[string]*starling.Receipt{}
			for _, r := range s.audits() {
				shadows[r.ID] = r
				caller := of[r.AuditOf]
				if caller == nil || r.Observed == nil || !r.Observed.Shadow || r.Plan.Rule != "shadow of "+caller.ID || r.Plan.Skill != "test" || r.Key != caller.Key || r.Key == "" ||
					r.RequestMAC != caller.RequestMAC || r.AnswerMAC != "" || len(r.Plan.Candidates) != 1 || r.Plan.Candidates[0].Model.ID() != "small/m" || r.Saved != -r.Cost {
					t.Errorf("%+v", r)
				}
				if c.result != "failed" && r.Cost <= 0 {
					t.Errorf("it is not booked: %+v", r)
				}
			}
			if len(shadows) != 3 {
				t.Errorf("%d shadows", len(shadows))
			}
			all := s.outcomes()
			if c.outcome == nil {
				if len(all) != 0 {
					t.Errorf("%+v", all)
				}
				return
			}
			for _, o := range all {
				r := shadows[o.Receipt]
				if r == nil || o.Source != evidence.FromAudit || o.Grade != c.outcome.Grade || o.Rejected != c.outcome.Rejected || c.outcome.Why != "" && o.Why != c.outcome.Why ||
					o.Candidate != r.Plan.Candidates[0].Unit || o.Model != "small/m" || o.Reference != "large/m" || o.Cost != r.Cost || o.Case != "mac "+r.RequestMAC || o.Warrant != "" {
					t.Errorf("%+v", o)
				}
			}
			if report := must(s.ledger.Verify(context.Background(), ledger.Audit{})); len(all) != 3 || !report.OK() {
				t.Errorf("%d outcomes, %+v", len(all), report)
			}
		})
	}
}

// TestShadowsSpeakForOrAgainstAWarrant where the reference gave the answer; what
// another model said is no measure for it, and what would not have been seen neither.
func TestShadowsSpeakForOrAgainstAWarrant(t *testing.T) {
	rubric := "candidates: [small/m, large/m]\nreference: large/m\ngrade: label\nbar: {pass: 0.9, confidence: 0.95}\n"
	s := newStand(t, standOptions{skills: testSkill(rubric), observe: always()},
		simulated("small", starling.OpenAI, false), simulated("large", starling.OpenAI, true), simulated("other", starling.OpenAI, true))
	w := s.warrant()
	s.ask(chatPath, chat("other/m", false), "X-Starling-Skill", "test")
	s.done(1)
	if all := s.outcomes(); len(all) != 1 || all[0].Warrant != "" || all[0].Reference != "other/m" {
		t.Fatalf("%+v", all)
	}
	n := 1
	for ; s.receipt(s.ask(chatPath, chat("starling/test", false))).Observed.First() == "small/m"; n++ {
		if s.done(n + 1); n == 30 {
			t.Fatal("it stands after 30 disagreements")
		}
	}
	if st := s.news.Board.Standing("test", w.Rubric, w.Candidate); st.Revoked == nil || st.Audits != n-1 {
		t.Errorf("%+v after %d", st, n)
	}
}

// TestAShadowGoesNoFurtherThanTheDataMay, whoever was allowed to be asked by name.
func TestAShadowGoesNoFurtherThanTheDataMay(t *testing.T) {
	zones := []starling.Zone{starling.Machine, starling.Office, starling.Tenant, starling.Cloud}
	reach := map[string]starling.Zone{"public": starling.Cloud, "internal": starling.Tenant, "confidential": starling.Office, "restricted": starling.Machine}
	for _, zone := range zones {
		for skillClass := range reach {
			if testing.Short() && zone != reach[skillClass] {
				continue // one gateway a class shows the race detector all that runs
			}
			small := simulated("small", starling.OpenAI, true)
			small.zone = zone
			small, asked := counting(small)
			large := simulated("large", starling.OpenAI, true)
			large.zone = starling.Machine
			rubric := "candidates: [small/m, large/m]\nreference: large/m\ngrade: label\nprompt: Say yes or no.\nclass: " + skillClass + "\n"
			s := newStand(t, standOptions{skills: testSkill(rubric), observe: always()}, small, large)
			shadows := 0
			for class, furthest := range reach {
				for _, q := range [][]string{
					{chat("starling/test", true), "X-Starling-Class", class},
					{chat("large/m", false), "X-Starling-Class", class, "X-Starling-Skill", "test"},
					{`{"model":"large/m","max_tokens":9,"messages":[{"role":"system","content":"Say yes or no."},{"role":"user","content":"hello"}]}`, "X-Starling-Class", class},
				} {
					before := asked.Load()
					a := s.ask(chatPath, q[0], q[1:]...)
					may := zone <= min(furthest, reach[skillClass])
					if may {
						shadows++
						s.done(shadows)
					}
					if got := asked.Load() - before; a.status != 200 || (got == 1) != may || got > 1 {
						t.Errorf("data of class %s, skill of class %s: %s in zone %s was asked %d times", class, skillClass, q[0], zone, got)
					}
				}
			}
			s.stop()
			if n := len(s.audits()); n != shadows {
				t.Errorf("%d shadows of %d", n, shadows)
			}
		}
	}
}

// TestWhoGetsAShadowFollowsFromTheReceipt: the rubric's share or the one that takes
// its place.
func TestWhoGetsAShadowFollowsFromTheReceipt(t *testing.T) {
	for _, c := range []struct{ share, rubric, drawn float64 }{{-1, 0.4, 0.4}, {0.7, 0.1, 0.7}, {0, 1, 0}} {
		rubric := fmt.Sprintf("candidates: [small/m, large/m]\nreference: large/m\ngrade: label\naudit: %g\n", c.rubric)
		s := newStand(t, standOptions{skills: testSkill(rubric), observe: &cascade.Observing{Share: c.share}}, simulated("small", starling.OpenAI, true), simulated("large", starling.OpenAI, true))
		drawn := map[string]bool{}
		for range 20 {
			if id := s.ask(chatPath, chat("starling/test", false)).header.Get("X-Starling-Receipt"); evidence.Drawn(id, c.drawn) {
				drawn[id] = true
			}
		}
		s.done(len(drawn))
		s.stop()
		audits := s.audits()
		for _, r := range audits {
			if !drawn[r.AuditOf] {
				t.Errorf("%s was not drawn", r.AuditOf)
			}
		}
		if len(audits) != len(drawn) {
			t.Errorf("%d shadows of %d", len(audits), len(drawn))
		}
	}
}

// TestAShadowIsUnderTheSameCaps: one that might break them is not asked, and its
// caller has the answer all the same.
func TestAShadowIsUnderTheSameCaps(t *testing.T) {
	small := simulated("small", starling.OpenAI, true)
	small.price = starling.Price{Rates: starling.Rates{Input: 1e12, Output: 1e12}, Source: "test"}
	small, asked := counting(small)
	rubric := "candidates: [small/m, large/m]\nreference: large/m\ngrade: label\n"
	s := newStand(t, standOptions{skills: testSkill(rubric), observe: always(), budgets: []ledger.Budget{{Scope: ledger.ForSkill, Name: "test", Per: "day", Limit: 10_000_000}}}, small, simulated("large", starling.OpenAI, true))
	if a := s.ask(chatPath, chat("starling/test", false)); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	s.done(1)
	audits := s.audits()
	if n := s.counted("failed"); n != 1 || asked.Load() != 0 || len(audits) != 1 || audits[0].Kind != starling.OverBudget || audits[0].Cost != 0 {
		t.Errorf("%d failed, asked %d times, %+v", n, asked.Load(), audits)
	}
}

// TestTheReferencesAnswersAreKeptWhileObserving, also those of a pinned request whose
// prompt is the skill's, and also where there is a shadow.
func TestTheReferencesAnswersAreKeptWhileObserving(t *testing.T) {
	const prompted = `"max_tokens":100,"messages":[{"role":"system","content":"Say yes or no."},{"role":"user","content":"hello"}]}`
	for _, share := range []float64{0, 1} {
		for body, keeps := range map[string]bool{`{"model":"starling/test",` + prompted: true, `{"model":"large/m",` + prompted: true, `{"model":"other/m",` + prompted: false} {
			var k kept
			rubric := "candidates: [small/m, large/m]\nreference: large/m\nkeep: true\ngrade: label\nprompt: Say yes or no.\n"
			s := newStand(t, standOptions{skills: testSkill(rubric), serve: serve.Options{Keep: k.keep}, observe: &cascade.Observing{Share: share}},
				simulated("small", starling.OpenAI, false), simulated("large", starling.OpenAI, true), simulated("other", starling.OpenAI, true))
			a := s.ask(chatPath, body)
			if share > 0 {
				s.done(1)
			}
			s.stop()
			if keeps != (len(k.all) == 1) {
				t.Fatalf("share %g, %s: %+v", share, body, k.all)
			}
			if keeps && (k.all[0].Input != "hello" || k.all[0].Answer != "yes" || k.all[0].Source != "reference, "+a.header.Get("X-Starling-Receipt")) {
				t.Errorf("%+v", k.all[0])
			}
		}
	}
}
