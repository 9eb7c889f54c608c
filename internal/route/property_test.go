package route_test

import (
	"bytes"
	"cmp"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"starling"
	"starling/internal/route"
	"starling/internal/skill"
)

var (
	zones    = rapid.SampledFrom([]starling.Zone{starling.Nowhere, starling.Machine, starling.Office, starling.Tenant, starling.Cloud})
	dialects = rapid.SampledFrom([]starling.Dialect{starling.OpenAI, starling.Anthropic})
	rate     = rapid.OneOf(rapid.Just(starling.Rate(0)), rapid.Map(rapid.Int64Range(1, 2_000_000), func(n int64) starling.Rate { return starling.Rate(n) }), rapid.Map(rapid.Int64Range(1, 1e12), func(n int64) starling.Rate { return starling.Rate(n) }))
	size     = rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, 500), rapid.Int64Range(1, 2_000_000))
)

func drawRates(t *rapid.T) starling.Rates {
	return starling.Rates{Input: rate.Draw(t, "in"), Output: rate.Draw(t, "out"), CacheRead: rate.Draw(t, "read"), CacheWrite: rate.Draw(t, "write"), CacheWrite1h: rate.Draw(t, "write1h")}
}

func drawPrice(t *rapid.T) starling.Price {
	switch rapid.IntRange(0, 5).Draw(t, "kind of price") {
	case 0:
		return starling.Price{Free: true}
	case 1:
		return starling.Price{Milliwatts: rapid.Int64Range(1, 1e7).Draw(t, "mW"), PerKWh: starling.Money(rapid.Int64Range(1, 1e10).Draw(t, "kWh"))}
	case 2:
		return starling.Price{}
	}
	p := starling.Price{Rates: drawRates(t)}
	if rapid.Bool().Draw(t, "tiered") {
		p.Tiers = []starling.Tier{{Above: rapid.Int64Range(1, 2000).Draw(t, "above"), Rates: drawRates(t)}}
	}
	return p
}

func drawModel(provider string) func(*rapid.T) starling.Model {
	return func(t *rapid.T) starling.Model {
		return starling.Model{
			Provider: provider, Name: "m", Dialect: dialects.Draw(t, "dialect"), Zone: zones.Draw(t, "zone"), Price: drawPrice(t),
			Context: size.Draw(t, "context"), MaxOutput: size.Draw(t, "max output"),
			NoTools: rapid.Bool().Draw(t, "no tools"), NoImages: rapid.Bool().Draw(t, "no images"), Hedged: rapid.Bool().Draw(t, "hedged"),
		}
	}
}

func drawRequest(t *rapid.T) *starling.Request {
	body := bytes.Repeat([]byte("x"), rapid.IntRange(2, 3000).Draw(t, "bytes"))
	if rapid.Bool().Draw(t, "cache marks") {
		body = append(body, "cache_control"...)
	}
	return &starling.Request{
		Dialect: dialects.Draw(t, "caller's dialect"), Body: body,
		Model:     rapid.SampledFrom([]string{"starling/test", "a/m", "m", "nobody"}).Draw(t, "model"),
		MaxTokens: size.Draw(t, "max_tokens"), Choices: rapid.Int64Range(1, 128).Draw(t, "n"),
		Tools: rapid.IntRange(0, 2).Draw(t, "tools"), Images: rapid.IntRange(0, 2).Draw(t, "images"),
		Documents: rapid.IntRange(0, 1).Draw(t, "documents"),
	}
}

// drawUsage is what an upstream may count for a request: no more input than the
// body's bytes and what comes on top allow, no more output than was allowed, and
// cache writes only where they can be asked for.
func drawUsage(t *rapid.T, req *starling.Request, m starling.Model) starling.Usage {
	upTo := func(most int64, label string) int64 { return rapid.Int64Range(0, max(0, most)).Draw(t, label) }
	left := int64(len(req.Body)) + int64(req.Images)*50_000 // whatever is stated of its window
	if req.Documents > 0 {
		left += m.Context
	}
	var u starling.Usage
	parts := []*int64{&u.Input, &u.CacheRead}
	if m.Dialect != starling.Anthropic || req.Dialect == starling.Anthropic && bytes.Contains(req.Body, []byte("cache_control")) {
		parts = append(parts, &u.CacheWrite, &u.CacheWrite1h)
	}
	for _, p := range parts {
		*p = upTo(left, "part of the input")
		left -= *p
	}
	each := cmp.Or(req.MaxTokens, m.MaxOutput, m.Context) // whatever is stated, the caller's own word holds
	u.Output = upTo(each*req.Choices, "output")
	return u
}

func TestNoPlanBreaksTheLaws(t *testing.T) {
	plain := must(skill.LoadAll(fstest.MapFS{
		"test/SKILL.md":    {Data: []byte("---\nname: test\ndescription: A skill for tests.\n---\n\n# Test\n")},
		"test/rubric.yaml": {Data: []byte("version: 1\ncandidates: [a/m, b/m, c/m, gone]\n")},
	}))
	rapid.Check(t, func(t *rapid.T) {
		models := []starling.Model{rapid.Custom(drawModel("a")).Draw(t, "a"), rapid.Custom(drawModel("b")).Draw(t, "b"), rapid.Custom(drawModel("c")).Draw(t, "c")}
		r := &route.Router{Directory: must(route.NewDirectory(models, nil)), Skills: plain}
		req := drawRequest(t)
		s, err := r.Skill(req)
		if err != nil {
			t.Fatal(err)
		}
		if s != nil {
			limited := *s
			limited.Rubric.Budget.Request = starling.Money(rapid.Int64Range(0, 1e9).Draw(t, "limit"))
			s = &limited
		}
		furthest := zones.Draw(t, "furthest")
		p, err := r.Plan(req, starling.Screen{Class: "some", Furthest: furthest}, s)

		for _, c := range p.Candidates {
			if c.Model.Zone > furthest || c.Model.Zone == starling.Nowhere {
				t.Errorf("%s runs in %s, the data may go to %s", c.Model.ID(), c.Model.Zone, furthest)
			}
			if p.Limit > 0 && c.Worst > p.Limit {
				t.Errorf("%s may cost %s of %s", c.Model.ID(), c.Worst, p.Limit)
			}
			u := drawUsage(t, req, c.Model)
			_, cost := c.Model.Price.Cost(u, time.Duration(rapid.Int64Range(0, int64(10*time.Minute)).Draw(t, "took")))
			if c.Model.Hedged {
				cost = cost.Plus(cost)
			}
			if cost > c.Worst {
				t.Errorf("%+v costs %d, reserved were %d", u, cost, c.Worst)
			}
		}
		lawfulEnd(t, p, err)
	})
}

// lawfulEnd: somebody may answer, or an error says why not, of a kind that was
// really met.
func lawfulEnd(t *rapid.T, p starling.Plan, err error) {
	if (err == nil) != (len(p.Candidates) > 0) {
		t.Errorf("%d candidates with error %v", len(p.Candidates), err)
	}
	if err == nil {
		return
	}
	if len(p.Left) == 0 && starling.KindOf(err) == starling.NotFound {
		return // the name itself is unknown
	}
	for _, l := range p.Left {
		if l.Kind == starling.KindOf(err) {
			return
		}
	}
	t.Errorf("%v, but left out are %v", err, p.Left)
}
