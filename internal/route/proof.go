package route

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
)

// usualConfidence is that of a bar which the caller alone has.
const usualConfidence = 0.95

// raise notes the bar that the caller asks for, where it is higher than the rubric's.
// Then only who was shown to reach it answers, verified or not, and who is trusted.
func (p *planning) raise() error {
	switch {
	case p.req.Bar == 0:
		return nil
	case p.skill == nil:
		return &starling.Error{Kind: starling.Invalid, Op: "a bar without a skill", Hint: "how good a model is was only ever shown for a skill: name one, or leave X-Starling-Bar out"}
	case !strings.HasPrefix(p.req.Model, Prefix):
		return &starling.Error{Kind: starling.Invalid, Op: "a model and a bar", Hint: "who names a model is given that one, however good it is: name the skill instead, or leave X-Starling-Bar out"}
	}
	if p.req.Bar > p.skill.Rubric.Bar.Pass {
		p.Bar = p.req.Bar
	}
	return nil
}

// A proof is what stands for a candidate, or against it.
type proof struct {
	why     string // for people, "" if there is nothing to say
	against string // why it may not answer, "" if it may
}

// proof says whether the evidence lets a candidate answer in the skill, and names
// on it the warrant that covers its answers. Where the rubric has a bar
//
//   - a candidate with a warrant in force may answer what that covers;
//   - one whose warrant was revoked, or whose cases show that it is below the bar,
//     may not, whatever verifiers say: they know what is malformed, not what is
//     plausible and wrong;
//   - of the others, those may try whose answers are verified before anybody sees
//     them, unless the rubric says that they must climb.
//
// The last of a ladder and the reference are trusted, and need none of it. A
// student is never trusted: what it says is always well-formed.
func (p *planning) proof(c *starling.Candidate, trusted bool) proof {
	if p.skill == nil {
		return proof{}
	}
	c.Unit = p.skill.Unit(c.Model)
	if p.Pinned {
		return proof{}
	}
	bar := p.skill.Rubric.Bar
	least, confidence := max(bar.Pass, p.Bar), cmp.Or(bar.Confidence, usualConfidence)
	s := p.Board.Standing(p.skill.Name, p.skill.Hash, c.Unit)
	w := s.Warrant
	switch {
	case w != nil && s.Revoked == nil && p.covers(w, c):
		c.Warrant, c.Threshold = w.ID, w.Threshold
		return proof{why: warranted(w)}
	case p.trust(c.Model, trusted) != "":
		return proof{}
	case s.Revoked != nil && s.Revoked.End != evidence.Drifted && w.Rubric == p.skill.Hash:
		return proof{against: "its warrant was revoked: " + s.Revoked.Why}
	case least > 0 && s.Most(confidence) < least:
		return proof{against: fmt.Sprintf("its cases show that at most %.1f %% pass, and the bar is %.4g %%", 100*s.Most(confidence), 100*least)}
	case c.Model.Student, len(c.Verify) == 0, bar.Unproven == skill.Climb, p.Bar > 0:
		return proof{against: "no warrant covers it" + p.lapsed(&s, c) + "; starling " + Shows(c.Model) + " " + p.skill.Name + " finds out whether it is good enough"}
	}
	return proof{why: "not yet shown to be good enough"}
}

// trust says why a candidate may answer without evidence, "" if it needs some. Last
// is who is the last of its ladder.
func (p *planning) trust(m starling.Model, last bool) string {
	switch {
	case m.Student:
		return ""
	case !p.skill.Rubric.Bar.Set() && p.Bar == 0:
		return "there is no bar"
	case p.Reference != nil && p.Reference.ID() == m.ID():
		return "it is the reference"
	case last:
		return "it is the last, and somebody has to answer"
	}
	return ""
}

// Shows is the command that issues warrants to a model.
func Shows(m starling.Model) string {
	if m.Student {
		return "distill"
	}
	return "rightsize"
}

// covers reports whether a warrant holds for answers that are accepted as the plan
// has them accepted.
func (p *planning) covers(w *evidence.Warrant, c *starling.Candidate) bool {
	return p.gap(w, c) == ""
}

// gap says why a warrant does not cover a candidate here, "" if it does.
func (p *planning) gap(w *evidence.Warrant, c *starling.Candidate) string {
	switch why := w.Lapsed(p.skill.Hash, p.skill.Cases, time.Now()); {
	case why != "":
		return why
	case w.Margin > 0 && (p.Reference == nil || p.skill.Unit(*p.Reference) != w.Reference):
		return "the reference is another since"
	case w.Verified && len(c.Verify) == 0:
		return "the one that there is was for verified answers"
	case w.Least() < p.Bar:
		return fmt.Sprintf("the one that there is shows that %.1f %% pass, and the caller asks for %.4g %%", 100*w.Least(), 100*p.Bar)
	}
	return ""
}

func (p *planning) lapsed(s *evidence.Standing, c *starling.Candidate) string {
	switch {
	case s.Warrant == nil:
		return ""
	case s.Revoked != nil && p.covers(s.Warrant, c):
		return ": " + s.Revoked.Why
	}
	return ": " + p.gap(s.Warrant, c)
}

// warranted says what a warrant was issued on.
func warranted(w *evidence.Warrant) string {
	text := fmt.Sprintf("warranted: %d of %d passed", w.Passed, w.Covered)
	if w.Threshold > 0 {
		text += fmt.Sprintf(" from a confidence of %.4g", w.Threshold)
	}
	return text
}
