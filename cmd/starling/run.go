package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"starling"
	"starling/internal/hub"
	"starling/internal/route"
)

type runCmd struct {
	Model  string   `arg:"" help:"A model that is kept here, any other that starling models lists, or starling/SKILL."`
	Prompt []string `arg:"" optional:"" help:"What to ask, after what comes in through a pipe. Without either it is a chat, in the terminal."`

	System      string   `help:"What the model is told before everything else." placeholder:"TEXT"`
	MaxTokens   int      `help:"Most tokens of an answer; 0 leaves it to the model." placeholder:"N"`
	Temperature *float64 `help:"How freely it chooses its words." placeholder:"T"`
	Seed        *int64   `help:"The same seed, the same choice of words, where the model takes one." placeholder:"N"`
	Effort      string   `help:"How much it is to think before it answers: none, low, medium, high, or what else it knows." placeholder:"LEVEL"`
	Thinking    *bool    `negatable:"" help:"Print what a model thinks before it answers; if unsaid, on a terminal alone."`
	Verbose     bool     `short:"v" help:"Say after each answer how fast it came, what it cost, and its receipt."`
	JSON        bool     `help:"Print one JSON object."`
	Gateway     string   `help:"Address of a gateway to ask, in place of the one that has these books; its key is in STARLING_KEY." placeholder:"URL" env:"STARLING_GATEWAY"`
}

// Validate refuses numbers that no model takes.
func (c runCmd) Validate() error {
	if t := c.Temperature; t != nil && !(0 <= *t && *t <= 100) {
		return errors.New("--temperature is a number from 0 on")
	}
	if c.MaxTokens < 0 {
		return errors.New("--max-tokens is a number from 0 on")
	}
	return nil
}

// Run asks a model, once or as a conversation, through the gateway, so that it is in the
// books like everything else.
func (c runCmd) Run(p *program) error {
	prompt, err := spoken(os.Stdin, c.Prompt)
	if err != nil {
		return err
	}
	chats := prompt == ""
	if chats && (c.JSON || !terminal(os.Stdin) || !terminal(p.stdout)) {
		return &starling.Error{Kind: starling.Invalid, Op: "run: there is nothing to ask", Hint: "say it behind the model's name, or send it through a pipe"}
	}
	l, name, err := c.reach(p)
	if err != nil {
		return err
	}
	if chats {
		err = c.chat(p, l.client, name)
	} else {
		err = c.once(p, l.client, name, prompt)
	}
	return errors.Join(err, l.close())
}

// terminal reports whether a stream ends before a person.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// reach opens the way to a gateway, and finds the model's name there. Where something is
// missing that can be fetched, it is fetched if the user wants that.
func (c runCmd) reach(p *program) (*gate, string, error) {
	if c.Gateway != "" {
		l, err := gateAt(c.Gateway)
		if err != nil {
			return nil, "", err
		}
		return l.waits(), c.Model, nil // it knows best who answers to that
	}
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return nil, "", err
	}
	for fetched := false; ; fetched = true {
		l, err := c.open(p, cfg)
		if err != nil {
			return nil, "", err
		}
		name, err := c.find(l, cfg.dataDir(p.flags.Data))
		if err == nil && fetched && l.own == nil {
			err = l.client.awaits(p.ctx, name)
		}
		if err == nil {
			return l, name, nil
		}
		if err = p.mend(errors.Join(err, l.close())); err != nil {
			return nil, "", err
		}
	}
}

// open finds the gateway that has the books, or makes one, and looks what it is made of.
func (c runCmd) open(p *program, cfg Config) (*gate, error) {
	l, err := p.gate(cfg, wish{command: "run"})
	if err != nil {
		return nil, err
	}
	if l.own == nil {
		if err := l.look(p, cfg); err != nil {
			return nil, errors.Join(err, l.close())
		}
	}
	return l.waits(), nil
}

// A lack is the error that something is missing which can be fetched.
type lack struct {
	error
	question string
	fetch    func(p *program) error
}

func (l *lack) Unwrap() error { return l.error }

// mend fetches what an error says is missing, if the user is there and wants that. It
// returns the error that is left.
func (p *program) mend(err error) error {
	l, ok := errors.AsType[*lack](err)
	if !ok || !p.agrees(bare(l.error)+"; "+l.question) {
		return err
	}
	beside := *p
	beside.stdout = p.stderr // stdout is for the answer
	return l.fetch(&beside)
}

// find returns the name by which the gateway knows the model that the user means. Errors:
// NotFound, a lack where it can be fetched.
func (c runCmd) find(l *gate, dir string) (string, error) {
	d := l.parts.directory
	if strings.HasPrefix(c.Model, route.Prefix) || len(d.Awaits(c.Model)) > 0 {
		return c.Model, nil // the gateway knows best who answers
	}
	store, err := hub.Open(dir, hub.Options{})
	if err != nil {
		return "", err
	}
	m, ok := d.Find(c.Model)
	if !ok {
		if m, err = l.kept(store, c.Model); err != nil {
			return "", err
		}
	}
	switch {
	case m.Provider == localName && l.parts.rung.provider == nil:
		return "", noEngine(store, m)
	case slices.Contains(d.Aliases(), c.Model):
		return c.Model, nil
	}
	return m.ID(), nil
}

