package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"starling"
	"starling/internal/durable"
	"starling/internal/evidence"
	"starling/internal/lint"
	"starling/internal/skill"
	"starling/internal/strict"
)

type skillNewCmd struct {
	Name string `arg:"" optional:"" help:"What it is called: lower-case letters, digits and hyphens."`

	Description string        `help:"What it is for, and when it is to be used." placeholder:"TEXT"`
	Answer      string        `help:"What an answer is: label, json or text." enum:",label,json,text" default:"" placeholder:"KIND"`
	Label       []string      `help:"Labels, of which an answer is one." placeholder:"LABEL"`
	Schema      string        `help:"File with the JSON Schema of answers." type:"existingfile" placeholder:"FILE"`
	MaxWords    int           `help:"Most words of a text." placeholder:"N"`
	Class       string        `help:"Class of the data, which says how far it may travel." placeholder:"CLASS"`
	Candidate   []string      `help:"Who may try, the cheapest first: aliases of the configuration, or provider/model." placeholder:"NAME"`
	Reference   string        `help:"Whose price savings are measured against; the last candidate by default." placeholder:"NAME"`
	Bar         *float64      `help:"Share of answers that must pass, 0.95 by default; 0 for no bar." placeholder:"SHARE"`
	Confidence  *float64      `help:"How surely that is to be shown, 0.95 by default." placeholder:"SHARE"`
	Budget      amount        `help:"Most that a request may cost, in dollars." placeholder:"AMOUNT"`
	BudgetDay   amount        `help:"Most that all of a day may cost." placeholder:"AMOUNT"`
	BudgetMonth amount        `help:"Most that all of a month may cost." placeholder:"AMOUNT"`
	Latency     time.Duration `help:"Limit to the first byte, like 10s." placeholder:"TIME"`
	Audit       *float64      `help:"Share of the others' answers that the reference is asked for too, 0.02 by default." placeholder:"SHARE"`
	Keep        *bool         `negatable:"" help:"Keep requests and the reference's answers on this machine, to learn from."`
	Prompt      string        `help:"What the model is told, as the system message." placeholder:"TEXT"`
	PromptFile  string        `help:"File with what the model is told." type:"existingfile" placeholder:"FILE"`
	Cases       string        `help:"File with examples: CSV with the columns input and answer, or JSON lines." type:"existingfile" placeholder:"FILE"`

	Dir    string `help:"Folder of skills in which it is made; the configured one, or skills, by default." placeholder:"DIR"`
	DryRun bool   `help:"Print the files, and write nothing."`
	JSON   bool   `help:"Print JSON."`

	typed []example // in an interview
}

// Validate refuses what no skill can have.
func (c skillNewCmd) Validate() error {
	for flag, share := range map[string]*float64{"bar": c.Bar, "confidence": c.Confidence, "audit": c.Audit} {
		if share != nil && !(0 <= *share && *share <= 1) {
			return fmt.Errorf("--%s is a share, a number between 0 and 1", flag)
		}
	}
	switch {
	case c.MaxWords < 0:
		return errors.New("--max-words is a number from 1 on")
	case c.Latency < 0:
		return errors.New("--latency is a time, like 10s")
	case c.Prompt != "" && c.PromptFile != "":
		return errors.New("--prompt and --prompt-file are one too many")
	}
	return nil
}

// Run makes a skill. On a terminal it asks for what was not said.
func (c skillNewCmd) Run(p *program) error {
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return err
	}
	if len(c.missing()) > 0 && terminal(os.Stdin) {
		if err := c.interview(p, cfg, os.Stdin); err != nil {
			return err
		}
	}
	if lacks := c.missing(); len(lacks) > 0 {
		return &starling.Error{Kind: starling.Invalid, Op: "skill new: nobody is there to be asked", Hint: "say " + strings.Join(lacks, ", ")}
	}
	d, err := c.draft(p.ctx)
	if err != nil {
		return err
	}
	made, err := c.make(p, cfg, d)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.encodeWide(made)
	}
	made.print(p, c.DryRun, cfg)
	return nil
}

