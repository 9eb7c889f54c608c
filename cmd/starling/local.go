package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"starling"
	"starling/internal/catalog"
	"starling/internal/engine"
	"starling/internal/family"
	"starling/internal/gguf"
	"starling/internal/grammar"
	"starling/internal/hub"
	"starling/internal/local"
	"starling/internal/machine"
)

// localName is the provider of the models that are kept on this machine.
const localName = "local"

// A Local says which of the kept models may be asked, and what they may take of this
// machine. The zero value is a good one.
type Local struct {
	Off        bool           `yaml:"off"`
	Models     []string       `yaml:"models"` // nil: all
	Adapters   []Adapter      `yaml:"adapters"`
	Adopt      []string       `yaml:"adopt"` // servers that the user runs; nil: as [Config.adopts] says
	Context    int            `yaml:"context"`
	Sequences  int            `yaml:"sequences"`
	Threads    int            `yaml:"threads"`
	Cache      string         `yaml:"cache"`
	Reserve    int64          `yaml:"reserve"` // MiB
	Keep       time.Duration  `yaml:"keep"`
	Watts      string         `yaml:"watts"`
	PerKWh     starling.Money `yaml:"per_kwh"`
	OnBattery  bool           `yaml:"on_battery"`
	MaxCelsius float64        `yaml:"max_celsius"`
	Hours      string         `yaml:"hours"`

	folder  string        // of the data with the models, "" the gateway's own: the demo asks the user's
	longest time.Duration // that an answer may take; 0 as long as [local.Options] has it
}

// An Adapter is a LoRA adapter of a kept model. With it that is a model of another name.
type Adapter struct {
	Name  string  `yaml:"name"`
	Model string  `yaml:"model"`
	File  string  `yaml:"file"`
	Scale float32 `yaml:"scale"` // 0: 1
}

// usualSequences is how many answers a model on this machine writes at once: two read
// the weights once for both of their next tokens.
const usualSequences = 2

func (l Local) rules() machine.Rules {
	return machine.Rules{OnBattery: l.OnBattery, MaxCelsius: l.MaxCelsius, Hours: l.Hours}
}

// A rung is the models that are kept on this machine, as a provider.
type rung struct {
	provider *local.Local     // nil: there is nobody to ask
	models   []starling.Model // each with the reason if it cannot be asked at all
	damaged  []string         // files that cannot be read
	made     string           // of what: a rung that was made of the same is the same
}

// openRung makes the rung of a data folder. Nothing is loaded. Errors are those of the
// configuration, and Internal if the folder cannot be read.
func openRung(cfg Config, dir string, log *slog.Logger) (*rung, error) {
	if cfg.Local.Off {
		return &rung{}, nil
	}
	dir = cmp.Or(cfg.Local.folder, dir)
	store, err := hub.Open(dir, hub.Options{})
	if err != nil {
		return nil, err
	}
	stored, err := store.Models()
	if err != nil {
		return nil, err
	}
	if stored, err = cfg.chosen(stored); err != nil || len(stored) == 0 {
		return &rung{}, err
	}
	price, err := cfg.powered(machine.Here(), dir)
	if err != nil {
		return nil, err
	}
	library, missing := store.Library()
	if missing == nil || !hasEngine {
		_, missing = checkLibrary(library.Dir)
	}
	adapters, err := cfg.adapters(stored)
	if err != nil {
		return nil, err
	}
	r := &rung{made: madeOf(cfg.Local, cfg.Prices, price, stored, adapters, library.Dir)}
	o := local.Options{
		Name: localName, Library: library.Dir, Command: engineCommand, Grammar: grammar.FromSchema, Price: price, Log: log,
		Cores: cfg.Local.Threads, Keep: cfg.Local.Keep, Longest: cfg.Local.longest,
	}
	heads, prices := map[string]*gguf.File{}, catalog.Embedded().With(cfg.Prices)
	for _, m := range stored {
		f, err := gguf.Open(m.Path)
		if err != nil {
			r.damaged = append(r.damaged, fmt.Sprintf("the model %s is left out: %v", m.Name, err))
			continue
		}
		heads[m.Name] = f
		w := cfg.Local.weights(m, f)
		if row, ok := prices.Lookup(localName, "", m.Name); ok {
			w.Price = row.Price // the user's own goes first
		}
		w.Adapters = adapters[m.Name]
		o.Weights = append(o.Weights, w)
	}
	cfg.Local.watch(&o, dir)
	o.Need = func(w local.Weights) (int64, error) {
		need := heads[w.Name].Memory(cfg.Local.use(heads[w.Name])).Total()
		for _, a := range w.Adapters {
			if info, err := os.Stat(a.File); err == nil { // else it is not loaded either
				need += info.Size()
			}
		}
		return need, nil
	}
	p, err := local.New(o)
	if err != nil {
		return nil, err
	}
	if r.models = p.Models(); missing == nil {
		r.provider = p
		return r, nil
	}
	p.Close()
	for i := range r.models {
		r.models[i].Away = missing.Error()
	}
	return r, nil
}

