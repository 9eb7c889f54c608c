package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"starling"
	"starling/internal/cascade"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/skill"
	"starling/internal/verify"
)

// observing is what a gateway that changes nothing greets with.
const observing = "  observing: nothing is changed; requests are answered by the models that they name, and skills by their reference\n" +
	"  starling ledger report --observed says what would have been saved, and at what measured risk"

// observing is how a cascade observes, nil if it acts.
func (c Config) observing() *cascade.Observing {
	switch {
	case !c.Observe:
		return nil
	case c.Shadow == nil:
		return &cascade.Observing{Share: -1}
	}
	return &cascade.Observing{Share: *c.Shadow}
}

// Validate refuses a share that is none.
func (c serveCmd) Validate() error {
	if c.Shadow != nil && !(0 <= *c.Shadow && *c.Shadow <= 1) {
		return errors.New("--shadow must be from 0 to 1")
	}
	return nil
}

// watched says what is not measured while it is observed.
func (c Config) watched(set *skill.Set) []string {
	if !c.Observe {
		if c.Shadow != nil {
			return []string{c.place("shadow") + "shadow says how much is measured while only observing; it binds nothing without observe"}
		}
		return nil
	}
	var out []string
	for _, name := range set.Names() {
		switch r := &mustFind(set, name).Rubric; {
		case !verify.Comparable(r.Grade):
			out = append(out, fmt.Sprintf("skill %s: no shadows, as no program can compare its answers; grade by label, json, number or cites to have the risk measured", name))
		case c.Shadow == nil && r.Audit == 0:
			out = append(out, fmt.Sprintf("skill %s: no shadows but of a student; audit in the rubric or --shadow has the risk measured", name))
		}
	}
	return out
}

// summing is how long a gateway that is stopping may take to sum up.
const summing = 5 * time.Second

// sumUp says at the end what was observed since the start.
func (g *gateway) sumUp(p *program) {
	if g.parts.observe == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), summing)
	defer cancel()
	err := g.ledger.Flush(ctx)
	var o *observation
	if err == nil {
		o, err = observe(ctx, g.ledger.Records, ledger.Query{Since: g.began}, g.set)
	}
	if err != nil {
		fmt.Fprintln(p.stderr, "nothing was changed; starling ledger report --observed says what was observed")
		return
	}
	for _, s := range o.Skills {
		printf(p.stderr, "observed %s: %s\n", s.Skill, s.line())
	}
	fmt.Fprintf(p.stderr, "observed %d requests, and nothing was changed; starling ledger report --observed says more\n", o.Total.Requests)
}

// explainObserved says what would have been done with a request, and what came of its
// shadow.
func explainObserved(ctx context.Context, w io.Writer, l *ledger.Records, r *starling.Receipt) error {
	o := r.Observed
	if o == nil || o.Shadow {
		return nil
	}
	if o.First() == "" {
		printf(w, "\nobserved   %s\n", o.Rule)
		return nil
	}
	first := &o.Candidates[0]
	by := "without a warrant"
	if first.Warrant != "" {
		by = "warranted by " + first.Warrant
	}
	expected := o.Expected
	if r.Outcome == starling.Answered {
		expected = o.AtTokens
	}
	printf(w, "\nobserved   skill %s%s: %s\n", o.Skill, found(o.Identified), o.Rule)
	printf(w, "           %s would have answered (%s), expected %s instead of %s", first.Model, by, expected, r.Cost)
	came, err := shadowOf(ctx, l, r)
	printf(w, "%s\n", came)
	t := newTable(w)
	for i, c := range o.Candidates {
		printf(t, "  %d\t%s\texpected %s\tpass %.2f\t%s\n", i+1, c.Model, c.Expected, c.Probability, dash(c.Warrant))
	}
	return errors.Join(err, t.Flush())
}

// soon is how many receipts of its skill are looked through for a shadow: one that
// was not begun by then never was.
const soon = 2000

// shadowOf says what came of a receipt's shadow, "" if there is none.
func shadowOf(ctx context.Context, l *ledger.Records, of *starling.Receipt) (string, error) {
	for r, err := range l.Receipts(ctx, ledger.Query{After: of.ID, Skill: of.Observed.Skill, Limit: soon}) {
		if err != nil {
			return "", err
		}
		if r.AuditOf == of.ID {
			came, err := cameOf(ctx, l, r)
			return "; shadow " + r.ID + ": " + came, err
		}
	}
	return "", nil
}

func cameOf(ctx context.Context, l *ledger.Records, shadow *starling.Receipt) (string, error) {
	for o, err := range l.Outcomes(ctx, shadow.Plan.Skill, "") {
		switch {
		case err != nil:
			return "", err
		case o.Receipt != shadow.ID || o.Source != evidence.FromAudit:
		case o.Rejected:
			return "climbed, " + o.Why, nil
		case o.Grade == 1:
			return "agreed", nil
		default:
			return "differed, " + o.Why, nil
		}
	}
	if shadow.Outcome == starling.Answered {
		return "could not be compared", nil
	}
	return "failed, " + shadow.Why, nil
}
