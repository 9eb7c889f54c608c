package route_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/route"
	"starling/internal/skill"
	"starling/skills"
)

// pasts are the shipped skills with their cases, and outcomes where a candidate is
// accepted and right with a probability that accept says.
func pasts(tb testing.TB, accept func(s *skill.Skill, m starling.Model, input string) float64) (*route.Router, []route.Past) {
	tb.Helper()
	set := must(skill.LoadAll(skills.Packs))
	r := &route.Router{Skills: set, Board: evidence.NewBoard(), Verifiers: map[string][]starling.Verifier{}}
	var models []starling.Model
	for i, name := range []string{"small", "open", "premium"} {
		m := at("p", name)
		m.Price = starling.Price{Rates: starling.Rates{Input: starling.Rate(i*i*5+1) * 1e8, Output: 1e9}}
		models = append(models, m)
	}
	r.Directory = must(route.NewDirectory(models, map[string]string{"small": "p/small", "open": "p/open", "premium": "p/premium"}))
	random := rand.New(rand.NewPCG(1, 2))
	var all []route.Past
	for _, name := range set.Names() {
		s, _ := set.Find(name)
		r.Verifiers[name] = []starling.Verifier{accepting{"label"}}
		p := route.Past{Skill: s}
		for c, err := range skill.Cases(skills.Packs, name) {
			if err != nil {
				tb.Fatal(err)
			}
			p.Cases = append(p.Cases, c)
			for i, m := range models {
				ok := random.Float64() < accept(s, m, c.Input)
				o := &evidence.Outcome{
					Time: time.Unix(1, 0), Skill: name, Rubric: s.Hash, Candidate: s.Unit(m), Model: m.ID(), Case: c.ID, Source: evidence.FromCase,
					Rejected: !ok, Cost: starling.Money(1000 * (i*i*5 + 1)),
				}
				if ok {
					o.Grade = 1
				}
				p.Outcomes = append(p.Outcomes, o)
				r.Board.Fold(evidence.Note{Outcome: o})
			}
		}
		all = append(all, p)
	}
	return r, all
}

func TestWhatIsStudiedOrdersWhereItPays(t *testing.T) {
	accept := func(s *skill.Skill, m starling.Model, _ string) float64 {
		switch {
		case m.Name == "premium":
			return 0.99
		case m.Name == "open":
			return 0.95
		case s.Name == "kb-answer":
			return 0.02 // small never pays there
		}
		return 0.9
	}
	r, past := pasts(t, accept)
	began := time.Now()
	found := must(r.Study(past))
	t.Logf("studied %d skills in %s", len(past), time.Since(began))
	r.Insight = &route.Insight{}
	r.Insight.Take(found)
	for _, name := range r.Skills.Names() {
		f, ok := found.Of(name)
		t.Logf("%-20s on %t, reads %t, %q: %+v", name, f.Guard.On, f.Reads, f.Guard.Why, f.Guard.Scores)
		if !ok || !f.Guard.On {
			t.Errorf("%s: routing is off: %s", name, f.Guard.Why)
			continue
		}
		req := asking("starling/" + name)
		s, _ := r.Skills.Find(name)
		p := must(r.Plan(req, starling.Screen{Furthest: starling.Cloud}, s))
		if first := p.Candidates[0].Model.Name; (first == "open") != (name == "kb-answer") {
			t.Errorf("%s begins with %s: %s", name, first, p.Rule)
		}
	}
}

func TestAForecastIsAskedWherePromptsTell(t *testing.T) {
	odd := func(input string) bool { return len(input)%2 == 1 }
	r, past := pasts(t, func(s *skill.Skill, m starling.Model, input string) float64 {
		if m.Name == "small" && s.Name == "support-intent" && odd(input) {
			return 0.02
		}
		return 0.99
	})
	past = past[4:]
	for i := range past[1].Cases { // and the odd ones can be told
		if c := &past[1].Cases[i]; odd(c.Input) {
			c.Input = "Verily, I say unto thee: " + c.Input + " Wherefore dost thou tarry?"
		}
	}
	long := func(input string) bool { return strings.HasPrefix(input, "Verily") }
	found := must(r.Study(past))
	f, _ := found.Of("support-intent")
	if !f.Reads {
		t.Fatalf("prompts do not tell: %+v", f)
	}
	r.Insight = &route.Insight{}
	r.Insight.Take(found)
	s, _ := r.Skills.Find("support-intent")
	odds := map[bool]float64{}
	counts := map[bool]float64{}
	for _, c := range past[1].Cases {
		input := c.Input
		req := asking("starling/support-intent")
		req.Body = fmt.Appendf(nil, `{"messages":[{"role":"user","content":%q}]}`, input)
		p := must(r.Plan(req, starling.Screen{Furthest: starling.Cloud}, s))
		for _, k := range p.Candidates {
			if k.Model.Name == "small" {
				if k.Basis != "forecast from this prompt" {
					t.Fatalf("%q", k.Basis)
				}
				odds[long(input)] += k.Probability
				counts[long(input)]++
			}
		}
	}
	if hard, easy := odds[true]/counts[true], odds[false]/counts[false]; hard > easy-0.3 {
		t.Errorf("what is hard is taken to be accepted at %v, what is easy at %v", hard, easy)
	}
}

