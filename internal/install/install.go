// Package install puts skills where agents look for them, and takes away again what it
// put there and nobody has changed. It knows no agent: a shelf is any folder of skills.
//
// Start reading at [Open]; [Shelf.Stands] compares, [Shelf.Put] writes, [Shelf.Take]
// removes.
package install

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"starling"
)

// A Shelf is a folder in which agents look for skills, with a list of what was put
// there. Nothing outside of its root is touched, wherever links lead. A skill's SKILL.md
// is written last and removed first: agents take a folder for a skill by it, so to them
// the skill is there whole or not at all. Only one goroutine may use it.
type Shelf struct {
	Dry bool // nothing is changed, and what would be done is returned

	root *os.Root
	at   string // below the root, in slashes
	list list
}

// listName is the file on the shelf that has its list. Agents pass over hidden files.
const listName = ".starling.json"

// A list is what a shelf remembers.
type list struct {
	Made   int               `json:"made"` // so many of the last folders of its path were made for it
	Skills map[string]record `json:"skills"`
}

// A record is one skill on the shelf.
type record struct {
	For   []string          `json:"for"`   // agents, sorted; one folder may serve several
	Files map[string]string `json:"files"` // path in the skill's folder, in slashes → hex SHA-256
}

// Open opens the folder at a path in slashes below a root that is there; the folder
// itself need not be. Close it. Errors are Invalid: the root cannot be read, the folder
// lies outside of it by a link, or its list is none.
func Open(root, at string) (*Shelf, error) {
	opened, err := os.OpenRoot(root)
	if err != nil {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "skills: open " + root, Err: err}
	}
	s := &Shelf{root: opened, at: path.Clean(at), list: list{Skills: map[string]record{}}}
	text, err := opened.ReadFile(s.inside(listName))
	if err == nil {
		err = s.list.read(text)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(s.fault(listName, err), opened.Close())
	}
	return s, nil
}

// Close ends the use of the shelf.
func (s *Shelf) Close() error { return s.root.Close() }

// Path is where a skill is, or would be.
func (s *Shelf) Path(name string) string {
	return filepath.Join(s.root.Name(), filepath.FromSlash(s.inside(name)))
}

// inside is a name on the shelf as its root knows it.
func (s *Shelf) inside(name string) string { return path.Join(s.at, name) }

// read takes over a list, which may have come with a project from anywhere.
func (l *list) read(text []byte) error {
	if err := json.Unmarshal(text, l); err != nil {
		return err
	}
	if l.Skills == nil {
		l.Skills = map[string]record{}
	}
	for name, r := range l.Skills {
		if !local(name) || strings.Contains(name, "/") {
			return fmt.Errorf("it lists %q, which is no name of a skill", name)
		}
		for file := range r.Files {
			if !local(file) {
				return fmt.Errorf("it lists %q, which is no file of a skill", file)
			}
		}
	}
	return nil
}

