package verify

import (
	"encoding/json"
	"errors"
	"testing"

	"starling"
	"starling/internal/skill"
)

func TestAnAnswerIsGradedByWhatIsKnown(t *testing.T) {
	gold := func(text string) skill.Gold {
		var g skill.Gold
		if err := json.Unmarshal([]byte(text), &g); err != nil {
			t.Fatal(err)
		}
		return g
	}
	folding := verifierOf(t, skill.VerifySpec{Kind: "label", Values: []string{"Yes"}, Fold: true, At: "label"})
	fencing := verifierOf(t, skill.VerifySpec{Kind: "schema", Fence: true, Schema: schemaOf(`{}`)})
	quoting := verifierOf(t, skill.VerifySpec{Kind: "pattern", Quoted: `\[(\w+)\]`})
	const differs, another, cited = "the JSON differs", "the last number is another", "a source is cited that should not be"
	for _, c := range []struct {
		name     string
		gold     string
		answer   string
		want     string
		verifier starling.Verifier
	}{
		{"a label", `{"label": "yes"}`, " yes\n", "", nil},
		{"another label", `{"label": "yes"}`, "no", "the label is another", nil},
		{"a label as its verifier reads it", `{"label": "Yes"}`, `{"label": "YES"}`, "", folding},
		{"a label that is not there", `{"label": "Yes"}`, `{}`, "there is no text at label", folding},

		{"the same JSON", `{"json": {"a": 1, "b": ["x", null, true]}}`, `{"b": ["x", null, true], "a": 1.00}`, "", nil},
		{"more keys", `{"json": {"a": 1}}`, `{"a": 1, "b": 2}`, "", nil},
		{"fewer keys", `{"json": {"a": 1, "b": 2}}`, `{"a": 1}`, differs, nil},
		{"null is not nothing", `{"json": {"a": null}}`, `{}`, differs, nil},
		{"more entries", `{"json": {"a": [1]}}`, `{"a": [1, 2]}`, differs, nil},
		{"another order", `{"json": {"a": [1, 2]}}`, `{"a": [2, 1]}`, differs, nil},
		{"a digit more", `{"json": {"a": 0.1}}`, `{"a": 0.10000000000000000001}`, differs, nil},
		{"text for a number", `{"json": {"a": 1}}`, `{"a": "1"}`, differs, nil},
		{"no JSON", `{"json": {"a": 1}}`, `a is 1`, "the answer is not one JSON value and nothing else", nil},
		{"a fence nobody allowed", `{"json": {}}`, "```json\n{}\n```", "the answer is not one JSON value and nothing else", nil},
		{"a fence that a verifier allows", `{"json": {}}`, "```json\n{}\n```", "", fencing},

		{"the last number", `{"number": "455"}`, "1250 * 0.38 = 475, so 455 remain.", "", nil},
		{"not the last number", `{"number": 475}`, "1250 * 0.38 = 475, so 455 remain.", another, nil},
		{"with decimals of zero", `{"number": 7}`, "It is 7.00.", "", nil},
		{"with thousands", `{"number": "12000.5"}`, "It is $12,000.50!", "", nil},
		{"with a unit that touches", `{"number": 5}`, "It is 5km of CO2.", "", nil},
		{"negative", `{"number": -5}`, "It is -5.", "", nil},
		{"negative money", `{"number": -5}`, "It is −$5.", "", nil},
		{"a range is not negative", `{"number": 5}`, "It is 3-5.", "", nil},
		{"percent is what it says", `{"number": 15}`, "It is 15%.", "", nil},
		{"no number", `{"number": 5}`, "It is five.", "there is no number", nil},

		{"words, whatever their case", `{"contains": ["30 Days", "refund"]}`, "A REFUND within 30 days.", "", nil},
		{"a word is missing", `{"contains": ["30 days", "refund"]}`, "Within 30 days.", "something that must be there is not", nil},

		{"the sources", `{"cites": ["KB-1", "KB-2"]}`, "So [KB-2], and so [KB-1] [see](x1) [sic].", "", nil},
		{"sources in one bracket", `{"cites": ["KB-1", "KB-2"]}`, "So [KB-1, KB-2].", "", nil},
		{"a source too many", `{"cites": ["KB-1"]}`, "So [KB-1][KB-2].", cited, nil},
		{"a source too few", `{"cites": ["KB-1", "KB-2"]}`, "So [KB-1].", "a source is not cited", nil},
		{"no source at all", `{"cites": []}`, "So it is.", "", nil},
		{"a source where there is none", `{"cites": []}`, "So [KB-1].", cited, nil},

		{"the verifiers agree", `{"verified": true}`, "so [word]", "", quoting},
		{"a verifier does not", `{"verified": true}`, "so [else]", "verifier pattern: a quotation is not in the request", quoting},
		{"all must hold", `{"contains": ["so"], "verified": true}`, "so [else]", "verifier pattern: a quotation is not in the request", quoting},
	} {
		var verifiers []starling.Verifier
		if c.verifier != nil {
			verifiers = append(verifiers, c.verifier)
		}
		one := skill.Case{Input: "a word", Gold: gold(c.gold)}
		how := []string{"label", "json", "number", "contains", "cites"}
		if one.Gold.Verified {
			how = []string{"verified"}
		}
		pass, why, err := Grade(t.Context(), one, how, c.answer, verifiers)
		if err != nil || why != c.want || pass != (why == "") {
			t.Errorf("%s: %v, %q, %v; want %q", c.name, pass, why, err, c.want)
		}
	}
}

