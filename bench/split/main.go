package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

const resultFile = "bench/split/result.md"

// A setting is what is measured in one row.
type setting struct {
	pair   pair
	tokens int     // of the document, about
	facts  int     // to find
	finds  float64 // share of the facts that the first reader reports
}

// A pair is who answers and who reads, by vendor and model of the catalogue.
type pair struct {
	strong  [2]string
	readers [][2]string
}

var pairs = []pair{
	{[2]string{"anthropic", "claude-opus-4-8"}, [][2]string{{"openai", "gpt-5-nano"}, {"openai", "gpt-5-mini"}}},
	{[2]string{"anthropic", "claude-haiku-4-5"}, [][2]string{{"openai", "gpt-5.4-nano"}}},
}

func main() {
	quick := flag.Bool("quick", false, "a look at two settings, to stdout")
	flag.Parse()
	if err := run(context.Background(), *quick); err != nil {
		fmt.Fprintln(os.Stderr, "bench/split:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, quick bool) (err error) {
	if quick {
		return report(ctx, os.Stdout, pairs[1:], []int{4_000, 16_000}, []int{1, 2, 3}, []float64{0.97}, 4)
	}
	f, err := os.Create(resultFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return report(ctx, f, pairs, []int{1_000, 2_500, 4_000, 16_000, 64_000, 200_000}, []int{1, 3}, []float64{0.7, 0.9, 0.97}, 24)
}

// report writes a table for each pair.
func report(ctx context.Context, w io.Writer, pairs []pair, lengths, facts []int, finds []float64, questions int) error {
	fmt.Fprintf(w, opening, 100*sent, 100*found, 100*invents)
	for _, p := range pairs {
		if err := table(ctx, w, p, lengths, facts, finds, questions); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, closing)
	return err
}

const opening = `# Reading long documents in parts

Written by ` + "`go run ./bench/split`" + `. Prices are those of the catalogue for the named models; **what the models do is simulated**, and says nothing about them: the strong model answers %.0f %% of the
facts rightly that stand in a document which it is sent, and %.0f %% of those that stand in the findings; the first reader reports the stated share of the facts in its chunks, the second 97 %%, and a reader invents
a quote in %.0f %% of its chunks, which is rejected and read by the next. Costs are those of the receipts: of a split with all its parts. A row is of so many questions, each with a document of its own; both ways are asked the same.

`

const closing = `
**Where it is not expected to pay it is not done**, in two places. Before anything is asked ("not split"): nobody knows then how many things will be looked for, so it is taken to be one as often as two. And once
there is a plan ("planned, not read"): the number of readings is known then; where these and an answer are not expected to cost less than to send everything, everything is sent, and the plan is paid for nothing. "Forecast" is that from before the plan, as a share of that for sending everything; "of everything" is what it did cost, and what of that the plan was. A row above 100 % and its plan says that it did not pay.

**The forecast is above what is measured here**: it takes reports of 60 tokens, where these readers mostly say in ten that there is nothing, and one report in ten that does not hold, where here it is 3 %. With one reader and few chunks
it counts that a split fails where more than a quarter of the readings do, and everything is paid beside it. So some rows are not split that would have paid; they are not above 100 %.

**What limits the quality is the reader**: what it overlooks the strong model cannot know. A quote that was invented never reaches it. A second pass over what was not found is not made; a split that finds nothing
answers that it is not said, and an audit of the rubric (` + "`audit`" + `) is what tells how often that is wrong.
`

func table(ctx context.Context, w io.Writer, p pair, lengths, facts []int, finds []float64, questions int) error {
	var names []string
	for _, r := range p.readers {
		names = append(names, r[1])
	}
	fmt.Fprintf(w, "## %s answers, %s read\n\n", p.strong[1], strings.Join(names, ", then "))
	fmt.Fprintf(w, "| document | facts | reader finds | questions | chunks | readings | everything sent | forecast | split | of everything | right, everything sent | right, split |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, length := range lengths {
		for _, n := range facts {
			for _, share := range finds {
				row, err := measure(ctx, setting{p, length, n, share}, max(questions*16_000/max(length, 16_000), 6))
				if err != nil {
					return err
				}
				fmt.Fprintln(w, row)
			}
		}
	}
	fmt.Fprintln(w)
	return nil
}
