package wire

import (
	"bytes"
	"fmt"
	"testing"

	"starling"
)

func outlined(t testing.TB, d starling.Dialect, body string) Outline {
	t.Helper()
	r, err := Parse(d, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return OutlineOf(&r)
}

func opening(o Outline) string {
	var b bytes.Buffer
	o.WriteOpening(&b)
	return b.String()
}

func TestAnOutlineSaysWhereTheConversationStands(t *testing.T) {
	for _, c := range []struct {
		name                string
		dialect             starling.Dialect
		body                string
		system, first, last string
		answers             int
	}{
		{"one question", starling.OpenAI, ` {"model":"m","messages":[{"role":"user","content":"a\u0062c"}]}`, "", "abc", "abc", 0},
		{"instructions come before it", starling.OpenAI, `{"messages":[{"role":"system","content":"be"},{"content":[{"type":"text","text":"good"}],"role":"developer"},{"role":"user","content":"a"}],"model":"m"}`, "be good ", "a", "a", 0},
		{"in the other dialect they stand beside it", starling.Anthropic, `{"model":"m","max_tokens":9,"system":[{"type":"text","text":"be"},{"type":"text","text":"good"}],"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":[{"type":"text","text":"c"}]}]}`, "be\ngood ", "a", "c", 1},
		{"what a tool says is not the user's", starling.Anthropic, `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":"c"}]}]}`, "", "a", "a", 1},
		{"what a client accounts with is no instruction", starling.Anthropic, `{"model":"m","max_tokens":9,"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=1"},{"type":"text","text":"be"},{"type":"text","text":"good","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"a"}]}`, "be good ", "a", "a", 0},
		{"nor is its line", starling.Anthropic, `{"model":"m","max_tokens":9,"system":"x-anthropic-billing-header: a=b\nbe \"good\"","messages":[{"role":"user","content":"a"}]}`, `be "good" `, "a", "a", 0},
		{"nor if it is all there is", starling.Anthropic, `{"model":"m","max_tokens":9,"system":[{"type":"text","text":"x-anthropic-billing-header: a=b"}],"messages":[{"role":"user","content":"a"}]}`, "", "a", "a", 0},
		{"instructions later on are no opening", starling.OpenAI, `{"model":"m","messages":[{"role":"user","content":"a"},{"role":"system","content":"be"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]}]}`, "", "a", "a", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := outlined(t, c.dialect, c.body)
			system := ""
			for _, s := range o.System {
				system += Text(s) + " "
			}
			if system != c.system || Text(o.First) != c.first || Text(o.Last) != c.last || o.Answers != c.answers {
				t.Errorf("system %q, first %q, last %q after %d answers", system, Text(o.First), Text(o.Last), o.Answers)
			}
		})
	}
}

func TestTheOpeningStaysWhileAConversationGoesOn(t *testing.T) {
	const mark = `,"cache_control":{"type":"ephemeral"}`
	body := func(system, first, mark, rest string) string {
		return fmt.Sprintf(`{"model":"m","max_tokens":9,"system":%q,"tools":[{"name":"t"}],"messages":[{"role":"user","content":[{"type":"text","text":%q%s}]}%s]}`, system, first, mark, rest)
	}
	start := opening(outlined(t, starling.Anthropic, body("be", "a", mark, "")))
	later := opening(outlined(t, starling.Anthropic, body("be", "a", "", `,{"role":"assistant","content":"b"},{"role":"user","content":"c"}`)))
	if start != later {
		t.Errorf("%q became %q", start, later)
	}
	for _, other := range []string{body("do", "a", "", ""), body("be", "b", "", ""), body("", "bea", "", "")} {
		if opening(outlined(t, starling.Anthropic, other)) == start {
			t.Errorf("%s begins like another", other)
		}
	}
}

func TestOfWhatIsNoQuestionThereIsNoOutline(t *testing.T) {
	for _, body := range []string{"", "x", "xxxx", "[]", "{}", `{"messages":1}`, `{"messages":[1]}`} {
		if o := OutlineOf(&starling.Request{Body: []byte(body)}); len(o.System) > 0 || o.First != nil || o.Last != nil || o.Answers > 0 {
			t.Errorf("%q: %+v", body, o)
		}
	}
}

func BenchmarkOutline(b *testing.B) {
	var turns bytes.Buffer
	for range 200 {
		fmt.Fprintf(&turns, `,{"role":"assistant","content":%q},{"role":"user","content":%q}`, bytes.Repeat([]byte("word "), 40), bytes.Repeat([]byte("term "), 60))
	}
	r := starling.Request{Dialect: starling.OpenAI, Body: []byte(`{"model":"m","messages":[{"role":"user","content":"a"}` + turns.String() + `]}`)}
	b.SetBytes(int64(len(r.Body)))
	b.ReportAllocs()
	for b.Loop() {
		OutlineOf(&r)
	}
}
