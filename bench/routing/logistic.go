package main

import "math"

// logistic fits ridge logistic regression by Newton's method, and returns its
// weights.
func logistic(x [][]float64, y []float64, ridge float64) []float64 {
	w := make([]float64, len(x[0]))
	for range 6 {
		first, second := make([]float64, len(w)), make([][]float64, len(w))
		for j := range w {
			first[j] = -ridge * w[j]
			second[j] = make([]float64, len(w))
			second[j][j] = ridge
		}
		for i, xi := range x {
			p := chance(w, xi)
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
		for j, s := range cholesky(second, first) {
			w[j] += s
		}
	}
	return w
}

// chance is what the weights say of x.
func chance(w, x []float64) float64 {
	sum := 0.0
	for j, v := range x {
		sum += w[j] * v
	}
	return 1 / (1 + math.Exp(-sum))
}

// cholesky returns x with a·x = b, for the lower half of a symmetric positive
// definite a, which it overwrites.
func cholesky(a [][]float64, b []float64) []float64 {
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
	x := append([]float64(nil), b...)
	for i := range x {
		for k := range i {
			x[i] -= a[i][k] * x[k]
		}
		x[i] /= a[i][i]
	}
	for i := len(x) - 1; i >= 0; i-- {
		for k := i + 1; k < len(x); k++ {
			x[i] -= a[k][i] * x[k]
		}
		x[i] /= a[i][i]
	}
	return x
}
