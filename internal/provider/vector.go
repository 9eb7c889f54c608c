package provider

import (
	"context"
	"fmt"
	"slices"
	"time"

	"starling"
	"starling/internal/student"
)

// lend gives a student's model what it has of the embedding model that it asks: it
// is as far away, and costs as much. A nil Embedder is none.
func (e *Embedder) lend(m starling.Model, t *student.Taught) starling.Model {
	want := t.Lesson.Embedder.Model
	switch {
	case e == nil:
		m.Away = fmt.Sprintf("it learned with the embedding model %s, and none is configured; name it under embeddings, or distill again", want)
		return m
	case e.Model.ID() != want:
		m.Away = fmt.Sprintf("it learned with the embedding model %s, and %s is configured; starling distill %s makes one that learns with it", want, e.Model.ID(), m.Name)
		return m
	}
	m.Zone, m.Price = max(m.Zone, e.Model.Zone), ofInput(e.Model.Price)
	m.Simulated, m.Longest = e.Model.Simulated, e.Model.Longest+longestThought
	for _, label := range t.Labels() { // a token has a byte at least
		m.MaxOutput = max(m.MaxOutput, int64(len(t.Lesson.Form.Say(label))))
	}
	return m
}

// ofInput is a price of what is read alone: nobody charges for what a student
// says.
func ofInput(p starling.Price) starling.Price {
	p.Output, p.Search = 0, 0
	p.Tiers = slices.Clone(p.Tiers)
	for i := range p.Tiers {
		p.Tiers[i].Output = 0
	}
	return p
}

// A check is when the vectors of an embedding model were last compared with those
// that a student learned from, and whether they are the same model's.
type check struct {
	at   time.Time
	good bool
}

// recheck is how long a check holds. Whoever has loaded another model under the
// same name is found out by then.
const recheck = time.Hour

// vector asks for the vector of a text, nil for a student that wants none.
func (s *Students) vector(ctx context.Context, c starling.Call, t *pupil, text string) ([]float32, starling.Usage, error) {
	if t.Dims() == 0 {
		return nil, starling.Usage{}, nil
	}
	last := t.checked.Load()
	stale := last == nil || time.Since(last.at) > recheck
	if !stale && !last.good {
		return nil, starling.Usage{}, t.otherVectors()
	}
	texts := []string{student.Excerpt(text)}
	if stale {
		texts = append(texts, student.Probe)
	}
	vectors, paid, err := s.embedder.Embed(ctx, Reading{Texts: texts, Furthest: c.Furthest, Patience: c.Patience})
	if err != nil {
		return nil, paid, err
	}
	if stale {
		now := &check{time.Now(), t.Lesson.Embedder.Makes(vectors[1])}
		if t.checked.Store(now); !now.good {
			return nil, paid, starling.AsBilled(t.otherVectors())
		}
	}
	return vectors[0], paid, nil
}

func (t *pupil) otherVectors() error {
	return &starling.Error{Kind: starling.Refused, Op: fmt.Sprintf("provider %s: %s makes other vectors than when it learned from them", starling.StudentName, t.Lesson.Embedder.Model), Hint: "another model has its name now: distill again"}
}
