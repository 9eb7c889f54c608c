package install

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"starling"
)

// The limits of what is put on a shelf as one skill.
const (
	mostFiles = 1_000
	mostBytes = 16 << 20
)

// A Skill is a folder of files.
type Skill struct {
	Name  string
	Files map[string]File // by their path in the folder, in slashes; with a SKILL.md
}

// A File is one of them.
type File struct {
	Data    []byte
	Program bool // it may be run
}

const manifest = "SKILL.md"

// Read reads the skill in the named folder of fsys, without hidden files. Errors are
// Invalid: there is no SKILL.md, there is something that is neither file nor folder, such
// as a link, or it is larger than 16 MiB or 1,000 files.
func Read(fsys fs.FS, name string) (Skill, error) {
	skill := Skill{Name: path.Base(name), Files: map[string]File{}}
	total := 0
	err := fs.WalkDir(fsys, name, func(whole string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case whole != name && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s is neither a file nor a folder", whole)
		}
		data, err := fs.ReadFile(fsys, whole)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		skill.Files[strings.TrimPrefix(whole, name+"/")] = File{data, info.Mode()&0o111 != 0}
		if total += len(data); total > mostBytes || len(skill.Files) > mostFiles {
			return fmt.Errorf("it is larger than %d bytes or %d files", mostBytes, mostFiles)
		}
		return nil
	})
	if err == nil && skill.Files[manifest].Data == nil {
		err = fmt.Errorf("there is no %s", manifest)
	}
	if err != nil {
		return Skill{}, &starling.Error{Kind: starling.Invalid, Op: "skill " + skill.Name, Hint: "a skill is a folder with a SKILL.md in it", Err: err}
	}
	return skill, nil
}

// names are those of the files in the order in which they are written.
func (s Skill) names() []string { return inOrder(s.Files) }

// inOrder sorts names of files, SKILL.md last.
func inOrder[T any](files map[string]T) []string {
	names := slices.Sorted(maps.Keys(files))
	if i := slices.Index(names, manifest); i >= 0 {
		names = append(slices.Delete(names, i, i+1), manifest)
	}
	return names
}

func (f File) digest() string { return digestOf(f.Data) }

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func (f File) mode() fs.FileMode {
	if f.Program {
		return 0o755
	}
	return 0o644
}
