package skill

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"starling"
	"starling/internal/strict"
)

var update = flag.Bool("update", false, "write golden files anew")

const minimal = "version: 1\ncandidates: [small, premium]\n"

func manifestOf(name string) string {
	return "---\nname: " + name + "\ndescription: What it does and when to use it.\n---\n\n# Body\n"
}

// one makes a file system with one skill called "it".
func one(rubric string) fstest.MapFS {
	return fstest.MapFS{
		"it/SKILL.md":             {Data: []byte(manifestOf("it"))},
		"it/rubric.yaml":          {Data: []byte(rubric)},
		"it/assets/a.schema.json": {Data: []byte(`{"type": "object"}`)},
	}
}

const full = `version: 1
reference: premium
candidates: [small, {model: open, skip_verify: true, probability: 0.8, confidence: logprob}, openai/gpt]
bar: {pass: 0.95, confidence: 0.9, valid: 720h, unproven: climb}
class: internal
budget: {request: $0.01, day: 5, month: 50.50}
latency: 1.5s
audit: 0.02
keep: true
prompt: |
  Answer.
verify:
  - {kind: label, values: [a, b], fold: true, at: x.y}
  - {kind: schema, file: assets/a.schema.json, fence: true}
  - {kind: schema, schema: {type: object}}
  - {kind: pattern, must: ['^x'], must_not: [y], min_words: 1, max_words: 2, max_chars: 3, quoted: '\[(K-\d+)\]'}
  - {kind: arithmetic, equations: true, sums: [{total: net, parts: "lines.#.amount"}, {total: total, parts: [net, vat]}]}
  - {kind: agreement, prompt: Say it., model: open}
  - {kind: judge, model: premium, criteria: It is polite.}
split: {readers: [small, open], chunk: 1000, overlap: 50, least: 4000, most: 32}
rules:
  - {when: request.input_bytes > 20000, candidates: [open, premium], why: long}
  - {when: class == "restricted", refuse: true, why: secret}
grade: [label, verified]
`

func TestARubricIsReadToTheLastField(t *testing.T) {
	s, err := Load(one(full), "it")
	if err != nil {
		t.Fatal(err)
	}
	open := Candidate{Model: "open", SkipVerify: true, Probability: 0.8, Confidence: ByLogprob}
	want := Rubric{
		Version: 1, Reference: "premium",
		Candidates: []Candidate{{Model: "small"}, open, {Model: "openai/gpt"}},
		Bar:        Bar{Pass: 0.95, Confidence: 0.9, Valid: 720 * time.Hour, Unproven: "climb"},
		Class:      "internal",
		Budget:     Budget{Request: starling.Dollar / 100, Day: 5 * starling.Dollar, Month: 50*starling.Dollar + starling.Dollar/2},
		Latency:    1500 * time.Millisecond,
		Audit:      0.02,
		Keep:       true,
		Prompt:     "Answer.\n",
		Verify: []VerifySpec{
			{Kind: "label", Values: []string{"a", "b"}, Fold: true, At: "x.y"},
			{Kind: "schema", File: "assets/a.schema.json", Fence: true},
			{Kind: "schema"},
			{Kind: "pattern", Must: []string{"^x"}, MustNot: []string{"y"}, MinWords: 1, MaxWords: 2, MaxChars: 3, Quoted: `\[(K-\d+)\]`},
			{Kind: "arithmetic", Equations: true, Sums: []Sum{{Total: "net", Parts: []string{"lines.#.amount"}}, {Total: "total", Parts: []string{"net", "vat"}}}},
			{Kind: "agreement", Prompt: "Say it.", Model: "open"},
			{Kind: "judge", Model: "premium", Criteria: "It is polite."},
		},
		Split: &Split{Readers: []string{"small", "open"}, Chunk: 1000, Overlap: 50, Least: 4000, Most: 32},
		Rules: []Rule{
			{When: "request.input_bytes > 20000", Candidates: []Candidate{open, {Model: "premium"}}, Why: "long"},
			{When: `class == "restricted"`, Refuse: true, Why: "secret"},
		},
		Grade: []string{"label", "verified"},
	}
	if diff := cmp.Diff(want, s.Rubric, cmpopts.IgnoreUnexported(Rule{}), cmpopts.IgnoreTypes(&strict.Schema{})); diff != "" {
		t.Error(diff)
	}
	for i := 1; i < 3; i++ {
		if broken, err := s.Rubric.Verify[i].Schema.Check([]any{}); err != nil || broken != "/type" {
			t.Errorf("schema %d: %q, %v", i, broken, err)
		}
	}
}

