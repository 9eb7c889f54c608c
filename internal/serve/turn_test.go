package serve_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"starling"
	"starling/internal/cascade"
	"starling/internal/provider"
	"starling/internal/sim"
)

// agentBody is a turn of an agent in which the same call was made twice already, with
// the same result.
func agentBody(path, model string, stream bool) string {
	const schema = `{"type":"object","properties":{"command":{"type":"string"}},"required":["command"]}`
	head := fmt.Sprintf(`{"model":%q,"stream":%t,"max_tokens":400,`, model, stream)
	if path == messagesPath {
		call := func(id string) string {
			return `{"role":"assistant","content":[{"type":"tool_use","id":"` + id + `","name":"bash","input":{"command":"ls"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"` + id + `","content":"a.go"}]}`
		}
		return head + `"tools":[{"name":"bash","input_schema":` + schema + `}],"messages":[{"role":"user","content":"Fix it."},` + call("toolu_1") + "," + call("toolu_2") + `]}`
	}
	call := func(id string) string {
		return `{"role":"assistant","content":null,"tool_calls":[{"id":"` + id + `","type":"function","function":{"name":"bash","arguments":"{\"command\":\"ls\"}"}}]},{"role":"tool","tool_call_id":"` + id + `","content":"a.go"}`
	}
	return head + `"tools":[{"type":"function","function":{"name":"bash","parameters":` + schema + `}}],"messages":[{"role":"user","content":"Fix it."},` + call("call_1") + "," + call("call_2") + `]}`
}

// TestAFaultyTurnIsReplacedBeforeAnybodySeesIt: a cheap model with each of the faults
// stands in front of a good one.
func TestAFaultyTurnIsReplacedBeforeAnybodySeesIt(t *testing.T) {
	for name, slip := range map[string]sim.Slip{
		"makes the same calls": {Loop: 1}, "not offered": {UnknownTool: 1}, "do not fit": {BadArguments: 1}, "as text": {Spoken: 1}, "is empty": {Empty: 1}, "again and again": {Babble: 1},
	} {
		cheap := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Slip: slip}}})
		good := sim.New(sim.Options{Models: []sim.Model{{Name: "m"}}})
		s := newStand(t, standOptions{skills: testSkill("candidates: [cheap/m, good/m]\n")},
			upstreamAt{name: "cheap", dialect: starling.OpenAI, handler: cheap}, upstreamAt{name: "good", dialect: starling.Anthropic, handler: good})
		for _, path := range []string{chatPath, messagesPath} {
			for _, stream := range []bool{false, true} {
				where := fmt.Sprintf("%s, %s, stream %t", name, path, stream)
				a := s.ask(path, agentBody(path, "starling/test", stream))
				r := s.receipt(a)
				d := map[string]starling.Dialect{chatPath: starling.OpenAI, messagesPath: starling.Anthropic}[path]
				if text, _ := heardText(t, d, stream, a); a.status != 200 || a.header.Get("X-Starling-Provider") != "good" || !strings.HasSuffix(text, "The tool answered: a.go") {
					t.Errorf("%s: status %d by %s: %s", where, a.status, a.header.Get("X-Starling-Provider"), a.body)
				}
				if len(r.Attempts) != 2 || r.Attempts[0].Outcome != starling.Rejected || !strings.Contains(r.Attempts[0].Why, name) || r.Attempts[1].Outcome != starling.Answered {
					t.Errorf("%s: attempts %+v", where, r.Attempts)
					continue
				}
				if r.Attempts[0].Cost <= 0 || r.Cost != r.Attempts[0].Cost.Plus(r.Attempts[1].Cost) {
					t.Errorf("%s: the failed try cost %s of %s", where, r.Attempts[0].Cost, r.Cost)
				}
				if c := r.Plan.Candidates; !slices.Equal(c[0].Nets, []string{starling.TurnNet}) || c[1].Nets != nil {
					t.Errorf("%s: nets %v and %v", where, c[0].Nets, c[1].Nets)
				}
				if reason := a.header.Get("X-Starling-Reason"); !strings.Contains(reason, "after cheap/m rejected") {
					t.Errorf("%s: reason %q", where, reason)
				}
			}
		}
		if tried, answered := cheap.Tally().Models["m"].Answered, good.Tally().Models["m"].Answered; tried != 4 || answered != 4 {
			t.Errorf("%s: the cheap one was asked %d times, the good one %d times", name, tried, answered)
		}
	}
}

