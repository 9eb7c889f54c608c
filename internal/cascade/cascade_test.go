package cascade_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"starling"
	"starling/internal/cascade"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/privacy"
	"starling/internal/route"
	"starling/internal/skill"
	"starling/internal/verify"
	"starling/internal/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

// says is what a test's candidate does when it is asked.
type says struct {
	text  string
	err   error // after the text
	usage starling.Usage
	wait  time.Duration // before the text
	pause time.Duration // after it
	idle  bool          // a sign of life comes before all that
	bug   bool          // it panics
	near  bool          // while it waits the question has not left
	sure  float64       // its confidence
}

var (
	overloaded = &starling.Error{Kind: starling.Overloaded, Op: "upstream is busy"}
	cut        = &starling.Error{Kind: starling.Overloaded, Op: "upstream died", Billed: true}
	tokens     = starling.Usage{Input: 10, Output: 2}
)

// A fake is a provider of one model. It is no upstream: what upstreams do is
// tested over HTTP in provider and serve.
type fake struct {
	name  string
	zone  starling.Zone
	says  says
	calls *[]string

	drained bool
}

func (f fake) model() starling.Model {
	return starling.Model{Provider: f.name, Name: "m", Dialect: starling.OpenAI, Zone: f.zone, MaxOutput: 100, Drained: f.drained, Price: starling.Price{Rates: starling.Rates{Input: 1e9, Output: 1e9}}}
}

func (f fake) Models() []starling.Model { return []starling.Model{f.model()} }

func (f fake) Generate(ctx context.Context, c starling.Call) iter.Seq2[starling.Event, error] {
	return func(yield func(starling.Event, error) bool) {
		*f.calls = append(*f.calls, f.name)
		if f.says.bug {
			panic("a bug")
		}
		if f.zone > c.Furthest {
			yield(starling.Event{}, &starling.Error{Kind: starling.Forbidden, Op: "guard"})
			return
		}
		if f.says.idle && !yield(starling.Event{Raw: []byte(": alive\n\n"), Idle: true}, nil) {
			return
		}
		if f.says.wait > 0 {
			select {
			case <-time.After(f.says.wait):
			case <-ctx.Done():
				yield(starling.Event{}, &starling.Error{Kind: starling.Cancelled, Op: "generate", Err: ctx.Err(), Billed: !f.says.near})
				return
			}
		}
		if f.says.text != "" {
			raw := fmt.Sprintf("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":null}]}\n\n", f.says.text)
			if !yield(starling.Event{Raw: []byte(raw), Bytes: len(f.says.text), Deltas: []starling.Delta{{Kind: starling.TextPart, Text: f.says.text}}}, nil) {
				return
			}
		}
		if f.says.pause > 0 {
			select {
			case <-time.After(f.says.pause):
			case <-ctx.Done():
				yield(starling.Event{}, &starling.Error{Kind: starling.Cancelled, Op: "generate", Err: ctx.Err(), Billed: true})
				return
			}
		}
		if f.says.err != nil {
			yield(starling.Event{}, f.says.err)
			return
		}
		u := f.says.usage
		yield(starling.Event{Raw: []byte("data: [DONE]\n\n"), Finish: starling.Stopped, Usage: &u, Confidence: f.says.sure}, nil)
	}
}

// A caller is a [cascade.Reply] that writes down what it is shown.
type caller struct {
	started  int
	idle     int // signs of life
	seen     strings.Builder
	raw      strings.Builder
	failed   error
	finished int
	fails    error // of Event
}

func (c *caller) Start(*starling.Exchange, io.Writer) { c.started++ }

func (c *caller) Event(ev starling.Event) error {
	if ev.Idle {
		c.idle++
	}
	c.raw.Write(ev.Raw)
	for _, d := range ev.Deltas {
		c.seen.WriteString(d.Text)
	}
	return c.fails
}

func (c *caller) Finish(ex *starling.Exchange) { c.finished++; c.failed = ex.Err }

