package verify

import (
	"context"
	"slices"
	"strings"

	"starling"
	"starling/internal/skill"
	"starling/internal/wire"
)

// An agreement accepts an answer that comes again when the question is asked in
// other words. A mistake that hangs on how the instruction was put does not
// repeat; drawing from one prompt again would show no more than how it scatters.
type agreement struct {
	prompt, model string
	reader        label    // how a label is read
	json          document // how JSON is read
	ways          []func(*agreement, string, string) string
}

// agreeing are those ways to grade in which two answers can be compared, too.
var agreeing = map[string]func(*agreement, string, string) string{
	"label":  (*agreement).labels,
	"json":   (*agreement).values,
	"number": (*agreement).numbers,
}

func newAgreement(spec skill.VerifySpec, r *skill.Rubric) (opinion, error) {
	if strings.TrimSpace(spec.Prompt) == "" {
		return nil, fault("there are no other words to ask in")
	}
	a := &agreement{prompt: spec.Prompt, model: spec.Model}
	if i := slices.IndexFunc(r.Verify, func(v skill.VerifySpec) bool { return v.Kind == "label" }); i >= 0 {
		l := r.Verify[i]
		a.reader = label{document: document{fence: l.Fence}, fold: l.Fold, at: l.At}
	}
	a.json.fence = slices.ContainsFunc(r.Verify, func(v skill.VerifySpec) bool { return v.Fence })
	for _, way := range r.Grade {
		if compare := agreeing[way]; compare != nil {
			a.ways = append(a.ways, compare)
		}
	}
	if len(a.ways) == 0 {
		a.ways = append(a.ways, (*agreement).texts)
	}
	return a, nil
}

func (a *agreement) judge(ctx context.Context, q question, ask starling.Asker) (string, starling.Money, error) {
	again, err := wire.Reword(q.request, a.prompt)
	if err != nil {
		return "", 0, err
	}
	other, cost, err := ask.Ask(ctx, a.model, &again)
	if err != nil {
		return "", cost, err
	}
	for _, compare := range a.ways {
		if why := compare(a, q.text, other.Text); why != "" {
			return "asked in other words: " + why, cost, nil
		}
	}
	return "", cost, nil
}

func (a *agreement) labels(one, other string) string {
	x, why := a.reader.of(one)
	y, also := a.reader.of(other)
	switch {
	case why+also != "":
		return "a label cannot be read"
	case !a.reader.same(x, y):
		return "the label is another"
	}
	return ""
}

func (a *agreement) values(one, other string) string {
	x, _, why := a.json.read(one)
	y, _, also := a.json.read(other)
	switch {
	case why+also != "":
		return "an answer is not one JSON value and nothing else"
	case !covers(x, y) || !covers(y, x):
		return "the JSON differs"
	}
	return ""
}

func (a *agreement) numbers(one, other string) string {
	x, ok := lastNumber(one)
	y, also := lastNumber(other)
	switch {
	case !ok || !also:
		return "an answer has no number"
	case x.Cmp(y) != 0:
		return "the last number is another"
	}
	return ""
}

// texts compares without regard to case and space.
func (a *agreement) texts(one, other string) string {
	if !slices.EqualFunc(strings.Fields(one), strings.Fields(other), strings.EqualFold) {
		return "the text is another"
	}
	return ""
}
