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
	"sync"
	"time"

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
}

// Run shows the main job on a fresh machine: real HTTP in both dialects, real
// packs, real ledger; only the models are simulated.
func (c demoCmd) Run(p *program) error {
	dir, err := demoDir(p.flags.Data)
	if err != nil {
		return err
	}
	d, err := c.open(p, dir)
	if err != nil {
		return err
	}
	began := time.Now()
	results, err := d.play(p, c.Workers)
	if err == nil {
		err = d.report(p.ctx, p.stdout, results, time.Since(began))
	}
	if err := errors.Join(err, d.close()); err != nil {
		return err
	}
	return d.farewell(p.stdout, dir, results)
}

// demoMark is a file that says whose the ledger beside it is.
const (
	demoMark = "demo.txt"
	demoText = "Written by starling demo: everything in this ledger is simulated. Once another command writes to it this file is gone.\n"
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

// A demo is a gateway between a client and simulated upstreams, all in this
// process and all over real HTTP on loopback.
type demo struct {
	*gateway
	sim   *simulation
	packs []*pack
	stop  context.CancelFunc
	done  chan error
}

// A pack is a skill with what is needed to ask its cases and grade the answers.
type pack struct {
	*skill.Skill
	cases     []skill.Case
	verifiers []starling.Verifier
}

func (c demoCmd) open(p *program, dir string) (*demo, error) {
	packs, known, err := loadPacks()
	if err != nil {
		return nil, err
	}
	simulation, err := simulate(sim.DemoModels(), known, sim.Options{Seed: c.Seed}, func(int) string { return "127.0.0.1:0" })
	if err != nil {
		return nil, err
	}
	cfg := simulation.config()
	cfg.Listen = "127.0.0.1:0"
	g, err := open(p.ctx, cfg, dir, p.logger(true))
	if err != nil {
		return nil, errors.Join(err, simulation.close())
	}
	unaudited(g.set)
	d := &demo{gateway: g, sim: simulation, packs: packs, done: make(chan error, 1)}
	ctx, stop := context.WithCancel(p.ctx)
	d.stop = stop
	go func() { d.done <- g.run(ctx, nil, nil) }()
	return d, nil
}

// unaudited takes the audits out of rubrics that nobody asks by yet: the demo's
// report is of what its client asked, and of nothing else.
func unaudited(set *skill.Set) {
	for _, name := range set.Names() {
		mustFind(set, name).Rubric.Audit = 0
	}
}

// close ends the gateway, then the upstreams.
func (d *demo) close() error {
	d.stop()
	err := <-d.done
	d.gateway.close()
	return errors.Join(err, d.sim.close())
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
// streamed and not.
func (d *demo) play(p *program, workers int) ([]result, error) {
	bar := p.progress("asking")
	defer bar.Finish()
	var mu sync.Mutex
	var results []result
	group, ctx := errgroup.WithContext(p.ctx)
	group.SetLimit(max(workers, 1))
	client := newClient("http://" + d.ln.Addr().String())
	defer client.close()
	total := 0
	for _, pk := range d.packs {
		total += len(pk.cases)
	}
	bar.ChangeMax(total)
	for _, pk := range d.packs {
		for i, c := range pk.cases {
			group.Go(func() error {
				r, err := client.ask(ctx, pk, c, ways[i%len(ways)])
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				results = append(results, r)
				return bar.Add(1)
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(results, func(a, b result) int { return a.compare(b) })
	return results, nil
}

func (d *demo) farewell(w io.Writer, dir string, results []result) error {
	example := results[len(results)/2].receipt
	_, err := fmt.Fprintf(w, `
The ledger is left to look at:
  starling --data %[1]s ledger report
  starling --data %[1]s explain %[2]s
  starling --data %[1]s ledger verify
(without the binary: go run ./cmd/starling --data %[1]s explain %[2]s)

Next: set ANTHROPIC_API_KEY or OPENAI_API_KEY and run starling serve; then point a client's base URL at it.
`, dir, example)
	return err
}
