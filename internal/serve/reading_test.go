package serve_test

import (
	"fmt"
	"strings"
	"testing"

	"starling"
	"starling/internal/sim"
	"starling/internal/tokens"
)

// reads is an upstream of one simulated model.
func reads(name string, zone starling.Zone, m sim.Model) upstreamAt {
	m.Name = "m"
	return upstreamAt{name: name, dialect: starling.OpenAI, zone: zone, handler: sim.New(sim.Options{Models: []sim.Model{m}})}
}

// prose is about so many tokens as the simulator counts them.
func prose(n int) string { return strings.Repeat("The starling is a bird. ", n/6) }

func worded(model string, stream bool, text string) string {
	return fmt.Sprintf(`{"model":%q,"stream":%t,"max_tokens":100,"messages":[{"role":"system","content":"Answer in one word."},{"role":"user","content":%q}]}`, model, stream, text)
}

// TestAnUpstreamThatCutsAPromptInSilenceIsFoundOutAtOnce has a server near by read the
// last 4096 tokens of what it is sent, and say nothing of it.
func TestAnUpstreamThatCutsAPromptInSilenceIsFoundOutAtOnce(t *testing.T) {
	s := newStand(t, standOptions{skills: testSkill("candidates: [near/m, far/m]\n")},
		reads("near", starling.Machine, sim.Model{Reads: 4096}), reads("far", starling.Cloud, sim.Model{}))
	s.cascade.Router.Factors = tokens.NewFactors()
	for i := range 10 { // what fits teaches the factor
		a := s.ask(chatPath, worded("near/m", i%2 == 0, prose(1000+200*i)))
		r := s.receipt(a)
		if a.header.Get("X-Starling-Warning") != "" || r.Attempts[0].Short != "" || r.Attempts[0].Counted == 0 {
			t.Fatalf("of a prompt that fits: %v, %+v", a.header, r.Attempts)
		}
	}

	for _, path := range []string{chatPath, messagesPath} {
		for _, stream := range []bool{false, true} {
			a := s.ask(path, worded("near/m", stream, prose(6000)))
			first := s.receipt(a).Attempts[0]
			if first.Outcome != starling.Answered || first.Usage.TotalInput() > 4096 || !strings.HasPrefix(first.Short, fmt.Sprintf("read %d of about 60", first.Usage.TotalInput())) {
				t.Errorf("%s, streamed %t: %+v", path, stream, first)
			}
			if said := a.header.Get("X-Starling-Warning"); said != "near/m "+first.Short {
				t.Errorf("%s, streamed %t: the caller is told %q", path, stream, said)
			}
		}
	}
	if m := s.get("/metrics").body; !strings.Contains(m, `starling_short_reads_total{model="near/m"} 4`) {
		t.Error("the metrics do not count it")
	}

	a := s.ask(chatPath, worded("starling/test", false, prose(6000)))
	r := s.receipt(a)
	if a.status != 200 || len(r.Attempts) != 2 || r.Attempts[0].Outcome != starling.Rejected || a.header.Get("X-Starling-Provider") != "far" || a.header.Get("X-Starling-Warning") != "" {
		t.Errorf("status %d, %v, %+v", a.status, a.header, r.Attempts)
	}
}

func TestWhatNoWindowHoldsIsRefusedWithTheNumbers(t *testing.T) {
	large(t)
	s := newStand(t, standOptions{}, reads("far", starling.Cloud, sim.Model{}))
	body := worded("far/m", false, strings.Repeat("The starling is a bird. ", 1<<19)) // the stand's models have a window of 1 << 20
	for path, says := range map[string]string{chatPath: `"request_too_large"`, messagesPath: `"type":"error"`} {
		a := s.ask(path, body)
		r := s.receipt(a)
		if a.status != 413 || !strings.Contains(a.body, says) || !strings.Contains(a.body, "prompt is too long: ") || !strings.Contains(a.body, " tokens > 104") || !strings.Contains(a.body, "its window of 1048576") {
			t.Errorf("%s: status %d, %s", path, a.status, a.body)
		}
		if r.Kind != starling.TooLarge || len(r.Attempts) != 0 || r.Cost != 0 || len(r.Plan.Left) != 1 {
			t.Errorf("%s: %+v", path, r)
		}
	}
}
