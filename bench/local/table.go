package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"starling"
	"starling/bench/process"
	"starling/internal/catalog"
	"starling/internal/machine"
)

// The targets.
const (
	leastShare = 0.97 // of the library's speed
	mostAbove  = 5.0  // ms, of the first token
)

// A text is the result as people read it.
type text struct {
	said          string
	began         time.Time
	machine       string
	before, after clocks
	own           time.Duration // processor time of the run
	perKWh        starling.Money
	results       []*result
	failed        []string // what could not be measured, and why
}

const head = `| model | threads | at once | prompt, tok/s: library | API | ratio | generation, tok/s: library | API | ratio | first token, ms: library | API | above | cold, then warm, ms: library | API | peak memory, MiB: library | API | cores busy: library | API | estimated cost of a million tokens: read | written |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
`

// String is the whole result.
func (t *text) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What Starling costs a local model\n\nWritten by `%s` on %s, in %s.\n%s", t.said, t.began.UTC().Format(time.DateOnly), t.after.at.Sub(t.began).Round(time.Second), t.machine)
	fmt.Fprintf(&b, "%s\n", t.shares())
	b.WriteString(t.how())
	b.WriteString("\n" + head)
	for _, r := range t.results {
		b.WriteString(t.row(r))
	}
	b.WriteString(t.findings())
	return b.String()
}

// shares says whose the cores were.
func (t *text) shares() string {
	all := (t.after.all - t.before.all).Seconds()
	if all <= 0 {
		return ""
	}
	stolen := (t.after.stolen - t.before.stolen).Seconds()
	others := max(all-(t.after.idle-t.before.idle).Seconds()-stolen-t.own.Seconds(), 0)
	return fmt.Sprintf("While it ran %.0f %% of the cores' time were its own, %.0f %% went to other programs, and %.1f %% to other machines on the same processors (steal).", 100*t.own.Seconds()/all, 100*others/all, 100*stolen/all)
}

func (t *text) how() string {
	return fmt.Sprintf(`
Prompts of 128 tokens together or of 32 each, whichever is more, and %d tokens generated in each sequence. Weights by chance. Medians of rounds in turn; in brackets the smallest and the
largest ratio of a round. A ratio in bold misses its target. How it is measured says %sgo doc ./bench/local%s. Peak memory is the resident one at its highest, the mapped
file included, and of the API that of gateway and engine together. What a million tokens cost is an estimate: %g W for each busy core beyond an idle machine, which are modelled and not
measured, at %s a kWh, the model at work all the time, through the API.
`, generate, "`", "`", machine.Modelled(1, machine.Mains), t.perKWh)
}

