package advise

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
)

// A world is a skill with three candidates, and what became of them.
type world struct {
	t        testing.TB
	q        Question
	outcomes []*evidence.Outcome
	receipts []*starling.Receipt
	began    time.Time
}

const plainRubric = `version: 1
reference: premium
candidates: [small, {model: open, probability: 0.8}, premium]
bar: {pass: 0.9, confidence: 0.95}
budget: {request: $0.01}
latency: 10s
audit: 0.02
verify: [{kind: label, values: [a, b]}]
grade: label
`

// loaded are skills by their rubrics: a simulation needs one often.
var loaded = map[string]*skill.Skill{}

func newWorld(t testing.TB, rubric string) *world {
	t.Helper()
	s := loaded[rubric]
	if s == nil {
		var err error
		if s, err = skill.Load(fstest.MapFS{
			"test/SKILL.md":    {Data: []byte("---\nname: test\ndescription: A test.\n---\n")},
			"test/rubric.yaml": {Data: []byte(rubric)},
		}, "test"); err != nil {
			t.Fatal(err)
		}
		loaded[rubric] = s
	}
	w := &world{t: t, began: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	w.q = Question{Skill: s, Furthest: starling.Cloud, Sizes: map[string]int{}, Compared: true, Now: w.began.Add(30 * 24 * time.Hour)}
	for _, c := range s.Rubric.Candidates {
		m := starling.Model{Provider: "up", Name: c.Model, Zone: starling.Cloud}
		w.q.Rungs = append(w.q.Rungs, Rung{Name: c.Model, Model: m, Unit: "unit of " + c.Model, Trusted: c.Model == s.Rubric.Reference})
	}
	return w
}

func (w *world) rung(name string) Rung {
	i := slices.IndexFunc(w.q.Rungs, func(r Rung) bool { return r.Name == name })
	return w.q.Rungs[i]
}

func (w *world) outcome(name string, source evidence.Source, passed bool) *evidence.Outcome {
	id := fmt.Sprint("n", len(w.outcomes))
	o := &evidence.Outcome{Skill: "test", Rubric: w.q.Skill.Hash, Candidate: w.rung(name).Unit, Case: id, Digest: id, Receipt: id, Source: source, Cost: starling.Dollar / 1000, Took: time.Second}
	if passed {
		o.Grade = 1
	}
	w.outcomes = append(w.outcomes, o)
	return o
}

// request is one that the candidates tried in their order; the last of them answered.
func (w *world) request(tried ...string) *starling.Receipt {
	r := &starling.Receipt{
		ID: fmt.Sprint("rcp_", len(w.receipts)), Time: w.began.Add(time.Duration(len(w.receipts)) * time.Minute), Outcome: starling.Answered,
		Plan: starling.Plan{Skill: "test", Rubric: w.q.Skill.Hash, Limit: w.q.Skill.Rubric.Budget.Request, Patience: w.q.Skill.Rubric.Latency},
	}
	for i, rung := range w.q.Rungs {
		c := starling.Candidate{Model: rung.Model, Unit: rung.Unit}
		if i+1 < len(w.q.Rungs) {
			c.Verify = []string{"label"}
		}
		r.Plan.Candidates = append(r.Plan.Candidates, c)
	}
	r.Plan.Reference = &w.q.Rungs[len(w.q.Rungs)-1].Model
	for i, name := range tried {
		accepted := i == len(tried)-1
		a := starling.Attempt{Model: w.rung(name).Model.ID(), Outcome: starling.Rejected, Took: time.Second, FirstByte: time.Second / 2, Cost: costs[name]}
		a.Verdicts = []starling.Verdict{{Verifier: "label", Accept: accepted}}
		if accepted {
			a.Outcome = starling.Answered
			r.Response.Provider, r.Response.Model = "up", name
		}
		r.Cost = r.Cost.Plus(a.Cost)
		r.Attempts = append(r.Attempts, a)
	}
	r.Reference = costs["premium"]
	w.receipts = append(w.receipts, r)
	return r
}

var costs = map[string]starling.Money{"small": starling.Dollar / 1000, "open": starling.Dollar / 500, "premium": starling.Dollar / 100}

func each[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range list {
			if !yield(x, nil) {
				return
			}
		}
	}
}

