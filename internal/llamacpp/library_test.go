package llamacpp

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"starling"
)

// realLibrary returns the folder of the library for real tests, and skips without one.
func realLibrary(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("STARLING_TEST_ENGINE")
	if dir == "" {
		t.Skip("STARLING_TEST_ENGINE names no folder with llama.cpp's library")
	}
	return dir
}

func TestTheLibraryThatFitsIsKnown(t *testing.T) {
	lib, err := Check(realLibrary(t))
	if err != nil || lib.Version != LibraryVersion {
		t.Errorf("%+v, %v", lib, err)
	}
}

func TestALibraryThatDoesNotFitIsRefused(t *testing.T) {
	dir := realLibrary(t)
	if runtime.GOOS == "windows" {
		t.Skip("links need a right on Windows")
	}
	files := libraryFiles(runtime.GOOS)
	real := func(name string) string {
		p, err := filepath.EvalSymlinks(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	note := func(release string) string {
		return `{"buildOptions":{"llamaCpp":{"release":"` + release + `"}}}`
	}
	for name, c := range map[string]struct {
		link map[string]string // name to target
		text map[string]string // file to content
		want starling.Kind
	}{
		"nothing there":        {nil, nil, starling.NotFound},
		"one is missing":       {map[string]string{files[0]: real(files[0])}, nil, starling.NotFound},
		"a note of another":    {map[string]string{files[0]: real(files[0]), files[1]: real(files[1])}, map[string]string{"_nlcBuildMetadata.json": note("v0.6.1")}, starling.Refused},
		"a note that is no":    {map[string]string{files[0]: real(files[0]), files[1]: real(files[1])}, map[string]string{"_nlcBuildMetadata.json": "{"}, starling.Refused},
		"a text for a library": {map[string]string{files[1]: real(files[1])}, map[string]string{files[0]: "MZ"}, starling.Refused},
		"the right ones":       {map[string]string{files[0]: real(files[0]), files[1]: real(files[1])}, map[string]string{"_nlcBuildMetadata.json": note(LibraryVersion)}, ""},
	} {
		fake := t.TempDir()
		for n, target := range c.link {
			if err := os.Symlink(target, filepath.Join(fake, n)); err != nil {
				t.Fatal(err)
			}
		}
		for n, text := range c.text {
			if err := os.WriteFile(filepath.Join(fake, n), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Check(fake); starling.KindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAVersionIsReadFromTheNamesThatBuildersGive(t *testing.T) {
	for name, want := range map[string]string{
		"libllama.v0.5.0.so": "v0.5.0", "libggml.v0.5.0.so": "v0.5.0", "libllama.so.0.5.0": "v0.5.0", "libllama.0.6.1.dylib": "v0.6.1",
		"libllama.so": "", "libllama.so.0": "", "libggml.so.0.9.4": "", "libggml-cpu-haswell.so": "", "llama.dll": "",
	} {
		if got := versionIn(name); got != want {
			t.Errorf("%s: %q, not %q", name, got, want)
		}
	}
}
