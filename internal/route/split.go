package route

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"

	"starling"
	"starling/internal/skill"
	"starling/internal/split"
)

// secondReader is how often what a reader reports is expected not to hold, so that the
// next one reads the chunk, or nobody has. It is an assumption.
const secondReader = 0.1

// wish checks what the caller says about reading documents in parts. Errors are Invalid.
func (p *planning) wish() error {
	switch {
	case !p.asksToSplit():
		return nil
	case p.skill == nil:
		return &starling.Error{Kind: starling.Invalid, Op: "a split without a skill", Hint: "who reads the parts of a document is what a skill says: name one, or leave X-Starling-Split (--split of starling ask) out"}
	case !strings.HasPrefix(p.req.Model, Prefix):
		return &starling.Error{Kind: starling.Invalid, Op: "a model and a split", Hint: "who names a model is given that one, with all that was sent: name the skill instead, or leave X-Starling-Split (--split of starling ask) out"}
	}
	return nil
}

func (p *planning) asksToSplit() bool { return p.req.Split != nil && *p.req.Split }

// split puts a candidate in front of the ladder who answers from what others find in the
// documents, where the rubric or the caller wants that and it is expected to cost less
// than to send everything. Why not, the rule says, unless nobody would have expected it.
func (p *planning) split(ladder []skill.Candidate) {
	asked := p.asksToSplit()
	if p.bare || !asked && (p.req.Split != nil || p.skill.Rubric.Split == nil) {
		return
	}
	c, err := p.splitter(ladder)
	switch {
	case err == nil:
		p.Candidates = append([]starling.Candidate{*c}, p.Candidates...)
		p.Expected = p.expected()
	case asked || !errors.Is(err, split.ErrNone):
		p.Rule += "; not split: " + unhinted(err)
	}
}

// unhinted is an error's text without its advice.
func unhinted(err error) string {
	if e, ok := errors.AsType[*starling.Error](err); ok {
		bare := *e
		bare.Hint = ""
		return bare.Error()
	}
	return err.Error()
}

// splitter makes the candidate: the reference, or the last of the ladder, with the
// rubric's readers. The error says why there is none.
func (p *planning) splitter(ladder []skill.Candidate) (*starling.Candidate, error) {
	if why := p.unsplittable(); why != "" {
		return nil, &starling.Error{Kind: starling.Invalid, Op: why}
	}
	w, err := p.Cut(p.req, p.skill)
	if err != nil {
		return nil, err
	}
	strong, err := p.strong(ladder)
	if err != nil {
		return nil, err
	}
	f, err := p.foot(w, strong)
	if err != nil {
		return nil, err
	}
	c := p.answersFrom(w, strong, f)
	switch {
	case sendable(w, strong) && c.Expected >= c.Split.Whole:
		return nil, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("a plan, %d readings or more and an answer are expected to cost %s, to send everything %s", w.ReadingsFor(1), c.Expected, c.Split.Whole)}
	case p.Limit > 0 && c.Worst > p.Limit:
		why := fmt.Sprintf("split it may cost %s, %s allows %s a request", c.Worst, p.limits(), p.Limit)
		p.leave(strong.ID(), starling.OverBudget, why)
		return nil, &starling.Error{Kind: starling.OverBudget, Op: why}
	}
	return c, p.below(c)
}

// sendable reports whether the documents may fit the window of who answers: of what does
// not, no split is too dear.
func sendable(w *split.Work, strong starling.Model) bool {
	return strong.Context == 0 || w.Tokens < strong.Context
}

// Pays looks again at what a split is expected to cost, now that its plan says what is
// read: OverBudget if the readings and the answer are expected to cost no less than to
// send everything. What the plan has cost is spent either way.
func (r *Router) Pays(req *starling.Request, c *starling.Candidate, w *split.Work, p *split.Plan) error {
	if !sendable(w, c.Model) {
		return nil
	}
	readers := make([]starling.Model, 0, len(c.Split.Readers))
	for _, id := range c.Split.Readers {
		if m, ok := r.Directory.Find(id); ok {
			readers = append(readers, r.present(m))
		}
	}
	due := p.Readings(w)
	var read starling.Money
	for _, d := range due {
		ask, err := w.ReadRequest(p.Jobs[d.Job].Ask, d.Chunk)
		if err != nil {
			return err
		}
		read = read.Plus(r.reading(readers, c.Model.Expect(&ask).Input))
	}
	answer := expected(c.Model, w.Expect(c.Model.Expect(req), int64(len(due))))
	if cost := read.Plus(answers(len(due), len(readers), answer, c.Split.Whole)); cost >= c.Split.Whole {
		return &starling.Error{Kind: starling.OverBudget, Op: fmt.Sprintf("%d readings and an answer are expected to cost %s, to send everything %s", len(due), cost, c.Split.Whole)}
	}
	return nil
}

