package wire

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"starling"
)

// What an answer can say to a caller of every dialect, by writing it and reading it
// again. Of an answer nothing is told to be left out, as nobody asks for it; the
// receipt has the whole count.

// answered writes an answer for a caller of a dialect, and reads it.
func answered(t failing, d starling.Dialect, stream bool, events ...starling.Event) heard {
	r := &starling.Request{Dialect: d, Stream: stream, WantUsage: stream, WantProbs: true, Model: "asked", Body: []byte(`{}`)}
	var out bytes.Buffer
	w := NewWriter(&out, WriterOptions{Request: r, ID: "id_1", Created: time.Unix(1_764_000_000, 0), Model: "m"})
	for _, ev := range events {
		if err := w.Event(ev); err != nil {
			t.Fatalf("%s, stream %t: %v", d, stream, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("%s, stream %t: %v", d, stream, err)
	}
	var h heard
	var c Collector
	for ev, err := range Read(&out, ReadOptions{Dialect: d, Stream: stream, Deltas: true}) {
		if err != nil {
			t.Fatalf("%s, stream %t: %v", d, stream, err)
		}
		c.Add(ev)
		if ev.Usage != nil {
			h.usage = *ev.Usage
		}
	}
	h.answer, h.think = *c.Answer(), c.told.text(starling.ReasoningPart)
	for _, b := range c.told.blocks {
		if b.signature != "" && b.signature != ourMark {
			h.raw += "signature " + b.signature
		}
		if len(b.tokens) > 0 {
			h.raw += fmt.Sprintf("tokens %v", b.tokens)
		}
		if b.kind == starling.RefusalPart {
			h.raw += "refusal " + b.said.String()
		}
	}
	return h
}

// A mention is one thing that an answer can say, beside a text.
type mention struct {
	name   string
	events []starling.Event
	read   func(h heard) string // what came of it; "" nothing
	want   string
}

func reasons() (all []mention) {
	for _, f := range []starling.Finish{starling.Stopped, starling.StopWord, starling.Length, starling.Filtered, starling.Paused, starling.Overfull, starling.OtherStop} {
		all = append(all, mention{"ended: " + string(f), []starling.Event{textDelta(0, "x"), {Finish: f, Usage: &starling.Usage{Input: 1, Output: 1}}}, func(h heard) string { return string(h.answer.Finish) }, string(f)})
	}
	return all
}

func counts() (all []mention) {
	for name, c := range map[string]struct {
		usage starling.Usage
		of    func(u starling.Usage) int64
	}{
		"counted: input":                        {starling.Usage{Input: 700, Output: 1}, func(u starling.Usage) int64 { return u.Input }},
		"counted: read from a cache":            {starling.Usage{Input: 1, CacheRead: 700, Output: 1}, func(u starling.Usage) int64 { return u.CacheRead }},
		"counted: written to a cache":           {starling.Usage{Input: 1, CacheWrite: 700, Output: 1}, func(u starling.Usage) int64 { return u.CacheWrite }},
		"counted: written to it for an hour":    {starling.Usage{Input: 1, CacheWrite1h: 700, Output: 1}, func(u starling.Usage) int64 { return u.CacheWrite1h }},
		"counted: input, all together":          {starling.Usage{Input: 100, CacheRead: 200, CacheWrite: 300, CacheWrite1h: 100, Output: 1}, func(u starling.Usage) int64 { return u.TotalInput() }},
		"counted: output":                       {starling.Usage{Input: 1, Output: 700}, func(u starling.Usage) int64 { return u.Output }},
		"counted: of the output, for reasoning": {starling.Usage{Input: 1, Output: 800, Reasoning: 700}, func(u starling.Usage) int64 { return u.Reasoning }},
	} {
		all = append(all, mention{name, []starling.Event{textDelta(0, "x"), {Finish: starling.Stopped, Usage: &c.usage}}, func(h heard) string { return strings.TrimPrefix(fmt.Sprint(c.of(h.usage)), "0") }, "700"})
	}
	slices.SortFunc(all, func(a, b mention) int { return strings.Compare(a.name, b.name) })
	return all
}

func mentions() []mention {
	end := starling.Event{Finish: starling.Stopped, Usage: &starling.Usage{Input: 1, Output: 1}}
	called := starling.Event{Finish: starling.ToolUse, Usage: &starling.Usage{Input: 1, Output: 1}}
	calls := func(h heard) string {
		all := ""
		for _, c := range h.answer.Calls {
			all += c.Name + compactJSON([]byte(c.Arguments))
		}
		return all
	}
	return slices.Concat([]mention{
		{"text", []starling.Event{textDelta(0, "Grüße <&> 🐦\u2028"), textDelta(0, "\n"), end}, func(h heard) string { return h.answer.Text }, "Grüße <&> 🐦\u2028\n"},
		{"thoughts", []starling.Event{{Deltas: []starling.Delta{{Kind: starling.ReasoningPart, Text: "hm"}}}, textDelta(1, "x"), end}, func(h heard) string { return h.think }, "hm"},
		{"log-probabilities", []starling.Event{{Deltas: []starling.Delta{{Kind: starling.TextPart, Text: "ab", Tokens: sureTokens}}}, end}, func(h heard) string { return h.raw }, fmt.Sprintf("tokens %v", sureTokens)},
		{"their signature", []starling.Event{{Deltas: []starling.Delta{{Kind: starling.ReasoningPart, Text: "hm", Signature: "S"}}}, textDelta(1, "x"), end}, func(h heard) string { return h.raw }, "signature S"},
		{"a refusal in words", []starling.Event{{Deltas: []starling.Delta{{Kind: starling.RefusalPart, Text: "no"}}}, end}, func(h heard) string { return h.raw }, "refusal no"},
		{"tool calls, several at once", []starling.Event{callDelta(0, "a", "f", `{"x":`), callDelta(1, "b", "g", `{}`), callDelta(0, "", "", `1}`), called}, calls, `f{"x":1}g{}`},
		{"their ids", []starling.Event{callDelta(0, "call_a", "f", `{}`), called}, func(h heard) string {
			if len(h.answer.Calls) == 0 {
				return ""
			}
			return h.answer.Calls[0].ID
		}, "call_a"},
		{"ended: tool_calls", []starling.Event{callDelta(0, "a", "f", `{}`), called}, func(h heard) string { return string(h.answer.Finish) }, "tool_calls"},
	}, reasons(), counts())
}

var sureTokens = []starling.Token{
	{Text: "a", Logprob: -0.25, Top: []starling.Token{{Text: "a", Logprob: -0.25}, {Text: "é", Logprob: -2}}},
	{Text: "b", Logprob: -0.5, Top: []starling.Token{{Text: "b", Logprob: -0.5}}},
}

// textOnly are the dialects that know no tools.
func textOnly(d starling.Dialect) bool { return d == starling.Generate || d == starling.Completions }

// fare says what comes of it for a caller of a dialect, streamed and whole.
func (m *mention) fare(t *testing.T, d starling.Dialect) string {
	if textOnly(d) && slices.ContainsFunc(m.events, func(ev starling.Event) bool { return len(ev.Deltas) > 0 && ev.Deltas[0].Kind == starling.CallPart }) {
		return "cannot be asked for"
	}
	streamed, whole := m.read(answered(t, d, true, m.events...)), m.read(answered(t, d, false, m.events...))
	if streamed == whole {
		return m.cell(whole)
	}
	return "streamed " + m.cell(streamed) + ", whole " + m.cell(whole)
}

func (m *mention) cell(got string) string {
	switch {
	case got == m.want:
		return "yes"
	case got == "":
		return "no"
	case strings.HasPrefix(m.name, "ended"):
		return "as " + got
	}
	return "otherwise"
}

// unrefusing are the dialects whose format has no word for an answer that was refused.
func unrefusing(d starling.Dialect) bool { return d == starling.Ollama || d == starling.Generate }

// TestNoAnswerIsToldAsBetterThanItIs: whatever a dialect has no word for.
func TestNoAnswerIsToldAsBetterThanItIs(t *testing.T) {
	for _, d := range conversational() {
		for _, m := range mentions() {
			got := m.fare(t, d)
			must := m.name == "text" || m.name == "counted: output" || m.name == "counted: input, all together" || strings.HasPrefix(m.name, "ended: tool") || m.name == "tool calls, several at once" || m.name == "ended: length"
			if must && got != "yes" && got != "cannot be asked for" {
				t.Errorf("%s: %s: %s", d, m.name, got)
			}
			if cutShort := m.name == "ended: window" || m.name == "ended: refusal" && !unrefusing(d); cutShort && got == "as stop" {
				t.Errorf("%s: %s is told as a proper end", d, m.name)
			}
		}
	}
}

// TestAnyAnswerIsReadAsItWasWritten: pieces in any order, as models tell them.
func TestAnyAnswerIsReadAsItWasWritten(t *testing.T) {
	finish := map[starling.Dialect]map[starling.Finish]starling.Finish{}
	for _, d := range conversational() {
		finish[d] = map[starling.Finish]starling.Finish{}
		for _, m := range reasons() {
			finish[d][starling.Finish(m.want)] = starling.Finish(m.read(answered(t, d, false, m.events...)))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		for _, d := range conversational() {
			var want starling.Answer
			events, called := drawAnswer(t, &want, textOnly(d))
			f := rapid.SampledFrom(slices.Sorted(maps.Keys(finish[d]))).Draw(t, "finish")
			want.Finish = finish[d][f]
			if called {
				f, want.Finish = starling.ToolUse, starling.ToolUse
			}
			want.Refused = want.Finish == starling.Filtered
			u := starling.Usage{Input: rapid.Int64Range(1, 1e6).Draw(t, "in"), CacheRead: rapid.Int64Range(0, 1e6).Draw(t, "cached"), Output: rapid.Int64Range(1, 1e6).Draw(t, "out")}
			events = append(events, starling.Event{Finish: f, Usage: &u})
			got := answered(t, d, rapid.Bool().Draw(t, "stream"), events...)
			for i := range got.answer.Calls {
				got.answer.Calls[i].ID = ""
				got.answer.Calls[i].Arguments = compactJSON([]byte(got.answer.Calls[i].Arguments))
			}
			if diff := cmp.Diff(want, got.answer); diff != "" || got.usage.TotalInput() != u.TotalInput() || got.usage.Output != u.Output {
				t.Fatalf("%s: %s usage %+v of %+v", d, diff, got.usage, u)
			}
		}
	})
}

// drawAnswer draws blocks, and the pieces in which they come.
func drawAnswer(t *rapid.T, want *starling.Answer, words bool) (events []starling.Event, called bool) {
	block := 0
	for range rapid.IntRange(1, 5).Draw(t, "blocks") {
		if call := rapid.Bool().Draw(t, "call"); call && !words {
			name := rapid.SampledFrom([]string{"f", "g"}).Draw(t, "name")
			arguments := fmt.Sprintf(`{"x":%s}`, appendString(nil, rapid.String().Draw(t, "argument")))
			want.Calls = append(want.Calls, starling.ToolCall{Name: name, Arguments: compactJSON([]byte(arguments))})
			cut := rapid.IntRange(0, len(arguments)).Draw(t, "cut")
			for cut < len(arguments) && cut > 0 && arguments[cut]&0xC0 == 0x80 {
				cut++
			}
			events = append(events, callDelta(block, fmt.Sprint("call_", block), name, arguments[:cut]))
			events = append(events, callDelta(block, "", "", arguments[cut:]))
			called = true
			block++
			continue
		}
		said := rapid.StringN(1, 20, -1).Draw(t, "text")
		want.Text += said
		events = append(events, textDelta(block, said))
		block++
	}
	return events, called
}
