package sim_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/sim"
)

func TestAnAnswerInEachDialect(t *testing.T) {
	o := sim.Options{Models: []sim.Model{both()}, Cases: []sim.Case{{Input: "2+2?", Answer: "4", Wrong: []string{"4"}}}}
	for _, tt := range []struct {
		name      string
		openai    post
		anthropic post
		text      string // contained in the text
		calls     []string
		finish    [2]string // OpenAI's and Anthropic's
	}{
		{"a known input gets its answer", chat("openai", "m", " 2+2? "), chat("anthropic", "m", "2+2?\n"), "4", nil, [2]string{"stop", "end_turn"}},
		{"an unknown input is told that nobody thought",
			chat("openai", "m", "who am I?"), chat("anthropic", "m", "who am I?"), "[simulated] ", nil, [2]string{"stop", "end_turn"}},
		{"the limit cuts the answer",
			chat("openai", "m", "long", `"max_completion_tokens":5`), chat("anthropic", "m", "long", `"max_tokens":5`), "[simulated] No model", nil, [2]string{"length", "max_tokens"}},
		{"a stop sequence ends it and is not part of it",
			chat("openai", "m", "x", `"stop":"wrote"`), chat("anthropic", "m", "x", `"stop_sequences":["never","wrote"]`), "[simulated] No model ", nil, [2]string{"stop", "stop_sequence"}},
		{"the first tool is called", chat("openai", "m", "weather in Ulm?", weatherOpenAI), chat("anthropic", "m", "weather in Ulm?", weatherAnthropic),
			"", []string{"weather"}, [2]string{"tool_calls", "tool_use"}},
		{"both tools are called when the user says both", chat("openai", "m", "Do BOTH!", weatherOpenAI), chat("anthropic", "m", "Do BOTH!", weatherAnthropic),
			"", []string{"weather", "time"}, [2]string{"tool_calls", "tool_use"}},
		{"one at a time when the caller wants no two", chat("openai", "m", "both", weatherOpenAI, `"parallel_tool_calls":false`),
			chat("anthropic", "m", "both", weatherAnthropic, `"tool_choice":{"type":"auto","disable_parallel_tool_use":true}`), "", []string{"weather"}, [2]string{"tool_calls", "tool_use"}},
		{"the tool that must be called is called", chat("openai", "m", "hm", weatherOpenAI, `"tool_choice":{"type":"function","function":{"name":"time"}}`),
			chat("anthropic", "m", "hm", weatherAnthropic, `"tool_choice":{"type":"tool","name":"time"}`), "", []string{"time"}, [2]string{"tool_calls", "tool_use"}},
		{"no tool is called when none may", chat("openai", "m", "hm", weatherOpenAI, `"tool_choice":"none"`),
			chat("anthropic", "m", "hm", weatherAnthropic, `"tool_choice":{"type":"none"}`), "[simulated]", nil, [2]string{"stop", "end_turn"}},
		{"a tool's result is used",
			post{"openai", `{"model":"m","messages":[{"role":"user","content":"weather?"},{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"rain"}],` + weatherOpenAI + `}`, nil},
			post{"anthropic", `{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"weather?"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"weather","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"rain"}]}]}],` + weatherAnthropic + `}`, nil},
			"The tool answered: rain", nil, [2]string{"stop", "end_turn"}},
		{"a schema is filled in", chat("openai", "m", "x", `"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"const":{"a":1}}}}`),
			chat("anthropic", "m", "x", `"output_config":{"format":{"type":"json_schema","schema":{"const":{"a":1}}}}`), `{"a":1}`, nil, [2]string{"stop", "end_turn"}},
	} {
		for i, p := range []post{tt.openai, tt.anthropic} {
			t.Run(tt.name+", "+string(dialects[i]), func(t *testing.T) {
				s := sim.New(o)
				w := ask(s, p)
				if w.Code != http.StatusOK {
					t.Fatalf("status %d: %s", w.Code, w.Body)
				}
				got := whole(t, p.dialect, w.Body.String())
				if !strings.Contains(got.text, tt.text) || (tt.text == "") != (got.text == "") {
					t.Errorf("text %q, want one with %q", got.text, tt.text)
				}
				if got.finish != tt.finish[i] {
					t.Errorf("it ended with %q, want %q", got.finish, tt.finish[i])
				}
				var names []string
				for _, c := range got.calls {
					names = append(names, c.name)
					if !gjson.Valid(c.arguments) {
						t.Errorf("arguments %q are no JSON", c.arguments)
					}
				}
				if !slices.Equal(names, tt.calls) {
					t.Errorf("called %q, want %q", names, tt.calls)
				}
				streamed := p
				streamed.body = strings.Replace(p.body, "{", `{"stream":true,"stream_options":{"include_usage":true},`, 1)
				again := stream(t, p.dialect, ask(s, streamed).Body)
				if !again.done || again.text != got.text || again.finish != got.finish || again.stop != got.stop || !slices.Equal(again.calls, got.calls) {
					t.Errorf("the stream says %+v,\nthe whole answer %+v", again, got)
				}
				if !sameUsage(again.usage, got.usage) {
					t.Errorf("the stream counts %s, the whole answer %s", again.usage, got.usage)
				}
			})
		}
	}
}

