package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"starling"
	"starling/internal/ledger"
)

type ledgerCmd struct {
	List   ledgerListCmd   `cmd:"" help:"List receipts, newest first."`
	Report ledgerReportCmd `cmd:"" help:"Sum up what was spent and saved."`
	Verify ledgerVerifyCmd `cmd:"" help:"Check every receipt, chain and signature; finds any changed byte."`
}

// records opens the books beside a gateway that may be serving, to read them.
// Where there are none it makes none, and the error is NotFound: whoever wants to
// read has named the wrong folder.
func (p *program) records() (*ledger.Records, error) {
	_, books, err := p.books()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(books.Dir, ledgerFile)); books.URL == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, &starling.Error{Kind: starling.NotFound, Op: "there is no ledger in " + books.Dir, Hint: "starling serve makes one; name another folder with --data, or data in the configuration"}
	}
	return openRecords(p.ctx, books)
}

// books says where the books are.
func (p *program) books() (Config, ledger.Options, error) {
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return cfg, ledger.Options{}, err
	}
	url, err := cfg.ledgerURL()
	return cfg, ledger.Options{Dir: cfg.dataDir(p.flags.Data), URL: url, Log: p.logger(true)}, err
}

// openRecords opens the books, and makes them if there are none.
func openRecords(ctx context.Context, o ledger.Options) (*ledger.Records, error) {
	r, err := ledger.OpenRecords(ctx, o)
	return r, misplaced(err)
}

// misplaced tells a folder that cannot be one, which the user has named, from
// trouble of our own.
func misplaced(err error) error {
	e, ok := errors.AsType[*starling.Error](err)
	for _, cause := range []error{fs.ErrPermission, fs.ErrNotExist, syscall.ENOTDIR, syscall.EROFS} {
		if ok && e.Kind == starling.Internal && errors.Is(err, cause) {
			named := *e
			named.Kind = starling.Invalid
			return &named
		}
	}
	return err
}

type ledgerListCmd struct {
	Limit int           `default:"20" help:"Most receipts to list; 0 for all."`
	Since time.Duration `help:"Only the last such time, such as 24h."`
	Team  string        `help:"Only this team's."`
	Skill string        `help:"Only this skill's."`
	Key   string        `help:"Only this key's."`
	Model string        `help:"Only what this model answered: its own name, or provider/name as it is listed." placeholder:"NAME"`

	Outcome string `enum:",answered,failed,broken,abandoned,interrupted" default:"" help:"Only with this outcome: answered, failed, broken, abandoned or interrupted."`
	JSON    bool   `help:"Print one JSON receipt a line."`
}

// Validate refuses what would list nothing.
func (c ledgerListCmd) Validate() error {
	if c.Limit < 0 {
		return errors.New("--limit must be 0 or more")
	}
	return nil
}

// Run lists receipts.
func (c ledgerListCmd) Run(p *program) error {
	l, err := p.records()
	if err != nil {
		return err
	}
	defer l.Close()
	receipts := c.receipts(p.ctx, l)
	if c.JSON {
		enc := json.NewEncoder(p.stdout)
		for r, err := range receipts {
			if err := errors.Join(err, enc.Encode(r)); err != nil {
				return err
			}
		}
		return nil
	}
	t := newTable(p.stdout, "RECEIPT", "TIME", "ASKED", "ANSWERED BY", "OUTCOME", "COST", "SAVED (EST.)")
	for r, err := range receipts {
		if err != nil {
			return err
		}
		t.row(r.ID, r.Time.Local().Format(time.DateTime), r.Asked, answerer(r), outcomeText(r), r.Cost, savedText(r))
	}
	return t.Flush()
}

