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
	Skill string `arg:"" help:"Skill of which a student is made."`
	JSON  bool   `help:"Print JSON."`
}

// A distilled is what came of a course, and of the student that it made.
type distilled struct {
	*distill.Result
	File string `json:"file"`
	Kept bool   `json:"kept"` // false: the one that was there stays
}

// Run makes the student of a skill from the texts that were kept, beside a running
// gateway or without one.
func (c distillCmd) Run(p *program) (err error) {
	s, end, err := p.openSchool()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	d, err := s.distill(p, c.Skill)
	if err != nil {
		return err
	}
	if c.JSON {
		err = p.encode(d)
	} else {
		d.print(p.stdout)
	}
	if d.Warrant != nil || err != nil {
		return err
	}
	return &starling.Error{Kind: starling.Unproven, Op: "distill: " + d.Model + " answers nothing: " + d.Why, Hint: d.advice()}
}

// distill makes the student of a skill and keeps it, with its progress on the
// terminal.
func (s school) distill(p *program, name string) (*distilled, error) {
	course, err := s.course(p.ctx, name)
	if err != nil {
		return nil, err
	}
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
	return &distilled{r, s.file(name), kept}, errors.Join(err, unmarkDemo(s.dir))
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
