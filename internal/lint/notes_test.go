package lint

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"testing"
	"testing/fstest"

	"starling/internal/evidence"
	"starling/internal/skill"
)

func TestAPatternThatEveryTextMatchesIsKnown(t *testing.T) {
	for pattern, want := range map[string]bool{
		"x*": true, "(a|b?)": true, "(?:x{0,3}y*)+": true, "": true,
		"x": false, "^": false, `\b`: false, "^x*$": false, "x*y": false, "(a|b)": false, "x+": false,
	} {
		re, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		if got := empty(re); got != want {
			t.Errorf("%q: %v", pattern, got)
		}
	}
}

func TestABarSaysHowManyCasesItNeeds(t *testing.T) {
	for _, c := range []struct {
		name  string
		bar   skill.Bar
		cases int
		want  int
	}{
		{"no bar", skill.Bar{}, 0, 0},
		{"95 % at 95 %", skill.Bar{Pass: 0.95, Confidence: 0.95}, 0, 59},
		{"some are there", skill.Bar{Pass: 0.95, Confidence: 0.95}, 50, 9},
		{"enough are there", skill.Bar{Pass: 0.9, Confidence: 0.9}, 70, 0},
		{"all of them", skill.Bar{Pass: 1, Confidence: 0.9}, 70, evidence.Never},
		{"a margin of all there is", skill.Bar{Margin: 0.9, Confidence: 0.9}, 1000, 0},
	} {
		if got := Needs(c.bar, c.cases); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestABodyThatIsTooLongIsNotedWhereItIsTooLong(t *testing.T) {
	head := "---\nname: it\ndescription: d\n---\n"
	for lines, want := range map[int]int{499: 0, 500: 1} {
		files := fstest.MapFS{"it/SKILL.md": {Data: []byte(head + strings.Repeat("x\n", lines))}}
		found := Skill(t.Context(), files, "it", World{})
		if !found.Plain || found.Failed() || len(found.Findings) != want {
			t.Errorf("%d lines: %+v", lines, found)
		}
		if want == 1 && found.Findings[0].Line != 504 {
			t.Errorf("%+v", found.Findings[0])
		}
	}
}

func TestEveryNameOfAModelIsLookedUp(t *testing.T) {
	files := fstest.MapFS{
		"it/SKILL.md": {Data: []byte("---\nname: it\ndescription: d\n---\n")},
		"it/rubric.yaml": {Data: []byte(`version: 1
candidates: [one, known]
reference: two
rules: [{when: request.stream, candidates: [three], why: w}]
verify: [{kind: judge, model: four, criteria: c}]
split: {readers: [known, five]}
`)},
	}
	found := Skill(t.Context(), files, "it", World{Offers: func(model string) bool { return model == "known" }})
	var at []string
	for _, f := range found.Findings {
		if name, is := strings.CutPrefix(f.Text, "nobody offers "); is {
			at = append(at, fmt.Sprintf("%d:%d %s", f.Line, f.Column, name))
		}
	}
	if got := fmt.Sprint(at); got != `[2:14 "one" 3:12 "two" 4:45 "three" 5:31 "four" 6:26 "five"]` {
		t.Errorf("%s: %+v", got, found.Findings)
	}
}