// receipts yields those asked for, newest first. The store knows a model by its
// own name alone, which may have a slash in it; where nobody has answered under
// the whole of what was given, its first part is the provider's.
func (c ledgerListCmd) receipts(ctx context.Context, l *ledger.Records) iter.Seq2[*starling.Receipt, error] {
	q := ledger.Query{
		Limit: c.Limit, Newest: true, Since: since(c.Since),
		Team: c.Team, Skill: c.Skill, Key: c.Key, Model: c.Model, Outcome: starling.Outcome(c.Outcome),
	}
	provider, model, both := strings.Cut(c.Model, "/")
	for range l.Receipts(ctx, ledger.Query{Model: c.Model, Limit: 1}) {
		both = false
	}
	if !both {
		return l.Receipts(ctx, q)
	}
	q.Model, q.Limit = model, 0
	return func(yield func(*starling.Receipt, error) bool) {
		left := c.Limit
		for r, err := range l.Receipts(ctx, q) {
			if err == nil && r.Response.Provider != provider {
				continue
			}
			if left--; !yield(r, err) || left == 0 {
				return
			}
		}
	}
}

func answerer(r *starling.Receipt) string {
	if r.Response.Model == "" {
		return "-"
	}
	return r.Response.Provider + "/" + r.Response.Model
}

func outcomeText(r *starling.Receipt) string {
	text := string(r.Outcome)
	switch {
	case r.AuditOf != "" && r.Observed != nil:
		text += " [shadow]"
	case r.AuditOf != "":
		text += " [audit]"
	case r.PartOf != "":
		text += " [part]"
	}
	if r.Response.Simulated {
		text += " [simulated]"
	}
	return text
}

func savedText(r *starling.Receipt) string {
	if r.Plan.Reference == nil {
		return "-" // nothing to compare with
	}
	return r.Saved.String()
}

type ledgerVerifyCmd struct {
	Head string `help:"A head that was noted earlier: the chain must still hold it." placeholder:"HASH"`
	JSON bool   `help:"Print JSON."`
}

// Run checks the whole ledger.
func (c ledgerVerifyCmd) Run(p *program) error {
	l, err := p.records()
	if err != nil {
		return err
	}
	defer l.Close()
	bar := p.progress("verifying")
	report, err := l.Verify(p.ctx, ledger.Audit{Head: c.Head, Progress: func(done, total int64) {
		bar.ChangeMax64(total)
		_ = bar.Set64(done)
	}})
	_ = bar.Finish()
	if err != nil {
		return err
	}
	if c.JSON {
		if err := p.encode(report); err != nil {
			return err
		}
	} else {
		printReport(p.stdout, report)
	}
	if !report.OK() {
		return &starling.Error{Kind: starling.Refused, Op: "the ledger is not as it was signed: " + report.Faults[0].What, Hint: "compare with a backup; docs/runbook.md says how"}
	}
	return nil
}

func printReport(w io.Writer, r *ledger.Report) {
	for _, f := range r.Faults {
		printf(w, "FAULT  %s  chain %s, record %d: %s\n", dash(f.ID), dash(f.Chain), f.Seq, f.What)
	}
	for _, c := range r.Chains {
		printf(w, "chain %s: %s, head %s\n", c.Chain, linked(c.Receipts, c.Notes), c.Head)
	}
	if r.OK() && r.Receipts+r.Notes == 0 {
		fmt.Fprintln(w, "no receipts here: nothing to verify")
	} else if r.OK() {
		fmt.Fprintf(w, "ok: %s under %d signatures, every byte as it was signed\n", linked(r.Receipts, r.Notes), r.Checkpoints)
	}
}

// linked says what is in a chain.
func linked(receipts, notes int64) string {
	if notes == 0 {
		return fmt.Sprintf("%d receipts", receipts)
	}
	return fmt.Sprintf("%d receipts and %d notes", receipts, notes)
}

// since is a time that long ago; zero for all time.
func since(d time.Duration) time.Time {
	if d == 0 {
		return time.Time{}
	}
	return time.Now().Add(-d)
}

// progress is a bar on a terminal and silence elsewhere.
func (p *program) progress(what string) *progressbar.ProgressBar {
	f, ok := p.stderr.(*os.File)
	return progressbar.NewOptions64(1,
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWriter(p.stderr),
		progressbar.OptionSetVisibility(ok && term.IsTerminal(int(f.Fd()))),
		progressbar.OptionShowCount(),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionThrottle(50*time.Millisecond),
	)
}
