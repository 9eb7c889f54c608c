package main

import (
	"os"
	"path/filepath"
	"testing"

	"starling"
)

func TestADemoWritesWhereNothingIsOrADemoWas(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	for _, c := range []struct {
		name  string
		first func() error
		want  starling.Kind
	}{
		{"a folder that is not there", func() error { return nil }, ""},
		{"a former demo's", func() error { return os.WriteFile(filepath.Join(dir, ledgerFile), nil, 0o600) }, ""},
		{"one that somebody else wrote to", func() error { return unmarkDemo(dir) }, starling.Invalid},
		{"and again", func() error { return unmarkDemo(dir) }, starling.Invalid},
		{"an empty one", func() error { return os.Remove(filepath.Join(dir, ledgerFile)) }, ""},
		{"no folder", func() error { return os.RemoveAll(dir) }, ""},
	} {
		if err := c.first(); err != nil {
			t.Fatal(err)
		}
		if got, err := demoDir(dir); starling.KindOf(err) != c.want || err == nil && got != dir {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}
