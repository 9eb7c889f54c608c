package sim

import (
	"github.com/tidwall/gjson"

	"starling"
)

// impliedLimit is what OpenAI says of a completion without a limit.
const impliedLimit = 16

// parseCompletions reads the body of POST /v1/completions. Several prompts are
// answered in turn; tokens are read as their numbers.
func parseCompletions(f map[string]gjson.Result) (*ask, *fault) {
	a := &ask{dialect: starling.Completions}
	a.model = a.text("model", f["model"])
	a.stream = a.flag("stream", f["stream"])
	a.wantUsage = a.stream && f["stream_options"].Get("include_usage").Bool()
	a.limit = max(a.count("max_tokens", f["max_tokens"]), 0)
	if a.limit == 0 {
		a.limit = impliedLimit
	}
	a.echo = a.flag("echo", f["echo"])
	a.openaiStops(f["stop"])
	a.usable()
	var prompts []string
	switch v := f["prompt"]; {
	case v.Type == gjson.String:
		prompts = []string{v.Str}
	case v.IsArray() && v.Get("0").Type == gjson.Number:
		prompts = []string{v.Raw}
	case v.IsArray():
		for _, p := range v.Array() {
			prompts = append(prompts, p.String())
		}
	}
	if len(prompts) == 0 {
		a.bad("prompt", "you must provide a prompt")
	}
	for _, p := range prompts {
		a.add("prompt", p)
	}
	a.heard(prompts)
	if a.choices = max(a.count("n", f["n"]), 1) * max(int64(len(prompts)), 1); a.choices > maxChoices {
		a.bad("n", "n must be at most %d", maxChoices)
	}
	if a.model == "" {
		a.bad("model", "you must provide a model parameter")
	}
	return a, a.wrong
}

type completionChoice struct {
	Text     string    `json:"text"`
	Index    int       `json:"index"`
	Logprobs *struct{} `json:"logprobs"`
	Finish   *string   `json:"finish_reason"`
}

type completion struct {
	ID        string             `json:"id"`
	Object    string             `json:"object"`
	Created   int64              `json:"created"`
	Model     string             `json:"model"`
	Choices   []completionChoice `json:"choices"`
	Usage     *openaiUsage       `json:"usage,omitempty"`
	Simulated bool               `json:"simulated"`
}

func (c *call) completion(choices ...completionChoice) *completion {
	return &completion{ID: c.id, Object: "text_completion", Created: c.created, Model: c.model.Name, Choices: choices, Simulated: true}
}

// completionText is an answer's text, with the prompt before it if that was wanted.
func (c *call) completionText(nth int, ans answer) string {
	if !c.ask.echo {
		return ans.text()
	}
	return c.ask.parts[nth*len(c.ask.parts)/len(c.answers)] + ans.text()
}

func (c *call) completionWhole() []byte {
	var choices []completionChoice
	for i, ans := range c.answers {
		choices = append(choices, completionChoice{Text: c.completionText(i, ans), Index: i, Finish: orNull(openaiFinish(ans.finish))})
	}
	b := c.completion(choices...)
	u := openaiUsageOf(c.usage)
	b.Usage = &u
	return marshal(b)
}

// completionEvents yields every choice in turn, the usage if asked for, and [DONE].
func (c *call) completionEvents(yield func(event) bool) {
	say := func(b *completion, tokens int64) bool {
		return yield(event{raw: append(append([]byte("data: "), marshal(b)...), "\n\n"...), tokens: tokens})
	}
	for i, ans := range c.answers {
		for rest := c.completionText(i, ans); rest != ""; {
			piece := clip(rest, 1)
			rest = rest[len(piece):]
			if !say(c.completion(completionChoice{Text: piece, Index: i}), Tokens(piece)) {
				return
			}
		}
		if !say(c.completion(completionChoice{Index: i, Finish: orNull(openaiFinish(ans.finish))}), 0) {
			return
		}
	}
	if c.ask.wantUsage {
		b := c.completion()
		b.Choices = []completionChoice{}
		u := openaiUsageOf(c.usage)
		b.Usage = &u
		if !say(b, 0) {
			return
		}
	}
	yield(event{raw: []byte("data: [DONE]\n\n")})
}
