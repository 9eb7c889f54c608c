package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	"starling"
	"starling/internal/route"
)

type askCmd struct {
	Prompt []string `arg:"" optional:"" help:"What is to be done, after what comes in through a pipe."`

	Skill     string   `help:"The skill that the task is of: its rubric says who may answer, and its prompt is what they are told." placeholder:"NAME"`
	Model     string   `help:"The model that is to answer, and no other." placeholder:"NAME"`
	Class     string   `help:"Class of the data, which says how far it may travel: public, internal, confidential, restricted, or another of the configuration; the strictest of this, the key's and the skill's holds." placeholder:"CLASS"`
	Budget    amount   `help:"Most that the answer may cost, in dollars." placeholder:"AMOUNT"`
	Bar       *float64 `help:"Share of a model's answers that must be shown to pass, like 0.95; the skill's own bar is never lowered." placeholder:"SHARE"`
	File      []string `short:"f" sep:"none" help:"A document to go with the task, as text or a picture; may be said again." placeholder:"FILE"`
	System    *string  `help:"What the model is told before everything else, in place of the skill's prompt." placeholder:"TEXT"`
	MaxTokens int      `help:"Most tokens of the answer; 0 leaves it to the model." placeholder:"N"`
	Split     bool     `help:"Have long documents read in parts by cheap models, and the answer made of what they found."`
	JSON      bool     `help:"Print one JSON object, of an error too."`
	Quiet     bool     `short:"q" help:"Say nothing beside the answer but what speaks against it."`
	Gateway   string   `help:"Address of a gateway to ask, in place of the one that has these books; its key is in STARLING_KEY." placeholder:"URL" env:"STARLING_GATEWAY"`
}

// Validate refuses what no gateway understands.
func (c askCmd) Validate() error {
	for flag, name := range map[string]string{"--skill": c.Skill, "--model": c.Model, "--class": c.Class} {
		if plain(name) != name {
			return errors.New(flag + " is a name, on one line")
		}
	}
	if b := c.Bar; b != nil && !(0 < *b && *b <= 1) {
		return errors.New("--bar is a share, more than 0 and at most 1")
	}
	if c.MaxTokens < 0 {
		return errors.New("--max-tokens is a number from 0 on")
	}
	return nil
}

// Run hands one task over: nothing is known there but what it says. The answer alone goes
// to stdout.
func (c askCmd) Run(p *program) error {
	t, err := c.ask(p)
	if !c.JSON {
		return err
	}
	if err != nil {
		return errors.Join(err, p.encode(failed(p.ctx, t, err)))
	}
	return p.encode(c.summary(t))
}

// ask has the task done, and prints what people read of it. What was told is returned even
// with an error.
func (c askCmd) ask(p *program) (*told, error) {
	task, err := c.task(os.Stdin)
	if err != nil {
		return new(told), err
	}
	l, err := p.gateTo(c.Gateway, "ask")
	if err != nil {
		return new(told), err
	}
	t, err := c.hand(p, l.client, task)
	return t, errors.Join(err, l.close())
}

// hand hands the task over and prints the answer as it comes, unless one object is to tell
// it all.
func (c askCmd) hand(p *program, to *client, task message) (*told, error) {
	talk, err := c.talk(p.ctx, to, task)
	if err != nil {
		return new(told), err
	}
	wanted := map[string]any{}
	if c.MaxTokens > 0 {
		wanted["max_tokens"] = c.MaxTokens
	}
	body := conversation(c.model(), wanted, talk...)
	if c.JSON {
		return to.talk(p.ctx, body, c.terms(), func(piece) {})
	}
	print := &printer{model: c.model(), doing: "asking", out: p.stdout, exact: !terminal(p.stdout)}
	if terminal(p.stderr) {
		print.signs = p.stderr
	}
	print.begin()
	t, err := to.talk(p.ctx, body, c.terms(), print.hear)
	print.end()
	c.comment(p.stderr, t, err)
	return t, errors.Join(err, print.err)
}

// talk is the conversation: the task, and before it what the skill or the user has the
// model told.
func (c askCmd) talk(ctx context.Context, to *client, task message) ([]message, error) {
	system := ""
	switch {
	case c.System != nil:
		system = *c.System
	case c.Skill != "":
		var err error
		if system, err = to.prompt(ctx, c.Skill); err != nil {
			return nil, err
		}
	}
	if system == "" {
		return []message{task}, nil
	}
	return []message{{"system", system}, task}, nil
}

