package distill

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
	"starling/internal/student"
	"starling/internal/verify"
)

// An exam asks a student what it has not seen: the texts that were held back, for
// which the reference's answer is right, and the skill's cases, of which more is
// known.
type exam struct {
	*Course
	student  *student.Student
	embedder *student.Embedder // that it wants vectors of; nil none
	form     student.Form

	answers []answer
	steps   []student.Step // that are tested, the safest first
	found   *student.Step  // the one that was taken of those that held; nil if none did
	err     error          // the first
}

// An answer is what came of one question.
type answer struct {
	label, said string
	confidence  float64 // 0 for an answer that is never given
	right       bool
	graded      *graded // of a case; nil for a text
}

// A graded is what a case came to.
type graded struct {
	skill.Case
	confidence float64
	rejected   bool
	why        string
	took       time.Duration
}

// texts asks about those that were held back.
func (e *exam) texts(ctx context.Context, held []sorted) {
	for _, t := range held {
		p := e.predict(t.input)
		a := answer{label: t.label, said: p.Label, confidence: p.Confidence}
		a.right = p.Label != "" && p.Label == t.label && compact(t.form) == compact(e.form)
		if silent(p) != "" || e.rejected(ctx, t.input, e.form.Say(p.Label)) {
			a.confidence = 0
		}
		e.answers = append(e.answers, a)
	}
}

// cases asks the skill's own, and grades as their gold demands.
func (e *exam) cases(ctx context.Context) {
	for _, cs := range e.Cases {
		began := time.Now()
		p := e.predict(cs.Input)
		g := &graded{Case: cs, confidence: p.Confidence, why: silent(p), took: time.Since(began)}
		a := answer{label: cs.Gold.Label, said: p.Label, confidence: p.Confidence, graded: g}
		if g.why != "" {
			a.confidence, g.confidence = 0, 0
			e.answers = append(e.answers, a)
			continue
		}
		said := e.form.Say(p.Label)
		pass, why, err := verify.Grade(ctx, cs, e.Skill.Rubric.Grade, said, e.Verifiers)
		e.err = cmp.Or(e.err, err)
		a.right, g.why = pass, why
		if g.rejected = e.rejected(ctx, cs.Input, said); g.rejected {
			a.confidence = 0
		}
		e.answers = append(e.answers, a)
	}
}

// silent says why the provider keeps an answer back whatever the threshold, "" if
// it does not.
func silent(p student.Prediction) string {
	switch {
	case p.Blind:
		return "it wants a vector, and there is none"
	case p.Label == "":
		return "none of its labels seems to fit"
	case p.Strange:
		return "the text is unlike all that it learned from"
	}
	return ""
}

// rejected asks the verifiers, where they judge what the student says.
func (e *exam) rejected(ctx context.Context, input, said string) bool {
	if !e.verified() {
		return false
	}
	pass, _, err := verify.Grade(ctx, skill.Case{Input: input, Gold: skill.Gold{Verified: true}}, []string{"verified"}, said, e.Verifiers)
	e.err = cmp.Or(e.err, err)
	return !pass
}

// find tests thresholds, from the safest on, until one does not hold. Which are
// tested, and in which order, follows from the training alone, so that all those
// that held are shown together, at the confidence of a single test. Of them one is
// taken that leaves the audits room.
func (e *exam) find(steps []student.Step) {
	confidence := e.Skill.Rubric.Bar.Confidence
	e.steps = FromSafest(steps, len(e.answers), confidence)
	holds := func(i int, confidence float64) bool {
		return evidence.MeanLowerBound(e.shown(e.steps[i].Confidence), confidence) >= e.level()
	}
	held := evidence.InSequence(len(e.steps), func(i int) bool { return holds(i, confidence) })
	if held > 0 {
		e.found = &e.steps[evidence.WithRoom(held, confidence, holds)]
	}
}

// FromSafest leaves out the steps before the one that would have the highest lower
// bound with n answers if these were like the training's: above it there are too
// few to show anything.
func FromSafest(steps []student.Step, n int, confidence float64) []student.Step {
	best, top := 0, 0.0
	for i, s := range steps {
		covered := s.Coverage * float64(n)
		if b := evidence.LowerBound(int(covered*s.Agreement), int(covered), confidence); b > top {
			best, top = i, b
		}
	}
	return steps[best:]
}

// level is what the mean of what is shown must reach, as in [evidence.Warrant].
func (e *exam) level() float64 {
	w := evidence.Warrant{Pass: e.Skill.Rubric.Bar.Pass, Margin: e.Skill.Rubric.Bar.Margin}
	return w.Level()
}

// A reached is what a threshold came to.
type reached struct {
	covered, passed int
	bound           float64 // in terms of level
}

func (e *exam) at(threshold float64) (n reached) {
	for _, a := range e.answers {
		if a.confidence >= threshold {
			n.covered++
			if a.right {
				n.passed++
			}
		}
	}
	n.bound = evidence.MeanLowerBound(e.shown(threshold), e.Skill.Rubric.Bar.Confidence)
	return n
}

