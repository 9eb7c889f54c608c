package route_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"starling"
	"starling/internal/evidence"
	"starling/internal/route"
)

// record has a candidate of the skill "test" accepted so often.
func record(b *evidence.Board, r *route.Router, model string, accepted, tried int) {
	s, _ := r.Skills.Find("test")
	m, _ := r.Directory.Find(model)
	for i := range tried {
		b.Fold(evidence.Note{Outcome: &evidence.Outcome{
			Skill: "test", Rubric: s.Hash, Candidate: s.Unit(m), Model: m.ID(), Case: "mac", Source: evidence.FromVerifier, Rejected: i >= accepted,
		}})
	}
}

// guarded says of the skill "test" what the guard is to have found.
func guarded(r *route.Router, g route.Guard) {
	s, _ := r.Skills.Find("test")
	r.Insight = &route.Insight{}
	r.Insight.Take(route.FindingsOf(map[string]route.Finding{"test": {Rubric: s.Hash, Guard: g}}))
}

// priced has the models a, b, c and d of a provider "p", at these dollars for a
// million tokens of input, in a ladder with a verifier.
func priced(rubric string, dollars ...int64) *route.Router {
	r := router("candidates: [p/a, p/b, p/c, p/d]\nverify: [{kind: label, values: [a]}]\n" + rubric)
	r.Verifiers = map[string][]starling.Verifier{"test": {accepting{"label"}}}
	var models []starling.Model
	for i, d := range dollars {
		m := at("p", string(rune('a'+i)))
		m.Price = starling.Price{Rates: starling.Rates{Input: starling.Rate(d) * 1e9}}
		models = append(models, m)
	}
	r.Directory = must(route.NewDirectory(models, nil))
	r.Board = evidence.NewBoard()
	return r
}

func TestTheOrderIsTheOneThatCostsLeastOnceEvidenceShowsIt(t *testing.T) {
	on := route.Guard{On: true}
	for _, c := range []struct {
		name     string
		rubric   string
		guard    route.Guard
		accepted []int // of forty tries
		who      string
		rule     string
	}{
		{"the cheapest for an acceptance is first", "", on, []int{4, 36, 38, 40}, "p/b p/a p/c p/d", "expected cost, from evidence: $"},
		{"what is listed rightly stays", "", on, []int{36, 38, 39, 40}, "p/a p/b p/c p/d", "order of the rubric"},
		{"what does not pay stands behind the last", "", on, []int{38, 0, 39, 40}, "p/a p/c p/d p/b", "expected cost, from evidence: $"},
		{"a rubric may forbid it", "order: listed\n", on, []int{4, 36, 38, 40}, "p/a p/b p/c p/d", "order of the rubric"},
		{"the guard may, and says why", "", route.Guard{Why: "it did not beat the cheapest on 84 held-out cases"}, []int{4, 36, 38, 40}, "p/a p/b p/c p/d",
			"order of the rubric (routing is off here: it did not beat the cheapest on 84 held-out cases)"},
		{"without evidence of one of them it stays", "", on, []int{4, 36, -1, 40}, "p/a p/b p/c p/d", "order of the rubric"},
		{"of the last none is needed", "", on, []int{4, 36, 38, -1}, "p/b p/a p/c p/d", "expected cost, from evidence: $"},
		{"a rule's candidates are ordered too", "rules: [{when: request.max_tokens > 50, candidates: [p/a, p/b, p/d], why: long}]\n", on, []int{4, 36, 38, 40}, "p/b p/a p/d", "rule: long; expected cost, from evidence: $"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := priced(c.rubric, 1, 2, 5, 10)
			for i, n := range c.accepted {
				if n >= 0 {
					record(r.Board, r, "p/"+string(rune('a'+i)), n, 40)
				}
			}
			guarded(r, c.guard)
			p := must(plan(r, asking("starling/test"), starling.Cloud))
			if ids(p) != c.who || !strings.HasPrefix(p.Rule, c.rule) || c.rule[len(c.rule)-1] != '$' && p.Rule != c.rule {
				t.Errorf("%s, %q; want %s, %q", ids(p), p.Rule, c.who, c.rule)
			}
			for i, k := range p.Candidates {
				if !strings.HasPrefix(k.Why, fmt.Sprintf("candidate %d, verified by label", i+1)) {
					t.Errorf("%s is %q", k.Model.ID(), k.Why)
				}
				behind := i > 0 && p.Candidates[i-1].Model.Name == "d"
				if strings.Contains(k.Why, "does not pay before p/d") != behind {
					t.Errorf("%s is %q", k.Model.ID(), k.Why)
				}
			}
		})
	}
}

