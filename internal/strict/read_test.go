package strict_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"starling"
	"starling/internal/strict"
)

const schemaText = `{
  "type": "object", "additionalProperties": false, "required": ["version"],
  "properties": {
    "version": {"const": 1},
    "name": {"type": "string", "minLength": 1, "maxLength": 8, "pattern": "^[a-z]+$", "x-hint": "lower-case letters"},
    "share": {"type": "number", "minimum": 0, "maximum": 1},
    "count": {"type": "integer", "exclusiveMinimum": 0},
    "on": {"type": "boolean"},
    "colour": {"enum": ["red", "green", "blue"]},
    "cost": {"type": ["string", "number"]},
    "wait": {"type": "string"},
    "zone": {"type": "string"},
    "words": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "uniqueItems": true, "minItems": 1}]},
    "items": {"type": "array", "items": {"oneOf": [{"type": "string"}, {"type": "object", "required": ["model"], "additionalProperties": false, "properties": {"model": {"type": "string"}, "weight": {"type": "number"}}}]}},
    "table": {"type": "object", "x-hint": "use letters", "additionalProperties": false, "patternProperties": {"^[a-z]+$": {"type": ["object", "null"], "additionalProperties": false, "properties": {"a": {"type": "integer"}}}}},
    "free": {}
  }
}`

type item struct {
	Model  string  `yaml:"model"`
	Weight float64 `yaml:"weight"`
}

func (i *item) UnmarshalText(text []byte) error {
	i.Model = string(text)
	return nil
}

type common struct {
	Version int `yaml:"version"`
}

type target struct {
	common
	Name   string          `yaml:"name"`
	Share  float64         `yaml:"share"`
	Count  uint8           `yaml:"count"`
	On     bool            `yaml:"on"`
	Colour string          `yaml:"colour"`
	Cost   starling.Money  `yaml:"cost"`
	Wait   time.Duration   `yaml:"wait"`
	Zone   starling.Zone   `yaml:"zone"`
	Words  []string        `yaml:"words"`
	Items  []item          `yaml:"items"`
	Table  map[string]*row `yaml:"table"`
	Free   any             `yaml:"free"`
}

type row struct{ A int }

func read(text string) (target, error) {
	var into target
	err := strict.Read("t.yaml", []byte(text), strict.NewSchema([]byte(schemaText)), &into)
	return into, err
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	got, err := read(`# a comment
version: 1
name: abc
share: .5
count: 7
on: true
colour: green
cost: 0.000000001
wait: 1m30s
zone: office
words: one
items: [plain, {model: rich, weight: 1e1}]
table:
  x: {a: 3}
  y:
free:
  k: [1, two, null, ~, "3", 2.50]
  t: |
    line
    line
`)
	if err != nil {
		t.Fatal(err)
	}
	if got.Version != 1 || got.Name != "abc" || got.Share != 0.5 || got.Count != 7 || !got.On || got.Colour != "green" {
		t.Errorf("plain values: %+v", got)
	}
	if got.Cost != 1 || got.Wait != 90*time.Second || got.Zone != starling.Office {
		t.Errorf("values with units: %+v", got)
	}
	if diff := cmp.Diff([]item{{Model: "plain"}, {Model: "rich", Weight: 10}}, got.Items); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"one"}, got.Words); diff != "" {
		t.Error(diff)
	}
	free := map[string]any{"k": []any{json.Number("1"), "two", nil, nil, "3", json.Number("2.50")}, "t": "line\nline\n"}
	if diff := cmp.Diff(any(free), got.Free); diff != "" {
		t.Error(diff)
	}
	if len(got.Table) != 2 || got.Table["x"].A != 3 || got.Table["y"] != nil {
		t.Errorf("table: %+v", got.Table)
	}
}

func TestAnchorsStandForTheirValues(t *testing.T) {
	got, err := read("version: 1\ntable:\n  x: &row {a: 3}\n  y: *row\n")
	if err != nil || got.Table["y"].A != 3 {
		t.Errorf("%+v, %v", got.Table, err)
	}
}

