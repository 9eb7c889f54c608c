package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"starling"
	"starling/internal/install"
	"starling/internal/skill"
	"starling/skills"
)

// delegate is the skill by which agents ask us.
const delegate = "delegate"

// A placing says which skill, for whom and where.
type placing struct {
	Agents  []string `arg:"" optional:"" name:"agent" help:"claude-code, codex, opencode, gemini, or all."`
	Skill   string   `default:"delegate" help:"A skill that comes with Starling, or a folder that is one." placeholder:"NAME"`
	User    bool     `xor:"where" help:"In every project of yours, which is so if nothing is said."`
	Project bool     `xor:"where" help:"In the project of this folder alone."`
	Dir     string   `xor:"where" help:"In another folder of skills, for an agent that is not listed." placeholder:"DIR"`
	DryRun  bool     `help:"Change nothing, and say what would be done."`
	JSON    bool     `help:"Print JSON."`
}

// Validate refuses what names no folder, or two.
func (c placing) Validate() error {
	switch {
	case c.Dir == "" && len(c.Agents) == 0:
		return errors.New("for which agent? claude-code, codex, opencode, gemini, or all; or --dir")
	case c.Dir != "" && len(c.Agents) > 0:
		return errors.New("--dir is for an agent that is not listed: name no other")
	}
	return nil
}

// A rack is a folder of skills, and who reads it.
type rack struct {
	root, at string
	agents   []codingAgent
}

func (r rack) names() []string {
	var names []string
	for _, a := range r.agents {
		names = append(names, a.name)
	}
	return names
}

// racks are the folders of some agents, each once, or the one that was named.
func (c placing) racks(agents []codingAgent) ([]rack, error) {
	if c.Dir != "" {
		root, at, err := apart(c.Dir)
		return []rack{{root: root, at: at}}, err
	}
	var all []rack
	for _, a := range agents {
		next, err := c.rack(a)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(all, func(r rack) bool { return r.root == next.root && r.at == next.at }); i >= 0 {
			all[i].agents = append(all[i].agents, a)
			continue
		}
		all = append(all, next)
	}
	return all, nil
}

func (c placing) rack(a codingAgent) (rack, error) {
	if c.Project {
		here, err := os.Getwd()
		return rack{here, a.project, []codingAgent{a}}, err
	}
	root, at := a.shelf()
	if at != a.user { // its settings are elsewhere, perhaps nowhere yet
		var err error
		root, at, err = apart(filepath.Join(root, at))
		return rack{root, at, []codingAgent{a}}, err
	}
	return rack{root, at, []codingAgent{a}}, nil
}

// apart takes a path apart: the folder of it that is there, and what is to come below
// it, in slashes.
func apart(dir string) (root, at string, err error) {
	root, err = filepath.Abs(dir)
	for at = "."; err == nil; root = filepath.Dir(root) {
		info, bad := os.Stat(root)
		switch {
		case bad == nil && !info.IsDir():
			err = &starling.Error{Kind: starling.Invalid, Op: root + " is no folder"}
		case bad == nil || filepath.Dir(root) == root:
			return root, at, bad
		default:
			at = path.Join(filepath.Base(root), at)
		}
	}
	return root, at, err
}

// bundle reads the skill that is meant: a folder, or one that comes with Starling.
func (c placing) bundle() (install.Skill, error) {
	if strings.ContainsAny(c.Skill, `/\.`) {
		dir, err := filepath.Abs(c.Skill)
		if err != nil {
			return install.Skill{}, err
		}
		fsys, _, name := skillFolder(dir)
		if name == "" {
			return install.Skill{}, &starling.Error{Kind: starling.Invalid, Op: "there is no skill in " + c.Skill, Hint: "a skill is a folder with a SKILL.md in it"}
		}
		if _, _, err := skill.CheckManifest(fsys, name); err != nil {
			return install.Skill{}, err
		}
		return install.Read(fsys, name)
	}
	shipped, err := fs.Glob(skills.Packs, "*/SKILL.md")
	if err != nil {
		return install.Skill{}, err
	}
	for i := range shipped {
		shipped[i] = path.Dir(shipped[i])
	}
	if !slices.Contains(shipped, c.Skill) {
		return install.Skill{}, &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("no skill %q comes with Starling", c.Skill), Hint: meant(c.Skill, shipped, "a folder is named with a slash in it, ./"+c.Skill)}
	}
	return install.Read(skills.Packs, c.Skill)
}