func TestAProbabilitySaysWhatItRestsOn(t *testing.T) {
	const stated = "candidates: [{model: small, probability: 0.5}, there/office, cloud/limited]\nverify: [{kind: label, values: [a]}]\n"
	elsewhere := func(b *evidence.Board, accepted, tried int) {
		for i := range tried {
			b.Fold(evidence.Note{Outcome: &evidence.Outcome{Skill: "other", Candidate: "x", Model: "here/near", Case: "mac", Source: evidence.FromVerifier, Rejected: i >= accepted}})
		}
	}
	for _, c := range []struct {
		name  string
		with  func(*route.Router)
		odds  float64
		basis string
	}{
		{"what is stated holds while nothing is measured", func(*route.Router) {}, 0.5, "stated in the rubric"},
		{"the record in other skills moves it", func(r *route.Router) { elsewhere(r.Board, 90, 90) }, (5 + 90) / 100., "90 of 90 accepted in other skills"},
		{"its own moves it further", func(r *route.Router) { record(r.Board, r, "small", 212, 240) }, (5 + 212) / 250., "212 of 240 accepted"},
		{"both", func(r *route.Router) { elsewhere(r.Board, 90, 90); record(r.Board, r, "small", 0, 10) }, 9.5 / 20, "0 of 10 accepted"},
		{"of one that answers unseen nothing is asked", func(r *route.Router) { r.Verifiers = nil; record(r.Board, r, "small", 5, 10) }, 0.5, "stated in the rubric"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := router(stated)
			r.Verifiers = map[string][]starling.Verifier{"test": {accepting{"label"}}}
			r.Board = evidence.NewBoard()
			c.with(r)
			k := must(plan(r, asking("starling/test"), starling.Cloud)).Candidates[0]
			if d := k.Probability - c.odds; d > 1e-9 || d < -1e-9 || k.Basis != c.basis {
				t.Errorf("%v, %q; want %v, %q", k.Probability, k.Basis, c.odds, c.basis)
			}
		})
	}
}

func TestAThresholdIsClearedAsOftenAsItsWarrantSays(t *testing.T) {
	r := router(ladder + "bar: {pass: 0.9, confidence: 0.95}\n")
	r.Board = board(r, "small", func(w *evidence.Warrant) { w.Threshold = 0.8 })
	k := must(plan(r, asking("starling/test"), starling.Cloud)).Candidates[0]
	if want := (9 + 90) / 110.; k.Probability != want || k.Basis != "90 of 100 covered by its warrant" {
		t.Errorf("%v, %q; want %v", k.Probability, k.Basis, want)
	}
}

// ladderCost is what a ladder costs in expectation, by the definition.
func ladderCost(all []starling.Candidate) float64 {
	sum, reach := 0.0, 1.0
	for _, k := range all {
		sum += reach * float64(k.Expected)
		reach *= 1 - k.Probability
	}
	return sum
}

// TestNoOrderCostsLessThanTheChosenOne: not the rubric's, not any single candidate
// followed by the last and the others, and the chosen one has exactly those who may
// answer.
func TestNoOrderCostsLessThanTheChosenOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var dollars []int64
		for i := range 4 {
			dollars = append(dollars, rapid.Int64Range(1, 50).Draw(t, fmt.Sprint("price of ", i)))
		}
		r := priced("", dollars...)
		for _, m := range r.Directory.Models() {
			tried := rapid.IntRange(20, 60).Draw(t, "tries of "+m.Name)
			record(r.Board, r, m.ID(), rapid.IntRange(0, tried).Draw(t, "accepted of "+m.Name), tried)
		}
		guarded(r, route.Guard{On: true})
		furthest := zones.Draw(t, "furthest")
		p, err := plan(r, asking("starling/test"), furthest)
		listed := *r
		listed.Insight = nil
		q, listedErr := plan(&listed, asking("starling/test"), furthest)
		if err != nil || listedErr != nil {
			if starling.KindOf(err) != starling.KindOf(listedErr) {
				t.Fatal(err, listedErr)
			}
			return
		}
		least := ladderCost(p.Candidates)
		if d := float64(p.Expected) - least; d > 1 || d < -1 {
			t.Errorf("says %d, comes to %v", p.Expected, least)
		}
		best := func(order []starling.Candidate) {
			if cost := ladderCost(order); cost < least-1e-6*least {
				t.Errorf("%s costs %v, less than the %v of %s", ids(starling.Plan{Candidates: order}), cost, least, ids(p))
			}
		}
		best(q.Candidates)
		last := len(q.Candidates) - 1
		for i := range q.Candidates {
			order := []starling.Candidate{q.Candidates[i]}
			if i != last {
				order = append(order, q.Candidates[last])
			}
			for j, k := range q.Candidates {
				if j != i && j != last {
					order = append(order, k)
				}
			}
			best(order)
		}
		a, b := strings.Fields(ids(p)), strings.Fields(ids(q))
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) || left(p) != left(q) {
			t.Errorf("%v may answer instead of %v", a, b)
		}
	})
}

