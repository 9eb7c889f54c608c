package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"starling"
	"starling/internal/cascade"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/rightsize"
	"starling/internal/skill"
	"starling/internal/verify"
	"starling/internal/wire"
)

type rightsizeCmd struct {
	Skill     string   `arg:"" help:"Skill whose candidates are tried on its cases."`
	Candidate []string `help:"Try these of the rubric's candidates only." placeholder:"NAME"`
	Limit     amount   `help:"Most that it may spend, in dollars." placeholder:"AMOUNT"`
	Yes       bool     `short:"y" help:"Spend what it takes without asking."`
	MaxTokens int      `default:"1024" help:"Output limit of each answer."`
	Workers   int      `default:"4" help:"Questions at the same time."`
	Gateway   string   `help:"Address of the gateway, where one that serves these books is not where the configuration says." placeholder:"URL"`
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
	worst := starling.Money(0)
	for _, candidate := range t.Candidates {
		for _, cs := range t.Cases {
			worst = worst.Plus(t.Worst(candidate, cs))
		}
	}
	if c.Yes || c.Limit.Money > 0 || worst == 0 {
		return nil
	}
	printf(p.stderr, "asking %d candidates %d cases each may cost up to %s, and will usually cost much less\n", len(t.Candidates), len(t.Cases), worst)
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return &starling.Error{Kind: starling.Invalid, Op: "rightsize: nobody said that it may be spent", Hint: "say --yes, or --limit with the most that it may cost"}
	}
	fmt.Fprint(p.stderr, "go on? [y/N] ")
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return &starling.Error{Kind: starling.Cancelled, Op: "rightsize: nothing was asked"}
	}
	return nil
}

// A lab is a gateway to ask, and the books to write outcomes into: the one that
// serves these books, or one of its own.
type lab struct {
	cfg     Config
	parts   *parts
	cascade *cascade.Cascade // to plan with: what a candidate is, and what it may cost
	files   fs.FS
	set     *skill.Set
	books   *ledger.Records
	client  *client
	stop    func() error
}

func (c rightsizeCmd) open(p *program, cfg Config) (*lab, error) {
	l := &lab{cfg: cfg, files: cfg.skillFiles(), stop: func() error { return nil }}
	own := cfg
	own.Listen = "127.0.0.1:0"
	dir := cfg.dataDir(p.flags.Data)
	g, err := open(p.ctx, own, dir, p.logger(true))
	if errors.Is(err, ledger.ErrInUse) {
		return l, l.beside(p, dir, c.Gateway)
	}
	if err != nil {
		return nil, err
	}
	if err := unmarkDemo(dir); err != nil {
		return nil, err
	}
	return l, l.alone(p.ctx, g)
}

// beside asks the gateway that has the books.
func (l *lab) beside(p *program, dir, gateway string) (err error) {
	addr, err := l.cfg.address()
	if err != nil {
		return err
	}
	if l.parts, err = build(p.ctx, l.cfg); err != nil {
		return err
	}
	if l.set, err = l.cfg.loadSkills(); err != nil {
		return err
	}
	if l.cascade, err = l.parts.cascade(l.set, nil, p.logger(true)); err != nil {
		return err
	}
	url, err := l.cfg.ledgerURL()
	if err != nil {
		return err
	}
	if l.books, err = ledger.OpenRecords(p.ctx, ledger.Options{Dir: dir, URL: url}); err != nil {
		return err
	}
	l.client = newClient(strings.TrimSuffix(cmp.Or(gateway, "http://"+addr), "/"))
	l.client.key = os.Getenv("STARLING_KEY")
	l.stop = func() error {
		l.parts.close()
		return l.books.Close()
	}
	return nil
}

// alone serves on an address of its own, and nobody else: where there are keys it
// has one for as long as it takes.
func (l *lab) alone(ctx context.Context, g *gateway) (err error) {
	l.parts, l.set, l.books = g.parts, g.set, g.ledger.Records
	if l.cascade, err = g.parts.cascade(g.set, g.ledger, g.log); err != nil {
		return err
	}
	l.client = newClient("http://" + g.ln.Addr().String())
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- g.server.Serve(ctx, g.ln) }()
	revoke := func() error { return nil }
	l.stop = func() error {
		err := revoke()
		cancel()
		err = errors.Join(err, <-served)
		g.close()
		return err
	}
	if g.ledger.Keyless() {
		return nil
	}
	secret, key, err := l.books.CreateKey(ctx, ledger.KeySpec{Name: "rightsize", Expires: time.Now().Add(24 * time.Hour)})
	if err != nil {
		return errors.Join(err, l.stop())
	}
	l.client.key = secret
	revoke = func() error { return l.books.RevokeKey(context.WithoutCancel(ctx), key.ID) }
	return nil
}

func (l *lab) close() error {
	l.client.close()
	return l.stop()
}

// trial puts a trial together: what is tried, what is known, and who asks.
func (l *lab) trial(ctx context.Context, c rightsizeCmd) (*rightsize.Trial, error) {
	s, ok := l.set.Find(c.Skill)
	if !ok {
		return nil, noSkill(c.Skill, l.set)
	}
	t := &rightsize.Trial{Skill: s, Workers: c.Workers, Limit: c.Limit.Money, Keep: l.books.AddOutcomes}
	var err error
	if t.Verifiers, err = verify.ForSkill(s); err != nil {
		return nil, err
	}
	for cs, err := range skill.Cases(l.files, s.Dir) {
		if err != nil {
			return nil, err
		}
		t.Cases = append(t.Cases, cs)
	}
	if t.Candidates, err = l.candidates(c, s); err != nil {
		return nil, err
	}
	for o, err := range l.books.Outcomes(ctx, s.Name, "") {
		if err != nil {
			return nil, err
		}
		t.Known = append(t.Known, o)
	}
	t.Ask = func(ctx context.Context, who rightsize.Candidate, cs skill.Case) (rightsize.Answer, error) {
		return l.ask(ctx, c, s, who, cs)
	}
	t.Worst = func(who rightsize.Candidate, cs skill.Case) starling.Money { return l.worst(c, s, who, cs) }
	return t, nil
}

