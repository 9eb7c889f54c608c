package serve_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"starling"
	"starling/internal/route"
	"starling/internal/sim"
)

// turns of the agent's trace that is replayed.
const turns = 50

// step is what the user, or a program for it, says in a turn: the case of which the
// simulated models know the right answer.
func step(run string, turn int) string {
	return fmt.Sprintf("Step %d of %s. The last command printed: %s. Is the step done?", turn, run, strings.Repeat(fmt.Sprintf("line %d is as it was before; ", turn*7), 20))
}

// trace returns the body of a turn of an agent's work: a long system prompt, tools,
// and a history that grows by a tool call, its result and an answer each turn.
func trace(model, run string, turn int) string {
	type object = map[string]any
	messages := []object{{"role": "system", "content": "You are the agent of " + run + ". " + strings.Repeat("Follow the house rules for changes to the code. ", 250)}}
	for i := 1; i < turn; i++ {
		id := fmt.Sprintf("call_%d", i)
		messages = append(messages,
			object{"role": "user", "content": step(run, i)},
			object{"role": "assistant", "content": nil, "tool_calls": []object{{"id": id, "type": "function", "function": object{"name": "run", "arguments": fmt.Sprintf(`{"command":"make step-%d"}`, i)}}}},
			object{"role": "tool", "tool_call_id": id, "content": strings.Repeat(fmt.Sprintf("ok %d ", i), 80)},
			object{"role": "assistant", "content": "done"})
	}
	messages = append(messages, object{"role": "user", "content": step(run, turn)})
	tools := []object{}
	for _, name := range []string{"run", "read_file", "write_file", "search"} {
		tools = append(tools, object{"type": "function", "function": object{"name": name, "description": strings.Repeat("What it does, and when. ", 10), "parameters": object{"type": "object", "properties": object{"command": object{"type": "string"}}}}})
	}
	return string(must(json.Marshal(object{"model": model, "max_tokens": 200, "messages": messages, "tools": tools})))
}

func cents(in, out, read int64) starling.Price {
	const cent = starling.Rate(starling.Dollar / 100)
	return starling.Price{Rates: starling.Rates{Input: starling.Rate(in) * cent, Output: starling.Rate(out) * cent, CacheRead: starling.Rate(read) * cent}, Source: "test"}
}

// TestAnAgentsTraceNeverCostsMoreThanItsBestSingleModel replays a trace over real
// HTTP against simulated upstreams with and without prompt caches: through a skill,
// and with each of its models alone. The first trace of all teaches the gateway how
// long answers and conversations of the skill are, so it may lose a little.
func TestAnAgentsTraceNeverCostsMoreThanItsBestSingleModel(t *testing.T) {
	large(t)
	small := sim.Model{Name: "small", Price: cents(27, 110, 0), Quality: 0.85}
	plain := sim.Model{Name: "plain", Price: cents(150, 600, 0), Quality: 0.85}
	tenant := sim.Model{Name: "tenant", Price: cents(80, 400, 8), Quality: 0.96, PromptCache: true}
	premium := sim.Model{Name: "premium", Price: cents(500, 2500, 50), Quality: 1, PromptCache: true}
	const verified = "verify: [{kind: label, values: [done]}]\n"
	for _, c := range []struct {
		name   string
		models []sim.Model
		rubric string
	}{
		{"the first has no cache, the next a cheap one", []sim.Model{small, tenant, premium}, ""},
		{"the first has a cache", []sim.Model{tenant, premium}, ""},
		{"the last has the only cache, and it pays", []sim.Model{plain, premium}, ""},
		{"the first is rejected now and then", []sim.Model{small, premium}, verified},
		{"the first has a cache and is rejected now and then", []sim.Model{tenant, premium}, verified},
		{"the first is dearer than the last is from its cache, and rejected now and then", []sim.Model{plain, premium}, verified},
		{"of three the first two are rejected now and then", []sim.Model{small, tenant, premium}, verified},
	} {
		t.Run(c.name, func(t *testing.T) {
			var cases []sim.Case
			runs := []string{"run-0", "run-1"}
			for i := range c.models {
				runs = append(runs, fmt.Sprintf("run-%d", i+2))
			}
			for _, run := range runs {
				for turn := range turns {
					cases = append(cases, sim.Case{Input: step(run, turn+1), Answer: "done", Wrong: []string{"perhaps"}})
				}
			}
			var ups []upstreamAt
			var ids []string
			for _, m := range c.models {
				m.Words = 8
				ups = append(ups, upstreamAt{name: "sim-" + m.Name, model: m.Name, dialect: starling.OpenAI, price: m.Price, handler: sim.New(sim.Options{Models: []sim.Model{m}, Cases: cases, Seed: 3})})
				ids = append(ids, "sim-"+m.Name+"/"+m.Name)
			}
			s := newStand(t, standOptions{skills: testSkill("candidates: [" + strings.Join(ids, ", ") + "]\n" + c.rubric)}, ups...)
			s.cascade.Router.Sessions = route.NewSessions()

			first, _, _ := s.replay("starling/test", runs[0])
			cost, rejected, wrong := s.replay("starling/test", runs[1])
			t.Logf("%-26s %s, the first time %s; %d answers rejected, %d wrong", "the skill", cost, first, rejected, wrong)
			best := starling.Money(0)
			for i, id := range ids {
				alone, _, mistakes := s.replay(id, runs[i+2])
				t.Logf("%-26s %s, %d wrong", id, alone, mistakes)
				if c.rubric != "" && mistakes > 0 {
					continue // it would have been rejected
				}
				if best == 0 || alone < best {
					best = alone
				}
			}
			if cost > best || float64(first) > 1.02*float64(best) {
				t.Errorf("the skill cost %s, and %s the first time; the best model alone %s", cost, first, best)
			}
			if c.rubric != "" && wrong > 0 {
				t.Errorf("%d wrong answers were sent", wrong)
			}
		})
	}
}

// replay asks every turn of a run, and returns what it cost, how many answers were
// rejected and how many were sent that are not right.
func (s *stand) replay(model, run string) (cost starling.Money, rejected, wrong int) {
	s.t.Helper()
	for turn := range turns {
		a := s.ask(chatPath, trace(model, run, turn+1))
		if a.status != 200 {
			s.t.Fatalf("turn %d: %d %s", turn+1, a.status, a.body)
		}
		if !strings.Contains(a.body, `"done"`) {
			wrong++
		}
		r := s.receipt(a)
		cost += r.Cost
		for _, attempt := range r.Attempts {
			if attempt.Outcome == starling.Rejected {
				rejected++
			}
		}
	}
	return cost, rejected, wrong
}
