package forecast

import "math"

// A stack turns what the mean and the head say of a candidate into a calibrated
// probability: a logistic regression on the four terms, which is Platt's
// calibration and a weighing of the terms in one.
//
// Source: J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999;
// D. H. Wolpert, "Stacked Generalization", Neural Networks 5 (1992) 241–259.
type stack [4]float64

// Terms are what a stack weighs: a constant, the logit of the mean, and the
// head's corrections, the one for all candidates and the candidate's own.
type terms [4]float64

// meanAlone is the stack that leaves the mean as it is.
var meanAlone = stack{1: 1}

func (s *stack) odds(t terms) float64 {
	x := 0.0
	for j := range s {
		x += s[j] * t[j]
	}
	return clamp(sigmoid(x))
}

// An example is what a stack learns from: terms from a mean and a head that did
// not know the grade.
type example struct {
	terms terms
	grade float64
	skill string
	fold  int
}

// A pull says how hard each weight of a stack is drawn to the mean alone: about
// as hard as so many outcomes draw.
type pull [4]float64

// pulls are tried in turn: both corrections, and only the one that all
// candidates share, since a candidate's own can be little but noise.
var pulls = []pull{{4, 4, 4, 4}, {4, 4, 4, 1e9}}

// fitStack returns the stack of least loss on the examples that are not of the
// fold, by Newton's method. A step that would go too far is halved.
func fitStack(examples []example, without int, p pull) stack {
	s := meanAlone
	least := s.cost(examples, without, p)
	step := solve(s.slopes(examples, without, p))
	for range 20 {
		next := s.plus(step)
		cost := next.cost(examples, without, p)
		switch {
		case math.Abs(least-cost) < 1e-6:
			return s
		case cost < least:
			s, least = next, cost
			step = solve(s.slopes(examples, without, p))
		default:
			for j := range step {
				step[j] /= 2
			}
		}
	}
	return s
}

func (s *stack) plus(step []float64) stack {
	next := *s
	for j := range next {
		next[j] += step[j]
	}
	return next
}

// cost is the loss on the examples, and what the pull adds to it.
func (s *stack) cost(examples []example, without int, p pull) float64 {
	sum := 0.0
	for j := range s {
		off := s[j] - meanAlone[j]
		sum += p[j] * off * off / 2
	}
	for i := range examples {
		if e := &examples[i]; e.fold != without {
			sum += loss(s.odds(e.terms), e.grade)
		}
	}
	return sum
}

// slopes returns the second derivatives of the penalised log-likelihood, the
// sign turned, and the first.
func (s *stack) slopes(examples []example, without int, p pull) (second [][]float64, first []float64) {
	for j := range s {
		first = append(first, -p[j]*(s[j]-meanAlone[j]))
		second = append(second, make([]float64, len(s)))
		second[j][j] = p[j]
	}
	for i := range examples {
		e := &examples[i]
		if e.fold == without {
			continue
		}
		odds := s.odds(e.terms)
		for j, x := range e.terms {
			first[j] += (e.grade - odds) * x
			for k := range j + 1 {
				second[j][k] += odds * (1 - odds) * x * e.terms[k]
			}
		}
	}
	return second, first
}

// A gain is by how much less the loss was than the mean's, over examples.
type gain struct{ n, sum, squares float64 }

func (g *gain) add(by float64) {
	g.n++
	g.sum += by
	g.squares += by * by
}

// lost reports whether the gain is negative, and by more than chance would often
// make it.
func (g *gain) lost() bool { return g.sum < -2*math.Sqrt(g.squares) }

// judge fits the stack of a candidate with the pull that gains most on folds
// that it was not fitted on, and says what it gained there in each skill. It
// returns nil where nothing is gained.
func judge(examples []example, folds int) (best *stack, gains map[string]*gain) {
	most := 0.0
	for _, p := range pulls {
		if g, sum := gainsOf(examples, folds, p); sum > most {
			s := fitStack(examples, -1, p)
			most, best, gains = sum, &s, g
		}
	}
	return best, gains
}

func gainsOf(examples []example, folds int, p pull) (gains map[string]*gain, sum float64) {
	stacks := make([]stack, folds)
	for f := range stacks {
		stacks[f] = fitStack(examples, f, p)
	}
	gains = map[string]*gain{}
	for i := range examples {
		e := &examples[i]
		if gains[e.skill] == nil {
			gains[e.skill] = &gain{}
		}
		by := loss(meanAlone.odds(e.terms), e.grade) - loss(stacks[e.fold].odds(e.terms), e.grade)
		gains[e.skill].add(by)
		sum += by
	}
	return gains, sum
}
