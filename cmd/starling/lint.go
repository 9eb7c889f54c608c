package main

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"starling"
	"starling/internal/skill"
	"starling/internal/strict"
	"starling/internal/verify"
)

type skillLintCmd struct {
	Dir string `arg:"" optional:"" type:"existingdir" help:"Folder of skills, or of one; the configured one by default."`
}

// Run checks every skill of a folder, or the one that the folder is: its files,
// and whether its cases hold. Everything that is wrong is said in one go.
func (c skillLintCmd) Run(p *program) error {
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return err
	}
	fsys, name := cfg.skillFiles(), ""
	if c.Dir != "" {
		if fsys, name, err = skillFolder(c.Dir); err != nil {
			return err
		}
	}
	var errs []error
	if name == "" {
		errs, err = lintAll(p, fsys)
		if len(errs) == 0 && err == nil {
			err = &starling.Error{Kind: starling.Invalid, Op: "there is no skill in " + cmp.Or(c.Dir, cfg.Skills), Hint: "a skill is a folder with SKILL.md and rubric.yaml in it"}
		}
	} else {
		errs = lintOne(p, fsys, name)
	}
	if err != nil {
		return err
	}
	return together(errs)
}

// skillFolder returns the folder, and, if it is a skill itself, the one that it is
// in and its name there.
func skillFolder(dir string) (fs.FS, string, error) {
	whole, err := filepath.Abs(dir)
	for _, file := range []string{"SKILL.md", "rubric.yaml"} {
		if _, bad := os.Stat(filepath.Join(whole, file)); bad == nil {
			return os.DirFS(filepath.Dir(whole)), filepath.Base(whole), err
		}
	}
	return os.DirFS(whole), "", err
}

// lintAll checks all skills of a folder; there is one result for each.
func lintAll(p *program, fsys fs.FS) ([]error, error) {
	set, err := skill.LoadAll(fsys)
	if set == nil {
		return nil, err
	}
	for _, name := range set.Plain() {
		printf(p.stdout, "%s: no rubric.yaml: a plain skill, which the gateway does not serve\n", name)
	}
	var errs []error
	if err != nil {
		errs = append(errs, err)
	}
	for _, name := range set.Names() {
		s, _ := set.Find(name)
		errs = append(errs, lint(p, fsys, s))
	}
	return errs, nil
}

func lintOne(p *program, fsys fs.FS, name string) []error {
	s, err := skill.Load(fsys, name)
	if err != nil {
		return []error{err}
	}
	return []error{lint(p, fsys, s)}
}

// lint checks what reading the skill did not show.
func lint(p *program, fsys fs.FS, s *skill.Skill) error {
	verifiers, err := verify.ForSkill(s)
	if err != nil {
		return fmt.Errorf("skill %s: %w", s.Name, err)
	}
	p.unasked(s, verifiers)
	var errs []error
	n := 0
	for c, err := range skill.Cases(fsys, s.Dir) {
		if starling.KindOf(err) == starling.NotFound {
			break
		}
		if n++; err == nil {
			err = lintCase(p.ctx, s, c, verifiers)
		}
		errs = append(errs, err)
	}
	switch {
	case n == 0:
		printf(p.stderr, "note: %s has no cases: nothing shows what it claims\n", s.Name)
	case len(s.Rubric.Grade) == 0:
		errs = []error{strict.Report([]strict.Problem{{File: path.Join(s.Dir, "rubric.yaml"), Line: 1, Column: 1,
			Text: "there are cases, and nothing says how an answer is compared with their gold", Hint: "add grade: [label], json, number, contains, cites or verified"}})}
	}
	if err := together(errs); err != nil {
		return err
	}
	printf(p.stdout, "%s: ok\n", s.Name)
	return nil
}

// lintCase grades the case's own answers: the ideal one must pass its gold, and
// each wrong one must not.
func lintCase(ctx context.Context, s *skill.Skill, c skill.Case, verifiers []starling.Verifier) error {
	var problems []strict.Problem
	pass, why, err := verify.Grade(ctx, c, s.Rubric.Grade, c.Answer, verifiers)
	switch {
	case err != nil:
		return strict.Report([]strict.Problem{c.Problem(err.Error(), "")})
	case !pass:
		problems = append(problems, c.Problem("the ideal answer fails its own gold: "+why, "mend the answer or the gold"))
	}
	for i, wrong := range c.Wrong {
		if pass, _, err := verify.Grade(ctx, c, s.Rubric.Grade, wrong, verifiers); pass || err != nil {
			problems = append(problems, c.Problem(fmt.Sprintf("wrong answer %d passes its gold", i+1), "say more in the gold, or write another wrong answer"))
		}
	}
	return strict.Report(problems)
}

// unasked says which verifiers have no say here: they ask models, and only the
// gateway does that, within zones and budgets.
func (p *program) unasked(s *skill.Skill, verifiers []starling.Verifier) {
	if names := verify.Unasked(verifiers); len(names) > 0 {
		printf(p.stderr, "note: %s: only the gateway asks models, so nothing is judged here by %s\n", s.Name, strings.Join(names, ", "))
	}
}
