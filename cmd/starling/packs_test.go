package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"starling"
	"starling/internal/catalog"
	"starling/internal/skill"
	"starling/skills"
)

var renew = flag.Bool("renew", false, "write the README's table of skills anew")

// ours stand for open and premium where a price is told of somebody who has configured
// neither. Small and the student run on the user's own machine, for its electricity.
var ours = []struct{ alias, vendor, model string }{
	{"open", "groq", "openai/gpt-oss-120b"},
	{"premium", "anthropic", "claude-opus-4-8"},
}

// TestTheReadmesTableOfSkillsIsTrue makes each row anew but for the words in its second
// column, and compares. Written with:
//
//	go test ./cmd/starling -run TableOfSkills -renew
func TestTheReadmesTableOfSkillsIsTrue(t *testing.T) {
	file := filepath.Join(root, "README.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range ours {
		if id := o.vendor + "/" + o.model; !strings.Contains(string(text), "`"+id+"`") {
			t.Errorf("the README does not say that its prices are those of %s", id)
		}
	}
	set, err := skill.LoadAll(skills.Packs)
	if err != nil {
		t.Fatal(err)
	}
	is := string(text)
	for _, name := range set.Names() {
		s, _ := set.Find(name)
		row := regexp.MustCompile(`(?m)^\| \[` + name + `\]\(.*$`)
		was := strings.Split(row.FindString(is), "|")
		if len(was) != 6 || len(was[2]) < 10 {
			t.Fatalf("the README has no row of four cells that says what %s is for: %q", name, was)
		}
		is = row.ReplaceAllLiteralString(is, fmt.Sprintf("| [%s](skills/%s) | %s | %s | %s |", name, name, strings.TrimSpace(was[2]), costs(t, s), verified(s)))
	}
	if is == string(text) {
		return
	}
	if !*renew {
		t.Error("the table of skills in the README is not what the packs and the catalog say: go test ./cmd/starling -run TableOfSkills -renew")
		return
	}
	if err := os.WriteFile(file, []byte(is), 0o600); err != nil {
		t.Fatal(err)
	}
}

// costs says what 1,000 requests cost, of the mean size of the skill's cases: the prompt
// and the input are read, the ideal answer is written, and nothing is thought or cached.
func costs(t *testing.T, s *skill.Skill) string {
	t.Helper()
	var cells []string
	for _, o := range ours {
		row, ok := catalog.Embedded().Find(o.vendor, o.model)
		if !ok || !row.Price.Known() {
			t.Fatalf("the catalog has no price of %s/%s", o.vendor, o.model)
		}
		m := row.Fill()
		var sum starling.Money
		n := int64(0)
		for c, err := range skill.Cases(skills.Packs, s.Dir) {
			if err != nil {
				t.Fatal(err)
			}
			read := tokensOf(t, m, saidBy("system", s.Rubric.Prompt), saidBy("user", c.Input))
			written := tokensOf(t, m, saidBy("user", c.Answer)) - tokensOf(t, m, saidBy("user", ""))
			sum, n = sum.Plus(row.Price.Amount(starling.Usage{Input: read, Output: written}, 0)), n+1
		}
		cells = append(cells, fmt.Sprintf("$%.2f", float64(sum)/float64(n)*1000/float64(starling.Dollar)))
	}
	return strings.Join(cells, " / ")
}

// verified says of a skill's verifiers what a person would.
func verified(s *skill.Skill) string {
	var all []string
	for _, v := range s.Rubric.Verify {
		switch v.Kind {
		case "label":
			all = append(all, fmt.Sprintf("it is one of %d labels", len(v.Values)))
		case "schema":
			all = append(all, "JSON Schema")
		case "arithmetic":
			if v.Equations {
				all = append(all, "every equation holds")
			}
			if len(v.Sums) > 0 {
				all = append(all, "exact sums")
			}
		case "pattern":
			if v.Quoted != "" {
				all = append(all, "what is cited was given")
			}
			if len(v.Must) > 0 {
				all = append(all, "opening and close")
			}
			if len(v.MustNot) > 0 {
				all = append(all, "words that must not be")
			}
			if v.MinWords+v.MaxWords > 0 {
				all = append(all, "length")
			}
		default:
			all = append(all, v.Kind)
		}
	}
	return strings.Join(all, ", ")
}
