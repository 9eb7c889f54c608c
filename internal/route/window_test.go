package route_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"starling"
	"starling/internal/route"
	"starling/internal/skill"
	"starling/internal/tokens"
	"starling/internal/wire"
)

// saying is a request of about so many tokens: each of the words is one.
func saying(model string, tokens int, more string) *starling.Request {
	body := fmt.Sprintf(`{"model":%q%s,"messages":[{"role":"user","content":%q}]}`, model, more, strings.TrimSpace(strings.Repeat("hello ", tokens)))
	r := must(wire.Parse(starling.OpenAI, []byte(body)))
	return &r
}

// windows is a router of models with windows, by their zone and name.
func windows(f *tokens.Factors, models ...starling.Model) *route.Router {
	var ids []string
	for i := range models {
		models[i].Price = starling.Price{Rates: starling.Rates{Input: 1e9, Output: 1e9}, Source: "test"}
		models[i].MaxOutput, models[i].Dialect = 8192, starling.OpenAI
		ids = append(ids, models[i].ID())
	}
	set := must(skill.LoadAll(fstest.MapFS{
		"test/SKILL.md":    {Data: []byte("---\nname: test\ndescription: A skill for tests.\n---\n\n# Test\n")},
		"test/rubric.yaml": {Data: []byte("version: 1\ncandidates: [" + strings.Join(ids, ", ") + "]\n")},
	}))
	return &route.Router{Directory: must(route.NewDirectory(models, nil)), Skills: set, Factors: f}
}

func windowed(zone starling.Zone, name string, tokens int64) starling.Model {
	return starling.Model{Provider: zone.String(), Name: name, Zone: zone, Context: tokens}
}

// factorOf are factors by which a model has so many tokens for one of ours.
func factorOf(model string, factor float64) *tokens.Factors {
	f := tokens.NewFactors()
	for range 20 {
		f.Fold(&starling.Receipt{Attempts: []starling.Attempt{{Model: model, Counted: 10_000, Usage: starling.Usage{Input: int64(10_000 * factor)}}}})
	}
	return f
}

func TestAModelThatReadsTooSlowlyForASkillIsLeftOutAndItsTimeIsItsPrice(t *testing.T) {
	small, large := windowed(starling.Machine, "small", 0), windowed(starling.Cloud, "large", 0)
	r := windows(nil, small, large)
	s, _ := r.Skills.Find("test")
	s.Rubric.Latency = 2 * time.Second
	var reads float64
	r.Now = func(m starling.Model) starling.Model {
		if m.Name == "small" {
			m.Reads, m.Writes, m.Price = reads, 10, starling.Price{Milliwatts: 16_000, PerKWh: starling.Dollar, Source: "test"}
		}
		return m
	}
	req := saying("starling/test", 2000, `,"max_tokens":100`)
	ask := func() (plan starling.Plan) {
		return must(r.Plan(req, starling.Screen{Class: "public", Furthest: starling.Cloud}, s))
	}
	if plan := ask(); len(plan.Candidates) != 2 {
		t.Errorf("of unknown speed it is left out: %+v", plan.Left)
	}
	reads = 10_000
	quick := ask()
	if len(quick.Candidates) != 2 || quick.Candidates[0].Expected <= 0 {
		t.Fatalf("fast enough, it is left out: %+v", quick.Left)
	}
	if want := 16.0 * 10 / 3.6e6; math.Abs(float64(quick.Candidates[0].Expected)/float64(starling.Dollar)-want) > want/10 {
		t.Errorf("it costs %s, not about %g, for ten seconds", quick.Candidates[0].Expected, want)
	}
	reads = 100
	slow := ask()
	if len(slow.Candidates) != 1 || len(slow.Left) != 1 || !strings.Contains(slow.Left[0].Why, "allows 2s to the first byte") {
		t.Errorf("%+v, left %+v", slow.Candidates, slow.Left)
	}
}

