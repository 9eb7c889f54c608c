package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"starling/internal/skill"
	"starling/internal/verify"
)

// blocks returns the fenced blocks of a language in a document of docs/.
func blocks(t *testing.T, doc, language string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", doc))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		out = append(out, m[1])
	}
	if len(out) == 0 {
		t.Fatalf("%s has no %s blocks", doc, language)
	}
	return out
}

func TestTheConfigurationInTheDocumentIsAConfiguration(t *testing.T) {
	key := filepath.Join(t.TempDir(), "vllm.key")
	if err := os.WriteFile(key, []byte("a-key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, block := range blocks(t, "configuration.md", "yaml") {
		file := filepath.Join(t.TempDir(), "starling.yaml")
		block = strings.Replace(block, "/etc/starling/vllm.key", key, 1)
		block = strings.Replace(block, "  ollama:                       # a local server", "  ollama:\n    models: [\"qwen3:0.6b\"]  # a local server", 1)
		if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := loadConfig(file)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := build(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer parts.close()
		for _, alias := range []string{"small", "open", "premium"} {
			if _, ok := parts.directory.Find(alias); !ok {
				t.Errorf("alias %s leads nowhere", alias)
			}
		}
	}
}

func TestTheRubricAndTheCaseInTheSpecificationAreSuch(t *testing.T) {
	fsys := fstest.MapFS{
		"doc/SKILL.md":    {Data: []byte("---\nname: doc\ndescription: The example of the specification.\n---\n")},
		"doc/rubric.yaml": {Data: []byte(blocks(t, "spec/rubric.md", "yaml")[0])},
		"doc/cases.jsonl": {Data: []byte(blocks(t, "spec/rubric.md", "json")[0])},
	}
	set, err := skill.LoadAll(fsys)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := set.Find("doc")
	verifiers, err := verify.ForSkill(s)
	if err != nil {
		t.Fatal(err)
	}
	for c, err := range skill.Cases(fsys, "doc") {
		if err != nil {
			t.Fatal(err)
		}
		if ok, why, err := verify.Grade(t.Context(), c, s.Rubric.Grade, c.Answer, verifiers); !ok || err != nil {
			t.Errorf("the ideal answer does not pass: %s, %v", why, err)
		}
	}
}