// kept returns the model that is kept under a name, in any case and with the tag unsaid
// where only one has it.
func (l *gate) kept(store *hub.Store, name string) (m starling.Model, err error) {
	all, err := store.Models()
	if err != nil {
		return m, err
	}
	own := strings.TrimPrefix(name, localName+"/")
	like := func(m hub.Stored) bool {
		full, said := strings.ToLower(m.Name), strings.ToLower(own)
		return full == said || strings.HasPrefix(full, said+":")
	}
	if !slices.ContainsFunc(all, like) {
		return m, l.unknown(name, own)
	}
	stored, err := store.Find(own)
	if err != nil {
		return m, err
	}
	m, ok := l.parts.directory.Find(localName + "/" + stored.Name)
	if !ok {
		err = &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("run: %s is kept here, and the configuration leaves it out", stored.Name), Hint: "local.models and local.off in it say why"}
	}
	return m, err
}

// unknown is the error of a name that leads nowhere: a lack, if it is that of a model
// which can be fetched.
func (l *gate) unknown(name, own string) error {
	known := l.parts.directory.Aliases()
	for _, m := range l.parts.directory.Models() {
		known = append(known, m.ID(), m.Name)
	}
	err := &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("run: there is no model %q", name), Hint: meant(name, known, "starling models lists what there is, starling model pull fetches more")}
	provider, _, _ := strings.Cut(own, "/")
	if _, wrong := hub.ParseReference(own); wrong != nil || l.parts.providers[provider] != nil {
		return err
	}
	err.Op, err.Hint = fmt.Sprintf("run: the model %q is not here", own), "starling model pull "+own
	return &lack{err, "pull it?", modelPullCmd{Model: own, Hub: os.Getenv("HF_ENDPOINT")}.Run}
}

// noEngine is the error of a model that is kept where nothing runs it.
func noEngine(store *hub.Store, m starling.Model) error {
	if _, err := store.Library(); err != nil {
		return &lack{err, "install it?", engineInstallCmd{Registry: os.Getenv("NPM_CONFIG_REGISTRY")}.Run}
	}
	return &starling.Error{Kind: starling.NotFound, Op: "run: " + m.Away}
}

// awaits waits until a gateway that serves already knows a model that was fetched, or the
// engine for it, a moment ago: it looks once a second.
func (c *client) awaits(ctx context.Context, name string) error {
	err := wait(ctx, func() (bool, error) { return c.knows(ctx, name) })
	select {
	case <-ctx.Done():
	case <-time.After(2 * time.Second):
	}
	return err
}

// once asks, and prints the answer as it comes.
func (c runCmd) once(p *program, to *client, name, prompt string) error {
	if c.JSON {
		told, err := to.talk(p.ctx, c.question(name, message{"user", prompt}), nil, func(piece) {})
		if err != nil {
			return err
		}
		return p.encode(c.summary(told))
	}
	print := &printer{model: name, out: p.stdout, thinks: *cmp.Or(c.Thinking, new(terminal(p.stdout))), dims: terminal(p.stdout)}
	if terminal(p.stderr) {
		print.signs = p.stderr
	}
	print.begin()
	told, err := to.talk(p.ctx, c.question(name, message{"user", prompt}), nil, print.hear)
	print.end()
	if err != nil {
		return errors.Join(err, print.err)
	}
	told.comment(p.stderr, c.Verbose)
	return print.err
}

// question asks a model to go on with a conversation.
func (c runCmd) question(name string, talk ...message) []byte {
	if c.System != "" {
		talk = append([]message{{"system", c.System}}, talk...)
	}
	wanted := map[string]any{}
	if c.MaxTokens > 0 {
		wanted["max_tokens"] = c.MaxTokens
	}
	if c.Effort != "" {
		wanted["reasoning_effort"] = c.Effort
	}
	if c.Temperature != nil {
		wanted["temperature"] = *c.Temperature
	}
	if c.Seed != nil {
		wanted["seed"] = *c.Seed
	}
	return conversation(name, wanted, talk...)
}

// A runLine is an answer for programs.
type runLine struct {
	Model      string         `json:"model"`
	Answer     string         `json:"answer"`
	Thinking   string         `json:"thinking,omitempty"`
	Finish     string         `json:"finish"`
	Receipt    string         `json:"receipt"`
	Input      int64          `json:"input_tokens"`
	Cached     int64          `json:"cached_tokens"`
	Output     int64          `json:"output_tokens"`
	Speed      float64        `json:"tokens_per_second"`
	FirstToken time.Duration  `json:"first_token_ns"`
	Took       time.Duration  `json:"took_ns"`
	Cost       starling.Money `json:"cost_nanodollars"`
}

func (c runCmd) summary(t *told) runLine {
	l := runLine{
		Model: t.model, Answer: t.answer.String(), Finish: t.finish, Receipt: t.receipt,
		Input: t.input, Cached: t.cached, Output: t.output, Speed: t.speed(), FirstToken: t.first, Took: t.took, Cost: t.cost,
	}
	if c.Thinking != nil && *c.Thinking {
		l.Thinking = t.thoughts.String()
	}
	return l
}