// reading is what it should cost to have a chunk of so many tokens read, all around it
// included: by the first reader, and as often as that is expected by those who follow.
func (r *Router) reading(readers []starling.Model, tokens int64) (cost starling.Money) {
	often := 1.0
	for _, m := range readers {
		u := starling.Usage{Input: tokens, Output: r.Reports.usual(m.ID())}
		cost = cost.Plus(starling.Money(often * float64(expected(m, u))))
		often *= secondReader
	}
	return cost
}

// answers is what an answer should cost after so many readings: one from the findings,
// but of everything where too many of the readings fail.
func answers(readings, readers int, found, whole starling.Money) starling.Money {
	fails := failing(readings, math.Pow(secondReader, float64(readers)))
	return starling.Money((1-fails)*float64(found) + fails*float64(whole))
}

// failing is how likely more readings fail than may, if each does as often as given: the
// upper tail of a binomial distribution.
func failing(readings int, each float64) float64 {
	n := float64(readings)
	exactly, within := math.Pow(1-each, n), 0.0
	for k := 0.0; k <= split.MostUnread*n; k++ {
		within += exactly
		exactly *= (n - k) / (k + 1) * each / (1 - each)
	}
	return max(0, 1-within)
}

// below says that audits have shown that such answers are not good enough, nil if they
// have not. Until then they are trusted as those of who gives them are.
func (p *planning) below(c *starling.Candidate) error {
	bar := p.skill.Rubric.Bar
	s := p.Board.Standing(p.skill.Name, p.skill.Hash, c.Unit)
	if most := s.Most(cmp.Or(bar.Confidence, usualConfidence)); bar.Pass > 0 && most < bar.Pass {
		return &starling.Error{Kind: starling.Unproven, Op: fmt.Sprintf("its cases show that at most %.1f %% of such answers pass, and the bar is %.4g %%", 100*most, 100*bar.Pass)}
	}
	return nil
}

// unsplittable says why a request is not split whatever its documents are, "" if it may be.
func (p *planning) unsplittable() string {
	switch {
	case p.req.Dialect.Wants() != "":
		return "it asks for no answer in words"
	case p.req.Choices > 1:
		return "several choices are asked for"
	case p.req.Tools > 0:
		return "it offers tools"
	case p.req.Bar > 0:
		return fmt.Sprintf("the caller asks for %.4g %%, and nothing was shown of answers from findings", 100*p.req.Bar)
	}
	return ""
}

// Cut cuts the documents of a request as the skill's rubric says: always alike. Errors
// are those of [split.Of].
func (r *Router) Cut(req *starling.Request, s *skill.Skill) (*split.Work, error) {
	o := s.Rubric.Filled()
	return split.Of(req, split.Options{Chunk: o.Chunk, Overlap: o.Overlap, Least: o.Least, Most: o.Most, Alone: s.Rubric.Split != nil})
}

// strong returns who plans and answers.
func (p *planning) strong(ladder []skill.Candidate) (starling.Model, error) {
	if p.Reference != nil {
		return p.present(*p.Reference), nil
	}
	last := ladder[len(ladder)-1].Model
	m, ok := p.Directory.Find(Named(p.skill.Name, last))
	if !ok || m.Student {
		return m, &starling.Error{Kind: starling.NotFound, Op: "nobody plans it: " + clip(last) + " is not there, or a student"}
	}
	return p.present(m), nil
}

// present is the model as it stands now.
func (r *Router) present(m starling.Model) starling.Model {
	if r.Now != nil {
		return r.Now(m)
	}
	return m
}

// A footing is what the steps of a split may cost at worst, and who takes them.
type footing struct {
	plan    starling.Request
	read    starling.Request // the longest
	planner starling.Candidate
	answer  starling.Candidate
	readers []starling.Candidate
}

// foot plans each step as if it were asked for alone, so zone, window, price and bounds
// are looked at as those of every request are.
func (p *planning) foot(w *split.Work, strong starling.Model) (f footing, err error) {
	if f.plan, err = w.PlanRequest(); err != nil {
		return f, err
	}
	if f.read, err = w.LongestRead(); err != nil {
		return f, err
	}
	stand, err := w.Stand()
	if err != nil {
		return f, err
	}
	stand.Budget, stand.Split = 0, nil
	planned, err := p.Part(&f.plan, p.screen, []string{strong.ID()}, "plan", "")
	if err != nil {
		return f, err
	}
	answered, err := p.Part(&stand, p.screen, []string{strong.ID()}, "answer", "")
	if err != nil {
		return f, err
	}
	read, err := p.Part(&f.read, p.screen, p.readers(strong), "read", "")
	for _, l := range read.Left {
		p.leave(l.Model, l.Kind, "as a reader: "+l.Why)
	}
	if err != nil {
		return f, err
	}
	f.planner, f.answer, f.readers = planned.Candidates[0], answered.Candidates[0], read.Candidates
	return f, nil
}

