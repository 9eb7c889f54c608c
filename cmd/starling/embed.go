package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"starling"
	"starling/internal/cascade"
	"starling/internal/distill"
	"starling/internal/provider"
	"starling/internal/route"
	"starling/internal/skill"
	"starling/internal/student"
)

// An embedded is what an embedding model was asked for a course, or why it was not.
type embedded struct {
	Model   string         `json:"model"`
	Texts   int            `json:"texts,omitempty"`
	Tokens  int64          `json:"tokens,omitempty"`
	Cost    starling.Money `json:"cost_nanodollars"`
	Receipt string         `json:"receipt,omitempty"` // "" if it is not in the ledger
	Why     string         `json:"why,omitempty"`     // it was not asked
}

// screened says how far the texts and cases of a course may travel: as far as the
// strictest of them, by the skill's class and by that of the request that each was
// kept from.
func (s school) screened(c *distill.Course) (starling.Screen, error) {
	seen := map[starling.Class]bool{}
	var classes []starling.Class
	for _, t := range c.Texts {
		if t.Class != "" && !seen[t.Class] {
			seen[t.Class] = true
			classes = append(classes, t.Class)
		}
	}
	slices.Sort(classes)
	return s.policy.Strictest(c.Skill.Rubric.Class, classes...)
}

// unread says why the embedding model may not read the texts of a course, "" if it
// may.
func (s school) unread(c *distill.Course) string {
	if s.embedder == nil {
		return "no embedding model is configured"
	}
	screen, err := s.screened(c)
	if err == nil {
		err = cascade.MayRead(s.embedder, screen)
	}
	if err == nil {
		return ""
	}
	return strings.TrimPrefix(bare(err), "embed: ")
}

// bare is an error without what to do about it.
func bare(err error) string {
	if e, ok := errors.AsType[*starling.Error](err); ok {
		own := *e
		own.Hint = ""
		return own.Error()
	}
	return err.Error()
}

// dear says why a gateway does not have texts embedded of its own accord: nobody
// has said that it may be paid, or it may not read them.
func (s school) dear(c *distill.Course) string {
	why := s.unread(c)
	if why == "" && paid(s.embedder.Model.Price) {
		why = "its embedding model " + s.embedder.Model.ID() + " is paid by the token"
	}
	return why
}

func paid(p starling.Price) bool { return !p.Free && p.Milliwatts == 0 }

// embed has the embedding model read all that a course needs of it, and hands that
// to the course. It stays in memory.
func (s school) embed(ctx context.Context, c *distill.Course, progress func(done, total int)) (*embedded, error) {
	inputs, err := c.Inputs()
	if err != nil {
		return nil, err
	}
	screen, err := s.screened(c)
	if err != nil {
		return nil, err
	}
	r := provider.Reading{Texts: append(inputs, student.Probe)}
	if progress != nil {
		r.Progress = func(done int) { progress(done, len(r.Texts)) }
	}
	vectors, spent, err := s.read(ctx, c.Skill, screen, r)
	if err != nil {
		return spent, err
	}
	of := make(map[string][]float32, len(inputs))
	for i, text := range inputs {
		of[text] = vectors[i]
	}
	m := s.embedder.Model
	c.Vectors = &distill.Vectors{Embedder: student.NewEmbedder(m.ID(), vectors[len(inputs)]), Simulated: m.Simulated, Of: of}
	return spent, nil
}

// read has texts embedded. What it costs is booked with a receipt, unless another
// process has the ledger.
func (s school) read(ctx context.Context, sk *skill.Skill, screen starling.Screen, r provider.Reading) (vectors [][]float32, spent *embedded, err error) {
	books, end, err := s.accounts(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, end()) }()
	r.Patience = unhurried
	spent = &embedded{Model: s.embedder.Model.ID(), Texts: len(r.Texts)}
	if books == nil {
		vectors, err = s.readUnbooked(ctx, screen, r, spent)
		return vectors, spent, err
	}
	c := &cascade.Cascade{Policy: s.policy, Router: &route.Router{Board: s.board}, Ledger: books, Log: s.log}
	vectors, ex := c.Embed(ctx, sk, screen, s.embedder, r)
	spent.Receipt = ex.ID
	for i := range ex.Attempts {
		spent.Tokens += ex.Attempts[i].Usage.Input
		spent.Cost = spent.Cost.Plus(ex.Attempts[i].Cost)
	}
	return vectors, spent, ex.Err
}

// readUnbooked is read beside the gateway that has the ledger: nothing is reserved
// and nothing booked, which its callers say.
func (s school) readUnbooked(ctx context.Context, screen starling.Screen, r provider.Reading, spent *embedded) ([][]float32, error) {
	if err := cascade.MayRead(s.embedder, screen); err != nil {
		return nil, err
	}
	r.Furthest = screen.Furthest
	began := time.Now()
	vectors, usage, err := s.embedder.Embed(ctx, r)
	spent.Tokens = usage.Input
	_, spent.Cost = s.embedder.Model.Price.Cost(usage, time.Since(began))
	return vectors, err
}

// unhurried is how long a call is tried again for which nobody waits.
const unhurried = 30 * time.Second

// String says what was spent.
func (e *embedded) String() string {
	where := "not in the ledger, which the running gateway has, and not counted in its budgets"
	if e.Receipt != "" {
		where = "receipt " + e.Receipt
	}
	return fmt.Sprintf("%s for %d tokens of %d texts, read by %s; %s", e.Cost, e.Tokens, e.Texts, e.Model, where)
}

// look gives a student the vector of one text, nil to one that wants none.
func (s school) look(ctx context.Context, t *student.Taught, text string) ([]float32, *embedded, error) {
	if t.Dims() == 0 {
		return nil, nil, nil
	}
	if m, _ := s.directory.Find(starling.StudentName + "/" + t.Lesson.Skill); m.Away != "" {
		return nil, nil, &starling.Error{Kind: starling.Invalid, Op: "student: " + m.Away}
	}
	sk, ok := s.set.Find(t.Lesson.Skill)
	if !ok {
		return nil, nil, noSkill(t.Lesson.Skill, s.set)
	}
	screen, err := s.policy.Strictest(sk.Rubric.Class)
	if err != nil {
		return nil, nil, err
	}
	text = student.Excerpt(text)
	if text == "" {
		return nil, nil, &starling.Error{Kind: starling.Invalid, Op: "student: there is nothing to see in the text"}
	}
	vectors, spent, err := s.read(ctx, sk, screen, provider.Reading{Texts: []string{text}})
	if err != nil {
		return nil, spent, err
	}
	return vectors[0], spent, nil
}
