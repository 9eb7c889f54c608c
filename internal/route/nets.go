package route

import (
	"starling"
	"starling/internal/wire"
)

// spread puts the safety nets under the candidates, once it is known who they are and
// in which order: they are no reason to ask anybody, and no evidence for anybody.
//
// The demanded shape is checked of every answer, that of a pinned model too. A turn of
// an agent is held back and checked while somebody stands behind who may do better.
func (p *planning) spread() {
	if p.bare {
		return
	}
	shaped := p.shaped()
	agent := len(p.Candidates) > 1 && p.req.Choices <= 1 && wire.HasTools(p.req)
	for i := range p.Candidates {
		c := &p.Candidates[i]
		if agent && i < len(p.Candidates)-1 {
			c.Nets = append(c.Nets, starling.TurnNet)
		}
		if shaped {
			c.Nets = append(c.Nets, starling.FormatNet)
		}
	}
}

// shaped reports whether the answer must have a shape, and that is checked.
func (p *planning) shaped() bool { return p.req.Format != nil && !p.bare }
