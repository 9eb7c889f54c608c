package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"starling"
	"starling/internal/ledger"
	"starling/internal/privacy"
	"starling/internal/skill"
)

// notes say what is no error and may yet not be meant: what is missed now, what
// binds nothing, what will be refused. The keys are nil where nobody can know
// them.
func (c Config) notes(p *parts, set *skill.Set, keys []ledger.Key) []string {
	return slices.Concat(p.adopted, p.warnings, p.damaged, p.rung.damaged, p.away(), c.widened(), c.gaps(p, set), c.classless(p, set), c.priced(p), p.kept, c.capped(set, keys), c.watched(set), keeping(set), peopleOnly(set))
}

// place is where in its file a value stands, for the beginning of a note.
func (c Config) place(path ...string) string {
	if c.doc == nil || !c.doc.Has(path) {
		return ""
	}
	at := c.doc.Problem(path, "", "")
	return fmt.Sprintf("%s:%d:%d: ", at.File, at.Line, at.Column)
}

// away names the students and the models of this machine that cannot be asked.
func (p *parts) away() []string {
	var out []string
	all := p.students.Models()
	for _, m := range p.rung.models {
		all = append(all, p.rung.now(m))
	}
	for _, m := range all {
		if m.Away != "" {
			out = append(out, fmt.Sprintf("%s answers nothing: %s", m.ID(), m.Away))
		}
	}
	return out
}

// widened names the classes that may travel further than they usually do: a word that
// people trust means less here than elsewhere.
func (c Config) widened() []string {
	var out []string
	usual := privacy.Usual()
	for _, class := range slices.Sorted(maps.Keys(c.Classes)) {
		if zone, known := usual[class]; known && c.Classes[class] > zone {
			out = append(out, fmt.Sprintf("%sdata of class %s may travel as far as %s, which is further than the usual %s", c.place("classes", string(class)), class, c.Classes[class], zone))
		}
	}
	return out
}

// gaps says which models rubrics name and no provider offers: a skill
// works without them, and somebody should know. What waits for a provider has
// been said.
func (c Config) gaps(p *parts, set *skill.Set) []string {
	missed := map[string][]string{} // skills, by what they miss
	var untaught []string
	for _, name := range set.Names() {
		s, _ := set.Find(name)
		for _, model := range named(s.Rubric) {
			if model == starling.StudentName {
				if _, ok := p.students.Find(name); !ok {
					untaught = append(untaught, fmt.Sprintf("skill %s names a student, and there is none; starling distill %s makes one, once there are texts to learn from", name, name))
				}
				continue
			}
			if _, ok := p.directory.Find(model); !ok && len(p.directory.Awaits(model)) == 0 {
				missed[model] = append(missed[model], name)
			}
		}
	}
	out := untaught
	for _, model := range slices.Sorted(maps.Keys(missed)) {
		out = append(out, fmt.Sprintf("no provider offers %q, which %s; give it a model under models in the configuration", model, naming(missed[model])))
	}
	return out
}

