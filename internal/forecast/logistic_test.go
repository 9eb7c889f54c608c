package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestALogisticRegressionFindsTheWeightsThatMadeTheGrades: with many rows and
// nearly no ridge, and smaller ones with a large ridge.
func TestALogisticRegressionFindsTheWeightsThatMadeTheGrades(t *testing.T) {
	made := Logistic{0.5, -1, 2}
	random := rand.New(rand.NewPCG(4, 5))
	var x [][]float64
	var y []float64
	for range 20_000 {
		row := []float64{1, random.NormFloat64(), random.NormFloat64()}
		grade := 0.0
		if random.Float64() < made.Odds(row) {
			grade = 1
		}
		x, y = append(x, row), append(y, grade)
	}
	found, held := FitLogistic(x, y, 0.001), FitLogistic(x, y, 20_000)
	for j := range made {
		if math.Abs(found[j]-made[j]) > 0.1 {
			t.Errorf("weight %d is %.3f, made with %.1f", j, found[j], made[j])
		}
		if math.Abs(held[j]) >= math.Abs(found[j]) {
			t.Errorf("weight %d is %.3f in spite of the ridge", j, held[j])
		}
	}
}
