package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestEachTaskIsKnownByItsOwnTicket(t *testing.T) {
	all, err := plays()
	if err != nil {
		t.Fatal(err)
	}
	for name, list := range all {
		for i, p := range list {
			for j, other := range list {
				if i != j && strings.Contains(p.Task, other.Task) {
					t.Errorf("%s: %q is also known as %q", name, p.Task, other.Task)
				}
			}
		}
	}
	for _, c := range clients {
		if slices.Contains(c.Features, "delegate") {
			if r, err := c.recipe(); err != nil || r.Skills.Of == "" || (r.Skills.Read.Run == "") == (r.Skills.Read.Tool == "") {
				t.Errorf("%s: it is not said how it gets a skill: %v, %+v", c.Name, err, r.Skills)
			}
		}
	}
}

func TestALineOfTheDocumentIsFoundInASession(t *testing.T) {
	j := jobOf("document")
	if n := strings.Count(j.file, "crane"); n != 1 {
		t.Fatalf("the report speaks of the crane %d times", n)
	}
	lines := strings.Split(j.file, "\n")
	said := func(text string) []byte {
		body, err := json.Marshal(map[string]any{"messages": []any{map[string]string{"role": "user", "content": text}}})
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	for _, tt := range []struct {
		name, text string
		lines      int
	}{
		{"nothing", j.prompt(clients[0], true), 0},
		{"the answer", lines[237], 0},
		{"one line", "sed says " + lines[16] + "\nand so on", 1},
		{"all", j.file, 239},
	} {
		if got := j.within(said(tt.text)); len(got) != tt.lines {
			t.Errorf("%s: %d lines are found, not %d", tt.name, len(got), tt.lines)
		}
	}
}

func TestAReceiptOfTheJobMustSayWhoDidItAndForWhat(t *testing.T) {
	const good = `{"screen":{"class":"internal","from":["header internal"]},"plan":{"skill":"support-intent","limit_nanodollars":10000000,"reference":{"name":"premium"}},
		"response":{"model":"small","zone":"machine","simulated":true},"outcome":"answered","cost_nanodollars":10,"saved_nanodollars":90,"saved_is_estimate":true}`
	for _, tt := range []struct{ is, becomes, why string }{
		{"", "", ""},
		{`"model":"small"`, `"model":"premium"`, `by "premium"`},
		{`"zone":"machine"`, `"zone":"cloud"`, "in zone cloud"},
		{`"answered"`, `"failed"`, "was failed"},
		{`"support-intent"`, `"other"`, `the skill "other"`},
		{`"class":"internal"`, `"class":"public"`, "the class public"},
		{`"header internal"`, `"skill internal"`, `from ["skill internal"]`},
		{`10000000`, `0`, "may cost 0"},
		{`"saved_nanodollars":90`, `"saved_nanodollars":-90`, "saved -90"},
		{`"saved_is_estimate":true`, `"saved_is_estimate":false`, "estimate: false"},
		{`{"name":"premium"}`, `{}`, `against ""`},
	} {
		var r receipt
		if err := json.Unmarshal([]byte(strings.Replace(good, tt.is, tt.becomes, 1)), &r); err != nil {
			t.Fatal(err)
		}
		err := r.ofTheJob(jobOf("delegate"))
		if tt.why == "" && err != nil || tt.why != "" && (err == nil || !strings.Contains(err.Error(), tt.why)) {
			t.Errorf("%s: %v", tt.becomes, err)
		}
	}
}
