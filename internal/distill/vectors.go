package distill

import (
	"slices"

	"starling/internal/student"
)

// Vectors are what an embedding model made of texts.
type Vectors struct {
	Embedder  *student.Embedder
	Simulated bool
	Of        map[string][]float32 // by the text, as [Course.Inputs] names it
}

// Inputs are the texts that an embedding model is to read, each once: those that
// are learned from, those that are held back, and the cases. The errors are those
// of [Course.Run].
func (c *Course) Inputs() ([]string, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	l, err := c.sort()
	if err != nil {
		return nil, err
	}
	var all []string
	for _, t := range slices.Concat(l.train, l.held) {
		all = append(all, student.Excerpt(t.input))
	}
	for _, cs := range c.Cases {
		all = append(all, student.Excerpt(cs.Input))
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.DeleteFunc(all, func(text string) bool { return text == "" }), nil
}

// vector is what was made of a text, nil of one of which nothing was.
func (c *Course) vector(input string) []float32 {
	if c.Vectors == nil {
		return nil
	}
	return c.Vectors.Of[student.Excerpt(input)]
}

// simulated reports whether what comes of the course proves nothing of a model.
func (c *Course) simulated() bool {
	return c.Reference.Simulated || c.Vectors != nil && c.Vectors.Simulated
}

// examples are what a student learns from.
func (c *Course) examples(l *lot) []student.Example {
	all := make([]student.Example, len(l.train))
	for i, t := range l.train {
		all[i] = student.Example{Text: t.input, Label: t.label, Vector: c.vector(t.input)}
	}
	return all
}

// predict asks the student, with the text's vector where it wants one.
func (e *exam) predict(input string) student.Prediction {
	p, err := e.student.PredictWith(input, e.vector(input))
	if err != nil {
		return student.Prediction{Blind: true} // as it would be kept back
	}
	return p
}