// A placed is what was done in one folder, or would be.
type placed struct {
	Agents []string `json:"agents"`
	Skill  string   `json:"skill"`
	Folder string   `json:"folder"`
	State  string   `json:"state"`
	Files  []string `json:"files"`            // that were written or removed, or that differ
	Kept   []string `json:"kept,omitempty"`   // that somebody has changed, and that stay
	Others []string `json:"others,omitempty"` // agents that use it still
	DryRun bool     `json:"dry_run,omitempty"`

	titles []string
	tries  []string
}

// An unfound is an agent that is not on this machine.
type unfound struct {
	Agent string `json:"agent"`
	Why   string `json:"why"`
}

// each does something on the shelf of every rack. One that fails hinders no other.
func (c placing) each(racks []rack, do func(s *install.Shelf, at rack) (placed, error)) ([]placed, error) {
	done, errs := []placed{}, []error(nil)
	for _, at := range racks {
		one, err := c.one(at, do)
		if errs = append(errs, err); one.State != "" {
			done = append(done, one)
		}
	}
	return done, errors.Join(errs...)
}

func (c placing) one(at rack, do func(s *install.Shelf, at rack) (placed, error)) (placed, error) {
	s, err := install.Open(at.root, at.at)
	if err != nil {
		return placed{}, err
	}
	s.Dry = c.DryRun
	one, err := do(s, at)
	one.DryRun, one.Agents = c.DryRun, orEmpty(at.names())
	for _, a := range at.agents {
		one.titles, one.tries = append(one.titles, a.title), append(one.tries, fmt.Sprintf(a.try, one.Skill))
	}
	return one, errors.Join(err, s.Close())
}

type skillInstallCmd struct {
	placing
	Force bool `help:"Replace files that are others there."`
}

// Run puts a skill where agents look. What is there and differs is replaced only if the
// user says so.
func (c skillInstallCmd) Run(p *program) error {
	agents, err := called(c.Agents)
	if err != nil {
		return err
	}
	skill, err := c.bundle()
	if err != nil {
		return err
	}
	here, gone := agents, []unfound{}
	if slices.Contains(c.Agents, everyone) {
		if here, gone = present(agents); len(here) == 0 {
			return &starling.Error{Kind: starling.NotFound, Op: "none of " + strings.Join(agentNames(), ", ") + " is on this machine", Hint: "name the one that you mean, or a folder with --dir"}
		}
	}
	racks, err := c.racks(here)
	if err != nil {
		return err
	}
	done, err := c.each(racks, func(s *install.Shelf, at rack) (placed, error) { return c.put(p, s, skill, at) })
	if c.JSON {
		return errors.Join(err, p.encode(map[string]any{"placed": done, "not_found": gone}))
	}
	for _, d := range done {
		d.print(p.stdout)
	}
	for _, u := range gone {
		printf(p.stdout, "%s: not found: %s\n", u.Agent, u.Why)
	}
	if skill.Name == delegate && slices.ContainsFunc(done, placed.usable) {
		printLast(p.stdout)
	}
	return err
}

// present parts agents that are on this machine from those that are not.
func present(agents []codingAgent) (here []codingAgent, gone []unfound) {
	gone = []unfound{}
	for _, a := range agents {
		if why := a.missing(); why != "" {
			gone = append(gone, unfound{a.name, why})
		} else {
			here = append(here, a)
		}
	}
	return here, gone
}

// put puts a skill on one shelf, if it may.
func (c skillInstallCmd) put(p *program, s *install.Shelf, skill install.Skill, at rack) (placed, error) {
	state, files, err := s.Stands(skill)
	one := placed{Skill: skill.Name, Folder: s.Path(skill.Name), Files: orEmpty(files)}
	if err != nil {
		return one, err
	}
	switch state {
	case install.There:
		one.State = "there"
		return one, s.Share(skill, at.names())
	case install.Absent:
		one.State = "written"
	case install.Older:
		one.State = "updated"
	case install.Differs:
		if !c.Force && !c.DryRun && !p.agrees(fmt.Sprintf("%s is there already, and differs in %s; replace?", tilde(one.Folder), list(files))) {
			one.State = "differs"
			return one, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("skill install: %s is there already, and differs in %s", one.Folder, list(files)), Hint: "look at them; --force replaces these files, and no other"}
		}
		if one.State = "replaced"; c.DryRun && !c.Force {
			one.State = "differs"
		}
	}
	if err := s.Put(skill, at.names()); err != nil {
		return placed{}, err
	}
	return one, nil
}

