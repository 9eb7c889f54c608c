package wire

import (
	"strings"
	"testing"

	"starling"
)

func TestWhatIsReadIsNamedAndWhatIsManaged(t *testing.T) {
	for _, c := range []struct {
		name    string
		body    string
		text    string // all passages, with a bar between them
		turns   int
		shaped  bool
		managed string
	}{
		{"a conversation", `{"messages":[{"role":"system","content":"a"},{"role":"user","content":[{"type":"text","text":"b"}]}]}`, "a|b", 2, false, ""},
		{"a demanded shape by its words", `{"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"p":{"type":"string","description":"d"}},"required":["p"]}}},"messages":[]}`, "n|p|d", 0, true, ""},
		{"a property that is named like a word of JSON Schema", `{"tools":[{"name":"n","input_schema":{"type":"object","properties":{"type":{"type":"string"},"properties":{"type":"object","properties":{"required":{"enum":["x"]}}}}}}],"messages":[]}`, "n|type|properties|required|x", 0, false, ""},
		{"a call in Gemini's words", `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"n","args":{ "a" : [1, 2] }}}]},{"parts":[{"functionResponse":{"name":"n","response":{"b":true}}}]}],"generationConfig":{"responseSchema":{"properties":{"p":{}}}}}`, `n|{"a":[1,2]}|n|{"b":true}|p`, 2, true, ""},
		{"a shape in the other names of its fields", `{"generation_config":{"top_p":1,"response_json_schema":{"properties":{"p":{"description":"d"}}}},"contents":[]}`, "p|d", 0, true, ""},
		{"what an earlier turn thought is not", `{"input":[{"type":"reasoning","summary":[{"text":"s"}],"encrypted_content":"e"},{"type":"message","role":"user","content":"c"}]}`, "c", 2, false, ""},
		{"who has the vendor leave out what does not fit", `{"truncation":"auto","input":"c"}`, "c", 1, false, "truncation"},
		{"and who forbids it", `{"truncation":"disabled","input":"c"}`, "c", 1, false, ""},
		{"who refers to what was said before", `{"previous_response_id":"r","input":"c"}`, "c", 1, false, "previous_response_id"},
		{"null is as absent", `{"context_management":null,"messages":[{"content":null}],"tools":null}`, "", 1, false, ""},
		{"what is no request", `[1]`, "", 0, false, ""},
	} {
		o := ReadingOf(&starling.Request{Body: []byte(c.body)})
		var all []string
		for _, p := range o.Passages {
			all = append(all, Passage(p))
		}
		if got := strings.Join(all, "|"); got != c.text || o.Turns != c.turns || o.Shaped != c.shaped || o.Managed != c.managed {
			t.Errorf("%s: %q in %d turns, shaped %t, managed %q", c.name, got, o.Turns, o.Shaped, o.Managed)
		}
	}
}

func FuzzReading(f *testing.F) {
	seeds(f, "question", "caller.json")
	f.Fuzz(func(t *testing.T, body []byte, second bool) {
		r, err := Parse(spokenBy(second), body)
		if err != nil {
			return
		}
		length := 0
		for _, p := range ReadingOf(&r).Passages {
			if length += len(Passage(p)); Passage(p) == "" {
				t.Fatalf("a passage of nothing: %s", p)
			}
		}
		if length > 3*len(body) { // half of a surrogate pair becomes three bytes, of six
			t.Fatalf("%d bytes are read of %d", length, len(body))
		}
	})
}
