package main

import (
	"fmt"
	"strings"

	"starling"
	"starling/internal/route"
	"starling/internal/skill"
	"starling/internal/verify"
)

type skillCmd struct {
	List skillListCmd `cmd:"" help:"List the skills and their ladders."`
	Lint skillLintCmd `cmd:"" help:"Check skills: errors name file, line and column."`
}

type skillListCmd struct {
	JSON bool `help:"Print JSON."`
}

// A listedSkill is a skill as its callers see it.
type listedSkill struct {
	Model     string         `json:"model"`
	Class     starling.Class `json:"class"`
	Ladder    []string       `json:"ladder"`
	Reference string         `json:"reference"`
	Verify    []string       `json:"verify"`
}

func listed(s *skill.Skill) listedSkill {
	l := listedSkill{route.Prefix + s.Name, s.Rubric.Class, []string{}, s.Rubric.Reference, []string{}}
	for _, c := range s.Rubric.Candidates {
		l.Ladder = append(l.Ladder, c.Model)
	}
	for _, v := range s.Rubric.Verify {
		l.Verify = append(l.Verify, v.Kind)
	}
	return l
}

// Run lists what the gateway would serve.
func (c skillListCmd) Run(p *program) error {
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return err
	}
	set, err := cfg.loadSkills()
	if err != nil {
		return err
	}
	all := []listedSkill{}
	for _, name := range set.Names() {
		s, _ := set.Find(name)
		all = append(all, listed(s))
	}
	if c.JSON {
		return p.encode(all)
	}
	t := newTable(p.stdout, "MODEL", "CLASS", "LADDER", "REFERENCE", "VERIFIED BY")
	for _, l := range all {
		t.row(l.Model, dash(string(l.Class)), strings.Join(l.Ladder, " > "), dash(l.Reference), dash(strings.Join(l.Verify, ", ")))
	}
	return t.Flush()
}

type skillLintCmd struct {
	Dir string `arg:"" optional:"" type:"existingdir" help:"Folder of skills; the configured one by default."`
}

// Run checks every skill of a folder.
func (c skillLintCmd) Run(p *program) error {
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return err
	}
	if c.Dir != "" {
		cfg.Skills = c.Dir
	}
	set, err := cfg.loadSkills()
	if err != nil {
		return err
	}
	for _, name := range set.Names() {
		s, _ := set.Find(name)
		if _, err := verify.ForSkill(s); err != nil {
			return fmt.Errorf("skill %s: %w", name, err)
		}
		fmt.Fprintf(p.stdout, "%s: ok\n", name)
	}
	return nil
}
