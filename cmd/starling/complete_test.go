package main

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"starling"
	"starling/internal/cascade"
	"starling/internal/evidence"
	"starling/internal/privacy"
	"starling/internal/route"
	"starling/internal/serve"
	"starling/internal/skill"
	"starling/internal/verify"
)

// everything is a rubric that says all that one can say.
const everything = `version: 1
reference: premium
candidates: [{model: small, probability: 0.8, confidence: logprob}, {model: open, skip_verify: true}, premium]
bar: {pass: 0.9, confidence: 0.95, valid: 240h, unproven: verified}
order: cost
class: public
budget: {request: $0.01, day: $2, month: $20}
latency: 10s
audit: 0.02
prompt: Say a or b.
verify:
  - {kind: label, values: [a, b], at: answer.label, fence: true}
  - {kind: label, values: [a, b], fold: true}
  - {kind: schema, schema: {type: object}, fence: true}
  - {kind: schema, file: assets/s.json}
  - {kind: pattern, must: ['a'], must_not: ['!'], min_words: 1, max_words: 9, max_chars: 80, quoted: '(a)'}
  - {kind: arithmetic, equations: true, sums: [{total: t, parts: [a, b]}]}
  - {kind: agreement, prompt: Choose a or b., model: open}
  - {kind: judge, model: open, criteria: It is true.}
rules:
  - {when: request.stream, candidates: [open, {model: premium, skip_verify: true}], why: it is waited for}
  - {when: request.tools, refuse: true, why: no tools}
grade: [label, json]
`

// leaves calls touch for each thing that a value says, after it has been made to say
// another, and undoes that.
func leaves(v reflect.Value, path string, touch func(path string)) {
	set := func(to any) {
		was := reflect.New(v.Type()).Elem()
		was.Set(v)
		v.Set(reflect.ValueOf(to).Convert(v.Type()))
		touch(path)
		v.Set(was)
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				leaves(v.Field(i), path+"."+f.Name, touch)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			leaves(v.Index(i), fmt.Sprintf("%s[%d]", path, i), touch)
		}
		if v.Len() > 0 {
			set(v.Slice(0, v.Len()-1).Interface())
		}
	case reflect.String:
		switch {
		case v.String() == "": // another kind's
		case strings.HasSuffix(path, ".Unproven"):
			set(skill.Climb)
		case strings.HasSuffix(path, ".Order"):
			set(skill.Listed)
		case strings.HasSuffix(path, ".Class"):
			set("internal")
		default:
			set(v.String() + "x")
		}
	case reflect.Bool:
		if v.Bool() || !strings.Contains(path, ".Verify[") && !strings.HasSuffix(path, ".Refuse") { // a verifier's, which another kind may have
			set(!v.Bool())
		}
	case reflect.Int, reflect.Int64:
		if v.Int() > 0 {
			set(v.Int() + 1)
		}
	case reflect.Float64:
		if v.Float() > 0 {
			set(v.Float() * 0.9)
		}
	}
}

// TestEverythingThatARubricSaysIsOnThePageAndInTheDifference changes one thing at a time.
func TestEverythingThatARubricSaysIsOnThePageAndInTheDifference(t *testing.T) {
	set, err := skill.LoadAll(fstest.MapFS{
		"test/SKILL.md":      {Data: []byte("---\nname: test\ndescription: Says everything. Use it in tests.\n---\n")},
		"test/rubric.yaml":   {Data: []byte(everything)},
		"test/assets/s.json": {Data: []byte("{}")},
	})
	if err != nil {
		t.Fatal(err)
	}
	loaded, _ := set.Find("test")
	verifiers, err := verify.ForSkill(loaded)
	if err != nil {
		t.Fatal(err)
	}
	var models []starling.Model
	for _, name := range []string{"small", "open", "premium"} {
		models = append(models, starling.Model{Provider: "p", Name: name, Zone: starling.Machine, Dialect: starling.OpenAI, Price: starling.Price{Free: true}})
	}
	directory, err := route.NewDirectory(models, nil)
	if err != nil {
		t.Fatal(err)
	}

	insight := &route.Insight{}
	insight.Take(route.FindingsOf(map[string]route.Finding{"test": {Rubric: loaded.Hash, Guard: route.Guard{On: true}}}))
	c := &cascade.Cascade{Policy: &privacy.Policy{}, Router: &route.Router{Directory: directory, Skills: set, Board: evidence.NewBoard(), Insight: insight, Verifiers: map[string][]starling.Verifier{"test": verifiers}}}
	print := func() string {
		sheet, err := serve.SheetOf(c, loaded)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := showSkill(&b, &shown{"a test", sheet}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	before, page := (&edition{Skill: loaded}).traits(), print()
	touched := 0
	leaves(reflect.ValueOf(&loaded.Rubric).Elem(), "", func(path string) {
		if path == ".Version" || strings.HasSuffix(path, "].Kind") {
			return
		}
		touched++
		if print() == page {
			t.Errorf("%s is not on the page", path)
		}
		if reflect.DeepEqual((&edition{Skill: loaded}).traits(), before) {
			t.Errorf("%s is no difference", path)
		}
	})
	if touched < 60 || print() != page {
		t.Errorf("%d things were touched:\n%s", touched, page)
	}
}

func TestTextsAreComparedByTheirLines(t *testing.T) {
	for _, c := range []struct{ was, is, want string }{
		{"a b c", "a b c", ""},
		{"a b c", "a c", "-b"},
		{"a c", "a b c", "+b"},
		{"a b c d", "b x d e", "-a -c +x +e"},
		{"", "a", "+a"},
		{"a b a b", "b a b a", "-a +a"},
	} {
		if got := strings.Join(between(strings.Fields(c.was), strings.Fields(c.is)), " "); got != c.want {
			t.Errorf("from %q to %q it is %q, want %q", c.was, c.is, got, c.want)
		}
	}
	long := slices.Repeat([]string{"a", "b"}, 2000)
	if got := between(append([]string{"x"}, long...), append(slices.Clone(long), "y")); len(got) != 2*len(long)+2 {
		t.Errorf("of a long text %d lines differ", len(got))
	}
}
