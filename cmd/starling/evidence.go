package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"starling"
	"starling/internal/corpus"
	"starling/internal/evidence"
	"starling/internal/ledger"
)

type evidenceCmd struct {
	List   evidenceListCmd   `cmd:"" help:"Show how the candidates of each skill were graded."`
	Import evidenceImportCmd `cmd:"" help:"Keep questions and answers of a trace, to learn from."`
	Forget evidenceForgetCmd `cmd:"" help:"Remove every text of a skill for good."`
}

type evidenceListCmd struct {
	Skill string `arg:"" optional:"" help:"One skill alone."`
	JSON  bool   `help:"Print JSON: every outcome in a line of its own."`
}

// A graded is what the outcomes of one candidate of a skill come to.
type graded struct {
	skill, model, candidate, rubric string
	source                          evidence.Source
	n, passes                       int
	simulated                       bool
	last                            time.Time
}

// Run lists what is known, and how much there is to learn from.
func (c evidenceListCmd) Run(p *program) error {
	cfg, books, err := p.books()
	if err != nil {
		return err
	}
	texts, err := c.texts(p.ctx, books.Dir)
	if err != nil {
		return err
	}
	l, err := p.records()
	switch {
	case starling.KindOf(err) == starling.NotFound && exists(books.Dir, corpus.File): // nothing is graded yet
		if c.JSON {
			return knownSkill(cfg, c.Skill, len(texts))
		}
		return c.print(p, cfg, nil, texts)
	case err != nil:
		return err
	}
	defer l.Close()
	if c.JSON {
		n := len(texts)
		err := c.each(p.ctx, l, func(o *evidence.Outcome) error { n++; return p.encode(o) })
		if err != nil {
			return err
		}
		return knownSkill(cfg, c.Skill, n)
	}
	sums := map[[5]string]*graded{}
	err = c.each(p.ctx, l, func(o *evidence.Outcome) error {
		key := [5]string{o.Skill, o.Model, o.Candidate, o.Rubric, string(o.Source)}
		if sums[key] == nil {
			sums[key] = &graded{skill: o.Skill, model: o.Model, candidate: o.Candidate, rubric: o.Rubric, source: o.Source}
		}
		sums[key].add(o)
		return nil
	})
	if err != nil {
		return err
	}
	return c.print(p, cfg, sums, texts)
}

// print tells people; no sums are none that were looked for.
func (c evidenceListCmd) print(p *program, cfg Config, sums map[[5]string]*graded, texts []corpus.Count) error {
	if err := knownSkill(cfg, c.Skill, len(sums)+len(texts)); err != nil {
		return err
	}
	if sums != nil {
		t := newTable(p.stdout, "SKILL", "MODEL", "CANDIDATE", "RUBRIC", "GRADED BY", "PASSED", "[95 %]", "LAST")
		for _, g := range slices.SortedFunc(maps.Values(sums), (*graded).compare) {
			g.row(t)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	for _, n := range texts {
		printf(p.stdout, "texts of %s: %d, of which %d inputs have more than one answer\n", n.Skill, n.Texts, n.Disputed)
	}
	return nil
}

// knownSkill refuses a skill of which nothing was found and that is not there either: one that
// was taken away leaves its evidence. "" is every skill.
func knownSkill(cfg Config, name string, found int) error {
	if name == "" || found > 0 {
		return nil
	}
	set, err := cfg.loadSkills()
	if err != nil {
		return err
	}
	if _, ok := set.Find(name); !ok {
		return noSkill(name, set)
	}
	return nil
}

// each yields what was written down as an outcome, and then what verifiers said,
// which receipts hold.
func (c evidenceListCmd) each(ctx context.Context, l *ledger.Records, yield func(*evidence.Outcome) error) error {
	for o, err := range l.Outcomes(ctx, c.Skill, "") {
		if err == nil {
			err = yield(o)
		}
		if err != nil {
			return err
		}
	}
	for r, err := range l.Receipts(ctx, ledger.Query{Skill: c.Skill}) {
		if err != nil {
			return err
		}
		for o := range evidence.Judged(r) {
			if err := yield(&o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *graded) add(o *evidence.Outcome) {
	if g.n++; o.Grade == 1 {
		g.passes++
	}
	g.simulated = g.simulated || o.Simulated
	if o.Time.After(g.last) {
		g.last = o.Time
	}
}

func (g *graded) compare(o *graded) int {
	return cmp.Or(cmp.Compare(g.skill, o.skill), cmp.Compare(g.model, o.model), g.last.Compare(o.last), cmp.Compare(g.source, o.source))
}

func (g *graded) row(t *table) {
	model := g.model
	if g.simulated {
		model += " [simulated]"
	}
	lo, hi := evidence.ClopperPearson(g.passes, g.n, 0.95)
	t.row(g.skill, model, fmt.Sprintf("%.8s…", g.candidate), fmt.Sprintf("%.8s…", g.rubric), g.source,
		fmt.Sprintf("%d of %d", g.passes, g.n), fmt.Sprintf("%.1f–%.1f %%", 100*lo, 100*hi), g.last.Local().Format(time.DateTime))
}

// texts counts what the corpus holds, if there is one.
func (c evidenceListCmd) texts(ctx context.Context, dir string) ([]corpus.Count, error) {
	if !exists(dir, corpus.File) {
		return nil, nil
	}
	texts, err := corpus.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer texts.Close()
	counts, err := texts.Counts(ctx)
	return slices.DeleteFunc(counts, func(n corpus.Count) bool { return c.Skill != "" && c.Skill != n.Skill }), err
}

type evidenceForgetCmd struct {
	Skill string `arg:"" help:"Skill whose texts are removed."`
}

// Run removes the texts; what was graded and spent holds no content and stays. Who
// mistypes a skill is not told that its texts are gone.
func (c evidenceForgetCmd) Run(p *program) error {
	cfg, books, err := p.books()
	if err != nil {
		return err
	}
	n := 0
	if exists(books.Dir, corpus.File) {
		if n, err = forget(p.ctx, books.Dir, c.Skill); err != nil {
			return err
		}
	}
	if err := knownSkill(cfg, c.Skill, n); err != nil {
		return err
	}
	printf(p.stdout, "%d texts of %s removed\n", n, c.Skill)
	if file := (school{dir: books.Dir}).file(c.Skill); exists(filepath.Split(file)) {
		printf(p.stdout, "the student that learned from them stays, with its labels and no text: remove %s to be rid of it\n", file)
	}
	return nil
}

func forget(ctx context.Context, dir, skill string) (int, error) {
	texts, err := corpus.Open(ctx, dir)
	if err != nil {
		return 0, err
	}
	n, err := texts.Forget(ctx, skill)
	return n, errors.Join(err, texts.Close())
}

func exists(dir, file string) bool {
	_, err := os.Stat(filepath.Join(dir, file))
	return err == nil
}
