package llamacpp

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestAModelIsQuantisedWholeOrNotAtAll(t *testing.T) {
	dir := realLibrary(t)
	from := stories(t, "")
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
