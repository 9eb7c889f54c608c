package skill

import (
	"bytes"
	_ "embed"
	"fmt"
	"io/fs"
	"path"

	"starling/internal/strict"
)

//go:embed manifest.schema.json
var manifestSchema []byte

// A manifest is the front matter of a SKILL.md.
type manifest struct {
	Name          string            `yaml:"name"`
	Description   string            `yaml:"description"`
	License       string            `yaml:"license"`
	Compatibility string            `yaml:"compatibility"`
	Metadata      map[string]string `yaml:"metadata"`
	AllowedTools  string            `yaml:"allowed-tools"`

	line, column int // of the name
}

// CheckManifest reads no more than the SKILL.md of the named folder, as the Agent
// Skills specification has it. It returns the lines that follow the front matter, and
// which line is the first of them, from 1. Errors are Invalid.
func CheckManifest(fsys fs.FS, name string) (body [][]byte, first int, err error) {
	l := newLoader(fsys, "")
	file := path.Join(name, manifestFile)
	data, err := l.file(file)
	if err != nil {
		return nil, 0, strict.Report([]strict.Problem{{File: file, Text: "cannot be read", Hint: reason(err)}})
	}
	if _, problems := l.readManifest(name, data); len(problems) > 0 {
		return nil, 0, strict.Report(problems)
	}
	front, _, _ := frontMatter(data)
	lines := bytes.Split(bytes.TrimRight(data, "\n"), []byte("\n"))
	fences := 1 + bytes.Count(front, []byte("\n"))
	return lines[min(fences, len(lines)):], fences + 1, nil
}

// readManifest reads a SKILL.md, whose name must be that of its folder.
func (l *loader) readManifest(dir string, data []byte) (manifest, []strict.Problem) {
	file := path.Join(dir, manifestFile)
	m, problems := l.parseManifest(file, data)
	if m.Name != "" && m.Name != path.Base(dir) {
		problems = append(problems, strict.Problem{
			File: l.label(file), Line: m.line, Column: m.column,
			Text: fmt.Sprintf("name %q is not the name of the folder, %q", m.Name, path.Base(dir)), Hint: "rename one of them",
		})
	}
	return m, problems
}

func (l *loader) parseManifest(name string, data []byte) (manifest, []strict.Problem) {
	file := l.label(name)
	front, p, ok := frontMatter(data)
	if !ok {
		p.File = file
		return manifest{}, []strict.Problem{p}
	}
	doc, err := strict.Parse(file, front)
	if err != nil {
		return manifest{}, problems(file, err)
	}
	var m manifest
	if err := doc.Decode(l.manifest, &m); err != nil {
		return manifest{}, problems(file, err)
	}
	at := doc.Problem([]string{"name"}, "", "")
	m.line, m.column = at.Line, at.Column
	return m, nil
}

// frontMatter returns the lines between the first two lines "---", with an empty
// line for the first, so that lines keep their numbers.
func frontMatter(data []byte) ([]byte, strict.Problem, bool) {
	fence := func(line []byte) bool { return string(bytes.TrimRight(line, " \t\r\n")) == "---" }
	rest := bytes.TrimPrefix(data, []byte("\ufeff"))
	first, rest, _ := bytes.Cut(rest, []byte("\n"))
	if !fence(first) {
		return nil, strict.Problem{Line: 1, Column: 1, Text: "there is no front matter", Hint: "begin with a line --- and end the front matter with another"}, false
	}
	front := []byte("\n")
	for len(rest) > 0 {
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			end = len(rest)
		}
		if fence(rest[:end]) {
			return front, strict.Problem{}, true
		}
		front, rest = append(front, rest[:end]...), rest[end:]
	}
	return nil, strict.Problem{Line: 1, Column: 1, Text: "the front matter does not end", Hint: "end it with a line ---"}, false
}
