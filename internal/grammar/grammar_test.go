package grammar

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"starling"
)

var update = flag.Bool("update", false, "write testdata/schemas.jsonl")

func TestWhatAGrammarAcceptsIsValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := schemaGen(t, 4)
		accepted(t, text, rapid.Uint64().Draw(t, "seed"), 5)
	})
}

// accepted checks some sentences of a schema's grammar.
func accepted(t rapid.TB, text string, seed uint64, sentences int) {
	t.Helper()
	gram, loose, err := FromSchema([]byte(text))
	if err != nil {
		if starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), "no value fits") {
			t.Fatalf("%s: %v", text, err)
		}
		return
	}
	again, _, _ := FromSchema([]byte(text))
	if again != gram {
		t.Fatalf("%s has two grammars", text)
	}
	valid := validator(t, text, loose)
	g := readGBNF(t, gram)
	r := rand.New(rand.NewPCG(seed, 1))
	for range sentences {
		s := g.sentence(r)
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(s))
		if err != nil {
			t.Fatalf("%s\n%s\nno JSON: %s", text, gram, s)
		}
		if err := valid.Validate(v); err != nil {
			t.Fatalf("%s\n%s\nloose %v\n%s: %v", text, gram, loose, s, err)
		}
	}
}

// validator is of the schema without what is loose.
func validator(t rapid.TB, text string, loose []string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range loose {
		steps := strings.Split(at, "/")[1:]
		part := doc
		for _, step := range steps[:len(steps)-1] {
			switch p := part.(type) {
			case map[string]any:
				part = p[unescape.Replace(step)]
			case []any:
				i, _ := strconv.Atoi(step)
				part = p[i]
			}
		}
		holder, ok := part.(map[string]any)
		if !ok || holder[steps[len(steps)-1]] == nil {
			if ok && slices.ContainsFunc(loose, func(l string) bool { return strings.HasPrefix(at, l+"/") }) || part == nil {
				continue // its keyword has been taken out with one above it
			}
			t.Fatalf("%s: %s is no keyword", text, at)
		}
		delete(holder, steps[len(steps)-1])
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("mem:///s", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem:///s")
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

// schemaGen writes a random schema.
func schemaGen(t *rapid.T, depth int) string {
	defs := map[string]string{}
	s := &schemaWriter{t: t, defs: []string{"a", "b"}}
	for _, name := range s.defs {
		defs[name] = s.schema(depth - 1)
	}
	root := s.object(depth)
	if s.chance(5) {
		root = s.schema(depth)
	}
	if root == "true" || root == "false" {
		return root
	}
	between := ","
	if root == "{}" {
		between = ""
	}
	return strings.TrimSuffix(root, "}") + between + fmt.Sprintf(`"$defs":{"a":%s,"b":%s}}`, defs["a"], defs["b"])
}

type schemaWriter struct {
	t    *rapid.T
	defs []string
}

func (s *schemaWriter) upto(n int) int    { return rapid.IntRange(0, n).Draw(s.t, "n") }
func (s *schemaWriter) chance(n int) bool { return s.upto(n) == n }
func (s *schemaWriter) of(all ...string) string {
	return rapid.SampledFrom(all).Draw(s.t, "one")
}

func (s *schemaWriter) schema(depth int) string {
	if depth <= 0 {
		return s.of(`{"type":"integer"}`, `{"type":"string"}`, `{"type":"boolean"}`, `{"type":"null"}`, `{"enum":["red","gr\"een",7,null]}`, `true`, `{"type":"number"}`)
	}
	switch s.upto(13) {
	case 0, 1, 2:
		return s.object(depth)
	case 3, 4:
		return s.array(depth)
	case 5, 6:
		return s.string()
	case 7, 8:
		return s.number()
	case 9:
		return s.of(`{"enum":["x","y",1,2.5,{"k":[true]}],"type":"string"}`, `{"const":"ü\n"}`, `{"enum":["one","two","three"]}`, `{"type":["string","null"],"maxLength":3}`, `{"type":["integer","boolean"]}`, `{"enum":[1,2,3,4,5],"minimum":3}`, `false`, `{}`)
	case 10:
		return fmt.Sprintf(`{%q:[%s,%s]}`, s.of("anyOf", "oneOf", "anyOf"), s.schema(depth-1), s.schema(depth-1))
	case 11:
		// Parts refer to nothing: what refers to itself without a step is refused.
		return fmt.Sprintf(`{"allOf":[%s,%s]}`, s.leafObject(), s.leafObject())
	case 12:
		return fmt.Sprintf(`{"type":"object","properties":{"next":{"$ref":"#/$defs/%s"},"v":%s}}`, s.of(s.defs...), s.schema(depth-1))
	}
	return fmt.Sprintf(`{"type":"array","items":{"$ref":"#/$defs/%s"},"maxItems":2}`, s.of(s.defs...))
}

func (s *schemaWriter) leafObject() string {
	return fmt.Sprintf(`{"properties":{%q:%s,%q:%s}%s}`, s.of("a", "b"), s.string(), s.of("c", "d"), s.number(), s.of("", `,"required":["a"]`, `,"required":["d"]`, `,"type":"object"`, `,"additionalProperties":{"type":"integer"}`))
}

func (s *schemaWriter) object(depth int) string {
	names := []string{"id", "name", "na", "naïve \"x\"", "tags", "a/b~c", "x", "日本"}
	var props, required []string
	for range s.upto(4) {
		i := s.upto(len(names) - 1)
		props = append(props, fmt.Sprintf("%s:%s", quoted(names[i]), s.schema(depth-1)))
		if s.upto(1) == 0 {
			required = append(required, quoted(names[i]))
		}
		names = slices.Delete(names, i, i+1)
	}
	text := `{"type":"object","properties":{` + strings.Join(props, ",") + "}"
	if len(required) > 0 {
		text += `,"required":[` + strings.Join(required, ",") + "]"
	}
	switch s.upto(6) {
	case 0, 1:
		text += `,"additionalProperties":false`
	case 2:
		text += `,"additionalProperties":` + s.schema(depth-2)
	case 3:
		text += s.of(`,"additionalProperties":true`, `,"minProperties":2`, `,"maxProperties":1`, `,"patternProperties":{"^n":{"type":"string"}}`, `,"propertyNames":{"maxLength":3}`, `,"dependentRequired":{"id":["name"]}`, `,"not":{"required":["id"]}`, `,"unevaluatedProperties":false`)
	}
	return text + "}"
}

func (s *schemaWriter) array(depth int) string {
	text := `{"type":"array"`
	if s.upto(2) > 0 {
		text += `,"items":` + s.schema(depth-1)
	}
	if s.chance(3) {
		text += fmt.Sprintf(`,"prefixItems":[%s,%s]`, s.schema(depth-1), s.schema(depth-1))
	}
	if s.upto(1) == 0 {
		text += fmt.Sprintf(`,"minItems":%d`, s.upto(3))
	}
	if s.upto(1) == 0 {
		text += fmt.Sprintf(`,"maxItems":%d`, 1+s.upto(4))
	}
	if s.chance(8) {
		text += `,"uniqueItems":true`
	}
	return text + "}"
}

func (s *schemaWriter) string() string {
	switch s.upto(3) {
	case 0:
		return s.of(`{"type":"string"}`, `{"type":"string","minLength":1}`, `{"type":"string","maxLength":12}`, `{"type":"string","minLength":2,"maxLength":4}`, `{"maxLength":5}`, `{"type":"string","maxLength":100000}`)
	case 1:
		return fmt.Sprintf(`{"type":"string","format":%q}`, s.of("date", "time", "date-time", "uuid", "email", "ipv4", "uri"))
	}
	pattern := s.of(`^[a-z]+$`, `^\d{3}-\d{4}$`, `^(foo|bar)(-[0-9]+)?$`, `x`, `^[^"\\]*$`, `^a|b$`, `^[A-Z]{2,4}$`, `\\"`, `^.{1,5}$`, `^\s?\w+$`, `^(a*)*$`, `\bword\b`, `^[é-ü]+$`, `^\n?$`, `^[\x{4e00}-\x{9fa5}]$`)
	bounds := s.of("", "", `,"maxLength":3`, `,"minLength":2`)
	return fmt.Sprintf(`{"type":"string","pattern":%s%s}`, must(json.Marshal(pattern)), bounds)
}

func (s *schemaWriter) number() string {
	text := fmt.Sprintf(`{"type":%q`, s.of("integer", "number"))
	bound := func(keyword string, low, high int) {
		if s.upto(1) == 0 {
			text += fmt.Sprintf(`,%q:%d%s`, keyword, low+s.upto(high-low), s.of("", "", ".5", ".25", "e2"))
		}
	}
	bound(s.of("minimum", "exclusiveMinimum"), -200, 120)
	bound(s.of("maximum", "exclusiveMaximum"), 100, 12345)
	if s.chance(8) {
		text += `,"multipleOf":5`
	}
	return text + "}"
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestGoodDocumentsAreAccepted(t *testing.T) {
	const person = `{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150},"tags":{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":3}},"required":["name"],"additionalProperties":false}`
	for _, c := range []struct {
		name, schema string
		good, bad    []string
	}{
		{"an object", person, []string{`{"name":"Ada"}`, `{"name": "Ada", "age": 36}`, `{"name":"","tags":["x", "y"]}`, `{"name":"\u00e9\n\ud83d\ude00 ü"}`},
			[]string{`{}`, `{"age":36,"name":"Ada"}`, `{"name":"A","age":151}`, `{"name":"A","tags":[]}`, `{"name":"A","x":1}`, `{"name":"A",}`, `{"name":"\ud83d"}`, `[]`, "{\"name\":\"\n\"}"}},
		{"optional members", `{"properties":{"a":{"const":1},"b":{"const":2},"c":{"const":3}}}`, []string{`{}`, `{"a":1}`, `{"b":2}`, `{"c":3}`, `{"a":1,"c":3}`, `{"b":2,"c":3}`, `{"a":1,"b":2,"c":3}`}, []string{`{,"a":1}`, `{"c":3,"a":1}`, `{"a":1,"a":1}`}},
		{"other members", `{"type":"object","properties":{"na":{"const":1},"name":{"const":2}},"additionalProperties":{"type":"boolean"}}`, []string{`{"n":true}`, `{"na":1,"nam":true}`, `{"names":false,"x":true}`, `{"":true}`}, []string{`{"na":true}`, `{"name":true}`, `{"x":1}`, `{"\u006ea":true}`}},
		{"members by pattern", `{"type":"object","properties":{"n":{}},"patternProperties":{"^n":{"type":"null"}},"additionalProperties":false}`, []string{`{"n":null}`}, []string{`{"n":1}`}},
		{"a tuple", `{"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}],"items":false}`, []string{`[]`, `["a"]`, `["a",1]`}, []string{`["a",1,2]`, `[1]`}},
		{"a tuple that goes on", `{"type":"array","prefixItems":[{"type":"string"}],"items":{"type":"integer"},"minItems":3,"maxItems":4}`, []string{`["a",1,2]`, `["a", 1, 2, 3]`}, []string{`["a",1]`, `["a",1,2,3,4]`}},
		{"a tuple of an older draft", `{"$schema":"http://json-schema.org/draft-07/schema#","type":"array","items":[{"type":"string"}],"additionalItems":{"type":"null"}}`, []string{`[]`, `["a",null,null]`}, []string{`[null]`}},
		{"types", `{"type":["string","null"]}`, []string{`"x"`, `null`}, []string{`1`, `true`}},
		{"a tree", `{"$defs":{"n":{"type":"object","properties":{"v":{"type":"integer"},"kids":{"type":"array","items":{"$ref":"#/$defs/n"}}},"required":["v"]}},"$ref":"#/$defs/n"}`, []string{`{"v":1,"kids":[{"v":2,"kids":[]},{"v":-3}]}`}, []string{`{"kids":[]}`}},
		{"all of", `{"allOf":[{"type":"object","properties":{"a":{"type":"integer","minimum":3}},"required":["a"]},{"properties":{"a":{"maximum":5},"b":{"type":"null"}}}]}`, []string{`{"a":4}`, `{"a":5,"b":null}`}, []string{`{"a":6}`, `{"a":2}`, `{"b":null}`}},
		{"a choice", `{"type":"object","properties":{"a":{"const":1},"b":{"const":2}},"anyOf":[{"required":["a"]},{"required":["b"]}]}`, []string{`{"a":1}`, `{"b":2}`, `{"a":1,"b":2}`}, []string{`{}`}},
		{"listed values", `{"enum":["a","\"q\"",1.0,null,{"x":[1,"y"]}],"not":{"type":"null"}}`, []string{`"a"`, `"\"q\""`, `1.0`, `{"x":[1,"y"]}`}, []string{`null`, `"b"`}},
		{"a date", `{"format":"date"}`, []string{`"2026-11-27"`, `"2024-02-29"`, `"2000-02-29"`, `"2023-12-31"`}, []string{`"2023-02-29"`, `"1900-02-29"`, `"2023-04-31"`, `"2023-13-01"`, `"2023-1-1"`}},
		{"a number", `{"type":"number","minimum":-1.5,"exclusiveMaximum":10}`, []string{`0`, `-1.5`, `-1`, `9`, `9.99`, `3.1415`, `-0.5`, `9.12345`}, []string{`10`, `-1.6`, `10.0`, `-2`}},
		{"a name of many signs", `{"type":"object","properties":{"日\n\"\\]":{"type":"null"}},"required":["日\n\"\\]"]}`, []string{`{"日\n\"\\]":null}`}, nil},
		{"a pattern", `{"type":"string","pattern":"^(foo|ba[rz])-\\d{2,}$"}`, []string{`"foo-12"`, `"baz-123"`}, []string{`"foo-1"`, `"xfoo-12"`, `"foo-12x"`}},
		{"a pattern without anchors", `{"type":"string","pattern":"\\d"}`, []string{`"a1b"`, `"1"`}, []string{`"ab"`}},
		{"anything", `true`, []string{`1`, `{"a":[null,1.5e3,{"b":"c"}]}`, `[]`}, []string{``, `{`}},
	} {
		text, _, err := FromSchema([]byte(c.schema))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		g := readGBNF(t, text)
		for _, doc := range c.good {
			if !g.accepts(doc) {
				t.Errorf("%s: %s is not accepted\n%s", c.name, doc, text)
			}
		}
		for _, doc := range c.bad {
			if g.accepts(doc) {
				t.Errorf("%s: %s is accepted\n%s", c.name, doc, text)
			}
		}
	}
}

func TestAnyObjectIsJSON(t *testing.T) {
	text, loose, err := FromSchema([]byte(`{"type":"object"}`))
	if err != nil || loose != nil {
		t.Fatal(loose, err)
	}
	g := readGBNF(t, text)
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var m map[string]any
		if s := g.sentence(r); json.Unmarshal([]byte(s), &m) != nil {
			t.Errorf("no object: %s", s)
		}
	}
	if !g.accepts(`{"a": [1, {"b": "\u00e9"}], "c": -0.5e-3}`) || g.accepts(`[]`) {
		t.Error("an object is not accepted, or a list is")
	}
}

func TestIntegersAreHeldToTheDigit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{12, 130, 5000, 1 << 40}).Draw(t, "size")
		low := rapid.IntRange(-size, size).Draw(t, "low")
		high := rapid.IntRange(low, size).Draw(t, "high")
		text, loose, err := FromSchema(fmt.Appendf(nil, `{"type":"integer","minimum":%d,"maximum":%d}`, low, high))
		if err != nil || loose != nil {
			t.Fatal(err, loose)
		}
		g := readGBNF(t, text)
		for _, n := range []int{low - 1, low, low + 1, high - 1, high, high + 1, 0, rapid.IntRange(-2*size, 2*size).Draw(t, "n")} {
			if got := g.accepts(strconv.Itoa(n)); got != (low <= n && n <= high) {
				t.Fatalf("%d from %d to %d: %v\n%s", n, low, high, got, text)
			}
		}
	})
}