// keptCall tells whether other models are kept, or another library is installed.
func keptCall(dir string) string {
	return listing(filepath.Join(dir, "models", "manifests"), "") + listing(filepath.Join(dir, "engines"), "")
}

// watchModels says whenever what is kept has changed, until ctx ends.
func (g *gateway) watchModels(ctx context.Context, changed chan<- struct{}) error {
	return g.watch(ctx, g.kept, keptCall, func() {
		select {
		case changed <- struct{}{}:
		case <-ctx.Done():
		}
	})
}

// now is how a model stands at the moment.
func (r *rung) now(m starling.Model) starling.Model {
	if r.provider == nil {
		return m
	}
	return r.provider.Now(m)
}

// recall takes in when models were asked before this gateway's time.
func (r *rung) recall(past *starling.Receipt) {
	if r.provider == nil {
		return
	}
	for _, a := range past.Attempts {
		if name, own := strings.CutPrefix(a.Model, localName+"/"); own {
			r.provider.Recall(name, past.Time.Local())
		}
	}
}

func (r *rung) close() {
	if r.provider != nil {
		r.provider.Close()
	}
}

// madeOf names all that a rung depends on.
func madeOf(all ...any) string {
	text, err := json.Marshal(all)
	if err != nil {
		panic("what a rung is made of cannot be written down: " + err.Error())
	}
	return string(text)
}

// chosen returns the models that may be asked. Errors are Invalid.
func (c Config) chosen(stored []hub.Stored) ([]hub.Stored, error) {
	if c.Local.Models == nil {
		return stored, nil
	}
	var names []string
	for _, m := range stored {
		names = append(names, m.Name)
	}
	var some []hub.Stored
	var errs []error
	for i, name := range c.Local.Models {
		at := slices.Index(names, name)
		if at < 0 {
			err := &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("local: no model %q is kept here", name), Hint: meant(name, names, "starling model pull fetches one")}
			errs = append(errs, c.at(err, "local", "models", strconv.Itoa(i)))
			continue
		}
		some = append(some, stored[at])
	}
	return some, together(errs)
}

// adapters reads the configured adapters, by the names of their models. Errors are
// Invalid, and those of a file that cannot be read.
func (c Config) adapters(stored []hub.Stored) (map[string][]local.Adapter, error) {
	all := map[string][]local.Adapter{}
	var errs []error
	for i, a := range c.Local.Adapters {
		field, digest, err := a.read(stored)
		if err != nil {
			errs = append(errs, c.at(err, "local", "adapters", strconv.Itoa(i), field))
			continue
		}
		all[a.Model] = append(all[a.Model], local.Adapter{Adapter: engine.Adapter{Name: a.Name, File: a.File}, Digest: digest, Scale: a.Scale})
	}
	return all, together(errs)
}

