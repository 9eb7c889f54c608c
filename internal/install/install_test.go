package install

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"starling"
)

const at = ".claude/skills"

// open opens the shelf of a home.
func open(t testing.TB, home string) *Shelf {
	t.Helper()
	s, err := Open(home, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func skillOf(files map[string]string) Skill {
	s := Skill{Name: "greet", Files: map[string]File{}}
	for name, text := range files {
		s.Files[name] = File{Data: []byte(text)}
	}
	return s
}

// tree is every file below a folder with its text, and every empty folder.
func tree(t testing.TB, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil || name == "." {
			return err
		}
		if d.IsDir() {
			inside, err := os.ReadDir(path)
			if len(inside) == 0 {
				all[filepath.ToSlash(name)+"/"] = ""
			}
			return err
		}
		text, err := os.ReadFile(path)
		all[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestANewVersionTakesThePlaceOfTheOldAndLeavesWhatIsNotOurs(t *testing.T) {
	home := t.TempDir()
	s := open(t, home)
	must(t, s.Put(skillOf(map[string]string{"SKILL.md": "one", "assets/a": "a", "assets/b": "b"}), []string{"claude"}))
	for name, text := range map[string]string{"assets/b": "mine", "notes": "mine"} {
		must(t, os.WriteFile(filepath.Join(home, at, "greet", name), []byte(text), 0o600))
	}
	s = open(t, home)
	next := skillOf(map[string]string{"SKILL.md": "two", "c": "c"})
	state, files, err := s.Stands(next)
	if err != nil || state != Older || !cmp.Equal(files, []string{"SKILL.md", "assets/a", "c"}) {
		t.Fatalf("%s %v %v", state, files, err)
	}
	must(t, s.Put(next, nil))
	got := tree(t, filepath.Join(home, at, "greet"))
	if diff := cmp.Diff(map[string]string{"SKILL.md": "two", "c": "c", "assets/b": "mine", "notes": "mine"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestWhatBrokeOffIsTakenUpAgain has every file missing in turn, as if the power had
// gone before it was written.
func TestWhatBrokeOffIsTakenUpAgain(t *testing.T) {
	skill := skillOf(map[string]string{"SKILL.md": "one", "assets/a": "a"})
	for name := range skill.Files {
		home := t.TempDir()
		must(t, open(t, home).Put(skill, []string{"claude"}))
		must(t, os.Remove(filepath.Join(home, at, "greet", name)))
		must(t, os.WriteFile(filepath.Join(home, at, "greet", "."+name[strings.LastIndex(name, "/")+1:]+".new"), []byte("hal"), 0o600))
		s := open(t, home)
		if state, files, err := s.Stands(skill); state != Older || !cmp.Equal(files, []string{name}) || err != nil {
			t.Errorf("without %s: %s %v %v", name, state, files, err)
		}
		must(t, s.Put(skill, []string{"claude"}))
		if state, _, err := s.Stands(skill); state != There || err != nil {
			t.Errorf("%s %v", state, err)
		}
	}
}

// TestWhatWasPutIsTakenAndNothingElse puts and takes in any order beside files of the
// user's own, some of which he changes: at the end the home is as he left it.
func TestWhatWasPutIsTakenAndNothingElse(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		home, err := os.MkdirTemp("", "shelf")
		must(t, err)
		defer os.RemoveAll(home)
		mine := map[string]string{}
		for _, name := range []string{".claude/settings", at + "/other/SKILL.md", at + "/greet/notes"} {
			if rapid.Bool().Draw(r, name) {
				mine[name] = "mine"
				must(t, os.MkdirAll(filepath.Dir(filepath.Join(home, name)), 0o755))
				must(t, os.WriteFile(filepath.Join(home, name), []byte("mine"), 0o600))
			}
		}
		agents := rapid.SliceOfN(rapid.SampledFrom([]string{"codex", "gemini", "opencode"}), 1, 3)
		for range rapid.IntRange(1, 4).Draw(r, "puts") {
			s := open(t, home)
			version := map[string]string{"SKILL.md": rapid.SampledFrom([]string{"one", "two"}).Draw(r, "text")}
			if rapid.Bool().Draw(r, "assets") {
				version["assets/deep/a"] = "a"
			}
			must(t, s.Put(skillOf(version), agents.Draw(r, "for")))
			must(t, s.Close())
		}
		if rapid.Bool().Draw(r, "changed") {
			mine[at+"/greet/SKILL.md"] = "mine"
			must(t, os.WriteFile(filepath.Join(home, at, "greet", "SKILL.md"), []byte("mine"), 0o600))
		}
		for _, agent := range []string{"codex", "gemini", "opencode"} {
			s := open(t, home)
			_, err := s.Take("greet", []string{agent}, false)
			must(t, err)
			must(t, s.Close())
		}
		got := tree(t, home)
		if _, changed := mine[at+"/greet/SKILL.md"]; changed { // listed, so that force can take it
			delete(got, at+"/"+listName)
		}
		if diff := cmp.Diff(mine, got); diff != "" {
			r.Error(diff)
		}
	})
}

func TestAListThatLeadsElsewhereIsRefused(t *testing.T) {
	for _, text := range []string{
		`{"skills":{"..":{"files":{}}}}`,
		`{"skills":{"a/b":{"files":{}}}}`,
		`{"skills":{"greet":{"files":{"../../x":"00"}}}}`,
		`{"skills":{"greet":{"files":{"/etc/passwd":"00"}}}}`,
		`{"skills":{"greet":{"files":{"a\\..\\b":"00"}}}}`,
		`{"skills":`,
	} {
		home := t.TempDir()
		must(t, os.MkdirAll(filepath.Join(home, at), 0o755))
		must(t, os.WriteFile(filepath.Join(home, at, listName), []byte(text), 0o600))
		if _, err := Open(home, at); starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestNothingIsReadOrWrittenThroughALinkThatLeadsOut(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links take a privilege there")
	}
	skill := skillOf(map[string]string{"SKILL.md": "one"})
	for _, link := range []string{".claude", at, at + "/greet"} {
		home, outside := t.TempDir(), t.TempDir()
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(home, link)), 0o755))
		must(t, os.Symlink(outside, filepath.Join(home, link)))
		s, err := Open(home, at)
		if err == nil {
			_, _, err = s.Stands(skill)
			if bad := s.Put(skill, nil); bad == nil {
				t.Errorf("%s: it was written", link)
			}
			must(t, s.Close())
		}
		if starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), "leads out of") {
			t.Errorf("%s: %v", link, err)
		}
		if got := tree(t, outside); len(got) > 0 {
			t.Errorf("%s: outside there is %v", link, got)
		}
	}
}

func TestADryShelfChangesNothing(t *testing.T) {
	home := t.TempDir()
	s := open(t, home)
	s.Dry = true
	must(t, s.Put(skillOf(map[string]string{"SKILL.md": "one"}), []string{"claude"}))
	if got := tree(t, home); len(got) > 0 {
		t.Errorf("there is %v", got)
	}
	s = open(t, home)
	must(t, s.Put(skillOf(map[string]string{"SKILL.md": "one"}), []string{"claude"}))
	was := tree(t, home)
	s = open(t, home)
	s.Dry = true
	if gone, err := s.Take("greet", nil, true); gone.Left != Removed || err != nil {
		t.Errorf("%+v %v", gone, err)
	}
	if diff := cmp.Diff(was, tree(t, home)); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNoSkillIsNotRead(t *testing.T) {
	for _, fsys := range []fstest.MapFS{
		{"greet/notes": {}},
		{"greet/SKILL.md": {Data: []byte("x")}, "greet/link": {Mode: fs.ModeSymlink}},
		{"greet/SKILL.md": {Data: make([]byte, mostBytes+1)}},
		{"other/SKILL.md": {}},
	} {
		if _, err := Read(fsys, "greet"); starling.KindOf(err) != starling.Invalid {
			t.Errorf("%v: %v", fsys, err)
		}
	}
	skill, err := Read(fstest.MapFS{"greet/SKILL.md": {Data: []byte("x")}, "greet/.git/config": {}, "greet/scripts/run": {Mode: 0o755}}, "greet")
	if err != nil || !skill.Files["scripts/run"].Program || len(skill.Files) != 2 {
		t.Errorf("%v %v", skill, err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), at); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a home that is not there: %v", err)
	}
}
