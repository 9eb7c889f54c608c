package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"starling"
)

func probableDelta(tokens ...starling.Token) starling.Event {
	d := starling.Delta{Kind: starling.TextPart, Tokens: tokens}
	for _, t := range tokens {
		d.Text += t.Text
	}
	return starling.Event{Deltas: []starling.Delta{d}}
}

// TestLogprobsAreToldAsTheDialectDoes: streamed and whole, and to nobody who did not ask.
func TestLogprobsAreToldAsTheDialectDoes(t *testing.T) {
	const (
		a     = `{"token":"é","logprob":-0.25,"bytes":[195,169],"top_logprobs":[{"token":"x","logprob":-2,"bytes":[120]}]}`
		b     = `{"token":"b","logprob":-0.5,"bytes":[98],"top_logprobs":[]}`
		aDone = `{"chosenCandidates":[{"token":"é","logProbability":-0.25}],"topCandidates":[{"candidates":[{"token":"x","logProbability":-2}]}]}`
		both  = `{"chosenCandidates":[{"token":"é","logProbability":-0.25},{"token":"b","logProbability":-0.5}],"topCandidates":[{"candidates":[{"token":"x","logProbability":-2}]},{"candidates":[]}]}`
	)
	events := []starling.Event{
		probableDelta(starling.Token{Text: "é", Logprob: -0.25, Top: []starling.Token{{Text: "x", Logprob: -2}}}),
		probableDelta(starling.Token{Text: "b", Logprob: -0.5}), {Finish: starling.Stopped},
	}
	for d, want := range map[starling.Dialect]struct {
		streamed []string
		whole    string
	}{
		starling.OpenAI:    {[]string{`"logprobs":{"content":[` + a + `],"refusal":null}`, `"logprobs":{"content":[` + b + `],"refusal":null}`}, `"logprobs":{"content":[` + a + `,` + b + `],"refusal":null}`},
		starling.Responses: {[]string{`"delta":"é","logprobs":[` + a + `]`, `"delta":"b","logprobs":[` + b + `]`, `"text":"éb","logprobs":[` + a + `,` + b + `]`}, `"logprobs":[` + a + `,` + b + `]`},
		starling.Ollama:    {[]string{`"logprobs":[` + a + `]`, `"logprobs":[` + b + `]`}, `"logprobs":[` + a + `,` + b + `]`},
		starling.Generate:  {[]string{`"logprobs":[` + a + `]`, `"logprobs":[` + b + `]`}, `"logprobs":[` + a + `,` + b + `]`},
		starling.Gemini:    {[]string{`"logprobsResult":` + aDone}, `"logprobsResult":` + both},
		starling.Completions: {
			[]string{`"logprobs":{"tokens":["é"],"token_logprobs":[-0.25],"top_logprobs":[{"x":-2,"é":-0.25}],"text_offset":[0]}`, `"text_offset":[1]`},
			`"logprobs":{"tokens":["é","b"],"token_logprobs":[-0.25,-0.5],"top_logprobs":[{"x":-2,"é":-0.25},{"b":-0.5}],"text_offset":[0,1]}`,
		},
		starling.Anthropic: {},
	} {
		for _, stream := range []bool{true, false} {
			r := &starling.Request{Dialect: d, Stream: stream, WantProbs: true, Body: []byte(`{}`)}
			out := rendered(t, r, events...)
			wants := want.streamed
			if !stream {
				wants = []string{want.whole}
			}
			for _, w := range wants {
				if !strings.Contains(out, w) {
					t.Errorf("%s, stream %t: no %s in\n%s", d, stream, w, out)
				}
			}
			r.WantProbs = false
			if out := rendered(t, r, events...); strings.Contains(out, "0.25") {
				t.Errorf("%s, stream %t: nobody asked: %s", d, stream, out)
			}
		}
	}
}

// TestTokensThatEndWithinACharacterComeWithTheRest, and those of thoughts do not.
func TestTokensThatEndWithinACharacterComeWithTheRest(t *testing.T) {
	chunk := func(delta, tokens string) string {
		return `data: {"choices":[{"index":0,"delta":` + delta + `,"logprobs":{"content":[` + tokens + `]},"finish_reason":null}]}` + "\n\n"
	}
	in := chunk(`{"reasoning_content":"hm"}`, `{"token":"hm","logprob":-3,"bytes":null}`) +
		chunk(`{"content":""}`, `{"token":"\\xc3","logprob":-1,"bytes":[195]}`) + chunk(`{"content":"é"}`, `{"token":"\\xa9","logprob":-1e999,"bytes":[169]}`) +
		"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
	var c Collector
	for ev, err := range Read(strings.NewReader(in), ReadOptions{Dialect: starling.OpenAI, Stream: true, Deltas: true}) {
		if err != nil {
			t.Fatal(err)
		}
		c.Add(ev)
	}
	var texts []string
	for _, one := range c.told.tokens() {
		texts = append(texts, one.Text)
	}
	if d := cmp.Diff([]string{"\xc3", "\xa9"}, texts); d != "" {
		t.Error(d)
	}
	p := pen{}
	p.tokens(c.told.tokens())
	if !valid(p.b) || !bytes.Contains(p.b, []byte("-9999")) {
		t.Errorf("written %s", p.b)
	}
}
