package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"starling"
	"starling/internal/ledger"
)

type explainCmd struct {
	ID   string `arg:"" help:"The receipt's id, from the X-Starling-Receipt header."`
	JSON bool   `help:"Print the receipt and its proof as JSON."`
}

// Run shows one exchange: plan, attempts, verdicts, cost lines, savings.
func (c explainCmd) Run(p *program) error {
	l, err := p.records()
	if err != nil {
		return err
	}
	defer l.Close()
	sealed, err := l.Receipt(p.ctx, c.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return errors.Join(p.encodeWide(sealed), sealed.Check())
	}
	receipt, err := sealed.Receipt()
	if err != nil {
		return err
	}
	explain(p.stdout, receipt)
	if err := errors.Join(explainParts(p.ctx, p.stdout, l, receipt), explainObserved(p.ctx, p.stdout, l, receipt)); err != nil {
		return err
	}
	if err := sealed.Check(); err != nil {
		printf(p.stdout, "\nproof      none: the receipt is not the one that was signed\n")
		return err
	}
	printf(p.stdout, "\nproof      record %d of chain %s, hash %.16s…; starling ledger verify checks all\n", sealed.Seq, sealed.Chain, sealed.Hash)
	return nil
}

// explain prints a receipt for people.
func explain(w io.Writer, r *starling.Receipt) {
	printf(w, "receipt    %s\n", r.ID)
	if r.Outcome == starling.Interrupted { // how it was asked, and of which class it was, died with the process
		printf(w, "when       %s\n", r.Time.Format(time.RFC3339))
	} else {
		printf(w, "when       %s, took %s, of which %s in the gateway\n", r.Time.Format(time.RFC3339), r.Took.Round(time.Microsecond), r.Added.Round(time.Microsecond))
		printf(w, "asked for  %s (%s%s)\n", r.Asked, r.Dialect, map[bool]string{true: ", streamed"}[r.Stream])
	}
	if r.Key != "" || r.Team != "" {
		printf(w, "by         key %s, team %s\n", dash(r.Key), dash(r.Team))
	}
	switch {
	case r.AuditOf != "" && r.Observed != nil:
		printf(w, "shadow of  %s: nobody was sent this answer\n", r.AuditOf)
	case r.AuditOf != "":
		printf(w, "audit of   %s: nobody was sent this answer\n", r.AuditOf)
	case r.PartOf != "":
		printf(w, "part of    %s: %s\n", r.PartOf, r.Plan.Rule)
	}
	if r.Outcome != starling.Interrupted {
		printf(w, "class      %s: may travel as far as %s (%v)\n", dash(string(r.Screen.Class)), r.Screen.Furthest, r.Screen.From)
	}
	printf(w, "outcome    %s\n", outcomeLine(r))
	if r.Plan.Skill != "" {
		printf(w, "skill      %s, rubric %.12s…%s\n", r.Plan.Skill, r.Plan.Rubric, found(r.Plan.Identified))
	}
	if r.Plan.Bar > 0 {
		printf(w, "bar        %.4g %% must be shown to pass: the caller asks for more than the rubric\n", 100*r.Plan.Bar)
	}
	explainPlan(w, &r.Plan)
	explainAttempts(w, r)
	if r.Parts > 0 {
		printf(w, "\nparts      %d, which cost %s; with its own attempts %s\n", r.Parts, r.PartsCost, r.Cost.Plus(r.PartsCost))
	}
	printf(w, "\ncost       %s%s\n", r.Cost.Plus(r.PartsCost), map[bool]string{true: ", and what has no known price; so no saving is claimed"}[r.Response.Unpriced])
	switch {
	case r.Plan.Reference != nil && r.Estimate && (r.Outcome == starling.Answered || r.Reference > 0):
		printf(w, "reference  %s at %s for the same tokens%s\n", r.Reference, r.Plan.Reference.ID(), map[bool]string{true: ", and those of the documents"}[r.Parts > 0])
		printf(w, "saved      %s (an estimate: the reference was not asked)\n", r.Saved)
	case r.AuditOf != "":
		printf(w, "saved      %s: it was asked to compare, and what it cost is spent\n", r.Saved)
	case r.Saved != 0:
		printf(w, "saved      %s: nothing was answered, and what it cost is lost\n", r.Saved)
	}
}

func outcomeLine(r *starling.Receipt) string {
	if r.Outcome == starling.Answered {
		line := fmt.Sprintf("answered by %s/%s in zone %s: %s", r.Response.Provider, r.Response.Model, r.Response.Zone, r.Response.Reason)
		if r.Response.Simulated {
			line += " [simulated]"
		}
		return line
	}
	return fmt.Sprintf("%s (%s): %s", r.Outcome, r.Kind, r.Why)
}

