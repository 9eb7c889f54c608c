package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
)

// answered is an answer of this dialect to the question, as it was written.
func answeredAndKept(t *testing.T, body string, stream bool) Kept {
	t.Helper()
	r := parsed(t, starling.Responses, body)
	r.Stream = stream
	var out strings.Builder
	w := NewWriter(&out, WriterOptions{Request: r, ID: "rcp_1", Keeps: true})
	if err := errors.Join(w.Event(textDelta(0, "a\ndata: {}\n\n")), w.Event(callDelta(1, "c", "f", "{}")), w.Close()); err != nil {
		t.Fatal(err)
	}
	k, ok := KeptOf(r, "rcp_1", []byte(out.String()))
	if !ok {
		t.Fatalf("there is nothing to keep of %s", out.String())
	}
	return k
}

func TestWhatAQuestionRefersToTakesItsPlace(t *testing.T) {
	for _, stream := range []bool{true, false} {
		k := answeredAndKept(t, ` {"model":"m","input":"q"}`, stream)
		said, called := string(k.Items["msg_starling_rcp_1_0"]), string(k.Items["fc_starling_rcp_1_1"])
		const asked = `{"type":"message","role":"user","content":"q"}`
		for _, c := range []struct{ name, in, out string }{
			{"an answer before a text", `{"model":"m","previous_response_id":"resp_rcp_1","input":"r"}`, `{"model":"m","previous_response_id":null,"input":[` + asked + `,` + said + `,` + called + `,{"type":"message","role":"user","content":"r"}]}`},
			{"an answer before items", `{"input":[{"role":"user","content":"r"}],"previous_response_id":"resp_rcp_1","x":1.50}`, `{"input":[` + asked + `,` + said + `,` + called + `,{"role":"user","content":"r"}],"previous_response_id":null,"x":1.50}`},
			{"an answer before nothing", `{"model":"m","previous_response_id":"resp_rcp_1"}`, `{"input":[` + asked + `,` + said + `,` + called + `],"model":"m","previous_response_id":null}`},
			{"items", `{"input":[{"type":"item_reference","id":"msg_starling_rcp_1_0"},{"id":"fc_starling_rcp_1_1"}]}`, `{"input":[` + said + `,` + called + `]}`},
			{"what another keeps", `{"input":[{"type":"item_reference","id":"msg_abc"}],"previous_response_id":"resp_abc"}`, `{"input":[{"type":"item_reference","id":"msg_abc"}],"previous_response_id":"resp_abc"}`},
			{"ids that are words", `{"input":"resp_rcp_1 item_reference msg_starling_rcp_1_0"}`, `{"input":"resp_rcp_1 item_reference msg_starling_rcp_1_0"}`},
		} {
			got, err := Recalled([]byte(c.in), func(id string) (Kept, bool) { return k, id == k.ID || k.Items[id] != nil })
			if err != nil || string(got) != c.out {
				t.Errorf("%s: %v\n%s\nwant\n%s", c.name, err, got, c.out)
			}
		}
	}
}

func TestAReferenceToWhatIsForgottenIsRefused(t *testing.T) {
	for field, body := range map[string]string{
		"previous_response_id":   `{"model":"m","previous_response_id":"resp_rcp_9","input":"x"}`,
		"input[].item_reference": `{"model":"m","input":[{"type":"item_reference","id":"rs_starling_x_0"}]}`,
	} {
		_, err := Recalled([]byte(body), func(string) (Kept, bool) { return Kept{}, false })
		if e, ok := errors.AsType[*starling.Error](err); !ok || e.Kind != starling.Invalid || e.Op != fieldOp+field || e.Hint == "" {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestOnlyWhatIsOursToKeepIsKept(t *testing.T) {
	k := answeredAndKept(t, `{"model":"m","input":"q"}`, false)
	if !gjson.GetBytes(k.Response, "store").Bool() {
		t.Errorf("it is not said: %s", k.Response)
	}
	for name, c := range map[string]struct{ body, id, written string }{
		"the caller wants none": {`{"model":"m","input":"q","store":false}`, "rcp_1", string(k.Response)},
		"an upstream's own":     {`{"model":"m","input":"q"}`, "rcp_1", `{"id":"resp_abc","output":[]}`},
		"half of one":           {`{"model":"m","input":"q"}`, "rcp_1", `{"id":"resp_rcp_1","outp`},
	} {
		if _, ok := KeptOf(parsed(t, starling.Responses, c.body), c.id, []byte(c.written)); ok {
			t.Errorf("%s is kept", name)
		}
	}
}