// missing names the flags without which there is no skill.
func (c *skillNewCmd) missing() (flags []string) {
	for _, need := range []struct {
		said bool
		flag string
	}{
		{c.Name != "", "the name"},
		{c.Description != "", "--description"},
		{c.Answer != "", "--answer"},
		{c.Answer != "label" || len(c.Label) > 0, "--label"},
		{c.Answer != "json" || c.Schema != "", "--schema"},
		{c.Answer != "text" || c.Prompt != "" || c.PromptFile != "", "--prompt or --prompt-file"},
		{len(c.Candidate) > 0, "--candidate"},
	} {
		if !need.said {
			flags = append(flags, need.flag)
		}
	}
	return flags
}

// or is what a pointer points to, if it does.
func or[T any](said *T, usual T) T {
	if said == nil {
		return usual
	}
	return *said
}

// What is usual where nobody says.
const (
	usualPass       = 0.95
	usualConfidence = 0.95
	usualAudit      = 0.02
)

// draft makes a draft of what was said.
func (c *skillNewCmd) draft(ctx context.Context) (*draft, error) {
	d := &draft{
		name: c.Name, description: strings.Join(strings.Fields(c.Description), " "), answer: c.Answer, labels: c.Label, words: c.MaxWords, class: c.Class,
		candidates: c.Candidate, reference: cmp.Or(c.Reference, c.Candidate[len(c.Candidate)-1]),
		request: c.Budget.Money, day: c.BudgetDay.Money, month: c.BudgetMonth.Money, audit: or(c.Audit, usualAudit), keep: or(c.Keep, false),
	}
	if pass := or(c.Bar, usualPass); pass > 0 {
		d.bar = skill.Bar{Pass: pass, Confidence: or(c.Confidence, usualConfidence)}
	}
	if c.Latency > 0 {
		d.latency = c.Latency.String()
	}
	if d.answer == "json" {
		var err error
		if d.schema, err = os.ReadFile(c.Schema); err != nil {
			return nil, unreadable("the schema", "--schema", err)
		}
	}
	if err := c.instruct(d); err != nil {
		return nil, err
	}
	return d, c.exemplify(ctx, d)
}

func unreadable(what, flag string, err error) error {
	return &starling.Error{Kind: starling.Invalid, Op: "skill new: read " + what, Hint: "name a file that can be read with " + flag, Err: err}
}

// instruct finds what the model is told.
func (c *skillNewCmd) instruct(d *draft) error {
	d.prompt = cmp.Or(c.Prompt, d.usualPrompt())
	if c.PromptFile == "" {
		return nil
	}
	text, err := os.ReadFile(c.PromptFile)
	if err != nil {
		return unreadable("the prompt", "--prompt-file", err)
	}
	d.prompt = string(text)
	return nil
}

// exemplify makes the cases.
func (c *skillNewCmd) exemplify(ctx context.Context, d *draft) (err error) {
	m := &maker{answer: d.answer, labels: d.labels, name: d.name, file: fromHere(c.Cases), all: c.typed}
	if c.Cases != "" {
		if m.all, err = readExamples(c.Cases); err != nil {
			return err
		}
	}
	d.cases, err = m.cases(ctx)
	d.made = m.made
	return err
}

// A newSkill is what was made.
type newSkill struct {
	Name     string         `json:"name"`
	Dir      string         `json:"dir"` // its folder
	Written  bool           `json:"written"`
	Files    []newFile      `json:"files"`
	Cases    int            `json:"cases"`
	Made     int            `json:"made_wrong_answers"`     // of the cases, made of the other labels or cases
	Needs    int            `json:"needed_cases"`           // that show the bar without a mistake; 0 if there is no bar
	Missing  int            `json:"missing_cases"`          // of them
	Never    bool           `json:"never_enough,omitempty"` // no number of cases shows the bar
	Findings []lint.Finding `json:"findings"`               // notes alone
}

// A newFile is one of its files.
type newFile struct {
	Path string `json:"path"`
	Text string `json:"text,omitempty"` // where nothing is written
}

