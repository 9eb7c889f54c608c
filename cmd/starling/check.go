package main

import "fmt"

type checkCmd struct {
	JSON bool `help:"Print JSON."`
}

// A checked is what a configuration comes to.
type checked struct {
	Providers int      `json:"providers"`
	Models    int      `json:"models"`
	Skills    int      `json:"skills"`
	Budgets   int      `json:"budgets"`
	Notes     []string `json:"notes"`
}

// Run reads everything that serve would read, and listens nowhere.
func (c checkCmd) Run(p *program) error {
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return err
	}
	if _, err := cfg.ledgerURL(); err != nil {
		return err
	}
	parts, err := build(p.ctx, cfg, cfg.dataDir(p.flags.Data), nil)
	if err != nil {
		return err
	}
	defer parts.close()
	set, err := cfg.loadSkills()
	if err != nil {
		return err
	}
	if _, err := parts.cascade(set, nil, nil, p.logger(true)); err != nil {
		return err
	}
	keys, err := p.keys(cfg)
	if err != nil {
		return err
	}
	found := checked{len(parts.providers), len(parts.directory.Models()), len(set.Names()), len(cfg.budgets(set)), cfg.notes(parts, set, keys)}
	if c.JSON {
		found.Notes = orEmpty(found.Notes)
		return p.encode(found)
	}
	fmt.Fprintf(p.stdout, "ok: %d providers, %d models, %d skills, %d budgets\n", found.Providers, found.Models, found.Skills, found.Budgets)
	for _, note := range found.Notes {
		printf(p.stdout, "note: %s\n", note)
	}
	return nil
}
