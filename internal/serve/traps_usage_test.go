package serve_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
)

func trapMessageStartCarriesUsage(t *testing.T) {
	s := newStand(t, standOptions{}, openAIUp(events(oai(oaiRole), oai(oaiText), oai(oaiStop), oai(oaiUsage), oai(oaiDone))))
	a := s.ask(messagesPath, messages("up/m", true))
	if !field(a.body, "message.usage.input_tokens").Exists() {
		t.Errorf("message_start without usage:\n%s", a.body)
	}
	if in, out := field(a.body, "usage.input_tokens").Int(), field(a.body, "usage.output_tokens").Int(); in != 100 || out != 20 {
		t.Errorf("at the end the usage is %d in, %d out; want 100, 20:\n%s", in, out, a.body)
	}
}

func trapUsageIsAskedForUpstreamAndStrippedForClientsThatDidNotAsk(t *testing.T) {
	var seen atomic.Value
	h := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen.Store(string(body))
		withNull := strings.Replace(oaiText, `"choices"`, `"usage":null,"choices"`, 1)
		events(oai(oaiRole), oai(withNull), oai(oaiStop), oai(oaiUsage), oai(oaiDone))(w, r)
	}
	s := newStand(t, standOptions{}, openAIUp(h))
	a := s.ask(chatPath, chat("up/m", true))
	if !gjson.Get(seen.Load().(string), "stream_options.include_usage").Bool() {
		t.Errorf("usage was not asked for: %s", seen.Load())
	}
	if strings.Contains(a.body, "usage") || strings.Contains(a.body, `"choices":[]`) {
		t.Errorf("the client did not ask and sees usage:\n%s", a.body)
	}
	if r := s.receipt(a); r.Attempts[0].Usage.Input != 100 || r.Attempts[0].Usage.Output != 20 || r.Cost != 200_000 {
		t.Errorf("the ledger says %+v, %s; want 100 in, 20 out, $0.0002", r.Attempts[0].Usage, r.Cost)
	}
	asking := strings.Replace(chat("up/m", true), `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`, 1)
	if b := s.ask(chatPath, asking); field(b.body, "usage.total_tokens").Int() != 120 {
		t.Errorf("a client that asked sees no usage:\n%s", b.body)
	}
}

func trapCachedTokensAreChargedOnceAndAtTheCachedRate(t *testing.T) {
	oaiCached := `{"id":"c1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":180,"completion_tokens":20,"total_tokens":200,"prompt_tokens_details":{"cached_tokens":80}}}`
	antCached := `{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":100,"cache_read_input_tokens":80,"cache_creation_input_tokens":0,"output_tokens":20}}`
	const want = 100*1000 + 80*100 + 20*5000 // nanodollars: $1, $0.10 and $5 a million
	for _, c := range []struct {
		name string
		up   upstreamAt
	}{
		{"OpenAI counts them inside the prompt", openAIUp(whole(oaiCached))},
		{"Anthropic counts them beside the input", anthropicUp(whole(antCached))},
		{"also in a stream", anthropicUp(events(antStart, antText, antEnd))},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, standOptions{}, c.up)
			for _, path := range []string{chatPath, messagesPath} {
				a := s.ask(path, chat("up/m", strings.Contains(c.name, "stream")))
				r := s.receipt(a)
				if r.Cost != want {
					t.Errorf("%s: cost %d, want %d: %+v", path, r.Cost, want, r.Attempts)
				}
				for _, l := range r.Attempts[0].Lines {
					if l.Tokens < 0 || l.Amount < 0 {
						t.Errorf("%s: a negative line %+v", path, l)
					}
				}
			}
		})
	}
}

func trapUsageIsTranslatedBetweenTheConventions(t *testing.T) {
	s := newStand(t, standOptions{}, anthropicUp(events(antStart, antText, antEnd)))
	asking := strings.Replace(chat("up/m", true), `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`, 1)
	a := s.ask(chatPath, asking)
	if in, cached := field(a.body, "usage.prompt_tokens").Int(), field(a.body, "usage.prompt_tokens_details.cached_tokens").Int(); in != 180 || cached != 80 {
		t.Errorf("an OpenAI client sees %d prompt tokens of which %d cached; want 180, 80", in, cached)
	}
}

