package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"starling"
	"starling/internal/cascade"
	"starling/internal/evidence"
	"starling/internal/privacy"
	"starling/internal/route"
	"starling/internal/serve"
	"starling/internal/skill"
	"starling/internal/tokens"
	"starling/internal/verify"
	"starling/internal/wire"
)

var update = flag.Bool("update", false, "write the decisions of today into testdata/decisions.golden")

// The rubrics that are decided by.
var courts = map[string]string{
	"sort": `reference: premium
candidates: [student, tiny, open, small, premium]
bar: {pass: 0.9, confidence: 0.95}
class: public
budget: {request: $0.2}
latency: 10s
verify: [{kind: label, values: [a, b]}, {kind: pattern, max_words: 3}]
rules:
  - {when: class == "restricted" && request.tools, refuse: true, why: tools reach further than the machine}
  - {when: request.input_bytes > 12000, candidates: [{model: small, skip_verify: true}, open, premium], why: long ones are misread}
  - {when: 'request.team == "night" && (request.hour < 6 || request.hour >= 22)', candidates: [tiny, small], why: 'at night nobody pays: the machine alone'}
`,
	"draft": `reference: grand
candidates: [{model: small, probability: 0.7}, {model: open, skip_verify: true}, tenant, premium]
bar: {pass: 0.85, confidence: 0.9, valid: 240h, unproven: climb}
class: internal
verify: [{kind: pattern, must_not: ['!']}]
rules:
  - when: |
      request.stream &&
      request.max_tokens > 500
    candidates: [tenant, open]
    why: a long stream is waited for
`,
	"extract": `reference: premium
candidates: [tiny, gone, slow, open, tenant, also-open, premium]
latency: 5s
budget: {request: $0.03, day: $5}
verify: [{kind: schema, schema: {type: object}}, {kind: judge, model: premium, criteria: It is all there.}]
`,
	"match": `reference: premium
candidates: [small, open, premium]
bar: {margin: 0.05, confidence: 0.95}
order: listed
verify: [{kind: arithmetic, equations: true}]
`,
	"free": `candidates: [unpriced, {model: grand, confidence: logprob}, tenant]
class: confidential
rules: [{when: request.images > 0, candidates: [small, vectors, premium], why: pictures stay here}]
`,
}

// A court is skills with models, warrants and records to decide by.
func court(t testing.TB, rubrics map[string]string) *cascade.Cascade {
	t.Helper()
	files := fstest.MapFS{}
	for name, rubric := range rubrics {
		files[name+"/SKILL.md"] = &fstest.MapFile{Data: []byte("---\nname: " + name + "\ndescription: Decides in a test. Use it nowhere else.\n---\n")}
		files[name+"/rubric.yaml"] = &fstest.MapFile{Data: []byte("version: 1\n" + rubric)}
	}
	set, err := skill.LoadAll(files)
	if err != nil {
		t.Fatal(err)
	}
	models := bench(set.Names())
	aliases := map[string]string{"also-open": "mid/open"}
	for _, m := range models {
		if !m.Student {
			aliases[m.Name] = m.ID()
		}
	}
	directory, err := route.NewDirectory(models, aliases)
	if err != nil {
		t.Fatal(err)
	}
	r := &route.Router{Directory: directory, Skills: set, Board: evidence.NewBoard(), Verifiers: map[string][]starling.Verifier{}, Insight: &route.Insight{}}
	found := map[string]route.Finding{}
	for _, name := range set.Names() {
		s, _ := set.Find(name)
		if r.Verifiers[name], err = verify.ForSkill(s); err != nil {
			t.Fatal(err)
		}
		testify(t, r, s)
		found[name] = route.Finding{Rubric: s.Hash, Guard: route.Guard{On: name != "extract", Why: "it did not beat the cheapest"}}
	}
	r.Insight.Take(route.FindingsOf(found))
	return &cascade.Cascade{Policy: &privacy.Policy{}, Router: r}
}

