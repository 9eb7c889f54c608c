package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"starling"
	"starling/internal/corpus"
	"starling/internal/distill"
	"starling/internal/student"
	"starling/internal/verify"
)

type studentCmd struct {
	List    studentListCmd    `cmd:"" help:"List the students, and which of them may answer."`
	Explain studentExplainCmd `cmd:"" help:"Show what a student looks at in a text, or what it handles and what it leaves to others."`
}

type studentListCmd struct {
	JSON bool `help:"Print JSON."`
}

// A listedStudent is a student as its owner sees it.
type listedStudent struct {
	Model     string    `json:"model"`
	Digest    string    `json:"digest"`
	Labels    int       `json:"labels"`
	Texts     int       `json:"texts"` // kept when it was made
	Bytes     int       `json:"bytes"`
	Made      time.Time `json:"made"`
	Embedder  string    `json:"embedder,omitempty"` // whose vectors it wants
	Accuracy  float64   `json:"accuracy"`           // on the texts that were held back
	Coverage  float64   `json:"coverage"`
	Threshold float64   `json:"threshold,omitempty"`
	Warrant   string    `json:"warrant,omitempty"`
	Expires   time.Time `json:"expires,omitzero"`
	Why       string    `json:"why,omitempty"` // it answers nothing
}

// Run lists the students of the data folder.
func (c studentListCmd) Run(p *program) (err error) {
	s, end, err := p.openSchool()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	all := []listedStudent{}
	for _, m := range s.students.Models() {
		t, _ := s.students.Find(m.Name)
		all = append(all, s.listed(t))
	}
	if c.JSON {
		return p.encode(all)
	}
	t := newTable(p.stdout, "STUDENT", "DIGEST", "LABELS", "TEXTS", "ACCURACY", "COVERAGE", "THRESHOLD", "MADE", "MAY ANSWER")
	for _, l := range all {
		may := fmt.Sprintf("until %s (%s)", l.Expires.Local().Format(time.DateOnly), l.Warrant)
		if l.Warrant == "" {
			may = "no: " + l.Why
		}
		t.row(l.Model, l.Digest, l.Labels, l.Texts, percent(l.Accuracy), percent(l.Coverage), fmt.Sprintf("%.4g", l.Threshold), l.Made.Local().Format(time.DateTime), may)
	}
	return t.Flush()
}

func (s school) listed(t *student.Taught) listedStudent {
	name, exam := t.Lesson.Skill, &t.Lesson.Exam
	l := listedStudent{
		Model: starling.StudentName + "/" + name, Digest: t.Digest(), Labels: len(t.Labels()), Texts: t.Lesson.Texts, Bytes: t.Size(),
		Accuracy: ratio(exam.Right, exam.Asked), Coverage: ratio(exam.Covered, exam.Asked),
	}
	if e := t.Lesson.Embedder; e != nil {
		l.Embedder = e.Model
	}
	if info, err := os.Stat(s.file(name)); err == nil {
		l.Made = info.ModTime().UTC()
	}
	w, why := s.warranted(name)
	if l.Why = why; w != nil {
		l.Threshold, l.Warrant, l.Expires = w.Threshold, w.ID, w.Expires
	}
	return l
}

func ratio(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

type studentExplainCmd struct {
	Skill string `arg:"" help:"Skill whose student is explained."`
	Text  string `arg:"" optional:"" help:"What it would be asked; - for standard input. Without one: what it handles, and what it leaves to others."`
	JSON  bool   `help:"Print JSON."`
}

// Run explains one prediction, or the student.
func (c studentExplainCmd) Run(p *program) (err error) {
	s, end, err := p.openSchool()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	t, ok := s.students.Find(c.Skill)
	if !ok {
		return &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("there is no student of %q", c.Skill), Hint: "starling student list shows them, starling distill <skill> makes one"}
	}
	if c.Text == "" {
		return c.whole(p, s, t)
	}
	if c.Text == "-" {
		text, err := io.ReadAll(io.LimitReader(os.Stdin, 1<<20)) // of which far less is looked at
		if err != nil {
			return &starling.Error{Kind: starling.Invalid, Op: "student: read standard input", Err: err}
		}
		c.Text = string(text)
	}
	return c.one(p, s, t)
}

// An explained is what a student makes of a text.
type explained struct {
	Label      string         `json:"label"`
	Confidence float64        `json:"confidence"`
	Second     string         `json:"second"`
	SecondBest float64        `json:"second_confidence"`
	Known      float64        `json:"known"` // share of the text's n-grams that it has seen
	Grams      []student.Gram `json:"grams"`
	Answers    bool           `json:"answers"`
	Why        string         `json:"why"`
	Threshold  float64        `json:"threshold,omitempty"`
	Embedding  *embedded      `json:"embedding,omitempty"` // what the text's vector did cost
}

// mostGrams is how many n-grams are shown.
const mostGrams = 16

func (s school) explain(ctx context.Context, t *student.Taught, text string) (e explained, err error) {
	vector, spent, err := s.look(ctx, t, text)
	if err != nil {
		return e, err
	}
	q, err := t.PredictWith(text, vector)
	if err != nil {
		return e, err
	}
	grams, err := t.ExplainWith(text, vector, mostGrams)
	e = explained{Label: q.Label, Confidence: q.Confidence, Second: q.Second, SecondBest: q.SecondConfidence, Known: q.Known, Grams: orEmpty(grams), Embedding: spent}
	w, why := s.warranted(t.Lesson.Skill)
	if w != nil {
		e.Threshold = w.Threshold
	}
	switch {
	case w == nil:
		e.Why = why
	case q.Label == "":
		e.Why = "none of its labels seems to fit"
	case q.Strange:
		e.Why = "the text is unlike all that it learned from"
	case q.Confidence < w.Threshold:
		e.Why = fmt.Sprintf("its confidence of %.4g is below %.4g", q.Confidence, w.Threshold)
	default:
		e.Answers, e.Why = true, fmt.Sprintf("its confidence of %.4g is at least %.4g", q.Confidence, w.Threshold)
	}
	return e, err
}