// list names some files, and counts the others.
func list(files []string) string {
	const most = 4
	if len(files) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(files[:most], ", "), len(files)-most)
	}
	return strings.Join(files, ", ")
}

// states say for people what was done, and what would be.
var states = map[string][2]string{
	"written":  {"written", "would be written"},
	"updated":  {"an older version was replaced", "an older version would be replaced"},
	"replaced": {"replaced", "would be replaced"},
	"there":    {"there already, and the same", "there already, and the same"},
	"differs":  {"there already, and differs: left as it is", "there already, and differs: it would be asked about"},
	"removed":  {"removed", "would be removed"},
	"kept":     {"removed in part", "would be removed in part"},
	"shared":   {"left there, for other agents", "would be left there, for other agents"},
	"foreign":  {"left there, as starling skill install did not put it there", "would be left there, as starling skill install did not put it there"},
	"absent":   {"not there", "not there"},
}

// usable reports whether agents find the skill there now.
func (d placed) usable() bool {
	return !d.DryRun && slices.Contains([]string{"written", "updated", "replaced", "there"}, d.State)
}

// print says in a line what was done in one folder, and how to try it.
func (d placed) print(w io.Writer) {
	who := "skills"
	if len(d.titles) > 0 {
		who = strings.Join(d.titles, ", ")
	}
	printf(w, "%s: %s: %s\n", who, tilde(d.Folder), d.said())
	if !d.usable() {
		return
	}
	for _, try := range d.tries {
		printf(w, "  try it: %s\n", try)
	}
}

// said is what was done, or would be, in a sentence.
func (d placed) said() string {
	said := states[d.State][0]
	if d.DryRun {
		said = states[d.State][1]
	}
	if len(d.Files) > 0 {
		said += ": " + list(d.Files)
	}
	if len(d.Others) > 0 {
		said += ": " + list(d.Others)
	}
	if len(d.Kept) > 0 {
		said += "; changed since, so left there: " + list(d.Kept) + " (--force removes that too)"
	}
	return said
}

// printLast says what an agent needs besides, to delegate.
func printLast(w io.Writer) {
	fmt.Fprintln(w, "Sessions that begin now find it. It calls starling ask, which asks the gateway of this machine, or the one that STARLING_GATEWAY and STARLING_KEY name.")
	if _, err := exec.LookPath("starling"); err != nil {
		fmt.Fprintln(w, "note: there is no starling on the PATH of this shell")
	}
}

type skillUninstallCmd struct {
	placing
	Force bool `help:"Remove the files that were changed too."`
}

// Run takes a skill away again: exactly what was put there.
func (c skillUninstallCmd) Run(p *program) error {
	agents, err := called(c.Agents)
	if err != nil {
		return err
	}
	racks, err := c.racks(agents)
	if err != nil {
		return err
	}
	name := c.Skill
	if strings.ContainsAny(name, `/\.`) {
		name = filepath.Base(filepath.Clean(name))
	}
	done, err := c.each(racks, func(s *install.Shelf, at rack) (placed, error) { return c.take(s, name, at) })
	there := slices.DeleteFunc(slices.Clone(done), func(d placed) bool { return d.State == string(install.Nothing) })
	if err == nil && len(there) == 0 {
		err = &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("skill uninstall: there is no %s in %s", name, folders(done)), Hint: "starling skill install puts it there; --project and --dir name other folders"}
	}
	if c.JSON {
		return errors.Join(err, p.encode(map[string]any{"placed": done}))
	}
	for _, d := range there {
		d.print(p.stdout)
	}
	return err
}

func folders(all []placed) string {
	var names []string
	for _, d := range all {
		names = append(names, filepath.Dir(d.Folder))
	}
	return strings.Join(names, ", ")
}

// take takes a skill from one shelf.
func (c skillUninstallCmd) take(s *install.Shelf, name string, at rack) (placed, error) {
	gone, err := s.Take(name, at.names(), c.Force)
	one := placed{Skill: name, Folder: s.Path(name), State: string(gone.Left), Files: orEmpty(gone.Removed), Kept: gone.Kept, Others: gone.Others}
	if gone.Left == install.Foreign {
		err = &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("skill uninstall: %s was not put there by starling skill install", one.Folder), Hint: "remove it yourself, if it is to go"}
	}
	return one, err
}
