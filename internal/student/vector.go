package student

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"starling"
)

// maxDims is how many numbers a vector may have: as many as the embedding models
// of today have at most.
const maxDims = 4096

// heaviest are the weights that vectors may have, beside n-grams of which each
// family is of length 1. Without one the student does not want them.
var heaviest = []float32{0, 0.5, 1, 2}

// Dims is how many numbers a vector of a text has, 0 for a student that wants no
// vectors.
func (s *Student) Dims() int { return len(s.mean) }

// Excerpt is the part of a text that its vector is made of: about as much as a
// student reads of it, so that what an embedding model is sent is bounded.
func Excerpt(text string) string {
	text = strings.TrimSpace(text)
	return strings.ToValidUTF8(text[:min(len(text), maxText)], "\uFFFD")
}

// enrolVectors reads the vectors of the examples, if they have some.
func (c *course) enrolVectors(examples []Example) error {
	dims := len(examples[0].Vector)
	if dims > maxDims {
		return fmt.Errorf("the vectors have %d numbers, not at most %d", dims, maxDims)
	}
	for i, e := range examples {
		if len(e.Vector) != dims {
			return fmt.Errorf("the vector of example %d has %d numbers, the first one's %d", i+1, len(e.Vector), dims)
		}
		if !finite(e.Vector) {
			return fmt.Errorf("the vector of example %d is not of finite numbers", i+1)
		}
		if dims > 0 {
			c.vectors = append(c.vectors, unit(e.Vector))
		}
	}
	return nil
}

func finite(v []float32) bool {
	for _, x := range v {
		if !(math.Abs(float64(x)) <= math.MaxFloat32) {
			return false
		}
	}
	return true
}

// fits says why a vector cannot be looked at, nil if it can, or none is wanted.
func (s *Student) fits(vector []float32) error {
	var err error
	switch {
	case s.Dims() == 0:
		return nil
	case len(vector) == 0:
		err = errors.New("it wants the text's vector too")
	case len(vector) != s.Dims():
		err = fmt.Errorf("the vector has %d numbers, it wants %d", len(vector), s.Dims())
	case !finite(vector):
		err = errors.New("the vector is not of finite numbers")
	default:
		return nil
	}
	return &starling.Error{Kind: starling.Invalid, Op: "student: predict", Hint: "ask it with a vector of the embedding model that it learned with, or distill it again", Err: err}
}

// unit brings a vector to length 1. One without a direction stays as it is.
func unit(v []float32) []float32 {
	var square float64
	for _, x := range v {
		square += float64(float64(x) * float64(x))
	}
	length := math.Sqrt(square)
	out := make([]float32, len(v))
	for i, x := range v {
		if length > 0 {
			out[i] = float32(float64(x) / length)
		}
	}
	return out
}

// meanOf is the mean of vectors, nil of none. Embedding models place all texts in
// one corner: what tells them apart is how they differ from it.
//
// Source: J. Mu, P. Viswanath, "All-but-the-Top: simple and effective
// postprocessing for word representations", ICLR 2018, section 2.
func meanOf(vectors [][]float32) []float32 {
	if len(vectors) == 0 {
		return nil
	}
	sums := make([]float64, len(vectors[0]))
	for _, v := range vectors {
		for i, x := range v {
			sums[i] += float64(x)
		}
	}
	mean := make([]float32, len(sums))
	for i, sum := range sums {
		mean[i] = float32(sum / float64(len(vectors)))
	}
	return mean
}

// see appends a vector to the coordinates of the n-grams: by how it differs from
// the mean, brought to length 1 like every family of n-grams.
func (s *Student) see(v []entry, vector []float32) []entry {
	if s.Dims() == 0 {
		return v
	}
	apart := unit(vector)
	for i, m := range s.mean {
		apart[i] -= m
	}
	for i, x := range unit(apart) {
		v = append(v, entry{uint32(len(s.lexicon.hashes) + i), x})
	}
	return v
}

