package student

import "slices"

// A Student tells which label of its set fits a text. It never changes after it
// was trained or read, and is safe for concurrent use.
type Student struct {
	labels    []string // of the classes, ascending
	lexicon   *lexicon
	mean      []float32 // of the vectors; none if it wants none
	scales    []float32 // of a row's weights: first those of the lexicon, then one for each number of a vector
	weights   []int8    // row by row, one for each label
	sharpness float64   // what scores are multiplied by before they become shares
	familiar  float64   // the share of n-grams that must be known of a text
	steps     []Step
}

// A Prediction is what a student says of a text.
type Prediction struct {
	// Label fits best. It is "" for a student that was shown texts that no label
	// fits, when this seems to be one more.
	Label string

	// Confidence is how probable it is that Label is right, among texts like
	// those that the student was trained on.
	Confidence float64

	// Second fits next best.
	Second           string
	SecondConfidence float64

	// Known is the share of the text's n-grams that the student has seen in
	// training. One that has seen none of them knows nothing: its confidence is
	// that of a blind choice.
	Known float64

	// Strange is set for a text of which less is known than of all but one in a
	// hundred of the training examples: Confidence says nothing of such texts.
	Strange bool

	// Blind is set where the student wants a vector and was asked without one.
	// Then nothing else is: there is no label and no confidence.
	Blind bool
}

// Labels returns the labels, ascending. The first is "" for a student that was
// shown texts that no label fits.
func (s *Student) Labels() []string { return slices.Clone(s.labels) }

// Predict returns the label that fits text best. It reads some 350 words and
// ignores what follows. A student that wants vectors says nothing here: ask it
// with [Student.PredictWith].
func (s *Student) Predict(text string) Prediction {
	if s.Dims() > 0 {
		return Prediction{Blind: true}
	}
	return s.predict(s.lexicon.vector(normalise(text)))
}

// PredictWith is Predict with the vector that the student's embedding model makes
// of the text's [Excerpt]. A student that wants none does not look at it. The
// error is Invalid for one that wants another: it guesses nothing without.
func (s *Student) PredictWith(text string, vector []float32) (Prediction, error) {
	if err := s.fits(vector); err != nil {
		return Prediction{Blind: true}, err
	}
	v, known := s.lexicon.vector(normalise(text))
	return s.predict(s.see(v, vector), known), nil
}

// Stranger reports what [Prediction].Strange says, for which no vector is needed.
func (s *Student) Stranger(text string) bool {
	_, known := s.lexicon.vector(normalise(text))
	return known < s.familiar
}

func (s *Student) predict(v []entry, known float64) Prediction {
	scores := s.scores(v)
	best, second := firstTwo(scores)
	shares := confidences(scores, s.sharpness)
	return Prediction{
		Label: s.labels[best], Confidence: shares[best],
		Second: s.labels[second], SecondConfidence: shares[second],
		Known: known, Strange: known < s.familiar,
	}
}

// scores returns how well each label fits, in no unit.
func (s *Student) scores(v []entry) []float32 {
	n := len(s.labels)
	scores := make([]float32, n)
	for _, e := range v {
		x := float32(e.value * s.scales[e.row])
		row := s.weights[int(e.row)*n:][:n]
		c := 0
		for ; c+4 <= n; c += 4 { // as in matrix.add
			w, t := row[c:c+4:c+4], scores[c:c+4:c+4]
			t[0] += float32(x * float32(w[0]))
			t[1] += float32(x * float32(w[1]))
			t[2] += float32(x * float32(w[2]))
			t[3] += float32(x * float32(w[3]))
		}
		for ; c < n; c++ {
			scores[c] += float32(x * float32(row[c]))
		}
	}
	return scores
}

// firstTwo returns the positions of the highest and the next score; of equal
// ones the first counts as higher.
func firstTwo(scores []float32) (best, second int) {
	best, second = 0, 1
	if scores[1] > scores[0] {
		best, second = 1, 0
	}
	for i, s := range scores[2:] {
		switch {
		case s > scores[best]:
			best, second = i+2, best
		case s > scores[second]:
			second = i + 2
		}
	}
	return best, second
}

// confidences turns scores into shares of 1.
func confidences(scores []float32, sharpness float64) []float64 {
	shares := make([]float64, len(scores))
	for i, s := range scores {
		shares[i] = float64(s)
	}
	softmax(shares, sharpness, exact)
	return shares
}
