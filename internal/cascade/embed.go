package cascade

import (
	"context"
	"time"

	"starling"
	"starling/internal/provider"
	"starling/internal/skill"
)

// Embed has an embedding model read texts of a skill, in an exchange of its own: it
// is planned like a model that a caller pins, reserved under every cap, called,
// booked, and settled with a receipt, which is of no request. The exchange is
// returned whatever happened; why there are no vectors is in its Err.
func (c *Cascade) Embed(ctx context.Context, s *skill.Skill, screen starling.Screen, e *provider.Embedder, r provider.Reading) (vectors [][]float32, ex *starling.Exchange) {
	x := c.begin(ctx, starling.Request{Dialect: starling.Embeddings, Model: e.Model.ID(), Choices: 1}, s.Name, listener{})
	defer x.end()
	r.Furthest, x.Screen = screen.Furthest, screen
	x.Plan = embedding(s, e, r.Texts)
	a := &attempt{exchange: x, candidate: &x.Plan.Candidates[0], started: time.Now(), last: true}
	a.Model, a.Zone, a.Simulated, a.Outcome = e.Model.ID(), e.Model.Zone, e.Model.Simulated, starling.Skipped
	if x.Err = MayRead(e, screen); x.Err == nil {
		x.Err = a.reserve(a.candidate.Worst)
	}
	if x.Err != nil {
		_ = a.close(x.Err)
		return nil, &x.Exchange
	}
	x.calling, a.Outcome = a, starling.Failed
	vectors, a.Usage, x.Err = e.Embed(ctx, r)
	a.counted = a.Usage.Input > 0
	a.book(x.Err)
	x.account.Spend(a.Cost)
	_ = a.close(x.Err)
	return vectors, &x.Exchange
}

// MayRead says why an embedding model may not read the data, nil if it may.
func MayRead(e *provider.Embedder, screen starling.Screen) error {
	switch {
	case e.Model.Zone > screen.Furthest:
		return &starling.Error{Kind: starling.Forbidden, Op: "embed: " + e.Model.ID() + " runs in zone " + e.Model.Zone.String() + ", and data of class " + string(screen.Class) + " may go no further than " + screen.Furthest.String(), Hint: "name a nearer embedding model"}
	case !e.Model.Price.Known():
		return &starling.Error{Kind: starling.Invalid, Op: "embed: the price of " + e.Model.ID() + " is unknown", Hint: "declare one under prices in the configuration"}
	}
	return nil
}

// embedding is the plan of an exchange that only reads.
func embedding(s *skill.Skill, e *provider.Embedder, texts []string) starling.Plan {
	usual, most := e.Cost(texts)
	return starling.Plan{
		Skill: s.Name, Rubric: s.Hash, Rule: "reads texts for the student of the skill", Pinned: true,
		Candidates: []starling.Candidate{{
			Model: e.Model, Probability: 1, Basis: "not needed: it is the one that is configured", Expected: usual, Worst: most, Why: "the configured embedding model",
		}},
	}
}
