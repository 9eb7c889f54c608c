// Package distill makes a student of what a better model answered: it sorts the
// texts of a skill, trains on three quarters of them, and finds out on the rest,
// and on the skill's own cases, from which confidence on the student is good
// enough. What comes of it is a student and, if that was shown, a warrant for it.
//
// It trains in this process, asks nobody, and does no I/O: the texts are handed in,
// and what an embedding model makes of them, where one is to help (vectors.go); who
// keeps what is made is not said here. Start reading at [Course.Run]. What
// becomes of each text is in sort.go, the form of an answer in form.go, and what
// a warrant rests on in exam.go.
package distill

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"starling"
	"starling/internal/corpus"
	"starling/internal/evidence"
	"starling/internal/provider"
	"starling/internal/skill"
	"starling/internal/student"
)

// A Course is a skill with what a student of it can learn from.
type Course struct {
	Skill     *skill.Skill
	Texts     []corpus.Text // in the order in which they were kept
	Cases     []skill.Case  // never learned from
	Verifiers []starling.Verifier
	Reference starling.Model // that the bar is measured against; none if nobody offers it
	Vectors   *Vectors       // of all that [Course.Inputs] names; nil to learn without

	// Workers is how many goroutines train; 0 as many as Go uses processors.
	Workers int
	// Progress is told, from one goroutine at a time, how far it is; it may be nil.
	Progress func(done, total int)
}

// A Result is what came of a course.
type Result struct {
	Skill  string    `json:"skill"`
	Rubric string    `json:"rubric"` // hex SHA-256
	Bar    skill.Bar `json:"bar"`
	Counts `json:"texts"`

	Model    string       `json:"model"`  // "student/…"
	Digest   string       `json:"digest"` // of the student
	Size     int          `json:"bytes"`
	Exam     student.Exam `json:"held_out"`
	Low      float64      `json:"accuracy_low"` // the 95 % interval of its accuracy on the texts that were held back
	High     float64      `json:"accuracy_high"`
	Baseline float64      `json:"baseline"` // how often the most frequent label is right there
	Dims     int          `json:"dims"`     // how many numbers the vectors have that it wants; 0 if it wants none

	Threshold float64           `json:"threshold,omitempty"` // 0 if none was shown to be good enough
	Asked     int               `json:"asked"`               // held-out texts and cases
	Covered   int               `json:"covered"`
	Passed    int               `json:"passed"`
	Bound     float64           `json:"bound"`
	Warrant   *evidence.Warrant `json:"warrant,omitempty"`
	Missing   int               `json:"missing,omitempty"` // covered answers without a mistake that would show it; 0 if it is shown, or nobody can say
	More      int               `json:"more_texts,omitempty"`
	Why       string            `json:"why"`
	Took      time.Duration     `json:"took_ns"`

	Student  *student.Taught    `json:"-"`
	Outcomes []evidence.Outcome `json:"-"` // of the cases
}

// Accuracy is how often it was right on the texts that were held back.
func (r *Result) Accuracy() float64 { return portion(r.Exam.Right, r.Exam.Asked) }

// Coverage is which share of them it answers.
func (r *Result) Coverage() float64 { return portion(r.Exam.Covered, r.Exam.Asked) }

