package strict_test

import (
	"slices"
	"strings"
	"testing"

	"starling/internal/strict"
)

func TestTheNearestNamesComeFirst(t *testing.T) {
	known := []string{"candidates", "reference", "verify", "gpt-5.4-nano", "gpt-5.4", "openai/gpt-5.4", "small", "at"}
	for _, c := range []struct {
		name, word string
		want       []string
	}{
		{"a letter is missing", "candidate", []string{"candidates"}},
		{"two letters are swapped", "verfiy", []string{"verify"}},
		{"case does not count", "VERIFY", []string{"verify"}},
		{"short words forgive one slip", "ta", []string{"at"}},
		{"a part of a name is near, slips are nearer", "gpt-5.5", []string{"gpt-5.4"}},
		{"a name within a name", "gpt-5.4-nano-2026", []string{"gpt-5.4-nano", "gpt-5.4"}},
		{"nothing is near", "zebra", nil},
		{"an empty word is near nothing", "", nil},
		{"a novel is near nothing", strings.Repeat("candidates", 9), nil},
	} {
		if got := strict.Nearest(c.word, known); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q is near %q, want %q", c.name, c.word, got, c.want)
		}
	}
}
