package main

import (
	"fmt"
	"slices"
	"strconv"

	"starling"
)

type modelsCmd struct {
	JSON bool `help:"Print JSON."`
}

// Run lists the models that can be called.
func (c modelsCmd) Run(p *program) error {
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return err
	}
	parts, err := build(p.ctx, cfg, cfg.dataDir(p.flags.Data), nil)
	if err != nil {
		return err
	}
	defer parts.close()
	models := parts.directory.Models()
	if c.JSON {
		return p.encode(orEmpty(models))
	}
	t := newTable(p.stdout, "MODEL", "ZONE", "INPUT/M", "OUTPUT/M", "WINDOW", "PRICE FROM")
	for _, m := range models {
		in, out := prices(m.Price)
		window := "-" // unknown
		if m.Context > 0 {
			window = strconv.FormatInt(m.Context, 10)
		}
		t.row(m.ID(), m.Zone, in, out, window, dash(m.Price.Source))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, name := range parts.directory.Aliases() {
		if m, ok := parts.directory.Find(name); ok {
			printf(p.stdout, "%s = %s\n", name, m.ID())
		}
	}
	if e := parts.embedder; e != nil {
		printf(p.stdout, "embeddings = %s, zone %s, %s\n", e.Model.ID(), e.Model.Zone, priced(e.Model.Price))
	}
	for _, w := range slices.Concat(parts.adopted, parts.warnings, parts.damaged) {
		printf(p.stderr, "note: %s\n", w)
	}
	return nil
}

// priced says in a few words what a model costs.
func priced(p starling.Price) string {
	in, out := prices(p)
	switch {
	case !p.Known(), p.Free:
		return in
	case p.Milliwatts > 0:
		return in + " at " + out
	}
	return in + " in, " + out + " out a million tokens"
}

// prices renders what a million tokens cost, in two columns.
func prices(p starling.Price) (in, out string) {
	switch {
	case !p.Known():
		return "unknown", "unknown"
	case p.Free:
		return "free", "free"
	case p.Milliwatts > 0:
		return fmt.Sprintf("%g W", float64(p.Milliwatts)/1000), p.PerKWh.String() + "/kWh"
	}
	return starling.Money(p.Input).String(), starling.Money(p.Output).String()
}
