package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"starling"
	"starling/internal/hub"
	"starling/internal/machine"
)

type engineCmd struct {
	Install engineInstallCmd `cmd:"" help:"Install llama.cpp's libraries, from a folder or package, or from the first source that has them."`
	List    engineListCmd    `cmd:"" help:"List what is installed."`
	Remove  engineRemoveCmd  `cmd:"" help:"Remove an installed version."`
	Doctor  engineDoctorCmd  `cmd:"" help:"Say what works, what is missing, and the command that mends it."`

	Child    engineChildCmd    `cmd:"" hidden:"" help:"Be the engine of the process that starts it."`
	Quantize engineQuantizeCmd `cmd:"" hidden:"" help:"Write a smaller file of weights."`
}

// hubStore opens the store of the data folder, with its progress on the terminal.
func (p *program) hubStore(o hub.Options) (*hub.Store, error) {
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return nil, err
	}
	o.Token = os.Getenv("HF_TOKEN")
	o.Progress = p.bytesProgress()
	o.Inspect, o.Fits = inspectWeights, cfg.Local.fitsHere(machine.Here(), sync.OnceValue(func() float64 {
		bandwidth, _ := memoryBandwidth(p.ctx) // 0: then nothing is said of speed
		return bandwidth
	}))
	return hub.Open(cfg.dataDir(p.flags.Data), o)
}

// bytesProgress draws a bar for each file on a terminal and is silent elsewhere.
func (p *program) bytesProgress() func(what string, done, total int64) {
	f, ok := p.stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	var bar *progressbar.ProgressBar
	var of string
	return func(what string, done, total int64) {
		if of != what {
			of, bar = what, progressbar.NewOptions64(max(total, 1),
				progressbar.OptionSetDescription(plain(what)),
				progressbar.OptionSetWriter(p.stderr),
				progressbar.OptionShowBytes(true),
				progressbar.OptionClearOnFinish(),
				progressbar.OptionThrottle(50*time.Millisecond),
			)
		}
		_ = bar.Set64(done) // a bar that cannot be drawn stops nothing
	}
}

type engineInstallCmd struct {
	From     string `arg:"" optional:"" help:"Folder of the libraries, or a package of them (.tgz, .tar.gz, .zip)."`
	Force    bool   `help:"Install anew what is installed."`
	Registry string `help:"Address of an npm registry." placeholder:"URL" env:"NPM_CONFIG_REGISTRY"`
	GitHub   string `name:"github" help:"Address of GitHub's API." placeholder:"URL"`
	JSON     bool   `help:"Print JSON."`
}

// Run installs the library.
func (c engineInstallCmd) Run(p *program) error {
	if err := needEngine(); err != nil {
		return err
	}
	s, err := p.hubStore(hub.Options{NPM: c.Registry, GitHub: c.GitHub, Check: func(_ context.Context, dir string) (string, error) { return checkLibrary(dir) }})
	if err != nil {
		return err
	}
	l, skipped, err := s.Install(p.ctx, hub.Installation{From: c.From, Force: c.Force})
	if err != nil {
		return err
	}
	if c.JSON {
		return p.encode(listedLibrary(l))
	}
	for _, why := range skipped {
		printf(p.stderr, "note: %s\n", why)
	}
	printf(p.stdout, "llama.cpp %s from %s, %s, in %s\n", l.Version, l.Source, megabytes(l.Bytes()), l.Dir)
	return nil
}

// megabytes renders a size as people compare them.
func megabytes(bytes int64) string {
	if bytes >= 1e9 {
		return fmt.Sprintf("%.2f GB", float64(bytes)/1e9)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

type engineListCmd struct {
	JSON bool `help:"Print JSON."`
}

// A libraryLine is a library as its owner sees it.
type libraryLine struct {
	hub.Library
	Bytes int64 `json:"bytes"`
}

func listedLibrary(l hub.Library) libraryLine { return libraryLine{l, l.Bytes()} }

// Run lists the libraries.
func (c engineListCmd) Run(p *program) error {
	s, err := p.hubStore(hub.Options{})
	if err != nil {
		return err
	}
	all, err := s.Libraries()
	if err != nil {
		return err
	}
	if c.JSON {
		lines := []libraryLine{}
		for _, l := range all {
			lines = append(lines, listedLibrary(l))
		}
		return p.encode(lines)
	}
	t := newTable(p.stdout, "VERSION", "FROM", "PLATFORM", "SIZE", "INSTALLED", "USED")
	for _, l := range all {
		t.row(l.Version, l.Source, l.Platform, megabytes(l.Bytes()), l.Installed.Local().Format(time.DateTime), map[bool]string{true: "yes", false: "no"}[l.Used])
	}
	return t.Flush()
}

type engineRemoveCmd struct {
	Version string `arg:"" help:"Version that is removed."`
	JSON    bool   `help:"Print JSON."`
}

// Run removes a library.
func (c engineRemoveCmd) Run(p *program) error {
	s, err := p.hubStore(hub.Options{})
	if err != nil {
		return err
	}
	freed, err := s.RemoveLibrary(p.ctx, c.Version)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.encode(map[string]any{"version": c.Version, "freed": freed})
	}
	printf(p.stdout, "removed %s: %s freed\n", c.Version, megabytes(freed))
	return nil
}

type engineDoctorCmd struct {
	JSON bool `help:"Print JSON."`
}

// diagnose looks at all that local models need, this program first.
func (p *program) diagnose(cfg Config, s *hub.Store) []hub.Finding {
	d, library := hub.Doctor{Store: s, Bandwidth: memoryBandwidth, Try: tryLibrary}, ""
	none, without := errors.AsType[*starling.Error](needEngine())
	if without {
		d.Try = nil // nothing to try it with
	}
	all := d.Look(p.ctx)
	if slices.ContainsFunc(all, func(f hub.Finding) bool { return f.Name == "engine" && f.State == hub.Well }) {
		l, _ := s.Library() // which was just tried
		library = l.Dir
	}
	all = append(all, cfg.Local.power(p.ctx, machine.Here(), cfg.dataDir(p.flags.Data), library))
	if without {
		all = slices.Insert(all, 0, hub.Finding{Name: "program", State: hub.Missing, Found: none.Op, Mend: none.Hint, Kind: none.Kind})
	}
	return all
}

// Run says how local models fare here, and fails if they cannot run.
func (c engineDoctorCmd) Run(p *program) error {
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return err
	}
	s, err := p.hubStore(hub.Options{})
	if err != nil {
		return err
	}
	all := p.diagnose(cfg, s)
	if c.JSON {
		err = p.encode(all)
	} else {
		t := newTable(p.stdout)
		for _, f := range all {
			found := f.Found
			if f.Mend != "" {
				found += ": " + f.Mend
			}
			t.row(f.Name, f.State, found)
		}
		err = t.Flush()
	}
	if err != nil {
		return err
	}
	return hub.Verdict(all)
}
