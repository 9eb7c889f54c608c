package student

import "math"

// quantise stores a row of weights as whole numbers from −127 to 127 and what to
// multiply them by. Rows differ much in size and little within, so that one byte
// a weight loses nothing that can be measured.
func quantise(weights matrix, width int) (scales []float32, small []int8) {
	small = make([]int8, len(weights))
	scales = make([]float32, len(weights)/width)
	for r := range scales {
		row := weights[r*width:][:width]
		var most float32
		for _, w := range row {
			most = max(most, w, -w)
		}
		if most == 0 {
			continue
		}
		scales[r] = most / 127
		for c, w := range row {
			small[r*width+c] = int8(math.RoundToEven(float64(w / scales[r])))
		}
	}
	return scales, small
}
