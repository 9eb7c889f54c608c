package wire

import (
	"testing"

	"starling"
)

func TestAQuestionIsAskedInOtherWords(t *testing.T) {
	const words = "Say \"it\"\nso."
	for _, c := range []struct {
		name    string
		dialect starling.Dialect
		in, out string
	}{
		{"it had none", starling.OpenAI, "{ \"model\":\"a\",\"messages\" : [ {\"role\":\"user\",\"content\":\"<é>\"} ],\"x\":1.50}\n",
			"{ \"model\":\"a\",\"messages\" : [{\"role\":\"system\",\"content\":\"Say \\\"it\\\"\\nso.\"},{\"role\":\"user\",\"content\":\"<é>\"}],\"x\":1.50}\n"},
		{"it had several", starling.OpenAI, `{"messages":[{"role":"system","content":"a"},{"role":"user","content":"u"},{"content":[],"role":"developer"},{"role":"assistant","content":"v"},{"role":"user","content":"w"}],"model":"a"}`,
			`{"messages":[{"role":"system","content":"Say \"it\"\nso."},{"role":"user","content":"u"},{"role":"assistant","content":"v"},{"role":"user","content":"w"}],"model":"a"}`},
		{"it was streamed", starling.OpenAI, `{"stream_options":{"include_usage":true},"stream":true,"messages":[{"role":"user"}],"model":"a"}`,
			`{"stream_options":null,"stream":false,"messages":[{"role":"system","content":"Say \"it\"\nso."},{"role":"user"}],"model":"a"}`},
		{"the other dialect", starling.Anthropic, `{"model":"a","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"u"}]}`,
			`{"system":"Say \"it\"\nso.","model":"a","max_tokens":5,"stream":false,"messages":[{"role":"user","content":"u"}]}`},
		{"the other dialect had one, in parts", starling.Anthropic, `{"model":"a","system":[{"type":"text","text":"s"}],"max_tokens":5,"messages":[{"role":"user","content":"u"}]}`,
			`{"model":"a","system":"Say \"it\"\nso.","max_tokens":5,"messages":[{"role":"user","content":"u"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := parsed(t, c.dialect, c.in)
			r.Query = "beta=true"
			got, err := Reword(r, words)
			if err != nil || string(got.Body) != c.out {
				t.Errorf("%v\n%s\nwant\n%s", err, got.Body, c.out)
			}
			if got.Stream || got.Query != r.Query || got.Model != "a" || string(r.Body) != c.in || r.Chat != nil {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestWhatIsNoQuestionCannotBeReworded(t *testing.T) {
	for _, r := range []starling.Request{{}, {Dialect: starling.OpenAI, Body: []byte("hello")}, {Dialect: starling.OpenAI, Body: []byte(`{"messages":[{}]}`)}} {
		if _, err := Reword(&r, "x"); starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: %v", r.Body, err)
		}
	}
}
