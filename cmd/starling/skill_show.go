package main

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/tidwall/gjson"

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
	Gateway string `help:"Address of the gateway, where one that serves these books is not where the configuration says." placeholder:"URL"`
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
		addr, err := cfg.address()
		if err != nil {
			return nil, err
		}
		to := newClient(strings.TrimSuffix(cmp.Or(c.Gateway, "http://"+addr), "/"))
		defer to.close()
		to.key = os.Getenv("STARLING_KEY")
		s := &shown{From: "the gateway at " + to.url}
		return s, to.get(p.ctx, "/v1/skills/"+url.PathEscape(name), &s.SkillSheet)
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
	s.SkillSheet, err = serve.SheetOf(shelf.Cascade, found)
	if s.Order != "" && found.Rubric.Order != skill.Listed {
		s.Order = "whether another order pays is found out while a gateway serves"
	}
	return s, err
}

// A shelf is what a gateway would be made of, with what the books say. It answers nobody.
type shelf struct {
	*cascade.Cascade
	parts *parts
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
	s := &shelf{}
	if s.parts, err = build(p.ctx, cfg, books.Dir, nil); err != nil {
		return nil, err
	}
	if s.Cascade, err = s.parts.cascade(set, nil, board, p.logger(true)); err != nil {
		s.parts.close()
	}
	return s, err
}

// board reads what the books say of candidates: nothing, where nobody has ever served.
func (p *program) board() (*evidence.Board, error) {
	board := evidence.NewBoard()
	l, err := p.records()
	if starling.KindOf(err) == starling.NotFound {
		return board, nil
	}
	if err != nil {
		return nil, err
	}
	defer l.Close()
	for n, err := range l.Notes(p.ctx, new(ledger.Place)) {
		if err != nil {
			return nil, err
		}
		board.Fold(n)
	}
	return board, nil
}

// get reads what a gateway says at a path. Errors: its own, Overloaded if it says nothing.
func (c *client) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err != nil {
		return &starling.Error{Kind: starling.Invalid, Op: "ask the gateway at " + c.url, Hint: "write it like http://127.0.0.1:4141", Err: err}
	}
	c.authorise(req)
	resp, err := c.http.Do(req)
	if err != nil {
		return c.mute(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return c.mute(ctx, err)
	case resp.StatusCode == http.StatusUnauthorized:
		return &starling.Error{Kind: starling.Unauthenticated, Op: "the gateway at " + c.url + " wants a key", Hint: "put one into STARLING_KEY"}
	case resp.StatusCode != http.StatusOK:
		r := reply{status: resp.StatusCode, code: gjson.GetBytes(body, "error.code").String()}
		return &starling.Error{Kind: r.kind(), Op: "the gateway at " + c.url + ": " + gjson.GetBytes(body, "error.message").String()}
	}
	if err := json.Unmarshal(body, into); err != nil {
		return &starling.Error{Kind: starling.Internal, Op: "what answers at " + c.url + " is no gateway of this version", Hint: "is another program there, or an older starling? --gateway says where to ask", Err: err}
	}
	return nil
}

// mute is the error of a gateway that says nothing.
func (c *client) mute(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &starling.Error{Kind: starling.Overloaded, Op: "ask the gateway at " + c.url, Hint: "these books are in use, so one is somewhere: --gateway says where", Err: err}
}

// rungs returns a skill's ladder as the shelf has it, for data of its own class.
func (s *shelf) rungs(of *skill.Skill) ([]route.Rung, error) {
	screen, err := s.Policy.Screen(&starling.Request{}, of.Rubric.Class)
	if err != nil {
		return nil, err
	}
	return s.Router.Ladder(of, screen), nil
}
