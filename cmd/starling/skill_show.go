package main

import (
	"errors"
	"strings"
	"time"

	"starling"
	"starling/internal/cascade"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/route"
	"starling/internal/serve"
	"starling/internal/skill"
)

type skillShowCmd struct {
	Skill   string `arg:"" help:"The skill."`
	JSON    bool   `help:"Print JSON."`
	Gateway string `help:"Address of a gateway to ask, in place of the one that has these books; its key is in STARLING_KEY." placeholder:"URL" env:"STARLING_GATEWAY"`
}

// A shown is what is enforced of a skill, and who says so.
type shown struct {
	From string `json:"from"`
	serve.SkillSheet
}

// Run shows what is enforced of a skill: by the gateway that serves these books, where
// one does, else as the next one would.
func (c skillShowCmd) Run(p *program) error {
	s, err := c.read(p)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.encodeWide(s)
	}
	return showSkill(p.stdout, s)
}

func (c skillShowCmd) read(p *program) (*shown, error) {
	cfg, books, err := p.books()
	if err != nil {
		return nil, err
	}
	name := strings.TrimPrefix(c.Skill, route.Prefix)
	if c.Gateway != "" || ledger.InUse(books.Dir) {
		return p.enforced(cfg, c.Gateway, name)
	}
	shelf, err := p.shelf(cfg, books)
	if err != nil {
		return nil, err
	}
	defer shelf.parts.close()
	found, ok := shelf.Router.Skills.Find(name)
	if !ok {
		return nil, noSkill(name, shelf.Router.Skills)
	}
	s := &shown{From: "the books in " + books.Dir + ": no gateway serves them now"}
	if shelf.bare {
		s.From = "the rubric alone: there are no books in " + books.Dir
	} else if err := shelf.study(p, cfg); err != nil {
		return nil, err
	}
	s.SkillSheet, err = serve.SheetOf(shelf.Cascade, found)
	return s, err
}

// enforced asks a gateway what it enforces of a skill: the one that is named, else where the
// configuration has one.
func (p *program) enforced(cfg Config, gateway, name string) (*shown, error) {
	g, err := gateBeside(cfg, gateway)
	if err != nil {
		return nil, err
	}
	s := &shown{From: "the gateway at " + g.client.url}
	return s, errors.Join(g.client.get(p.ctx, skillPath(name), &s.SkillSheet), g.close())
}

// A shelf is what a gateway would be made of, with what the books say. It answers nobody.
type shelf struct {
	*cascade.Cascade
	parts *parts
	bare  bool // there are no books
}

// shelf puts together what the configuration, the skills and the books come to. Whoever
// asks for it closes its parts.
func (p *program) shelf(cfg Config, books ledger.Options) (*shelf, error) {
	set, err := cfg.loadSkills()
	if err != nil {
		return nil, err
	}
	board, err := p.board()
	if err != nil {
		return nil, err
	}
	s := &shelf{bare: board == nil}
	if s.parts, err = build(p.ctx, cfg, books.Dir, nil); err != nil {
		return nil, err
	}
	if s.Cascade, err = s.parts.cascade(set, nil, board, p.logger(true)); err != nil {
		s.parts.close()
	}
	return s, err
}

// study learns from the books what a gateway learns from them while it serves: how likely
// answers are accepted, how models count, and whether another order pays. It takes seconds where they are full.
func (s *shelf) study(p *program, cfg Config) error {
	l, err := p.records()
	if err != nil {
		return err
	}
	defer l.Close()
	st := newStudy(cfg.skillFiles(), p.logger(true))
	st.of(s.Router)
	st.recall(p.ctx, l)
	past, err := st.past(p.ctx, s.Router, l.Outcomes)
	if err != nil {
		return err
	}
	return st.judge(s.Router, past)
}

// board reads what the books say of candidates; nil where there are none.
func (p *program) board() (*evidence.Board, error) {
	l, err := p.records()
	if starling.KindOf(err) == starling.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer l.Close()
	board := evidence.NewBoard()
	for n, err := range l.Notes(p.ctx, new(ledger.Place)) {
		if err != nil {
			return nil, err
		}
		board.Fold(n)
	}
	for r, err := range lately(p.ctx, l, time.Now()) { // as the next gateway does
		if err != nil {
			return nil, err
		}
		board.FoldReceipt(r)
	}
	return board, nil
}

// rungs returns a skill's ladder as the shelf has it, for data of its own class.
func (s *shelf) rungs(of *skill.Skill) ([]route.Rung, error) {
	screen, err := s.Policy.Screen(&starling.Request{}, of.Rubric.Class)
	if err != nil {
		return nil, err
	}
	return s.Router.Ladder(of, screen), nil
}
