package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"starling"
	"starling/internal/cascade"
	"starling/internal/catalog"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/privacy"
	"starling/internal/provider"
	"starling/internal/route"
	"starling/internal/skill"
	"starling/internal/verify"
	"starling/skills"
)

// parts are what a configuration comes to: everything that a cascade is made of
// and that a change of skills does not touch. The students change by themselves
// ([parts.teach]).
type parts struct {
	policy    *privacy.Policy
	directory *route.Directory // students included
	upstreams *route.Directory // without them
	providers map[string]*provider.HTTP
	students  *provider.Students
	embedder  *provider.Embedder // for students; nil if none is configured
	rung      *rung              // the models on this machine
	guard     *provider.Guard
	catalog   *catalog.Catalog
	warnings  []string // of what may be missed now
	adopted   []string // notes on the servers of this machine that are asked though nobody configured them, or are not
	kept      []string // of the catalog's prices, beside the user's own
	damaged   []string // students that cannot be read
	standard  string   // who answers where no skill is known; "" nobody
	observe   *cascade.Observing

	answering sync.WaitGroup // cascades of these parts that were replaced and may still answer
}

// retire closes parts that were replaced once nobody is answered or drained by
// them any more, or, if ctx ends before the drains do, then.
func (p *parts) retire(ctx context.Context) {
	p.answering.Wait()
	for _, up := range p.providers {
		up.Drained(ctx)
	}
	p.close()
}

// takeOver has parts that are about to replace others go on with the models that those
// have loaded, if they are the same. What is closed with the others then is not in use.
func (p *parts) takeOver(others *parts) {
	if p.rung.made == others.rung.made {
		p.rung, others.rung = others.rung, p.rung
	}
}

// close hangs up on the upstreams. It is for when no call is under way.
func (p *parts) close() {
	for _, up := range p.providers {
		up.Close()
	}
	p.rung.close()
	p.guard.Close()
}

// build makes the parts of a configuration, with the students and the models of a data
// folder. It calls nobody but the local servers whose models nobody listed, and those that
// may be adopted. What fares ill later on is logged; a nil log keeps silent.
func build(ctx context.Context, cfg Config, dir string, log *slog.Logger) (p *parts, err error) {
	policy, err := policyOf(cfg)
	if err != nil {
		return nil, err
	}
	cat := catalog.Embedded().With(cfg.Prices)
	p = &parts{policy: policy, observe: cfg.observing(), providers: map[string]*provider.HTTP{}, catalog: cat, warnings: cat.Warnings()}
	ups, adopted, err := upstreams(ctx, cfg)
	if err != nil {
		return nil, err
	}
	p.adopted = adopted
	if p.guard, err = cfg.guard(ups); err != nil {
		return nil, err
	}
	embeds, embedding, err := cfg.embeds(ups)
	if err != nil {
		return nil, err
	}
	var models []starling.Model
	var silent []string
	var errs []error
	for _, up := range ups {
		if up == embeds {
			up.options.Embedding = up.model(cat, embedding)
		}
		offered, err := up.offer(ctx, cat, p.guard)
		if len(offered) == 0 {
			silent = append(silent, up.options.Name)
			p.warnings = append(p.warnings, fmt.Sprintf("provider %s offers no models now: %v", up.options.Name, cmp.Or(err, errEmpty)))
		}
		up.options.Models, p.kept = offered, append(p.kept, up.kept...)
		http, err := provider.New(p.guard, up.options)
		if err != nil {
			errs = append(errs, cfg.ofProvider(err, up.options.Name, ""))
			continue
		}
		p.providers[up.options.Name] = http
		p.embedder = cmp.Or(p.embedder, http.Embedder())
		models = append(models, http.Models()...)
	}
	if err := together(errs); err != nil {
		return nil, err
	}
	if p.rung, err = openRung(cfg, dir, log); err != nil {
		return nil, err
	}
	rung := p.rung
	defer func() {
		if err != nil {
			rung.close()
		}
	}()
	if len(ups)+len(rung.models) == 0 {
		p.warnings = append(p.warnings, "no provider is configured: set OPENAI_API_KEY or ANTHROPIC_API_KEY, fetch a model with starling model pull, write a configuration, or try starling demo")
	}
	if p.upstreams, err = cfg.directory(append(models, rung.models...), silent); err != nil {
		return nil, err
	}
	if err := p.teach(readStudents(dir)); err != nil {
		return nil, err
	}
	if p.standard, err = cfg.standard(p.directory); err != nil {
		return nil, err
	}
	for _, alias := range p.directory.Aliases() {
		if len(p.directory.Awaits(alias)) > 0 {
			p.warnings = append(p.warnings, fmt.Sprintf("alias %s: nobody offers %q now; start who does, then send the gateway SIGHUP", alias, cfg.Models[alias]))
		}
	}
	return p, nil
}

var errEmpty = errors.New("its list is empty")

