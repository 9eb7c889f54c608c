package verify

import (
	"strings"
	"testing"

	"starling"
	"starling/internal/skill"
)

func TestAnAnswerIsComparedAsTheRubricGrades(t *testing.T) {
	labels := skill.VerifySpec{Kind: "label", Values: []string{"Billing", "other"}, Fold: true}
	field := skill.VerifySpec{Kind: "label", Values: []string{"yes", "no"}, At: "kind", Fence: true}
	for _, c := range []struct {
		name                 string
		how                  string
		verify               []skill.VerifySpec
		candidate, reference string
		why                  string // "" they are the same; "!" begins why the reference cannot be read
	}{
		{"the same label", "label", []skill.VerifySpec{labels}, " billing\n", "Billing", ""},
		{"another label", "label", []skill.VerifySpec{labels}, "other", "Billing", "the label is another"},
		{"no label at all", "label", []skill.VerifySpec{labels}, "I think billing", "Billing", "the label is another"},
		{"a reference that says none of them", "label", []skill.VerifySpec{labels}, "other", "It is billing.", "!it is none of the labels"},
		{"without a verifier the text is the label", "label", nil, "a b", " a b ", ""},
		{"a label in JSON", "label", []skill.VerifySpec{field}, `{"kind":"yes","why":"so"}`, "```json\n{\"kind\":\"yes\"}\n```", ""},
		{"a reference that is no JSON", "label", []skill.VerifySpec{field}, `{"kind":"yes"}`, "yes", "!the answer is not one JSON value"},
		{"a candidate that is none", "label", []skill.VerifySpec{field}, "yes", `{"kind":"yes"}`, "the answer is not one JSON value and nothing else"},
		{"the same JSON, numbers as decimals", "json", nil, `{"b":[1.50,{"c":null}],"a":1e1}`, `{"a":10,"b":[1.5,{"c":null}]}`, ""},
		{"one leaf is another", "json", nil, `{"a":10,"b":"x"}`, `{"a":10,"b":"y"}`, "the JSON differs"},
		{"one leaf is missing", "json", nil, `{"a":10}`, `{"a":10,"b":1}`, "the JSON differs"},
		{"the same last number", "number", nil, "12 + 3 = 15.", "It is 15.00", ""},
		{"another number", "number", nil, "15", "15.01", "the last number is another"},
		{"none", "number", nil, "many", "15", "there is no number"},
		{"a reference without one", "number", nil, "15", "many", "!there is no number"},
		{"the same sources", "cites", nil, "a [KB-2], b [KB-1]", "c [KB-1, KB-2]", ""},
		{"one too few", "cites", nil, "a [KB-2]", "c [KB-1, KB-2]", "other sources are cited"},
		{"no source on either side", "cites", nil, "I do not know.", "Nobody knows.", ""},
		{"what cannot be compared does not count beside what can", "contains cites verified", nil, "a [KB-2]", "b [KB-2]", ""},
		{"all that can be compared counts", "number cites", nil, "15 [KB-2]", "the price [KB-2] is 15", "the last number is another"},
		{"an empty answer is another", "cites", nil, " ", "Nobody knows.", "the answer is empty"},
		{"an empty reference is none", "cites", nil, "a [KB-2]", " ", "!it is empty or a refusal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			verifiers, err := ForSkill(&skill.Skill{Rubric: skill.Rubric{Verify: c.verify}})
			if err != nil {
				t.Fatal(err)
			}
			same, why, err := Compare(strings.Fields(c.how), &starling.Answer{Text: c.candidate}, &starling.Answer{Text: c.reference, Finish: starling.Stopped}, verifiers)
			if bad, cannot := strings.CutPrefix(c.why, "!"); cannot {
				if starling.KindOf(err) != starling.Refused || !strings.Contains(err.Error(), bad) || same || why != "" {
					t.Fatalf("%v, %q, %v", same, why, err)
				}
				return
			}
			if err != nil || same != (c.why == "") || why != c.why {
				t.Errorf("%v, %q, %v; want %q", same, why, err, c.why)
			}
		})
	}
}

func TestWhatOnlyPeopleCanCompareIsAnError(t *testing.T) {
	a := &starling.Answer{Text: "x"}
	for _, how := range [][]string{nil, {"contains"}, {"verified", "contains"}} {
		if _, _, err := Compare(how, a, a, nil); Comparable(how) || starling.KindOf(err) != starling.Invalid {
			t.Errorf("%v: %v", how, err)
		}
	}
	if _, _, err := Compare([]string{"label"}, a, &starling.Answer{Text: "x", Finish: starling.Filtered}, nil); starling.KindOf(err) != starling.Refused {
		t.Errorf("a refusal: %v", err)
	}
}
