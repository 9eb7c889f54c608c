package mcp

import (
	"cmp"
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"starling"
)

// A task is what is handed over, and on which terms. It means what starling ask means by
// the same words.
type task struct {
	Task      string     `json:"task" jsonschema:"complete in itself: nothing else is seen"`
	Skill     string     `json:"skill,omitempty" jsonschema:"use case, of those in models; its rubric decides who answers"`
	Model     string     `json:"model,omitempty" jsonschema:"only this one; else the cheapest that is good enough"`
	Class     string     `json:"class,omitempty" jsonschema:"of its data: public, internal, confidential or restricted"`
	Budget    *float64   `json:"budget,omitempty" jsonschema:"most that it may cost, in dollars"`
	Bar       *float64   `json:"bar,omitempty" jsonschema:"share of answers that must be shown right, 0 to 1"`
	Documents []document `json:"documents,omitempty"`
	System    *string    `json:"system,omitempty" jsonschema:"in place of the skill's"`
	MaxTokens int64      `json:"max_tokens,omitempty"`
	Split     bool       `json:"split,omitempty" jsonschema:"cheap models read long documents in parts"`
}

type document struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// An answered is an answer with its account.
type answered struct {
	Answer    string  `json:"answer"`
	Model     string  `json:"model"` // provider/name
	Zone      string  `json:"zone"`
	Reason    string  `json:"reason"`
	Finish    string  `json:"finish"` // stop, or length if it is cut off
	Cost      float64 `json:"cost_usd"`
	Saved     float64 `json:"saved_usd"`
	Estimate  bool    `json:"saved_is_estimate"` // false where there is nothing to compare with
	Receipt   string  `json:"receipt"`
	Simulated bool    `json:"simulated"` // no model said this
	Warning   string  `json:"warning,omitempty"`
}

// answer is the tool ask.
func (c caller) answer(ctx context.Context, t task) (answered, error) {
	r, err := c.put(ctx, "/v1/chat/completions", t)
	if err != nil {
		return answered{}, err
	}
	choice, h := gjson.GetBytes(r.body, "choices.0"), r.header
	saved := h.Get("X-Starling-Saved")
	return answered{
		Answer: cmp.Or(choice.Get("message.content").String(), choice.Get("message.refusal").String()), Finish: choice.Get("finish_reason").String(),
		Model: h.Get("X-Starling-Provider") + "/" + h.Get("X-Starling-Model"), Zone: h.Get("X-Starling-Zone"), Reason: h.Get("X-Starling-Reason"),
		Cost: dollars(h.Get("X-Starling-Cost")), Saved: dollars(saved), Estimate: saved != "",
		Receipt: h.Get("X-Starling-Receipt"), Simulated: h.Get("X-Starling-Simulated") == "true", Warning: warning(h, choice),
	}, nil
}

// warning is everything that must not be silent about an answer.
func warning(h http.Header, choice gjson.Result) string {
	var all []string
	if said := h.Get("X-Starling-Warning"); said != "" {
		all = append(all, said)
	}
	if choice.Get("finish_reason").String() == "length" {
		all = append(all, "the answer is cut off: there was no room for more tokens")
	}
	if strings.Contains(h.Get("X-Starling-Cost"), "no known price") {
		all = append(all, "a part of the cost has no known price")
	}
	return strings.Join(all, "; ")
}

// put sends a task to a path that takes what /v1/chat/completions takes.
func (c caller) put(ctx context.Context, path string, t task) (reply, error) {
	if strings.TrimSpace(t.Task) == "" {
		return reply{}, invalid("the task says nothing")
	}
	if t.System == nil && t.Skill != "" {
		prompt, err := c.prompt(ctx, t.Skill)
		if err != nil {
			return reply{}, err
		}
		t.System = &prompt
	}
	return c.ask(ctx, inquiry{method: http.MethodPost, path: path, body: t.body(), header: t.header()})
}

// prompt is the system message that a skill was tried with; "" if it has none.
func (c caller) prompt(ctx context.Context, skill string) (string, error) {
	r, err := c.ask(ctx, inquiry{method: http.MethodGet, path: "/v1/skills/" + url.PathEscape(skill)})
	if err != nil {
		return "", err
	}
	return gjson.GetBytes(r.body, "prompt").String(), nil
}

