package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"

	"starling"
	"starling/internal/sim"
	"starling/internal/skill"
	"starling/internal/verify"
	"starling/skills"
)

type demoCmd struct {
	Seed    uint64 `default:"1" help:"Another seed, another world."`
	Workers int    `default:"8" help:"Requests at the same time."`
	Only    string `enum:",packs,loop" default:"" help:"One part alone: packs or loop." placeholder:"PART"`

	Models    string `help:"Data folder with the models to ask for real, and the engine; your own by default. It is only read." placeholder:"DIR"`
	Simulated bool   `help:"Ask no real model, though one is kept here."`
}

// Run shows two things on a fresh machine, with real HTTP and a real ledger: the
// main job, in which only the models are simulated, and of these not the small one while
// one that the user keeps stands in for it; and how a skill earns a model of its own and
// loses it again, in which only its teacher is.
func (c demoCmd) Run(p *program) error {
	dir, err := demoDir(p.flags.Data)
	if err != nil {
		return err
	}
	r, missing := c.real(p.flags.Config)
	var packs, loop *ending
	if c.Only != "loop" {
		if packs, err = c.packs(p, dir, r); err != nil {
			return err
		}
	}
	if c.Only != "packs" {
		if loop, err = c.loop(p, dir); err != nil {
			return err
		}
	}
	printHonesty(p.stdout, packs, loop)
	printFarewell(p.stdout, packs, loop)
	if missing != "" {
		printf(p.stdout, "Add a real local model, which the packs then ask: %s\n", missing)
	}
	return nil
}

// real returns the model that is asked for real; nil, and what would change that, if
// there is none.
func (c demoCmd) real(config string) (*real, string) {
	if c.Simulated {
		return nil, ""
	}
	cfg, _ := loadConfig(config) // says at most where the user's data is; whether it is good is not asked here
	return realModel(cfg.dataDir(c.Models))
}

// An ending is what a part of the demo leaves to be said when all is over. There is
// none of a part that was left out.
type ending struct {
	models []sim.Model // that were simulated
	real   *real       // that was not; nil: none
	look   []string    // commands that show what is left
}

// demoMark is a file that says whose the ledger beside it is.
const (
	demoMark = "demo.txt"
	demoText = "Written by starling demo: what is in this ledger nobody asked in earnest. Once another command writes to it this file is gone.\n"
)

// demoDir returns a folder that holds nothing, or a former demo's ledger and
// nothing else: what is simulated does not belong in anybody's books.
func demoDir(flag string) (string, error) {
	if flag == "" {
		dir, err := os.MkdirTemp("", "starling-demo-")
		return dir, errors.Join(err, markDemo(dir))
	}
	dir := Config{}.dataDir(flag)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", &starling.Error{Kind: starling.Invalid, Op: "demo: data folder " + dir, Hint: "name a folder that can be one", Err: err}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, demoMark)); len(entries) > 0 && err != nil {
		return "", &starling.Error{Kind: starling.Invalid, Op: "demo: " + dir + " holds something else than a demo's ledger", Hint: "unset STARLING_DATA and leave --data out, or name a new folder"}
	}
	return dir, markDemo(dir)
}

func markDemo(dir string) error {
	return os.WriteFile(filepath.Join(dir, demoMark), []byte(demoText), 0o600)
}

