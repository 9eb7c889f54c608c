package main

import (
	"fmt"
	"strings"

	"starling"
	"starling/internal/route"
	"starling/internal/skill"
)

type skillCmd struct {
	List skillListCmd `cmd:"" help:"List the skills and their ladders."`
	Lint skillLintCmd `cmd:"" help:"Check skills: errors name file, line and column."`

	Install   skillInstallCmd   `cmd:"" help:"Put a skill where agents look: the one by which they delegate to Starling, or another."`
	Uninstall skillUninstallCmd `cmd:"" help:"Take it away again."`
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

func noSkill(name string, set *skill.Set) error {
	return &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("there is no skill %q", name), Hint: meant(name, set.Names(), "starling skill list shows them")}
}