// body is the task in OpenAI's dialect.
func (t task) body() map[string]any {
	type message struct {
		Role    string `json:"role"`
		Content any    `json:"content"`
	}
	var talk []message
	if t.System != nil && *t.System != "" {
		talk = append(talk, message{"system", *t.System})
	}
	body := map[string]any{"model": t.model(), "messages": append(talk, message{"user", t.content()})}
	if t.MaxTokens != 0 {
		body["max_tokens"] = t.MaxTokens
	}
	return body
}

// model is the one that is named, else whoever is good enough in the skill.
func (t task) model() string {
	return cmp.Or(t.Model, "starling/"+cmp.Or(t.Skill, "auto"))
}

// content is the task's text. Documents are parts of their own, so that a reader can tell
// them from what is to be done with them.
func (t task) content() any {
	if len(t.Documents) == 0 {
		return t.Task
	}
	type part struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	var parts []part
	for _, d := range t.Documents {
		parts = append(parts, part{"text", fmt.Sprintf("<document name=\"%s\">\n%s\n</document>", html.EscapeString(d.Name), d.Text)})
	}
	return append(parts, part{"text", t.Task})
}

// header is what the task says of its terms.
func (t task) header() http.Header {
	h := http.Header{}
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	set("X-Starling-Skill", t.Skill)
	set("X-Starling-Class", t.Class)
	set("X-Starling-Budget", number(t.Budget))
	set("X-Starling-Bar", number(t.Bar))
	if t.Split {
		h.Set("X-Starling-Split", "true")
	}
	return h
}

// number is one as people write it; "" for none.
func number(n *float64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatFloat(*n, 'f', -1, 64)
}

// An estimated is what would be done with a task.
type estimated struct {
	Skill      string      `json:"skill,omitempty"`
	Class      string      `json:"class,omitempty"`
	Furthest   string      `json:"furthest_zone"`
	Rule       string      `json:"rule,omitempty"` // what decided the order
	Expected   float64     `json:"expected_usd" jsonschema:"of the whole, failures included"`
	Limit      float64     `json:"limit_usd,omitempty"` // most that the whole may cost
	Candidates []candidate `json:"candidates" jsonschema:"in order, each asked if those before fail"`
	Left       []leftOut   `json:"left_out"`
	Refused    *refusal    `json:"refused,omitempty"` // why nobody would answer
}

type candidate struct {
	Model       string   `json:"model"`
	Zone        string   `json:"zone"`
	Expected    float64  `json:"expected_usd"`
	Worst       float64  `json:"worst_usd"`
	Probability float64  `json:"probability"` // that its answer is accepted
	Basis       string   `json:"basis"`       // where that is from
	Verify      []string `json:"verify,omitempty"`
	Warrant     string   `json:"warrant,omitempty"`
	Why         string   `json:"why"`
}

type leftOut struct {
	Model string `json:"model"`
	Kind  string `json:"kind"`
	Why   string `json:"why"`
}

type refusal struct {
	Kind string `json:"kind"`
	Why  string `json:"why"`
	Hint string `json:"hint,omitempty"`
}

// estimate is the tool of that name.
func (c caller) estimate(ctx context.Context, t task) (estimated, error) {
	r, err := c.put(ctx, "/v1/plan", t)
	if err != nil {
		return estimated{}, err
	}
	var said struct {
		Screen  starling.Screen `json:"screen"`
		Plan    starling.Plan   `json:"plan"`
		Refused *refusal        `json:"refused"`
	}
	if err := r.into(&said); err != nil {
		return estimated{}, err
	}
	plan := &said.Plan
	e := estimated{
		Skill: plan.Skill, Class: string(said.Screen.Class), Furthest: said.Screen.Furthest.String(), Rule: plan.Rule,
		Expected: usd(plan.Expected), Limit: usd(plan.Limit), Candidates: []candidate{}, Left: leftOuts(plan), Refused: said.Refused,
	}
	for i := range plan.Candidates {
		k := &plan.Candidates[i]
		e.Candidates = append(e.Candidates, candidate{
			Model: k.Model.ID(), Zone: k.Model.Zone.String(), Expected: usd(k.Expected), Worst: usd(k.Worst),
			Probability: k.Probability, Basis: k.Basis, Verify: k.Verify, Warrant: k.Warrant, Why: k.Why,
		})
	}
	return e, nil
}

// leftOuts are who may not answer.
func leftOuts(p *starling.Plan) []leftOut {
	all := []leftOut{}
	for _, l := range p.Left {
		all = append(all, leftOut{l.Model, string(l.Kind), l.Why})
	}
	return all
}