// local reports whether a name in slashes leads nowhere but below its folder.
func local(name string) bool {
	return fs.ValidPath(name) && name != "." && !strings.Contains(name, `\`) && filepath.IsLocal(filepath.FromSlash(name))
}

// fault is the error of something on the shelf.
func (s *Shelf) fault(name string, err error) error {
	hint := ""
	if strings.Contains(err.Error(), "escapes") { // the error of package os has no name
		hint = "a link leads out of " + s.root.Name() + ": name the folder that it leads to itself"
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return &starling.Error{Kind: starling.Invalid, Op: "skills: " + s.Path(name), Hint: hint, Err: err}
}

// A State is how a skill stands on a shelf beside what it is to be.
type State string

const (
	Absent  State = "absent"  // there is nothing of that name
	There   State = "there"   // all of it is as it is to be
	Older   State = "older"   // it was put there, another version or a part of it, and nobody has changed it
	Differs State = "differs" // somebody else put it there, or has changed it
)

// Stands compares what is on the shelf with a skill. The files, sorted, are those that
// [Shelf.Put] would change. Errors are Invalid: the place is taken by what is no folder,
// or by a link to one that has other files or lies outside of the root.
func (s *Shelf) Stands(skill Skill) (State, []string, error) {
	link, err := s.linked(skill.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return Absent, skill.names(), nil
	}
	if err != nil {
		return "", nil, s.fault(skill.Name, err)
	}
	state, files := There, []string(nil)
	old, listed := s.list.Skills[skill.Name]
	for _, name := range skill.names() {
		has, err := s.digest(path.Join(skill.Name, name))
		switch {
		case err != nil:
			return "", nil, err
		case has == skill.Files[name].digest():
			continue
		case !listed, has != "" && has != old.Files[name]:
			state = Differs
		case state == There:
			state = Older
		}
		files = append(files, name)
	}
	gone, err := s.gone(skill)
	if err != nil {
		return "", nil, err
	}
	if files = append(files, gone...); len(gone) > 0 && state == There {
		state = Older
	}
	if link && state != There {
		return "", nil, s.fault(skill.Name, errors.New("it is a link to a folder that has other files: remove it, or change those"))
	}
	slices.Sort(files)
	return state, files, nil
}

// linked reports whether a skill's folder is a link to one. The error says that it is
// not there, leads out of the root, or is no folder.
func (s *Shelf) linked(name string) (bool, error) {
	whole := s.inside(name)
	itself, err := s.root.Lstat(whole)
	if err != nil {
		return false, err
	}
	link := itself.Mode()&fs.ModeSymlink != 0
	info, err := s.root.Stat(whole)
	switch {
	case link && errors.Is(err, fs.ErrNotExist):
		err = errors.New("it is a link to what is not there: remove it")
	case err == nil && !info.IsDir():
		err = errors.New("it is no folder")
	}
	return link, err
}

// gone are the files that a skill no longer has and that are as they were written.
func (s *Shelf) gone(skill Skill) ([]string, error) {
	var names []string
	for name, digest := range s.list.Skills[skill.Name].Files {
		if _, still := skill.Files[name]; still {
			continue
		}
		has, err := s.digest(path.Join(skill.Name, name))
		if err != nil {
			return nil, err
		}
		if has == digest {
			names = append(names, name)
		}
	}
	return names, nil
}

// digest is that of a file on the shelf, "" if there is none.
func (s *Shelf) digest(name string) (string, error) {
	data, err := s.root.ReadFile(s.inside(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", s.fault(name, err)
	}
	return digestOf(data), nil
}

// Put writes a skill over what is there, for agents by their names: ask [Shelf.Stands]
// before. Files of other names stay, but for those that an older version had and nobody
// has changed. What breaks off can be put again, or taken away.
func (s *Shelf) Put(skill Skill, agents []string) error {
	gone, err := s.gone(skill)
	if err != nil {
		return err
	}
	old, known := s.list.Skills[skill.Name]
	if !known {
		if err := s.note(skill, agents); err != nil {
			return err
		}
	}
	for _, name := range skill.names() {
		if err := s.write(path.Join(skill.Name, name), skill.Files[name]); err != nil {
			return err
		}
	}
	for _, name := range gone {
		if _, err := s.remove(path.Join(skill.Name, name), old.Files[name]); err != nil {
			return err
		}
	}
	if known {
		s.clear(skill.Name, old)
	}
	return s.note(skill, agents)
}

// Share lists agents more for a skill that is there, if it was put there: [There].
func (s *Shelf) Share(skill Skill, agents []string) error {
	if _, listed := s.list.Skills[skill.Name]; !listed {
		return nil
	}
	return s.note(skill, agents)
}

func (s *Shelf) note(skill Skill, agents []string) error {
	r := record{For: append(slices.Clone(s.list.Skills[skill.Name].For), agents...), Files: map[string]string{}}
	slices.Sort(r.For)
	r.For = slices.Compact(r.For)
	for name, f := range skill.Files {
		r.Files[name] = f.digest()
	}
	s.list.Skills[skill.Name] = r
	return s.save()
}

// A Leaving is what became of a skill that was to be taken away.
type Leaving struct {
	Left    Left
	Others  []string // agents that use it still, if it is Shared
	Removed []string // files, in the order in which they went
	Kept    []string // files that somebody has changed
}

// Left says how much of a skill is left.
type Left string

const (
	Nothing Left = "absent"  // it was not there
	Removed Left = "removed" // now it is not
	Changed Left = "kept"    // what somebody has changed stays
	Shared  Left = "shared"  // it stays, for other agents
	Foreign Left = "foreign" // it stays, as it was not put there
)

// Take takes a skill away from agents, or from all if none is named, and with the last
// of them its files: those that are as they were written, and with force those that were
// changed too. The folders that are empty then go with them.
func (s *Shelf) Take(name string, agents []string, force bool) (Leaving, error) {
	r, known := s.list.Skills[name]
	link, err := s.linked(name)
	switch {
	case !known && errors.Is(err, fs.ErrNotExist):
		return Leaving{Left: Nothing}, nil
	case !known:
		return Leaving{Left: Foreign}, nil
	case link:
		return Leaving{}, s.fault(name, errors.New("it was a folder, and is a link now: remove it yourself"))
	}
	if others := less(r.For, agents); len(agents) > 0 && len(others) > 0 {
		s.list.Skills[name] = record{others, r.Files}
		return Leaving{Left: Shared, Others: others}, s.save()
	}
	return s.takeAll(name, r, force)
}

func less(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(a string) bool { return slices.Contains(some, a) })
}

func (s *Shelf) takeAll(name string, r record, force bool) (Leaving, error) {
	gone, rest := Leaving{Left: Removed}, map[string]string{}
	for _, file := range slices.Backward(inOrder(r.Files)) {
		whole, digest := path.Join(name, file), r.Files[file]
		if force {
			has, err := s.digest(whole)
			if err != nil {
				return gone, err
			}
			digest = has
		}
		removed, err := s.remove(whole, digest)
		switch {
		case err != nil:
			return gone, err
		case removed:
			gone.Removed = append(gone.Removed, file)
		default:
			gone.Left, gone.Kept, rest[file] = Changed, append(gone.Kept, file), digest
		}
	}
	delete(s.list.Skills, name)
	if gone.Left == Changed { // listed still, so that force can take it
		s.list.Skills[name] = record{r.For, rest}
	}
	s.clear(name, r)
	return gone, s.save()
}

// clear removes the folders of a skill that are empty.
func (s *Shelf) clear(name string, r record) {
	if s.Dry {
		return
	}
	folders := map[string]bool{name: true}
	for file := range r.Files {
		for dir := path.Dir(path.Join(name, file)); dir != name; dir = path.Dir(dir) {
			folders[dir] = true
		}
	}
	for _, dir := range slices.Backward(slices.Sorted(maps.Keys(folders))) {
		_ = s.root.Remove(s.inside(dir)) // it takes empty ones alone
	}
}

// remove removes a file of that digest, and reports whether it is gone.
func (s *Shelf) remove(name, digest string) (bool, error) {
	has, err := s.digest(name)
	switch {
	case err != nil || has == "":
		return err == nil, err
	case has != digest:
		return false, nil
	case s.Dry:
		return true, nil
	}
	if err := s.root.Remove(s.inside(name)); err != nil {
		return false, s.fault(name, err)
	}
	return true, nil
}

// write puts a file in the place of the one before: who reads meanwhile finds the old
// or the new one.
func (s *Shelf) write(name string, f File) error {
	if s.Dry {
		return nil
	}
	whole := s.inside(name)
	next := path.Join(path.Dir(whole), "."+path.Base(whole)+".new")
	err := s.root.MkdirAll(path.Dir(whole), 0o755)
	if err == nil {
		if err = s.root.Remove(next); errors.Is(err, fs.ErrNotExist) { // of a time that broke off
			err = nil
		}
	}
	if err == nil {
		err = s.root.WriteFile(next, f.Data, f.mode())
	}
	if err == nil {
		err = s.root.Rename(next, whole)
	}
	if err != nil {
		return s.fault(name, err)
	}
	return nil
}

// save writes the list down; an empty one goes, and the folders with it that were made
// for it and are empty.
func (s *Shelf) save() error {
	switch {
	case s.Dry:
		return nil
	case len(s.list.Skills) == 0:
		return s.leave()
	}
	if err := s.make(); err != nil {
		return s.fault(".", err)
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetIndent("", "  ")
	if err := e.Encode(s.list); err != nil {
		panic("a list cannot be written down: " + err.Error())
	}
	return s.write(listName, File{Data: text.Bytes()})
}

// make makes the folders that lead to the shelf, and counts those that were not there.
func (s *Shelf) make() error {
	var folders []string
	for dir := s.at; dir != "."; dir = path.Dir(dir) {
		folders = append(folders, dir)
	}
	for _, dir := range slices.Backward(folders) {
		err := s.root.Mkdir(dir, 0o755)
		if err == nil {
			s.list.Made++
			continue
		}
		if _, bad := s.root.Stat(dir); bad != nil || !errors.Is(err, fs.ErrExist) {
			return errors.Join(bad, err)
		}
	}
	return nil
}

// leave removes the list, and of the folders that were made for it those that are empty.
func (s *Shelf) leave() error {
	if err := s.root.Remove(s.inside(listName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.fault(listName, err)
	}
	dir := s.Path(".")
	for range s.list.Made {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || os.Remove(dir) != nil {
			break // somebody else has something there
		}
		dir = filepath.Dir(dir)
	}
	s.list.Made = 0
	return nil
}
