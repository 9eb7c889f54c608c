package evidence

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTheSpecificationSaysWhoIsDrawn reads the vector of docs/spec/receipt.md: an
// id, and the least share of four digits of which it is one.
func TestTheSpecificationSaysWhoIsDrawn(t *testing.T) {
	text, err := os.ReadFile("../../docs/spec/receipt.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```draw\n(.*?)\n```").FindSubmatch(text)
	if m == nil {
		t.Fatal("there is no vector")
	}
	for line := range strings.Lines(string(m[1])) {
		var id string
		var share float64
		if _, err := fmt.Sscan(line, &id, &share); err != nil {
			t.Fatal(err)
		}
		if !Drawn(id, share) || Drawn(id, share-0.0001) {
			t.Errorf("%s is not first drawn at %v", id, share)
		}
	}
}

func TestAsManyAreDrawnAsTheShareSays(t *testing.T) {
	const n = 100_000
	for _, share := range []float64{0, 0.02, 0.5, 1} {
		drawn := 0
		for i := range n {
			if Drawn(fmt.Sprintf("rcp_%032x", i), share) {
				drawn++
			}
		}
		if got := float64(drawn) / n; got < share-0.005 || got > share+0.005 || share == 1 && drawn != n {
			t.Errorf("%v of a share of %v", got, share)
		}
	}
}

func BenchmarkDrawn(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Drawn("rcp_019ab0c1d2e37f4f8a1b2c3d4e5f6071", 0.02)
	}
}