func TestEveryProblemOfARubricIsNamedWithItsPlace(t *testing.T) {
	file := filepath.Join("testdata", "invalid.txtar")
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	golden := map[string]string{}
	var rubrics []txtar.File
	for _, f := range archive.Files {
		if name, ok := strings.CutSuffix(f.Name, ".txt"); ok {
			golden[name] = string(f.Data)
		} else {
			rubrics = append(rubrics, f)
		}
	}
	if len(rubrics) < 20 {
		t.Fatalf("only %d rubrics", len(rubrics))
	}
	fresh := &txtar.Archive{Comment: archive.Comment}
	for _, f := range rubrics {
		_, err := Load(one(string(f.Data)), "it")
		if starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		name := strings.TrimSuffix(f.Name, ".yaml")
		got := err.Error() + "\n"
		fresh.Files = append(fresh.Files, f, txtar.File{Name: name + ".txt", Data: []byte(got)})
		if diff := cmp.Diff(golden[name], got); diff != "" && !*update {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAManifestFollowsTheAgentSkillsSpecification(t *testing.T) {
	long := strings.Repeat("x", 1025)
	for _, c := range []struct{ name, manifest, want string }{
		{"it is valid", manifestOf("it"), ""},
		{"every optional key", "---\nname: it\ndescription: d\nlicense: Apache-2.0\ncompatibility: any\nmetadata: {a: b}\nallowed-tools: Read Bash(git:*)\n---\n", ""},
		{"lines end with CR LF", "---\r\nname: it\r\ndescription: d\r\n---\r\n", ""},
		{"it begins with a byte order mark", "\ufeff---\nname: it\ndescription: d\n---", ""},
		{"no front matter", "# It\n", "it/SKILL.md:1:1: there is no front matter (begin with a line --- and end the front matter with another)"},
		{"front matter without end", "---\nname: it\n", "it/SKILL.md:1:1: the front matter does not end (end it with a line ---)"},
		{"another name than the folder's", manifestOf("other"), `it/SKILL.md:2:7: name "other" is not the name of the folder, "it" (rename one of them)`},
		{"upper case", manifestOf("It"), "it/SKILL.md:2:7: the text has the wrong form (1 to 64 lower-case letters, digits and single hyphens between them, as the folder is called)"},
		{"two hyphens", manifestOf("i--t"), "it/SKILL.md:2:7: the text has the wrong form (1 to 64 lower-case letters, digits and single hyphens between them, as the folder is called)"},
		{"no description", "---\nname: it\n---\n", `it/SKILL.md:2:1: missing key "description"`},
		{"a blank description", "---\nname: it\ndescription: \" \"\n---\n", "it/SKILL.md:3:14: the text has the wrong form (say in at most 1024 characters what it does and when to use it)"},
		{"a long description", "---\nname: it\ndescription: " + long + "\n---\n", "it/SKILL.md:3:14: must have at most 1024 characters, has 1025 (say in at most 1024 characters what it does and when to use it)"},
		{"a key of somebody else's", "---\nname: it\ndescription: d\nversion: \"1\"\n---\n", `it/SKILL.md:4:1: unknown key "version" (known: allowed-tools, compatibility, description, license, metadata, name)`},
		{"metadata that is no text", "---\nname: it\ndescription: d\nmetadata: {version: 1}\n---\n", "it/SKILL.md:4:21: expected text, got a number (put it in quotes)"},
	} {
		files := one(minimal)
		files["it/SKILL.md"] = &fstest.MapFile{Data: []byte(c.manifest)}
		_, err := Load(files, "it")
		got := ""
		if err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestABrokenSkillHidesNoOther(t *testing.T) {
	files := one(minimal)
	files["broken/SKILL.md"] = &fstest.MapFile{Data: []byte(manifestOf("broken"))}
	files["broken/rubric.yaml"] = &fstest.MapFile{Data: []byte("version: 1\n")}
	files["headless/rubric.yaml"] = &fstest.MapFile{Data: []byte(minimal)}
	files["plain/SKILL.md"] = &fstest.MapFile{Data: []byte("anything")}
	files["README.md"] = &fstest.MapFile{Data: []byte("no skill")}
	files[".git/SKILL.md"] = &fstest.MapFile{Data: []byte("hidden")}
	files["notes/todo.txt"] = &fstest.MapFile{Data: []byte("no skill")}

	set, err := LoadAll(files)
	want := `broken/rubric.yaml:1:1: missing key "candidates"
headless/SKILL.md: cannot be read (file does not exist)`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"it"}, set.Names()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"plain"}, set.Plain()); diff != "" {
		t.Error(diff)
	}
	if _, ok := set.Find("broken"); ok {
		t.Error("a broken skill is found")
	}
}

func TestANilSetIsEmpty(t *testing.T) {
	var set *Set
	if _, ok := set.Find("it"); ok || len(set.Names()) > 0 || len(set.Plain()) > 0 {
		t.Error("it is not")
	}
}

func TestAFolderThatCannotBeListedIsAnError(t *testing.T) {
	set, err := LoadAll(os.DirFS(filepath.Join(t.TempDir(), "none")))
	if set != nil || starling.KindOf(err) != starling.Invalid {
		t.Errorf("%v, %v", set, err)
	}
}

func TestTheHashIsOfWhatDecides(t *testing.T) {
	base, err := Load(one(minimal), "it")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, file string
		differs    bool
	}{
		{"the rubric", "it/rubric.yaml", true},
		{"the manifest", "it/SKILL.md", true},
		{"an asset", "it/assets/a.schema.json", true},
		{"a new asset", "it/assets/deep/b.json", true},
		{"cases", "it/cases.jsonl", false},
		{"a hidden file", "it/assets/.swp", false},
	} {
		files := one(minimal)
		var old []byte
		if f := files[c.file]; f != nil {
			old = f.Data
		}
		files[c.file] = &fstest.MapFile{Data: append(old, '\n')}
		s, err := Load(files, "it")
		if err != nil {
			t.Fatal(err)
		}
		if (s.Hash != base.Hash) != c.differs {
			t.Errorf("%s: hash %s, was %s", c.name, s.Hash, base.Hash)
		}
	}
	const want = "65bcde705437ef3f2d55f5bc81ef83ecb821f2ccb9fdc56782015f568511ddd7" // by sha256sum
	if base.Hash != want {
		t.Errorf("hash %s, want %s", base.Hash, want)
	}
}

func TestFilesThatAreTooLargeAreRefused(t *testing.T) {
	files := one(minimal)
	files["it/assets/big.json"] = &fstest.MapFile{Data: make([]byte, maxFile+1)}
	if _, err := Load(files, "it"); err == nil || !strings.Contains(err.Error(), "it/assets/big.json: cannot be read (it has more than 1048576 bytes)") {
		t.Errorf("%v", err)
	}
	files = one(minimal)
	for i := range 17 {
		files["it/assets/"+string(rune('b'+i))] = &fstest.MapFile{Data: make([]byte, maxFile)}
	}
	if _, err := Load(files, "it"); err == nil || !strings.Contains(err.Error(), "bytes of assets") {
		t.Errorf("%v", err)
	}
}