// shown are the outcomes of the answers that a threshold covers. With a margin, an
// answer is compared with the reference's, which is taken to be right: where that
// was wrong itself the student is worth more than is said.
func (e *exam) shown(threshold float64) (all []float64) {
	right := 1.0
	if e.Skill.Rubric.Bar.Margin > 0 {
		right = 0.5 // as a difference of 0 is kept; one of −1 is 0
	}
	for _, a := range e.answers {
		switch {
		case a.confidence < threshold:
		case a.right:
			all = append(all, right)
		default:
			all = append(all, 0)
		}
	}
	return all
}

// promised is a bound as people say it: a share, or 1 and a difference from it.
func (e *exam) promised(bound float64) float64 {
	if e.Skill.Rubric.Bar.Margin > 0 {
		return 2 * bound
	}
	return bound
}

// taken is the threshold that was found, 0 if none was, and what it came to; in that
// case what the safest came to.
func (e *exam) taken() (threshold float64, n reached) {
	switch {
	case e.found != nil:
		threshold = e.found.Confidence
		return threshold, e.at(threshold)
	case len(e.steps) > 0:
		return 0, e.at(e.steps[0].Confidence)
	}
	return 0, reached{}
}

// missing says what it would take to show what was not shown.
func (e *exam) missing(r *Result, n reached) {
	bar := e.Skill.Rubric.Bar
	r.Why = fmt.Sprintf("no threshold was shown to be good enough: of the %d answers of which it was surest %d passed, which shows %.1f %%", n.covered, n.passed, 100*e.promised(n.bound))
	switch share := portion(n.passed, n.covered); {
	case n.covered == 0:
		r.Why += "; it is sure of nothing"
	case bar.Margin > 0:
		r.Why += "; more texts may show more"
	case share <= bar.Pass:
		r.Why += ", and their share is not above the bar: it has more to learn, from more texts"
	default:
		r.Missing = evidence.Missing(n.passed, n.covered, bar.Pass, bar.Confidence)
		held := float64(r.Missing) / portion(n.covered, len(e.answers))
		r.More = int(held*parts) + 1
		r.Why += fmt.Sprintf("; %d more like them, all right, would show it: some %d more texts, of which one in %d is held back", r.Missing, r.More, parts)
	}
}

// marks sums up the texts that were held back.
func (e *exam) marks(threshold float64) student.Exam {
	marks, mixups := map[string]*student.Mark{}, map[[2]string]*student.Mixup{}
	out := student.Exam{Threshold: threshold, Marks: []student.Mark{}, Mixups: []student.Mixup{}}
	for _, a := range e.answers {
		if a.graded != nil {
			continue
		}
		if marks[a.label] == nil {
			marks[a.label] = &student.Mark{Label: a.label}
		}
		covers := a.confidence > 0 && a.confidence >= threshold
		tick(&out.Mark, a.right, covers)
		tick(marks[a.label], a.right, covers)
		if pair := [2]string{a.label, a.said}; a.label != a.said {
			if mixups[pair] == nil {
				mixups[pair] = &student.Mixup{Right: a.label, Said: a.said}
			}
			mixups[pair].Times++
			if covers {
				mixups[pair].Covered++
			}
		}
	}
	for _, label := range slices.Sorted(maps.Keys(marks)) {
		out.Marks = append(out.Marks, *marks[label])
	}
	for _, m := range mixups {
		out.Mixups = append(out.Mixups, *m)
	}
	slices.SortFunc(out.Mixups, func(a, b student.Mixup) int {
		return cmp.Or(cmp.Compare(b.Times, a.Times), cmp.Compare(a.Right, b.Right), cmp.Compare(a.Said, b.Said))
	})
	out.Mixups = out.Mixups[:min(len(out.Mixups), mostMixups)]
	return out
}

// mostMixups is how many are kept with a student.
const mostMixups = 50

func tick(m *student.Mark, right, covered bool) {
	m.Asked++
	if right {
		m.Right++
	}
	if covered {
		m.Covered++
		if right {
			m.Agreed++
		}
	}
}

// outcomes are the cases' grades, as everybody else's who is asked them.
func (e *exam) outcomes(m starling.Model, now time.Time) (all []evidence.Outcome) {
	unit := e.Skill.Unit(m)
	for _, a := range e.answers {
		if a.graded == nil {
			continue
		}
		o := evidence.Outcome{
			Time: now, Skill: e.Skill.Name, Rubric: e.Skill.Hash, Candidate: unit, Model: m.ID(), Case: a.graded.ID, Digest: a.graded.Digest(),
			Why: a.graded.why, Rejected: a.graded.rejected, Confidence: a.graded.confidence, Took: a.graded.took, Source: evidence.FromCase, Simulated: e.simulated(),
		}
		if a.right {
			o.Grade = 1
		}
		all = append(all, o)
	}
	return all
}