func sameUsage(a, b gjson.Result) bool {
	same := a.IsObject()
	b.ForEach(func(k, v gjson.Result) bool {
		same = same && a.Get(k.Str).Raw == v.Raw
		return same
	})
	return same
}

func TestReasoningComesWhenAskedFor(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{both()}})
	for _, d := range dialects {
		effort := map[starling.Dialect]string{"openai": `"reasoning_effort":"high"`, "anthropic": `"thinking":{"type":"enabled","budget_tokens":1024}`}[d]
		plain, deep := whole(t, d, ask(s, chat(d, "m", "x")).Body.String()), whole(t, d, ask(s, chat(d, "m", "x", effort)).Body.String())
		if plain.reasoning != "" || len(strings.Fields(deep.reasoning)) != 12 {
			t.Errorf("%s: reasoning %q without effort, %q with", d, plain.reasoning, deep.reasoning)
		}
		if plain.text != deep.text {
			t.Errorf("%s: reasoning changed the answer", d)
		}
		if d == starling.OpenAI && deep.usage.Get("completion_tokens_details.reasoning_tokens").Int() != sim.Tokens(deep.reasoning) {
			t.Errorf("reasoning tokens are not those of the reasoning: %s", deep.usage)
		}
		streamed := stream(t, d, ask(s, chat(d, "m", "x", effort, `"stream":true`)).Body)
		if streamed.reasoning != deep.reasoning || streamed.signature != deep.signature {
			t.Errorf("%s: the stream reasons otherwise", d)
		}
	}
}

func TestReasoningOfAnotherModelIsRefused(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{both(), {Name: "other"}}})
	deep := whole(t, "anthropic", ask(s, chat("anthropic", "m", "x", `"thinking":{"type":"adaptive"}`)).Body.String())
	history := `{"model":"%s","max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"%s"},{"type":"text","text":"y"}]},{"role":"user","content":"z"}]}`
	if w := ask(s, post{"anthropic", fmt.Sprintf(history, "m", deep.signature), nil}); w.Code != 200 {
		t.Errorf("its own signature: %d %s", w.Code, w.Body)
	}
	if w := ask(s, post{"anthropic", fmt.Sprintf(history, "other", deep.signature), nil}); w.Code != 400 || !strings.Contains(w.Body.String(), "signature") {
		t.Errorf("another model's signature: %d %s", w.Code, w.Body)
	}
}

func TestSeveralChoices(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{both()}})
	b := gjson.ParseBytes(ask(s, chat("openai", "m", "x", `"n":3`)).Body.Bytes())
	var sum int64
	for i, c := range b.Get("choices").Array() {
		sum += sim.Tokens(c.Get("message.content").Str)
		if c.Get("index").Int() != int64(i) {
			t.Errorf("choice %d has index %s", i, c.Get("index"))
		}
	}
	if n := len(b.Get("choices").Array()); n != 3 || b.Get("usage.completion_tokens").Int() != sum {
		t.Errorf("%d choices of %d tokens, usage %s", n, sum, b.Get("usage"))
	}
	finished := 0
	for _, e := range stream(t, "openai", ask(s, chat("openai", "m", "x", `"n":3,"stream":true`)).Body).events {
		if e.Get("choices.0.finish_reason").Str != "" {
			finished++
		}
	}
	if finished != 3 {
		t.Errorf("the stream finished %d choices of 3", finished)
	}
}