func TestEveryProblemSaysWhereItIsAndWhatWasExpected(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"an unknown key has a neighbour", "version: 1\nnmae: x\n", `t.yaml:2:1: unknown key "nmae" (did you mean "name"?)`},
		{"an unknown key far from all names them", "version: 1\ntable:\n  x: {zzzzz: 1}\n", `t.yaml:3:7: unknown key "zzzzz" (known: a)`},
		{"a missing key is missed where the mapping begins", "name: abc\n", `t.yaml:1:1: missing key "version"`},
		{"an empty document lacks what is required", "# nothing\n", `t.yaml:1:1: missing key "version"`},
		{"text is not a number", "version: 1\nshare: much\n", "t.yaml:2:8: expected a number, got text"},
		{"a number is not text", "version: 1\nname: 12\n", "t.yaml:2:7: expected text, got a number (lower-case letters)"},
		{"yes is not a boolean", "version: 1\non: yes\n", "t.yaml:2:5: expected true or false, got text"},
		{"a list is not a mapping", "- 1\n", "t.yaml:1:1: expected a mapping, got a list"},
		{"nothing is not text", "version: 1\nname:\n", "t.yaml:2:1: expected text, got nothing (lower-case letters)"},
		{"a bound is named", "version: 1\nshare: 1.5\ncount: 0\n", "t.yaml:2:8: must be at most 1\nt.yaml:3:8: must be more than 0"},
		{"a word out of few has a neighbour", "version: 1\ncolour: gren\n", `t.yaml:2:9: expected red, green or blue (did you mean "green"?)`},
		{"a constant is named", "version: 2\n", "t.yaml:1:10: expected 1"},
		{"a form has a hint of its own", "version: 1\nname: ABC\n", "t.yaml:2:7: the text has the wrong form (lower-case letters)"},
		{"text may be too long", "version: 1\nname: abcdefghi\n", "t.yaml:2:7: must have at most 8 characters, has 9 (lower-case letters)"},
		{"a key may have a form", "version: 1\ntable:\n  B4: {}\n", `t.yaml:3:3: "B4" cannot be a key here (use letters)`},
		{"the form that a value has is explained", "version: 1\nitems:\n  - {modle: x}\n", "t.yaml:3:5: missing key \"model\"\nt.yaml:3:6: unknown key \"modle\" (did you mean \"model\"?)"},
		{"a value of no allowed form", "version: 1\nitems: [4]\n", "t.yaml:2:9: expected text or a mapping, got a number"},
		{"an entry twice", "version: 1\nwords: [a, b, a]\n", "t.yaml:2:15: this entry is there twice (keep one)"},
		{"a key twice", "version: 1\nname: a\nname: b\n", `t.yaml:3:1: key "name" is there twice (keep one)`},
		{"an amount with too many digits", "version: 1\ncost: 0.0000000001\n", "t.yaml:2:7: expected an amount of money (write dollars with at most nine decimals, like 0.25 or $5)"},
		{"a duration without a unit", "version: 1\nwait: \"10\"\n", "t.yaml:2:7: expected a duration (write it like 500ms, 30s or 2m)"},
		{"a type that reads itself", "version: 1\nzone: moon\n", "t.yaml:2:7: the text cannot be used here (use one of machine, office, tenant, cloud)"},
		{"a number beyond the type", "version: 1\ncount: 256\n", "t.yaml:2:8: the number is out of range"},
		{"a tab", "version: 1\ntable:\n\tx: {}\n", "t.yaml:3:1: a tab cannot indent (indent with spaces)"},
		{"a colon in text", "version: 1\nname: a: b\n", "t.yaml:2:7: mapping value is not allowed in this context (put text that has a colon in quotes)"},
		{"not UTF-8", "version: 1\nname: \xff\n", "t.yaml:2:7: this is not UTF-8 (save the file as UTF-8)"},
		{"a NUL", "version: 1\nname: \x00\n", "t.yaml:2:7: a NUL character is not text (remove it)"},
		{"two documents", "version: 1\n---\nversion: 1\n", "t.yaml:2:1: a second document begins here (write one document in a file)"},
		{"a merge key", "version: 1\ntable:\n  <<: {x: {}}\n", "t.yaml:3:3: merge keys are not supported (write the keys out)"},
		{"an alias of nothing", "version: 1\nname: *no\n", "t.yaml:2:7: nothing above is called &no (define the anchor before it is used)"},
		{"a value inside itself", "version: 1\nfree: &a [*a]\n", "t.yaml:2:11: nothing above is called &a (define the anchor before it is used)"},
		{"an octal number", "version: 01\n", "t.yaml:1:10: the number is not decimal (write decimal digits; put text that looks like a number in quotes)"},
		{"infinity", "version: 1\nshare: .inf\n", "t.yaml:2:8: the number is not decimal (write decimal digits; put text that looks like a number in quotes)"},
		{"a number of a million digits", "version: 1\nshare: 1e1000000\n", "t.yaml:2:8: the number is too long or too large"},
		{"a tag", "version: !!binary x\n", "t.yaml:1:10: tags are not supported (remove it, or put text in quotes)"},
		{"a list as a key", "version: 1\n? [x]\n: 1\n", "t.yaml:3:1: found an invalid key for this map"},
		{"a directive", "%YAML 1.1\n---\nversion: 1\n", "t.yaml:1:1: directives are not supported (remove the line that begins with %)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := read(c.text)
			if err == nil {
				t.Fatal("it was read")
			}
			if starling.KindOf(err) != starling.Invalid {
				t.Errorf("kind %s", starling.KindOf(err))
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHostileDocumentsAreRefusedBeforeTheyCost(t *testing.T) {
	laughs := "version: 1\nfree:\n  - &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		a, b := string(rune('0'+i)), string(rune('1'+i))
		laughs += "  - &a" + b + " [" + strings.Repeat("*a"+a+", ", 8) + "*a" + a + "]\n"
	}
	for _, c := range []struct{ name, text, want string }{
		{"a billion laughs", laughs, "too large once its aliases are followed"},
		{"a megabyte and more", "version: 1 #" + strings.Repeat("x", 1<<20), "bytes"},
		{"brackets without end", strings.Repeat("[", 9_000), "nested too deeply"},
		{"brackets with an end", strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000), "nested too deeply"},
		{"dashes without end", strings.Repeat("- ", 9_000), "nested too deeply"},
		{"question marks without end", strings.Repeat("? ", 9_000), "nested too deeply"},
		{"stairs", stairs(300), "nested too deeply"},
		{"many parts", "[" + strings.Repeat("1,", 1<<17) + "]", "too many parts"},
		{"many keys", "a: 1\n" + strings.Repeat("k: 1\n", 2100), "too many keys"},
		{"a long key", strings.Repeat("k", 1000) + ": 1\n", "the key is too long"},
		{"long keys above many values", long(24) + strings.Repeat("1,", 10_000) + strings.Repeat("]}", 24), "too many long keys"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := read(c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// stairs nests mappings, one level a line.
func stairs(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// long nests flow mappings with long keys.
func long(depth int) string {
	return strings.Repeat("{"+strings.Repeat("k", 200)+": ", depth-1) + "{" + strings.Repeat("k", 200) + ": ["
}

func TestOneErrorListsAtMostTwentyProblems(t *testing.T) {
	_, err := read("version: 1\n" + strings.Repeat("x", 1) + "a: 1\n" + func() string {
		var b strings.Builder
		for _, r := range "abcdefghijklmnopqrstuvwxyz" {
			b.WriteString("zz" + string(r) + string(r) + ": 1\n")
		}
		return b.String()
	}())
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 21 || lines[20] != "and 7 more" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestASchemaThatPromisesMoreThanTheTypeHoldsIsABug(t *testing.T) {
	for _, c := range []struct {
		name, text string
		into       any
	}{
		{"a key without a field", "version: 1\nname: abc\n", new(common)},
		{"no pointer", "version: 1\n", common{}},
		{"text for a number", "version: 1\nname: abc\n", &struct{ Version, Name int }{}},
	} {
		err := strict.Read("t.yaml", []byte(c.text), strict.NewSchema([]byte(schemaText)), c.into)
		if starling.KindOf(err) != starling.Internal {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAPlaceInsideATextIsAPlaceInTheFile(t *testing.T) {
	doc, err := strict.Parse("t.yaml", []byte("a: x > 1\nb: |\n   one\n   two\nc: \"x\"\nd: >\n  folded\n  text\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path         string
		line, column int
		want         string
	}{
		{"a", 1, 2, "t.yaml:1:6: oops"},
		{"b", 2, 1, "t.yaml:4:5: oops"},
		{"c", 1, 1, "t.yaml:5:4: oops"},
		{"d", 1, 1, "t.yaml:6:4: oops"},
	} {
		if got := doc.Inside([]string{c.path}, c.line, c.column, "oops").String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.path, got, c.want)
		}
	}
	if got := doc.Problem([]string{"a", "none"}, "oops", "").String(); got != "t.yaml:1:4: oops" {
		t.Errorf("a path that ends early: %s", got)
	}
}

func TestBoundsAreSaidInWords(t *testing.T) {
	schema := strict.NewSchema([]byte(`{"properties": {
		"a": {"minLength": 3, "maxLength": 5}, "b": {"minItems": 1, "maxItems": 2}, "c": {"minProperties": 1, "maxProperties": 1},
		"d": {"minimum": 0.5, "maximum": 2}, "e": {"exclusiveMaximum": 2}, "f": false, "g": {"not": {"type": "string"}}, "h": {"anyOf": [{"type": "string"}, {"const": 1}]},
		"i": {"oneOf": [{"type": "string"}, {"minLength": 1}]}
	}}`))
	for _, c := range []struct{ text, want string }{
		{"a: xx", "must have at least 3 characters"},
		{"a: xxxxxx", "must have at most 5 characters, has 6"},
		{"b: []", "must not be empty"},
		{"b: [1, 2, 3]", "must have at most 2 entries, has 3"},
		{"c: {}", "must not be empty"},
		{"c: {x: 1, y: 2}", "must have at most 1 keys, has 2"},
		{"d: 0.25", "must be at least 0.5"},
		{"d: 3", "must be at most 2"},
		{"e: 2", "must be less than 2"},
		{"f: 1", "this is not allowed here"},
		{"g: x", "this value is not allowed here"},
		{"h: 2", "expected 1"},
		{"i: x", "this fits more than one form"},
	} {
		err := strict.Read("t", []byte(c.text), schema, new(map[string]any))
		if err == nil || err.Error() != "t:1:4: "+c.want {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
}

func TestAPathIsThereOrNot(t *testing.T) {
	doc, err := strict.Parse("t", []byte("a: {b: [1, {c: null}]}\n3: x\n"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"a": true, "a b 1 c": true, "3": true, "a b 2": false, "a b -1": false, "x": false, "a b 0 c": false} {
		if got := doc.Has(strings.Fields(path)); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
}

func TestAProblemMayBeThatOfAKey(t *testing.T) {
	doc, err := strict.Parse("t.yaml", []byte("a:\n  b: {c: 1}\n  d:\n    - 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"a": "1:1", "a b": "2:3", "a b c": "2:7", "a d 0": "4:7", "a none": "2:3", "none b": "1:1", "": "1:1"} {
		if got := doc.AtKey(strings.Fields(path), "oops", "").String(); got != "t.yaml:"+want+": oops" {
			t.Errorf("%q is at %q, want %s", path, got, want)
		}
	}
}
