package wire

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"starling"
)

// What a question can say, each by itself: so it can be shown for every dialect
// whether it arrives, is told to be left out, or is refused. Nothing else may come
// of it. The table of docs/spec/dialects.md is what comes of it here.

// An utterance is one thing that a question can say.
type utterance struct {
	name string
	say  func(c *starling.Chat)
	said func(c *starling.Chat) string // what of it is said in c, "" nothing
}

func utterances() []utterance {
	return slices.Concat(ofTheConversation, ofTools, ofHow)
}

// plainChat is what every question says.
func plainChat() *starling.Chat {
	return &starling.Chat{Choices: 1, MaxTokens: 100, Messages: []starling.Message{{Role: starling.User, Parts: []starling.Part{textPart("hello")}}}}
}

func textPart(s string) starling.Part { return starling.Part{Kind: starling.TextPart, Text: s} }

// before puts turns in front of the last one, which is the user's.
func before(c *starling.Chat, turns ...starling.Message) {
	last := len(c.Messages) - 1
	c.Messages = slices.Concat(c.Messages[:last:last], turns, c.Messages[last:])
}

// each lists what f says of the parts of a conversation in order, those of results
// too.
func each(c *starling.Chat, f func(role starling.Role, p *starling.Part) string) string {
	var all []string
	visit := func(role starling.Role, parts []starling.Part) {
		for i := range parts {
			if s := f(role, &parts[i]); s != "" {
				all = append(all, s)
			}
		}
	}
	visit(starling.System, c.System)
	for _, m := range c.Messages {
		visit(m.Role, m.Parts)
	}
	return strings.Join(all, "; ")
}

func image1() *starling.Image {
	return &starling.Image{MediaType: "image/png", Data: "iVBORw0KGgoAAAAA"}
}

var ofTheConversation = []utterance{
	{"who said what, in order", func(c *starling.Chat) {
		before(c, starling.Message{Role: starling.User, Parts: []starling.Part{textPart("one"), textPart("two")}}, starling.Message{Role: starling.Assistant, Parts: []starling.Part{textPart("three")}})
	}, func(c *starling.Chat) string {
		said, last := "", starling.Role("") // cut and joined as the dialect likes
		for _, m := range c.Messages {
			for _, p := range m.Parts {
				if p.Kind != starling.TextPart || m.Role == starling.System || strings.TrimSpace(p.Text) == "" {
					continue
				}
				if m.Role != last {
					said += " " + string(m.Role) + ":"
				}
				last = m.Role
				said += " " + strings.Join(strings.Fields(p.Text), " ")
			}
		}
		return said
	}},
	{"instructions at the front", func(c *starling.Chat) {
		c.System = append(c.System, textPart("be brief"), textPart("be kind"))
	}, func(c *starling.Chat) string {
		if len(c.System) == 0 {
			return ""
		}
		words := ""
		for _, p := range c.System {
			words += strings.TrimSpace(p.Text) + " "
		}
		if !strings.Contains(words, "be brief") {
			return ""
		}
		return fmt.Sprint(strings.Index(words, "be brief") < strings.Index(words, "be kind"))
	}},
	{"instructions between turns", func(c *starling.Chat) {
		before(c, starling.Message{Role: starling.User, Parts: []starling.Part{textPart("zero")}}, starling.Message{Role: starling.System, Parts: []starling.Part{textPart("now be bold")}})
	}, func(c *starling.Chat) string {
		for i, m := range c.Messages {
			if m.Role == starling.System && i > 0 {
				return m.Parts[0].Text
			}
		}
		return ""
	}},
	{"an image, as bytes", func(c *starling.Chat) {
		c.Messages[len(c.Messages)-1].Parts = append(c.Messages[len(c.Messages)-1].Parts, starling.Part{Kind: starling.ImagePart, Image: image1()})
	}, images(false)},
	{"an image, by its address", func(c *starling.Chat) {
		c.Messages[len(c.Messages)-1].Parts = append(c.Messages[len(c.Messages)-1].Parts, starling.Part{Kind: starling.ImagePart, Image: &starling.Image{URL: "https://example.com/a.png"}})
	}, images(true)},
	{"how closely an image is looked at", func(c *starling.Chat) {
		c.Messages[len(c.Messages)-1].Parts = append(c.Messages[len(c.Messages)-1].Parts, starling.Part{Kind: starling.ImagePart, Image: &starling.Image{MediaType: "image/png", Data: "iVBORw0KGgoAAAAB", Detail: "low"}})
	}, func(c *starling.Chat) string {
		return each(c, func(_ starling.Role, p *starling.Part) string {
			if p.Image != nil {
				return p.Image.Detail
			}
			return ""
		})
	}},
	{"thoughts of another model", thinks(starling.Part{Kind: starling.ReasoningPart, Text: "hm"}), func(c *starling.Chat) string { return thoughtsIn(c, func(p *starling.Part) string { return p.Text }) }},
	{"thoughts that are signed", thinks(starling.Part{Kind: starling.ReasoningPart, Text: "so", Signature: "SIGNED"}), func(c *starling.Chat) string {
		return thoughtsIn(c, func(p *starling.Part) string { return p.Signature })
	}},
	{"a refusal by the assistant", func(c *starling.Chat) {
		before(c, starling.Message{Role: starling.User, Parts: []starling.Part{textPart("do it")}}, starling.Message{Role: starling.Assistant, Parts: []starling.Part{{Kind: starling.RefusalPart, Text: "no"}}})
	}, func(c *starling.Chat) string {
		return each(c, func(_ starling.Role, p *starling.Part) string {
			if p.Kind == starling.RefusalPart {
				return p.Text
			}
			return ""
		})
	}},
}

