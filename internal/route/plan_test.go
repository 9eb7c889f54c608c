package route_test

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"starling"
	"starling/internal/route"
	"starling/internal/skill"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// accepting is a verifier that nobody asks: a plan names verifiers only.
type accepting struct{ name string }

func (v accepting) Name() string { return v.name }

func (v accepting) Verify(context.Context, *starling.Request, *starling.Answer) (starling.Verdict, error) {
	return starling.Verdict{Verifier: v.name, Accept: true}, nil
}

// A fleet is one model for each thing that can be the matter with a model.
func fleet() []starling.Model {
	change := func(m starling.Model, with func(*starling.Model)) starling.Model { with(&m); return m }
	limited := change(at("cloud", "limited"), func(m *starling.Model) { m.MaxOutput, m.Context = 1000, 100_000 })
	named := func(name string, with func(*starling.Model)) starling.Model {
		return change(limited, func(m *starling.Model) { m.Name = name; with(m) })
	}
	return []starling.Model{
		limited,
		named("unpriced", func(m *starling.Model) { m.Price = starling.Price{} }),
		named("free", func(m *starling.Model) { m.Price = starling.Price{Free: true}; m.MaxOutput, m.Context = 0, 0 }),
		named("boundless", func(m *starling.Model) { m.MaxOutput, m.Context = 0, 0 }),
		named("toolless", func(m *starling.Model) { m.NoTools = true }),
		named("blind", func(m *starling.Model) { m.NoImages = true }),
		named("narrow", func(m *starling.Model) { m.Context = 10 }),
		named("near", func(m *starling.Model) { m.Provider, m.Zone = "here", starling.Machine }),
		named("office", func(m *starling.Model) { m.Provider, m.Zone = "there", starling.Office }),
		named("lost", func(m *starling.Model) { m.Zone = starling.Nowhere }),
		named("electric", func(m *starling.Model) {
			m.Price = starling.Price{Milliwatts: 45_000, PerKWh: starling.Dollar / 3}
			m.MaxOutput, m.Context = 0, 0
		}),
		named("hedged", func(m *starling.Model) { m.Hedged = true }),
	}
}

// router has the fleet and one skill, "test", whose rubric goes on as given.
func router(rubric string) *route.Router {
	set := must(skill.LoadAll(fstest.MapFS{
		"test/SKILL.md":    {Data: []byte("---\nname: test\ndescription: A skill for tests.\n---\n\n# Test\n")},
		"test/rubric.yaml": {Data: []byte("version: 1\n" + rubric)},
	}))
	aliases := map[string]string{"small": "here/near", "also-small": "near"}
	return &route.Router{Directory: must(route.NewDirectory(fleet(), aliases)), Skills: set}
}

const ladder = "candidates: [small, there/office, cloud/limited]\n"

// asking is a request of a thousand bytes.
func asking(model string) *starling.Request {
	return &starling.Request{Model: model, Choices: 1, MaxTokens: 100, Body: []byte(strings.Repeat("x", 1000)), Dialect: starling.OpenAI}
}

// plan screens nothing: the furthest zone is given.
func plan(r *route.Router, req *starling.Request, furthest starling.Zone) (starling.Plan, error) {
	s, err := r.Skill(req)
	if err != nil {
		return starling.Plan{}, err
	}
	return r.Plan(req, starling.Screen{Class: "some", Furthest: furthest}, s)
}

func ids(p starling.Plan) string {
	var out []string
	for _, c := range p.Candidates {
		out = append(out, c.Model.ID())
	}
	return strings.Join(out, " ")
}

func left(p starling.Plan) string {
	var out []string
	for _, l := range p.Left {
		out = append(out, l.Model+" "+string(l.Kind))
	}
	return strings.Join(out, ", ")
}

