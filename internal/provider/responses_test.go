package provider

import (
	"strings"
	"testing"

	"starling"
	"starling/internal/conform"
)

var responsesOpening = []string{
	"event: response.created\ndata: " + `{"type":"response.created","response":{"id":"resp_1","object":"response","status":"in_progress","model":"m","output":[]}}` + "\n\n",
	"event: response.output_item.added\ndata: " + `{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant","content":[]}}` + "\n\n",
}

// response is the whole answer of the script.
func (u *upstream) response() map[string]any {
	n, text := u.script.Usage, strings.Join(u.script.Words, "")
	return map[string]any{
		"id": "resp_1", "object": "response", "status": "completed", "model": "m", "error": nil,
		"output": []any{map[string]any{"type": "message", "id": "msg_1", "role": "assistant", "content": []any{map[string]any{"type": "output_text", "text": text}}}},
		"usage":  map[string]any{"input_tokens": n.Input, "output_tokens": n.Output, "total_tokens": n.Input + n.Output},
	}
}

// understanding sets up a provider whose own dialect is OpenAI's, in front of an
// upstream that understands Responses as well.
func understanding(t *testing.T, s conform.Script) (*conform.Bench, *upstream) {
	u := serveScript(t, starling.Responses, s)
	o := u.options(t)
	o.Dialect, o.Also = starling.OpenAI, []starling.Dialect{starling.Responses}
	p := open(t, o)
	return &conform.Bench{
		Provider: p, Model: p.Models()[0], Key: canary, Gone: u.gone,
		Ask:         func(stream bool) *starling.Request { return asking(starling.Responses, stream) },
		Calls:       func() int { return int(u.calls.Load()) },
		Connections: func() int { return int(u.opened.Load()) },
	}, u
}

func TestAnUpstreamThatAlsoUnderstandsResponsesConforms(t *testing.T) {
	conform.Provider(t, func(t *testing.T, s conform.Script) *conform.Bench {
		b, _ := understanding(t, s)
		return b
	})
}

func TestWhatAnUpstreamUnderstandsPassesUntranslated(t *testing.T) {
	for _, stream := range []bool{true, false} {
		b, u := understanding(t, story)
		p := b.Provider.(*HTTP)
		c := calling(p, stream)
		c.Request = asking(starling.Responses, stream)
		raw, _, err := collect(t, p, c)
		if err != nil || u.last.Load().URL.Path != "/v1/responses" || !strings.Contains(raw, `"resp_1"`) {
			t.Errorf("asked at %s: %v, %s", u.last.Load().URL.Path, err, raw)
		}
		if !p.Models()[0].Speaks(starling.Responses) || p.Models()[0].Speaks(starling.Anthropic) {
			t.Errorf("the model is said to speak %+v", p.Models()[0])
		}
	}
}