func (c studentExplainCmd) one(p *program, s *school, t *student.Taught) error {
	e, err := s.explain(p.ctx, t, c.Text)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.encode(e)
	}
	verdict := "the request climbs"
	if e.Answers {
		verdict = "it answers"
	}
	printf(p.stdout, "%s, confidence %.4g; next best %s, %.4g\n", fitting(e.Label), e.Confidence, fitting(e.Second), e.SecondBest)
	printf(p.stdout, "%s: %s\n", verdict, e.Why)
	printf(p.stdout, "it knows %.0f %% of what it looks at in the text\n\n", 100*e.Known)
	table := newTable(p.stdout, "WEIGHT", "SAW")
	for _, g := range e.Grams {
		table.row(fmt.Sprintf("%+.3f", g.Weight), g.Text)
	}
	err = table.Flush()
	if e.Embedding != nil {
		printf(p.stdout, "\nthe vector: %s\n", e.Embedding)
	}
	return err
}

// fitting is a label as it is shown.
func fitting(label string) string {
	if label == "" {
		return "(none fits)"
	}
	return label
}

// A confused is a pair of labels that a student mixes up, with texts of this
// machine's corpus as examples.
type confused struct {
	student.Mixup
	Examples []string `json:"examples"`
}

// An overview is what a student handles, and what it leaves to others.
type overview struct {
	listedStudent
	Exam     student.Exam `json:"held_out"`
	Deferred float64      `json:"deferred"` // share of the texts that were held back
	Mixups   []confused   `json:"confused"`
}

// mostConfused is how many pairs are shown.
const mostConfused = 8

func (c studentExplainCmd) whole(p *program, s *school, t *student.Taught) error {
	o := overview{listedStudent: s.listed(t), Exam: t.Lesson.Exam, Mixups: []confused{}}
	o.Deferred = 1 - o.Coverage
	examples, err := s.examples(p, t)
	if err != nil {
		return err
	}
	for _, m := range o.Exam.Mixups[:min(len(o.Exam.Mixups), mostConfused)] {
		o.Mixups = append(o.Mixups, confused{m, orEmpty(examples[[2]string{m.Right, m.Said}])})
	}
	if c.JSON {
		return p.encode(o)
	}
	o.print(p)
	return nil
}

func (o *overview) print(p *program) {
	may := "it may answer from a confidence of " + fmt.Sprintf("%.4g", o.Threshold)
	if o.Warrant == "" {
		may = "it answers nothing: " + o.Why
	}
	printf(p.stdout, "%s: %s\n", o.Model, may)
	printf(p.stdout, "of %d texts that were held back it answers %s, and leaves %s to the next candidate\n\n", o.Exam.Asked, percent(o.Coverage), percent(o.Deferred))
	t := newTable(p.stdout, "LABEL", "HELD BACK", "ANSWERED", "OF THEM RIGHT")
	for _, m := range o.Exam.Marks {
		t.row(fitting(m.Label), m.Asked, fmt.Sprintf("%d (%s)", m.Covered, percent(ratio(m.Covered, m.Asked))), fmt.Sprintf("%d (%s)", m.Agreed, percent(ratio(m.Agreed, m.Covered))))
	}
	t.Flush()
	if len(o.Mixups) == 0 {
		return
	}
	printf(p.stdout, "\nmost often confused, all answers and those that it would give:\n")
	for _, m := range o.Mixups {
		printf(p.stdout, "  %s taken for %s: %d and %d\n", fitting(m.Right), fitting(m.Said), m.Times, m.Covered)
		for _, text := range m.Examples {
			printf(p.stdout, "      %s\n", text)
		}
	}
}

// examples are a few texts that the student mixes up, if they are still kept on
// this machine: the shortest of each pair.
func (s school) examples(p *program, t *student.Taught) (map[[2]string][]string, error) {
	name := t.Lesson.Skill
	sk, ok := s.set.Find(name)
	if !ok || !exists(s.dir, corpus.File) || t.Dims() > 0 { // whose every text would have to be paid again
		return nil, nil
	}
	verifiers, err := verify.ForSkill(sk)
	if err != nil {
		return nil, err
	}
	texts, err := s.texts(p.ctx, name)
	all := map[[2]string][]string{}
	for _, text := range texts {
		r, _ := verify.Read(verifiers, text.Answer)
		if said := t.Predict(text.Input).Label; said != r.Label && distill.HeldBack(text.Input) {
			pair := [2]string{r.Label, said}
			all[pair] = append(all[pair], beginning(text.Input))
		}
	}
	for pair, some := range all {
		slices.SortStableFunc(some, func(a, b string) int { return len(a) - len(b) })
		all[pair] = some[:min(len(some), 2)]
	}
	return all, err
}

// beginning is the beginning of a text in one line.
func beginning(text string) string {
	const most = 100
	r := []rune(strings.Join(strings.Fields(text), " "))
	if len(r) > most {
		return string(r[:most]) + "…"
	}
	return string(r)
}
