package student

import (
	"cmp"
	"math"
	"slices"
)

// A trial is an example that a student was asked about without having been
// trained on it.
type trial struct {
	scores []float32
	class  int     // the right one
	known  float64 // share of its n-grams
}

const (
	bluntest = 1.0 / 64 // the limits of sharpness
	sharpest = 64.0
	halvings = 20
)

// calibrate returns the sharpness at which the trials are most likely: the
// inverse of what is called the temperature. The likelihood has one summit,
// which lies where its slope changes sign.
//
// Source: C. Guo et al., "On calibration of modern neural networks", ICML 2017,
// section 4.2.
func calibrate(trials []trial) float64 {
	lo, hi := bluntest, sharpest
	for range halvings {
		middle := (lo + hi) / 2
		if excess(trials, middle) < 0 {
			lo = middle
		} else {
			hi = middle
		}
	}
	return float64(float32((lo + hi) / 2)) // as it is stored
}

// excess is by how much the score that is expected exceeds that of the right
// class, over all trials: the negative slope of the likelihood. As if one more
// trial had come out any other way, the right class counts for slightly less
// than 1, so that a few trials that all went well are not taken for certainty.
//
// Source of the latter: J. Platt, "Probabilistic outputs for support vector
// machines", Advances in Large Margin Classifiers (1999), section 2.2.
func excess(trials []trial, sharpness float64) (sum float64) {
	doubt := 1 / float64(len(trials)+2)
	for _, t := range trials {
		even := doubt / float64(len(t.scores))
		for c, share := range confidences(t.scores, sharpness) {
			sum += float64((share - even) * float64(t.scores[c]))
		}
		sum -= float64((1 - doubt) * float64(t.scores[t.class]))
	}
	return sum
}

// A Step is a threshold of confidence, with what came of it among the training
// examples when each was asked of a student that had not seen it: which share
// was answered with at least that confidence, and which share of those answers
// was right. It is an estimate to order thresholds by before others are tested
// with it, not evidence.
type Step struct {
	Confidence float64
	Coverage   float64
	Agreement  float64
}

// fineness is how many steps there are at most.
const fineness = 200

// Steps returns thresholds from the highest to the lowest, each answering more
// of the training examples than the one before. They come from training alone,
// so that cases it has not seen can test them in a fixed order.
func (s *Student) Steps() []Step { return slices.Clone(s.steps) }

// strangest is the share of the examples that are taken for strangers: their own
// are those of which the least is known.
const strangest = 0.01

// acquaint returns the share of a text's n-grams that must be known for it to be
// like the examples: all but the strangest of them reach it, each seen by a student
// that was not trained on it.
func acquaint(trials []trial) float64 {
	known := make([]float64, len(trials))
	for i, t := range trials {
		known[i] = t.known
	}
	slices.Sort(known)
	return downwards(known[int(strangest*float64(len(known)))])
}

// climb derives the steps from the trials.
func (s *Student) climb(trials []trial) (steps []Step) {
	type answer struct {
		confidence float64
		right      bool
	}
	var answers []answer
	for _, t := range trials {
		best, _ := firstTwo(t.scores)
		if s.labels[best] != "" && t.known >= s.familiar {
			answers = append(answers, answer{downwards(confidences(t.scores, s.sharpness)[best]), best == t.class})
		}
	}
	slices.SortStableFunc(answers, func(a, b answer) int { return cmp.Compare(b.confidence, a.confidence) })
	right, next := 0, 1
	for i, a := range answers {
		if a.right {
			right++
		}
		last := i+1 == len(answers)
		if !last && ((i+1)*fineness < next*len(answers) || answers[i+1].confidence == a.confidence) {
			continue
		}
		next = (i+1)*fineness/len(answers) + 1
		steps = append(steps, Step{a.confidence, portion(i+1, len(trials)), portion(right, i+1)})
	}
	return steps
}

// downwards is a confidence as it is stored, and not above it: the example whose
// confidence is the threshold clears it.
func downwards(v float64) float64 {
	f := float32(v)
	if float64(f) > v {
		f = math.Nextafter32(f, 0)
	}
	return float64(f)
}

// portion is a ratio as it is stored.
func portion(k, n int) float64 { return float64(float32(float64(k) / float64(n))) }
