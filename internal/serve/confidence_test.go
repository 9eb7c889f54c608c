package serve_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/sim"
)

// TestHowSureTheModelIsIsInAHeader: of an answer that is there as a whole. Its
// body tells only who asked.
func TestHowSureTheModelIsIsInAHeader(t *testing.T) {
	const free, held = "candidates: [{model: up/m, confidence: logprob}]\n", "candidates: [{model: up/m, confidence: logprob}]\nverify:\n  - {kind: label, values: [\"4\"]}\n"
	form := regexp.MustCompile(`^0\.\d{4}$`)
	for _, c := range []struct {
		name, rubric, path, fields string
		header, told               bool
	}{
		{"whole", free, chatPath, "", true, false},
		{"whole and verified", held, chatPath, "", true, false},
		{"whole in the other dialect", free, messagesPath, "", true, false},
		{"streamed and verified", held, chatPath, `"stream":true,`, true, false},
		{"streamed as it comes", free, chatPath, `"stream":true,`, false, false},
		{"the caller asks too", free, chatPath, `"logprobs":true,`, true, true},
		{"nobody but the caller asks", "candidates: [up/m]\n", chatPath, `"logprobs":true,`, true, true},
		{"nobody asks", "candidates: [up/m]\n", chatPath, "", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			up := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Quality: 1}}, Cases: []sim.Case{{Input: "2+2?", Answer: "4"}}})
			s := newStand(t, standOptions{skills: testSkill(c.rubric)}, upstreamAt{name: "up", dialect: starling.OpenAI, handler: up})
			a := s.ask(c.path, fmt.Sprintf(`{%s"model":"starling/test","max_tokens":50,"messages":[{"role":"user","content":"2+2?"}]}`, c.fields))
			if a.status != 200 || !strings.Contains(a.body, "4") {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if got := a.header.Get("X-Starling-Confidence"); form.MatchString(got) != c.header || !c.header && got != "" {
				t.Errorf("the header says %q", got)
			}
			if told := gjson.Get(a.body, "choices.0.logprobs.content").IsArray(); told != c.told || strings.Contains(a.body, `"logprob"`) != c.told {
				t.Errorf("the body is %s", a.body)
			}
			if r := s.receipt(a); (r.Attempts[0].Confidence > 0) != (c.header || strings.Contains(c.fields, "stream")) {
				t.Errorf("the receipt says %v", r.Attempts[0].Confidence)
			}
		})
	}
}
