package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/rightsize"
)

type rightsizeCmd struct {
	Skill     string   `arg:"" help:"Skill whose candidates are tried on its cases."`
	Candidate []string `help:"Try these of the rubric's candidates only." placeholder:"NAME"`
	Limit     amount   `help:"Most that it may spend, in dollars." placeholder:"AMOUNT"`
	Yes       bool     `short:"y" help:"Spend what it takes without asking."`
	MaxTokens int      `default:"1024" help:"Output limit of each answer."`
	Workers   int      `default:"4" help:"Questions at the same time."`
	DryRun    bool     `help:"Write down no warrant and no revocation; what was asked is kept."`
	Gateway   string   `help:"Address of the gateway, where one that serves these books is not where the configuration says." placeholder:"URL" env:"STARLING_GATEWAY"`
	JSON      bool     `help:"Print JSON."`
	HTML      string   `help:"Write the report as a page with a picture, too." placeholder:"FILE"`
}

// An amount is dollars on the command line.
type amount struct{ starling.Money }

func (a *amount) UnmarshalText(text []byte) (err error) {
	if a.Money, err = starling.ParseMoney(string(text)); err == nil && a.Money <= 0 {
		err = errors.New("it must be more than nothing")
	}
	return err
}

// Run tries the candidates through a gateway, so that every answer has a receipt
// and counts in every budget.
func (c rightsizeCmd) Run(p *program) error {
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return err
	}
	lab, err := c.open(p, cfg)
	if err != nil {
		return err
	}
	report, err := c.try(p, lab)
	err = errors.Join(err, lab.close())
	if report == nil {
		return err
	}
	if c.HTML != "" {
		err = errors.Join(err, writePage(c.HTML, report))
	}
	if c.JSON {
		return errors.Join(p.encode(report), err)
	}
	printRightsize(p.stdout, report)
	return err
}

// writePage writes the page at once, when it is whole.
func writePage(file string, report *rightsize.Report) error {
	var page bytes.Buffer
	if err := report.HTML(&page, time.Now()); err != nil {
		return err
	}
	if err := os.WriteFile(file, page.Bytes(), 0o644); err != nil {
		return &starling.Error{Kind: starling.Invalid, Op: "rightsize: write the page", Hint: "name a file that can be written with --html", Err: err}
	}
	return nil
}

func (c rightsizeCmd) try(p *program, lab *lab) (*rightsize.Report, error) {
	trial, err := lab.trial(p.ctx, c)
	if err != nil {
		return nil, err
	}
	p.unasked(trial.Skill, trial.Verifiers)
	if err := c.mayspend(p, trial); err != nil {
		return nil, err
	}
	bar := p.progress("asking")
	defer bar.Finish()
	trial.Progress = func(done, total int) {
		bar.ChangeMax(total)
		_ = bar.Set(done)
	}
	return trial.Run(p.ctx)
}

// mayspend asks before anything is spent, unless a limit was set or nothing is.
func (c rightsizeCmd) mayspend(p *program, t *rightsize.Trial) error {
	worst, asked := starling.Money(0), t.Asks()
	for _, candidate := range asked {
		for _, cs := range t.Cases {
			worst = worst.Plus(t.Worst(candidate, cs))
		}
	}
	if c.Yes || c.Limit.Money > 0 || worst == 0 {
		return nil
	}
	printf(p.stderr, "asking %d candidates %d cases each may cost up to %s, and will usually cost much less\n", len(asked), len(t.Cases), worst)
	return p.consent("rightsize", "say --yes, or --limit with the most that it may cost")
}

func printRightsize(w io.Writer, r *rightsize.Report) {
	printf(w, "%s: %s, at a confidence of %g %%; %d cases\n\n", r.Skill, wanted(r), 100*r.Bar.Confidence, r.Cases)
	t := newTable(w, "CANDIDATE", "MODEL", "ZONE", "PASSED", fmt.Sprintf("[%g %%]", 100*r.Bar.Confidence), "REJECTED", "COST / 1,000", "MEDIAN", "GOOD ENOUGH", "MISSING")
	for _, l := range r.Lines {
		model := l.Model
		if l.Simulated {
			model += " [simulated]"
		}
		t.row(l.Name, model, l.Zone, fmt.Sprintf("%d of %d", l.Passes, l.Accepted()), fmt.Sprintf("%.1f–%.1f %%", 100*l.Low, 100*l.High), l.Rejected,
			l.Cost, l.Median.Round(time.Millisecond), map[bool]string{true: "yes", false: "no"}[l.Shown], missingText(l))
	}
	t.Flush()
	printf(w, "\n%s\n", r.Why)
	for _, l := range r.Lines {
		printf(w, "  %s: %s\n", l.Name, l.Why)
		printWarrant(w, l)
	}
	printf(w, "Every answer has a receipt, and every grade is in the ledger; a second run asks only what is not known.\n")
}

// wanted says what the candidates are to show.
func wanted(r *rightsize.Report) string {
	if r.Bar.Margin > 0 {
		return fmt.Sprintf("answers are to be at most %g points worse than those of %s in the mean", 100*r.Bar.Margin, r.Reference)
	}
	return fmt.Sprintf("at least %g %% of answers are to pass", 100*r.Bar.Pass)
}

func printWarrant(w io.Writer, l rightsize.Line) {
	switch {
	case l.Warrant != "":
		printf(w, "    warrant %s until %s\n", l.Warrant, l.Expires.UTC().Format(time.DateOnly))
	case l.NoWarrant != "" && l.NoWarrant != l.Why:
		printf(w, "    no warrant: %s\n", l.NoWarrant)
	}
	if l.Revoked != "" {
		printf(w, "    its warrant %s is revoked\n", l.Revoked)
	}
}

// missingText is how many more passes would decide, where more could.
func missingText(l rightsize.Line) string {
	switch {
	case l.Shown || l.Missing == 0:
		return "-"
	case l.Missing == evidence.Never:
		return "never"
	}
	return strconv.Itoa(l.Missing)
}
