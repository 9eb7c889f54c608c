package main

import (
	"fmt"
	"strings"

	"starling"
	"starling/internal/serve"
	"starling/internal/skill"
)

type skillCmd struct {
	List  skillListCmd  `cmd:"" help:"List the skills and their ladders."`
	New   skillNewCmd   `cmd:"" help:"Make a skill: asks on a terminal, or takes flags."`
	Show  skillShowCmd  `cmd:"" help:"Show what is enforced of a skill, and what evidence says of each candidate."`
	Diff  skillDiffCmd  `cmd:"" help:"Say in what a skill differs from a folder, or from its pack, and what would follow."`
	Lint  skillLintCmd  `cmd:"" help:"Check skills: errors name file, line and column."`
	Learn skillLearnCmd `cmd:"" help:"Propose changes of a rubric from the evidence, and apply those that you agree to."`

	Install   skillInstallCmd   `cmd:"" help:"Put a skill where agents look: the one by which they delegate to Starling, or another."`
	Uninstall skillUninstallCmd `cmd:"" help:"Take it away again."`
}

type skillListCmd struct {
	JSON bool `help:"Print JSON."`
}

// Run lists what the gateway would serve, as it does at /v1/skills.
func (c skillListCmd) Run(p *program) error {
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return err
	}
	set, err := cfg.loadSkills()
	if err != nil {
		return err
	}
	all := []serve.SkillLine{}
	for _, name := range set.Names() {
		s, _ := set.Find(name)
		all = append(all, serve.LineOf(s))
	}
	if c.JSON {
		return p.encode(all)
	}
	t := newTable(p.stdout, "MODEL", "CLASS", "LADDER", "REFERENCE", "VERIFIED BY")
	for _, l := range all {
		t.row(l.Model, dash(string(l.Class)), strings.Join(l.Candidates, " > "), dash(l.Reference), dash(strings.Join(l.Verify, ", ")))
	}
	return t.Flush()
}

func noSkill(name string, set *skill.Set) error {
	return &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("there is no skill %q", name), Hint: meant(name, set.Names(), "starling skill list shows them")}
}
