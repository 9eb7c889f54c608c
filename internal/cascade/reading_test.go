package cascade_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"starling"
	counter "starling/internal/tokens"
	"starling/internal/wire"
)

// long is a question of 2007 tokens to a skill, streamed or not.
func long(stream bool) starling.Request {
	text := strings.TrimSpace(strings.Repeat("hello ", 2000))
	return must(wire.Parse(starling.OpenAI, fmt.Appendf(nil, `{"model":"starling/test","stream":%t,"max_tokens":50,"messages":[{"role":"user","content":%q}]}`, stream, text)))
}

func TestAnAnswerToAPartOfTheQuestionIsPassedOverWhereSomebodyElseMayBeAsked(t *testing.T) {
	all, part := starling.Usage{Input: 2100, Output: 2}, starling.Usage{Input: 1024, Output: 2}
	const flag = "read 1024 of about 2007 tokens"
	for _, c := range []struct {
		name     string
		rubric   string
		stream   bool
		zone     starling.Zone
		usages   []starling.Usage
		seen     string
		outcomes string
		short    string // of the first
		counted  bool
	}{
		{"who reads all answers", "", false, starling.Machine, []starling.Usage{all, all}, "good 0", "answered", "", true},
		{"who reads a part is passed over", "", false, starling.Machine, []starling.Usage{part, all}, "good 1", "rejected answered", flag, true},
		{"as well before verifiers judge it", "verify: [{kind: label, values: [good 0, good 1]}]\n", true, starling.Office, []starling.Usage{part, all}, "good 1", "rejected answered", flag, true},
		{"what was streamed is only flagged", "", true, starling.Machine, []starling.Usage{part, all}, "good 0", "answered", flag, true},
		{"and so is the last, since nobody else is left", "", false, starling.Machine, []starling.Usage{part, part}, "good 1", "rejected answered", flag, true},
		{"who is far away is not counted if nothing is odd", "", false, starling.Cloud, []starling.Usage{all, all}, "good 0", "answered", "", false},
		{"and counted afterwards if it is", "", false, starling.Cloud, []starling.Usage{{Input: 512, Output: 2}, all}, "good 1", "rejected answered", "read 512 of about 2007 tokens", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var calls []string
			var candidates []fake
			for i, u := range c.usages {
				candidates = append(candidates, fake{name: fmt.Sprintf("p%d", i), zone: c.zone, says: says{text: fmt.Sprintf("good %d", i), usage: u}, calls: &calls})
			}
			cas := newCascade(t, c.rubric, candidates)
			cas.Router.Factors = counter.NewFactors()
			if !c.counted {
				know(cas.Router.Factors, "p0/m") // so that one in 64 is drawn, and of its length one in 90
			}
			var out caller
			ex := cas.Answer(t.Context(), long(c.stream), &out)
			var outcomes []string
			for _, a := range ex.Receipt.Attempts {
				outcomes = append(outcomes, string(a.Outcome))
			}
			first, last := ex.Receipt.Attempts[0], ex.Receipt.Attempts[len(ex.Receipt.Attempts)-1]
			if out.seen.String() != c.seen || strings.Join(outcomes, " ") != c.outcomes || first.Short != c.short {
				t.Errorf("saw %q of %v, the first %q (%v)", out.seen.String(), outcomes, first.Short, ex.Err)
			}
			if c.counted && first.Counted != 2007 {
				t.Errorf("%d tokens were counted", first.Counted)
			}
			if first.Outcome == starling.Rejected && (!strings.Contains(first.Why, c.short) || first.Cost == 0 || len(first.Verdicts) > 0) {
				t.Errorf("why: %s, %s, %v", first.Why, first.Cost, first.Verdicts)
			}
			if c.usages[1] == part && last.Short == "" {
				t.Error("the answer is not flagged")
			}
		})
	}
}

// know teaches that a model has as many tokens as we count.
func know(f *counter.Factors, model string) {
	for range 10 {
		f.Fold(&starling.Receipt{Attempts: []starling.Attempt{{Model: model, Counted: 1000, Usage: starling.Usage{Input: 1000}}}})
	}
}