// weighed multiplies the coordinates of the vector, in place.
func (s *Student) weighed(v []entry, weight float32) []entry {
	for i := range v {
		if int(v[i].row) >= len(s.lexicon.hashes) {
			v[i].value *= weight
		}
	}
	return v
}

// absorb puts the weight of vectors into what was learned of them, so that nobody
// has to know it who asks.
func (s *Student) absorb(weights matrix, weight float32) {
	of := weights[len(s.lexicon.hashes)*len(s.labels):]
	for i := range of {
		of[i] *= weight
	}
}

// tries are the weights that are tried.
func (c *course) tries() []float32 {
	if c.vectors == nil {
		return heaviest[:1]
	}
	return heaviest
}

// A tried is what came of a weight.
type tried struct {
	student *Student
	trials  []trial
}

// bestOf returns the weight under which the right labels of the trials are most
// probable. The first is that of nothing: as a vector has to be asked for, and
// paid, each time, it stays unless another is better by more than the standard
// error of what they differ.
//
// Source of the rule: L. Breiman et al., "Classification and regression trees"
// (1984), section 3.4.3.
func bestOf(all []tried) tried {
	base := losses(all[0].trials)
	best, gain := 0, 0.0
	for i, t := range all[1:] {
		mean, deviation := difference(base, losses(t.trials))
		if mean > deviation && mean > gain {
			best, gain = i+1, mean
		}
	}
	return all[best]
}

// losses are the negative logarithms of the probabilities of what is right.
func losses(trials []trial) []float64 {
	sharpness := calibrate(trials)
	all := make([]float64, len(trials))
	for i, t := range trials {
		all[i] = -log(max(confidences(t.scores, sharpness)[t.class], 1e-12))
	}
	return all
}

// difference returns by how much the first are greater in the mean, and the
// standard error of that.
func difference(a, b []float64) (mean, deviation float64) {
	n := float64(len(a))
	for i := range a {
		mean += (a[i] - b[i]) / n
	}
	var square float64
	for i := range a {
		d := a[i] - b[i] - mean
		square += float64(d * d)
	}
	return mean, math.Sqrt(square) / n
}

// Probe is a text whose vector tells embedding models apart, as their names do not
// if another one is loaded under the same.
const Probe = "I have been waiting for an answer since Tuesday. Who can help me?"

// An Embedder is the model whose vectors a student learned from.
type Embedder struct {
	Model string `json:"model"` // "provider/model", as it was configured
	Print []byte `json:"print"` // what it makes of Probe: each number in 127ths of the greatest, as an int8
}

// NewEmbedder returns the model of that name, which makes the vector of [Probe].
func NewEmbedder(model string, probe []float32) *Embedder {
	_, small := quantise(probe, max(len(probe), 1))
	e := &Embedder{Model: model}
	for _, x := range small {
		e.Print = append(e.Print, byte(x))
	}
	return e
}

// alike is the cosine from which on two vectors of [Probe] are one model's: what
// processors and batches round otherwise is far less.
const alike = 0.98

// Makes reports whether a vector is what the model makes of [Probe].
func (e *Embedder) Makes(probe []float32) bool {
	if len(probe) != len(e.Print) || !finite(probe) {
		return false
	}
	print := make([]float32, len(e.Print))
	for i, b := range e.Print {
		print[i] = float32(int8(b))
	}
	a, b := unit(print), unit(probe)
	var cosine float64
	for i := range a {
		cosine += float64(float64(a[i]) * float64(b[i]))
	}
	return cosine >= alike
}

// suits reports whether a lesson names an embedding model exactly where the
// student wants vectors.
func (l *Lesson) suits(s *Student) bool {
	if l.Embedder == nil {
		return s.Dims() == 0
	}
	return s.Dims() > 0 && len(l.Embedder.Print) == s.Dims() && l.Embedder.Model != ""
}