// newCascade wires candidates into a skill "test" with the given rubric lines.
func newCascade(t testing.TB, rubric string, candidates []fake, budgets ...ledger.Budget) *cascade.Cascade {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	books := must(ledger.Open(context.Background(), ledger.Options{Dir: t.TempDir(), Log: log, Budgets: budgets}))
	t.Cleanup(func() {
		if err := books.Close(); err != nil {
			t.Error(err)
		}
	})
	var ids []string
	var models []starling.Model
	providers := map[string]starling.Provider{}
	for _, f := range candidates {
		ids = append(ids, f.model().ID())
		models = append(models, f.model())
		providers[f.name] = f
	}
	set := must(skill.LoadAll(fstest.MapFS{
		"test/SKILL.md":    {Data: []byte("---\nname: test\ndescription: A skill for tests.\n---\n\n# Test\n")},
		"test/rubric.yaml": {Data: []byte("version: 1\ncandidates: [" + strings.Join(ids, ", ") + "]\n" + rubric)},
	}))
	s, _ := set.Find("test")
	return &cascade.Cascade{
		Policy:    &privacy.Policy{},
		Router:    &route.Router{Directory: must(route.NewDirectory(models, nil)), Skills: set, Verifiers: map[string][]starling.Verifier{"test": must(verify.ForSkill(s))}},
		Providers: providers, Ledger: books, Log: log,
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func question(class starling.Class) starling.Request {
	r := must(wire.Parse(starling.OpenAI, []byte(`{"model":"starling/test","stream":true,"max_tokens":50,"messages":[{"role":"user","content":"?"}]}`)))
	r.Class = class
	return r
}

const wantsGood = "verify:\n  - kind: label\n    values: [good, fine]\n"

func TestTheContractOfTheCascade(t *testing.T) {
	for _, c := range []struct {
		name     string
		rubric   string
		says     []says
		seen     string
		calls    int
		outcomes string
		kind     starling.Kind
	}{
		{"the first candidate answers unseen", "", []says{{text: "cheap", usage: tokens}, {text: "dear", usage: tokens}}, "cheap", 1, "answered", ""},
		{"a rejected answer is never seen", wantsGood, []says{{text: "bad", usage: tokens}, {text: "good", usage: tokens}}, "good", 2, "rejected answered", ""},
		{"an accepted one stops the climb", wantsGood, []says{{text: "fine", usage: tokens}, {text: "good", usage: tokens}}, "fine", 1, "answered", ""},
		{"a broken one is held back and passed over", wantsGood, []says{{text: "go", err: cut}, {text: "good", usage: tokens}}, "good", 2, "failed answered", ""},
		{"one that fails before a byte is replaced", "", []says{{err: overloaded}, {text: "dear", usage: tokens}}, "dear", 2, "failed answered", ""},
		{"nobody answers after a piece was sent", "", []says{{text: "half", err: cut}, {text: "dear", usage: tokens}}, "half", 1, "broken", starling.Overloaded},
		{"nobody good enough is a refusal", wantsGood, []says{{text: "bad", usage: tokens}, {text: "worse", usage: tokens}}, "", 2, "rejected rejected", starling.Refused},
		{"an empty answer is rejected", wantsGood, []says{{usage: tokens}, {text: "good", usage: tokens}}, "good", 2, "rejected answered", ""},
		{"a sign of life is no answer yet", "", []says{{idle: true, err: overloaded}, {text: "dear", usage: tokens}}, "dear", 2, "failed answered", ""},
		{"what the skill allows a request holds for the whole ladder", "budget: {request: $0.00023}\n" + wantsGood, []says{{text: "bad", usage: tokens}, {text: "worse", usage: tokens}, {text: "good", usage: tokens}}, "", 2, "rejected rejected skipped", starling.OverBudget},
		{"all down is overloaded", "", []says{{err: overloaded}, {err: overloaded}}, "", 2, "failed failed", starling.Overloaded},
	} {
		t.Run(c.name, func(t *testing.T) {
			var calls []string
			var candidates []fake
			for i, s := range c.says {
				candidates = append(candidates, fake{name: fmt.Sprintf("p%d", i), zone: starling.Machine, says: s, calls: &calls})
			}
			cas := newCascade(t, c.rubric, candidates)
			var out caller
			ex := cas.Answer(t.Context(), question(""), &out)
			if out.seen.String() != c.seen || len(calls) != c.calls || starling.KindOf(ex.Err) != c.kind || out.finished != 1 {
				t.Errorf("saw %q after %d calls, %v, finished %d times; want %q, %d, %q", out.seen.String(), len(calls), ex.Err, out.finished, c.seen, c.calls, c.kind)
			}
			if (out.started == 1) != (c.seen != "") {
				t.Errorf("started %d times with %q seen", out.started, c.seen)
			}
			var outcomes []string
			var sum starling.Money
			for _, a := range ex.Receipt.Attempts {
				outcomes = append(outcomes, string(a.Outcome))
				sum += a.Cost
				if a.Outcome == starling.Rejected && a.Cost == 0 {
					t.Error("a rejected answer cost nothing")
				}
			}
			if got := strings.Join(outcomes, " "); got != c.outcomes || sum != ex.Receipt.Cost {
				t.Errorf("attempts %q, Σ %s, receipt %s; want %q", got, sum, ex.Receipt.Cost, c.outcomes)
			}
		})
	}
}

// TestAWarrantWithAThresholdCoversWhatTheCandidateIsSureOf: the rest climbs, and
// nobody sees it, though no verifier says anything against it.
func TestAWarrantWithAThresholdCoversWhatTheCandidateIsSureOf(t *testing.T) {
	for _, c := range []struct {
		sure          float64
		seen, outcome string
	}{
		{0.93, "cheap", "answered"},
		{0.8, "cheap", "answered"},
		{0.79, "dear", "rejected answered"},
		{0, "dear", "rejected answered"}, // it does not say
	} {
		var calls []string
		cas := newCascade(t, "bar: {pass: 0.9, confidence: 0.95}\n", []fake{
			{name: "p0", zone: starling.Machine, says: says{text: "cheap", usage: tokens, sure: c.sure}, calls: &calls},
			{name: "p1", zone: starling.Machine, says: says{text: "dear", usage: tokens}, calls: &calls},
		})
		s, _ := cas.Router.Skills.Find("test")
		m, _ := cas.Router.Directory.Find("p0/m")
		now := time.Now()
		cas.Router.Board = evidence.NewBoard()
		cas.Router.Board.Fold(evidence.Note{Warrant: &evidence.Warrant{
			ID: "war_1", Time: now, Expires: now.Add(time.Hour), Skill: "test", Rubric: s.Hash, Candidate: s.Unit(m),
			Pass: 0.9, Confidence: 0.95, Threshold: 0.8, Asked: 90, Covered: 80, Passed: 80,
		}})
		var out caller
		ex := cas.Answer(t.Context(), question(""), &out)
		var outcomes []string
		for _, a := range ex.Receipt.Attempts {
			outcomes = append(outcomes, string(a.Outcome))
		}
		first := ex.Receipt.Attempts[0]
		if out.seen.String() != c.seen || strings.Join(outcomes, " ") != c.outcome || first.Confidence != c.sure || first.Verdicts[0].Verifier != "confidence" {
			t.Errorf("at %v: saw %q of %v, with the verdicts %+v", c.sure, out.seen.String(), outcomes, first.Verdicts)
		}
		if k := ex.Receipt.Plan.Candidates[0]; k.Warrant != "war_1" || k.Threshold != 0.8 {
			t.Errorf("the receipt does not say what covers it: %+v", k)
		}
	}
}

func TestACandidateThatIsTooSlowIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []string
		cas := newCascade(t, "latency: 2s\n", []fake{
			{name: "slow", zone: starling.Machine, says: says{text: "late", wait: time.Hour, usage: tokens}, calls: &calls},
			{name: "fast", zone: starling.Machine, says: says{text: "here", usage: tokens}, calls: &calls},
		})
		var out caller
		ex := cas.Answer(t.Context(), question(""), &out)
		if out.seen.String() != "here" || ex.Receipt.Attempts[0].Took != 2*time.Second {
			t.Errorf("saw %q; the first try took %s, want 2s", out.seen.String(), ex.Receipt.Attempts[0].Took)
		}
		if ex.Receipt.Attempts[0].Cost == 0 || !ex.Receipt.Attempts[0].Usage.Estimated {
			t.Errorf("what the slow one may charge is not booked: %+v", ex.Receipt.Attempts[0])
		}
	})
}

