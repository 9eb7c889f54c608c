package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"starling"
	"starling/internal/lint"
	"starling/internal/skill"
	"starling/internal/strict"
	"starling/internal/verify"
)

type skillLintCmd struct {
	Dir    folder `arg:"" optional:"" help:"Folder of skills, or of one, or a file of that; the configured one by default."`
	Strict bool   `help:"Let notes be errors, and look models up without a configuration too."`
	JSON   bool   `help:"Print every finding as JSON, for editors."`
}

// Run checks every skill of a folder, or the one that the folder is: its files,
// and whether its cases hold. Everything that is wrong is said in one go.
func (c skillLintCmd) Run(p *program) error {
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return err
	}
	world, err := c.world(p, cfg)
	if err != nil {
		return err
	}
	reports, err := c.look(p, cfg, world)
	if err != nil {
		return err
	}
	if err := p.ctx.Err(); err != nil {
		return err
	}
	if c.JSON {
		return c.tell(p, reports)
	}
	return c.print(p, reports)
}

// look looks at the skills, and says of files where they are from here.
func (c skillLintCmd) look(p *program, cfg Config, world lint.World) ([]lint.Report, error) {
	fsys, root, name := cfg.skillFiles(), cfg.Skills, ""
	if c.Dir != "" {
		fsys, root, name = skillFolder(string(c.Dir))
	}
	var reports []lint.Report
	if name != "" {
		reports = []lint.Report{lint.Skill(p.ctx, fsys, name, world)}
	} else {
		all, err := lint.Skills(p.ctx, fsys, world)
		if err != nil {
			return nil, err
		}
		reports = all
	}
	if len(reports) == 0 {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "there is no skill in " + cmp.Or(string(c.Dir), cfg.Skills), Hint: "a skill is a folder with a SKILL.md, and for the gateway a rubric.yaml, in it"}
	}
	for i := range reports {
		for j := range reports[i].Findings {
			f := &reports[i].Findings[j]
			f.File = path.Join(filepath.ToSlash(fromHere(root)), f.File)
			if c.Strict {
				f.Severity = lint.Error
			}
		}
	}
	return reports, nil
}

// A folder is one of skills, or of one, as people name it: a file of a skill means the
// folder that it is in.
type folder string

// UnmarshalText takes a path that is there.
func (f *folder) UnmarshalText(text []byte) error {
	at := kong.ExpandPath(string(text))
	info, err := os.Stat(at)
	switch {
	case err != nil:
		return err
	case info.IsDir():
	case slices.Contains([]string{"SKILL.md", "rubric.yaml", "cases.jsonl"}, filepath.Base(at)):
		at = filepath.Dir(at)
	default:
		return fmt.Errorf("%s is no folder, and no SKILL.md, rubric.yaml or cases.jsonl in one", plain(at))
	}
	*f = folder(at)
	return nil
}

// skillFolder returns the folder of skills and its path, and, if the folder is a skill
// itself, those of the one that it is in, and its name there. The path is absolute.
func skillFolder(dir string) (fsys fs.FS, root, name string) {
	for _, file := range []string{"SKILL.md", "rubric.yaml"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
			return os.DirFS(filepath.Dir(dir)), filepath.Dir(dir), filepath.Base(dir)
		}
	}
	return os.DirFS(dir), dir, ""
}

// fromHere shortens the path of what is below the working directory.
func fromHere(path string) string {
	here, err := os.Getwd()
	if err != nil || !filepath.IsAbs(path) {
		return path
	}
	if short, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(short) {
		return short
	}
	return path
}

// world is what the configuration knows of the names in rubrics. Without one nobody
// can know which models there will be.
func (c skillLintCmd) world(p *program, cfg Config) (lint.World, error) {
	var w lint.World
	for _, class := range slices.Sorted(maps.Keys(cfg.reach())) {
		w.Classes = append(w.Classes, string(class))
	}
	if cfg.doc == nil && !c.Strict {
		return w, nil
	}
	parts, err := build(p.ctx, cfg, cfg.dataDir(p.flags.Data), nil)
	if err != nil {
		if !c.Strict {
			printf(p.stderr, "note: no model is looked up, as the configuration cannot be used: %v\n", err)
			err = nil
		}
		return w, err
	}
	defer parts.close()
	w.Models = parts.directory.Aliases()
	for _, m := range parts.directory.Models() {
		w.Models = append(w.Models, m.ID())
	}
	w.Offers = func(name string) bool {
		_, ok := parts.directory.Find(name)
		return ok || len(parts.directory.Awaits(name)) > 0
	}
	return w, nil
}

// print tells people.
func (c skillLintCmd) print(p *program, reports []lint.Report) error {
	var problems []strict.Problem
	for _, r := range reports {
		if len(r.Unasked) > 0 {
			p.notAsked(r.Name, r.Unasked)
		}
		for _, f := range r.Findings {
			if f.Severity == lint.Error {
				problems = append(problems, f.Problem())
			} else {
				printf(p.stderr, "note: %s\n", f.Problem().String())
			}
		}
		switch {
		case r.Failed():
		case r.Plain:
			printf(p.stdout, "%s: ok, and plain: without a rubric.yaml the gateway does not serve it\n", r.Name)
		default:
			printf(p.stdout, "%s: ok\n", r.Name)
		}
	}
	return strict.Report(problems)
}

// tell tells programs.
func (c skillLintCmd) tell(p *program, reports []lint.Report) error {
	all, failed := []lint.Finding{}, 0
	for _, r := range reports {
		all = append(all, r.Findings...)
		if r.Failed() {
			failed++
		}
	}
	if err := p.encode(all); err != nil || failed == 0 {
		return err
	}
	return &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("%d of %d skills have errors", failed, len(reports))}
}

// unasked says which verifiers have no say here: they ask models, and only the
// gateway does that, within zones and budgets.
func (p *program) unasked(s *skill.Skill, verifiers []starling.Verifier) {
	if names := verify.Unasked(verifiers); len(names) > 0 {
		p.notAsked(s.Name, names)
	}
}

func (p *program) notAsked(name string, verifiers []string) {
	printf(p.stderr, "note: %s: only the gateway asks models, so nothing is judged here by %s\n", name, strings.Join(verifiers, ", "))
}
