package verify

import (
	"strings"
	"testing"

	"starling"
)

const totalSchema = `{"type":"object","properties":{"total":{"type":"integer"},"why":{"type":"string"}},"required":["total"],"additionalProperties":false}`

func formatOf(t *testing.T, d starling.Dialect, schema string) *Format {
	t.Helper()
	var shapes Shapes
	f, err := shapes.Format(&starling.Request{Dialect: d, Format: &starling.Format{Kind: "json_schema", Schema: []byte(schema)}})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAnAnswerIsJSONAloneOrItsFormIsMendedOrItBreaksTheShape(t *testing.T) {
	const ok = `{"total":1}`
	for _, c := range []struct {
		name, text   string
		texts        int
		mended, how  string
		why          string
		place, again string
	}{
		{name: "the JSON alone", text: ok},
		{name: "with space that JSON knows", text: "\n " + ok + " \t\r\n"},
		{name: "in a fence", text: "```json\n" + ok + "\n```", mended: ok, how: "code fence"},
		{name: "in a fence without a language", text: "```\n" + ok + "\n```\n", mended: ok, how: "code fence"},
		{name: "in a fence with words around", text: "Here you go:\n```json\n" + ok + "\n```\nAnything else?", mended: ok, how: "words"},
		{name: "words before", text: "The result: " + ok, mended: ok, how: "words"},
		{name: "words after", text: ok + "\nHope this helps!", mended: ok, how: "words"},
		{name: "space that JSON does not know", text: "\u00a0" + ok, mended: ok, how: "space"},
		{name: "a byte order mark", text: "\uFEFF" + ok, mended: ok, how: "space"},
		{name: "in two blocks", text: ok, texts: 2, mended: ok, how: "joined"},
		{name: "a wrong type", text: `{"total":"1"}`, why: "keyword type", place: "/properties/total/type", again: "at /total: got string, want integer"},
		{name: "a missing key", text: `{"why":"x"}`, why: "keyword required", place: "/required", again: "missing property 'total'"},
		{name: "a key too many", text: `{"total":1,"x":2}`, why: "keyword additionalProperties", place: "/additionalProperties"},
		{name: "a wrong type in a fence", text: "```json\n{\"total\":\"1\"}\n```", why: "keyword type", place: "/properties/total/type"},
		{name: "two values", text: ok + ok, why: "something follows"},
		{name: "two values in words", text: "Either " + ok + " or " + ok, why: "not one JSON value"},
		{name: "a trailing comma", text: `{"total":1,}`, why: "not one JSON value"},
		{name: "cut, though an inner value is whole", text: `{"x":{"total":1}`, why: "not one JSON value"},
		{name: "cut in a list", text: `[{"total":1}`, why: "not one JSON value"},
		{name: "a member without its object", text: `"x": {"total":1}`, why: "something follows"},
		{name: "a bracket too many", text: ok + "}", why: "the JSON value"},
		{name: "a key twice", text: `{"total":1,"total":2}`, why: "twice"},
		{name: "words alone", text: "I am sorry.", why: "not one JSON value"},
		{name: "nothing", text: "", why: "empty"},
		{name: "space alone", text: " \n", why: "empty"},
		{name: "single quotes", text: `{'total':1}`, why: "not one JSON value"},
		{name: "a number that is none", text: `{"total":NaN}`, why: "not one JSON value"},
		{name: "a comment", text: "{\"total\":1 // one\n}", why: "not one JSON value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			mended, breach := formatOf(t, starling.OpenAI, totalSchema).Check(&starling.Answer{Text: c.text, Finish: starling.Stopped}, max(c.texts, 1))
			if (mended != nil) != (c.mended != "") || mended != nil && (mended.Text != c.mended || !strings.Contains(mended.How, c.how)) {
				t.Errorf("mended %+v", mended)
			}
			switch {
			case (breach != nil) != (c.why != ""):
				t.Errorf("breach %+v", breach)
			case breach != nil && (!strings.Contains(breach.Why, c.why) || breach.Place != c.place || breach.Cut || !strings.Contains(breach.Again, c.again)):
				t.Errorf("breach %+v", breach)
			}
		})
	}
}

