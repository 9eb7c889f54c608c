package main

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"starling/internal/skill"
	"starling/internal/verify"
)

// A result is one case, asked and graded.
type result struct {
	skill, id string
	way       way
	status    int
	who       string
	receipt   string
	right     bool
	real      bool // a real model was to be asked first
	took      time.Duration
}

func (r result) compare(o result) int {
	return cmp.Or(cmp.Compare(r.skill, o.skill), cmp.Compare(r.id, o.id))
}

// ask sends one case and grades what comes back.
func (c *client) ask(ctx context.Context, pk *pack, cs skill.Case, w way) (result, error) {
	return c.fill(ctx, pk, cs, result{skill: pk.Name, id: cs.ID, way: w})
}

// fill asks as a result says, and completes it.
func (c *client) fill(ctx context.Context, pk *pack, cs skill.Case, r result) (result, error) {
	body, err := question("starling/"+pk.Name, pk.Rubric.Prompt, cs, outputLimit(cs), r.way)
	if err != nil {
		return r, err
	}
	if r.real {
		body = unthinking(body, r.way.dialect)
	}
	said, err := c.send(ctx, r.way, body, nil)
	if err != nil {
		return r, err
	}
	r.took, r.status, r.who, r.receipt = said.took, said.status, said.model, said.receipt
	if r.status == http.StatusOK {
		r.right, _, err = verify.Grade(ctx, cs, pk.Rubric.Grade, said.text, pk.verifiers)
	}
	return r, err
}

// outputLimit leaves the ideal answer room to spare; it is also what the worst case
// is reserved for.
func outputLimit(cs skill.Case) int { return 64 + len(cs.Answer)/2 }
