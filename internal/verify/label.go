package verify

import (
	"context"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"starling/internal/skill"
)

// A label accepts an answer that is one of a few words: the whole text without
// the space around it, or one field of a JSON answer.
type label struct {
	document
	values []string
	fold   bool
	at     string
}

func newLabel(spec skill.VerifySpec) (rule, error) {
	if len(spec.Values) == 0 {
		return nil, fault("a label needs values")
	}
	return &label{document: document{fence: spec.Fence}, values: spec.Values, fold: spec.Fold, at: spec.At}, nil
}

func (l *label) judge(_ context.Context, q question) (string, error) {
	got, why := l.of(q.text)
	if why != "" {
		return why, nil
	}
	if !slices.ContainsFunc(l.values, func(v string) bool { return l.same(v, got) }) {
		return "the answer is none of the labels", nil
	}
	return "", nil
}

// of returns the label that an answer gives.
func (l *label) of(answer string) (got, why string) {
	if l.at == "" {
		return strings.TrimSpace(answer), ""
	}
	_, raw, why := l.read(answer)
	if why != "" {
		return "", why
	}
	field := gjson.Get(raw, l.at)
	if field.Type != gjson.String {
		return "", "there is no text at " + l.at
	}
	return strings.TrimSpace(field.Str), ""
}

func (l *label) same(a, b string) bool {
	if l.fold {
		return strings.EqualFold(a, b)
	}
	return a == b
}