func TestWhoMayTryAndWhoMayNot(t *testing.T) {
	with := func(model string, change func(*starling.Request)) *starling.Request {
		req := asking(model)
		change(req)
		return req
	}
	for _, c := range []struct {
		name     string
		rubric   string
		req      *starling.Request
		furthest starling.Zone
		who      string
		left     string
		kind     starling.Kind
	}{
		{"a model that is named answers alone", ladder, asking("cloud/limited"), starling.Cloud, "cloud/limited", "", ""},
		{"a skill's candidates try in order", ladder, asking("starling/test"), starling.Cloud, "here/near there/office cloud/limited", "", ""},
		{"auto is the skill of the header", ladder, with("starling/auto", func(r *starling.Request) { r.Skill = "test" }), starling.Cloud, "here/near there/office cloud/limited", "", ""},
		{"auto is else the skill of the key", ladder, with("starling/auto", func(r *starling.Request) { r.Caller.Skill = "test" }), starling.Cloud, "here/near there/office cloud/limited", "", ""},
		{"auto without a skill is not understood", ladder, asking("starling/auto"), starling.Cloud, "", "", starling.Invalid},
		{"the prefix alone names nothing", ladder, asking("starling/"), starling.Cloud, "", "", starling.Invalid},
		{"an unknown skill is not found", ladder, asking("starling/tset"), starling.Cloud, "", "", starling.NotFound},
		{"nor is one that a header names beside a pin", ladder, with("cloud/limited", func(r *starling.Request) { r.Skill = "other" }), starling.Cloud, "", "", starling.NotFound},
		{"two skills in a request are one too many", ladder, with("starling/test", func(r *starling.Request) { r.Skill = "other" }), starling.Cloud, "", "", starling.Invalid},
		{"the same one twice is one", ladder, with("starling/test", func(r *starling.Request) { r.Skill = "test" }), starling.Cloud, "here/near there/office cloud/limited", "", ""},
		{"that of the key gives way", ladder, with("starling/test", func(r *starling.Request) { r.Caller.Skill = "other" }), starling.Cloud, "here/near there/office cloud/limited", "", ""},
		{"an unknown model is not found", ladder, asking("nobody"), starling.Cloud, "", "", starling.NotFound},
		{"what is too far is left out", ladder, asking("starling/test"), starling.Office, "here/near there/office", "cloud/limited forbidden", ""},
		{"nobody near enough is forbidden", "candidates: [there/office, cloud/limited]\n", asking("starling/test"), starling.Machine, "", "there/office forbidden, cloud/limited forbidden", starling.Forbidden},
		{"a pin goes no further either", ladder, asking("cloud/limited"), starling.Tenant, "", "cloud/limited forbidden", starling.Forbidden},
		{"a model in no zone receives nothing", ladder, asking("cloud/lost"), starling.Cloud, "", "cloud/lost forbidden", starling.Forbidden},
		{"an unknown price is not free", ladder, asking("cloud/unpriced"), starling.Cloud, "", "cloud/unpriced invalid", starling.Invalid},
		{"a declared free one needs no bound", ladder, with("cloud/free", func(r *starling.Request) { r.MaxTokens = 0 }), starling.Cloud, "cloud/free", "", ""},
		{"nor does one that is paid by time", ladder, with("cloud/electric", func(r *starling.Request) { r.MaxTokens = 0 }), starling.Cloud, "cloud/electric", "", ""},
		{"what nothing bounds cannot be reserved", ladder, with("cloud/boundless", func(r *starling.Request) { r.MaxTokens = 0 }), starling.Cloud, "", "cloud/boundless invalid", starling.Invalid},
		{"max_tokens bounds it", ladder, asking("cloud/boundless"), starling.Cloud, "cloud/boundless", "", ""},
		{"tools need a model that calls them", ladder, with("cloud/toolless", func(r *starling.Request) { r.Tools = 1 }), starling.Cloud, "", "cloud/toolless invalid", starling.Invalid},
		{"without tools it will do", ladder, asking("cloud/toolless"), starling.Cloud, "cloud/toolless", "", ""},
		{"images need a model that reads them", ladder, with("cloud/blind", func(r *starling.Request) { r.Images = 1 }), starling.Cloud, "", "cloud/blind invalid", starling.Invalid},
		{"without images it will do", ladder, asking("cloud/blind"), starling.Cloud, "cloud/blind", "", ""},
		{"a document needs a window to be bounded by", ladder, with("cloud/boundless", func(r *starling.Request) { r.Documents = 1 }), starling.Cloud, "", "cloud/boundless invalid", starling.Invalid},
		{"a dearer service has no known price", ladder, with("cloud/limited", func(r *starling.Request) { r.Tier = "service_tier priority" }), starling.Cloud, "", "cloud/limited invalid", starling.Invalid},
		{"one that is paid by time serves at no other price", ladder, with("cloud/electric", func(r *starling.Request) { r.Tier = "service_tier priority" }), starling.Cloud, "cloud/electric", "", ""},
		{"of several choices only one would be verified", ladder + "verify: [{kind: label, values: [a]}]\n", with("starling/test", func(r *starling.Request) { r.Choices = 2 }), starling.Cloud, "", "here/near invalid, there/office invalid, cloud/limited invalid", starling.Invalid},
		{"unverified they may be several", "candidates: [{model: small, skip_verify: true}, there/office]\nverify: [{kind: label, values: [a]}]\n", with("starling/test", func(r *starling.Request) { r.Choices = 2 }), starling.Cloud, "here/near", "there/office invalid", ""},
		{"what surely does not fit a window is too large", ladder, asking("cloud/narrow"), starling.Cloud, "", "cloud/narrow too_large", starling.TooLarge},
		{"a request budget leaves out who may cost more", ladder + "budget: {request: $0.001}\n", asking("starling/test"), starling.Cloud, "", "here/near over_budget, there/office over_budget, cloud/limited over_budget", starling.OverBudget},
		{"a skill beside a pin limits its cost too", ladder + "budget: {request: $0.001}\n", with("cloud/limited", func(r *starling.Request) { r.Skill = "test" }), starling.Cloud, "", "cloud/limited over_budget", starling.OverBudget},
		{"two names of one model try once", "candidates: [small, also-small]\n", asking("starling/test"), starling.Cloud, "here/near", "here/near invalid", ""},
		{"a candidate that nobody offers is left out", "candidates: [gone, small]\n", asking("starling/test"), starling.Cloud, "here/near", "gone not_found", ""},
		{"only such candidates are not found", "candidates: [gone]\n", asking("starling/test"), starling.Cloud, "", "gone not_found", starling.NotFound},
		{"a rule changes who tries", ladder + "rules: [{when: request.max_tokens > 50, candidates: [cloud/limited], why: long}]\n", asking("starling/test"), starling.Cloud, "cloud/limited", "", ""},
		{"a rule refuses", ladder + "rules: [{when: class == \"some\", refuse: true, why: not here}]\n", asking("starling/test"), starling.Cloud, "", "", starling.Forbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := router(c.rubric)
			if strings.Contains(c.rubric, "verify:") {
				r.Verifiers = map[string][]starling.Verifier{"test": {accepting{"label"}}}
			}
			p, err := plan(r, c.req, c.furthest)
			if ids(p) != c.who || left(p) != c.left || starling.KindOf(err) != c.kind {
				t.Errorf("%q try, %q are left out, %v; want %q, %q, %q", ids(p), left(p), err, c.who, c.left, c.kind)
			}
			if e, ok := err.(*starling.Error); err != nil && (!ok || e.Hint == "") {
				t.Errorf("%v says nothing about what to do", err)
			}
			for _, l := range p.Left {
				if l.Why == "" {
					t.Errorf("nobody says why %s is left out", l.Model)
				}
			}
		})
	}
}