func explainPlan(w io.Writer, p *starling.Plan) {
	printf(w, "\nplan       %s\n", dash(p.Rule))
	if len(p.Candidates) > 1 {
		printf(w, "expected   %s, with those that come after a failure\n", p.Expected)
	}
	t := newTable(w)
	for i, c := range p.Candidates {
		printf(t, "  %d\t%s\t%s\texpected %s\tat most %s\tpass %.2f (%s)\t%s\n", i+1, c.Model.ID(), c.Model.Zone, c.Expected, c.Worst, c.Probability, c.Basis, covered(&c))
	}
	for _, l := range p.Left {
		printf(t, "  -\t%s\tleft out\t%s\t\t\t%s\n", l.Model, l.Kind, l.Why)
	}
	t.Flush()
}

// explainParts prints a line for each exchange that was made for this one, and their sum.
// Their ids follow on its own.
func explainParts(ctx context.Context, w io.Writer, l *ledger.Records, whole *starling.Receipt) error {
	left, sum := whole.Parts, starling.Money(0)
	if left == 0 {
		return nil
	}
	printf(w, "\n")
	t := newTable(w)
	q := ledger.Query{After: whole.ID, Until: whole.Time.Add(whole.Took + time.Second), Skill: whole.Plan.Skill, Key: whole.Key}
	for r, err := range l.Receipts(ctx, q) {
		if err != nil {
			return err
		}
		if r.PartOf != whole.ID {
			continue
		}
		printf(t, "  %s\t%s\t%s\t%s\t%s\n", r.ID, answerer(r), r.Outcome, r.Cost, r.Plan.Rule)
		sum = sum.Plus(r.Cost)
		if left--; left == 0 {
			break
		}
	}
	printf(t, "  sum\t\t\t%s\t\n", sum)
	return t.Flush()
}

// found says how a skill was found that nobody named.
func found(how string) string {
	if how == "" {
		return ""
	}
	return "; nobody named it: " + how
}

// covered says why a candidate is there, which warrant covers it, and which nets are
// under it.
func covered(c *starling.Candidate) string {
	why := c.Why
	if c.Warrant != "" {
		why += " (" + c.Warrant + ")"
	}
	if len(c.Nets) > 0 {
		why += ", net " + strings.Join(c.Nets, ", ")
	}
	return why
}

func explainAttempts(w io.Writer, r *starling.Receipt) {
	printf(w, "\nattempts   %d\n", len(r.Attempts))
	for i, a := range r.Attempts {
		printf(w, "  %d  %s (%s) %s after %s, first byte %s: %s\n", i+1, a.Model, a.Zone, a.Outcome, a.Took.Round(time.Microsecond), a.FirstByte.Round(time.Microsecond), a.Cost)
		if a.Why != "" {
			printf(w, "       why: %s\n", a.Why)
		}
		if a.Confidence > 0 {
			printf(w, "       its own confidence: %.4g\n", a.Confidence)
		}
		for _, v := range a.Verdicts {
			printf(w, "       verdict of %s: %s\n", v.Verifier, ruling(&a, &v))
		}
		for _, l := range a.Lines {
			printf(w, "       %-14s %15s  %s\n", l.What, quantity(l), charged(l)+basis(r, &a, l))
		}
		if a.Split != "" {
			printf(w, "       split: %s; %d tokens of the documents were not sent\n", a.Split, a.Spared)
		}
		if a.Short != "" {
			printf(w, "       the answer is to a part of the question: it %s\n", a.Short)
		}
		if a.Usage.Estimated {
			printf(w, "       the upstream did not count; tokens are estimated\n")
		}
		for _, f := range a.Left {
			printf(w, "       left out in translation: %s\n", f)
		}
	}
}

// ruling says what a verdict meant for the answer, and why.
func ruling(a *starling.Attempt, v *starling.Verdict) string {
	ruling := "reject:"
	switch {
	case v.Net() && v.Accept:
		ruling = "mended:"
	case v.Net() && a.Outcome != starling.Rejected:
		ruling = "noted:"
	case v.Accept:
		ruling = "accept"
	}
	if v.Why != "" {
		ruling += " " + plain(v.Why)
	}
	return ruling
}

// quantity is empty for what is not counted.
func quantity(l starling.CostLine) string {
	switch {
	case l.Tokens != 0:
		return fmt.Sprintf("%d tokens", l.Tokens)
	case l.Count != 0:
		return fmt.Sprintf("%d times", l.Count)
	}
	return ""
}

func charged(l starling.CostLine) string {
	if l.Unpriced {
		return "may be charged, at a price that is not known"
	}
	return l.Amount.String()
}

// basis says where the watts are from that a line was reckoned with: some are modelled.
func basis(r *starling.Receipt, a *starling.Attempt, l starling.CostLine) string {
	if l.What != "electricity" {
		return ""
	}
	for _, c := range r.Plan.Candidates {
		if c.Model.ID() == a.Model {
			return ": " + strings.TrimPrefix(c.Model.Price.Source, "electricity: ")
		}
	}
	return ""
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