func portion(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// Run makes the student. The same texts, cases and rubric make the same one.
//
// Errors: Invalid where there is nothing to learn from or no bar to reach, which
// says what to do; Cancelled.
func (c *Course) Run(ctx context.Context) (*Result, error) {
	began := time.Now()
	if err := c.check(); err != nil {
		return nil, err
	}
	texts, err := c.sort()
	if err != nil {
		return nil, err
	}
	s, err := student.Train(ctx, c.examples(texts), student.Options{Workers: c.Workers, Progress: c.Progress})
	if err != nil {
		return nil, err
	}
	e := &exam{Course: c, student: s, form: texts.form}
	if s.Dims() > 0 {
		e.embedder = c.Vectors.Embedder
	}
	e.texts(ctx, texts.held)
	e.cases(ctx)
	if e.err != nil {
		return nil, e.err
	}
	e.find(s.Steps())
	r := &Result{Skill: c.Skill.Name, Rubric: c.Skill.Hash, Bar: c.Skill.Rubric.Bar, Counts: texts.Counts, Baseline: texts.baseline()}
	if err := e.report(r); err != nil {
		return nil, err
	}
	r.Took = time.Since(began)
	return r, nil
}

// check refuses a skill of which no student could ever answer.
func (c *Course) check() error {
	bar := c.Skill.Rubric.Bar
	switch {
	case !Named(c.Skill): // to name it later would change the rubric, and end the warrant
		return c.invalid("the rubric of "+c.Skill.Name+" does not name a student among its candidates", "write candidates: [student, …], with the others behind it, and distill then")
	case !bar.Set():
		return c.invalid("the rubric of "+c.Skill.Name+" has no bar, and a student answers nothing without a warrant", "add bar: {pass: 0.95, confidence: 0.95}")
	case bar.Margin > 0 && c.Reference.Name == "":
		return c.invalid(fmt.Sprintf("nobody offers the reference %q, which the bar of %s is measured against", c.Skill.Rubric.Reference, c.Skill.Name), "give it a model under models in the configuration")
	}
	return nil
}

func (c *Course) invalid(what, hint string) error {
	return &starling.Error{Kind: starling.Invalid, Op: "distill: " + what, Hint: hint}
}

// Named reports whether the skill asks its student: in its ladder, or by a rule.
func Named(s *skill.Skill) bool { return len(rungs(s)) > 0 }

// rungs are the places of the student in the skill's ladders.
func rungs(s *skill.Skill) (all []skill.Candidate) {
	ladders := [][]skill.Candidate{s.Rubric.Candidates}
	for _, rule := range s.Rubric.Rules {
		ladders = append(ladders, rule.Candidates)
	}
	for _, l := range ladders {
		for _, c := range l {
			if c.Model == starling.StudentName {
				all = append(all, c)
			}
		}
	}
	return all
}

// verified reports whether verifiers accept what the student says wherever the
// skill asks it.
func (c *Course) verified() bool {
	seen := func(r skill.Candidate) bool { return r.SkipVerify }
	return len(c.Verifiers) > 0 && !slices.ContainsFunc(rungs(c.Skill), seen)
}

// report writes down what the exam came to.
func (e *exam) report(r *Result) (err error) {
	threshold, n := e.taken()
	r.Exam = e.marks(threshold)
	r.Low, r.High = evidence.ClopperPearson(r.Exam.Right, r.Exam.Asked, 0.95)
	if r.Student, err = student.Teach(e.student, student.Lesson{Skill: e.Skill.Name, Prompt: e.Skill.Rubric.Prompt, Form: e.form, Texts: r.Texts, Exam: r.Exam, Embedder: e.embedder}); err != nil {
		return err
	}
	m := provider.StudentModel(r.Student)
	r.Model, r.Digest, r.Size, r.Dims = m.ID(), m.Digest, r.Student.Size(), r.Student.Dims()
	r.Threshold, r.Asked, r.Covered, r.Passed, r.Bound = threshold, len(e.answers), n.covered, n.passed, n.bound
	now := time.Now().UTC()
	r.Outcomes = e.outcomes(m, now)
	if threshold > 0 {
		r.Warrant = e.warrant(m, r, now)
		r.Why = fmt.Sprintf("of the answers from a confidence of %.4g on at least %.1f %% are good enough, at a confidence of %g %%", threshold, 100*e.promised(n.bound), 100*r.Bar.Confidence)
		return nil
	}
	e.missing(r, n)
	return nil
}

// warrant is what was shown, to be written down.
func (e *exam) warrant(m starling.Model, r *Result, now time.Time) *evidence.Warrant {
	bar := e.Skill.Rubric.Bar
	w := &evidence.Warrant{
		Time: now, Skill: e.Skill.Name, Rubric: e.Skill.Hash, Cases: e.Skill.Cases, Candidate: e.Skill.Unit(m), Model: m.ID(),
		Pass: bar.Pass, Margin: bar.Margin, Confidence: bar.Confidence, Threshold: r.Threshold, Verified: e.verified(),
		Asked: r.Asked, Covered: r.Covered, Passed: r.Passed, Bound: r.Bound,
		Expires: now.Add(cmp.Or(bar.Valid, skill.DefaultValid)), Simulated: e.simulated(),
	}
	if bar.Margin > 0 {
		w.Reference, w.Shown = e.Skill.Unit(e.Reference), e.shown(r.Threshold)
	}
	return w
}
