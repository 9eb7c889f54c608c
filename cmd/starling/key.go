package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"starling"
	"starling/internal/ledger"
)

type keyCmd struct {
	Create keyCreateCmd `cmd:"" help:"Make a key; it is shown once and only its hash is kept."`
	List   keyListCmd   `cmd:"" help:"List the keys."`
	Revoke keyRevokeCmd `cmd:"" help:"Revoke a key; it is refused within a second."`
}

type keyCreateCmd struct {
	Name    string        `arg:"" optional:"" help:"What the key is for."`
	Team    string        `help:"Team whose budgets and receipts it shares."`
	Budget  []string      `help:"Cap, repeatable: 20 in all, 5/day, 100/month." placeholder:"DOLLARS[/day|/month]"`
	Class   string        `help:"Data class of everything asked with it."`
	Skill   string        `help:"Skill of requests for starling/auto that name none."`
	Expires time.Duration `help:"Lifetime, such as 720h; none by default."`
	JSON    bool          `help:"Print JSON."`
}

// Run makes a key and prints it, this once.
func (c keyCreateCmd) Run(p *program) error {
	cfg, books, err := p.books()
	if err != nil {
		return err
	}
	spec := ledger.KeySpec{Name: c.Name, Team: c.Team, Class: starling.Class(c.Class), Skill: c.Skill}
	if c.Expires != 0 {
		spec.Expires = time.Now().Add(c.Expires)
	}
	if spec.Budgets, err = parseBudgets(c.Budget); err != nil {
		return err
	}
	if err := c.known(cfg); err != nil {
		return err
	}
	l, err := openRecords(p.ctx, books)
	if err != nil {
		return err
	}
	defer l.Close()
	secret, key, err := l.CreateKey(p.ctx, spec)
	if err := errors.Join(err, unmarkDemo(books.Dir)); err != nil {
		return err
	}
	if c.JSON {
		return p.encode(map[string]any{"key": secret, "id": key.ID, "team": key.Team})
	}
	fmt.Fprintln(p.stdout, secret)
	fmt.Fprintf(p.stderr, "%s made. It is shown this once; only its hash is kept.\n", key.ID)
	return nil
}

// known refuses a class or a skill that does not exist: a key that can never be
// used right would be found out too late.
func (c keyCreateCmd) known(cfg Config) error {
	if c.Class != "" {
		policy, err := policyOf(cfg)
		if err != nil {
			return err
		}
		if _, err := policy.Screen(&starling.Request{Caller: starling.Caller{Class: starling.Class(c.Class)}}, ""); err != nil {
			return err
		}
	}
	if c.Skill == "" {
		return nil
	}
	set, err := cfg.loadSkills()
	if err != nil {
		return err
	}
	if _, ok := set.Find(c.Skill); !ok {
		return &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("skill %q", c.Skill), Hint: "known: " + strings.Join(set.Names(), ", ")}
	}
	return nil
}

// parseBudgets reads "20", "5/day" and "100/month".
func parseBudgets(texts []string) ([]ledger.Budget, error) {
	var out []ledger.Budget
	for _, text := range texts {
		amount, per, found := strings.Cut(text, "/")
		if !found {
			per = "total"
		}
		limit, err := starling.ParseMoney(amount)
		if err != nil {
			return nil, err
		}
		if !slices.Contains([]string{"total", "day", "month"}, per) || limit <= 0 {
			return nil, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("budget %q", text), Hint: "write it like 20, 5/day or 100/month"}
		}
		out = append(out, ledger.Budget{Scope: ledger.ForKey, Limit: limit, Per: ledger.Period(per)})
	}
	return out, nil
}

type keyListCmd struct {
	JSON bool `help:"Print JSON."`
}

// Run lists the keys.
func (c keyListCmd) Run(p *program) error {
	keys, err := c.keys(p)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.encode(orEmpty(keys))
	}
	if len(keys) == 0 {
		fmt.Fprintln(p.stdout, "no keys: the gateway serves this machine only")
		return nil
	}
	t := newTable(p.stdout, "ID", "NAME", "TEAM", "CLASS", "SKILL", "BUDGETS", "CREATED", "STATE")
	for _, k := range keys {
		t.row(k.ID, dash(k.Name), dash(k.Team), dash(string(k.Class)), dash(k.Skill), budgetText(k.Budgets), k.Created.Format(time.DateOnly), state(k))
	}
	return t.Flush()
}

// keys reads the keys. Where nobody has ever served there are none.
func (keyListCmd) keys(p *program) ([]ledger.Key, error) {
	l, err := p.records()
	if starling.KindOf(err) == starling.NotFound {
		printf(p.stderr, "note: %s\n", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.Keys(p.ctx)
}

func state(k ledger.Key) string {
	switch {
	case !k.Revoked.IsZero():
		return "revoked"
	case !k.Expires.IsZero() && time.Now().After(k.Expires):
		return "expired"
	}
	return "good"
}

func budgetText(budgets []ledger.Budget) string {
	var parts []string
	for _, b := range budgets {
		parts = append(parts, b.Limit.String()+"/"+string(b.Per))
	}
	return dash(strings.Join(parts, " "))
}

type keyRevokeCmd struct {
	ID string `arg:"" help:"The key's id."`
}

// Run revokes a key.
func (c keyRevokeCmd) Run(p *program) error {
	l, err := p.records()
	if err != nil {
		return err
	}
	defer l.Close()
	if err := l.RevokeKey(p.ctx, c.ID); err != nil {
		return err
	}
	fmt.Fprintln(p.stdout, c.ID, "revoked")
	return nil
}
