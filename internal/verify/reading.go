package verify

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"starling"
)

// A Reading is the label of an answer, and what stands around it.
type Reading struct {
	Label         string // as the rubric spells it
	Before, After string // of the answer without the space around it
	Quoted        bool   // the label stands there as a JSON string
}

// Labels returns what the skill's label verifier accepts, nil if there is none.
func Labels(verifiers []starling.Verifier) []string {
	if l := labelOf(verifiers); l != nil {
		return slices.Clone(l.values)
	}
	return nil
}

// Read finds the label of an answer as the skill's label verifier reads it. Without
// one it is the whole answer without the space around it. It is false for an answer
// that gives none of the labels.
func Read(verifiers []starling.Verifier, answer string) (r Reading, ok bool) {
	answer = strings.TrimSpace(answer)
	l := labelOf(verifiers)
	if l == nil {
		return Reading{Label: answer}, answer != ""
	}
	got, why := l.of(answer)
	at := slices.IndexFunc(l.values, func(v string) bool { return l.same(v, got) })
	if why != "" || at < 0 {
		return Reading{}, false
	}
	r.Label = l.values[at]
	if l.at == "" {
		return r, true
	}
	_, raw, _ := l.read(answer)
	field := gjson.Get(raw, l.at)
	from := strings.Index(answer, raw) + field.Index
	if field.Index == 0 || !strings.HasPrefix(answer[from:], field.Raw) { // a path that makes a value has no place
		return Reading{}, false
	}
	r.Before, r.After, r.Quoted = answer[:from], answer[from+len(field.Raw):], true
	return r, true
}

func labelOf(verifiers []starling.Verifier) *label {
	for _, v := range verifiers {
		if own, ok := ruleOf(v).(*label); ok {
			return own
		}
	}
	return nil
}