func TestCallIDsAreNewInEveryTurn(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{both()}})
	one := whole(t, "openai", ask(s, chat("openai", "m", "both", weatherOpenAI)).Body.String()).calls
	longer := post{"openai", `{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"hi"},{"role":"user","content":"both"}],` + weatherOpenAI + `}`, nil}
	two := whole(t, "openai", ask(s, longer).Body.String()).calls
	ids := map[string]bool{}
	for _, c := range append(one, two...) {
		ids[c.id] = true
	}
	if len(ids) != 4 {
		t.Errorf("four calls have the ids %v", ids)
	}
}

func TestTheOnlyToolIsCalledTwiceWithDifferentArguments(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{both()}})
	single := `"tools":[{"type":"function","function":{"name":"w","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]`
	calls := whole(t, "openai", ask(s, chat("openai", "m", "both Ulm and Bonn", single)).Body.String()).calls
	if len(calls) != 2 || calls[0].arguments == calls[1].arguments || calls[0].id == calls[1].id {
		t.Errorf("calls %+v", calls)
	}
}

func TestUsageInAStreamOnlyWhenAskedFor(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{both()}})
	without := stream(t, "openai", ask(s, chat("openai", "m", "x", `"stream":true`)).Body)
	for _, e := range without.events {
		if e.Get("usage").Exists() || len(e.Get("choices").Array()) != 1 {
			t.Fatalf("an event nobody asked for: %s", e)
		}
	}
	with := stream(t, "openai", ask(s, chat("openai", "m", "x", `"stream":true,"stream_options":{"include_usage":true}`)).Body)
	last := len(with.events) - 1
	for i, e := range with.events {
		if !e.Get("usage").Exists() || e.Get("usage").IsObject() != (i == last) {
			t.Errorf("event %d of %d has usage %q", i, last, e.Get("usage").Raw)
		}
	}
	if n := len(with.events[last].Get("choices").Array()); n != 0 {
		t.Errorf("the usage chunk has %d choices", n)
	}
}

func TestOpenAIsChunksShareTheirHead(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{both()}})
	events := stream(t, "openai", ask(s, chat("openai", "m", "both", weatherOpenAI, `"stream":true`)).Body).events
	if events[0].Get("choices.0.delta.role").Str != "assistant" {
		t.Errorf("the first chunk has no role: %s", events[0])
	}
	for i, e := range events {
		for _, field := range []string{"id", "created", "model", "object"} {
			if e.Get(field).Raw != events[0].Get(field).Raw {
				t.Errorf("chunk %d has another %s", i, field)
			}
		}
		if (e.Get("choices.0.finish_reason").Str != "") != (i == len(events)-1) {
			t.Errorf("chunk %d of %d has finish_reason %s", i, len(events), e.Get("choices.0.finish_reason"))
		}
		e.Get("choices.0.delta.tool_calls").ForEach(func(_, c gjson.Result) bool {
			if !c.Get("index").Exists() {
				t.Errorf("chunk %d has a call without index", i)
			}
			return true
		})
	}
}

func TestAnthropicsEventsComeInOrder(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{both()}})
	var kinds []string
	for _, e := range stream(t, "anthropic", ask(s, chat("anthropic", "m", "x", `"stream":true,"thinking":{"type":"adaptive"}`)).Body).events {
		kind := e.Get("type").Str + e.Get("delta.type").Str
		if len(kinds) == 0 || kinds[len(kinds)-1] != kind {
			kinds = append(kinds, kind)
		}
	}
	want := "message_start content_block_start ping content_block_deltathinking_delta content_block_deltasignature_delta content_block_stop " +
		"content_block_start content_block_deltatext_delta content_block_stop message_delta message_stop"
	if got := strings.Join(kinds, " "); got != want {
		t.Errorf("events\n%s\nwant\n%s", got, want)
	}
}
