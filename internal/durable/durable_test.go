package durable

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

// only fails unless the folder holds one file, with the given text.
func only(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	entries, _ := os.ReadDir(filepath.Dir(path))
	if err != nil || string(got) != want || len(entries) != 1 {
		t.Errorf("%q in a folder of %d, %v; want %q alone", got, len(entries), err, want)
	}
}

func TestAFileIsReplacedWholeAndIsForItsUserAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, s := range []string{"one", "another", ""} {
		if err := Replace(path, text(s)); err != nil {
			t.Fatal(err)
		}
		only(t, path, s)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestWhatCannotBeWrittenLeavesTheOldFileAndNothingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := Replace(path, text("old")); err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	err := Replace(path, func(w io.Writer) error { return errors.Join(text("half")(w), full) })
	if !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	only(t, path, "old")
	if err := Replace(filepath.Join(path, "nowhere"), text("x")); err == nil {
		t.Error("it was written below a file")
	}
}
