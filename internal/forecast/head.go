package forecast

// A head corrects the logits of several targets by the features of a prompt. Its
// weights lie target by target within a slot, so that a feature reads one
// stretch of memory.
type head struct {
	targets int
	scale   scale
	weights []float32
}

// add adds the corrections for a weighed prompt to out, one for each target.
func (h *head) add(weighed []feature, out []float32) {
	for _, f := range weighed {
		addTo(out, f.by, h.weights[int(f.at)*h.targets:])
	}
}

// addTo adds by·w to out, four at a time: most of the time of a forecast goes
// here.
func addTo(out []float32, by float32, w []float32) {
	w = w[:len(out)]
	for len(out) >= 4 && len(w) >= 4 {
		out[0] += by * w[0]
		out[1] += by * w[1]
		out[2] += by * w[2]
		out[3] += by * w[3]
		out, w = out[4:], w[4:]
	}
	for t := range out {
		out[t] += by * w[t]
	}
}

// nudge moves the weights by so much of a weighed prompt, for each target.
func (h *head) nudge(weighed []feature, by []float32) {
	for _, f := range weighed {
		w := h.weights[int(f.at)*h.targets:][:len(by)]
		for t, b := range by {
			w[t] += f.by * b
		}
	}
}

// A lesson is a prompt with what should have been foreseen of it: a grade and
// the logit to be corrected, for each target.
type lesson struct {
	prompt         []feature
	grades, logits []float64
}

// give is how far weights may go for one prompt, the inverse of the penalty.
const give = 0.3

// epochs brings the weights near enough to where they would end.
const epochs = 12

// train fits a head by ridge logistic regression: for each target it maximises
// the log-likelihood less ‖weights‖² / (2·give).
//
// Each step moves one dual variable towards its residual, by as much as the
// curvature of the loss, at most ¼, allows. There is no rate to tune, and the
// order of the steps is that of the lessons.
//
// Source: S. Shalev-Shwartz and T. Zhang, "Stochastic Dual Coordinate Ascent
// Methods for Regularized Loss Minimization", JMLR 14 (2013) 567–599, option V.
func train(lessons []lesson, targets, epochs int) *head {
	h := &head{targets, newScale(lessons), make([]float32, slots*targets)}
	weighed := h.scale.weighAll(lessons)
	dual := make([]float32, len(lessons)*targets)
	out, by := make([]float32, targets), make([]float32, targets)
	for range epochs {
		for i := range lessons {
			clear(out)
			h.add(weighed[i], out)
			step := 1 / (1 + give*square(weighed[i])/4)
			lessons[i].moves(out, dual[i*targets:], step, by)
			h.nudge(weighed[i], by)
		}
	}
	return h
}

// moves moves the dual variables of a lesson by a step, and says in by how far
// the weights have to follow.
func (l *lesson) moves(out, dual []float32, step float32, by []float32) {
	for t, g := range l.grades {
		by[t] = 0
		if !missing(g) {
			residual := float32(g - sigmoid(l.logits[t]+float64(out[t])))
			move := step * (residual - dual[t])
			dual[t] += move
			by[t] = give * move
		}
	}
}

func square(weighed []feature) (sum float32) {
	for _, f := range weighed {
		sum += f.by * f.by
	}
	return sum
}
