package main

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"starling"
	"starling/internal/corpus"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/skill"
	"starling/internal/verify"
)

// What verifiers said before this start is read off so many receipts of the last
// days: what is older says little of a candidate, and more would take long to read.
const (
	recalledFor  = 7 * 24 * time.Hour
	mostRecalled = 20_000
)

// lately yields those receipts, the newest first.
func lately(ctx context.Context, books *ledger.Records, until time.Time) iter.Seq2[*starling.Receipt, error] {
	return books.Receipts(ctx, ledger.Query{Newest: true, Limit: mostRecalled, Since: until.Add(-recalledFor), Until: until})
}

// recall has the board count what verifiers said in the exchanges before this
// gateway's, and the models of this machine when they were asked; its own are counted as
// they are settled. It takes about a second for all, in which answers are already given.
func (g *gateway) recall(ctx context.Context, models *rung) error {
	for r, err := range lately(ctx, g.ledger.Records, g.began) {
		if err != nil {
			if ctx.Err() == nil {
				g.log.Error("what verifiers said before is not known", "err", err)
			}
			return nil
		}
		g.news.Board.FoldReceipt(r)
		models.recall(r)
	}
	return nil
}

// revoked says that a candidate may not answer any more. The ledger says so too; a
// person should know without looking.
func (g *gateway) revoked(r *evidence.Revocation) {
	g.log.Warn("a warrant was revoked", "skill", r.Skill, "model", r.Model, "warrant", r.Warrant, "why", r.Why)
}

// keeping says which skills keep what, so that nobody learns of it from a file.
func keeping(set *skill.Set) []string {
	var out []string
	for _, name := range set.Names() {
		if s, _ := set.Find(name); s.Rubric.Keep {
			out = append(out, fmt.Sprintf("skill %s: requests and the reference's answers are kept on this machine, in %s (starling evidence forget %[1]s removes them)", name, corpus.File))
		}
	}
	return out
}

// peopleOnly names the skills whose audits no program can do.
func peopleOnly(set *skill.Set) []string {
	var names []string
	for _, name := range set.Names() {
		if r := &mustFind(set, name).Rubric; r.Audit > 0 && r.Reference != "" && !verify.Comparable(r.Grade) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("the answers of %s can only be audited by people: send POST /v1/feedback with a grade and \"review\": true, or grade by label, json, number or cites", strings.Join(names, ", "))}
}

func mustFind(set *skill.Set, name string) *skill.Skill {
	s, _ := set.Find(name)
	return s
}