func images(byAddress bool) func(*starling.Chat) string {
	return func(c *starling.Chat) string {
		return each(c, func(role starling.Role, p *starling.Part) string {
			if p.Kind != starling.ImagePart || (p.Image.URL != "") != byAddress || p.Image.Data == "iVBORw0KGgoAAAAB" || p.Image.Data == "iVBORw0KGgoAAAAC" {
				return ""
			}
			return string(role) + " " + p.Image.URL + p.Image.MediaType + p.Image.Data
		})
	}
}

func thinks(p starling.Part) func(*starling.Chat) {
	return func(c *starling.Chat) {
		before(c, starling.Message{Role: starling.User, Parts: []starling.Part{textPart("think")}}, starling.Message{Role: starling.Assistant, Parts: []starling.Part{p, textPart("thought")}})
	}
}

func thoughtsIn(c *starling.Chat, what func(*starling.Part) string) string {
	return each(c, func(_ starling.Role, p *starling.Part) string {
		if p.Kind == starling.ReasoningPart {
			return what(p)
		}
		return ""
	})
}

var yes, no = true, false

func withTool(c *starling.Chat) {
	if len(c.Tools) == 0 {
		c.Tools = []starling.Tool{{Name: "f", Description: "<does> it", Schema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"integer","description":"<&>"}},"required":["a"]}`)}}
	}
}

func returns(r starling.ToolResult) func(c *starling.Chat) {
	return func(c *starling.Chat) {
		withTool(c)
		before(c, starling.Message{Role: starling.User, Parts: []starling.Part{textPart("go")}},
			starling.Message{Role: starling.Assistant, Parts: []starling.Part{{Kind: starling.CallPart, Call: &starling.ToolCall{ID: r.ID, Name: "f", Arguments: `{"a":1}`}}}},
			starling.Message{Role: starling.User, Parts: []starling.Part{{Kind: starling.ResultPart, Result: &r}}})
	}
}

func resultsIn(c *starling.Chat, what func(*starling.ToolResult) string) string {
	return each(c, func(_ starling.Role, p *starling.Part) string {
		if p.Result == nil {
			return ""
		}
		return what(p.Result)
	})
}

// compact is JSON without the space that its writer liked.
func compactJSON(v []byte) string {
	var x any
	if json.Unmarshal(v, &x) != nil {
		return string(v)
	}
	b, _ := json.Marshal(x)
	return string(b)
}

var ofTools = []utterance{
	{"tools: name, description, schema", withTool, func(c *starling.Chat) string {
		if len(c.Tools) == 0 {
			return ""
		}
		t := c.Tools[0]
		return fmt.Sprint(len(c.Tools), t.Name, t.Description, compactJSON(t.Schema))
	}},
	{"a tool's arguments keep to its schema", func(c *starling.Chat) { withTool(c); c.Tools[0].Strict = &yes }, func(c *starling.Chat) string {
		if len(c.Tools) == 0 || c.Tools[0].Strict == nil || !*c.Tools[0].Strict { // that it need not goes without saying
			return ""
		}
		return "true"
	}},
	{"tool choice: none", choosing("none", ""), choiceIn("none")},
	{"tool choice: required", choosing("required", ""), choiceIn("required")},
	{"tool choice: one tool", choosing("tool", "f"), choiceIn("tool")},
	{"no calls in parallel", func(c *starling.Chat) { withTool(c); c.Parallel = &no }, func(c *starling.Chat) string {
		if c.Parallel == nil || len(c.Tools) == 0 || c.ToolChoice.Mode == "none" { // who calls none calls none in parallel
			return ""
		}
		return fmt.Sprint(*c.Parallel)
	}},
	{"calls and their results, several at once", func(c *starling.Chat) {
		withTool(c)
		call := func(id string) starling.Part {
			return starling.Part{Kind: starling.CallPart, Call: &starling.ToolCall{ID: id, Name: "f", Arguments: `{"a":` + id[5:] + `}`}}
		}
		result := func(id string) starling.Part {
			return starling.Part{Kind: starling.ResultPart, Result: &starling.ToolResult{ID: id, Parts: []starling.Part{textPart("got " + id[5:])}}}
		}
		before(c, starling.Message{Role: starling.User, Parts: []starling.Part{textPart("go")}}, starling.Message{Role: starling.Assistant, Parts: []starling.Part{call("call_1"), call("call_2")}},
			starling.Message{Role: starling.User, Parts: []starling.Part{result("call_1"), result("call_2")}})
	}, func(c *starling.Chat) string {
		return each(c, func(_ starling.Role, p *starling.Part) string {
			switch {
			case p.Call != nil:
				return "calls " + p.Call.Name + compactJSON([]byte(p.Call.Arguments))
			case p.Result != nil:
				said := ""
				for _, part := range p.Result.Parts {
					said += part.Text
				}
				return "returns " + said
			}
			return ""
		})
	}},
	{"a result that is an error", returns(starling.ToolResult{ID: "call_3", Parts: []starling.Part{textPart("it broke")}, Error: true}), func(c *starling.Chat) string {
		return resultsIn(c, func(r *starling.ToolResult) string {
			if r.Error {
				return "error"
			}
			return ""
		})
	}},
	{"a result with an image", returns(starling.ToolResult{ID: "call_4", Parts: []starling.Part{textPart("see"), {Kind: starling.ImagePart, Image: &starling.Image{MediaType: "image/png", Data: "iVBORw0KGgoAAAAC"}}}}), func(c *starling.Chat) string {
		return resultsIn(c, func(r *starling.ToolResult) (said string) {
			for _, p := range r.Parts {
				if p.Image != nil {
					said += p.Image.Data
				}
			}
			return said
		})
	}},
}

func choosing(mode, name string) func(*starling.Chat) {
	return func(c *starling.Chat) { withTool(c); c.ToolChoice = starling.ToolChoice{Mode: mode, Name: name} }
}

func choiceIn(mode string) func(*starling.Chat) string {
	return func(c *starling.Chat) string {
		if c.ToolChoice.Mode != mode {
			return ""
		}
		return mode + " " + c.ToolChoice.Name
	}
}

// number is a parameter that is one.
func number(name string, of func(*starling.Chat) *json.Number, n json.Number) utterance {
	return utterance{name, func(c *starling.Chat) { *of(c) = n }, func(c *starling.Chat) string { return string(*of(c)) }}
}

func temperature(c *starling.Chat) *json.Number { return &c.Temperature }

const someSchema = `{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}`

func demands(f starling.Format) func(*starling.Chat) {
	return func(c *starling.Chat) { c.Format = &f }
}

func ofShape(what func(*starling.Format) string) func(*starling.Chat) string {
	return func(c *starling.Chat) string {
		if c.Format == nil {
			return ""
		}
		return what(c.Format)
	}
}

var ofHow = []utterance{
	{"the output limit", func(c *starling.Chat) { c.MaxTokens = 123 }, func(c *starling.Chat) string { return fmt.Sprint(c.MaxTokens) }},
	number("temperature", temperature, "0.50"),
	number("temperature above 1", temperature, "1.5"),
	number("top_p", func(c *starling.Chat) *json.Number { return &c.TopP }, "0.99"),
	number("top_k", func(c *starling.Chat) *json.Number { return &c.TopK }, "40"),
	number("seed", func(c *starling.Chat) *json.Number { return &c.Seed }, "9007199254740993"),
	{"stop sequences", func(c *starling.Chat) { c.Stop = []string{"END", "<&>"} }, func(c *starling.Chat) string { return strings.Join(c.Stop, " ") }},
	{"several choices", func(c *starling.Chat) { c.Choices = 2 }, func(c *starling.Chat) string { return strings.Trim(fmt.Sprint(c.Choices), "1") }},
	{"log-probabilities, and of which other tokens", func(c *starling.Chat) { c.Logprobs, c.TopLogprobs = true, 3 }, func(c *starling.Chat) string {
		if !c.Logprobs {
			return ""
		}
		return fmt.Sprint(c.TopLogprobs)
	}},
	{"JSON of any kind", demands(starling.Format{Kind: "json_object"}), ofShape(func(f *starling.Format) string { return strings.TrimSuffix(f.Kind, "json_schema") })},
	{"JSON of a schema", demands(starling.Format{Kind: "json_schema", Schema: json.RawMessage(someSchema)}), ofShape(func(f *starling.Format) string { return compactJSON(f.Schema) })},
	{"a schema's name", demands(starling.Format{Kind: "json_schema", Name: "invoice", Schema: json.RawMessage(someSchema)}), ofShape(func(f *starling.Format) string { return strings.TrimPrefix(f.Name, "answer") })},
	{"a schema that need not be kept to", demands(starling.Format{Kind: "json_schema", Name: "invoice", Schema: json.RawMessage(someSchema), Strict: &no}), ofShape(func(f *starling.Format) string {
		if f.Strict != nil && !*f.Strict {
			return "loose"
		}
		return ""
	})},
	{"how hard to think", func(c *starling.Chat) { c.Effort = "high" }, func(c *starling.Chat) string { return strings.TrimPrefix(c.Effort, "none") }},
	{"how hard to think: hardly", func(c *starling.Chat) { c.Effort = "minimal" }, func(c *starling.Chat) string { return strings.TrimPrefix(c.Effort, "none") }},
	{"not to think", func(c *starling.Chat) { c.Effort = "none" }, func(c *starling.Chat) string {
		if c.Effort == "none" {
			return "none"
		}
		return ""
	}},
	{"how long to think, in tokens", func(c *starling.Chat) { c.ThinkTokens = 2048 }, func(c *starling.Chat) string { return strings.TrimPrefix(fmt.Sprint(c.ThinkTokens), "0") }},
	{"the end user's name", func(c *starling.Chat) { c.User = "user-1" }, func(c *starling.Chat) string { return c.User }},
}

// An arrival is what came of a question in another dialect.
type arrival struct {
	chat *starling.Chat
	left []string
	err  error
}

// arrive sends a chat to an upstream of a dialect, and reads what it was asked.
func arrive(t failing, c *starling.Chat, to starling.Dialect) arrival {
	from := slices.DeleteFunc(conversational(), func(d starling.Dialect) bool { return d == to })[0]
	a := arriveFrom(t, c, from, to)
	if a.err != nil && (starling.KindOf(a.err) != starling.Invalid || !strings.HasPrefix(a.err.Error(), fieldOp)) {
		t.Fatalf("%s: %v names no field", to, a.err)
	}
	return a
}

// failing is what tests of both kinds have.
type failing interface{ Fatalf(string, ...any) }

// conversational are the dialects in which a conversation is asked.
func conversational() []starling.Dialect {
	return slices.DeleteFunc(Dialects(), func(d starling.Dialect) bool { return d == starling.Embeddings || d == starling.Moderations })
}

// reached are the dialects in which upstreams are asked what came in another: those
// that know a prompt alone need not be. The others must be.
func reached(t failing) (all []starling.Dialect) {
	for _, d := range conversational() {
		_, err := Outgoing(&starling.Request{Dialect: conversational()[0], Chat: plainChat()}, d, starling.Model{Name: "m"}, func(string) {})
		switch {
		case d == conversational()[0] || err == nil:
			all = append(all, d)
		case !textOnly(d):
			t.Fatalf("a plain question cannot be asked in %s: %v", d, err)
		}
	}
	return all
}

// fare says what comes of it in a dialect: "yes", or who is told what.
func (u *utterance) fare(t *testing.T, to starling.Dialect) string {
	c := plainChat()
	u.say(c)
	want := u.said(c)
	if want == "" {
		t.Fatalf("%s: it says nothing", u.name)
	}
	a := arrive(t, c, to)
	switch {
	case a.err != nil:
		field, _, _ := strings.Cut(strings.TrimPrefix(a.err.Error(), fieldOp), ":")
		return "refused: `" + field + "`"
	case u.said(a.chat) == want && len(a.left) == 0:
		return "yes"
	case u.said(a.chat) == want:
		return "yes; " + toldIn(a.left)
	case len(a.left) == 0:
		t.Errorf("%s: %s is dropped in silence: %q became %q", u.name, to, want, u.said(a.chat))
		return "DROPPED"
	}
	return toldIn(a.left)
}

func toldIn(left []string) string { return "told: `" + strings.Join(left, "`, `") + "`" }

// TestNothingThatAQuestionSaysIsDroppedInSilence: any of it together, from any
// dialect to any other, arrives, is told, or is refused.
func TestNothingThatAQuestionSaysIsDroppedInSilence(t *testing.T) {
	all := utterances()
	rapid.Check(t, func(t *rapid.T) {
		c := plainChat()
		c.Messages[0].Parts[0].Text = rapid.StringN(1, 20, -1).Filter(func(s string) bool { return strings.TrimSpace(s) == s && s != "" }).Draw(t, "text")
		for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(all)-1), 0, 6, rapid.ID[int]).Draw(t, "says") {
			all[i].say(c)
		}
		targets := reached(t)
		for _, from := range targets {
			first := arrive(t, c, from)
			if first.err != nil {
				continue // from cannot ask this
			}
			for _, to := range targets {
				if to != from {
					survives(t, all, first.chat, arriveFrom(t, first.chat, from, to), from, to)
				}
			}
		}
	})
}

// arriveFrom is arrive for a chat that came in a dialect.
func arriveFrom(t failing, c *starling.Chat, from, to starling.Dialect) (a arrival) {
	r := &starling.Request{Dialect: from, Chat: c, Body: []byte("{}")}
	body, err := Outgoing(r, to, starling.Model{Name: "some-model", Zone: starling.Cloud}, func(s string) { a.left = append(a.left, s) })
	if a.err = err; err != nil {
		return a
	}
	if a.chat, err = View(&starling.Request{Dialect: to, Body: body}); err != nil || !json.Valid(body) {
		t.Fatalf("%s to %s: what is asked is not understood: %v: %s", from, to, err, body)
	}
	return a
}

// survives checks that of everything that was said something came: each loss has a
// word of its own in what was told.
func survives(t *rapid.T, all []utterance, said *starling.Chat, a arrival, from, to starling.Dialect) {
	if a.err != nil {
		return
	}
	lost := 0
	for _, u := range all {
		if want := u.said(said); want != "" && u.said(a.chat) != want {
			lost++
			if len(a.left) == 0 {
				t.Fatalf("%s to %s: %s: %q became %q, and nobody was told", from, to, u.name, want, u.said(a.chat))
			}
			if !toldOf(u.name, a.left) {
				t.Fatalf("%s to %s: %s: %q became %q, and told was only %q", from, to, u.name, want, u.said(a.chat), a.left)
			}
		}
	}
}

// toldOf reports whether what was left out names an utterance: by a word that
// everybody uses for it.
func toldOf(name string, left []string) bool {
	told := strings.ToLower(strings.Join(left, "\n"))
	return slices.ContainsFunc(wordsFor[name], func(w string) bool { return strings.Contains(told, w) })
}

// wordsFor are the words by which a reader of a receipt finds out what was left out.
var wordsFor = map[string][]string{
	"who said what, in order":                  {"message", "content", "thinking"},
	"instructions at the front":                {"system"},
	"instructions between turns":               {"system"},
	"an image, as bytes":                       {"image"},
	"an image, by its address":                 {"image"},
	"how closely an image is looked at":        {"detail", "media"},
	"thoughts of another model":                {"think", "reason", "thought"},
	"thoughts that are signed":                 {"signature"},
	"a refusal by the assistant":               {"refusal"},
	"tools: name, description, schema":         {"tool"},
	"a tool's arguments keep to its schema":    {"strict", "tools: "},
	"tool choice: none":                        {"tool_choice", "tools", "toolconfig"},
	"tool choice: required":                    {"tool_choice", "toolconfig"},
	"tool choice: one tool":                    {"tool_choice", "toolconfig"},
	"no calls in parallel":                     {"parallel"},
	"calls and their results, several at once": {"tool", "result", "image"},
	"a result that is an error":                {"is_error", "error"},
	"a result with an image":                   {"image"},
	"the output limit":                         {"max_", "num_predict", "limit"},
	"temperature":                              {"temperature"},
	"temperature above 1":                      {"temperature"},
	"top_p":                                    {"top_p", "topp"},
	"top_k":                                    {"top_k", "topk"},
	"seed":                                     {"seed"},
	"stop sequences":                           {"stop"},
	"JSON of any kind":                         {"format"},
	"JSON of a schema":                         {"format", "schema"},
	"a schema's name":                          {"format", "name"},
	"a schema that need not be kept to":        {"strict", "format"},
	"how hard to think":                        {"effort", "think"},
	"how hard to think: hardly":                {"effort", "think"},
	"not to think":                             {"effort", "think"},
	"how long to think, in tokens":             {"budget", "think"},
	"the end user's name":                      {"user"},
}
