package route

import (
	"strings"

	"starling/internal/strict"
)

// clip shortens a caller's word for an error: a name is quoted, a novel is not.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

// near suggests known names for one that is not.
func near(name string, known []string) string {
	if hits := strict.Nearest(name, known); len(hits) > 0 {
		return "did you mean " + strings.Join(hits, " or ") + "?"
	}
	if len(known) == 0 {
		return "no skills are loaded"
	}
	return "known: " + strings.Join(known, ", ")
}
