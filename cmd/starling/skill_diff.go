package main

import (
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"starling"
	"starling/internal/ledger"
	"starling/internal/route"
	"starling/internal/skill"
	"starling/internal/verify"
	"starling/skills"
)

type skillDiffCmd struct {
	Skill    string `arg:"" help:"The skill."`
	Dir      folder `arg:"" optional:"" help:"Folder of the skill, or of skills, that it is compared with, or a file of the skill; the pack of that name that comes with Starling by default."`
	JSON     bool   `help:"Print JSON."`
	Gateway  string `help:"Address of a gateway to ask, in place of the one that has these books; its key is in STARLING_KEY." placeholder:"URL" env:"STARLING_GATEWAY"`
	ExitCode bool   `help:"End with 1 if they differ."`
}

// A difference is what sets a skill as it is configured apart from another version, and
// what would follow if that took its place.
type difference struct {
	Skill   string       `json:"skill"`
	With    string       `json:"with"`    // the other version, for people
	Differs bool         `json:"differs"` // in anything that it says: the same in another order is no difference
	Changes []change     `json:"changes"`
	Cases   casesChanged `json:"cases"`

	Rubric [2]string    `json:"rubric_hash"` // was, and would be
	Graded [2]string    `json:"cases_hash"`
	Lapse  []lapsing    `json:"lapse"` // warrants in force that would lapse
	Was    []route.Rung `json:"ladder_was"`
	Is     []route.Rung `json:"ladder"` // would be
}

// A lapsing is a warrant that would lapse.
type lapsing struct {
	Warrant string `json:"warrant"`
	Model   string `json:"model"`
}

// Run says what differs, field by field, and what would follow.
func (c skillDiffCmd) Run(p *program) error {
	d, err := c.compare(p)
	switch {
	case err != nil:
		return err
	case c.JSON:
		err = p.encodeWide(d)
	default:
		err = showDifference(p.stdout, d)
	}
	if err == nil && c.ExitCode && d.Differs {
		return exitStatus(1)
	}
	return err
}

func (c skillDiffCmd) compare(p *program) (*difference, error) {
	cfg, books, err := p.books()
	if err != nil {
		return nil, err
	}
	shelf, err := p.shelf(cfg, books)
	if err != nil {
		return nil, err
	}
	defer shelf.parts.close()
	name := strings.TrimPrefix(c.Skill, route.Prefix)
	own, ok := shelf.Router.Skills.Find(name)
	if !ok {
		return nil, noSkill(name, shelf.Router.Skills)
	}
	if c.Gateway != "" || ledger.InUse(books.Dir) {
		c.otherwise(p, cfg, own)
	}
	was, err := readEdition(cfg.skillFiles(), own)
	if err != nil {
		return nil, err
	}
	is, with, err := c.other(cfg, name)
	if err != nil {
		return nil, err
	}
	d := &difference{Skill: name, With: with, Changes: orEmpty(changes(was, is)), Cases: casesBetween(was.cases, is.cases), Lapse: []lapsing{}}
	d.Differs = len(d.Changes) > 0 || !d.Cases.none()
	return d, d.follow(shelf, was.Skill, is.Skill)
}

// otherwise notes where the gateway that serves enforces another rubric than the one that
// is configured: for a moment after an edit, or where it could not take that.
func (c skillDiffCmd) otherwise(p *program, cfg Config, own *skill.Skill) {
	s, err := p.enforced(cfg, c.Gateway, own.Name)
	switch {
	case err != nil:
		printf(p.stderr, "note: whether this is in force is not known: %s\n", err)
	case s.Hash != own.Hash:
		printf(p.stderr, "note: %s has another rubric in force, %.12s…: starling skill show %s prints it\n", s.From, s.Hash, own.Name)
	}
}

