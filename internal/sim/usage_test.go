package sim_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"
	"pgregory.net/rapid"

	"starling"
	"starling/internal/sim"
)

func TestTokensAreNeverMoreThanBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		if n := sim.Tokens(text); n > int64(len(text)) || (n == 0) != (text == "") {
			t.Errorf("%q has %d tokens", text, n)
		}
	})
}

func TestThePromptIsNeverMoreThanItsBytes(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{both()}})
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom(dialects).Draw(t, "dialect")
		p := chat(d, "m", rapid.String().Draw(t, "text"), tools(d))
		u := gjson.Get(ask(s, p).Body.String(), "usage")
		if n := u.Get("prompt_tokens").Int() + u.Get("input_tokens").Int(); n < 3 || n > int64(len(p.body)) {
			t.Errorf("%d tokens in %d bytes", n, len(p.body))
		}
	})
}

func TestImagesAreCounted(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{both()}})
	for _, p := range []post{
		{"openai", `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"image_url","image_url":{"url":"https://example.com/a"}}]}]}`, nil},
		{"anthropic", `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},{"type":"image","source":{"type":"url","url":"https://example.com/a"}}]}]}`, nil},
	} {
		u := gjson.Get(ask(s, p).Body.String(), "usage")
		if n := u.Get("prompt_tokens").Int() + u.Get("input_tokens").Int(); n != 2*765+3+2 {
			t.Errorf("%s: %d tokens", p.dialect, n)
		}
	}
	if c := s.Tally().Models["m"]; c.Images != 4 {
		t.Errorf("%d images in the tally", c.Images)
	}
}

// counts are a usage without regard to the dialect's convention.
type counts struct{ whole, read, write, write1h int64 }

func countsOf(d starling.Dialect, body string) counts {
	u := gjson.Get(body, "usage")
	if d == starling.OpenAI {
		return counts{u.Get("prompt_tokens").Int(), u.Get("prompt_tokens_details.cached_tokens").Int(), u.Get("prompt_tokens_details.cache_write_tokens").Int(), 0}
	}
	c := counts{0, u.Get("cache_read_input_tokens").Int(), u.Get("cache_creation.ephemeral_5m_input_tokens").Int(), u.Get("cache_creation.ephemeral_1h_input_tokens").Int()}
	c.whole = u.Get("input_tokens").Int() + u.Get("cache_creation_input_tokens").Int() + c.read
	return c
}

func TestPromptCacheOfOpenAIsDialect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := both()
		m.PromptCache = true
		s := sim.New(sim.Options{Models: []sim.Model{m}})
		prompt := func(system int, user string) counts {
			body := `{"model":"m","messages":[{"role":"system","content":` + quote(strings.Repeat("s", 4*system)) + `},{"role":"user","content":` + quote(user) + `}]}`
			return countsOf("openai", ask(s, post{"openai", body, nil}).Body.String())
		}
		for i, tt := range []struct {
			name string
			got  counts
			want counts
		}{
			{"a short prompt is not cached", prompt(900, "hi"), counts{907, 0, 0, 0}},
			{"nor at the second time", prompt(900, "hi"), counts{907, 0, 0, 0}},
			{"a long one is written", prompt(2000, "hi"), counts{2007, 0, 1920, 0}},
			{"then read", prompt(2000, "hi"), counts{2007, 1920, 0, 0}},
			{"what another shares is read", prompt(2000, "another question"), counts{2010, 1920, 0, 0}},
			{"a longer start shares what is the same", prompt(2560, "hi"), counts{2567, 1920, 640, 0}},
		} {
			if tt.got != tt.want {
				t.Errorf("%d: %s: %+v, want %+v", i, tt.name, tt.got, tt.want)
			}
		}
		time.Sleep(4 * time.Minute)
		if got := prompt(2000, "hi"); got.read != 1920 {
			t.Errorf("within its time it is not read: %+v", got)
		}
		time.Sleep(4 * time.Minute)
		if got := prompt(2000, "hi"); got.read != 1920 {
			t.Errorf("reading did not renew it: %+v", got)
		}
		time.Sleep(6 * time.Minute)
		if got := prompt(2000, "hi"); got.read != 0 || got.write != 1920 {
			t.Errorf("after its time it is read: %+v", got)
		}
	})
}

