package student

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// A Gram is an n-gram of a text, and by how much it raised the log-odds of the
// label against the runner-up; below 0 it spoke for the runner-up. The weights
// of all n-grams add up to the log-odds.
//
// Pieces of words show the space around a word as "_", two words that need not
// be neighbours are joined by " … ".
type Gram struct {
	Text   string
	Weight float64
	Vector bool `json:",omitempty"` // no n-gram, but all that the text's vector said
}

// Explain returns the n n-grams of text that said most for the label that
// [Student.Predict] returns or against it, those that spoke for it first. It
// returns fewer if the text has fewer that the student knows.
//
// Of a student that wants vectors it returns nothing: [Student.ExplainWith] does.
func (s *Student) Explain(text string, n int) []Gram {
	grams, _ := s.ExplainWith(text, nil, n)
	return grams
}

// ExplainWith is Explain beside [Student.PredictWith], with its errors. What the
// vector said is one line, beside the n-grams.
func (s *Student) ExplainWith(text string, vector []float32, n int) ([]Gram, error) {
	if err := s.fits(vector); err != nil {
		return nil, err
	}
	t := normalise(text)
	v, _ := s.lexicon.vector(t)
	seen := s.see(v, vector)
	best, second := firstTwo(s.scores(seen))
	said := func(e entry) float64 {
		row := s.weights[int(e.row)*len(s.labels):]
		apart := float64(row[best]) - float64(row[second])
		return float64(e.value) * float64(s.scales[e.row]) * apart * s.sharpness
	}
	grams := make([]Gram, len(v))
	for i, e := range v {
		grams[i].Weight = said(e)
	}
	t.each(func(f found) {
		if row, ok := s.lexicon.row(f.hash); ok {
			i, _ := slices.BinarySearchFunc(v, uint32(row), func(e entry, row uint32) int { return cmp.Compare(e.row, row) })
			grams[i].Text = t.show(f)
		}
	})
	grams = most(grams, n)
	if s.Dims() > 0 {
		whole := Gram{Text: "the text's vector", Vector: true}
		for _, e := range seen[len(v):] {
			whole.Weight += said(e)
		}
		grams = most(append(grams, whole), len(grams)+1)
	}
	return grams, nil
}

// most returns the n weightiest, sorted by weight.
func most(grams []Gram, n int) []Gram {
	slices.SortStableFunc(grams, func(a, b Gram) int { return cmp.Compare(math.Abs(b.Weight), math.Abs(a.Weight)) })
	grams = grams[:min(max(n, 0), len(grams))]
	slices.SortStableFunc(grams, func(a, b Gram) int { return cmp.Compare(b.Weight, a.Weight) })
	return grams
}

// show makes an n-gram readable.
func (t text) show(f found) string {
	at := string(t.bytes[f.at.from:f.at.to])
	switch f.kind {
	case piece:
		return strings.ReplaceAll(at, " ", "_")
	case company:
		return at + " … " + string(t.bytes[f.to.from:f.to.to])
	}
	return at
}