// bench returns the models, and a student for each skill.
func bench(skills []string) []starling.Model {
	tokens := func(in, out, read, write int64) starling.Price {
		const cent = starling.Rate(starling.Dollar / 100)
		return starling.Price{Rates: starling.Rates{Input: starling.Rate(in) * cent, Output: starling.Rate(out) * cent, CacheRead: starling.Rate(read) * cent, CacheWrite: starling.Rate(write) * cent}}
	}
	electric := starling.Price{Milliwatts: 45_500, PerKWh: starling.Dollar * 33 / 100}
	tiered := tokens(100, 400, 0, 0)
	tiered.Tiers = []starling.Tier{{Above: 10_000, Rates: starling.Rates{Input: 2_000_000_000, Output: 6_000_000_000}}}
	models := []starling.Model{
		{Provider: "near", Name: "tiny", Zone: starling.Machine, Price: starling.Price{Free: true}, Context: 4096, NoTools: true, NoImages: true},
		{Provider: "near", Name: "small", Zone: starling.Machine, Price: electric, Context: 32_768, NoImages: true, Reads: 4000, Writes: 50},
		{Provider: "near", Name: "slow", Zone: starling.Machine, Price: electric, Context: 32_768, Reads: 150, Writes: 8, Longest: 20 * time.Minute},
		{Provider: "mid", Name: "open", Zone: starling.Office, Price: tokens(27, 110, 7, 0), Context: 131_072, MaxOutput: 8192, Simulated: true},
		{Provider: "own", Name: "tenant", Zone: starling.Tenant, Price: tiered, Context: 128_000},
		{Provider: "far", Name: "premium", Dialect: starling.Anthropic, Zone: starling.Cloud, Price: tokens(500, 2500, 50, 625), Context: 200_000, MaxOutput: 8192},
		{Provider: "far", Name: "grand", Zone: starling.Office, Price: tokens(1500, 7500, 150, 1875), Context: 20_000, MaxOutput: 4096, Hedged: true},
		{Provider: "far", Name: "unpriced", Zone: starling.Machine, Context: 4096},
		{Provider: "far", Name: "vectors", Zone: starling.Machine, Price: starling.Price{Free: true}, Takes: starling.Embeddings},
	}
	for _, name := range skills {
		models = append(models, starling.Model{Provider: starling.StudentName, Name: name, Student: true, Zone: starling.Machine, Price: starling.Price{Free: true}})
	}
	for i := range models {
		models[i].Dialect = starling.Dialect(orElse(string(models[i].Dialect), string(starling.OpenAI)))
	}
	return models
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// testify writes down what is known of the candidates of a skill.
func testify(t testing.TB, r *route.Router, s *skill.Skill) {
	t.Helper()
	warrant := func(name string, passed, of int, change func(*evidence.Warrant)) {
		m, ok := r.Directory.Find(name)
		if !ok {
			t.Fatalf("nobody is called %s", name)
		}
		w := &evidence.Warrant{
			ID: "war_" + s.Name + "_" + m.Name, Time: time.Now().Add(-time.Hour), Skill: s.Name, Rubric: s.Hash, Candidate: s.Unit(m), Model: m.ID(),
			Pass: 0.85, Confidence: 0.95, Asked: of, Covered: of, Passed: passed, Bound: 0.9, Expires: time.Now().Add(90 * 24 * time.Hour),
		}
		if change != nil {
			change(w)
		}
		r.Board.Fold(evidence.Note{Warrant: w})
	}
	cases := func(name string, passed, accepted, of int) {
		m, _ := r.Directory.Find(name)
		for i := range of {
			o := &evidence.Outcome{Skill: s.Name, Rubric: s.Hash, Candidate: s.Unit(m), Model: m.ID(), Case: fmt.Sprint(i), Source: evidence.FromCase, Rejected: i >= accepted}
			if i < passed {
				o.Grade = 1
			}
			r.Board.Fold(evidence.Note{Outcome: o})
		}
	}
	switch s.Name {
	case "sort":
		warrant("student/sort", 150, 151, func(w *evidence.Warrant) { w.Asked, w.Threshold = 200, 0.75 })
		warrant("small", 118, 120, func(w *evidence.Warrant) { w.Verified = true })
		cases("tiny", 35, 40, 60)
		cases("small", 27, 28, 40)
		cases("open", 30, 30, 30)
	case "draft":
		warrant("open", 99, 100, func(w *evidence.Warrant) { w.Expires = time.Now().Add(20 * time.Hour) })
		warrant("tenant", 60, 60, nil)
		r.Board.Fold(evidence.Note{Revocation: &evidence.Revocation{Warrant: "war_draft_tenant", Skill: s.Name, End: evidence.Dropped, Why: "of 40 answers that were audited 30 passed", Time: time.Now()}})
		cases("small", 10, 10, 12)
	case "extract":
		cases("slow", 20, 20, 20)
	case "match":
		ref, _ := r.Directory.Find("premium")
		warrant("small", 80, 82, func(w *evidence.Warrant) { w.Pass, w.Margin, w.Reference = 0, 0.05, s.Unit(ref) })
		warrant("open", 80, 82, func(w *evidence.Warrant) { w.Pass, w.Margin, w.Reference, w.Rubric = 0, 0.05, s.Unit(ref), "of old" })
	}
}

// A petition is a request to decide about.
type petition struct {
	req  starling.Request
	says string // in a line
}

// petitions draws requests of the skills.
func petitions(t testing.TB, seed uint64, n int, skills ...string) []petition {
	t.Helper()
	d := rand.New(rand.NewPCG(seed, 6))
	pick := func(of ...string) string { return of[d.IntN(len(of))] }
	var all []petition
	for range n {
		body := map[string]any{"model": route.Prefix + skills[d.IntN(len(skills))]}
		var user any = strings.Repeat("der kleine Star singt 1 Lied; ", []int{3, 20, 80, 300, 500, 1200, 2400}[d.IntN(7)])
		says := fmt.Sprintf("%-20s %6d bytes", body["model"], len(user.(string)))
		note := func(key string, value any) {
			says += fmt.Sprintf(" %s=%v", key, value)
		}
		if most := []int{0, 20, 200, 1000, 16_000}[d.IntN(5)]; most > 0 {
			body["max_tokens"] = most
			note("max", most)
		}
		if d.IntN(4) == 0 {
			body["stream"] = true
			note("stream", true)
		}
		if d.IntN(6) == 0 {
			body["tools"] = []any{map[string]any{"type": "function", "function": map[string]any{"name": "look"}}}
			note("tools", 1)
		}
		if d.IntN(8) == 0 {
			picture := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1, 2, 3}, 100))
			user = []any{map[string]any{"type": "text", "text": user}, map[string]any{"type": "image_url", "image_url": map[string]any{"url": "data:image/png;base64," + picture}}}
			note("images", 1)
		}
		if d.IntN(10) == 0 {
			body["n"] = 2
			note("n", 2)
		}
		if d.IntN(12) == 0 {
			body["response_format"] = map[string]any{"type": "json_object"}
			note("form", "json")
		}
		body["messages"] = []any{map[string]any{"role": "user", "content": user}}
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		req, err := wire.Parse(starling.OpenAI, text)
		if err != nil {
			t.Fatal(err)
		}
		if class := pick("", "", "", "", "", "", "", "public", "internal", "confidential", "restricted"); class != "" {
			req.Class = starling.Class(class)
			note("class", class)
		}
		if budget := pick("", "", "", "0.001", "0.02"); budget != "" {
			if req.Budget, err = starling.ParseMoney(budget); err != nil {
				t.Fatal(err)
			}
			note("budget", req.Budget)
		}
		if bar := []float64{0, 0, 0, 0.5, 0.93, 0.96, 0.99}[d.IntN(7)]; bar > 0 {
			req.Bar = bar
			note("bar", bar)
		}
		if team := pick("", "", "night"); team != "" {
			req.Caller.Team = team
			note("team", team)
		}
		all = append(all, petition{req, says})
	}
	return all
}

