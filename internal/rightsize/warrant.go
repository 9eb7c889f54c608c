package rightsize

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"starling/internal/evidence"
)

// settle writes down what a whole run came to: a warrant for each candidate that
// was asked and is shown, and a revocation for each that had one under the same
// rubric and does not show the bar any more. A warrant needs the safer candidates to
// be shown too, by this run or by what is known of them; who tries one candidate
// alone gets none for it where nobody knows about those above.
func (r *run) settle(ctx context.Context, out *Report) error {
	now := time.Now().UTC()
	var notes []evidence.Note
	var lines []*Line // of the notes
	for i, v := range out.verdicts {
		l := out.line(r.tried[i])
		if l == nil {
			continue
		}
		was := r.Board.Standing(r.Skill.Name, r.Skill.Hash, r.tried[i].ID)
		if v.shown {
			if w := r.warrant(i, &v.chosen, now); l.needs(was, w, now) {
				notes, lines = append(notes, evidence.Note{Warrant: w}), append(lines, l)
			}
			continue
		}
		l.NoWarrant = l.Why
		if w := was.Warrant; w != nil && was.Revoked == nil && w.Rubric == r.Skill.Hash && now.Before(w.Expires) && v.notShown(out.Bar) {
			lines, notes = append(lines, l), append(notes, evidence.Note{Revocation: &evidence.Revocation{
				Time: now, Warrant: w.ID, Skill: w.Skill, Candidate: w.Candidate, Model: w.Model, End: evidence.BelowBar, Why: l.Why,
			}})
		}
	}
	return r.issue(ctx, notes, lines)
}

// issue writes the notes down, and into the lines what they are; without a hand to
// write, what they would be.
func (r *run) issue(ctx context.Context, notes []evidence.Note, lines []*Line) error {
	if len(notes) == 0 {
		return nil
	}
	if r.Issue != nil {
		if err := r.Issue(ctx, notes...); err != nil {
			return err
		}
	}
	for i, n := range notes {
		switch w, l := n.Warrant, lines[i]; {
		case r.Issue == nil && w != nil:
			l.NoWarrant = "it would be issued, but for the dry run"
		case r.Issue == nil:
			l.NoWarrant = "its warrant " + n.Revocation.Warrant + " would be revoked, but for the dry run"
		case w != nil:
			l.Warrant, l.Expires = w.ID, w.Expires
		default:
			l.Revoked = n.Revocation.Warrant
		}
	}
	return nil
}

// warrant is what is to be issued for a candidate.
func (r *run) warrant(i int, t *tested, now time.Time) *evidence.Warrant {
	y, bar := r.tried[i], r.Skill.Rubric.Bar
	w := &evidence.Warrant{
		Time: now, Skill: r.Skill.Name, Rubric: r.Skill.Hash, Cases: r.Skill.Cases, Candidate: y.ID, Model: y.Model.ID(),
		Pass: bar.Pass, Margin: bar.Margin, Confidence: bar.Confidence,
		Threshold: t.threshold, Verified: len(r.Verifiers) > 0 && !y.SkipVerify,
		Asked: t.asked, Covered: t.covered, Passed: t.passed, Shown: t.shown, Bound: t.bound,
		Expires: now.Add(r.valid()), Simulated: y.Model.Simulated,
	}
	if r.reference != nil {
		w.Reference, w.Simulated = r.reference.ID, w.Simulated || r.reference.Model.Simulated
	}
	return w
}

// needs reports whether a warrant is to be issued, and else says on the line which
// one is in force or why there is none.
//
// What audits have contradicted is not shown again by the very answers that they
// contradict. What a person took back, a person may have issued again.
func (l *Line) needs(was evidence.Standing, w *evidence.Warrant, now time.Time) bool {
	old := was.Warrant
	switch {
	case old == nil || !alike(old, w):
		return true
	case was.Revoked != nil && was.Revoked.End != evidence.Withdrawn:
		l.NoWarrant = fmt.Sprintf("%s, on the same answers, was revoked: %s", old.ID, was.Revoked.Why)
		return false
	case was.Revoked != nil, old.Expires.Sub(now) <= old.Expires.Sub(old.Time)/2:
		return true
	}
	l.Warrant, l.Expires = old.ID, old.Expires
	return false
}

// alike reports whether two warrants say the same but for their time.
func alike(a, b *evidence.Warrant) bool {
	x, y := *a, *b
	for _, w := range []*evidence.Warrant{&x, &y} {
		w.ID, w.Time, w.Expires, w.Model = "", time.Time{}, time.Time{}, ""
	}
	return reflect.DeepEqual(x, y)
}
