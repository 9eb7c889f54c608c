package provider

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"starling"
)

func TestAnUpstreamIsAskedBelowItsURL(t *testing.T) {
	for _, c := range []struct {
		dialect   starling.Dialect
		base, ask string
	}{
		{starling.OpenAI, "https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"},
		{starling.OpenAI, "http://127.0.0.1:11434/v1/", "http://127.0.0.1:11434/v1/chat/completions"},
		{starling.OpenAI, "https://h.example/a%2Fb/v1?api-version=1", "https://h.example/a%2Fb/v1/chat/completions?api-version=1"},
		{starling.Anthropic, "https://api.anthropic.com", "https://api.anthropic.com/v1/messages"},
		{starling.Anthropic, "https://api.anthropic.com/", "https://api.anthropic.com/v1/messages"},
		{starling.Anthropic, "https://api.anthropic.com/v1", "https://api.anthropic.com/v1/messages"},
		{starling.Anthropic, "https://gw.example/anthropic/v1/", "https://gw.example/anthropic/v1/messages"},
		{starling.Ollama, "http://127.0.0.1:11434", "http://127.0.0.1:11434/api/chat"},
		{starling.Ollama, "http://127.0.0.1:11434/v1/", "http://127.0.0.1:11434/api/chat"},
		{starling.Gemini, "https://generativelanguage.googleapis.com/v1beta", "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent"},
		{starling.Gemini, "https://generativelanguage.googleapis.com", "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent"},
		{starling.Gemini, "https://gw.example/g%2Fm/v1beta/?a=b", "https://gw.example/g%2Fm/v1beta/models/m:generateContent?a=b"},
	} {
		u, err := url.Parse(c.base)
		if err != nil {
			t.Fatal(err)
		}
		k := Kinds[c.dialect]
		if got := k.question(u, "m", false).String(); got != c.ask {
			t.Errorf("%s: asked at %s, want %s", c.base, got, c.ask)
		}
		if u.String() != c.base {
			t.Errorf("the configured URL was changed to %s", u)
		}
	}
}

func TestTheModelAndTheStreamStandInThePathWhereTheDialectHasThemThere(t *testing.T) {
	k := Kinds[starling.Gemini]
	for _, c := range []struct{ base, model, want string }{
		{"https://g.example/v1beta", "gemini-3-pro", "https://g.example/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse"},
		{"https://g.example/v1beta?a=b", "up/m:latest", "https://g.example/v1beta/models/up%2Fm:latest:streamGenerateContent?a=b&alt=sse"},
		{"https://g.example/x%2Fy", "a b?c#d/../e", "https://g.example/x%2Fy/v1beta/models/a%20b%3Fc%23d%2F..%2Fe:streamGenerateContent?alt=sse"},
	} {
		u, err := url.Parse(c.base)
		if err != nil {
			t.Fatal(err)
		}
		if got := k.question(u, c.model, true); got.String() != c.want || got.Host != "g.example" {
			t.Errorf("%s of %s: asked at %s, want %s", c.model, c.base, got, c.want)
		}
	}
}

