package wire_test

import (
	"slices"
	"strings"
	"testing"

	"starling"
	"starling/internal/wire"
)

func TestWhatTheUserSaidLastCanBeSaidOtherwiseInEveryDialect(t *testing.T) {
	for _, c := range []struct {
		dialect starling.Dialect
		body    string
		said    []string
		told    string
	}{
		{starling.OpenAI, `{"model":"m", "messages":[{"role":"user","content":"x"},{"role":"assistant","content":"x"},{"role":"user","content":"x"}],"n":1}`, []string{"x"}, `{"model":"m", "messages":[{"role":"user","content":"x"},{"role":"assistant","content":"x"},{"role":"user","content":"ö\n"}],"n":1}`},
		{starling.OpenAI, `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a\u0041"},{"type":"image_url","image_url":{"url":"u"}},{"text":"b","type":"text"}]}]}`, []string{"aA", "b"}, `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"ö\n"},{"type":"image_url","image_url":{"url":"u"}},{"text":"b","type":"text"}]}]}`},
		{starling.Anthropic, `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}`, []string{"a", "b"}, `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"ö\n"},{"type":"text","text":"b"}]}]}`},
		{starling.Responses, `{"model":"m","input":"a"}`, []string{"a"}, `{"model":"m","input":"ö\n"}`},
		{starling.Responses, `{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"a"}]}]}`, []string{"a"}, `{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"ö\n"}]}]}`},
		{starling.Gemini, `{"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]}]}`, []string{"a", "b"}, `{"contents":[{"role":"user","parts":[{"text":"ö\n"},{"text":"b"}]}]}`},
		{starling.Ollama, `{"model":"m","messages":[{"role":"user","content":"a"}]}`, []string{"a"}, `{"model":"m","messages":[{"role":"user","content":"ö\n"}]}`},
		{starling.Completions, `{"model":"m","prompt":"a"}`, []string{"a"}, `{"model":"m","prompt":"ö\n"}`},
	} {
		r, err := wire.Parse(c.dialect, []byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		said := wire.Said(&r)
		if !slices.Equal(said, c.said) {
			t.Errorf("%s: %q", c.body, said)
			continue
		}
		same, err := wire.Retell(&r, said)
		if err != nil || string(same.Body) != c.body {
			t.Errorf("%s became %s, %v", c.body, same.Body, err)
		}
		said[0] = "ö\n"
		told, err := wire.Retell(&r, said)
		if err != nil || string(told.Body) != c.told {
			t.Errorf("%s became %s, %v", c.body, told.Body, err)
		}
		if _, err := wire.Retell(&r, append(said, "more")); starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), "cannot be said otherwise") {
			t.Errorf("%v", err)
		}
	}
}
