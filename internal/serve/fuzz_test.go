package serve_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
)

// FuzzHandler: whatever is asked, the gateway says something that its clients can
// read, and accounts for it.
func FuzzHandler(f *testing.F) {
	for _, body := range []string{
		"", "{}", "null", "[", "{" + ok + "}", chat("up/m", true), chat("far/m", true), chat("starling/test", false), chat("starling/auto", true), "\x00", "\xff",
		`{"model":"up/m","n":3,"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"tool","content":[]}]}`,
		`{"model":"far/m","max_tokens":5,"tools":[{"name":"f","input_schema":{}}],"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}]}]}`,
		`{"model":"far/m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,"}}]}],"response_format":{"type":"json_schema"}}`,
	} {
		f.Add([]byte(body), false)
		f.Add([]byte(body), true)
	}
	both := func(d starling.Dialect) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			stream := gjson.GetBytes(body, "stream").Bool()
			reply(w, stream, good(d, stream))
		}
	}
	s := newStand(f, standOptions{trip: 1 << 20, skills: testSkill("candidates: [up/m, far/m]\n")},
		upstreamAt{name: "up", dialect: starling.OpenAI, handler: both(starling.OpenAI)},
		upstreamAt{name: "far", dialect: starling.Anthropic, handler: both(starling.Anthropic)})
	handler := s.server.Handler()
	f.Fuzz(func(t *testing.T, body []byte, anthropic bool) {
		path := chatPath
		if anthropic {
			path = messagesPath
		}
		req := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
		req.RemoteAddr, req.Host = "127.0.0.1:1", "localhost"
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)

		a := readAnswer(w.Result())
		wantHeaders(t, a)
		if strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream") {
			wantEvents(t, a.body)
		} else if !gjson.Valid(a.body) {
			t.Errorf("status %d, no JSON: %q", a.status, a.body)
		}
		if a.status != 200 {
			wantEnvelope(t, path, a.body)
		}
		sealed, err := s.ledger.Receipt(t.Context(), a.header.Get("X-Starling-Receipt"))
		if err != nil {
			t.Fatal(err)
		}
		if r := must(sealed.Receipt()); (a.status == 200) != (r.Outcome == starling.Answered) {
			t.Errorf("status %d, outcome %s", a.status, r.Outcome)
		}
	})
}

// wantEvents checks that a body is server-sent events of JSON with an end.
func wantEvents(t *testing.T, body string) {
	all := datas(body)
	for _, d := range all {
		if d != "[DONE]" && !gjson.Valid(d) {
			t.Errorf("no JSON in an event: %q", d)
		}
	}
	if len(all) == 0 || all[len(all)-1] != "[DONE]" && gjson.Get(all[len(all)-1], "type").Str != "message_stop" {
		t.Errorf("a stream without an end: %q", body)
	}
}
