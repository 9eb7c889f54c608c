package student

import "context"

const (
	rounds   = 2   // over the examples: more change nothing that can be measured
	cost     = 1.0 // of an error, against the length of the weights
	diagonal = 1 / (2 * cost)
)

// lanes is how many classes are fitted at once: reading an example takes longer
// than calculating with it.
const lanes = 4

// A lane has one number for each of them.
type lane [lanes]float32

// margins fits one linear support vector machine a class, against all others,
// with squared hinge loss, by coordinate descent in the dual: each example has a
// multiplier, which is set to its best value in turn. It calls pass as often as
// logistic does.
//
// Source: C.-J. Hsieh et al., "A dual coordinate descent method for large-scale
// linear SVM", ICML 2008, algorithm 1.
func (p *problem) margins(ctx context.Context, seed uint64, pass func()) (matrix, error) {
	all := make(matrix, p.rows*p.width)
	m := &machines{problem: p, weights: make([]lane, p.rows)}
	for _, v := range p.vectors {
		m.squares = append(m.squares, square(v))
	}
	told := 0
	for first := 0; first < p.width; first += lanes {
		if err := m.fit(ctx, first, seed); err != nil {
			return nil, err
		}
		last := min(first+lanes, p.width)
		for r, w := range m.weights {
			copy(all[r*p.width+first:r*p.width+last], w[:])
		}
		for ; told < last*passes/p.width; told++ {
			pass()
		}
	}
	return all, nil
}

// The machines tell some classes, each from all others.
type machines struct {
	*problem
	squares     []float32 // of the vectors' lengths
	weights     []lane    // by row
	multipliers []lane    // by example
}

// fit fits the classes from the first. Lanes beyond the last class fit a class
// without examples, and are not used.
func (m *machines) fit(ctx context.Context, first int, seed uint64) error {
	clear(m.weights)
	m.multipliers = make([]lane, len(m.vectors))
	o := newOrder(len(m.vectors), seed)
	for range rounds {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		o.shuffle()
		for _, i := range o.of {
			m.improve(i, m.classes[i]-first)
		}
	}
	return nil
}

// improve sets the multipliers of one example to what is best while all others
// stay. It is on the right side in the lane of its own class.
func (m *machines) improve(i, own int) {
	v := m.vectors[i]
	scores := dot(m.weights, v)
	var by lane
	for l, old := range m.multipliers[i] {
		side := float32(-1)
		if l == own {
			side = 1
		}
		slope := float32(side*scores[l]) - 1 + float32(old*diagonal)
		best := max(old-slope/(m.squares[i]+diagonal), 0)
		m.multipliers[i][l] = best
		by[l] = (best - old) * side
	}
	if by == (lane{}) {
		return
	}
	for _, e := range v {
		w := &m.weights[e.row]
		for l := range w {
			w[l] += float32(e.value * by[l])
		}
	}
}

// dot is a vector's scalar product with the weights of each lane.
func dot(w []lane, v []entry) lane {
	var a, b, c, d float32
	for _, e := range v {
		w := &w[e.row]
		a += float32(e.value * w[0])
		b += float32(e.value * w[1])
		c += float32(e.value * w[2])
		d += float32(e.value * w[3])
	}
	return lane{a, b, c, d}
}

// square is the square of a vector's length.
func square(v []entry) (sum float32) {
	for _, e := range v {
		sum += float32(e.value * e.value)
	}
	return sum
}