func TestAnUpstreamThatUnderstandsAnotherVendorsDialectTakesTheKeyWhereThatHasIt(t *testing.T) {
	u := serveHandler(t, starling.Gemini, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id":"c","choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]}`))
	})
	o := u.options(t)
	o.Also = []starling.Dialect{starling.OpenAI}
	p := open(t, o)
	c := calling(p, false)
	c.Request = asking(starling.OpenAI, false)
	raw, _, err := collect(t, p, c)
	sent := u.last.Load()
	if err != nil || raw == "" || sent.URL.Path != "/v1beta/openai/chat/completions" || sent.Header.Get("Authorization") != "Bearer "+canary || sent.Header.Get("X-Goog-Api-Key") != "" {
		t.Errorf("%v, %q, sent to %s with %v", err, raw, sent.URL, sent.Header)
	}
}

func TestWhatACallerSaysTravelsOnlyInItsOwnDialectAndWithoutCredentials(t *testing.T) {
	ours := map[starling.Dialect][2]string{
		starling.OpenAI: {"Authorization", "Bearer " + canary}, starling.Anthropic: {"X-Api-Key", canary},
		starling.Gemini: {"X-Goog-Api-Key", canary}, starling.Ollama: {"Authorization", "Bearer " + canary},
	}
	theirs := http.Header{
		"Anthropic-Beta":    {"a", "b"},
		"Anthropic-Version": {"2024-01-01"},
		"Authorization":     {"Bearer callers"},
		"X-Api-Key":         {"callers"},
		"Api-Key":           {"callers"},
		"X-Goog-Api-Key":    {"callers"},
		"Cookie":            {"callers"},
		"Idempotency-Key":   {"callers"},
		"Accept-Encoding":   {"br"},
		"Host":              {"callers"},
	}
	plain := map[bool]string{true: "beta=true"}
	queries := map[starling.Dialect]map[bool]string{starling.OpenAI: plain, starling.Anthropic: plain, starling.Ollama: plain, starling.Gemini: {true: "alt=sse&beta=true", false: "alt=sse"}}
	all := []starling.Dialect{starling.OpenAI, starling.Anthropic, starling.Gemini, starling.Ollama}
	for _, of := range all {
		for _, asked := range all {
			t.Run(string(asked)+" to "+string(of), func(t *testing.T) {
				u := serveScript(t, of, story)
				p := open(t, u.options(t))
				c := calling(p, true)
				c.Request = asking(asked, true)
				c.Request.Header, c.Request.Query = theirs, "beta=true&key=callers&API_KEY=callers"
				var left []string
				c.Left = func(what string) { left = append(left, what) }
				if _, _, err := collect(t, p, c); err != nil {
					t.Fatal(err)
				}
				if told := slices.Contains(left, "header anthropic-beta") && slices.Contains(left, "query"); told != (of != asked) || len(left) > 0 && !told {
					t.Errorf("left: %q", left)
				}
				sent, same := u.last.Load(), of == asked
				for name, values := range sent.Header {
					for _, v := range values {
						if v == "callers" || v == "Bearer callers" || v == "br" {
							t.Errorf("%s: %s was sent", name, v)
						}
					}
				}
				if sent.Host == "callers" || sent.URL.RawQuery != queries[of][same] {
					t.Errorf("sent to %s with query %q", sent.Host, sent.URL.RawQuery)
				}
				if got := sent.Header.Get(ours[of][0]); got != ours[of][1] {
					t.Errorf("%s is %q, want ours", ours[of][0], got)
				}
				if got := len(sent.Header["Anthropic-Beta"]); (got == 2) != same {
					t.Errorf("%d values of Anthropic-Beta were sent", got)
				}
				version := map[starling.Dialect]string{asked: "2024-01-01"}[of]
				if version == "" && of == starling.Anthropic {
					version = "2023-06-01"
				}
				if got := sent.Header.Get("Anthropic-Version"); got != version {
					t.Errorf("version %q, want %q", got, version)
				}
				if sent.Header.Get("Accept-Encoding") != "identity" {
					t.Error("a coding was asked for")
				}
			})
		}
	}
}

func TestAQueryWithoutAKeyTravelsByteForByte(t *testing.T) {
	for query, want := range map[string]string{
		"":                              "",
		"beta=true":                     "beta=true",
		"b=2&a=1&b=%20x+y":              "b=2&a=1&b=%20x+y",
		"beta=true&key=k":               "beta=true",
		"%6b%65%79=k&beta=true":         "beta=true",
		"access_token=t":                "",
		"X-API-KEY=k&token=t&beta=true": "beta=true",
		"%zz=1&beta=true":               "beta=true",
	} {
		if got := cleared(query); got != want {
			t.Errorf("%q becomes %q, want %q", query, got, want)
		}
	}
}