func TestWhatIsNotHeldIsNamed(t *testing.T) {
	for _, c := range []struct {
		schema string
		want   []string
	}{
		{`{"type":"array","uniqueItems":true,"contains":{"const":1}}`, []string{"/contains", "/uniqueItems"}},
		{`{"type":"object","properties":{"a/b":{"type":"number","multipleOf":0.5}}}`, []string{"/properties/a~1b/multipleOf"}},
		{`{"type":"integer","multipleOf":0.5}`, nil},
		{`{"type":"string","not":{"const":"x"},"if":{},"then":{"maxLength":1}}`, []string{"/if", "/not"}},
		{`{"type":"string","minLength":1000,"maxLength":100000}`, []string{"/maxLength", "/minLength"}},
		{`{"type":"string","pattern":"\\ba","format":"uri"}`, []string{"/format", "/pattern"}},
		{`{"type":"string","pattern":"^(ab)+$","maxLength":3}`, []string{"/maxLength"}},
		{`{"type":"string","pattern":"^[a-z]+$","maxLength":3}`, nil},
		{`{"oneOf":[{"type":"string"},{"type":"integer"}]}`, nil},
		{`{"oneOf":[{"type":"string"},{"const":"x"}]}`, []string{"/oneOf"}},
		{`{"oneOf":[{"type":"object","properties":{"k":{"const":1}},"required":["k"]},{"type":"object","properties":{"k":{"const":2}},"required":["k"]}]}`, nil},
		{`{"type":"integer","maximum":9223372036854775807}`, nil},
		{`{"type":"integer","minimum":1e40}`, []string{"/minimum"}},
		{`{"type":"object","dependentRequired":{"a":["b"]},"minProperties":1}`, []string{"/dependentRequired", "/minProperties"}},
	} {
		if _, loose, err := FromSchema([]byte(c.schema)); err != nil || !slices.Equal(loose, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.schema, loose, err, c.want)
		}
	}
}