func TestWhatDoesNotFitAWindowGoesToALargerOneOrNowhere(t *testing.T) {
	small, large := windowed(starling.Machine, "small", 4096), windowed(starling.Cloud, "large", 128_000)
	far, own := windowed(starling.Cloud, "far", 4096), windowed(starling.Cloud, "gpt-4o", 4096)
	counting := small
	counting.Counts = true
	unknown := windowed(starling.Machine, "unknown", 0)
	for _, c := range []struct {
		name   string
		models []starling.Model
		f      *tokens.Factors
		req    *starling.Request
		who    string
		left   string
		says   string // of who was left out, or may not have room
	}{
		{"what fits by its bytes is not counted", []starling.Model{small}, nil, saying("starling/test", 500, ""), "machine/small", "", ""},
		{"what fits by its tokens is asked", []starling.Model{small, large}, nil, saying("starling/test", 3000, ""), "machine/small cloud/large", "", ""},
		{"what does not goes to a larger window", []starling.Model{small, large}, nil, saying("starling/test", 4000, ""), "cloud/large", "machine/small too_large",
			"about 4007 tokens (counted with o200k_base, an estimate) + 256 of answer do not fit its window of 4096"},
		{"an answer needs room too", []starling.Model{small, large}, nil, saying("starling/test", 3000, `,"max_tokens":2000`), "cloud/large", "machine/small too_large", "+ 2000 of answer"},
		{"but not more than the model can say", []starling.Model{{Provider: "cloud", Name: "brief", Zone: starling.Cloud, Context: 20_000}}, nil, saying("starling/test", 5000, `,"max_tokens":30000`), "cloud/brief", "", ""},
		{"a factor counts", []starling.Model{small, large}, factorOf("machine/small", 1.5), saying("starling/test", 3000, ""), "cloud/large", "machine/small too_large",
			"about 4510 tokens (counted with o200k_base × 1.50, an estimate)"},
		{"nobody is too large, with the numbers", []starling.Model{small}, nil, saying("starling/test", 5000, ""), "", "machine/small too_large", "prompt is too long: 5007 tokens > 3840 maximum"},
		{"and of several the widest", []starling.Model{small, windowed(starling.Cloud, "wider", 4500)}, nil, saying("starling/test", 9000, ""), "", "machine/small too_large, cloud/wider too_large", "9007 tokens > 4244 maximum"},
		{"a far model is asked where an estimate may be wrong, with a note", []starling.Model{far}, nil, saying("starling/test", 5000, ""), "cloud/far", "", "may not fit: about 5007 tokens"},
		{"and not where it cannot be", []starling.Model{far, large}, nil, saying("starling/test", 7000, ""), "cloud/large", "cloud/far too_large", "about 7007 tokens"},
		{"a learned factor leaves less room for error", []starling.Model{far, large}, factorOf("cloud/far", 1), saying("starling/test", 4700, ""), "cloud/large", "cloud/far too_large", "× 1.00"},
		{"what is counted exactly decides exactly", []starling.Model{own, large}, nil, saying("starling/test", 3850, ""), "cloud/large", "cloud/gpt-4o too_large", "3857 tokens (counted with o200k_base) + 256"},
		{"a near server that counts itself is asked", []starling.Model{counting}, nil, saying("starling/test", 5000, ""), "machine/small", "", "may not fit"},
		{"a window that nobody knows holds all", []starling.Model{unknown}, nil, saying("starling/test", 5000, ""), "machine/unknown", "", ""},
		{"a pin is refused as well", []starling.Model{small, large}, nil, saying("machine/small", 5000, ""), "", "machine/small too_large", "prompt is too long"},
		{"but may be given a shorter answer than it asks for", []starling.Model{small}, nil, saying("machine/small", 3000, `,"max_tokens":4096`), "machine/small", "", ""},
		{"a far pin is for its vendor to refuse", []starling.Model{far}, nil, saying("cloud/far", 5000, ""), "cloud/far", "", "may not fit"},
		{"unless it surely does not fit", []starling.Model{far}, nil, saying("cloud/far", 8000, ""), "", "cloud/far too_large", "of answer do not fit"},
		{"what is not even near is not counted", []starling.Model{small}, nil, saying("machine/small", 30_000, ""), "", "machine/small too_large", "at least"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := plan(windows(c.f, c.models...), c.req, starling.Cloud)
			if ids(p) != c.who || left(p) != c.left {
				t.Errorf("%q try, %q are left out; want %q, %q", ids(p), left(p), c.who, c.left)
			}
			if c.who == "" && starling.KindOf(err) != starling.TooLarge {
				t.Errorf("the error is %v", err)
			}
			if said := string(must(json.Marshal(p))) + fmt.Sprint(err); !strings.Contains(said, c.says) {
				t.Errorf("nothing says %q: %s", c.says, said)
			}
		})
	}
}

func TestARequestIsCountedOnceForAllWindows(t *testing.T) {
	r := windows(nil, windowed(starling.Machine, "a", 4096), windowed(starling.Office, "b", 4200), windowed(starling.Cloud, "c", 128_000))
	req := saying("starling/test", 5000, "")
	req.Counted = new(starling.Counted)
	if _, err := plan(r, req, starling.Cloud); err != nil {
		t.Fatal(err)
	}
	if n := req.Counted.By("o200k_base", func() int64 { return -1 }); n != 5007 {
		t.Errorf("%d tokens are remembered", n)
	}
}
