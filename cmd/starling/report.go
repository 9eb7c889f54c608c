package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"starling"
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
	totals, err := l.Totals(p.ctx, q, c.By)
	if err != nil {
		return err
	}
	simulated, err := c.simulated(p.ctx, l, q)
	if err != nil {
		return err
	}
	if c.JSON {
		lines := []reportLine{}
		for _, s := range totals {
			lines = append(lines, reportLine{s, simulated[s.Name]})
		}
		return p.encode(lines)
	}
	t := newSums(p.stdout, c.By, "requests", "answered", "cost", "compared", "reference (est.)", "saved (est.)", "simulated")
	for _, s := range totals {
		t.row(dash(s.Name), s.Receipts, s.Answered, s.Cost, s.Compared, s.Reference, s.Saved, simulated[s.Name])
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, "saved is the reference less compared, which is the part of the cost that has a reference to compare with")
	return err
}

// A reportLine is a line of sums, and how many of its requests simulated
// upstreams answered.
type reportLine struct {
	ledger.Totaled
	Simulated int64 `json:"simulated"`
}

// simulated counts, by the names of the report's lines, what simulated upstreams
// answered. The store sums without reading receipts, and they alone say it: so the
// first and the last of each model are asked, and all of a model only where one of
// these was simulated.
func (c ledgerReportCmd) simulated(ctx context.Context, l *ledger.Records, q ledger.Query) (map[string]int64, error) {
	models, err := l.Totals(ctx, q, "model")
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for _, m := range models {
		if q.Model = m.Name; q.Model == "" {
			continue // nobody answered
		}
		some, err := isSimulated(ctx, l, q)
		if some {
			err = c.count(counts, l.Receipts(ctx, q))
		}
		if err != nil {
			return nil, err
		}
	}
	return counts, nil
}

// isSimulated asks the first and the last receipt of a query.
func isSimulated(ctx context.Context, l *ledger.Records, q ledger.Query) (bool, error) {
	q.Limit = 1
	for _, q.Newest = range []bool{false, true} {
		for r, err := range l.Receipts(ctx, q) {
			if err != nil || r.Response.Simulated {
				return err == nil, err
			}
		}
	}
	return false, nil
}

func (c ledgerReportCmd) count(counts map[string]int64, receipts iter.Seq2[*starling.Receipt, error]) error {
	for r, err := range receipts {
		if err != nil {
			return err
		}
		if r.Response.Simulated {
			counts[c.line(r)]++
		}
	}
	return nil
}

// line is the name of the line that a receipt is summed in.
func (c ledgerReportCmd) line(r *starling.Receipt) string {
	switch c.By {
	case "day":
		return r.Time.UTC().Format(time.DateOnly)
	case "skill":
		return r.Plan.Skill
	case "team":
		return r.Team
	case "model":
		return r.Response.Model
	case "key":
		return r.Key
	case "outcome":
		return string(r.Outcome)
	}
	return ""
}
