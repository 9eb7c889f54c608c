package starling_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "starling"

type listed struct {
	ImportPath string
	Imports    []string
	Doc        string
	GoFiles    []string
}

// packages lists the program's own packages with their direct imports.
func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Doc,GoFiles", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// short returns a package's name in ARCHITECTURE.md: "wire", "cmd/starling".
func short(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module+"/"), "internal/")
}

// block returns the lines of the fenced block with the given tag.
func block(t *testing.T, tag string) []string {
	t.Helper()
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```" + tag + "\n(.*?)\n```").FindSubmatch(text)
	if m == nil {
		t.Fatalf("ARCHITECTURE.md has no ```%s block", tag)
	}
	return strings.Split(string(m[1]), "\n")
}

// outside holds what is no part of the program that a user runs: it may import
// anything above it, and the program may not import it.
var outside = regexp.MustCompile(`^(bench/.*|skills|conform|.*/generate)$`)

func TestAPackageImportsOnlyFromLinesAboveItsOwn(t *testing.T) {
	line := map[string]int{}
	for i, l := range block(t, "layers") {
		for _, name := range strings.Fields(l) {
			line[name] = i
		}
	}
	seen := map[string]bool{}
	for _, p := range packages(t) {
		name := short(p.ImportPath)
		seen[name] = true
		if outside.MatchString(name) {
			continue
		}
		own, ok := line[name]
		if !ok {
			t.Errorf("%s stands on no line of ARCHITECTURE.md", name)
			continue
		}
		for _, imp := range p.Imports {
			if imp != module && !strings.HasPrefix(imp, module+"/") {
				continue
			}
			switch of, ok := line[short(imp)]; {
			case short(imp) == "skills" && name == "cmd/starling": // the embedded packs
			case !ok:
				t.Errorf("%s imports %s, which is no part of the program", name, imp)
			case of >= own:
				t.Errorf("%s (line %d) imports %s (line %d)", name, own+1, short(imp), of+1)
			}
		}
	}
	for name := range line {
		if !seen[name] {
			t.Errorf("ARCHITECTURE.md names %s, which does not exist", name)
		}
	}
}

func TestOnlyTheNamedPackagesOpenDoors(t *testing.T) {
	doors := map[string][]string{}
	for _, l := range block(t, "doors") {
		f := strings.Fields(l)
		doors[f[0]] = f[1:]
	}
	for _, p := range packages(t) {
		name := short(p.ImportPath)
		if outside.MatchString(name) {
			continue
		}
		for _, imp := range p.Imports {
			for door, allowed := range doors {
				through := imp == door || (strings.Contains(door, ".") && strings.HasPrefix(imp, door+"/"))
				if through && !slices.Contains(allowed, name) {
					t.Errorf("%s imports %s; ARCHITECTURE.md allows that to %v", name, imp, allowed)
				}
			}
		}
	}
}

func TestTheVocabularyImportsOnlyTheStandardLibrary(t *testing.T) {
	for _, p := range packages(t) {
		if p.ImportPath != module {
			continue
		}
		for _, imp := range p.Imports {
			if strings.Contains(imp, ".") || strings.HasPrefix(imp, module) || imp == "os" || strings.HasPrefix(imp, "net") {
				t.Errorf("the root package imports %s", imp)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && len(p.Doc) < 40 {
			t.Errorf("%s has no package comment worth the name", p.ImportPath)
		}
	}
}
