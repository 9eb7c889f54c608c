// Package verify judges whether an answer is good enough to be seen: by its label,
// its shape, its patterns, its arithmetic, none of which needs a model; and by
// asking one, again in other words or for its opinion. Off line it also grades an
// answer against what is known to be right ([Grade]).
//
// A verifier is no proof: an answer that it accepts can still be wrong. It reads
// no more than it is asked to, its work is bounded whatever an answer holds, and
// its verdict names the rule that failed, never a word of the answer.
//
// Those that ask ([starling.AskingVerifier], asking.go) never call anybody
// themselves: they are handed who asks for them, and keeps to zones and budgets.
//
// One file holds one kind: label.go, schema.go, pattern.go, arithmetic.go,
// agreement.go, judge.go. Start reading at [New]; a new kind is a file, a row in
// kinds or askers, and a line in the test.
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

// kinds lists every kind of verifier that judges by itself.
var kinds = map[string]func(skill.VerifySpec) (rule, error){
	"label":      newLabel,
	"schema":     newSchema,
	"pattern":    newPattern,
	"arithmetic": newArithmetic,
}

// New returns the verifier of that name; one that asks a model reads answers as
// the rubric says. Errors are Invalid: an unknown kind, or a specification that
// skill.Load would not have accepted.
func New(name string, spec skill.VerifySpec, r *skill.Rubric) (starling.Verifier, error) {
	var v starling.Verifier
	var err error
	if open, ok := kinds[spec.Kind]; ok {
		own := &verifier{name: name}
		own.rule, err = open(spec)
		v = own
	} else if open, ok := askers[spec.Kind]; ok {
		own := &asking{name: name}
		own.opinion, err = open(spec, r)
		v = own
	} else {
		return nil, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("verifier %s: kind %q", name, spec.Kind), Hint: "use label, schema, pattern, arithmetic, agreement or judge"}
	}
	if err != nil {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "verifier " + name, Err: err}
	}
	return v, nil
}

// ForSkill returns the verifiers of a skill in the order in which they are asked:
// those that judge by themselves, as they cost nothing, and then those that ask a
// model, both in the rubric's order. Each is named by its kind; where a kind is
// there several times, by kind and number in the rubric: "pattern-2". Errors are
// Invalid.
func ForSkill(s *skill.Skill) ([]starling.Verifier, error) {
	count := map[string]int{}
	for _, spec := range s.Rubric.Verify {
		count[spec.Kind]++
	}
	seen := map[string]int{}
	var free, dear []starling.Verifier
	for _, spec := range s.Rubric.Verify {
		name := spec.Kind
		if count[name] > 1 {
			seen[name]++
			name = fmt.Sprintf("%s-%d", name, seen[name])
		}
		v, err := New(name, spec, &s.Rubric)
		if err != nil {
			return nil, err
		}
		if spec.Asks() {
			dear = append(dear, v)
		} else {
			free = append(free, v)
		}
	}
	return append(free, dear...), nil
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
	op := "verifier " + v.name
	verdict, done, err := begin(ctx, v.name, a)
	if done || err != nil {
		return verdict, err
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

// begin judges what every verifier judges alike: done reports that the verdict is
// there already.
func begin(ctx context.Context, name string, a *starling.Answer) (verdict starling.Verdict, done bool, err error) {
	verdict = starling.Verdict{Verifier: name}
	op := "verifier " + name
	switch {
	case ctx.Err() != nil:
		return verdict, false, &starling.Error{Kind: starling.Cancelled, Op: op, Err: ctx.Err()}
	case strings.TrimSpace(a.Text) == "":
		verdict.Why = "the answer is empty"
		return verdict, true, nil
	case len(a.Text) > maxAnswer:
		return verdict, false, &starling.Error{Kind: starling.TooLarge, Op: op, Err: fmt.Errorf("the answer has more than %d bytes", maxAnswer)}
	}
	return verdict, false, nil
}