// readers names who may read a chunk. The strong one would gain nothing, and students
// give labels.
func (p *planning) readers(strong starling.Model) (ids []string) {
	for _, name := range p.skill.Rubric.Filled().Readers {
		m, ok := p.Directory.Find(name)
		switch {
		case !ok:
			p.leave(name, starling.NotFound, "as a reader: no provider offers it: "+p.Directory.hint(name))
		case m.ID() != strong.ID() && !m.Student:
			ids = append(ids, m.ID())
		}
	}
	return ids
}

// Part plans for an exchange that is made for another: the models, "provider/name", in
// order, each as if it had been named by the caller, and each judged by the named
// verifier. The rule is for people. The error, where none of them may be asked, is that
// of the last.
func (r *Router) Part(req *starling.Request, screen starling.Screen, models []string, verifier, rule string) (starling.Plan, error) {
	plan := starling.Plan{Rule: rule}
	var err error = &starling.Error{Kind: starling.NotFound, Op: "there is nobody to " + verifier}
	for _, id := range models {
		own := *req
		own.Model = id
		one, failed := r.Plan(&own, screen, nil)
		plan.Left = append(plan.Left, one.Left...)
		if failed != nil {
			err = failed
			continue
		}
		c := one.Candidates[0]
		c.Verify, c.Basis, c.Why = []string{verifier}, "not needed: nobody chooses", "as the plan of the whole says"
		plan.Candidates = append(plan.Candidates, c)
	}
	if len(plan.Candidates) == 0 {
		return plan, err
	}
	plan.Expected = plan.Candidates[0].Expected
	return plan, nil
}

// answersFrom is the candidate who answers from what the readers find, at what that
// should cost and at most. How many things will be looked for nobody knows before there is
// a plan: it is taken to be one as often as two.
func (p *planning) answersFrom(w *split.Work, strong starling.Model, f footing) *starling.Candidate {
	whole := strong.Expect(p.req)
	s := &starling.Split{Chunks: int64(len(w.Chunks)), Readings: w.MostReadings(), Tokens: w.Tokens, Answer: f.answer.Worst, Whole: expected(strong, whole)}
	planned := starling.Usage{Input: strong.Expect(&f.plan).Input, Output: split.UsualPlan}
	c := &starling.Candidate{Model: strong, Split: s, Worst: f.planner.Worst.Plus(f.answer.Worst)}
	var readers []starling.Model
	for _, r := range f.readers {
		readers, s.Readers = append(readers, r.Model), append(s.Readers, r.Model.ID())
		c.Worst = c.Worst.Plus(r.Worst.Times(s.Readings))
	}
	once := p.reading(readers, w.UsualRead(&f.read))
	after := func(jobs int64) starling.Money { // what is to be paid after a plan of so many
		n := w.ReadingsFor(jobs)
		return once.Times(n).Plus(answers(int(n), len(readers), expected(strong, w.Expect(whole, n)), s.Whole))
	}
	several := after(2)
	if sendable(w, strong) {
		several = min(several, s.Whole) // where it would not pay, [Router.Pays] has everything sent
	}
	c.Expected = expected(strong, planned).Plus(after(1).Plus(several) / 2)
	if !p.unjudged(p.skill, strong) {
		for _, v := range p.Verifiers[p.skill.Name] {
			c.Verify = append(c.Verify, v.Name())
		}
	}
	c.Unit = p.splitUnit(strong, f.readers)
	p.weigh(c)
	c.Why = fmt.Sprintf("split: %s answers from what %s find in %d chunks, expected to cost %s where sending everything costs %s", strong.ID(), strings.Join(s.Readers, ", then "), s.Chunks, c.Expected, s.Whole)
	if len(c.Verify) > 0 {
		c.Why += "; verified by " + strings.Join(c.Verify, ", ")
	}
	return c
}

// splitUnit names the whole that answers: another than the strong model alone, whose
// evidence it is not.
func (p *planning) splitUnit(strong starling.Model, readers []starling.Candidate) string {
	o := p.skill.Rubric.Filled()
	text := fmt.Sprintf("split 2 %s %d %d", p.skill.Unit(strong), o.Chunk, o.Overlap)
	for i := range readers {
		text += " " + p.skill.Unit(readers[i].Model)
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}