// TestAnAnswerThatBeginsAsItsTimeEndsIsWholeOrReplaced: who is cut off was not seen.
func TestAnAnswerThatBeginsAsItsTimeEndsIsWholeOrReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []string
		cas := newCascade(t, "latency: 2s\n", []fake{
			{name: "slow", zone: starling.Machine, says: says{text: "just", wait: 2 * time.Second, pause: time.Second, usage: tokens}, calls: &calls},
			{name: "fast", zone: starling.Machine, says: says{text: "here", usage: tokens}, calls: &calls},
		})
		for range 50 {
			var out caller
			ex := cas.Answer(t.Context(), question(""), &out)
			first := ex.Receipt.Attempts[0]
			if whole := out.seen.String() == "just" && first.Outcome == starling.Answered; !whole && (out.seen.String() != "here" || first.Outcome != starling.Failed || first.Cost == 0) {
				t.Fatalf("saw %q, %v; the first is %s: %s", out.seen.String(), ex.Err, first.Outcome, first.Why)
			}
		}
	})
}

func TestWhatDidNotLeaveInTimeCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []string
		cas := newCascade(t, "latency: 2s\n", []fake{
			{name: "slow", zone: starling.Machine, says: says{wait: time.Hour, near: true}, calls: &calls},
			{name: "fast", zone: starling.Machine, says: says{text: "here", usage: tokens}, calls: &calls},
		})
		ex := cas.Answer(t.Context(), question(""), &caller{})
		if first := ex.Receipt.Attempts[0]; first.Cost != 0 || first.Outcome != starling.Failed {
			t.Errorf("%+v", first)
		}
	})
}

