package advise

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"starling"
)

const flowed = `# A rubric.
version: 1
reference: premium
candidates: [small, {model: open, probability: 0.8}, premium]   # cheap first

# What good enough is.
bar: {pass: 0.90, confidence: 0.95}
budget: {request: $0.01, day: $5}
latency: 10s   # to the first byte

prompt: |
  Answer, with one word.
  # this is a heading, and no comment

verify:
- {kind: label, values: [a, "b, c"]}

grade: label
`

const blocked = `version: 1
candidates:
  # the cheapest
  - small # on this machine
  - model: open
    probability: 0.8

    confidence: logprob
  # who is trusted
  - premium
bar:
  pass: 0.9
  # surely
  confidence: 0.95
rules:
  - when: request.stream
    candidates:
    - open
    - premium
    why: "it streams"

  # the end
`

func at(steps ...string) []string { return steps }

func TestAnEditChangesWhatItSaysAndNothingElse(t *testing.T) {
	list := at("candidates")
	rule := &Rule{When: "request.input_bytes > 900", Candidates: []string{"open", "far/premium,x"}, Why: "small: fails"}
	for _, c := range []struct {
		name, text string
		edit       Edit
		from, to   string // the piece that is replaced; "" from: nothing changes
	}{
		{"a value in braces", flowed, Edit{Do: Set, At: at("budget", "request"), Value: "$0.02"}, "request: $0.01,", "request: $0.02,"},
		{"a value beside a comment", flowed, Edit{Do: Set, At: at("latency"), Value: "15s"}, "latency: 10s   #", "latency: 15s   #"},
		{"a value that is there already", flowed, Edit{Do: Set, At: at("latency"), Value: "10s"}, "", ""},
		{"a key that was not in the braces", flowed, Edit{Do: Set, At: at("bar", "unproven"), Value: "climb"}, "0.95}", "0.95, unproven: climb}"},
		{"a key that was not in the block", blocked, Edit{Do: Set, At: at("bar", "unproven"), Value: "climb"}, "confidence: 0.95\n", "confidence: 0.95\n  unproven: climb\n"},
		{"a key that was not there comes where it usually stands", flowed, Edit{Do: Set, At: at("audit"), Value: "0.02"}, "confidence: 0.95}\n", "confidence: 0.95}\naudit: 0.02\n"},
		{"a value of a candidate in braces", flowed, Edit{Do: Set, At: at("candidates", "open", "probability"), Value: "0.5"}, "probability: 0.8", "probability: 0.5"},
		{"a value of a candidate in a block", blocked, Edit{Do: Set, At: at("candidates", "open", "probability"), Value: "0.5"}, "probability: 0.8", "probability: 0.5"},
		{"the first of a list in brackets", flowed, Edit{Do: Remove, At: list, Name: "small"}, "[small, {", "[{"},
		{"one in the middle", flowed, Edit{Do: Remove, At: list, Name: "open"}, "{model: open, probability: 0.8}, ", ""},
		{"the last", flowed, Edit{Do: Remove, At: list, Name: "premium"}, "0.8}, premium]", "0.8}]"},
		{"who is not there", flowed, Edit{Do: Remove, At: list, Name: "nobody"}, "", ""},
		{"the first of a list in a block", blocked, Edit{Do: Remove, At: list, Name: "small"}, "  - small # on this machine\n", ""},
		{"one of several lines", blocked, Edit{Do: Remove, At: list, Name: "open"}, "  - model: open\n    probability: 0.8\n\n    confidence: logprob\n", ""},
		{"of a rule", blocked, Edit{Do: Remove, At: at("rules", "0", "candidates"), Name: "open"}, "    - open\n", ""},
		{"one more in brackets", flowed, Edit{Do: Put, At: list, Name: "near/mid", Before: "premium"}, "0.8}, premium", "0.8}, near/mid, premium"},
		{"one more in a block", blocked, Edit{Do: Put, At: list, Name: "mid", Before: "premium"}, "confidence: logprob\n", "confidence: logprob\n  - mid\n"},
		{"one more before the first of a block", blocked, Edit{Do: Put, At: list, Name: "student", Before: "small"}, "  - small", "  - student\n  - small"},
		{"one more at the end", blocked, Edit{Do: Put, At: list, Name: "dear"}, "  - premium\n", "  - premium\n  - dear\n"},
		{"another order in brackets", flowed, Edit{Do: Put, At: list, Name: "open", Before: "small"}, "[small, {model: open, probability: 0.8}", "[{model: open, probability: 0.8}, small"},
		{"another order in a block", blocked, Edit{Do: Put, At: list, Name: "open", Before: "small"},
			"  - small # on this machine\n  - model: open\n    probability: 0.8\n\n    confidence: logprob\n", "  - model: open\n    probability: 0.8\n\n    confidence: logprob\n  - small # on this machine\n"},
		{"who stands there already", flowed, Edit{Do: Put, At: list, Name: "small", Before: "open"}, "", ""},
		{"the first rule", flowed, Edit{Do: Append, At: at("rules"), Rule: rule}, "\"b, c\"]}\n", "\"b, c\"]}\nrules:\n  - when: request.input_bytes > 900\n    candidates: [open, \"far/premium,x\"]\n    why: \"small: fails\"\n"},
		{"one more rule", blocked, Edit{Do: Append, At: at("rules"), Rule: rule}, "    why: \"it streams\"\n", "    why: \"it streams\"\n  - when: request.input_bytes > 900\n    candidates: [open, \"far/premium,x\"]\n    why: \"small: fails\"\n"},
		{"a rule that is there", blocked, Edit{Do: Append, At: at("rules"), Rule: &Rule{When: "request.stream"}}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, form := range []func(string) string{func(s string) string { return s }, windows, marked} {
				text := form(c.text)
				want := strings.Replace(text, piece(form, c.from), piece(form, c.to), 1)
				got, err := Apply([]byte(text), c.edit)
				if err != nil || string(got) != want {
					t.Fatalf("%v\n%s\nwant\n%s", err, got, want)
				}
				if again, err := Apply(got, c.edit); err != nil || string(again) != want {
					t.Fatalf("a second time: %v\n%s", err, again)
				}
			}
		})
	}
}

