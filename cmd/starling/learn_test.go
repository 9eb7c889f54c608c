package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"starling"
	"starling/internal/advise"
	"starling/internal/skill"
)

const learned = `version: 1
candidates: [small, open, premium] # in order
bar: {pass: 0.9, confidence: 0.95}
latency: 10s
`

// taught is a lesson of three proposals, the second of which loosens a promise.
func taught(t *testing.T) *lesson {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"SKILL.md": "---\nname: test\ndescription: A test.\n---\n", "rubric.yaml": learned} {
		file := filepath.Join(dir, "test", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	l := &lesson{Advice: &advise.Advice{Skill: "test"}, files: os.DirFS(dir), folder: dir, text: []byte(learned)}
	var err error
	if l.skill, err = skill.Load(l.files, "test"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []advise.Proposal{
		{Kind: advise.BelowBar, Edits: []advise.Edit{{Do: advise.Remove, At: []string{"candidates"}, Name: "small"}}},
		{Kind: advise.Latency, Edits: []advise.Edit{{Do: advise.Set, At: []string{"latency"}, Value: "15s"}}},
		{Kind: advise.Audit, Edits: []advise.Edit{{Do: advise.Set, At: []string{"audit"}, Value: "0.05"}}},
	} {
		l.Proposals = append(l.Proposals, &amendment{Proposal: p})
	}
	return l
}

func TestNothingIsAppliedButWhatIsAgreedTo(t *testing.T) {
	const without, later, audited = "[open, premium]", "latency: 15s", "audit: 0.05"
	for name, c := range map[string]struct {
		only    []advise.Kind
		answers string // "" nobody is asked
		want    []string
	}{
		"without a person all that loosens nothing":             {nil, "", []string{without, audited}},
		"what loosens a promise where it is named":              {[]advise.Kind{advise.Latency}, "", []string{without, later, audited}},
		"each that a person wants, also if it loosens":          {nil, "n\ny\nN\n", []string{later}},
		"all that loosen nothing, and the others one by one":    {nil, "what?\na\nn\n", []string{without, audited}},
		"a person may stop":                                     {nil, "y\nquit\n", []string{without}},
		"who says nothing any more has stopped":                 {nil, "y", []string{without}},
		"who says all of one that loosens does not mean itself": {nil, "n\na\n", []string{audited}},
	} {
		l := taught(t)
		var ask *bufio.Reader
		if c.answers != "" {
			ask = bufio.NewReader(strings.NewReader(c.answers))
		}
		text := string(l.walk(t.Context(), skillLearnCmd{Only: c.only}, io.Discard, ask))
		for _, piece := range []string{without, later, audited} {
			want := false
			for _, w := range c.want {
				want = want || w == piece
			}
			if strings.Contains(text, piece) != want {
				t.Errorf("%s: %q is %v in\n%s", name, piece, !want, text)
			}
		}
		for _, d := range l.Proposals {
			if (len(d.Loosens) > 0) != (d.Kind == advise.Latency && (d.Diff != "")) {
				t.Errorf("%s: %s loosens %q", name, d.Kind, d.Loosens)
			}
		}
	}
}

func TestARubricIsReplacedOnlyAsItWasRead(t *testing.T) {
	l := taught(t)
	file := filepath.Join(l.folder, "test", "rubric.yaml")
	next := l.walk(t.Context(), skillLearnCmd{}, io.Discard, nil)
	if err := l.write(next); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if text, _ := os.ReadFile(file); err != nil || !bytes.Equal(text, next) || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("%v, mode %v:\n%s", err, info.Mode(), text)
	}
	if err := l.write(next); starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), "has changed since it was read") {
		t.Errorf("it was replaced though it is another now: %v", err)
	}
	l.folder = ""
	if err := l.write(next); starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), "part of the program") {
		t.Errorf("the program's own skills were written to: %v", err)
	}
}

func TestWhatWouldBeNoRubricIsNotApplied(t *testing.T) {
	l := taught(t)
	l.Proposals = l.Proposals[:1]
	l.Proposals[0].Edits = []advise.Edit{{Do: advise.Set, At: []string{"bar", "unproven"}, Value: "perhaps"}}
	if text := l.walk(t.Context(), skillLearnCmd{}, io.Discard, nil); string(text) != learned || l.Proposals[0].NotDone == "" || l.Proposals[0].Agreed {
		t.Errorf("%+v\n%s", l.Proposals[0], text)
	}
}
