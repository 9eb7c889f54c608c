package route

import (
	"context"
	_ "embed"
	"fmt"
	"hash/fnv"
	"strings"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
	"starling/internal/student"
	"starling/internal/wire"
)

// Identify returns the skill of a request, nil if it has none, and how it was found
// if nobody named it: by a system prompt that is a skill's own, else by what was
// said, where that is clear enough. A skill that was found so is a guess, and may
// only make things stricter. Errors are those of [Router.Skill].
func (r *Router) Identify(req *starling.Request) (s *skill.Skill, how string, err error) {
	if s, err = r.Skill(req); s != nil || err != nil || req.Model != Auto {
		return s, "", err
	}
	s, how = r.Guess(req)
	return s, how, nil
}

// ByPrompt is how a skill was found whose own prompt is the request's: no guess.
const ByPrompt = "skill from its system prompt"

// Guess is Identify for a request that names no skill, whichever model it names.
func (r *Router) Guess(req *starling.Request) (s *skill.Skill, how string) {
	o := wire.OutlineOf(req)
	var system []string
	for _, content := range o.System {
		system = append(system, wire.Text(content))
	}
	if s, ok := r.Skills.ByPrompt(strings.Join(system, "\n")); ok {
		return s, ByPrompt
	}
	return r.recognise(&o)
}

// recognise asks the recogniser about what the user said last. The first to ask
// for it has one made.
func (r *Router) recognise(o *wire.Outline) (*skill.Skill, string) {
	if r.Insight == nil {
		return nil, ""
	}
	r.Insight.wanted.Store(true)
	known := r.Insight.skills.Load()
	if known == nil || len(o.Last) == 0 || len(o.Last) > longestPrompt {
		return nil, ""
	}
	name, sure := known.Name(wire.Text(o.Last))
	s, ok := r.Skills.Find(name)
	if !ok || s.Cases != known.cases[name] {
		return nil, ""
	}
	return s, fmt.Sprintf("skill recognised (%.2f)", sure)
}

// A Recogniser tells which skill a message is for, or that it does not know. It is
// immutable and safe for concurrent use.
type Recogniser struct {
	student   *student.Student
	cases     map[string]string // hash of the cases that it learned from, by skill
	Threshold float64           // from which confidence on it is right often enough; above 1 never
	Tested    int               // messages that it had not learned from, and was tested on
	Answered  int               // of them, those that it named a skill for
	Right     int               // of those, rightly
}

const (
	// rightly is the share of messages that a recogniser has to name the right
	// skill for, of those for which it names any, at this confidence.
	rightly   = 0.95
	certainly = 0.95
	// thresholds are tried one after the other, from the safest.
	thresholds = 12
	// leastTested messages show so much even if one of them is named wrongly.
	leastTested = 93
)

// elsewhere holds messages that no skill is for, one a line: questions such as
// people ask assistants. They teach a recogniser to say so.
//
//go:embed elsewhere.txt
var elsewhere string

// LearnSkills makes a recogniser of the cases of all skills. It learns from most of
// them, and tests on the rest from which confidence on it may be believed: in a
// fixed sequence, from the safest on, which was chosen on what it learned from.
//
// Errors: Invalid for skills that nothing can be learned from, and Cancelled.
func LearnSkills(ctx context.Context, past []Past) (*Recogniser, error) {
	r := &Recogniser{cases: map[string]string{}, Threshold: 2}
	var learn, test []student.Example
	take := func(e student.Example) {
		if strings.TrimSpace(e.Text) == "" {
			return
		}
		h := fnv.New64a()
		_, _ = h.Write([]byte(e.Text))
		if h.Sum64()%5 < 3 {
			learn = append(learn, e)
		} else {
			test = append(test, e)
		}
	}
	for _, p := range past {
		r.cases[p.Skill.Name] = p.Skill.Cases
		for _, c := range p.Cases {
			take(student.Example{Text: c.Input, Label: p.Skill.Name})
		}
	}
	for line := range strings.Lines(elsewhere) {
		take(student.Example{Text: strings.TrimSpace(line)})
	}
	taught, err := student.Train(ctx, learn, student.Options{})
	if err != nil {
		return nil, err
	}
	r.student = taught
	r.examine(test)
	return r, nil
}

// examine sets the threshold, if the test shows one.
func (r *Recogniser) examine(test []student.Example) {
	var steps []student.Step
	for _, s := range r.student.Steps() {
		if s.Coverage*float64(len(test)) >= leastTested {
			steps = append(steps, s)
		}
	}
	if len(steps) > thresholds { // evenly, and the safest first
		some := make([]student.Step, thresholds)
		for i := range some {
			some[i] = steps[i*(len(steps)-1)/(thresholds-1)]
		}
		steps = some
	}
	r.Tested = len(test)
	held := evidence.InSequence(len(steps), func(i int) bool {
		answered, right := r.ask(test, steps[i].Confidence)
		return evidence.LowerBound(right, answered, certainly) >= rightly
	})
	if held > 0 {
		r.Threshold = steps[held-1].Confidence
		r.Answered, r.Right = r.ask(test, r.Threshold)
	}
}

func (r *Recogniser) ask(test []student.Example, threshold float64) (answered, right int) {
	for _, e := range test {
		p := r.student.Predict(e.Text)
		if p.Label == "" || p.Confidence < threshold {
			continue
		}
		if answered++; p.Label == e.Label {
			right++
		}
	}
	return answered, right
}

// Name returns the skill that a message is for, "" if that is not clear, and how
// likely it is.
func (r *Recogniser) Name(message string) (name string, sure float64) {
	p := r.student.Predict(message)
	if p.Confidence < r.Threshold {
		return "", p.Confidence
	}
	return p.Label, p.Confidence
}