// TestASessionExtendsNobodysReach: whatever a conversation remembers, the same may
// answer as without it, and a pin is a pin.
func TestASessionExtendsNobodysReach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		models := []starling.Model{rapid.Custom(drawModel("p")).Draw(t, "a"), rapid.Custom(drawModel("p")).Draw(t, "b"), rapid.Custom(drawModel("p")).Draw(t, "c")}
		for i := range models {
			models[i].Name = string(rune('a' + i))
		}
		r := priced(rapid.SampledFrom([]string{"", "order: listed\n", "bar: {pass: 0.9, confidence: 0.95, unproven: climb}\n"}).Draw(t, "rubric"))
		r.Directory = must(route.NewDirectory(models, nil))
		req := talking(rapid.IntRange(1, 9).Draw(t, "turn"))
		req.Tools, req.Model = rapid.IntRange(0, 1).Draw(t, "tools"), rapid.SampledFrom([]string{"starling/test", "p/a"}).Draw(t, "model")
		furthest := zones.Draw(t, "furthest")
		alone, errAlone := plan(r, req, furthest)

		r.Sessions = route.NewSessions()
		for range rapid.IntRange(0, 3).Draw(t, "turns before") {
			p, _ := plan(r, req, starling.Cloud)
			ex := &starling.Exchange{Request: *req, Plan: p}
			who := rapid.SampledFrom(models).Draw(t, "who was asked")
			ex.Attempts = []starling.Attempt{{Model: who.ID(), Usage: starling.Usage{Input: 3000, CacheRead: rapid.Int64Range(0, 9000).Draw(t, "read"), Output: 20}}}
			r.Sessions.Remember(ex)
		}
		p, err := plan(r, req, furthest)
		if fmt.Sprint(err) != fmt.Sprint(errAlone) || left(p) != left(alone) || p.Pinned != alone.Pinned {
			t.Fatalf("%v, %s left out; without a session %v, %s", err, left(p), errAlone, left(alone))
		}
		a, b := strings.Fields(ids(p)), strings.Fields(ids(alone))
		if strings.Contains(p.Rule, "session") && r.Skills.Names() != nil && strings.HasPrefix(req.Model, "p/") {
			t.Errorf("a pin is changed: %s", p.Rule)
		}
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%v may answer instead of %v", a, b)
		}
	})
}

// talking is the nth turn of a conversation of some length.
func talking(turn int) *starling.Request {
	var b strings.Builder
	fmt.Fprintf(&b, `{"messages":[{"role":"system","content":%q},{"role":"user","content":"go on"}`, strings.Repeat("many words ", 1000))
	for i := 1; i < turn; i++ {
		fmt.Fprintf(&b, `,{"role":"assistant","content":%q},{"role":"user","content":"and then?"}`, strings.Repeat("an answer ", 40))
	}
	b.WriteString("]}")
	return &starling.Request{Model: "starling/test", Choices: 1, MaxTokens: 100, Body: []byte(b.String()), Dialect: starling.OpenAI, Tools: 1}
}

