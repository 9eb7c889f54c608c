package skill

import (
	"strings"
	"testing"

	"starling/internal/strict"
)

// FuzzRubric: no rubric makes the loader panic, and one that is accepted can
// decide.
func FuzzRubric(f *testing.F) {
	f.Add(minimal)
	f.Add(full)
	f.Add("version: 1\ncandidates: [&a x, *a]\nrules:\n- when: 'true'\n  refuse: true\n  why: w\n")
	f.Add("version: 1\ncandidates: [{model: a}]\nverify: [{kind: schema, schema: {$ref: '#/$defs/x'}}]\n")
	l := newLoader(one(minimal), "")
	f.Fuzz(func(t *testing.T, text string) {
		r, problems := l.parseRubric("it/rubric.yaml", map[string][]byte{"rubric.yaml": []byte(text)})
		placed(t, problems)
		if len(problems) > 0 {
			return
		}
		s := Skill{Name: "it", Rubric: r}
		d, err := s.Decide(Facts{InputBytes: 1})
		if err == nil && !d.Refuse && len(d.Candidates) == 0 {
			t.Fatal("nobody may try, and nobody says why")
		}
	})
}

// FuzzManifest: no front matter makes the parser panic, and a name that is
// accepted follows the rules.
func FuzzManifest(f *testing.F) {
	f.Add(manifestOf("it"))
	f.Add("---\nname: a\n---\n---\n")
	f.Add("---\r\nmetadata: {a: b}\r\n---")
	l := newLoader(one(minimal), "")
	f.Fuzz(func(t *testing.T, text string) {
		m, problems := l.parseManifest("it/SKILL.md", []byte(text))
		placed(t, problems)
		if len(problems) == 0 && (m.Name == "" || strings.Trim(m.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || strings.Contains(m.Name, "--")) {
			t.Fatalf("name %q was accepted", m.Name)
		}
	})
}

// FuzzCase: no line makes the reader panic, and a case that is accepted is
// complete.
func FuzzCase(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"id":1}`))
	f.Add([]byte(`{"id":"x","gold":{"number":1e999,"cites":null}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		c, f := parseCase(line)
		if f.text == "" && (c.ID == "" || c.Answer == "" || len(c.Wrong) < 2) {
			t.Fatalf("%+v was accepted", c)
		}
	})
}

func placed(t *testing.T, problems []strict.Problem) {
	t.Helper()
	for _, p := range problems {
		if p.File == "" || p.Line < 1 || p.Column < 1 || p.Text == "" {
			t.Fatalf("a problem without a place: %+v", p)
		}
	}
}