func TestAGradeThatComparesNothingIsAnError(t *testing.T) {
	one := skill.Case{Gold: skill.Gold{Label: "yes"}}
	pass, _, err := Grade(t.Context(), one, []string{"json", "number"}, "yes", nil)
	if pass || starling.KindOf(err) != starling.Invalid {
		t.Errorf("%v, %v", pass, err)
	}
}

func TestAVerifierThatFailsIsNoGrade(t *testing.T) {
	one := skill.Case{Input: "x", Gold: skill.Gold{Verified: true}}
	broken := &verifier{name: "broken", rule: failing{}}
	pass, _, err := Grade(t.Context(), one, []string{"verified"}, "x", []starling.Verifier{broken})
	if e, ok := errors.AsType[*starling.Error](err); pass || !ok || e.Kind != starling.Internal {
		t.Errorf("%v, %v", pass, err)
	}
}

// TestAnAnswerIsRejectedAsTheGatewayWould: the prompt is part of the request.
func TestAnAnswerIsRejectedAsTheGatewayWould(t *testing.T) {
	verifiers := []starling.Verifier{
		verifierOf(t, skill.VerifySpec{Kind: "pattern", Quoted: `\[(\w+)\]`}),
		verifierOf(t, skill.VerifySpec{Kind: "pattern", MustNot: []string{"!"}}),
	}
	for name, c := range map[string]struct{ prompt, input, answer, want string }{
		"it quotes the input":  {"", "see K1", "as in [K1]", ""},
		"it quotes the prompt": {"know K2", "see K1", "as in [K2]", ""},
		"it quotes nobody":     {"", "see K1", "as in [K2]", "verifier pattern: a quotation is not in the request"},
		"the second says no":   {"", "see K1", "as in [K1]!", "verifier pattern: pattern 1 of must_not occurs"},
		"an empty answer":      {"", "see K1", " ", "verifier pattern: the answer is empty"},
	} {
		if why, err := Rejects(t.Context(), c.prompt, c.input, c.answer, verifiers); why != c.want || err != nil {
			t.Errorf("%s: %q, %v", name, why, err)
		}
	}
	if why, err := Rejects(t.Context(), "", "x", "y", nil); why != "" || err != nil {
		t.Errorf("without verifiers: %q, %v", why, err)
	}
}
