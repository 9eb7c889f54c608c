package wire

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"starling"
)

// idle is what a provider without an upstream says while it waits.
var idle = starling.Event{Idle: true}

// A form is a way in which a caller may be answered.
type form struct {
	name  string
	asked starling.Request
	alive string // what a sign of life is in it
}

func forms() (all []form) {
	signs := map[starling.Dialect]string{
		starling.OpenAI: ": waiting\n\n", starling.Responses: ": waiting\n\n", starling.Completions: ": waiting\n\n",
		starling.Anthropic: "event: ping\ndata: {\"type\":\"ping\"}\n\n",
		starling.Gemini:    "data:  ", starling.Ollama: " ", starling.Generate: " ",
	}
	for _, d := range Dialects() {
		all = append(all,
			form{string(d) + ", streamed", starling.Request{Dialect: d, Stream: true, WantUsage: true, Body: []byte(`{}`)}, signs[d]},
			form{string(d) + ", whole", starling.Request{Dialect: d, Body: []byte(`{}`)}, ""})
	}
	return append(all, form{"gemini, an array", starling.Request{Dialect: starling.Gemini, Stream: true, Array: true, Body: []byte(`{}`)}, "[\n "})
}

func TestASignOfLifeBeginsNoAnswer(t *testing.T) {
	for _, f := range forms() {
		var out bytes.Buffer
		w := NewWriter(&out, WriterOptions{Request: &f.asked})
		if err := w.Event(idle); err != nil || out.String() != f.alive {
			t.Errorf("%s: %q, %v, want %q", f.name, out.String(), err, f.alive)
		}
	}
}

func TestSignsOfLifeAreNotHeard(t *testing.T) {
	end := starling.Event{Finish: starling.Stopped, Usage: &starling.Usage{Input: 3, Output: 2}}
	for _, f := range forms() {
		plain := rendered(t, &f.asked, textDelta(0, "a"), textDelta(0, "b"), end)
		out := rendered(t, &f.asked, idle, idle, textDelta(0, "a"), idle, textDelta(0, "b"), idle, end)
		if f.alive == "" && out != plain {
			t.Errorf("%s: %s", f.name, out)
		}
		if f.asked.Array {
			if !sameJSON(t, out, plain) {
				t.Errorf("%s: %s", f.name, out)
			}
			continue
		}
		o := ReadOptions{Dialect: f.asked.Dialect, Stream: f.asked.Stream, Deltas: true}
		want, got := readAll(t, strings.NewReader(plain), o), readAll(t, strings.NewReader(out), o)
		if d := cmp.Diff(want.answer, got.answer); d != "" || got.err != nil || got.answer.Text != "ab" || got.usage != want.usage {
			t.Errorf("%s: %s, %v: %s", f.name, d, got.err, out)
		}
	}
}

// TestSignsOfLifeBreakNoPlainClient: there are clients that read no more of the format
// than their vendor sends.
func TestSignsOfLifeBreakNoPlainClient(t *testing.T) {
	events := []starling.Event{idle, idle, textDelta(0, "a"), idle, textDelta(0, "b"), idle, {Finish: starling.Stopped}}
	field := regexp.MustCompile(`^data: (.*)\n\n`)
	for out := rendered(t, streaming(starling.Gemini), events...); out != ""; {
		m := field.FindStringSubmatch(out)
		if m == nil || !json.Valid([]byte(m[1])) {
			t.Fatalf("gemini: %q", out)
		}
		out = out[len(m[0]):]
	}
	for _, d := range []starling.Dialect{starling.Ollama, starling.Generate} {
		for line := range strings.Lines(rendered(t, streaming(d), events...)) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: %q", d, line)
			}
		}
	}
	r := streaming(starling.Gemini)
	r.Array = true
	if out := rendered(t, r, events...); !strings.HasPrefix(out, "[") || !json.Valid([]byte(out)) {
		t.Errorf("an array: %q", out)
	}
}

func TestAnErrorAfterSignsOfLifeIsTheDialects(t *testing.T) {
	for _, f := range forms() {
		for name, events := range map[string][]starling.Event{"at once": {idle}, "within": {idle, textDelta(0, "x"), idle}} {
			var out bytes.Buffer
			w := NewWriter(&out, WriterOptions{Request: &f.asked})
			for _, ev := range events {
				if err := w.Event(ev); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Fail(&starling.Error{Kind: starling.Overloaded, Op: "o"}); err != nil {
				t.Fatal(err)
			}
			if f.alive == "" || f.asked.Array {
				if !json.Valid(out.Bytes()) || !strings.Contains(out.String(), `"error"`) {
					t.Errorf("%s, %s: %s", f.name, name, out.String())
				}
				continue
			}
			if got := readAll(t, &out, ReadOptions{Dialect: f.asked.Dialect, Stream: true, Deltas: true}); starling.KindOf(got.err) != starling.Overloaded {
				t.Errorf("%s, %s: %v", f.name, name, got.err)
			}
		}
	}
}

func TestWhatPassesAfterASignOfLifeIsWhole(t *testing.T) {
	const chunk = `{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}`
	for _, array := range []bool{false, true} {
		r := streaming(starling.Gemini)
		r.Array = array
		out := rendered(t, r, idle, starling.Event{Raw: []byte("data: " + chunk + "\n\n")}, starling.Event{Raw: []byte("data: {\ndata: }\n\n")})
		want := "data:  " + chunk + "\n\ndata: {\ndata: }\n\n"
		if array {
			want = "[\n " + chunk + ",\n{\n}\n]\n"
		}
		if out != want {
			t.Errorf("%q, want %q", out, want)
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Errorf("%v: %s", err, a)
	}
	return json.Unmarshal([]byte(b), &y) == nil && cmp.Equal(x, y)
}
