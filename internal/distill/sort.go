package distill

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"starling/internal/student"
	"starling/internal/verify"
)

const (
	// fewest is how many texts a label takes, in the mean of all labels. With fewer
	// a student learns next to nothing (bench/student).
	fewest = 10

	// usual is how often an answer must be given, among the texts to learn from, to
	// be a label where the rubric does not say which there are.
	usual = 3

	// longestLabel is how many bytes a label may have there.
	longestLabel = 200

	// parts is into how many parts the texts are split, of which one is held back.
	parts = 4
)

// Counts say what became of the texts of a skill.
type Counts struct {
	Texts    int `json:"kept"`       // all that there are
	Blank    int `json:"blank"`      // there is nothing to see in them
	Repeated int `json:"repeated"`   // the same, as far as a student can see, was there before
	Disputed int `json:"disputed"`   // questions whose answers differ: the latest counts
	Known    int `json:"of_cases"`   // the question is one of the skill's cases, from which nobody learns
	None     int `json:"no_label"`   // the answer is none of the labels: learned as out of scope
	Other    int `json:"other_form"` // the answer says something else beside its label than most do

	Labels int `json:"labels"`
	Train  int `json:"train"` // to learn from
	Held   int `json:"held"`  // held back
}

// A sorted is what a student is asked, and what is right.
type sorted struct {
	key   [sha256.Size]byte
	input string
	label string // "" none
	form  student.Form
}

// A lot is the texts of a course, sorted out.
type lot struct {
	Counts
	train, held []sorted // ascending by key
	form        student.Form
}

// HeldBack reports whether nobody learns from a text.
func HeldBack(input string) bool {
	key, _ := student.Key(input)
	return heldBack(key)
}

// heldBack says on which side a text is: always on the same, however many come, and
// with it all that a student cannot tell from it.
func heldBack(key [sha256.Size]byte) bool { return key[0]%parts == 0 }

// sort reads the labels, and splits what can be used.
func (c *Course) sort() (*lot, error) {
	l := &lot{}
	latest := c.latest(l)
	for _, key := range slices.SortedFunc(maps.Keys(latest), func(a, b [sha256.Size]byte) int { return bytes.Compare(a[:], b[:]) }) {
		if heldBack(key) {
			l.held = append(l.held, latest[key])
		} else {
			l.train = append(l.train, latest[key])
		}
	}
	if verify.Labels(c.Verifiers) == nil {
		l.unusual()
	}
	count := map[string]bool{}
	for _, t := range slices.Concat(l.train, l.held) {
		if t.label == "" {
			l.None++
		}
	}
	for _, t := range l.train {
		if t.label != "" {
			count[t.label] = true
		}
	}
	l.Train, l.Held, l.Labels = len(l.train), len(l.held), len(count)
	if err := c.enough(l); err != nil {
		return nil, err
	}
	return l, c.learnForm(l)
}

// latest keeps one answer to each question, the last one: a correction comes after
// what it corrects.
func (c *Course) latest(l *lot) map[[sha256.Size]byte]sorted {
	cases := map[[sha256.Size]byte]bool{}
	for _, cs := range c.Cases {
		key, _ := student.Key(cs.Input)
		cases[key] = true
	}
	all, disputed := map[[sha256.Size]byte]sorted{}, map[[sha256.Size]byte]bool{}
	for _, t := range c.Texts {
		l.Texts++
		key, seen := student.Key(t.Input)
		switch {
		case !seen:
			l.Blank++
			continue
		case cases[key]:
			l.Known++
			continue
		}
		r, ok := verify.Read(c.Verifiers, t.Answer)
		next := sorted{key: key, input: t.Input}
		if ok {
			next.label, next.form = r.Label, student.Form{Before: r.Before, After: r.After, Quoted: r.Quoted}
		}
		if before, ok := all[key]; ok {
			l.Repeated++
			disputed[key] = disputed[key] || before.label != next.label
		}
		all[key] = next
	}
	for _, is := range disputed {
		if is {
			l.Disputed++
		}
	}
	return all
}

// unusual takes the labels away that are none: an answer that hardly anything else
// has. Which are labels is read off the texts to learn from alone.
func (l *lot) unusual() {
	times := map[string]int{}
	for _, t := range l.train {
		times[t.label]++
	}
	for _, side := range [][]sorted{l.train, l.held} {
		for i, t := range side {
			if times[t.label] < usual || len(t.label) > longestLabel {
				side[i].label = ""
			}
		}
	}
}

// enough refuses what nobody could learn from.
func (c *Course) enough(l *lot) error {
	usable, labels := l.Train+l.Held-l.None, max(l.Labels, len(verify.Labels(c.Verifiers)), 2)
	const how = "import traces with starling evidence import, or set keep: true in the rubric"
	switch {
	case l.Texts == 0:
		return c.invalid("there are no texts of "+c.Skill.Name, how)
	case l.Labels == 0 && l.None > 0:
		return c.invalid(fmt.Sprintf("the answer of none of the %d texts of %s is a label", l.None, c.Skill.Name), "a student gives one label of a known set: list them under verify, as kind: label")
	case usable < fewest*labels:
		return c.invalid(fmt.Sprintf("there are %d texts of %s that can be learned from, and %d labels; it takes some %d per label, %d in all", usable, c.Skill.Name, labels, fewest, fewest*labels), how)
	case l.Labels < 2:
		return c.invalid("all texts of "+c.Skill.Name+" that can be learned from have the same label", "keep texts of the others too")
	case l.Held == 0:
		return c.invalid("no text of "+c.Skill.Name+" is held back to find out what a student is worth", how)
	}
	return nil
}

// baseline is how often the label that is most frequent among the texts to learn
// from is right among the others.
func (l *lot) baseline() float64 {
	times := map[string]int{}
	for _, t := range l.train {
		times[t.label]++
	}
	most := slices.MaxFunc(slices.Sorted(maps.Keys(times)), func(a, b string) int { return cmp.Compare(times[a], times[b]) })
	right := 0
	for _, t := range l.held {
		if t.label == most {
			right++
		}
	}
	return portion(right, len(l.held))
}