// row is a line of the table.
func (t *text) row(r *result) string {
	l, a := &r.library, &r.api
	cells := []string{
		r.weights.name(), strconv.Itoa(r.threads), strconv.Itoa(r.width),
		number(l.reads, 1), number(a.reads, 1), speed(a.reads, l.reads).String(),
		number(l.writes, 1), number(a.writes, 1), speed(a.writes, l.writes).String(),
		number(l.first, 1), number(a.first, 1), delay(a.first, l.first).String(),
		l.starts(), a.starts(), mib(l.peak), mib(a.peak), number(l.cores, 2), number(a.cores, 2),
		t.cost(a, a.reads), t.cost(a, a.writes),
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

func number(all []float64, digits int) string {
	return strconv.FormatFloat(process.Median(all), 'f', digits, 64)
}

func mib(bytes int64) string { return strconv.FormatInt(bytes>>20, 10) }

func (f *figures) starts() string { return fmt.Sprintf("%.0f, %.0f", f.cold, f.warm) }

// cost is what a million tokens cost at these speeds. It is labelled as an estimate.
func (t *text) cost(f *figures, speeds []float64) string {
	watts := machine.Modelled(process.Median(f.cores), machine.Mains)
	price, err := catalog.Electricity(strconv.FormatFloat(watts, 'f', 3, 64), t.perKWh)
	if err != nil {
		return "unknown" // it took no processor time that could be seen
	}
	seconds := 1e6 / process.Median(speeds)
	amount := price.Amount(starling.Usage{}, time.Duration(seconds*float64(time.Second)))
	return fmt.Sprintf("$%.4f", float64(amount)/float64(starling.Dollar))
}

// A comparison is a figure of each round, of the API against the library.
type comparison struct {
	median, least, most float64
	met                 bool
	digits              int
}

func compare(a, b []float64, by func(a, b float64) float64) comparison {
	all := make([]float64, len(a))
	for i := range all {
		all[i] = by(a[i], b[i])
	}
	return comparison{median: process.Median(all), least: slices.Min(all), most: slices.Max(all)}
}

func speed(api, library []float64) comparison {
	c := compare(api, library, func(a, b float64) float64 { return a / b })
	c.met, c.digits = c.median >= leastShare, 3
	return c
}

func delay(api, library []float64) comparison {
	c := compare(api, library, func(a, b float64) float64 { return a - b })
	c.met, c.digits = c.median <= mostAbove, 1
	return c
}

func (c comparison) String() string {
	median := strconv.FormatFloat(c.median, 'f', c.digits, 64)
	if !c.met {
		median = "**" + median + "**"
	}
	return fmt.Sprintf("%s (%.*f–%.*f)", median, c.digits, c.least, c.digits, c.most)
}

// findings say what the table says.
func (t *text) findings() string {
	if len(t.results) == 0 {
		return "\nNothing could be measured.\n"
	}
	var b strings.Builder
	for _, what := range t.failed {
		fmt.Fprintf(&b, "\nNot measured: %s.\n", strings.ReplaceAll(what, "\n", "; "))
	}
	b.WriteString("\n## Against the targets\n\n")
	for _, target := range []struct {
		name string
		of   func(r *result) comparison
	}{
		{"Prompt speed, at least 0.97 of the library called directly", func(r *result) comparison { return speed(r.api.reads, r.library.reads) }},
		{"Generation speed, at least 0.97 of the library called directly", func(r *result) comparison { return speed(r.api.writes, r.library.writes) }},
		{"First token, at most 5 ms above the library called directly", func(r *result) comparison { return delay(r.api.first, r.library.first) }},
	} {
		fmt.Fprintf(&b, "- %s: %s\n", target.name, t.verdict(target.of))
	}
	b.WriteString("\n## What fewer bits gain here\n\n" + t.gains())
	return b.String()
}

// verdict counts the settings in which a target was met, and names the others.
func (t *text) verdict(of func(*result) comparison) string {
	var medians []float64
	var missed []string
	var last comparison
	for _, r := range t.results {
		last = of(r)
		medians = append(medians, last.median)
		if !last.met {
			missed = append(missed, fmt.Sprintf("%s, threads %d, at once %d: %s", r.weights.name(), r.threads, r.width, last))
		}
	}
	text := fmt.Sprintf("**met in %d of %d settings**, median of all %.*f, from %.*f to %.*f.", len(medians)-len(missed), len(medians),
		last.digits, process.Median(medians), last.digits, slices.Min(medians), last.digits, slices.Max(medians))
	if len(missed) > 0 {
		text += " Missed: " + strings.Join(missed, "; ") + "."
	}
	return text
}

// gains compares each kind with F16, in the same settings, through the API.
func (t *text) gains() string {
	var b strings.Builder
	var four span
	for _, w := range t.models() {
		reads, writes, memory := t.against(w, kinds[0])
		if len(writes) == 0 || w.kind == kinds[0] {
			continue
		}
		fmt.Fprintf(&b, "- %s against F16: prompts %s times as fast, generation %s times, peak memory %s %%.\n", w.name(), reads.text(2), writes.text(2), memory.text(0))
		if strings.HasPrefix(w.kind, "Q4") {
			four = append(four, writes...)
		}
	}
	if b.Len() == 0 {
		return "F16 was not measured beside another kind.\n"
	}
	if len(four) == 0 {
		return b.String()
	}
	fmt.Fprintf(&b, "\nFour bits write %s times as fast as F16 on this machine, over all its settings. That is what there is to gain: expected were 2 to 2.6 times and 38 to 67 %% less memory, and not the 18 times of the literature.\n", four.text(1))
	return b.String()
}

// models are those of the results, each once.
func (t *text) models() (all []*weights) {
	for _, r := range t.results {
		if !slices.Contains(all, r.weights) {
			all = append(all, r.weights)
		}
	}
	return all
}

// against compares a model with the same shape in another kind: by which factor it reads
// and writes faster, and how many percent of memory it takes more.
func (t *text) against(w *weights, kind string) (reads, writes, memory span) {
	for _, r := range t.results {
		i := slices.IndexFunc(t.results, func(o *result) bool {
			return o.weights.shape == w.shape && o.weights.kind == kind && o.threads == r.threads && o.width == r.width
		})
		if r.weights != w || i < 0 {
			continue
		}
		o := t.results[i]
		reads = append(reads, process.Median(r.api.reads)/process.Median(o.api.reads))
		writes = append(writes, process.Median(r.api.writes)/process.Median(o.api.writes))
		memory = append(memory, 100*(float64(r.api.peak)/float64(o.api.peak)-1))
	}
	return reads, writes, memory
}

// A span is figures of which the ends are told.
type span []float64

func (s span) text(digits int) string {
	return fmt.Sprintf("%.*f to %.*f", digits, slices.Min(s), digits, slices.Max(s))
}
