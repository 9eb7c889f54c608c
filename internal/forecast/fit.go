package forecast

import (
	"errors"
	"fmt"
	"math"
)

// Options says how to fit. The zero value is good.
type Options struct {
	Folds int // parts of the rows, each held back in turn; 5
}

// Fit learns from the past. All rows have grades for the same candidates, of
// which some may be missing. The same rows in the same order give the same
// forecast. It takes time and memory in proportion to the prompts' length, up to
// what Odds reads, and to the number of candidates.
//
// Rows with the same prompt are held back together, so that a head that knows a
// prompt by heart is not mistaken for one that foresees.
func Fit(rows []Row, o Options) (*Forecast, error) {
	if o.Folds == 0 {
		o.Folds = 5
	}
	if err := check(rows, o); err != nil {
		return nil, err
	}
	s := newStudy(rows, o.Folds)
	f := &Forecast{means: newMeans(rows, everyRow), heeds: map[string][]bool{}}
	for c, examples := range s.holdBack() {
		best, gains := judge(examples, o.Folds)
		f.stacks = append(f.stacks, best)
		f.heed(c, gains)
	}
	if len(f.heeds) > 0 {
		f.head = s.head(f.means, everyRow)
	}
	return f, nil
}

func everyRow(int) bool { return true }

// check returns an error for what Fit cannot learn from.
func check(rows []Row, o Options) error {
	if len(rows) == 0 || len(rows[0].Grades) == 0 {
		return errors.New("forecast: no rows, or no candidates")
	}
	if o.Folds < 2 {
		return fmt.Errorf("forecast: %d folds, at least 2 are needed", o.Folds)
	}
	width := len(rows[0].Grades)
	for i, r := range rows {
		if len(r.Grades) != width {
			return fmt.Errorf("forecast: row %d has %d grades, the first has %d", i, len(r.Grades), width)
		}
		for c, g := range r.Grades {
			if g < 0 || g > 1 {
				return fmt.Errorf("forecast: row %d grades candidate %d with %v, which is not in [0, 1]", i, c, g)
			}
		}
	}
	return nil
}

// heed notes in which skills the stack of a candidate is heeded: in those of
// which it has seen prompts, and lost nothing there that is not chance.
func (f *Forecast) heed(c int, gains map[string]*gain) {
	for skill, g := range gains {
		if g.lost() {
			continue
		}
		if f.heeds[skill] == nil {
			f.heeds[skill] = make([]bool, len(f.means.global))
		}
		f.heeds[skill][c] = true
	}
}

// A study is the rows with what is derived from them once.
type study struct {
	rows    []Row
	prompts [][]feature
	fold    []int
	folds   int
}

func newStudy(rows []Row, folds int) *study {
	s := &study{rows: rows, folds: folds}
	r := readers.Get().(*reader)
	defer readers.Put(r)
	for _, row := range rows {
		r.prompt = r.read(row.Prompt, r.prompt[:0])
		s.prompts = append(s.prompts, append([]feature(nil), r.prompt...))
		s.fold = append(s.fold, int(hashOf(row.Prompt)%uint64(folds)))
	}
	return s
}

// holdBack holds back each fold in turn, and returns for each candidate what
// the other folds would have said of it.
func (s *study) holdBack() [][]example {
	examples := make([][]example, len(s.rows[0].Grades))
	r := new(reader)
	for fold := range s.folds {
		keep := func(i int) bool { return s.fold[i] != fold }
		m := newMeans(s.rows, keep)
		h := s.head(m, keep)
		for i, row := range s.rows {
			if keep(i) {
				continue
			}
			said := r.listen(h, s.prompts[i])
			for c, g := range row.Grades {
				if !missing(g) {
					t := termsOf(m.at(row.Skill, c), said, c)
					examples[c] = append(examples[c], example{t, g, row.Skill, fold})
				}
			}
		}
	}
	return examples
}

// head trains a head on the rows that keep says, to correct m. Its first target
// is the mean over the candidates, how hard a prompt is for all of them: that
// has the least noise. The others are the candidates'.
func (s *study) head(m *means, keep func(int) bool) *head {
	var lessons []lesson
	for i, row := range s.rows {
		if keep(i) {
			lessons = append(lessons, lessonOf(row, s.prompts[i], m))
		}
	}
	return train(lessons, 1+len(m.global), epochs)
}

func lessonOf(row Row, prompt []feature, m *means) lesson {
	l := lesson{prompt, []float64{math.NaN()}, []float64{0}}
	n, grade, mean := 0.0, 0.0, 0.0
	for c, g := range row.Grades {
		p := m.at(row.Skill, c)
		l.grades, l.logits = append(l.grades, g), append(l.logits, logit(p))
		if !missing(g) {
			n, grade, mean = n+1, grade+g, mean+p
		}
	}
	if n > 0 {
		l.grades[0], l.logits[0] = grade/n, logit(mean/n)
	}
	return l
}