func TestABreachSaysNothingOfAnswerOrSchema(t *testing.T) {
	const schema = `{"type":"object","properties":{"zqxsecret":{"enum":["zqxsecret"]}},"patternProperties":{"zqx":{}},"dependentRequired":{"zqxother":["zqxmissing"]},"additionalProperties":false}`
	for _, text := range []string{`{"zqxsecret":1}`, `zqxsecret`, `{"zqxother":1}`, `{"other zqxsecret":1, "a":2}`, `["zqxsecret"]`, `{"zqxsecret":`} {
		_, breach := formatOf(t, starling.OpenAI, schema).Check(&starling.Answer{Text: text, Finish: starling.Stopped}, 1)
		if breach == nil || strings.Contains(breach.Why, "zqx") {
			t.Errorf("%s: %+v", text, breach)
		}
	}
}

func TestWhatIsNoAnswerBreaksNoShape(t *testing.T) {
	f := formatOf(t, starling.OpenAI, totalSchema)
	for name, a := range map[string]starling.Answer{
		"a refusal":         {Refused: true, Finish: starling.Stopped},
		"a call":            {Text: "Let me look.", Calls: []starling.ToolCall{{Name: "f"}}, Finish: starling.ToolUse},
		"a turn to go on":   {Text: "{", Finish: starling.Paused},
		"whole JSON, cut":   {Text: `{"total":1}`, Finish: starling.Length},
		"stopped by a word": {Text: `{"total":1}`, Finish: starling.StopWord},
	} {
		if mended, breach := f.Check(&a, 1); mended != nil || breach != nil {
			t.Errorf("%s: %+v, %+v", name, mended, breach)
		}
	}
	for _, finish := range []starling.Finish{starling.Length, starling.Overfull} {
		if _, breach := f.Check(&starling.Answer{Text: `{"total":`, Finish: finish}, 1); breach == nil || !breach.Cut {
			t.Errorf("%s: %+v", finish, breach)
		}
	}
}

func TestWithoutASchemaAnyObjectWillDo(t *testing.T) {
	for text, ok := range map[string]bool{`{}`: true, `{"a":[1]}`: true, `[]`: false, `"x"`: false, `7`: false, `null`: false} {
		if _, breach := formatOf(t, starling.OpenAI, "").Check(&starling.Answer{Text: text}, 1); (breach == nil) != ok {
			t.Errorf("%s: %+v", text, breach)
		}
	}
	if _, breach := formatOf(t, starling.Gemini, "").Check(&starling.Answer{Text: `[1]`}, 1); breach != nil {
		t.Errorf("gemini, an array: %+v", breach)
	}
}

func TestASchemaThatIsNoneIsRefusedAndNothingIsFetched(t *testing.T) {
	for schema, ok := range map[string]bool{
		`{}`: true, `true`: true, `{"$ref":"#/$defs/a","$defs":{"a":{"type":"string"}}}`: true,
		`{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{"a":{}},"$ref":"#/definitions/a"}`: true,
		`{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object"}`:                            true,
		`{"type":"objekt"}`: false, `7`: false, `"x"`: false, `[]`: false, `{"properties":[]}`: false, `{"$ref":"http://127.0.0.1/a.json"}`: false,
		`{"$ref":"file:///etc/passwd"}`: false, `{"$ref":"other.json"}`: false, `{"$ref":"#/$defs/missing"}`: false, `{"pattern":"(?=a)"}`: false, `{"$schema":"http://example.com/own"}`: false,
	} {
		var shapes Shapes
		_, err := shapes.Format(&starling.Request{Dialect: starling.Anthropic, Format: &starling.Format{Kind: "json_schema", Schema: []byte(schema)}})
		if ok != (err == nil) || err != nil && (starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), "output_config.format.schema")) {
			t.Errorf("%s: %v", schema, err)
		}
	}
}

func TestShapesAreKeptAndBounded(t *testing.T) {
	var shapes Shapes
	text := []byte(`{"type":"string"}`)
	first := shapes.of(text)
	if shapes.of([]byte(`{"type":"string"}`)) != first {
		t.Error("the same schema was compiled twice")
	}
	text[2] = 'X' // it is a piece of a request's body, which is gone by then
	if err := first.Compile(); err != nil {
		t.Error(err)
	}
	for i := range 3 * mostShapes {
		shapes.of([]byte(`{"minimum":` + strings.Repeat("1", i%20+1) + `,"x":` + strings.Repeat("2", i/20+1) + `}`))
	}
	if len(shapes.kept) > mostShapes || shapes.bytes > mostShapeBytes {
		t.Errorf("%d schemas of %d bytes are kept", len(shapes.kept), shapes.bytes)
	}
}
