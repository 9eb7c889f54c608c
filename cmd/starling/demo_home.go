package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"starling"
	"starling/internal/sim"
	"starling/internal/verify"
	"starling/skills"
)

// loopSkill is the skill that the loop is shown on.
const loopSkill = "support-intent"

// configFile is what a configuration is called where nobody named it.
const configFile = "starling.yaml"

// loopHome makes the folder in which the loop is played, and reads back what it is
// played with: its ledger will be there, and its configuration and its skill are, as
// anybody would have written them. So whoever looks at it later needs neither this
// process nor its upstreams.
func loopHome(dir string, s *simulation) (home string, cfg Config, pk *pack, err error) {
	if home, err = freeFolder(dir, "loop"); err != nil {
		return home, cfg, nil, err
	}
	if err = furnish(home, s); err != nil {
		return home, cfg, nil, err
	}
	if cfg, err = loadConfig(filepath.Join(home, configFile)); err != nil {
		return home, cfg, nil, err
	}
	set, err := cfg.loadSkills()
	if err != nil {
		return home, cfg, nil, err
	}
	pk = &pack{Skill: mustFind(set, loopSkill)}
	pk.verifiers, err = verify.ForSkill(pk.Skill)
	return home, cfg, pk, err
}

// furnish writes the configuration and the skill.
func furnish(home string, s *simulation) error {
	folder := filepath.Join(home, "skills", loopSkill)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	errs := []error{os.WriteFile(filepath.Join(home, configFile), []byte(loopConfig(s)), 0o600)}
	for _, name := range []string{"SKILL.md", "rubric.yaml", "cases.jsonl"} {
		text, err := fs.ReadFile(skills.Packs, loopSkill+"/"+name)
		if name == "rubric.yaml" && err == nil {
			text, err = loopRubric(text)
		}
		errs = append(errs, err, os.WriteFile(filepath.Join(folder, name), text, 0o600))
	}
	return errors.Join(errs...)
}

// freeFolder makes a folder that was not there: what a former demo left stays.
func freeFolder(dir, name string) (string, error) {
	folder := filepath.Join(dir, name)
	for i := 2; ; i++ {
		err := os.Mkdir(folder, 0o700)
		if !errors.Is(err, fs.ErrExist) {
			return folder, err
		}
		folder = filepath.Join(dir, fmt.Sprintf("%s-%d", name, i))
	}
}

// loopConfig is the configuration of the loop. Its upstream ends with the demo.
func loopConfig(s *simulation) string {
	m, r := s.models[0], s.models[0].Price.Rates
	dollars := func(r starling.Rate) string { return starling.Money(r).String() }
	return fmt.Sprintf(`# Written by starling demo for its loop. The one upstream was simulated and ended with
# it; whatever reads these books needs it no more.
data: .
skills: skills
providers:
  sim-%[1]s: {dialect: %[2]s, url: "%[3]s/v1", zone: %[4]s, models: [%[1]s], simulated: true}
models: {%[1]s: sim-%[1]s/%[1]s}
prices:
  - {model: sim-%[1]s/%[1]s, input: "%[5]s", output: "%[6]s", cache_read: "%[7]s", cache_write: "%[8]s", cache_write_1h: "%[9]s", context: %[10]d, max_output: %[11]d, source: "%[12]s"}
`, m.Name, m.Dialect, s.urls[0], m.Zone, dollars(r.Input), dollars(r.Output), dollars(r.CacheRead), dollars(r.CacheWrite), dollars(r.CacheWrite1h), m.Context, m.MaxOutput, m.Price.Source)
}

// loopChanges are where the loop's rubric departs from the pack's: nobody but the
// reference and its student may answer, what it answers is kept, more is audited than
// anybody would pay for in the long run, and a demo may cost what it will.
var loopChanges = []struct{ is, becomes string }{
	{`candidates: \[.*\]`, "candidates: [student, premium]"},
	{`keep: .*`, "keep: true"},
	{`audit: .*`, "audit: 0.1"},
	{`budget: .*`, "budget: {request: $$0.05, day: $$50, month: $$50}"},
	{`rules:\n(?:  .*\n)+`, ""},
}

// loopRubric changes the pack's rubric. One without such lines is none that this was
// written for.
func loopRubric(text []byte) ([]byte, error) {
	for _, c := range loopChanges {
		line := regexp.MustCompile(`(?m)^` + c.is)
		if n := len(line.FindAll(text, -1)); n != 1 {
			return nil, &starling.Error{Kind: starling.Internal, Op: fmt.Sprintf("demo: the rubric of %s has %d lines of %s", loopSkill, n, c.is)}
		}
		text = line.ReplaceAll(text, []byte(c.becomes))
	}
	return append([]byte("# The pack's rubric, changed for the loop of starling demo.\n"), text...), nil
}

// loopCases are what customers of the shop write: so many before the launch of a
// product, and so many after.
func loopCases(seed uint64, before, after int) []sim.Case {
	shop := sim.NewShop(seed)
	all := make([]sim.Case, 0, before+after)
	for range before {
		all = append(all, shop.Next())
	}
	shop.Drift()
	for range after {
		all = append(all, shop.Next())
	}
	return all
}
