package distill

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"starling/internal/student"
)

// learnForm finds what stands around the label in the answers that are learned
// from: what most of them have in common, as it is spelt most often. An answer that
// says something else there is one that a student cannot give.
func (c *Course) learnForm(l *lot) error {
	times, alike, n := map[student.Form]int{}, map[student.Form]int{}, 0
	for _, t := range l.train {
		if t.label != "" {
			n++
			times[t.form]++
			alike[compact(t.form)]++
		}
	}
	common := mostOf(alike, func(student.Form) bool { return true })
	l.form = mostOf(times, func(f student.Form) bool { return compact(f) == common })
	for _, t := range slices.Concat(l.train, l.held) {
		if t.label != "" && compact(t.form) != common {
			l.Other++
		}
	}
	if 2*alike[common] <= n {
		return c.invalid(fmt.Sprintf("the answers of %s differ in more than their label: no more than %d of %d say the same beside it", c.Skill.Name, alike[common], n), "a student gives a label and nothing else; have the prompt ask for it alone")
	}
	return nil
}

// mostOf returns the most frequent of those that count; of equally frequent ones
// the shortest, and of these the first in the alphabet.
func mostOf(times map[student.Form]int, counts func(student.Form) bool) (most student.Form) {
	for _, f := range slices.SortedFunc(maps.Keys(times), compareForms) {
		if counts(f) && times[f] > times[most] {
			most = f
		}
	}
	return most
}

func compareForms(a, b student.Form) int {
	return cmp.Or(cmp.Compare(len(a.Before)+len(a.After), len(b.Before)+len(b.After)), cmp.Compare(a.Before, b.Before), cmp.Compare(a.After, b.After))
}

// compact takes out the space that means nothing in JSON.
func compact(f student.Form) student.Form {
	if f.Quoted {
		f.Before, f.After = squeezed(f.Before), squeezed(f.After)
	}
	return f
}

func squeezed(json string) string {
	var b strings.Builder
	inside, escaped := false, false
	for _, r := range json {
		switch {
		case escaped:
			escaped = false
		case inside && r == '\\':
			escaped = true
		case r == '"':
			inside = !inside
		case !inside && strings.ContainsRune(" \t\r\n", r):
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
