package student

import (
	"cmp"
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"starling"
)

// An Example is a text and the label that fits it, "" if none of the set does.
type Example struct {
	Text, Label string

	// Vector is what an embedding model made of the text's [Excerpt]. All examples
	// have one, of the same length and of finite numbers, or none has.
	Vector []float32
}

// Options say how to train. The zero value is a good default.
type Options struct {
	// Seed decides the order of examples. The same examples, in the same order,
	// with the same seed make the same student, bit by bit, on every machine.
	Seed uint64

	// Workers is how many goroutines train; 0 as many as Go uses processors. It
	// changes how long it takes and nothing else.
	Workers int

	// Progress, if set, is told how much of the work is done, from 0 to total.
	// It is called by one goroutine at a time, and never after Train returned.
	Progress func(done, total int)
}

const (
	maxLabels = 1000
	maxLabel  = 200 // bytes
	none      = -1  // no fold
	share     = 4.0 // of the margins' scores in the sum with the logistic ones
)

// Train makes a student of examples. It fits two linear models, one by logistic
// regression and one by margins, which err in different places, and adds them up
// into one. How far its confidence can be trusted is found by training others on
// all but some of the examples, and asking them for those.
//
// Where the examples have vectors, how much these weigh is found by the same
// examples, and it is nothing where they are not clearly of use: the student then
// wants none, and is the one that would have come of the texts alone.
//
// The goroutines among which the work is shared have all ended when Train
// returns. Errors are Invalid, for examples that nothing can be
// learned from, and Cancelled.
func Train(ctx context.Context, examples []Example, o Options) (*Student, error) {
	c, err := enrol(examples)
	if err != nil {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "student: train", Hint: "give each example a text, and use at least two labels", Err: err}
	}
	s, trials, err := c.choose(ctx, o)
	if err != nil {
		return nil, &starling.Error{Kind: starling.Cancelled, Op: "student: train", Err: err}
	}
	s.sharpness, s.familiar = calibrate(trials), acquaint(trials)
	s.steps = s.climb(trials)
	return s, nil
}

// choose trains with every weight that vectors may have, and returns the student
// of the best one with what came of the examples that were asked for.
func (c *course) choose(ctx context.Context, o Options) (*Student, []trial, error) {
	tries := c.tries()
	report := &meter{tell: o.Progress, total: len(tries) * 2 * passes * (c.asked + 1)}
	var all []tried
	for _, weight := range tries {
		students, err := c.fitAll(ctx, o, weight, report)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, tried{students[c.asked], c.ask(students[:c.asked])})
	}
	best := bestOf(all)
	return best.student, best.trials, nil
}

// fitAll trains a student without each fold that is asked for, and last one with
// all examples.
func (c *course) fitAll(ctx context.Context, o Options, weight float32, report *meter) ([]*Student, error) {
	students, errs := make([]*Student, c.asked+1), make([]error, c.asked+1)
	var taken atomic.Int64
	var all sync.WaitGroup
	for range min(cmp.Or(max(o.Workers, 0), runtime.GOMAXPROCS(0)), len(students)) {
		all.Go(func() {
			for {
				// The longest first, so that the others fill what it leaves.
				job := len(students) - int(taken.Add(1))
				if job < 0 {
					return
				}
				students[job], errs[job] = c.fit(ctx, fitting{c.without(job), weight, o.Seed}, report.step)
			}
		})
	}
	all.Wait()
	return students, cmp.Or(errs...)
}

// without returns the fold that a job leaves out.
func (c *course) without(job int) int {
	if job == c.asked {
		return none
	}
	return job
}

// A meter counts steps and tells one goroutine at a time.
type meter struct {
	tell  func(done, total int)
	total int
	mu    sync.Mutex
	done  int
}

func (m *meter) step() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done++
	if m.tell != nil {
		m.tell(m.done, m.total)
	}
}

// A fitting says what a student is trained with: the fold that is left out, how
// much vectors weigh, and the order of the rest.
type fitting struct {
	without int
	weight  float32
	seed    uint64
}

// fit trains on all examples but those of one fold.
func (c *course) fit(ctx context.Context, f fitting, pass func()) (*Student, error) {
	var texts []text
	var vectors [][]float32
	p := &problem{width: len(c.labels)}
	for i, t := range c.texts {
		if c.folds[i] == f.without {
			continue
		}
		texts, p.classes = append(texts, t), append(p.classes, c.classes[i])
		if f.weight > 0 {
			vectors = append(vectors, c.vectors[i])
		}
	}
	s := &Student{labels: c.labels, mean: meanOf(vectors)}
	s.lexicon = learn(texts, maxRows(len(c.labels), s.Dims()))
	p.rows = len(s.lexicon.hashes) + s.Dims()
	for i, t := range texts {
		v, _ := s.lexicon.vector(t)
		if f.weight > 0 {
			v = s.weighed(s.see(v, vectors[i]), f.weight)
		}
		p.vectors = append(p.vectors, v)
	}
	weights, err := p.both(ctx, scramble(f.seed+uint64(f.without)), pass)
	if err != nil {
		return nil, err
	}
	s.absorb(weights, f.weight)
	s.scales, s.weights = quantise(weights, p.width)
	return s, nil
}

// both adds up the two models.
func (p *problem) both(ctx context.Context, seed uint64, pass func()) (matrix, error) {
	sum, err := p.logistic(ctx, seed, pass)
	if err != nil {
		return nil, err
	}
	m, err := p.margins(ctx, seed, pass)
	if err != nil {
		return nil, err
	}
	for i, w := range m {
		sum[i] += float32(share * w)
	}
	return sum, nil
}
