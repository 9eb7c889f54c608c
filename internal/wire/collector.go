package wire

import (
	"cmp"
	"strings"

	"starling"
)

// A Collector gathers an answer from its events' deltas, for those who judge it
// as a whole: of several choices the first. The zero value is ready. [Read] bounds
// how much that can be.
type Collector struct {
	told   gathered
	finish starling.Finish
}

// Add takes ev's deltas and its Finish.
func (c *Collector) Add(ev starling.Event) {
	for i := range ev.Deltas {
		if ev.Deltas[i].Choice == 0 {
			c.told.add(&ev.Deltas[i])
		}
	}
	if ev.Finish != "" {
		c.finish = ev.Finish
	}
}

// Answer returns what has been gathered so far. Reasoning and refusals are not
// part of Text.
func (c *Collector) Answer() *starling.Answer {
	a := &starling.Answer{Text: c.told.text(starling.TextPart), Calls: c.told.calls(), Finish: c.finish}
	a.Refused = c.finish == starling.Filtered || c.count(starling.RefusalPart) > 0
	return a
}

// Texts returns in how many blocks the text stands.
func (c *Collector) Texts() int { return c.count(starling.TextPart) }

// count returns how many blocks of a kind say something.
func (c *Collector) count(kind starling.PartKind) (n int) {
	for _, p := range c.told.blocks {
		if p.kind == kind && p.said.Len() > 0 {
			n++
		}
	}
	return n
}

// gathered is an answer as its deltas told it, or the first of several choices.
type gathered struct {
	blocks  []*piece
	vectors [][]float32
	finish  starling.Finish // of one of several choices; "" if one was asked for
	others  []*gathered     // the choices after the first, in order
}

// A piece is one block of an answer.
type piece struct {
	block     int
	kind      starling.PartKind
	said      strings.Builder
	tokens    []starling.Token
	signature string
	id, name  string
}

func (g *gathered) add(d *starling.Delta) {
	g = g.choice(d.Choice)
	if d.Finish != "" {
		g.finish = d.Finish
		return
	}
	p := g.find(d.Block)
	if p == nil {
		p = &piece{block: d.Block, kind: d.Kind}
		g.blocks = append(g.blocks, p)
	}
	p.add(d)
}

// choice returns one of several, by its number from 0.
func (g *gathered) choice(n int) *gathered {
	if n == 0 {
		return g
	}
	for len(g.others) < n {
		g.others = append(g.others, &gathered{})
	}
	return g.others[n-1]
}

// choices returns all of them, one with the finish of its own or that of the answer.
func (g *gathered) choices(answer starling.Finish) []*gathered {
	all := append([]*gathered{g}, g.others...)
	for _, c := range all {
		c.finish = cmp.Or(c.finish, answer)
	}
	return all
}

func (p *piece) add(d *starling.Delta) {
	p.said.WriteString(d.Text)
	p.tokens = append(p.tokens, d.Tokens...)
	if d.Signature != "" {
		p.signature = d.Signature
	}
	if d.ID != "" {
		p.id = d.ID
	}
	if d.Name != "" {
		p.name = d.Name
	}
}

func (g *gathered) find(block int) *piece {
	for i := len(g.blocks) - 1; i >= 0; i-- {
		if g.blocks[i].block == block {
			return g.blocks[i]
		}
	}
	return nil
}

// text joins the blocks of one kind.
func (g *gathered) text(kind starling.PartKind) string {
	var b strings.Builder
	for _, p := range g.blocks {
		if p.kind == kind {
			b.WriteString(p.said.String())
		}
	}
	return b.String()
}

// tokens are those of the text.
func (g *gathered) tokens() (all []starling.Token) {
	for _, p := range g.blocks {
		if p.kind == starling.TextPart {
			all = append(all, p.tokens...)
		}
	}
	return all
}

func (g *gathered) calls() (all []starling.ToolCall) {
	for _, p := range g.blocks {
		if p.kind == starling.CallPart {
			all = append(all, starling.ToolCall{ID: p.id, Name: p.name, Arguments: p.said.String()})
		}
	}
	return all
}