func trapStreamedAnthropicUsageIsCumulativeAndMayComeLate(t *testing.T) {
	late := ant("message_delta", `{"type":"message_delta","delta":{},"usage":{"output_tokens":7}}`) +
		ant("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":100,"cache_read_input_tokens":80,"output_tokens":20}}`) +
		ant("message_stop", `{"type":"message_stop"}`)
	start := strings.Replace(antStart, `"usage":{"input_tokens":100,"cache_read_input_tokens":80,"output_tokens":1}`, `"usage":{"input_tokens":0,"output_tokens":0}`, 1)
	s := newStand(t, standOptions{}, anthropicUp(events(start, antText, late)))
	a := s.ask(messagesPath, messages("up/m", true))
	if u := s.receipt(a).Attempts[0].Usage; u.Input != 100 || u.CacheRead != 80 || u.Output != 20 {
		t.Errorf("usage %+v, want 100 in, 80 cached, 20 out", u)
	}
}

func trapUsageThatIsMissingIsEstimated(t *testing.T) {
	start := func(usage string) string {
		return ant("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[],"stop_reason":null,"stop_sequence":null`+usage+`}}`)
	}
	end := ant("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null}}`) + ant("message_stop", `{"type":"message_stop"}`)
	tryOn(t, []hostile{
		{"no usage", starling.Anthropic, true, start("") + antText + end},
		{"usage of null", starling.Anthropic, true, start(`,"usage":null`) + antText + end},
		{"usage of nothing", starling.Anthropic, true, start(`,"usage":{}`) + antText + end},
		{"usage of zero", starling.Anthropic, true, start(`,"usage":{"input_tokens":0,"output_tokens":0}`) + antText + end},
		{"usage of words", starling.Anthropic, true, start(`,"usage":{"input_tokens":"many","output_tokens":-5}`) + antText + end},
		{"no usage", starling.OpenAI, true, oai(oaiRole) + oai(oaiText) + oai(oaiStop) + oai(oaiDone)},
		{"usage of null", starling.OpenAI, true, oai(oaiRole) + oai(oaiText) + oai(strings.Replace(oaiStop, `"choices"`, `"usage":null,"choices"`, 1)) + oai(oaiDone)},
		{"usage of zero", starling.OpenAI, true, oai(oaiRole) + oai(oaiText) + oai(oaiStop) + oai(`{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}`) + oai(oaiDone)},
		{"no usage", starling.OpenAI, false, strings.Replace(wholeOpenAI, `"usage"`, `"x"`, 1)},
		{"no usage", starling.Anthropic, false, strings.Replace(wholeAnthropic, `"usage"`, `"x"`, 1)},
	}, func(t *testing.T, sc scene) {
		got, err := sc.hear()
		if err != nil || got.Text != "Hello" {
			t.Errorf("%v %+v:\n%s", err, got, sc.body)
		}
		if u := sc.receipt.Attempts[0].Usage; !u.Estimated || u.Input <= 0 || u.Output <= 0 || sc.receipt.Cost <= 0 || sc.receipt.Cost > countedCost {
			t.Errorf("usage %+v, cost %s", u, sc.receipt.Cost)
		}
	})
}

// unasked takes the wish for usage out of a question.
func unaskedFor(body string) string {
	return strings.Replace(body, `"stream_options":{"include_usage":true},`, "", 1)
}

func trapNoStreamIsFree(t *testing.T) {
	th := newTheatre(t, standOptions{})
	eachDuo(t, func(t *testing.T, p duo) {
		sc := th.playAs(p, performing(t, p, talk), unaskedFor)
		if r := sc.receipt; r.Cost != countedCost || r.Attempts[0].Usage.Estimated {
			t.Errorf("cost %s of usage %+v", r.Cost, r.Attempts[0].Usage)
		}
		if p.upstream == starling.OpenAI && p.stream != gjson.Get(sc.seen, "stream_options.include_usage").Bool() {
			t.Errorf("asked: %s", sc.seen)
		}
	})
}

func trapNoChunkIsWithoutChoices(t *testing.T) {
	th := newTheatre(t, standOptions{})
	eachDuo(t, func(t *testing.T, p duo) {
		if p.caller != starling.OpenAI || !p.stream {
			return
		}
		if sc := th.playAs(p, performing(t, p, plot), unaskedFor); strings.Contains(sc.body, `"usage"`) || strings.Contains(sc.body, `"choices":[]`) {
			t.Errorf("the client did not ask and sees usage:\n%s", sc.body)
		}
		if sc := th.play(p, performing(t, p, plot)); field(sc.body, "usage.total_tokens").Int() != counted.TotalInput()+counted.Output {
			t.Errorf("a client that asked sees no usage:\n%s", sc.body)
		}
	})
}

// cachedUsage is a prompt of which a part came from the cache.
var cachedUsage = starling.Usage{Input: 100, CacheRead: 80, Output: 20}

// countsCached are the dialects that say what was read from a cache.
var countsCached = map[starling.Dialect]bool{starling.OpenAI: true, starling.Completions: true, starling.Anthropic: true, starling.Responses: true, starling.Gemini: true}

func trapEveryCountIsPricedAsItsDialectMeansIt(t *testing.T) {
	th := newTheatre(t, standOptions{})
	eachDuo(t, func(t *testing.T, p duo) {
		r := th.play(p, performing(t, p, talk.with(starling.Stopped, cachedUsage))).receipt
		want := cachedUsage
		if !countsCached[p.upstream] {
			want = starling.Usage{Input: cachedUsage.TotalInput(), Output: cachedUsage.Output}
		}
		_, cost := dollar.Cost(want, 0)
		if u := r.Attempts[0].Usage; r.Cost != cost || u.Input != want.Input || u.CacheRead != want.CacheRead || u.Output != want.Output {
			t.Errorf("cost %s of usage %+v, want %s of %+v", r.Cost, u, cost, want)
		}
		for _, l := range r.Attempts[0].Lines {
			if l.Tokens < 0 || l.Amount < 0 {
				t.Errorf("a negative line %+v", l)
			}
		}
	})
}

func trapCallersAreToldTheCountInTheirConvention(t *testing.T) {
	th := newTheatre(t, standOptions{})
	eachDuo(t, func(t *testing.T, p duo) {
		sc := th.play(p, performing(t, p, talk.with(starling.Stopped, cachedUsage)))
		got, err := sc.hear()
		u := got.Usage
		if err != nil || u.TotalInput() != cachedUsage.TotalInput() || u.Output != cachedUsage.Output || u.Input < 0 || u.CacheRead < 0 {
			t.Errorf("%v, usage %+v:\n%s", err, u, sc.body)
		}
		if both := countsCached[p.caller] && countsCached[p.upstream]; both && u.CacheRead != cachedUsage.CacheRead {
			t.Errorf("%d tokens are said to be cached, want %d", u.CacheRead, cachedUsage.CacheRead)
		}
	})
}
