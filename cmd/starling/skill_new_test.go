package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"starling"
	"starling/internal/skill"
	"starling/internal/strict"
)

func TestWhatADraftSaysIsReadAsItWasMeant(t *testing.T) {
	schema := strict.NewSchema([]byte(`{"type": "object", "properties": {"one": {"type": "string"}, "many": {"type": "array", "items": {"type": "string"}}, "lines": {"type": "string"}}}`))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ a-c:#,'"\n\t\[\]{}|>&*!%@-]{0,12}`), rapid.SampledFrom([]string{"no", "Null", "1e3", "0x1", "- a", "a: b", "~"}))
		one, many, lines := text.Draw(t, "one"), rapid.SliceOfN(text, 1, 3).Draw(t, "many"), text.Filter(func(s string) bool { return strings.TrimSpace(s) != "" }).Draw(t, "lines")
		var got struct {
			One   string   `yaml:"one"`
			Many  []string `yaml:"many"`
			Lines string   `yaml:"lines"`
		}
		yaml := "one: " + scalar(one) + "\nmany: " + scalars(many) + "\nlines: " + paragraph(lines) + "\n"
		if err := strict.Read("draft", []byte(yaml), schema, &got); err != nil {
			t.Fatalf("%v in\n%s", err, yaml)
		}
		if want := strings.TrimSpace(lines) + "\n"; got.One != one || strings.Join(got.Many, "|") != strings.Join(many, "|") || got.Lines != want {
			t.Fatalf("%q, want %q, %q, %q in\n%s", got, one, many, want, yaml)
		}
	})
}

func TestWrongAnswersAreMadeOfWhatIsRightElsewhere(t *testing.T) {
	for _, c := range []struct {
		name string
		maker
		want string // wrong answers of each case
		made int
		err  string
	}{
		{"of the other labels, the next first", maker{answer: "label", labels: []string{"a", "b", "c"}, all: []example{{Input: "x", Answer: "b"}}}, "c,a", 1 + 1, ""},
		{"of two labels one is malformed", maker{answer: "label", labels: []string{"a", "b"}, all: []example{{Input: "x", Answer: "b"}}}, "a,a or b", 2, ""},
		{"those that were written stay", maker{answer: "label", labels: []string{"a", "b", "c"}, all: []example{{Input: "x", Answer: "b", Wrong: texts{"B"}}}}, "B,c", 1, ""},
		{"of other answers, but none that is right here too", maker{answer: "text", all: []example{{Input: "x", Answer: "Rome", Wrong: texts{"Milan", "Bari"}}, {Input: "y", Answer: "in Rome", Contains: texts{"Rome"}, Wrong: texts{"Milan"}}, {Input: "z", Answer: "Oslo", Wrong: texts{"Bergen", "Bodø"}}}}, "Milan,Bari;Milan,Oslo;Bergen,Bodø", 1, ""},
		{"JSON is compared as such", maker{answer: "json", all: []example{{Input: "x", Answer: `{"n":1}`}, {Input: "y", Answer: `{"n": 1.0}`, Wrong: texts{"1", "2"}}, {Input: "z", Answer: `{"n":2}`, Wrong: texts{"1", "2"}}, {Input: "z", Answer: `{"n":3}`, Wrong: texts{"1", "2"}}}}, `{"n":2},{"n":3};1,2;1,2;1,2`, 2, ""},
		{"nothing to make them of", maker{answer: "text", all: []example{{Input: "x", Answer: "y"}}}, "", 0, "2 more wrong answers are needed"},
		{"not JSON", maker{answer: "json", file: "f", all: []example{{Input: "x", Answer: "y", line: 7}}}, "", 0, "f:7:1: the answer is not JSON"},
		{"no input", maker{answer: "text", all: []example{{Answer: "y"}}}, "", 0, "there is no input"},
	} {
		cases, err := c.cases(t.Context())
		if err != nil || c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.name, err, c.err)
			}
			continue
		}
		var wrong []string
		for _, made := range cases {
			wrong = append(wrong, strings.Join(made.Wrong, ","))
		}
		if got := strings.Join(wrong, ";"); got != c.want || c.made != c.maker.made {
			t.Errorf("%s: %s, %d made, want %s, %d", c.name, got, c.maker.made, c.want, c.made)
		}
	}
}

// talks is an interview with somebody who says this.
func talks(t *testing.T, c skillNewCmd, said string) (skillNewCmd, string, error) {
	t.Helper()
	var shown bytes.Buffer
	cfg := Config{Local: Local{Off: true}}
	p := &program{t.Context(), io.Discard, &shown, &commands{Data: t.TempDir()}}
	err := c.interview(p, cfg, strings.NewReader(said))
	return c, shown.String(), err
}

func TestAnInterviewAsksWhatNoFlagSaid(t *testing.T) {
	c, shown, err := talks(t, skillNewCmd{Name: "it", Answer: "text", Candidate: []string{"small"}, Audit: new(0.0), Keep: new(false)},
		"What it is for.\nsecret\npublic\n\n2\n0.9\n\n$0.01\nlots\n\n\n1m\n\nSay it.\n\nWhere?\nHere.\nhere\n\nThere.\n\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"there are [confidential internal public restricted]", "write a share", "29 cases without a mistake show it", "write dollars", "something has to be said here"} {
		if !strings.Contains(shown, want) {
			t.Errorf("it does not say %q:\n%s", want, shown)
		}
	}
	if c.Description != "What it is for." || c.Class != "public" || c.Reference != "small" || *c.Bar != 0.9 || c.Budget.Money != starling.Dollar/100 || c.Latency.String() != "1m0s" || c.Prompt != "Say it." {
		t.Errorf("%+v", c)
	}
	if e := c.typed; len(e) != 1 || e[0].Input != "Where?" || e[0].Answer != "Here." || e[0].Contains[0] != "here" || strings.Join(e[0].Wrong, ",") != "There." {
		t.Errorf("%+v", e)
	}
}

func TestAnInterviewThatBreaksOffIsNone(t *testing.T) {
	if _, _, err := talks(t, skillNewCmd{}, "it\n"); starling.KindOf(err) != starling.Cancelled {
		t.Error(err)
	}
	in, keys := io.Pipe()
	defer keys.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	p := &program{ctx, io.Discard, io.Discard, &commands{}}
	c := skillNewCmd{}
	if err := c.interview(p, Config{}, in); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestACaseIsWrittenAsItIsRead(t *testing.T) {
	want := skill.Case{ID: "a", Input: "<é>", Answer: "y", Gold: skill.Gold{Number: "1.50", JSON: []byte(`{"a":1.0}`), Contains: []string{"y"}, Cites: []string{}, Verified: true}, Wrong: []string{"n", "o"}}
	line, err := writeCases([]skill.Case{want})
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for got, err := range skill.Cases(fstest.MapFS{"a/cases.jsonl": {Data: line}}, "a") {
		if read++; err != nil || got.Digest() != want.Digest() || got.Gold.Cites == nil {
			t.Errorf("%s: %+v, %v", line, got, err)
		}
	}
	if read != 1 {
		t.Errorf("%d cases are read", read)
	}
}
