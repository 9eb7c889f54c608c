package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"starling"
	"starling/internal/distill"
)

type distillCmd struct {
	Skill        string `arg:"" help:"Skill of which a student is made."`
	NoEmbeddings bool   `help:"Learn from the words alone, though an embedding model is configured."`
	Limit        amount `help:"Most that embedding the texts may cost, in dollars." placeholder:"AMOUNT"`
	Yes          bool   `short:"y" help:"Spend what it takes without asking."`
	JSON         bool   `help:"Print JSON."`
}

// A distilled is what came of a course, and of the student that it made.
type distilled struct {
	*distill.Result
	File      string    `json:"file"`
	Kept      bool      `json:"kept"`                // false: the one that was there stays
	Embedding *embedded `json:"embedding,omitempty"` // nil if no embedding model is configured
}

// Run makes the student of a skill from the texts that were kept, beside a running
// gateway or without one.
func (c distillCmd) Run(p *program) (err error) {
	s, end, err := p.openSchool()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	course, err := s.course(p.ctx, c.Skill)
	if err != nil {
		return err
	}
	embedding, err := c.embed(p, s, course)
	if err != nil {
		return err
	}
	d, err := s.distill(p, course)
	if err != nil {
		return err
	}
	if d.Embedding = embedding; c.JSON {
		err = p.encode(d)
	} else {
		d.print(p.stdout)
	}
	if d.Warrant != nil || err != nil {
		return err
	}
	return &starling.Error{Kind: starling.Unproven, Op: "distill: " + d.Model + " answers nothing: " + d.Why, Hint: d.advice()}
}

// distill makes the student of a course and keeps it, with its progress on the
// terminal.
func (s school) distill(p *program, course *distill.Course) (*distilled, error) {
	bar := p.progress("training")
	course.Progress = func(done, total int) {
		bar.ChangeMax(total)
		_ = bar.Set(done)
	}
	r, err := course.Run(p.ctx)
	_ = bar.Finish()
	if err != nil {
		return nil, err
	}
	kept, err := s.keep(p.ctx, r)
	return &distilled{Result: r, File: s.file(course.Skill.Name), Kept: kept}, errors.Join(err, unmarkDemo(s.dir))
}

// embed has the texts embedded, if an embedding model is configured that may read
// them and nobody is against it.
func (c distillCmd) embed(p *program, s *school, course *distill.Course) (*embedded, error) {
	if s.embedder == nil {
		return nil, nil
	}
	e := &embedded{Model: s.embedder.Model.ID(), Why: "--no-embeddings"}
	if c.NoEmbeddings {
		return e, nil
	}
	if e.Why = s.unread(course); e.Why != "" {
		return e, nil
	}
	if err := c.mayspend(p, s, course); err != nil {
		return nil, err
	}
	bar := p.progress("embedding")
	spent, err := s.embed(p.ctx, course, func(done, total int) {
		bar.ChangeMax(total)
		_ = bar.Set(done)
	})
	_ = bar.Finish()
	if err != nil {
		if spent != nil && spent.Cost > 0 {
			printf(p.stderr, "note: %s\n", spent)
		}
		printf(p.stderr, "note: starling distill %s --no-embeddings learns from the words alone\n", c.Skill)
	}
	return spent, err
}

// mayspend asks before anything is spent, unless a limit allows it or nobody is
// paid.
func (c distillCmd) mayspend(p *program, s *school, course *distill.Course) error {
	texts, err := course.Inputs()
	if err != nil {
		return err
	}
	usual, most := s.embedder.Cost(texts)
	switch limit := c.Limit.Money; {
	case !paid(s.embedder.Model.Price):
		return nil
	case limit > 0 && most > limit:
		return &starling.Error{Kind: starling.OverBudget, Op: fmt.Sprintf("distill: embedding %d texts with %s may cost up to %s, over the limit of %s", len(texts), s.embedder.Model.ID(), most, limit), Hint: "raise the limit, or learn from the words alone with --no-embeddings"}
	case limit > 0 || c.Yes:
		return nil
	}
	printf(p.stderr, "embedding %d texts with %s will usually cost %s, and at most %s\n", len(texts), s.embedder.Model.ID(), usual, most)
	return p.consent("distill", "say --yes, --limit with the most that it may cost, or --no-embeddings")
}

// advice is what to do with a student that was not shown to be good enough.
func (d *distilled) advice() string {
	if !d.Kept {
		return "the student that was there stays in force; keep more texts and distill again"
	}
	return "keep more texts and distill again"
}

func (d *distilled) print(w io.Writer) {
	r := d.Result
	printf(w, "%s: a student of %d texts\n", r.Skill, r.Train)
	line := func(name, format string, args ...any) {
		printf(w, "  %-9s ", name)
		printf(w, format+"\n", args...)
	}
	line("texts", "%d kept, %d to learn from and %d held back%s", r.Texts, r.Train, r.Held, leftOut(&r.Counts))
	line("labels", "%d; out of scope: %s", r.Labels, scope(&r.Counts))
	d.vectors(line)
	line("accuracy", "%.1f %% of those held back [%.1f–%.1f %%]; the most frequent label alone %.1f %%", 100*r.Accuracy(), 100*r.Low, 100*r.High, 100*r.Baseline)
	if r.Threshold > 0 {
		line("answers", "%.1f %% of those held back, from a confidence of %.4g on; the others climb", 100*r.Coverage(), r.Threshold)
		line("shown", "%d of %d such answers pass, of %d with the cases: %s", r.Passed, r.Covered, r.Asked, r.Why)
		line("warrant", "%s, until %s", r.Warrant.ID, r.Warrant.Expires.Format(time.DateOnly))
	} else {
		line("answers", "nothing: %s", r.Why)
	}
	where := d.File
	if !d.Kept {
		where = "not kept: the one that was there is shown to be good enough, and stays"
	}
	line("student", "%s, %d kB, %s", r.Model, (r.Size+999)/1000, where)
	line("took", "%.1f s", r.Took.Seconds())
}

// vectors says what came of the embedding model.
func (d *distilled) vectors(line func(name, format string, args ...any)) {
	e := d.Embedding
	switch {
	case e == nil:
		return
	case e.Why != "":
		line("vectors", "none: %s", e.Why)
		return
	case d.Dims > 0:
		line("vectors", "of %s, %d numbers each: among the texts to learn from they help, so it asks for one each time", e.Model, d.Dims)
	default:
		line("vectors", "none: those of %s do not clearly help among the texts to learn from", e.Model)
	}
	line("spent", "%s", e)
}

// leftOut says what became of the texts that are not learned from as they are.
func leftOut(n *distill.Counts) string {
	var all []string
	for _, of := range []struct {
		n    int
		what string
	}{
		{n.Repeated, "are repeated"}, {n.Disputed, "have more than one answer: the latest counts"}, {n.Known, "are cases, which are not learned from"},
		{n.Blank, "are empty"}, {n.Other, "say more than their label, and count as mistakes"},
	} {
		if of.n > 0 {
			all = append(all, fmt.Sprintf("%d %s", of.n, of.what))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return "; " + strings.Join(all, ", ")
}

// scope says what a student knows of questions that no label fits.
func scope(n *distill.Counts) string {
	if n.None > 0 {
		return fmt.Sprintf("%d texts whose answer is no known label are learned as such", n.None)
	}
	return "no such text was kept, so it climbs only where the student is unsure"
}
