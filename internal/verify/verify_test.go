package verify

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"starling"
	"starling/internal/conform"
	"starling/internal/skill"
	"starling/internal/strict"
)

const invoice = `{"net": 10.10, "vat": "2.02", "total": 12.12, "lines": [{"amount": 4.05}, {"amount": 6.05}]}`

var conforming = []struct {
	name             string
	spec             skill.VerifySpec
	accepts, rejects string
}{
	{"a label", skill.VerifySpec{Kind: "label", Values: []string{"yes", "no"}}, " yes\n", "maybe so"},
	{"a label inside JSON", skill.VerifySpec{Kind: "label", Values: []string{"yes"}, At: "verdict.label", Fold: true}, `{"verdict": {"label": "YES"}}`, `{"verdict": {"label": "maybe"}}`},
	{"a schema", skill.VerifySpec{Kind: "schema", Schema: schemaOf(`{"type": "object", "required": ["net"], "properties": {"net": {"type": "number"}}}`)}, `{"net": 5}`, `{"net": "five"}`},
	{"a schema behind a fence", skill.VerifySpec{Kind: "schema", Fence: true, Schema: schemaOf(`{"type": "object"}`)}, "```json\n{}\n```", "```json\n[]\n```"},
	{"a pattern", skill.VerifySpec{Kind: "pattern", Must: []string{`(?i)^dear`}, MustNot: []string{`!`}, MaxWords: 5}, "Dear Sir", "Dear Sir!"},
	{"a quotation", skill.VerifySpec{Kind: "pattern", Quoted: `\[(KB-\d+)\]`}, "So it is [KB-1].", "So it is."},
	{"equations", skill.VerifySpec{Kind: "arithmetic", Equations: true}, "2 + 3 = 5", "2 + 3 = 6"},
	{"sums", skill.VerifySpec{Kind: "arithmetic", Sums: []skill.Sum{{Total: "net", Parts: []string{"lines.#.amount"}}, {Total: "total", Parts: []string{"net", "vat"}}}}, invoice, strings.Replace(invoice, "12.12", "12.13", 1)},
}

func schemaOf(text string) *strict.Schema { return strict.NewSchema([]byte(text)) }

func TestEveryVerifierConforms(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range conforming {
		seen[c.spec.Kind] = true
		t.Run(c.name, func(t *testing.T) {
			conform.Verifier(t, verifierOf(t, c.spec), c.accepts, c.rejects)
		})
	}
	for kind := range kinds {
		if !seen[kind] {
			t.Errorf("kind %s has no row", kind)
		}
	}
}

