package forecast

// A Logistic is the weights of a logistic regression.
type Logistic []float64

// FitLogistic fits ridge logistic regression by Newton's method: y holds grades in
// [0, 1], one for each row of x. The ridge keeps weights small. The rows have the
// same length, and there is one at least.
func FitLogistic(x [][]float64, y []float64, ridge float64) Logistic {
	w := make(Logistic, len(x[0]))
	for range 6 {
		first, second := make([]float64, len(w)), make([][]float64, len(w))
		for j := range w {
			first[j] = -ridge * w[j]
			second[j] = make([]float64, len(w))
			second[j][j] = ridge
		}
		for i, xi := range x {
			p := w.Odds(xi)
			for j, v := range xi {
				if v == 0 {
					continue
				}
				first[j] += (y[i] - p) * v
				for k := range j + 1 {
					second[j][k] += p * (1 - p) * v * xi[k]
				}
			}
		}
		for j, step := range solve(second, first) {
			w[j] += step
		}
	}
	return w
}

// Odds is the probability that the weights give to x.
func (w Logistic) Odds(x []float64) float64 {
	sum := 0.0
	for j, v := range x {
		sum += w[j] * v
	}
	return sigmoid(sum)
}
