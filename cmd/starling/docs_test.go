package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"starling"
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

// nobody is an address at which nobody answers.
const nobody = "http://127.0.0.1:9/v1"

// anOllama stands in for a local server that has one model loaded.
func anOllama(t *testing.T, model string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"models":[{"name":%[1]q,"model":%[1]q}]}`, model)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/v1"
}

// documented writes the configuration of docs/configuration.md into a folder. It
// changes two places alone: where the key file is, since /etc is not ours, and
// where Ollama is, since one that happens to run here must not answer for the
// document.
func documented(t *testing.T, dir, ollama string) (file string) {
	t.Helper()
	block := blocks(t, "configuration.md", "yaml")[0]
	key := filepath.Join(dir, "vllm.key")
	for was, is := range map[string]string{"/etc/starling/vllm.key": key, "    watts: 45\n": "    watts: 45\n    url: " + ollama + "\n"} {
		if strings.Count(block, was) != 1 {
			t.Fatalf("the document does not say %q once", was)
		}
		block = strings.Replace(block, was, is, 1)
	}
	file = filepath.Join(dir, "starling.yaml")
	for name, content := range map[string]string{key: "not-a-real-key\n", file: block} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

// TestTheConfigurationInTheDocumentIsAConfiguration holds with Ollama running, and
// without: then its alias waits.
func TestTheConfigurationInTheDocumentIsAConfiguration(t *testing.T) {
	for _, c := range []struct{ ollama, waits string }{{anOllama(t, "qwen3:0.6b"), ""}, {nobody, "ollama"}} {
		cfg, err := loadConfig(documented(t, t.TempDir(), c.ollama))
		if err != nil {
			t.Fatal(err)
		}
		parts, err := build(t.Context(), cfg, t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer parts.close()
		if e := parts.embedder; e == nil || e.Model.ID() != "office-vllm/bge-m3" || !e.Model.Price.Known() {
			t.Errorf("the embedding model is %+v", e)
		}
		for _, alias := range []string{"small", "open", "premium"} {
			waits := ""
			if alias == "small" {
				waits = c.waits
			}
			if _, ok := parts.directory.Find(alias); ok != (waits == "") || strings.Join(parts.directory.Awaits(alias), " ") != waits {
				t.Errorf("alias %s leads to a model: %v; it should wait for %q", alias, ok, waits)
			}
		}
		if warned := strings.Contains(strings.Join(parts.warnings, "\n"), "alias small"); warned != (c.waits != "") {
			t.Errorf("warns %q", parts.warnings)
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

// TestTheModelsOfThisMachineInTheDocumentAreConfigured holds without any that are kept.
func TestTheModelsOfThisMachineInTheDocumentAreConfigured(t *testing.T) {
	file := filepath.Join(t.TempDir(), "starling.yaml")
	if err := os.WriteFile(file, []byte(blocks(t, "configuration.md", "yaml")[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := loadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	want := Local{
		Models: []string{"Qwen/Qwen3-0.6B-GGUF:Q4_0"}, Adapters: []Adapter{{"support", "Qwen/Qwen3-0.6B-GGUF:Q4_0", filepath.Join(filepath.Dir(file), "support.gguf"), 1}}, Context: 4096, Sequences: 2, Threads: 4, Cache: "f16", Reserve: 512, Keep: 30 * time.Minute,
		Watts: "15", PerKWh: starling.Dollar * 30 / 100, MaxCelsius: 85, Hours: "22:00-06:00",
	}
	if !reflect.DeepEqual(cfg.Local, want) {
		t.Errorf("%+v, want %+v", cfg.Local, want)
	}
	if _, err := openRung(cfg, t.TempDir(), nil); starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), "starling model pull") {
		t.Errorf("a model that is not kept: %v", err)
	}
}
