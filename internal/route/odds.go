package route

import (
	"strconv"

	"starling"
	"starling/internal/evidence"
)

const (
	// prior is how many tries what is believed beforehand is worth.
	prior = 10
	// enough tries say so much of a candidate that it may be ordered by them.
	enough = 20
)

// weigh sets how likely a candidate's answer is accepted, and what that rests on.
// It returns on how many tries.
//
// What is believed before anything is known is what the rubric states, else the
// assumption. The candidate's record in other skills moves that, and its record in
// this one moves the result: each is the mean of a Beta posterior. Where the words
// of prompts have been shown to tell more, they are asked instead.
func (p *planning) weigh(c *starling.Candidate) (tries int) {
	believed, basis := c.Probability, c.Basis
	if believed == 0 {
		believed, basis = assumed(c), "assumed, no evidence yet"
	}
	c.Probability, c.Basis = believed, basis
	if p.skill == nil || p.Pinned || p.Board == nil {
		return 0
	}
	own := p.Board.Standing(p.skill.Name, p.skill.Hash, c.Unit)
	switch {
	case !c.Held():
		return own.Tried // whatever was said of its answers, this one is seen at once
	case c.Threshold > 0 && own.Warrant != nil:
		c.Probability, c.Basis = shrunk(believed, own.Warrant.Covered, own.Warrant.Asked), ofTries(own.Warrant.Covered, own.Warrant.Asked, " covered by its warrant")
		return own.Warrant.Asked
	}
	all := p.Board.Everywhere(c.Model.ID())
	others := evidence.Tally{Tried: max(0, all.Tried-own.Tried), Accepted: max(0, all.Accepted-own.Accepted)}
	if others.Tried > 0 {
		believed, c.Basis = shrunk(believed, others.Accepted, others.Tried), ofTries(others.Accepted, others.Tried, " accepted in other skills")
	}
	c.Probability = shrunk(believed, own.Accepted, own.Tried)
	if own.Tried > 0 {
		c.Basis = ofTries(own.Accepted, own.Tried, " accepted")
	}
	if own.Tried >= enough {
		p.foresee(c)
	}
	return own.Tried
}

// shrunk is the share of tries that were accepted, drawn towards what is believed
// as hard as so many tries would.
func shrunk(believed float64, accepted, tried int) float64 {
	return (prior*believed + float64(accepted)) / float64(prior+tried)
}

func ofTries(n, of int, what string) string {
	var room [64]byte
	b := strconv.AppendInt(room[:0], int64(n), 10)
	b = strconv.AppendInt(append(b, " of "...), int64(of), 10)
	return string(append(b, what...))
}

// assumed is the chance of acceptance that is taken while nothing is known. It
// orders nothing: that takes evidence.
func assumed(c *starling.Candidate) float64 {
	if !c.Held() {
		return 1
	}
	return 0.9
}

// foresee asks the forecast, where prompts of the skill were found to tell how
// likely the candidate's answer is accepted. Without a request there is none.
func (p *planning) foresee(c *starling.Candidate) {
	f := p.Insight.findings()
	if f == nil || !f.reads(p.skill) {
		return
	}
	column, ok := f.columns[c.Model.ID()]
	switch {
	case !ok:
	case p.unasked:
		c.Basis += "; a prompt may tell more"
	default:
		if odds := p.prompt.odds(f, p.skill.Name, p.req); odds != nil {
			c.Probability, c.Basis = odds[column], "forecast from this prompt"
		}
	}
}
