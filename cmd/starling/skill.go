package main

import (
	"fmt"
	"strings"

	"starling/internal/verify"
)

type skillCmd struct {
	List skillListCmd `cmd:"" help:"List the skills and their ladders."`
	Lint skillLintCmd `cmd:"" help:"Check skills: errors name file, line and column."`
}

type skillListCmd struct{}

// Run lists what the gateway would serve.
func (skillListCmd) Run(p *program) error {
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return err
	}
	set, err := cfg.loadSkills()
	if err != nil {
		return err
	}
	t := newTable(p.stdout, "MODEL", "CLASS", "LADDER", "REFERENCE", "VERIFIED BY")
	for _, name := range set.Names() {
		s, _ := set.Find(name)
		var ladder, kinds []string
		for _, c := range s.Rubric.Candidates {
			ladder = append(ladder, c.Model)
		}
		for _, v := range s.Rubric.Verify {
			kinds = append(kinds, v.Kind)
		}
		t.row("starling/"+name, dash(string(s.Rubric.Class)), strings.Join(ladder, " > "), dash(s.Rubric.Reference), dash(strings.Join(kinds, ", ")))
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