// make writes the skill if it is without errors, whole or not at all.
func (c *skillNewCmd) make(p *program, cfg Config, d *draft) (*newSkill, error) {
	if !isSkillName(d.name) { // it becomes a path
		return nil, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("skill new: %q is no name", d.name), Hint: nameHint}
	}
	files, err := d.files()
	if err != nil {
		return nil, err
	}
	parent := fromHere(cmp.Or(c.Dir, cfg.Skills, "skills"))
	n := &newSkill{Name: d.name, Dir: filepath.ToSlash(filepath.Join(parent, d.name)), Written: !c.DryRun, Cases: len(d.cases), Made: d.made}
	if n.Needs, n.Missing = lint.Needs(d.bar, 0), d.lacks(); n.Needs == evidence.Never {
		n.Needs, n.Missing, n.Never = 0, 0, true
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := newFile{Path: name}
		if c.DryRun {
			f.Text = string(files[name])
		}
		n.Files = append(n.Files, f)
	}
	world, err := skillLintCmd{}.world(p, cfg)
	if err != nil {
		return nil, err
	}
	write := func(dir string) error {
		if err := writeFiles(dir, files); err != nil {
			return err
		}
		report := lint.Skill(p.ctx, os.DirFS(filepath.Dir(dir)), d.name, world)
		n.Findings = orEmpty(report.Findings)
		return c.clean(parent, n.Findings)
	}
	err = c.put(parent, d.name, write)
	return n, err
}

const nameHint = "1 to 64 lower-case letters, digits and single hyphens between them"

var nameForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func isSkillName(name string) bool { return len(name) <= 64 && nameForm.MatchString(name) }

// put makes the folder; of a dry run, where nobody sees it.
func (c *skillNewCmd) put(parent, name string, write func(dir string) error) error {
	if c.DryRun {
		aside, err := os.MkdirTemp("", "starling-*")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(aside) }()
		parent = aside
	}
	_, before := os.Lstat(parent)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return &starling.Error{Kind: starling.Invalid, Op: "skill new: folder " + parent, Hint: "name one that can be made with --dir", Err: err}
	}
	err := durable.Folder(filepath.Join(parent, name), write)
	if err != nil && errors.Is(before, fs.ErrNotExist) {
		_ = os.Remove(parent) // which was made for this
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return &starling.Error{Kind: starling.Invalid, Op: "skill new: " + filepath.Join(parent, name) + " is there already", Hint: "choose another name, or remove it yourself; nothing is overwritten"}
	case err != nil && starling.KindOf(err) == starling.Internal:
		return &starling.Error{Kind: starling.Invalid, Op: "skill new: write " + filepath.Join(parent, name), Hint: "name a folder that can be written with --dir", Err: err}
	}
	return err
}

func writeFiles(dir string, files map[string][]byte) error {
	for name, data := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// clean returns what is wrong, of files as they would have been called, and names the
// files of the rest so.
func (c *skillNewCmd) clean(parent string, findings []lint.Finding) error {
	var problems []strict.Problem
	for i := range findings {
		f := &findings[i]
		f.File = filepath.ToSlash(filepath.Join(parent, f.File))
		if f.Severity == lint.Error {
			problems = append(problems, f.Problem())
		}
	}
	return strict.Report(problems)
}

// print tells people what there is now, and what comes next.
func (n *newSkill) print(p *program, dry bool, cfg Config) {
	if dry {
		for _, f := range n.Files {
			printf(p.stdout, "-- %s/%s --\n", n.Dir, f.Path)
			fmt.Fprint(p.stdout, harmless(f.Text))
		}
	} else {
		printf(p.stdout, "%s is written; cases: %d\n", n.Dir, n.Cases)
	}
	if n.Made > 0 {
		printf(p.stderr, "note: %d wrong answers are the right ones of other cases, or other labels: replace them by mistakes that models make\n", n.Made)
	}
	for _, f := range n.Findings {
		printf(p.stderr, "note: %s\n", f.Problem().String())
	}
	if !dry {
		n.next(p, cfg)
	}
}

// next says what to do with a new skill.
func (n *newSkill) next(p *program, cfg Config) {
	parent := filepath.ToSlash(filepath.Dir(n.Dir))
	serve := "; one that serves finds it by itself"
	if filepath.ToSlash(fromHere(cfg.Skills)) != parent {
		serve = ", with skills: " + parent + " in the configuration"
	}
	cases := "its cases can show the bar"
	switch {
	case n.Needs == 0:
		cases = "how good its candidates are on its cases"
	case n.Missing > 0:
		cases = fmt.Sprintf("after %d more cases: the bar takes %d, all answered without a mistake", n.Missing, n.Needs)
	}
	fmt.Fprintln(p.stdout)
	t := newTable(p.stdout)
	t.row("starling skill lint "+n.Dir, "# after each change")
	t.row("starling serve", "# programs ask the model starling/"+n.Name+serve)
	t.row("starling rightsize "+n.Name, "# "+cases)
	_ = t.Flush()
}
