package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestAFolderIsThereWholeOrNotAtAll(t *testing.T) {
	broken := errors.New("broken")
	write := func(err error) func(string) error {
		return func(dir string) error {
			if filepath.Base(dir) != "it" {
				t.Errorf("it is called %s", dir)
			}
			return errors.Join(os.Mkdir(filepath.Join(dir, "deep"), 0o755), os.WriteFile(filepath.Join(dir, "deep", "file"), []byte("text"), 0o644), err)
		}
	}
	parent := t.TempDir()
	path := filepath.Join(parent, "it")
	names := func() (all []string) {
		entries, err := os.ReadDir(parent)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all = append(all, e.Name())
		}
		return all
	}
	if err := Folder(path, write(broken)); !errors.Is(err, broken) || len(names()) > 0 {
		t.Errorf("%v, and there is %v", err, names())
	}
	if err := Folder(path, write(nil)); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(path, "deep", "file")); string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
	if err := Folder(path, write(nil)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
	if err := Folder(filepath.Join(parent, "none", "it"), write(nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if got := names(); len(got) != 1 {
		t.Errorf("there is %v", got)
	}
}