// other reads the version that is compared with.
func (c skillDiffCmd) other(cfg Config, name string) (*edition, string, error) {
	fsys, with := fs.FS(skills.Packs), "the pack that comes with Starling"
	switch _, err := fs.Stat(skills.Packs, name); {
	case c.Dir != "":
		own, _, other := skillFolder(string(c.Dir))
		if other != "" && other != name {
			return nil, "", &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("skill diff: the folder is that of skill %q", other), Hint: "name one that is called " + name}
		}
		fsys, with = own, string(c.Dir)
	case err != nil:
		return nil, "", &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("skill diff: no pack that comes with Starling is called %q", name), Hint: "name a folder to compare with"}
	case cfg.Skills == "":
		return nil, "", &starling.Error{Kind: starling.Invalid, Op: "skill diff: the pack itself is served", Hint: "name a folder to compare with"}
	}
	found, err := skill.Load(fsys, name)
	if err != nil {
		return nil, "", err
	}
	v, err := readEdition(fsys, found)
	return v, with, err
}

// follow says what would follow.
func (d *difference) follow(s *shelf, was, is *skill.Skill) (err error) {
	d.Rubric, d.Graded = [2]string{was.Hash, is.Hash}, [2]string{was.Cases, is.Cases}
	if d.Was, err = s.rungs(was); err != nil {
		return err
	}
	verifiers, err := verify.ForSkill(is)
	if err != nil {
		return err
	}
	instead := *s.Router
	instead.Verifiers = map[string][]starling.Verifier{is.Name: verifiers}
	screen, err := s.Policy.Screen(&starling.Request{}, is.Rubric.Class)
	if err != nil {
		return err
	}
	d.Is = instead.Ladder(is, screen)
	if was.Hash == is.Hash && was.Cases == is.Cases {
		return nil
	}
	for _, r := range d.Was {
		next := lapsing{}
		if r.Covers {
			next = lapsing{r.Warrant.ID, r.Model}
		}
		if r.Covers && !slices.Contains(d.Lapse, next) {
			d.Lapse = append(d.Lapse, next)
		}
	}
	return nil
}

func showDifference(w io.Writer, d *difference) error {
	printf(w, "%s as it is configured, and %s\n\n", route.Prefix+d.Skill, d.With)
	for _, c := range d.Changes {
		c.show(w)
	}
	d.Cases.show(w)
	switch {
	case !d.Differs && d.Rubric[0] == d.Rubric[1]:
		printf(w, "They are the same.\n")
		return nil
	case !d.Differs:
		printf(w, "They say the same, in other words or in another order.\n")
	}
	printf(w, "\nIn its place:\n")
	d.showHash(w, "rubric", d.Rubric)
	d.showHash(w, "cases", d.Graded)
	for _, l := range d.Lapse {
		printf(w, "  %s of %s lapses: starling rightsize %s shows again what is still good enough\n", l.Warrant, l.Model, d.Skill)
	}
	return d.showLadders(w)
}

func (d *difference) showHash(w io.Writer, of string, hash [2]string) {
	if hash[0] == hash[1] {
		printf(w, "  the hash of the %s stays %.12s\n", of, dash(hash[0]))
		return
	}
	printf(w, "  the hash of the %s is %.12s in place of %.12s: what was shown before counts no more\n", of, dash(hash[1]), dash(hash[0]))
}

// showLadders prints who may answer now, and who would.
func (d *difference) showLadders(w io.Writer) error {
	line := func(all []route.Rung, i int) string {
		if i >= len(all) {
			return ""
		}
		text := fmt.Sprintf("%d %s: %s", i+1, plain(all[i].Name), mayAnswer(&all[i]))
		if all[i].Rule > 0 {
			text += fmt.Sprintf(" (by rule %d)", all[i].Rule)
		}
		return text
	}
	t := newTable(w, "  NOW", "", "THEN")
	for i := range max(len(d.Was), len(d.Is)) {
		was, is := line(d.Was, i), line(d.Is, i)
		t.row("  "+was, map[bool]string{true: "=", false: "≠"}[was == is], is)
	}
	return t.Flush()
}