func TestTheLastCandidateShowsThatItIsAlive(t *testing.T) {
	var calls []string
	for _, rubric := range []string{"", wantsGood} {
		cas := newCascade(t, rubric, []fake{{name: "p", zone: starling.Machine, says: says{idle: true, text: "good", usage: tokens}, calls: &calls}})
		var out caller
		ex := cas.Answer(t.Context(), question(""), &out)
		if want := map[bool]int{true: 1, false: 0}[rubric == ""]; out.idle != want || out.seen.String() != "good" {
			t.Errorf("%d signs of life and %q, %v", out.idle, out.seen.String(), ex.Err)
		}
	}
}

func TestABugAnswersNobodyAndHoldsNothing(t *testing.T) {
	var calls []string
	cas := newCascade(t, "", []fake{{name: "p", zone: starling.Machine, says: says{bug: true}, calls: &calls}}, ledger.Budget{Scope: ledger.ForAll, Limit: starling.Dollar, Per: ledger.InTotal})
	var out caller
	func() {
		defer func() {
			if recover() == nil {
				t.Error("nobody hears of the bug")
			}
		}()
		cas.Answer(t.Context(), question(""), &out)
	}()
	if starling.KindOf(out.failed) != starling.Internal || out.finished != 1 {
		t.Errorf("finished %d times with %v", out.finished, out.failed)
	}
	if s := must(cas.Ledger.Standing(t.Context())); s[0].Held != 0 {
		t.Errorf("%s is held", s[0].Held)
	}
	for r, err := range cas.Ledger.Receipts(t.Context(), ledger.Query{}) {
		if err != nil || r.Outcome != starling.Failed || r.Kind != starling.Internal || len(r.Attempts) != 1 || r.Cost == 0 {
			t.Errorf("%v: %s %s costs %s", err, r.Outcome, r.Kind, r.Cost)
		}
	}
}

