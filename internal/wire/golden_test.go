package wire

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"starling"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden runs f on every archive of a folder. f gets the words of the archive's
// first line and its files, and returns the files that it makes of them, which
// must be there already.
func golden(t *testing.T, folder string, f func(t *testing.T, words []string, in map[string]string) []txtar.File) {
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives in %s: %v", folder, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			in := map[string]string{}
			for _, file := range a.Files {
				in[file.Name] = string(file.Data)
			}
			first, _, _ := strings.Cut(string(a.Comment), "\n")
			out := f(t, strings.Fields(first), in)
			for _, file := range out {
				if d := cmp.Diff(in[file.Name], string(file.Data)); d != "" && !*update {
					t.Errorf("%s: %s", file.Name, d)
				}
			}
			if *update {
				write(t, path, a, out)
			}
		})
	}
}

func write(t *testing.T, path string, a *txtar.Archive, out []txtar.File) {
	made := map[string]bool{"upstream.json": true, "left": true, "caller": true, "error": true}
	kept := a.Files[:0]
	for _, file := range a.Files {
		if !made[file.Name] {
			kept = append(kept, file)
		}
	}
	a.Files = append(kept, out...)
	if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestQuestions reads "FROM to DIALECT MODEL" and caller.json.
func TestQuestions(t *testing.T) {
	golden(t, "question", func(t *testing.T, words []string, in map[string]string) []txtar.File {
		r := parsed(t, starling.Dialect(words[0]), in["caller.json"])
		var left bytes.Buffer
		body, err := Outgoing(r, starling.Dialect(words[2]), starling.Model{Name: words[3]}, func(s string) { left.WriteString(s + "\n") })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(starling.Dialect(words[2]), body); err != nil {
			t.Errorf("what goes upstream is refused: %v", err)
		}
		return []txtar.File{{Name: "upstream.json", Data: append(body, '\n')}, {Name: "left", Data: left.Bytes()}}
	})
}

// TestAnswers reads "FROM to DIALECT", then any of "stream" and "usage", and the
// file upstream.
func TestAnswers(t *testing.T) {
	golden(t, "answer", func(t *testing.T, words []string, in map[string]string) []txtar.File {
		from, to := starling.Dialect(words[0]), starling.Dialect(words[2])
		r := &starling.Request{Dialect: to, Body: []byte(`{"0123456789":0}`), Model: "asked"}
		for _, w := range words[3:] {
			r.Stream = r.Stream || w == "stream"
			r.WantUsage = r.WantUsage || w == "usage"
		}
		var out bytes.Buffer
		w := NewWriter(&out, WriterOptions{Request: r, ID: "id_1", Created: time.Unix(1764000000, 0), Model: "truth"})
		err := relay(w, strings.NewReader(in["upstream"]), ReadOptions{Dialect: from, Stream: r.Stream, Raw: from == to, Deltas: from != to})
		files := []txtar.File{{Name: "caller", Data: append(bytes.TrimRight(out.Bytes(), "\n"), '\n')}}
		if err != nil {
			files = append(files, txtar.File{Name: "error", Data: []byte(string(starling.KindOf(err)) + ": " + err.Error() + "\n")})
		}
		return files
	})
}

// relay passes an answer on, as the cascade does.
func relay(w *Writer, upstream interface{ Read([]byte) (int, error) }, o ReadOptions) error {
	for ev, err := range Read(upstream, o) {
		if err == nil {
			err = w.Event(ev)
		}
		if err != nil {
			var e *starling.Error
			if errors.As(err, &e) {
				return errors.Join(err, w.Fail(e))
			}
			return err
		}
	}
	return w.Close()
}
