// Command e2e runs the vendors' own clients and agents against a built gateway
// with simulated upstreams of each dialect behind it, and prints one table:
// client by feature, pass or the reason. plan.go says who talks to what; a folder
// for each kind of client has its scripts and the lock of what is installed.
//
// It is a module of its own, so that the product does not depend on the SDKs.
// Nothing here asks a model: what the upstreams say is simulated.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

type options struct {
	only   string
	quick  bool
	json   bool
	result string
}

func main() {
	var o options
	flag.StringVar(&o.only, "only", "", "run the clients whose name has these `words`, such as openai js, claude or oracle")
	flag.BoolVar(&o.quick, "quick", false, "run the subset that a change must pass: what cannot be installed is a failure then")
	flag.BoolVar(&o.json, "json", false, "print the table as JSON")
	flag.StringVar(&o.result, "result", "", "also write the table to this `file`, as Markdown")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, o, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 2
	}
	os.Exit(code)
}

// run runs the clients that were asked for; 1 if one that must pass does not.
func run(ctx context.Context, o options, stdout, stderr io.Writer) (int, error) {
	began := time.Now()
	dir, err := os.MkdirTemp("", "starling-e2e-")
	if err != nil {
		return 2, err
	}
	defer os.RemoveAll(dir)
	s, err := newStand(ctx, dir)
	if err != nil {
		return 2, err
	}
	defer s.close()
	say := func(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }
	in := &installer{done: map[string]error{}, say: say}
	var rows []row
	var said string
	if o.only == "" || o.only == "skills" {
		began := time.Now()
		if said, err = agentSkills(ctx, in); err != nil {
			return 1, fmt.Errorf("skills: %w", err)
		}
		if say("%-36s %5.1f s  %s", "skills", time.Since(began).Seconds(), said); o.only != "" {
			return 0, nil
		}
	}
	for _, c := range clients {
		if ctx.Err() != nil {
			return 2, ctx.Err()
		}
		if !o.wants(c) {
			continue
		}
		r := try(ctx, s, in, c, o.quick)
		say("%-36s %5.1f s  %s", r.Client, r.Seconds, brief(r))
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return 2, fmt.Errorf("no client is called %q", o.only)
	}
	if err := report(o, rows, said, began, stdout); err != nil {
		return 2, err
	}
	if count(rows, failed) > 0 {
		return 1, nil
	}
	return 0, nil
}

func (o options) wants(c client) bool {
	names := append(strings.FieldsFunc(c.Name+" "+c.Group, func(r rune) bool { return strings.ContainsRune(" ,:/", r) }), c.Package)
	for word := range strings.FieldsSeq(o.only) {
		if !slices.Contains(names, word) {
			return false
		}
	}
	return !o.quick || c.Quick
}

// try installs a client, has it do everything, and judges.
func try(ctx context.Context, s *stand, in *installer, c client, must bool) row {
	r := row{Client: c.Name}
	if why := endpoints[c.Endpoint]; why != "" {
		r.Cells = c.all(cell{missing, why})
		return r
	}
	if err := in.group(ctx, c.Group); err != nil {
		r.Cells = c.all(cell{skipped, "not installed: " + err.Error()})
		if must {
			r.Cells = c.all(cell{failed, "not installed: " + err.Error()})
		}
		return r
	}
	began := time.Now()
	if c.Package != "" {
		r.Version = version(ctx, c)
	}
	var found []finding
	if strings.HasPrefix(c.Group, "agents/") {
		found = s.agent(ctx, c, must)
	} else {
		var skip []string
		for _, f := range c.Features {
			if c.lacks(f) != "" {
				skip = append(skip, f)
			}
		}
		found = s.script(ctx, c, skip)
	}
	r.Cells, r.Seconds = c.judge(found), time.Since(began).Seconds()
	for _, f := range found {
		if f.Account != nil {
			r.Accounts = append(r.Accounts, *f.Account)
		}
	}
	return r
}

// brief says in a line what became of a row.
func brief(r row) string {
	var bad []string
	for _, f := range features {
		if c := r.Cells[f.Name]; c.State == failed {
			bad = append(bad, f.Name+": "+c.Why)
		}
	}
	one := []row{r}
	return fmt.Sprintf("%d pass, %d fail, %d no, %d skipped  %s", count(one, passed), count(one, failed), count(one, missing), count(one, skipped), strings.Join(bad, " | "))
}

func report(o options, rows []row, skills string, began time.Time, stdout io.Writer) error {
	if o.json {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(rows); err != nil {
			return err
		}
	} else {
		render(stdout, rows)
	}
	if o.result == "" {
		return nil
	}
	f, err := os.Create(o.result)
	if err != nil {
		return err
	}
	fmt.Fprintf(f, "# Real clients against the gateway\n\nEvery upstream is simulated: nothing here was said by a model. Written by `e2e/run %s` on %s, in %.0f s with what was installed before, on %s/%s with %d cores, %s, Node %s, at commit %s.\n\n",
		strings.Join(os.Args[1:], " "), began.Format(time.DateOnly), time.Since(began).Seconds(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), version(context.Background(), client{Group: "runtime", Package: "node"}), commit())
	markdown(f, rows)
	if skills != "" {
		fmt.Fprintf(f, "\nThe [skills](../skills) that come with Starling: %s.\n", skills)
	}
	return f.Close()
}

func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
