package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// A state says what became of a feature of a client.
type state string

const (
	passed  state = "pass"
	failed  state = "FAIL" // it must pass and does not
	missing state = "no"   // the gateway does not have it yet, or the pair cannot do it
	skipped state = "skip" // it could not be tried here
	nothing state = "-"    // the client has no such thing
)

// A cell is one feature of one client, over all upstreams.
type cell struct {
	State state  `json:"state"`
	Why   string `json:"why,omitempty"`
}

// A row is one client.
type row struct {
	Client  string          `json:"client"`
	Version string          `json:"version,omitempty"`
	Seconds float64         `json:"seconds"`
	Cells   map[string]cell `json:"cells"`

	Accounts []account `json:"accounts,omitempty"`
}

// all fills a row with one cell.
func (c client) all(what cell) map[string]cell {
	cells := map[string]cell{}
	for _, f := range c.Features {
		cells[f] = what
	}
	return cells
}

// judge makes a client's cells of what was found. A feature that was expected
// and of which nothing was said has failed: silence is no success.
func (c client) judge(found []finding) map[string]cell {
	cells := map[string]cell{}
	for _, f := range c.Features {
		if why := c.lacks(f); why != "" {
			cells[f] = cell{missing, why}
			continue
		}
		cells[f] = c.weigh(f, found)
	}
	for _, f := range found {
		if f.Feature == "" { // about the script as a whole
			for name, was := range cells {
				if was.State == passed {
					cells[name] = cell{failed, f.Why}
				}
			}
		}
	}
	return cells
}

// lacks says why the gateway has not what the feature needs, "" if it has.
func (c client) lacks(feature string) string {
	if endpoint, own := c.Other[feature]; own {
		return endpoints[endpoint]
	}
	return endpoints[c.Endpoint]
}

func (c client) weigh(feature string, found []finding) cell {
	var whys, cannot []string
	worst, said := passed, false
	for _, f := range found {
		if f.Feature != feature {
			continue
		}
		said = true
		excuse, excused := c.excuse(feature, f.Dialect)
		switch {
		case excused && f.State == passed:
			f.State, f.Why = failed, "it can after all: "+excuse
		case excused:
			cannot = append(cannot, of(f.Dialect, excuse))
			continue
		case f.State == passed:
			continue
		}
		if worst != failed {
			worst = f.State
		}
		whys = append(whys, of(f.Dialect, f.Why))
	}
	switch {
	case !said:
		return cell{failed, "nothing was said of it"}
	case worst != passed:
		return cell{worst, strings.Join(whys, "; ")}
	case len(cannot) > 0:
		return cell{missing, strings.Join(cannot, "; ")}
	}
	return cell{State: passed}
}

// excuse returns why a feature need not work with an upstream of a dialect.
func (c client) excuse(feature, dialect string) (why string, excused bool) {
	if why, excused = c.Cannot[feature+"/"+dialect]; excused {
		return why, true
	}
	for _, u := range upstreams {
		if u.Dialect == dialect {
			why, excused = u.Cannot[feature]
		}
	}
	return why, excused
}

// of says of which upstream a reason speaks, where it speaks of one.
func of(dialect, why string) string {
	if dialect == "-" {
		return why
	}
	return dialect + ": " + why
}

// count returns how many cells are in a state.
func count(rows []row, s state) int {
	n := 0
	for _, r := range rows {
		for _, c := range r.Cells {
			if c.State == s {
				n++
			}
		}
	}
	return n
}

// notes numbers the reasons, each once.
type notes []string

func (n *notes) of(why string) int {
	if i := slices.Index(*n, why); i >= 0 {
		return i + 1
	}
	*n = append(*n, why)
	return len(*n)
}

// show returns a cell as the table has it.
func (n *notes) show(r row, feature string) string {
	c, ok := r.Cells[feature]
	if !ok {
		return string(nothing)
	}
	if c.Why == "" {
		return string(c.State)
	}
	return fmt.Sprintf("%s %d", c.State, n.of(clipped(c.Why)))
}

func clipped(why string) string {
	if runes := []rune(why); len(runes) > 400 {
		return string(runes[:400]) + "…"
	}
	return why
}

// render writes the table for a terminal.
func render(w io.Writer, rows []row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "client\tversion")
	for _, f := range features {
		fmt.Fprintf(t, "\t%s", f.Name)
	}
	fmt.Fprintln(t, "\tseconds")
	var n notes
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s", r.Client, r.Version)
		for _, f := range features {
			fmt.Fprintf(t, "\t%s", n.show(r, f.Name))
		}
		fmt.Fprintf(t, "\t%.1f\n", r.Seconds)
	}
	_ = t.Flush()
	for i, why := range n {
		fmt.Fprintf(w, "%d  %s\n", i+1, why)
	}
	fmt.Fprintln(w, total(rows))
	if slices.ContainsFunc(rows, func(r row) bool { return len(r.Accounts) > 0 }) {
		delegated(w, rows)
	}
}

func total(rows []row) string {
	return fmt.Sprintf("%d clients: %d pass, %d fail, %d no, %d skipped", len(rows), count(rows, passed), count(rows, failed), count(rows, missing), count(rows, skipped))
}

// delegated writes what the jobs of agents took, delegated and not, one line a job.
func delegated(w io.Writer, rows []row) {
	fmt.Fprint(w, "| agent | job | done by | zone | for | saved (estimate) | own session | without the skill |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		for i, a := range r.Accounts {
			if !a.Delegated {
				continue
			}
			without := string(nothing)
			if i+1 < len(r.Accounts) && r.Accounts[i+1].Job == a.Job {
				without = r.Accounts[i+1].session()
			}
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", r.Client, a.Job, a.By, a.Zone, dollars(a.Paid), dollars(a.Saved), a.session(), without)
		}
	}
}

// session says what the agent's own session was charged for.
func (a account) session() string {
	return fmt.Sprintf("%d turns, %d tokens in, %d of them from the cache, %d out: %s", a.Turns, a.Input, a.Cached, a.Output, dollars(a.Cost))
}

func dollars(nano int64) string { return fmt.Sprintf("$%.6f", float64(nano)/1e9) }

// markdown writes the table for a file.
func markdown(w io.Writer, rows []row) {
	fmt.Fprint(w, "| client | version |")
	for _, f := range features {
		fmt.Fprintf(w, " %s |", f.Name)
	}
	fmt.Fprintf(w, "\n|---|---|%s\n", strings.Repeat("---|", len(features)))
	var n notes
	for _, r := range rows {
		fmt.Fprintf(w, "| %s | %s |", r.Client, r.Version)
		for _, f := range features {
			fmt.Fprintf(w, " %s |", n.show(r, f.Name))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	for i, why := range n {
		fmt.Fprintf(w, "%d. %s\n", i+1, why)
	}
	fmt.Fprintf(w, "\n%s\n\n", total(rows))
	for _, f := range features {
		fmt.Fprintf(w, "- **%s**: %s\n", f.Name, f.Means)
	}
	if !slices.ContainsFunc(rows, func(r row) bool { return len(r.Accounts) > 0 }) {
		return
	}
	fmt.Fprint(w, "\n## What agents delegated\n\nThe agents, the program that they ran and the receipts are real; the models are simulated. They play the agents' turns as they were written down, so their\ntokens are by the simulator's count and at prices that are stated, not charged. What was saved is what the receipts estimate for the delegated job alone.\n\n")
	delegated(w, rows)
}