func TestExchangesTeachHowModelsCount(t *testing.T) {
	var calls []string
	cas := newCascade(t, "", []fake{{name: "p0", zone: starling.Machine, says: says{text: "good", usage: starling.Usage{Input: 2007 * 3 / 2, Output: 2}}, calls: &calls}})
	cas.Router.Factors = counter.NewFactors()
	m, _ := cas.Router.Directory.Find("p0/m")
	for range 10 {
		cas.Answer(t.Context(), long(false), &caller{})
	}
	r := long(false)
	if size := cas.Router.Factors.Size(&r, m); size.Tokens < 3000 || size.Tokens > 3011 {
		t.Errorf("%s", size)
	}
}

// The package's tests end only when no goroutine is left.
func TestNoCountOutlivesACallThatFailed(t *testing.T) {
	var calls []string
	cas := newCascade(t, "", []fake{{name: "p0", zone: starling.Machine, says: says{err: overloaded}, calls: &calls}, {name: "p1", zone: starling.Machine, says: says{bug: true}, calls: &calls}})
	body := fmt.Appendf(nil, `{"model":"starling/test","max_tokens":50,"messages":[{"role":"user","content":%q}]}`, strings.Repeat("\t \n", 100_000))
	func() {
		defer func() { _ = recover() }()
		cas.Answer(t.Context(), must(wire.Parse(starling.OpenAI, body)), &caller{})
	}()
	if len(calls) != 2 {
		t.Errorf("%v were asked", calls)
	}
}

// A counting is a fake whose server counts.
type counting struct {
	fake
	tokens int64 // 0: it fails
	asked  *int
}

func (c counting) Count(context.Context, starling.Call) (int64, error) {
	*c.asked++
	if c.tokens == 0 {
		return 0, overloaded
	}
	return c.tokens, nil
}

func TestAServerThatCountsIsAskedWhereItsWindowMayBeTooSmall(t *testing.T) {
	for _, c := range []struct {
		name     string
		window   int64
		counts   int64
		read     int64
		asked    int
		outcomes string
		short    string
	}{
		{"a window that holds all bytes is not in question", 20_000, 9999, 2000, 0, "answered", ""},
		{"nor one that holds more than all tokens", 4000, 9999, 2000, 0, "answered", ""},
		{"what the server finds to fit is sent", 2200, 2100, 2100, 1, "answered", ""},
		{"though we count more", 1900, 1800, 1800, 1, "answered", ""},
		{"what does not fit is not", 2200, 2300, 2300, 1, "skipped answered", ""},
		{"who fails to count is judged by our own count", 2300, 0, 2007, 1, "answered", ""},
		{"which may find it too long", 2010, 0, 2007, 1, "skipped answered", ""},
		{"who reads less than its server counts is found out", 2200, 2100, 1900, 1, "rejected answered", "read 1900 of 2100 tokens"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var calls []string
			asked := 0
			cas := newCascade(t, "", []fake{
				{name: "p0", zone: starling.Machine, says: says{text: "good 0", usage: starling.Usage{Input: c.read, Output: 2}}, calls: &calls},
				{name: "p1", zone: starling.Machine, says: says{text: "good 1", usage: starling.Usage{Input: 2100, Output: 2}}, calls: &calls},
			})
			near := cas.Providers["p0"].(fake)
			cas.Providers["p0"] = counting{fake: near, tokens: c.counts, asked: &asked}
			models := cas.Router.Directory.Models()
			models[0].Context, models[0].Counts = c.window, true
			ex := cas.Answer(t.Context(), long(false), &caller{})
			var outcomes []string
			for _, a := range ex.Receipt.Attempts {
				outcomes = append(outcomes, string(a.Outcome))
			}
			first := ex.Receipt.Attempts[0]
			if strings.Join(outcomes, " ") != c.outcomes || asked != c.asked || first.Short != c.short {
				t.Errorf("%v after it was asked %d times: %+v", outcomes, asked, first)
			}
			if first.Outcome == starling.Skipped && (first.Kind != starling.TooLarge || first.Cost != 0 || !strings.Contains(first.Why, "prompt is too long")) {
				t.Errorf("%+v", first)
			}
		})
	}
}