func TestACountOfNothingIsNoCount(t *testing.T) {
	for name, usage := range map[string]starling.Usage{"all": {}, "the prompt": {Output: 2}, "the answer": {Input: 10}} {
		var calls []string
		cas := newCascade(t, "", []fake{{name: "p", zone: starling.Machine, says: says{text: "hello", usage: usage}, calls: &calls}})
		got := cas.Answer(t.Context(), question(""), &caller{}).Receipt.Attempts[0]
		if !got.Usage.Estimated || got.Usage.Input == 0 || got.Usage.Output == 0 || got.Cost == 0 {
			t.Errorf("%s: %+v costs %s", name, got.Usage, got.Cost)
		}
	}
}

func TestAnAnswerThatIsMadeToItsEndForNobodyIsBookedToItsEnd(t *testing.T) {
	var calls []string
	cas := newCascade(t, "", []fake{{name: "p", zone: starling.Machine, says: says{text: "hello", usage: tokens}, calls: &calls, drained: true}})
	got := cas.Answer(t.Context(), question(""), &caller{fails: errors.New("broken pipe")}).Receipt.Attempts[0]
	if got.Usage.Output != 50 || !got.Usage.Estimated {
		t.Errorf("%+v, want the 50 tokens that were allowed", got.Usage)
	}
}

func TestACallerWhoCannotBeReachedIsBooked(t *testing.T) {
	var calls []string
	cas := newCascade(t, "", []fake{{name: "p", zone: starling.Machine, says: says{text: "hello", usage: tokens}, calls: &calls}})
	out := caller{fails: errors.New("broken pipe")}
	ex := cas.Answer(t.Context(), question(""), &out)
	if ex.Receipt.Outcome != starling.Abandoned || ex.Receipt.Cost <= 0 {
		t.Errorf("outcome %s, cost %s", ex.Receipt.Outcome, ex.Receipt.Cost)
	}
}

// TestNoRandomExchangeBreaksTheLaws runs random exchanges against random
// candidates: sensitive data reaches no further zone, no budget is overspent,
// the receipts sum up to the ledger, nothing is sent after an error, and at most
// one candidate is ever seen.
func TestNoRandomExchangeBreaksTheLaws(t *testing.T) {
	const rounds, exchanges = 40, 250
	classes := []starling.Class{"", privacy.Public, privacy.Internal, privacy.Confidential, privacy.Restricted}
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 1))
		var calls []string
		var candidates []fake
		for i := range 1 + r.IntN(4) {
			candidates = append(candidates, fake{name: fmt.Sprintf("p%d", i), zone: starling.Zone(1 + r.IntN(4)), says: randomSays(r), calls: &calls})
		}
		rubric := []string{"", wantsGood, wantsGood + "  - {kind: agreement, prompt: again, model: p0/m}\n"}[r.IntN(3)]
		limit := starling.Money(r.Int64N(400_000))
		cas := newCascade(t, rubric, candidates, ledger.Budget{Scope: ledger.ForAll, Limit: limit, Per: ledger.InTotal})
		var sum starling.Money
		for range exchanges {
			calls = calls[:0]
			class := classes[r.IntN(len(classes))]
			var out caller
			ex := cas.Answer(context.Background(), question(class), &out)
			sum += ex.Receipt.Cost
			checkLaws(t, seed, ex, &out, candidates, calls)
		}
		if err := cas.Ledger.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		totals := must(cas.Ledger.Totals(context.Background(), ledger.Query{}, "all"))
		if totals[0].Cost != sum || sum > limit || totals[0].Receipts != exchanges {
			t.Fatalf("seed %d: ledger %s over %d receipts, Σ receipts %s, cap %s", seed, totals[0].Cost, totals[0].Receipts, sum, limit)
		}
		report := must(cas.Ledger.Verify(context.Background(), ledger.Audit{}))
		if !report.OK() {
			t.Fatalf("seed %d: %v", seed, report.Faults)
		}
	}
}