func TestTheGuardTurnsRoutingOffWhereSomethingSimplerIsAsGood(t *testing.T) {
	try := func(accepted, passed bool, cost starling.Money) route.Try {
		return route.Try{Accepted: accepted, Passed: passed, Cost: cost}
	}
	field := func(n int, tries func(i int) []route.Try) route.Field {
		f := route.Field{Names: []string{"small", "large"}, Reference: 1}
		for i := range n {
			f.Trials = append(f.Trials, route.Trial{Case: fmt.Sprint(i), Length: i, Tries: tries(i)})
		}
		return f
	}
	sound := func(i int) []route.Try { return []route.Try{try(i%10 > 0, i%10 > 0, 10), try(true, true, 100)} }
	for _, c := range []struct {
		name  string
		field route.Field
		why   string
	}{
		{"a sound verifier and a cheap candidate", field(80, sound), ""},
		{"too few cases", field(39, sound), "39 cases are known of all its candidates, and it takes 40"},
		{"what is accepted and wrong", func() route.Field {
			f := field(80, func(i int) []route.Try { return []route.Try{try(true, true, 100), try(true, i%2 > 0, 10)} })
			f.Reference = 0
			return f
		}(), "it answered worse than the rubric's order on 80 held-out cases"},
		{"length tells all, and the verifier nothing that is cheap", field(80, func(i int) []route.Try {
			return []route.Try{try(i < 40, i < 40, 80), try(true, true, 100)}
		}), "it did not beat prompt length on 80 held-out cases"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := route.Judge(c.field)
			if g.Why != c.why || g.On != (c.why == "") {
				t.Errorf("%t, %q: %+v", g.On, g.Why, g.Scores)
			}
		})
	}
}

func TestARecogniserNamesASkillOrSaysThatItDoesNotKnow(t *testing.T) {
	r, past := pasts(t, func(*skill.Skill, starling.Model, string) float64 { return 1 })
	began := time.Now()
	known := must(route.LearnSkills(context.Background(), past))
	t.Logf("learned in %s: from %.3f on, of %d messages %d were named, %d of them rightly", time.Since(began), known.Threshold, known.Tested, known.Answered, known.Right)
	if known.Threshold > 1 || evidence.LowerBound(known.Right, known.Answered, 0.95) < 0.95 {
		t.Errorf("%d of %d named, %d rightly", known.Answered, known.Tested, known.Right)
	}
	again := must(route.LearnSkills(context.Background(), past))
	if again.Threshold != known.Threshold || again.Right != known.Right {
		t.Error("the same cases taught something else")
	}
	wrong, named := 0, 0
	for _, message := range []string{
		"My parcel should have come on Monday, where is it?", "How do I cook rice?", "Prove that there are infinitely many primes.",
		"I want my money back for the shoes that I returned last week.", "Write a function that reverses a linked list.",
	} {
		name, sure := known.Name(message)
		t.Logf("%q: %q, %.2f", message, name, sure)
		if name != "" {
			named++
			if name != "support-intent" || !strings.Contains(message, " my ") && !strings.HasPrefix(message, "My") {
				wrong++
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d are named wrongly", wrong, named)
	}

	auto := asking("starling/auto")
	auto.Body = []byte(`{"messages":[{"role":"user","content":"I want my money back for the shoes that I returned last week."}]}`)
	r.Insight = &route.Insight{}
	if s, _, err := r.Identify(auto); s != nil || err != nil || !r.Insight.Wanted() {
		t.Errorf("before anything was learned: %v, %v", s, err)
	}
	r.Insight.TakeRecogniser(known)
	if s, how, err := r.Identify(auto); err != nil || s != nil != strings.HasPrefix(how, "skill recognised (") {
		t.Errorf("%v, %q, %v", s, how, err)
	}
	intent, _ := r.Skills.Find("support-intent")
	auto.Body = fmt.Appendf(nil, `{"messages":[{"role":"system","content":%q},{"role":"user","content":"?"}]}`, strings.Join(strings.Fields(intent.Rubric.Prompt), "\n "))
	if s, how, err := r.Identify(auto); s != intent || how != "skill from its system prompt" || err != nil {
		t.Errorf("%v, %q, %v", s, how, err)
	}
	auto.Skill = "kb-answer"
	if s, how, _ := r.Identify(auto); s == nil || s.Name != "kb-answer" || how != "" {
		t.Errorf("the caller's own word: %v, %q", s, how)
	}
}

func TestWhatNoSkillIsKnownForIsForTheDefault(t *testing.T) {
	r := router(ladder)
	r.Default = "small"
	req := asking("starling/auto")
	p := must(plan(r, req, starling.Cloud))
	if ids(p) != "here/near" || p.Pinned || !strings.HasPrefix(p.Rule, "the configuration's default") || p.Skill != "" {
		t.Errorf("%s, %+v", ids(p), p)
	}
	r.Default = "cloud/limited"
	if p, err := plan(r, req, starling.Office); starling.KindOf(err) != starling.Forbidden {
		t.Errorf("it went too far: %s, %v", ids(p), err)
	}
}
