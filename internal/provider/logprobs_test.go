package provider

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"starling"
	"starling/internal/sim"
	"starling/internal/wire"
)

// simulated returns a provider in front of a simulated upstream, and what its
// last question was.
func simulated(t *testing.T, d starling.Dialect) (p *HTTP, asked *string) {
	t.Helper()
	asked = new(string)
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Quality: 1}}, Cases: []sim.Case{{Input: "sing", Answer: "tirili, tirila <é>"}}})
	u := serveHandler(t, d, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*asked = string(body)
		again := r.Clone(r.Context())
		again.Body, again.ContentLength = io.NopCloser(strings.NewReader(*asked)), int64(len(*asked))
		s.ServeHTTP(w, again)
	})
	return open(t, u.options(t)), asked
}

// different are what two calls of one simulated model differ in.
var different = regexp.MustCompile(`sim-chatcmpl-[0-9a-f]+|"created":\d+`)

// answered is the bytes and the confidence that come of a call.
func answered(t *testing.T, p *HTTP, c starling.Call) (raw string, confidence float64) {
	t.Helper()
	for ev, err := range p.Generate(t.Context(), c) {
		if err != nil {
			t.Fatal(err)
		}
		raw += string(ev.Raw)
		if ev.Confidence > 0 {
			confidence = ev.Confidence
		}
	}
	return different.ReplaceAllString(raw, ""), confidence
}

func TestAModelThatIsAskedSaysHowSureItIsAndItsCallerSeesNothingOfIt(t *testing.T) {
	for _, stream := range []bool{true, false} {
		t.Run(fmt.Sprintf("stream %t", stream), func(t *testing.T) {
			p, asked := simulated(t, starling.OpenAI)
			plain := calling(p, stream)
			want, none := answered(t, p, plain)
			if none != 0 || strings.Contains(*asked, "logprobs") {
				t.Errorf("nobody asked, and it is %v sure of %s", none, *asked)
			}
			before := *asked
			sure := plain
			sure.Logprobs = true
			got, confidence := answered(t, p, sure)
			if got != want {
				t.Errorf("the caller sees\n%s\nnot\n%s", got, want)
			}
			if confidence < 0.6 || confidence >= 1 {
				t.Errorf("confidence %v", confidence)
			}
			if strings.Replace(*asked, `"logprobs":true,`, "", 1) != before {
				t.Errorf("it was asked\n%s\nnot\n%s", *asked, before)
			}
		})
	}
}

func TestWhoAsksForLogprobsGetsThem(t *testing.T) {
	for _, stream := range []bool{true, false} {
		p, asked := simulated(t, starling.OpenAI)
		for _, ours := range []bool{true, false} {
			c := calling(p, stream)
			r, err := wire.Parse(starling.OpenAI, []byte(strings.Replace(string(c.Request.Body), "{", `{"logprobs":true,"top_logprobs":1,`, 1)))
			if err != nil {
				t.Fatal(err)
			}
			c.Request, c.Logprobs = &r, ours
			raw, confidence := answered(t, p, c)
			if !strings.Contains(raw, `"logprob":-`) || !strings.Contains(raw, `"top_logprobs":[{`) || confidence == 0 {
				t.Errorf("stream %t, ours too %t: confidence %v, %s", stream, ours, confidence, raw)
			}
			if strings.Count(*asked, `"logprobs"`) != 1 {
				t.Errorf("it was asked %s", *asked)
			}
		}
	}
}

func TestConfidenceCrossesDialectsAsFarAsThereIsOne(t *testing.T) {
	for _, stream := range []bool{true, false} {
		for of, known := range map[starling.Dialect]bool{starling.OpenAI: true, starling.Anthropic: false} {
			for _, from := range []starling.Dialect{starling.OpenAI, starling.Anthropic} {
				p, asked := simulated(t, of)
				c := calling(p, stream)
				c.Request, c.Logprobs = asking(from, stream), true
				_, confidence := answered(t, p, c)
				if (confidence > 0) != known || math.IsNaN(confidence) || strings.Contains(*asked, "logprobs") != known {
					t.Errorf("%s to %s, stream %t: %v after %s", from, of, stream, confidence, *asked)
				}
			}
		}
	}
}

func TestAnUpstreamWithoutLogprobsSaysWhatToRemove(t *testing.T) {
	u := serveHandler(t, starling.OpenAI, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		about := "messages"
		if strings.Contains(string(body), `"logprobs":true`) {
			about = "logprobs"
		}
		fmt.Fprintf(w, `{"error":{"message":"no %s here","type":"invalid_request_error","param":null,"code":null}}`, about)
	})
	p := open(t, u.options(t))
	for _, wish := range []bool{true, false} {
		c := calling(p, true)
		c.Logprobs = wish
		_, _, err := collect(t, p, c)
		e, _ := errors.AsType[*starling.Error](err)
		if e == nil || e.Kind != starling.Refused || e.Billed {
			t.Fatalf("%v", err)
		}
		if strings.Contains(e.Hint, "confidence: logprob") != wish || (e.Reply == nil) != wish {
			t.Errorf("asked %t: %v, with the upstream's own words: %t", wish, err, e.Reply != nil)
		}
	}
}
