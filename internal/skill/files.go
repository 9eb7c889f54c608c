package skill

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"starling/internal/strict"
)

// The limits of what is read of a skill.
const (
	maxFile   = 1 << 20
	maxAssets = 16 << 20 // all together
	maxFiles  = 1_000
)

// files reads what decides about requests: SKILL.md, rubric.yaml and assets, by
// their path in the skill.
func (l *loader) files(dir string) (map[string][]byte, []strict.Problem) {
	files := map[string][]byte{}
	var problems []strict.Problem
	read := func(name string) int {
		data, err := l.file(path.Join(dir, name))
		if err != nil {
			problems = append(problems, strict.Problem{File: l.label(path.Join(dir, name)), Text: "cannot be read", Hint: reason(err)})
			return 0
		}
		files[name] = data
		return len(data)
	}
	read(manifestFile)
	read(rubricFile)
	names, err := l.assets(dir)
	if err != nil {
		problems = append(problems, strict.Problem{File: l.label(path.Join(dir, assetsFolder)), Text: "cannot be read", Hint: reason(err)})
	}
	total := 0
	for _, name := range names {
		if total += read(name); total > maxAssets {
			problems = append(problems, strict.Problem{File: l.label(path.Join(dir, assetsFolder)), Text: fmt.Sprintf("more than %d bytes of assets", maxAssets)})
			break
		}
	}
	return files, problems
}

// assets lists the files below assets, without hidden ones.
func (l *loader) assets(dir string) ([]string, error) {
	root := path.Join(dir, assetsFolder)
	var names []string
	err := fs.WalkDir(l.fsys, root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && name == root && errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case strings.HasPrefix(entry.Name(), ".") && entry.IsDir():
			return fs.SkipDir
		case strings.HasPrefix(entry.Name(), "."), entry.IsDir():
			return nil
		case len(names) == maxFiles:
			return fmt.Errorf("more than %d files", maxFiles)
		}
		names = append(names, strings.TrimPrefix(name, dir+"/"))
		return nil
	})
	return names, err
}

// file reads a regular file of bounded size.
func (l *loader) file(name string) ([]byte, error) {
	// A pipe would block on opening; a file that becomes one in between is the
	// doing of somebody who may write to the folder anyway.
	if info, err := fs.Stat(l.fsys, name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	f, err := l.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return data, err
}

// casesHash is the hex SHA-256 of the cases, "" where there are none that can be
// read.
func (l *loader) casesHash(dir string) string {
	name := path.Join(dir, casesFile)
	if info, err := fs.Stat(l.fsys, name); err != nil || !info.Mode().IsRegular() { // a pipe would block
		return ""
	}
	f, err := l.fsys.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	all := sha256.New()
	if _, err := io.Copy(all, f); err != nil {
		return ""
	}
	return hex.EncodeToString(all.Sum(nil))
}

// hashOf is the hash of a list with one line for each file, sorted by path: the
// hex SHA-256 of its content, two spaces, its path. It is what
// "sha256sum SKILL.md assets/* rubric.yaml | sha256sum" prints.
func hashOf(files map[string][]byte) string {
	all := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(all, "%x  %s\n", sha256.Sum256(files[name]), name)
	}
	return hex.EncodeToString(all.Sum(nil))
}
