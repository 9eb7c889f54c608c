package wire

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func TestMentionsIsContains(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.StringMatching(`[ab"_C]{0,40}`).Draw(t, "body")
		word := rapid.StringMatching(`[ab"_C]{1,5}`).Draw(t, "word")
		if got, want := Mentions([]byte(body), word), bytes.Contains([]byte(body), []byte(word)); got != want {
			t.Errorf("Mentions(%q, %q) = %t", body, word, got)
		}
	})
}
