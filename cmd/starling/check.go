package main

import (
	"fmt"

	"starling/internal/skill"
)

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
	for _, w := range parts.warnings {
		fmt.Fprintln(p.stderr, "note:", w)
	}
	fmt.Fprintf(p.stdout, "ok: %d providers, %d models, %d skills, %d budgets\n", len(parts.providers), len(parts.directory.Models()), len(set.Names()), len(cfg.budgets(set)))
	for _, gap := range append(gaps(parts, set), parts.kept...) {
		fmt.Fprintln(p.stdout, "note:", gap)
	}
	return nil
}

// gaps names the candidates that no provider offers: the skill works without
// them, and somebody should know.
func gaps(parts *parts, set *skill.Set) []string {
	var out []string
	for _, name := range set.Names() {
		s, _ := set.Find(name)
		for _, c := range s.Rubric.Candidates {
			if _, ok := parts.directory.Find(c.Model); !ok {
				out = append(out, fmt.Sprintf("skill %s: no provider offers %q; give it a model under models in the configuration", name, c.Model))
			}
		}
	}
	return out
}