func TestAConversationStaysWhereItsPromptIsCached(t *testing.T) {
	cheap, cached := at("p", "a"), at("p", "b")
	cheap.Price = starling.Price{Rates: starling.Rates{Input: 1e9, Output: 1e9}}
	cached.Price = starling.Price{Rates: starling.Rates{Input: 3e9, Output: 3e9, CacheRead: 3e8}}
	r := router("candidates: [p/a, p/b]\n")
	r.Directory = must(route.NewDirectory([]starling.Model{cheap, cached}, nil))
	r.Sessions = route.NewSessions()
	asked := func(turn int, model string, u starling.Usage) {
		req := talking(turn)
		p := must(plan(r, req, starling.Cloud))
		r.Sessions.Remember(&starling.Exchange{Request: *req, Plan: p, Attempts: []starling.Attempt{{Model: model, Usage: u}}})
	}

	if p := must(plan(r, asking("starling/test"), starling.Cloud)); ids(p) != "p/a p/b" || p.Session.ID != "" {
		t.Errorf("a short question: %s, %q", ids(p), p.Rule)
	}
	if p := must(plan(r, talking(1), starling.Cloud)); ids(p) != "p/b p/a" || !strings.HasPrefix(p.Rule, "p/b first: with its prompt cache it is cheapest for a conversation of some 11 more turns") {
		t.Errorf("an agent begins: %s, %q", ids(p), p.Rule)
	}
	alone := talking(1)
	alone.Tools = 0
	if p := must(plan(r, alone, starling.Cloud)); ids(p) != "p/a p/b" {
		t.Errorf("a long question: %s, %q", ids(p), p.Rule)
	}

	asked(1, "p/b", starling.Usage{Input: 2800, Output: 40})
	p := must(plan(r, talking(2), starling.Cloud))
	if ids(p) != "p/b p/a" || !strings.HasPrefix(p.Rule, "kept in its session with p/b: switching would lose $0.0075") {
		t.Errorf("it goes on: %s, %q", ids(p), p.Rule)
	}
	if other := talking(2); true {
		other.Caller.Key = "key_other"
		if q := must(plan(r, other, starling.Cloud)); q.Session.ID == p.Session.ID || strings.Contains(q.Rule, "kept") {
			t.Errorf("another caller is in the same session: %q", q.Rule)
		}
	}
	asked(2, "p/b", starling.Usage{Input: 2950, Output: 40}) // nothing was read from the cache that should have been
	if p := must(plan(r, talking(3), starling.Cloud)); ids(p) != "p/a p/b" {
		t.Errorf("a cache that does not remember: %s, %q", ids(p), p.Rule)
	}
}

func TestACheaperOneIsNotPutFirstByACacheAlone(t *testing.T) {
	dear, cheap := at("p", "a"), at("p", "b")
	dear.Price = starling.Price{Rates: starling.Rates{Input: 9e9, Output: 1e9}}
	cheap.Price = starling.Price{Rates: starling.Rates{Input: 1e9, Output: 1e9, CacheRead: 1e8}}
	r := router("candidates: [p/a, p/b]\n")
	r.Directory = must(route.NewDirectory([]starling.Model{dear, cheap}, nil))
	r.Sessions = route.NewSessions()
	if p := must(plan(r, talking(3), starling.Cloud)); ids(p) != "p/a p/b" {
		t.Errorf("nothing shows that it is good enough: %s, %q", ids(p), p.Rule)
	}
}

func TestWhatACacheHasForgottenIsNotCountedOn(t *testing.T) {
	r := router("candidates: [p/a, p/b]\n")
	cheap, cached := at("p", "a"), at("p", "b")
	cheap.Price = starling.Price{Rates: starling.Rates{Input: 1e9, Output: 1e9}}
	cached.Price = starling.Price{Rates: starling.Rates{Input: 3e9, Output: 3e9, CacheRead: 3e8}}
	r.Directory = must(route.NewDirectory([]starling.Model{cheap, cached}, nil))
	inABubble(t, func() {
		r.Sessions = route.NewSessions()
		for turn := 1; turn <= 2; turn++ {
			req := talking(turn)
			p := must(plan(r, req, starling.Cloud))
			r.Sessions.Remember(&starling.Exchange{Request: *req, Plan: p, Attempts: []starling.Attempt{{Model: "p/b", Usage: starling.Usage{Input: 3000, Output: 40}}}})
			time.Sleep(20 * time.Minute)
		}
		if p := must(plan(r, talking(3), starling.Cloud)); ids(p) != "p/a p/b" {
			t.Errorf("%s, %q", ids(p), p.Rule)
		}
	})
}

func inABubble(t *testing.T, f func()) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { f() })
}
