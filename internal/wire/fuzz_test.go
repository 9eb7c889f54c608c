package wire

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/rogpeppe/go-internal/txtar"

	"starling"
)

// seeds adds the named files of a folder's archives, once for each dialect.
func seeds(f *testing.F, folder, name string) {
	paths, _ := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range txtar.Parse(data).Files {
			if file.Name == name {
				f.Add(file.Data, true)
				f.Add(file.Data, false)
			}
		}
	}
}

func spokenBy(anthropic bool) starling.Dialect {
	if anthropic {
		return starling.Anthropic
	}
	return starling.OpenAI
}

func FuzzParse(f *testing.F) {
	seeds(f, "question", "caller.json")
	f.Fuzz(func(t *testing.T, body []byte, second bool) {
		r, err := Parse(spokenBy(second), body)
		if err != nil {
			if starling.KindOf(err) != starling.Invalid {
				t.Fatalf("%v is not invalid", err)
			}
			return
		}
		if !json.Valid(body) || r.Model == "" || r.Choices < 1 || r.MaxTokens < 0 || r.Images < 0 {
			t.Fatalf("accepted as %+v", r)
		}
		o := OutlineOf(&r)
		o.WriteOpening(io.Discard)
		for _, content := range append(o.System, o.First, o.Last) {
			Text(content)
		}
		same, err := Outgoing(&r, r.Dialect, starling.Model{Name: "other"}, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(r.Dialect, same)
		if bytes.Contains(body, []byte(ourMark)) {
			return // taking thoughts out may leave no message
		}
		if err != nil || again.Model != "other" || (r.Stream && !again.WantUsage) || again.Images != r.Images || again.MaxTokens != r.MaxTokens {
			t.Fatalf("%v: %s became %s", err, body, same)
		}
	})
}

func FuzzView(f *testing.F) {
	seeds(f, "question", "caller.json")
	f.Fuzz(func(t *testing.T, body []byte, second bool) {
		r := starling.Request{Dialect: spokenBy(second), Body: body}
		if c, err := View(&r); (c == nil) == (err == nil) {
			t.Fatalf("%v, %v", c, err)
		}
	})
}

func FuzzTranslate(f *testing.F) {
	seeds(f, "question", "caller.json")
	f.Fuzz(func(t *testing.T, body []byte, second bool) {
		from, to := spokenBy(second), spokenBy(!second)
		r, err := Parse(from, body)
		if err != nil {
			return
		}
		out, err := Outgoing(&r, to, starling.Model{Name: "m"}, func(string) {})
		if err != nil {
			if starling.KindOf(err) != starling.Invalid {
				t.Fatalf("%v is not invalid", err)
			}
			return
		}
		if !json.Valid(out) {
			t.Fatalf("not JSON: %s", out)
		}
		var messages struct{ Messages []json.RawMessage }
		if json.Unmarshal(out, &messages); len(messages.Messages) == 0 {
			return // all of them were empty
		}
		back, err := Parse(to, out)
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if _, err := View(&back); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	})
}

// FuzzRead reads anything as an answer, in raw and translated, at once and byte
// by byte, and relays it to a caller of either dialect.
func FuzzRead(f *testing.F) {
	seeds(f, "answer", "upstream")
	f.Fuzz(func(t *testing.T, body []byte, second bool) {
		for _, stream := range []bool{true, false} {
			o := ReadOptions{Dialect: spokenBy(second), Stream: stream, Raw: true, Deltas: true, MaxEvent: 1 << 16}
			whole := readAll(t, bytes.NewReader(body), o)
			slow := readAll(t, iotest.OneByteReader(bytes.NewReader(body)), o)
			if (whole.err == nil) != (slow.err == nil) || whole.answer.Text != slow.answer.Text || whole.usage != slow.usage {
				t.Fatalf("at once %+v, byte by byte %+v", whole, slow)
			}
			if whole.bytes < len(whole.answer.Text) {
				t.Fatalf("counted %d bytes of %q", whole.bytes, whole.answer.Text)
			}
			for _, d := range Dialects() {
				var out bytes.Buffer
				r := &starling.Request{Dialect: d, Stream: stream}
				err := relay(NewWriter(&out, WriterOptions{Request: r}), bytes.NewReader(body), ReadOptions{Dialect: o.Dialect, Stream: stream, Raw: d == o.Dialect, Deltas: d != o.Dialect, MaxEvent: 1 << 16})
				if err != nil || d == o.Dialect {
					continue
				}
				if back := readAll(t, &out, ReadOptions{Dialect: d, Stream: stream, Deltas: true}); back.err != nil || back.answer.Text != whole.answer.Text {
					t.Fatalf("%v: %q became %q", back.err, whole.answer.Text, back.answer.Text)
				}
			}
		}
	})
}
