package wire

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"starling"
)

// misplaced are values to find where another is expected.
var misplaced = []string{`null`, `-1`, `1e400`, `""`, `"x"`, `true`, `[]`, `{}`, `[[]]`, `[null]`, `[{}]`, `{"type":"text"}`, `{"":[]}`}

// everywhere calls f with b, in which each value in turn is replaced by each of
// the misplaced ones.
func everywhere(b []byte, f func([]byte)) {
	var visit func(v []byte, from int)
	visit = func(v []byte, from int) {
		for _, m := range misplaced {
			f(edited(b, edit{from, from + len(v), m}))
		}
		for w := enter(v); w.next(); {
			visit(w.value, from+w.i-len(w.value))
		}
	}
	visit(b, 0)
}

func archived(t *testing.T, folder, name string) (all []string) {
	paths, _ := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range a.Files {
			if file.Name == name {
				all = append(all, string(file.Data))
			}
		}
	}
	return all
}

// large skips a test of much text, or of a change to every value, where tests are to be
// short: nothing in this package has a second goroutine, so the race detector would take
// minutes over it and find nothing.
func large(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it runs without -short")
	}
}

func TestNoMisplacedValueInAQuestionDoesHarm(t *testing.T) {
	large(t)
	n := 0
	for _, body := range archived(t, "question", "caller.json") {
		everywhere([]byte(strings.TrimSpace(body)), func(b []byte) {
			for _, d := range Dialects() {
				r, err := Parse(d, b)
				if err != nil {
					continue
				}
				n++
				out, err := Outgoing(&r, other(d), starling.Model{Name: "m"}, func(string) {})
				if err == nil && !json.Valid(out) {
					t.Fatalf("%s became %s", b, out)
				}
				if _, viewed := View(&r); err == nil && viewed != nil {
					t.Fatalf("translated, but not viewed: %v", viewed)
				}
			}
		})
	}
	if n < 1000 {
		t.Errorf("only %d questions were understood", n)
	}
}

func TestNoMisplacedValueInAnAnswerDoesHarm(t *testing.T) {
	large(t)
	n := 0
	for _, answer := range archived(t, "answer", "upstream") {
		framed := strings.Contains(answer, "data: ")
		for _, line := range strings.Split(answer, "\n") {
			data := []byte(strings.TrimPrefix(line, "data: "))
			if len(data) == 0 || !valid(data) {
				continue
			}
			everywhere(data, func(b []byte) {
				n++
				whole := string(b)
				hear(t, whole, false, Dialects())
				hear(t, strings.Replace(answer, string(data), whole, 1), true, slices.DeleteFunc(Dialects(), func(d starling.Dialect) bool {
					return framed == (StreamType(d) == jsonLines)
				}))
			})
		}
	}
	if n < 1000 {
		t.Errorf("only %d answers were tried", n)
	}
}

// hear reads an answer in each of the dialects and relays it to callers of every one,
// as far as it is an answer.
func hear(t *testing.T, answer string, stream bool, dialects []starling.Dialect) {
	for _, from := range dialects {
		if got := readAll(t, strings.NewReader(answer), ReadOptions{Dialect: from, Stream: stream, Deltas: true}); got.err != nil && got.bytes == 0 {
			continue
		}
		for _, to := range Dialects() {
			var out bytes.Buffer
			w := NewWriter(&out, WriterOptions{Request: &starling.Request{Dialect: to, Stream: stream}})
			err := relay(w, strings.NewReader(answer), ReadOptions{Dialect: from, Stream: stream, Raw: from == to, Deltas: from != to})
			if from == to || err != nil {
				continue
			}
			if got := readAll(t, &out, ReadOptions{Dialect: to, Stream: stream, Deltas: true}); got.err != nil {
				t.Fatalf("%v: %s became %s", got.err, answer, out.String())
			}
		}
	}
}