// read looks whether an adapter is one of a model that may be asked. With an error it
// returns the field that is to blame.
func (a Adapter) read(stored []hub.Stored) (field, digest string, err error) {
	at := slices.IndexFunc(stored, func(m hub.Stored) bool { return m.Name == a.Model })
	if at < 0 {
		return "model", "", &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("local: no model %q may be asked here", a.Model), Hint: "starling model list shows those that are kept"}
	}
	f, err := gguf.Open(a.File)
	if err != nil {
		return "file", "", err
	}
	if own := stored[at].Facts.Architecture; !f.Adapter() || f.Architecture() != own {
		return "file", "", &starling.Error{Kind: starling.Invalid, Op: "local: it is no adapter of a model of the architecture " + own, Hint: "convert it to GGUF with llama.cpp's convert_lora_to_gguf.py, against the model that it was trained on"}
	}
	file, err := os.Open(a.File)
	if err != nil {
		return "file", "", &starling.Error{Kind: starling.Internal, Op: "local: read an adapter", Err: err}
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "file", "", &starling.Error{Kind: starling.Internal, Op: "local: read an adapter", Err: err}
	}
	return "", fmt.Sprintf("sha256:%x", sum.Sum(nil)), nil
}

// powered is what models on this machine cost: its electricity, for as long as they
// work. Errors are Invalid.
func (c Config) powered(host *machine.Host, dir string) (starling.Price, error) {
	watts, basis := c.Local.Watts, asConfigured
	if watts == "" {
		watts, basis = c.Local.draws(host, dir)
	}
	price, err := electricity(watts, basis, c.Local.PerKWh)
	return price, c.at(err, "local", "watts")
}

// weights say how a kept model is used.
func (l Local) weights(m hub.Stored, f *gguf.File) local.Weights {
	use := l.use(f)
	pooling, _ := f.Int(f.Architecture() + ".pooling_type")
	w := local.Weights{
		Name: m.Name, File: m.Path, Digest: m.Digest(), CacheType: l.Cache, Sequences: int(use.Sequences), Context: int(use.Context),
		Vectors: pooling > 0 || catalog.Takes(m.Name) == starling.Embeddings,
	}
	if !w.Vectors {
		w.Speaker = speakerOf(f)
	}
	return w
}

// watch has a provider look at this machine.
func (l Local) watch(o *local.Options, dir string) {
	host, rules := machine.Here(), l.rules()
	o.Room = func(engines []int) int64 {
		here, err := host.Look()
		if err != nil {
			return math.MaxInt64 // nothing is known that speaks against it
		}
		return here.Available + host.Held(engines...) - l.reserve()
	}
	before := host.Sample()
	o.Idle = func(engines []int) int {
		now := host.Sample(engines...)
		idle := now.Idle(before)
		before = now
		return int(idle.Cores + nearly)
	}
	o.Allowed = func() (bool, string) {
		if until, yes := paused(dir, time.Now()); yes {
			return false, "models on this machine are paused" + until
		}
		return rules.Allows(host.Power(), time.Now())
	}
}

// nearly is how much of a core may be missing that is called idle: what this program
// itself takes, and what is always going on.
const nearly = 0.25

// A speaker speaks to the model of one file, in the way of its family.
type speaker struct {
	profile *family.Profile
	options family.PromptOptions
}

func speakerOf(f *gguf.File) speaker {
	template := f.Template()
	return speaker{family.Find(f.Architecture(), f.Name(), template), family.PromptOptions{Template: template, BOS: f.BOS(), EOS: f.EOS()}}
}

func (s speaker) Prompt(chat *starling.Chat) ([]engine.Text, error) {
	o := s.options
	o.Now = time.Now()
	return s.profile.Prompt(chat, o)
}

func (s speaker) Reader(tools []starling.Tool, prompt []engine.Text) local.Reader {
	r := s.profile.Reader(tools)
	r.After(prompt)
	return r
}

func (s speaker) Force(chat *starling.Chat, prompt []engine.Text) (gbnf string, loose []string, err error) {
	return s.profile.Force(chat, prompt)
}

func (s speaker) Defaults(effort string) engine.Sampling { return s.profile.Sample(effort) }
func (s speaker) Stops() []string                        { return s.profile.Stop }
func (s speaker) CallsTools() bool                       { return s.profile.Tools != "" }
