package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"

	"starling"
	"starling/internal/cascade"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/rightsize"
	"starling/internal/route"
	"starling/internal/skill"
	"starling/internal/verify"
	"starling/internal/wire"
)

// A lab is a gateway to ask, and the books to write outcomes into: the one that
// serves these books, or one of its own.
type lab struct {
	*gate
	cfg     Config
	cascade *cascade.Cascade // to plan with: what a candidate is, and what it may cost
	files   fs.FS
	set     *skill.Set
	books   *ledger.Records
}

// open opens a lab. Nobody else is served there, what is learned meanwhile changes nothing,
// and what would only be observed is asked.
func (c rightsizeCmd) open(p *program, cfg Config) (*lab, error) {
	own := cfg
	own.Observe = false
	g, err := p.gate(own, wish{command: "rightsize", beside: c.Gateway, still: true})
	if err != nil {
		return nil, err
	}
	l := &lab{gate: g, cfg: cfg, files: cfg.skillFiles()}
	if g.own != nil {
		err = l.alone()
	} else {
		err = l.rebuild(p)
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// alone works with what the gateway of our own is made of.
func (l *lab) alone() (err error) {
	own := l.own.gateway
	l.set, l.books = own.set, own.ledger.Records
	l.cascade, err = l.parts.cascade(own.set, own.ledger, nil, own.log)
	return err
}

// rebuild makes the same anew, beside the gateway that has the books.
func (l *lab) rebuild(p *program) (err error) {
	if err = l.look(p, l.cfg); err != nil {
		return err
	}
	if l.set, err = l.cfg.loadSkills(); err != nil {
		return err
	}
	if l.cascade, err = l.parts.cascade(l.set, nil, nil, p.logger(true)); err != nil {
		return err
	}
	_, books, err := p.books()
	if err != nil {
		return err
	}
	if l.books, err = ledger.OpenRecords(p.ctx, books); err != nil {
		return err
	}
	l.later(l.books.Close)
	return nil
}

// trial puts a trial together: what is tried, what is known, and who asks.
func (l *lab) trial(ctx context.Context, c rightsizeCmd) (*rightsize.Trial, error) {
	s, ok := l.set.Find(c.Skill)
	if !ok {
		return nil, noSkill(c.Skill, l.set)
	}
	t := &rightsize.Trial{Skill: s, Workers: c.Workers, Limit: c.Limit.Money, Keep: l.books.AddOutcomes}
	if !c.DryRun {
		t.Issue = l.books.AddNotes
	}
	var err error
	if t.Verifiers, err = verify.ForSkill(s); err != nil {
		return nil, err
	}
	for cs, err := range skill.Cases(l.files, s.Dir) {
		if err != nil {
			return nil, err
		}
		t.Cases = append(t.Cases, cs)
	}
	if t.Candidates, err = l.candidates(c, s); err != nil {
		return nil, err
	}
	if t.Reference, err = l.reference(s); err != nil {
		return nil, err
	}
	if t.Known, t.Board, err = l.known(ctx, s.Name); err != nil {
		return nil, err
	}
	t.Ask = func(ctx context.Context, who rightsize.Candidate, cs skill.Case) (rightsize.Answer, error) {
		return l.ask(ctx, c, s, who, cs)
	}
	t.Worst = func(who rightsize.Candidate, cs skill.Case) starling.Money { return l.worst(c, s, who, cs) }
	return t, nil
}

// known reads what the books say of a skill.
func (l *lab) known(ctx context.Context, skill string) ([]*evidence.Outcome, *evidence.Board, error) {
	var outcomes []*evidence.Outcome
	board := evidence.NewBoard()
	for n, err := range l.books.Notes(ctx, new(ledger.Place)) {
		if err != nil {
			return nil, nil, err
		}
		board.Fold(n)
		if n.Outcome != nil && n.Outcome.Skill == skill {
			outcomes = append(outcomes, n.Outcome)
		}
	}
	return outcomes, board, nil
}

// candidates are those of the rubric, in its order. Where some are named, the
// others stand aside.
func (l *lab) candidates(c rightsizeCmd, s *skill.Skill) ([]rightsize.Candidate, error) {
	var all []rightsize.Candidate
	var names []string
	for _, candidate := range s.Rubric.Candidates {
		name := candidate.Model
		names = append(names, name)
		who := rightsize.Candidate{Name: name, SkipVerify: candidate.SkipVerify, Logprobs: candidate.Confidence == skill.ByLogprob, Aside: len(c.Candidate) > 0 && !slices.Contains(c.Candidate, name)}
		m, ok := l.parts.directory.Find(route.Named(s.Name, name))
		switch {
		case ok:
			who.Model, who.ID = m, s.Unit(m)
		case name == starling.StudentName && !slices.Contains(c.Candidate, name):
			continue // it comes with starling distill
		case !who.Aside:
			return nil, nobodyOffers(name, "give it a model under models in the configuration, or leave it out with --candidate")
		}
		all = append(all, who)
	}
	for _, name := range c.Candidate {
		if !slices.Contains(names, name) {
			return nil, &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("rightsize: %q is no candidate of %s", name, s.Name), Hint: meant(name, names, "its candidates are "+strings.Join(names, ", "))}
		}
	}
	return all, nil
}

func nobodyOffers(name, hint string) error {
	return &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("rightsize: no provider offers %q", name), Hint: hint}
}