// facts are what a reader is told of a request.
func (p *petition) facts(r *route.Router) *asked {
	q := &p.req
	return &asked{
		bytes: q.TextBytes(), length: len(q.Body), maxTokens: q.MaxTokens, choices: q.Choices, images: q.Images, tools: q.Tools > 0, stream: q.Stream, shaped: q.Format != nil,
		team: q.Caller.Team, model: q.Model, hour: time.Now().UTC().Hour(), class: string(q.Class), budget: float64(q.Budget) / float64(starling.Dollar), bar: q.Bar,
		tokens: func(model string) (all, least int64) {
			m, _ := r.Directory.Find(model)
			size := (*tokens.Factors)(nil).Size(q, m)
			return size.Tokens, size.Least
		},
	}
}

// enforced has the gateway decide, as POST /v1/plan does.
func enforced(t testing.TB, c *cascade.Cascade, p *petition) decision {
	t.Helper()
	ex := c.Foresee(&p.req)
	if ex.Err != nil {
		return decision{kind: starling.KindOf(ex.Err)}
	}
	var d decision
	for _, k := range ex.Plan.Candidates {
		d.who = append(d.who, k.Model.ID())
	}
	return d
}

// printed returns what skill show prints now.
func printed(t testing.TB, c *cascade.Cascade, name string) string {
	t.Helper()
	s, _ := c.Router.Skills.Find(name)
	sheet, err := serve.SheetOf(c, s)
	if err != nil {
		t.Fatal(err)
	}
	var wire serve.SkillSheet // as a gateway tells it
	text, err := json.Marshal(sheet)
	if err == nil {
		err = json.Unmarshal(text, &wire)
	}
	var b bytes.Buffer
	if err == nil {
		err = showSkill(&b, &shown{"a test", wire})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func nameOf(p *petition) string { return strings.TrimPrefix(p.req.Model, route.Prefix) }

// TestTheTableAndTheEngineDecideAlike: a rubric has one meaning, for who reads the page
// that skill show prints, for the engine, and for who reads this golden file. The hours
// go by meanwhile: rules look at them, and a warrant ends.
func TestTheTableAndTheEngineDecideAlike(t *testing.T) {
	if testing.Short() {
		t.Skip("it prints two hundred pages, and nothing of it happens at once")
	}
	synctest.Test(t, func(t *testing.T) {
		c := court(t, courts)
		var golden strings.Builder
		seen := map[string]int{}
		for i, p := range petitions(t, 20261127, 200, "draft", "extract", "free", "match", "sort") {
			want := enforced(t, c, &p)
			text := printed(t, c, nameOf(&p))
			if got := readPage(t, text).decide(t, p.facts(c.Router)); got.String() != want.String() {
				t.Errorf("%3d %s: the page says %q, the engine %q", i+1, p.says, got, want)
			}
			fmt.Fprintf(&golden, "%3d %02d h %s\n      %s\n", i+1, time.Now().UTC().Hour(), p.says, want)
			seen[string(want.kind)]++
			time.Sleep(7 * time.Minute)
		}
		for _, kind := range []starling.Kind{"", starling.Forbidden, starling.OverBudget, starling.TooLarge, starling.Unproven, starling.Invalid} {
			if seen[string(kind)] == 0 {
				t.Errorf("no decision is %q: %v", kind, seen)
			}
		}
		keepsTo(t, filepath.Join("testdata", "decisions.golden"), golden.String())
	})
}

func keepsTo(t testing.TB, file, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(was) != text {
		t.Errorf("%s says otherwise; go test -run %s -update writes what is decided now", file, t.Name())
	}
}

// decided are the decisions about requests of the skill "sort" under a rubric.
func decided(t *testing.T, rubric string, all []petition) (by []string) {
	synctest.Test(t, func(t *testing.T) {
		c := court(t, map[string]string{"sort": rubric})
		text := printed(t, c, "sort")
		page := readPage(t, text)
		for _, p := range all {
			got, want := page.decide(t, p.facts(c.Router)), enforced(t, c, &p)
			if got.String() != want.String() {
				t.Errorf("%s: the page says %q, the engine %q", p.says, got, want)
			}
			by = append(by, got.String())
		}
		if t.Failed() {
			t.Log(text)
		}
	})
	return by
}

func TestWhatIsChangedInARubricChangesWhatItsTableDecides(t *testing.T) {
	all := petitions(t, 1, 120, "sort")
	before := decided(t, courts["sort"], all)
	for _, m := range []struct{ name, was, is string }{
		{"a stricter class", "class: public", "class: confidential"},
		{"a lower cap", "request: $0.2", "request: $0.01"},
		{"a higher bar", "pass: 0.9,", "pass: 0.97,"},
		{"whoever is unproven climbs", "confidence: 0.95}", "confidence: 0.95, unproven: climb}"},
		{"no bar at all", "bar: {pass: 0.9, confidence: 0.95}\n", ""},
		{"the order is the listed one", "class: public", "order: listed\nclass: public"},
		{"another order", "[student, tiny, open, small, premium]", "[student, tiny, premium, small, open]"},
		{"one candidate less", "open, small, premium]\nbar", "small, premium]\nbar"},
		{"one that nobody verifies", "tiny, open, small, premium]\nbar", "tiny, {model: open, skip_verify: true}, small, premium]\nbar"},
		{"nobody verifies", "verify: [{kind: label, values: [a, b]}, {kind: pattern, max_words: 3}]\n", ""},
		{"another reference", "reference: premium", "reference: open"},
		{"a shorter patience", "latency: 10s", "latency: 100ms"},
		{"another condition", "input_bytes > 12000", "input_bytes > 1000"},
		{"a rule that refuses", "candidates: [tiny, small], why: 'at night", "refuse: true, why: 'at night"},
		{"rules in another order of candidates", "skip_verify: true}, open, premium], why", "skip_verify: true}, premium, open], why"},
	} {
		t.Run(m.name, func(t *testing.T) {
			if strings.Count(courts["sort"], m.was) != 1 {
				t.Fatalf("the rubric does not say %q once", m.was)
			}
			after := decided(t, strings.Replace(courts["sort"], m.was, m.is, 1), all)
			if slices.Equal(before, after) {
				t.Error("every decision is as it was")
			}
		})
	}
}

// TestAPageThatLiesIsFoundOut: the reader believes the page, so a page that says other
// than what is enforced decides otherwise.
func TestAPageThatLiesIsFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := court(t, map[string]string{"sort": courts["sort"]})
		all, text := petitions(t, 1, 120, "sort"), printed(t, c, "sort")
		for was, is := range map[string]string{
			"premium = far/premium, zone cloud": "premium = far/premium, zone machine", "$0.20 a request": "$0.01 a request", "12000": "1200",
			"answers   no (unproven)": "answers   yes: ", "then   2 tiny, 4 small": "then   4 small, 2 tiny", "window 4096": "window 40960", "$5.00 read": "$500.00 read",
		} {
			lie := strings.Replace(text, was, is, 1)
			if lie == text {
				t.Errorf("the page does not say %q:\n%s", was, text)
				continue
			}
			p, caught := readPage(t, lie), false
			for _, k := range all {
				caught = caught || p.decide(t, k.facts(c.Router)).String() != enforced(t, c, &k).String()
			}
			if !caught {
				t.Errorf("nobody notices %q", is)
			}
		}
	})
}
