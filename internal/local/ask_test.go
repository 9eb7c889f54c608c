package local

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"starling"
	"starling/internal/engine"
	"starling/internal/family"
)

// asked returns what a provider of one model makes of a body.
func translated(t *testing.T, d starling.Dialect, body string) (*question, []string, error) {
	t.Helper()
	return translatedFor(t, echo{}, d, body)
}

func translatedFor(t *testing.T, s Speaker, d starling.Dialect, body string) (*question, []string, error) {
	t.Helper()
	l := &Local{opts: Options{Grammar: func(schema []byte) (string, []string, error) {
		if strings.Contains(string(schema), "unsayable") {
			return "", nil, &starling.Error{Kind: starling.Invalid, Op: "grammar"}
		}
		return "root ::= " + string(schema), []string{"/properties/a secret/pattern", "/items/pattern"}, nil
	}}}
	var left []string
	r := asking1(t, d, `{"model":"m",`+body[1:])
	c := starling.Call{Request: r, Left: func(f string) { left = append(left, f) }}
	q, err := l.question(c, Weights{Name: "m", Sequences: 4, Speaker: s})
	if r.Chat != nil {
		t.Error("the exchange's own request has a view now")
	}
	return q, left, err
}

func TestWhatACallerAsksForIsOrderedOfTheEngine(t *testing.T) {
	const said = `"messages":[{"role":"user","content":"sing"}]`
	seed := uint32(7)
	usual := engine.Sampling{Temperature: 0.7, TopK: 20}
	for _, c := range []struct {
		name    string
		dialect starling.Dialect
		body    string
		want    engine.Sampling
		more    func(q *question) bool
		left    []string
	}{
		{"nothing", starling.OpenAI, `{` + said + `}`, usual, func(q *question) bool {
			return q.MaxTokens == 0 && slices.Equal(q.Stop, []string{"<end>"}) && q.Grammar == ""
		}, nil},
		{
			"everything", starling.OpenAI, `{` + said + `,"temperature":0,"top_p":0.5,"seed":7,"max_tokens":9,"stop":["x"],"frequency_penalty":1,"presence_penalty":-1,"logit_bias":{"5":-100},"min_p":0.1,"repetition_penalty":1.1,"user":"u","store":true,"top_k":3}`,
			engine.Sampling{TopK: 3, TopP: 0.5, MinP: 0.1, Repeat: 1.1, Frequency: 1, Presence: -1, Seed: &seed, Bias: map[int32]float32{5: -100}},
			func(q *question) bool { return q.MaxTokens == 9 && slices.Equal(q.Stop, []string{"x", "<end>"}) }, []string{"store"},
		},
		{
			"Ollama's options", starling.Ollama, `{` + said + `,"options":{"num_predict":9,"repeat_penalty":1.2,"repeat_last_n":-1,"typical_p":0.5,"num_ctx":4096}}`,
			engine.Sampling{Temperature: 0.7, TopK: 20, Repeat: 1.2, Last: -1, Typical: 0.5}, func(q *question) bool { return q.MaxTokens == 9 }, []string{"options.num_ctx"},
		},
		{"a JSON object", starling.OpenAI, `{` + said + `,"response_format":{"type":"json_object"}}`, usual, func(q *question) bool { return q.Grammar == `root ::= {"type":"object"}` }, []string{"response_format: pattern"}},
		{"a schema", starling.OpenAI, `{` + said + `,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"enum":[1]}}}}`, usual, func(q *question) bool { return q.Grammar == `root ::= {"enum":[1]}` }, []string{"response_format: pattern"}},
		{"Anthropic's", starling.Anthropic, `{"max_tokens":5,"stop_sequences":["y"],` + said + `}`, usual, func(q *question) bool { return q.MaxTokens == 5 && q.Stop[0] == "y" }, nil},
		{"a prompt", starling.Completions, `{"prompt":"Once"}`, usual, func(q *question) bool { return q.Prompt[0].Text == "Once" && q.MaxTokens == 16 }, nil},
		{"a prompt as a turn", starling.Generate, `{"prompt":"Once"}`, usual, func(q *question) bool { return q.Prompt[0].Text == "user:Once" }, nil},
		{"a prompt as it is", starling.Generate, `{"prompt":"Once","raw":true}`, usual, func(q *question) bool { return q.Prompt[0].Text == "Once" }, nil},
		{"log-probabilities", starling.OpenAI, `{` + said + `,"logprobs":true,"top_logprobs":3}`, usual, func(q *question) bool { return q.Logprobs && q.Top == 3 && q.told }, nil},
		{"Completions' log-probabilities", starling.Completions, `{"prompt":"Once","logprobs":2}`, usual, func(q *question) bool { return q.Logprobs && q.Top == 2 }, nil},
		{"several answers", starling.OpenAI, `{` + said + `,"n":4}`, usual, func(q *question) bool { return q.Choices == 4 }, nil},
		{"several texts", starling.Completions, `{"prompt":"Once","n":2}`, usual, func(q *question) bool { return q.Choices == 2 }, nil},
		{"tools that may not be used", starling.OpenAI, `{` + said + `,"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none"}`, usual, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, left, err := translated(t, c.dialect, c.body)
			if err != nil {
				t.Fatal(err)
			}
			got, want := q.Sampling, c.want
			if (got.Seed == nil) != (want.Seed == nil) || got.Seed != nil && *got.Seed != *want.Seed || len(got.Bias) != len(want.Bias) || got.Bias[5] != want.Bias[5] {
				t.Errorf("seed %v, bias %v", got.Seed, got.Bias)
			}
			got.Seed, want.Seed, got.Bias, want.Bias = nil, nil, nil, nil
			if !sameSampling(got, want) || c.more != nil && !c.more(q) {
				t.Errorf("ordered %+v", q.Generate)
			}
			if !slices.Equal(left, c.left) {
				t.Errorf("left %v, want %v", left, c.left)
			}
		})
	}
}