// reference is whom a bar with a margin compares with; without a margin nobody.
func (l *lab) reference(s *skill.Skill) (rightsize.Candidate, error) {
	name := s.Rubric.Reference
	if s.Rubric.Bar.Margin == 0 {
		return rightsize.Candidate{}, nil
	}
	m, ok := l.parts.directory.Find(name)
	if !ok {
		return rightsize.Candidate{}, nobodyOffers(name, "the bar compares with it; give it a model under models in the configuration")
	}
	return rightsize.Candidate{Name: name, Model: m, ID: s.Unit(m)}, nil
}

var plainWay = way{dialect: starling.OpenAI}

// ask asks again, twice, what failed for a reason that may be over soon.
func (l *lab) ask(ctx context.Context, c rightsizeCmd, s *skill.Skill, who rightsize.Candidate, cs skill.Case) (a rightsize.Answer, err error) {
	spent := starling.Money(0)
	for pause := time.Second; ; pause *= 2 {
		a, err = l.askOnce(ctx, c, s, who, cs)
		spent = spent.Plus(a.Cost)
		if a.Cost = spent; starling.KindOf(err) != starling.Overloaded || pause > 2*time.Second {
			return a, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// askOnce pins the candidate; the data is of the skill's class.
func (l *lab) askOnce(ctx context.Context, c rightsizeCmd, s *skill.Skill, who rightsize.Candidate, cs skill.Case) (a rightsize.Answer, err error) {
	way := plainWay
	way.logprobs = who.Logprobs
	body, err := question(who.Model.ID(), s.Rubric.Prompt, cs, c.MaxTokens, way)
	if err != nil {
		return a, err
	}
	header := map[string]string{"User-Agent": starling.TrialAgent}
	if s.Rubric.Class != "" {
		header["X-Starling-Class"] = string(s.Rubric.Class)
	}
	r, err := l.client.send(ctx, way, body, header)
	a = rightsize.Answer{Text: r.text, Confidence: r.confidence, Cost: r.cost, Took: r.took, Receipt: r.receipt, Simulated: r.simulated}
	switch {
	case ctx.Err() != nil:
		err = &starling.Error{Kind: starling.Cancelled, Op: "rightsize", Hint: "run it again: it goes on where it stopped", Err: ctx.Err()}
	case err != nil:
		err = &starling.Error{Kind: starling.Overloaded, Op: "rightsize: ask the gateway at " + l.client.url, Hint: "is it there? --gateway says where; a second run goes on where this one stopped", Err: err}
	case r.status == http.StatusUnauthorized:
		err = &starling.Error{Kind: starling.Unauthenticated, Op: "rightsize: the gateway wants a key", Hint: "put one into STARLING_KEY"}
	case r.status != http.StatusOK:
		err = &starling.Error{Kind: r.kind(), Op: fmt.Sprintf("rightsize: %s on case %s: %s", who.Name, cs.ID, r.text), Hint: also(r.hint, "starling explain "+r.receipt)}
	}
	return a, err
}

// worst is what a plan for the question reserves.
func (l *lab) worst(c rightsizeCmd, s *skill.Skill, who rightsize.Candidate, cs skill.Case) starling.Money {
	body, err := question(who.Model.ID(), s.Rubric.Prompt, cs, c.MaxTokens, plainWay)
	if err != nil {
		return 0
	}
	req, err := wire.Parse(plainWay.dialect, body)
	if err != nil {
		return 0
	}
	plan, _ := l.cascade.Router.Plan(&req, starling.Screen{Furthest: starling.Cloud}, nil)
	if len(plan.Candidates) == 0 {
		return 0
	}
	return plan.Candidates[0].Worst
}
