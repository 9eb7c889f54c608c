package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"golang.org/x/term"

	"starling"
	"starling/internal/advise"
	"starling/internal/corpus"
	"starling/internal/durable"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/lint"
	"starling/internal/route"
	"starling/internal/skill"
	"starling/internal/verify"
)

type skillLearnCmd struct {
	Skill  string        `arg:"" help:"Skill whose rubric may be better than it is."`
	Since  time.Duration `default:"2160h" help:"How far back requests count; 0 for all."`
	Only   []advise.Kind `help:"These kinds of proposals alone: below-bar, unproven, size, does-not-pay, order, latency, audit, budget, probability, candidate." placeholder:"KIND"`
	Yes    bool          `short:"y" help:"Apply what is proposed without asking; what loosens a promise only where --only names it."`
	DryRun bool          `help:"Apply nothing, whatever else is said."`
	JSON   bool          `help:"Print JSON; applies nothing without --yes."`
}

// Validate names a kind that is none.
func (c skillLearnCmd) Validate() error {
	known := make([]string, len(advise.Kinds))
	for i, kind := range advise.Kinds {
		known[i] = string(kind)
	}
	for _, kind := range c.Only {
		if !slices.Contains(advise.Kinds, kind) {
			return fmt.Errorf("--only %s: there is no such kind (%s)", kind, meant(string(kind), known, strings.Join(known, ", ")))
		}
	}
	return nil
}

// Run studies what the books say of a skill, and shows what that speaks for. What the
// user agrees to is written into the rubric.
func (c skillLearnCmd) Run(p *program) error {
	l, err := c.study(p)
	if err != nil {
		return err
	}
	var ask *bufio.Reader
	if !c.Yes && !c.DryRun && !c.JSON && term.IsTerminal(int(os.Stdin.Fd())) {
		ask = bufio.NewReader(os.Stdin)
	}
	out := p.stdout
	if c.JSON {
		out = io.Discard
	}
	l.print(out)
	agreed := l.walk(p.ctx, c, out, ask)
	if err := p.ctx.Err(); err != nil {
		return err // whoever was interrupted has not said yes to the whole
	}
	l.Diff = string(l.changes(l.text, agreed))
	if l.Applied = (c.Yes || ask != nil) && !c.DryRun && !bytes.Equal(agreed, l.text); l.Applied {
		if err := l.write(agreed); err != nil {
			return err
		}
	}
	if c.JSON {
		return p.encodeWide(l)
	}
	l.printEnd(out, agreed)
	return nil
}

// A lesson is what was found, and the rubric that it is about.
type lesson struct {
	*advise.Advice
	Proposals []*amendment   `json:"proposals"`
	Diff      string         `json:"diff"`                  // of all that are agreed to
	Applied   bool           `json:"applied"`               // the file says so now
	Lapse     []lapsing      `json:"would_lapse"`           // warrants in force, whatever is changed
	Prove     starling.Money `json:"rightsize_nanodollars"` // what it takes to show again who is good enough: an estimate, from answers to cases
	Unpriced  []string       `json:"rightsize_beside"`      // of whom no answer to a case is known, so they cost something beside that

	skill  *skill.Skill
	files  fs.FS
	folder string // of the skills; "" those of the program itself
	text   []byte // of the rubric as it was read
	cases  int
	board  *evidence.Board
}

// An amendment is a proposal and what becomes of it.
type amendment struct {
	advise.Proposal
	Agreed  bool     `json:"agreed"`
	NotDone string   `json:"not_done,omitempty"` // why the rubric cannot be edited so
	Diff    string   `json:"diff,omitempty"`     // to the rubric with those before it that are agreed to
	Lint    []string `json:"lint,omitempty"`     // what starling skill lint finds then and did not before
}

// study reads skill, models, books and texts.
func (c skillLearnCmd) study(p *program) (*lesson, error) {
	cfg, books, err := p.books()
	if err != nil {
		return nil, err
	}
	set, err := cfg.loadSkills()
	if err != nil {
		return nil, err
	}
	name := strings.TrimPrefix(c.Skill, route.Prefix)
	s, ok := set.Find(name)
	if !ok {
		return nil, noSkill(name, set)
	}
	l := &lesson{skill: s, files: cfg.skillFiles(), folder: cfg.Skills}
	if l.text, err = fs.ReadFile(l.files, path.Join(s.Dir, rubricName)); err != nil {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "read the rubric of " + s.Name, Err: err}
	}
	if now, err := l.load(l.text); err != nil || now.Hash != s.Hash {
		return nil, l.changed()
	}
	q, err := l.question(p.ctx, cfg, books.Dir)
	if err != nil {
		return nil, err
	}
	records, err := p.records()
	if err != nil {
		return nil, err
	}
	defer records.Close()
	if q.Board, err = boardOf(p.ctx, records); err != nil {
		return nil, err
	}
	l.board = q.Board
	l.Advice, err = advise.Study(*q, records.Outcomes(p.ctx, s.Name, ""), records.Receipts(p.ctx, ledger.Query{Skill: s.Name, Since: since(c.Since)}))
	if err != nil {
		return nil, err
	}
	l.Proposals = []*amendment{}
	for _, p := range l.Advice.Proposals {
		if len(c.Only) == 0 || slices.Contains(c.Only, p.Kind) {
			l.Proposals = append(l.Proposals, &amendment{Proposal: p})
		}
	}
	l.follow()
	return l, nil
}

