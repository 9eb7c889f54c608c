package skill

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"starling/internal/strict"
)

// The files of a skill.
const (
	manifestFile = "SKILL.md"
	rubricFile   = "rubric.yaml"
	casesFile    = "cases.jsonl"
	assetsFolder = "assets"
)

// LoadAll reads every folder of fsys that has a SKILL.md and a rubric.yaml. The
// set holds all that are valid, whatever is wrong with others. The error is one
// Invalid *starling.Error with every problem of every file; a set without the
// broken ones comes with it, and is nil only if fsys itself cannot be listed.
func LoadAll(fsys fs.FS) (*Set, error) { return newLoader(fsys, "").all() }

// Load reads the skill in the named folder. Errors are Invalid.
func Load(fsys fs.FS, name string) (*Skill, error) {
	s, problems := newLoader(fsys, "").skill(name)
	return s, strict.Report(problems)
}

// A loader reads skills. What is costly is made when the first skill needs it.
type loader struct {
	fsys     fs.FS
	root     string // of the file system, as people know it; "" if unknown
	manifest *strict.Schema
	rubric   *strict.Schema
	language func() (*language, error)
}

func newLoader(fsys fs.FS, root string) *loader {
	return &loader{
		fsys:     fsys,
		root:     root,
		manifest: strict.NewSchema(manifestSchema),
		rubric:   strict.NewSchema(rubricSchema),
		language: onDemand(),
	}
}

// label is how errors call a file.
func (l *loader) label(name string) string { return path.Join(l.root, name) }

func (l *loader) all() (*Set, error) {
	entries, err := fs.ReadDir(l.fsys, ".")
	if err != nil {
		return nil, strict.Report([]strict.Problem{{File: l.label("."), Text: "the folder of skills cannot be read", Hint: reason(err)}})
	}
	set := &Set{skills: map[string]*Skill{}, broken: map[string]bool{}}
	var problems []strict.Problem
	for _, entry := range entries {
		if folder(entry) {
			problems = append(problems, l.add(set, entry.Name())...)
		}
	}
	return set, strict.Report(problems)
}

// folder reports whether an entry may be a skill: agents install skills as links.
func folder(entry fs.DirEntry) bool {
	return !strings.HasPrefix(entry.Name(), ".") && (entry.IsDir() || entry.Type()&fs.ModeSymlink != 0)
}

// add reads a folder into the set: as a skill, a plain skill, or nothing.
func (l *loader) add(set *Set, dir string) []strict.Problem {
	manifest, rubric := l.has(dir, manifestFile), l.has(dir, rubricFile)
	switch {
	case !manifest && !rubric:
		return nil
	case !rubric:
		set.plain = append(set.plain, dir)
		return nil
	}
	s, problems := l.skill(dir)
	if len(problems) > 0 {
		set.broken[dir] = true
		return problems
	}
	set.skills[s.Name] = s
	return nil
}

// has reports whether there is such a file, readable or not.
func (l *loader) has(dir, name string) bool {
	_, err := fs.Stat(l.fsys, path.Join(dir, name))
	return err == nil || errors.Is(err, fs.ErrPermission)
}

// skill reads one folder. The skill is nil if there is a problem.
func (l *loader) skill(dir string) (*Skill, []strict.Problem) {
	files, problems := l.files(dir)
	if len(problems) > 0 {
		return nil, problems
	}
	m, problems := l.parseManifest(path.Join(dir, manifestFile), files[manifestFile])
	if m.Name != "" && m.Name != path.Base(dir) {
		problems = append(problems, strict.Problem{
			File: l.label(path.Join(dir, manifestFile)), Line: m.line, Column: m.column,
			Text: fmt.Sprintf("name %q is not the name of the folder, %q", m.Name, path.Base(dir)), Hint: "rename one of them",
		})
	}
	rubric, more := l.parseRubric(path.Join(dir, rubricFile), files)
	if problems = append(problems, more...); len(problems) > 0 {
		return nil, problems
	}
	return &Skill{
		Name: m.Name, Description: m.Description, Dir: dir, Hash: hashOf(files), Cases: l.casesHash(dir), Rubric: rubric,
		Manifest: string(files[manifestFile]), Source: string(files[rubricFile]), prompt: promptHash(rubric.Prompt),
	}, nil
}

// problems takes an error of package strict apart.
func problems(file string, err error) []strict.Problem {
	if err == nil {
		return nil
	}
	if ps, ok := errors.AsType[strict.Problems](err); ok {
		return slices.Clone(ps)
	}
	return []strict.Problem{{File: file, Text: err.Error()}}
}

// reason says in a word why the operating system refused.
func reason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return err.Error()
}