// directory indexes the models by all their names. Each alias that makes no sense
// is named.
func (c Config) directory(models []starling.Model, silent []string) (*route.Directory, error) {
	d, err := route.NewDirectory(models, c.Models, silent...)
	if d == nil {
		return nil, err
	}
	var errs []error
	for _, alias := range d.Aliases() {
		errs = append(errs, c.at(d.CheckAlias(alias), "models", alias))
	}
	return d, together(errs)
}

// standard is who answers where no skill is known. Errors: Invalid for a name that
// leads nowhere; one whose provider is silent waits.
func (c Config) standard(d *route.Directory) (string, error) {
	name := c.Default
	if _, ok := d.Find(name); name == "" || ok || len(d.Awaits(name)) > 0 {
		return name, nil
	}
	known := d.Aliases()
	for _, m := range d.Models() {
		known = append(known, m.ID())
	}
	err := &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("default: there is no model %q", name), Hint: meant(name, known, "starling models lists what there is")}
	return "", c.at(err, "default")
}

// cascade puts skills on the parts. Skills whose verifiers cannot be made are
// errors of the rubric.
func (p *parts) cascade(set *skill.Set, l *ledger.Ledger, board *evidence.Board, log *slog.Logger) (*cascade.Cascade, error) {
	verifiers := map[string][]starling.Verifier{}
	for _, name := range set.Names() {
		s, _ := set.Find(name)
		v, err := verify.ForSkill(s)
		if err != nil {
			return nil, fmt.Errorf("skill %s: %w", name, err)
		}
		verifiers[name] = v
	}
	providers := make(map[string]starling.Provider, len(p.providers)+1)
	for name, up := range p.providers {
		providers[name] = up
	}
	providers[starling.StudentName] = p.students
	if p.rung.provider != nil {
		providers[localName] = p.rung.provider
	}
	return &cascade.Cascade{
		Policy:    p.policy,
		Router:    &route.Router{Directory: p.directory, Skills: set, Verifiers: verifiers, Board: board, Default: p.standard, Now: p.rung.now},
		Providers: providers,
		Ledger:    l,
		Log:       log,
		Observe:   p.observe,
	}, nil
}

func policyOf(cfg Config) (*privacy.Policy, error) {
	policy := &privacy.Policy{Default: cfg.DefaultClass, Reach: cfg.reach()}
	err := policy.Validate()
	if e, ok := errors.AsType[*starling.Error](err); ok {
		var known []string
		for _, class := range slices.Sorted(maps.Keys(policy.Reach)) {
			known = append(known, string(class))
		}
		e.Hint = meant(string(cfg.DefaultClass), known, e.Hint)
	}
	return policy, cfg.at(err, "default_class")
}

// reach is the configured table of classes over the usual one: who names one
// class does not mean to forget the others.
func (c Config) reach() map[starling.Class]starling.Zone {
	reach := privacy.Usual()
	maps.Copy(reach, c.Classes)
	return reach
}

// skillFiles is the folder of skills, or the shipped packs.
func (c Config) skillFiles() fs.FS {
	if c.Skills == "" {
		return skills.Packs
	}
	return os.DirFS(filepath.Clean(c.Skills))
}

// loadSkills reads the skills. Errors: Invalid with every problem of every file.
func (c Config) loadSkills() (*skill.Set, error) {
	set, err := skill.LoadAll(c.skillFiles())
	if set == nil && err != nil {
		return nil, c.at(fmt.Errorf("skills %s: %w", c.Skills, err), "skills")
	}
	return set, err
}

// An upstream is a provider in the making.
type upstream struct {
	vendor    catalog.Vendor
	models    []string
	embeds    []string         // of them and beside them, those that turn texts into vectors
	stated    []starling.Model // offered as they are
	price     starling.Price   // for models that nobody has a price for
	simulated bool
	kept      []string // of the catalog's prices, beside the user's own
	options   provider.Options
	seen      *sighting // that it was adopted after; nil if it was not
}

// upstreams reads the configured providers, or finds them by the keys in the
// environment, and then those that are adopted, with notes on these. Each come sorted by
// name. Who comes first answers to a bare model name that several offer: one that
// somebody means, before one that happens to be there.
func upstreams(ctx context.Context, cfg Config) ([]*upstream, []string, error) {
	configured := cfg.Providers
	if configured == nil {
		configured = map[string]*Upstream{}
		for _, v := range catalog.Vendors() {
			if v.KeyEnv != "" && os.Getenv(v.KeyEnv) != "" {
				configured[v.Name] = nil
			}
		}
	}
	var out []*upstream
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		up, err := cfg.upstream(name, cmp.Or(configured[name], &Upstream{}))
		out, errs = append(out, up), append(errs, err)
	}
	if err := together(errs); err != nil {
		return nil, nil, err
	}
	adopted, notes, err := cfg.adopt(ctx)
	return append(out, adopted...), notes, err
}

// ofProvider names the provider that an error is of, and the place of its field.
func (c Config) ofProvider(err error, name, field string) error {
	if err == nil {
		return nil
	}
	return c.at(fmt.Errorf("providers.%s: %w", name, err), "providers", name, field)
}