// follow says what follows from any change of the rubric.
func (l *lesson) follow() {
	l.Lapse, l.Unpriced = []lapsing{}, []string{}
	for _, s := range l.board.Warrants() {
		w := s.Warrant
		if w.Skill == l.Skill && s.Revoked == nil && s.Later == nil && w.Lapsed(l.skill.Hash, l.skill.Cases, time.Now()) == "" {
			l.Lapse = append(l.Lapse, lapsing{w.ID, w.Model})
		}
	}
	for _, c := range l.skill.Rubric.Candidates {
		each, ok := l.PerCase[c.Model]
		if !ok && c.Model != starling.StudentName {
			l.Unpriced = append(l.Unpriced, c.Model)
		}
		l.Prove = l.Prove.Plus(each * starling.Money(l.cases))
	}
}

const rubricName = "rubric.yaml"

// boardOf is what the notes say of all candidates.
func boardOf(ctx context.Context, l *ledger.Records) (*evidence.Board, error) {
	board := evidence.NewBoard()
	for n, err := range l.Notes(ctx, new(ledger.Place)) {
		if err != nil {
			return nil, err
		}
		board.Fold(n)
	}
	return board, nil
}

// question puts together what there is to advise on.
func (l *lesson) question(ctx context.Context, cfg Config, dir string) (*advise.Question, error) {
	parts, err := build(ctx, cfg, dir, nil)
	if err != nil {
		return nil, err
	}
	defer parts.close()
	s := l.skill
	screen, err := parts.policy.Strictest(s.Rubric.Class)
	if err != nil {
		return nil, err
	}
	q := &advise.Question{Skill: s, Furthest: screen.Furthest, Sizes: map[string]int{}, Compared: verify.Comparable(s.Rubric.Grade)}
	reference, _ := parts.directory.Find(s.Rubric.Reference)
	named := map[string]bool{}
	for _, c := range s.Rubric.Candidates {
		r := advise.Rung{Name: c.Model}
		if m, ok := parts.directory.Find(route.Named(s.Name, c.Model)); ok {
			r.Model, r.Unit = m, s.Unit(m)
			r.Trusted = m.ID() == reference.ID() && !m.Student
			named[m.ID()] = true
		}
		q.Rungs = append(q.Rungs, r)
	}
	for _, m := range parts.directory.Models() {
		if !named[m.ID()] && m.Takes == "" && !m.Student {
			q.Others = append(q.Others, advise.Rung{Name: calledBy(parts.directory, m), Model: m, Unit: s.Unit(m)})
		}
	}
	for c, err := range skill.Cases(l.files, s.Dir) {
		if starling.KindOf(err) == starling.NotFound {
			break
		}
		if err != nil {
			return nil, err
		}
		l.cases++
		body, err := question(route.Prefix+s.Name, s.Rubric.Prompt, c, rightsizeTokens, plainWay)
		if err != nil {
			return nil, err
		}
		q.Sizes[c.Digest()] = len(body)
	}
	q.Texts, err = keptTexts(ctx, dir, s.Name)
	return q, err
}

// rightsizeTokens is the output limit in the requests by which cases are measured: that
// of starling rightsize, where nothing else is said.
const rightsizeTokens = 1024

// calledBy is the shortest alias of a model, or its id.
func calledBy(d *route.Directory, m starling.Model) string {
	name := ""
	for _, alias := range d.Aliases() {
		if found, ok := d.Find(alias); ok && found.ID() == m.ID() && (name == "" || len(alias) < len(name)) {
			name = alias
		}
	}
	return cmp.Or(name, m.ID())
}