func sameSampling(a, b engine.Sampling) bool {
	return a.Temperature == b.Temperature && a.TopK == b.TopK && a.TopP == b.TopP && a.MinP == b.MinP && a.Typical == b.Typical &&
		a.Repeat == b.Repeat && a.Frequency == b.Frequency && a.Presence == b.Presence && a.Last == b.Last
}

func TestWhatCannotBeDoneIsInvalidBeforeAnythingIsComputed(t *testing.T) {
	const said = `"messages":[{"role":"user","content":"sing"}]`
	for _, c := range []struct {
		dialect     starling.Dialect
		body, field string
	}{
		{starling.OpenAI, `{` + said + `,"logprobs":true,"top_logprobs":21}`, "top_logprobs"},
		{starling.OpenAI, `{` + said + `,"n":5}`, "n"},
		{starling.Gemini, `{"contents":[{"parts":[{"text":"sing"}]}],"generationConfig":{"candidateCount":2}}`, "n"},
		{starling.OpenAI, `{` + said + `,"temperature":1000}`, "temperature"},
		{starling.OpenAI, `{` + said + `,"top_k":1.5}`, "top_k"},
		{starling.OpenAI, `{` + said + `,"seed":1.5}`, "seed"},
		{starling.OpenAI, `{` + said + `,"logit_bias":{"x":1}}`, "logit_bias"},
		{starling.OpenAI, `{` + said + `,"tools":[{"type":"function","function":{"name":"f"}}]}`, "tools"},
		{starling.OpenAI, `{` + said + `,"prediction":{"type":"content"}}`, "prediction"},
		{starling.OpenAI, `{` + said + `,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"unsayable":1}}}}`, "grammar"},
		{starling.OpenAI, `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`, "messages"},
		{starling.OpenAI, `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`, "messages"},
		{starling.Completions, `{"prompt":["a","b"]}`, "prompt"},
		{starling.Completions, `{"prompt":"a","n":2,"best_of":2}`, "best_of"},
		{starling.Completions, `{"prompt":"a","n":5}`, "n"},
		{starling.Completions, `{"prompt":"a","suffix":"b"}`, "suffix"},
		{starling.Completions, `{"prompt":[1,2]}`, "prompt"},
		{starling.Generate, `{"prompt":"a","template":"b"}`, "template"},
	} {
		_, _, err := translated(t, c.dialect, c.body)
		e, _ := errors.AsType[*starling.Error](err)
		if e == nil || e.Kind != starling.Invalid || !strings.HasSuffix(e.Op, c.field) || e.Billed {
			t.Errorf("%s: %v", c.body, err)
		}
	}
}

// A caller calls tools, those called f.
type caller struct{ echo }

func (caller) CallsTools() bool { return true }

func (caller) Force(chat *starling.Chat, prompt []engine.Text) (string, []string, error) {
	if chat.ToolChoice.Mode == "tool" && chat.ToolChoice.Name != "f" {
		return "", nil, &starling.Error{Kind: starling.Invalid, Op: "force"}
	}
	return "calls after " + prompt[0].Text, []string{"/f/properties/a secret/uniqueItems"}, nil
}

