package student

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// A course is the examples in the form that training wants.
type course struct {
	labels  []string
	texts   []text
	vectors [][]float32 // of the texts, each of length 1; nil if there are none
	classes []int       // of the texts: positions in labels
	folds   []int       // of the texts
	parts   int         // how many folds there are
	asked   int         // how many of them, the first, are asked for
}

// partsOf says in how many parts so many examples are dealt, and how many of
// these are asked for. With more parts, those who are asked were trained on
// nearly as much as the student that is kept, so that its confidence is not
// understated. One part in five of many examples says enough.
func partsOf(examples int) (parts, asked int) {
	switch {
	case examples <= 2000:
		return 10, 10
	case examples <= 8000:
		return 5, 5
	}
	return 5, 1
}

// enrol reads the examples.
func enrol(examples []Example) (*course, error) {
	c := &course{}
	c.parts, c.asked = partsOf(len(examples))
	for i, e := range examples {
		t := normalise(e.Text)
		switch {
		case len(t.words) == 0:
			return nil, fmt.Errorf("example %d has no text", i+1)
		case len(e.Label) > maxLabel || !utf8.ValidString(e.Label):
			return nil, fmt.Errorf("the label of example %d is longer than %d bytes or not UTF-8", i+1, maxLabel)
		}
		c.texts, c.labels = append(c.texts, t), append(c.labels, e.Label)
	}
	slices.Sort(c.labels)
	c.labels = slices.Compact(c.labels)
	if n := len(c.labels); n < 2 || n > maxLabels || n == 2 && c.labels[0] == "" {
		return nil, fmt.Errorf("there are %d labels, not between 2 and %d", n, maxLabels)
	}
	for _, e := range examples {
		class, _ := slices.BinarySearch(c.labels, e.Label)
		c.classes = append(c.classes, class)
	}
	c.deal()
	return c, c.enrolVectors(examples)
}

// deal gives every text a fold, those of a class evenly, equal texts the same:
// what was learned by heart must not look like skill.
func (c *course) deal() {
	c.folds = make([]int, len(c.texts))
	given := map[string]int{}
	next := make([]int, len(c.labels))
	for i, t := range c.texts {
		fold, ok := given[string(t.bytes)]
		if !ok {
			class := c.classes[i]
			fold = (class + next[class]) % c.parts
			next[class]++
			given[string(t.bytes)] = fold
		}
		c.folds[i] = fold
	}
}

// ask asks every example of the folds that were left out of the student that has
// not seen it.
func (c *course) ask(students []*Student) (trials []trial) {
	for i, t := range c.texts {
		if c.folds[i] >= len(students) {
			continue
		}
		s := students[c.folds[i]]
		v, known := s.lexicon.vector(t)
		if s.Dims() > 0 {
			v = s.see(v, c.vectors[i])
		}
		trials = append(trials, trial{s.scores(v), c.classes[i], known})
	}
	return trials
}
