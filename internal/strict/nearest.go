package strict

import (
	"cmp"
	"slices"
	"strings"
)

// Nearest returns the known names that a person who wrote word may have meant,
// likeliest first, at most three: names a few slips of the finger away, then
// names that contain the word or are contained in it. It ignores case.
func Nearest(word string, known []string) []string {
	const longest = 80 // what is longer is no slip of a finger
	w := []rune(strings.ToLower(word))
	if len(w) == 0 || len(w) > longest {
		return nil
	}
	type hit struct {
		name     string
		distance int
	}
	var hits []hit
	for _, name := range known {
		if d, ok := distance(w, []rune(strings.ToLower(name))); ok {
			hits = append(hits, hit{name, d})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(a.distance, b.distance) })
	names := make([]string, 0, 3)
	for _, h := range hits {
		if len(names) < 3 && !slices.Contains(names, h.name) {
			names = append(names, h.name)
		}
	}
	return names
}

// distance returns how far apart two words are, and whether that is near.
func distance(a, b []rune) (int, bool) {
	allowed := max(1, max(len(a), len(b))/3)
	if gap := len(a) - len(b); gap <= allowed && -gap <= allowed {
		if d := slips(a, b); d <= allowed {
			return d, true
		}
	}
	const telling = 4 // characters that make a part of a name worth mentioning
	if min(len(a), len(b)) < telling {
		return 0, false
	}
	const behind = 100 // every slip comes before every part
	if x, y := string(a), string(b); strings.Contains(x, y) || strings.Contains(y, x) {
		return behind + max(len(a), len(b)) - min(len(a), len(b)), true
	}
	return 0, false
}

// slips counts letters added, left out, replaced, or swapped with their
// neighbour (optimal string alignment).
func slips(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range a {
		row[0] = i + 1
		for j := range b {
			replaced := last[j]
			if a[i] != b[j] {
				replaced++
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, replaced)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
