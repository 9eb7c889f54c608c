package wire

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"starling"
)

// TestACutAnywhereIsNeverACleanEnd: of an answer that ends after any of its bytes a
// caller of any dialect gets all of it, or an error.
func TestACutAnywhereIsNeverACleanEnd(t *testing.T) {
	large(t)
	for _, up := range conversational() {
		for _, stream := range []bool{true, false} {
			told, want := fable(t, up, stream)
			for _, to := range conversational() {
				if textOnly(to) && !textOnly(up) {
					continue // it could not have asked for the call
				}
				t.Run(fmt.Sprintf("%s from %s, stream %t", to, up, stream), func(t *testing.T) {
					for at := range len(told) {
						cutAt(t, told[:at], want, up, to, stream)
					}
				})
			}
		}
	}
}

// fable is an answer with one of everything that its dialect can say.
func fable(t *testing.T, d starling.Dialect, stream bool) (string, starling.Answer) {
	events := []starling.Event{textDelta(0, "Grüße "), textDelta(0, "🐦")}
	finish := starling.Stopped
	if !textOnly(d) {
		events = append(events, callDelta(1, "call_1", "f", `{"x":`), callDelta(1, "", "", `"鳥"}`))
		finish = starling.ToolUse
	}
	r := streaming(d)
	r.Stream, r.WantUsage = stream, stream
	told := rendered(t, r, append(events, starling.Event{Finish: finish, Usage: &starling.Usage{Input: 3, Output: 4}})...)
	return told, readAll(t, strings.NewReader(told), ReadOptions{Dialect: d, Stream: stream, Deltas: true}).answer
}

func cutAt(t *testing.T, told string, want starling.Answer, up, to starling.Dialect, stream bool) {
	var out bytes.Buffer
	w := NewWriter(&out, WriterOptions{Request: &starling.Request{Dialect: to, Stream: stream, WantUsage: stream}, ID: "id_1", Created: time.Unix(1, 0), Model: "m"})
	err := relay(w, strings.NewReader(told), ReadOptions{Dialect: up, Stream: stream, Raw: up == to, Deltas: up != to})
	got := readAll(t, &out, ReadOptions{Dialect: to, Stream: stream, Deltas: true})
	if (err == nil) != (got.err == nil) {
		t.Fatalf("after %d bytes we find %v, the caller %v:\n%s", len(told), err, got.err, told)
	}
	same := func(a, b starling.ToolCall) bool {
		return a.Name == b.Name && compactJSON([]byte(a.Arguments)) == compactJSON([]byte(b.Arguments))
	}
	if whole := got.answer.Text == want.Text && slices.EqualFunc(got.answer.Calls, want.Calls, same) && got.answer.Finish == want.Finish; err == nil && !whole {
		t.Fatalf("after %d bytes a part is taken for the whole: %+v\n%s", len(told), got.answer, told)
	}
}
