package student

import (
	"context"
	"math"
	"math/rand/v2"
)

// A problem is what one linear model is fitted to: vectors, the class of each,
// and how many classes and rows there are.
type problem struct {
	vectors [][]entry
	classes []int
	width   int // classes
	rows    int // n-grams
}

// A matrix holds a weight for every row and class, row by row.
type matrix []float32

// add adds a vector's scores to s, one for each class.
func (m matrix) add(s []float32, v []entry) {
	for _, e := range v {
		row := m[int(e.row)*len(s):][:len(s)]
		x := e.value
		c := 0
		for ; c+4 <= len(row); c += 4 { // four at a time take half as long
			w, t := row[c:c+4:c+4], s[c:c+4:c+4]
			t[0] += float32(x * w[0])
			t[1] += float32(x * w[1])
			t[2] += float32(x * w[2])
			t[3] += float32(x * w[3])
		}
		for ; c < len(row); c++ {
			s[c] += float32(x * row[c])
		}
	}
}

const (
	passes = 4    // over the examples
	rate   = 0.2  // the length of a step
	start  = 1e-4 // of the sums of squares, so that nothing is divided by zero
	least  = 5e-3 // gradients below make no step: most classes soon have one
)

// logistic fits multinomial logistic regression by stochastic gradient descent,
// each weight with a step that shrinks as its gradients add up. The few passes
// are the regularisation. Every pass calls pass.
//
// Source: J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online
// learning and stochastic optimization", JMLR 12 (2011) 2121–2159.
func (p *problem) logistic(ctx context.Context, seed uint64, pass func()) (matrix, error) {
	d := descent{weights: make(matrix, p.rows*p.width), squares: make(matrix, p.rows*p.width)}
	for i := range d.squares {
		d.squares[i] = start
	}
	order := newOrder(len(p.vectors), seed)
	scores, shares := make([]float32, p.width), make([]float64, p.width)
	for range passes {
		order.shuffle()
		for n, i := range order.of {
			if n%256 == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			clear(scores)
			d.weights.add(scores, p.vectors[i])
			for c, s := range scores {
				shares[c] = float64(s)
			}
			softmax(shares, 1, rough)
			shares[p.classes[i]]--
			d.step(p.vectors[i], shares)
		}
		pass()
	}
	return d.weights, nil
}

// A descent is where the steps have led so far.
type descent struct {
	weights matrix
	squares matrix // of all gradients
	active  []slope
}

// A slope is a gradient that is worth a step.
type slope struct {
	class int
	value float32
}

// step goes down the gradient of one example.
func (d *descent) step(v []entry, gradient []float64) {
	d.active = d.active[:0]
	for c, g := range gradient {
		if math.Abs(g) >= least {
			d.active = append(d.active, slope{c, float32(g)})
		}
	}
	for _, e := range v {
		base := int(e.row) * len(gradient)
		weights, squares := d.weights[base:][:len(gradient)], d.squares[base:][:len(gradient)]
		for _, a := range d.active {
			g := float32(a.value * e.value)
			squares[a.class] += float32(g * g)
			weights[a.class] -= float32(rate * g / float32(math.Sqrt(float64(squares[a.class]))))
		}
	}
}

// An order is a sequence of positions that is shuffled again and again.
type order struct {
	of     []int
	random *rand.PCG
}

func newOrder(n int, seed uint64) *order {
	o := &order{of: make([]int, n), random: rand.NewPCG(seed, 0)}
	for i := range o.of {
		o.of[i] = i
	}
	return o
}

// shuffle is Fisher and Yates's. It is here because rand promises the bits of a
// generator for ever, and not what is made of them.
func (o *order) shuffle() {
	for i := len(o.of) - 1; i > 0; i-- {
		j := int(o.random.Uint64() % uint64(i+1))
		o.of[i], o.of[j] = o.of[j], o.of[i]
	}
}