func (w *world) advice() *Advice {
	w.t.Helper()
	a, err := Study(w.q, each(w.outcomes), each(w.receipts))
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func kinds(a *Advice) string {
	var out []string
	for _, p := range a.Proposals {
		out = append(out, strings.TrimSpace(string(p.Kind)+" "+p.Of))
	}
	return strings.Join(out, ", ")
}

// many does something n times, of which k are true, spread evenly.
func many(n, k int, do func(is bool)) {
	for i := range n {
		do((i+1)*k/n > i*k/n)
	}
}

func TestEachKindOfEvidenceProposesItsChange(t *testing.T) {
	audited := func(w *world, n, k int, warrant string) {
		many(n, k, func(is bool) { w.outcome("small", evidence.FromAudit, is).Warrant = warrant })
	}
	tried := func(w *world, name string, n, accepted int) {
		many(n, accepted, func(is bool) {
			if before := slices.IndexFunc(w.q.Rungs, func(r Rung) bool { return r.Name == name }); is && before == 0 {
				w.request(name)
			} else if is {
				w.request("small", name)
			} else {
				w.request("small", "open", "premium")
			}
		})
	}
	for _, c := range []struct {
		name, rubric string
		happens      func(*world)
		want         string
		edits        string
		says         string
	}{
		{"nothing happened", plainRubric, func(*world) {}, "", "", ""},
		{"cases show that it is below the bar", plainRubric, func(w *world) {
			many(84, 52, func(is bool) { w.outcome("small", evidence.FromCase, is) })
		}, "below-bar small", "candidates without small", "of small 52 of 84 accepted answers to cases pass, 61.9 %, at 99.5"},
		{"the same of the last shows nothing: it is trusted", plainRubric, func(w *world) {
			many(84, 52, func(is bool) { w.outcome("premium", evidence.FromCase, is) })
		}, "", "", ""},
		{"audits show it of one that a warrant covered", plainRubric, func(w *world) { audited(w, 60, 30, "war_1") }, "below-bar small", "candidates without small", "agree when audited"},
		{"of several grades of an answer the first counts", plainRubric, func(w *world) {
			for range 60 {
				w.outcome("small", evidence.FromAudit, false).Receipt = "rcp_1"
			}
		}, "", "", ""},
		{"a rule that ends with it keeps it, and others lose it", plainRubric + "rules:\n  - {when: request.stream, candidates: [open, small], why: a}\n  - {when: request.images > 0, candidates: [small, open], why: b}\n", func(w *world) {
			many(84, 52, func(is bool) { w.outcome("small", evidence.FromCase, is) })
		}, "below-bar small", "candidates without small; rules.1.candidates without small", "rule 1 ends with it and keeps it"},
		{"unproven answers are worse than the bar", plainRubric, func(w *world) {
			many(36, 26, func(is bool) { w.outcome("small", evidence.FromAudit, is) })
			many(36, 26, func(is bool) { w.outcome("open", evidence.FromAudit, is) })
		}, "unproven", "bar.unproven: climb", "52 of 72 audited answers that no warrant covered agree"},
		{"it is rejected so often that a try costs more than it saves", plainRubric, func(w *world) {
			for i := range 300 {
				if i%30 == 0 {
					w.request("small")
				} else {
					w.request("small", "premium")
				}
			}
		}, "does-not-pay small", "", "so it pays from 10.0 % on"},
		{"what is stated is not what happens", plainRubric, func(w *world) { tried(w, "open", 200, 80) }, "does-not-pay small, probability open", "", ""},
		{"it fails above a size and not below", plainRubric, func(w *world) {
			for i := range 160 {
				o, large := w.outcome("open", evidence.FromCase, true), i%4 == 0
				o.Rejected = large
				w.q.Sizes[o.Digest] = 1000 + i
				if large {
					w.q.Sizes[o.Digest] += 9000
				}
			}
		}, "size open", "rules with one more, when request.input_bytes > 5", "larger ones are accepted and pass"},
		{"a listed order stands the wrong way round", plainRubric + "order: listed\n", func(w *world) {
			many(100, 40, func(is bool) {
				o := w.outcome("small", evidence.FromCase, true)
				o.Rejected, o.Cost = !is, starling.Dollar/100
			})
			many(100, 95, func(is bool) { w.outcome("open", evidence.FromCase, true).Rejected = !is })
		}, "order open", "candidates with open before small", "it costs less for each acceptance"},
		{"the limit cuts off what would soon have come", plainRubric, func(w *world) {
			many(80, 40, func(is bool) {
				if o := w.outcome("small", evidence.FromCase, true); is {
					o.Took = 12 * time.Second
				}
			})
			many(200, 60, func(is bool) {
				if r := w.request("small", "premium"); is {
					r.Attempts[0].Outcome, r.Attempts[0].Took = starling.Failed, 10*time.Second
				} else {
					r.Attempts = r.Attempts[:1]
					r.Attempts[0].Outcome = starling.Answered
				}
			})
		}, "latency small", "latency: 12.5s", "60 of 200 tries were cut off"},
		{"too few audits to notice a drift", strings.Replace(plainRubric, "0.02", "0.001", 1), func(w *world) {
			many(3000, 3000, func(bool) { w.request("small") })
		}, "audit", "audit: 0.0", "of others than the reference in 49h59m0s are"},
		{"more audits than it takes", strings.Replace(plainRubric, "0.02", "0.5", 1), func(w *world) {
			many(3000, 3000, func(bool) { w.request("small") })
		}, "audit", "audit: 0.00", ""},
		{"the limit of a request refuses what would have cost little more", plainRubric, func(w *world) {
			many(100, 30, func(is bool) {
				if r := w.request("small"); is {
					r.Outcome, r.Kind, r.Attempts, r.Cost = starling.Failed, starling.OverBudget, nil, 0
					r.Plan.Left = []starling.Left{{Kind: starling.OverBudget, Worst: starling.Dollar / 80}, {Kind: starling.OverBudget, Worst: starling.Dollar}}
				}
			})
		}, "budget", "budget.request: $0.0125", "30 of 100 requests were refused for it"},
		{"texts are kept that a student could learn from", plainRubric, func(w *world) { w.q.Texts = 500 }, "candidate student", "candidates with student before small", "500 texts are kept"},
		{"another rubric's evidence says nothing", plainRubric, func(w *world) {
			many(84, 52, func(is bool) { w.outcome("small", evidence.FromCase, is).Rubric = "another" })
		}, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.rubric)
			c.happens(w)
			a := w.advice()
			var edits, says []string
			for _, p := range a.Proposals {
				says = append(says, p.What+": "+p.Why)
				for _, e := range p.Edits {
					edits = append(edits, e.String())
				}
				promised(t, c.rubric, p)
			}
			if kinds(a) != c.want || !strings.Contains(strings.Join(edits, "; "), c.edits) || !strings.Contains(strings.Join(says, "; "), c.says) {
				t.Errorf("proposed %q, not %q\nedits %q\n%s\nnotes %q", kinds(a), c.want, edits, strings.Join(says, "\n"), a.Notes)
			}
		})
	}
}