func windows(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func marked(s string) string { return "\ufeff" + s }

func piece(form func(string) string, s string) string { return strings.TrimPrefix(form(s), marked("")) }

func TestWhatOnlyAPersonShouldTouchIsLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		edit Edit
	}{
		"an anchor":                {"version: 1\ncandidates: &all [small, premium]\n", Edit{Do: Remove, At: at("candidates"), Name: "small"}},
		"an alias":                 {"version: 1\nx: &all [small, premium]\ncandidates: *all\n", Edit{Do: Remove, At: at("candidates"), Name: "small"}},
		"the last who may try":     {"candidates: [small]\n", Edit{Do: Remove, At: at("candidates"), Name: "small"}},
		"a mapping that is absent": {"candidates: [small]\n", Edit{Do: Set, At: at("budget", "request"), Value: "$1"}},
		"a whole in braces":        {"{version: 1, candidates: [small]}\n", Edit{Do: Append, At: at("rules"), Rule: &Rule{When: "true", Why: "so"}}},
		"what is no YAML":          {"candidates: [small\n", Edit{Do: Set, At: at("audit"), Value: "0.1"}},
	} {
		if got, err := Apply([]byte(c.text), c.edit); starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: %v, and\n%s", name, err, got)
		}
	}
}

// A drawn rubric has its lists and mappings in any style, with a comment in every
// place where there may be one.
type drawn struct {
	text  string
	names []string
}

func draw(t *rapid.T) drawn {
	d := drawn{names: []string{"small", "mid/open", "far", "premium"}[:rapid.IntRange(2, 4).Draw(t, "names")]}
	comments := 0
	comment := func() string {
		if !rapid.Bool().Draw(t, "comment") {
			return ""
		}
		comments++
		return fmt.Sprintf(" # c%d [a, 'b", comments)
	}
	own := func(indent string) string {
		if c := comment(); c != "" {
			return indent + c[1:] + "\n"
		}
		return ""
	}
	var b strings.Builder
	write := func(parts ...string) { b.WriteString(strings.Join(parts, "")) }
	write(own(""), "version: 1", comment(), "\n", own(""))
	if rapid.Bool().Draw(t, "flow") {
		write("candidates: [", strings.Join(d.names, ", "), "]", comment(), "\n")
	} else {
		indent := rapid.SampledFrom([]string{"", "  ", "    "}).Draw(t, "indent")
		write("candidates:", comment(), "\n")
		for _, name := range d.names {
			write(own(indent), indent, "- ", name, "\n")
		}
	}
	write(own(""))
	if rapid.Bool().Draw(t, "braces") {
		write("bar: {pass: 0.9, confidence: 0.95}", comment(), "\n")
	} else {
		write("bar:\n", own("  "), "  pass: 0.9", comment(), "\n  confidence: '0.95'", comment(), "\n")
	}
	write("\n", "prompt: |\n  # no comment\n\n  text: [\n", own(""), "latency: \"10s\"", comment(), "\n", own(""))
	d.text = b.String()
	if rapid.Bool().Draw(t, "windows") {
		d.text = windows(d.text)
	}
	return d
}

func TestAnEditCanBeUndoneToTheLastByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		i := rapid.IntRange(0, len(d.names)-1).Draw(t, "which")
		next := ""
		if i+1 < len(d.names) {
			next = d.names[i+1]
		}
		list := at("candidates")
		pair := rapid.SampledFrom([][2]Edit{
			{{Do: Set, At: at("latency"), Value: "\"1m\""}, {Do: Set, At: at("latency"), Value: "\"10s\""}},
			{{Do: Set, At: at("bar", "pass"), Value: "0.875"}, {Do: Set, At: at("bar", "pass"), Value: "0.9"}},
			{{Do: Put, At: list, Name: "more", Before: d.names[i]}, {Do: Remove, At: list, Name: "more"}},
			{{Do: Put, At: list, Name: "more"}, {Do: Remove, At: list, Name: "more"}},
			{{Do: Put, At: list, Name: d.names[len(d.names)-1], Before: d.names[0]}, {Do: Put, At: list, Name: d.names[len(d.names)-1]}},
			{{Do: Put, At: list, Name: d.names[i]}, {Do: Put, At: list, Name: d.names[i], Before: next}},
		}).Draw(t, "edit")
		there, err := Apply([]byte(d.text), pair[0])
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Apply(there, pair[0]); err != nil || string(again) != string(there) {
			t.Fatalf("a second time: %v\n%s", err, again)
		}
		back, err := Apply(there, pair[1])
		if err != nil || string(back) != d.text {
			t.Fatalf("%v\n%s\nthen\n%s", err, there, back)
		}
	})
}

func TestAnEditKeepsEveryComment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		edit := rapid.SampledFrom([]Edit{
			{Do: Remove, At: at("candidates"), Name: rapid.SampledFrom(d.names).Draw(t, "name")},
			{Do: Set, At: at("audit"), Value: "0.02"},
			{Do: Set, At: at("bar", "unproven"), Value: "climb"},
			{Do: Append, At: at("rules"), Rule: &Rule{When: "request.stream", Candidates: d.names, Why: "so"}},
		}).Draw(t, "edit")
		got, err := Apply([]byte(d.text), edit)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Apply(got, edit); err != nil || string(again) != string(got) {
			t.Fatalf("a second time: %v\n%s", err, again)
		}
		if strings.Count(string(got), " [a, 'b") != strings.Count(d.text, " [a, 'b") {
			t.Fatalf("a comment is gone:\n%s\nthen\n%s", d.text, got)
		}
	})
}

func FuzzApply(f *testing.F) {
	f.Add(flowed, uint8(0))
	f.Add(blocked, uint8(1))
	f.Add(" ", uint8(4)) // says nothing
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		edits := []Edit{
			{Do: Set, At: at("bar", "unproven"), Value: "climb"}, {Do: Remove, At: at("candidates"), Name: "open"},
			{Do: Put, At: at("candidates"), Name: "x", Before: "open"}, {Do: Append, At: at("rules"), Rule: &Rule{When: "true", Candidates: []string{"open"}, Why: "y"}},
			{Do: Set, At: at("audit"), Value: "0.5"},
		}
		edit := edits[int(which)%len(edits)]
		got, err := Apply([]byte(text), edit)
		if err != nil {
			return
		}
		if again, err := Apply(got, edit); err != nil || string(again) != string(got) {
			t.Fatalf("a second time: %v\n%q\n%q", err, got, again)
		}
	})
}