// candidates are those of the rubric, or the named ones of them, in its order.
func (l *lab) candidates(c rightsizeCmd, s *skill.Skill) ([]rightsize.Candidate, error) {
	var all []rightsize.Candidate
	var names []string
	for _, candidate := range s.Rubric.Candidates {
		name := candidate.Model
		if names = append(names, name); len(c.Candidate) > 0 && !slices.Contains(c.Candidate, name) {
			continue
		}
		m, ok := l.parts.directory.Find(name)
		if !ok {
			return nil, &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("rightsize: no provider offers %q", name), Hint: "give it a model under models in the configuration, or leave it out with --candidate"}
		}
		all = append(all, rightsize.Candidate{Name: name, Model: m, ID: s.Unit(m)})
	}
	for _, name := range c.Candidate {
		if !slices.Contains(names, name) {
			return nil, &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("rightsize: %q is no candidate of %s", name, s.Name), Hint: meant(name, names, "its candidates are "+strings.Join(names, ", "))}
		}
	}
	return all, nil
}

var plainWay = way{dialect: starling.OpenAI}

// ask asks again, twice, what failed for a reason that may be over soon.
func (l *lab) ask(ctx context.Context, c rightsizeCmd, s *skill.Skill, who rightsize.Candidate, cs skill.Case) (a rightsize.Answer, err error) {
	spent := starling.Money(0)
	for pause := time.Second; ; pause *= 2 {
		a, err = l.askOnce(ctx, c, s, who, cs)
		spent = spent.Plus(a.Cost)
		if a.Cost = spent; starling.KindOf(err) != starling.Overloaded || pause > 2*time.Second {
			return a, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// askOnce pins the candidate; the data is of the skill's class.
func (l *lab) askOnce(ctx context.Context, c rightsizeCmd, s *skill.Skill, who rightsize.Candidate, cs skill.Case) (a rightsize.Answer, err error) {
	body, err := question(who.Model.ID(), s.Rubric.Prompt, cs, c.MaxTokens, plainWay)
	if err != nil {
		return a, err
	}
	header := map[string]string{}
	if s.Rubric.Class != "" {
		header["X-Starling-Class"] = string(s.Rubric.Class)
	}
	r, err := l.client.send(ctx, plainWay, body, header)
	a = rightsize.Answer{Text: r.text, Cost: r.cost, Took: r.took, Receipt: r.receipt}
	switch {
	case ctx.Err() != nil:
		err = &starling.Error{Kind: starling.Cancelled, Op: "rightsize", Hint: "run it again: it goes on where it stopped", Err: ctx.Err()}
	case err != nil:
		err = &starling.Error{Kind: starling.Overloaded, Op: "rightsize: ask the gateway at " + l.client.url, Hint: "is it there? --gateway says where; a second run goes on where this one stopped", Err: err}
	case r.status == http.StatusUnauthorized:
		err = &starling.Error{Kind: starling.Unauthenticated, Op: "rightsize: the gateway wants a key", Hint: "put one into STARLING_KEY"}
	case r.status != http.StatusOK:
		err = &starling.Error{Kind: r.kind(), Op: fmt.Sprintf("rightsize: %s on case %s: %s", who.Name, cs.ID, r.text), Hint: "starling explain " + r.receipt}
	}
	return a, err
}

// worst is what a plan for the question reserves.
func (l *lab) worst(c rightsizeCmd, s *skill.Skill, who rightsize.Candidate, cs skill.Case) starling.Money {
	body, err := question(who.Model.ID(), s.Rubric.Prompt, cs, c.MaxTokens, plainWay)
	if err != nil {
		return 0
	}
	req, err := wire.Parse(plainWay.dialect, body)
	if err != nil {
		return 0
	}
	plan, _ := l.cascade.Router.Plan(&req, starling.Screen{Furthest: starling.Cloud}, nil)
	if len(plan.Candidates) == 0 {
		return 0
	}
	return plan.Candidates[0].Worst
}

func printRightsize(w io.Writer, r *rightsize.Report) {
	printf(w, "%s: at least %g %% of answers are to pass, at a confidence of %g %%; %d cases\n\n", r.Skill, 100*r.Bar.Pass, 100*r.Bar.Confidence, r.Cases)
	t := newTable(w, "CANDIDATE", "MODEL", "ZONE", "PASSED", fmt.Sprintf("[%g %%]", 100*r.Bar.Confidence), "COST / 1,000", "MEDIAN", "GOOD ENOUGH", "MISSING")
	for _, l := range r.Lines {
		model := l.Model
		if l.Simulated {
			model += " [simulated]"
		}
		t.row(l.Name, model, l.Zone, fmt.Sprintf("%d of %d", l.Passes, l.Asked), fmt.Sprintf("%.1f–%.1f %%", 100*l.Low, 100*l.High),
			l.Cost, l.Median.Round(time.Millisecond), map[bool]string{true: "yes", false: "no"}[l.Shown], missingText(l))
	}
	t.Flush()
	printf(w, "\n%s\n", r.Why)
	for _, l := range r.Lines {
		printf(w, "  %s: %s\n", l.Name, l.Why)
	}
	printf(w, "Every answer has a receipt, and every grade is in the ledger; a second run asks only what is not known.\n")
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