func TestASchemaThatCannotBeHeldIsInvalid(t *testing.T) {
	var deep, wide, copies strings.Builder
	for i := range 600 {
		fmt.Fprintf(&copies, `"p%d":{"type":"string","maxLength":512},`, i)
	}
	deep.WriteString(strings.Repeat(`{"items":`, 200) + "{}" + strings.Repeat("}", 200))
	wide.WriteString(`{"allOf":[{}`)
	for range 12 {
		wide.WriteString(`,{"anyOf":[{"minLength":1},{"minLength":2},{"minLength":3}]}`)
	}
	wide.WriteString("]}")
	for _, c := range []struct{ name, schema, at string }{
		{"no JSON", `{`, ""},
		{"no schema", `{"type":"nonsense"}`, ""},
		{"a reference outside", `{"$ref":"https://example.com/s"}`, ""},
		{"never", `{"type":"object","properties":{"a":false},"required":["a"]}`, ""},
		{"no types are left", `{"allOf":[{"type":"string"},{"type":"null"}]}`, ""},
		{"an endless value", `{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}`, ""},
		{"a circle", `{"properties":{"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/x"}]}}}`, "/$defs/x"},
		{"an anchor", `{"$ref":"#x","$defs":{"y":{"$anchor":"x"}}}`, "/$ref"},
		{"an address within", `{"properties":{"a":{"$id":"http://x.example/a","$ref":"#/$defs/b","$defs":{"b":{}}}}}`, ""},
		{"too deep", deep.String(), strings.Repeat("/items", 96)},
		{"too many combinations", wide.String(), ""},
		{"too many copies", `{"type":"object","properties":{` + copies.String() + `"z":{}}}`, ""},
		{"too large", `{"enum":["` + strings.Repeat("x", maxSchema) + `"]}`, ""},
	} {
		text, _, err := FromSchema([]byte(c.schema))
		e, ok := errors.AsType[*starling.Error](err)
		if !ok || e.Kind != starling.Invalid || text != "" {
			t.Errorf("%s: %v, %d bytes", c.name, err, len(text))
			continue
		}
		if c.at != "" && e.Detail != c.at {
			t.Errorf("%s: at %q, want %q", c.name, e.Detail, c.at)
		}
	}
}