// TestTheLastOfAPlanStreamsAndItsFaultIsNoted: nobody could do better, so nothing is
// held back, cut or refused.
func TestTheLastOfAPlanStreamsAndItsFaultIsNoted(t *testing.T) {
	looping := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Slip: sim.Slip{Loop: 1}}}})
	s := newStand(t, standOptions{skills: testSkill("candidates: [up/m]\n")}, upstreamAt{name: "up", dialect: starling.OpenAI, handler: looping})
	for _, model := range []string{"up/m", "starling/test"} {
		for _, path := range []string{chatPath, messagesPath} {
			for _, stream := range []bool{false, true} {
				a := s.ask(path, agentBody(path, model, stream))
				r := s.receipt(a)
				if a.status != 200 || !strings.Contains(a.body, "bash") || r.Outcome != starling.Answered {
					t.Errorf("%s, %s, stream %t: status %d: %s", model, path, stream, a.status, a.body)
				}
				v := r.Attempts[0].Verdicts
				if len(v) != 1 || v[0].Verifier != starling.TurnNet || v[0].Accept || !strings.Contains(r.Response.Reason, "turn: it makes the same calls") {
					t.Errorf("%s, %s, stream %t: verdicts %+v, reason %q", model, path, stream, v, r.Response.Reason)
				}
			}
		}
	}
	if m := s.get("/metrics"); !strings.Contains(m.body, `starling_nets_total{model="up/m",net="turn",result="noted"} 8`) {
		t.Error("the metric does not say so")
	}
}

// TestAStallEscalatesWhileNothingWasSent: who says nothing more is passed over if the
// caller has seen nothing, in the middle of its turn too, and paid.
func TestAStallEscalatesWhileNothingWasSent(t *testing.T) {
	const limit = 200 * time.Millisecond // which is the first one's alone
	for _, begun := range []bool{false, true} {
		for _, path := range []string{chatPath, messagesPath} {
			t.Run(fmt.Sprintf("%s, begun %t", path, begun), func(t *testing.T) {
				t.Parallel()
				stalls := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					w.Header().Set("Content-Type", "text/event-stream")
					if begun {
						_, _ = io.WriteString(w, oai(oaiRole)+oai(oaiText))
					}
					_ = http.NewResponseController(w).Flush()
					<-r.Context().Done()
				})
				s := newStand(t, standOptions{skills: testSkill("candidates: [one/m, two/m]\n")},
					upstreamAt{name: "one", dialect: starling.OpenAI, handler: stalls, limits: provider.Limits{First: limit, Idle: limit}}, upstreamAt{name: "two", dialect: starling.Anthropic, handler: proper(starling.Anthropic, true)})
				a := s.ask(path, agentBody(path, "starling/test", true))
				r := s.receipt(a)
				if a.status != 200 || a.header.Get("X-Starling-Provider") != "two" || strings.Count(a.body, "Hello") != 1 {
					t.Errorf("status %d: %s", a.status, a.body)
				}
				if len(r.Attempts) != 2 || r.Attempts[0].Outcome != starling.Failed || r.Attempts[0].Kind != starling.Overloaded || r.Attempts[0].Cost <= 0 {
					t.Errorf("attempts %+v", r.Attempts)
				}
			})
		}
	}
}

func TestObservingPutsUpNoNets(t *testing.T) {
	path, body := shapedPaths[starling.OpenAI]("one/m", true)
	one := &script{dialect: starling.OpenAI, first: saying{text: "not JSON", finish: starling.Stopped}}
	s := newStand(t, standOptions{observe: &cascade.Observing{}, skills: testSkill("candidates: [one/m]\n")}, upstreamAt{name: "one", dialect: starling.OpenAI, handler: one})
	if a := s.ask(path, body); a.status != 200 || !strings.Contains(a.body, "not") || one.calls != 1 {
		t.Errorf("status %d: %s", a.status, a.body)
	}
}

// TestTheSimulatorsSlipsInShape are mended, or asked for again.
func TestTheSimulatorsSlipsInShape(t *testing.T) {
	up := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Slip: sim.Slip{Fence: 0.4, Misshape: 0.4}}}})
	s := newStand(t, standOptions{}, upstreamAt{name: "up", dialect: starling.OpenAI, handler: up})
	mended, again := 0, 0
	for i := range 40 {
		path, body := shapedPaths[starling.Anthropic]("up/m", i%2 == 0)
		a := s.ask(path, strings.Replace(body, `"q"`, fmt.Sprintf(`"q %d"`, i), 1))
		r := s.receipt(a)
		mended += strings.Count(r.Response.Reason, "code fence")
		again += len(r.Attempts) - 1
		if a.status != 200 && (a.status != 502 || len(r.Attempts) != 2) {
			t.Errorf("status %d: %s", a.status, a.body)
		}
	}
	if mended < 5 || again < 5 {
		t.Errorf("%d mended, %d asked again", mended, again)
	}
}
