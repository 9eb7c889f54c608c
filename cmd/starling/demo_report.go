package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/sim"
)

// A line is what the demo says of one skill, or of all.
type line struct {
	name            string
	asked, answered int
	right           int
	who             map[string]int
	cost, reference starling.Money
	saved           starling.Money
	added           []time.Duration
}

// report prints one line for each skill from what the client saw (answers,
// grades) and what the ledger says (who, cost, savings, time).
func (d *demo) report(ctx context.Context, w io.Writer, results []result, took time.Duration) error {
	if err := d.ledger.Flush(ctx); err != nil {
		return err
	}
	byID := map[string]*starling.Receipt{}
	for r, err := range d.ledger.Receipts(ctx, ledger.Query{}) {
		if err != nil {
			return err
		}
		byID[r.ID] = r
	}
	lines := map[string]*line{}
	all := &line{name: "all", who: map[string]int{}}
	for _, r := range results {
		l := lines[r.skill]
		if l == nil {
			l = &line{name: r.skill, who: map[string]int{}}
			lines[r.skill] = l
		}
		receipt, ok := byID[r.receipt]
		if !ok {
			return &starling.Error{Kind: starling.Internal, Op: "receipt " + r.receipt + " is not in the ledger"}
		}
		l.add(r, receipt)
		all.add(r, receipt)
		if d.real != nil {
			d.real.add(r, receipt)
		}
	}
	fmt.Fprintf(w, "%d requests in %s over real HTTP: both dialects, streamed and not, through one gateway.\n\n", len(results), took.Round(10*time.Millisecond))
	printLines(w, lines, all)
	if d.real != nil {
		d.real.print(w, len(results))
	}
	d.printGap(w, all)
	d.printInvoice(w, all)
	return nil
}

func (l *line) add(r result, receipt *starling.Receipt) {
	l.asked++
	if r.status == 200 {
		l.answered++
		l.who[strings.TrimPrefix(receipt.Response.Provider, "sim-")]++
	}
	if r.right {
		l.right++
	}
	l.cost = l.cost.Plus(receipt.Cost)
	l.reference = l.reference.Plus(receipt.Reference)
	l.saved = l.saved.Plus(receipt.Saved)
	l.added = append(l.added, receipt.Added)
}

func printLines(w io.Writer, lines map[string]*line, all *line) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SKILL\tASKED\tANSWERED BY\tRIGHT BY GOLD [95 %]\tCOST\tALL AT REFERENCE\tSAVED (EST.)\tADDED p50 / p99")
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		fmt.Fprintln(t, lines[name])
	}
	fmt.Fprintln(t, all)
	t.Flush()
}

// String is a row of the table.
func (l *line) String() string {
	lo, hi := evidence.ClopperPearson(l.right, l.asked, 0.95)
	return fmt.Sprintf("%s\t%d\t%s\t%.1f %% [%.1f, %.1f]\t%s\t%s\t%s\t%s / %s",
		l.name, l.asked, l.answerers(), 100*float64(l.right)/float64(max(l.asked, 1)), 100*lo, 100*hi,
		short(l.cost), short(l.reference), l.savedText(), quantile(l.added, 0.5), quantile(l.added, 0.99))
}

// answerers lists who answered, the most frequent first.
func (l *line) answerers() string {
	names := slices.Collect(maps.Keys(l.who))
	slices.SortFunc(names, func(a, b string) int {
		if l.who[a] != l.who[b] {
			return l.who[b] - l.who[a]
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%s %d", name, l.who[name]))
	}
	if refused := l.asked - l.answered; refused > 0 {
		parts = append(parts, fmt.Sprintf("nobody %d", refused))
	}
	return strings.Join(parts, ", ")
}

func (l *line) savedText() string {
	if l.reference <= 0 {
		return "-"
	}
	share := math.Floor(1000*float64(l.saved)/float64(l.reference)) / 10 // 99.96 % is not 100 %
	return fmt.Sprintf("%s (%.1f %%)", short(l.saved), share)
}

// short rounds an amount for a table; the ledger has every digit.
func short(m starling.Money) string {
	return fmt.Sprintf("$%.4f", float64(m)/float64(starling.Dollar))
}

// quantile returns the q-quantile by the nearest rank.
func quantile(samples []time.Duration, q float64) time.Duration {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	rank := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[max(rank, 0)].Round(time.Microsecond)
}

// printGap says what the savings cost in quality: without that a share saved is
// half a truth.
func (d *demo) printGap(w io.Writer, all *line) {
	reference := d.sim.models[len(d.sim.models)-1]
	got := float64(all.right) / float64(max(all.asked, 1))
	fmt.Fprintf(w, "\nThe reference (%s) states that it is right %s of the time; the ladder was right %.1f %%. Verifiers catch what is malformed, not\n"+
		"what is plausible and wrong: a cheap rung should answer a skill only where its own cases prove it good enough (bar in the rubric).\n",
		reference.Name, rightly(reference), 100*got)
}

// printInvoice holds the ledger against what the upstreams counted themselves.
func (d *demo) printInvoice(w io.Writer, all *line) {
	bill, cost, beside := d.sim.tally(), all.cost, ""
	if d.real != nil {
		cost -= d.real.cost
		beside = " beside the real model's electricity"
	}
	fmt.Fprintf(w, "\nThe upstreams counted %d calls and %s themselves; the ledger says %s%s", bill.Requests, bill.Cost, cost, beside)
	if bill.Cost == cost {
		fmt.Fprintln(w, ": the same to the nanodollar.")
		return
	}
	fmt.Fprintf(w, ", %s apart: electricity is timed on both sides, and a call that broke off is estimated here.\n", max(bill.Cost-cost, cost-bill.Cost))
}

// printHonesty says of both parts, or of the one that was played, what they prove.
func printHonesty(w io.Writer, packs, loop *ending) {
	others := "the models"
	fmt.Fprint(w, `
Real:      the gateway, HTTP, both dialects and their translation, classes and zones, verifiers, retries and fallback,
           budgets, receipts, signatures, the packs' texts, the grading against gold, the time that the gateway adds.
`)
	if loop != nil {
		fmt.Fprint(w, `           In the loop also the student: what it learns and answers, its threshold, its time, warrants, audits and revocation.
`)
	}
	if packs != nil && packs.real != nil {
		printf(w, "           In the packs also %s, which llama.cpp ran on this machine: its answers, their time, and, by watts that starling\n"+
			"           models shows as modelled or measured, their electricity. They are the few that are told of above.\n", packs.real.id())
		others = "all other models"
	}
	fmt.Fprint(w, "Simulated: "+others+". Their share of right answers, delays, failures and prices are stated, not measured:\n")
	var models []sim.Model
	if packs != nil {
		models = packs.models
	}
	if loop != nil {
		models = slices.Concat(models, loop.models)
	}
	printModels(w, models)
	if loop != nil {
		fmt.Fprint(w, `           The last is the teacher of the loop. The shop's messages are made by a grammar, not by customers: a student of real ones
           may answer fewer.
`)
	}
	fmt.Fprint(w, `Estimate:  savings. The reference model was not asked; its price for the same tokens is the comparison. Quality here says
           how well the ladder keeps what its simulated rungs state; prove your own with your own cases and models.
`)
}

func printModels(w io.Writer, models []sim.Model) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, m := range models {
		fmt.Fprintf(t, "           %s\t%s\tright %s of the time\t%s\tfirst token %s\n", m.Name, m.Zone, rightly(m), priced(m.Price), m.Latency.FirstToken)
	}
	t.Flush()
}