func TestPromptCacheOfAnthropicsDialect(t *testing.T) {
	const plain, short, long = "", `,"cache_control":{"type":"ephemeral"}`, `,"cache_control":{"type":"ephemeral","ttl":"1h"}`
	synctest.Test(t, func(t *testing.T) {
		m := both()
		m.PromptCache = true
		s := sim.New(sim.Options{Models: []sim.Model{m}})
		prompt := func(system int, mark string, user int, userMark string) counts {
			body := fmt.Sprintf(`{"model":"m","max_tokens":9,"system":[{"type":"text","text":%s%s}],"messages":[{"role":"user","content":[{"type":"text","text":%s%s}]}]}`,
				quote(strings.Repeat("s", 4*system)), mark, quote(strings.Repeat("u", 4*user)), userMark)
			return countsOf("anthropic", ask(s, post{"anthropic", body, nil}).Body.String())
		}
		for _, tt := range []struct {
			name string
			got  counts
			want counts
		}{
			{"without a mark nothing is cached", prompt(2000, plain, 10, plain), counts{2013, 0, 0, 0}},
			{"still not", prompt(2000, plain, 10, plain), counts{2013, 0, 0, 0}},
			{"a short prefix is not cached in spite of its mark", prompt(500, short, 10, plain), counts{513, 0, 0, 0}},
			{"a marked prefix is written", prompt(2000, short, 10, plain), counts{2013, 0, 2000, 0}},
			{"then read, whatever follows", prompt(2000, short, 20, plain), counts{2023, 2000, 0, 0}},
			{"a later mark reads it and writes the rest", prompt(2000, plain, 20, short), counts{2023, 2000, 23, 0}},
			{"an hour is counted apart", prompt(3000, long, 20, short), counts{3023, 0, 23, 3000}},
		} {
			if tt.got != tt.want {
				t.Errorf("%s: %+v, want %+v", tt.name, tt.got, tt.want)
			}
		}
		time.Sleep(6 * time.Minute)
		if got := prompt(2000, short, 10, plain); got.read != 0 {
			t.Errorf("after five minutes it is read: %+v", got)
		}
		if got := prompt(3000, long, 20, short); got != (counts{3023, 3000, 23, 0}) {
			t.Errorf("within the hour: %+v", got)
		}
	})
}

func TestTheTallyIsTheSumOfTheAnswers(t *testing.T) {
	m := both()
	m.PromptCache, m.CacheMin = true, 1
	m.Failure = sim.Failure{Overloaded429: 0.1, Error500: 0.1}
	s := sim.New(sim.Options{Models: []sim.Model{m}})
	var mu sync.Mutex
	var want starling.Usage
	var cost starling.Money
	var wg sync.WaitGroup
	for i := range 400 {
		wg.Go(func() {
			d := dialects[i%2]
			w := ask(s, chat(d, "m", fmt.Sprint(i%50, strings.Repeat(" a long question", 100))))
			if w.Code != 200 {
				return
			}
			c := countsOf(d, w.Body.String())
			got := gjson.Get(w.Body.String(), "usage")
			u := starling.Usage{Input: c.whole - c.read - c.write, CacheRead: c.read, CacheWrite: c.write, Output: got.Get("output_tokens").Int() + got.Get("completion_tokens").Int()}
			_, price := m.Price.Cost(u, 0)
			mu.Lock()
			defer mu.Unlock()
			want.Input, want.CacheRead, want.CacheWrite, want.Output = want.Input+u.Input, want.CacheRead+u.CacheRead, want.CacheWrite+u.CacheWrite, want.Output+u.Output
			cost += price
		})
	}
	wg.Wait()
	c := s.Tally().Models["m"]
	if c.Usage != want || c.Cost != cost || s.Tally().Total() != cost {
		t.Errorf("tally %+v %v, answers %+v %v", c.Usage, c.Cost, want, cost)
	}
	if c.Requests != 400 || c.Answered+c.Failed != 400 || c.Failed == 0 || c.Peak < 1 || c.Usage.CacheRead == 0 {
		t.Errorf("tally %+v", c)
	}
}

func TestElectricityIsPaidByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := sim.Model{Name: "m", Latency: sim.Latency{FirstToken: time.Hour}, Price: starling.Price{Milliwatts: 15_000, PerKWh: 15 * starling.Dollar / 100}}
		s := sim.New(sim.Options{Models: []sim.Model{m}})
		ask(s, chat("openai", "m", "x"))
		if c := s.Tally().Models["m"]; c.Cost != 2_250_000 { // 15 W for an hour at $0.15 a kWh
			t.Errorf("an hour costs %v", c.Cost)
		}
	})
}

func TestTimeIsSpentAsStated(t *testing.T) {
	for _, extra := range []string{`"stream":true`, `"stream":false`} {
		synctest.Test(t, func(t *testing.T) {
			m := sim.Model{Name: "m", Latency: sim.Latency{FirstToken: time.Second, PerToken: time.Millisecond}}
			s := sim.New(sim.Options{Models: []sim.Model{m}})
			began := time.Now()
			ask(s, chat("openai", "m", "x", extra))
			want := time.Second + time.Duration(s.Tally().Models["m"].Usage.Output)*time.Millisecond
			if took := time.Since(began); took != want {
				t.Errorf("%s took %v, want %v", extra, took, want)
			}
			if c := s.Tally().Models["m"]; c.Answered != 1 {
				t.Errorf("%+v", c)
			}
		})
	}
}

func TestJitterStaysWithinItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := sim.Model{Name: "m", Words: 1, Latency: sim.Latency{FirstToken: time.Second, Jitter: 0.2}}
		s := sim.New(sim.Options{Models: []sim.Model{m}})
		seen := map[time.Duration]bool{}
		for i := range 100 {
			began := time.Now()
			ask(s, chat("openai", "m", fmt.Sprint(i)))
			took := time.Since(began)
			seen[took] = true
			if took < 800*time.Millisecond || took > 1200*time.Millisecond {
				t.Errorf("it took %v", took)
			}
		}
		if len(seen) < 90 {
			t.Errorf("only %d delays in 100", len(seen))
		}
	})
}
