package forecast

import (
	"math"
	"testing"
)

// TestTrainingEndsWhereThePenaltyAndTheLossAreInBalance checks the condition of
// the optimum: each weight is give times what the residuals say of its slot.
func TestTrainingEndsWhereThePenaltyAndTheLossAreInBalance(t *testing.T) {
	var lessons []lesson
	for _, r := range foretold(rng(1), 200, 1) {
		lessons = append(lessons, lesson{features(r.Prompt), []float64{r.Grades[0]}, []float64{0.3}})
	}
	h := train(lessons, 1, 10*epochs)
	balance := make([]float64, slots)
	for i, weighed := range h.scale.weighAll(lessons) {
		out := []float32{0}
		h.add(weighed, out)
		residual := lessons[i].grades[0] - sigmoid(0.3+float64(out[0]))
		for _, f := range weighed {
			balance[f.at] += give * residual * float64(f.by)
		}
	}
	off, size := 0.0, 0.0
	for at, w := range h.weights {
		off += math.Abs(balance[at] - float64(w))
		size += math.Abs(float64(w))
	}
	if off > 0.02*size {
		t.Errorf("the weights of %v together are off by %v", size, off)
	}
}

func TestAStackWithoutExamplesLeavesTheMean(t *testing.T) {
	s := fitStack(nil, -1, pulls[0])
	for _, p := range []float64{0.01, 0.5, 0.97} {
		if got := s.odds(terms{1, logit(p), 3, -2}); math.Abs(got-p) > 1e-9 {
			t.Errorf("%v became %v", p, got)
		}
	}
}

func TestAStackRightsWhatIsTooSure(t *testing.T) {
	var examples []example
	for i := range 4000 {
		p := []float64{0.99, 0.01}[i%2] // in truth it is 0.8 and 0.2
		grade := 0.0
		if (i/2%5 == 0) == (i%2 == 1) {
			grade = 1
		}
		examples = append(examples, example{terms: terms{1, logit(p), 0, 0}, grade: grade, fold: i % 5})
	}
	s := fitStack(examples, -1, pulls[0])
	if got := s.odds(terms{1, logit(0.99), 0, 0}); math.Abs(got-0.8) > 0.01 {
		t.Errorf("%v, want 0.8", got)
	}
}

func TestTheEquationsAreSolved(t *testing.T) {
	x := solve([][]float64{{4, 2, 0}, {2, 5, 1}, {0, 1, 3}}, []float64{8, 15, 11})
	for i, want := range []float64{1, 2, 3} {
		if math.Abs(x[i]-want) > 1e-9 {
			t.Errorf("x[%d] = %v, want %v", i, x[i], want)
		}
	}
}
