package skill

import (
	"errors"
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

// Folders lists the folders of fsys that hold a skill: one with a rubric, a plain one
// or a broken one, sorted. Errors are Invalid.
func Folders(fsys fs.FS) ([]string, error) {
	l := newLoader(fsys, "")
	dirs, err := l.folders()
	return slices.DeleteFunc(dirs, func(dir string) bool { return !l.has(dir, manifestFile) && !l.has(dir, rubricFile) }), err
}

// IsPlain reports whether the named folder has a SKILL.md and no rubric.
func IsPlain(fsys fs.FS, name string) bool {
	l := newLoader(fsys, "")
	return l.has(name, manifestFile) && !l.has(name, rubricFile)
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
	dirs, err := l.folders()
	if err != nil {
		return nil, err
	}
	set := &Set{skills: map[string]*Skill{}, broken: map[string]bool{}}
	var problems []strict.Problem
	for _, dir := range dirs {
		problems = append(problems, l.add(set, dir)...)
	}
	return set, strict.Report(problems)
}

// folders lists the folders that may be skills, sorted.
func (l *loader) folders() ([]string, error) {
	entries, err := fs.ReadDir(l.fsys, ".")
	if err != nil {
		return nil, strict.Report([]strict.Problem{{File: l.label("."), Text: "the folder of skills cannot be read", Hint: reason(err)}})
	}
	var dirs []string
	for _, entry := range entries {
		if folder(entry) {
			dirs = append(dirs, entry.Name())
		}
	}
	return dirs, nil
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
	m, problems := l.readManifest(dir, files[manifestFile])
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
	if errors.Is(err, fs.ErrNotExist) {
		return fs.ErrNotExist.Error() // which every system says in other words
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return err.Error()
}
