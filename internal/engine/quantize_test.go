package engine

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMain lets the test's own program be the child in which the library is called.
func TestMain(m *testing.M) {
	if to := os.Getenv("STARLING_TEST_QUANTIZE"); to != "" {
		if err := Quantize(os.Args[1], os.Args[2], to, os.Args[3]); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestAModelIsQuantisedWholeOrNotAtAll(t *testing.T) {
	dir := realLibrary(t)
	from, err := filepath.Abs("../../../shared/weights/stories260K.gguf")
	if _, stat := os.Stat(from); err != nil || stat != nil {
		if from = os.Getenv("STARLING_TEST_MODEL"); from == "" {
			t.Skip("there is no tiny model in ../shared/weights")
		}
	}
	bad := filepath.Join(t.TempDir(), "bad.gguf")
	if err := os.WriteFile(bad, []byte("GGUF and no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, kind string
		ok         bool
	}{{from, "Q8_0", true}, {from, "Q4_0", true}, {from, "F16", true}, {from, "Q9", false}, {bad, "Q8_0", false}} {
		to := filepath.Join(t.TempDir(), "to.gguf")
		cmd := exec.Command(os.Args[0], dir, c.from, c.kind)
		cmd.Env = append(os.Environ(), "STARLING_TEST_QUANTIZE="+to)
		out, err := cmd.CombinedOutput()
		left, _ := os.ReadDir(filepath.Dir(to))
		if (err == nil) != c.ok || (len(left) == 1) != c.ok {
			t.Errorf("%s: %v, %d files left: %s", c.kind, err, len(left), out)
		}
	}
}