// keptTexts is how many texts of a skill there are to learn from.
func keptTexts(ctx context.Context, dir, name string) (int, error) {
	if !exists(dir, corpus.File) {
		return 0, nil
	}
	texts, err := corpus.Open(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer texts.Close()
	counts, err := texts.Counts(ctx)
	for _, n := range counts {
		if n.Skill == name {
			return n.Texts, err
		}
	}
	return 0, err
}

// found is what the linter says of a rubric, and not of the one before.
func (l *lesson) found(ctx context.Context, before, after []byte) (news []string) {
	known := map[string]bool{}
	for _, f := range l.lint(ctx, before) {
		known[f.Text] = true
	}
	for _, f := range l.lint(ctx, after) {
		if !known[f.Text] {
			news = append(news, f.Problem().String())
		}
	}
	return news
}

func (l *lesson) lint(ctx context.Context, rubric []byte) []lint.Finding {
	return lint.Skill(ctx, l.revised(rubric), l.skill.Dir, lint.World{}).Findings
}

func (l *lesson) revised(rubric []byte) fs.FS {
	return revised{l.files, path.Join(l.skill.Dir, rubricName), rubric}
}

// load reads the skill with another rubric, as the gateway would.
func (l *lesson) load(rubric []byte) (*skill.Skill, error) {
	s, err := skill.Load(l.revised(rubric), l.skill.Dir)
	if err != nil {
		return nil, err
	}
	_, err = verify.ForSkill(s)
	return s, err
}

// A revised folder has another text in the place of one file.
type revised struct {
	fs.FS
	name string
	text []byte
}

func (r revised) Open(name string) (fs.File, error) {
	f, err := r.FS.Open(name)
	if err == nil && name == r.name {
		f = leaf{f, bytes.NewReader(r.text)}
	}
	return f, err
}

// A leaf is a file with another text.
type leaf struct {
	fs.File
	text io.Reader
}

func (l leaf) Read(b []byte) (int, error) { return l.text.Read(b) }

// walk goes through the proposals, and returns the rubric with those that are agreed
// to. Each is shown as a change of the rubric with those before it. A nil reader asks
// nobody: then all are agreed to but those that loosen a promise, unless --only names
// them.
func (l *lesson) walk(ctx context.Context, c skillLearnCmd, w io.Writer, ask *bufio.Reader) []byte {
	text, all := l.text, false
	for i, a := range l.Proposals {
		next, err := l.revise(text, &a.Proposal)
		if err != nil {
			a.NotDone = err.Error()
			a.print(w, i+1)
			continue
		}
		a.Diff, a.Lint = string(l.changes(text, next)), l.found(ctx, text, next)
		a.Agreed = len(a.Loosens) == 0 || slices.Contains(c.Only, a.Kind)
		a.print(w, i+1)
		if ask != nil && !(all && a.Agreed) {
			answer := consult(ctx, w, ask)
			if answer == "q" {
				a.Agreed = false
				break
			}
			all = all || answer == "a"
			a.Agreed = answer == "y" || answer == "a" && a.Agreed
		}
		if a.Agreed {
			text = next
		}
	}
	return text
}

// revise makes the edits of a proposal, and reads what comes of them.
func (l *lesson) revise(text []byte, p *advise.Proposal) ([]byte, error) {
	before, err := l.load(text)
	if err != nil {
		return nil, err
	}
	next, err := advise.Apply(text, p.Edits...)
	if err != nil {
		return nil, err
	}
	after, err := l.load(next)
	if err != nil {
		return nil, err
	}
	p.Loosens = advise.Loosened(&before.Rubric, &after.Rubric)
	return next, nil
}

// changes is what is different between two rubrics, without the line that a tool which
// reads several files needs.
func (l *lesson) changes(from, to []byte) []byte {
	name := path.Join(l.skill.Dir, rubricName)
	out := diff.Diff("a/"+name, from, "b/"+name, to)
	if i := bytes.IndexByte(out, '\n'); i >= 0 {
		out = out[i+1:]
	}
	return out
}

// consult asks a person: y, n, a for all that are still to come, or q. Whoever interrupts
// wants no more of it.
func consult(ctx context.Context, w io.Writer, ask *bufio.Reader) string {
	for {
		fmt.Fprint(w, "apply it? [y]es, [n]o, [a]ll that loosen nothing, [q]uit ")
		answer, err := readLine(ctx, ask)
		answer = strings.ToLower(strings.TrimSpace(answer))
		switch {
		case answer != "" && strings.Contains("ynaq", answer[:1]):
			return answer[:1]
		case err != nil:
			fmt.Fprintln(w)
			return "q"
		}
	}
}

// changed is what is wrong if the rubric is another than the one that was looked at.
func (l *lesson) changed() error {
	return &starling.Error{Kind: starling.Invalid, Op: "the rubric of " + l.skill.Name + " has changed since it was read", Hint: "run it again: what was proposed was for the other one"}
}

// write puts the new rubric in the place of the old one.
func (l *lesson) write(text []byte) error {
	if l.folder == "" {
		return &starling.Error{Kind: starling.Invalid, Op: "the rubric of " + l.skill.Name + " is part of the program", Hint: "copy the skill into a folder of your own, and name that under skills in the configuration"}
	}
	file, err := filepath.EvalSymlinks(filepath.Join(l.folder, filepath.FromSlash(l.skill.Dir), rubricName))
	if err != nil {
		return l.unwritten(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return l.unwritten(err)
	}
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, l.text) {
		return l.changed()
	}
	err = durable.Replace(file, func(w io.Writer) error {
		if f, ok := w.(*os.File); ok { // whoever might read it still may
			if err := f.Chmod(info.Mode().Perm()); err != nil {
				return err
			}
		}
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return l.unwritten(err)
	}
	return nil
}

func (l *lesson) unwritten(err error) error {
	return &starling.Error{Kind: starling.Invalid, Op: "write the rubric of " + l.skill.Name, Hint: "it is as it was", Err: err}
}

// print says what was looked at, and how surely.
func (l *lesson) print(w io.Writer) {
	c := &l.Counts
	printf(w, "%s: %d requests, %d answers to cases, %d audits and reviews%s\n", l.Skill, c.Requests, c.Cases, c.Audits, map[bool]string{true: " [simulated]"}[l.Simulated])
	if c.Elsewhere > 0 {
		printf(w, "%d requests and outcomes are of another rubric than it is now, and say nothing of this one\n", c.Elsewhere)
	}
	printf(w, "%d questions, each at %.4g %%: that any answer is false has a chance of %.2g %% at most\n", l.Questions, 100*l.Level, 100*l.Risk)
	if len(l.Proposals) > 0 {
		l.printFollows(w)
	}
}

// print shows a proposal, with its reasons before its change.
func (a *amendment) print(w io.Writer, n int) {
	printf(w, "\n%d  %s: %s\n", n, a.Kind, a.What)
	printf(w, "   why       %s\n", a.Why)
	printf(w, "   cost      %s an answer as it was, %s then (estimate)\n", advise.Rough(a.Now), advise.Rough(a.Then))
	printf(w, "   quality   %s\n", a.Quality)
	printf(w, "   if wrong  %s\n", a.Wrong)
	if len(a.Loosens) > 0 {
		printf(w, "   loosens   %s: --yes alone does not apply it, --yes --only %s does\n", strings.Join(a.Loosens, ", "), a.Kind)
	}
	if a.NotDone != "" {
		printf(w, "   not done  %s\n", a.NotDone)
		return
	}
	for _, found := range a.Lint {
		printf(w, "   lint      %s\n", found)
	}
	fmt.Fprint(w, "\n"+inLines(a.Diff))
}

// printEnd says what is not known, and what follows.
func (l *lesson) printEnd(w io.Writer, agreed []byte) {
	if len(l.Notes) > 0 {
		fmt.Fprintln(w)
	}
	for _, note := range l.Notes {
		printf(w, "note: %s\n", note)
	}
	switch {
	case len(l.Proposals) == 0:
		fmt.Fprint(w, "\nnothing is proposed\n")
	case !l.Applied:
		fmt.Fprint(w, "\nnothing was applied: --yes does, and on a terminal each is asked for\n")
	default:
		l.printApplied(w, agreed)
	}
}

func (l *lesson) printApplied(w io.Writer, agreed []byte) {
	after, err := l.load(agreed)
	if err != nil {
		return // it was read before it was written
	}
	printf(w, "\napplied: the rubric of %s is %.12s… now, and was %.12s…; the file before is kept by nothing but your version control\n", l.Skill, after.Hash, l.skill.Hash)
	printf(w, "next: starling skill lint, and starling rightsize %s\n", l.Skill)
}

// printFollows says what any change brings with it, before anybody agrees to one.
func (l *lesson) printFollows(w io.Writer) {
	printf(w, "whatever is changed, the rubric is another then, and what was shown under this one holds no longer:\n")
	for _, lapse := range l.Lapse {
		printf(w, "  warrant %s of %s lapses\n", lapse.Warrant, lapse.Model)
	}
	printf(w, "  starling rightsize %s shows again who is good enough: %d cases, about %s (estimate)", l.Skill, l.cases, advise.Rough(l.Prove))
	if len(l.Unpriced) > 0 {
		printf(w, ", beside those of %s, of whom no answer to a case is known", strings.Join(l.Unpriced, ", "))
	}
	fmt.Fprintln(w)
}
