package main

import "fmt"

type checkCmd struct{}

// Run reads everything that serve would read, and listens nowhere.
func (checkCmd) Run(p *program) error {
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return err
	}
	if _, err := cfg.address(); err != nil {
		return err
	}
	if _, err := cfg.ledgerURL(); err != nil {
		return err
	}
	parts, err := build(p.ctx, cfg)
	if err != nil {
		return err
	}
	set, err := cfg.loadSkills()
	if err != nil {
		return err
	}
	if _, err := parts.cascade(set, nil, p.logger(true)); err != nil {
		return err
	}
	keys, err := p.keys(cfg)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "ok: %d providers, %d models, %d skills, %d budgets\n", len(parts.providers), len(parts.directory.Models()), len(set.Names()), len(cfg.budgets(set)))
	for _, note := range cfg.notes(parts, set, keys) {
		printf(p.stdout, "note: %s\n", note)
	}
	return nil
}
