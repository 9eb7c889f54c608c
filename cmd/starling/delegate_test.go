package main

import (
	"encoding/json"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"starling"
	"starling/internal/catalog"
	"starling/internal/tokens"
	"starling/internal/wire"
	"starling/skills"
)

// delegateText is the skill's front matter and body.
func delegateText(t *testing.T) (front, body string) {
	t.Helper()
	text, err := fs.ReadFile(skills.Packs, delegate+"/SKILL.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(string(text), "---\n", 3)
	if len(parts) != 3 || parts[0] != "" {
		t.Fatalf("it has no front matter: %.100q", text)
	}
	return parts[1], parts[2]
}

// tokensOf is how many tokens a text has by our own tokenizer, as a message for a model.
func tokensOf(t *testing.T, m starling.Model, messages ...map[string]string) int64 {
	t.Helper()
	body, err := json.Marshal(map[string]any{"model": "m", "messages": messages})
	if err != nil {
		t.Fatal(err)
	}
	r, err := wire.Parse(starling.OpenAI, body)
	if err != nil {
		t.Fatal(err)
	}
	return tokens.Ours(&r, m, nil)
}

func saidBy(role, text string) map[string]string {
	return map[string]string{"role": role, "content": text}
}

// TestTheDelegateSkillCostsLittleUntilItIsUsedAndLittleThen counts all of the front
// matter, which is more than clients show of a skill: its name and its description.
func TestTheDelegateSkillCostsLittleUntilItIsUsedAndLittleThen(t *testing.T) {
	front, body := delegateText(t)
	unused, used := tokensOf(t, starling.Model{}, saidBy("system", front)), tokensOf(t, starling.Model{}, saidBy("user", front+body))
	t.Logf("%d tokens until it is used, %d when it is", unused, used)
	if unused > 300 || used >= 3000 {
		t.Errorf("%d tokens until it is used, of 300; %d when it is, of 3000", unused, used)
	}
}

// TestTheDelegateSkillNamesNoModelAndNoPrice holds it to what the rubric says alone:
// prices and names change, and a skill that lies around in projects does not.
func TestTheDelegateSkillNamesNoModelAndNoPrice(t *testing.T) {
	front, body := delegateText(t)
	words := regexp.MustCompile(`[a-z0-9][a-z0-9._:/-]*`).FindAllString(strings.ToLower(front+body), -1)
	named := func(name string) bool { return slices.Contains(words, strings.ToLower(name)) }
	names := 0
	for _, v := range catalog.Vendors() {
		if named(v.Name) {
			t.Errorf("it names the vendor %s", v.Name)
		}
		for row := range catalog.Embedded().Vendor(v.Catalog) {
			if base := path.Base(row.Model); strings.ContainsAny(base, "0123456789-") && named(base) {
				t.Errorf("it names the model %s", row.Model)
			}
			names++
		}
	}
	if names < 100 {
		t.Fatalf("only %d models are known", names)
	}
	for _, family := range []string{"claude", "gpt", "gemini", "qwen", "llama", "mistral", "opus", "sonnet", "haiku", "deepseek"} {
		if named(family) {
			t.Errorf("it names the family %s", family)
		}
	}
	if found := regexp.MustCompile(`[$€£]\s?\d|\d\s?(dollars|cents?|USD|EUR)\b|\d\s?%`).FindString(front + body); found != "" {
		t.Errorf("it states an amount: %q", found)
	}
}

// TestTheDelegateSkillSaysWhatToDoOnEveryExitCode compares its table with the program's.
func TestTheDelegateSkillSaysWhatToDoOnEveryExitCode(t *testing.T) {
	_, body := delegateText(t)
	var told []int
	for _, row := range regexp.MustCompile(`(?m)^\| ([0-9, ]+) \|`).FindAllStringSubmatch(body, -1) {
		for code := range strings.SplitSeq(row[1], ", ") {
			n, err := strconv.Atoi(code)
			if err != nil {
				t.Fatal(err)
			}
			told = append(told, n)
		}
	}
	want := []int{0, exitUsage}
	for _, code := range exitCodes {
		want = append(want, code)
	}
	slices.Sort(told)
	slices.Sort(want)
	if !slices.Equal(told, want) {
		t.Errorf("it speaks of %v, the codes are %v", told, want)
	}
}