// named returns the models that a rubric names, each once.
func named(r skill.Rubric) []string {
	var all []string
	candidates := r.Candidates
	for _, rule := range r.Rules {
		candidates = append(candidates[:len(candidates):len(candidates)], rule.Candidates...)
	}
	for _, c := range candidates {
		all = append(all, c.Model)
	}
	for _, v := range r.Verify {
		if v.Model != "" {
			all = append(all, v.Model)
		}
	}
	if r.Reference != "" {
		all = append(all, r.Reference)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func naming(skills []string) string {
	if len(skills) == 1 {
		return "skill " + skills[0] + " names"
	}
	return "skills " + strings.Join(skills, ", ") + " name"
}

// classless names the skills whose class nobody can screen.
func (c Config) classless(p *parts, set *skill.Set) []string {
	var out []string
	for _, name := range set.Names() {
		s, _ := set.Find(name)
		if _, err := p.policy.Screen(&starling.Request{}, s.Rubric.Class); err != nil {
			out = append(out, fmt.Sprintf("skill %s: every request is refused: %v", name, err))
		}
	}
	return out
}

// priced names the prices of what nobody offers, and the models without one.
func (c Config) priced(p *parts) []string {
	var ids []string
	unknown := map[string][]string{} // names, by provider
	for _, m := range p.directory.Models() {
		ids = append(ids, m.ID())
		if !m.Price.Known() {
			unknown[m.Provider] = append(unknown[m.Provider], m.Name)
		}
	}
	offered := p.directory.Models()
	var out []string
	if p.embedder != nil {
		offered = append(slices.Clip(offered), p.embedder.Model)
		if !p.embedder.Model.Price.Known() {
			out = append(out, fmt.Sprintf("%sembeddings: no price is known of %s; until there is a row under prices, nobody learns with it", c.place("embeddings"), p.embedder.Model.ID()))
		}
	}
	idle := p.catalog.Idle(offered)
	for i, own := range c.Prices {
		if slices.Contains(idle, own.Model) && len(p.directory.Awaits(own.Model)) == 0 {
			out = append(out, fmt.Sprintf("%sprices: nobody offers %q (%s)", c.place("prices", strconv.Itoa(i), "model"), own.Model, meant(own.Model, ids, "starling models lists what there is")))
		}
	}
	for _, provider := range slices.Sorted(maps.Keys(unknown)) {
		out = append(out, fmt.Sprintf("provider %s: no price is known of %s; until there is a row under prices, they are refused", provider, few(unknown[provider])))
	}
	return out
}

// few lists the first of many names.
func few(names []string) string {
	const most = 5
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

// capped names the caps that bind nobody.
func (c Config) capped(set *skill.Set, keys []ledger.Key) []string {
	var out []string
	for i, b := range c.Budgets {
		if why := unbound(b, set, keys); why != "" {
			out = append(out, fmt.Sprintf("%sthe budget of %s %q binds nothing: %s", c.place("budgets", strconv.Itoa(i), "name"), b.Scope, b.Name, why))
		}
	}
	return out
}

// unbound says why a cap binds nobody, "" if it binds or nobody can know.
func unbound(b BudgetLimit, set *skill.Set, keys []ledger.Key) string {
	var ids, teams []string
	for _, k := range keys {
		ids, teams = append(ids, k.ID), append(teams, k.Team)
	}
	missing, known, hint := "", []string(nil), ""
	switch {
	case b.Scope == ledger.ForSkill:
		missing, known, hint = "there is no such skill", set.Names(), "starling skill list"
	case b.Scope == ledger.ForKey && keys != nil:
		missing, known, hint = "there is no such key", ids, "starling key list"
	case b.Scope == ledger.ForTeam && keys != nil:
		missing, known, hint = "no key has that team yet", teams, "starling key create --team "+b.Name
	}
	if missing == "" || slices.Contains(known, b.Name) {
		return ""
	}
	return fmt.Sprintf("%s (%s)", missing, meant(b.Name, known, hint))
}

// keys returns the keys of the ledger at hand, nil if there is none that can be
// asked: a check makes no ledger, and calls no database.
func (p *program) keys(cfg Config) ([]ledger.Key, error) {
	dir := cfg.dataDir(p.flags.Data)
	if _, err := os.Stat(filepath.Join(dir, ledgerFile)); err != nil || cfg.LedgerURLEnv != "" {
		return nil, nil
	}
	r, err := openRecords(p.ctx, ledger.Options{Dir: dir, Log: p.logger(true)})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return known(r.Keys(p.ctx))
}

// known makes no keys at all something that is known.
func known(keys []ledger.Key, err error) ([]ledger.Key, error) {
	if keys == nil && err == nil {
		keys = []ledger.Key{}
	}
	return keys, err
}
