package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"starling"
	"starling/internal/sim"
	"starling/internal/skill"
)

type simulateCmd struct {
	Listen  string        `default:"127.0.0.1:4242" help:"Address of the first upstream; the others take the ports after it." placeholder:"HOST:PORT"`
	Seed    uint64        `default:"1" help:"Another seed, another world."`
	Model   string        `help:"Serve one model of this name instead of the demo's four, in every dialect." placeholder:"NAME"`
	Quality float64       `default:"1" group:"model" help:"Share of known cases that it answers rightly."`
	Input   string        `default:"1" group:"model" help:"Stated dollars for a million input tokens."`
	Output  string        `default:"5" group:"model" help:"Stated dollars for a million output tokens."`
	First   time.Duration `default:"0s" group:"model" help:"Time to the first token."`
	Token   time.Duration `default:"0s" group:"model" help:"Time for each token."`
	Fail    float64       `default:"0" group:"model" help:"Share of calls that end in a 500."`
	Busy    float64       `default:"0" group:"model" help:"Share of calls that end in a 429."`
	Cut     float64       `default:"0" group:"model" help:"Share of calls that die in the middle."`
	Cache   bool          `group:"model" help:"Simulate prompt caching."`
	Forget  int64         `group:"model" help:"Tokens beyond which the beginning of a prompt is dropped in silence, as by an Ollama with a small window." placeholder:"N"`
	Words   int           `default:"40" group:"model" help:"Words of an answer to an unknown input."`
	Play    string        `type:"existingfile" group:"model" help:"File of tasks in which it calls an agent's tools as the file says, and runs what the file says." placeholder:"FILE"`
	Cases   string        `type:"existingdir" help:"Folder of skills whose cases are known; the shipped packs by default."`
}

// ofOneModel is the group of flags that say something of the one model, and of
// nothing without it.
const ofOneModel = "model"

// Validate refuses flags that would be left unheard.
func (c simulateCmd) Validate(given *kong.Context) error {
	for _, p := range given.Path {
		if f := p.Flag; c.Model == "" && f != nil && f.Group != nil && f.Group.Key == ofOneModel {
			return fmt.Errorf("--%s says something of one model: name it with --model", f.Name)
		}
	}
	return nil
}

// Run serves simulated upstreams until it is told to stop.
func (c simulateCmd) Run(p *program) error {
	fsys := Config{Skills: c.Cases}.skillFiles()
	set, err := skill.LoadAll(fsys)
	if err != nil {
		return err
	}
	known, err := knownCases(fsys, set.Names())
	if err != nil {
		return err
	}
	models, err := c.models()
	if err != nil {
		return err
	}
	host, port, err := splitAddr(c.Listen)
	if err != nil {
		return err
	}
	s, err := simulate(models, known, sim.Options{Seed: c.Seed}, func(i int) string {
		if port == 0 { // any free one, for each
			i = 0
		}
		return net.JoinHostPort(host, strconv.Itoa(port+i))
	})
	if err != nil {
		return err
	}
	c.greet(p, s, len(known))
	<-p.ctx.Done()
	return s.close()
}

// greet says in one write, for whoever waits for the addresses, what is served.
func (c simulateCmd) greet(p *program, s *simulation, cases int) {
	var text bytes.Buffer
	fmt.Fprintf(&text, "simulated upstreams, %d known cases; nothing they say is a model's\n", cases)
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for i, m := range s.models {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\tright %s\n", s.urls[i], m.Name, m.Zone, priced(m.Price), rightly(m))
	}
	t.Flush()
	_, _ = text.WriteTo(p.stdout) // who does not listen is served all the same
}

func (c simulateCmd) models() ([]sim.Model, error) {
	if c.Model == "" {
		return sim.DemoModels(), nil
	}
	for _, share := range []float64{c.Quality, c.Fail, c.Busy, c.Cut, c.Fail + c.Busy + c.Cut} {
		if !(share >= 0 && share <= 1) { // neither is what is no number
			return nil, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("share %g", share), Hint: "write shares from 0 to 1; those that fail are 1 together at most"}
		}
	}
	in, err1 := starling.ParseMoney(c.Input)
	out, err2 := starling.ParseMoney(c.Output)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	plays, err := c.plays()
	if err != nil {
		return nil, err
	}
	return []sim.Model{{
		Name: c.Model, Zone: starling.Machine, Quality: c.Quality, Words: c.Words, PromptCache: c.Cache, Reads: max(c.Forget, 0), Plays: plays,
		Price:   starling.Price{Rates: starling.Rates{Input: starling.Rate(in), Output: starling.Rate(out)}, Source: "stated on the command line"},
		Latency: sim.Latency{FirstToken: c.First, PerToken: c.Token},
		Failure: sim.Failure{Error500: c.Fail, Overloaded429: c.Busy, Cut: c.Cut},
	}}, nil
}

func (c simulateCmd) plays() ([]sim.Play, error) {
	if c.Play == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.Play)
	if err != nil {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "simulate: read the plays", Err: err}
	}
	return sim.ParsePlays(text)
}

func splitAddr(addr string) (string, int, error) {
	host, text, err := net.SplitHostPort(addr)
	port, bad := strconv.Atoi(text)
	if err != nil || bad != nil {
		return "", 0, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("address %q", addr), Hint: "write it like 127.0.0.1:4242"}
	}
	return host, port, nil
}