// promised checks that a proposal makes a rubric of a rubric, which keeps its promises
// but those of the kinds that are there to change one, and trusts nobody else: whoever
// comes last, in the ladder or of a rule, is who came last before.
func promised(t *testing.T, rubric string, p Proposal) {
	t.Helper()
	next, err := Apply([]byte(rubric), p.Edits...)
	if err != nil {
		t.Fatal(err)
	}
	was, is := &newWorld(t, rubric).q.Skill.Rubric, &newWorld(t, string(next)).q.Skill.Rubric
	if loosened := Loosened(was, is); len(loosened) > 0 && !slices.Contains([]Kind{Latency, Audit, Budget}, p.Kind) {
		t.Errorf("%s loosens %q", p.Kind, loosened)
	}
	last := func(c []skill.Candidate) string {
		if len(c) == 0 {
			return ""
		}
		return c[len(c)-1].Model
	}
	if last(was.Candidates) != last(is.Candidates) {
		t.Errorf("%s is trusted now, and was not", last(is.Candidates))
	}
	for i, rule := range is.Rules {
		if i < len(was.Rules) && last(rule.Candidates) != last(was.Rules[i].Candidates) || i == len(was.Rules) && last(rule.Candidates) != last(was.Candidates) {
			t.Errorf("%s is trusted by rule %d now, and was not", last(rule.Candidates), i+1)
		}
	}
}