func verifierOf(t testing.TB, spec skill.VerifySpec) starling.Verifier {
	t.Helper()
	v, err := New(spec.Kind, spec, &skill.Rubric{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// whyNot returns the reason of a rejection, "" for an acceptance.
func whyNot(t *testing.T, spec skill.VerifySpec, request, answer string) string {
	t.Helper()
	r := &starling.Request{Body: []byte(request)}
	got, err := verifierOf(t, spec).Verify(t.Context(), r, &starling.Answer{Text: answer})
	if err != nil {
		t.Fatal(err)
	}
	if got.Accept != (got.Why == "") {
		t.Errorf("verdict %+v", got)
	}
	return got.Why
}

func TestALabelIsExactlyOneOfTheValues(t *testing.T) {
	plain := skill.VerifySpec{Kind: "label", Values: []string{"order_status", "other"}}
	folding := skill.VerifySpec{Kind: "label", Values: []string{"Größe"}, Fold: true}
	inside := skill.VerifySpec{Kind: "label", Values: []string{"a"}, At: "x.0.label"}
	fenced := inside
	fenced.Fence = true
	const none = "the answer is none of the labels"
	for _, c := range []struct {
		name   string
		spec   skill.VerifySpec
		answer string
		want   string
	}{
		{"the bare label", plain, "other", ""},
		{"space around it", plain, "\n other \u00a0\n", ""},
		{"another case", plain, "Other", none},
		{"a full stop", plain, "other.", none},
		{"a sentence", plain, "It is other", none},
		{"case does not count", folding, "GRÖßE", ""},
		{"a field", inside, `{"x": [{"label": "a"}]}`, ""},
		{"a field of another type", inside, `{"x": [{"label": 1}]}`, "there is no text at x.0.label"},
		{"no field", inside, `{"x": []}`, "there is no text at x.0.label"},
		{"no JSON", inside, "a", "the answer is not one JSON value and nothing else"},
		{"the field twice", inside, `{"x": [{"label": "a", "label": "b"}]}`, "a key of the JSON is there twice"},
		{"a fence is not allowed", inside, "```json\n{\"x\": [{\"label\": \"a\"}]}\n```", "the answer is not one JSON value and nothing else"},
		{"a fence is allowed", fenced, "```json\n{\"x\": [{\"label\": \"a\"}]}\n```", ""},
	} {
		if got := whyNot(t, c.spec, "{}", c.answer); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestJSONIsOneValueAndNothingElse(t *testing.T) {
	bare := skill.VerifySpec{Kind: "schema", Schema: schemaOf(`{"type": "object", "additionalProperties": {"type": "integer"}}`)}
	fenced := bare
	fenced.Fence = true
	const not = "the answer is not one JSON value and nothing else"
	for _, c := range []struct {
		name   string
		spec   skill.VerifySpec
		answer string
		want   string
	}{
		{"an object", bare, ` {"a": 1} `, ""},
		{"an integer with decimals of zero", bare, `{"a": 1.0}`, ""},
		{"a broken rule is named", bare, `{"a": "x"}`, "the JSON breaks the schema at /additionalProperties/type"},
		{"text before", bare, `Here: {"a": 1}`, not},
		{"text after", bare, `{"a": 1} I hope this helps`, "something follows the JSON value"},
		{"two values", bare, `{"a": 1}{"a": 1}`, "something follows the JSON value"},
		{"half a value", bare, `{"a": 1`, not},
		{"a stray comma", bare, `{"a": 1,}`, not},
		{"a key twice", bare, `{"a": 1, "a": 2}`, "a key of the JSON is there twice"},
		{"a number beyond all measure", bare, `{"a": 1e999999999}`, "a number is out of range"},
		{"nesting without end", bare, strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "the JSON is nested too deeply"},
		{"a fence is not allowed", bare, "```json\n{}\n```", not},
		{"a fence", fenced, "```json\n{\"a\": 1}\n```", ""},
		{"a fence without a language", fenced, "```\n{\"a\": 1}\n```\n", ""},
		{"no fence where one is allowed", fenced, `{"a": 1}`, ""},
		{"text after the fence", fenced, "```json\n{}\n```\nDone.", not},
		{"text before the fence", fenced, "Sure:\n```json\n{}\n```", not},
		{"a fence of another language", fenced, "```yaml\n{}\n```", not},
	} {
		if got := whyNot(t, c.spec, "{}", c.answer); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAPatternBoundsFormAndLength(t *testing.T) {
	must := skill.VerifySpec{Kind: "pattern", Must: []string{"a", `b$`}, MustNot: []string{"x", "(?i)y"}}
	long := skill.VerifySpec{Kind: "pattern", MinWords: 2, MaxWords: 3, MaxChars: 12}
	for _, c := range []struct {
		name   string
		spec   skill.VerifySpec
		answer string
		want   string
	}{
		{"all match", must, "a b", ""},
		{"one does not", must, "a b c", "pattern 2 of must does not occur"},
		{"one must not", must, "a Y b", "pattern 2 of must_not occurs"},
		{"long enough", long, "one two", ""},
		{"too few words", long, "one", "fewer than 2 words"},
		{"too many words", long, "a b c d", "more than 3 words"},
		{"characters, not bytes", long, "ääää ääää ää", ""},
		{"too many characters", long, "abcdef abcdef", "more than 12 characters"},
	} {
		if got := whyNot(t, c.spec, "{}", c.answer); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAQuotationIsInTheRequest(t *testing.T) {
	group := skill.VerifySpec{Kind: "pattern", Quoted: `\[(KB-\d+)\]`}
	whole := skill.VerifySpec{Kind: "pattern", Quoted: `"[^"]+"`}
	const request = `{"system": [{"type": "text", "text": "[KB-7] rule"}], "messages": [{"role": "user", "content": "[KB-12] one\n[KB-9] \u0022two\u0022"}], "temperature": 3}`
	for _, c := range []struct {
		name    string
		spec    skill.VerifySpec
		request string
		answer  string
		want    string
	}{
		{"it is", group, request, "so [KB-12]", ""},
		{"it is in the system text", group, request, "so [KB-7] and [KB-9]", ""},
		{"it is not", group, request, "so [KB-12] and [KB-13]", "a quotation is not in the request"},
		{"it is only a part of another", group, request, "so [KB-1]", "a quotation is not in the request"},
		{"nothing is quoted", group, request, "so KB-12", "nothing is quoted"},
		{"an escaped text", whole, request, `he said "two"`, ""},
		{"numbers are no text", whole, request, `he said "3"`, "a quotation is not in the request"},
		{"the request has no text", group, `{}`, "so [KB-12]", "a quotation is not in the request"},
		{"the request is no JSON", group, `[KB-12]`, "so [KB-12]", "a quotation is not in the request"},
	} {
		if got := whyNot(t, c.spec, c.request, c.answer); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	many := ""
	for i := range 101 {
		many += "[KB-" + strings.Repeat("1", i+1) + "]"
	}
	if got := whyNot(t, group, request, many); got != "more than 100 different quotations" {
		t.Errorf("many quotations: %q", got)
	}
}

func TestSumsAreExact(t *testing.T) {
	spec := conforming[7].spec
	for _, c := range []struct{ name, answer, want string }{
		{"they hold", invoice, ""},
		{"a cent is missing", strings.Replace(invoice, "10.10", "10.11", 1), "net is not the sum of lines.#.amount"},
		{"a tenth of a cent", strings.Replace(invoice, "12.12", "12.121", 1), "total is not the sum of net and vat"},
		{"more decimals of zero", strings.Replace(invoice, "12.12", "12.1200", 1), ""},
		{"what binary fractions get wrong", `{"net": 0.3, "vat": 0, "total": 0.3, "lines": [{"amount": 0.1}, {"amount": 0.2}]}`, ""},
		{"credits are negative", `{"net": 5, "vat": 0, "total": 5, "lines": [{"amount": 7}, {"amount": -2}]}`, ""},
		{"no lines are nothing", `{"net": 0, "vat": 0, "total": 0, "lines": []}`, ""},
		{"no such field", `{"net": 0, "vat": 0, "total": 0}`, "there are no numbers at lines.#.amount"},
		{"text", `{"net": "ten", "vat": 0, "total": 0, "lines": []}`, "there is no number at net"},
		{"no JSON", "net 5", "the answer is not one JSON value and nothing else"},
	} {
		if got := whyNot(t, spec, "{}", c.answer); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestWhatCannotBeJudgedIsAnError(t *testing.T) {
	for _, c := range []struct {
		name string
		spec skill.VerifySpec
	}{
		{"an unknown kind", skill.VerifySpec{Kind: "vibes"}},
		{"a label without values", skill.VerifySpec{Kind: "label"}},
		{"no schema", skill.VerifySpec{Kind: "schema"}},
		{"a broken schema", skill.VerifySpec{Kind: "schema", Schema: schemaOf(`{"type": 7}`)}},
		{"a broken pattern", skill.VerifySpec{Kind: "pattern", Must: []string{"("}}},
		{"a broken quotation", skill.VerifySpec{Kind: "pattern", Quoted: "("}},
		{"arithmetic without demands", skill.VerifySpec{Kind: "arithmetic"}},
	} {
		if _, err := New("it", c.spec, &skill.Rubric{}); starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	v := verifierOf(t, conforming[0].spec)
	_, err := v.Verify(t.Context(), nil, &starling.Answer{Text: strings.Repeat("x", maxAnswer+1)})
	if starling.KindOf(err) != starling.TooLarge {
		t.Errorf("an endless answer: %v", err)
	}
	broken := &verifier{name: "broken", rule: failing{}}
	if _, err := broken.Verify(t.Context(), nil, &starling.Answer{Text: "x"}); starling.KindOf(err) != starling.Internal {
		t.Errorf("a rule that fails: %v", err)
	}
}

type failing struct{}

func (failing) judge(context.Context, question) (string, error) { return "", errors.New("no idea") }

func TestVerifiersOfASkillAreNumberedWhereTheyMust(t *testing.T) {
	s := &skill.Skill{Rubric: skill.Rubric{Verify: []skill.VerifySpec{
		{Kind: "pattern", Must: []string{"a"}}, {Kind: "label", Values: []string{"a"}}, {Kind: "pattern", Must: []string{"b"}},
	}}}
	all, err := ForSkill(s)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range all {
		names = append(names, v.Name())
	}
	if diff := cmp.Diff([]string{"pattern-1", "label", "pattern-2"}, names); diff != "" {
		t.Error(diff)
	}
	s.Rubric.Verify[1].Values = nil
	if _, err := ForSkill(s); starling.KindOf(err) != starling.Invalid {
		t.Errorf("a broken one: %v", err)
	}
	if all, err := ForSkill(&skill.Skill{}); err != nil || len(all) != 0 {
		t.Errorf("none: %v, %v", slices.Collect(slices.Values(all)), err)
	}
}
