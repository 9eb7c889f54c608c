package main

import (
	"errors"
	"fmt"
	"time"

	"starling/internal/ledger"
)

type ledgerReportCmd struct {
	By    string        `enum:"all,day,skill,team,model,key,outcome" default:"skill" help:"Group by all, day, skill, team, model, key or outcome."`
	Since time.Duration `help:"Only the last such time, such as 24h."`
	JSON  bool          `help:"Print JSON."`

	Observed bool `help:"What a gateway that only observed would have saved, by skill, and at what measured risk."`
}

// Validate refuses what would be grouped in no way.
func (c ledgerReportCmd) Validate() error {
	if c.Observed && c.By != "skill" {
		return errors.New("--observed is by skill")
	}
	return nil
}

// Run sums up receipts.
func (c ledgerReportCmd) Run(p *program) error {
	l, err := p.records()
	if err != nil {
		return err
	}
	defer l.Close()
	q := ledger.Query{Since: since(c.Since)}
	if c.Observed {
		return c.observed(p, l, q)
	}
	lines, err := l.Report(p.ctx, q, c.By)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.encode(lines)
	}
	t := newSums(p.stdout, c.By, "requests", "answered", "cost", "compared", "reference (est.)", "saved (est.)", "simulated")
	for _, s := range lines {
		t.row(dash(s.Name), s.Receipts, s.Answered, s.Cost, s.Compared, s.Reference, s.Saved, s.Simulated)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, "saved is the reference less compared, which is the part of the cost that has a reference to compare with")
	return err
}
