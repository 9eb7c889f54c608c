package provider

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"starling"
)

// told is everything that a caller, the books and a log get to know of a call.
func told(t *testing.T, p *HTTP, c starling.Call) string {
	var b strings.Builder
	for ev, err := range p.Generate(t.Context(), c) {
		fmt.Fprintf(&b, "%s %+v %s %s", ev.Raw, ev.Deltas, ev.ID, ev.Model)
		if ev.Usage != nil {
			b.WriteString(ev.Usage.Tier)
		}
		if e, ok := err.(*starling.Error); ok {
			b.WriteString(e.Error())
			if e.Reply != nil {
				fmt.Fprintf(&b, "%s %v", e.Reply.Body, e.Reply.Header)
			}
		}
	}
	return b.String()
}

// echoes are answers with %s in every place where an upstream may put a key.
var echoes = []struct {
	name    string
	dialect starling.Dialect
	stream  bool
	body    string
}{
	{"an error in a stream", starling.OpenAI, true, "data: {\"error\":{\"message\":\"bad key: %[1]s\"}}\n\n"},
	{"an error whose type is the key", starling.OpenAI, true, "data: {\"error\":{\"type\":\"%[1]s\"}}\n\n"},
	{"an error after words", starling.OpenAI, true, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\ndata: {\"error\":{\"message\":\"bad key: %[1]s\"}}\n\n"},
	{"an error of the other dialect", starling.Anthropic, true, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"%[1]s\"}}\n\n"},
	{"an error with the status of a success", starling.OpenAI, false, `{"error":{"message":"bad key: %[1]s"}}`},
	{"an answer in a stream", starling.OpenAI, true, ": %[1]s\n\ndata: {\"id\":\"%[1]s\",\"model\":\"%[1]s\",\"service_tier\":\"%[1]s\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%[1]s\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n"},
	{"a call of a tool", starling.OpenAI, true, "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"%[1]s\",\"function\":{\"name\":\"%[1]s\",\"arguments\":\"%[1]s\"}}]},\"finish_reason\":\"stop\"}]}\n\n"},
	{"a thought", starling.Anthropic, false, `{"id":"%[1]s","type":"message","role":"assistant","model":"%[1]s","content":[{"type":"thinking","thinking":"%[1]s","signature":"%[1]s"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`},
	{"a whole answer", starling.OpenAI, false, `{"id":"%[1]s","model":"%[1]s","choices":[{"index":0,"message":{"content":"%[1]s"},"finish_reason":"stop"}]}`},
}

func TestNoKeyComesBackWhateverTheUpstreamEchoes(t *testing.T) {
	for _, key := range []string{canary, "key_of_nothing_but_letters"} {
		for _, c := range echoes {
			for _, asked := range []starling.Dialect{starling.OpenAI, starling.Anthropic} {
				t.Run(c.name+" to "+string(asked)+" "+key[:2], func(t *testing.T) {
					p := open(t, echoing(t, key, c.dialect, c.stream, c.body))
					call := calling(p, c.stream)
					call.Request = asking(asked, c.stream)
					call.Deltas = true
					got := told(t, p, call)
					if strings.Contains(got, key) {
						t.Errorf("the key came back: %s", got)
					}
					if asked == c.dialect && !strings.Contains(got, hidden) && !strings.Contains(c.name, "type is") {
						t.Errorf("what the upstream said is gone: %s", got)
					}
				})
			}
		}
	}
}

// A local engine's key is often a word such as "none", which answers hold too.
func TestAnAnswerIsNotChangedForAKeyThatIsAWord(t *testing.T) {
	for _, c := range echoes[5:] {
		t.Run(c.name, func(t *testing.T) {
			p := open(t, echoing(t, "none", c.dialect, c.stream, c.body))
			got, _, err := collect(t, p, calling(p, c.stream))
			if want := fmt.Sprintf(c.body, "none"); got != want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
}

// echoing describes an upstream that answers with its key.
func echoing(t *testing.T, key string, d starling.Dialect, stream bool, body string) Options {
	u := serveHandler(t, d, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if stream {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		fmt.Fprintf(w, body, key)
	})
	o := u.options(t)
	var err error
	if o.Key, err = secret("test", key); err != nil {
		t.Fatal(err)
	}
	return o
}