func TestAModelIsHeldToTheCallThatIsDemanded(t *testing.T) {
	const said = `"messages":[{"role":"user","content":"sing"}]`
	const tools = said + `,"tools":[{"type":"function","function":{"name":"f"}}]`
	for _, c := range []struct{ body, grammar, left, fails string }{
		{`{` + tools + `,"tool_choice":"required"}`, "calls after user:sing", "tools: uniqueItems", ""},
		{`{` + tools + `,"tool_choice":{"type":"function","function":{"name":"f"}}}`, "calls after user:sing", "tools: uniqueItems", ""},
		{`{` + tools + `,"tool_choice":"required","response_format":{"type":"json_object"}}`, "calls after user:sing", "response_format tools: uniqueItems", ""},
		{`{` + tools + `,"tool_choice":"auto"}`, "", "", ""},
		{`{` + tools + `,"tool_choice":{"type":"function","function":{"name":"g"}}}`, "", "", "force"},
		{`{` + said + `,"tool_choice":"required"}`, "", "", "tool_choice"},
	} {
		q, left, err := translatedFor(t, caller{}, starling.OpenAI, c.body)
		if e, _ := errors.AsType[*starling.Error](err); c.fails != "" {
			if e == nil || e.Kind != starling.Invalid || !strings.HasSuffix(e.Op, c.fails) {
				t.Errorf("%s: %v", c.body, err)
			}
			continue
		}
		if err != nil || q.Grammar != c.grammar || strings.Join(left, " ") != c.left {
			t.Errorf("%s: %v %v %v", c.body, q, left, err)
		}
	}
}

// A spoken is a family as a speaker.
type spoken struct {
	*family.Profile
	o family.PromptOptions
}

func (s spoken) Prompt(c *starling.Chat) ([]engine.Text, error) { return s.Profile.Prompt(c, s.o) }

func (s spoken) Reader(tools []starling.Tool, prompt []engine.Text) Reader {
	r := s.Profile.Reader(tools)
	r.After(prompt)
	return r
}

func (s spoken) Defaults(effort string) engine.Sampling { return s.Sample(effort) }
func (s spoken) Stops() []string                        { return s.Stop }
func (s spoken) CallsTools() bool                       { return s.Tools != "" }

func TestAFamilyIsHeldToTheCallThatIsDemanded(t *testing.T) {
	const asked = `{"messages":[{"role":"user","content":"sing"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"const":7}},"required":["a"]}}}],"tool_choice":`
	s := spoken{Profile: family.Find("qwen3", "Qwen3 4B Thinking 2507", "")}
	q, left, err := translatedFor(t, s, starling.OpenAI, asked+`{"type":"function","function":{"name":"f"}}}`)
	if err != nil || left != nil || !strings.Contains(q.Grammar, "<tool_call>") || q.Temperature != 0.6 {
		t.Fatalf("%+v %v %v", q, left, err)
	}
	r := q.reader()
	deltas := r.Add("I sing.</think>\n<tool_call>{\"name\": \"f\", \"arguments\": {\"a\":7}}</tool_call>")
	if _, finish := r.End(); finish != starling.ToolUse || len(deltas) == 0 || deltas[len(deltas)-1].Name != "f" {
		t.Errorf("%+v %s", deltas, finish)
	}
	if _, _, err := translatedFor(t, s, starling.OpenAI, asked+`{"type":"function","function":{"name":"g"}}}`); starling.KindOf(err) != starling.Invalid {
		t.Errorf("a tool that there is not: %v", err)
	}
}

func TestADigestTellsPromptsApart(t *testing.T) {
	l := &Local{secret: [32]byte{1}}
	q := func(special bool, texts ...string) suspect {
		q := &question{}
		for _, s := range texts {
			q.Prompt = append(q.Prompt, engine.Text{Text: s, Special: special})
		}
		return l.digest(q)
	}
	all := []suspect{q(false, "ab"), q(false, "a", "b"), q(true, "ab"), q(false, "ab", "")}
	for i := range all {
		if slices.Index(all, all[i]) != i {
			t.Errorf("prompt %d is taken for another", i)
		}
	}
	if other := (&Local{}).digest(&question{Generate: engine.Generate{Prompt: []engine.Text{{Text: "ab"}}}}); other == all[0] {
		t.Error("the digest has no key")
	}
}
