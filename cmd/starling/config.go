package main

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/alecthomas/kong"

	"starling"
	"starling/internal/catalog"
	"starling/internal/ledger"
	"starling/internal/skill"
	"starling/internal/strict"
)

// A Config is the whole configuration. The zero value is a good one: it serves
// on loopback and offers the providers whose keys are in the environment.
// config.schema.json says what each field means and may be.
type Config struct {
	Listen      string   `yaml:"listen"`
	Hosts       []string `yaml:"hosts"`
	Origins     []string `yaml:"origins"`
	MaxBody     int64    `yaml:"max_body"`
	MaxInFlight int      `yaml:"max_in_flight"`
	Stateless   bool     `yaml:"stateless"`

	Data         string `yaml:"data"`
	LedgerURLEnv string `yaml:"ledger_url_env"`
	Skills       string `yaml:"skills"`

	DefaultClass starling.Class                   `yaml:"default_class"`
	Classes      map[starling.Class]starling.Zone `yaml:"classes"`

	Providers map[string]*Upstream `yaml:"providers"`
	Models    map[string]string    `yaml:"models"`
	Default   string               `yaml:"default"`
	Prices    []catalog.Override   `yaml:"prices"`
	Budgets   []BudgetLimit        `yaml:"budgets"`

	Local      Local  `yaml:"local"`
	Embeddings string `yaml:"embeddings"` // "provider/model", which students may learn with

	Observe bool     `yaml:"observe"`
	Shadow  *float64 `yaml:"shadow"` // nil: as the rubrics audit

	doc *strict.Document // the file that it was read from; nil if there is none
}

// An Upstream is one provider. What it leaves unsaid comes from the vendors'
// table (internal/catalog/vendors.go).
type Upstream struct {
	Vendor     string             `yaml:"vendor"`
	Dialect    starling.Dialect   `yaml:"dialect"`
	Also       []starling.Dialect `yaml:"also"`
	URL        string             `yaml:"url"`
	Zone       starling.Zone      `yaml:"zone"`
	KeyEnv     string             `yaml:"key_env"`
	KeyFile    string             `yaml:"key_file"`
	Models     []string           `yaml:"models"`
	Embeds     []string           `yaml:"embeds"`
	HedgeAfter time.Duration      `yaml:"hedge_after"`
	Drain      bool               `yaml:"drain"`
	Timeouts   Timeouts           `yaml:"timeouts"`
	Watts      string             `yaml:"watts"`
	PerKWh     starling.Money     `yaml:"per_kwh"`
	Simulated  bool               `yaml:"simulated"`

	stated []starling.Model // by the program itself: simulated models bring their own facts
}

// Timeouts bound the phases of a call; 0 is the default.
type Timeouts struct {
	Connect   time.Duration `yaml:"connect"`
	FirstByte time.Duration `yaml:"first_byte"`
	Idle      time.Duration `yaml:"idle"`
	Total     time.Duration `yaml:"total"`
}

// A BudgetLimit caps what may be spent.
type BudgetLimit struct {
	Scope ledger.Scope   `yaml:"scope"`
	Name  string         `yaml:"name"`
	Limit starling.Money `yaml:"limit"`
	Per   ledger.Period  `yaml:"per"`
}

//go:embed config.schema.json
var configSchema []byte

const defaultListen = "127.0.0.1:4141"

// loadConfig reads the named file, else the user's own
// (…/starling/starling.yaml), else none.
func loadConfig(file string) (Config, error) {
	var cfg Config
	if file == "" {
		file = filepath.Join(xdg.ConfigHome, "starling", "starling.yaml")
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return cfg, nil
		}
	}
	file = kong.ExpandPath(file)
	data, err := os.ReadFile(file)
	if err != nil {
		return cfg, &starling.Error{Kind: starling.Invalid, Op: "read configuration", Hint: "name an existing file with --config", Err: err}
	}
	if cfg.doc, err = strict.Parse(file, data); err != nil {
		return cfg, err
	}
	if err := cfg.doc.Decode(strict.NewSchema(configSchema), &cfg); err != nil {
		return cfg, err
	}
	cfg.root(filepath.Dir(file))
	return cfg, cfg.check()
}