// model is who is asked: the one that is named, else whoever the skill has answer.
func (c askCmd) model() string {
	switch {
	case c.Model != "":
		return c.Model
	case c.Skill != "":
		return route.Prefix + c.Skill
	}
	return route.Auto
}

// terms are the caller's own, as headers.
func (c askCmd) terms() map[string]string {
	h := map[string]string{"User-Agent": "starling-ask/" + version}
	if c.Skill != "" {
		h["X-Starling-Skill"] = c.Skill
	}
	if c.Class != "" {
		h["X-Starling-Class"] = c.Class
	}
	if c.Budget.Money > 0 {
		h["X-Starling-Budget"] = c.Budget.String()
	}
	if c.Bar != nil {
		h["X-Starling-Bar"] = strconv.FormatFloat(*c.Bar, 'f', -1, 64)
	}
	if c.Split {
		h["X-Starling-Split"] = "true"
	}
	return h
}

// comment says of an answer what its text does not: what speaks against it, and unless it
// is to be quiet who gave it and what it cost.
func (c askCmd) comment(w io.Writer, t *told, err error) {
	if err != nil {
		if t.answer.Len() > 0 && (t.finish == "" || t.broken != nil) {
			printf(w, "note: what was printed is a part of an answer that broke off\n")
		}
		return
	}
	t.warn(w)
	if t.simulated {
		printf(w, "note: this is simulated: no model has answered\n")
	}
	if t.observed && c.Bar != nil {
		printf(w, "note: the gateway only observes, so the bar has kept nobody from answering\n")
	}
	if c.Split {
		printf(w, "note: %s\n", t.reason)
	}
	if c.Quiet {
		return
	}
	cost := t.cost.String()
	if t.unpriced {
		cost += " (and what has no known price)"
	}
	if t.saved != nil {
		cost += ", saved " + t.saved.String() + " (estimate)"
	}
	printf(w, "%s @ %s, %s, %s, receipt %s\n", t.model, t.zone, t.took.Round(time.Millisecond), cost, t.receipt)
}

// An askLine is an answer for programs.
type askLine struct {
	Answer     string          `json:"answer"`
	Skill      string          `json:"skill,omitempty"`
	Model      string          `json:"model"`
	Provider   string          `json:"provider"`
	Zone       string          `json:"zone"`
	Simulated  bool            `json:"simulated"`
	Observed   bool            `json:"observed,omitempty"` // nobody was chosen
	Reason     string          `json:"reason"`
	Finish     string          `json:"finish"`
	Receipt    string          `json:"receipt"`
	Cost       starling.Money  `json:"cost_nanodollars"`
	Incomplete bool            `json:"cost_is_incomplete,omitempty"` // there is what has no known price
	Saved      *starling.Money `json:"saved_nanodollars,omitempty"`  // absent where nothing is known
	Estimate   bool            `json:"saved_is_estimate"`
	Input      int64           `json:"input_tokens"`
	Output     int64           `json:"output_tokens"`
	Took       time.Duration   `json:"took_ns"`
	Warning    string          `json:"warning,omitempty"`
}

func (c askCmd) summary(t *told) askLine {
	return askLine{
		Answer: t.answer.String(), Skill: c.Skill, Model: t.model, Provider: t.provider, Zone: t.zone, Simulated: t.simulated, Observed: t.observed,
		Reason: t.reason, Finish: t.finish, Receipt: t.receipt, Cost: t.cost, Incomplete: t.unpriced, Saved: t.saved, Estimate: t.saved != nil,
		Input: t.input, Output: t.output, Took: t.took, Warning: t.warning,
	}
}

// A failedLine is why there is no answer, for programs.
type failedLine struct {
	Error struct {
		Kind    starling.Kind `json:"kind"`
		Message string        `json:"message"`
		Hint    string        `json:"hint,omitempty"`
	} `json:"error"`
	Receipt string          `json:"receipt,omitempty"`
	Part    string          `json:"part,omitempty"`             // of an answer that broke off
	Cost    *starling.Money `json:"cost_nanodollars,omitempty"` // absent where the gateway did not come to say it; the receipt does
}

func failed(ctx context.Context, t *told, err error) failedLine {
	l := failedLine{Part: t.answer.String()}
	if t.receipt != "none" {
		l.Receipt = t.receipt
	}
	if l.Receipt == "" || t.charged {
		l.Cost = &t.cost
	}
	l.Error.Kind, l.Error.Message = kindOf(ctx, err), bare(err)
	if e, ok := errors.AsType[*starling.Error](err); ok {
		l.Error.Hint = e.Hint
	}
	return l
}
