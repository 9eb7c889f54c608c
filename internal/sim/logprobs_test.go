package sim_test

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling/internal/sim"
)

// heardLogprobs returns the tokens of an answer's log-probabilities, joined, and
// their mean.
func heardLogprobs(list gjson.Result, text string, sum float64, n int) (string, float64, int) {
	for _, token := range list.Array() {
		text += token.Get("token").Str
		sum += token.Get("logprob").Num
		n++
	}
	return text, sum, n
}

func TestLogprobsAreOfTheAnswersTokens(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{both()}})
	p := chat("openai", "m", "Größe?", `"logprobs":true`, `"top_logprobs":1`, `"reasoning_effort":"low"`)
	body := ask(s, p).Body.String()
	text, sum, n := heardLogprobs(gjson.Get(body, "choices.0.logprobs.content"), "", 0, 0)
	if text != gjson.Get(body, "choices.0.message.content").Str || n == 0 {
		t.Errorf("the tokens say %q", text)
	}
	if c := math.Exp(sum / float64(n)); c <= 0 || c >= 1 {
		t.Errorf("confidence %v", c)
	}
	p.body = strings.Replace(p.body, "{", `{"stream":true,`, 1)
	said, streamed, m := "", 0.0, 0
	got := stream(t, "openai", ask(s, p).Body)
	for _, e := range got.events {
		if hasText := e.Get("choices.0.delta.content").Str != ""; e.Get("choices.0.logprobs").IsObject() != hasText {
			t.Errorf("not with every piece, or with something else: %s", e.Raw)
		}
		said, streamed, m = heardLogprobs(e.Get("choices.0.logprobs.content"), said, streamed, m)
	}
	if said != text || m != n || math.Abs(streamed-sum) > 1e-9 {
		t.Errorf("the stream says %q, Σ %v; want %q, Σ %v", said, streamed, text, sum)
	}
}

func TestWhoDoesNotAskGetsNoLogprobs(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{both()}})
	if got := gjson.Get(ask(s, chat("openai", "m", "x")).Body.String(), "choices.0.logprobs"); got.Type != gjson.Null || !got.Exists() {
		t.Errorf("%s", got.Raw)
	}
	for _, field := range []string{`"top_logprobs":2`, `"logprobs":true,"top_logprobs":21`, `"logprobs":true,"top_logprobs":"x"`, `"logprobs":1`} {
		if w := ask(s, chat("openai", "m", "x", field)); w.Code != http.StatusBadRequest {
			t.Errorf("%s: status %d", field, w.Code)
		}
	}
}

// A model is mostly surer of what it is right about, and not so that a threshold
// could tell all of it.
func TestAModelIsMostlySurerWhenItIsRight(t *testing.T) {
	var cases []sim.Case
	for i := range 400 {
		cases = append(cases, sim.Case{Input: fmt.Sprint("case ", i), Answer: "right", Wrong: []string{"wrong"}})
	}
	m := both()
	m.Quality = 0.5
	s := sim.New(sim.Options{Models: []sim.Model{m}, Cases: cases, Seed: 3})
	var sums [2]float64
	var counts, sure [2]int
	for _, c := range cases {
		body := ask(s, chat("openai", "m", c.Input, `"logprobs":true`)).Body.String()
		_, sum, n := heardLogprobs(gjson.Get(body, "choices.0.logprobs.content"), "", 0, 0)
		which := 0
		if gjson.Get(body, "choices.0.message.content").Str == "right" {
			which = 1
		}
		confidence := math.Exp(sum / float64(n))
		sums[which] += confidence
		counts[which]++
		if confidence > 0.9 {
			sure[which]++
		}
	}
	wrong, right := sums[0]/float64(counts[0]), sums[1]/float64(counts[1])
	if right < wrong+0.15 || sure[0] == 0 || sure[1] < counts[1]/2 {
		t.Errorf("right %.2f in the mean, %d of %d sure; wrong %.2f, %d of %d", right, sure[1], counts[1], wrong, sure[0], counts[0])
	}
}
