package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"starling/internal/gguf"
	"starling/internal/hub"
	"starling/internal/machine"
)

// having is a machine on which so many megabytes of memory can be had.
func having(megabytes int) *machine.Host {
	kilobytes := megabytes * 1000
	return machine.New(fstest.MapFS{"proc/meminfo": {Data: fmt.Appendf(nil, "MemTotal: %d kB\nMemAvailable: %d kB\n", kilobytes, kilobytes)}})
}

func TestAModelThatDoesNotFitIsToldWithItsNumbers(t *testing.T) {
	var file bytes.Buffer
	if err := gguf.Write(&file, gguf.TinyQwen.Spec(gguf.F16, 1)); err != nil {
		t.Fatal(err)
	}
	c := hub.Candidate{Name: "tiny", Bytes: 600e6, Header: bytes.NewReader(file.Bytes()), Size: int64(file.Len())}
	if ok, advice := (Local{}).fitsHere(having(4000), func() float64 { return 16e9 })(c); !ok || !strings.Contains(advice, "tokens/s") {
		t.Error(ok, advice)
	}
	ok, advice := Local{}.fitsHere(having(1000), nil)(c)
	if ok || !strings.Contains(advice, "MB can be had") && !strings.Contains(advice, "GB can be had") {
		t.Errorf("%t %q", ok, advice)
	}
	c.Header, c.Size = strings.NewReader("no weights"), 10
	if ok, _ := (Local{}).fitsHere(having(1000), nil)(c); ok {
		t.Error("one whose header cannot be read is not weighed")
	}
}
