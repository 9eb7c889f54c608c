// Package verify judges whether an answer is good enough to be seen, in ways that
// need no model: its label, its shape, its patterns, its arithmetic. Off line it
// also grades an answer against what is known to be right ([Grade]).
//
// A verifier is no proof: an answer that it accepts can still be wrong. It reads
// no more than it is asked to, its work is bounded whatever an answer holds, and
// its verdict names the rule that failed, never a word of the answer.
//
// One file holds one kind: label.go, schema.go, pattern.go, arithmetic.go. Start
// reading at [New]; a new kind is a file, a row in kinds, and a line in the test.
package verify

import (
	"context"
	"fmt"
	"strings"

	"starling"
	"starling/internal/skill"
)

// A rule is what one kind of verifier demands. The answer that it judges is not
// blank. Why is "" if it accepts.
type rule interface {
	judge(ctx context.Context, q question) (why string, err error)
}

// A question is an answer with the request it answers.
type question struct {
	request *starling.Request
	text    string
}

// kinds lists every kind of verifier.
var kinds = map[string]func(skill.VerifySpec) (rule, error){
	"label":      newLabel,
	"schema":     newSchema,
	"pattern":    newPattern,
	"arithmetic": newArithmetic,
}

// New returns the verifier of that name. Errors are Invalid: an unknown kind, or
// a specification that skill.Load would not have accepted.
func New(name string, spec skill.VerifySpec) (starling.Verifier, error) {
	open, ok := kinds[spec.Kind]
	if !ok {
		return nil, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("verifier %s: kind %q", name, spec.Kind), Hint: "use label, schema, pattern or arithmetic"}
	}
	r, err := open(spec)
	if err != nil {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "verifier " + name, Err: err}
	}
	return &verifier{name: name, rule: r}, nil
}

// ForSkill returns the verifiers of a skill in the rubric's order, each named by
// its kind; where a kind is there several times, by kind and number: "pattern-2".
// Errors are Invalid.
func ForSkill(s *skill.Skill) ([]starling.Verifier, error) {
	count := map[string]int{}
	for _, spec := range s.Rubric.Verify {
		count[spec.Kind]++
	}
	seen := map[string]int{}
	var all []starling.Verifier
	for _, spec := range s.Rubric.Verify {
		name := spec.Kind
		if count[name] > 1 {
			seen[name]++
			name = fmt.Sprintf("%s-%d", name, seen[name])
		}
		v, err := New(name, spec)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// A verifier is a rule with what all rules have in common. It is immutable.
type verifier struct {
	name string
	rule rule
}

func (v *verifier) Name() string { return v.name }

// maxAnswer is the longest answer in bytes that is judged.
const maxAnswer = 4 << 20

// Verify implements [starling.Verifier]. Errors: Cancelled when ctx ended,
// TooLarge for an answer that is too long to judge, Internal.
func (v *verifier) Verify(ctx context.Context, r *starling.Request, a *starling.Answer) (starling.Verdict, error) {
	verdict := starling.Verdict{Verifier: v.name}
	op := "verifier " + v.name
	if err := ctx.Err(); err != nil {
		return verdict, &starling.Error{Kind: starling.Cancelled, Op: op, Err: err}
	}
	if strings.TrimSpace(a.Text) == "" {
		verdict.Why = "the answer is empty"
		return verdict, nil
	}
	if len(a.Text) > maxAnswer {
		return verdict, &starling.Error{Kind: starling.TooLarge, Op: op, Err: fmt.Errorf("the answer has more than %d bytes", maxAnswer)}
	}
	why, err := v.rule.judge(ctx, question{request: r, text: a.Text})
	switch {
	case ctx.Err() != nil:
		return verdict, &starling.Error{Kind: starling.Cancelled, Op: op, Err: ctx.Err()}
	case err != nil:
		return verdict, &starling.Error{Kind: starling.Internal, Op: op, Err: err}
	}
	verdict.Why, verdict.Accept = why, why == ""
	return verdict, nil
}
