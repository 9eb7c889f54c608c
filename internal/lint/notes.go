package lint

import (
	"fmt"
	"reflect"
	"regexp/syntax"
	"slices"
	"strconv"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
	"starling/internal/strict"
)

// note says something of the value at a path in the rubric.
func (l *linter) note(text, hint string, at ...string) { l.add(Note, l.doc.Problem(at, text, hint)) }

// rubric notes what is served and may yet not be meant.
func (l *linter) rubric() {
	r := &l.skill.Rubric
	l.names(r)
	l.class(r)
	l.bar(r.Bar)
	l.rules(r.Rules)
	l.verify(r)
	if r.Reference == "" && r.Audit > 0 {
		l.note("nobody is audited: there is no reference to ask", "name one under reference", "audit")
	}
	if r.Reference == "" && r.Keep {
		l.note("nothing is kept: there is no reference to learn from", "name one under reference", "keep")
	}
}

// names looks up every model that the rubric names.
func (l *linter) names(r *skill.Rubric) {
	if l.world.Offers == nil {
		return
	}
	l.candidates(r.Candidates, "candidates")
	for i, rule := range r.Rules {
		l.candidates(rule.Candidates, "rules", strconv.Itoa(i), "candidates")
	}
	for i, v := range r.Verify {
		l.offered(v.Model, "verify", strconv.Itoa(i), "model")
	}
	if r.Split != nil {
		for i, reader := range r.Split.Readers {
			l.offered(reader, "split", "readers", strconv.Itoa(i))
		}
	}
	l.offered(r.Reference, "reference")
}

func (l *linter) candidates(all []skill.Candidate, at ...string) {
	for i, c := range all {
		l.offered(c.Model, append(at[:len(at):len(at)], strconv.Itoa(i), "model")...)
	}
}

func (l *linter) offered(model string, at ...string) {
	if model == "" || model == starling.StudentName || l.world.Offers(model) {
		return
	}
	l.note(fmt.Sprintf("nobody offers %q", model), nearest(model, l.world.Models, "give it a model under models in the configuration"), at...)
}

func nearest(word string, known []string, otherwise string) string {
	if near := strict.Nearest(word, known); len(near) > 0 {
		return fmt.Sprintf("did you mean %q?", near[0])
	}
	return otherwise
}

func (l *linter) class(r *skill.Rubric) {
	if class := string(r.Class); class != "" && l.world.Classes != nil && !slices.Contains(l.world.Classes, class) {
		l.note(fmt.Sprintf("there is no class %q, so every request is refused", class), nearest(class, l.world.Classes, "add it under classes in the configuration"), "class")
	}
}

// bar notes that the cases cannot show what the bar demands, whoever answers.
func (l *linter) bar(b skill.Bar) {
	needs := Needs(b, 0)
	switch more := Needs(b, l.Cases); {
	case l.Cases == 0 && !b.Set():
		l.note("there are no cases: nothing shows what the skill claims", "add cases.jsonl")
	case l.Cases == 0 && needs != evidence.Never:
		l.note("there are no cases: nothing shows what the skill claims", fmt.Sprintf("add cases.jsonl; %s", enough(b, needs)), "bar")
	case more == evidence.Never:
		l.note("no number of cases shows this", "lower it", "bar", which(b))
	case more > 0:
		l.note("the cases are too few to show this", fmt.Sprintf("add %d; %s", more, enough(b, needs)), "bar", which(b))
	}
}

func which(b skill.Bar) string {
	if b.Margin > 0 {
		return "margin"
	}
	return "pass"
}

func enough(b skill.Bar, cases int) string {
	if b.Margin > 0 {
		return fmt.Sprintf("%d show it where each is answered as well as by the reference", cases)
	}
	return fmt.Sprintf("%d without a mistake show it", cases)
}