func TestAPlanSaysWhatDecidedIt(t *testing.T) {
	r := router(ladder + "reference: cloud/limited\nlatency: 2s\nbudget: {request: $5}\nverify: [{kind: label, values: [a]}]\n" +
		"rules: [{when: request.stream, candidates: [{model: small, skip_verify: true, probability: 0.5}, cloud/limited], why: streams}]\n")
	r.Verifiers = map[string][]starling.Verifier{"test": {accepting{"label"}, accepting{"schema"}}}
	streaming := asking("starling/test")
	streaming.Stream = true
	pinned := asking("small")
	pinned.Skill = "test"

	type says struct {
		Rule     string
		Pinned   bool
		Patience time.Duration
		Verify   []string
		Odds     float64
		Why      string
	}
	for _, c := range []struct {
		name string
		req  *starling.Request
		want []says
	}{
		{"the rubric's order", asking("starling/test"), []says{
			{"order of the rubric", false, 2 * time.Second, []string{"label", "schema"}, 0.9, "candidate 1, verified by label, schema"},
			{"order of the rubric", false, 2 * time.Second, []string{"label", "schema"}, 0.9, "candidate 2, verified by label, schema"},
			{"order of the rubric", false, 2 * time.Second, []string{"label", "schema"}, 0.9, "candidate 3, verified by label, schema"},
		}},
		{"a rule, and a candidate that is not verified", streaming, []says{
			{"rule: streams", false, 2 * time.Second, nil, 0.5, "candidate 1, unverified"},
			{"rule: streams", false, 2 * time.Second, []string{"label", "schema"}, 0.9, "candidate 2, verified by label, schema"},
		}},
		{"a pin, which is neither verified nor hurried", pinned, []says{{"pinned by the caller", true, 0, nil, 1, "pinned by the caller"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := must(plan(r, c.req, starling.Cloud))
			var got []says
			for _, k := range p.Candidates {
				got = append(got, says{p.Rule, p.Pinned, p.Patience, k.Verify, k.Probability, k.Why})
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if p.Skill != "test" || p.Rubric == "" || p.Limit != 5*starling.Dollar || p.Reference == nil || p.Reference.ID() != "cloud/limited" {
				t.Errorf("the skill is not named in %+v", p)
			}
		})
	}
}

// The body is 1000 bytes, so at most 1064 tokens; a dollar for a million of
// input and five for a million of output.
func TestWhatIsReservedIsTheMostThatACallCanCost(t *testing.T) {
	const input = 1064
	for _, c := range []struct {
		name  string
		model string
		with  func(*starling.Request)
		want  starling.Money
	}{
		{"input by bytes, output by max_tokens", "cloud/limited", func(*starling.Request) {}, input*1000 + 100*5000},
		{"the model's own limit is there without max_tokens", "cloud/limited", func(r *starling.Request) { r.MaxTokens = 0 }, input*1000 + 1000*5000},
		{"it does not hold against a larger one, which is sent", "cloud/limited", func(r *starling.Request) { r.MaxTokens = 2000 }, input*1000 + 2000*5000},
		{"every choice is paid", "cloud/limited", func(r *starling.Request) { r.Choices = 7 }, input*1000 + 7*100*5000},
		{"tools bring a preamble", "cloud/limited", func(r *starling.Request) { r.Tools = 3 }, (input+2048)*1000 + 100*5000},
		{"images are not bounded by their bytes", "cloud/limited", func(r *starling.Request) { r.Images = 1 }, (input+50_000)*1000 + 100*5000},
		{"nor does its window, which may have grown", "cloud/narrow", func(r *starling.Request) { r.Images = 5; r.Opaque = 900 }, (input-900+5*50_000)*1000 + 100*5000},
		{"the base64 of an image is no text", "cloud/limited", func(r *starling.Request) { r.Images = 1; r.Opaque = 900 }, (input-900+50_000)*1000 + 100*5000},
		{"a document is bounded by the window alone", "cloud/limited", func(r *starling.Request) { r.Documents = 1 }, (input+100_000)*1000 + 100*5000},
		{"what the vendor's tools cost is bounded by nothing", "cloud/limited", func(r *starling.Request) { r.Tools, r.Hosted = 1, 1 }, math.MaxInt64},
		{"unless it is free", "cloud/free", func(r *starling.Request) { r.Tools, r.Hosted = 1, 1 }, 0},
		{"a hedge buys twice", "cloud/hedged", func(*starling.Request) {}, 2 * (input*1000 + 100*5000)},
		{"free is nothing", "cloud/free", func(*starling.Request) {}, 0},
		{"electricity is paid for ten minutes", "cloud/electric", func(*starling.Request) {}, starling.Dollar / 3 * 45 / 1000 / 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := asking(c.model)
			c.with(req)
			p := must(plan(router(ladder), req, starling.Cloud))
			if got := p.Candidates[0].Worst; got < c.want || got > c.want.Plus(4) { // the bound allows two for each call's lines
				t.Errorf("reserves %s, want %s", got, c.want)
			}
			if k := p.Candidates[0]; k.Expected > k.Worst {
				t.Errorf("expects %s, more than the worst, %s", k.Expected, k.Worst)
			}
		})
	}
}

var hinted = regexp.MustCompile(`max_tokens of at most (\d+) would fit`)

func TestTheMaxTokensThatAHintNamesFits(t *testing.T) {
	for _, c := range []struct {
		name   string
		limit  string
		model  string
		change func(*starling.Request)
		hint   bool
	}{
		{"too long an answer", "$0.004", "cloud/limited", func(r *starling.Request) { r.MaxTokens = 900 }, true},
		{"an answer without a limit", "$0.004", "cloud/limited", func(r *starling.Request) { r.MaxTokens = 0 }, true},
		{"several choices", "$0.02", "cloud/limited", func(r *starling.Request) { r.MaxTokens, r.Choices = 900, 7 }, true},
		{"a hedged model", "$0.01", "cloud/hedged", func(r *starling.Request) { r.MaxTokens = 900 }, true},
		{"a limit that no sum overflows", "$9999999", "cloud/boundless", func(r *starling.Request) { r.MaxTokens, r.Choices = 1<<31-1, 1<<20 }, true},
		{"too long a question", "$0.001", "cloud/limited", func(*starling.Request) {}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := router("candidates: [" + c.model + "]\nbudget: {request: " + c.limit + "}\n")
			req := asking("starling/test")
			c.change(req)
			_, err := plan(r, req, starling.Cloud)
			if starling.KindOf(err) != starling.OverBudget || !strings.Contains(err.Error(), "may cost $") || !strings.Contains(err.Error(), "allows $") {
				t.Fatalf("got %v, want both amounts", err)
			}
			m := hinted.FindStringSubmatch(err.Error())
			if (m != nil) != c.hint {
				t.Fatalf("%v: hint %t, want %t", err, m != nil, c.hint)
			}
			if m == nil {
				return
			}
			req.MaxTokens = must(strconv.ParseInt(m[1], 10, 64))
			req.Body = append(req.Body, fmt.Sprintf(`,"max_tokens":%d`, req.MaxTokens)...)
			if _, err := plan(r, req, starling.Cloud); err != nil {
				t.Errorf("the caller did as told: %v", err)
			}
		})
	}
}
