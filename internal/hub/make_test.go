package hub

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"starling"
)

// origin imports a model that others are made of.
func origin(t *testing.T, s *Store, name string) Stored {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file.gguf")
	if err := os.WriteFile(file, weights(1, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := s.Import(t.Context(), Import{File: file, Name: name})
	is(t, err, "")
	return m
}

func TestAModelIsMadeWholeOrNotAtAll(t *testing.T) {
	broken := &starling.Error{Kind: starling.Overloaded, Op: "it was killed"}
	good, page := weights(2, 600), []byte("<html> and so on")
	for _, c := range []struct {
		name  string
		room  int64
		write []byte
		err   error
		kind  starling.Kind
	}{
		{"good:Q4_0", 600, good, nil, ""},
		{"ollama:good:latest-Q4_0", 600, good, nil, ""},
		{"killed:Q4_0", 600, good[:100], broken, starling.Overloaded},
		{"page:Q4_0", 600, page, nil, starling.Refused},
		{"full:Q4_0", 599, good, nil, starling.TooLarge},
		{"taken:Q4_0", 600, good, nil, starling.Refused},
		{"../bad", 600, good, nil, starling.Invalid},
		{"nothing:Q4_0", 600, nil, nil, starling.Refused},
	} {
		t.Run(filepath.Base(c.name), func(t *testing.T) {
			s := newWorld(t).store(Options{})
			of := origin(t, s, "of:F16")
			of.Licence, of.Template = "mit", "{{ .Prompt }}"
			origin(t, s, "taken:Q4_0")
			before := contents(t, s.models())
			s.o.Free = func(string) (int64, error) { return reserve + c.room, nil }
			m, err := s.Make(t.Context(), Making{Name: c.name, Of: of, Bytes: 600, Write: func(_ context.Context, file string) error {
				if c.write != nil {
					if err := os.WriteFile(file, c.write, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				return c.err
			}})
			is(t, err, c.kind)
			if there(filepath.Join(s.models(), "making")) {
				t.Error("something is left where it was made")
			}
			if err != nil {
				after := contents(t, s.models())
				for name := range after {
					if _, was := before[name]; !was && filepath.Ext(name) != ".lock" {
						t.Errorf("%s is left", name)
					}
				}
				return
			}
			kept, err := s.Find(c.name)
			is(t, err, "")
			data, _ := os.ReadFile(kept.Path)
			if !slices.Equal(data, good) || m.Path != kept.Path || kept.Licence != "mit" || kept.Template != of.Template || kept.Source != "made:of:F16" {
				t.Errorf("%+v", kept)
			}
		})
	}
}

func TestWhatADeadProcessLeftGoesWithTheNextModel(t *testing.T) {
	s := newWorld(t).store(Options{})
	left := filepath.Join(s.models(), "making", ".quantize-1", "model.gguf")
	if err := os.MkdirAll(filepath.Dir(left), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, weights(3, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	_, err := s.Make(t.Context(), Making{Name: "next", Write: func(_ context.Context, file string) error {
		if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) > 0 {
			t.Errorf("%v, %v", entries, err)
		}
		return failed
	}})
	if !errors.Is(err, failed) || there(left) {
		t.Error(err)
	}
}

func TestWhatWasMadeHereIsNotPulledAgain(t *testing.T) {
	s := newWorld(t).store(Options{})
	m, err := s.Make(t.Context(), Making{Name: "made", Of: origin(t, s, "of"), Write: func(_ context.Context, file string) error {
		return os.WriteFile(file, weights(2, 600), 0o600)
	}})
	is(t, err, "")
	if err := os.Remove(m.Path); err != nil {
		t.Fatal(err)
	}
	_, err = s.Find("made")
	is(t, err, starling.NotFound)
	if e, ok := errors.AsType[*starling.Error](err); !ok || e.Hint != "remove it with 'starling model rm made', and import or quantise the file again" {
		t.Error(err)
	}
}

func TestAFullDiskIsNoQuestionOfRights(t *testing.T) {
	full := unwritable("engines", &fs.PathError{Op: "write", Path: "engines/.new-1/libllama.so", Err: syscall.ENOSPC})
	if said := full.Error(); !strings.Contains(said, "make room") || strings.Contains(said, "writable") {
		t.Error(said)
	}
	if said := unwritable("engines", fs.ErrPermission).Error(); !strings.Contains(said, "make the folder writable") {
		t.Error(said)
	}
}
