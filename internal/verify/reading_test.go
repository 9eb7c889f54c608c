package verify

import (
	"slices"
	"testing"

	"starling"
	"starling/internal/skill"
)

func TestALabelIsFoundInItsAnswer(t *testing.T) {
	plain := skill.VerifySpec{Kind: "label", Values: []string{"yes", "no"}}
	folded := skill.VerifySpec{Kind: "label", Values: []string{"Yes", "No"}, Fold: true}
	inside := skill.VerifySpec{Kind: "label", Values: []string{"yes", "no", `a"b`}, At: "answer.label", Fence: true}
	for _, c := range []struct {
		name   string
		spec   *skill.VerifySpec
		answer string
		want   Reading // zero: there is none
	}{
		{"alone", &plain, " yes\n", Reading{Label: "yes"}},
		{"in another case", &folded, "YES", Reading{Label: "Yes"}},
		{"another", &plain, "perhaps", Reading{}},
		{"in a sentence", &plain, "It is yes.", Reading{}},
		{"in JSON", &inside, ` {"why": "yes", "answer": {"label":  "yes"}} `, Reading{"yes", `{"why": "yes", "answer": {"label":  `, `}}`, true}},
		{"in a fence", &inside, "```json\n{\"answer\":{\"label\":\"no\"}}\n```", Reading{"no", "```json\n{\"answer\":{\"label\":", "}}\n```", true}},
		{"escaped", &inside, `{"answer":{"label":"a\"b"}}`, Reading{`a"b`, `{"answer":{"label":`, `}}`, true}},
		{"no text", &inside, `{"answer":{"label":7}}`, Reading{}},
		{"no JSON", &inside, `yes`, Reading{}},
		{"without a verifier", nil, " any text\n", Reading{Label: "any text"}},
		{"without a verifier and without text", nil, " \n", Reading{}},
	} {
		var all []starling.Verifier
		if c.spec != nil {
			v, err := New("label", *c.spec, nil)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, v)
			if !slices.Equal(Labels(all), c.spec.Values) {
				t.Errorf("%s: labels %q", c.name, Labels(all))
			}
		}
		got, ok := Read(all, c.answer)
		if got != c.want || ok != (c.want != Reading{}) {
			t.Errorf("%s: got %+v, %v", c.name, got, ok)
		}
	}
	if Labels(nil) != nil {
		t.Error("without a verifier there are labels")
	}
}