func TestWhoHadAWarrantMayComeBackUnlessItIsTooFar(t *testing.T) {
	w := newWorld(t, plainRubric)
	w.q.Board = evidence.NewBoard()
	for _, zone := range []starling.Zone{starling.Office, starling.Cloud} {
		m := starling.Model{Provider: "up", Name: zone.String(), Zone: zone}
		w.q.Others = append(w.q.Others, Rung{Name: m.Name, Model: m, Unit: m.Name})
		w.q.Board.Fold(evidence.Note{Warrant: &evidence.Warrant{ID: "war_" + m.Name, Time: w.began, Expires: w.began.Add(90 * 24 * time.Hour), Skill: "test", Rubric: "before", Candidate: m.Name, Pass: 0.9, Confidence: 0.95, Asked: 60, Covered: 60, Passed: 60, Bound: 0.95}})
	}
	w.q.Furthest = starling.Office
	if a := w.advice(); kinds(a) != "candidate office" {
		t.Errorf("proposed %q", kinds(a))
	}
}

func TestSimulatedEvidenceSpeaksOfSimulatedModelsAlone(t *testing.T) {
	for _, c := range []struct {
		name        string
		models, one bool // are simulated; one outcome is not
		want        string
		simulated   bool
	}{
		{"all of it", true, false, "below-bar small", true},
		{"a model is real", false, false, "", false},
		{"an outcome is real", true, true, "", false},
	} {
		w := newWorld(t, plainRubric)
		for i := range w.q.Rungs {
			w.q.Rungs[i].Model.Simulated = c.models
		}
		many(84, 40, func(is bool) { w.outcome("small", evidence.FromCase, is).Simulated = true })
		w.outcomes[0].Simulated = !c.one
		if a := w.advice(); kinds(a) != c.want || a.Simulated != c.simulated {
			t.Errorf("%s: proposed %q, simulated %v", c.name, kinds(a), a.Simulated)
		}
	}
}

func TestASilenceSaysHowMuchItWouldTake(t *testing.T) {
	w := newWorld(t, plainRubric)
	many(14, 12, func(is bool) { w.outcome("small", evidence.FromCase, is) })
	many(60, 60, func(bool) { w.request("small") })
	notes := strings.Join(w.advice().Notes, "\n")
	for _, want := range []string{"n = 14 graded answers are not enough to say anything about small: at least 1", "n = 0 graded answers are not enough to say anything about open", "n = 60 answers of others than the reference, in 59m0s, are not enough", "verifier label rejected none of 60 answers: at 95 % at most 4.9 % of all", "never matters here"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no %q in\n%s", want, notes)
		}
	}
}