// schemasFile has schemas for whoever wants to try the grammar on an engine.
const schemasFile = "testdata/schemas.jsonl"

func TestTheStoredSchemasHaveGrammars(t *testing.T) {
	if *update {
		writeSchemas(t)
	}
	data, err := os.ReadFile(schemasFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	if len(lines) != 1000 {
		t.Fatalf("%d schemas", len(lines))
	}
	if testing.Short() {
		lines = lines[:100]
	}
	for i, line := range lines {
		accepted(t, string(line), uint64(i), 2)
	}
}

// writeSchemas stores schemas that some value fits, each once.
func writeSchemas(t *testing.T) {
	var b bytes.Buffer
	seen := map[string]bool{}
	gen := rapid.Custom(func(t *rapid.T) string { return schemaGen(t, 3) })
	for seed := 1; len(seen) < 1000; seed++ {
		text := gen.Example(seed)
		if _, _, err := FromSchema([]byte(text)); err != nil || seen[text] || len(text) > 650 {
			continue
		}
		seen[text] = true
		b.WriteString(text + "\n")
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(schemasFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// FuzzFromSchema: no text breaks it, and no grammar is beyond its bound.
func FuzzFromSchema(f *testing.F) {
	for _, seed := range []string{`{}`, `false`, `{"type":["object","null"],"properties":{"a":{"$ref":"#"}}}`, `{"items":[{}],"$schema":"http://json-schema.org/draft-07/schema#"}`, `{"minimum":1e9,"maximum":-1E-9}`, `{"pattern":"^(a|b{2,3})[^\\]]$","minLength":2}`, `{"oneOf":[{"const":"\ud800"},{"enum":[]}]}`, `{"$ref":"#/%24defs/a~1b","$defs":{"a/b":true}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		gram, loose, err := FromSchema(text)
		if err != nil {
			if gram != "" || loose != nil || starling.KindOf(err) != starling.Invalid {
				t.Errorf("%q: %v with %d bytes", text, err, len(gram))
			}
			return
		}
		if len(gram) > maxText {
			t.Errorf("%q: %d bytes", text, len(gram))
		}
		g := readGBNF(t, gram)
		if s := g.sentence(rand.New(rand.NewPCG(1, 2))); !json.Valid([]byte(s)) {
			t.Errorf("%q: %q is no JSON", text, s)
		}
	})
}