// unmarkDemo is for whoever else writes to a ledger: from then on it is no demo's.
func unmarkDemo(dir string) error {
	err := os.Remove(filepath.Join(dir, demoMark))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// A demo is the first part: every case of every pack, up the ladder of four models.
type demo struct {
	*scene
	packs []*pack
	real  *real // at first in the place of the smallest of the four; nil: that is simulated from the start
}

// packs plays the first part.
func (c demoCmd) packs(p *program, dir string, r *real) (*ending, error) {
	d, err := c.open(p, dir, r)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	results, err := d.play(p, c.Workers)
	if err == nil {
		err = d.report(p.ctx, p.stdout, results, time.Since(began))
	}
	if err := errors.Join(err, d.end()); err != nil {
		return nil, err
	}
	look := []string{
		"--data " + dir + " ledger report",
		"--data " + dir + " explain " + results[len(results)/2].receipt,
		"--data " + dir + " ledger verify",
	}
	return &ending{models: d.sim.models, real: r, look: look}, nil
}

// A pack is a skill with what is needed to ask its cases and grade the answers.
type pack struct {
	*skill.Skill
	cases     []skill.Case
	verifiers []starling.Verifier
}

func (c demoCmd) open(p *program, dir string, r *real) (*demo, error) {
	packs, known, err := loadPacks()
	if err != nil {
		return nil, err
	}
	models := sim.DemoModels()
	simulation, err := simulate(models, known, sim.Options{Seed: c.Seed}, func(int) string { return "127.0.0.1:0" })
	if err != nil {
		return nil, err
	}
	cfg := simulation.config()
	if r != nil {
		cfg = r.replaces(cfg, models[0].Name)
	}
	st, err := p.scene(cfg, dir, simulation)
	if err != nil {
		return nil, err
	}
	st.hup, st.next = make(chan os.Signal), simulation.config()
	unaudited(st.set)
	st.begin(p.ctx)
	return &demo{st, packs, r}, nil
}

// unaudited takes the audits out of rubrics that nobody asks by yet: the demo's
// report is of what its client asked, and of nothing else.
func unaudited(set *skill.Set) {
	for _, name := range set.Names() {
		mustFind(set, name).Rubric.Audit = 0
	}
}

func loadPacks() ([]*pack, []sim.Case, error) {
	set, err := skill.LoadAll(skills.Packs)
	if err != nil {
		return nil, nil, err
	}
	var packs []*pack
	for _, name := range set.Names() {
		s, _ := set.Find(name)
		pk := &pack{Skill: s}
		if pk.verifiers, err = verify.ForSkill(s); err != nil {
			return nil, nil, err
		}
		for c, err := range skill.Cases(skills.Packs, name) {
			if err != nil {
				return nil, nil, err
			}
			pk.cases = append(pk.cases, c)
		}
		packs = append(packs, pk)
	}
	known, err := knownCases(skills.Packs, set.Names())
	return packs, known, err
}

// play asks every case of every pack, in all four ways in turn: both dialects,
// streamed and not. A real model is asked first, for as long as it is to be.
func (d *demo) play(p *program, workers int) ([]result, error) {
	bar := p.progress("asking")
	defer bar.Finish()
	client := newClient(d.url())
	defer client.close()
	all := exercises(d.packs)
	bar.ChangeMax(len(all))
	var first []result
	var err error
	if d.real != nil {
		all = inTurn(all)
		began := time.Now()
		client.http.Timeout = 0 // each of its answers has its time
		if first, err = client.askAll(p.ctx, all, 1, bar, func() bool { return d.real.asks(began) }); err != nil {
			return nil, err
		}
		if err := d.rests(p.ctx); err != nil {
			return nil, err
		}
		all = all[len(first):]
	}
	rest, err := client.askAll(p.ctx, all, max(workers, 1), bar, nil)
	if err != nil {
		return nil, err
	}
	results := append(first, rest...)
	slices.SortFunc(results, func(a, b result) int { return a.compare(b) })
	return results, nil
}

// askAll asks several at once, in their order. Where there is somebody real to ask, it
// ends when that one is not asked once more.
func (c *client) askAll(ctx context.Context, all []exercise, workers int, bar *progressbar.ProgressBar, real func() bool) ([]result, error) {
	var mu sync.Mutex
	var results []result
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, e := range all {
		if real != nil && !real() {
			break
		}
		group.Go(func() error {
			cs := e.pack.cases[e.at]
			r, err := c.fill(ctx, e.pack, cs, result{skill: e.pack.Name, id: cs.ID, way: ways[e.at%len(ways)], real: real != nil})
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			results = append(results, r)
			return bar.Add(1)
		})
	}
	err := group.Wait()
	return results, err
}

func printFarewell(w io.Writer, packs, loop *ending) {
	fmt.Fprint(w, "\nThe books are left to look at:\n")
	for _, e := range []*ending{packs, loop} {
		if e != nil {
			fmt.Fprintf(w, "  starling %s\n", strings.Join(e.look, "\n  starling "))
		}
	}
	fmt.Fprint(w, `(without the binary: go run ./cmd/starling in the place of starling)

Next: set ANTHROPIC_API_KEY or OPENAI_API_KEY and run starling serve; then point a client's base URL at it.
`)
}