func TestWhatLoosensAPromiseIsNamed(t *testing.T) {
	from := newWorld(t, plainRubric).q.Skill.Rubric
	for want, change := range map[string]func(*skill.Rubric){
		"class":   func(r *skill.Rubric) { r.Class = "public" },
		"budget":  func(r *skill.Rubric) { r.Budget.Request = 0 },
		"bar":     func(r *skill.Rubric) { r.Bar.Pass = 0.8 },
		"latency": func(r *skill.Rubric) { r.Latency *= 2 },
		"audit":   func(r *skill.Rubric) { r.Audit = 0.01 },
		"verify":  func(r *skill.Rubric) { r.Verify = nil },
		"":        func(r *skill.Rubric) { r.Audit, r.Latency, r.Bar.Unproven, r.Budget.Day = 1, 1, skill.Climb, 1 },
	} {
		to := from
		change(&to)
		if got := strings.Join(Loosened(&from, &to), ", "); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// even is a world in which nothing is wrong, and only just: candidates pass as often as
// the bar wants, on n cases and n audits, and in 4n requests they are accepted as often
// as is stated and as it takes to pay.
func even(t testing.TB, random *rand.Rand, n int) *world {
	// An acceptance of open saves 0.01, and a try costs 0.002; one of small saves 0.2
	// times 0.002 and 0.8 times 0.012, and a try costs 0.001.
	const small, open = 0.1, 0.2
	w := newWorld(t, strings.Replace(plainRubric, "0.8", fmt.Sprint(open), 1)+"order: listed\n")
	w.q.Compared = false // what is arithmetic is shown by none
	is := func(p float64) bool { return random.Float64() < p }
	for range n {
		for _, name := range []string{"small", "open"} {
			o := w.outcome(name, evidence.FromCase, is(0.9))
			w.q.Sizes[o.Digest] = 100 + random.IntN(10_000)
			w.outcome(name, evidence.FromAudit, is(0.9))
		}
	}
	for range 4 * n {
		switch {
		case is(small):
			w.request("small")
		case is(open):
			w.request("small", "open")
		default:
			w.request("small", "open", "premium")
		}
	}
	return w
}

func TestWhereNothingIsWrongSomethingIsProposedAsRarelyAsPromised(t *testing.T) {
	if testing.Short() {
		t.Skip("it is a simulation")
	}
	const runs = 250
	random := rand.New(rand.NewPCG(6, 1))
	wrong := 0
	for range runs {
		if a := even(t, random, 40).advice(); len(a.Proposals) > 0 {
			wrong++
		}
	}
	t.Logf("%d of %d runs proposed something", wrong, runs)
	if least := evidence.LowerBound(wrong, runs, 0.999); least > 0.05 {
		t.Errorf("%d of %d runs proposed something: that is more than one in twenty", wrong, runs)
	}
}

func TestWhatIsWrongIsFoundFourTimesInFive(t *testing.T) {
	if testing.Short() {
		t.Skip("it is a simulation")
	}
	const runs = 200
	random := rand.New(rand.NewPCG(6, 2))
	probe := newWorld(t, plainRubric+"order: listed\n").advice()
	n := needed(0.9, 1-(1-probe.Level)/2, fall)
	t.Logf("a candidate ten points below the bar takes n = %d at %.4g", n, probe.Level)
	found := 0
	for range runs {
		w := newWorld(t, plainRubric+"order: listed\n")
		for range n {
			w.outcome("small", evidence.FromCase, random.Float64() < 0.8)
		}
		if kinds(w.advice()) == "below-bar small" {
			found++
		}
	}
	t.Logf("it was found in %d of %d runs", found, runs)
	if found < often*runs {
		t.Errorf("found in %d of %d runs", found, runs)
	}
}

func TestWhatIsNeededFindsWhatItSays(t *testing.T) {
	for _, c := range []struct{ share, confidence, drop float64 }{{0.9, 0.95, 0.1}, {0.95, 0.95, 0.1}, {0.95, 0.996, 0.1}, {0.99, 0.99, 0.05}, {1, 0.95, 0.1}, {0.05, 0.95, 0.1}} {
		n := needed(c.share, c.confidence, c.drop)
		drop := min(c.drop, c.share/2)
		if got := finds(n, c.share, c.confidence); got > drop {
			t.Errorf("%v: %d answers find a drop of %.3f", c, n, got)
		}
		if n > 1 && finds(n/2, c.share, c.confidence) <= drop {
			t.Errorf("%v: half of %d are enough", c, n)
		}
	}
	if n := needed(0, 0.95, 0.1); n != evidence.Never {
		t.Errorf("of no bar %d answers show something", n)
	}
}
