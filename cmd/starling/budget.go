package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"starling"
	"starling/internal/ledger"
)

type budgetCmd struct {
	JSON bool `help:"Print JSON."`
}

// A used budget is a cap with what is booked against it in its present period.
// What requests under way have reserved is known to the gateway that serves them.
type used struct {
	ledger.Budget
	Spent starling.Money `json:"spent_nanodollars"`
}

// Run shows how far each cap is used: those of the configuration, of the skills'
// rubrics and of the keys.
func (c budgetCmd) Run(p *program) error {
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return err
	}
	set, err := cfg.loadSkills()
	if err != nil {
		return err
	}
	l, err := p.records()
	if err != nil {
		return err
	}
	defer l.Close()
	all, err := useOf(p.ctx, l, cfg.budgets(set))
	if err != nil {
		return err
	}
	if c.JSON {
		return p.encode(orEmpty(all))
	}
	t := newTable(p.stdout, "BUDGET OF", "CAP", "SPENT", "LEFT", "USED")
	for _, u := range all {
		t.row(u.Budget.String(), u.Limit, u.Spent, u.Limit.Plus(-u.Spent), u.share())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, "spent is what is booked; what requests under way have reserved comes on top")
	return err
}

// useOf adds up what is booked against the given caps and those of the keys,
// sorted by what they are called.
func useOf(ctx context.Context, l *ledger.Records, caps []ledger.Budget) ([]used, error) {
	keys, err := l.Keys(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if state(k) == "good" {
			caps = append(caps, k.Budgets...)
		}
	}
	var all []used
	now := time.Now()
	for _, b := range caps {
		totals, err := l.Totals(ctx, counted(b, now), "all")
		if err != nil {
			return nil, err
		}
		u := used{Budget: b}
		for _, t := range totals {
			u.Spent = u.Spent.Plus(t.Cost)
		}
		all = append(all, u)
	}
	slices.SortStableFunc(all, func(a, b used) int {
		return cmp.Or(cmp.Compare(a.Budget.String(), b.Budget.String()), cmp.Compare(a.Limit, b.Limit))
	})
	return all, nil
}

// counted selects what a cap counts. Days and months are UTC.
func counted(b ledger.Budget, now time.Time) ledger.Query {
	q := ledger.Query{}
	switch year, month, day := now.UTC().Date(); b.Per {
	case ledger.PerDay:
		q.Since = time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	case ledger.PerMonth:
		q.Since = time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	}
	switch b.Scope {
	case ledger.ForKey:
		q.Key = b.Name
	case ledger.ForTeam:
		q.Team = b.Name
	case ledger.ForSkill:
		q.Skill = b.Name
	}
	return q
}

// share is how much of the cap is used; it is 100 % only when all is.
func (u used) share() string {
	if u.Limit <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", math.Floor(1000*float64(u.Spent)/float64(u.Limit))/10)
}
