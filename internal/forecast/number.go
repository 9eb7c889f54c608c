package forecast

import "math"

// missing reports whether there is no grade.
func missing(grade float64) bool { return math.IsNaN(grade) }

// surest is how sure a forecast may be at most, and how unsure.
const surest = 0.999

func clamp(p float64) float64 { return min(max(p, 1-surest), surest) }

func logit(p float64) float64 {
	p = clamp(p)
	return math.Log(p / (1 - p))
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// loss is the logarithmic loss of the forecast p when the grade was g; grades
// between 0 and 1 count as that share of a pass.
func loss(p, g float64) float64 {
	p = clamp(p)
	return -g*math.Log(p) - (1-g)*math.Log1p(-p)
}

// solve returns x with a·x = b for a symmetric positive definite a, which it
// overwrites: Cholesky's decomposition.
func solve(a [][]float64, b []float64) []float64 {
	for i := range a {
		for j := range i + 1 {
			sum := a[i][j]
			for k := range j {
				sum -= a[i][k] * a[j][k]
			}
			if i == j {
				a[i][i] = math.Sqrt(max(sum, 1e-12))
			} else {
				a[i][j] = sum / a[j][j]
			}
		}
	}
	x := make([]float64, len(b))
	for i := range b {
		x[i] = b[i]
		for k := range i {
			x[i] -= a[i][k] * x[k]
		}
		x[i] /= a[i][i]
	}
	for i := len(b) - 1; i >= 0; i-- {
		for k := i + 1; k < len(b); k++ {
			x[i] -= a[k][i] * x[k]
		}
		x[i] /= a[i][i]
	}
	return x
}
