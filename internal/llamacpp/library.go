package llamacpp

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"

	"starling"
)

// LibraryVersion is the release of llama.cpp that this program can call: the one that the
// structures of yzma v1.27.0 fit.
const LibraryVersion = "v0.5.0"

// A Library is a folder with llama.cpp's shared libraries, of the version that fits.
type Library struct {
	Dir     string
	Version string // "v0.5.0"
}

// Check says whether a folder holds the libraries that this program can call. It opens
// and calls none of them: the version is read from the name that a library's file
// gives itself, or its links lead to, and from the builder's note beside it where there
// is one. All that says a version has to say the same one. Errors: NotFound where a
// library is missing, Refused for another version or one that nothing tells; the hint
// says which one to install.
func Check(dir string) (Library, error) {
	said := map[string]bool{}
	for _, name := range libraryFiles(runtime.GOOS) {
		path := filepath.Join(dir, name)
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			return Library{}, misfit(starling.NotFound, fmt.Errorf("%s is missing", name))
		}
		said[versionIn(filepath.Base(real))] = true
		own, err := soname(real)
		if err != nil {
			return Library{}, misfit(starling.Refused, fmt.Errorf("%s is no shared library of this system", name))
		}
		said[versionIn(own)] = true
	}
	noted, err := note(filepath.Join(dir, "_nlcBuildMetadata.json"))
	if err != nil {
		return Library{}, misfit(starling.Refused, err)
	}
	said[noted] = true
	delete(said, "")
	for v := range said {
		if v != LibraryVersion {
			return Library{}, misfit(starling.Refused, fmt.Errorf("the library is of version %s", v))
		}
	}
	if len(said) == 0 {
		return Library{}, misfit(starling.Refused, errors.New("nothing tells the library's version"))
	}
	return Library{Dir: dir, Version: LibraryVersion}, nil
}

func misfit(kind starling.Kind, err error) error {
	return &starling.Error{Kind: kind, Op: "llamacpp: check the library",
		Hint: "install llama.cpp " + LibraryVersion + " with 'starling engine install'", Err: err}
}

func libraryFiles(system string) []string {
	switch system {
	case "windows":
		return []string{"llama.dll", "ggml.dll"}
	case "darwin":
		return []string{"libllama.dylib", "libggml.dylib"}
	}
	return []string{"libllama.so", "libggml.so"}
}

// Builders write a version into the names of all libraries; llama.cpp itself writes a bare
// number into that of each, which is llama.cpp's in the name of libllama alone.
var (
	version = regexp.MustCompile(`v\d+\.\d+\.\d+`)
	number  = regexp.MustCompile(`^libllama(?:\.so)?\.(\d+\.\d+\.\d+)`)
)

// versionIn finds a version in the name of a file; "" where there is none.
func versionIn(name string) string {
	if m := number.FindStringSubmatch(name); m != nil {
		return "v" + m[1]
	}
	return version.FindString(name)
}

// soname returns the name that an ELF file gives itself, and "" of other systems' files.
func soname(path string) (string, error) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return "", nil
	}
	f, err := elf.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	names, err := f.DynString(elf.DT_SONAME)
	if err != nil || len(names) == 0 {
		return "", err
	}
	return names[0], nil
}

// note returns the release that the builder wrote down beside the libraries, and ""
// where there is no such file.
func note(path string) (string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	var said struct {
		BuildOptions struct {
			LlamaCpp struct {
				Release string `json:"release"`
			} `json:"llamaCpp"`
		} `json:"buildOptions"`
	}
	if err != nil || json.Unmarshal(text, &said) != nil {
		return "", errors.New("the builder's note beside the library cannot be read")
	}
	return said.BuildOptions.LlamaCpp.Release, nil
}
