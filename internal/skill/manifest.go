package skill

import (
	"bytes"
	_ "embed"

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