func randomSays(r *rand.Rand) says {
	s := says{text: []string{"", "good", "bad", strings.Repeat("long ", 2000)}[r.IntN(4)], usage: starling.Usage{Input: r.Int64N(60), Output: r.Int64N(50)}}
	s.err = []error{nil, nil, overloaded, cut}[r.IntN(4)]
	return s
}

func checkLaws(t *testing.T, seed uint64, ex *starling.Exchange, out *caller, candidates []fake, calls []string) {
	t.Helper()
	zones, texts := map[string]starling.Zone{}, map[string]string{}
	for _, f := range candidates {
		zones[f.name], texts[f.name] = f.zone, f.says.text
	}
	for _, name := range calls {
		if zones[name] > ex.Screen.Furthest {
			t.Fatalf("seed %d: class %s reached %s in zone %s", seed, ex.Screen.Class, name, zones[name])
		}
	}
	if out.started > 1 || out.finished != 1 {
		t.Fatalf("seed %d: started %d, finished %d", seed, out.started, out.finished)
	}
	if seen := out.seen.String(); seen != "" && seen != texts[ex.Response.Provider] {
		t.Fatalf("seed %d: saw %q, but %s answered", seed, seen, ex.Response.Provider)
	}
	if ex.Err == nil && ex.Receipt.Outcome != starling.Answered || ex.Err != nil && ex.Receipt.Outcome == starling.Answered {
		t.Fatalf("seed %d: outcome %s with error %v", seed, ex.Receipt.Outcome, ex.Err)
	}
}

// TestASkillThatNobodyNamedMayOnlyNarrowTheReach: where data of no label stays in
// the office, a system prompt that is a public skill's own does not open the way.
func TestASkillThatNobodyNamedMayOnlyNarrowTheReach(t *testing.T) {
	for _, c := range []struct {
		class    starling.Class // of the skill
		standard starling.Class // of what nobody labelled
		furthest starling.Zone
		from     string
	}{
		{privacy.Public, privacy.Confidential, starling.Office, "default confidential"},
		{privacy.Restricted, privacy.Confidential, starling.Machine, "skill restricted"},
		{privacy.Internal, privacy.Public, starling.Tenant, "skill internal"},
	} {
		var calls []string
		cas := newCascade(t, "prompt: Sort this.\nclass: "+string(c.class)+"\n", []fake{
			{name: "p0", zone: starling.Machine, says: says{text: "here", usage: tokens}, calls: &calls},
			{name: "p1", zone: starling.Cloud, says: says{text: "there", usage: tokens}, calls: &calls},
		})
		cas.Policy.Default = c.standard
		req := must(wire.Parse(starling.OpenAI, []byte(`{"model":"starling/auto","messages":[{"role":"system","content":" Sort\nthis. "},{"role":"user","content":"?"}]}`)))
		ex := cas.Answer(t.Context(), req, &caller{})
		if p := ex.Plan; p.Skill != "test" || p.Identified != "skill from its system prompt" || ex.Screen.Furthest != c.furthest || ex.Screen.From[0] != c.from {
			t.Errorf("%s beside %s: %+v, %q, %q", c.class, c.standard, ex.Screen, p.Skill, p.Identified)
		}
		if ex.Receipt.Plan.Identified == "" || ex.Err != nil {
			t.Errorf("the receipt says nothing of it, %v", ex.Err)
		}
	}
}
