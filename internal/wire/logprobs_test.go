package wire

import (
	"math"
	"strings"
	"testing"

	"starling"
)

func TestLogprobsAreAskedForInPlace(t *testing.T) {
	for _, c := range []struct{ name, in, out string }{
		{"unsaid", "{ \"model\":\"a\"}\n", "{\"logprobs\":true, \"model\":\"a\"}\n"},
		{"declined", `{"model":"a", "logprobs" : false,"x":1.50}`, `{"model":"a", "logprobs" : true,"x":1.50}`},
		{"null", `{"logprobs":null,"model":"a"}`, `{"logprobs":true,"model":"a"}`},
		{"of a message", `{"messages":[{"logprobs":true}],"model":"a"}`, `{"logprobs":true,"messages":[{"logprobs":true}],"model":"a"}`},
	} {
		if got := string(AskLogprobs([]byte(c.in))); got != c.out {
			t.Errorf("%s: %s, want %s", c.name, got, c.out)
		}
	}
}

func TestWhoAsksForLogprobsIsKnown(t *testing.T) {
	for field, want := range map[string]bool{``: false, `"logprobs":false,`: false, `"logprobs":null,`: false, `"logprobs":true,`: true, `"logprobs":5,`: true} {
		if got := parsed(t, starling.OpenAI, chat(starling.OpenAI, field+`"max_tokens":5`)).WantProbs; got != want {
			t.Errorf("%q: %v", field, got)
		}
	}
	if _, err := Parse(starling.OpenAI, []byte(`{"model":"a","messages":[{}],"logprobs":false,"logprobs":true}`)); starling.KindOf(err) != starling.Invalid {
		t.Errorf("twice: %v", err)
	}
}

// token is one token's log-probability as the dialect says it.
func token(logprob string) string {
	return `{"token":"a\"","logprob":` + logprob + `,"bytes":[97],"top_logprobs":[{"token":"b","logprob":-9,"bytes":[98]}]}`
}

func probabilities(logprobs ...string) string {
	var all []string
	for _, p := range logprobs {
		all = append(all, token(p))
	}
	return `{"content":[` + strings.Join(all, ",") + `],"refusal":null}`
}

func TestConfidenceIsTheMeanOfTheAnswersTokens(t *testing.T) {
	half, quarter := "-0.6931471805599453", "-1.3862943611198906"
	for _, c := range []struct {
		name     string
		logprobs []string // of the choice's chunks
		want     float64
	}{
		{"one token", []string{probabilities(half)}, 0.5},
		{"several, in several chunks", []string{probabilities(half), `null`, probabilities(quarter, half, quarter)}, math.Exp(-math.Ln2 * 1.5)},
		{"certain", []string{probabilities("0", "-0.0")}, 1},
		{"rounded beyond certain", []string{probabilities("1e-7")}, 1},
		{"next to impossible", []string{probabilities("-9999.0")}, leastConfidence},
		{"beyond all numbers", []string{probabilities("-1e999")}, leastConfidence},
		{"a token without one", []string{probabilities(half), probabilities(`null`)}, 0},
		{"text for a number", []string{probabilities(`"-Infinity"`)}, 0},
		{"nobody asked", []string{`null`, `null`}, 0},
		{"an empty list", []string{`{"content":[]}`}, 0},
		{"no list", []string{`{"content":null,"refusal":` + `[` + token(half) + `]}`}, 0},
		{"another form", []string{`{"tokens":["a"],"token_logprobs":[-0.5]}`}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stream strings.Builder
			for _, p := range c.logprobs {
				stream.WriteString(`data: {"id":"c","choices":[{"index":1,"delta":{"content":"y"},"logprobs":` + probabilities("-3") + `},{"index":0,"delta":{"content":"x"},"logprobs":` + p + `,"finish_reason":null}]}` + "\n\n")
			}
			stream.WriteString(`data: {"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"},{"index":1,"delta":{},"finish_reason":"stop"}]}` + "\n\n" + done)
			got := readAll(t, strings.NewReader(stream.String()), ReadOptions{Dialect: starling.OpenAI, Stream: true, Raw: true})
			if got.err != nil || math.Abs(got.last.Confidence-c.want) > 1e-12 {
				t.Errorf("streamed: %v, %v; want %v", got.last.Confidence, got.err, c.want)
			}
			if len(c.logprobs) > 1 {
				return
			}
			whole := `{"id":"c","choices":[{"index":0,"message":{"content":"x"},"logprobs":` + c.logprobs[0] + `,"finish_reason":"stop"}]}`
			got = readAll(t, strings.NewReader(whole), ReadOptions{Dialect: starling.OpenAI, Deltas: true})
			if got.err != nil || math.Abs(got.last.Confidence-c.want) > 1e-12 {
				t.Errorf("whole: %v, %v; want %v", got.last.Confidence, got.err, c.want)
			}
		})
	}
}

func TestLogprobsThatTheCallerDidNotAskForAreTakenOut(t *testing.T) {
	p := probabilities("-0.5", "-1")
	for _, c := range []struct {
		name    string
		stream  bool
		in, out string
	}{
		{"a whole answer", false,
			" {\"id\" : \"c\", \"choices\":[ {\"index\":0,\"logprobs\": " + p + " ,\"message\":{\"content\":\"<é>\\u00e9\",\"logprobs\":1},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1.50e1}}\n",
			" {\"id\" : \"c\", \"choices\":[ {\"index\":0,\"logprobs\": null ,\"message\":{\"content\":\"<é>\\u00e9\",\"logprobs\":1},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1.50e1}}\n"},
		{"several choices", false,
			`{"choices":[{"index":0,"message":{},"logprobs":` + p + `},{"index":1,"message":{},"logprobs":` + p + `,"x":[{"logprobs":2}]}]}`,
			`{"choices":[{"index":0,"message":{},"logprobs":null},{"index":1,"message":{},"logprobs":null,"x":[{"logprobs":2}]}]}`},
		{"a stream", true,
			": hi\n\nevent: x\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"logprobs\":" + p + "}]}\n\n" + finished + done,
			": hi\n\nevent: x\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"logprobs\":null}]}\n\n" + finished + done},
		{"data in two lines", true,
			"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\ndata: \"logprobs\":" + p + "}]}\n\n" + finished + done,
			"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\ndata: \"logprobs\":null}]}\n\n" + finished + done},
		{"the upstream says none", true, delta(`{"content":"the \"logprobs\""}`) + finished + done, delta(`{"content":"the \"logprobs\""}`) + finished + done},
		{"what is no JSON passes as it is", true, "data: {\"logprobs\":{\"choices\n\n" + finished + done, "data: {\"logprobs\":{\"choices\n\n" + finished + done},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := ReadOptions{Dialect: starling.OpenAI, Stream: c.stream, Raw: true, HideLogprobs: true}
			if got := readAll(t, strings.NewReader(c.in), o); got.err != nil || got.raw != c.out {
				t.Errorf("%v\n%s\nwant\n%s", got.err, got.raw, c.out)
			}
			o.HideLogprobs = false
			if got := readAll(t, strings.NewReader(c.in), o); got.raw != c.in {
				t.Errorf("who asked is told otherwise:\n%s", got.raw)
			}
		})
	}
}