// root makes relative paths begin where the file means them to: at its folder.
func (c *Config) root(dir string) {
	paths := []*string{&c.Skills, &c.Data}
	for _, up := range c.Providers {
		if up != nil {
			paths = append(paths, &up.KeyFile)
		}
	}
	for i := range c.Local.Adapters {
		paths = append(paths, &c.Local.Adapters[i].File)
	}
	for _, path := range paths {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
}

// check finds what no schema can say and the file alone shows: all of it, since
// a person mends a file in one go.
func (c Config) check() error {
	_, listen := c.address()
	_, class := policyOf(c)
	errs := []error{c.at(listen, "listen"), class, c.at(c.Local.rules().Check(), "local", "hours"), c.adoptable()}
	for i, own := range c.Prices {
		errs = append(errs, c.at(own.Validate(), "prices", strconv.Itoa(i)))
	}
	return together(errs)
}

// at says of an error where in the file its cause stands: at the value of that
// path, or, where there is none, at the key that should hold it. An error of what
// the file does not speak of stays as it is.
func (c Config) at(err error, path ...string) error {
	e, ok := errors.AsType[*starling.Error](err)
	if !ok || c.doc == nil {
		return err
	}
	text, above := strings.TrimSuffix(err.Error(), " ("+e.Hint+")"), path[:len(path)-1]
	switch {
	case c.doc.Has(path):
		return strict.Report([]strict.Problem{c.doc.Problem(path, text, e.Hint)})
	case len(above) > 0 && c.doc.Has(above):
		return strict.Report([]strict.Problem{c.doc.AtKey(above, text, e.Hint)})
	}
	return err
}

// together makes one error of those that name their places. One that has no
// place stands alone.
func together(errs []error) error {
	var problems []strict.Problem
	for _, err := range errs {
		placed, ok := errors.AsType[strict.Problems](err)
		if err != nil && !ok {
			return err
		}
		problems = append(problems, placed...)
	}
	return strict.Report(problems)
}

// meant asks whether a near name was meant, and else says what to do.
func meant(word string, known []string, otherwise string) string {
	if near := strict.Nearest(word, known); len(near) > 0 {
		return fmt.Sprintf("did you mean %q?", near[0])
	}
	return otherwise
}

// address is where to listen. Errors: Invalid.
func (c Config) address() (string, error) {
	addr := cmp.Or(c.Listen, defaultListen)
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return "", &starling.Error{Kind: starling.Invalid, Op: "listen on " + addr, Hint: "write it as host:port, like " + defaultListen, Err: err}
	}
	return addr, nil
}

// dataDir is where the ledger lives: the flag, else the configuration, else the
// user's data folder.
func (c Config) dataDir(flag string) string {
	switch {
	case flag != "":
		return kong.ExpandPath(flag)
	case c.Data != "":
		return c.Data
	}
	return filepath.Join(xdg.DataHome, "starling")
}

// ledgerFile is what shows that there is a ledger in a folder.
const ledgerFile = "ledger.db"

// ledgerURL returns the Postgres URL, "" for SQLite. It is a secret and comes
// from the environment only.
func (c Config) ledgerURL() (string, error) {
	if c.LedgerURLEnv == "" {
		return "", nil
	}
	url := os.Getenv(c.LedgerURLEnv)
	if url == "" {
		err := &starling.Error{Kind: starling.Invalid, Op: "ledger_url_env names " + c.LedgerURLEnv + ", which is not set", Hint: "set it to a postgres:// URL, or remove the line to use SQLite"}
		return "", c.at(err, "ledger_url_env")
	}
	return url, nil
}

// budgets are the configured caps and those of the skills' rubrics.
func (c Config) budgets(set *skill.Set) []ledger.Budget {
	var out []ledger.Budget
	for _, b := range c.Budgets {
		out = append(out, ledger.Budget{Scope: cmp.Or(b.Scope, ledger.ForAll), Name: b.Name, Limit: b.Limit, Per: cmp.Or(b.Per, ledger.InTotal)})
	}
	for _, name := range set.Names() {
		s, _ := set.Find(name)
		for per, limit := range map[ledger.Period]starling.Money{ledger.PerDay: s.Rubric.Budget.Day, ledger.PerMonth: s.Rubric.Budget.Month} {
			if limit > 0 {
				out = append(out, ledger.Budget{Scope: ledger.ForSkill, Name: name, Limit: limit, Per: per})
			}
		}
	}
	return out
}
