package local

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"starling"
	"starling/internal/family"
	"starling/internal/wire"
)

// several asks for n answers.
func several(t testing.TB, n int, stream bool) *starling.Request {
	return asking1(t, starling.OpenAI, fmt.Sprintf(`{"model":"m","stream":%v,"n":%d,"messages":[{"role":"user","content":"sing"}]}`, stream, n))
}

// A chunk is what of an answer in the openai dialect these tests look at: of a stream its
// deltas, else its messages.
type chunk struct {
	Choices []struct {
		Index          int
		Delta, Message struct {
			Content string
			Calls   []struct {
				ID       string
				Function struct{ Name string }
			} `json:"tool_calls"`
		}
		Text     string // of the completions dialect
		Finish   string `json:"finish_reason"`
		Logprobs *struct{ Content []struct{ Token string } }
	}
	Usage *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
	}
}

// written is what a caller is sent.
func (th *theatre) written(t *testing.T, r *starling.Request) (all []chunk) {
	t.Helper()
	var out bytes.Buffer
	w := wire.NewWriter(&out, wire.WriterOptions{Request: r, ID: "id", Created: time.Unix(1, 0)})
	for ev, err := range th.Generate(t.Context(), th.call(r)) {
		if err == nil {
			err = w.Event(ev)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for event := range strings.SplitSeq(strings.TrimSpace(out.String()), "\n\n") {
		if data := strings.TrimPrefix(event, "data: "); data != "[DONE]" {
			all = append(all, chunk{})
			if err := json.Unmarshal([]byte(data), &all[len(all)-1]); err != nil {
				t.Fatalf("%s: %v", data, err)
			}
		}
	}
	return all
}

func TestChoicesAreStreamedInTurnEachWithItsNumberAndItsEnd(t *testing.T) {
	th := play(t, script{Words: []string{"do# ", "re#"}, Prompt: 7, Cached: 2, Output: 3, Logprob: -1})
	r := several(t, 3, true)
	r.WantUsage = true
	var order []int
	texts, ends := map[int]string{}, map[int]string{}
	chunks := th.written(t, r)
	for _, c := range chunks {
		for _, one := range c.Choices {
			if one.Delta.Content != "" {
				order = append(order, one.Index)
			}
			if texts[one.Index] += one.Delta.Content; ends[one.Index] != "" {
				t.Errorf("more of choice %d came after its end", one.Index)
			}
			ends[one.Index] += one.Finish
		}
	}
	if !slices.Equal(order, []int{0, 1, 2, 0, 1, 2}) {
		t.Errorf("they come as %v", order)
	}
	for i, end := range []string{"stop", "length", "length"} {
		if want := fmt.Sprintf("do%d re%d", i, i); texts[i] != want || ends[i] != end {
			t.Errorf("choice %d: %q, %s", i, texts[i], ends[i])
		}
	}
	if u := chunks[len(chunks)-1].Usage; u == nil || u.Prompt != 7 || u.Completion != 3+4+5 {
		t.Errorf("counted %+v", u)
	}
}

func TestChoicesThatAreNotStreamedAreOneEvent(t *testing.T) {
	th := play(t, script{Words: []string{"do# ", "re#"}, Prompt: 7, Cached: 2, Output: 3, Logprob: -1})
	r := several(t, 2, false)
	h := th.hear(t.Context(), th.call(r))
	if h.err != nil || !h.last.Whole || h.last.Finish != starling.Stopped || *h.usage != (starling.Usage{Input: 5, CacheRead: 2, Output: 7}) {
		t.Errorf("%+v, %+v, %v", h.last, h.usage, h.err)
	}
	var c wire.Collector
	c.Add(h.last)
	if a := c.Answer(); a.Text != "do0 re0" || a.Finish != starling.Stopped {
		t.Errorf("who judges it hears %+v", a)
	}
	body := th.written(t, r)[0]
	if len(body.Choices) != 2 || body.Usage.Prompt != 7 || body.Usage.Completion != 7 {
		t.Fatalf("%+v", body)
	}
	for i, one := range body.Choices {
		if one.Index != i || one.Message.Content != fmt.Sprintf("do%d re%d", i, i) || one.Finish != []string{"stop", "length"}[i] || one.Logprobs != nil {
			t.Errorf("choice %d: %+v", i, one)
		}
	}
}

func TestEachChoiceHasItsOwnLogProbabilities(t *testing.T) {
	th := play(t, script{Words: []string{"do# ", "re#"}, Prompt: 7, Output: 2, Logprob: -1})
	r := asking1(t, starling.OpenAI, `{"model":"m","n":2,"logprobs":true,"messages":[{"role":"user","content":"sing"}]}`)
	for i, one := range th.written(t, r)[0].Choices {
		if p := one.Logprobs; p == nil || len(p.Content) != 2 || p.Content[1].Token != fmt.Sprint("re", i) {
			t.Errorf("choice %d: %+v", i, p)
		}
	}
}

func TestEachChoiceHasItsOwnCalls(t *testing.T) {
	s := spoken{Profile: family.Find("qwen3", "Qwen3 4B Instruct 2507", "")}
	th := play(t, script{Words: []string{"<tool_call>", `{"name": "f`, `#", "arguments": {}}`, "</tool_call>"}, Prompt: 7, Output: 4}, func(o *Options) { o.Weights[0].Speaker = s })
	for _, stream := range []bool{true, false} {
		r := asking1(t, starling.OpenAI, fmt.Sprintf(`{"model":"m","stream":%v,"n":2,"messages":[{"role":"user","content":"sing"}],"tools":[{"type":"function","function":{"name":"f0"}},{"type":"function","function":{"name":"f1"}}]}`, stream))
		calls, ids := map[int]string{}, map[string]bool{}
		for _, c := range th.written(t, r) {
			for _, one := range c.Choices {
				for _, call := range append(one.Delta.Calls, one.Message.Calls...) {
					calls[one.Index] += call.Function.Name
					ids[call.ID] = true
				}
			}
		}
		if len(calls) != 2 || calls[0] != "f0" || calls[1] != "f1" || len(ids) != 2 {
			t.Errorf("stream %v: %v, %v", stream, calls, ids)
		}
	}
}

func TestSeveralTextsContinueAPrompt(t *testing.T) {
	th := play(t, script{Words: []string{"do# ", "re#"}, Prompt: 7, Output: 2})
	for _, stream := range []bool{true, false} {
		texts, ends := map[int]string{}, map[int]string{}
		for _, c := range th.written(t, asking1(t, starling.Completions, fmt.Sprintf(`{"model":"m","stream":%v,"n":2,"prompt":"sing"}`, stream))) {
			for _, one := range c.Choices {
				texts[one.Index] += one.Text
				ends[one.Index] += one.Finish
			}
		}
		if texts[0] != "do0 re0" || texts[1] != "do1 re1" || ends[0] != "stop" || ends[1] != "length" {
			t.Errorf("stream %v: %v, %v", stream, texts, ends)
		}
	}
}

func TestRealChoicesAreEachWhatTheLibrarySaysAlone(t *testing.T) {
	s := perform(t, stories(t, ""))
	want := s.ask(t.Context(), t, 0, "Once upon a time", 20, "")
	fresh := asking1(t, starling.Completions, `{"model":"m","stream":true,"n":4,"prompt":"Tim had a red ball","max_tokens":20,"temperature":0,"top_k":0}`)
	again := asking1(t, starling.Completions, `{"model":"m","n":4,"prompt":"Once upon a time","max_tokens":20,"temperature":0,"top_k":0}`)
	for _, r := range []*starling.Request{fresh, again} {
		texts := map[int]string{}
		for _, c := range s.written(t, r) {
			for _, one := range c.Choices {
				texts[one.Index] += one.Text
			}
		}
		if len(texts) != 4 || texts[0] == "" || texts[3] != texts[0] || r == again && texts[0] != want.text {
			t.Errorf("%v", texts)
		}
	}
	h := s.hear(t.Context(), s.call(fresh))
	if read := h.usage.Input + h.usage.CacheRead; h.err != nil || read > 10 || h.usage.Output != 4*20 || s.started() != 1 {
		t.Errorf("%+v, %v", h.usage, h.err)
	}
}

func TestWhoLeavesLeavesAllChoices(t *testing.T) {
	th := play(t, script{Words: []string{"do", "re"}, Does: "hang"})
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var last error
	for ev, err := range th.Generate(ctx, th.call(several(t, 4, true))) {
		if last = err; err == nil && len(ev.Deltas) > 0 {
			leave()
		}
	}
	if starling.KindOf(last) != starling.Cancelled {
		t.Errorf("got %v", last)
	}
	eventually(t, "the work is cancelled", func() bool { return len(th.entries("cancel")) == 1 })
}

func TestAnEngineThatFallsFailsAllChoices(t *testing.T) {
	th := play(t, script{Words: []string{"do#"}, Does: "crash", Times: 1, Prompt: 7, Output: 1})
	if h := th.hear(t.Context(), th.call(several(t, 3, true))); starling.KindOf(h.err) != starling.Overloaded {
		t.Errorf("got %v", h.err)
	}
	if h := th.hear(t.Context(), th.call(several(t, 3, true))); h.err != nil || h.text != "do0do1do2" {
		t.Errorf("after that %q, %v", h.text, h.err)
	}
}
