package skill

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"starling"
)

const good = `{"id":"a-1","input":"Which?","answer":"this","gold":{"label":"this"},"wrong":["that","these"]}`

func TestCasesAreReadOneByOne(t *testing.T) {
	text := good + "\n\n" + strings.Replace(good, "a-1", "a-2", 1) + "\n{\n" + good + "\n" +
		`{"id":"a-3","input":"i","answer":"x","gold":{"json":{"n":1.50},"number":"7.0","contains":["x"],"cites":[],"verified":true},"wrong":["y","z"]}`
	files := fstest.MapFS{"it/cases.jsonl": {Data: []byte(text)}}
	var ids, errs []string
	var last Case
	for c, err := range Cases(files, "it") {
		if err != nil {
			errs = append(errs, err.Error())
			continue
		}
		ids, last = append(ids, c.ID), c
	}
	if diff := cmp.Diff([]string{"a-1", "a-2", "a-3"}, ids); diff != "" {
		t.Error(diff)
	}
	want := []string{
		"it/cases.jsonl:4:1: this is not one JSON object (write one object a line)",
		`it/cases.jsonl:5:7: id "a-1" is on line 1 too (give each case an id of its own)`,
	}
	if diff := cmp.Diff(want, errs); diff != "" {
		t.Error(diff)
	}
	if got := last.Problem("it is odd", "mend it").String(); got != `it/cases.jsonl:6:1: case "a-3": it is odd (mend it)` {
		t.Error(got)
	}
	gold := Gold{JSON: json.RawMessage(`{"n":1.50}`), Number: "7.0", Contains: []string{"x"}, Cites: []string{}, Verified: true}
	if diff := cmp.Diff(gold, last.Gold); diff != "" {
		t.Error(diff)
	}
}

func TestAReaderMayStopAnywhere(t *testing.T) {
	files := fstest.MapFS{"it/cases.jsonl": {Data: []byte("{\n{\n{\n")}}
	n := 0
	for range Cases(files, "it") {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d", n)
	}
}

func TestACaseThatProvesNothingIsRefused(t *testing.T) {
	edit := func(old, fresh string) string { return strings.Replace(good, old, fresh, 1) }
	for _, c := range []struct{ name, line, want string }{
		{"it is good", good, ""},
		{"an unknown key", edit(`"answer"`, `"awnser"`), `unknown key "awnser"`},
		{"an unknown kind of gold", edit(`"label"`, `"lable"`), `gold: unknown key "lable"`},
		{"a key twice", edit(`{"id":"a-1"`, `{"id":"a-1","id":"a-2"`), `key "id" is there twice`},
		{"a wrong type", edit(`"this","gold"`, `7,"gold"`), "answer cannot be a number"},
		{"a number that is none", edit(`{"label":"this"}`, `{"number":"seven"}`), "a value has the wrong form"},
		{"no id", edit("a-1", ""), `"id" is missing`},
		{"no input", edit("Which?", " "), `"input" is missing`},
		{"no answer", edit(`"answer":"this",`, ""), `"answer" is missing`},
		{"no gold", edit(`{"label":"this"}`, "{}"), `"gold" says nothing`},
		{"gold JSON that is no object", edit(`{"label":"this"}`, `{"json":[1]}`), "gold.json is no object"},
		{"one wrong answer", edit(`,"these"`, ""), `"wrong" needs at least two answers`},
		{"the right answer is wrong", edit(`"these"`, `"this"`), "the answer is also among the wrong ones"},
		{"an empty text", edit(`{"label":"this"}`, `{"contains":["x",""]}`), "an empty text proves nothing"},
		{"a list", "[]", "this is not one JSON object"},
		{"two objects", good + good, "this is not one JSON object"},
		{"not UTF-8", edit("Which?", "\xff"), "this is not UTF-8"},
	} {
		if _, f := parseCase([]byte(c.line)); f.text != c.want {
			t.Errorf("%s: %q, want %q", c.name, f.text, c.want)
		}
	}
}

func TestCasesThatAreMissingOrEndlessAreErrors(t *testing.T) {
	files := fstest.MapFS{"it/cases.jsonl": {Data: []byte(good + "\n" + strings.Repeat("x", maxFile+1))}}
	for _, c := range []struct {
		name, skill string
		kind        starling.Kind
	}{{"missing", "no", starling.NotFound}, {"a line without end", "it", starling.Invalid}} {
		var last error
		for _, err := range Cases(files, c.skill) {
			last = err
		}
		if starling.KindOf(last) != c.kind {
			t.Errorf("%s: %v", c.name, last)
		}
	}
}

func TestADigestChangesWithWhatIsAskedAndWhatIsRightAlone(t *testing.T) {
	base := Case{ID: "a", Input: "Is it wet?", Answer: "yes", Gold: Gold{Label: "yes"}, Wrong: []string{"no", "perhaps"}}
	for name, c := range map[string]struct {
		change func(*Case)
		same   bool
	}{
		"another id":           {func(c *Case) { c.ID = "b" }, true},
		"another ideal answer": {func(c *Case) { c.Answer = "Yes." }, true},
		"another wrong one":    {func(c *Case) { c.Wrong = []string{"no", "never"} }, true},
		"another line":         {func(c *Case) { c.Line = 7 }, true},
		"another question":     {func(c *Case) { c.Input += "?" }, false},
		"another label":        {func(c *Case) { c.Gold.Label = "no" }, false},
		"more is demanded":     {func(c *Case) { c.Gold.Contains = []string{"yes"} }, false},
		"no source is right":   {func(c *Case) { c.Gold.Cites = []string{} }, false},
		"a number":             {func(c *Case) { c.Gold.Number = "1" }, false},
	} {
		other := base
		c.change(&other)
		if (other.Digest() == base.Digest()) != c.same {
			t.Errorf("%s: %s and %s", name, other.Digest(), base.Digest())
		}
	}
	if d := base.Digest(); len(d) != 32 {
		t.Errorf("digest %q", d)
	}
}