// Needs returns how many more cases it takes at least until somebody can be shown to
// reach the bar, where so many are there and all are answered well: without a mistake,
// or, for a margin, each as well as by the reference. It is 0 without a bar, and
// [evidence.Never] where no number is enough.
func Needs(b skill.Bar, cases int) int {
	switch {
	case !b.Set():
		return 0
	case b.Margin > 0:
		return evidence.MissingTies(slices.Repeat([]float64{0.5}, cases), b.Margin, b.Confidence)
	}
	return evidence.Missing(cases, cases, b.Pass, b.Confidence)
}

// rules notes the rules that decide nothing.
func (l *linter) rules(rules []skill.Rule) {
	ends := 0                  // the first that holds for every request, from 1; 0 none
	before := map[string]int{} // conditions, by the rule that has them first, from 1
	for i := range rules {
		at := []string{"rules", strconv.Itoa(i), "when"}
		holds, constant := rules[i].Constant()
		first := before[rules[i].When]
		switch {
		case ends > 0:
			l.note(fmt.Sprintf("no request reaches this rule: rule %d holds for all", ends), "put it before that one, or remove it", at...)
		case first > 0:
			l.note(fmt.Sprintf("no request reaches this rule: rule %d has the same condition", first), "remove one of them", at...)
		case constant && !holds:
			l.note("this holds for no request", "remove the rule, or mend its condition", at...)
		case constant:
			ends = i + 1
		}
		if first == 0 {
			before[rules[i].When] = i + 1
		}
	}
}

// verify notes the verifiers, and parts of them, that change nothing.
func (l *linter) verify(r *skill.Rubric) {
	if len(r.Verify) > 0 && skipped(r) {
		l.note("no answer is verified: every candidate has skip_verify", "remove it from those whose answers are to be held back", "verify")
	}
	for i := range r.Verify {
		v, at := &r.Verify[i], []string{"verify", strconv.Itoa(i)}
		for j := range r.Verify[:i] {
			if same(v, &r.Verify[j]) {
				l.note(fmt.Sprintf("verifier %d says the same", j+1), "remove one of them", at...)
			}
		}
		if v.Fence && (v.Kind == "label" && v.At == "" || v.Kind == "arithmetic" && len(v.Sums) == 0) {
			l.note("fence changes nothing: this verifier reads no JSON", "remove it", append(at, "fence")...)
		}
		l.patterns(v.Must, "every answer matches this", append(at, "must")...)
		l.patterns(v.MustNot, "every answer matches this, so none is ever seen", append(at, "must_not")...)
	}
}

func (l *linter) patterns(patterns []string, text string, at ...string) {
	for i, p := range patterns {
		if re, err := syntax.Parse(p, syntax.Perl); err == nil && empty(re) {
			l.note(text, "write what must stand there", append(at[:len(at):len(at)], strconv.Itoa(i))...)
		}
	}
}

// empty reports whether an expression matches no text at all wherever it is put, and
// so a part of every text.
func empty(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpStar, syntax.OpQuest:
		return true
	case syntax.OpCapture, syntax.OpPlus:
		return empty(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min == 0 || empty(re.Sub[0])
	case syntax.OpConcat:
		return !slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return !empty(sub) })
	case syntax.OpAlternate:
		return slices.ContainsFunc(re.Sub, empty)
	}
	return false
}

// skipped reports whether all who may try are seen without being verified.
func skipped(r *skill.Rubric) bool {
	all := r.Candidates
	for _, rule := range r.Rules {
		all = append(all[:len(all):len(all)], rule.Candidates...)
	}
	return !slices.ContainsFunc(all, func(c skill.Candidate) bool { return !c.SkipVerify })
}

// same reports whether two verifiers demand the same. Schemas are compared by their
// files alone.
func same(a, b *skill.VerifySpec) bool {
	x, y := *a, *b
	if x.File != "" && x.File == y.File {
		x.Schema, y.Schema = nil, nil
	}
	return reflect.DeepEqual(x, y)
}
