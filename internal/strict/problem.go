package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"starling"
)

// A Problem is one thing that a person has to mend in a file.
type Problem struct {
	File   string
	Line   int // from 1; 0 if the problem is the file itself
	Column int // from 1, in characters
	Text   string
	Hint   string // "" if there is none
}

// String renders "file:line:column: text (hint)".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": " + p.Text)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// most is how many problems an error lists.
const most = 20

// Problems is a list of them as an error: one line each.
type Problems []Problem

func (ps Problems) Error() string {
	shown := ps[:min(len(ps), most)]
	lines := make([]string, 0, len(shown)+1)
	for _, p := range shown {
		lines = append(lines, p.String())
	}
	if more := len(ps) - len(shown); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// Report returns the problems as one Invalid error, by file and position,
// without repetitions; nil if there are none. Its Err is a [Problems].
func Report(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	sorted := slices.Clone(problems)
	slices.SortStableFunc(sorted, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Text, b.Text))
	})
	return &starling.Error{Kind: starling.Invalid, Err: Problems(slices.Compact(sorted))}
}
